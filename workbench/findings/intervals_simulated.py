"""Drawn sweeps again: do intervals by seeds hold, is the first the best, do chances come as often as said?"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from workbench.findings.chances import draws
from workbench.findings.family import alone, chance_alone, moderated, unevenness
from workbench.findings.intervals import CONFIDENCE, t_quantile
from workbench.findings.sweeps_simulated import (
    ANSWERS,
    DESIGNS,
    NULL,
    SEED,
    USUAL,
    WORLDS,
    Design,
    Figures,
    Rng,
    World,
    about,
    batches,
    draw,
)

SWEEPS = 1_000  # behind each row on intervals
BELIEVED = 200  # behind each row on chances: each takes many draws of its own
AT_ONCE = 50
SPREADS = (1.0, 3.0, 6.0, 12.0)  # sd of the patterns' true values, in points
SQUARES = 8  # of each design
CHAINS, KEPT = 60, 20
BANDS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)

Floats = np.ndarray[Any, np.dtype[np.float64]]


def measure(sweeps: int = SWEEPS, believed: int = BELIEVED, seed: int = SEED) -> Figures:
    """All figures on intervals, as JSON-able numbers."""
    rng = np.random.default_rng(seed)
    worlds = (NULL, *WORLDS)
    return {
        "held": sweeps,
        "believed": believed,
        "intervals": [interval_figures(design, world, sweeps, rng) for world in worlds for design in DESIGNS[:7]],
        **leaders(believed, rng),
    }


def runs_of(design: Design, world: World, true: Floats, sweeps: int, rng: Rng) -> tuple[Floats, Floats, Floats]:
    """(sweep, pattern): measured mean, variance between trainings (0 with one), and what is true of these prompts."""
    drawn = draw(design, replace(world, prompt=0.0), true, sweeps, rng)
    runs = drawn.values.mean(axis=(3, 4))
    mean = np.nanmean(runs, axis=2)
    squares = np.nansum((runs - mean[..., None]) ** 2, axis=2)
    return mean, squares / np.maximum(np.array(design.trainings) - 1, 1), drawn.here


def kinds(design: Design) -> Iterator[tuple[str, list[tuple[int, ...]]]]:
    """What intervals there are: of single patterns, of pairs, of 2x2 whose corners were all trained twice."""
    twice = np.flatnonzero(np.array(design.trainings) > 1)
    yield "means", [(pattern,) for pattern in range(len(design.trainings))]
    yield "differences", list(design.pairs)
    yield "squares", [tuple(np.random.default_rng(i).permutation(twice)[:4].tolist()) for i in range(SQUARES)]


def interval_figures(design: Design, world: World, sweeps: int, rng: Rng) -> Figures:
    """How often 95 % intervals (:meth:`noise.Noise.half_of`) hold the truth, and those as if all varied alike."""
    mean, variance, here = runs_of(design, world, np.zeros(len(design.trainings)), sweeps, rng)
    n = np.array(design.trainings)
    pooled = (variance * (n - 1)).sum(axis=1, keepdims=True) / design.df
    uneven = unevenness(variance, n)
    errors = moderated(variance, pooled, n) / n
    found: Figures = {"design": design.name, "trainings": max(design.trainings), "world": world.name}
    for kind, combinations in kinds(design):
        hold, alike = [], []
        for arms in map(list, combinations):
            signs, runs = np.array([1, -1, -1, 1])[: len(arms)], tuple(sorted(int(n[arm]) for arm in arms))
            off = np.abs(((mean - here)[:, arms] * signs).sum(axis=1))
            t = off / np.sqrt(errors[:, arms].sum(axis=1))
            p = chance_alone(runs, design.df - sum(runs) + len(runs), t, uneven)
            hold.append((p > 1 - CONFIDENCE).mean())
            width = t_quantile(design.df) * np.sqrt(pooled[:, 0] * (1 / n[arms]).sum())
            alike.append((off <= width).mean())
        found |= {kind: float(np.mean(hold)), f"{kind}_alike": float(np.mean(alike))}
    return found


def leaders(sweeps: int, rng: Rng) -> Figures:
    """The interval of the one that leads, as measured and with its luck taken off; and how often chances come true."""
    rows, said, came = [], [], []
    for design in (DESIGNS[0], USUAL):
        for world in (ANSWERS, replace(ANSWERS, uneven=0.9, name="uneven .9")):
            for spread in SPREADS:
                row, chances, best = leader_figures(design, world, spread, sweeps, rng)
                rows.append(row)
                said.append(chances.ravel())
                came.append(best.ravel())
    return {"leaders": rows, "chances": calibration(np.concatenate(said), np.concatenate(came))}


def leader_figures(
    design: Design, world: World, spread: float, sweeps: int, rng: Rng
) -> tuple[Figures, Floats, np.ndarray[Any, np.dtype[np.bool_]]]:
    """A row, and per sweep and pattern the chance that it is the best, and whether it is."""
    n = np.array(design.trainings)
    parts: list[list[Floats]] = []
    for start in range(0, sweeps, AT_ONCE):
        count = min(AT_ONCE, sweeps - start)
        true = spread * rng.standard_normal((count, len(n)))
        mean, variance, here = runs_of(design, world, true, count, rng)
        sd = np.sqrt((variance * (n - 1)).sum(axis=1) / design.df)
        drawn = draws(mean, variance, np.broadcast_to(n, mean.shape), sd, design.df, CHAINS, KEPT)
        chances = (drawn.argmax(axis=2)[..., None] == np.arange(len(n))).mean(axis=0)
        low, high = np.quantile(drawn, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2], axis=0)
        parts.append([mean, variance, here, chances, low, high, drawn.mean(axis=0)])
    mean, variance, here, chances, low, high, value = (np.concatenate(each) for each in zip(*parts, strict=True))
    first = np.arange(len(mean)), mean.argmax(axis=1)
    pooled = (variance * (n - 1)).sum(axis=1, keepdims=True) / design.df
    t = np.abs(mean - here) / np.sqrt(moderated(variance, pooled, n) / n)
    plain = np.stack(
        [chance_alone((int(c),), design.df - int(c) + 1, t[:, i], unevenness(variance, n)) for i, c in enumerate(n)], 1
    )
    holds = (low <= here) & (here <= high)
    row = {
        "design": design.name,
        "world": world.name,
        "spread": spread,
        "plain": float((plain[first] > 1 - CONFIDENCE).mean()),
        "luck": float((mean - here)[first].mean()),
        "drawn": float(holds[first].mean()),
        "left": float((value - here)[first].mean()),
        "all": float(holds.mean()),
    }
    return row, chances, here == here.max(axis=1, keepdims=True)


def calibration(said: Floats, came: np.ndarray[Any, np.dtype[np.bool_]]) -> list[Figures]:
    """Per band of chances: how many there were, the mean that was said, and the share that came true."""
    rows = []
    for low, high in pairwise(BANDS):
        band = (said >= low) & ((said < high) | (high == 1.0))
        if band.any():
            row = {"low": low, "high": high, "n": int(band.sum())}
            rows.append({**row, "said": float(said[band].mean()), "came": float(came[band].mean())})
    return rows


# the first of a ranking


def leading(design: Design, runs: Floats) -> tuple[Floats, Floats]:
    """Means (sweep, pattern) of runs (sweep, pattern, training), and whether the first of each sweep leads.

    All patterns have as many trainings, two at least.
    """
    n, sweeps = design.trainings[0], np.arange(len(runs))
    means, own = runs.mean(axis=2), runs.var(axis=2, ddof=1)
    error = moderated(own, own.mean(axis=1, keepdims=True), n) / n
    bound = alone((n, n), max(design.df - 2 * n + 2, 0), unevenness(own, np.array(design.trainings)))
    first = means.argmax(axis=1)
    t = (means[sweeps, first, None] - means) / np.sqrt(error[sweeps, first, None] + error)
    t[sweeps, first] = np.inf
    return means, (t > bound[:, None]).all(axis=1)


def ranking_figures(design: Design, spread: float, sweeps: int, rng: Rng) -> Figures:
    """Sweeps whose patterns are worth something different each: is the first of the ranking the truly best?

    ``leads``: it is ahead of each other one by more than training seeds make (the rule of :func:`best.standing`);
    ``wrong``: it is and isn't the best.
    """
    true = spread * rng.standard_normal((sweeps, len(design.trainings)))
    chosen, leads = [], []
    for drawn, _ in batches(design, ANSWERS, true, sweeps, rng):
        means, ahead = leading(design, drawn.values.mean(axis=(3, 4)))
        chosen.append(means.argmax(axis=1))
        leads.append(ahead)
    first, ahead = np.concatenate(chosen), np.concatenate(leads)
    best = first == true.argmax(axis=1) if spread else np.zeros(sweeps, dtype=bool)
    lost = true.max(axis=1) - true[np.arange(sweeps), first]
    return {
        **about(design),
        "spread": spread,
        "best": float(best.mean()),
        "lost": float(lost.mean()),
        "leads": float(ahead.mean()),
        "wrong": float((ahead & ~best).mean()),
    }
