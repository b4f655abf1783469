"""Which items tell most of the checkpoints that may be the best: pure arithmetic on what is known of them."""

import heapq
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from random import Random
from typing import Any

import numpy as np

from workbench.rating.estimate import (
    GRID_WEIGHT,
    PRIOR_SD,
    Cell,
    Estimate,
    Floats,
    Picture,
    contrasts,
    covariance,
    mills,
)

Row = dict[str, Any]
Asked = list[tuple[int, ...]]  # preview ids of each item, the most telling first
Told = tuple[Picture, Picture, float]  # two pictures, and the information that comparing them gives

FLOOR = 0.3  # of an equal share: least weight of a checkpoint that is still open
MOST_IN_PAIRS = 12  # checkpoints that pairs are asked about, the most promising ones
MOST_IN_GRIDS = 24
ROW_AT_LEAST = 2  # pictures
GRID_AT_LEAST = 3


@dataclass(frozen=True)
class Plan:
    """What would be asked in one mode, in the order of use, and what is known after the first n of it."""

    asked: Asked
    after: Callable[[int], Floats]  # n -> the checkpoints' covariance


@dataclass(frozen=True)
class Field:
    """What can be asked: the open checkpoints' pictures, by checkpoint, in an order that all checkpoints share."""

    known: Estimate
    fresh: Mapping[int, Sequence[Row]]  # not seen yet; stage after stage
    every: Mapping[int, Sequence[Row]]  # those seen already, too
    weights: Mapping[int, float]  # how probable it is that a checkpoint is the best; none under FLOOR
    common: frozenset[int] = frozenset()  # pictures that come first among those that tell as much

    @cached_property
    def pictures(self) -> dict[int, dict[Cell, Row]]:
        """Checkpoint -> cell -> its picture."""
        return {
            checkpoint: {(row["prompt"], row["seed"]): row for row in rows} for checkpoint, rows in self.every.items()
        }

    @cached_property
    def unseen(self) -> set[int]:
        return {row["id"] for rows in self.fresh.values() for row in rows}

    def shown(self, checkpoints: Sequence[int], cell: Cell) -> tuple[int, ...]:
        """Their pictures of one prompt and seed."""
        return tuple(self.pictures[checkpoint][cell]["id"] for checkpoint in checkpoints)

    def told(self, pair: Sequence[int], cell: Cell, information: float) -> Told:
        one, other = (picture_of(self.pictures[checkpoint][cell]) for checkpoint in pair)
        return one, other, information

    def freshness(self, checkpoints: Sequence[int], cell: Cell) -> tuple[int, int]:
        """How many of these pictures were seen already, and the stage they are of: the lowest comes first."""
        rows = [self.pictures[checkpoint][cell] for checkpoint in checkpoints]
        return sum(row["id"] not in self.unseen for row in rows), rows[0]["stage"]

    def promising(self, among: Mapping[int, Any], most: int) -> list[int]:
        return most_promising({checkpoint: self.weights[checkpoint] for checkpoint in among}, most)

    def place(self, checkpoint: int) -> int:
        return self.known.ids.index(checkpoint)


def weights_of(known: Estimate, open_ids: Collection[int]) -> dict[int, float]:
    least = FLOOR / max(len(open_ids), 1)
    promise = dict(zip(known.ids, known.promise, strict=True))
    return {checkpoint: max(float(promise[checkpoint]), least) for checkpoint in open_ids}


def most_promising(weights: Mapping[int, float], most: int) -> list[int]:
    return sorted(weights, key=lambda checkpoint: (-weights[checkpoint], checkpoint))[:most]


# one picture, or a row, of a checkpoint


def one_by_one(field: Field) -> Plan:
    """Single pictures: each goes to the checkpoint of which one mark more tells most, weighed by its promise."""
    spread = field.known.noise.mark**2

    def gain(checkpoint: int, n: int) -> float:
        had = field.known.heard[checkpoint]
        return field.weights[checkpoint] * (variance(had + n, spread) - variance(had + n + 1, spread))

    def turn(checkpoint: int, n: int) -> tuple[float, bool, int, int]:
        return -gain(checkpoint, n), field.fresh[checkpoint][n]["id"] not in field.common, checkpoint, n

    queue = [turn(checkpoint, 0) for checkpoint, rows in field.fresh.items() if rows]
    heapq.heapify(queue)
    chosen: list[Row] = []
    while queue:
        *_, checkpoint, n = heapq.heappop(queue)
        chosen.append(field.fresh[checkpoint][n])
        if n + 1 < len(field.fresh[checkpoint]):
            heapq.heappush(queue, turn(checkpoint, n + 1))
    return Plan([(row["id"],) for row in chosen], with_marks(field.known, [[row] for row in chosen]))


