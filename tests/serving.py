"""The app over a workspace, as a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

from test_launch import free_port, start


def served(home: Path, port: int) -> Popen:
    """The app's process; it answers at the port when this returns."""
    process = start(home, port)
    assert "Workbench" in process.stdout.readline()
    return process


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """The app's address, for as long as this lasts."""
    port = free_port()
    process = served(home, port)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stdin.close()
        process.wait(20)
