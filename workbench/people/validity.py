"""What is said of raters, tried on simulated ones of whom the truth is known."""

from typing import Any

import numpy as np
import pandas as pd

from workbench.people.alpha import with_interval
from workbench.people.drift import Drift, drift_of
from workbench.people.haste import of_answers
from workbench.people.simulated import Rater, World, compared, marked
from workbench.people.steadiness import chosen, repeated
from workbench.rating.layout import n_repeats

Figures = dict[str, Any]
Rng = np.random.Generator

SEED = 7
REPETITIONS = 200
NOISES = (4.0, 8.0, 16.0)  # points
REPEATS = (5, 15, 30)
DRIFTS = {10: (0.0, 6.0, 12.0), 30: (0.0, 1.5, 3.0)}  # checkpoints -> points per 50 answers
SIDES = (0.0, 4.0, 8.0, 16.0)  # points in favour of the left one
HONEST = {
    "slider": Rater(),
    "keys": Rater(keys=True),
    "steady, keys": Rater(noise=4, keys=True),
    "quick, keys": Rater(keys=True, seconds=1.5),
    "generous": Rater(bias=20),
}
HASTY = {
    "half a second each": (Rater(keys=True, seconds=0.5), World()),
    "the same key for nearly all": (Rater(noise=3, keys=True), World(50, 1, 50, 0, 0, 0)),
}
ALIKE = World(of_checkpoints=3, of_prompts=2, of_pictures=3)  # every checkpoint is about as good


# Simulated raters per row of each table, times the repetitions: what takes longer is tried less often.
SHARES = {"steadiness": 3.0, "drift": 2.5, "sides": 1.0, "agreement": 3.0, "haste": 0.5, "order": 0.15}


def measure(repetitions: int = REPETITIONS, seed: int = SEED) -> Figures:
    """All figures of the section on raters, as JSON-able numbers; half a minute with the usual repetitions."""
    from workbench.people.simulated_choices import simulate

    rng = np.random.default_rng(seed)
    parts = {
        "steadiness": steadiness_figures,
        "drift": drift_figures,
        "sides": side_figures,
        "agreement": agreement_figures,
        "haste": haste_figures,
    }
    often = {name: max(round(share * repetitions), 2) for name, share in SHARES.items()}
    found = {name: part(often[name], rng) for name, part in parts.items()}
    return {"seed": seed, "often": often, **found, "order": simulate(often["order"], seed)}


def steadiness_figures(repetitions: int, rng: Rng) -> list[Figures]:
    """Within-rater sd of two marks of the same picture: how often its interval holds the truth, by way of marking."""
    rows = []
    for keys in (False, True):
        for noise in NOISES:
            rater = Rater(noise=noise, keys=keys)
            true = within(rater, 200_000, rng)
            for n in REPEATS:
                found = [repeated("deck", "likeness", *two_marks(rater, n, rng)) for _ in range(repetitions)]
                rows.append(
                    {
                        "keys": keys,
                        "noise": noise,
                        "true": true,
                        "repeats": n,
                        "estimate": float(np.sqrt(np.mean([each.within**2 for each in found]))),
                        "holds": held([each.low <= true <= each.high for each in found]),
                        "shift": float(np.mean([each.shift for each in found])),
                        "shift_holds": held([each.shift_low <= 0 <= each.shift_high for each in found]),
                    }
                )
    return rows


def two_marks(rater: Rater, n: int, rng: Rng) -> "list[np.ndarray[Any, Any]]":
    """Marks of n pictures of the world, and of the same once more."""
    truth, start = rng.normal(50, 10, n), np.zeros(n)
    return [rater.marks(truth, start, rng) for _ in range(2)]


def within(rater: Rater, n: int, rng: Rng) -> float:
    """The sd that a rater's marks of the same picture have as they are given, the rounding to keys included."""
    first, again = two_marks(rater, n, rng)
    return float(np.sqrt(((again - first) ** 2).mean() / 2))


