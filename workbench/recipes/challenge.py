"""Challenge the default on a new person: what to try, what it costs, queue both with the same seeds, take it back."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from db import immediate, library, recipes
from workbench import views
from workbench.bases import NO_BASE, short
from workbench.findings.analysis import tables
from workbench.findings.best import best_so_far
from workbench.plans.plan import plan_of
from workbench.recipes.default import Default
from workbench.recipes.verdicts import Overview, stopped_challengers
from workbench.recipes.words import chance, counted_people
from workbench.running import queue
from workbench.running.device import known_precisions
from workbench.running.queue import QueueError
from workbench.sweep import patterns, preflight
from workbench.sweep.cost import Cost, cost
from workbench.sweep.patterns import Asked, Pattern, PatternError
from workbench.sweep.preflight import Note

SEEDS = (1, 2)


class ChallengeError(ValueError):
    """A challenge that can't be begun as asked."""


@dataclass(frozen=True)
class Offer:
    """A pattern that could challenge the default, and why it is offered."""

    pattern_id: int
    label: str
    why: str


@dataclass(frozen=True)
class Prepared:
    """What a challenge on a project comes to before it is queued."""

    project_id: int
    default: Default
    challenger: int
    label: str  # of the challenger
    wanted: Mapping[int, Sequence[int]]  # seed -> patterns that are to be trained with it
    price: Cost | None
    notes: tuple[Note, ...]

    @property
    def runs(self) -> int:
        return sum(map(len, self.wanted.values()))


def problem_of(db: Database, project: Mapping[str, Any], pattern_id: int, label: str) -> str:
    """Why a pattern can't be trained in a project; empty where it can."""
    config = patterns.get(db, pattern_id)
    if plan_of(db, project["id"]).elsewhere or project["base_model"] == NO_BASE:
        return f"'{project['name']}' is about pictures that were made elsewhere: nothing is trained there."
    if not project["dataset_id"] or not library.photos(db, project["dataset_id"], "train"):
        return f"'{project['name']}' has no photos to train on yet. Add some on the Photos page first."
    if config.base_model != project["base_model"]:
        return (
            f"'{label}' trains on the base model {short(config.base_model)}, but '{project['name']}' uses "
            f"{short(project['base_model'])}. The base model is part of a pattern: on another base it is another "
            f"recipe, which has to show what it is worth there. Choose a pattern on {short(project['base_model'])}, or "
            "change the project's base model on Home."
        )
    return ""


def offers(db: Database, project: Mapping[str, Any], seen: Overview, leaders: Sequence[int] = ()) -> list[Offer]:
    """Patterns on the project's base that could challenge the default, the most promising first.

    First challengers under way (trained beside the default for somebody, neither settled nor stopped), those with the
    most people first; then ``leaders``, the best patterns of the last projects; then all others by their chance to be
    better. What trains the very same LoRA as the default is not offered, and nor is what was settled or stopped.
    """
    default = seen.default
    if default is None:
        return []
    allowed = candidates(db, project, default.pattern_id)
    stopped = stopped_challengers(db, default.pattern_id)
    settled = {each.challenger for each in seen.verdicts if each.nothing_left}
    found: dict[int, str] = {}
    open_ones = [each for each in seen.verdicts if not each.nothing_left and not each.stopped]
    begun = begun_challengers(db, default.pattern_id)
    for each in open_ones:
        if each.challenger in begun or each.pooled.people > 1:
            found.setdefault(each.challenger, f"under way: {counted_people(each.pooled.people)} so far")
    for pattern in begun:
        found.setdefault(pattern, "under way: nobody measured so far")
    for pattern in leaders:
        found.setdefault(pattern, "leads in the last project")
    for each in sorted(open_ones, key=lambda one: -(one.pooled.chance if one.pooled.has_interval else 0.5)):
        how = f"chance to be better {chance(each.pooled)}" if each.pooled.has_interval else "measured for one person"
        found.setdefault(each.challenger, how)
    for pattern in allowed:
        found.setdefault(pattern, "not compared with your default yet")
    left = {pattern: why for pattern, why in found.items() if pattern in allowed and pattern not in settled | stopped}
    return [Offer(pattern, seen.labels.get(pattern, allowed[pattern].label), why) for pattern, why in left.items()]


def candidates(db: Database, project: Mapping[str, Any], default: int) -> dict[int, Pattern]:
    """Every pattern of any project in use that can be trained in this one and isn't the default's very same LoRA."""
    named: dict[int, Pattern] = {}
    for each in library.projects(db):
        for pattern in patterns.listed(db, each["id"]):
            if pattern.origin is None and pattern.config.base_model == project["base_model"]:
                named.setdefault(pattern.pattern_id, pattern)
    same = same_as(named.values(), default, db)
    return {number: pattern for number, pattern in named.items() if number not in same}


