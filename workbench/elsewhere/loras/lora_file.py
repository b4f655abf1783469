"""LoRA files that other programs wrote: read with limits, every number looked at, refused with file and key."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from trainer.dialect import (
    ADAPTER_METADATA,
    ALPHA,
    DORA,
    DOWN,
    PEFT_CONFIG,
    PEFT_START,
    UP,
    Dialect,
    ForeignKey,
    Place,
    adapter_config,
    alpha_of,
    dialect_of,
    place_of,
    wrong_family,
)
from workbench.elsewhere.loras.lora_header import (
    LoraFileError,
    TensorPlace,
    json_object,
    read_header,
    shape_text,
    shown,
)

RANK_MOST = 1024  # what the trainer knows
CONFIG_MOST = 1 << 20  # bytes of adapter_config.json
CHUNK = 1 << 22  # bytes
PRECISIONS = {"F16": "fp16", "BF16": "bf16", "F32": "fp32"}
ONLY_SD1 = "Only LoRAs for Stable Diffusion 1.x can be used here so far."


@dataclass(frozen=True)
class LoraModule:
    """The shapes of one adapted layer, and the alpha in force: scale = alpha / dim."""

    down: tuple[int, ...]
    up: tuple[int, ...]
    alpha: float
    dora: tuple[int, ...] | None = None
    key: str = ""  # how the file calls its down

    @property
    def dim(self) -> int:
        return self.down[0]

    @property
    def scale(self) -> float:
        return self.alpha / self.dim

    @property
    def is_convolution(self) -> bool:
        """Whether it is one that only LoCon adapts (larger than 1x1)."""
        return math.prod(self.down[2:]) > 1


@dataclass(frozen=True)
class LoraFile:
    """A file that can be used: what it is called, what is in it, and what it says of its training."""

    path: Path
    sha256: str
    bytes: int
    dialect: Dialect
    modules: dict[str, LoraModule]  # by kohya name, sorted
    metadata: dict[str, str]  # with peft's config, where that lay beside the file
    precision: str | None  # fp16, bf16, fp32; None where tensors differ
    config_beside: bool = False  # its alpha is known from a file beside it

    @property
    def stem(self) -> str:
        return self.path.stem

    @property
    def scale(self) -> float | None:
        """What up @ down is multiplied with where all modules agree, to a part in 1,000."""
        scales = [module.scale for module in self.modules.values()]
        return scales[0] if all(math.isclose(scale, scales[0], rel_tol=1e-3) for scale in scales) else None


def read_lora(path: Path) -> LoraFile:
    """Read a LoRA file whole, in pieces of a few MB; nothing of it is trusted. Raises LoraFileError.

    Layout (safetensors, README): 8 bytes little-endian length, that many bytes of JSON, then the tensors without
    gaps. Pickles, other kinds of adapters and LoRAs for other models than SD 1.x are refused.
    """
    name = path.name
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size
            digest = hashlib.sha256()
            header_size, tensors, metadata = read_header(name, stream, size, digest)
            places = _places(name, tensors)
            if metadata.get("ss_v2", "").lower() == "true":
                raise LoraFileError(name, f"ss_v2 is True: it was made for Stable Diffusion 2. {ONLY_SD1}")
            alphas = _values(name, stream, size - header_size, tensors, places, digest)
    except OSError as error:
        raise LoraFileError(name, f"it can't be opened ({error.strerror or type(error).__name__}).") from error
    metadata, beside = _with_config(path, metadata, tensors)
    modules = _modules(name, tensors, places, alphas, metadata)
    kinds = {PRECISIONS.get(tensor.dtype) for tensor in tensors if places[tensor.key].slot in (DOWN, UP)}
    return LoraFile(
        path,
        digest.hexdigest(),
        size,
        dialect_of(tensor.key for tensor in tensors),
        modules,
        metadata,
        kinds.pop() if len(kinds) == 1 else None,
        beside,
    )


# the tensors


def _places(name: str, tensors: list[TensorPlace]) -> dict[str, Place]:
    found: dict[str, Place] = {}
    taken: dict[tuple[str, str], str] = {}
    for tensor in tensors:
        try:
            place = place_of(tensor.key)
        except ForeignKey as error:
            raise LoraFileError(name, f"{shown(tensor.key)} {error}") from error
        other = taken.setdefault((place.module, place.slot), tensor.key)
        if other != tensor.key:
            raise LoraFileError(name, f"{shown(tensor.key)} and {shown(other)} are the same tensor. Save it again.")
        family = wrong_family(place.module, tensor.shape) if place.slot == DOWN else None
        if family:
            raise LoraFileError(
                name, f"{shown(tensor.key)} is {shape_text(tensor.shape)}: it was made for {family}. {ONLY_SD1}"
            )
        found[tensor.key] = place
    return found


def _values(
    name: str, stream: BinaryIO, body: int, tensors: list[TensorPlace], places: dict[str, Place], digest: Any
) -> dict[str, float]:
    """Look at every number as it is read; returns the alphas by module."""
    alphas: dict[str, float] = {}
    for tensor in tensors:
        slot = places[tensor.key].slot
        if slot == ALPHA and math.prod(tensor.shape) != 1:
            raise LoraFileError(name, f"{shown(tensor.key)} is {shape_text(tensor.shape)}, but an alpha is one number.")
        for chunk in _chunks(stream, tensor.end - tensor.begin):
            if not chunk:
                raise LoraFileError(name, f"{shown(tensor.key)} is cut short. Copy or download the file again.")
            digest.update(chunk)
            values = _numbers(chunk, tensor.dtype)
            if not np.isfinite(values).all():
                raise LoraFileError(
                    name, f"{shown(tensor.key)} has values that are not finite (NaN or infinite): the LoRA is broken."
                )
            if slot == ALPHA:
                alphas[places[tensor.key].module] = float(values[0])
                if not values[0] > 0:
                    raise LoraFileError(name, f"{shown(tensor.key)} is {values[0]:g}, but an alpha is above 0.")
    return alphas


def _chunks(stream: BinaryIO, length: int) -> Iterator[bytes]:
    """So many bytes in pieces that hold whole numbers; an empty piece where the file ends before."""
    while length > 0:
        chunk = stream.read(min(CHUNK, length))
        whole = len(chunk) == min(CHUNK, length)
        length -= len(chunk)
        yield chunk if whole else b""
        if not whole:
            return


def _numbers(chunk: bytes, dtype: str) -> Any:
    """The numbers of a tensor; bf16 is the upper half of fp32."""
    if dtype == "BF16":
        return (np.frombuffer(chunk, "<u2").astype("<u4") << 16).view("<f4")
    return np.frombuffer(chunk, {"F16": "<f2", "F32": "<f4", "F64": "<f8"}[dtype])


def _with_config(path: Path, metadata: dict[str, str], tensors: list[TensorPlace]) -> tuple[dict[str, str], bool]:
    """The metadata, with peft's own config in it where it lies beside the file (peft saves the alpha nowhere else)."""
    beside = path.with_name(PEFT_CONFIG)
    if not tensors[0].key.startswith(PEFT_START) or ADAPTER_METADATA in metadata:
        return metadata, False
    if not beside.is_file():
        raise LoraFileError(
            path.name,
            f"{PEFT_CONFIG} is not beside it, and only that says how strong a LoRA of peft is (lora_alpha). Put both "
            "into one folder.",
        )
    name = f"{path.name}, {PEFT_CONFIG} beside it"
    try:
        if beside.stat().st_size > CONFIG_MOST:
            raise LoraFileError(name, "it is too large for a config.")
        config = json_object(name, beside.read_bytes())
    except OSError as error:
        raise LoraFileError(name, f"it can't be opened ({error.strerror or type(error).__name__}).") from error
    if config.get("peft_type") != "LORA":
        raise LoraFileError(name, f"peft_type is {shown(str(config.get('peft_type')))}, and only LORA can be used.")
    part = place_of(tensors[0].key).path.partition(".")[0]
    return {**metadata, ADAPTER_METADATA: json.dumps({f"{part}.{key}": config[key] for key in config})}, True


