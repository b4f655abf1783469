"""Answers: committed once and together, never overwritten; a wrong one is refused with a sentence."""

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filled import fill
from one_sitting import begun, pictures

from db import bin, immediate, library, ratings, sittings
from workbench.rating import answers, sitting
from workbench.rating.problem import AlreadyAnswered, NoSuchSitting, RatingError
from workbench.rating.state import state

ROOT = Path(__file__).resolve().parent.parent
NAMES = (f"rater {number}" for number in itertools.count())  # each test has raters of its own


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("answers"), rated=False)


def start(filled, mode="deck", n=None, repeats=0, warm=False):
    """A sitting of a new rater, its warm-up answered unless told."""
    token = begun(filled, mode, next(NAMES), repeats, n)
    while not warm and items(filled, token)[0]["warm_up"]:
        answers.save(filled.db, token, {"item": items(filled, token)[0]["token"], "seconds": 1, "skip": True})
    return token


def items(filled, token):
    return state(filled.db, token, filled.ws)["items"]


def stored(filled, token):
    """Position and id of what is asked, by the item's token."""
    row = sittings.by_token(filled.db, token)
    return {item["token"]: item for item in sittings.items(filled.db, row["id"])}


def answer(filled, token, **said):
    item = items(filled, token)[0]["token"]
    answers.save(filled.db, token, {"item": item, "seconds": 2.0, **(said or {"marks": {"likeness": 50}})})
    return item


def events(filled, token, warm=False):
    """What is stored of a sitting, the warm-up's skips apart."""
    warm_ups = {item["id"] for item in stored(filled, token).values() if item["part"] == "warm_up"}
    rows = ratings.of_sitting(filled.db, sittings.by_token(filled.db, token)["id"])
    return [row for row in rows if warm or row["item_id"] not in warm_ups]


def said(filled, token):
    return [(row["event"], row["axis"], row["value"], row["said"], row["preview_id"]) for row in events(filled, token)]


# what is stored


def test_marks_are_on_disk_when_save_returns(filled):
    token = start(filled, "single")
    item = stored(filled, token)[answer(filled, token, marks={"likeness": 80, "quality": 62.5})]
    [preview] = item["previews"]
    other = filled.ws.open()  # another connection sees them
    rows = ratings.of_item(other, item["id"])
    assert [(row["axis"], row["value"], row["preview_id"]) for row in rows] == [
        ("likeness", 80.0, preview),
        ("quality", 62.5, preview),
    ]
    marks = [row for row in ratings.marks(other, filled.project_id) if row["session"] == token]
    assert [(row["mode"], row["value"]) for row in marks] == [("single", 80.0), ("single", 62.5)]


def test_an_event_says_who_answered_what_when_and_how_it_was_asked(filled):
    token = start(filled)
    before = time.time()
    item = stored(filled, token)[answer(filled, token, marks={"likeness": 50})]
    [event] = events(filled, token)
    row = sittings.by_token(filled.db, token)
    assert (event["rater"], event["session"], event["protocol"]) == (row["rater"], token, sitting.PROTOCOL)
    assert (event["item_id"], event["position"], event["is_repeat"]) == (item["id"], item["position"], 0)
    assert before <= event["answered_at"] <= time.time()
    assert event["answered_at"] - event["shown_at"] == pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize(("seconds", "stored_as"), [(-5, 0), (0, 0), (3, 3), (1e300, 3600), (10**400, None)])
def test_how_long_it_was_looked_at_is_kept_within_an_hour(filled, seconds, stored_as):
    token = start(filled)
    payload = {"item": items(filled, token)[0]["token"], "seconds": seconds, "skip": True}
    if stored_as is None:
        with pytest.raises(RatingError, match="must be a number"):
            answers.save(filled.db, token, payload)
        return
    answers.save(filled.db, token, payload)
    [event] = events(filled, token)
    assert event["answered_at"] - event["shown_at"] == pytest.approx(stored_as, abs=1e-3)


@pytest.mark.parametrize(("word", "place"), [("left", 0), ("right", 1), ("same", None), ("bad", None)])
def test_of_a_pair_the_chosen_picture_is_stored_with_its_side(filled, word, place):
    token = start(filled, "pair")
    previews = stored(filled, token)[answer(filled, token, said=word)]["previews"]
    assert said(filled, token) == [("choose", None, None, word, None if place is None else previews[place])]
    [choice] = [row for row in ratings.choices(filled.db, filled.project_id) if row["session"] == token]
    assert choice["previews"] == previews and choice["mode"] == "pair"


