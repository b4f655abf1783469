"""Rating: blind, shuffled, with repeats, saved at once, never overwritten."""

import dataclasses
import re
from itertools import pairwise

import pytest
from filled import BASELINE, PLAN, add_previews, add_run, fill

from db import library, ratings, results, runs
from trainer.config import TrainConfig
from workbench import rating
from workbench.findings.analysis import preview_table
from workbench.projects import add_project
from workbench.rating import RatingError
from workbench.sweep import patterns
from workbench.workspace import Workspace


@pytest.fixture
def filled(tmp_path):
    return fill(tmp_path, rated=False)


@pytest.fixture
def project(filled):
    return library.project(filled.db, filled.project_id)


def give(filled, item, rater="me", session="s", shown_at=0.0, **marks):
    return rating.save(filled.db, item, rater, session, marks or {"likeness": 50.0}, shown_at)


def rate_all(filled, project, rater="me", most=1000):
    """Rate until nothing is left; the items in the order in which they came."""
    items = []
    while len(items) < most and (item := rating.next_to_rate(filled.db, project, rater, "s")):
        items.append(item)
        give(filled, item, rater)
    return items


# what is judged


def test_two_checkpoints_of_each_run_have_one_picture_per_identity_prompt_in_the_set(filled, project):
    rows = rating.rating_set(filled.db, project)
    # 12 checkpoints x 3 identity prompts at the first seed; one of them is a black picture
    assert len(rows) == 35 and all(row["seed"] == 101 and row["prompt"] < 3 for row in rows)
    assert all(row["checkpoint_id"] and row["status"] == "ok" for row in rows)


@pytest.mark.parametrize(
    ("points", "judged"),
    [
        ([], set()),
        ([120], {120}),
        ([60, 120], {60, 120}),
        ([40, 80, 120], {40, 120}),
        (range(24, 241, 24), {120, 240}),  # ten, evenly spaced: the fifth and the last
        ([100, 200, 300, 310], {200, 310}),  # the last comes early
    ],
)
def test_a_run_s_last_checkpoint_is_judged_and_the_one_nearest_half_way(points, judged):
    assert rating.judged_updates(points) == judged


def test_a_run_with_many_checkpoints_adds_no_more_pictures_than_one_with_two(filled, project):
    run = filled.run_ids[0]
    for updates in (20, 80, 100):
        checkpoint = runs.add_checkpoint(
            filled.db,
            run,
            updates=updates,
            images_seen=updates * 4,
            epoch=updates / 12,
            file=f"lora-{updates}.safetensors",
            sha256=f"{updates:064x}",
            bytes=1000,
            proof="{}",
            is_last=0,
        )
        add_previews(filled, PLAN, checkpoint, 0, 1, 60)
    rows = rating.rating_set(filled.db, project)
    assert len(rows) == 35
    assert {row["updates"] for row in rows if row["run_id"] == run} == {60, 120}


def test_while_a_run_trains_its_early_checkpoints_do_not_pass_for_its_last(filled, project):
    config = TrainConfig(**{**BASELINE.model_dump(), "epochs": 10, "save_every": 1})
    pattern = patterns.add(filled.db, filled.project_id, config, "ten checkpoints")
    run, _ = runs.enqueue(filled.db, filled.project_id, pattern, filled.dataset_id, 1)
    points = config.save_points(6)
    assert rating.save_points(filled.db, runs.get(filled.db, run)) == points
    assert len(points) == 10 and rating.judged_updates(points) == {points[4], points[9]}
    runs.end(filled.db, run, "failed", "diverged", {})
    assert rating.save_points(filled.db, runs.get(filled.db, run)) == []  # it saved none, and none will come


def test_pictures_without_a_face_are_judged_too(filled, project):
    faces = preview_table(filled.db, filled.project_id).set_index("preview_id")["face_status"]
    assert "no_face" in {faces[row["id"]] for row in rating.rating_set(filled.db, project)}


