"""Choices between pictures as comparisons of checkpoints, from a real database."""

from itertools import permutations

import numpy as np
import pytest
from filled import fill

from db import ratings, results, runs, sittings
from workbench.people.choices import BASE_ALONE, choice_table, grid_weight, implied, tied_weight


@pytest.fixture
def filled(tmp_path):
    return fill(tmp_path, rated=False)


@pytest.fixture
def cells(filled):
    """(checkpoint, prompt, seed) -> preview id; the base alone is None."""
    return {
        (row["checkpoint_id"], row["prompt"], row["seed"]): row["id"]
        for row in results.shown(filled.db, filled.project_id)
    }


@pytest.fixture
def last(filled):
    """The last checkpoint of every run."""
    return [runs.checkpoints(filled.db, run)[-1]["id"] for run in filled.run_ids]


def ask(filled, mode, *items, rater="ann"):
    """Store a sitting and what was said of its items: (previews, part, position it repeats, (said, preview), ...).
    Returns the items' ids and the events'."""
    asked = [{"part": part, "previews": shown, "repeats": first} for shown, part, first, *_ in items]
    about = {"rater": rater, "mode": mode, "minutes": 5.0, "protocol": "2"}
    sitting = sittings.add_sitting(filled.db, asked, project_id=filled.project_id, plan_id=filled.plan_id, **about)
    stored = sittings.items(filled.db, sitting)
    events = [
        ratings.add(
            filled.db,
            item_id=item["id"],
            preview_id=preview,
            rater=rater,
            session="s",
            event="choose",
            said=said,
            is_repeat=int(item["part"] == "repeat"),
            position=item["position"],
            shown_at=1.0,
            answered_at=2.0,
            protocol="2",
        )
        for item, (_, _, _, *answers) in zip(stored, items, strict=True)
        for said, preview in answers
    ]
    return [item["id"] for item in stored], events


def test_a_pair_is_one_comparison_with_its_side_and_its_repeat_names_its_first_time(filled, cells, last):
    a, b = cells[last[0], 0, 101], cells[last[1], 0, 101]
    (first, again), _ = ask(filled, "pair", ([a, b], "first", None, ("right", b)), ([b, a], "repeat", 0, ("left", b)))
    table = choice_table(filled.db, filled.project_id)
    assert table[["winner", "loser"]].to_numpy().tolist() == [[last[1], last[0]]] * 2
    assert table["side"].tolist() == ["right", "left"] and table["weight"].tolist() == [1.0, 1.0]
    assert table["item_id"].tolist() == [first, again] and table["first_item"].tolist() == [first, first]
    assert table["is_repeat"].tolist() == [False, True] and not table["tied"].any()
    assert set(table["text"]) == {"photo of zwx woman"} and set(table["seed"]) == {101}


def test_same_and_both_bad_are_ties_and_both_bad_is_told_apart(filled, cells, last):
    pair = [cells[last[0], 1, 101], cells[last[2], 1, 101]]
    ask(filled, "pair", (pair, "first", None, ("same", None)), (pair, "first", None, ("bad", None)))
    table = choice_table(filled.db, filled.project_id)
    assert table["tied"].all() and table["both_bad"].tolist() == [False, True]
    assert table["side"].isna().all()


def test_a_grid_of_four_implies_five_comparisons_that_share_one_item(filled, cells, last):
    grid = [cells[checkpoint, 2, 101] for checkpoint in last[:4]]
    ask(filled, "best_worst", (grid, "first", None, ("best", grid[2]), ("worst", grid[0])))
    table = choice_table(filled.db, filled.project_id)
    found = set(map(tuple, table[["winner", "loser"]].to_numpy().tolist()))
    one, two, three, four = last[:4]
    assert found == {(three, one), (three, two), (three, four), (two, one), (four, one)} and len(table) == 5
    assert table["item_id"].nunique() == 1 and table["weight"].sum() == pytest.approx(25 / 9)


def test_a_grid_that_is_all_bad_ties_every_pair_and_is_worth_as_much(filled, cells, last):
    grid = [cells[checkpoint, 2, 101] for checkpoint in last[:4]]
    ask(filled, "best_worst", (grid, "first", None, ("bad", None)))
    table = choice_table(filled.db, filled.project_id)
    assert len(table) == 6 and table["both_bad"].all() and table["weight"].sum() == pytest.approx(25 / 9)


def test_the_base_takes_part_and_two_pictures_of_one_checkpoint_do_not(filled, cells, last):
    base, picture, other = cells[None, 0, 101], cells[last[0], 0, 101], cells[last[0], 0, 102]
    ask(filled, "pair", ([base, picture], "first", None, ("right", picture)))
    ask(filled, "pair", ([picture, other], "first", None, ("left", picture)))
    table = choice_table(filled.db, filled.project_id)
    assert table[["winner", "loser"]].to_numpy().tolist() == [[last[0], BASE_ALONE]]


def test_undone_choices_warm_ups_and_runs_in_the_bin_take_no_part(filled, cells, last):
    a, b, c = (cells[checkpoint, 0, 101] for checkpoint in last[:3])
    items, events = ask(
        filled,
        "pair",
        ([a, b], "warm_up", None, ("left", a)),
        ([a, b], "first", None, ("left", a)),
        ([a, b], "first", None, ("right", b)),
        ([a, c], "first", None, ("left", a)),
    )
    ratings.add(
        filled.db, item_id=items[1], rater="ann", session="s", event="undo", undoes=events[1], position=4,
        shown_at=3.0, answered_at=4.0, protocol="2",
    )  # fmt: skip
    filled.db.execute("update runs set deleted_at = 1.0 where id = ?", [filled.run_ids[2]])
    filled.db.conn.commit()
    assert choice_table(filled.db, filled.project_id)["item_id"].tolist() == [items[2]]


def test_without_choices_the_table_is_empty_and_has_its_columns(filled):
    table = choice_table(filled.db, filled.project_id)
    assert table.empty and {"winner", "loser", "weight", "first_item"} <= set(table.columns)


def test_half_of_a_grids_answer_implies_what_it_can():
    assert implied([1, 2, 3], best=1, worst=None) == [(1, 2), (1, 3)]
    assert implied([1, 2, 3], best=None, worst=1) == [(2, 1), (3, 1)]


@pytest.mark.parametrize("m", [2, 3, 6])
def test_the_weight_of_a_grid_makes_its_information_the_variance_of_its_score(m):
    """By going through all m (m - 1) answers, each as likely with equal pictures."""
    information, variance, answers = np.zeros((m, m)), np.zeros((m, m)), list(permutations(range(m), 2))
    for best, worst in answers:
        score = np.zeros(m)
        for winner, loser in implied(list(range(m)), best, worst):
            step = np.eye(m)[winner] - np.eye(m)[loser]
            score += step / 2  # said - expected = 1 - 1/2
            information += np.outer(step, step) / 4 / len(answers)
        variance += np.outer(score, score) / len(answers)
    assert grid_weight(m) * variance == pytest.approx(information)
    assert tied_weight(m) * m * (m - 1) / 2 == pytest.approx(grid_weight(m) * (2 * m - 3))
