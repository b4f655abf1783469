"""Grids: every combination once, looked over before it is added."""

import pytest

from trainer.config import ConfigError, TrainConfig
from workbench.sweep import presets
from workbench.sweep.grid import MOST, GridError, axis, grid, looked_over
from workbench.sweep.patterns import unsaved

ALL = ("no", "fp16", "bf16")


def test_every_combination_becomes_a_pattern_with_a_label_that_says_it():
    asked = grid(TrainConfig(dim=8), "start", {"alpha": [1, 8], "learning_rate": [1e-4, 2e-4, 4e-4]})
    assert [each.label for each in asked][:4] == [
        "start, alpha 1, learning rate 0.0001",
        "start, alpha 1, learning rate 0.0002",
        "start, alpha 1, learning rate 0.0004",
        "start, alpha 8, learning rate 0.0001",
    ]
    assert {(e.config.alpha, e.config.learning_rate) for e in asked} == {
        (a, r) for a in (1, 8) for r in (1e-4, 2e-4, 4e-4)
    }
    assert {each.config.dim for each in asked} == {8}


def test_a_value_given_twice_makes_one_pattern():
    assert [each.label for each in grid(TrainConfig(), "s", {"alpha": [1, "1", 1.0]})] == ["s, alpha 1"]


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("alpha=1,16", "alpha", [1, 16]),
        ("learning_rate = 1e-4 , 0.01", "learning_rate", [1e-4, 0.01]),
        ("optimizer=adamw,lion", "optimizer", ["adamw", "lion"]),
        ("flip=true,false", "flip", [True, False]),
        ("conv_dim=empty,8", "conv_dim", [None, 8]),
    ],
)
def test_an_axis_is_read_as_it_is_typed(text, name, values):
    assert axis(text) == (name, values)


@pytest.mark.parametrize("text", ["alpha", "alpha=", "alpha=,"])
def test_what_is_no_axis_is_explained(text):
    with pytest.raises(GridError, match="write NAME=VALUE,VALUE"):
        axis(text)


def test_a_grid_that_can_not_be_made_is_explained():
    with pytest.raises(ConfigError, match="Did you mean alpha"):
        grid(TrainConfig(), "s", {"alhpa": [1]})
    with pytest.raises(ConfigError, match="alpha is -1"):
        grid(TrainConfig(), "s", {"alpha": [-1]})
    with pytest.raises(GridError, match="can be made at once"):
        grid(TrainConfig(), "s", {"dim": range(1, 50), "alpha": range(1, MOST)})
    with pytest.raises(GridError, match="has no values"):
        grid(TrainConfig(), "s", {"dim": []})
    with pytest.raises(GridError, match="0 patterns"):
        grid(TrainConfig(), "s", {})


def test_what_the_project_has_and_what_is_the_same_run_is_said_before_adding():
    start = TrainConfig(optimizer="adafactor", dim=8)
    [there] = unsaved(grid(start, "s", {"alpha": [1]}))
    asked = grid(start, "s", {"alpha": [1, 8], "learning_rate": [1e-4, 1e-3]})
    looked = looked_over(asked, [there], ALL)
    assert [each.label for each in looked.new] == [each.label for each in asked[1:]]
    assert looked.known == ("s, alpha 1",)
    assert looked.doubles == (
        ("s, alpha 1", "s, alpha 1, learning rate 0.001"),
        ("s, alpha 8, learning rate 0.0001", "s, alpha 8, learning rate 0.001"),
    )
    assert looked.sentence.startswith("3 new patterns. The project has 1 of the combinations already: s, alpha 1.")


# presets


def test_each_optimiser_has_its_own_rate_and_the_text_encoder_its_share():
    asked = {each.config.optimizer: each.config for each in presets.optimizers(presets.baseline("/sd15"))}
    assert list(asked) == list(presets.OPTIMIZER_NAMES)
    assert asked["prodigy"].learning_rate == 1.0
    assert asked["lion"].text_encoder_lr == asked["lion"].learning_rate / 2
    assert {config.dim for config in asked.values()} == {presets.SD1_BASELINE["dim"]}


def test_a_preset_starts_from_the_projects_baseline(tmp_path):
    from workbench.projects import add_project
    from workbench.sweep import patterns
    from workbench.workspace import Workspace

    db = Workspace(tmp_path).open()
    project = {"id": add_project(db, "p", "zwx", "woman"), "base_model": "embedded"}
    assert [each.label for each in presets.asked_for(db, project, "baseline")] == ["baseline"]
    patterns.add(db, project["id"], TrainConfig(dim=4), "mine")
    assert {each.config.dim for each in presets.asked_for(db, project, "optimizers")} == {4}
    [seeds] = presets.asked_for(db, project, "seeds")
    assert (seeds.label, seeds.config.dim) == ("mine", 4)
    assert len(presets.asked_for(db, project, "article")) == 18
    with pytest.raises(KeyError):
        presets.asked_for(db, project, "nothing")