def variance(n: float, spread: float) -> float:
    """Of a checkpoint's mean after n marks."""
    return 1 / (PRIOR_SD**-2 + n / spread)


def by_rows(field: Field, longest: int) -> Plan:
    """Rows of pictures of one checkpoint and stage: stage after stage, the most promising checkpoints first."""
    rows: list[list[Row]] = []
    for checkpoint in field.promising(field.fresh, len(field.fresh)):
        stages: dict[int, list[Row]] = {}
        for row in field.fresh[checkpoint]:
            stages.setdefault(row["stage"], []).append(row)
        rows += [of_stage[:longest] for of_stage in stages.values() if len(of_stage) >= ROW_AT_LEAST]
    rows.sort(key=lambda row: row[0]["stage"])
    return Plan([tuple(row["id"] for row in each) for each in rows], with_marks(field.known, rows))


def with_marks(known: Estimate, groups: Sequence[Sequence[Row]]) -> Callable[[int], Floats]:
    """What is known after a mark of each of the first n groups of pictures (one picture, or a row)."""

    def after(n: int) -> Floats:
        precision = known.precision.copy()
        for group in groups[:n]:
            shares, own = known.design([picture_of(row) for row in group])
            used, part = np.array(list(shares)), np.array(list(shares.values()))
            precision[np.ix_(used, used)] += np.outer(part, part) / (known.noise.rater**2 + own)
        return covariance(precision, len(known.ids))

    return after


def picture_of(row: Row) -> Picture:
    return Picture(row["id"], row["checkpoint_id"], (row["prompt"], row["seed"]))


# pictures of one prompt and seed against each other


def in_pairs(field: Field, had: Collection[frozenset[int]], most: int, rng: Random) -> Plan:
    """Pairs of one prompt and seed: first a random tree, so that all are compared, then what tells most.

    What a pair tells = how much it is expected to lower the entropy of the difference (near to how ASAP chooses pairs,
    Mikhailiuk et al. 2020), weighed by the promise of the two. Pictures not seen yet come first. ``had``: pairs asked
    before.
    """
    ids = field.promising(field.every, MOST_IN_PAIRS)
    left: dict[tuple[int, int], list[Cell]] = {}
    for a, b in combinations(ids, 2):
        cells = [cell for cell in field.pictures[a] if cell in field.pictures[b]]
        cells = [cell for cell in cells if frozenset(field.shown((a, b), cell)) not in had]
        if cells:
            left[a, b] = cells
    tree = spanning_tree(ids, left, rng)
    state = Comparing(field, ids)
    chosen: list[tuple[int, ...]] = []
    told: list[list[Told]] = []
    used: dict[int, int] = {}  # picture -> times in this sitting
    while len(chosen) < most and left:
        pair = tree.pop() if tree else max(left, key=state.worth)
        used_by = {cell: sum(used.get(each, 0) for each in field.shown(pair, cell)) for cell in left[pair]}
        cell = min(left[pair], key=lambda cell: (field.freshness(pair, cell), used_by[cell]))
        left[pair].remove(cell)
        if not left[pair]:
            del left[pair]
            tree = [each for each in tree if each != pair]
        pictures = field.shown(pair, cell)
        for each in pictures:
            used[each] = used.get(each, 0) + 1
        chosen.append(pictures)
        told.append([field.told(pair, cell, state.take(pair))])
    return Plan(chosen, with_pairs(field.known, told))


def in_grids(field: Field, had: Collection[frozenset[int]], size: int, most: int, rng: Random) -> Plan:
    """Grids of one prompt and seed: the pair that tells most, and whoever tells most beside those already in."""
    ids = field.promising(field.every, MOST_IN_GRIDS)
    state = Comparing(field, ids)
    free: dict[Cell, list[int]] = {}
    for checkpoint in ids:
        for cell in field.pictures[checkpoint]:
            free.setdefault(cell, []).append(checkpoint)
    times = dict.fromkeys(free, 0)
    asked: Asked = []
    seen = set(had)
    told: list[list[Told]] = []
    while len(asked) < most:
        able = [cell for cell, those in free.items() if len(those) >= GRID_AT_LEAST]
        if not able:
            break
        cell = min(able, key=lambda cell: (times[cell], field.freshness(free[cell], cell), rng.random()))
        group = grown(state, free[cell], size)
        pictures = field.shown(group, cell)
        if frozenset(pictures) in seen:
            free[cell] = [each for each in free[cell] if each != group[-1]]
            continue
        times[cell] += 1
        seen.add(frozenset(pictures))
        asked.append(pictures)
        pairs = list(combinations(group, 2))
        share = GRID_WEIGHT * (2 * len(group) - 3) / len(pairs)  # of all pairs, best and worst imply so many
        told.append([field.told(pair, cell, state.take(pair, share)) for pair in pairs])
    return Plan(asked, with_pairs(field.known, told))


