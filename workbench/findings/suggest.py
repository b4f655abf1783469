"""What to train next, ordered by what is learned per hour, or why nothing is worth the hours any more."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from sqlite_utils import Database

from db import library, runs
from trainer.config import TrainConfig
from workbench.findings.analysis import Tables
from workbench.findings.best import in_the_running
from workbench.findings.candidates import Candidate, Sweep, cells, corners, replicate, steps
from workbench.findings.noise import Noise, noise_floor
from workbench.running import queue
from workbench.running.device import known_precisions
from workbench.sweep import patterns
from workbench.sweep.cost import Cost, cost
from workbench.sweep.patterns import PatternError

MOST = 5  # suggestions shown
LEAST_CHANCE = 0.05  # that it is better, and that it differs by more than training seeds make
PRICED = 20  # those with the largest gain, of which the cost is reckoned
USUAL_SEEDS = 2  # trainings of a new pattern, where most patterns have as many

Price = Callable[[Sequence[TrainConfig]], Cost | None]


@dataclass(frozen=True)
class Suggestion:
    """One thing to train next. ``gain`` and ``chance``: None where the noise of training seeds is not known."""

    candidate: Candidate
    expected: float  # what its mean is believed to be, in the metric's unit; of a replicate, the rival's
    gain: float | None  # by how much the pattern that one would choose is expected to get better
    chance: float | None  # that it is better than the leader
    matters: float | None  # chance that the two differ by more than the sd between training seeds
    price: Cost | None = None

    @property
    def worth_it(self) -> bool:
        """Whether there may be something to find; so where nothing is known of that."""
        return all(chance is None or chance >= LEAST_CHANCE for chance in (self.chance, self.matters))


@dataclass(frozen=True)
class Advice:
    """The suggestions, best first, or the reason to stop; ``leader`` None: nothing was measured yet."""

    metric: str
    leader: int | None = None
    value: float = math.nan  # the leader's mean
    noise: Noise | None = None
    suggestions: tuple[Suggestion, ...] = ()
    left_out: tuple[Suggestion, ...] = ()  # not worth the hours, likeliest first
    waiting: int = 0  # runs that wait or train already
    means: Mapping[int, float] = field(default_factory=dict)  # of the measured patterns, as they rank

    @property
    def n_patterns(self) -> int:
        return len(self.means)

    @property
    def stop(self) -> bool:
        """Nothing is left to learn that is worth the hours: said only where the noise is known."""
        return self.n_patterns > 1 and self.noise is not None and not self.suggestions and not self.waiting


def advice(db: Database, project_id: int, tables: Tables) -> Advice:
    """What to train next in a project; without photos to train on, nothing."""
    project = library.project(db, project_id)
    assert project is not None
    n_photos = len(library.photos(db, project["dataset_id"], "train")) if project["dataset_id"] else 0
    if not n_photos:
        return Advice(tables.main_metric)
    listed = {pattern.pattern_id: pattern for pattern in patterns.listed(db, project_id)}
    rows = runs.of_project(db, project_id)
    sweep = Sweep(listed, rows, project["dataset_id"], n_photos, known_precisions(db))
    return suggest(tables, sweep, lambda wanted: cost(db, project_id, wanted))


def state(db: Database, project_id: int) -> tuple[tuple[int, str], ...]:
    """What advice depends on besides the tables: it is another where a run or a pattern is."""
    queued = [(int(row["id"]), str(row["status"])) for row in runs.of_project(db, project_id)]
    return (*queued, *((p.pattern_id, p.label) for p in patterns.listed(db, project_id)))


def suggest(tables: Tables, sweep: Sweep, price: Price) -> Advice:
    """At most MOST things to train next by the main metric, those from which most is learned per hour first.

    What is learned is the knowledge gradient (Frazier, Powell & Dayanik 2009): by how much the pattern that one would
    choose afterwards is expected to be better than the leader now, s x f(-d / s) with f(z) = pdf(z) + z cdf(z), d = how
    far the candidate is believed to be behind the leader, s = the standard deviation by which the trainings will move
    that. Every mean is believed to be what was measured, give or take sqrt(v / runs) with the pattern's variance
    between training seeds, moderated by that of all (:meth:`Noise.variance`). Left out is what has less than
    LEAST_CHANCE of being better than the leader, or of differing from it by more than that sd, since then it doesn't
    matter which is better. Where nothing else is left it is time to stop.
    """
    metric = tables.main_metric
    ranked = in_the_running(tables, metric)
    waiting = sum(row["status"] in ("queued", "running") for row in sweep.here())
    ranked = ranked[[int(pattern) in sweep.listed for pattern in ranked["pattern_id"]]]
    if ranked.empty:
        return Advice(metric, waiting=waiting)
    means = {int(pattern): float(value) for pattern, value in zip(ranked["pattern_id"], ranked[metric], strict=True)}
    n_runs = {int(pattern): int(n) for pattern, n in zip(ranked["pattern_id"], ranked["n_seeds"], strict=True)}
    own = {int(pattern): float(sd) ** 2 for pattern, sd in zip(ranked["pattern_id"], ranked["seed_sd"], strict=True)}
    noise = noise_floor(tables.checkpoints, metric)
    belief = Belief(means, n_runs, next(iter(means)), noise, own)
    n_seeds = USUAL_SEEDS if median(n_runs.values()) >= USUAL_SEEDS else 1
    best: dict[str, Suggestion] = {}
    for candidate in found(tables, sweep, belief, n_seeds):
        weighed = belief.weigh(candidate)
        key = " ".join(
            [str(candidate.kind == "replicate"), *sorted({sweep.key(t.config) for t in candidate.trainings})]
        )
        if key not in best or (weighed.gain or 0.0) > (best[key].gain or 0.0):
            best[key] = weighed
    each = sorted(best.values(), key=lambda s: s.chance or 0.0, reverse=True)
    worth = sorted((s for s in each if s.worth_it), key=lambda s: s.gain or 0.0, reverse=True)[:PRICED]
    priced = [replace(s, price=price([t.config for t in s.candidate.trainings])) for s in worth]
    return Advice(
        metric,
        belief.leader,
        means[belief.leader],
        noise,
        tuple(in_order(priced)[:MOST]),
        tuple(s for s in each if not s.worth_it),
        waiting,
        means,
    )


def in_order(suggestions: Sequence[Suggestion]) -> list[Suggestion]:
    """Most learned per hour first; without known noise replicates, which make it known, then the quickest.

    If the hours of any are not measured, all are compared by updates.
    """
    timed = all(s.price is not None and s.price.seconds is not None for s in suggestions)

    def rank(s: Suggestion) -> tuple[float, float]:
        work = math.inf if s.price is None else s.price.seconds if timed else float(s.price.updates)
        if s.gain is None:
            return float(s.candidate.kind != "replicate"), work or 0.0
        return -s.gain / (work or 1.0), 0.0

    return sorted(suggestions, key=rank)


def found(tables: Tables, sweep: Sweep, belief: "Belief", n_seeds: int) -> Iterator[Candidate]:
    """Everything that could be tried."""
    rival = belief.rival()
    if rival is not None or belief.n_runs[belief.leader] == 1:
        again = replicate(sweep, belief.leader, rival, belief.n_runs)
        yield from [again] if again else []
    # higher is better in each of analysis.MAIN_METRICS
    yield from corners(tables, sweep, belief.means, n_seeds)
    yield from cells(sweep, belief.leader, belief.means, n_seeds)
    yield from steps(tables, sweep, belief.means, n_seeds)


@dataclass(frozen=True)
class Belief:
    """What is believed of the measured patterns; ``means`` as they rank, the leader first."""

    means: Mapping[int, float]
    n_runs: Mapping[int, int]
    leader: int
    noise: Noise | None
    own: Mapping[int, float] = field(default_factory=dict)  # variance between training seeds; missing with one run

    def variance(self, pattern: int, more: int = 0) -> float:
        """Of a pattern's mean, after so many more runs: v / n."""
        assert self.noise is not None
        n = self.n_runs[pattern]
        return self.noise.variance(n, self.own.get(pattern, math.nan)) / (n + more)

    def rival(self) -> int | None:
        """The pattern that is likeliest to be better than the leader in truth."""
        others = [pattern for pattern in self.means if pattern != self.leader]
        if not others or self.noise is None:
            return others[0] if others else None
        return max(others, key=lambda other: self.chances(self.means[other], {other: 1.0}, 0.0)[0])

    def apart(self, weights: Mapping[int, float], spread: float) -> float:
        """Variance of the difference to the leader of something that is believed to be a sum of measured means."""
        against = {**weights, self.leader: weights.get(self.leader, 0.0) - 1.0}
        return sum(weight**2 * self.variance(pattern) for pattern, weight in against.items()) + spread**2

    def chances(self, expected: float, weights: Mapping[int, float], spread: float) -> tuple[float, float]:
        """That something is better than the leader, and that they differ by more than the sd between training seeds.

        By the distribution that the intervals are made from (:func:`family.of_one`), for the patterns it rests on.
        """
        assert self.noise is not None
        behind, error = self.means[self.leader] - expected, math.sqrt(self.apart(weights, spread))
        if error <= 0:
            return float(behind < 0), float(abs(behind) > self.noise.sd)
        ns = [self.n_runs[pattern] for pattern in {*weights, self.leader}]

        def above(gap: float) -> float:
            assert self.noise is not None
            half = self.noise.chance(gap / error, ns) / 2
            return half if gap > 0 else 1 - half

        return above(behind), above(self.noise.sd + behind) + above(self.noise.sd - behind)

    def weigh(self, candidate: Candidate) -> Suggestion:
        """What is expected of a candidate, and learned from it."""
        expected = sum(weight * self.means[pattern] for pattern, weight in candidate.weights.items())
        if self.noise is None:
            return Suggestion(candidate, expected, None, None, None)
        chances = self.chances(expected, candidate.weights, candidate.spread)
        gain = knowledge_gradient(self.means[self.leader] - expected, math.sqrt(self.moved(candidate)))
        return Suggestion(candidate, expected, gain, *chances)

    def moved(self, candidate: Candidate) -> float:
        """Variance by which the trainings will move the difference to the leader.

        Of more seeds: what they take off the variances. Of something new with prior variance v: the squared covariance
        of its runs' mean with that difference, over the variance of that mean, v + sd^2 / runs.
        """
        assert self.noise is not None
        if candidate.kind == "replicate":
            trained = [training.source for training in candidate.trainings]
            return sum(self.variance(pattern) - self.variance(pattern, 1) for pattern in trained)
        weights = candidate.weights
        own = sum(w**2 * self.variance(pattern) for pattern, w in weights.items()) + candidate.spread**2
        shared = weights.get(self.leader, 0.0) * self.variance(self.leader)
        return (own - shared) ** 2 / (own + self.noise.sd**2 / len(candidate.trainings))


