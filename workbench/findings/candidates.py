"""What could be trained next: another seed, the missing corner of a 2x2, one change of two, one step further."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any, Literal

from trainer.config import ConfigError, TrainConfig, parse_config
from trainer.effective import differing, effective
from workbench.findings.analysis import Tables
from workbench.sweep.danger import dangers
from workbench.sweep.patterns import Pattern
from workbench.sweep.settings import change_label

Kind = Literal["replicate", "corner", "cell", "step"]

BY_FACTOR = ("learning_rate", "text_encoder_lr", "alpha", "conv_alpha", "weight_decay", "max_updates", "max_images")
DOUBLED = ("dim", "conv_dim", "batch_size", "gradient_accumulation")
COUNTS = ("epochs", "repeats", "max_updates", "max_images")
BY_STEP = ("clip_skip", "warmup_updates", "noise_offset", "dropout", "caption_dropout", "min_snr_gamma")
LARGEST_FACTOR = 4.0  # from one value to the next
TRIED = ("queued", "running", "done", "failed")


@dataclass(frozen=True)
class Training:
    """One run to be queued: of a pattern that there is, or of a copy with changes under a label of its own."""

    config: TrainConfig
    seed: int
    pattern_id: int | None  # None = not there yet
    source: int  # the pattern that the copy is made of; where it is there, itself
    changes: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""


@dataclass(frozen=True)
class Candidate:
    """Something that could be trained, and what is believed of it beforehand.

    Its mean is believed to be the sum of ``weights`` x the means of measured patterns, give or take a standard
    deviation of ``spread`` on top of what these themselves leave open, in the metric's unit.
    """

    kind: Kind
    trainings: tuple[Training, ...]
    weights: Mapping[int, float]
    spread: float
    about: Mapping[str, Any]  # for the words


@dataclass(frozen=True)
class Sweep:
    """What a sweep has and what was tried, as far as suggestions need it."""

    listed: Mapping[int, Pattern]
    runs: Sequence[Mapping[str, Any]]  # rows of the project's runs
    dataset_id: int | None
    n_photos: int
    precisions: Collection[str]

    def key(self, config: TrainConfig) -> str:
        """Equal for patterns that train the very same LoRA here."""
        return repr(sorted(effective(config, self.precisions).items()))

    def here(self) -> list[Mapping[str, Any]]:
        """The runs on the photos that new runs use."""
        return [row for row in self.runs if row["dataset_id"] == self.dataset_id and not row["final"]]

    @cached_property
    def tried(self) -> set[str]:
        """The keys of what was trained, has failed, or waits."""
        ids = {row["pattern_id"] for row in self.here() if row["status"] in TRIED}
        return {self.key(self.listed[pattern].config) for pattern in ids if pattern in self.listed}

    @cached_property
    def stored(self) -> dict[str, int]:
        """Key -> pattern that can be trained here."""
        return {self.key(p.config): p.pattern_id for p in reversed(list(self.listed.values())) if can_train(p)}

    def waits(self, pattern: int) -> bool:
        return any(row["pattern_id"] == pattern and row["status"] in ("queued", "running") for row in self.here())

    def seeds(self, pattern: int) -> list[int]:
        """The training seeds of a pattern's finished runs."""
        return sorted({int(r["seed"]) for r in self.here() if (r["pattern_id"], r["status"]) == (pattern, "done")})

    def next_seed(self, pattern: int) -> int:
        """As ``queue.next_seed`` gives it."""
        return max([0, *(int(row["seed"]) for row in self.runs if row["pattern_id"] == pattern)]) + 1


def can_train(pattern: Pattern) -> bool:
    """Whether a pattern can be queued as it is."""
    return pattern.origin is None and not pattern.unknown


def replicate(sweep: Sweep, leader: int, rival: int | None, n_runs: Mapping[int, int]) -> Candidate | None:
    """One more seed of the leader and of its rival, or of the one with fewer; None where that waits already."""
    both = [leader] if rival is None else [leader, rival]
    chosen = [p for p in both if n_runs[p] == min(n_runs[each] for each in both)]
    if any(sweep.waits(p) or not can_train(sweep.listed[p]) for p in chosen):
        return None
    trainings = tuple(
        Training(sweep.listed[p].config, sweep.next_seed(p), p, p, label=sweep.listed[p].label) for p in chosen
    )
    about = {"leader": leader, "rival": rival, "single": n_runs[leader] == 1}
    return Candidate("replicate", trainings, {both[-1]: 1.0}, 0.0, about)


def changed(sweep: Sweep, source: int, changes: Mapping[str, Any], n_seeds: int) -> tuple[Training, ...]:
    """Trainings of a copy with some changes, by seeds of its source; none where it is tried, dangerous or invalid."""
    start = sweep.listed[source]
    if not can_train(start):
        return ()
    try:
        config = parse_config({**start.config.model_dump(mode="json"), **changes})
    except ConfigError:
        return ()
    key = sweep.key(config)
    if key in sweep.tried or any(danger.warn for danger in dangers(config, sweep.n_photos)):
        return ()
    stored = sweep.stored.get(key)
    label = sweep.listed[stored].label if stored is not None else change_label(start.label, changes)
    seeds = (sweep.seeds(source) or [1])[:n_seeds]
    return tuple(Training(config, seed, stored, source, changes, label) for seed in seeds)


