"""Ratings of all modes by two raters with known eyes, on a filled workspace: for tests of what is made of them."""

import zlib
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from filled import Filled
from one_sitting import Asking, asking

from db import library, sittings
from workbench.findings.preview_table import preview_table
from workbench.rating.answers import save
from workbench.rating.sitting import begin

Row = dict[str, Any]

NOISE = {"me": 4.0, "Mia": 8.0}  # sd of one mark, points
BIAS = {"me": 0.0, "Mia": 5.0}  # points added to every mark
OF_EYE = {"rate 6e-3": -30.0}  # what people see in a pattern's pictures and the judge does not
SAME_WITHIN = 3.0  # two pictures that look this much alike are "the same"
REPEATS = {"single": 5, "deck": 5, "sheet": 5, "pair": 5, "best_worst": 2}
MODES = tuple(REPEATS)


def add_all_ratings(filled: Filled, raters: Sequence[str] = ("me", "Mia"), modes: Sequence[str] = MODES) -> None:
    """A sitting of every mode by each rater through what the app itself calls, warm-ups, repeats and flags included.

    The noise of an answer is always the same; which items are repeated is drawn anew by each sitting.

    What a rater sees in a picture is the judge's likeness, plus OF_EYE of its pattern, plus the rater's BIAS; each
    answer adds noise of sd NOISE. "me" flags two pictures of "rate 6e-3" as not the person, "Mia" one of them, and "me"
    one of "baseline" as broken.
    """
    pictures = judged_pictures(filled)
    for rater in raters:
        for mode in modes:
            hold_sitting(filled, asking(mode, asked_of(mode, pictures), REPEATS[mode]), rater, pictures)


def judged_pictures(filled: Filled) -> list[Row]:
    """The previews that identity prompts made, with what a steady eye would give them (0 to 100)."""
    table = preview_table(filled.db, filled.project_id)
    rows = table[(table["role"] == "identity") & table["is_main"] & (table["picture_status"] == "ok")]
    eye = rows["likeness"].fillna(5.0) + rows["label"].map(OF_EYE).fillna(0.0)
    return [dict(row) for row in rows.assign(eye=eye).to_dict("records")]


def asked_of(mode: str, pictures: Sequence[Row]) -> tuple[tuple[int, ...], ...]:
    """The items of a sitting: single marks the last checkpoints, deck the others, a sheet is a checkpoint's row,
    pairs and grids are of last checkpoints with the same prompt and seed."""
    trained = [row for row in pictures if not row["is_base"]]
    first_seed = min(row["seed"] for row in trained)
    if mode in ("single", "deck"):
        wanted = mode == "single"
        return tuple((row["preview_id"],) for row in trained if row["is_last"] == wanted and row["seed"] == first_seed)
    if mode == "sheet":
        return grouped(trained, "checkpoint_id")
    cells = grouped([row for row in trained if row["is_last"]], "prompt", "seed")
    if mode == "best_worst":
        return cells
    pairs = [pair for cell in cells for pair in combinations(cell, 2)]
    return tuple(pairs[::3])  # 30 of 90


def grouped(rows: Sequence[Row], *columns: str) -> tuple[tuple[int, ...], ...]:
    groups: dict[tuple[int, ...], list[int]] = {}
    for row in rows:
        groups.setdefault(tuple(int(row[name]) for name in columns), []).append(row["preview_id"])
    return tuple(map(tuple, groups.values()))


def hold_sitting(filled: Filled, asked: Asking, rater: str, pictures: Sequence[Row]) -> str:
    """All items answered in their order; returns the sitting's token."""
    db = filled.db
    token = begin(db, library.project(db, filled.project_id), rater, asked)
    by_id = {row["preview_id"]: row for row in pictures}
    for item in sittings.items(db, sittings.by_token(db, token)["id"]):
        seen = [by_id[preview] for preview in item["previews"]]
        save(db, token, {"item": item["token"], **answer(asked.mode, seen, rater, chance(rater, asked.mode, item))})
    return token


def chance(rater: str, mode: str, item: Row) -> np.random.Generator:
    """The noise of an answer: the same whatever the order of the sitting came to be."""
    about = f"noise of {rater} {mode} {item['part']} {sorted(item['previews'])}"
    return np.random.default_rng(zlib.crc32(about.encode()))


def answer(mode: str, seen: Sequence[Row], rater: str, rng: np.random.Generator) -> Row:
    """What this rater says of an item: a payload as the browser sends it."""
    in_order = np.argsort(np.argsort([row["preview_id"] for row in seen]))  # each picture has a noise of its own
    noise = NOISE[rater] * rng.standard_normal(len(seen))[in_order]
    looks = np.array([row["eye"] for row in seen]) + BIAS[rater] + noise
    said: Row = {"seconds": float(rng.lognormal(1.2, 0.4))}
    if mode in ("single", "deck"):
        said["marks"] = {"likeness": mark(looks[0])}
        if mode == "single":
            said["marks"] |= {"quality": mark(70 + 5 * rng.standard_normal()), "prompt": mark(looks[0] / 4 + 60)}
            said["flags"] = flags_of(seen[0], rater)
    elif mode == "sheet":
        said["marks"] = {"likeness": mark(looks.mean())}
    elif mode == "pair":
        apart = looks[0] - looks[1]
        said["said"] = "same" if abs(apart) < SAME_WITHIN else "left" if apart > 0 else "right"
    else:
        said |= {"best": int(looks.argmax()), "worst": int(looks.argmin())}
    return said


def mark(value: float) -> float:
    return float(np.clip(round(value), 0, 100))


def flags_of(row: Row, rater: str) -> list[list[Any]]:
    """Flags of one picture, by its place in the item."""
    if (row["label"], row["prompt"]) == ("rate 6e-3", 1) and (rater == "me" or row["train_seed"] == 1):
        return [[0, "not_the_person"]]
    if (row["label"], row["train_seed"], row["prompt"], rater) == ("baseline", 2, 2, "me"):
        return [[0, "broken"]]
    return []