def test_waiting_pictures_are_held_back_until_they_are_judged_or_skipped(filled, project):
    held = rating.held_back_tokens(filled.db, project, "me")
    assert len(held) == 35
    item = rating.next_to_rate(filled.db, project, "me", "s")
    give(filled, item)
    skipped = rating.next_to_rate(filled.db, project, "me", "s")
    rating.skip(filled.db, skipped, "me", "s", 0.0)
    assert rating.held_back_tokens(filled.db, project, "me") == held - {item.token, skipped.token}
    assert len(rating.held_back_tokens(filled.db, project, "somebody else")) == 35


def test_a_project_without_previews_has_nothing_to_rate(tmp_path):
    db = Workspace(tmp_path).open()
    project = library.project(db, add_project(db, "empty", "zwx", "woman"))
    assert rating.next_to_rate(db, project, "me", "s") is None
    assert rating.undo_last(db, project, "me") is None and rating.reliability(db, project, "me") is None


# blind


def test_an_item_tells_nothing_about_where_the_picture_comes_from(filled, project):
    item = rating.next_to_rate(filled.db, project, "me", "s")
    names = {field.name for field in dataclasses.fields(item)}
    assert names == {
        "token",
        "preview_id",
        "text",
        "position",
        "done",
        "remaining",
        "minutes_left",
        "is_repeat",
    }
    said = str(dataclasses.astuple(item))
    labels = [pattern.label for pattern in patterns.listed(filled.db, filled.project_id)]
    assert not [label for label in labels if label in said] and "zwx" not in said and ".png" not in said
    assert re.fullmatch(r"[\w-]{16}", item.token)


def test_the_wanted_prompt_says_the_class_noun_in_place_of_the_trigger(filled, project):
    texts = {item.text for item in rate_all(filled, project)}
    assert "photo of woman in a blue shirt, at the beach" in texts and len(texts) == 3


# the order


def test_pictures_come_shuffled_across_patterns_in_each_rater_s_own_order(filled, project):
    about = preview_table(filled.db, filled.project_id).set_index("preview_id")["pattern_id"]
    mine = [item.preview_id for item in rate_all(filled, project) if not item.is_repeat]
    yours = [item.preview_id for item in rate_all(filled, project, "you") if not item.is_repeat]
    changes = sum(about[a] != about[b] for a, b in pairwise(mine))
    assert changes > 10 and sorted(mine) == sorted(yours) and mine != yours


def test_the_next_picture_is_the_same_after_a_restart(filled, project):
    before = rating.next_to_rate(filled.db, project, "me", "s")
    assert rating.next_to_rate(filled.ws.open(), project, "me", "another session") == before


def test_repeats_come_mixed_in_after_a_gap_and_each_picture_at_most_once(filled, project):
    items = rate_all(filled, project)
    ids = [item.preview_id for item in items]
    repeats = [place for place, item in enumerate(items) if item.is_repeat]
    assert len(items) == 35 + 15 and len(repeats) == 15
    for place in repeats:
        first = ids.index(ids[place])
        assert place - first > rating.GAP and not items[first].is_repeat
    assert len({ids[place] for place in repeats}) == 15
    assert repeats[0] < 20 and repeats[-1] > 40 and max(b - a for a, b in pairwise(repeats)) <= 5


@pytest.mark.parametrize(("n", "repeats"), [(0, 0), (8, 4), (29, 14), (30, 15), (200, 15), (400, 30), (1000, 75)])
def test_a_share_of_the_pictures_is_repeated(n, repeats):
    assert rating.n_repeats(n) == repeats


def test_skipped_pictures_are_not_repeated(filled, project):
    skipped = set()
    for _ in range(30):
        item = rating.next_to_rate(filled.db, project, "me", "s")
        assert not item.is_repeat
        skipped.add(item.preview_id)
        rating.skip(filled.db, item, "me", "s", 0.0)
    assert not [item for item in rate_all(filled, project) if item.preview_id in skipped]


