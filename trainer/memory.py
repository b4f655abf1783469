"""How much memory an update needs."""

import psutil
import torch


def watch_memory(device: torch.device) -> None:
    """Begin to look for a peak, where the device keeps one."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def memory_bytes(device: torch.device) -> int:
    """CUDA: the most that torch held since `watch_memory`. Apple GPU: what the driver holds for this process.

    CPU: the resident size of the whole process, models and libraries included.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    return int(psutil.Process().memory_info().rss)
