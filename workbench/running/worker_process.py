"""A worker's process as others see it: does it still run?"""

from typing import Any

import psutil


def is_alive(worker: dict[str, Any]) -> bool:
    """Whether a worker's process still runs. A process that began after the worker's row is another one."""
    try:
        return psutil.Process(worker["pid"]).create_time() <= worker["started_at"] + 1
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
