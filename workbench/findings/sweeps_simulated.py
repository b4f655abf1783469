"""Drawn sweeps of which the truth is known: how often the verdicts are wrong, and what they find."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from workbench.findings.analysis import Tables
from workbench.findings.contrast import contrast_table
from workbench.findings.family import (
    LEVEL,
    UNEVEN,
    Family,
    critical,
    holm,
    moderated,
    on_new_prompts,
    unevenness,
)
from workbench.findings.intervals import t_quantile
from workbench.findings.metrics import METRICS
from workbench.sweep.patterns import Contrast

Figures = dict[str, Any]
Pairs = tuple[tuple[int, int], ...]
Rng = np.random.Generator

SEED = 8
SWEEPS = 5_000  # behind each row
REAL = 5  # of these sweeps are also judged by the tables that the pages show
EFFECTS = (5.0, 10.0, 15.0, 20.0)  # points
SPREADS = (0.0, 3.0, 6.0, 12.0)  # sd of the patterns' true values, in points
MANY = 200_000  # values that are drawn at a time


@dataclass(frozen=True)
class World:
    """Standard deviations in points of likeness, about those of the demo's 58 runs (docs/plan.md).

    There a run of 6 prompts x 2 seeds varies by 3.8 = sqrt(3.3^2 + 2.6^2 / 6 + 5.3^2 / 12) between training seeds, and
    the variance of a difference of two is about 13.4 = 2 x 2.6^2 between prompts and 57.2 = 2 x 5.3^2 within one.
    """

    name: str = "nothing matters"
    run: float = 3.3  # from one training seed to the next
    run_prompt: float = 2.6  # how a training answers a prompt: 1.8 and 1.8 where patterns do, too
    pattern_prompt: float = 0.0  # how a pattern does, whatever the training seed
    prompt: float = 6.0
    cell: float = 5.3
    uneven: float = UNEVEN  # sd of the log by which a pattern's trainings vary more or less than others'
    common: float = 0.0  # share of the variance of ``run`` that a training seed brings to all patterns alike
    tails: int = 0  # degrees of freedom of a t distribution of the runs; 0: normal


NULL = World()
ANSWERS = World("patterns answer prompts differently", run_prompt=1.8, pattern_prompt=1.8)
HARDER = World("much less alike (uneven .9)", uneven=0.9)
WORLDS = (
    ANSWERS,
    World("the same, three times as much", run_prompt=1.8, pattern_prompt=5.4),
    World("all patterns vary alike (uneven 0)", uneven=0.0),
    HARDER,
    World("still less alike (uneven 1.2)", uneven=1.2),
    World("half of the seeds' variance is common to all patterns", common=0.5),
    World("trainings with heavy tails (t, 4 degrees of freedom)", tails=4),
)


@dataclass(frozen=True)
class Design:
    """A sweep: pairs of patterns that differ in one setting, trainings of each, prompts, seeds of the previews."""

    name: str
    pairs: Pairs
    trainings: tuple[int, ...]
    prompts: int
    seeds: int

    @cached_property
    def claimable(self) -> np.ndarray:
        """Which pairs have two trainings on both sides."""
        return np.array([min(self.trainings[a], self.trainings[b]) > 1 for a, b in self.pairs])

    @cached_property
    def family(self) -> Family:
        pairs = [pair for pair, yes in zip(self.pairs, self.claimable, strict=True) if yes]
        arms = list(dict.fromkeys(pattern for pair in pairs for pattern in pair))
        runs = tuple(self.trainings[arm] for arm in arms)
        numbered = tuple((arms.index(a), arms.index(b)) for a, b in pairs)
        return Family(numbered, runs, self.df - sum(runs) + len(runs))

    @property
    def df(self) -> int:
        return sum(self.trainings) - len(self.trainings)


def one_at_a_time(values: Sequence[int]) -> Pairs:
    """A baseline (0) and, for each setting, so many other values: all pairs that differ in one setting."""
    pairs: list[tuple[int, int]] = []
    last = 0
    for count in values:
        own = range(last + 1, last + count + 1)
        pairs += [(0, pattern) for pattern in own] + list(combinations(own, 2))
        last += count
    return tuple(pairs)


def grid(rows: int, columns: int) -> Pairs:
    """All values of one setting with all of another: the pairs that differ in one of them."""
    cells = [(row, column) for row in range(rows) for column in range(columns)]
    both = enumerate(cells)
    return tuple((i, j) for (i, a), (j, b) in combinations(both, 2) if (a[0] == b[0]) != (a[1] == b[1]))


DESIGNS = (
    Design("5 patterns", one_at_a_time([1] * 4), (2,) * 5, 3, 1),
    Design("10 patterns", one_at_a_time([1] * 9), (2,) * 10, 6, 2),
    Design("10 patterns", one_at_a_time([3] * 3), (3,) * 10, 6, 2),
    Design("8 patterns", one_at_a_time([1, 2, 4]), (4,) * 8, 12, 4),
    Design("12 patterns, baseline 4, 3 others 2", one_at_a_time([1] * 11), (4, 2, 2, 2, *[1] * 8), 6, 2),
    Design("16 patterns, 4 x 4", grid(4, 4), (2,) * 16, 6, 2),
    Design("30 patterns", one_at_a_time([3] * 8 + [5]), (2,) * 30, 6, 2),
    Design("30 patterns", one_at_a_time([1] * 29), (1,) * 30, 12, 1),
)
USUAL = DESIGNS[1]


@dataclass(frozen=True)
class Drawn:
    """Some sweeps and their truth."""

    values: np.ndarray  # (sweep, pattern, training, prompt, preview seed); missing where there are fewer trainings
    runs: np.ndarray  # (sweep, pattern): what its trainings are worth on all prompts there could be
    here: np.ndarray  # (sweep, pattern): what its settings are worth on these prompts


def draw(design: Design, world: World, true: np.ndarray, sweeps: int, rng: Rng) -> Drawn:
    """Likeness of some sweeps. ``true``: what each pattern's settings are worth, (patterns,) or (sweeps, patterns)."""
    patterns, most, prompts = len(design.trainings), max(design.trainings), design.prompts
    shape = (sweeps, patterns, most, prompts, design.seeds)
    own = rng.standard_t(world.tails, shape[:3]) if world.tails else rng.standard_normal(shape[:3])
    own /= np.sqrt(world.tails / (world.tails - 2)) if world.tails else 1
    varies = np.exp(world.uneven * rng.standard_normal((sweeps, patterns, 1)) - world.uneven**2)  # mean square 1
    shared = rng.standard_normal((sweeps, 1, most))
    run = world.run * varies * (np.sqrt(1 - world.common) * own + np.sqrt(world.common) * shared)
    run[:, np.arange(most) >= np.array(design.trainings)[:, None]] = np.nan
    worth = np.broadcast_to(true, (sweeps, patterns))
    answers = world.pattern_prompt * rng.standard_normal((sweeps, patterns, 1, prompts, 1))
    values = world.cell * rng.standard_normal(shape)
    values += world.run_prompt * rng.standard_normal(shape[:4])[..., None]
    values *= varies[..., None, None]
    values += run[..., None, None] + worth[:, :, None, None, None] + answers
    values += world.prompt * rng.standard_normal((sweeps, 1, 1, prompts, 1))
    return Drawn(values, worth + np.nanmean(run, axis=2), worth + answers.mean(axis=(2, 3, 4)))


