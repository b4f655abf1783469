"""How good each checkpoint is, and how sure that is, from marks, marks of rows and choices together: pure arithmetic.

A mark of a picture = its checkpoint's mean + an effect of its prompt and seed, which all checkpoints share + what is
this picture's own + the rater's noise. A choice between two pictures is the sign of the difference of two such marks
(Thurstone 1927, case V), and a tie half a choice each way. All is normal, so one linear system holds all of it
(Henderson 1975's mixed model equations; choices by Newton steps to the posterior's mode, Laplace's approximation).
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.findings.intervals import t_quantile

Floats = NDArray[np.float64]
Cell = tuple[int, int]  # prompt, seed

PRIOR_SD = 25.0  # points: how far a checkpoint may lie from what the judge's likeness says; a few marks outweigh it
LEVEL_SD = 50.0  # how far all of them together may: raters are milder or stricter than the judge
CELL_SD = 12.0  # how much easier one prompt and seed is than another
RATER_SD = 12.0  # how far one rater's marks lie above another's
# A mark's own noise before a rater's repeats tell: coefficients of reproducibility (2.77 sd) of 4 to 36 of 100 points
# were measured on visual analogue scales of picture quality (Papas & Schultz 1997): sd 1.5 to 13, about the middle.
RATER_NOISE, RATER_NOISE_DF = 8.0, 5.0
# What is a picture's own, as the demo's likeness spreads: half of the variance of a difference (13.4 + 57.2) / 2,
# docs/plan.md; its sd, and the degrees of freedom that this is worth.
OWN_SD, OWN_DF = 6.0, 10.0
GRID_WEIGHT = 0.8  # of each pair a grid implies, as these share pictures: intervals held at 0.7, fell under 95 % at 1
NEWTON_STEPS = 12


class Picture(NamedTuple):
    """A picture and what of it others share."""

    id: int
    checkpoint: int
    cell: Cell


@dataclass(frozen=True)
class Mark:
    """One rater's mark of a picture, or of a row of pictures of one checkpoint."""

    pictures: tuple[Picture, ...]
    rater: str
    values: tuple[float, ...]  # the first time, and the repeats

    @property
    def checkpoint(self) -> int:
        return self.pictures[0].checkpoint


@dataclass(frozen=True)
class Choice:
    """Two pictures of one cell. ``won``: 1 where the first was preferred, 0 the second, 0.5 a tie."""

    first: Picture
    second: Picture
    won: float
    weight: float = 1.0
    item: int = 0  # what was asked: a grid implies several


@dataclass(frozen=True)
class Noise:
    """Standard deviations in points: of a rater's own marks of one picture, of what is a picture's own."""

    rater: float
    own: float
    df: float  # of their sum: what the quantile of an interval goes by

    @property
    def mark(self) -> float:
        """Of one mark of one picture around its checkpoint and cell."""
        return float(np.hypot(self.rater, self.own))

    @property
    def choice(self) -> float:
        """Of the difference that a choice goes by, around that of the two pictures."""
        return float(np.sqrt(2) * self.rater)


@dataclass(frozen=True)
class Estimate:
    """Means of the checkpoints and how they vary together, out of a system of all unknowns."""

    ids: tuple[int, ...]
    at: Floats  # every unknown's value: the checkpoints' come first, in the order of ids
    precision: Floats
    columns: Mapping[Hashable, int]  # cell, rater or id of a picture -> its place among the unknowns
    noise: Noise
    heard: Mapping[int, int]  # checkpoint -> marks and choices that it stands on
    said_in: tuple[Cell, ...] = ()  # cells with marks or choices

    @property
    def means(self) -> Floats:
        return self.at[: len(self.ids)]

    @cached_property
    def covariance(self) -> Floats:
        return covariance(self.precision, len(self.ids))

    @property
    def quantile(self) -> float:
        return t_quantile(max(1, round(self.noise.df)))

    @cached_property
    def promise(self) -> Floats:
        """How probable it is of each checkpoint that it is the best: share of 2,000 draws, always the same ones."""
        return promise(self.means, self.covariance)

    def levels(self) -> tuple[Floats, Floats]:
        """(means, sds) of the mark that each checkpoint would get on average over the cells and raters heard so far."""
        row = np.zeros((len(self.ids), len(self.at)))
        row[:, : len(self.ids)] = np.eye(len(self.ids))
        for cell in self.said_in:
            row[:, self.columns[cell]] += 1 / len(self.said_in)
        raters = [column for key, column in self.columns.items() if isinstance(key, str)]
        row[:, raters] = 1 / max(len(raters), 1)
        return row @ self.at, np.sqrt(np.einsum("ij,ji->i", row, np.linalg.solve(self.precision, row.T)))

    def design(self, pictures: Collection[Picture], rater: str | None = None) -> tuple[dict[int, float], float]:
        """How a mark of a picture or row depends on the unknowns (place -> share), and its variance besides the rater's
        noise: of the pictures that are no unknowns of their own."""
        return design(self.columns, self.ids.index, pictures, self.noise, rater)


