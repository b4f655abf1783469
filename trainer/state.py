"""The state of a training on disk, from which it goes on as if it had never stopped."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

REPLACE_TRIES, REPLACE_WAIT_S = 100, 0.1
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
    optimizer: dict[int, dict[str, Any]]  # parameter number -> its tensors and numbers
    groups: list[dict[str, Any]]  # numbers that the optimiser keeps for each of its groups
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
    first: dict[int, str] = {}  # a tensor that many parameters share (bitsandbytes' code tables) is written once
    shared: dict[str, str] = {}
    for number, values in state.optimizer.items():
        for key, value in values.items():
            name = f"optimizer/{number}/{key}"
            if not isinstance(value, Tensor):
                numbers.setdefault(str(number), {})[key] = value
            elif first.setdefault(id(value), name) == name:
                tensors[name] = value
            else:
                shared[name] = first[id(value)]
    facts = {
        "job": state.job,
        "update": state.update,
        "seconds": state.seconds,
        "started": state.started,
        "optimizer": numbers,
        "shared": shared,
        "groups": state.groups,
        "scaler": state.scaler,
        "saved": state.saved,
    }
    tensors = {key: value.detach().to("cpu").contiguous() for key, value in tensors.items()}
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{FILE}.part"
    safetensors.torch.save_file(tensors, part, metadata={"state": json.dumps(facts)})
    with part.open("rb+") as file:
        os.fsync(file.fileno())  # on the disk before it replaces the previous one
    replace(part, folder / FILE)


def replace(part: Path, path: Path) -> None:
    """os.replace that waits a little: Windows refuses while somebody, such as a backup, reads the earlier file."""
    for _ in range(REPLACE_TRIES - 1):
        try:
            return os.replace(part, path)
        except PermissionError:
            time.sleep(REPLACE_WAIT_S)
    os.replace(part, path)


def load_state(folder: Path, job: dict[str, Any]) -> State | None:
    """The last state, None where there is none. StateError when it is broken or of another training.

    `job` holds what must be as it was; whatever else the state says of its job is not looked at.
    """
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
    different = [key for key in job if state.job.get(key) != job[key]]
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
    tensors = tensors | {name: tensors[source] for name, source in facts.get("shared", {}).items()}
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
        facts.get("groups", []),  # the first release kept none: its optimisers had no such numbers
        tensors["order"],
        generators,
        facts["scaler"],
        facts["saved"],
    )


def optimizer_state(optimizer: torch.optim.Optimizer) -> tuple[dict[int, dict[str, Any]], list[dict[str, Any]]]:
    """What an optimiser remembers: per parameter, numbered in the order of its groups, and per group.

    Read from the optimiser itself: bitsandbytes packs its `state_dict` differently. Of a group's numbers those
    are kept that steps have moved (D-Adaptation's and Prodigy's d, ...); rates are set anew before each step.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = {n: optimizer.state[p] for n, p in enumerate(parameters) if p in optimizer.state}
    groups = []
    for group in optimizer.param_groups:
        numbers = {key: value for key, value in group.items() if isinstance(value, int | float)}
        moved = {key for key, value in numbers.items() if value != optimizer.defaults.get(key)}
        groups.append({key: numbers[key] for key in numbers if key in moved - {"lr", "initial_lr"}})
    return state, groups


def restore_optimizer(
    optimizer: torch.optim.Optimizer, state: dict[int, dict[str, Any]], groups: list[dict[str, Any]]
) -> None:
    """Put what `optimizer_state` gave into a fresh optimiser over the same parameters in the same order."""
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    for group, numbers in zip(optimizer.param_groups, groups, strict=False):
        group.update(numbers)
