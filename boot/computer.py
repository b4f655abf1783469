"""Whether this computer and its Python can run the workbench."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

from boot import NEWEST, OLDEST, StartError, say


def python_problem(version: tuple[int, int], bits: int, system: str, machine: str, release: str) -> str | None:
    """Say why this Python can't run the workbench; None when it can.

    `system`, `machine` are platform.system() and .machine(), `release` is the version of macOS, else "".
    """
    wanted = f"Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
    found = f"this is Python {version[0]}.{version[1]}"
    needs = f"The workbench needs {wanted}, but {found}"
    if version < OLDEST:
        return f"{needs}, which is too old."
    if version > NEWEST:
        return f"{needs}, which is too new for some of the packages that it builds on."
    if bits != 64:
        return f"{needs} with {bits} bits: PyTorch has no {bits}-bit build. Get the 64-bit one."
    if system == "Darwin" and (machine != "arm64" or int(release.split(".")[0] or 0) < 14):
        return (
            f"On a Mac the workbench needs Apple silicon and macOS 14 or later, but this is macOS {release} "
            f"and a Python for {machine}: PyTorch has no build for it."
        )
    return None


def other_python() -> str | None:
    """Find the command of another Python on this computer that would do."""
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        command = ["py", f"-3.{minor}"] if sys.platform == "win32" else [f"python3.{minor}"]
        try:
            answer = subprocess.run([*command, "--version"], capture_output=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if answer.returncode == 0:
            return " ".join(command)
    return None


def check_python() -> None:
    bits = 64 if sys.maxsize > 2**32 else 32
    version = (sys.version_info[0], sys.version_info[1])
    problem = python_problem(version, bits, platform.system(), platform.machine(), platform.mac_ver()[0])
    if problem:
        other = other_python()
        fix = f"You have one that may do:  {other} start.py" if other else "Get Python 3.13 from python.org."
        raise StartError(f"{problem}\n{fix}")


def warn_of_missing_libraries() -> None:
    """OpenCV's Linux packages load these; servers without a desktop often lack them."""
    if sys.platform != "linux":
        return
    missing = []
    for library in ("libGL.so.1", "libglib-2.0.so.0", "libxcb.so.1"):
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(library)
    if missing:
        say(
            f"Warning: this system lacks {', '.join(missing)}, so OpenCV and with it the face judge "
            "won't load. On Debian or Ubuntu: sudo apt install libgl1 libglib2.0-0 libxcb1"
        )