@dataclass(frozen=True)
class Judged:
    """Every pair of every sweep (sweep x pair), as :func:`contrast.contrast_table` judges it."""

    diff: np.ndarray
    low: np.ndarray  # 95 % interval over prompts
    high: np.ndarray
    noise: np.ndarray  # half-width by training seeds for the family
    matters: np.ndarray
    on_new: np.ndarray
    even: np.ndarray  # what would matter by Dunnett's method as if all patterns varied alike
    by_holm: np.ndarray  # the same by Holm's
    one_by_one: np.ndarray  # what would matter if each pair were judged alone, as if all varied alike
    new_by_interval: np.ndarray  # on_new if the pair's own interval over prompts were all that is asked


def judge(design: Design, values: np.ndarray) -> Judged:
    """The rules of :mod:`contrast` and :mod:`family` on many sweeps at once; a test proves them equal."""
    from scipy.special import stdtr

    first, second = np.array(design.pairs).T
    runs = values.mean(axis=(3, 4))
    prompts = np.nanmean(values, axis=(2, 4))
    apart = prompts[:, second] - prompts[:, first]
    diff, of_prompts = apart.mean(axis=2), apart.var(axis=2, ddof=1) / design.prompts
    half = t_quantile(design.prompts - 1) * np.sqrt(of_prompts)
    n = np.array(design.trainings, dtype="float64")
    width = np.sqrt(1 / n[first] + 1 / n[second])
    if not design.df:
        none, unknown = np.zeros_like(diff, dtype=bool), np.full_like(diff, np.nan)
        return Judged(diff, diff - half, diff + half, unknown, *(none,) * 6)
    squares = np.nansum((runs - np.nanmean(runs, axis=2, keepdims=True)) ** 2, axis=2)
    pooled = squares.sum(axis=1, keepdims=True) / design.df
    own = moderated(squares / np.maximum(n - 1, 1), pooled, n) / n
    error, even = np.sqrt(own[:, first] + own[:, second]), np.sqrt(pooled) * width
    can, df = design.claimable, design.df
    uneven = unevenness(squares / np.maximum(n - 1, 1), n)
    noise = critical(design.family, LEVEL, uneven)[:, None] * error
    matters = can & (np.abs(diff) > noise)
    p = 2 * stdtr(df, -np.abs(diff) / even)
    p_new = on_new_prompts(diff, error**2, df, of_prompts, design.prompts)
    misses_zero = np.abs(diff) > half
    return Judged(
        diff,
        diff - half,
        diff + half,
        noise,
        matters,
        matters & in_family(holm(p_new[:, can]), can),
        can & (np.abs(diff) > critical(replace(design.family, uneven=0.0, prior=1e9)) * even),
        in_family(holm(p[:, can]), can),
        can & (np.abs(diff) > t_quantile(df) * even) & misses_zero,
        matters & misses_zero,
    )


