"""Default and challengers within one person: the paired difference, its own interval, or why there is none."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlite_utils import Database

from db import recipes
from workbench.findings.analysis import Tables
from workbench.findings.contrast import hidden_by_wreck, measured_pair
from workbench.findings.metrics import METRICS
from workbench.findings.noise import Noise, noise_floor
from workbench.findings.shared_cells import Cells, cells_of
from workbench.scores.current_scores import current_judge

PEOPLE = "people"  # who judges, where marks are the main score
JUDGES = {"likeness": "face_judge", "clip_t": "clip_judge"}  # metric -> column of table projects


@dataclass(frozen=True)
class Scale:
    """What a difference is measured on. Differences on two scales are never averaged."""

    metric: str
    judge: str  # its key: kind, name, version, file hash; PEOPLE
    zero: str = ""  # what 0 on the likeness scale is, a key of metrics.ZEROS


@dataclass(frozen=True)
class Difference:
    """Challenger - default in one project, at the last checkpoints.

    ``problem``: empty, or why there is no value: "nothing_shared", "default_wrecked", "challenger_wrecked" (also where
    both are).
    """

    project_id: int
    challenger: int
    scale: Scale
    value: float = math.nan
    low: float = math.nan  # own 95 % interval: by training seeds where their noise is known, else over prompts
    high: float = math.nan
    over: str = ""  # "seeds", "prompts": what the own interval is over; empty without one
    seed_error: float = math.nan  # standard error by training seeds
    n_default: int = 0  # runs
    n_challenger: int = 0
    prompts: int = 0
    problem: str = ""


def differences(tables: Tables, project_id: int, scale: Scale, default: int) -> list[Difference]:
    """Every other pattern against the default by the project's main metric; those without a finished run left out."""
    trained = set(tables.runs["pattern_id"]) & tables.labels.keys()
    if default not in trained:
        return []
    cells, noise = cells_of(tables, scale.metric), noise_floor(tables.checkpoints, scale.metric)
    others = [pattern for pattern in tables.labels if pattern in trained and pattern != default]
    return [difference(cells, project_id, scale, default, other, noise) for other in others]


def difference(
    cells: Cells, project_id: int, scale: Scale, default: int, challenger: int, noise: Noise | None
) -> Difference:
    """One paired difference by :func:`contrast.measured_pair`.

    The photos, the plan, the judge and the strengths are the same on both sides: only the newest photos that both were
    trained on count, only previews of the plan in force at its main strength, only scores of the judge in force, and
    only cells that both have.
    """
    pair = measured_pair(cells, default, challenger, noise)
    about = Difference(
        project_id, challenger, scale, n_default=pair.n_a, n_challenger=pair.n_b, prompts=len(pair.per_prompt)
    )
    if hidden_by_wreck(pair):
        only_default = pair.wrecked == (cells.labels[default],)
        return replace(about, problem="default_wrecked" if only_default else "challenger_wrecked")
    if math.isnan(pair.diff):
        return replace(about, problem="nothing_shared")
    if noise is None or not (pair.n_a and pair.n_b):
        over = "" if math.isnan(pair.low) else "prompts"
        return replace(about, value=pair.diff, low=pair.low, high=pair.high, over=over)
    half = noise.half_width(pair.n_a, pair.n_b, pair.variances)
    error = noise.error(list(zip((pair.n_a, pair.n_b), pair.variances, strict=True)))
    return replace(about, value=pair.diff, low=pair.diff - half, high=pair.diff + half, over="seeds", seed_error=error)


def scale_of(db: Database, project: Mapping[str, Any], tables: Tables) -> Scale:
    """What a project's patterns are compared on now."""
    metric = tables.main_metric
    if METRICS[metric].source == "human":
        return Scale(metric, PEOPLE)
    column = JUDGES[metric]
    keys = {row["key"]: row["id"] for row in recipes.judges(db, project["id"])}
    judge = current_judge(column, project[column], keys)
    key = next((key for key, number in keys.items() if number == judge), "")
    zeros = sorted(set(tables.checkpoints["zero"].dropna())) if metric == "likeness" else []
    return Scale(metric, key, " and ".join(zeros))