def same_as(listed: Iterable[Pattern], default: int, db: Database) -> set[int]:
    """The default, and what differs from it in nothing that has an effect here."""
    for group in patterns.same_among(list(listed), known_precisions(db)):
        if default in {pattern.pattern_id for pattern in group}:
            return {pattern.pattern_id for pattern in group}
    return {default}


def begun_challengers(db: Database, default: int) -> list[int]:
    """Challengers whose challenge was begun and not undone, the last begun first."""
    rows = [row for row in recipes.challenges(db, default) if row["event"] == "begin" and not row["undone"]]
    return list(dict.fromkeys(row["challenger_id"] for row in reversed(rows)))


def prepare(
    db: Database, project: Mapping[str, Any], default: Default, challenger: int, seeds: Iterable[int] = SEEDS
) -> Prepared:
    """What a challenge would queue here, what it costs, what is dangerous about it. Nothing is written.

    Raises ChallengeError where it can't be: another base model, no photos, the very same LoRA, all trained already.
    """
    chosen = list(dict.fromkeys(seeds))
    if not chosen:
        raise ChallengeError("Choose a training seed, or better two: one alone leaves open what chance makes.")
    wrong = [seed for seed in chosen if not 0 <= seed < 2**32]  # a negative one would be another for each training
    if wrong:
        raise ChallengeError(f"Training seeds are whole numbers from 0 to {2**32 - 1:,}: {wrong[0]} is none.")
    label = label_in(db, project["id"], challenger) or any_label(db, challenger)
    if challenger == default.pattern_id:
        raise ChallengeError(f"'{label}' is your default: choose another pattern to challenge it.")
    for pattern_id, name in ((default.pattern_id, default.label), (challenger, label)):
        if problem := problem_of(db, project, pattern_id, name):
            raise ChallengeError(problem)
    both = [Asked(default.label, patterns.get(db, default.pattern_id)), Asked(label, patterns.get(db, challenger))]
    if patterns.same_among(patterns.unsaved(both), known_precisions(db)):
        raise ChallengeError(
            f"'{label}' and your default '{default.label}' differ in nothing that has an effect here: they would "
            "train the very same LoRA."
        )
    wanted = views.untried(db, project, (default.pattern_id, challenger), chosen)
    configs = dict(zip((default.pattern_id, challenger), (each.config for each in both), strict=True))
    price = cost(db, project["id"], [configs[number] for numbers in wanted.values() for number in numbers])
    return Prepared(
        project["id"], default, challenger, label, wanted, price, tuple(notes(db, project["id"], configs, both))
    )


def notes(db: Database, project_id: int, configs: Mapping[int, Any], both: Sequence[Asked]) -> list[Note]:
    """What is known of the two beforehand in this project: dangers, what does nothing, what can't work here."""
    there = {pattern.pattern_id for pattern in patterns.listed(db, project_id)}
    new = [asked for number, asked in zip(configs, both, strict=True) if number not in there]
    known = [each for each in preflight.notes(db, project_id) if set(each.pattern_ids) & configs.keys() & there]
    before = preflight.notes_before(db, project_id, new) if new else []
    return list({each.text: each for each in (*known, *before)}.values())


def begin(db: Database, prepared: Prepared) -> int:
    """Queue the default and its challenger with the same seeds, adding them to the project; the challenge's id.

    Raises ChallengeError when all of it is trained or queued already, PatternError or QueueError with the reason.
    """
    if not prepared.runs:
        raise ChallengeError("All of these are trained or queued already: nothing is left to queue with these seeds.")
    project_id, default = prepared.project_id, prepared.default
    with immediate(db):
        stored(db, project_id, default.pattern_id, default.label, "the default")
        stored(db, project_id, prepared.challenger, prepared.label, f"challenges the default '{default.label}'")
        queued: list[int] = []
        for seed, pattern_ids in prepared.wanted.items():
            queued += queue.enqueue(db, project_id, pattern_ids, [seed])
        return recipes.add_challenge(
            db, "begin", default.pattern_id, prepared.challenger, project_id=project_id, run_ids=queued
        )


def stored(db: Database, project_id: int, pattern_id: int, label: str, note: str) -> None:
    """Give a pattern a label in a project that doesn't have it yet."""
    if label_in(db, project_id, pattern_id) is None:
        asked = patterns.free_name(db, project_id, label)
        added = patterns.add(db, project_id, patterns.get(db, pattern_id), asked, note)
        assert added == pattern_id  # the same settings are the same row


def take_back(db: Database, challenge_id: int) -> list[int]:
    """Cancel what a challenge queued and is not trained yet; the runs' ids. The patterns stay. Again: nothing."""
    row = recipes.challenge(db, challenge_id)
    if row is None or row["event"] != "begin":
        raise ChallengeError(f"There is no challenge {challenge_id}.")
    with immediate(db):
        begun = recipes.begun_in(db, row["project_id"])
        if any(each["undone"] for each in begun if each["id"] == challenge_id):
            return []
        cancelled = nobody_needs(db, row, begun)
        for run_id in cancelled:
            queue.cancel(db, run_id)
        about = {"project_id": row["project_id"], "undoes": challenge_id, "run_ids": cancelled}
        recipes.add_challenge(db, "undo", row["default_id"], row["challenger_id"], **about)
    return cancelled


