"""Whether settings depend on each other is said only of four trained combinations, and only beyond the noise."""

import math

import filled as parts
import pytest
from filled import PLAN, add_run, fill

from workbench.findings import two_by_two
from workbench.findings.analysis import tables
from workbench.findings.family import LEVEL
from workbench.findings.noise import noise_floor
from workbench.findings.two_by_two import interplays, squares
from workbench.sweep import patterns
from workbench.sweep.patterns import Contrast


def with_fourth(tmp_path, monkeypatch, mean, seeds=(1, 2)):
    """The filled sweep (baseline 60, alpha 1 45, rate 6e-3 57) with the fourth corner at a mean of its own."""
    monkeypatch.setattr(parts, "OF_PATTERN", (*parts.OF_PATTERN, mean))
    monkeypatch.setattr(parts, "OF_BOTH", (*parts.OF_BOTH, (0.0, 0.0, 0.0)))
    monkeypatch.setattr(parts, "CLIP", (*parts.CLIP, 0.3))
    filled = fill(tmp_path)
    fourth = patterns.clone(filled.db, filled.project_id, filled.pattern_ids[1], "both", learning_rate=6e-3)
    whole = parts.Filled(**{**vars(filled), "pattern_ids": (*filled.pattern_ids, fourth)})
    for seed in seeds:
        add_run(whole, PLAN, 3, seed)
    return whole, tables(whole.db, whole.project_id)


def test_the_difference_of_differences_and_its_interval_by_hand(tmp_path, monkeypatch):
    whole, found = with_fourth(tmp_path, monkeypatch, 62.0)
    [one] = interplays(found, "likeness")
    assert one.square.corners == whole.pattern_ids
    assert (one.square.first, one.square.second) == ("alpha", "learning_rate")
    assert (one.at_first, one.at_second) == pytest.approx((-15.0, 5.0))  # 45 - 60 and 62 - 57
    # seeds lie 2 above and below: variance 8, df 4; the error is sqrt(8 x 4 / 2) = 4
    half = noise_floor(found.checkpoints, "likeness").half_of([(2, 8.0)] * 4)
    assert 2.7764 < half / 4 < 3.5  # a little more than t(4), since patterns may vary unevenly
    assert (one.low, one.high) == pytest.approx((20 - half, 20 + half))
    assert 0.0075 < one.p < LEVEL  # t = 5, of which t(4) has .0075
    assert one.depends
    assert one.sentence == (
        "What changing alpha from 16 to 1 does depends on learning rate: likeness -15.0 at learning rate 0.002, +5.0 "
        "at learning rate 0.006. The two differ by +20.0 (95 % interval +7.3 to +32.7), more than training seeds make."
    )


def test_less_than_seeds_make_is_left_open(tmp_path, monkeypatch):
    _, found = with_fourth(tmp_path, monkeypatch, 52.0)  # t = 10 / 4, below 2.7764
    [one] = interplays(found, "likeness")
    assert not one.depends and one.gap == pytest.approx(10.0)
    assert "is open" in one.sentence and "Anything in that interval fits" in one.sentence


def test_one_training_of_a_corner_is_not_enough(tmp_path, monkeypatch):
    _, found = with_fourth(tmp_path, monkeypatch, 90.0, seeds=(1,))
    [one] = interplays(found, "likeness")
    assert abs(one.gap) > one.gap - one.low and not one.depends
    assert "Not all four were trained twice" in one.sentence


def test_three_of_four_are_no_square(read):
    assert interplays(read, "likeness") == []


def test_without_replicates_nothing_is_claimed(tmp_path, monkeypatch):
    whole, _ = with_fourth(tmp_path, monkeypatch, 90.0)
    whole.db.execute("update runs set deleted_at = 1 where seed = 2")
    whole.db.conn.commit()
    [one] = interplays(tables(whole.db, whole.project_id), "likeness")
    assert math.isnan(one.low) and not one.depends
    assert "not known yet" in one.sentence and two_by_two.NO_NOISE in one.sentence


def grid(rows, columns):
    """Contrasts of a full grid of two settings; pattern = 10 x row + column."""
    ids = [(r, c) for r in range(rows) for c in range(columns)]
    along = [("dim", x, y) for x in ids for y in ids if x[0] < y[0] and x[1] == y[1]]
    across = [("alpha", x, y) for x in ids for y in ids if x[1] < y[1] and x[0] == y[0]]
    pairs = [
        Contrast(name, 10 * x[0] + x[1], 10 * y[0] + y[1], x[name == "alpha"], y[name == "alpha"])
        for name, x, y in (*along, *across)
    ]
    return pairs, [10 * r + c for r, c in ids]


def test_a_grid_of_two_by_three_has_three_squares_each_once():
    pairs, ids = grid(2, 3)
    found = squares(pairs, ids)
    assert sorted(sorted(one.corners) for one in found) == [[0, 1, 10, 11], [0, 2, 10, 12], [1, 2, 11, 12]]
    for one in found:  # a and c share the one value of the first setting (alpha: the column), b and d the other
        assert one.a % 10 == one.c % 10 != one.b % 10 == one.d % 10
        assert one.a // 10 == one.b // 10 != one.c // 10 == one.d // 10
        assert one.first_values == (one.a % 10, one.b % 10) and one.second_values == (one.a // 10, one.c // 10)


def test_a_pattern_that_was_not_measured_closes_no_square():
    pairs, ids = grid(2, 2)
    assert len(squares(pairs, ids)) == 1
    assert squares(pairs, [id for id in ids if id != 11]) == []


def test_a_wrecked_corner_says_nothing(tmp_path, monkeypatch):
    whole, _ = with_fourth(tmp_path, monkeypatch, 57.0)
    whole.db.execute(
        "update scores set value = null, status = 'no_face' where metric = 'likeness' and preview_id in (select p.id "
        "from previews p join checkpoints c on c.id = p.checkpoint_id join runs r on r.id = c.run_id "
        "where r.pattern_id = ? and p.prompt < 2)",
        [whole.pattern_ids[3]],
    )
    whole.db.conn.commit()
    found = tables(whole.db, whole.project_id)
    assert found.runs.loc[found.runs["wrecked"], "likeness"].notna().all()  # a face in one prompt is left
    assert interplays(found, "likeness") == []