def _modules(
    name: str, tensors: list[TensorPlace], places: dict[str, Place], alphas: dict[str, float], metadata: dict[str, str]
) -> dict[str, LoraModule]:
    """The layers that are adapted: both halves there, of one rank, with a scale."""
    parts: dict[str, dict[str, TensorPlace]] = {}
    for tensor in tensors:
        parts.setdefault(places[tensor.key].module, {})[places[tensor.key].slot] = tensor
    modules = {}
    try:
        config = adapter_config(metadata)
    except ValueError as error:
        raise LoraFileError(name, f"{error}. Save the LoRA again.") from error
    for module in sorted(parts):
        one = parts[module]
        for slot in (DOWN, UP):
            if slot not in one:
                there = shown(next(iter(one.values())).key)
                raise LoraFileError(name, f"{there} is there without {module}.{slot}. Copy or save the file again.")
        down, up, dora = one[DOWN], one[UP], one.get(DORA)
        rank = down.shape[0] if down.shape else 0
        if len(down.shape) not in (2, 4) or len(up.shape) != len(down.shape) or up.shape[1] != rank:
            raise LoraFileError(
                name,
                f"{shown(down.key)} is {shape_text(down.shape)} and {shown(up.key)} is {shape_text(up.shape)}, which "
                "do not belong together. Copy or save the file again.",
            )
        if rank > RANK_MOST:
            raise LoraFileError(name, f"{shown(down.key)} has rank {rank:,}; at most {RANK_MOST:,} can be used.")
        if math.prod(up.shape[2:]) != 1:
            raise LoraFileError(name, f"{shown(up.key)} is {shape_text(up.shape)}, but an up is 1x1. Save it again.")
        try:
            alpha = alphas.get(module) or alpha_of(config, places[down.key].path, rank)
        except ValueError as error:
            raise LoraFileError(name, f"{shown(down.key)}: {error} ({ADAPTER_METADATA}).") from error
        modules[module] = LoraModule(down.shape, up.shape, alpha, dora.shape if dora else None, down.key)
    return modules


def check_layers(file: LoraFile, layers: dict[str, tuple[int, ...]], base: str) -> None:
    """Whether every module fits a layer of a base model (``layers``: kohya name -> shape). Raises LoraFileError."""
    for name, module in file.modules.items():
        if name not in layers:
            raise LoraFileError(
                file.path.name,
                f"{shown(module.key)}: base model {base} has no such layer that a LoRA can adapt here. Use a LoRA "
                "that was made for this kind of base.",
            )
        out, width, *kernel = layers[name]
        down, up = (module.dim, width, *kernel), (out, module.dim, *(1 for _ in kernel))
        for what, shape, wanted in (("down", module.down, down), ("up", module.up, up)):
            if shape != wanted:
                raise LoraFileError(
                    file.path.name,
                    f"{shown(module.key)}: its {what} is {shape_text(shape)}, but base model {base} needs "
                    f"{shape_text(wanted)}. Use a LoRA that was made for this kind of base.",
                )
        lengths = (1, width, *(1 for _ in kernel))
        if module.dora is not None and module.dora != lengths:
            raise LoraFileError(
                file.path.name,
                f"{name}.{DORA} is {shape_text(module.dora)}, not {shape_text(lengths)}: lengths of output rows, which "
                "programs read in different ways. Use a DoRA that was trained with wd_on_output=False.",
            )
