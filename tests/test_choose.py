"""What is proposed fits into the minutes, tells something, and follows what is known."""

from itertools import combinations
from random import Random

import numpy as np
import pytest
from filled import PLAN, fill, rate
from filled_elsewhere import fill_elsewhere
from raters_drawn import UsualPace, World

from db import library, now, ratings, sittings
from workbench.projects import add_project
from workbench.rating import pool
from workbench.rating.choose import LONGEST, SHORTEST, nothing_to_ask, propose
from workbench.rating.layout import n_repeats
from workbench.rating.modes import MODES
from workbench.rating.pace import WARM_UPS, Pace
from workbench.rating.picking import MOST_IN_PAIRS, spanning_tree
from workbench.workspace import Workspace


@pytest.fixture
def fresh(tmp_path):
    made = fill(tmp_path, PLAN.model_copy(update={"seeds": (101, 102, 103)}), rated=False)
    return made, library.project(made.db, made.project_id)


def by_mode(proposals):
    return {each.mode: each for each in proposals}


@pytest.mark.parametrize("minutes", [2, 5, 20, 120])
def test_a_sitting_never_holds_more_than_fits_with_warm_up_and_repeats(fresh, minutes):
    made, project = fresh
    found = propose(made.db, project, "me", minutes)
    assert {each.mode for each in found} == set(MODES)
    for each in found:
        n = len(each.asked)
        assert each.repeats == n_repeats(n)
        seconds = (n + each.repeats + WARM_UPS[each.mode]) * MODES[each.mode].seconds
        assert each.minutes == pytest.approx(seconds / 60) and each.minutes <= minutes
        assert each.why.endswith(".") and each.foretold.words.endswith(".")


def test_minutes_have_ends(fresh):
    made, project = fresh
    assert propose(made.db, project, "me", 0.1) == propose(made.db, project, "me", SHORTEST)
    assert propose(made.db, project, "me", 1e6) == propose(made.db, project, "me", LONGEST)


def test_items_of_each_mode_are_what_the_mode_shows(fresh):
    made, project = fresh
    at = {row["id"]: row for row in pool.pictures(made.db, project)}
    found = by_mode(propose(made.db, project, "me", 20))
    for mode, proposal in found.items():
        assert len(set(proposal.asked)) == len(proposal.asked)
        for item in proposal.asked:
            rows = [at[preview] for preview in item]
            assert 1 <= len(rows) <= MODES[mode].pictures
            checkpoints = {row["checkpoint_id"] for row in rows}
            if mode in ("pair", "best_worst"):  # one prompt and seed, another checkpoint each
                assert len({(row["prompt"], row["seed"]) for row in rows}) == 1 and len(checkpoints) == len(rows) >= 2
            else:
                assert len(checkpoints) == 1


def test_a_raters_own_pace_counts_once_it_is_known_and_pauses_do_not(fresh):
    made, project = fresh
    ids = [row["id"] for row in pool.rating_set(made.db, project)]
    for number, preview in enumerate(ids[:11]):
        about = {"rater": "me", "session": "s", "event": "rate", "axis": "quality", "value": 50.0, "protocol": "1"}
        long = 2.0 if number < 5 else 1000.0  # more pauses than answers
        at = now() - 7200
        ratings.add(made.db, **about, preview_id=preview, position=number, shown_at=at - long, answered_at=at)
    pace = Pace(made.db, made.project_id, "me")
    assert pace.each("single") == pytest.approx(2.0)
    assert pace.each("deck") == MODES["deck"].seconds
    assert Pace(made.db, made.project_id, "Mia").each("single") == MODES["single"].seconds


def test_who_rated_just_now_needs_no_warm_up(fresh):
    made, _ = fresh
    before = Pace(made.db, made.project_id, "me").minutes("single", 10)
    rate(made, pool.rating_set(made.db, library.project(made.db, made.project_id))[0]["id"], "me", 0, likeness=50.0)
    after = Pace(made.db, made.project_id, "me").minutes("single", 10)
    assert before - after == pytest.approx(WARM_UPS["single"] * MODES["single"].seconds / 60)


def test_rows_come_first_where_nothing_was_said_and_there_is_no_time_for_every_picture():
    world = World(50, np.random.default_rng(1))
    best = world.proposals(5, UsualPace())[0]
    assert best.mode == "sheet"
    shown = [world.by_id[item[0]].checkpoint for item in best.asked]
    likeness = [world.prior[checkpoint] for checkpoint in shown]
    left = [value for checkpoint, value in world.prior.items() if checkpoint not in shown]
    assert min(likeness) >= max(left, default=0) - 5  # the promising ones, as the judge sees them


def test_settled_checkpoints_are_not_asked_about_again():
    world = World(12, np.random.default_rng(2), spread=10.0)
    world.answer(world.proposals(10, UsualPace())[0])
    before = world.field()
    assert 2 <= len(before.every) < 12
    for proposal in world.proposals(10, UsualPace()):
        assert {world.by_id[preview].checkpoint for item in proposal.asked for preview in item} <= set(before.every)


def test_single_pictures_are_not_asked_twice_and_pairs_not_the_same_two():
    world = World(6, np.random.default_rng(3), spread=3.0)
    pairs: list[frozenset[int]] = []
    single: list[int] = []
    for _ in range(3):
        found = by_mode(world.proposals(5, UsualPace()))
        deck, pair = found.get("deck"), found["pair"]
        for item in deck.asked if deck else ():
            single.append(item[0])
        pairs += [frozenset(item) for item in pair.asked]
        if deck:
            world.answer(deck)
        world.answer(pair)
    assert len(set(pairs)) == len(pairs) and len(set(single)) == len(single)


