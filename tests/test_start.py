"""start.py with the real app and the real worker, in this checkout's own .venv."""

import argparse
import json
import os
import queue
import re
import signal
import socket
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from processes import gone

import start
from boot import ROOT
from boot.children import Child, stop_all, waiting
from boot.install import is_installed

needs_own_venv = pytest.mark.skipif(
    not is_installed(start.VENV, start.REQUIREMENTS),
    reason="runs start.py itself, which would install gigabytes: run these with `python start.py test`",
)


class Started:
    """A start.py that runs, with the lines that it has printed."""

    def __init__(self, home: Path, *options: str) -> None:
        command = [sys.executable, str(ROOT / "start.py"), "--no-browser", "--home", str(home), *options]
        self.home = home
        self.began = time.monotonic()
        self.lines: queue.Queue = queue.Queue()
        self.child = Child(command, self.lines)  # the test's own reader of lines does for start.py too
        self.told: list[str] = []

    def wait_for(self, pattern: str, seconds: float = 60.0) -> re.Match[str]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for _, line in waiting(self.lines, 0.1):
                self.told.append(line)
            for line in self.told:
                if match := re.search(pattern, line):
                    return match
        raise AssertionError(f"no line like {pattern!r} in:\n" + "\n".join(self.told))

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.child.process.pid).children(recursive=True)


@pytest.fixture
def started(tmp_path):
    """Start start.py on a workspace; whatever the test leaves is ended."""
    running: list[Started] = []

    def begin_one(*options: str, home: Path = tmp_path / "my home é") -> Started:
        running.append(Started(home, *options))
        return running[-1]

    yield begin_one
    stop_all([one.child for one in running], grace=0)


def answer(address: str) -> int:
    with urllib.request.urlopen(address, timeout=20) as page:
        return int(page.status)


@needs_own_venv
def test_a_second_start_shows_the_page_that_is_there_and_ctrl_c_ends_all(started):
    first = started("--empty")
    address = first.wait_for(r"Workbench: (http://127\.0\.0\.1:\d+)").group(1)
    assert answer(address) == 200
    family = first.family()
    assert len(family) >= 2, "the app and the worker"

    second = started("--empty")
    second.wait_for(rf"already runs on .*: {re.escape(address)}")
    assert second.child.process.wait(timeout=20) == 0
    assert first.child.process.poll() is None

    first.wait_for("Device: ")
    os.kill(first.child.process.pid, signal.SIGINT if os.name == "posix" else signal.CTRL_BREAK_EVENT)
    assert first.child.process.wait(timeout=40) == 0
    assert all(gone(process.pid) for process in family)
    assert not (first.home / "start.json").exists()


@needs_own_venv
def test_a_killed_start_leaves_nothing_running_and_does_not_block_the_next(started):
    first = started("--empty")
    first.wait_for("Workbench: http")
    family = first.family()
    first.child.process.kill()
    assert all(gone(process.pid, seconds=40) for process in family)

    again = started("--empty")
    again.wait_for("Workbench: http")
    note = json.loads((again.home / "start.json").read_text(encoding="utf-8"))
    assert note["pid"] == again.child.process.pid or os.name == "nt"


@needs_own_venv
def test_a_worker_that_dies_is_reported_and_replaced_and_the_app_goes_on(started):
    one = started("--empty")
    address = one.wait_for(r"Workbench: (http://\S+)").group(1)
    worker = next(p for p in one.family() if "worker" in p.cmdline())
    worker.kill()
    one.wait_for("The worker stopped by itself .* another one takes over")
    one.wait_for("trains on: ")
    assert answer(address) == 200


@needs_own_venv
def test_with_until_done_it_ends_by_itself_when_nothing_is_queued(started):
    one = started("--empty", "--until-done")
    one.wait_for("The queue is empty")
    assert one.child.process.wait(timeout=40) == 0


@needs_own_venv
def test_with_until_done_a_worker_that_dies_is_replaced_too(started, tmp_path):
    from filled import fill

    from workbench.running import hours, queue

    full = fill(tmp_path / "w")
    [run] = queue.enqueue(full.db, full.project_id, full.pattern_ids[:1], [9])
    hours.pause(full.db)  # so that there is something to wait for
    one = started("--until-done", home=tmp_path / "w")
    one.wait_for("trains on: ")
    next(p for p in one.family() if "worker" in p.cmdline()).kill()
    one.wait_for("The worker stopped by itself .* another one takes over")
    queue.cancel(full.db, run)
    hours.resume(full.db)
    one.wait_for("The queue is empty")
    assert one.child.process.wait(timeout=40) == 0


def test_a_taken_port_is_said_before_anything_is_installed(started):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        one = started("--port", str(port))
        one.wait_for(f"Port {port} can't be used", seconds=20)
        assert one.child.process.wait(timeout=20) == 1
    assert not list(one.home.glob("*.db"))


def test_the_options_have_the_defaults_of_the_readme():
    options = start.parse([])
    assert options == argparse.Namespace(
        home=str(ROOT / "workspace"), empty=False, no_browser=False, port=None, until_done=False
    )
