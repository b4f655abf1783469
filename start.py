"""Set up the workbench and run it: `python start.py`, or `python start.py test` for its tests.

Uses the standard library only, and (with boot/) syntax that Python 3.8 reads: an old Python gets a sentence.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import subprocess
import sys
import time
import webbrowser
from pathlib import Path

from boot import ROOT, StartError, say, took
from boot.children import Child, child_environment, run, stop_all, waiting
from boot.computer import check_python, warn_of_missing_libraries
from boot.install import VENV, install, venv_python
from boot.workspace import FIRST_PORT, free_port, lock, open_home

REQUIREMENTS = ROOT / "requirements.txt"
DEV_REQUIREMENTS = ROOT / "requirements-dev.txt"
SAID_ITSELF = (0, 1)  # exit codes of a worker that is done, or that has said why it can't go on
WORKER_DEATHS = 3  # so many dead workers are replaced: a night must not be lost to one
# A process per core, four at most (each loads torch), each with whole files, the long ones early. `-n 0` after it wins.
SIDE_BY_SIDE = ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder"]
ADDRESS = "Workbench: "  # the app's line that says that it answers


def start(options: argparse.Namespace) -> int:
    """Install, prepare the workspace, and run until stopped. Returns the exit code."""
    home = Path(options.home).expanduser().resolve()
    open_home(home)
    held = lock(home / "start.lock")
    if held is None:
        return join_running(home, options)
    with held:
        note = home / "start.json"
        remove(note)  # left by a start.py that was killed
        free_port(options.port)  # a taken port is said before the installation
        fresh = install(VENV, [REQUIREMENTS])
        warn_of_missing_libraries()
        bench = Workbench(home, options, fresh)
        if not options.empty and run(bench.command("demo", "--if-empty")) != 0:
            raise StartError(
                "The demo could not be prepared; its last lines are above. To start without it: python start.py --empty"
            )
        try:
            return bench.run()
        except KeyboardInterrupt:
            say("\nStopping: a training that runs saves its state first (Ctrl-C again: at once) ...")
            return 130 if options.until_done else 0
        finally:
            stop_all(bench.children)
            remove(note)


class Workbench:
    """The app, the worker and (for a moment) the doctor, from start to stop."""

    def __init__(self, home: Path, options: argparse.Namespace, fresh: bool) -> None:
        self.home, self.options, self.fresh = home, options, fresh
        self.began = time.monotonic()
        self.lines: queue.Queue[tuple[Child, str]] = queue.Queue()
        self.children: list[Child] = []
        self.doctor: Child | None = None
        self.worker_deaths = 0

    def command(self, *verb: str) -> list[str | Path]:
        return [venv_python(VENV), "-m", "workbench", "--home", self.home, *verb]

    def begin(self, *verb: str) -> Child:
        self.children.append(Child(self.command(*verb), self.lines))
        return self.children[-1]

    def run(self) -> int:
        """Pass on the children's lines until the app ends, or with --until-done the worker."""
        port = free_port(self.options.port)
        self.app = self.begin("app", "--port", str(port), "--watch-stdin")
        worker = self.begin_worker()
        while True:
            self.show(seconds=0.2)
            if self.app.ended():
                self.show()
                raise StartError(
                    f"The app stopped by itself (exit code {self.app.process.returncode}); its last lines "
                    f"are above. Start again; if they say that a module is missing, delete {VENV} first."
                )
            if worker and worker.ended():
                self.show()
                code = int(worker.process.returncode)
                last = code in SAID_ITSELF or self.worker_deaths >= WORKER_DEATHS
                if self.options.until_done and last:
                    return self.finish(code)
                worker = self.worker_after(code)

    def begin_worker(self) -> Child | None:
        once = ["--once"] if self.options.until_done else []
        return self.begin("worker", "--watch-stdin", *once)

    def worker_after(self, code: int) -> Child | None:
        """Another worker in place of one that died, unless it said itself why it can't go on (exit code 1)."""
        self.worker_deaths += 1
        said = f"The worker stopped by itself (exit code {code})"
        if code != 1 and self.worker_deaths <= WORKER_DEATHS:
            say(f"{said}; another one takes over, runs go on from their last saved state.")
            return self.begin_worker()
        say(
            f"{said}: nothing is trained or scored now. Its last lines are above, more is in "
            f"{self.home / 'logs'}. The app goes on. To train again: Ctrl-C, then start again."
        )
        return None

    def finish(self, code: int) -> int:
        spent = took(time.monotonic() - self.began)
        if code == 0:
            say(f"The queue is empty and every preview has its scores, {spent} after the installation.")
        else:
            say(f"The worker ended with exit code {code} after {spent}; its last lines are above.")
        return code

    def show(self, seconds: float = 0.0) -> None:
        """Print the lines that have come; waits `seconds` at most for the first."""
        for child, line in waiting(self.lines, seconds):
            if child is self.app and line.startswith(ADDRESS):
                self.announce(line[len(ADDRESS) :].strip())
            elif child is not self.doctor or self.fresh or "Device: " in line or "ERROR" in line:
                say(line)

    def announce(self, address: str) -> None:
        note = self.home / "start.json"
        half = self.home / "start.json.new"
        half.write_text(json.dumps({"address": address, "pid": os.getpid()}), encoding="utf-8")
        os.replace(half, note)
        say(f"\nWorkbench: {address}   ({took(time.monotonic() - self.began)}; Ctrl-C here stops it)\n")
        if not (self.options.no_browser or self.options.until_done):
            show_page(address)
        self.doctor = self.begin("doctor")  # it loads torch, so only now that the page is there