def test_of_a_grid_the_best_and_the_worst_are_stored(filled):
    token = start(filled, "best_worst")
    previews = stored(filled, token)[answer(filled, token, best=4, worst=1)]["previews"]
    assert said(filled, token) == [
        ("choose", None, None, "best", previews[4]),
        ("choose", None, None, "worst", previews[1]),
    ]
    answer(filled, token, said="same")
    assert said(filled, token)[2:] == [("choose", None, None, "same", None)]


def test_a_row_s_mark_is_of_the_whole_row(filled):
    token = start(filled, "sheet")
    item = stored(filled, token)[answer(filled, token, marks={"likeness": 37.5}, flags=[[1, "broken"]])]
    assert said(filled, token) == [
        ("rate", "likeness", 37.5, None, None),
        ("flag", None, None, "broken", item["previews"][1]),
    ]
    [row] = [row for row in ratings.row_marks(filled.db, filled.project_id) if row["session"] == token]
    checkpoints = {each["id"]: each["checkpoint_id"] for each in pictures(filled)}
    assert (row["value"], row["checkpoint_id"]) == (37.5, checkpoints[item["previews"][0]])


@pytest.mark.parametrize("mode", ["single", "deck", "sheet", "pair", "best_worst"])
def test_a_flag_or_a_skip_alone_is_an_answer_in_every_way_of_rating(filled, mode):
    token = start(filled, mode)
    first = stored(filled, token)[answer(filled, token, flags=[[0, "broken"], [0, "not_the_person"], [0, "broken"]])]
    second = stored(filled, token)[answer(filled, token, skip=True)]
    alone = second["previews"][0] if mode in ("single", "deck") else None
    assert said(filled, token) == [
        ("flag", None, None, "broken", first["previews"][0]),
        ("flag", None, None, "not_the_person", first["previews"][0]),
        ("skip", None, None, None, alone),
    ]


def test_warm_ups_are_stored_and_count_nowhere(filled):
    token = start(filled, "single", warm=True)
    answer(filled, token)
    answer(filled, token, flags=[[0, "broken"]])
    assert len(events(filled, token, warm=True)) == 2
    for found in (ratings.marks, ratings.flags):
        rater = sittings.by_token(filled.db, token)["rater"]
        assert not [row for row in found(filled.db, filled.project_id) if row["rater"] == rater]


def test_a_mark_given_in_a_sitting_is_no_longer_waited_for(filled):
    """The picture may be shown by name now."""
    from workbench.rating.pool import answered_previews

    token = start(filled)
    [preview] = stored(filled, token)[answer(filled, token)]["previews"]
    assert preview in answered_previews(filled.db, filled.project_id, sittings.by_token(filled.db, token)["rater"])


# wrong answers

