"""One row per preview, with what its judges and the raters say of it; two scales never meet in one column."""

import json
from collections.abc import Collection
from functools import lru_cache
from typing import Any

import pandas as pd
from sqlite_utils import Database

from db import library, ratings, results, runs
from trainer.config import parse_config
from workbench.findings.beside import BESIDE_COLUMNS, beside, vectors_of
from workbench.findings.metrics import COSINE_ZERO, HUMAN_AXES, STRANGERS
from workbench.plans.eyes import Eyes, main_eyes
from workbench.plans.plan import EvalPlan, plan_of
from workbench.rating.modes import FLAGS
from workbench.scores.copying import copied_photo, is_face_copy, is_picture_copy
from workbench.scores.current_scores import SECOND, current_scores
from workbench.scores.finish import Finish
from workbench.scores.likeness import on_scale
from workbench.scores.look import CLIP_I
from workbench.scores.one_photo import FACE, FEWEST_PHOTOS, LAYOUT, LOOK, usual_shares
from workbench.scores.scoring import CLIP_T, LIKENESS
from workbench.sentences import score_status

Row = dict[str, Any]

FACE_FOUND = ("ok", "several_faces", "small_face")
RUN_COLUMNS = ["run_id", "pattern_id", "label", "train_seed", "dataset_id", "saw_references"]
CHECKPOINT_COLUMNS = [
    "checkpoint_id",
    "updates",
    "images_seen",
    "epoch",
    "is_last",
    "is_base",
    "base_model",
    "clip_skip",
]
INTEGERS = ["run_id", "pattern_id", "train_seed", "dataset_id", "checkpoint_id", "updates", "images_seen"]
HUMAN_COLUMNS = [f"human_{axis}" for axis in HUMAN_AXES]
FLAG_COLUMNS = {flag: f"flag_{flag}" for flag in FLAGS}
FACE_NUMBERS = ["face_found", "recognised", "likeness", "likeness_raw", "copy_gap", "face_px"]
SECOND_NUMBERS = ["second_likeness", "second_likeness_raw"]  # on the second judge's own scale
COPY_NUMBERS = ["face_copy", "picture_copy", "copied"]
NEAREST = {LAYOUT: "nearest_by_layout", LOOK: "nearest_by_look", FACE: "nearest_by_face"}
NUMBERS = [
    *FACE_NUMBERS,
    *SECOND_NUMBERS,
    "clip_t",
    "clip_i",
    *COPY_NUMBERS,
    *BESIDE_COLUMNS,
    *Finish._fields,
    "epoch",
    *HUMAN_COLUMNS,
]
NO_FLAGS = dict.fromkeys(FLAG_COLUMNS.values(), 0)
# pandas would make it NaN, which is true in an "if"
NONE_WHERE_MISSING = ["face_status", "second_face_status", "clip_status", "zero", "saw_references"]
PREVIEW_COLUMNS = [
    "preview_id",
    "token",
    *RUN_COLUMNS,
    *CHECKPOINT_COLUMNS,
    "prompt",
    "role",
    "text",
    "seed",
    "strength",
    "is_main",
    "is_variant",
    "is_final",
    "is_confirm",
    "picture_status",
    "in_fp32",
    "face_status",
    "face_reason",
    *FACE_NUMBERS,
    "zero",
    "second_face_status",
    *SECOND_NUMBERS,
    "clip_status",
    "clip_reason",
    "clip_t",
    "clip_i",
    *COPY_NUMBERS,
    "nearest_photo",
    *NEAREST.values(),
    "nearest_reference",
    *Finish._fields,
    *BESIDE_COLUMNS,
    "face_judge",
    "second_face_judge",
    "clip_judge",
    *HUMAN_COLUMNS,
    "n_marks",
    *FLAG_COLUMNS.values(),
    "drawn_as",
]


