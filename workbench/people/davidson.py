"""The Bradley-Terry model with ties (Davidson 1970), with effects of prompts: fit, curvature, evidence."""

import math
from dataclasses import dataclass

import numpy as np

TIES_SD = 2.0  # prior of log(ties parameter), around 0: ties in 1 of 100 to 96 of 100 answers between equals
STEPS, ENOUGH = 60, 1e-9  # of Newton's method; change of a strength, in logits


@dataclass(frozen=True)
class Comparisons:
    """Answers between cells, an array entry each. A cell is one checkpoint under one prompt."""

    owner: np.ndarray  # cell -> number of its checkpoint
    first: np.ndarray  # cell
    second: np.ndarray  # cell
    said: np.ndarray  # 1: the first is preferred, 0.5: tie, 0: the second
    weight: np.ndarray

    @property
    def tied(self) -> np.ndarray:
        return self.said == 0.5


@dataclass(frozen=True)
class Fit:
    """The mode of the posterior and the normal approximation around it (Laplace)."""

    strengths: np.ndarray  # of each checkpoint, in logits
    cov: np.ndarray  # of the strengths
    cells: np.ndarray  # strength of each cell
    log_ties: float  # log of Davidson's nu; -inf where nothing was tied
    evidence: float  # log of the marginal likelihood, up to a constant


def fit(data: Comparisons, sd: float, prompts_sd: float, start: Fit | None = None) -> Fit:
    """The strengths behind the answers.

    With s = the strength of a cell, P(first) : P(second) : P(tie) = e^s1 : e^s2 : nu e^((s1 + s2) / 2). A cell's
    strength is its checkpoint's, N(0, sd^2), plus what its prompt changes, N(0, prompts_sd^2). ``sd`` inf and
    ``prompts_sd`` 0 give the maximum likelihood estimate (which exists only where every checkpoint can be reached from
    every other over wins and ties); its sum is 0. ``start``: a fit of the same data from which it isn't far.
    """
    n = int(data.owner.max()) + 1
    kept = np.arange(len(data.owner))
    if prompts_sd == 0:
        kept, owner = data.owner, np.arange(n)
        data = Comparisons(owner, data.owner[data.first], data.owner[data.second], data.said, data.weight)
    precision = prior_precision(data.owner, sd, prompts_sd)
    begin = (np.zeros(len(data.owner)), 0.0) if start is None else (start.cells, start.log_ties)
    cells, log_ties, hessian = mode(data, precision, 0.0 if math.isinf(sd) else TIES_SD**-2, *begin)
    size = len(cells)
    cov: np.ndarray = np.linalg.inv(determined(hessian, size) if math.isinf(sd) else hessian)[:size, :size]
    to_checkpoint: np.ndarray = np.identity(n)
    rest: np.ndarray = np.zeros(n)
    if prompts_sd > 0:
        counts = np.bincount(data.owner, minlength=n)
        share = sd**2 / (prompts_sd**2 + counts * sd**2)
        to_checkpoint = np.identity(n)[:, data.owner] * share[data.owner]
        rest = share * prompts_sd**2
    evidence = log_likelihood(data, cells, log_ties) - 0.5 * cells @ precision @ cells
    if not math.isinf(sd):
        evidence += 0.5 * (np.linalg.slogdet(precision)[1] - np.linalg.slogdet(hessian)[1])
        evidence -= 0.0 if math.isinf(log_ties) else 0.5 * (log_ties / TIES_SD) ** 2 + math.log(TIES_SD)
    spread = to_checkpoint @ cov @ to_checkpoint.T + np.diag(rest)
    return Fit(to_checkpoint @ cells, spread, cells[kept], log_ties, float(evidence))


def prior_precision(owner: np.ndarray, sd: float, prompts_sd: float) -> np.ndarray:
    """Inverse of the cells' prior covariance: sd^2 between cells of one checkpoint, + prompts_sd^2 on the diagonal.

    (a I + b 1 1')^-1 = (I - b / (a + k b) 1 1') / a (Sherman & Morrison 1950).
    """
    size = len(owner)
    if math.isinf(sd):
        return np.zeros((size, size))
    if prompts_sd == 0:
        return np.eye(size) / sd**2
    counts = np.bincount(owner)[owner]
    same = owner[:, None] == owner[None, :]
    between = sd**2 / (prompts_sd**2 + counts * sd**2)
    return (np.eye(size) - same * between[:, None]) / prompts_sd**2


