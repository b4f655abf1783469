"""How much another training seed alone changes a score: the floor under every claim."""

import math
from dataclasses import dataclass

import pandas as pd

from workbench.findings.analysis import last_checkpoints, newest_runs
from workbench.findings.intervals import TINY, t_quantile


@dataclass(frozen=True)
class Noise:
    """How far two trainings with nothing but another seed lie apart: the floor under every claim."""

    sd: float  # of one run, in the metric's unit
    df: int
    n_patterns: int
    n_wrecked: int  # runs left apart

    def half_width(self, n_a: int, n_b: int | None = None) -> float:
        """Half of the 95 % interval of a mean of ``n_a`` runs, or of its difference to a mean of ``n_b``.

        t(df) x sd x sqrt(1 / n_a + 1 / n_b): the two-sample t interval with a pooled variance (Fisher 1925).
        """
        return t_quantile(self.df) * self.sd * math.sqrt(1 / n_a + (1 / n_b if n_b else 0))


def noise_floor(table: pd.DataFrame, metric: str) -> Noise | None:
    """Pooled standard deviation of a metric between training seeds.

    None where nothing was trained twice, or where the metric never moved (a face in every picture): that
    tells nothing of how far it can move.

    sd = sqrt(sum((n_i - 1) s_i^2) / sum(n_i - 1)) over groups i of runs with the same settings in force and
    photos (the pooled variance of a one-way analysis of variance). ``table``: the checkpoint table; the
    last checkpoint of each run counts. Wrecked runs are left apart. Two patterns that train the very same
    LoRA count as one, and one training that was done twice counts once.
    """
    last = last_checkpoints(table)
    sound = newest_runs(last[~last["wrecked"]], ["replicate", "train_seed"]).dropna(subset=[metric])
    spread = sound.groupby("replicate")[metric].agg(["count", "var"])
    spread = spread[spread["count"] > 1]
    df = int((spread["count"] - 1).sum())
    sd = math.sqrt(((spread["count"] - 1) * spread["var"]).sum() / df) if df else 0.0
    if sd < TINY:
        return None
    return Noise(sd, df, len(spread), int(last["wrecked"].sum()))