def preview_table(db: Database, project_id: int) -> pd.DataFrame:
    """One row per preview of the current plan, base rows included; columns: PREVIEW_COLUMNS.

    ``likeness`` is on the subject's scale (strangers 0, real photos 100); ``likeness_raw``, ``clip_t`` and ``clip_i``
    (look: mean over the reference photos) are cosines; ``face_px`` is the side of the face in pixels; ``human_*`` are
    marks from 0 to 100, mean over raters, ``n_marks`` of them; ``flag_*``: how many raters flagged it. ``drawn_as``:
    the id of the preview that the same picture was first drawn for, under which people's words are stored. ``zero``
    says what 0 on the scale is, a key of metrics.ZEROS.
    ``second_likeness`` is on the second judge's own scale: never on one axis with the first's. ``face_status``,
    ``second_face_status`` and ``clip_status`` are the score's (a broken picture's own; None = not scored yet),
    ``face_reason`` and ``clip_reason`` the same as a sentence, empty where there is nothing to say.
    ``face_found`` is 1, 0 (no face, or a broken picture) or missing (not judged); ``recognised`` is 1 for a face at or
    above the threshold of the scale, 0 for any other, for none and for a broken picture, missing without a threshold.
    ``copy_gap``: by how many points of the scale the face is nearer to the nearest training photo than to
    the nearest reference photo, beyond what is usual for real photos. ``face_copy``, ``picture_copy``: 1 where that
    says "copied" (see scores/copying.py), ``copied``: 1 where either does, ``nearest_photo``: the id of the training
    photo to look at; ``nearest_by_layout``, ``nearest_by_look`` and ``nearest_by_face``: ids of the nearest ones, which
    together say more of a LoRA (see copied.py), ``nearest_reference``: the id of the reference photo whose face is
    nearest, ``attrs["usual"]``: how popular one photo is among real photos there.
    Beside other previews: see :func:`beside.beside`. ``is_variant``: rendered on another
    base or with another clip skip than the plan's main view (never so where it was made elsewhere). ``is_final``: its
    run was trained on the reference photos too. ``is_confirm``: of a seed that nothing is chosen by. ``is_main``:
    headline figures are about it, so none of these, and rendered at the plan's main strength (always so on the base
    row). ``saw_references``: no, unknown or yes; None on the base row. ``attrs["left_out"]`` counts what is stored but
    not shown: previews of other plans, scores of other judges and of other calibrations.
    """
    project = library.project(db, project_id)
    if project is None:
        raise LookupError(f"There is no project {project_id}. `python -m workbench status` lists them.")
    plan, plan_id = plan_of(db, project_id), project["plan_id"]
    stored = results.previews(db, project_id, plan_id) if plan_id else []
    scores, judges, left_out = current_scores(db, project, stored)
    scales = {row["id"]: row for row in results.calibrations(db, project_id)}
    used = {row["dataset_id"] for row in scales.values()}
    photos, references = side_photos(db, used, "train"), side_photos(db, used, "reference")
    marks, flags = human_marks(db, project_id), flag_counts(db, project_id)
    headline = main_views(db, project_id, plan)
    confirming = set(plan.confirm_seeds) - set(plan.seeds)
    rows = []
    for preview in stored:
        is_base, is_final = preview["checkpoint_id"] is None, bool(preview["final"])
        is_confirm = preview["seed"] in confirming
        looked = Eyes(preview["base_model"], preview["clip_skip"])
        is_variant = looked not in headline.values() if is_base else looked != headline[preview["run_id"]]
        is_variant = is_variant and bool(headline) and not plan.elsewhere
        at_main = is_base or preview["strength"] == plan.main_strength
        status = preview["status"]
        about = {
            "preview_id": preview["id"],
            "picture_status": status,
            "is_base": is_base,
            "is_last": bool(preview["is_last"]),
            "role": plan.prompts[preview["prompt"]].role,
            "is_variant": is_variant,
            "is_final": is_final,
            "is_confirm": is_confirm,
            "is_main": at_main and not (is_variant or is_final or is_confirm),
        }
        likeness, second, clip_t, clip_i = (
            scores.get((preview["id"], measure)) for measure in (LIKENESS, SECOND, CLIP_T, CLIP_I)
        )
        face = face_columns(likeness, status, scales)
        other = second_columns(face_columns(second, status, scales))
        clip = clip_columns(clip_t, clip_i, status)
        copies = copy_columns(likeness, clip_i, status, scales, photos)
        drawn_as = preview["same_as"] or preview["id"]
        said = {"drawn_as": drawn_as, "n_marks": 0, **NO_FLAGS, **marks.get(drawn_as, {}), **flags.get(drawn_as, {})}
        near = {"nearest_reference": nearest_reference(likeness, scales, references)}
        rows.append({**preview, **about, **face, **other, **clip, **copies, **near, **said})
    table = pd.DataFrame(rows, columns=PREVIEW_COLUMNS).astype(
        {
            **dict.fromkeys([*INTEGERS, "nearest_photo", *NEAREST.values(), "nearest_reference"], "Int64"),
            **dict.fromkeys(NUMBERS, "float64"),
            **dict.fromkeys(["is_main", "is_variant", "is_final", "is_confirm", "is_base", "is_last"], "bool"),
            **dict.fromkeys(["n_marks", "drawn_as", *NO_FLAGS], "int64"),
        }
    )
    for column in NONE_WHERE_MISSING:
        table[column] = table[column].astype(object).where(table[column].notna(), None)
    seer = judges[CLIP_I]
    seen = vectors_of(db, project_id, plan_id, seer if seer is not None else -1)
    table[BESIDE_COLUMNS] = beside(table, *seen)
    others = db.table("previews").count_where("project_id = ? and plan_id is not ?", [project_id, plan_id])
    table.attrs["left_out"] = {"previews_of_other_plans": others, **left_out}
    table.attrs["usual"] = usual_of_photos(scores, scales)
    return table