def chances(gap: np.ndarray, log_ties: float) -> tuple[np.ndarray, np.ndarray]:
    """(P(first preferred), P(tie)) at a gap of strengths of first - second, in logits."""
    half = np.exp(-np.abs(gap) / 2)  # no overflow: all three over e^(|gap| / 2)
    tie = np.exp(log_ties) * half
    total = 1 + half**2 + tie
    return np.where(gap >= 0, 1.0, half**2) / total, tie / total


def log_likelihood(data: Comparisons, cells: np.ndarray, log_ties: float) -> float:
    first, tie = chances(cells[data.first] - cells[data.second], log_ties)
    chance = np.where(data.said == 1, first, np.where(data.tied, tie, 1 - first - tie))
    return float(data.weight @ np.log(np.maximum(chance, 1e-300)))


def mode(
    data: Comparisons, precision: np.ndarray, prior_ties: float, cells: np.ndarray, log_ties: float
) -> tuple[np.ndarray, float, np.ndarray]:
    """Newton's method on the concave log posterior: cells (n,), log nu, negative Hessian (n + 1, n + 1; n x n where
    nothing was tied, since nu is 0 then). ``cells``, ``log_ties``: where it begins."""
    size, with_ties = len(data.owner), bool(data.tied.any())
    log_ties = log_ties if with_ties else -math.inf
    free = not precision.any()
    for _ in range(STEPS):
        gradient, hessian = derivatives(data, cells, log_ties, precision, prior_ties)
        step = np.linalg.solve(determined(hessian, size) if free else hessian, gradient)
        step *= min(1.0, 2.0 / max(np.abs(step).max(), 1e-12))  # at most 2 logits at once: no overshooting
        cells = cells + step[:size]
        log_ties += step[size] if with_ties else 0.0
        if np.abs(step).max() < ENOUGH:
            break
    return cells, log_ties, derivatives(data, cells, log_ties, precision, prior_ties)[1]


def determined(hessian: np.ndarray, size: int) -> np.ndarray:
    """Without a prior the sum of all strengths is free: here it is held at 0."""
    held = hessian.copy()
    held[:size, :size] += 1.0
    return held


def derivatives(
    data: Comparisons, cells: np.ndarray, log_ties: float, precision: np.ndarray, prior_ties: float
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and negative Hessian of the log posterior in (cells, log nu).

    In the gap g, log P(first) is g / 2 - log Z, so its slope is said - E with E = P(first) + P(tie) / 2, and the
    curvature the variance of the half points: P(first) + P(tie) / 4 - E^2. In log nu the slope is tied - P(tie).
    """
    size = len(cells)
    first, tie = chances(cells[data.first] - cells[data.second], log_ties)
    expected = first + tie / 2
    slope = data.weight * (data.said - expected)
    curve = data.weight * (first + tie / 4 - expected**2)
    gradient = np.bincount(data.first, slope, size) - np.bincount(data.second, slope, size) - precision @ cells
    hessian = laplacian(data.first, data.second, curve, size) + precision
    if math.isinf(log_ties):
        return gradient, hessian
    mixed = data.weight * tie * (0.5 - expected)  # covariance of half points and being tied
    column = np.bincount(data.first, mixed, size) - np.bincount(data.second, mixed, size)
    corner = data.weight @ (tie * (1 - tie)) + prior_ties
    full = np.block([[hessian, column[:, None]], [column[None, :], np.array([[corner]])]])
    return np.append(gradient, data.weight @ (data.tied - tie) - prior_ties * log_ties), full


def laplacian(first: np.ndarray, second: np.ndarray, weight: np.ndarray, size: int) -> np.ndarray:
    """Sum of weight (e_first - e_second)(e_first - e_second)'."""
    off = np.bincount(first * size + second, weight, size * size).reshape(size, size)
    off = off + off.T
    return np.diag(off.sum(axis=1)) - off
