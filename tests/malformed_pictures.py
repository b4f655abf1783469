"""Sources that can't be imported, each with words that its error must hold: the file, and the key if there is one."""

import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drawn_elsewhere import PARAMETERS, a1111_text, comfyui_graph, grid, grid_text, picture, save
from PIL import Image

from workbench.elsewhere.pictures.found import Axis, Reading

Made = tuple[Path, Reading | None]
Maker = Callable[[Path], Made]
NAME = "anna_e000001_00_20240101120000_7.png"


def whole() -> bytes:
    """A picture that is right, to be spoilt."""
    import io

    target = io.BytesIO()
    picture().save(target, format="PNG")
    return target.getvalue()


def content(data: bytes, name: str = NAME) -> Maker:
    def make(folder: Path) -> Made:
        (folder / name).write_bytes(data)
        return folder, None

    return make


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(kind: bytes, data: bytes, name: str = "a.png") -> Maker:
    """A PNG with one more chunk after its header."""
    return content(whole()[:33] + chunk(kind, data) + whole()[33:], name)


def header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG that says its size and has hardly any pixels."""
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return start + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def text(written: str) -> Maker:
    """A picture with a text of A1111."""

    def make(folder: Path) -> Made:
        save(picture(), folder / "a.png", parameters=written)
        return folder, None

    return make


def parameter(old: str, new: str) -> Maker:
    return text(a1111_text(parameters=PARAMETERS.replace(old, new)))


def graph(written: str) -> Maker:
    def make(folder: Path) -> Made:
        save(picture(), folder / "a.png", prompt=written)
        return folder, None

    return make


def node(**changes: Any) -> Maker:
    return graph(json.dumps(comfyui_graph(**changes)))


def changed_node(key: str, inputs: object) -> Maker:
    made = comfyui_graph()
    made[key] = {"class_type": made[key]["class_type"], "inputs": inputs}
    return graph(json.dumps(made))


def sheet(
    x: tuple[str, str] | None, y: tuple[str, str] | None = None, size: tuple[int, int] = (128, 94), **more: str
) -> Maker:
    def make(folder: Path) -> Made:
        written = grid_text(x, y, "zwx <lora:anna-000010:1>", **more)
        save(picture(0, size), folder / "grid.png", parameters=written)
        return folder, None

    return make


def asked(reading: Reading, name: str = "a.png", side_px: tuple[int, int] = (128, 128)) -> Maker:
    """A picture that says nothing, with a person's answers that don't fit."""

    def make(folder: Path) -> Made:
        save(picture(0, side_px), folder / name)
        return folder, reading

    return make


def archive(*entries: tuple[str, bytes], spoil: Callable[[zipfile.ZipInfo], None] | None = None) -> Maker:
    def make(folder: Path) -> Made:
        file = folder / "packed.zip"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, data in entries:
                info = zipfile.ZipInfo(name)
                info.compress_type = zipfile.ZIP_DEFLATED
                if spoil:
                    spoil(info)
                packed.writestr(info, data)
        return file, None

    return make


def as_link(info: zipfile.ZipInfo) -> None:
    info.create_system = 3
    info.external_attr = 0o120777 << 16


def spoilt_archive(change: Callable[[bytes], bytes]) -> Maker:
    def make(folder: Path) -> Made:
        file, _ = archive((NAME, whole()))(folder)
        file.write_bytes(change(file.read_bytes()))
        return file, None

    return make


def locked(data: bytes) -> bytes:
    """The flag of a password, in both headers of the only entry."""
    at = data.index(b"PK\x01\x02")
    return data[:6] + b"\x01\x00" + data[8 : at + 8] + b"\x01\x00" + data[at + 10 :]


def lied(data: bytes) -> bytes:
    """An entry that is longer than both headers say."""
    at = data.index(b"PK\x01\x02")
    short = struct.pack("<I", 10)
    return data[:22] + short + data[26 : at + 24] + short + data[at + 28 :]


def linked(folder: Path) -> Made:
    target = save(picture(), folder / "elsewhere" / "a.png")
    (folder / "in").mkdir()
    (folder / "in" / NAME).symlink_to(target)
    return folder / "in", None


def linked_to_nothing(folder: Path) -> Made:
    (folder / NAME).symlink_to(folder / "nowhere.png")
    return folder, None


def odd_name(folder: Path) -> Made:
    import os

    Path(os.fsdecode(os.fsencode(folder) + b"/anna_\xff\xfe.png")).write_bytes(whole())
    return folder, None


def twice(folder: Path) -> Made:
    for number, name in enumerate((NAME, NAME.replace("120000", "120009"))):
        save(picture(number), folder / name)
    return folder, None


def twice_by_text(folder: Path) -> Made:
    for number, scale in enumerate((5, 7)):
        line = PARAMETERS.replace("CFG scale: 7", f"CFG scale: {scale}")
        save(picture(number), folder / f"{number}.png", parameters=a1111_text(parameters=line))
    return folder, None


def too_mixed(folder: Path) -> Made:
    for number in range(700):
        name = f"p{number}_s{number}_e1.png"
        (folder / name).write_bytes(whole())
    return folder, Reading("{text}_s{seed}_e{epoch}")


def animated(suffix: str) -> Maker:
    def make(folder: Path) -> Made:
        file = folder / f"anna_e000001_00_20240101120000_7{suffix}"
        picture().save(file, save_all=True, append_images=[picture(3)])
        return folder, None

    return make


def prompts(name: str, data: bytes) -> Maker:
    def make(folder: Path) -> Made:
        save(picture(), folder / NAME)
        (folder / name).write_bytes(data)
        return folder, None

    return make


def stray(folder: Path) -> Made:
    for name in (NAME, "cover.png"):
        save(picture(), folder / name)
    return folder, None


def wide(folder: Path) -> Made:
    Image.new("RGB", (9000, 64), "red").save(folder / NAME)
    return folder, None


def sheet_of_a_batch(folder: Path) -> Made:
    save(grid(2, 1, legend=False), folder / "grid-0001.png", parameters=a1111_text())
    return folder, None


def nothing_there(folder: Path) -> Made:
    return folder / "missing", None


def empty_folder(folder: Path) -> Made:
    return folder, None


def only_a_text(folder: Path) -> Made:
    (folder / "notes.doc").write_text("zwx", encoding="utf-8")
    return folder, None


def half(name: str) -> bytes:
    import io

    target = io.BytesIO()
    picture(0, 256).save(target, format=name)
    return target.getvalue()[: len(target.getvalue()) // 2]


PNG = whole()
EPOCH = "anna_e000001_00_20240101120000"
BOMB = zlib.compress(b"x" * 80_000_000, 9)  # 80 MB of text in 80 kB

MALFORMED: dict[str, tuple[Maker, str]] = {
    # files
    "no folder": (nothing_there, "missing"),
    "an empty folder": (empty_folder, "no pictures"),
    "a folder with a text": (only_a_text, "no pictures"),
    "zero bytes": (content(b""), f"{NAME} is empty"),
    "one byte": (content(b"\x89"), NAME),
    "only the signature": (content(PNG[:8]), NAME),
    "half a header": (content(PNG[:20]), NAME),
    "no pixels": (content(PNG[:33]), NAME),
    "cut in the pixels": (content(PNG[:200]), NAME),
    "a text with a picture's suffix": (content(b"hello"), f"{NAME} isn't a PNG"),
    "a web page": (content(b"<!DOCTYPE html><html></html>"), f"{NAME} isn't a PNG"),
    "a program": (content(b"MZ" + b"\0" * 200), f"{NAME} isn't a PNG"),
    "a GIF in disguise": (content(b"GIF89a" + b"\0" * 50), f"{NAME} isn't a PNG"),
    "a TIFF in disguise": (content(b"II*\0" + b"\0" * 50), f"{NAME} isn't a PNG"),
    "a PDF in disguise": (content(b"%PDF-1.7\n"), f"{NAME} isn't a PNG"),
    "zeros": (content(b"\0" * 5000), f"{NAME} isn't a PNG"),
    "half a JPEG": (content(half("JPEG"), f"{EPOCH}.jpg"), f"{EPOCH}.jpg"),
    "half a WebP": (content(half("WEBP"), f"{EPOCH}.webp"), f"{EPOCH}.webp"),
    "a JPEG of zeros": (content(b"\xff\xd8\xff" + b"\0" * 500, f"{EPOCH}.jpg"), f"{EPOCH}.jpg"),
    "a JPEG's start alone": (content(b"\xff\xd8\xff\xe0", f"{EPOCH}.jpg"), f"{EPOCH}.jpg"),
    "a WebP's start alone": (content(b"RIFF\x10\0\0\0WEBPVP8 ", f"{EPOCH}.webp"), f"{EPOCH}.webp"),
    "a bomb": (content(header(60000, 60000)), f"{NAME} says that it has more pixels"),
    "the largest header": (content(header(2**31 - 1, 2**31 - 1)), NAME),
    "no width": (content(header(0, 64)), NAME),
    "one pixel": (content(header(1, 1)), f"{NAME} is only 1 x 1 px"),
    "too small": (content(header(63, 64)), f"{NAME} is only 63 x 64 px"),
    "too long": (content(header(70000, 64)), f"{NAME} is 70000 x 64 px"),
    "too large for one picture": (wide, f"{NAME} is 9000 x 64 px"),
    "an unknown depth": (content(header(64, 64, depth=3)), NAME),
    "an unknown colour": (content(header(64, 64, colour=5)), NAME),
    "fewer pixels than said": (content(header(128, 128)), f"{NAME} is damaged"),
    "a broken checksum": (content(PNG[:29] + b"\0\0\0\0" + PNG[33:]), NAME),
    "broken pixels": (content(PNG[:60] + b"\xff" * 20 + PNG[80:]), NAME),
    "no header": (content(PNG[:8] + PNG[33:]), NAME),
    "a moving PNG": (animated(".png"), "is an animation"),
    "a moving WebP": (animated(".webp"), "is an animation"),
    "a link": (linked, f"{NAME} is a link"),
    "a link to nothing": (linked_to_nothing, f"{NAME} is a link"),
    "a name that isn't UTF-8": (odd_name, "isn't UTF-8"),
    "an archive among the pictures": (content(b"PK", "more.zip"), "more.zip is an archive inside"),
    # texts
    "a text bomb": (with_chunk(b"zTXt", b"parameters\0\0" + BOMB), "a.png"),
    "an international text bomb": (with_chunk(b"iTXt", b"parameters\0\1\0\0\0" + BOMB), "a.png"),
    "a text that is no zlib": (with_chunk(b"zTXt", b"prompt\0\0garbage"), "a.png has a chunk 'prompt'"),
    "a profile bomb": (with_chunk(b"iCCP", b"x\0\0" + BOMB), "a.png"),
    "an endless text": (text("x" * 300_000), "a.png has a text of 300000 characters in 'parameters'"),
    "seed nan": (parameter("Seed: 42", "Seed: nan"), "a.png says Seed: 'nan'"),
    "seed 1e999": (parameter("Seed: 42", "Seed: 1e999"), "a.png says Seed"),
    "seed below zero": (parameter("Seed: 42", "Seed: -1"), "a.png says Seed: '-1'"),
    "seed of 65 bits": (parameter("Seed: 42", f"Seed: {2**64}"), "a.png says Seed"),
    "seed of 5000 digits": (parameter("Seed: 42", "Seed: " + "9" * 5000), "a.png says Seed"),
    "seed in Arabic digits": (parameter("Seed: 42", "Seed: ٤٢"), "a.png says Seed"),
    "no seed after the colon": (parameter("Seed: 42", "Seed: "), "a.png says Seed: ''"),
    "steps in words": (parameter("Steps: 20", "Steps: twenty"), "a.png says Steps: 'twenty'"),
    "a million steps": (parameter("Steps: 20", "Steps: 1000000"), "a.png says Steps"),
    "guidance nan": (parameter("CFG scale: 7", "CFG scale: nan"), "a.png says CFG scale"),
    "guidance 1e999": (parameter("CFG scale: 7", "CFG scale: 1e999"), "a.png says CFG scale"),
    "guidance in words": (parameter("CFG scale: 7", "CFG scale: high"), "a.png says CFG scale: 'high'"),
    "a size without height": (parameter("64x64", "64"), "a.png says Size: '64'"),
    "a size of nothing": (parameter("64x64", "0x0"), "a.png says Size: '0x0'"),
    "a size beyond all": (parameter("64x64", "999999x999999"), "a.png says Size"),
    "clip skip below zero": (parameter("Model: sd15", "Clip skip: -2"), "a.png says Clip skip"),
    "strength nan": (text(a1111_text("<lora:anna:nan>")), "a.png says <lora:anna:nan>"),
    "strength inf": (text(a1111_text("<lora:anna:inf>")), "a.png says <lora:anna:inf>"),
    "strength 1e999": (text(a1111_text("<lora:anna:1e999>")), "a.png says <lora:anna:1e999>"),
    "strength 1000": (text(a1111_text("<lora:anna:1000>")), "a.png says <lora:anna:1000>"),
    "strength in words": (text(a1111_text("<lora:anna:strong>")), "a.png says <lora:anna:strong>"),
    "image strength nan": (text(a1111_text("<lora:anna:1:nan>")), "a.png says <lora:anna:1:nan>"),
    "named strength nan": (text(a1111_text("<lora:anna:unet=nan>")), "a.png says <lora:anna:unet=nan>"),
    "no LoRA anywhere": (text(a1111_text("zwx woman")), "No picture names a LoRA"),
    "several LoRAs": (text(a1111_text("<lora:a:1> <lora:b:1>")), "Which one is the subject's"),
    "a sheet of a batch": (sheet_of_a_batch, "grid-0001.png is 128 x 64 px"),
    "the same cell twice": (twice, "shows the same LoRA"),
    "the same cell with other settings": (twice_by_text, "1.png shows the same LoRA"),
    # ComfyUI
    "a graph cut short": (graph('{"1": {"inputs"'), "a.png has a chunk 'prompt' that is no JSON"),
    "a graph that is a list": (graph("[]"), "a.png has a chunk 'prompt' that is no graph"),
    "a graph that is a number": (graph("1e999"), "no graph"),
    "an empty graph": (graph("{}"), "no graph"),
    "a plain prompt": (graph("a woman"), "no JSON"),
    "a graph nested too deep": (graph("[" * 100_000), "no JSON"),
    "a node without inputs": (graph('{"1": {"class_type": "KSampler"}}'), "node '1' without inputs"),
    "a node that is a text": (graph('{"1": "KSampler"}'), "node '1' without inputs"),
    "inputs that are a list": (changed_node("5", []), "node '5' without inputs"),
    "no sampler": (graph('{"1": {"class_type": "X", "inputs": {}}}'), "0 samplers"),
    "a ComfyUI seed below zero": (node(seed=-1), "a.png says seed -1 in node 5"),
    "a ComfyUI seed of 65 bits": (node(seed=2**64), "a.png says seed"),
    "a ComfyUI seed with a fraction": (node(seed=1.5), "a.png says seed 1.5"),
    "a ComfyUI seed that is true": (node(seed=True), "a.png says seed True"),
    "a ComfyUI seed that is a text": (node(seed="42"), "a.png says seed 42"),
    "ComfyUI steps nan": (node(steps=float("nan")), "a.png says steps nan"),
    "ComfyUI guidance infinite": (node(cfg=float("inf")), "a.png says cfg inf"),
    "ComfyUI guidance in words": (node(cfg="high"), "a.png says cfg high"),
    "ComfyUI strength nan": (node(loras=(("a.safetensors", float("nan")),)), "strength_model nan in node 10"),
    "ComfyUI strength 1e999": (node(loras=(("a.safetensors", 1e999),)), "strength_model inf in node 10"),
    "ComfyUI strength in words": (node(loras=(("a.safetensors", "high"),)), "strength_model high"),  # type: ignore
    "ComfyUI in a circle": (changed_node("10", {"model": ["10", 0]}), "a.png has LoRAs in node 10"),
    # grids
    "a grid that doesn't fit": (sheet(("Seed", "1-3"), size=(130, 94)), "grid.png is 130 x 94 px"),
    "a grid smaller than its cells": (sheet(("Seed", "1-9"), size=(64, 64)), "grid.png is 64 x 64 px"),
    "a grid with a third axis": (sheet(("Seed", "1,2"), **{"Z Type": "Steps"}), "grid.png has a third axis (Z Type)"),
    "a grid along what isn't read": (sheet(("Hypernetwork", "a,b")), "'Hypernetwork' along 'X Type'"),
    "a grid without values": (sheet(("Seed", " ")), "grid.png says nothing in 'X Values'"),
    "a grid of a million seeds": (sheet(("Seed", "1-1000000")), "grid.png asks for too many values"),
    "a grid of a million points": (sheet(("CFG Scale", "1-2 [1000000]")), "grid.png asks for 1000000 values"),
    "a grid of no step": (sheet(("Seed", "1-5 (+0)")), "grid.png asks for too many values"),
    "a grid too large": (sheet(("Seed", "1-2000"), ("Steps", "1-2000")), "2000 x 2000 cells"),
    "a grid with words for seeds": (sheet(("Seed", "a,b")), "grid.png has Seed 'a'"),
    "a grid with seed nan": (sheet(("Seed", "nan,1")), "grid.png has Seed 'nan'"),
    "a grid with guidance in words": (sheet(("CFG Scale", "a,b")), "grid.png has CFG Scale 'a'"),
    "a grid that replaces nothing": (sheet(("Prompt S/R", "berta,clara")), "'berta' along an axis"),
    "a grid with a strength nan": (sheet(("Prompt S/R", "000010:1,000010:nan")), "grid.png says <lora"),
    "a grid enlarged by nothing": (sheet(("Seed", "1,2"), **{"Hires upscale": "0"}), "grid.png says Hires upscale"),
    "a grid enlarged to words": (sheet(("Seed", "1,2"), **{"Hires resize": "big"}), "grid.png says Hires resize"),
    "columns that don't divide": (asked(Reading(columns=3, rows=1)), "a.png is 128 x 128 px, which doesn't divide"),
    "no columns": (asked(Reading(columns=0, rows=1)), "a.png can't be cut into 0 x 1"),
    "columns below zero": (asked(Reading(columns=-2, rows=1)), "a.png can't be cut"),
    "a million cells": (asked(Reading(columns=1000, rows=1000)), "a.png can't be cut"),
    "cells of a few pixels": (asked(Reading(columns=4, rows=4)), "a.png has cells of under 64 px"),
    "fewer values than columns": (
        asked(Reading(columns=2, rows=2, x=Axis("epoch", ("1",)))),
        "a.png has 2 columns, but 1 values",
    ),
    "an epoch that is no number": (
        asked(Reading(columns=2, rows=1, x=Axis("epoch", ("one", "two")))),
        "a.png says epoch 'one'",
    ),
    "a strength that is none": (
        asked(Reading(columns=2, rows=1, x=Axis("strength", ("nan", "1")))),
        "a.png says strength",
    ),
    # names and patterns
    "one name that says nothing": (stray, "cover.png says nothing of how it was made"),
    "a strength nan for all": (asked(Reading(strength=float("nan")), NAME), "The answer says the strength"),
    "a last epoch below one": (asked(Reading(last=0), NAME), "can't be epoch 0"),
    "names that say nothing": (asked(Reading()), "how a.png was made"),
    "an epoch of 12 digits": (content(PNG, f"anna_e{'9' * 12}_00_20240101120000.png"), "says epochs"),
    "a prompt number of 9 digits": (content(PNG, "anna_e000001_999999999_20240101120000.png"), "says prompt number"),
    "a seed of 30 digits": (content(PNG, f"{EPOCH}_{'9' * 30}.png"), "says seed"),
    "a pattern that doesn't fit": (asked(Reading("{lora}_{epoch}")), "a.png doesn't fit the pattern"),
    "a pattern with an unknown word": (asked(Reading("{lorra}")), "{lorra}"),
    "a pattern too wide": (asked(Reading("{lora}{any}{text}{any}")), "has more than 3 of {lora}"),
    "a pattern for folders": (asked(Reading("{lora}/{epoch}")), "a.png doesn't fit"),
    "a strength of 400 digits": (asked(Reading("x{strength}"), f"x{'9' * 200}.png"), "says strength"),
    "an epoch out of a pattern": (asked(Reading("e{epoch}"), f"e{'9' * 15}.png"), "says epoch"),
    "pictures that share nothing": (too_mixed, "share too little"),
    "a LoRA that isn't there": (
        lambda folder: (text(a1111_text())(folder)[0], Reading(subject="berta")),
        "names no LoRA 'berta'",
    ),
    # files of prompts
    "prompts that aren't UTF-8": (prompts("sample_prompts.txt", b"\xff\xfe\xfa"), "sample_prompts.txt isn't UTF-8"),
    "prompts without a line": (prompts("sample_prompts.txt", b"# none\n"), "sample_prompts.txt names no prompt"),
    "prompts that are no TOML": (prompts("prompts.toml", b"[[["), "prompts.toml is no TOML"),
    "prompts without a subset": (prompts("prompts.toml", b"[prompt]"), "prompts.toml has no [[prompt.subset]]"),
    "a subset without a prompt": (prompts("prompts.toml", b"[[prompt.subset]]\nseed=1"), "without 'prompt'"),
    "prompts that are no JSON": (prompts("prompts.json", b"{"), "prompts.json is no JSON"),
    "prompts that are no list": (prompts("prompts.json", b"{}"), "prompts.json holds no list"),
    "prompts nested too deep": (prompts("prompts.json", b"[" * 100_000), "prompts.json is no JSON"),
    "prompts of two megabytes": (prompts("prompts.txt", b"zwx\n" * 500_000), "prompts.txt is too large"),
    "two thousand prompts": (prompts("prompts.txt", b"zwx\n" * 2000), "prompts.txt holds more than 1000"),
    # archives
    "an archive cut short": (spoilt_archive(lambda data: data[:-30]), "packed.zip"),
    "an archive of nothing": (spoilt_archive(lambda data: b""), "packed.zip"),
    "an archive of words": (spoilt_archive(lambda data: b"hello"), "packed.zip is no zip archive"),
    "an archive with a password": (spoilt_archive(locked), f"{NAME} is locked with a password"),
    "an archive that lies": (spoilt_archive(lied), NAME),
    "an archive with broken pixels": (spoilt_archive(lambda data: data[:90] + b"\0" * 40 + data[130:]), NAME),
    "an empty archive": (archive(), "no pictures"),
    "a name that leads outside": (archive(("../../" + NAME, PNG)), f"../../{NAME} has a name that leads out"),
    "a name that leads out inside": (archive(("a/../../" + NAME, PNG)), "leads out of the archive"),
    "a name that leads out in Windows": (archive(("..\\..\\" + NAME, PNG)), "leads out of the archive"),
    "an absolute name": (archive(("/etc/" + NAME, PNG)), "leads out of the archive"),
    "a name with a drive": (archive(("C:/" + NAME, PNG)), "leads out of the archive"),
    "a name with a line break": (archive(("a\nb.png", PNG)), "has a name with signs"),
    "a name of a thousand letters": (archive(("a" * 1000 + ".png", PNG)), "has a name with signs"),
    "the same name twice": (archive((NAME, PNG), (NAME.replace("/", "\\"), PNG)), f"{NAME} is in the archive twice"),
    "a link in an archive": (archive((NAME, b"/etc/passwd"), spoil=as_link), f"{NAME} is a link"),
    "an archive in an archive": (archive(("more.zip", b"PK")), "more.zip is an archive inside"),
    "a zip bomb": (archive((NAME, b"\0" * 30_000_000)), f"{NAME} unpacks to more than 200 times"),
    "an empty picture in an archive": (archive((NAME, b"")), f"{NAME} is empty"),
    "a broken picture in an archive": (archive((NAME, PNG[:200])), NAME),
    "a seven-zip archive": (
        lambda folder: (content(b"7z\xbc\xaf\x27\x1c", "packed.7z")(folder)[0] / "packed.7z", None),
        "packed.7z is no zip archive",
    ),
}

# About a source or an answer as a whole; all others are about files, which the error names.
OF_THE_WHOLE = {
    "no folder",
    "an empty folder",
    "a folder with a text",
    "no LoRA anywhere",
    "several LoRAs",
    "a strength nan for all",
    "a last epoch below one",
    "names that say nothing",
    "a pattern with an unknown word",
    "a pattern too wide",
    "an archive cut short",
    "an archive of nothing",
    "an archive of words",
    "an empty archive",
    "a seven-zip archive",
}
