"""From previews to checkpoints, runs and patterns: the tables that every chart and verdict is made from."""

import json
import math
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
from sqlite_utils import Database

from db import costs, library, ratings, runs
from trainer.config import TrainConfig
from trainer.effective import completed, effective, inert
from workbench.findings.beside import BESIDE_COLUMNS
from workbench.findings.copied import copied
from workbench.findings.metrics import METRICS, Metric, metric_on
from workbench.findings.preview_table import CHECKPOINT_COLUMNS, HUMAN_COLUMNS, RUN_COLUMNS, preview_table
from workbench.findings.shares import wilson
from workbench.plans.plan import plan_of
from workbench.running.device import known_precisions
from workbench.sweep.patterns import Contrast, contrasts, get, listed

__all__ = ["Tables", "checkpoint_table", "pattern_table", "preview_table", "tables", "varied_settings"]

Row = dict[str, Any]

WRECKED_BELOW = 0.5  # face rate: with fewer faces a run is broken, and the likeness of the rest says nothing
MAIN_METRICS = ("likeness", "human_likeness", "clip_t")
COST_COLUMNS = ("seconds", "bytes", "train_seconds", "device")
SUMMARY_COLUMNS = [
    "n_previews",
    "n_prompts",
    "face_rate",
    "face_rate_low",
    "face_rate_high",
    "identity_yield",
    "yield_low",
    "yield_high",
    "likeness",
    "likeness_se",
    "leakage",
    "copy_gap",
    "copies",
    "clip_t",
    "look",
    *BESIDE_COLUMNS,
    *HUMAN_COLUMNS,
    "n_rated",
    "broken",
]


@dataclass(frozen=True)
class Tables:
    """All that the charts and verdicts of a project are made from."""

    previews: pd.DataFrame  # those of the plan's main view; of final runs too
    variants: pd.DataFrame  # the same columns: previews on another base or with another clip skip
    checkpoints: pd.DataFrame
    runs: pd.DataFrame  # the last checkpoint of every run that has come to its end
    patterns: pd.DataFrame
    dataset_id: int | None  # the photos that new runs use
    main_metric: str  # by which patterns are ranked: the first of MAIN_METRICS that was measured
    settings: dict[int, Row]  # pattern id -> the requested settings that are known and have an effect
    labels: dict[int, str]  # pattern id -> label
    contrasts: list[Contrast]
    unknown: dict[int, frozenset[str]] = field(default_factory=dict)  # pattern id -> settings that are not known

    @property
    def everything(self) -> pd.DataFrame:
        """All previews, variants included."""
        return pd.concat([self.previews, self.variants], ignore_index=True)

    def own(self) -> "Tables":
        """The same with tables of one's own: changing one changes no other, and values are copied only then."""
        frames = ("previews", "variants", "checkpoints", "runs", "patterns")
        return replace(self, **{name: getattr(self, name).copy(deep=False) for name in frames})

    def metric(self, key: str) -> Metric:
        """A metric with the explanation that fits the scale of these tables."""
        return metric_on(key, self.checkpoints["zero"])


def tables(db: Database, project_id: int) -> Tables:
    """Every table of a project. It changes only when ``db.library.revision`` does."""
    everything = preview_table(db, project_id)
    previews = everything[~everything["is_variant"]].reset_index(drop=True)
    checkpoints = checkpoint_table(db, project_id, previews)
    main = next((metric for metric in MAIN_METRICS if checkpoints[metric].notna().any()), MAIN_METRICS[0])
    dataset_id = current_dataset(db, project_id)
    named = listed(db, project_id)
    return Tables(
        previews,
        everything[everything["is_variant"]].reset_index(drop=True),
        checkpoints,
        last_checkpoints(checkpoints),
        ranked_patterns(checkpoints, dataset_id, main),
        dataset_id,
        main,
        {pattern.pattern_id: active_settings(pattern.config, pattern.unknown) for pattern in named},
        {pattern.pattern_id: pattern.label for pattern in named},
        contrasts(db, project_id),
        {pattern.pattern_id: pattern.unknown for pattern in named},
    )


def active_settings(config: TrainConfig, unknown: Collection[str] = ()) -> Row:
    """The requested settings that are known and have an effect; an empty text encoder rate is the learning rate."""
    settings = config.model_dump()
    left_out = {*inert(config), *unknown}
    if settings["text_encoder_lr"] is None:
        settings["text_encoder_lr"] = settings["learning_rate"]
        left_out |= {"text_encoder_lr"} if "learning_rate" in unknown else set()
    return {name: value for name, value in settings.items() if name not in left_out}


