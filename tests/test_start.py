"""start.py: what it refuses, what it installs, and that it leaves nothing running."""

import argparse
import ast
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import psutil
import pytest

import start
from boot import NEWEST, ROOT, StartError, took
from boot.children import Child, run, stop_all, waiting
from boot.computer import check_python, python_problem
from boot.install import cause, check_disk, install, is_installed, needed_gigabytes, stamp, venv_python
from boot.workspace import FIRST_PORT, free_port, lock, open_home

SOURCES = [ROOT / "start.py", *sorted((ROOT / "boot").glob("*.py"))]
LINUX = ("Linux", "x86_64", "")


# what it is written in


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_an_old_python_can_read_it(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_it_needs_the_standard_library_only(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.split(".")[0] in sys.stdlib_module_names | {"boot"}, name


# this computer


def test_this_python_will_do():
    check_python()


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_the_supported_pythons_are_taken(version):
    assert python_problem(version, 64, *LINUX) is None
    assert python_problem(version, 64, "Windows", "AMD64", "") is None
    assert python_problem(version, 64, "Darwin", "arm64", "14.5") is None


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (((3, 10), 64, *LINUX), "too old"),
        (((3, 8), 64, *LINUX), "too old"),
        (((NEWEST[0], NEWEST[1] + 1), 64, *LINUX), "too new"),
        (((3, 12), 32, "Windows", "x86", ""), "32 bits"),
        (((3, 12), 64, "Darwin", "x86_64", "14.5"), "Apple silicon"),
        (((3, 12), 64, "Darwin", "arm64", "13.6.1"), "macOS 13.6.1"),
    ],
)
def test_others_are_refused_with_the_reason(found, word):
    assert word in (python_problem(*found) or "")


def test_times_read_well():
    assert [took(s) for s in (0.04, 9.94, 9.96, 59.4, 59.6, 187)] == [
        "0.0 s",
        "9.9 s",
        "10 s",
        "59 s",
        "1 min 0 s",
        "3 min 7 s",
    ]


# ports and the workspace


def test_a_taken_port_is_passed_over():
    first = free_port(None)
    assert first >= FIRST_PORT
    with socket.socket() as other:
        other.bind(("127.0.0.1", first))
        other.listen()
        assert free_port(None) > first
        with pytest.raises(StartError, match=rf"Port {first} .*--port"):
            free_port(first)


def test_a_port_taken_on_every_interface_counts_as_taken():
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        with pytest.raises(StartError):
            free_port(other.getsockname()[1])


@pytest.mark.parametrize("port", [-1, 0, 70000])
def test_an_impossible_port_is_refused_in_words(port):
    with pytest.raises(StartError, match="Choose another"):
        free_port(port)


def test_a_workspace_is_made_and_one_that_cannot_be_is_refused(tmp_path):
    open_home(tmp_path / "my photos é" / "here")
    assert (tmp_path / "my photos é" / "here").is_dir()

    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StartError, match="--home"):
        open_home(tmp_path / "file" / "here")


def test_a_lock_holds_against_another_process_and_ends_with_its_holder(tmp_path):
    path = tmp_path / "start.lock"
    hold = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom pathlib import Path\nimport time\n"
    hold += f"from boot.workspace import lock\nheld = lock(Path({str(path)!r}))\nprint('held', flush=True)\n"
    holder = subprocess.Popen([sys.executable, "-c", hold + "time.sleep(60)"], stdout=subprocess.PIPE)
    try:
        assert holder.stdout
        holder.stdout.readline()
        assert lock(path) is None
    finally:
        holder.kill()
        holder.communicate()
    file = lock(path)
    assert file is not None
    file.close()


# installation: a real environment and a real, tiny package


def toy_package(folder: Path, version: str) -> Path:
    """Write a wheel of a package `toy` and return its path."""
    wheel = folder / f"toy-{version}-py3-none-any.whl"
    info = f"toy-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as files:
        files.writestr("toy.py", f"version = {version!r}\n")
        files.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: toy\nVersion: {version}\n")
        files.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        files.writestr(f"{info}/RECORD", "")
    return wheel


