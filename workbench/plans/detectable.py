"""The smallest difference that a plan can detect: known before it is run, from the spread that was measured."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pandas as pd
from sqlite_utils import Database

from db import library
from trainer import EMBEDDED_BASES
from workbench.findings.analysis import checkpoint_table, of_role
from workbench.findings.intervals import t_quantile
from workbench.findings.metrics import METRICS
from workbench.findings.noise import Noise, noise_floor
from workbench.findings.preview_table import preview_table
from workbench.plans.plan import EvalPlan

Source = Literal["here", "elsewhere", "typical"]

POWER = 0.8  # share of such differences that are found
JUDGES = {"likeness": "face_judge", "clip_t": "clip_judge"}  # what it is said for, and the judge of each
TRAIN_SEEDS = 3  # of each of two patterns, where the noise of training seeds is said
STEPS = 4000  # of the integral for the power: error under 1e-4
MOST_CHECKPOINTS = 60  # the newest: their pairs are enough to measure a spread
FEWEST_PAIRS = 10

# Between, within, noise on the shipped base, as tests/measure_plan.py measured them on the demo's 58 runs with 6 + 2
# prompts x 2 seeds: the 60 newest checkpoints, 827 and 1,467 of their 1,770 pairs close enough to count.
MINIATURE = {
    "likeness": (13.4, 57.2, Noise(sd=3.8, df=29, n_patterns=29, n_wrecked=0)),
    "clip_t": (0.0041, 0.0026, Noise(sd=0.022, df=29, n_patterns=29, n_wrecked=0)),
}

FOUND = (
    "Found means: in 4 of 5 draws of prompts and seeds, at 95 % confidence. Smaller differences may be there unseen."
)
NOT_KNOWN = "{metric}: not known before the first scores on this base are there, since it follows from how they spread."
ONE_PROMPT = "{metric}: with one prompt no difference can be called more than chance. Give at least two."
SOURCES: dict[Source, str] = {
    "here": "As this project's scores spread.",
    "elsewhere": "As the scores of another project on this base spread.",
    "typical": "As the demo's scores spread on the shipped base; this project's own will stand in for them.",
}


@dataclass(frozen=True)
class Pairs:
    """Pairs of checkpoints with the same cells, an array entry each, in the metric's unit."""

    gap: np.ndarray  # |mean difference|
    total: np.ndarray  # variance of the difference's prompt means
    squares: np.ndarray  # sum of squares of the difference around its prompt means
    freedom: np.ndarray  # degrees of freedom of that: cells - prompts
    share: np.ndarray  # mean over prompts of 1 / seeds: what of the variance within is left in ``total``

    def up_to(self, gap: float) -> "Pairs":
        """The pairs that differ by no more than this."""
        close = self.gap <= gap
        return Pairs(*(getattr(self, field.name)[close] for field in fields(self)))

    def components(self) -> tuple[float, float]:
        """(between, within): variance of the difference between prompts, and between the seeds of one prompt.

        Method of moments for a random effect (Searle, Casella & McCulloch 1992, ch. 3): within = pooled variance
        around the prompt means, between = mean variance of prompt means - within x mean(1 / seeds), at least 0.
        With one seed each the two can't be told apart and all counts as between: more seeds promise nothing then.
        """
        total, freedom = float(self.total.mean()), self.freedom.sum()
        if not freedom:
            return total, 0.0
        within = float(self.squares.sum() / freedom)
        return max(0.0, total - within * float(self.share.mean())), within


@dataclass(frozen=True)
class Spread:
    """How far the scores of a project's checkpoints move, as far as it was measured."""

    metric: str
    pairs: Pairs
    noise: Noise | None  # between training seeds
    source: Source

    def smallest(self, prompts: int, seeds: int) -> float | None:
        """The smallest difference of two checkpoints that so many prompts and seeds detect; None with one prompt."""
        return None if prompts < 2 else self.close(prompts, seeds)[1]

    def close(self, prompts: int, seeds: int) -> tuple[Pairs, float]:
        """The pairs that count, and the smallest difference that two or more prompts detect among these.

        Checkpoints that differ much also spread more, so only pairs that differ by no more than what is detected
        count: from all pairs on, until nothing changes or fewer than FEWEST_PAIRS would be left.
        """
        pairs, found = self.pairs, math.inf
        while True:
            between, within = pairs.components()
            found = min(found, smallest(math.sqrt(between + within / seeds), prompts, prompts - 1))
            closer = pairs.up_to(found)
            if len(closer.gap) < FEWEST_PAIRS or len(closer.gap) == len(pairs.gap):
                return pairs, found
            pairs = closer