def varied_settings(tables: Tables) -> list[str]:
    """Settings in which the patterns with finished runs differ, those with a contrast first."""
    trained = [tables.settings[int(pattern)] for pattern in tables.runs["pattern_id"].unique()]
    varied = [
        name
        for name in TrainConfig.model_fields
        if len({settings[name] for settings in trained if name in settings}) > 1
    ]
    compared = {pair.setting for pair in tables.contrasts}
    return sorted(varied, key=lambda name: name not in compared)


# checkpoints


def checkpoint_table(db: Database, project_id: int, previews: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per checkpoint that has previews, and per base row (no ``checkpoint_id``), base rows first.

    Columns: the run's and the checkpoint's, SUMMARY_COLUMNS as :func:`summaries` makes them from the previews
    at the plan's main strength, COPIED_COLUMNS (:func:`copied.copied`), ``complete`` (every such cell is rendered;
    always so where it was made elsewhere), ``looked_at`` (at least the plan's first look is), ``wrecked`` (a face in
    under half of the previews that should show one, or over half of all broken), ``zero`` (what 0 on the likeness
    scale is; None without a scale),
    ``human_row`` (mean of ``n_row_marks`` marks of whole rows of its pictures), ``weight_change`` (|scale BA| / |W| of
    the whole LoRA; missing where it was not measured), COST_COLUMNS (:func:`db.costs.of_checkpoints`), ``run_status``,
    and ``replicate``: equal for runs whose settings in force and photos are equal, whatever their patterns are called.
    """
    previews = preview_table(db, project_id) if previews is None else previews
    main = previews[previews["is_main"]]
    keys = RUN_COLUMNS + CHECKPOINT_COLUMNS
    group = main.groupby(keys, dropna=False, sort=False).ngroup()
    about_each = main[keys].assign(group=group).drop_duplicates("group").set_index("group")
    zeros = main["zero"].groupby(group).first()
    copying = copied(main, group, previews.attrs.get("usual", {}))
    table = about_each.join(summaries(main, group)).join(copying).join(zeros).reset_index(drop=True)
    plan = plan_of(db, project_id)
    table["complete"] = plan.elsewhere | (table["n_previews"] >= len(plan.base_row_cells()))
    table["looked_at"] = table["complete"] | (bool(plan.scan_seeds) & (table["n_previews"] >= len(plan.scan_cells())))
    table["wrecked"] = (table["face_rate"] < WRECKED_BELOW) | (table["broken"] > WRECKED_BELOW)
    changed = weight_changes(db, project_id)
    table["weight_change"] = [changed.get(row, math.nan) for row in table["checkpoint_id"].fillna(-1)]
    rows = row_marks(db, project_id)
    of_row = [rows.get(row, (math.nan, 0)) for row in table["checkpoint_id"].fillna(-1)]
    table["human_row"], table["n_row_marks"] = [mean for mean, _ in of_row], [n for _, n in of_row]
    taken = {row["checkpoint_id"]: row for row in costs.of_checkpoints(db, project_id)}
    for name in COST_COLUMNS:
        values = [taken[row][name] if row in taken else None for row in table["checkpoint_id"].fillna(-1)]
        table[name] = pd.Series(values, index=table.index, dtype=object if name == "device" else "float64")
    about = run_facts(db, project_id)
    table["run_status"] = [about[run][0] if run in about else None for run in table["run_id"]]
    table["replicate"] = [about[run][1] if run in about else None for run in table["run_id"]]
    order = ["is_base", "pattern_id", "train_seed", "run_id", "updates"]
    return table.sort_values(order, ascending=[False, True, True, True, True], ignore_index=True)


def weight_changes(db: Database, project_id: int) -> dict[int, float]:
    """Checkpoint -> relative weight change of the whole LoRA, where it was measured."""
    found = {}
    for run in runs.of_project(db, project_id):
        for row in runs.checkpoints(db, run["id"]):
            change = json.loads(row["weight_change"] or "{}").get("all")
            if change is not None:
                found[row["id"]] = float(change)
    return found


def row_marks(db: Database, project_id: int) -> dict[int, tuple[float, int]]:
    """Checkpoint -> mean mark of whole rows of its pictures, and how many marks; a rater's own are averaged first."""
    stored = ratings.row_marks(db, project_id)
    if not stored:
        return {}
    marks = pd.DataFrame(stored)
    by_rater = marks.groupby(["checkpoint_id", "rater"])["value"].mean()
    means, counts = by_rater.groupby("checkpoint_id").mean(), marks.groupby("checkpoint_id").size()
    return {int(checkpoint): (float(means[checkpoint]), int(counts[checkpoint])) for checkpoint in means.index}


