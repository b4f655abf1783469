"""Two checkpoints on the same cells, and the base alone beside them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench.pictures.gallery import checkpoint_text, flaw_of, preview_url, prompt_text, records

Row = dict[str, Any]

BASE = 0  # in place of a checkpoint's id: the base alone


@dataclass(frozen=True)
class Side:
    """One picture of a pair; without an address it waits to be rated, or was not made."""

    src: str = ""
    full: str = ""
    note: str = ""
    waits: bool = False


@dataclass(frozen=True)
class Pair:
    """The same prompt and preview seed of both, and of the base that each is looked at with, alone."""

    text: str
    sub: str
    a: Side
    b: Side
    base_a: Side
    base_b: Side


@dataclass(frozen=True)
class Comparison:
    """Two checkpoints, their names, and their pairs."""

    a: str
    b: str
    pairs: tuple[Pair, ...]


def comparable(table: pd.DataFrame) -> dict[int, str]:
    """Checkpoint id -> its name, of all that have previews; BASE first."""
    trained = table[~table["is_base"]].drop_duplicates("checkpoint_id")
    found = {BASE: "without LoRA"} if table["is_base"].any() else {}
    return found | {row["checkpoint_id"]: f"{row['label']} · {checkpoint_text(row)}" for row in records(trained)}


def to_begin_with(table: pd.DataFrame) -> tuple[int, int]:
    """Which two to look at first: the last checkpoints of the first two patterns; with one pattern, the base and it."""
    last = table[~table["is_base"] & table["is_last"]].drop_duplicates("pattern_id")
    ids = [int(checkpoint) for checkpoint in last["checkpoint_id"]] or [key for key in comparable(table) if key != BASE]
    return (ids[0], ids[1]) if len(ids) > 1 else (BASE, ids[0] if ids else BASE)


def compare(table: pd.DataFrame, a: int, b: int, held: Collection[str] = ()) -> Comparison:
    """The cells that both checkpoints have in chosen previews (rows of ``preview_table`` of one strength).

    Where one of them is BASE, it is the base of the other.
    """
    rows = records(table)
    own_a, own_b = (cells([row for row in rows if not row["is_base"] and row["checkpoint_id"] == x]) for x in (a, b))
    base_a, base_b = alone(rows, own_a or own_b), alone(rows, own_b or own_a)
    own_a, own_b = (base_a if a == BASE else own_a), (base_b if b == BASE else own_b)
    names = comparable(table)
    pairs = [
        Pair(
            prompt_text(own_a[cell]),
            f"seed {cell[1]}",
            side(own_a[cell], held),
            side(own_b[cell], held),
            side(base_a.get(cell), held),
            side(base_b.get(cell), held),
        )
        for cell in sorted(own_a.keys() & own_b.keys())
    ]
    return Comparison(names.get(a, ""), names.get(b, ""), tuple(pairs))


def cells(rows: Iterable[Row]) -> dict[tuple[int, int], Row]:
    """Rows by their prompt and preview seed."""
    return {(row["prompt"], row["seed"]): row for row in rows}


def alone(rows: Iterable[Row], own: Mapping[tuple[int, int], Row]) -> dict[tuple[int, int], Row]:
    """The base row with the base and clip skip of a checkpoint's cells; without any, the first that there is."""
    bases = [row for row in rows if row["is_base"]]
    like = next(iter(own.values()), bases[0] if bases else None)
    if like is None:
        return {}
    eyes = like["base_model"], like["clip_skip"]
    return cells(row for row in bases if (row["base_model"], row["clip_skip"]) == eyes)


def side(row: Mapping[str, Any] | None, held: Collection[str]) -> Side:
    """A preview as one side of a pair."""
    if row is None:
        return Side()
    if row["token"] in held:
        return Side(waits=True)
    likeness = "" if pd.isna(row["likeness"]) else f"likeness {row['likeness']:.0f}"
    return Side(preview_url(row["token"]), preview_url(row["token"], full=True), flaw_of(row) or likeness)
