"""The virtual environment .venv and its packages: made once, brought up to date when their list changed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from boot import NEWEST, OLDEST, ROOT, StartError, say, took
from boot.children import child_environment, run
from boot.workspace import locked

VENV = ROOT / ".venv"


def venv_python(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def venv_version(venv: Path) -> tuple[int, int] | None:
    """The version of the environment's Python, or None when it is missing or half made."""
    probe = "import sys, pip; print(sys.version_info[0], sys.version_info[1])"
    try:
        answer = subprocess.run(
            [str(venv_python(venv)), "-c", probe], capture_output=True, env=child_environment(), timeout=60
        )
        major, minor = answer.stdout.split()
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def make_venv(venv: Path) -> None:
    """Make the environment unless a working one is there."""
    version = venv_version(venv)
    if version and OLDEST <= version <= NEWEST:
        return
    say(f"Making {venv}" + (f" anew: it has Python {version[0]}.{version[1]}" if version else ""))
    told: list[str] = []
    base = getattr(sys, "_base_executable", sys.executable)  # not .venv's own Python, should that run this
    if run([base, "-m", "venv", "--clear", venv], told.append) != 0:
        raise StartError(
            "Python could not make a virtual environment. It said:\n  " + "\n  ".join(told[-8:]) + "\n"
            f"On Debian or Ubuntu: sudo apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv   "
            f"Elsewhere: is {ROOT} yours to write in? Then delete {venv} and start again."
        )


def stamp(venv: Path, requirements: Path) -> Path:
    """The file that says which text of a requirements file is installed."""
    return venv / (requirements.name + ".installed")


def fingerprint(requirements: Path) -> str:
    return hashlib.sha256(requirements.read_bytes()).hexdigest()


def is_installed(venv: Path, requirements: Path) -> bool:
    try:
        return stamp(venv, requirements).read_text(encoding="utf-8") == fingerprint(requirements)
    except OSError:
        return False


def install(venv: Path, requirements: list[Path]) -> bool:
    """Install what changed since the last installation that came to its end; True when something did."""
    with locked(venv.with_name(venv.name + ".lock"), "Another start.py is installing; waiting for it ..."):
        make_venv(venv)
        changed = [file for file in requirements if not is_installed(venv, file)]
        if not changed:
            return False
        began = time.monotonic()
        check_disk(venv, needed_gigabytes(venv))
        for file in changed:
            if stamp(venv, file).exists():
                stamp(venv, file).unlink()
        pip_install(venv, requirements)
        for file in requirements:
            fresh = stamp(venv, file).with_suffix(".new")
            fresh.write_text(fingerprint(file), encoding="utf-8")
            os.replace(fresh, stamp(venv, file))
        say(f"Installed in {took(time.monotonic() - began)}.")
        return True


def needed_gigabytes(venv: Path) -> float:
    """Free disk that an installation takes while it runs, in 10^9 bytes.

    Measured on Linux, where pip brings PyTorch with CUDA: .venv 7.5, the downloads 3.4, and as much again
    for pip's cache of them. Without CUDA .venv is near 2.5, the downloads are near 0.8.
    """
    if any(venv.glob("lib/python*/site-packages/torch")) or (venv / "Lib/site-packages/torch").is_dir():
        return 1.0
    unpacked, downloads = (7.5, 3.4) if sys.platform == "linux" else (2.5, 0.8)
    cache_is_here = Path.home().stat().st_dev == venv.stat().st_dev
    return unpacked + downloads * (2 if cache_is_here else 1)


def check_disk(folder: Path, gigabytes: float) -> None:
    free = shutil.disk_usage(folder).free / 1e9
    if free < gigabytes:
        raise StartError(
            f"Not enough disk space: the installation in {folder} needs about {gigabytes:.0f} GB free while "
            f"it runs, {free:.1f} GB are free. Free some, or move this folder to a larger disk, then start "
            "again."
        )


def pip_install(venv: Path, requirements: list[Path]) -> None:
    """Install requirement files with pip; big downloads are named as they begin."""
    say("Installing the packages. The first time takes minutes: there are gigabytes to download ...")
    # Downloads lie in .venv, not in the system's temporary folder: that is often a small disk in memory.
    scratch = venv / "tmp"
    shutil.rmtree(scratch, ignore_errors=True)  # what a killed installation left
    scratch.mkdir()
    env = {**child_environment(), "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    command: list[str | Path] = [venv_python(venv), "-m", "pip", "install", "--no-input"]
    command += ["--progress-bar", "off"]
    for file in requirements:
        command += ["-r", file]
    told: list[str] = []

    def show(line: str) -> None:
        told.append(line)
        big = re.search(r"Downloading (\S+?)-.* \((\d{2,}[.\d]* MB|[.\d]+ GB)\)", line)
        if big:
            say(f"  downloading {big.group(1).split('/')[-1]} ({big.group(2)})")
        elif line.startswith("Installing collected packages"):
            say("  unpacking ...")

    try:
        if run(command, show, env) != 0:
            last = "\n  ".join(told[-12:])
            raise StartError(f"pip could not install the packages. Its last lines:\n  {last}\n{cause(told)}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


CAUSES = [  # what pip prints, and what it means; network errors also end in "No matching distribution"
    (r"No space left|not enough space|Errno 28", "The disk is full: free some space and start again."),
    (
        r"ProxyError|Tunnel connection failed|407 Proxy",
        "A proxy is in the way: set the environment variable HTTPS_PROXY to yours and start again.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        "A certificate was refused: behind a company's proxy set PIP_CERT to its certificate file.",
    ),
    (
        r"NewConnectionError|NameResolution|Temporary failure|getaddrinfo|[Tt]imed out|unreachable|"
        r"ConnectionResetError|IncompleteRead|Connection refused|Connection broken",
        "The package index was not reached: check the network and start again.",
    ),
    (
        r"[Ff]ile ?name (or extension is )?too long|WinError 206",
        "A path is too long for Windows: move this folder to a short path such as C:\\workbench.",
    ),
    (
        r"Permission denied|WinError 5\b|Access is denied",
        "A file could not be written: close programs that use .venv, and see whose folder this is.",
    ),
    (
        r"No matching distribution|Could not find a version",
        "A package has no build for this system or Python, or the package index was not reached.",
    ),
]


def cause(told: list[str]) -> str:
    """The likely cause of a failed installation and what to do, from the lines that pip printed."""
    for pattern, sentence in CAUSES:
        if any(re.search(pattern, line) for line in told):
            return sentence
    return f"If nothing above helps: delete {VENV} and start again."
