"""What start.py is made of: what it refuses, what it installs, and that its children end."""

import ast
import os
import queue
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import psutil
import pytest
from processes import gone

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
        if os.name == "posix":  # an app that has just left the port does not count
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
