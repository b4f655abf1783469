"""What patterns are worth after the luck of the draw is taken off, and how likely each of them is the best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.findings.intervals import CONFIDENCE
from workbench.findings.noise import Noise

SEED = 8  # the same figures always give the same chances
CHAINS, SETTLE, KEPT = 300, 10, 20  # steps of each chain before draws are kept, and kept ones
# How unevenly patterns vary, as scaled inverse chi-squares: the log of their variances has an sd of 2 x UNEVEN where
# trigamma(D0 / 2) = 4 UNEVEN^2 (Smyth 2004), and their typical variance is so much of the mean one, exp(-2 UNEVEN^2 +
# digamma(D0 / 2) - log(D0 / 2)).
D0, TYPICAL = 2.19, 0.289
# by how much patterns differ in truth, in sds of a run
SPREADS = np.geomspace(0.03, 100, 20)

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Beliefs:
    """Per pattern, in the order given."""

    chance_best: Floats  # that it is the best of all given; sums to 1
    value: Floats  # what is believed of its mean: drawn toward the mean of all by as much as chance explains
    low: Floats  # 95 % interval of that
    high: Floats


def beliefs(noise: Noise, means: Sequence[float], variances: Sequence[float], ns: Sequence[int]) -> Beliefs:
    """What is to be believed of patterns whose means were measured, the leader's luck taken off.

    The best of many measured means owes a part of its lead to chance. Here true values are taken to scatter normally
    about a common mean by an unknown spread (half-Cauchy prior with the sd of a run, Gelman 2006), means about these by
    training seeds, with variances that differ between patterns as :mod:`family` has it; and all of it is drawn together
    (Gibbs sampling, Gelfand & Smith 1990), which is James & Stein's (1961) shrinkage with its uncertainty. So the
    interval of a pattern that was chosen because it leads holds like any other's. Prompts are taken as given.

    ``variances``: of each pattern's runs between training seeds, NaN with one run; ``ns``: its runs. Higher is better:
    give the negative where lower is.
    """
    columns = [np.asarray(each, dtype="float64")[None] for each in (means, variances, ns)]
    drawn = draws(columns[0], columns[1], columns[2], np.array([noise.sd]), noise.df)[:, 0]
    best = np.bincount(drawn.argmax(axis=1), minlength=len(means)) / len(drawn)
    low, high = np.quantile(drawn, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2], axis=0)
    return Beliefs(best, drawn.mean(axis=0), low, high)


def chance_best(
    noise: Noise, means: Sequence[float], variances: Sequence[float], ns: Sequence[int], higher: bool = True
) -> Floats:
    """Per pattern the chance that none of the others is better, over training seeds. See :func:`beliefs`."""
    return beliefs(noise, means if higher else [-mean for mean in means], variances, ns).chance_best


def shrunk(
    noise: Noise, means: Sequence[float], variances: Sequence[float], ns: Sequence[int]
) -> list[tuple[float, float, float]]:
    """Per pattern (value, low, high), drawn toward the mean of all. See :func:`beliefs`."""
    found = beliefs(noise, means, variances, ns)
    return list(zip(found.value.tolist(), found.low.tolist(), found.high.tolist(), strict=True))


def draws(
    means: Floats, variances: Floats, ns: Floats, sd: Floats, df: int, chains: int = CHAINS, kept: int = KEPT
) -> Floats:
    """True values as they may be: (draw, sweep, pattern) of sweeps whose patterns were measured, (sweep, pattern).

    ``sd``: of one run between training seeds, per sweep; ``df``: its degrees of freedom. It counts as one more pattern
    for each degree of freedom that the given patterns don't have. What sd is typical may be anything (flat prior).
    """
    rng = np.random.default_rng(SEED)
    m, n = means[:, None], ns[:, None]
    scale = sd[:, None, None]
    squares = np.where(n > 1, np.nan_to_num(variances)[:, None], scale**2) * (n - 1)
    known = np.maximum(df - np.sum(ns - 1, axis=1), 0)[:, None, None]
    shape = (len(means), chains, means.shape[1])
    spread = SPREADS * scale
    prior = np.log(SPREADS) - np.log1p(SPREADS**2)  # per step of log: half-Cauchy
    variance = np.broadcast_to((D0 * TYPICAL * scale**2 + squares) / (D0 + n - 1), shape)
    middle = np.broadcast_to(m.mean(axis=2, keepdims=True), (*shape[:2], 1))
    found = np.empty((kept, *shape))
    for step in range(SETTLE + kept):
        error = variance / n
        total = spread[..., None] ** 2 + error[:, :, None]  # (sweep, chain, spread, pattern)
        fit = prior - 0.5 * (np.log(total) + (m - middle)[:, :, None] ** 2 / total).sum(axis=3)
        chosen = (fit + rng.gumbel(size=fit.shape)).argmax(axis=2)  # one in proportion to exp(fit)
        between = np.take_along_axis(np.broadcast_to(spread, fit.shape), chosen[..., None], 2) ** 2
        weight = 1 / (between + error)
        sums = weight.sum(axis=2, keepdims=True)
        middle = (weight * m).sum(axis=2, keepdims=True) / sums + rng.standard_normal(sums.shape) / np.sqrt(sums)
        share = between / (between + error)
        true = middle + share * (m - middle) + np.sqrt(share * error) * rng.standard_normal(shape)
        rate = D0 / 2 * ((1 / variance).sum(axis=2, keepdims=True) + known / (TYPICAL * scale**2))
        typical = rng.gamma(D0 / 2 * (shape[2] + known) + 0.5, size=sums.shape) / rate
        variance = (D0 * typical + squares + n * (m - true) ** 2) / rng.chisquare(D0 + n, size=shape)
        if step >= SETTLE:
            found[step - SETTLE] = true
    return np.moveaxis(found, 2, 1).reshape(kept * chains, *means.shape)
