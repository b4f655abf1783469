"""How much another training seed alone changes a score: the floor under every claim."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from workbench.findings.analysis import last_checkpoints, newest_runs
from workbench.findings.family import PLAUSIBLE, alone, chance_alone, moderated, unevenness
from workbench.findings.intervals import TINY, t_quantile


@dataclass(frozen=True)
class Noise:
    """How far two trainings with nothing but another seed lie apart: the floor under every claim."""

    sd: float  # of one run, in the metric's unit
    df: int
    n_patterns: int
    n_wrecked: int  # runs left apart
    uneven: tuple[float, ...] = PLAUSIBLE  # how likely each of family.UNEVENS is

    def half_width(self, n_a: int, n_b: int | None = None, variances: Sequence[float] | None = None) -> float:
        """Half of the 95 % interval of a mean of ``n_a`` runs, or of its difference to a mean of ``n_b``.

        ``variances``: the own sample variance between the runs of each side (NaN with one run). With these it is
        :meth:`half_of`, which holds where some patterns vary more than others. Without, t(df) x sd x
        sqrt(1 / n_a + 1 / n_b): the two-sample t interval with a pooled variance (Fisher 1925), for things that have no
        runs of their own.
        """
        counts = (n_a,) if n_b is None else (n_a, n_b)
        if variances is not None:
            return self.half_of(list(zip(counts, variances, strict=True)))
        return t_quantile(self.df) * self.sd * math.sqrt(sum(1 / n for n in counts))

    def half_of(self, arms: Sequence[tuple[int, float]]) -> float:
        """Half of the 95 % interval of a mean, of a difference of two, or of a difference of differences (four).

        k x sqrt(sum of v_i / n_i) over the arms, each ``(n_i, own variance)``, with moderated variances v (Smyth 2004)
        and k from :func:`family.alone`.
        """
        return float(alone(*self.drawn_as([n for n, _ in arms]), self.uneven)) * self.error(arms)

    def chance(self, t: float, ns: Sequence[int]) -> float:
        """Two-sided p of a difference of ``t`` standard errors between means of so many runs."""
        return float(chance_alone(*self.drawn_as(ns), t, self.uneven))

    def drawn_as(self, ns: Sequence[int]) -> tuple[tuple[int, ...], int]:
        """The arms' runs, and the degrees of freedom that the other patterns add."""
        return tuple(sorted(ns)), max(self.df - sum(ns) + len(ns), 0)

    def error(self, arms: Sequence[tuple[int, float]]) -> float:
        """Standard error of a sum or difference of independent means: sqrt(sum of v_i / n_i)."""
        return math.sqrt(sum(self.variance(n, own) / n for n, own in arms))

    def variance(self, n: int, own: float) -> float:
        """A pattern's variance between training seeds, from its own over ``n`` runs and that of all patterns.

        NaN as its own: the pooled one.
        """
        return self.sd**2 if n < 2 or math.isnan(own) else float(moderated(own, self.sd**2, n))


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
    uneven = unevenness(spread["var"].to_numpy(), spread["count"].to_numpy())[0]
    return Noise(sd, df, len(spread), int(last["wrecked"].sum()), tuple(uneven.tolist()))