@dataclass(frozen=True)
class Detectable:
    """The smallest differences that a plan finds by one metric, in its unit; None: not known.

    Found = in POWER of all draws a two-sided test at 95 % confidence says that there is one.
    """

    metric: str
    prompts: int  # those that the metric is about
    seeds: int
    source: Source | None  # of the spread; None = there is none
    checkpoints: float | None = None  # of two checkpoints
    more_prompts: float | None = None  # the same with twice the prompts
    more_seeds: float | None = None  # the same with twice the seeds
    settings: float | None = None  # of two settings with TRAIN_SEEDS trainings each, whatever the plan

    @property
    def sentence(self) -> str:
        """In words, with what would narrow it."""
        metric = METRICS[self.metric]
        if self.source is None:
            return NOT_KNOWN.format(metric=metric.label.capitalize())
        if self.checkpoints is None:
            return ONE_PROMPT.format(metric=metric.label.capitalize())
        more = [
            f"twice the {what}: {metric.show_change(value)}"
            for what, value in (("prompts", self.more_prompts), ("seeds", self.more_seeds))
            if value is not None
        ]
        name = metric.label.capitalize()
        text = f"{name}: two checkpoints that differ by {metric.show_change(self.checkpoints)} ({', '.join(more)})"
        if self.settings is not None:
            text += f"; two settings, {TRAIN_SEEDS} training seeds each, by {metric.show_change(self.settings)}"
        return f"{text}. {SOURCES[self.source]}"


# the measured spread


def spread_of(previews: pd.DataFrame, checkpoints: pd.DataFrame, metric: str, source: Source = "here") -> Spread | None:
    """The spread among a project's sound checkpoints; None with fewer than two of them or two prompts measured."""
    sound = checkpoints[~checkpoints["is_base"] & ~checkpoints["wrecked"]]
    ids = [int(checkpoint) for checkpoint in sound["checkpoint_id"].dropna()][-MOST_CHECKPOINTS:]
    rows = previews[previews["is_main"] & previews["checkpoint_id"].isin(ids)]
    rows = of_role(rows, METRICS[metric].role).dropna(subset=[METRICS[metric].column])
    pairs = pairs_of(rows.pivot_table(index=["prompt", "seed"], columns="checkpoint_id", values=METRICS[metric].column))
    return Spread(metric, pairs, noise_floor(checkpoints, metric), source) if len(pairs.gap) else None


def pairs_of(cells: pd.DataFrame) -> Pairs:
    """All pairs of checkpoints that share two prompts; ``cells``: (prompt, seed) x checkpoint, missing = no value."""
    values, prompts = cells.to_numpy(dtype="float64"), cells.index.get_level_values("prompt")
    first, second = np.triu_indices(values.shape[1], 1)
    gaps = values[:, second] - values[:, first]  # cells x pairs
    own = [gaps[prompts == prompt] for prompt in prompts.unique()]
    n = np.array([(~np.isnan(each)).sum(axis=0) for each in own]).reshape(len(own), len(first))  # prompts x pairs
    usable = (n > 0).sum(axis=0) > 1
    n, own = n[:, usable], [each[:, usable] for each in own]
    seen = np.where(n > 0, n, np.nan)
    means = np.array([np.nansum(each, axis=0) for each in own]).reshape(n.shape) / seen
    squares = np.zeros(n.shape[1])
    for each, mean in zip(own, means, strict=True):
        squares += np.nansum((each - mean) ** 2, axis=0)
    return Pairs(
        gap=np.abs(np.nanmean(means, axis=0)),
        total=np.nanvar(means, axis=0, ddof=1),
        squares=squares,
        freedom=n.sum(axis=0) - (n > 0).sum(axis=0),
        share=np.nanmean(1 / seen, axis=0),
    )