def usual_of_photos(scores: dict[tuple[int, str], Row], scales: dict[int, Row]) -> dict[str, float]:
    """Measure of nearness -> share of real photos that the most popular train photo is nearest to."""
    used = {(measure, score["calibration_id"]) for (_, measure), score in scores.items() if score["calibration_id"]}
    samples: list[dict[str, float | None]] = []
    for measure, calibration in used:
        detail = json.loads(scales[calibration]["detail"])
        if measure == LIKENESS:
            samples.append({FACE: detail.get("popular")})
        elif measure == CLIP_I:
            samples.append({LOOK: detail.get("popular"), LAYOUT: detail.get("hash_popular")})
    return usual_shares(*samples)


def side_photos(db: Database, datasets: Collection[int], side: str) -> dict[int, list[int]]:
    """Dataset version -> ids of its train or reference photos, in the order in which judges get them."""
    return {dataset: [photo["id"] for photo in library.photos(db, dataset, side)] for dataset in datasets}


def nearest_reference(score: Row | None, scales: dict[int, Row], photos: dict[int, list[int]]) -> int | None:
    """The reference photo whose face is nearest, where the score keeps it."""
    if score is None or score["value"] is None or score["calibration_id"] is None:
        return None
    place = parsed(score["detail"]).get("nearest_reference_photo")
    return None if place is None else photos[scales[score["calibration_id"]]["dataset_id"]][place]


def main_views(db: Database, project_id: int, plan: EvalPlan) -> dict[int, Eyes]:
    """Run -> what its headline previews are made with."""
    return {run["id"]: main_eyes(plan, parse_config(run["config"])) for run in runs.of_project(db, project_id)}


def face_columns(score: Row | None, picture_status: str, scales: dict[int, Row]) -> Row:
    """What a likeness score says of a preview; a broken picture has no face, whoever looked."""
    status, reason = status_and_reason(score, picture_status)
    broken = picture_status != "ok"
    found = 0.0 if broken or status == "no_face" else 1.0 if status in FACE_FOUND else None
    columns = {"face_status": status, "face_reason": reason, "face_found": found}
    if score is None:
        return columns
    columns["face_judge"] = score["judge"]
    scale = scales.get(score["calibration_id"])
    if scale is not None and scale["threshold"] is not None and found is not None:
        columns["recognised"] = float(found and score["value"] >= scale["threshold"])
    if score["value"] is None or broken:
        return columns
    detail = parsed(score["detail"])
    columns |= {"likeness_raw": score["value"], "face_px": detail.get("face_px")}
    if scale is None:
        return columns
    zero, real = scale["strangers"], scale["real"]
    columns |= {"likeness": on_scale(score["value"], zero, real), "zero": COSINE_ZERO if zero is None else STRANGERS}
    if "nearest_train" in detail:
        nearest = [on_scale(detail[name], zero, real) for name in ("nearest_train", "nearest_reference")]
        usual = (detail.get("usual_gap") or 0.0) / (real - (zero or 0.0)) * 100
        columns["copy_gap"] = nearest[0] - nearest[1] - usual
    return columns


def second_columns(face: Row) -> Row:
    """What of a second face judge is shown, of :func:`face_columns`."""
    names = ("face_status", "likeness", "likeness_raw", "face_judge")
    return {f"second_{name}": face[name] for name in names if name in face}


def clip_columns(clip_t: Row | None, clip_i: Row | None, picture_status: str) -> Row:
    """What CLIP's scores say of a preview; a broken picture has none. The status is that of prompt adherence."""
    status, reason = status_and_reason(clip_t, picture_status)
    columns = {"clip_status": status, "clip_reason": reason}
    for name, score in ((CLIP_I, clip_i), (CLIP_T, clip_t)):
        if score is not None:
            columns |= {name: score["value"] if picture_status == "ok" else None, "clip_judge": score["judge"]}
    return columns


