"""What 20 minutes of rating bring: the app's own choice against random pictures and against everything in turn.

    python tests/measure_choosing.py [draws]

Simulated raters (see raters_drawn.py) in front of checkpoints whose quality is known.
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from raters_drawn import UsualPace, World, deck_of

from workbench.rating.modes import MODES
from workbench.rating.standing import leads

MINUTES = 20.0


def chosen(world: World, sittings: int) -> None:
    pace = UsualPace()
    for _ in range(sittings):
        found = world.proposals(MINUTES / sittings, pace)
        if not found:
            return
        world.answer(found[0])
        pace.repeated[found[0].mode] += found[0].repeats
        pace.warm[found[0].mode] = True


def only(mode: str) -> Callable[[World], None]:
    def way(world: World) -> None:
        found = [each for each in world.proposals(MINUTES, UsualPace()) if each.mode == mode]
        if found:
            world.answer(found[0])

    return way


def at_random(world: World) -> None:
    order = [world.pictures[at] for at in world.draw.permutation(len(world.pictures))]
    deck_of(world, MINUTES, UsualPace(), order)


def everything(world: World) -> None:
    deck_of(world, MINUTES, UsualPace(), world.pictures)  # prompt after prompt of all checkpoints


WAYS: dict[str, Callable[[World], None]] = {
    "chosen, one sitting of 20": lambda world: chosen(world, 1),
    "chosen, two of 10": lambda world: chosen(world, 2),
    "chosen, four of 5": lambda world: chosen(world, 4),
    **{f"only {mode}": only(mode) for mode in MODES if mode != "single"},
    "random pictures": at_random,
    "deck over everything": everything,
}


def measured(n: int, way: Callable[[World], None], draws: int, seed: int = 1, **world: float) -> tuple[float, ...]:
    """(share where the best is among those left open, how many are open, share where it is named first, points lost by
    taking the one named first), means over the draws."""
    rows = []
    for number in range(draws):
        each = World(n, np.random.default_rng([seed, n, number]), **world)
        way(each)
        found = each.known()
        still = leads(found)
        first = int(found.means.argmax())
        lost = each.quality.max() - each.quality[first]
        rows.append((bool(still[each.best]), int(still.sum()), first == each.best, lost))
    return tuple(float(np.mean(column)) for column in zip(*rows, strict=True))


if __name__ == "__main__":
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print(
        f"{'checkpoints':>11}  {'way':28}{'best among open':>16}{'left open':>11}{'best first':>12}{'points lost':>13}"
    )
    for n in (12, 25, 50):
        for name, way in WAYS.items():
            kept, still, first, lost = measured(n, way, draws)
            print(f"{n:>11}  {name:28}{kept:>16.0%}{still:>11.1f}{first:>12.0%}{lost:>13.1f}", flush=True)
