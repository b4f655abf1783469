"""Who judges a project's pictures, what for, and how the subject's scale was measured: facts in words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from db import library, results
from workbench.judges import JudgeInfo, JudgeUnavailable, clip_judge_info, face_judge_info
from workbench.words import counted

Row = dict[str, Any]

NONE = "none"
ROLES = {  # column of the project -> (heading, what the judge says)
    "face_judge": ("Likeness", "How alike a face is to the reference photos, and whether there is one"),
    "second_face_judge": ("Likeness, second opinion", "The same on a scale of its own; the two are never mixed"),
    "clip_judge": ("Prompt adherence and look", "How well a picture fits its prompt; how alike whole pictures are"),
}
ESTIMATORS = {
    "mean_of_pairs": "mean of the cosines to each reference photo",
    "centroid": "cosine to the mean of the reference photos",
    "max": "cosine to the nearest reference photo",
}


@dataclass(frozen=True)
class JudgeCard:
    """One judge as a page shows it. ``problem``: why it can't judge here; empty = it can."""

    role: str  # column of the project
    title: str
    says: str
    spec: str
    facts: tuple[tuple[str, str], ...]
    problem: str = ""


def judge_cards(db: Database, project: Row) -> list[JudgeCard]:
    """A card per judge that the project names, without those that are none."""
    scales = results.calibrations(db, project["id"])
    cards = []
    for role, (title, says) in ROLES.items():
        spec = project[role]
        if spec == NONE:
            continue
        try:
            info = clip_judge_info(spec) if role == "clip_judge" else face_judge_info(spec)
        except JudgeUnavailable as unavailable:
            cards.append(JudgeCard(role, title, says, spec, (), str(unavailable)))
            continue
        assert info is not None  # only the judge none has no info
        facts = [*about(info), *scale_facts(db, project, info, scales)]
        cards.append(JudgeCard(role, title, says, spec, tuple(facts)))
    return cards


def about(info: JudgeInfo) -> list[tuple[str, str]]:
    """Whose weights, under which licence, and for which pictures."""
    return [
        ("name", info.name),
        ("version", info.version),
        ("licence", info.licence),
        ("valid for", info.world),
    ]


def scale_facts(db: Database, project: Row, info: JudgeInfo, scales: list[Row]) -> list[tuple[str, str]]:
    """The subject's scale as this judge measured it last on the project's photos."""
    own = [row for row in scales if row["judge_key"] == info.key and row["dataset_id"] == project["dataset_id"]]
    if info.kind != "face":
        return []
    if not own:
        return [("scale", "not measured yet: it comes with the first scores")]
    row = own[-1]
    return [*ends(row), *faces_found(db, row), ("estimator", ESTIMATORS.get(row["estimator"], str(row["estimator"])))]


def ends(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What 0, 100 and "recognisably the person" are, as raw cosines."""
    zero = "0 = cosine 0 (no other people's photos)" if row["strangers"] is None else f"0 = {row['strangers']:.3f}"
    known = [] if row["threshold"] is None else [("recognised from", recognised(row))]
    return [("scale", f"{zero}, 100 = {row['real']:.3f} (cosines, at {row['size_px']} px)"), *known]


def recognised(row: Mapping[str, Any]) -> str:
    """The threshold on both scales."""
    zero = row["strangers"] or 0.0
    return f"likeness {100 * (row['threshold'] - zero) / (row['real'] - zero):.0f} (cosine {row['threshold']:.3f})"


def faces_found(db: Database, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """On how many of the photos the judge found a face."""
    found = json.loads(row["counts"])
    sides = {"train": "training photos", "reference": "reference photos"}
    rows = []
    for side, name in sides.items():
        total = len(library.photos(db, row["dataset_id"], side))
        if side in found:
            rows.append((f"faces, {name}", f"{found[side]} of {total}"))
    if found.get("strangers"):
        rows.append(("faces, other people", counted(found["strangers"], "photo")))
    return rows
