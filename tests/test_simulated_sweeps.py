"""Simulated sweeps: the fast rule is the real one, the noise is as it says, and the document keeps the promise."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from workbench.findings import intervals_simulated, sweeps_simulated
from workbench.findings.analysis import ranked_patterns
from workbench.findings.best import standing
from workbench.findings.contrast import contrast_table
from workbench.findings.noise import noise_floor
from workbench.findings.simulated_words import section
from workbench.findings.sweeps_simulated import (
    ANSWERS,
    DESIGNS,
    NULL,
    SEED,
    SWEEPS,
    USUAL,
    Design,
    as_tables,
    draw,
    grid,
    judge,
    measure,
    null_figures,
    one_at_a_time,
    told_alike,
)

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "validity.md"


@pytest.fixture(scope="module")
def written():
    return DOCUMENT.read_text(encoding="utf-8").partition("## Verdicts\n")[2]


def rows(written, title):
    """The cells of the table under a heading."""
    table = written.partition(f"### {title}\n")[2].partition("\n|")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def percent(cell):
    return float(cell.removesuffix(" %"))


# the designs and the noise


def test_pairs_of_a_design_differ_in_one_setting():
    assert one_at_a_time([1, 2]) == ((0, 1), (0, 2), (0, 3), (2, 3))
    assert grid(2, 2) == ((0, 1), (0, 2), (1, 3), (2, 3))
    assert len(grid(4, 4)) == 48


def test_a_run_varies_between_seeds_as_the_demos_do():
    drawn = draw(USUAL, replace(NULL, uneven=0.0), np.zeros(10), 2000, np.random.default_rng(1))
    runs = drawn.values.mean(axis=(3, 4))
    assert math.sqrt(runs.var(axis=2, ddof=1).mean()) == pytest.approx(3.8, abs=0.1)
    uneven = draw(USUAL, NULL, np.zeros(10), 4000, np.random.default_rng(1)).values.mean(axis=(3, 4))
    assert math.sqrt(uneven.var(axis=2, ddof=1).mean()) == pytest.approx(3.8, abs=0.2)
    apart = np.log(np.abs(uneven[..., 0] - uneven[..., 1]))
    assert apart.var() == pytest.approx(math.pi**2 / 8 + NULL.uneven**2, abs=0.1)  # the demo's: 1.70


def test_a_planted_effect_is_the_mean_difference():
    drawn = draw(USUAL, ANSWERS, np.arange(10.0), 2000, np.random.default_rng(2))
    found = judge(USUAL, drawn.values).diff.mean(axis=0)
    assert found == pytest.approx(np.arange(1.0, 10.0), abs=0.5)
    here = drawn.here[:, 1] - drawn.here[:, 0]
    assert here.mean() == pytest.approx(1.0, abs=0.2)
    assert here.std() == pytest.approx(1.8 * math.sqrt(2 / 6), abs=0.1)


# the fast rule is the real one


SMALL = Design("small", one_at_a_time([2, 1]), (3, 2, 2, 1), 4, 2)


@pytest.mark.parametrize("design", [SMALL, DESIGNS[0], USUAL, DESIGNS[4]], ids=lambda design: design.name)
def test_the_tables_say_the_same_as_the_fast_rule(design):
    true = np.where(np.arange(len(design.trainings)) == 1, 16.0, 0.0)
    values = draw(design, ANSWERS, true, 4, np.random.default_rng(3)).values
    fast = judge(design, values)
    for sweep, each in enumerate(values):
        table = contrast_table(as_tables(design, each), "likeness").set_index(["pattern_a", "pattern_b"])
        real = table.loc[[(a + 1, b + 1) for a, b in design.pairs]]
        can = design.claimable
        assert real["diff"].tolist() == pytest.approx(fast.diff[sweep].tolist())
        assert real["low"].tolist() == pytest.approx(fast.low[sweep].tolist())
        assert real["high"].tolist() == pytest.approx(fast.high[sweep].tolist())
        assert real["noise"].to_numpy()[can] == pytest.approx(fast.noise[sweep][can])
        assert (real["compared"].to_numpy()[can] == can.sum()).all()
    assert told_alike(design, values, fast) == 4 * len(design.pairs)


def test_who_leads_in_drawn_sweeps_is_what_the_ranking_of_the_pages_says():
    true = np.random.default_rng(0).normal(0, 8, (14, 10))
    values = draw(USUAL, ANSWERS, true, 14, np.random.default_rng(3)).values
    _, leads = intervals_simulated.leading(USUAL, values.mean(axis=(3, 4)))
    assert 0 < leads.sum() < 14
    for each, yes in zip(values, leads, strict=True):
        made = as_tables(USUAL, each).checkpoints
        ranked = ranked_patterns(made, 1, "likeness")
        ranked = ranked.assign(value=ranked["likeness"], variance=ranked["seed_sd"] ** 2)
        assert (standing(noise_floor(made, "likeness"), ranked) == "best_leads") == yes


def test_effects_large_enough_are_claimed_by_the_real_tables():
    true = np.where(np.arange(10) == 1, 40.0, 0.0)
    values = draw(USUAL, NULL, true, 3, np.random.default_rng(4)).values
    for each in values:
        table = contrast_table(as_tables(USUAL, each), "likeness")
        assert (table["label_b"][0], table["wording"][0]) == ("pattern 2", "seems_to_matter")


def test_the_drawn_tables_are_tables_of_the_product():
    values = draw(SMALL, NULL, np.array([0.0, 60.0, 0.0, 0.0]), 1, np.random.default_rng(5)).values[0]
    made = as_tables(SMALL, values)
    noise = noise_floor(made.checkpoints, "likeness")
    assert (noise.df, noise.n_patterns) == (SMALL.df, 3)
    ranked = ranked_patterns(made.checkpoints, 1, "likeness")
    assert ranked["label"][0] == "pattern 2" and ranked["n_seeds"].tolist()[0] == 2


# the promise, in small


def test_without_any_effect_few_sweeps_have_a_claim():
    rng = np.random.default_rng(6)
    for design in (DESIGNS[0], USUAL, DESIGNS[5]):
        found = null_figures(design, NULL, 1000, 0, rng)
        # 3 % are aimed at; of 1,000 sweeps no more than 6 % in 999 of 1,000 trials
        assert found["matters"] <= 0.06 and found["on_new"] <= 0.05
        assert found["one_by_one"] > found["matters"]
        assert 0.93 <= found["prompts_hold"] <= 0.97


def test_single_trainings_yield_no_claim_at_all():
    found = null_figures(DESIGNS[-1], NULL, 50, 0, np.random.default_rng(7))
    assert (found["matters"], found["pairs"]) == (0.0, 0)


def test_the_section_says_what_was_measured():
    figures = measure(sweeps=20, real=1, seed=9)
    text = section(figures)
    assert "with seed 9: 20 sweeps" in text and "nan" not in text and "None" not in text
    assert len(rows(text, "No setting matters")) == len(DESIGNS)
    assert len(rows(text, "Other worlds")) == len(sweeps_simulated.WORLDS)
    judged = sum(row["judged"] for row in figures["null"])
    assert f"of {judged:,} of these pairs" in text and sum(row["alike"] for row in figures["null"]) == judged


# the document


def test_the_document_was_written_with_the_usual_number_of_sweeps(written):
    assert f"with seed {SEED}: {SWEEPS:,} sweeps" in written
    judged, alike = re.search(r"of ([\d,]+) of these pairs[^;]*? in\s+([\d,]+)\.", written).groups()
    assert judged == alike


def test_at_most_one_sweep_in_twenty_without_effect_has_a_false_claim(written):
    found = rows(written, "No setting matters")
    assert len(found) == len(DESIGNS)
    assert all(percent(row[4]) <= 5 and percent(row[5]) <= 5 for row in found)
    assert all(93 <= percent(row[9]) <= 97 for row in found)
    assert all(percent(row[10]) <= 5 for row in found)  # where patterns vary much less alike, too
    assert max(percent(row[8]) for row in found) > 50  # what pairs judged one by one would claim


def test_claims_of_new_prompts_hold_where_patterns_answer_prompts_differently(written):
    found = {row[0]: row for row in rows(written, "Other worlds")}
    assert len(found) == len(sweeps_simulated.WORLDS)
    assert all(percent(row[3]) <= 5 for row in found.values())
    assert percent(found[ANSWERS.name][2]) <= 5


def test_larger_effects_are_found_more_often(written):
    found = rows(written, "What is found")
    assert len(found) == 4 * 7
    for first in range(0, len(found), 4):
        shares = [percent(row[5]) for row in found[first : first + 4]]
        assert shares == sorted(shares) and shares[-1] > 50
    assert all(percent(row[7]) <= 5 for row in found)


def test_intervals_by_training_seeds_hold(written):
    found = rows(written, "Do intervals by training seeds hold?")
    assert len(found) == 3 * (1 + len(sweeps_simulated.WORLDS))
    shares = [percent(cell) for row in found for cell in row[2:-1]]
    assert min(shares) >= 90 and max(shares) <= 99
    assert sum(93 <= each <= 97 for each in shares) >= 0.85 * len(shares)
    usual = [percent(cell) for row in found[:6] for cell in row[2:-1]]
    assert all(93 <= each <= 97 for each in usual)


def test_the_leaders_interval_holds_once_its_luck_is_taken_off(written):
    found = rows(written, "The interval of the one that leads")
    plain, drawn = ([percent(row[column]) for row in found] for column in (4, 5))
    assert min(drawn) >= 89 and sum(drawn) / len(drawn) > 93 > sum(plain) / len(plain)


def test_chances_to_be_the_best_come_true_as_often_as_said(written):
    found = rows(written, "Chance to be the best")
    assert found and all(abs(percent(row[2]) - percent(row[3])) <= 12 for row in found)


def test_intervals_hold_in_a_few_drawn_sweeps():
    for world in (NULL, sweeps_simulated.HARDER):
        found = intervals_simulated.interval_figures(USUAL, world, 400, np.random.default_rng(11))
        assert all(0.92 <= found[kind] <= 0.98 for kind in ("means", "differences", "squares"))