WRONG = [
    ("deck", {}, "Nothing was said"),
    ("deck", {"marks": {}}, "Nothing was said"),
    ("deck", {"flags": []}, "Nothing was said"),
    ("deck", {"skip": False}, "Nothing was said"),
    ("deck", {"skip": 1}, "'skip' must be true"),
    ("deck", {"marks": {"quality": 50}}, "no axis 'quality' in 'Quick deck'. Axes are likeness"),
    ("deck", {"marks": {"beauty": 50}}, "no axis 'beauty'"),
    ("deck", {"marks": [50]}, "must name an axis"),
    ("deck", {"marks": {"likeness": 101}}, "between 0 and 100"),
    ("deck", {"marks": {"likeness": -0.1}}, "between 0 and 100"),
    ("deck", {"marks": {"likeness": True}}, "between 0 and 100"),
    ("deck", {"marks": {"likeness": "50"}}, "between 0 and 100"),
    ("deck", {"marks": {"likeness": None}}, "between 0 and 100"),
    ("deck", {"marks": {"likeness": float("nan")}}, "between 0 and 100"),
    ("deck", {"marks": {"likeness": float("inf")}}, "between 0 and 100"),
    ("deck", {"marks": {"likeness": 10**400}}, "between 0 and 100"),
    ("deck", {"skip": True, "seconds": None}, "must be a number"),
    ("deck", {"skip": True, "seconds": True}, "must be a number"),
    ("deck", {"skip": True, "seconds": "2"}, "must be a number"),
    ("deck", {"skip": True, "seconds": float("nan")}, "must be a number"),
    ("deck", {"skip": True, "seconds": float("-inf")}, "must be a number"),
    ("deck", {"skip": True, "marks": {"likeness": 1}}, "only one of them"),
    ("deck", {"skip": True, "rater": "Mia"}, "has no 'rater'"),
    ("deck", {"said": "left"}, "'left' can't be said in 'Quick deck'. Give a mark"),
    ("deck", {"best": 0, "worst": 1}, "'best' can't be said"),
    ("deck", {"flags": [[1, "broken"]]}, "numbered from 0 to 0"),
    ("deck", {"flags": [[True, "broken"]]}, "numbered from"),
    ("deck", {"flags": [[0, "ugly"]]}, "no flag 'ugly'"),
    ("deck", {"flags": [[0, ["broken"]]]}, "no flag"),
    ("deck", {"flags": [[0]]}, "must be pairs"),
    ("deck", {"flags": {"0": "broken"}}, "must be pairs"),
    ("pair", {"marks": {"likeness": 50}}, "no axis 'likeness'"),
    ("pair", {"said": "best"}, "Choices are left, right, same, bad"),
    ("pair", {"said": ["left"]}, "can't be said"),
    ("pair", {"said": "left", "skip": True}, "only one of them"),
    ("best_worst", {"best": 0}, "both the best and the worst"),
    ("best_worst", {"worst": 0, "flags": [[0, "broken"]]}, "both the best and the worst"),
    ("best_worst", {"best": 2, "worst": 2}, "the same one"),
    ("best_worst", {"best": 0, "worst": 6}, "numbered from 0 to 5"),
    ("best_worst", {"best": -1, "worst": 1}, "numbered from 0 to 5"),
    ("best_worst", {"best": 1.0, "worst": 2}, "numbered from 0 to 5"),
    ("best_worst", {"said": "left"}, "Choices are same, bad"),
    ("sheet", {"marks": {"likeness": 50, "prompt": 50}}, "no axis 'prompt'"),
]


@pytest.fixture(scope="module")
def asked_in(filled):
    return {mode: start(filled, mode, n=1) for mode in ("deck", "pair", "best_worst", "sheet")}  # the grid has six


@pytest.mark.parametrize(("mode", "payload", "words"), WRONG)
def test_a_wrong_answer_is_refused_with_a_sentence_and_nothing_is_written(filled, asked_in, mode, payload, words):
    token = asked_in[mode]
    item = items(filled, token)[0]["token"]
    with pytest.raises(RatingError, match=words) as problem:
        answers.save(filled.db, token, {"item": item, "seconds": 1.0, **payload})
    assert not isinstance(problem.value, AlreadyAnswered) and str(problem.value).endswith(".")
    assert events(filled, token) == [] and items(filled, token)[0]["token"] == item


@pytest.mark.parametrize("item", [None, 3, "", ["x"]])
def test_an_answer_must_say_to_what(filled, asked_in, item):
    with pytest.raises(RatingError, match="which item"):
        answers.save(filled.db, asked_in["deck"], {"item": item, "seconds": 1, "skip": True})


def test_an_item_of_another_sitting_is_not_answered(filled):
    mine, yours = start(filled), start(filled)
    with pytest.raises(AlreadyAnswered, match="isn't asked in this sitting"):
        answers.save(filled.db, mine, {"item": items(filled, yours)[0]["token"], "seconds": 1, "skip": True})
    assert events(filled, yours) == []
    with pytest.raises(NoSuchSitting):
        answers.save(filled.db, "nobody", {"item": "x", "seconds": 1, "skip": True})


# once


def test_a_second_click_or_a_second_tab_saves_nothing(filled):
    token = start(filled)
    item = answer(filled, token, marks={"likeness": 80})
    for payload in ({"marks": {"likeness": 20}}, {"skip": True}, {"flags": [[0, "broken"]]}):
        with pytest.raises(AlreadyAnswered, match="answered already"):
            answers.save(filled.db, token, {"item": item, "seconds": 1, **payload})
    assert [row["value"] for row in events(filled, token)] == [80.0]