def join_running(home: Path, options: argparse.Namespace) -> int:
    """Point to the workbench that already runs on this workspace. Returns the exit code."""
    for _ in range(40):  # 20 s: it may be about to answer
        try:
            address = str(json.loads((home / "start.json").read_text(encoding="utf-8"))["address"])
        except (OSError, ValueError, KeyError):
            time.sleep(0.5)
            continue
        say(f"The workbench already runs on {home}: {address}\nCtrl-C in its own terminal stops it.")
        if not (options.no_browser or options.until_done):
            show_page(address)
        return 1 if options.until_done else 0
    raise StartError(
        f"Another start.py is at work on {home} and has no page yet; its own terminal says how far it is. "
        "For a second workbench choose another folder with --home."
    )


def show_page(address: str) -> None:
    """Open the browser, where there is a screen for one."""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(address)


def remove(file: Path) -> None:
    if file.exists():
        file.unlink()


def test(arguments: list[str]) -> int:
    """Install what the tests need too, and run pytest. Returns its exit code."""
    install(VENV, [REQUIREMENTS, DEV_REQUIREMENTS])
    warn_of_missing_libraries()
    command = [str(venv_python(VENV)), "-m", "pytest", *SIDE_BY_SIDE, *arguments]
    process = subprocess.Popen(command, cwd=str(ROOT), env=child_environment())
    try:
        return process.wait()
    except KeyboardInterrupt:  # a Ctrl-C reached pytest too: let it print its summary
        try:
            return process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="start.py",
        description="Sets up the workbench, trains in the background, and opens the app in your browser.",
        epilog="python start.py test [pytest arguments] runs the tests.",
    )
    option = parser.add_argument
    home = str(ROOT / "workspace")
    option("--home", metavar="DIR", default=home, help="the workspace folder (default: workspace, here)")
    option("--empty", action="store_true", help="leave the demo project out of an empty workspace")
    option("--no-browser", action="store_true", help="do not open a browser")
    option("--port", type=int, help=f"the app's port (default: the next free one from {FIRST_PORT})")
    option("--until-done", action="store_true", help="stop when all queued runs are trained and scored")
    return parser.parse_args(arguments)


def interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console that can't show a letter shows "?"
    try:
        check_python()
        return test(arguments[1:]) if arguments[:1] == ["test"] else start(parse(arguments))
    except StartError as error:
        say(f"\n{error}")
        return 1
    except KeyboardInterrupt:
        say("\nStopped.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
