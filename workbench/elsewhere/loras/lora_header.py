"""The header of a safetensors file that somebody else wrote: every number in it is checked before it is used.

Layout (safetensors, README): 8 bytes little-endian length, that many bytes of JSON, then the tensors without gaps.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from trainer.base_kind import PICKLES

HEADER_MOST = 16 << 20  # bytes; that of a LoRA with all captions of its photos in it stays under 2 MB
FILE_MOST = 4 << 30  # bytes; rank 1024 on every layer of SD 1.x is 2.7 GB in fp16
TENSORS_MOST = 10_000  # LoCon with DoRA on every layer of SD 1.x has 1,400
SIDE_MOST = 1 << 16
METADATA_MOST = 4096  # entries
NAME_MOST = 256  # characters of a key
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
OTHER_TYPES = {"F8_E4M3", "F8_E5M2", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"}
PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


class LoraFileError(ValueError):
    """A file that is no LoRA that can be used. ``why`` is the rest of a sentence that begins with its name."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name, self.why = name, why


@dataclass(frozen=True)
class TensorPlace:
    key: str
    dtype: str
    shape: tuple[int, ...]
    begin: int  # bytes after the header
    end: int


def read_header(name: str, stream: BinaryIO, size: int, digest: Any) -> tuple[int, list[TensorPlace], dict[str, str]]:
    """The bytes before the tensors, the tensors in the order in which they lie, and the metadata."""
    start = stream.read(8)
    if Path(name).suffix.lower() in PICKLES or start.startswith(PICKLE_STARTS):
        raise LoraFileError(
            name,
            "it is a pickle file, which can run code, so it is not opened. Use the .safetensors file of this LoRA, or "
            "if you trust its origin, convert it once where it was made (kohya's resize_lora.py --save_to "
            "new.safetensors, or A1111's and ComfyUI's converters).",
        )
    if size == 0:
        raise LoraFileError(name, "it is empty. Copy or download it again.")
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length < 2 or Path(name).suffix.lower() != ".safetensors":
        raise LoraFileError(name, "it is no safetensors file. Choose a LoRA that ends in .safetensors.")
    if length > size - 8:
        raise LoraFileError(
            name, f"it is no safetensors file, or cut short: its header has {length:,} of {size - 8:,} bytes."
        )
    if length > HEADER_MOST:
        raise LoraFileError(name, f"its header has {length:,} bytes, more than any LoRA's ({HEADER_MOST:,}).")
    if size > FILE_MOST:
        raise LoraFileError(name, f"it has {size:,} bytes, more than any LoRA for SD 1.x ({FILE_MOST:,}).")
    raw = stream.read(length)
    digest.update(start)
    digest.update(raw)
    header = json_object(name, raw)
    metadata = _metadata(name, header.pop("__metadata__", None))
    if not header:
        raise LoraFileError(name, "it has no tensors in it. Save it again.")
    if len(header) > TENSORS_MOST:
        raise LoraFileError(name, f"it has {len(header):,} tensors, more than any LoRA for SD 1.x ({TENSORS_MOST:,}).")
    tensors = sorted((_tensor(name, key, value) for key, value in header.items()), key=lambda t: (t.begin, t.end))
    place = 0
    for tensor in tensors:
        if tensor.begin != place:
            how = "overlaps with another tensor" if tensor.begin < place else "has a gap before it"
            raise LoraFileError(name, f"{shown(tensor.key)} {how} (data_offsets). Copy or save the file again.")
        place = tensor.end
        if 8 + length + place > size:
            raise LoraFileError(
                name, f"{shown(tensor.key)} ends after the file, so that is cut short. Copy or download it again."
            )
    if 8 + length + place != size:
        raise LoraFileError(name, f"{size - 8 - length - place:,} bytes after its last tensor belong to none.")
    return 8 + length, tensors, metadata


def json_object(name: str, raw: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise LoraFileError(name, f"{shown(twice)} stands twice in its header. Save the file again.")
        return found

    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=unique)
    except LoraFileError:
        raise
    except (ValueError, RecursionError) as error:
        raise LoraFileError(
            name, "its header can't be read, so it is torn or no safetensors file. Copy or download it again."
        ) from error
    if not isinstance(header, dict):
        raise LoraFileError(name, "its header is no JSON object, so it is no safetensors file. Choose another file.")
    return header


def _metadata(name: str, value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise LoraFileError(name, "__metadata__ is no JSON object. Save the file again.")
    if len(value) > METADATA_MOST:
        raise LoraFileError(name, f"__metadata__ has {len(value):,} entries, more than any trainer writes.")
    for key, text in value.items():
        if not isinstance(text, str):
            raise LoraFileError(name, f"__metadata__ has {shown(key)} as {type(text).__name__}, not as a text.")
    return value


def _tensor(name: str, key: str, value: Any) -> TensorPlace:
    """One tensor of the header: its type is known, its shape and its place in the file agree."""
    if len(key) > NAME_MOST:
        raise LoraFileError(name, f"{shown(key)} is a key of {len(key)} characters, more than any layer's name.")
    if not isinstance(value, dict) or not {"dtype", "shape", "data_offsets"} <= value.keys():
        raise LoraFileError(name, f"{shown(key)} has no dtype, shape and data_offsets. Copy or save the file again.")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BYTES:
        known = isinstance(dtype, str) and dtype in OTHER_TYPES
        what = f"{dtype}, and only fp16, bf16, fp32 and fp64 can be read" if known else "unknown"
        raise LoraFileError(name, f"{shown(key)}: its dtype is {what}. Save the LoRA in fp16.")
    if not _whole(shape) or len(shape) > 4:
        raise LoraFileError(name, f"{shown(key)}: its shape is no list of up to four sizes. Save the file again.")
    if any(not 0 < side <= SIDE_MOST for side in shape):
        raise LoraFileError(name, f"{shown(key)} is {shape_text(shape)}, which no layer is. Save the file again.")
    if not _whole(offsets) or len(offsets) != 2:
        raise LoraFileError(name, f"{shown(key)}: its data_offsets are no two numbers. Copy or save the file again.")
    begin, end = offsets
    needed = math.prod(shape) * BYTES[dtype]
    if begin < 0 or end - begin != needed:
        raise LoraFileError(
            name,
            f"{shown(key)} takes {end - begin:,} bytes (data_offsets), but {shape_text(shape)} in {dtype} needs "
            f"{needed:,}. Copy or save the file again.",
        )
    return TensorPlace(key, dtype, tuple(shape), begin, end)


def _whole(value: Any) -> bool:
    """Whether it is a list of whole numbers that fit into a file."""
    return isinstance(value, list) and all(
        isinstance(each, int) and not isinstance(each, bool) and abs(each) < 1 << 63 for each in value
    )


def shape_text(shape: Any) -> str:
    return f"({', '.join(str(side) for side in shape)})"


def shown(key: str) -> str:
    """A key or a file's name in a sentence: short and printable."""
    plain = printable(key)
    return plain if len(plain) <= 120 else f"{plain[:117]}..."


def printable(text: str) -> str:
    """A text without what moves a terminal's cursor, or can't be stored (names that are no UTF-8)."""
    return "".join(char if char.isprintable() else "?" for char in text)
