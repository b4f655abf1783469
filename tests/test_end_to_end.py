"""The main path as a person walks it, in a real browser: start, photos, pattern, queue, rate, charts, retrain, stop."""

import queue
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from trainer import EMBEDDED

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = EMBEDDED / "subjects" / "subject_a"
TRAINING_MS = 240_000


class Workbench:
    """start.py as a process, and the address that it printed."""

    def __init__(self, home):
        self.lines = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "start.py", "--home", str(home), "--empty", "--no-browser"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        threading.Thread(target=self._read, daemon=True).start()
        self.address = self._wait_for_address()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)

    def _wait_for_address(self):
        deadline, said = time.monotonic() + 120, []
        while time.monotonic() < deadline:
            try:
                said.append(self.lines.get(timeout=1))
            except queue.Empty:
                assert self.process.poll() is None, "".join(said)
                continue
            found = re.search(r"http://127\.0\.0\.1:\d+", said[-1])
            if found:
                return found.group()
        raise AssertionError("start.py printed no address:\n" + "".join(said))

    def stop(self):
        """Ctrl-C; returns the processes that are left after half a minute."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT)
        self.process.wait(60)
        return psutil.wait_procs(family, timeout=30)[1]


@pytest.fixture
def workbench(tmp_path):
    started = Workbench(tmp_path / "my workspace")
    yield started
    if started.process.poll() is None:
        started.stop()


def box(page, name):
    """A text field by its label (its help button has the label too)."""
    return page.get_by_role("textbox", name=name, exact=True)


def choose_score(page, name):
    page.get_by_role("combobox", name="Score").click()
    page.get_by_role("option", name=name).click()


def go_to(page, name):
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def mark(page, progress):
    """One answer by its key, until the next picture is asked about."""
    before = progress.inner_text()
    page.keyboard.press("7")
    expect(progress).not_to_have_text(before)


@pytest.mark.browser
def test_the_main_path(workbench, page):
    page.goto(workbench.address)

    # A project of one's own.
    box(page, "Name").fill("Anna")
    box(page, "Class noun").fill("woman")
    page.get_by_role("button", name="Make the project").click()

    # Photos: a folder whose sub-folders fix the split.
    box(page, "Folder on this computer").fill(str(PHOTOS))
    box(page, "Folder on this computer").press("Enter")
    page.get_by_role("button", name="Import the folder").click()
    expect(page.get_by_text("40 photos added")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Held out: likeness is measured against these (10)")).to_be_visible()

    # A first pattern, cut short.
    go_to(page, "Patterns")
    box(page, "Label").fill("short")
    box(page, "epochs").fill("2")
    box(page, "epochs").press("Enter")
    page.get_by_role("button", name="Add the pattern").click()
    page.get_by_role("button", name="Queue 2 runs").click()

    # It trains while we watch.
    expect(page.get_by_role("heading", name="Queue", exact=True)).to_be_visible()
    expect(page.get_by_text("2 of 2 runs ended")).to_be_visible(timeout=TRAINING_MS)

    # Rate some pictures blind: nothing on the page tells which pattern made them.
    go_to(page, "Rate")
    page.get_by_text("Quick deck", exact=True).last.click()
    page.get_by_role("button", name="Start").click()
    progress = page.locator(".rate .progress")
    expect(progress).to_be_visible(timeout=TRAINING_MS)
    assert "short" not in page.locator(".rate").inner_text()
    for _ in range(3):
        before = progress.inner_text()
        while progress.inner_text().startswith("Warm-up"):
            mark(page, progress)
        mark(page, progress)
        assert progress.inner_text() != before
    page.get_by_role("button", name="Stop for now").click()
    expect(page.get_by_text("Saved: 3 answers")).to_be_visible()

    # The chart has a score more: the mark.
    go_to(page, "Charts")
    page.get_by_text("Over the training", exact=True).click()
    choose_score(page, re.compile("^likeness, rated"))
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()

    # Retrain at a click.
    page.goto(f"{workbench.address}/run?run=1")
    page.get_by_role("button", name="Retrain with a new seed").click()
    expect(page.get_by_text("2 of 3 runs ended")).to_be_visible(timeout=60_000)

    # Ctrl-C stops everything.
    assert workbench.stop() == []
