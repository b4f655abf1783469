"""The order that choices make: against published figures, by hand, and where nothing can be said."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize

from workbench.people.bradley_terry import rank_intervals, ranking
from workbench.people.choices import BASE_ALONE, COLUMNS
from workbench.people.davidson import Comparisons, chances, derivatives, fit, log_likelihood, prior_precision
from workbench.people.simulated_choices import World, choose

ROOT = Path(__file__).resolve().parent.parent

# wins of the row over the column; American League, Eastern Division, 1987 (Agresti, Categorical Data Analysis, 10.6)
TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
BASEBALL = (
    (0, 7, 9, 7, 7, 9, 11),
    (6, 0, 7, 5, 11, 9, 9),
    (4, 6, 0, 7, 7, 8, 12),
    (6, 8, 6, 0, 6, 7, 10),
    (6, 2, 6, 7, 0, 7, 12),
    (4, 4, 5, 6, 6, 0, 6),
    (2, 4, 1, 3, 1, 7, 0),
)
# i, j, preferred i, preferred j, no preference: puddings (Davidson 1970)
PUDDINGS = (
    (1, 2, 19, 22, 16), (1, 3, 16, 19, 12), (2, 3, 19, 19, 10), (1, 4, 18, 23, 13), (2, 4, 23, 19, 9),
    (3, 4, 19, 20, 15), (1, 5, 13, 19, 18), (2, 5, 16, 20, 12), (3, 5, 16, 15, 17), (4, 5, 17, 14, 16),
    (1, 6, 18, 21, 12), (2, 6, 22, 20, 12), (3, 6, 13, 18, 10), (4, 6, 14, 19, 18), (5, 6, 11, 21, 12),
)  # fmt: skip


def counted(rows):
    """(first, second, wins of the first, of the second, ties) as comparisons of checkpoints, one prompt."""
    single = [
        (i, j, said, count)
        for i, j, *counts in rows
        for said, count in zip((1.0, 0.0, 0.5), counts, strict=True)
        if count
    ]
    first, second, said, weight = (np.array(each) for each in zip(*single, strict=True))
    return Comparisons(np.arange(max(first.max(), second.max()) + 1), first, second, said, weight.astype(float))


def answers(*rows):
    """(winner, loser, what else) as a choice table; each an item of its own unless ``item_id`` says otherwise."""
    usual = {
        "tied": False, "both_bad": False, "weight": 1.0, "rater": "ann", "mode": "pair", "prompt": 0, "text": "a photo",
        "seed": 1, "is_repeat": False, "session": "s", "position": 0, "side": None,
    }  # fmt: skip
    each = [
        {"item_id": number, "first_item": number, **usual, "winner": winner, "loser": loser, **about}
        for number, (winner, loser, about) in enumerate(rows)
    ]
    return pd.DataFrame(each, columns=list(COLUMNS)).astype(COLUMNS)


def many(winner, loser, times, **about):
    return [(winner, loser, about)] * times


# published figures


def test_baseball_has_the_abilities_and_standard_errors_of_agresti_and_bradleyterry2():
    found = fit(counted([(i, j, BASEBALL[i][j], BASEBALL[j][i], 0) for i in range(7) for j in range(i)]), math.inf, 0)
    against = found.strengths - found.strengths[TEAMS.index("Baltimore")]
    assert against[:6] == pytest.approx([1.5814, 1.4364, 1.2945, 1.2476, 1.1077, 0.6839], abs=1e-4)
    errors = np.sqrt(np.diag(found.cov) + found.cov[6, 6] - 2 * found.cov[6])
    assert errors[:6] == pytest.approx([0.3433, 0.3396, 0.3367, 0.3359, 0.3339, 0.3319], abs=1e-4)
    assert found.strengths.sum() == pytest.approx(0) and found.log_ties == -math.inf


def test_puddings_have_the_worths_and_the_ties_parameter_of_davidson_and_plackettluce():
    data = counted([(i - 1, j - 1, *rest) for i, j, *rest in PUDDINGS])
    found = fit(data, math.inf, 0)
    worth = np.exp(found.strengths) / np.exp(found.strengths).sum()
    published = [0.1388005, 0.1729985, 0.1617420, 0.1653930, 0.1586805, 0.2023855]
    assert worth == pytest.approx(published, abs=3e-5)  # these stopped after 7 iterations, as Davidson did:
    assert math.exp(found.log_ties) == pytest.approx(0.7468147, abs=3e-5)
    theirs = log_likelihood(data, np.log(published), math.log(0.7468147))
    assert 0 < log_likelihood(data, found.strengths, found.log_ties) - theirs < 1e-4


# by hand, and by another way of computing


def test_two_checkpoints_by_hand():
    # 3 wins, 1 loss, 4 ties: e^gap = 3 / 1, nu = 4 / sqrt(3 x 1)
    found = fit(counted([(0, 1, 3, 1, 4)]), math.inf, 0)
    assert found.strengths == pytest.approx([math.log(3) / 2, -math.log(3) / 2])
    assert math.exp(found.log_ties) == pytest.approx(4 / math.sqrt(3))
    first, tie = chances(np.array(math.log(3)), found.log_ties)
    assert (float(first), float(tie)) == pytest.approx((3 / 8, 4 / 8))


def test_the_mode_with_priors_is_what_a_general_optimiser_finds():
    # two checkpoints under two prompts and a third under one, with ties
    owner = np.array([0, 0, 1, 1, 2])
    first, second = np.array([0, 0, 1, 3, 2, 4]), np.array([2, 2, 3, 1, 4, 0])
    said, weight = np.array([1, 1, 0.5, 1, 0, 1]), np.array([2.0, 1, 1, 0.5, 3, 1])
    data = Comparisons(owner, first, second, said, weight)
    sd, prompts_sd = 1.5, 0.7
    covariance = sd**2 * (owner[:, None] == owner) + prompts_sd**2 * np.eye(5)

    def loss(at):
        half, total = at[first] - at[second], 0.0
        one, tie = np.exp(half), math.exp(at[5]) * np.exp(half / 2)
        chance = np.where(said == 1, one, np.where(said == 0.5, tie, 1.0)) / (one + tie + 1)
        total -= weight @ np.log(chance)
        return total + at[:5] @ np.linalg.solve(covariance, at[:5]) / 2 + at[5] ** 2 / (2 * 2.0**2)

    by_scipy = minimize(loss, np.zeros(6), method="BFGS", options={"gtol": 1e-8}).x
    found = fit(data, sd, prompts_sd)
    assert [*found.cells, found.log_ties] == pytest.approx(by_scipy, abs=1e-5)
    # a checkpoint given its cells: the mean of the normal conditional on them
    assert found.strengths == pytest.approx(
        sd**2 * (np.arange(3)[:, None] == owner) @ np.linalg.solve(covariance, by_scipy[:5]), abs=1e-5
    )
    assert fit(data, sd, prompts_sd, start=fit(data, 3.0, 1.5)).cells == pytest.approx(found.cells, abs=1e-7)


def test_the_curvature_is_the_change_of_the_slope():
    owner = np.array([0, 0, 1])
    data = Comparisons(owner, np.array([0, 1, 0]), np.array([2, 2, 1]), np.array([1, 0.5, 0]), np.array([2.0, 1, 3]))
    precision, at, step = prior_precision(owner, 1.2, 0.6), np.array([0.4, -0.3, 0.9, -0.5]), 1e-6
    assert np.linalg.inv(precision) == pytest.approx(1.2**2 * (owner[:, None] == owner) + 0.6**2 * np.eye(3))
    _, curvature = derivatives(data, at[:3], at[3], precision, 0.25)
    for place in range(4):
        slopes = [
            derivatives(data, moved[:3], moved[3], precision, 0.25)[0]
            for moved in (at + step * np.eye(4)[place], at - step * np.eye(4)[place])
        ]
        assert curvature[place] == pytest.approx((slopes[1] - slopes[0]) / (2 * step), abs=1e-6)


@pytest.mark.parametrize("sd", [0.5, 2.0])
def test_the_evidence_is_the_integral_of_likelihood_and_prior(sd):
    wins, losses = 14, 6

    def under(gap):  # the gap of two strengths N(0, sd^2) is N(0, 2 sd^2)
        likelihood = (1 + math.exp(-gap)) ** -wins * (1 + math.exp(gap)) ** -losses
        return likelihood * math.exp(-(gap**2) / (4 * sd**2)) / math.sqrt(4 * math.pi * sd**2)

    assert fit(counted([(0, 1, wins, losses, 0)]), sd, 0).evidence == pytest.approx(
        math.log(quad(under, -10, 10)[0]), abs=0.03
    )


def test_one_prompt_says_less_of_a_checkpoint_than_several():
    one = ranking(answers(*many(1, 2, 30), *many(2, 1, 10))).chance(1, 2)
    losses = (1, 2, 2, 2, 2, 1)  # of five wins each
    rows = [(many(1, 2, 5, text=f"{place}"), many(2, 1, lost, text=f"{place}")) for place, lost in enumerate(losses)]
    six = ranking(answers(*(row for both in rows for part in both for row in part))).chance(1, 2)
    assert six.high - six.low < one.high - one.low
    assert one.better is None and six.better is True  # 30:10 on one prompt may be that prompt's


# what a ranking holds


def test_a_table_says_who_won_how_often_and_where_each_stands():
    found = ranking(answers(*many(5, 7, 12), *many(7, 9, 12), *many(5, 9, 12), *many(9, 7, 2), (7, 5, {"tied": True})))
    table = found.table
    assert table["checkpoint_id"].tolist() == [5, 7, 9] and table["rank"].tolist() == [1, 2, 3]
    counts = table[["n", "wins", "ties", "losses"]].to_numpy().tolist()
    assert counts == [[25, 24, 1, 0], [27, 12, 1, 14], [26, 2, 0, 24]]
    assert table["strength"].sum() == pytest.approx(0, abs=1e-9)
    assert (table["low"] < table["strength"]).all() and (table["strength"] < table["high"]).all()
    assert (table["rank_low"] <= table["rank"]).all() and (table["rank"] <= table["rank_high"]).all()
    assert (found.n, found.n_answers, found.n_groups, found.raters, found.disagreement) == (39, 39, 1, ("ann",), None)


def test_equal_checkpoints_keep_every_rank_open():
    found = ranking(answers(*[row for a in range(4) for b in range(4) if a != b for row in many(a, b, 8)]))
    assert found.table["rank_low"].tolist() == [1] * 4 and found.table["rank_high"].tolist() == [4] * 4
    assert found.chance(0, 3).better is None and found.chance(0, 3).value == pytest.approx(0.5, abs=0.02)
    assert "can't be told yet" in found.words


def test_ranks_hold_for_all_comparisons_at_once():
    """A gap of 2.2 standard deviations is sure for one pair chosen beforehand, and not for the largest of seven."""
    noise = np.random.default_rng(0).standard_normal((20_000, 8))
    means = np.array([2.2 * math.sqrt(2), *[0.0] * 7])
    low, high = rank_intervals(means + noise, np.zeros(8, int))
    assert (low[0], high[0]) == (1, 8)
    low, high = rank_intervals(2 * means + noise, np.zeros(8, int))
    assert (low[0], high[0]) == (1, 1) and set(low[1:]) == {2}


def test_a_checkpoint_that_never_lost_has_a_finite_strength_and_it_is_said():
    found = ranking(answers(*many(1, 2, 6), *many(2, 3, 4), *many(3, 2, 3)))
    assert 0 < found.table["strength"].iloc[0] < found.table["high"].iloc[0] < 10
    assert "Never lost: checkpoint 1." in found.words and "Never won" not in found.words
    assert found.ties == 0.0


def test_groups_that_were_never_compared_are_ranked_apart_and_it_is_said():
    found = ranking(
        answers(*many(1, 2, 5), *many(2, 3, 5), *many(8, 9, 4)), names={1: "A", 2: "B", 3: "C", 8: "D", 9: "E"}
    )
    assert found.n_groups == 2
    assert found.table["group"].tolist() == [1, 1, 1, 2, 2] and found.table["rank"].tolist() == [1, 2, 3, 1, 2]
    assert found.table["rank_high"].max() == 3
    assert found.table.groupby("group")["strength"].sum().tolist() == pytest.approx([0, 0], abs=1e-9)
    assert found.chance(1, 8) is None and found.chance(1, 77) is None and found.chance(1, 3).value > 0.5
    assert "never compared with each other, not even through others: A, B and C; D and E." in found.words


def test_a_tie_connects_but_prefers_nobody():
    found = ranking(answers(*many(1, 2, 10, tied=True)))
    assert found.n_groups == 1 and found.table["strength"].tolist() == pytest.approx([0, 0], abs=0.05)
    assert found.table["ties"].tolist() == [10, 10] and found.ties > 1


def test_both_bad_is_a_tie_for_the_order_and_its_share_is_said():
    said = answers(*many(1, 2, 6), *many(2, 1, 2), *many(1, 2, 2, tied=True, both_bad=True))
    same = answers(*many(1, 2, 6), *many(2, 1, 2), *many(1, 2, 2, tied=True))
    assert ranking(said).both_bad == 0.2 and "In 20 % of the answers" in ranking(said).words
    pd.testing.assert_frame_equal(ranking(said).table, ranking(same).table)


def test_an_answer_and_its_repeats_count_as_one_together():
    once = answers(*many(1, 2, 5), *many(2, 1, 3), (1, 2, {}))
    again = answers(*many(1, 2, 5), *many(2, 1, 3), (1, 2, {}), (1, 2, {"first_item": 8, "is_repeat": True}))
    assert ranking(again).draws == pytest.approx(ranking(once).draws)
    assert (ranking(again).n, ranking(again).n_answers) == (10, 9)
    undecided = answers(*many(1, 2, 5), *many(2, 1, 3), (1, 2, {}), (2, 1, {"first_item": 8, "is_repeat": True}))
    assert ranking(undecided).table["strength"][0] < ranking(once).table["strength"][0]


def test_the_base_alone_has_its_name():
    assert "the base alone" in ranking(answers(*many(4, BASE_ALONE, 3))).words


def test_the_same_answers_in_another_order_give_the_same_ranking():
    table = choose(World((1.0, 0.3, -0.2, -1.1)), 80, np.random.default_rng(4))
    shuffled = table.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(ranking(table).table, ranking(shuffled).table, atol=1e-6)


def test_without_choices_there_is_no_ranking():
    assert ranking(answers()) is None


def test_chances_of_two_are_opposite():
    found = ranking(answers(*many(1, 2, 9), *many(2, 1, 3)))
    one, other = found.chance(1, 2), found.chance(2, 1)
    assert (one.value, one.low, one.high) == pytest.approx((1 - other.value, 1 - other.high, 1 - other.low))


# raters


def test_raters_with_opposite_orders_are_told_and_named():
    rows = [*many(1, 2, 20, rater="ann"), *many(2, 1, 20, rater="ben"), *many(1, 3, 10, rater="ann")]
    found = ranking(answers(*rows, *many(1, 3, 10, rater="ben"), (1, 3, {"rater": "cleo"})))
    assert found.disagreement.found and found.disagreement.raters == ("ann", "ben")
    assert "ann and ben have different orders" in found.words and "each alone" in found.words


def test_raters_with_one_order_are_not_said_to_differ():
    rows = [row for rater in ("ann", "ben") for row in (*many(1, 2, 14, rater=rater), *many(2, 1, 6, rater=rater))]
    found = ranking(answers(*rows))
    assert not found.disagreement.found and "no sign that ann and ben" in found.words


def test_raters_who_judged_different_prompts_are_not_said_to_differ():
    """What a prompt changes isn't what a rater changes: nobody can be told apart where prompts are."""
    rows = [*many(1, 2, 20, rater="ann", text="x"), *many(2, 1, 20, rater="ben", text="y")]
    assert ranking(answers(*rows)).disagreement.p == 1
    assert ranking(answers(*[(*row[:2], {**row[2], "text": "x"}) for row in rows])).disagreement.found


def test_a_rater_with_few_answers_is_not_compared():
    assert ranking(answers(*many(1, 2, 30), *many(2, 1, 9, rater="ben"))).disagreement is None


QUICK = """
import time
import numpy as np
from workbench.people.bradley_terry import ranking
from workbench.people.simulated_choices import World, choose
table = choose(World(tuple(np.linspace(-2, 2, 25)), prompts=8, raters=2), 2000, np.random.default_rng(0))
taken = []
for _ in range(3):
    begun = time.process_time()
    ranking(table)
    taken.append(time.process_time() - begun)
print(min(taken))
"""


def test_two_thousand_answers_on_25_checkpoints_take_one_core_less_than_a_second():
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", QUICK], cwd=ROOT, env=one_thread, capture_output=True, text=True, timeout=120, check=True
    )
    assert float(done.stdout) < 1.0