def drift_figures(repetitions: int, rng: Rng) -> list[Figures]:
    """How often a drift is found, and none where there is none."""
    rows = []
    for checkpoints, slopes in DRIFTS.items():
        for slope in slopes:
            found = [a_drift(Rater(drift=slope), World(checkpoints), rng) for _ in range(repetitions)]
            rows.append(
                {
                    "marks": checkpoints * World().prompts,
                    "repeats": n_repeats(checkpoints * World().prompts),
                    "drift": slope,
                    "estimate": float(np.mean([each.slope for each in found])),
                    "half": float(np.mean([each.high - each.low for each in found])) / 2,
                    "holds": held([each.low <= slope <= each.high for each in found]),
                    "found": held([each.found for each in found]),
                }
            )
    return rows


def a_drift(rater: Rater, world: World, rng: Rng) -> Drift:
    pictures = world.pictures(rng)
    found = drift_of(marked(rater, pictures, n_repeats(len(pictures)), rng))
    assert found is not None  # there are marks enough
    return found


def side_figures(repetitions: int, rng: Rng) -> list[Figures]:
    """How often a lean to one side is said of 60 pairs and their repeats, and how often the same was chosen again."""
    rows = []
    for side in SIDES:
        found = []
        for _ in range(repetitions):
            each = chosen("pair", compared(Rater(side=side), World().pictures(rng), 60, n_repeats(60), rng))
            assert each is not None and each.side_p is not None  # there are pairs
            found.append(each)
        rows.append(
            {
                "side": side,
                "left": float(np.mean([each.sides.share for each in found if each.sides])),
                "same": float(np.mean([each.same.share for each in found])),
                "found": held([each.side_p is not None and each.side_p < 0.05 for each in found]),
            }
        )
    return rows


def agreement_figures(repetitions: int, rng: Rng) -> list[Figures]:
    """Krippendorff's alpha against the true share of the variance that is the pictures'."""
    rows = []
    for noise, offset in ((4.0, 0.0), (8.0, 0.0), (16.0, 0.0), (4.0, 12.0)):
        for units in (15, 30, 60):
            true = true_alpha(12.0, noise, offset)
            found = []
            for _ in range(repetitions):
                truth = rng.normal(50, 12.0, units)
                marks = np.array([truth + bias + rng.normal(0, noise, units) for bias in (0.0, offset)])
                found.append(with_interval(marks))
            rows.append(
                {
                    "noise": noise,
                    "offset": offset,
                    "pictures": units,
                    "true": true,
                    "estimate": float(np.mean([each.value for each in found])),
                    "holds": held([each.low <= true <= each.high for each in found]),
                }
            )
    return rows


def true_alpha(pictures: float, noise: float, offset: float) -> float:
    """Alpha of two raters with the same noise, one of whom marks ``offset`` points higher, over endless pictures.

    ``1 - (2 e^2 + b^2) / (2 (p^2 + e^2) + b^2 / 2)``: half of all pairs of marks are of different raters.

    >>> round(true_alpha(12, 8, 0), 4)  # 144 / 208, the share of the variance that is the pictures'
    0.6923
    """
    within_units = 2 * noise**2 + offset**2
    return 1 - within_units / (2 * (pictures**2 + noise**2) + offset**2 / 2)


def haste_figures(repetitions: int, rng: Rng) -> list[Figures]:
    """How often anything is said to raters who look (too often), and to some who don't."""
    tried = [
        *((name, True, rater, World()) for name, rater in HONEST.items()),
        *((f"{name}, all pictures alike", True, HONEST[name], ALIKE) for name in ("slider", "keys", "steady, keys")),
        *((name, False, *about) for name, about in HASTY.items()),
    ]
    return [
        {
            "name": name,
            "honest": honest,
            "told": held([bool(told(rater, world, honest, rng)) for _ in range(repetitions)]),
        }
        for name, honest, rater, world in tried
    ]


def told(rater: Rater, world: World, pairs: bool, rng: Rng) -> list[str]:
    """What a rater hears after a deck over a world's pictures and, if ``pairs``, 60 pairs."""
    pictures = world.pictures(rng)
    said = compared(rater, pictures, 60, n_repeats(60), rng) if pairs else []
    return of_answers(marked(rater, pictures, n_repeats(len(pictures)), rng), pd.DataFrame(said))


def held(yes: list[bool]) -> Figures:
    """A share of the repetitions."""
    return {"k": int(sum(yes)), "n": len(yes), "share": sum(yes) / len(yes)}
