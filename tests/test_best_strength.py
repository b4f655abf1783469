"""The best strength of a pattern, by hand: how it is chosen, and what is counted at it."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from workbench.findings.best_strength import AtBest, at_best

NAN = math.nan
LOW, MAIN = 0.5, 1.0
SQUARE = [(0, 101), (0, 102), (1, 101), (1, 102)]  # prompts and seeds: first, last are one half, the others the other


def pictures(values, cells=SQUARE, role="identity"):
    """Previews: (checkpoint, strength) -> the likeness of each cell."""
    rows = [
        (checkpoint, prompt, seed, strength, likeness)
        for (checkpoint, strength), each in values.items()
        for (prompt, seed), likeness in zip(cells, each, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["checkpoint_id", "prompt", "seed", "strength", "likeness"])
    return table.assign(role=role, is_final=False, is_confirm=False, picture_status="ok")


@pytest.fixture
def best(read):
    def found(table, chosen=(1,), metric="likeness"):
        return at_best(replace(read, previews=table), {7: list(chosen)}, metric, MAIN).get(7)

    return found


def test_a_picture_counts_at_the_strength_that_the_other_half_chose(best):
    halves = pictures({(1, LOW): [60.0, 40.0, 40.0, 60.0], (1, MAIN): [50.0] * 4})
    # the first half is best at .5 and counts at 1 (50), the other is best at 1 and counts at .5 (40)
    assert best(halves) == AtBest(MAIN, 45.0, (45.0,), (LOW, MAIN))


def test_every_prompt_counts_alike_however_many_of_its_pictures_have_a_face(best):
    cells = [(prompt, seed) for prompt in (0, 1) for seed in (101, 102, 103, 104)]
    table = pictures(
        {(1, LOW): [56.0] * 6 + [NAN] * 2, (1, MAIN): [40.0] * 4 + [80.0] * 2 + [NAN] * 2},
        cells,
    )
    # prompts have 40 and 80 at the main strength: 60, though the mean of pictures is 53.3
    assert best(table).strength == MAIN and best(table).value == 60


def test_of_a_score_of_which_less_is_better_the_lowest_is_best(best):
    table = pictures({(1, LOW): [10.0] * 4, (1, MAIN): [20.0] * 4}, role="neutral")
    assert best(table, metric="leakage") == AtBest(LOW, 10.0, (10.0,), (LOW, MAIN))


def test_equal_strengths_leave_the_main_one(best):
    assert best(pictures({(1, LOW): [20.0] * 4, (1, MAIN): [20.0] * 4})).strength == MAIN


def test_a_checkpoint_without_pictures_leaves_nothing_to_choose(best):
    table = pictures({(1, LOW): [60.0] * 4, (1, MAIN): [50.0] * 4})
    assert best(table).value == 60 and best(table, (1, 2)) is None


@pytest.mark.parametrize("kind", ["is_final", "is_confirm"])
def test_pictures_on_other_seeds_are_none_to_choose_by(best, kind):
    table = pictures({(1, LOW): [60.0] * 4, (1, MAIN): [50.0] * 4})
    more = pictures({(1, MAIN): [99.0] * 4}, [(prompt, 9) for prompt in (0, 1, 2, 3)])
    assert best(pd.concat([table, more.assign(**{kind: True})], ignore_index=True)) == best(table)


def test_a_strength_with_faces_in_half_of_its_pictures_can_be_chosen_and_with_fewer_not(best):
    cells = [*SQUARE, *((prompt, seed + 2) for prompt, seed in SQUARE)]
    half = pictures({(1, LOW): [60.0] * 4 + [NAN] * 4, (1, MAIN): [50.0] * 8}, cells)
    fewer = pictures({(1, LOW): [60.0] * 3 + [NAN] * 5, (1, MAIN): [50.0] * 8}, cells)
    assert (best(half).strength, best(half).value) == (LOW, 60) and best(fewer).strength == MAIN


def test_where_the_other_run_has_no_value_the_main_strength_counts(best):
    table = pictures(
        {(1, LOW): [60.0] * 4, (1, MAIN): [50.0] * 4, (2, LOW): [NAN] * 4, (2, MAIN): [NAN] * 4},
    )
    assert best(table, (1, 2)) == AtBest(LOW, 50.0, (50.0,), (LOW, MAIN))


def test_without_any_value_there_is_no_best_strength(best):
    assert best(pictures({(1, LOW): [NAN] * 4, (1, MAIN): [NAN] * 4})) is None


def test_the_value_is_the_mean_of_the_runs(best):
    table = pictures(
        {(1, LOW): [60.0] * 4, (1, MAIN): [50.0] * 4, (2, LOW): [70.0, NAN, NAN, 72.0], (2, MAIN): [52.0] * 4},
    )
    # one half of the second has no face at .5, so the other half of the first counts at 1: 50 and 60 in each prompt
    assert best(table, (1, 2)) == AtBest(LOW, 63.0, (55.0, 71.0), (LOW, MAIN))