def test_pictures_that_appear_later_join_the_set(filled, project):
    rate_all(filled, project)
    add_run(filled, PLAN, 0, 1)
    rows = rating.waiting(filled.db, project, "me")
    assert len(rows) == 6
    assert not rating.next_to_rate(filled.db, project, "me", "s").is_repeat


def test_the_remaining_pictures_and_minutes_count_down(filled, project):
    first = rating.next_to_rate(filled.db, project, "me", "s")
    assert (first.position, first.done, first.remaining) == (0, 0, 50)
    assert first.minutes_left == pytest.approx(50 * 6 / 60)  # before the rater's own speed is known
    items = rate_all(filled, project)
    assert [item.remaining for item in items] == list(range(50, 0, -1))
    assert [item.done for item in items] == list(range(50))


def test_minutes_left_follow_the_rater_s_own_speed(filled, project):
    for seconds in (3.0, 500.0, 500.0):  # the long ones were pauses
        item = rating.next_to_rate(filled.db, project, "me", "s")
        give(filled, item, shown_at=rating.now() - seconds)
    item = rating.next_to_rate(filled.db, project, "me", "s")
    assert item.minutes_left == pytest.approx(item.remaining * 3 / 60, rel=0.1)


# saving


def test_marks_are_on_disk_when_save_returns(filled, project):
    item = rating.next_to_rate(filled.db, project, "me", "s")
    give(filled, item, likeness=80.0, quality=60.0)
    stored = ratings.marks(filled.ws.open(), filled.project_id)  # another connection sees them
    assert {(row["axis"], row["value"]) for row in stored} == {("likeness", 80.0), ("quality", 60.0)}
    assert {row["preview_id"] for row in stored} == {item.preview_id}


def test_an_event_says_when_it_was_shown_where_it_stood_and_how_it_was_asked(filled, project):
    give(filled, rating.next_to_rate(filled.db, project, "me", "s"))
    item = rating.next_to_rate(filled.db, project, "me", "s")
    give(filled, item, shown_at=123.0)
    event = ratings.events(filled.db, filled.project_id, "me")[-1]
    assert (event["position"], event["shown_at"], event["session"]) == (1, 123.0, "s")
    assert event["answered_at"] > 123 and event["protocol"] == rating.PROTOCOL


def test_a_second_click_on_save_saves_nothing(filled, project):
    item = rating.next_to_rate(filled.db, project, "me", "s")
    assert len(give(filled, item, likeness=80.0)) == 1
    assert give(filled, item, likeness=20.0) == []
    assert rating.skip(filled.db, item, "me", "s", 0.0) == []
    assert [row["value"] for row in ratings.marks(filled.db, filled.project_id)] == [80.0]


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        ({}, "at least one"),
        ({"beauty": 50.0}, "no axis 'beauty'"),
        ({"likeness": 101.0}, "between 0 and 100"),
    ],
)
def test_a_wrong_mark_is_refused_with_what_to_do(filled, project, marks, words):
    item = rating.next_to_rate(filled.db, project, "me", "s")
    with pytest.raises(RatingError, match=words):
        rating.save(filled.db, item, "me", "s", marks, 0.0)
    assert ratings.events(filled.db, filled.project_id) == []


def test_undo_brings_the_picture_back_and_keeps_what_was_said(filled, project):
    items = rate_all(filled, project, most=3)
    back = rating.undo_last(filled.db, project, "me")
    assert (back.preview_id, back.position, back.done) == (items[-1].preview_id, 2, 2)
    assert len(ratings.marks(filled.db, filled.project_id)) == 2
    give(filled, back, likeness=90.0)
    values = [row["value"] for row in ratings.marks(filled.db, filled.project_id)]
    assert values == [50.0, 50.0, 90.0]
    kinds = [event["event"] for event in ratings.events(filled.db, filled.project_id)]
    assert kinds == ["rate", "rate", "rate", "undo", "rate"]


