"""Makes reference.safetensors: 20 updates by the packages that sd-scripts uses, without a line of our own code.

    python tests/data/optimizers/make.py   (needs lion-pytorch besides what requirements.txt installs)

The optimisers are made as sd-scripts' library/train_util.py, get_optimizer and get_scheduler_fix, make them (kohya-ss,
commit 48d368fa), on the CPU, one thread, in fp32. Each starts from fixed weights w and takes 20 gradients w - a + b q
with fixed tensors a (where the weights want to go) and b (noise) and the factors q below, twice: at a constant rate
with sd-scripts' own arguments, and under a cosine with warm-up with the arguments of the article's tool (weight_decay
0.1, betas 0.9 and 0.99) and half the rate in the second group. Kept after each update: 12 values of each tensor, evenly
spread, and the sum of all absolute values in fp64. The file's metadata has the versions and the rates of the schedules.
"""

import json
import math
from importlib.metadata import version
from pathlib import Path
from typing import Any

import bitsandbytes
import dadaptation.experimental
import lion_pytorch
import prodigyopt
import safetensors.torch
import torch
from diffusers.optimization import get_scheduler
from transformers.optimization import Adafactor

UPDATES, TOTAL, WARMUP, KEPT = 20, 30, 3, 12
# (group, shape): the first has more than 4,096 values, so that 8 bits really are 8 bits; `up` starts at 0 as in a LoRA
TENSORS = {"down": (0, (66, 64)), "up": (0, (16, 8)), "row": (0, (20,)), "text": (1, (4, 24))}
FACTORS = [round(1.5 * math.sin(1.3 * t), 3) for t in range(1, UPDATES + 1)]
PACKAGES = ("torch", "lion-pytorch", "dadaptation", "prodigyopt", "bitsandbytes", "transformers", "diffusers")

DECOUPLED = {"decouple": True}  # what the article's tool adds for DAdaptation; Prodigy's default
FIXED = {"relative_step": False, "scale_parameter": False, "warmup_init": False}
NESTEROV = {"momentum": 0.9, "nesterov": True}
# name -> (class, its rate, sd-scripts' arguments, whether it takes betas)
OPTIMIZERS: dict[str, tuple[Any, float | None, dict[str, Any], bool]] = {
    "adam": (torch.optim.Adam, 1e-2, {}, True),
    "adamw": (torch.optim.AdamW, 1e-2, {}, True),
    "lion": (lion_pytorch.Lion, 1e-3, {}, True),
    "sgd_nesterov": (torch.optim.SGD, 1e-1, NESTEROV, False),
    "dadaptation": (dadaptation.experimental.DAdaptAdamPreprint, 1.0, DECOUPLED, True),
    "prodigy": (prodigyopt.Prodigy, 1.0, DECOUPLED, True),
    "adafactor": (Adafactor, None, {"relative_step": True}, False),
    "adafactor-fixed": (Adafactor, 1e-2, FIXED, False),
    "adamw8bit": (bitsandbytes.optim.AdamW8bit, 1e-2, {}, True),
    "lion8bit": (bitsandbytes.optim.Lion8bit, 1e-3, {}, True),
    "sgd_nesterov8bit": (bitsandbytes.optim.SGD8bit, 1e-1, NESTEROV, False),
}
ONE_RATE = ("dadaptation", "prodigy", "adafactor")
# label -> get_scheduler's arguments
SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {"name": "constant"},
    "constant, warm-up": {"name": "constant_with_warmup", "num_warmup_steps": 4},
    "linear": {"name": "linear", "num_warmup_steps": 0},
    "linear, warm-up": {"name": "linear", "num_warmup_steps": 4},
    "cosine": {"name": "cosine", "num_warmup_steps": 0},
    "cosine, warm-up": {"name": "cosine", "num_warmup_steps": 4},
    "cosine, 1 restart": {"name": "cosine_with_restarts", "num_warmup_steps": 0, "num_cycles": 1},
    "cosine, 3 restarts, warm-up": {"name": "cosine_with_restarts", "num_warmup_steps": 4, "num_cycles": 3},
    "polynomial 1": {"name": "polynomial", "num_warmup_steps": 0, "power": 1.0},
    "polynomial 2, warm-up": {"name": "polynomial", "num_warmup_steps": 4, "power": 2.0},
    "polynomial 0.5": {"name": "polynomial", "num_warmup_steps": 0, "power": 0.5},
}


