"""Simulated people: does the interval over people hold, and how often is a challenger falsely called better?"""

from dataclasses import dataclass

import numpy as np

from workbench.findings.family import holm
from workbench.findings.intervals import t_quantile
from workbench.recipes.pooled import LEVEL

Array = np.ndarray


@dataclass(frozen=True)
class World:
    """How far things spread, in points of likeness; the embedded people were about so."""

    between: float = 4.0  # sd of what a challenger does, from person to person
    of_seeds: float = 4.0  # sd of a training between seeds
    of_prompts: float = 5.0  # sd of what a prompt adds to one pattern's difference in one person
    uneven: float = 0.6  # sd of the log of a person's own noise: some people are noisier than others
    seeds: int = 2
    prompts: int = 4


def differences(world: World, people: int, challengers: int, draws: int, mean: float = 0.0, seed: int = 9) -> Array:
    """Measured differences challenger - default, shape (draws, people, challengers).

    All challengers of a person share the default's trainings, so their differences hang together.
    """
    rng = np.random.default_rng(seed)
    shape = (draws, people, challengers)
    noisier = np.exp(world.uneven * rng.standard_normal((draws, people, 1)))
    of_seeds = noisier * world.of_seeds / np.sqrt(world.seeds)
    default = of_seeds * rng.standard_normal((draws, people, 1))
    own = of_seeds * rng.standard_normal(shape)
    prompts = noisier * world.of_prompts / np.sqrt(world.prompts) * rng.standard_normal(shape)
    return np.asarray(mean + world.between * rng.standard_normal(shape) + own - default + prompts)


def coverage(world: World, people: int, draws: int = 10_000, mean: float = 3.0) -> float:
    """Share of 95 % intervals over people that hold the true mean difference."""
    found = differences(world, people, 1, draws, mean)[:, :, 0]
    half = t_quantile(people - 1) * found.std(axis=1, ddof=1) / np.sqrt(people)
    return float((np.abs(found.mean(axis=1) - mean) <= half).mean())


def falsely_better(
    world: World, most_people: int, challengers: int, draws: int = 10_000, level: float = LEVEL, least_people: int = 2
) -> float:
    """How often any of some challengers, none of which is better, is called so at any look.

    One looks after every person from ``least_people`` to ``most_people``.
    """
    from scipy.special import stdtr

    every = differences(world, most_people, challengers, draws)
    said = np.zeros(draws, dtype=bool)
    for people in range(least_people, most_people + 1):
        found = every[:, :people]
        t = found.mean(axis=1) / (found.std(axis=1, ddof=1) / np.sqrt(people))
        said |= ((holm(2 * stdtr(people - 1, -np.abs(t))) < level) & (t > 0)).any(axis=1)
    return float(said.mean())