def design(
    columns: Mapping[Hashable, int], place: Any, pictures: Collection[Picture], noise: Noise, rater: str | None
) -> tuple[dict[int, float], float]:
    share = 1 / len(pictures)
    found: dict[int, float] = {}
    alone = 0
    for picture in pictures:
        for key, weight in ((place(picture.checkpoint), share), (columns[picture.cell], share)):
            found[key] = found.get(key, 0.0) + weight
        if picture.id in columns:
            found[columns[picture.id]] = share
        else:
            alone += 1
    if rater in columns:
        found[columns[rater]] = 1.0
    return found, alone * (noise.own * share) ** 2


def estimate(
    prior: Mapping[int, float],
    marks: Sequence[Mark],
    choices: Sequence[Choice],
    cells: Iterable[Cell] = (),
    pictures: Iterable[Picture] = (),
) -> Estimate:
    """What marks and choices say of the checkpoints of ``prior`` (checkpoint -> what the judge's likeness says).

    ``cells`` and ``pictures``: what something may be said of next, to be unknowns of their own as well. Pictures that
    were compared are; the others' own share is part of their marks' noise.
    """
    ids, raters = tuple(prior), sorted({mark.rater for mark in marks})
    place = {checkpoint: number for number, checkpoint in enumerate(ids)}
    compared = {each for choice in choices for each in (choice.first, choice.second)}
    said_in = {each.cell for mark in marks for each in mark.pictures} | {each.cell for each in compared}
    own = compared.union(pictures)
    keys: list[Hashable] = [*sorted(said_in.union(cells, (each.cell for each in own)))]
    keys += raters if len(raters) > 1 else []
    keys += sorted({each.id for each in own})
    columns = {key: len(ids) + number for number, key in enumerate(keys)}
    noise = noise_of(marks)
    dim = len(ids) + len(columns)
    precision, pull = np.zeros((dim, dim)), np.zeros(dim)
    head = precision_of_prior(len(ids))
    precision[: len(ids), : len(ids)] = head
    pull[: len(ids)] = head @ np.array(list(prior.values()), dtype=float)
    for key, column in columns.items():
        sd = CELL_SD if isinstance(key, tuple) else RATER_SD if isinstance(key, str) else noise.own
        precision[column, column] = sd**-2
    rows, inverse, values = system(marks, columns, place, noise, dim)
    precision += rows.T @ inverse @ rows
    pull += rows.T @ (inverse @ values)
    at, precision = with_choices(precision, pull, place, columns, choices, noise.choice)
    return Estimate(ids, at, precision, columns, noise, heard(ids, marks, choices), tuple(sorted(said_in)))


def system(
    marks: Sequence[Mark], columns: Mapping[Hashable, int], place: Mapping[int, int], noise: Noise, dim: int
) -> tuple[Floats, Floats, Floats]:
    """(design, inverse of the errors' covariance, values) of all marks.

    What is a picture's own is the same for several raters of it, so their errors go together, unless it is an unknown.
    """
    rows, values = np.zeros((len(marks), dim)), np.array([np.mean(mark.values) for mark in marks])
    groups: dict[tuple[Picture, ...], list[int]] = {}
    inverse = np.zeros((len(marks), len(marks)))
    common = np.zeros(len(marks))
    for number, mark in enumerate(marks):
        shares, common[number] = design(columns, place.__getitem__, mark.pictures, noise, mark.rater)
        rows[number, list(shares)] = list(shares.values())
        inverse[number, number] = 1 / (noise.rater**2 / len(mark.values) + common[number])
        groups.setdefault(mark.pictures, []).append(number)
    for numbers in groups.values():
        if len(numbers) > 1:
            spread = np.diag([noise.rater**2 / len(marks[number].values) for number in numbers]) + common[numbers[0]]
            inverse[np.ix_(numbers, numbers)] = np.linalg.inv(spread)
    return rows, inverse, values


def heard(ids: Sequence[int], marks: Sequence[Mark], choices: Sequence[Choice]) -> dict[int, int]:
    """On how many marks (repeats counted once) and choices each checkpoint stands."""
    found = dict.fromkeys(ids, 0)
    for mark in marks:
        found[mark.checkpoint] += 1
    answers = {(choice.item, each.checkpoint) for choice in choices for each in (choice.first, choice.second)}
    for _, checkpoint in answers:
        found[checkpoint] += 1
    return found


def precision_of_prior(n: int) -> Floats:
    """Of checkpoints that lie PRIOR_SD around the judge's likeness, and all together LEVEL_SD off it."""
    return np.asarray(np.linalg.inv(PRIOR_SD**2 * np.eye(n) + LEVEL_SD**2), dtype=np.float64)