def grown(state: "Comparing", able: Sequence[int], size: int) -> list[int]:
    """The checkpoints of a grid."""
    first: tuple[int, int] = max(combinations(able, 2), key=state.worth)
    group = list(first)
    while len(group) < min(size, len(able)):
        rest = [each for each in able if each not in group]
        group.append(max(rest, key=lambda each: sum(state.worth((each, other)) for other in group)))
    return group


def with_pairs(known: Estimate, items: Sequence[Sequence[Told]]) -> Callable[[int], Floats]:
    """What is known after the first n items, each of which compares pictures."""

    def after(n: int) -> Floats:
        told = [each for item in items[:n] for each in item]
        places = [
            (
                known.ids.index(one.checkpoint),
                known.columns[one.id],
                known.ids.index(other.checkpoint),
                known.columns[other.id],
            )
            for one, other, _ in told
        ]
        rows = contrasts(places, len(known.precision))
        information = np.array([each for _, _, each in told])
        return covariance(known.precision + (rows.T * information) @ rows, len(known.ids))

    return after


class Comparing:
    """What a further comparison of two checkpoints tells, kept up to date while pairs are chosen."""

    def __init__(self, field: Field, ids: Sequence[int]) -> None:
        self.places = {checkpoint: number for number, checkpoint in enumerate(ids)}
        at = [field.place(checkpoint) for checkpoint in ids]
        self.means = field.known.means[at]
        self.spread = field.known.covariance[np.ix_(at, at)].copy()
        self.weights = np.array([field.weights[checkpoint] for checkpoint in ids])
        noise, apart = field.known.noise, self.means[:, None] - self.means[None, :]
        self.information = expected_information(apart, variances(self.spread) + 2 * noise.own**2, noise.choice)
        self.felt = 1 / (
            1 / self.information + 2 * noise.own**2
        )  # of the checkpoints, by pictures never compared before
        self.both = self.weights[:, None] + self.weights[None, :]
        self.weigh()

    def weigh(self) -> None:
        self.worths = self.both * np.log1p(self.felt * variances(self.spread))

    def worth(self, pair: tuple[int, int]) -> float:
        return float(self.worths[self.places[pair[0]], self.places[pair[1]]])

    def take(self, pair: tuple[int, int], share: float = 1.0) -> float:
        """The pair will be compared: what is known after that, and the information it gives."""
        a, b = self.places[pair[0]], self.places[pair[1]]
        felt = share * float(self.felt[a, b])
        reach = self.spread[:, a] - self.spread[:, b]
        self.spread -= np.outer(reach, reach) * felt / (1 + felt * (reach[a] - reach[b]))
        self.weigh()
        return share * float(self.information[a, b])


def variances(spread: Floats) -> Floats:
    """Of every difference between two."""
    own = np.diag(spread)
    return np.asarray(np.maximum(own[:, None] + own[None, :] - 2 * spread, 0.0))


def expected_information(apart: Floats, variance: Floats, sd: float) -> Floats:
    """What one choice tells of a difference of this mean and variance.

    The mean of phi^2 / (Phi (1 - Phi)) / sd^2 over what the difference may be (Gauss-Hermite, 15 nodes).
    """
    nodes, shares = hermite()
    found = np.zeros_like(apart)
    for node, share in zip(nodes, shares, strict=True):
        t = (apart + node * np.sqrt(variance)) / sd
        found += share * mills(t) * mills(-t)
    return found / sd**2


@lru_cache
def hermite() -> tuple[Floats, Floats]:
    nodes, shares = np.polynomial.hermite_e.hermegauss(15)
    return nodes, shares / shares.sum()


def spanning_tree(ids: Sequence[int], pairs: Collection[tuple[int, int]], rng: Random) -> list[tuple[int, int]]:
    """Pairs out of those there are that join all checkpoints, as far as they can be joined; at random."""
    group = {checkpoint: checkpoint for checkpoint in ids}

    def head(checkpoint: int) -> int:
        while group[checkpoint] != checkpoint:
            checkpoint = group[checkpoint]
        return checkpoint

    tree = []
    for pair in rng.sample(sorted(pairs), len(pairs)):
        if head(pair[0]) != head(pair[1]):
            group[head(pair[0])] = head(pair[1])
            tree.append(pair)
    return tree
