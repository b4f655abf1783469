"""The values of a metric cell by cell and run by run: made once, for however many pairs of patterns are compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.findings.analysis import Tables, of_role
from workbench.findings.intervals import TINY
from workbench.findings.metrics import METRICS

CELL = ["prompt", "seed", "strength"]
PER_PROMPT = ["prompt", "text", "mean_a", "mean_b", "diff", "n_cells"]


@dataclass(frozen=True)
class Side:
    """The runs of one pattern on the photos of a comparison."""

    places: np.ndarray  # rows of the tables of Cells, one per run that has a preview
    values: np.ndarray  # of the metric, one per run that has one
    wrecked: bool  # whether any run is

    @property
    def variance(self) -> float:
        """Between the runs; missing with one."""
        return float(self.values.var(ddof=1)) if len(self.values) > 1 else float("nan")


@dataclass(frozen=True)
class Cells:
    """A metric at the last checkpoints of all runs. The tables are (checkpoints, cells); a cell has a value or more."""

    metric: str
    labels: dict[int, str]  # pattern -> its label
    runs: dict[int, dict[int, Side]]  # pattern -> photos -> its runs on them
    prompts: np.ndarray  # of each cell
    texts: dict[int, str]  # prompt -> what it says
    sums: np.ndarray
    counts: np.ndarray  # of the values
    sizes: np.ndarray  # of the previews
    lowest: np.ndarray  # infinite where there is no value
    highest: np.ndarray

    def sides(self, a: int, b: int) -> tuple[Side, Side]:
        """The runs of two patterns on the newest photos that both were trained on."""
        of_a, of_b = self.runs.get(a, {}), self.runs.get(b, {})
        photos = max(of_a.keys() & of_b.keys(), default=None)
        return (NOTHING, NOTHING) if photos is None else (of_a[photos], of_b[photos])

    def means(self, side: Side) -> np.ndarray:
        """Per cell the mean over a side's runs; missing where none has a value."""
        counts = self.counts[side.places].sum(axis=0)
        sums = self.sums[side.places].sum(axis=0)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    def per_prompt(self, a: Side, b: Side) -> tuple[pd.DataFrame, int]:
        """The cells that both sides have: PER_PROMPT for each prompt of them, and how many cells these are."""
        mean_a, mean_b = self.means(a), self.means(b)
        there = ~np.isnan(mean_b - mean_a)
        prompts, places = np.unique(self.prompts[there], return_inverse=True)
        n_cells = np.bincount(places, minlength=len(prompts))
        means = [
            np.bincount(places, weights=values[there], minlength=len(prompts)) / n_cells
            for values in (mean_a, mean_b, mean_b - mean_a)
        ]
        columns = (prompts, [self.texts.get(prompt) for prompt in prompts.tolist()], *means, n_cells)
        return pd.DataFrame(dict(zip(PER_PROMPT, columns, strict=True))), int(there.sum())

    def seeds_agree(self, side: Side) -> bool:
        """Whether a pattern was trained with two seeds or more and no cell's value depends on which.

        Cell by cell, since two runs that miss one face each, but not in the same picture, are not alike.
        """
        there = self.sizes[side.places].sum(axis=0) > 0
        if not there.any() or (self.counts[side.places].sum(axis=0)[there] < 2).any():
            return False
        spread = self.highest[side.places].max(axis=0)[there] - self.lowest[side.places].min(axis=0)[there]
        return bool((spread < TINY).all())


NOTHING = Side(np.array([], dtype=int), np.array([]), wrecked=False)


def cells_of(tables: Tables, metric: str) -> Cells:
    """What pairs of a project's patterns are compared from."""
    wanted, at_last = METRICS[metric], tables.previews["checkpoint_id"].isin(tables.runs["checkpoint_id"])
    chosen = of_role(tables.previews[tables.previews["is_main"] & at_last], wanted.role).dropna(subset=CELL)
    cells = chosen.groupby(CELL)
    keys = cells.size().reset_index()
    checkpoints = {int(checkpoint): place for place, checkpoint in enumerate(chosen["checkpoint_id"].unique())}
    shape = len(checkpoints), len(keys)
    place = chosen["checkpoint_id"].map(checkpoints).to_numpy(dtype="int64"), cells.ngroup().to_numpy(dtype="int64")
    values = chosen[wanted.column].to_numpy(dtype="float64")
    there = ~np.isnan(values)
    at, values = (place[0][there], place[1][there]), values[there]
    tallies = {name: np.zeros(shape) for name in ("sums", "counts", "sizes")}
    limits = {"lowest": np.full(shape, np.inf), "highest": np.full(shape, -np.inf)}
    np.add.at(tallies["sums"], at, values)
    np.add.at(tallies["counts"], at, 1)
    np.add.at(tallies["sizes"], place, 1)
    np.minimum.at(limits["lowest"], at, values)
    np.maximum.at(limits["highest"], at, values)
    texts = tables.previews[at_last].drop_duplicates("prompt").set_index("prompt")["text"].to_dict()
    runs = runs_of(tables.runs, metric, checkpoints)
    return Cells(metric, tables.labels, runs, keys["prompt"].to_numpy(), texts, **tallies, **limits)


def runs_of(runs: pd.DataFrame, metric: str, checkpoints: dict[int, int]) -> dict[int, dict[int, Side]]:
    """Pattern -> photos -> its runs on them. ``checkpoints``: where those with previews stand."""
    found: dict[int, dict[int, Side]] = {}
    known = runs.dropna(subset=["pattern_id", "dataset_id"])
    for (pattern, photos), own in known.groupby(["pattern_id", "dataset_id"]):
        found.setdefault(int(pattern), {})[int(photos)] = side(own, metric, checkpoints)
    return found


def side(own: pd.DataFrame, metric: str, checkpoints: dict[int, int]) -> Side:
    ids: Sequence[int] = own["checkpoint_id"].dropna().unique().tolist()
    values = own[metric].astype("float64").dropna().to_numpy()
    return Side(np.array([checkpoints[id] for id in ids if id in checkpoints], int), values, bool(own["wrecked"].any()))
