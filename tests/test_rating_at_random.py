"""Random goings-on in a sitting, from two tabs, against a plain model: nothing lost, nothing doubled, undo exact."""

import os
from dataclasses import dataclass, field
from random import Random

import pytest
from filled import fill
from one_sitting import begun

from db import bin, ratings, results, sittings
from workbench.rating import answers, sitting
from workbench.rating.modes import CHOICES, FLAGS, MODES
from workbench.rating.problem import AlreadyAnswered, RatingError
from workbench.rating.state import state

SEQUENCES = int(os.environ.get("WORKBENCH_RANDOM_SITTINGS", "40"))
STEPS = 40


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("at random"), rated=False)


@dataclass
class Model:
    """What a sitting is, said as simply as can be."""

    order: list[str]  # tokens
    previews: dict[str, list[int]]
    part: dict[str, str]
    first_of: dict[str, str]  # of a repeat: its first time
    stands: dict[str, dict] = field(default_factory=dict)  # token -> payload, in the order of answering
    taken_back: dict[str, dict] = field(default_factory=dict)
    in_bin: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    stopped: bool = False
    said_in_all: int = 0  # events

    def away(self, token):
        return {*self.previews[token]} & (self.in_bin | self.seen)

    def repeats_nothing(self, token):
        said = self.stands.get(self.first_of.get(token, ""))
        return said is not None and not any(key in said for key in ("marks", "said", "best"))

    def left(self):
        return [
            token
            for token in self.order
            if token not in self.stands and not self.away(token) and not self.repeats_nothing(token)
        ]

    def never(self, token):
        return token in self.stands or self.repeats_nothing(token) or bool({*self.previews[token]} & self.seen)

    def answer(self, token, payload):
        """Whether it is taken."""
        if token in self.stands or {*self.previews[token]} & self.seen:
            return False
        self.stands[token] = payload
        self.said_in_all += events_in(payload)
        self.stopped = all(self.never(each) for each in self.order)
        return True

    def last(self):
        """What an undo brings back: only what can be asked again."""
        return next((token for token in reversed(self.stands) if not self.away(token)), None)

    def undo(self):
        token = self.last()
        if token:
            payload = self.taken_back[token] = self.stands.pop(token)
            self.said_in_all += events_in(payload)
            self.stopped = False


def events_in(payload):
    """How many rows an answer has, and its undo as many."""
    parts = len(payload.get("marks", {})) + ("said" in payload) + 2 * ("best" in payload) + ("skip" in payload)
    return parts + len(payload.get("flags", []))


def model_of(filled, token):
    rows = sittings.items(filled.db, sittings.by_token(filled.db, token)["id"])
    named = {row["id"]: row["token"] for row in rows}
    return Model(
        order=[row["token"] for row in rows],
        previews={row["token"]: row["previews"] for row in rows},
        part={row["token"]: row["part"] for row in rows},
        first_of={row["token"]: named[row["repeats"]] for row in rows if row["repeats"]},
    )


def all_pictures(filled):
    return results.previews(filled.db, filled.project_id, filled.plan_id)


def something_said(mode, pictures, rng):
    """Any answer that the mode allows."""
    said = {}
    kinds = ["skip", "flag", "answer", "answer", "answer"]
    kind = rng.choice(kinds)
    if kind == "skip":
        said["skip"] = True
    elif kind == "answer" and MODES[mode].axes:
        axes = rng.sample(MODES[mode].axes, rng.randint(1, len(MODES[mode].axes)))
        said["marks"] = {axis: rng.choice([0.0, 12.5, 50.0, 99.9, 100.0]) for axis in axes}
    elif kind == "answer":
        word = rng.choice(CHOICES[mode])
        if word in ("best", "worst"):
            said["best"], said["worst"] = rng.sample(range(pictures), 2)
        else:
            said["said"] = word
    if kind == "flag" or rng.random() < 0.2:
        pairs = [[place, flag] for place in range(pictures) for flag in FLAGS]
        said["flags"] = rng.sample(pairs, rng.randint(1, 3))
    return said


def as_before(payload):
    """What a state tells of an answer that was taken back."""
    before = {"marks": {}, "said": None, "best": None, "worst": None, "flags": []} | payload
    before.pop("skip", None)
    return before


def rows_of(payload, previews):
    """The rows that an answer should be in the table, without an order."""
    alone = previews[0] if len(previews) == 1 else None
    rows = [("rate", axis, value, None, alone) for axis, value in payload.get("marks", {}).items()]
    if "said" in payload:
        chosen = {"left": previews[0], "right": previews[-1]}.get(payload["said"])
        rows.append(("choose", None, None, payload["said"], chosen))
    rows += [("choose", None, None, end, previews[payload[end]]) for end in ("best", "worst") if end in payload]
    rows += [("skip", None, None, None, alone)] if payload.get("skip") else []
    return sorted(map(str, rows + [("flag", None, None, flag, previews[at]) for at, flag in payload.get("flags", [])]))