def noise_of(marks: Sequence[Mark]) -> Noise:
    """The noise in marks: a rater's from what was marked again, the rest from what is left of checkpoints and cells.

    Both are averaged with typical values, which count as so many degrees of freedom.
    """
    again = [(np.var(mark.values, ddof=1), len(mark.values) - 1) for mark in marks if len(mark.values) > 1]
    times = sum(df for _, df in again)
    squares = sum(variance * df for variance, df in again)
    rater = (RATER_NOISE_DF * RATER_NOISE**2 + squares) / (RATER_NOISE_DF + times)
    single = [mark for mark in marks if len(mark.pictures) == 1]
    felt = rater * float(np.mean([1 / len(mark.values) for mark in single] or [1]))  # of a mark, or a mean of repeats
    left, freedom = residuals(single)
    whole = (OWN_DF * (OWN_SD**2 + felt) + left) / (OWN_DF + freedom)
    # What is a picture's own is the same for all raters, so their marks of it tell of it only once.
    pictures = len({mark.pictures for mark in single}) / max(len(single), 1)
    return Noise(float(np.sqrt(rater)), float(np.sqrt(max(whole - felt, 4.0))), OWN_DF + freedom * pictures)


def residuals(marks: Sequence[Mark]) -> tuple[float, int]:
    """(sum of squares, degrees of freedom) that each rater's marks leave around checkpoints + cells, all together.

    Around what raters have in common they would leave too little: what is a picture's own is the same for all of them.
    """
    raters = sorted({mark.rater for mark in marks})
    found = [residuals_of([mark for mark in marks if mark.rater == rater]) for rater in raters]
    return sum(squares for squares, _ in found), sum(df for _, df in found)


def residuals_of(marks: Sequence[Mark]) -> tuple[float, int]:
    """The same of one rater."""
    if len(marks) < 3:
        return 0.0, 0
    keys = [(("c", mark.checkpoint), ("p", mark.pictures[0].cell)) for mark in marks]
    names = {key: number for number, key in enumerate(sorted({key for each in keys for key in each}, key=str))}
    design = np.zeros((len(marks), len(names)))
    for row, each in enumerate(keys):
        design[row, [names[key] for key in each]] = 1
    values = np.array([np.mean(mark.values) for mark in marks])
    gram = design.T @ design
    rank = int(np.linalg.matrix_rank(gram, hermitian=True))
    fitted = design @ np.linalg.lstsq(gram, design.T @ values, rcond=None)[0]
    return float(((values - fitted) ** 2).sum()), len(marks) - rank


def with_choices(
    precision: Floats,
    pull: Floats,
    place: Mapping[int, int],
    columns: Mapping[Hashable, int],
    choices: Sequence[Choice],
    sd: float,
) -> tuple[Floats, Floats]:
    """The posterior's mode and its precision there."""
    at = np.asarray(np.linalg.solve(precision, pull), dtype=np.float64)
    if not choices:
        return at, precision
    sides = contrasts(
        [
            (place[one.checkpoint], columns[one.id], place[other.checkpoint], columns[other.id])
            for one, other in ((choice.first, choice.second) for choice in choices)
        ],
        len(at),
    )
    won = np.array([choice.won for choice in choices])
    weight = np.array([choice.weight for choice in choices])
    bent = precision
    for _ in range(NEWTON_STEPS):
        apart = sides @ at / sd
        up, down = mills(apart), mills(-apart)
        slope = weight * (won * up - (1 - won) * down) / sd
        curve = weight * (won * up * (up + apart) + (1 - won) * down * (down - apart)) / sd**2
        bent = precision + (sides.T * curve) @ sides
        step = np.linalg.solve(bent, pull - precision @ at + sides.T @ slope)
        at = at + step
        if np.abs(step).max() < 1e-3:
            break
    return at, bent


def contrasts(places: Sequence[tuple[int, int, int, int]], dim: int) -> Floats:
    """A row per comparison: + checkpoint and picture of the first, - those of the second."""
    found = np.zeros((len(places), dim))
    for row, (one, its, other, others) in zip(found, places, strict=True):
        row[[one, its]] += 1
        row[[other, others]] -= 1
    return found


def mills(t: Floats) -> Floats:
    """phi(t) / Phi(t) of the normal distribution, right far out too."""
    from scipy.special import log_ndtr

    return np.asarray(np.exp(-0.5 * t**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(t)))


def covariance(precision: Floats, n: int) -> Floats:
    """Of the first n unknowns."""
    return np.asarray(np.linalg.inv(precision)[:n, :n])


def promise(means: Floats, spread: Floats) -> Floats:
    """How probable it is of each that it is the greatest."""
    if not len(means):
        return means
    root = np.linalg.cholesky(spread + 1e-9 * np.eye(len(means)))
    draws = means + np.random.default_rng(0).standard_normal((2000, len(means))) @ root.T
    return np.bincount(draws.argmax(axis=1), minlength=len(means)) / len(draws)


def difference_sd(spread: Floats) -> Floats:
    """Standard deviation of every difference between two."""
    variance = np.diag(spread)
    return np.asarray(np.sqrt(np.maximum(variance[:, None] + variance[None, :] - 2 * spread, 0.0)))