def knowledge_gradient(behind: float, sd: float) -> float:
    """E[max(0, X)] of a normal X with mean ``-behind`` and this sd: sd x (pdf(z) + z cdf(z)), z = -behind / sd.

    >>> round(knowledge_gradient(0.0, 1.0), 4)
    0.3989
    """
    if sd <= 0:
        return max(0.0, -behind)
    z = -behind / sd
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return sd * (density + z * 0.5 * math.erfc(-z / math.sqrt(2)))


def take_up(db: Database, project_id: int, suggestion: Suggestion) -> list[int]:
    """Queue a suggestion: its patterns are added where they are not there yet; the runs' ids.

    Raises PatternError or QueueError with the reason.
    """
    project = library.project(db, project_id)
    there = {pattern.pattern_id for pattern in patterns.listed(db, project_id)}
    asked = {each.source for each in suggestion.candidate.trainings}
    if project is None or project["deleted_at"] is not None or asked - there:
        raise PatternError("Since this was suggested its pattern or project was put into the bin. Restore it first.")
    made: dict[str, int] = {}
    queued = []
    for training in suggestion.candidate.trainings:
        pattern_id = training.pattern_id if training.pattern_id is not None else made.get(training.config.hash)
        if pattern_id is None:
            pattern_id = stored(db, project_id, training.config)
        if pattern_id is None:
            label = patterns.free_name(db, project_id, training.label)
            pattern_id = patterns.clone(db, project_id, training.source, label, "suggested", **training.changes)
        made[training.config.hash] = pattern_id
        queued += queue.enqueue(db, project_id, [pattern_id], [training.seed])
    return queued


def stored(db: Database, project_id: int, config: TrainConfig) -> int | None:
    """The project's pattern with these settings, which another page may have added since."""
    return next((p.pattern_id for p in patterns.listed(db, project_id) if p.hash == config.hash), None)


def take_back(db: Database, run_ids: Sequence[int]) -> None:
    """Cancel what was queued; the patterns stay."""
    for run_id in run_ids:
        queue.cancel(db, run_id)