def toy_version(venv: Path) -> str:
    command = [str(venv_python(venv)), "-c", "import toy; print(toy.version)"]
    return subprocess.run(command, capture_output=True, encoding="utf-8").stdout.strip()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a space and another letter in its name, as in C:\\Users\\Zoë K."""
    folder = tmp_path_factory.mktemp("Zoë K")
    return folder


@pytest.fixture
def small_disk_need(monkeypatch):
    """The toy package needs no gigabytes."""
    monkeypatch.setattr("boot.install.needed_gigabytes", lambda venv: 0.01)


def test_packages_are_installed_again_only_when_their_list_changed(place, small_disk_need, capsys):
    venv, listed = place / ".venv", place / "requirements.txt"
    listed.write_text(f"{toy_package(place, '1.0').as_uri()}\n", encoding="utf-8")

    assert install(venv, [listed]) is True
    assert toy_version(venv) == "1.0"
    assert "Installed in" in capsys.readouterr().out
    assert install(venv, [listed]) is False
    assert capsys.readouterr().out == ""

    listed.write_text(f"{toy_package(place, '2.0').as_uri()}\n", encoding="utf-8")
    assert install(venv, [listed]) is True
    assert toy_version(venv) == "2.0"
    assert not (venv / "tmp").exists()

    # A failed installation says what pip said, and is not taken for done.
    before = listed.read_text(encoding="utf-8")
    listed.write_text(f"{(place / 'toy-3.0-py3-none-any.whl').as_uri()}\n", encoding="utf-8")
    with pytest.raises(StartError, match=r"(?s)pip could not install.*toy-3\.0"):
        install(venv, [listed])
    assert not is_installed(venv, listed)
    listed.write_text(before, encoding="utf-8")
    assert not is_installed(venv, listed), "a killed or failed installation is done again"
    assert install(venv, [listed]) is True

    # An environment that was left half made is made again.
    stamp(venv, listed).unlink()
    venv_python(venv).unlink()
    assert install(venv, [listed]) is True
    assert toy_version(venv) == "2.0"


def test_a_full_disk_is_said_before_the_installation(tmp_path):
    check_disk(tmp_path, 0.001)
    with pytest.raises(StartError, match=r"needs about 9000000 GB free"):
        check_disk(tmp_path, 9e6)


def test_a_torch_that_is_there_needs_no_new_gigabytes(tmp_path):
    assert needed_gigabytes(tmp_path) > 3
    place = "Lib/site-packages" if sys.platform == "win32" else "lib/python3.12/site-packages"
    (tmp_path / place / "torch").mkdir(parents=True)
    assert needed_gigabytes(tmp_path) == 1


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("WARNING: Retrying: ProxyError('Cannot connect to proxy.')", "HTTPS_PROXY"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "PIP_CERT"),
        ("Failed to establish: NewConnectionError: getaddrinfo failed", "network"),
        ("OSError: [WinError 206] The filename or extension is too long", "short path"),
        ("ERROR: [WinError 5] Access is denied: 'torch_cpu.dll'", "close programs"),
        ("ERROR: No matching distribution found for torch", "no build for this system"),
        ("something else", "delete"),
    ],
)
def test_the_likely_cause_of_a_failed_installation_is_named(line, word):
    assert word in cause(["Collecting torch", line, "ERROR: No matching distribution found for x"][:2])


# children


WAIT_FOR_STDIN = "import sys; print('up', flush=True); sys.stdin.read()"
STUBBORN = (
    "import signal, subprocess, sys, time\n"
    "for name in ('SIGTERM', 'SIGINT'): signal.signal(getattr(signal, name), signal.SIG_IGN)\n"
    "deaf = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(deaf.pid, flush=True); time.sleep(60)"
)


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether the process ends within the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def begin(code: str) -> tuple[Child, str]:
    """Start Python code as a child and wait for its first line."""
    lines: queue.Queue = queue.Queue()
    child = Child([sys.executable, "-c", code], lines)
    return child, lines.get(timeout=20)[1]


def test_a_command_hands_over_its_lines_and_its_exit_code():
    told: list[str] = []
    code = "import sys; print('Zoë'); print('half', end='\\r'); print('err', file=sys.stderr); sys.exit(3)"
    assert run([sys.executable, "-c", code], told.append) == 3
    assert [line for line in told if line] == ["Zoë", "half", "err"]


def test_a_child_ends_when_it_is_asked_to():
    child, line = begin(WAIT_FOR_STDIN)
    assert line == "up"
    assert not child.ended()
    began = time.monotonic()
    stop_all([child], grace=20)
    assert time.monotonic() - began < 5
    assert child.process.returncode == 0


def test_a_child_that_does_not_listen_is_ended_with_its_own_children():
    child, line = begin(STUBBORN)
    stop_all([child], grace=0.3)
    assert child.ended()
    assert gone(int(line))


def test_children_end_when_their_parent_is_killed(tmp_path):
    parent = (
        f"import sys, time, queue; sys.path.insert(0, {str(ROOT)!r})\n"
        "from boot.children import Child\n"
        f"children = [Child([sys.executable, '-c', {WAIT_FOR_STDIN!r}], queue.Queue()) for _ in range(2)]\n"
        "print(*(c.process.pid for c in children), flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, encoding="utf-8")
    assert process.stdout
    pids = [int(word) for word in process.stdout.readline().split()]
    assert len(pids) == 2
    assert all(psutil.pid_exists(pid) for pid in pids)
    process.kill()
    process.communicate()
    assert all(gone(pid) for pid in pids)


def test_lines_are_taken_as_they_come():
    lines: queue.Queue = queue.Queue()
    assert list(waiting(lines, 0.01)) == []
    lines.put((None, "a"))
    lines.put((None, "b"))
    assert [line for _, line in waiting(lines, 0.01)] == ["a", "b"]


# the whole of it: this checkout's own environment, the real app and the real worker


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
def test_a_worker_that_dies_is_reported_and_the_app_goes_on(started):
    one = started("--empty")
    address = one.wait_for(r"Workbench: (http://\S+)").group(1)
    worker = next(p for p in one.family() if "worker" in p.cmdline())
    worker.kill()
    one.wait_for("The worker stopped by itself .*")
    assert answer(address) == 200


@needs_own_venv
def test_with_until_done_it_ends_by_itself_when_nothing_is_queued(started):
    one = started("--empty", "--until-done")
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