def corners(tables: Tables, sweep: Sweep, means: Mapping[int, float], n_seeds: int) -> Iterator[Candidate]:
    """The fourth of every 2x2 of which three are measured.

    Changes that go two ways are expected to add up (b + c - a). Of two that go the same way the smaller is expected to
    add nothing, since settings often act through the same thing (how far the weights are moved) and that can be
    overdone. Either way give or take the smaller change, of two that make it worse half of it: a rule of thumb after
    effect heredity (Hamada & Wu 1992).
    """
    beside: dict[int, list[tuple[str, int, Any]]] = {}  # pattern -> (setting, the other, its value)
    for pair in tables.contrasts:
        if pair.a in means and pair.b in means:
            beside.setdefault(pair.a, []).append((pair.setting, pair.b, pair.value_b))
            beside.setdefault(pair.b, []).append((pair.setting, pair.a, pair.value_a))
    for a, others in beside.items():
        for (first, b, b1), (second, c, c2) in combinations(others, 2):
            if first == second:
                continue
            trainings = changed(sweep, b, {second: c2}, n_seeds)
            if not trainings or not square(sweep, trainings[0].config, b, c, first, second):
                continue
            about = {"first": first, "second": second, "a": a, "b": b, "c": c, "first_value": b1, "second_value": c2}
            weights, spread = added_up(means, a, b, c)
            yield Candidate("corner", trainings, weights, spread, about)


def added_up(means: Mapping[int, float], a: int, b: int, c: int) -> tuple[dict[int, float], float]:
    """What the fourth corner is expected to be: the weights of the three, and give or take how much."""
    to_b, to_c = means[b] - means[a], means[c] - means[a]
    spread = min(abs(to_b), abs(to_c))
    if to_b * to_c <= 0:
        return {a: -1.0, b: 1.0, c: 1.0}, spread
    return {b if abs(to_b) >= abs(to_c) else c: 1.0}, spread if to_b > 0 else spread / 2


def square(sweep: Sweep, config: TrainConfig, b: int, c: int, first: str, second: str) -> bool:
    """Whether a pattern differs from b in the second setting alone, and from c in the first alone."""
    own = effective(config, sweep.precisions)
    to_b = differing(effective(sweep.listed[b].config, sweep.precisions), own)
    to_c = differing(effective(sweep.listed[c].config, sweep.precisions), own)
    return (to_b, to_c) == ([second], [first])


def cells(sweep: Sweep, leader: int, means: Mapping[int, float], n_seeds: int) -> Iterator[Candidate]:
    """Patterns between the leader and another that differs from it in two settings: with one of the changes alone.

    Expected half-way, give or take half of the way. Where one of the two is trained the other is a corner.
    """
    best = sweep.listed[leader]
    if not can_train(best):
        return
    for other in means:
        start = sweep.listed[other]
        if other == leader or not can_train(start):
            continue
        names = differing(effective(start.config, sweep.precisions), effective(best.config, sweep.precisions))
        if len(names) != 2:
            continue
        both = [changed(sweep, other, {name: getattr(best.config, name)}, n_seeds) for name in names]
        if not all(both):
            continue
        for name, rest, trainings in zip(names, reversed(names), both, strict=True):
            between = effective(trainings[0].config, sweep.precisions)
            if differing(effective(start.config, sweep.precisions), between) != [name]:
                continue
            about = {"leader": leader, "other": other, "setting": name, "rest": rest}
            spread = abs(means[leader] - means[other]) / 2
            yield Candidate("cell", trainings, {leader: 0.5, other: 0.5}, spread, about)


def steps(tables: Tables, sweep: Sweep, means: Mapping[int, float], n_seeds: int) -> Iterator[Candidate]:
    """One step further where the best value of a setting is the last one tried.

    Expected as good as the best, give or take what the last step made.
    """
    lines: dict[tuple[int, str], dict[Any, int]] = {}  # (pattern, setting) -> value -> pattern, its own included
    for pair in tables.contrasts:
        if pair.a in means and pair.b in means:
            for own, value, other, others in (
                (pair.a, pair.value_a, pair.b, pair.value_b),
                (pair.b, pair.value_b, pair.a, pair.value_a),
            ):
                lines.setdefault((own, pair.setting), {value: own})[others] = other
    for (pattern, setting), line in lines.items():
        if any(not isinstance(value, int | float) or isinstance(value, bool) for value in line):
            continue
        values = sorted(line)
        best = max(values, key=lambda value: means[line[value]])
        if line[best] != pattern or best not in (values[0], values[-1]):
            continue
        near = values[1] if best == values[0] else values[-2]
        value = beyond(setting, near, best)
        if value is None:
            continue
        trainings = changed(sweep, pattern, {setting: value}, n_seeds)
        if trainings:
            about = {"setting": setting, "pattern": pattern, "values": values, "best": best, "value": value}
            yield Candidate("step", trainings, {pattern: 1.0}, abs(means[pattern] - means[line[near]]), about)


def beyond(setting: str, near: float, best: float) -> float | int | None:
    """The value one step beyond the best one, coming from its neighbour; None where a setting has no such scale.

    Rates and lengths go on by the same factor (at most LARGEST_FACTOR), ranks and batches to the next power of two,
    others by the same difference.
    """
    if setting in DOUBLED:
        power = math.floor(math.log2(best)) + 1 if best > near else math.ceil(math.log2(best)) - 1
        return int(2**power) if power >= 0 else None
    if setting in BY_STEP:
        value = best + (best - near)
        whole = isinstance(best, int) and isinstance(near, int)
        return int(value) if whole else float(f"{value:.6g}")
    if setting not in (*BY_FACTOR, *COUNTS) or min(near, best) <= 0:
        return None
    value = best * min(max(best / near, 1 / LARGEST_FACTOR), LARGEST_FACTOR)
    if setting in COUNTS:
        return max(1, round(value)) if round(value) != best else None
    return float(f"{value:.2g}")