def nobody_needs(db: Database, row: Mapping[str, Any], begun: Sequence[Mapping[str, Any]]) -> list[int]:
    """What waits of a challenge, and of earlier ones that were undone, and no other challenge in the project needs."""
    others = [each for each in begun if each["id"] != row["id"]]
    queued_before = {
        run_id
        for each in others
        if each["undone"] and each["default_id"] == row["default_id"]
        for run_id in json.loads(each["runs"])
    }
    left = queued_before & set(recipes.waiting_runs(db, row["default_id"]))
    waiting = recipes.still_waiting(db, {*json.loads(row["runs"]), *left})
    still = [each for each in others if not each["undone"]]
    found = [run for run_id in waiting if (run := views.run(db, run_id))]
    return [run["id"] for run in found if not any(needs(db, each, run, row["challenger_id"]) for each in still)]


def needs(db: Database, other: Mapping[str, Any], run: Mapping[str, Any], challenger: int) -> bool:
    """Whether another challenge has a part in a run: of the same challenger only with its own seeds."""
    if run["pattern_id"] not in (other["default_id"], other["challenger_id"]):
        return False
    seeds = {queued["seed"] for run_id in json.loads(other["runs"]) if (queued := views.run(db, run_id))}
    return other["challenger_id"] != challenger or run["seed"] in seeds


def stop(db: Database, default: int, challenger: int) -> list[int]:
    """Stop a challenge for every person: the challenger's runs that it queued and that still wait are cancelled.

    What trains goes on to its end, and so do the default's runs. Returns the ids of the cancelled ones.
    """
    with immediate(db):
        events = [row for row in recipes.challenges(db, default) if row["challenger_id"] == challenger]
        queued = {run_id for row in events if row["event"] in ("begin", "resume") for run_id in json.loads(row["runs"])}
        cancelled = [run_id for run_id in recipes.waiting_runs(db, challenger) if run_id in queued]
        for run_id in cancelled:
            queue.cancel(db, run_id)
        recipes.add_challenge(db, "stop", default, challenger, run_ids=cancelled)
    return cancelled


def resume(db: Database, default: int, challenger: int) -> list[int]:
    """Take a stopped challenge up again: what stopping cancelled since it was last taken up is queued; their ids."""
    again: list[int] = []
    with immediate(db):
        for run_id in cancelled_by_stops(db, default, challenger):
            run = views.run(db, run_id)
            if run and run["status"] == "cancelled" and views.project(db, run["project_id"]):
                with suppress(QueueError):  # the same training was queued by hand meanwhile
                    queue.retry(db, run_id)
                    again.append(run_id)
        recipes.add_challenge(db, "resume", default, challenger, run_ids=again)
    return again


def cancelled_by_stops(db: Database, default: int, challenger: int) -> list[int]:
    """Who stops twice (in two windows) must not lose what the first stop cancelled."""
    found: list[int] = []
    for row in recipes.challenges(db, default):
        if row["challenger_id"] == challenger and row["event"] == "stop":
            found += json.loads(row["runs"])
        elif row["challenger_id"] == challenger and row["event"] == "resume":
            found = []
    return list(dict.fromkeys(found))


def label_in(db: Database, project_id: int, pattern_id: int) -> str | None:
    """A pattern's label in a project; None where the project doesn't have it."""
    return next((p.label for p in patterns.listed(db, project_id) if p.pattern_id == pattern_id), None)


def any_label(db: Database, pattern_id: int) -> str:
    """A pattern's label in the first project that has it."""
    found = next((row["label"] for row in recipes.labels(db) if row["pattern_id"] == pattern_id), None)
    if found is None:
        raise PatternError(f"Pattern {pattern_id} has no label in any project: it is in the bin. Restore it first.")
    return str(found)


def last_leaders(db: Database, project: Mapping[str, Any], default: int) -> list[int]:
    """The leading pattern of the other project on the same base whose training ended last; none without one."""
    ended: dict[int, float] = {}
    for row in recipes.trained(db):
        if row["project_id"] != project["id"] and row["finished_at"] is not None:
            ended[row["project_id"]] = max(row["finished_at"], ended.get(row["project_id"], 0.0))
    for project_id in sorted(ended, key=lambda each: -ended[each]):
        other = library.project(db, project_id)
        if other is not None and other["base_model"] == project["base_model"]:
            best = best_so_far(tables(db, project_id))
            return [best.pattern_id] if best and best.pattern_id != default else []
    return []
