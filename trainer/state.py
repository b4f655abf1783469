"""The state of a training on disk, from which it goes on as if it had never stopped."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

FILE = "state.safetensors"  # one file, so that one rename replaces tensors and numbers together


class StateError(ValueError):
    """A saved state that cannot be continued."""


@dataclass
class State:
    """Everything that the next update depends on."""

    job: dict[str, Any]  # what was trained: must be the same on resume
    update: int
    seconds: float  # of training so far
    started: float  # unix time of the first start
    lora: dict[str, Tensor]
    optimizer: dict[int, dict[str, Any]]  # torch's own `state`: parameter number -> tensors and numbers
    order: Tensor  # this epoch's photos, (images x repeats,)
    generators: dict[str, Tensor]
    scaler: dict[str, Any]
    saved: list[dict[str, Any]]  # the LoRA files so far, as the events that told of them


def save_state(folder: Path, state: State) -> None:
    """Write the state beside its final name and rename it: the previous one stands until then."""
    numbers: dict[str, dict[str, Any]] = {}
    tensors = {f"lora/{key}": value for key, value in state.lora.items()}
    tensors |= {f"generator/{key}": value for key, value in state.generators.items()}
    tensors["order"] = state.order
    for number, values in state.optimizer.items():
        for key, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{number}/{key}"] = value
            else:
                numbers.setdefault(str(number), {})[key] = value
    facts = {
        "job": state.job,
        "update": state.update,
        "seconds": state.seconds,
        "started": state.started,
        "optimizer": numbers,
        "scaler": state.scaler,
        "saved": state.saved,
    }
    tensors = {key: value.detach().to("cpu").contiguous() for key, value in tensors.items()}
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{FILE}.part"
    safetensors.torch.save_file(tensors, part, metadata={"state": json.dumps(facts)})
    with part.open("rb+") as file:
        os.fsync(file.fileno())  # on the disk before it replaces the previous one
    os.replace(part, folder / FILE)


def load_state(folder: Path, job: dict[str, Any]) -> State | None:
    """The last state, None where there is none. StateError when it is broken or of another training."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        data = path.read_bytes()  # not memory-mapped: Windows refuses to replace a mapped file
        facts = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["state"])
        tensors = safetensors.torch.load(data)
        state = _unpack(facts, tensors)
    except (SafetensorError, ValueError, KeyError) as error:
        raise StateError(f"The saved state {path.name} is broken ({error}). Delete it to start again.") from error
    different = [key for key in {**state.job, **job} if state.job.get(key) != job.get(key)]
    if different:
        raise StateError(
            f"The saved state belongs to another training: {', '.join(different)} differ. "
            "Choose an empty output folder, or delete the state to start again."
        )
    return state


def _unpack(facts: dict[str, Any], tensors: dict[str, Tensor]) -> State:
    """The inverse of what `save_state` packs."""
    optimizer: dict[int, dict[str, Any]] = {int(n): dict(values) for n, values in facts["optimizer"].items()}
    lora: dict[str, Tensor] = {}
    generators: dict[str, Tensor] = {}
    for name, value in tensors.items():
        kind, _, key = name.partition("/")
        if kind == "lora":
            lora[key] = value
        elif kind == "generator":
            generators[key] = value
        elif kind == "optimizer":
            number, key = key.split("/")
            optimizer.setdefault(int(number), {})[key] = value
    return State(
        facts["job"],
        facts["update"],
        facts["seconds"],
        facts["started"],
        lora,
        optimizer,
        tensors["order"],
        generators,
        facts["scaler"],
        facts["saved"],
    )


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[int, dict[str, Any]]) -> None:
    """Put a saved `state` into a fresh optimiser over the same parameters in the same order."""
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