@pytest.mark.parametrize("number", range(SEQUENCES))
def test_a_sitting_stays_as_a_simple_model_of_it(filled, monkeypatch, number):
    rng = Random(number)
    mode = rng.choice(list(MODES))
    clock = [1_700_000_000.0]
    monkeypatch.setattr(answers, "now", lambda: clock[0])
    token = begun(filled, mode, f"rater {number}", rng.choice([0, 5]), rng.randint(2, 12))
    model = model_of(filled, token)
    run_of = {row["id"]: row["run_id"] for row in all_pictures(filled) if row["run_id"]}
    tabs = [filled.ws.open(), filled.ws.open()]
    stale = [None, None]  # what each tab last saw: it may be behind
    binned = []
    try:
        for _ in range(STEPS):
            clock[0] += rng.choice([0, 0, 1, 3, -86400, 86400 * 365])  # a clock that stands and jumps
            tab = rng.randrange(2)
            if stale[tab] is None or rng.random() < 0.7:
                stale[tab] = state(tabs[tab], token)
            step(filled, tabs[tab], token, mode, model, stale[tab], run_of, binned, rng)
            agree(filled, tabs[1 - tab], token, model)
    finally:
        for run in binned:
            bin.restore_run(filled.db, run)
        for tab in tabs:
            tab.conn.close()
    assert_stored(filled, token, model)


def step(filled, db, token, mode, model, seen, run_of, binned, rng):
    """One thing that people do, or that happens, to the sitting and to its model."""
    kinds = {"answer": 50, "any": 6, "undo": 10, "undo the last": 8, "again": 8, "stop": 5, "nonsense": 4}
    kinds |= {"bin": 3, "back": 3, "seen": 1}
    what = rng.choices(list(kinds), list(kinds.values()))[0]
    if what == "answer" and seen["items"]:
        asked = seen["items"][0]
        send(db, token, model, asked["token"], something_said(mode, len(asked["pictures"]), rng), rng)
    elif what == "any":  # of a tab that is far behind
        item = rng.choice(model.order)
        send(db, token, model, item, something_said(mode, len(model.previews[item]), rng), rng)
    elif what == "again" and model.stands:  # as a browser does that got no reply
        item = rng.choice(list(model.stands))
        send(db, token, model, item, model.stands[item], rng)
    elif what == "undo":
        answers.undo(db, token)
        model.undo()
    elif what == "undo the last":
        last = model.last()
        if seen["last"] == last and last is not None:
            answers.undo(db, token, seen["last"])
            model.undo()
        elif seen["last"] is not None:
            with pytest.raises(AlreadyAnswered):
                answers.undo(db, token, seen["last"])
    elif what == "stop":
        sitting.stop(db, token)
        model.stopped = True
    elif what == "bin" and len(binned) < len(set(run_of.values())):
        run = rng.choice(sorted(set(run_of.values()) - set(binned)))
        bin.delete_run(db, run)
        binned.append(run)
        model.in_bin |= {preview for preview, its in run_of.items() if its == run}
    elif what == "back" and binned:
        run = binned.pop(rng.randrange(len(binned)))
        bin.restore_run(db, run)
        model.in_bin -= {preview for preview, its in run_of.items() if its == run}
    elif what == "seen":
        preview = rng.choice(model.previews[rng.choice(model.order)])
        sittings.reveal(db, sittings.by_token(db, token)["rater"], [preview])
        model.seen.add(preview)
    elif what == "nonsense" and seen["items"]:
        with pytest.raises(RatingError):
            answers.save(db, token, {"item": seen["items"][0]["token"], "seconds": 1, "marks": {"beauty": 5}})


def send(db, token, model, item, payload, rng):
    sent = {"item": item, "seconds": rng.choice([0, 0.4, 2, 1e9, -3]), **payload}
    if model.answer(item, payload):
        answers.save(db, token, sent)
    else:
        with pytest.raises(AlreadyAnswered):
            answers.save(db, token, sent)


def agree(filled, db, token, model):
    """What the other tab is told is what the model says."""
    told, left = state(db, token), model.left()
    counted = [each for each in model.order if model.part[each] != "warm_up"]
    done = [each for each in counted if each in model.stands]
    assert [item["token"] for item in told["items"]] == ([] if model.stopped else left[:6])
    assert told["over"] == (not told["items"])
    assert (told["done"], told["total"]) == (len(done), len(done) + len([each for each in left if each in counted]))
    last = model.last()
    assert (told["last"], told["can_undo"]) == (last, last is not None)
    for item in told["items"]:
        said = model.taken_back.get(item["token"])
        assert item["before"] == (None if said is None else as_before(said))


def assert_stored(filled, token, model):
    """Each answer that stands is there whole and once; of every other one there is the undo."""
    row = sittings.by_token(filled.db, token)
    events = ratings.of_sitting(filled.db, row["id"])
    assert len(events) == model.said_in_all
    undone = {event["undoes"] for event in events} - {None}
    assert len(undone) == sum(event["event"] == "undo" for event in events), "none taken back twice"
    standing: dict[int, list[str]] = {}
    for event in events:
        if event["event"] != "undo" and event["id"] not in undone:
            said = tuple(event[name] for name in ("event", "axis", "value", "said", "preview_id"))
            standing.setdefault(event["item_id"], []).append(str(said))
    tokens = {item["id"]: item["token"] for item in sittings.items(filled.db, row["id"])}
    assert {tokens[item]: sorted(rows) for item, rows in standing.items()} == {
        item: rows_of(payload, model.previews[item]) for item, payload in model.stands.items()
    }
