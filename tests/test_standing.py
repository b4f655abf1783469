"""What is known of checkpoints from marks and choices is what can be worked out by hand, and covers the truth."""

import numpy as np
import pytest
from filled import fill, rate
from raters_drawn import UsualPace, World

from db import library, ratings, sittings
from workbench.rating import pool
from workbench.rating.estimate import (
    LEVEL_SD,
    OWN_DF,
    OWN_SD,
    PRIOR_SD,
    RATER_NOISE,
    RATER_NOISE_DF,
    Choice,
    Mark,
    Picture,
    difference_sd,
    estimate,
    noise_of,
)
from workbench.rating.standing import COLUMNS, compared, is_open, leads, standings, worth_rating

A, B = Picture(1, 10, (0, 1)), Picture(2, 20, (0, 1))


def test_marks_of_one_prompt_pull_the_difference_from_the_judge_to_the_rater_by_their_precision():
    found = estimate({10: 50.0, 20: 50.0}, [Mark((A,), "me", (70.0,)), Mark((B,), "me", (50.0,))], [])
    mark = RATER_NOISE**2 + OWN_SD**2
    prior, said = 2 * PRIOR_SD**2, 2 * mark  # variances of the difference; level and prompt are shared and fall out
    assert found.noise.mark == pytest.approx(mark**0.5)
    assert found.means[0] - found.means[1] == pytest.approx(20 * prior / (prior + said))
    assert difference_sd(found.covariance)[0, 1] == pytest.approx((prior * said / (prior + said)) ** 0.5)


def test_without_marks_the_prior_is_the_judges_likeness_and_as_unsure_as_stated():
    found = estimate({10: 40.0, 20: 70.0}, [], [])
    assert found.means.tolist() == pytest.approx([40, 70])
    assert np.diag(found.covariance) == pytest.approx([PRIOR_SD**2 + LEVEL_SD**2] * 2)


def test_what_is_marked_again_counts_once_and_tells_the_raters_own_noise():
    again = [Mark((A,), "me", (60.0, 70.0)), Mark((B,), "me", (50.0, 50.0))]
    squares = 50.0  # (60 - 65)^2 + (70 - 65)^2, one degree of freedom each
    rater = (RATER_NOISE_DF * RATER_NOISE**2 + squares) / (RATER_NOISE_DF + 2)
    noise = noise_of(again)
    assert noise.rater**2 == pytest.approx(rater) and noise.own == pytest.approx(OWN_SD) and noise.df == OWN_DF
    assert estimate({10: 50.0, 20: 50.0}, again, []).heard == {10: 1, 20: 1}


def test_a_prompt_that_is_hard_for_all_is_no_fault_of_who_was_only_seen_there():
    hard = {each: Picture(each, 10 * each, (1, 1)) for each in (1, 2, 3)}
    easy = {each: Picture(10 + each, 10 * each, (0, 1)) for each in (1, 2)}
    marks = [Mark((hard[each],), "me", (40.0,)) for each in (1, 2, 3)]
    marks += [Mark((easy[each],), "me", (70.0,)) for each in (1, 2)]
    found = estimate({10: 50.0, 20: 50.0, 30: 50.0}, marks, [])
    naive = (40 + 70) / 2 - 40
    assert 0 <= found.means[0] - found.means[2] < naive / 2


def test_choices_order_checkpoints_and_ties_bring_them_together():
    pictures = [(Picture(2 * n, 10, (n, 1)), Picture(2 * n + 1, 20, (n, 1))) for n in range(8)]

    def apart(won: float) -> tuple[float, float]:
        found = estimate({10: 50.0, 20: 50.0}, [], [Choice(one, other, won, 1.0, one.id) for one, other in pictures])
        return float(found.means[0] - found.means[1]), float(difference_sd(found.covariance)[0, 1])

    assert apart(1.0)[0] == pytest.approx(-apart(0.0)[0]) and apart(1.0)[0] > 10
    assert apart(0.5)[0] == pytest.approx(0) and apart(0.5)[1] < PRIOR_SD * 2**0.5 / 2


