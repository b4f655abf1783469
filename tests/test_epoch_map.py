"""The map of epochs and strengths: figures by hand, the best cell, and what it can't be told apart from."""

import math
from dataclasses import replace

import pytest
from filled_elsewhere import EPOCHS, PROMPTS, STRENGTHS, fill_elsewhere, likeness

from workbench.charting.map_chart import map_chart, notes, told
from workbench.findings.analysis import tables
from workbench.findings.epoch_map import base_value, best_cell, epoch_map
from workbench.findings.map_words import answer, ends, places_of
from workbench.findings.metrics import METRICS


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return fill_elsewhere(tmp_path_factory.mktemp("map"))


@pytest.fixture(scope="module")
def made(samples):
    return tables(samples.db, samples.project_id)


def cell(rows, epoch, strength):
    return rows[(rows["epoch"] == epoch) & (rows["strength"] == strength)].iloc[0]


def test_every_checkpoint_has_a_row_at_every_strength(made):
    rows = epoch_map(made, "likeness")
    assert len(rows) == len(EPOCHS) * len(STRENGTHS)
    assert list(dict.fromkeys(rows["place"])) == ["epoch 2", "epoch 4", "epoch 6", "epoch 8"]


def test_a_cell_is_the_mean_of_its_prompts_with_a_t_interval_over_them(made):
    row = cell(epoch_map(made, "likeness"), 6, 1.0)
    # prompt means 71 + (0, -6 + 1, 6 - 1) = 71, 66, 76: mean 71, sd 5, t(2) = 4.302653, half 4.302653 * 5 / sqrt(3)
    assert row["value"] == pytest.approx(71)
    assert row["low"] == pytest.approx(71 - 12.420690, abs=1e-5)
    assert row["high"] == pytest.approx(71 + 12.420690, abs=1e-5)
    assert (row["n"], row["n_prompts"], row["n_pictures"]) == (6, 3, 6)


def test_a_picture_without_a_face_lowers_the_face_rate_and_not_the_likeness(made):
    row = cell(epoch_map(made, "likeness"), 2, 1.0)
    assert row["face_rate"] == pytest.approx(5 / 6)
    assert (row["n"], row["n_pictures"]) == (5, 6)
    # the first prompt counts by its other seed alone: 30 - 1; the others 30 - 5 and 30 + 5
    assert row["value"] == pytest.approx((29 + 25 + 35) / 3)


def test_the_best_cell_is_compared_over_the_pairs_that_both_have(made):
    best = best_cell(made, "likeness")
    assert (best.cell["epoch"], best.strength) == (6, 1.0)
    assert best.n_candidates == 12 and not best.by_seeds
    by_cell = {(r.checkpoint_id, r.strength): r for r in best.rivals}
    last = cell(epoch_map(made, "likeness"), 8, 1.0)
    found = by_cell[(last["checkpoint_id"], 1.0)]
    # per prompt: (70 + 3) - 71, (70 - 6 - 4) - (71 - 6 + 1), (70 + 6 + 1) - (71 + 6 - 1) = 2, -6, 1
    # mean -1, sd sqrt((9 + 25 + 4) / 2) = 4.358899, half 4.302653 * 4.358899 / sqrt(3) = 10.828105
    assert found.diff == pytest.approx(-1)
    assert found.low == pytest.approx(-11.828105, abs=1e-5)
    assert not found.apart and found.n_cells == 6
    # epoch 6 at 0.8 is lower by 2 in every prompt: one and the same difference is no chance
    lower = cell(epoch_map(made, "likeness"), 6, 0.8)
    assert by_cell[(lower["checkpoint_id"], 0.8)].apart
    assert [(r.strength, r.checkpoint_id) for r in best.equals] == [
        (1.0, last["checkpoint_id"]),
        (0.8, last["checkpoint_id"]),
    ]


def test_the_value_without_a_lora_stands_beside(made):
    assert base_value(made, "likeness") == pytest.approx(12)


def test_the_answer_says_what_is_best_and_what_it_can_not_be_told_apart_from(made):
    best = best_cell(made, "likeness")
    rows = epoch_map(made, "likeness")
    said = " ".join(answer(best, made.metric("likeness"), places_of(rows)))
    assert "epoch 6 at strength 1: likeness 71.0 (95 % interval 58.6 to 83.4, 6 pictures)" in said
    assert "2 of the 11 others: epoch 8 at strength 1, epoch 8 at strength 0.8." in said


