"""A score at every checkpoint and strength: values and intervals by hand, and what is drawn of many patterns."""

import math
from dataclasses import replace

import filled
import pandas as pd
import pytest

from workbench.charting.chart_parts import COLOURS, GREY
from workbench.charting.focus import MOST, by_focus, colours_of, in_focus
from workbench.charting.training_chart import Curves, common_domain, curve_notes, training_chart
from workbench.findings import curves
from workbench.findings.analysis import tables
from workbench.findings.epoch_map import epoch_map
from workbench.findings.intervals import t_interval
from workbench.findings.noise import noise_floor
from workbench.plans.plan import EvalPlan

STRENGTHS = (0.5, 1.0)


@pytest.fixture(scope="module")
def strong(tmp_path_factory):
    """The filled workspace at two strengths; at 0.5 likeness is 10 points lower, but the last pattern's 10 higher."""
    plan = EvalPlan(prompts=filled.PLAN.prompts, seeds=filled.PLAN.seeds, strengths=STRENGTHS)
    made = filled.fill(tmp_path_factory.mktemp("strong"), plan, rated=False)
    read = tables(made.db, made.project_id)
    weak = (read.previews["strength"] == 0.5) & ~read.previews["is_base"]
    last = read.previews["pattern_id"].eq(made.pattern_ids[2]).fillna(False).astype(bool)
    moved = read.previews["likeness"] + weak * -10.0 + (weak & last) * 20.0
    return replace(read, previews=read.previews.assign(likeness=moved))


@pytest.fixture(scope="module")
def cells(strong):
    return curves.at_strengths(strong, "likeness")


def at(rows, **where):
    """The one row with these values."""
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1, rows
    return rows.iloc[0]


def test_every_checkpoint_has_a_value_and_an_interval_over_prompts_at_every_strength(cells):
    assert len(cells) == 3 * 2 * 2 * 2
    # alpha 1, seed 1, last: prompt means 47, 42, 52 and 10 less at 0.5
    for strength, mean in ((1.0, 47.0), (0.5, 37.0)):
        row = at(cells, label="alpha 1", train_seed=1, updates=120, strength=strength)
        assert row["value"] == pytest.approx(mean) and (row["n_prompts"], row["n"]) == (3, 6)
        assert row["high"] - mean == pytest.approx(4.30265 * 5 / math.sqrt(3), abs=1e-4)  # t(2) x sd / sqrt(3)


def test_the_map_of_epochs_and_strengths_says_the_same(strong, cells):
    both = cells.merge(epoch_map(strong, "likeness"), on=["checkpoint_id", "strength"], suffixes=("", "_map"))
    assert len(both) == len(cells)
    for name in ("value", "low", "high"):
        pd.testing.assert_series_equal(both[name], both[f"{name}_map"], check_names=False)


def test_at_the_main_strength_the_noise_is_that_of_all_other_charts(strong, cells):
    assert noise_floor(cells[cells["strength"] == 1.0], "value") == noise_floor(strong.checkpoints, "likeness")


def test_patterns_with_two_seeds_have_intervals_from_these_at_every_checkpoint(cells):
    means = curves.pattern_means(cells)
    assert len(means) == 3 * 2 * 2 and set(means["over"]) == {curves.SEEDS}
    last = at(means, label="baseline", updates=120, strength=1.0)
    noise = noise_floor(cells[cells["strength"] == 1.0], "value")
    assert last["value"] == pytest.approx(60) and last["variance"] == pytest.approx(8)  # 62 and 58
    assert last["high"] - 60 == pytest.approx(noise.half_width(2, variances=(8.0,)))
    early = at(means, label="baseline", updates=60, strength=1.0)
    assert early["value"] == pytest.approx(50) and not math.isnan(early["low"])


def test_an_early_checkpoint_has_the_noise_of_early_ones(cells):
    apart = (cells["updates"] == 60) & (cells["train_seed"] == 1)
    noisier = cells.assign(value=cells["value"] + 12 * apart)  # 4 apart at the last checkpoints, 16 before
    means = curves.pattern_means(noisier)
    noise = curves.noise_before(noisier[noisier["strength"] == 1.0])
    early = at(means, label="baseline", updates=60, strength=1.0)
    assert early["variance"] == pytest.approx(128) and noise.sd > 10
    assert early["high"] - early["value"] == pytest.approx(noise.half_width(2, variances=(128.0,)))
    last = at(means, label="baseline", updates=120, strength=1.0)
    assert last["high"] == pytest.approx(
        at(curves.pattern_means(cells), label="baseline", updates=120, strength=1.0)["high"]
    )


def test_a_checkpoint_with_a_picture_less_than_others_is_not_complete(strong):
    rows = strong.previews
    one = rows.index[(rows["strength"] == 0.5) & ~rows["is_base"] & (rows["role"] == "identity")][0]
    found = curves.at_strengths(replace(strong, previews=rows.drop(index=one)), "likeness")
    [row] = found[~found["complete"]].to_dict("records")
    assert (row["checkpoint_id"], row["strength"]) == (rows.loc[one, "checkpoint_id"], 0.5)


def test_checkpoints_before_the_last_have_a_noise_of_their_own_that_counts_each_run_once():
    rows = pd.DataFrame(
        [
            {"run_id": seed, "replicate": "a", "train_seed": seed, "updates": updates, "value": value}
            for updates, values in ((30, (1.0, 3.0)), (60, (0.0, 4.0)))
            for seed, value in enumerate(values, 1)
        ]
    ).assign(is_last=False, wrecked=False)
    found = curves.noise_before(rows)
    assert found.sd == pytest.approx(math.sqrt((2 + 8) / 2)) and (found.df, found.n_patterns) == (1, 1)
    assert curves.noise_before(rows.assign(is_last=True)) is None
    assert curves.noise_before(rows.assign(wrecked=rows["updates"] == 60)).sd == pytest.approx(math.sqrt(2))
    assert curves.noise_before(rows[rows["train_seed"] == 1]) is None


