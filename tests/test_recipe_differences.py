"""Default and challenger within one person: the paired difference, its interval, and why there is none."""

import math

import pytest
from several_people import add_person, several

from db import library
from trainer.config import TrainConfig
from workbench.findings.analysis import tables
from workbench.findings.noise import noise_floor
from workbench.recipes.measured import Difference, differences, scale_of
from workbench.sweep import patterns


def measured(made, default="baseline", name="Anna"):
    """Label -> its difference to the default, and how far training seeds move one LoRA there."""
    project = library.project(made.db, made.projects[name])
    read = tables(made.db, project["id"])
    rows = differences(read, project["id"], scale_of(made.db, project, read), made.patterns[default])
    labels = {number: label for label, number in made.patterns.items()}
    return {labels[row.challenger]: row for row in rows}, noise_floor(read.checkpoints, "likeness")


def of_run(made, label, seed):
    sql = "select id from runs where pattern_id = ? and seed = ?"
    return made.db.execute(sql, [made.patterns[label], seed]).fetchone()[0]


def test_each_side_s_own_variance_makes_the_interval(tmp_path):
    made = several(tmp_path, {"Anna": {"alpha 1": 4.0}})
    # trainings of both are 4 apart: variance 8. Five points more for the second one leaves 1 between them: 0.5
    made.db.execute(
        "update scores set value = value + 0.04 where preview_id in (select v.id from previews v "
        "join checkpoints c on c.id = v.checkpoint_id where c.run_id = ?)",
        [of_run(made, "alpha 1", 2)],
    )
    made.db.conn.commit()
    [found], noise = list(measured(made)[0].values()), measured(made)[1]
    half = noise.half_width(2, 2, (8.0, 0.5))
    assert (found.value, found.low, found.high) == pytest.approx((6.5, 6.5 - half, 6.5 + half))
    assert found.seed_error == pytest.approx(noise.error([(2, 8.0), (2, 0.5)])) and found.over == "seeds"
    assert half != pytest.approx(noise.half_width(2, 2))


def test_fewer_trainings_on_one_side_count_as_what_they_are(tmp_path):
    made = several(tmp_path, {"Anna": {"alpha 1": 4.0}})
    made.db.execute("update checkpoints set is_last = 0 where run_id = ?", [of_run(made, "alpha 1", 2)])
    made.db.conn.commit()
    [found], noise = list(measured(made)[0].values()), measured(made)[1]
    assert (found.n_default, found.n_challenger, found.value) == (2, 1, pytest.approx(6))  # the one is 2 above its mean
    assert found.seed_error == pytest.approx(noise.error([(2, 8.0), (1, math.nan)]))


def test_one_training_each_with_the_same_difference_at_every_prompt_has_no_interval(tmp_path):
    made = several(tmp_path, {})
    add_person(made, "Anna", {"alpha 1": 4.0}, train_seeds=(1,))
    [found] = measured(made)[0].values()
    assert (found.value, found.over, found.prompts) == (pytest.approx(4), "", 2)
    assert math.isnan(found.low) and math.isnan(found.seed_error)


def test_which_side_is_wrecked_is_told(tmp_path):
    made = several(tmp_path, {"Anna": {"baseline": None, "alpha 1": 4.0, "dim 4": None}})
    found, _ = measured(made)
    assert {label: row.problem for label, row in found.items()} == {
        "alpha 1": "default_wrecked",
        "dim 4": "challenger_wrecked",  # also where both are
    }
    assert measured(made, "alpha 1")[0]["baseline"].problem == "challenger_wrecked"


def test_a_pattern_that_was_never_trained_is_neither_challenger_nor_default(tmp_path):
    made = several(tmp_path, {"Anna": {"alpha 1": 4.0}})
    config = TrainConfig(dim=2)
    made.patterns["new"] = patterns.add(made.db, made.projects["Anna"], config, "new")
    assert set(measured(made)[0]) == {"alpha 1"} and measured(made, "new")[0] == {}


def test_the_scale_says_what_is_zero(tmp_path):
    made = several(tmp_path, {"Anna": {"alpha 1": 4.0}})
    row = measured(made)[0]["alpha 1"]
    assert isinstance(row, Difference) and row.scale.metric == "likeness" and row.scale.zero != ""