def typical(metric: str) -> Spread:
    """What the demo's checkpoints showed on the embedded miniature."""
    between, within, noise = MINIATURE[metric]
    one = np.ones(1)
    return Spread(metric, Pairs(0 * one, (between + within) * one, within * one, one, one), noise, "typical")


def spreads(db: Database, project_id: int) -> dict[str, Spread]:
    """What is known of the spread, by metric: from this project; else from another on the same base and by the same
    judge; else, on the shipped bases and by the shipped judges, from the demo."""
    project = library.project(db, project_id)
    assert project is not None
    found = measured(db, project_id, JUDGES, "here")
    for row in reversed(library.projects(db)):
        lacking = [metric for metric, judge in JUDGES.items() if metric not in found and row[judge] == project[judge]]
        if lacking and row["id"] != project_id and row["base_model"] == project["base_model"]:
            found |= measured(db, row["id"], lacking, "elsewhere")
    for metric, judge in JUDGES.items():
        if project["base_model"] in EMBEDDED_BASES and project[judge] == "embedded":
            found.setdefault(metric, typical(metric))
    return found


def measured(db: Database, project_id: int, metrics: Iterable[str], source: Source) -> dict[str, Spread]:
    """The spread in a project's own scores, for those of the metrics that have one."""
    previews = preview_table(db, project_id)
    checkpoints = checkpoint_table(db, project_id, previews)
    each = {metric: spread_of(previews, checkpoints, metric, source) for metric in metrics}
    return {metric: spread for metric, spread in each.items() if spread is not None}


def detectable(plan: EvalPlan, project: Mapping[str, Any], known: Mapping[str, Spread]) -> list[Detectable]:
    """What a plan can tell apart, by each metric that the project has a judge for. ``known``: see :func:`spreads`."""
    return [
        _detectable(plan, metric, known.get(metric)) for metric, judge in JUDGES.items() if project[judge] != "none"
    ]


def _detectable(plan: EvalPlan, metric: str, spread: Spread | None) -> Detectable:
    role, seeds = METRICS[metric].role, len(plan.seeds)
    prompts = sum(role in ("all", prompt.role) for prompt in plan.prompts)
    if spread is None:
        return Detectable(metric, prompts, seeds, None)
    noise = spread.noise
    return Detectable(
        metric,
        prompts,
        seeds,
        spread.source,
        spread.smallest(prompts, seeds),
        spread.smallest(2 * prompts, seeds),
        spread.smallest(prompts, 2 * seeds),
        smallest(noise.sd, TRAIN_SEEDS, max(noise.df, 2 * (TRAIN_SEEDS - 1)), arms=2) if noise else None,
    )


# power


def smallest(sd: float, n: int, df: int, arms: int = 1) -> float:
    """The smallest difference that a t test finds with POWER: noncentrality x sd x sqrt(arms / n).

    ``arms`` = 1: n paired differences with this sd; 2: two groups of n. Cohen 1988, ch. 2.
    """
    return noncentrality(df) * sd * math.sqrt(arms / n)


@lru_cache(maxsize=1000)
def noncentrality(df: int) -> float:
    """Of the noncentral t distribution with which a two-sided test at 5 % is significant in POWER of the draws."""
    low, high = 0.0, 1.0
    while power(high, df) < POWER:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle, df) > POWER else (middle, high)
    return high


def power(noncentrality: float, df: int) -> float:
    """Probability that |t| of a noncentral t distribution exceeds the two-sided 95 % quantile.

    P(|T| > c) = E[Phi(nc - c S) + Phi(-nc - c S)] with S^2 = chi2(df) / df, the mean taken over equal steps of S's
    distribution function (scipy's own noncentral t is undefined for few degrees of freedom).
    """
    from scipy.special import ndtr  # scipy.stats would take ten times as long to import

    edge = _edges(df)
    return float(np.mean(ndtr(noncentrality - edge) + ndtr(-noncentrality - edge)))


@lru_cache(maxsize=1)
def _edges(df: int) -> np.ndarray:
    """c S of :func:`power`, at the middle of each step."""
    from scipy.special import chdtri

    return t_quantile(df) * np.sqrt(chdtri(df, (np.arange(STEPS) + 0.5) / STEPS) / df)