def test_one_run_alone_has_the_interval_over_its_prompts(cells):
    one = cells[cells["train_seed"] == 1]
    means = curves.pattern_means(one)
    assert set(means["over"]) == {curves.PROMPTS}
    row = at(means, label="alpha 1", updates=120, strength=1.0)
    assert [row["value"], row["low"], row["high"]] == pytest.approx(t_interval([47.0, 42.0, 52.0]))
    nothing = curves.pattern_means(one.assign(low=math.nan, high=math.nan))
    assert set(nothing["over"]) == {curves.NOTHING} and nothing["low"].isna().all()


def test_each_pattern_s_best_strength_is_that_of_its_last_checkpoint(cells, strong):
    means = curves.pattern_means(cells)
    best = curves.best_strengths(means, "likeness")
    assert {strong.labels[pattern]: at for pattern, at in best.items()} == {
        "baseline": 1.0,
        "alpha 1": 1.0,
        "rate 6e-3": 0.5,
    }
    chosen = curves.at_best_strength(means, best)
    assert at(chosen, label="rate 6e-3", updates=120)["value"] == pytest.approx(67)
    assert curves.leading(means, "likeness", 2) == ["rate 6e-3", "baseline"]
    assert curves.leading(means[means["strength"] == 1.0], "leakage", 1) == ["alpha 1"]  # lower is better


def drawn(cells, strong, **about):
    found = Curves(cells, curves.pattern_means(cells), [12.0], strong.metric("likeness"), list(strong.labels.values()))
    return training_chart(found, **about).to_dict()


def test_over_strengths_each_pattern_has_a_line_with_intervals_and_a_click_names_the_strength(cells, strong):
    spec = drawn(cells[cells["is_last"].astype(bool)], strong, x="strength")
    [pick] = spec["params"]
    assert pick["select"]["fields"] == ["checkpoint_id", "strength"]
    [thick] = [one for one in spec["layer"] if one["mark"]["type"] == "line" and one["mark"]["strokeWidth"] == 3]
    assert thick["encoding"]["x"]["axis"]["values"] == [0.5, 1.0]
    rows = spec["datasets"][thick["data"]["name"]]
    line = {row["strength"]: row["value"] for row in rows if row["label"] == "rate 6e-3"}
    assert line == {0.5: pytest.approx(67), 1.0: pytest.approx(57)}
    [band] = [one for one in spec["layer"] if one["mark"]["type"] == "area"]
    assert len(spec["datasets"][band["data"]["name"]]) == 6


def test_charts_side_by_side_share_a_scale_that_holds_all(cells, strong):
    means = curves.pattern_means(cells)
    low, high = common_domain(Curves(cells, means, [12.0], strong.metric("likeness"), []))
    assert low < 0 and high > 100
    assert low <= means["low"].min() and high >= means["high"].max()
    spec = drawn(cells, strong, domain=(low, high))
    assert spec["layer"][-1]["encoding"]["y"]["scale"]["domain"] == [low, high]


def test_of_many_patterns_the_leading_few_have_colour_a_name_and_intervals(cells, strong):
    one = cells[(cells["label"] == "baseline") & (cells["strength"] == 1.0)]
    many = pd.concat(
        [one.assign(label=f"pattern {n}", pattern_id=n, replicate=str(n), value=one["value"] + n) for n in range(12)],
        ignore_index=True,
    )
    labels = [f"pattern {n}" for n in range(12)]
    found = Curves(many, curves.pattern_means(many), [], strong.metric("likeness"), labels)
    spec = training_chart(found).to_dict()
    point = spec["layer"][-1]
    assert sorted(point["encoding"]["color"]["legend"]["values"]) == sorted(labels[-5:])
    assert point["encoding"]["color"]["scale"]["range"][0] == GREY
    bars = [one for one in spec["layer"] if one["mark"]["type"] == "rule" and "y2" in one["encoding"]]
    assert {row["label"] for bar in bars for row in spec["datasets"][bar["data"]["name"]]} == set(labels[-5:])
    assert "Grey: 7 others" in " ".join(curve_notes(found, "updates"))
    assert "Each pattern at its last checkpoint." in curve_notes(found, "strength")
    assert any(note.startswith("Dashed bars") for note in curve_notes(of_one_run(found), "updates"))
    asked = training_chart(found, chosen=["pattern 3"]).to_dict()
    assert asked["layer"][-1]["encoding"]["color"]["legend"]["values"] == ["pattern 3"]


def of_one_run(found):
    """The same curves where each pattern was trained once."""
    cells = found.cells[found.cells["train_seed"] == 1]
    return replace(found, cells=cells, means=curves.pattern_means(cells))


def test_a_few_patterns_are_all_in_focus_and_chosen_ones_before_leading_ones():
    few, many = [f"p{n}" for n in range(MOST)], [f"p{n}" for n in range(MOST + 1)]
    assert in_focus(few, [], []) == few
    assert in_focus(many, [], ["p7", "p1"]) == ["p7", "p1"]
    assert in_focus(many, ["p3", "gone"], ["p7"]) == ["p3"]


def test_no_two_patterns_in_focus_share_a_colour_and_a_free_one_is_kept():
    labels = [f"p{n}" for n in range(20)]
    assert colours_of(labels, ["p0", "p7", "p8"]) == {"p0": COLOURS[0], "p7": COLOURS[1], "p8": COLOURS[2]}
    assert colours_of(labels, ["p8"]) == {"p8": COLOURS[1]}
    assert by_focus(labels, [])[0].to_dict()["legend"] is None
