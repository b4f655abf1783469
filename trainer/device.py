"""Find out what this machine computes on, and which precisions really work there."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

HALF_TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


SMALL_PARAMETERS = 50_000_000  # a U-Net below this keeps no second core busy
_all_threads = torch.get_num_threads()  # as many as cores, or what OMP_NUM_THREADS says


class DeviceError(ValueError):
    """The wanted device is not there."""


@dataclass(frozen=True)
class Device:
    """One place to compute.

    kind is "cuda", "mps" or "cpu"; name is for people; precisions holds the mixed precisions that passed a
    trial, always with "no" (fp32); memory is in bytes, None where the device shares the machine's memory.
    """

    kind: str
    name: str
    torch_device: torch.device
    precisions: frozenset[str]
    memory: int | None = None


def probe(prefer: str | None = None) -> Device:
    """The best device that works: cuda, then mps, then cpu; or exactly the preferred one ("cuda:1", "cpu").

    Raises DeviceError when the preferred device is missing or does not compute.
    """
    if prefer is not None:
        return _preferred(prefer)
    for kind in ("cuda", "mps"):
        if _there(kind) and _computes(torch.device(kind), torch.float32):
            return _describe(torch.device(kind))
    return _describe(torch.device("cpu"))


def use_threads(parameters: int) -> None:
    """Let torch compute on one core for a small U-Net, on all for a large one; a rule, so that runs repeat.

    On the miniature (13 million parameters, 2 cores): 9.9 updates/s on one thread, 9.4 on two that spin while they
    wait, 3.4 on two that sleep; and one thread leaves a core to the app.
    """
    torch.set_num_threads(1 if parameters < SMALL_PARAMETERS else _all_threads)


def _preferred(name: str) -> Device:
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"There is no device called {name!r}. Use one of: {', '.join(_names())}.") from None
    if not _there(device.type) or not _computes(device, torch.float32):
        raise DeviceError(f"Device {name!r} does not work here. Use one of: {', '.join(_names())}.")
    return _describe(device)


def _names() -> list[str]:
    return [kind for kind in ("cuda", "mps") if _there(kind)] + ["cpu"]


def _there(kind: str) -> bool:
    available: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    return kind in available and available[kind]()


def _describe(device: torch.device) -> Device:
    if device.type == "cpu":  # half precision on a CPU is slower than fp32 and gains nothing here
        return Device("cpu", "CPU", device, frozenset({"no"}))
    halves = {name for name, dtype in HALF_TYPES.items() if _computes(device, dtype)}
    precisions = frozenset({"no"} | halves)
    if device.type == "mps":
        return Device("mps", "Apple GPU", device, precisions)
    if not torch.cuda.is_bf16_supported(including_emulation=False):  # emulated bf16 works but crawls
        precisions -= {"bf16"}
    properties = torch.cuda.get_device_properties(device)
    return Device("cuda", properties.name, device, precisions, properties.total_memory)


def _computes(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether a convolution and a matrix product, there and back, give finite numbers in this type."""
    try:
        image = torch.ones(1, 8, 8, 8, device=device, dtype=dtype, requires_grad=True)
        weight = torch.full((8, 8, 3, 3), 0.1, device=device, dtype=dtype)
        mixed = torch.nn.functional.conv2d(image, weight, padding=1).flatten(1)
        (mixed @ mixed.T).sum().backward()
        return image.grad is not None and bool(image.grad.isfinite().all().item())
    except (RuntimeError, AssertionError, TypeError, NotImplementedError):
        return False