def copy_columns(
    likeness: Row | None, clip_i: Row | None, picture_status: str, scales: dict[int, Row], photos: dict[int, list[int]]
) -> Row:
    """Whether a preview copies a training photo, in its face or as a whole, and which one to look at.

    That is the photo of the first flag; without one the nearest face's, else the nearest whole picture's. (Version 0.2
    didn't store which photo it was.)
    """
    found: list[tuple[bool, str, int | None]] = []  # flagged, column, photo
    columns: Row = {}
    for column, score, is_copy in (
        ("face_copy", likeness, is_face_copy),
        ("picture_copy", clip_i, is_picture_copy),
    ):
        if score is None or score["value"] is None or score["calibration_id"] is None or picture_status != "ok":
            continue
        detail, scale = parsed(score["detail"]), scales[score["calibration_id"]]
        train = photos[scale["dataset_id"]]
        nearest = copied_photo(detail, scale)
        found.append((is_copy(detail, scale), column, None if nearest is None else train[nearest]))
        columns |= nearest_columns(detail, train, FACE if column == "face_copy" else LOOK)
    if not found:
        return {}
    flags = {column: float(flagged) for flagged, column, _ in found}
    told = [each for each in found if each[0]] or [each for each in found if each[2] is not None] or found
    return {**columns, **flags, "copied": max(flags.values()), "nearest_photo": told[0][2]}


def nearest_columns(detail: Row, train: list[int], measure: str) -> Row:
    """The nearest train photo by each measure of a score; none where there are too few photos to choose from."""
    places = {measure: detail.get("nearest_train_photo"), LAYOUT: detail.get("hash_train_photo")}
    enough = len(train) >= FEWEST_PHOTOS
    return {NEAREST[name]: train[place] for name, place in places.items() if place is not None and enough}


@lru_cache(maxsize=4)
def parsed(detail: str) -> Row:
    """The detail of a score, which several columns of one preview are made from."""
    found: Row = json.loads(detail)
    return found


def status_and_reason(score: Row | None, picture_status: str) -> tuple[str | None, str]:
    """Status of a score and a sentence on it, empty for "ok" and for what isn't scored yet (None)."""
    if picture_status != "ok":
        return picture_status, score_status(picture_status)
    if score is None or score["status"] == "ok":
        return (score["status"] if score else None), ""
    message = parsed(score["detail"]).get("message")
    return score["status"], ". ".join(part for part in (score_status(score["status"]), message) if part)


def human_marks(db: Database, project_id: int, rater: str | None = None) -> dict[int, Row]:
    """Mean mark per picture and axis: one rater's repeats are averaged first, then the raters (None: all of them).

    A picture that several plans share has the id of the preview that it was first drawn for.
    """
    stored = [mark for mark in ratings.marks(db, project_id) if rater in (None, mark["rater"])]
    if not stored:
        return {}
    marks = pd.DataFrame(stored)
    by_rater = marks.groupby(["preview_id", "axis", "rater"])["value"].mean()
    wide = by_rater.groupby(["preview_id", "axis"]).mean().unstack("axis").add_prefix("human_")
    wide["n_marks"] = marks.groupby("preview_id").size()
    return {int(preview): row for preview, row in wide.to_dict("index").items()}


def marks_of(db: Database, project_id: int, previews: pd.DataFrame, rater: str | None) -> pd.DataFrame:
    """A preview table with the marks of one rater alone (None: of all, as it is)."""
    if rater is None:
        return previews
    marks = human_marks(db, project_id, rater)
    own = pd.DataFrame([marks.get(picture, {}) for picture in previews["drawn_as"]], index=previews.index)
    own = own.reindex(columns=[*HUMAN_COLUMNS, "n_marks"])
    return previews.assign(**own[HUMAN_COLUMNS].astype("float64"), n_marks=own["n_marks"].fillna(0).astype("int64"))


def flag_counts(db: Database, project_id: int) -> dict[int, dict[str, int]]:
    """Picture -> how many raters gave it each flag; the id is that of the preview that it was first drawn for."""
    counts: dict[int, dict[str, int]] = {}
    for flag in ratings.flags(db, project_id):
        own = counts.setdefault(flag["preview_id"], {})
        column = FLAG_COLUMNS[flag["said"]]
        own[column] = own.get(column, 0) + 1
    return counts