def in_family(p: np.ndarray, can: np.ndarray) -> np.ndarray:
    found = np.zeros((len(p), len(can)), dtype=bool)
    found[:, can] = p < LEVEL
    return found


# the same sweep as the product has it


def as_tables(design: Design, values: np.ndarray) -> Tables:
    """One drawn sweep (pattern, training, prompt, preview seed) as the tables that the pages are made from."""
    runs = [(p, seed) for p, count in enumerate(design.trainings) for seed in range(count)]
    ids = range(1, len(runs) + 1)
    checkpoints = pd.DataFrame(
        {
            "run_id": ids,
            "checkpoint_id": ids,
            "pattern_id": [p + 1 for p, _ in runs],
            "label": [f"pattern {p + 1}" for p, _ in runs],
            "replicate": [f"pattern {p + 1}" for p, _ in runs],
            "train_seed": [seed for _, seed in runs],
            "updates": 100,
            "dataset_id": 1,
            "zero": None,
            **dict.fromkeys(METRICS, np.nan),
            "likeness": [values[run].mean() for run in runs],
            **dict.fromkeys(("is_last", "complete", "looked_at"), True),
            **dict.fromkeys(("is_base", "wrecked"), False),
        }
    )
    cells = list(np.ndindex(design.prompts, design.seeds))
    previews = pd.DataFrame(
        [
            (run_id, p + 1, prompt, f"prompt {prompt}", seed, values[p, training, prompt, seed])
            for run_id, (p, training) in zip(ids, runs, strict=True)
            for prompt, seed in cells
        ],
        columns=["checkpoint_id", "pattern_id", "prompt", "text", "seed", "likeness"],
    ).assign(strength=1.0, role="identity", is_main=True, is_base=False, is_confirm=False)
    labels = {p + 1: f"pattern {p + 1}" for p in range(len(design.trainings))}
    pairs = [Contrast("learning_rate", a + 1, b + 1, float(a + 1), float(b + 1)) for a, b in design.pairs]
    return Tables(previews, previews.iloc[:0], checkpoints, checkpoints, checkpoints, 1, "likeness", {}, labels, pairs)


def told_alike(design: Design, values: np.ndarray, judged: Judged) -> int:
    """Of the pairs of these sweeps, how many get the same verdict from the tables that the pages are made from."""
    alike = 0
    for sweep, each in enumerate(values):
        rows = contrast_table(as_tables(design, each), "likeness").set_index(["pattern_a", "pattern_b"])
        for number, (a, b) in enumerate(design.pairs):
            wording = rows.loc[(a + 1, b + 1), "wording"]
            matters = wording in ("seems_to_matter", "matters_on_these_prompts")
            new = wording == "seems_to_matter"
            alike += bool(matters == judged.matters[sweep, number] and new == judged.on_new[sweep, number])
    return alike