def start() -> dict[str, torch.Tensor]:
    """The weights, and the two fixed tensors behind the gradients of each."""
    chance = torch.Generator().manual_seed(0)
    made = {}
    for name, (_, shape) in TENSORS.items():
        made[f"weight/{name}"] = 0.1 * torch.randn(shape, generator=chance) * (name != "up")
        made[f"a/{name}"], made[f"b/{name}"] = (torch.randn(shape, generator=chance) for _ in range(2))
    return made


def run(name: str, made: dict[str, torch.Tensor], article: bool) -> dict[str, torch.Tensor]:
    """20 updates: the kept values of each tensor (updates, kept) and the sums (updates, tensors)."""
    kind, rate, arguments, betas = OPTIMIZERS[name]
    arguments = dict(arguments)
    if article:
        arguments |= {"weight_decay": 0.1} | ({"betas": (0.9, 0.99)} if betas else {})
    weights = {key: torch.nn.Parameter(made[f"weight/{key}"].clone()) for key in TENSORS}
    groups: list[dict[str, Any]] = [
        {"params": [weights[key] for key, (number, _) in TENSORS.items() if number == group]} for group in (0, 1)
    ]
    if rate is not None:
        groups[0]["lr"] = rate
        groups[1]["lr"] = rate / 2 if article and name not in ONE_RATE else rate
    optimizer = kind(groups, lr=rate, **arguments)
    schedule = None
    if article and rate is not None:
        schedule = get_scheduler("cosine", optimizer, num_warmup_steps=WARMUP, num_training_steps=TOTAL)
    kept: dict[str, list[torch.Tensor]] = {key: [] for key in TENSORS}
    sums = []
    for factor in FACTORS:
        for key, weight in weights.items():
            weight.grad = weight.detach() - made[f"a/{key}"] + made[f"b/{key}"] * factor
        optimizer.step()
        if schedule is not None:
            schedule.step()
        for key, weight in weights.items():
            kept[key].append(weight.detach().flatten()[torch.linspace(0, weight.numel() - 1, KEPT).long()].clone())
        sums.append(torch.stack([w.detach().double().abs().sum() for w in weights.values()]))
    return {**{key: torch.stack(rows) for key, rows in kept.items()}, "sums": torch.stack(sums)}


def rates(arguments: dict[str, Any]) -> list[list[float]]:
    """The rates of two groups, 2e-4 and 5e-5, in the first 20 of 24 updates."""
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in (2e-4, 5e-5)]
    optimizer = torch.optim.SGD(groups, lr=2e-4)
    schedule = get_scheduler(optimizer=optimizer, num_training_steps=24, **arguments)
    found = []
    for _ in range(UPDATES):
        found.append(schedule.get_last_lr())
        optimizer.step()
        schedule.step()
    return found


def main() -> None:
    torch.set_num_threads(1)
    made = start()
    tensors = dict(made)
    for name in OPTIMIZERS:
        for article in (False, True):
            result = run(name, made, article)
            tensors |= {f"{name}/{'article' if article else 'plain'}/{key}": value for key, value in result.items()}
    metadata = {
        "factors": json.dumps(FACTORS),
        "schedules": json.dumps({label: rates(arguments) for label, arguments in SCHEDULES.items()}),
        "versions": json.dumps({package: version(package) for package in PACKAGES}),
    }
    safetensors.torch.save_file(tensors, Path(__file__).with_name("reference.safetensors"), metadata=metadata)


if __name__ == "__main__":
    main()