def test_undo_takes_all_marks_of_a_picture_back_and_goes_on_to_the_one_before(filled, project):
    items = rate_all(filled, project, most=1)
    give(filled, rating.next_to_rate(filled.db, project, "me", "s"), likeness=1.0, quality=2.0, prompt=3.0)
    rating.undo_last(filled.db, project, "me")
    assert len(ratings.marks(filled.db, filled.project_id)) == 1
    assert rating.undo_last(filled.db, project, "me").token == items[0].token
    assert rating.undo_last(filled.db, project, "me") is None
    assert len(rating.held_back_tokens(filled.db, project, "me")) == 35


def test_an_item_is_open_until_it_is_judged_or_leaves_the_set(filled, project):
    item = rating.next_to_rate(filled.db, project, "me", "s")
    assert rating.is_open(filled.db, project, "me", item)
    assert rating.is_open(filled.db, project, "you", item)
    give(filled, item)
    assert not rating.is_open(filled.db, project, "me", item)
    assert rating.is_open(filled.db, project, "me", dataclasses.replace(item, is_repeat=True))
    rating.undo_last(filled.db, project, "me")
    assert rating.is_open(filled.db, project, "me", item)
    assert not rating.is_open(filled.db, {**project, "plan_id": 99}, "me", item)


def test_what_is_no_longer_in_the_set_is_not_taken_back(filled, project):
    """It could not be shown to be judged again."""
    give(filled, rating.next_to_rate(filled.db, project, "me", "s"))
    assert rating.undo_last(filled.db, {**project, "plan_id": 99}, "me") is None
    assert len(ratings.marks(filled.db, filled.project_id)) == 1


def test_a_skip_can_be_undone(filled, project):
    item = rating.next_to_rate(filled.db, project, "me", "s")
    rating.skip(filled.db, item, "me", "s", 0.0)
    assert rating.undo_last(filled.db, project, "me").token == item.token
    assert item.token in rating.held_back_tokens(filled.db, project, "me")


def test_undo_touches_no_other_rater(filled, project):
    rate_all(filled, project, "you", most=2)
    assert rating.undo_last(filled.db, project, "me") is None
    assert len(ratings.marks(filled.db, filled.project_id)) == 2


# how steady a rater is


def test_reliability_is_the_mean_distance_between_a_picture_s_two_marks(filled, project):
    while item := rating.next_to_rate(filled.db, project, "me", "s"):
        give(filled, item, likeness=50.0 + 4 * item.is_repeat, quality=70.0 - 2 * item.is_repeat)
    found = rating.reliability(filled.db, project, "me")
    assert (found.mean_difference, found.n) == (3.0, 30)
    assert found.by_axis == {"likeness": (4.0, 15), "quality": (2.0, 15)}


def test_without_repeats_reliability_is_unknown(filled, project):
    rate_all(filled, project, most=3)
    assert rating.reliability(filled.db, project, "me") is None


def test_the_ratings_of_the_filled_workspace_make_one_repeat_four_marks_apart(tmp_path):
    filled = fill(tmp_path)
    project = library.project(filled.db, filled.project_id)
    found = rating.reliability(filled.db, project, "me")
    assert found.by_axis == {"likeness": (4.0, 1)}
    assert len(rating.waiting(filled.db, project, "me")) == 35 - 12


def test_only_the_current_plan_is_rated(filled, project):
    from workbench.plans.plan import set_plan

    rate_all(filled, project, most=2)
    other = PLAN.model_copy(update={"seeds": (7,)})
    set_plan(filled.db, filled.project_id, other)
    project = library.project(filled.db, filled.project_id)
    assert rating.rating_set(filled.db, project) == []
    assert rating.held_back_tokens(filled.db, project, "me") == set()
    assert len(results.previews(filled.db, filled.project_id, filled.plan_id)) == 104