# figures


def measure(sweeps: int = SWEEPS, real: int = REAL, seed: int = SEED) -> Figures:
    """All figures of the section on verdicts, as JSON-able numbers; intervals are tried on a fifth of the sweeps."""
    from workbench.findings import intervals_simulated  # which draws its sweeps as this module does

    rng = np.random.default_rng(seed)
    return {
        "seed": seed,
        "sweeps": sweeps,
        "null": [null_figures(design, NULL, sweeps, real, rng) for design in DESIGNS],
        "harder": [null_figures(design, HARDER, sweeps, 0, rng) for design in DESIGNS],
        "worlds": [null_figures(USUAL, world, sweeps, 0, rng) for world in WORLDS],
        "power": [power_figures(design, effect, sweeps, rng) for design in DESIGNS[:7] for effect in EFFECTS],
        "ranking": [
            intervals_simulated.ranking_figures(USUAL, spread, sweeps, np.random.default_rng([seed, place]))
            for place, spread in enumerate(SPREADS)
        ],
        **intervals_simulated.measure(max(sweeps // 5, 2), max(sweeps // 25, 2), seed),
    }


def batches(design: Design, world: World, true: np.ndarray, sweeps: int, rng: Rng) -> Iterator[tuple[Drawn, Judged]]:
    """The drawn sweeps with their verdicts, as many at a time as take little memory."""
    each = len(design.trainings) * max(design.trainings) * design.prompts * design.seeds
    size = max(MANY // each, 1)
    for start in range(0, sweeps, size):
        count = min(size, sweeps - start)
        drawn = draw(design, world, true[start : start + count] if true.ndim == 2 else true, count, rng)
        yield drawn, judge(design, drawn.values)


def about(design: Design) -> Figures:
    """The design in figures."""
    return {
        "design": design.name,
        "pairs": int(design.claimable.sum()),
        "trainings": max(design.trainings),
        "prompts": design.prompts,
        "seeds": design.seeds,
        "df": design.df,
    }


def differences(design: Design, worth: np.ndarray) -> np.ndarray:
    """(sweep, pair) from (sweep, pattern)."""
    first, second = np.array(design.pairs).T
    return worth[:, second] - worth[:, first]


RULES = ("matters", "on_new", "even", "by_holm", "one_by_one", "new_by_interval")


def null_figures(design: Design, world: World, sweeps: int, real: int, rng: Rng) -> Figures:
    """Sweeps in which no setting matters: the share with any claim, by several rules, and what the intervals hold."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in (*RULES, "wrong", "prompts_hold")}
    alike = 0
    for drawn, judged in batches(design, world, np.zeros(len(design.trainings)), sweeps, rng):
        for name in RULES:
            found[name].append(getattr(judged, name).any(axis=1))
        of_runs, here = differences(design, drawn.runs), differences(design, drawn.here)
        found["wrong"].append((judged.matters & (judged.diff * here <= 0)).any(axis=1))
        found["prompts_hold"].append(((judged.low <= of_runs) & (of_runs <= judged.high)).mean(axis=1))
        if real and not alike:
            alike = told_alike(design, drawn.values[:real], judged)
    return {
        **about(design),
        "world": world.name,
        **{name: float(np.concatenate(each).mean()) if each else None for name, each in found.items()},
        "alike": alike,
        "judged": min(real, sweeps) * len(design.pairs),
    }


def power_figures(design: Design, effect: float, sweeps: int, rng: Rng) -> Figures:
    """Sweeps in which one setting is worth ``effect`` points: is it found, and is anything else called so?

    Where pairs hold the first pattern that differs from the baseline, all of them differ, by that much.
    """
    true = np.zeros(len(design.trainings))
    true[1] = effect
    differ = differences(design, true[None])[0] != 0
    asked = int(np.flatnonzero(differ & design.claimable)[0])
    found: dict[str, list[np.ndarray]] = {name: [] for name in ("matters", "on_new", "by_holm")}
    false = []
    for _, judged in batches(design, ANSWERS, true, sweeps, rng):
        for name, each in found.items():
            each.append(getattr(judged, name)[:, asked])
        false.append((judged.on_new & ~differ).any(axis=1))
    shares = {name: float(np.concatenate(each).mean()) for name, each in found.items()}
    return {**about(design), "effect": effect, **shares, "false": float(np.concatenate(false).mean())}