def test_pairs_show_pictures_that_were_not_seen_yet_while_there_are_any():
    world = World(6, np.random.default_rng(7), spread=3.0)
    world.answer_items("deck", [(row["id"],) for row in world.rows if row["prompt"] < 3], 0)
    pair = by_mode(world.proposals(2, UsualPace()))["pair"]
    assert len(pair.asked) >= 10 and not world.done & {preview for item in pair.asked for preview in item}


def test_pairs_join_all_checkpoints_first_and_then_go_to_the_close_ones():
    ids = list(range(8))
    tree = spanning_tree(ids, list(combinations(ids, 2)), Random(0))
    assert len(tree) == 7 and {each for pair in tree for each in pair} == set(ids)
    world = World(8, np.random.default_rng(4), spread=12.0)
    pair = by_mode(world.proposals(20, UsualPace()))["pair"]
    joined = [tuple(world.by_id[preview].checkpoint for preview in item) for item in pair.asked]
    assert {each for two in joined[:7] for each in two} == set(ids)
    apart = {pair: abs(world.prior[pair[0]] - world.prior[pair[1]]) for pair in combinations(ids, 2)}
    assert np.median([apart[min(two), max(two)] for two in joined[7:30]]) < np.median(list(apart.values()))
    assert len({each for two in joined for each in two}) <= MOST_IN_PAIRS


def test_three_sliders_come_first_only_where_nobody_judged_more_than_likeness_and_time_is_ample(fresh):
    made, project = fresh
    assert propose(made.db, project, "me", 60)[0].mode == "single"
    assert propose(made.db, project, "me", 5)[-1].mode == "single"
    rate(made, pool.rating_set(made.db, project)[0]["id"], "Mia", 0, quality=50.0)
    assert propose(made.db, project, "me", 60)[0].mode != "single"


def test_pictures_seen_by_name_are_never_proposed(fresh):
    made, project = fresh
    seen = [row["id"] for row in pool.rating_set(made.db, project)][:10]
    sittings.reveal(made.db, "me", seen)
    for proposal in propose(made.db, project, "me", 120):
        assert not set(seen) & {preview for item in proposal.asked for preview in item}


def test_where_nothing_is_left_to_learn_nothing_is_asked_and_it_is_said_why(tmp_path):
    made = fill(tmp_path, rated=False)
    project = library.project(made.db, made.project_id)
    rows = pool.rating_set(made.db, project)
    best = rows[0]["checkpoint_id"]
    for number, row in enumerate(rows):
        rate(made, row["id"], "me", number, likeness=95.0 if row["checkpoint_id"] == best else 5.0)
    assert propose(made.db, project, "me", 20) == []
    assert nothing_to_ask(made.db, project, "me").startswith("One checkpoint is better than all others")


def test_before_the_first_picture_that_is_what_is_said(tmp_path):
    db = Workspace(tmp_path).open()
    project = library.project(db, add_project(db, "p", "zwx", "woman"))
    assert propose(db, project, "me", 20) == [] and "no picture to rate yet" in nothing_to_ask(db, project, "me")


def test_one_picture_that_is_left_is_not_proposed_with_three_sliders_first_nor_called_one_checkpoint(fresh):
    made, project = fresh
    *rows, last = pool.pictures(made.db, project)
    for number, row in enumerate(rows):
        rate(made, row["id"], "me", number, likeness=60.0)
    found = propose(made.db, project, "me", 10)
    one = [each for each in found if each.asked == ((last["id"],),)]
    assert {each.mode for each in one} == {"single", "deck"}
    assert found[0].mode != "single" and found[-1].mode == "single"
    for each in found:
        assert (
            "the one checkpoint that there is" not in each.foretold.words and "There is one checkpoint" not in each.why
        )
    assert all(
        each.foretold.words == "Afterwards more is known of how good people find one checkpoint." for each in one
    )


def test_pictures_seen_by_name_are_not_said_to_have_been_rated(tmp_path):
    made = fill(tmp_path, rated=False)
    project = library.project(made.db, made.project_id)
    *rows, one, other = pool.pictures(made.db, project)
    for number, row in enumerate(rows):
        rate(made, row["id"], "me", number, likeness=60.0)
    sittings.reveal(made.db, "me", [one["id"], other["id"]])
    left = [each for each in propose(made.db, project, "me", 10) if MODES[each.mode].axes]
    assert left == []  # pairs may still be shown again
    said = nothing_to_ask(made.db, project, "me")
    assert said.startswith("You have rated every picture that there is, but for 2 pictures that you saw by name. 12 ")


def test_pictures_made_elsewhere_can_be_asked_about_in_every_mode(tmp_path):
    made = fill_elsewhere(tmp_path)
    project = library.project(made.db, 1)
    found = by_mode(propose(made.db, project, "me", 20))
    assert set(found) == set(MODES)
    made.db.execute("delete from scores")
    made.db.execute("delete from previews where checkpoint_id <> (select max(checkpoint_id) from previews)")
    made.db.conn.commit()
    assert set(by_mode(propose(made.db, project, "me", 20))) == {"single", "deck", "sheet"}  # nothing to compare


def test_a_long_first_sitting_over_many_checkpoints_is_better_halved_and_that_is_said():
    said = [each.why for each in World(25, np.random.default_rng(5)).proposals(20, UsualPace())]
    assert "Two sittings of 10 minutes tell more" in said[0] and not any("Two sittings" in why for why in said[1:])
    assert "Two sittings" not in World(6, np.random.default_rng(5)).proposals(20, UsualPace())[0].why
