"""The verdicts of a small sweep against what many more training seeds say: how many hold, and what they miss."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pandas as pd

from workbench.findings.analysis import Tables
from workbench.findings.contrast import contrast_table
from workbench.findings.intervals import TINY
from workbench.findings.metrics import METRICS
from workbench.findings.noise import Noise, noise_floor
from workbench.findings.truth_data import Truth, TruthError, as_tables
from workbench.findings.verdicts import CLAIMS
from workbench.sweep.demo import SEEDS

Figures = dict[str, Any]

OTHERS = ("identity_yield", "look", "leakage", "drift")  # exploratory
POINT = 1.0  # a difference of likeness that nobody would see
SIZES = (0.0, 5.0, 10.0, 15.0, 20.0, math.inf)  # points of likeness: how large a true difference is
NO_CLAIM = ("missed", "open")
OUTCOMES = {
    "right": "claimed, and so it is",
    "opposite": "claimed, but the other way round",
    "unproven": "claimed, and the other seeds can't tell",
    "missed": "not claimed, though there is a difference",
    "open": "not claimed, and the other seeds can't tell either",
}


@dataclass(frozen=True)
class Difference:
    """Pattern b less pattern a over many training seeds, on the same prompts: mean and half of its 95 % interval."""

    diff: float
    half: float

    @property
    def differs(self) -> bool:
        """Whether the interval excludes 0."""
        return abs(self.diff) > max(self.half, TINY)


def true_difference(a: pd.Series, b: pd.Series, floor: Noise | None) -> Difference:
    """Mean of b's runs less mean of a's, with the half-width for one pair (:meth:`noise.Noise.half_width`).

    Each pattern's own variance counts, moderated by that of all: the more seeds, the more its own. Two runs or more on
    each side; else, and where ``floor`` is not known, there is no difference to speak of.
    """
    values = [each.astype("float64").dropna() for each in (a, b)]
    if floor is None or min(map(len, values)) < 2:
        return Difference(math.nan, math.nan)
    half = floor.half_width(len(values[0]), len(values[1]), [float(each.var(ddof=1)) for each in values])
    return Difference(float(values[1].mean() - values[0].mean()), half)


def of_seeds(tables: Tables, seeds: Collection[int]) -> Tables:
    """The same tables as if only these seeds had been trained."""
    runs = tables.runs[tables.runs["train_seed"].isin(seeds)]
    previews = tables.previews[tables.previews["checkpoint_id"].isin(runs["checkpoint_id"])]
    return replace(tables, previews=previews, checkpoints=runs, runs=runs, patterns=runs)


def outcome(claimed: bool, seen: float, truth: Difference) -> str:
    """What became of one verdict, a key of OUTCOMES. ``seen``: the difference in the small sweep."""
    if not truth.differs:
        return "unproven" if claimed else "open"
    if not claimed:
        return "missed"
    return "right" if seen * truth.diff > 0 else "opposite"


def compared(tables: Tables, seeds: Collection[int], others: Collection[int], metric: str = "likeness") -> pd.DataFrame:
    """Every contrast as the sweep with ``seeds`` judges it (:func:`contrast.contrast_table`), beside the truth.

    The truth is measured with ``others``, none of them among ``seeds``: nothing counts twice. Columns: setting, change,
    label_a, label_b, diff, noise (half-width for all pairs at once), wording, alone (half-width for this one pair),
    truth, half, outcome. Contrasts that either side can't measure are left out.
    """
    if set(seeds) & set(others):
        raise ValueError("A seed can't be in the sweep and in its truth.")
    small, large = of_seeds(tables, seeds), of_seeds(tables, others)
    floors = [noise_floor(part.checkpoints, metric) for part in (small, large)]
    seen, true = (dict(list(part.runs.groupby("pattern_id")[metric])) for part in (small, large))
    none = pd.Series(dtype="float64")
    rows = []
    for row in contrast_table(small, metric).to_dict("records"):
        a, b = row["pattern_a"], row["pattern_b"]
        truth = true_difference(true.get(a, none), true.get(b, none), floors[1])
        if math.isnan(truth.diff) or math.isnan(row["diff"]):
            continue
        own = [float(seen[pattern].var(ddof=1)) for pattern in (a, b)]
        alone = floors[0].half_width(row["n_a"], row["n_b"], own) if floors[0] else math.nan
        told = outcome(row["wording"] in CLAIMS, row["diff"], truth)
        kept = {name: row[name] for name in ("setting", "change", "label_a", "label_b", "diff", "noise", "wording")}
        rows.append({**kept, "alone": alone, "truth": truth.diff, "half": truth.half, "outcome": told})
    columns = [
        "setting",
        "change",
        "label_a",
        "label_b",
        "diff",
        "noise",
        "wording",
        "alone",
        "truth",
        "half",
        "outcome",
    ]
    return pd.DataFrame(rows, columns=columns)


def counts(rows: pd.DataFrame) -> Figures:
    """How many contrasts there are, and of each outcome how many.

    ``tiny``: claimed, though the true difference is within POINT. ``direction``: of the true differences, how many
    were seen with the right sign, claimed or not. ``hold`` and ``hold_alone``: how many half-widths, for all pairs
    and for one, hold the true difference around the seen one; ``hold_both``: for one, where the truth's own counts
    too (the root of the sum of their squares). ``alone`` and ``alone_right``: how many would be claimed if each pair
    were judged for itself, and rightly so.
    """
    alone = rows["diff"].abs() > rows["alone"]
    differs = rows["outcome"].isin(["right", "opposite", "missed"])
    same_way = rows["diff"] * rows["truth"] > 0
    found = {name: int((rows["outcome"] == name).sum()) for name in OUTCOMES}
    gap = (rows["diff"] - rows["truth"]).abs()
    return {
        "contrasts": len(rows),
        **found,
        "claims": found["right"] + found["opposite"] + found["unproven"],
        "differ": int(differs.sum()),
        "direction": int((differs & same_way).sum()),
        "tiny": int((~rows["outcome"].isin(NO_CLAIM) & (rows["truth"].abs() <= POINT)).sum()),
        "alone": int(alone.sum()),
        "alone_right": int((alone & differs & same_way).sum()),
        "hold": int((gap <= rows["noise"].astype("float64")).sum()),
        "hold_alone": int((gap <= rows["alone"]).sum()),
        "hold_both": int((gap <= (rows["alone"] ** 2 + rows["half"] ** 2) ** 0.5).sum()),
    }


def by_size(rows: pd.DataFrame) -> list[Figures]:
    """The same by the size of the true difference, in points (SIZES)."""
    size = rows["truth"].abs()
    return [
        {
            "least": least,
            "below": below if math.isfinite(below) else None,
            **counts(rows[(size >= least) & (size < below)]),
        }
        for least, below in pairwise(SIZES)
    ]


def leader(tables: Tables, seeds: Collection[int], others: Collection[int], metric: str = "likeness") -> Figures:
    """Who is first in the small sweep, what the truth says of it, and how many points better the true best is."""
    seen, truth = (
        of_seeds(tables, part).runs.groupby("pattern_id")[metric].mean().dropna() for part in (seeds, others)
    )
    goodness = METRICS[metric].goodness
    first, best = int(goodness(seen).idxmax()), int(goodness(truth).idxmax())
    true_rank = goodness(truth).rank(ascending=False, method="min")
    return {
        "first": tables.labels[first],
        "best": tables.labels[best],
        "place": int(true_rank[first]),
        "lost": abs(float(truth[best] - truth[first])),
    }


def small_sweeps(seeds: Sequence[int], size: int = len(SEEDS)) -> list[tuple[int, ...]]:
    """As many sweeps of so many seeds as can be cut without using one twice, in order of the seeds.

    >>> small_sweeps([1, 2, 3, 4, 5])
    [(1, 2), (3, 4)]
    """
    return [tuple(seeds[start : start + size]) for start in range(0, len(seeds) - size + 1, size)]


def measure(truth: Truth) -> Figures:
    """All figures of the section, as JSON-able numbers; needs the demo's seeds and two more, else TruthError."""
    tables, every = as_tables(truth), truth.seeds
    demo, many = list(SEEDS), [seed for seed in every if seed not in SEEDS]
    if len(many) < 2 or not set(demo) <= set(every):
        raise TruthError(f"The demo's seeds {demo} and two more are needed, but only {every} are stored.")
    rows = compared(tables, demo, many)
    sweeps, judged = [], []
    for seeds in small_sweeps(every):
        others = [seed for seed in every if seed not in seeds]
        judged.append(rows if list(seeds) == demo else compared(tables, seeds, others))
        sweeps.append({"seeds": list(seeds), **counts(judged[-1]), **leader(tables, seeds, others)})
    together = pd.concat(judged, ignore_index=True)
    return {
        "made": truth.about["made"],
        "patterns": len(truth.about["patterns"]),
        "seeds": demo,
        "others": many,
        "demo": {**counts(rows), **leader(tables, demo, many)},
        "rows": rows.to_dict("records"),
        "sweeps": sweeps,
        "together": counts(together),
        "by_size": by_size(together),
        "scores": [{"metric": metric, **counts(compared(tables, demo, many, metric))} for metric in OTHERS],
    }