def test_the_same_two_pictures_compared_again_and_again_say_no_more_than_these_two_pictures():
    often = estimate({10: 50.0, 20: 50.0}, [], [Choice(A, B, won, 1.0, n) for n, won in enumerate([1.0, 0.0] * 100)])
    assert difference_sd(often.covariance)[0, 1] > 2**0.5 * OWN_SD * 0.95


def test_best_and_worst_of_a_grid_imply_pairs_and_what_was_asked_twice_counts_once():
    at = {n: Picture(n, n, (0, 1)) for n in range(1, 5)}
    grid = {"mode": "best_worst", "previews": [1, 2, 3, 4], "item_id": 7, "first_item": 7}
    once = [{**grid, "said": "best", "preview_id": 2}, {**grid, "said": "worst", "preview_id": 3}]
    pairs = {(each.first.id, each.second.id) for each in compared(once, at)}
    assert pairs == {(2, 3), (2, 1), (2, 4), (1, 3), (4, 3)}
    twice = compared([*once, *({**row, "item_id": 8} for row in once)], at)
    assert sum(each.weight for each in twice) == pytest.approx(sum(each.weight for each in compared(once, at)))


def test_a_mark_given_a_thousand_times_says_no_more_than_the_picture_does():
    marks = [Mark((each,), "me", (60.0, 61.0) * 500) for each in (A, B)]
    found = estimate({10: 50.0, 20: 50.0}, marks, [])
    one_mark = found.noise.rater**2 / 1000 + found.noise.own**2
    assert difference_sd(found.covariance)[0, 1] == pytest.approx(
        (1 / (1 / (2 * PRIOR_SD**2) + 1 / (2 * one_mark))) ** 0.5, rel=1e-3
    )


def test_two_raters_of_one_picture_share_what_is_the_pictures_own():
    marks = [Mark((each,), rater, (60.0,)) for each in (A, B) for rater in ("me", "Mia")]
    found = estimate({10: 50.0, 20: 50.0}, marks, [])
    one_mark = found.noise.rater**2 / 2 + found.noise.own**2
    assert difference_sd(found.covariance)[0, 1] == pytest.approx(
        (1 / (1 / (2 * PRIOR_SD**2) + 1 / (2 * one_mark))) ** 0.5, rel=1e-3
    )


def test_what_is_a_pictures_own_is_not_taken_for_less_where_several_raters_marked_it():
    """Four raters who see the same in each picture: around what they have in common little would be left."""
    draw, found, inside = np.random.default_rng(8), [], []
    for _ in range(30):
        own = draw.normal(0, 9, (6, 4))
        pictures = {(c, p): Picture(10 * c + p, c, (p, 1)) for c in range(6) for p in range(4)}
        marks = [
            Mark((each,), rater, (50 + own[at] + draw.normal(0, 8),))
            for rater in ("Ada", "Eve", "Mia", "Zoe")
            for at, each in pictures.items()
        ]
        known = estimate(dict.fromkeys(range(6), 50.0), marks, [])
        found.append(known.noise.own**2)
        away = known.means[:, None] - known.means  # in truth all are the same
        within = np.abs(away) <= known.quantile * difference_sd(known.covariance)
        inside.append(np.mean(within[np.triu_indices(6, 1)]))
        assert known.noise.df <= OWN_DF + 15  # (6 - 1) x (4 - 1)
    weighed = (OWN_DF * OWN_SD**2 + 60 * 9**2) / (OWN_DF + 60)  # before there are marks, and what four raters tell
    assert np.mean(found) == pytest.approx(weighed, rel=0.2)
    assert np.mean(inside) >= 0.9


