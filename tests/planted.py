"""A workspace in which all that a rater must not learn is unmistakable, and a search for it in bytes of any kind."""

import base64
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

import filled
from filled_rows import REAL, STRANGERS
from sqlite_utils import Database

from trainer.config import TrainConfig
from workbench.plans.plan import EvalPlan

SEEDS = (987654321, 987654367)
PLAN = EvalPlan(prompts=filled.PLAN.prompts, seeds=SEEDS)
RATE = 0.00123457
SETTINGS = TrainConfig(dim=97, alpha=93.4567, learning_rate=RATE, batch_size=4)
CHANGES = {"baseline": {}, "secretlabel8xq": {"alpha": 71.2345}, "secretlabel9xq": {"learning_rate": 0.00765431}}
OF_PATTERN = (60.12347, 45.23459, 57.34561)  # likeness
FAR = {"runs": 73100000, "checkpoints": 74200000, "patterns": 75300000, "previews": 76400000}  # where ids begin
TEXTS = {
    "patterns": ("secretlabel", "secretnote"),
    "settings": ("0.00123457", "0.00765431", "93.4567", "71.2345", "1.23457e-03", "7.65431e-03"),
    "setting names": ("learning_rate", "batch_size", "secretoptimizer"),
    "seeds": tuple(map(str, SEEDS)),
    "paths": ("secretbase", "secretoriginal", "secrethome", "secretphoto", ".safetensors", "/photos/1/", "previews/1/"),
    "updates": ("61357", "122713"),
}


@dataclass(frozen=True)
class Planted:
    """The workspace, and what must not be found: kind -> texts, and numbers as they lie in memory."""

    filled: filled.Filled
    texts: dict[str, tuple[str, ...]]
    numbers: dict[str, tuple[float, ...]]


def plant(folder: Path, monkeypatch) -> Planted:
    """3 patterns x 2 seeds x 2 checkpoints, nothing rated, everything about them told apart from all else."""
    for name, value in (("BASELINE", SETTINGS), ("CHANGES", CHANGES), ("OF_PATTERN", OF_PATTERN)):
        monkeypatch.setattr(filled, name, value)
    made = filled.fill_anew(folder / "secrethome", PLAN, rated=False)  # no copy of one without these names
    db = made.db
    rename(db)
    for table, by in FAR.items():
        renumber(db, table, by)
    with db.atomic():
        db.execute("update meta set value = value + 1 where key = 'revision'")
    scores = [row["value"] for row in db.query("select value from scores where value is not null")]
    ids = [row["id"] for table in FAR for row in db.query(f"select id from {table}")]
    likeness = [100 * (value - STRANGERS) / (REAL - STRANGERS) for value in scores]
    told = {f"{value:.{n}f}" for value in (*scores, *likeness) for n in (4, 5, 6)}
    told -= {text for text in told if len(text.strip("0.-")) < 4}  # 0.3000 may stand anywhere
    return Planted(
        made,
        {**TEXTS, "scores": tuple(sorted(told)), "ids": tuple(map(str, sorted(set(ids))))},
        {"ids": tuple(ids), "scores": tuple(scores), "settings": (RATE, 93.4567, 71.2345), "seeds": SEEDS},
    )


def rename(db: Database) -> None:
    """Names, notes, paths and updates that occur nowhere else."""
    with db.atomic():
        db.execute("update pattern_labels set label = 'secretlabel7xq' where label = 'baseline'")
        db.execute("update pattern_labels set note = 'secretnote' || pattern_id")
        db.execute("update projects set base_model = '/secretbase/xq.safetensors'")
        db.execute("update previews set base_model = '/secretbase/xq.safetensors'")
        db.execute("update patterns set config = json_set(config, '$.base_model', '/secretbase/xq.safetensors')")
        db.execute("update previews set original = '/secretoriginal/' || id || '.png'")
        db.execute("update photos set name = 'secretphoto' || position || '.jpg'")
        db.execute("update checkpoints set updates = case updates when 60 then 61357 else 122713 end")


def renumber(db: Database, table: str, by: int) -> None:
    """Move the ids of a table, and all that refers to them, far away from other numbers."""
    places = [
        (other, key["from"])
        for other in db.table_names()
        for key in db.query(f"pragma foreign_key_list({other})")
        if key["table"] == table and other != "ratings"
    ]
    db.execute("pragma foreign_keys = off")
    with db.atomic():
        for other, column in places:
            db.execute(f"update {other} set {column} = {column} + {by} where {column} is not null")
        db.execute(f"update {table} set id = id + {by}")
    db.execute("pragma foreign_keys = on")
    assert not list(db.query("pragma foreign_key_check"))


# the search


def leaks(data: bytes, planted: Planted, numbers: bool = True) -> list[str]:
    """What is in these bytes that a rater must not learn: "kind: text" each, once.

    Texts are looked for as they are, percent-encoded, in UTF-16, in base64 and in deflated parts; with ``numbers``
    also ids as varints (protobuf) and values as 64-bit floats.
    """
    found = {}
    for layer in layers(data):
        lower = layer.lower()
        for kind, texts in planted.texts.items():
            for text in texts:
                if any(form in (layer if form_is_exact else lower) for form, form_is_exact in forms(text)):
                    found[f"{kind}: {text}"] = None
        for kind, values in planted.numbers.items() if numbers else ():
            for value in values:
                if (varint(value) if isinstance(value, int) else struct.pack("<d", value)) in layer:
                    found[f"{kind}: {value} as a number"] = None
    return list(found)


def layers(data: bytes) -> list[bytes]:
    """The bytes, and what they hold in another encoding."""
    found = [data]
    if b"%" in data and len(data) < 1 << 20:
        found.append(unquote_to_bytes(data))
    for magic, bits in ((b"\x1f\x8b", 31), (b"x\x9c", 15)):
        place = data.find(magic)
        while place >= 0:
            try:
                found.append(zlib.decompressobj(bits).decompress(data[place:], 1 << 22))
            except zlib.error:
                pass
            place = data.find(magic, place + 1)
    return found


def forms(text: str) -> list[tuple[bytes, bool]]:
    """How a text can stand in bytes, and whether its case matters."""
    plain = text.lower().encode()
    return [(plain, False), (text.encode("utf-16-le"), True), *((form, True) for form in in_base64(text.encode()))]


def in_base64(plain: bytes) -> list[bytes]:
    """The part of its base64 form that doesn't depend on what stands around it, for each of the three places."""
    whole = []
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + plain)
        first, last = -(-before * 8 // 6), (before + len(plain)) * 8 // 6
        whole.append(encoded[first:last])
    return [form for form in whole if len(form) >= 6]


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def png_chunks(data: bytes) -> list[str]:
    """The names of a PNG's chunks, in their order."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, names = 8, []
    while place < len(data):
        size = struct.unpack(">I", data[place : place + 4])[0]
        names.append(data[place + 4 : place + 8].decode("ascii"))
        place += 12 + size
    assert place == len(data), "bytes after the last chunk"
    return names


def webp_chunks(data: bytes) -> list[str]:
    """The names of a WebP's chunks, in their order."""
    assert data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    assert struct.unpack("<I", data[4:8])[0] + 8 == len(data), "bytes after the last chunk"
    place, names = 12, []
    while place < len(data):
        size = struct.unpack("<I", data[place + 4 : place + 8])[0]
        names.append(data[place : place + 4].decode("ascii"))
        place += 8 + size + size % 2
    return names