def test_one_prompt_is_compared_over_its_seeds_and_that_is_said(tmp_path):
    made = fill_elsewhere(tmp_path, prompts=PROMPTS[:1])
    read = tables(made.db, made.project_id)
    best = best_cell(read, "likeness")
    assert best.by_seeds
    row = cell(epoch_map(read, "likeness"), 6, 1.0)
    # two seeds: 72 and 70, mean 71, sd sqrt(2), t(1) = 12.706205
    assert row["high"] - row["value"] == pytest.approx(12.706205, abs=1e-5)
    said = answer(best, read.metric("likeness"), places_of(epoch_map(read, "likeness")))
    assert any("nothing is known of other prompts" in text for text in said)


def test_a_cell_with_one_lucky_picture_is_not_the_best(tmp_path):
    made = fill_elsewhere(tmp_path)
    lucky = made.db["checkpoints"].rows_where("epoch = 2").__next__()["id"]
    made.db.execute(
        "update scores set value = null, status = 'no_face' where metric = 'likeness' and preview_id in "
        "(select id from previews where checkpoint_id = ? and strength = 0.6 and not (prompt = 1 and seed = 42))",
        [lucky],
    )
    made.db.execute(
        "update scores set value = 0.9 where metric = 'likeness' and preview_id in "
        "(select id from previews where checkpoint_id = ? and strength = 0.6 and prompt = 1 and seed = 42)",
        [lucky],
    )
    made.db.conn.commit()
    read = tables(made.db, made.project_id)
    rows = epoch_map(read, "likeness")
    assert cell(rows, 2, 0.6)["value"] == rows["value"].max() and cell(rows, 2, 0.6)["wrecked"]
    best = best_cell(read, "likeness")
    assert best.cell["epoch"] == 6 and best.n_thin == 1


def test_our_own_runs_have_a_map_too(read):
    rows = epoch_map(read, "likeness")
    assert set(rows["run_id"]) == set(read.runs["run_id"]) and rows["strength"].unique() == [1.0]
    assert rows["place"].iloc[0] == "epoch 5"
    run = int(rows["run_id"].iloc[0])
    assert best_cell(read, "likeness", run).cell["updates"] == 120


def test_nothing_measured_gives_no_best_cell(read):
    assert best_cell(read, "human_quality", run_id=-1) is None


def test_several_of_both_are_fields_and_one_strength_is_a_line(made, tmp_path):
    rows = epoch_map(made, "likeness")
    chart = map_chart(rows, made.metric("likeness"), best_cell(made, "likeness"), 12.0).to_dict()
    marks = [layer["mark"]["type"] for layer in chart["layer"]]
    assert marks == ["rect", "text", "text"]
    data = next(rows for rows in chart["datasets"].values() if len(rows) == 12)
    signs = {(row["place"], row["strength"]): row["sign"] for row in data}
    assert signs[("epoch 6", 1.0)] == "★" and signs[("epoch 8", 0.8)] == "≈" and signs[("epoch 2", 0.6)] == ""
    assert {row["faces"] for row in data if row["place"] == "epoch 2"} == {"83 % faces"}
    alone = fill_elsewhere(tmp_path, strengths=(1.0,))
    read = tables(alone.db, alone.project_id)
    line = map_chart(epoch_map(read, "likeness"), read.metric("likeness"), None).to_dict()
    assert [layer["mark"]["type"] for layer in line["layer"]] == ["line", "rule", "point", "text"]


def test_of_a_score_without_a_direction_no_cell_is_called_the_best(made):
    measured = replace(made.metric("likeness"), higher_is_better=None)
    cells, best = epoch_map(made, "likeness"), best_cell(made, "likeness")
    said = " ".join([*answer(best, measured, places_of(cells)), *notes(cells, measured)])
    assert "Nearest to a picture without a LoRA is" in said and "best" not in said.lower()
    rows = told(cells, measured, best)
    assert set(rows["sign"]) == {""} and set(rows["means"]) == {"not ranked: neither way is better as such"}


def test_the_unit_of_an_interval_is_said_once(made):
    best = best_cell(made, "likeness")
    cell = {**best.cell, "value": 0.002, "low": -0.025, "high": 0.029}
    said = ends(replace(best, cell=cell), METRICS["saturation_change"])
    assert said.startswith(" (95 % interval -2.5 to +2.9 points, ")


def test_a_cell_without_a_value_says_so(made):
    rows = epoch_map(made, "likeness")
    rows.loc[0, ["value", "low", "high"]] = math.nan
    data = map_chart(rows, made.metric("likeness"), None).to_dict()["datasets"]
    assert any(row["text"] == "no value" for rows in data.values() for row in rows)


def test_likeness_of_the_filled_pictures_is_what_the_tests_count_on():
    assert likeness(6, 1.0, 1, 42) == 71 - 6 + 1 + 1
