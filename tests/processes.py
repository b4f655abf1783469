"""What tests ask about processes."""

import time

import psutil


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