def run_facts(db: Database, project_id: int) -> dict[int, tuple[str, str]]:
    """Per run id its status and what decides its weights besides the seed: settings in force and photos.

    Of a run that was made elsewhere neither is known for certain: it is like others of its own pattern alone.
    """
    precisions = known_precisions(db)
    return {
        row["id"]: (
            row["status"],
            f"dataset {row['dataset_id']} {settings_in_force(db, row, precisions)}"
            if row["origin"] is None
            else f"made elsewhere, pattern {row['pattern_id']}",
        )
        for row in runs.of_project(db, project_id)
    }


def settings_in_force(db: Database, run: Row, precisions: Collection[str]) -> str:
    """The effective settings of a run as one JSON text; foretold where the trainer hasn't reported them."""
    if run["effective"]:
        settings = completed(json.loads(run["effective"]))
    else:
        settings = effective(get(db, run["pattern_id"]), precisions)
    return json.dumps(settings, sort_keys=True)


def summaries(previews: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    """Figures of each group of previews (``group``: its number per preview); columns SUMMARY_COLUMNS.

    Means are means of prompt means, so that a prompt with fewer faces weighs no less. ``likeness_se``:
    standard error of the mean over prompts, sd / sqrt(n_prompts); missing with one prompt. ``face_rate_low`` to
    ``face_rate_high`` and ``yield_low`` to ``yield_high``: 95 % intervals, see :func:`shares.wilson`.
    ``broken``: share of all previews that are black, flat, not finite or without a face.
    """
    previews = previews.assign(
        group=group,
        is_broken=(previews["picture_status"] != "ok") | (previews["face_found"] == 0),
        is_rated=previews["n_marks"] > 0,
    )
    each = previews.groupby("group")
    by_prompt = {
        role: prompt_means(previews, role, [*columns_of(role), *(["copy_gap"] if role == "identity" else [])])
        for role in ("identity", "neutral", "all")
    }
    means = {role: table.groupby("group").mean() for role, table in by_prompt.items()}
    judged = of_role(previews, "identity").groupby("group")[["face_found", "recognised"]].count()
    face_rate, recognised = means["identity"]["face_found"], means["identity"]["recognised"]
    rate_low, rate_high = wilson(face_rate, judged["face_found"])
    yield_low, yield_high = wilson(recognised, judged["recognised"])
    likeness = by_prompt["identity"]["likeness"].groupby("group")
    table = pd.DataFrame(
        {
            **{name: means[metric.role][metric.column] for name, metric in METRICS.items()},
            "face_rate_low": rate_low,
            "face_rate_high": rate_high,
            "yield_low": yield_low,
            "yield_high": yield_high,
            "likeness_se": likeness.std(ddof=1) / likeness.count() ** 0.5,
            "copy_gap": means["identity"]["copy_gap"],
            "broken": each["is_broken"].mean(),
            "n_previews": each.size(),
            "n_prompts": likeness.count(),
            "n_rated": each["is_rated"].sum(),
        }
    )
    counts = [name for name in SUMMARY_COLUMNS if name.startswith("n_")]
    return (
        table[SUMMARY_COLUMNS]
        .astype("float64")
        .fillna(dict.fromkeys(counts, 0.0))
        .astype(dict.fromkeys(counts, "int64"))
    )


def columns_of(role: str) -> list[str]:
    """The columns of a preview table that metrics of one role's prompts are made from."""
    return [metric.column for metric in METRICS.values() if metric.role == role]


def prompt_means(previews: pd.DataFrame, role: str, columns: list[str]) -> pd.DataFrame:
    """Means of columns per group and prompt; missing where nothing was measured."""
    return of_role(previews, role).groupby(["group", "prompt"])[columns].mean()


def of_role(previews: pd.DataFrame, role: str) -> pd.DataFrame:
    """The previews of one role's prompts ('all': of every prompt)."""
    return previews if role == "all" else previews[previews["role"] == role]


# runs and patterns


def last_checkpoints(checkpoints: pd.DataFrame) -> pd.DataFrame:
    """The fully rendered last checkpoint of every finished run, one run per pattern, photos and seed.

    The same training done twice gives the same tensors: that is no second measurement, so the newest stands.
    """
    last = checkpoints[checkpoints["is_last"] & checkpoints["complete"] & ~checkpoints["is_base"]]
    return newest_runs(last, ["pattern_id", "dataset_id", "train_seed"])


def newest_runs(table: pd.DataFrame, same: list[str]) -> pd.DataFrame:
    """One row for each combination of the columns ``same``: that of the run with the highest id."""
    return table.sort_values("run_id").drop_duplicates(same, keep="last").sort_index()


def pattern_table(db: Database, project_id: int, metric: str = "likeness") -> pd.DataFrame:
    """The project's patterns ranked by a metric; see :func:`ranked_patterns`."""
    return ranked_patterns(checkpoint_table(db, project_id), current_dataset(db, project_id), metric)


def current_dataset(db: Database, project_id: int) -> int | None:
    """The version of the photos that the project's new runs use."""
    project = library.project(db, project_id)
    return project["dataset_id"] if project else None


def ranked_patterns(checkpoints: pd.DataFrame, dataset_id: int | None, metric: str) -> pd.DataFrame:
    """One row per pattern with finished runs on these photos, at their best checkpoints; best first.

    "Best" is by ``metric``, and nearest to 0 where neither way is better. The best of many looks better than the best
    of few by chance alone, so every run offers the same number of checkpoints (``n_candidates``), spread evenly over
    its training and ending with its last; of those that had only a first look none is chosen. Columns: the mean of
    every metric at the chosen checkpoints, ``seed_sd`` of ``metric`` between training seeds (missing with one),
    ``n_seeds`` (runs with a value), ``n_runs``, ``n_wrecked``, ``updates`` (mean), ``n_candidates``,
    ``checkpoint_ids``.
    """
    finished = last_checkpoints(checkpoints)
    finished = finished[finished["dataset_id"] == dataset_id]
    offered = checkpoints[checkpoints["looked_at"] & checkpoints["run_id"].isin(finished["run_id"])]
    by_updates = offered.sort_values("updates")[["run_id", "complete", "wrecked", metric]]
    runs_of = [rows for _, rows in by_updates.groupby("run_id")]
    candidates = min(map(len, runs_of), default=0)
    spread = [evenly(rows, candidates) for rows in runs_of]
    chosen = [best_row(rows[rows["complete"]], metric).name for rows in spread]
    patterns_of = checkpoints.loc[chosen].groupby("pattern_id")
    means = patterns_of[[*METRICS]].mean().to_dict("index")
    rows = [
        {
            "pattern_id": int(pattern),
            "label": of_pattern["label"].iloc[0],
            **means[pattern],
            "seed_sd": of_pattern[metric].std(ddof=1),
            "n_seeds": int(of_pattern[metric].notna().sum()),
            "n_runs": len(of_pattern),
            "n_wrecked": int(of_pattern["wrecked"].sum()),
            "updates": float(of_pattern["updates"].mean()),
            "n_candidates": candidates,
            "checkpoint_ids": [int(checkpoint) for checkpoint in of_pattern["checkpoint_id"]],
        }
        for pattern, of_pattern in patterns_of
    ]
    columns = ["pattern_id", "label", *METRICS, "seed_sd", "n_seeds", "n_runs", "n_wrecked", "updates"]
    table = pd.DataFrame(rows, columns=[*columns, "n_candidates", "checkpoint_ids"])
    return table.sort_values(metric, key=METRICS[metric].goodness, ascending=False, ignore_index=True)


def evenly(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """``count`` of the rows, spread evenly and ending with the last: 2 of 4 are the second and the fourth."""
    return rows.iloc[[math.ceil(len(rows) * (i + 1) / count) - 1 for i in range(count)]]


def best_row(rows: pd.DataFrame, metric: str) -> pd.Series:
    """The row with the best value, a wrecked one only for want of another; else the last row."""
    sound = rows[~rows["wrecked"]] if not rows["wrecked"].all() else rows
    values = sound[metric].dropna()
    if values.empty:
        return rows.iloc[-1]
    return rows.loc[METRICS[metric].goodness(values).idxmax()]