def test_two_tabs_at_once_answer_each_item_once(filled):
    token = start(filled)
    wanted = [item["token"] for item in stored(filled, token).values() if item["part"] == "first"]

    def tab(value):
        db, told = filled.ws.open(), 0
        for item in wanted:
            try:
                answers.save(db, token, {"item": item, "seconds": 1, "marks": {"likeness": value}})
            except AlreadyAnswered:
                told += 1
        db.conn.close()
        return told

    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(tab, (10, 20, 30)))
    assert sum(told) == 2 * len(wanted)
    assert sorted(row["item_id"] for row in events(filled, token)) == sorted(
        stored(filled, token)[item]["id"] for item in wanted
    )


def test_two_raters_at_once_get_in_no_other_s_way(filled):
    tokens = [start(filled, repeats=5), start(filled, repeats=5)]

    def rate(token):
        db = filled.ws.open()
        while not (told := state(db, token))["over"]:
            payload = {"item": told["items"][0]["token"], "seconds": 1, "marks": {"likeness": 50}}
            answers.save(db, token, payload)
        db.conn.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(rate, tokens))
    for token in tokens:
        assert [row["position"] for row in events(filled, token)] == list(range(3, 43))


KILLED = """
import sys
from pathlib import Path
from workbench.rating import answers
from workbench.rating.state import state
from workbench.workspace import Workspace
db = Workspace(Path(sys.argv[1])).open()
while not (told := state(db, sys.argv[2]))["over"]:
    marks = {"likeness": 50, "quality": 50, "prompt": 50}
    answers.save(db, sys.argv[2], {"item": told["items"][0]["token"], "seconds": 1, "marks": marks})
    print(told["items"][0]["token"], flush=True)
"""