@pytest.mark.parametrize("mode", ["deck", "sheet", "pair", "best_worst"])
def test_intervals_of_differences_hold_the_truth_about_as_often_as_they_say(mode):
    inside = []
    for number in range(16):
        world = World(8, np.random.default_rng([5, number]))
        world.answer(next(each for each in world.proposals(8, UsualPace()) if each.mode == mode))
        found = world.known()
        pairs = np.triu_indices(8, 1)
        away = (found.means[:, None] - found.means) - (world.quality[:, None] - world.quality)
        inside.append(np.mean((np.abs(away) <= found.quantile * difference_sd(found.covariance))[pairs]))
    assert 0.91 <= np.mean(inside) <= 1


def test_the_best_is_seldom_called_settled_and_far_ones_are():
    kept, still = [], []
    for number in range(15):
        world = World(10, np.random.default_rng([6, number]), spread=15.0)
        world.answer(world.proposals(10, UsualPace())[0])
        found = world.known()
        kept.append(leads(found)[world.best])
        still.append(leads(found).sum())
    assert np.mean(kept) >= 0.9 and np.mean(still) < 5


def test_nobody_is_settled_unseen():
    found = estimate({10: 95.0, 20: 2.0}, [Mark((A,), "me", (90.0,))], [])
    assert not leads(found)[1] and is_open(found).all()


def test_standings_of_a_project_have_a_row_per_judged_checkpoint_and_only_count_the_asked_rater(tmp_path):
    made = fill(tmp_path)  # "me" marked the last checkpoints of two patterns, one picture twice
    project = library.project(made.db, made.project_id)
    table = standings(made.db, project, "me")
    assert list(table.columns) == COLUMNS and len(table) == 12
    marked = table[table["n"] > 0]
    assert marked["label"].tolist() == [
        "baseline, seed 1 · 120 updates",
        "baseline, seed 2 · 120 updates",
        "alpha 1, seed 1 · 120 updates",
        "alpha 1, seed 2 · 120 updates",
    ]
    assert (marked["n"] == 3).all()  # three prompts; a repeat is none of its own
    assert marked["mean"].tolist() == pytest.approx(
        [69, 64, 53, 49], abs=2
    )  # likeness + 5 + the first seed's 1, pooled
    assert ((table["low"] <= table["mean"]) & (table["mean"] <= table["high"])).all()
    assert not standings(made.db, project, "Mia")["n"].any()
    assert standings(made.db, project)["n"].sum() == 12


def test_warm_ups_never_count(tmp_path):
    made = fill(tmp_path, rated=False)
    project = library.project(made.db, made.project_id)
    picture = pool.rating_set(made.db, project)[0]["id"]
    about = {"project_id": made.project_id, "plan_id": made.plan_id, "rater": "me", "mode": "deck", "minutes": 5.0}
    items = [{"part": "warm_up", "previews": [picture]}, {"part": "first", "previews": [picture]}]
    sitting = sittings.add_sitting(made.db, items, **about, foretold="{}", protocol="2")
    warm_up, first = (item["id"] for item in sittings.items(made.db, sitting))
    event = {"rater": "me", "session": "s", "event": "rate", "axis": "likeness", "preview_id": picture, "protocol": "2"}
    event |= {"shown_at": 1.0, "answered_at": 2.0}
    ratings.add(made.db, **event, item_id=warm_up, value=90.0, position=0)
    assert not standings(made.db, project, "me")["n"].any()
    ratings.add(made.db, **event, item_id=first, value=90.0, position=1)
    assert standings(made.db, project, "me")["n"].sum() == 1


def test_rating_is_not_asked_for_any_more_where_it_would_tell_nothing(tmp_path):
    made = fill(tmp_path, rated=False)
    project = library.project(made.db, made.project_id)
    assert worth_rating(made.db, project, "me") == "nobody has looked yet which of 12 checkpoints is best"
    rows = pool.rating_set(made.db, project)
    best = rows[0]["checkpoint_id"]
    for number, row in enumerate(rows):
        if row is not rows[0]:
            rate(made, row["id"], "me", number, likeness=90.0 if row["checkpoint_id"] == best else 10.0)
    assert pool.waiting(made.db, project, "me") == [] and worth_rating(made.db, project, "me") == ""
