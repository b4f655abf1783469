"""Child processes that end when this program does, however it ends."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterable

from boot import ROOT, say

STOP_SECONDS = 30.0  # a training that runs saves its state in this time


def child_environment() -> dict[str, str]:
    """This environment, less what would mix other packages into .venv; text is UTF-8 and unbuffered.

    OpenMP's threads sleep while they wait. By default they spin, and where other programs want the cores too,
    torch on two threads then did 0.2 steps/s in place of 5 (two cores under a load of 6).
    """
    unwanted = {"PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX"}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in unwanted}
    ours = {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1"}
    return {"OMP_WAIT_POLICY": "PASSIVE", **kept, **ours}


class Child:
    """A process of ours. Its lines go to a queue; it is asked to end by closing its standard input.

    Each child leads a process group of its own: Ctrl-C reaches only this program, which then stops the
    children in order. When this program is killed, the system closes the pipe, and the child reads the
    end of its input.
    """

    def __init__(
        self,
        arguments: Iterable[str | Path],
        lines: queue.Queue[tuple[Child, str]],
        env: dict[str, str] | None = None,
    ) -> None:
        own_group: dict[str, Any]
        if sys.platform == "win32":
            own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        else:
            own_group = {"start_new_session": True}
        self.lines = lines
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments],
            cwd=str(ROOT),
            env=env or child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            **own_group,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.put((self, line.rstrip()))

    def ended(self) -> bool:
        """Whether it is over and its last lines are in the queue."""
        if self.process.poll() is None:
            return False
        self.reader.join(timeout=2)  # a grandchild that lives on would hold the pipe open
        return True

    def ask_to_stop(self) -> None:
        try:
            assert self.process.stdin
            self.process.stdin.close()
        except OSError:
            pass

    def stop(self, deadline: float) -> None:
        """Wait until the monotonic time `deadline`, then end what is left of it and of its own children."""
        self.ask_to_stop()
        try:
            self.process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._kill()
        else:
            self._kill_group(deadline)
        self.reader.join(timeout=1)

    def _kill(self) -> None:
        if sys.platform == "win32":
            tree = ["taskkill", "/T", "/F", "/PID", str(self.process.pid)]
            subprocess.run(tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._kill_group(0.0)
        self.process.wait()

    def _kill_group(self, deadline: float) -> None:
        """End the members of the group that outlive its leader (the engine under the worker)."""
        if sys.platform == "win32":
            return
        try:
            while time.monotonic() < deadline:
                os.killpg(self.process.pid, 0)
                time.sleep(0.05)
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def stop_all(children: list[Child], grace: float = STOP_SECONDS) -> None:
    """Ask all to end, wait `grace` seconds at most, then end by force what is left.

    A second Ctrl-C skips the wait.
    """
    deadline = time.monotonic() + grace
    try:
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.stop(deadline)
    except KeyboardInterrupt:
        for child in children:
            child.stop(0.0)


def run(
    arguments: Iterable[str | Path],
    show: Callable[[str], None] = say,
    env: dict[str, str] | None = None,
) -> int:
    """Run one command to its end, hand its lines to `show`, and return its exit code."""
    lines: queue.Queue[tuple[Child, str]] = queue.Queue()
    child = Child(arguments, lines, env)
    try:
        while not child.ended() or not lines.empty():
            for _, line in waiting(lines, 0.1):
                show(line)
    finally:
        child.stop(0.0)
    return int(child.process.returncode)


def waiting(lines: queue.Queue[tuple[Child, str]], seconds: float) -> Iterable[tuple[Child, str]]:
    """The lines that are there now; waits `seconds` at most for the first."""
    try:
        yield lines.get(timeout=seconds)
        while True:
            yield lines.get_nowait()
    except queue.Empty:
        return