def test_a_killed_app_loses_nothing_and_keeps_no_half_answer(filled):
    token = start(filled, "single")
    command = [sys.executable, "-c", KILLED, str(filled.ws.home), token]
    app = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8")
    told = [app.stdout.readline().strip() for _ in range(7)]
    os.kill(app.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    told += app.communicate(timeout=30)[0].split()
    rows = events(filled, token)
    saved = [row["item_id"] for row in rows]
    known = [stored(filled, token)[item]["id"] for item in told]
    assert len(known) >= 7 and set(known) <= set(saved)
    assert all(saved.count(item) == 3 for item in saved), "all marks of an answer, each once"
    assert len(set(saved)) - len(known) in (0, 1)  # committed, and killed before it could say so
    assert not set(saved) & {stored(filled, token)[item["token"]]["id"] for item in items(filled, token)}


def test_an_error_within_an_answer_keeps_no_part_of_it(filled):
    """As where the disk is full after the first of two rows."""
    token = start(filled, "single")
    filled.db.execute(
        "create trigger full before insert on ratings when new.axis = 'prompt' "
        "begin select raise(abort, 'database or disk is full'); end"
    )
    try:
        with pytest.raises(sqlite3.Error, match="disk is full"):
            answer(filled, token, marks={"likeness": 5, "prompt": 6})
    finally:
        filled.db.execute("drop trigger full")
        filled.db.conn.commit()
    assert events(filled, token) == [] and not filled.db.conn.in_transaction


def test_an_answer_waits_for_another_writer(filled):
    token = start(filled)
    other = filled.ws.open()

    def answer_late():
        own = filled.ws.open()
        answers.save(own, token, payload)
        own.conn.close()

    payload = {"item": items(filled, token)[0]["token"], "seconds": 1, "skip": True}
    with ThreadPoolExecutor(1) as pool:
        with immediate(other):
            waiting = pool.submit(answer_late)
            time.sleep(0.3)
            assert not waiting.done()
        waiting.result(20)
    assert len(events(filled, token)) == 1


# repeats


def rest(filled, token, **said):
    while not state(filled.db, token)["over"]:
        answer(filled, token, **said)


def test_repeats_are_marked_as_such(filled):
    token = start(filled, n=30, repeats=15)
    rest(filled, token, marks={"likeness": 50})
    parts = {item["id"]: item["part"] for item in stored(filled, token).values()}
    rows = events(filled, token)
    assert len(rows) == 45 and sum(row["is_repeat"] for row in rows) == 15
    assert all(bool(row["is_repeat"]) == (parts[row["item_id"]] == "repeat") for row in rows)


@pytest.mark.parametrize("unsaid", [{"skip": True}, {"flags": [[0, "broken"]]}])
def test_what_was_not_judged_the_first_time_is_not_asked_again(filled, unsaid):
    token = start(filled, n=20, repeats=10)
    assert state(filled.db, token)["total"] == 30
    rest(filled, token, **unsaid)
    told = state(filled.db, token)
    assert (told["done"], told["total"]) == (20, 20) and not any(row["is_repeat"] for row in events(filled, token))
    assert sittings.by_token(filled.db, token)["ended_at"] is not None


# undo


def test_undo_takes_back_what_was_said_last_wherever_it_stands(filled):
    token = start(filled, n=4)
    asked = [item["token"] for item in items(filled, token)]
    for item in (asked[2], asked[0]):
        answers.save(filled.db, token, {"item": item, "seconds": 1, "skip": True})
    answers.undo(filled.db, token)
    assert [item["token"] for item in items(filled, token)] == [asked[0], asked[1], asked[3]]


def test_undo_brings_the_item_back_with_what_was_said_and_keeps_the_event(filled):
    token = start(filled, "single")
    answer(filled, token, marks={"likeness": 10})
    item = answer(filled, token, marks={"likeness": 20, "prompt": 30}, flags=[[0, "broken"]])
    answers.undo(filled.db, token)
    told = state(filled.db, token)
    assert told["items"][0]["token"] == item and told["done"] == 1
    expected = {"marks": {"likeness": 20.0, "prompt": 30.0}, "said": None, "best": None, "worst": None}
    assert told["items"][0]["before"] == {**expected, "flags": [[0, "broken"]]}
    assert told["items"][1]["before"] is None
    answer(filled, token, marks={"likeness": 90})
    kinds = [row["event"] for row in events(filled, token)]
    assert kinds == ["rate", "rate", "rate", "flag", "undo", "undo", "undo", "rate"]
    rows = [row for row in ratings.marks(filled.db, filled.project_id) if row["session"] == token]
    assert [row["value"] for row in rows] == [10.0, 90.0]


@pytest.mark.parametrize(
    ("mode", "payload"),
    [("pair", {"said": "right"}), ("best_worst", {"best": 3, "worst": 0}), ("sheet", {"skip": True})],
)
def test_what_was_undone_is_told_in_the_words_of_an_answer(filled, mode, payload):
    token = start(filled, mode)
    answer(filled, token, **payload, flags=[[1, "copy_of_a_photo"]])
    answers.undo(filled.db, token)
    before = items(filled, token)[0]["before"]
    none = {"marks": {}, "said": None, "best": None, "worst": None}
    told = {name: value for name, value in payload.items() if name != "skip"}
    assert before == {**none, **told, "flags": [[1, "copy_of_a_photo"]]}
    answer(filled, token, **payload)
    answers.undo(filled.db, token)
    assert items(filled, token)[0]["before"]["flags"] == []  # of two undone answers the later one


def test_undo_goes_back_to_the_beginning_of_the_sitting_and_no_further(filled):
    earlier = start(filled, n=5)
    rest(filled, earlier, marks={"likeness": 1})
    rater = sittings.by_token(filled.db, earlier)["rater"]
    token = begun(filled, "deck", rater, 0, 7)
    given = [answer(filled, token) for _ in range(4)]
    for item in reversed(given):
        told = state(filled.db, token)
        assert told["can_undo"] and told["last"] == item
        answers.undo(filled.db, token)
        assert items(filled, token)[0]["token"] == item
    told = state(filled.db, token)
    assert (told["can_undo"], told["last"], told["done"]) == (False, None, 0)
    before = len(events(filled, token))
    answers.undo(filled.db, token)
    assert len(events(filled, token)) == before == 8
    assert state(filled.db, earlier)["over"]


def test_an_undo_leaves_alone_what_could_not_be_asked_again(filled):
    token = start(filled, n=10)
    asked = stored(filled, token)
    first, seen = answer(filled, token), answer(filled, token)
    sittings.reveal(filled.db, sittings.by_token(filled.db, token)["rater"], asked[seen]["previews"])
    assert state(filled.db, token)["last"] == first
    answers.undo(filled.db, token)
    told = state(filled.db, token)
    assert told["items"][0]["token"] == first and told["last"] not in (first, seen)  # a warm-up
    assert [row["item_id"] for row in events(filled, token) if row["event"] == "rate"][-1] == asked[seen]["id"]
    assert sum(row["event"] == "undo" for row in events(filled, token)) == 1


def test_an_ended_sitting_goes_on_when_its_last_answer_is_taken_back(filled):
    token = start(filled, n=2)
    rest(filled, token, marks={"likeness": 1})
    project = library.project(filled.db, filled.project_id)
    rater = sittings.by_token(filled.db, token)["rater"]
    assert sitting.open_sittings(filled.db, project, rater) == []
    answers.undo(filled.db, token)
    told = state(filled.db, token)
    assert not told["over"] and (told["done"], told["total"]) == (1, 2)
    assert [each.token for each in sitting.open_sittings(filled.db, project, rater)] == [token]


def test_an_undo_that_is_sent_twice_takes_back_one_answer(filled):
    token = start(filled)
    first, second = answer(filled, token), answer(filled, token)
    answers.undo(filled.db, token, second)
    with pytest.raises(AlreadyAnswered, match="isn't the last answer any more"):
        answers.undo(filled.db, token, second)
    assert state(filled.db, token)["last"] == first


def test_undo_touches_no_other_rater(filled):
    mine, yours = start(filled), start(filled)
    answer(filled, yours)
    for _ in range(4):  # the warm-up's three, and none
        answers.undo(filled.db, mine)
    assert [row["event"] for row in events(filled, yours)] == ["rate"]


def test_a_repeat_waits_while_its_first_time_is_undone(filled):
    token = start(filled, n=12, repeats=6)
    known = stored(filled, token)
    while known[items(filled, token)[0]["token"]]["part"] != "repeat":
        answer(filled, token)
    repeat = known[items(filled, token)[0]["token"]]
    first = next(item for item in known.values() if item["id"] == repeat["repeats"])
    while state(filled.db, token)["items"][0]["token"] != first["token"]:
        answers.undo(filled.db, token)
    answer(filled, token, skip=True)  # now there is nothing to repeat
    told = []
    while not state(filled.db, token)["over"]:
        told.append(answer(filled, token))
    assert repeat["token"] not in told


# what changes meanwhile


def test_an_answer_on_a_picture_that_went_into_the_bin_is_kept_and_comes_back_with_it(filled):
    token = start(filled)
    item = items(filled, token)[0]["token"]
    runs = {row["id"]: row["run_id"] for row in pictures(filled)}
    run = runs[stored(filled, token)[item]["previews"][0]]
    bin.delete_run(filled.db, run)
    try:
        answers.save(filled.db, token, {"item": item, "seconds": 1, "marks": {"likeness": 66}})
        assert not [row for row in ratings.marks(filled.db, filled.project_id) if row["session"] == token]
    finally:
        bin.restore_run(filled.db, run)
    assert [row["value"] for row in ratings.marks(filled.db, filled.project_id) if row["session"] == token] == [66.0]


def test_an_answer_on_a_picture_that_was_seen_by_name_is_not_kept(filled):
    token = start(filled)
    item = items(filled, token)[0]["token"]
    rater = sittings.by_token(filled.db, token)["rater"]
    sittings.reveal(filled.db, rater, stored(filled, token)[item]["previews"])
    with pytest.raises(AlreadyAnswered, match="by name"):
        answers.save(filled.db, token, {"item": item, "seconds": 1, "marks": {"likeness": 66}})
    assert events(filled, token) == []


def test_an_answer_on_a_picture_that_is_gone_for_good_is_not_kept(tmp_path):
    filled = fill(tmp_path, rated=False)
    token = start(filled)
    item = items(filled, token)[0]["token"]
    for run in filled.run_ids:
        bin.delete_run(filled.db, run)
    bin.empty(filled.db)
    with pytest.raises(AlreadyAnswered, match="deleted for good"):
        answers.save(filled.db, token, {"item": item, "seconds": 1, "marks": {"likeness": 66}})
    assert state(filled.db, token)["over"]
