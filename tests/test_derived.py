"""What several settings make together: by hand, and said where it does not exist."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from workbench.charting.derived_chart import derived_notes, score_by_derived
from workbench.findings.derived import (
    AXES,
    Order,
    derived_table,
    left_out,
    left_out_notes,
    made,
    no_rate,
    offered,
    order_over,
    order_words,
    positive,
    reason,
    strongest,
)
from workbench.words import few

ADAMW = {"optimizer": "adamw", "learning_rate": 1e-3, "alpha": 8.0, "dim": 16, "batch_size": 4}


@pytest.fixture(scope="module")
def measured(read):
    """Two checkpoints of each run took 10 and 20 s per pattern number, moved the weights by .01 and .02 of it."""
    table = read.checkpoints
    number = table["pattern_id"].fillna(0).astype(int)
    share = table["updates"].astype("float64") / 120
    filled = table.assign(
        weight_change=number * share * 0.02, seconds=number * share * 20, bytes=3_000_000.0, device="card"
    )
    return replace(read, checkpoints=filled, runs=filled.loc[read.runs.index])


def test_alpha_dim_rate_batch_and_accumulation_make_scale_rate_and_photos():
    assert made({**ADAMW, "gradient_accumulation": 3}) == {"scale": 0.5, "felt_rate": 0.0005, "photos_per_update": 12.0}
    assert made({**ADAMW, "rslora": True})["scale"] == 2.0  # 8 / sqrt(16)
    assert made({**ADAMW, "rslora": True})["felt_rate"] == 0.002


@pytest.mark.parametrize(
    ("optimizer", "why"),
    [
        ("adafactor", "adafactor"),
        ("dadaptation", "own_step"),
        ("prodigy", "own_step"),
        ("sgd_nesterov", "sgd"),
        ("sgd_nesterov8bit", "sgd"),
        ("adafactor-fixed", None),
        ("lion8bit", None),
    ],
)
def test_an_effective_rate_exists_only_where_steps_go_by_the_rate(optimizer, why):
    settings = {**ADAMW, "optimizer": optimizer}
    assert no_rate(settings) == why
    assert (made(settings)["felt_rate"] is None) == (why is not None)


def test_of_what_is_not_known_nothing_is_made():
    assert made({"optimizer": "adamw", "dim": 16}) == {"scale": None, "felt_rate": None, "photos_per_update": None}
    assert no_rate({"alpha": 1.0, "dim": 1}) == "unknown"
    assert no_rate({**{k: v for k, v in ADAMW.items() if k != "learning_rate"}}) == "unknown"


def test_every_checkpoint_has_its_place_on_every_axis(measured, shared):
    rows = derived_table(measured)
    one = rows[(rows["pattern_id"] == shared.pattern_ids[1]) & (rows["train_seed"] == 1)].iloc[0]
    number = shared.pattern_ids[1]
    assert {key: one[key] for key in AXES} == {
        "updates": 60,
        "images_seen": 240,
        "scale": 1 / 16,
        "felt_rate": 0.000125,
        "weight_change": pytest.approx(0.01 * number),
        "minutes": pytest.approx(number / 6),
        "photos_per_update": 4,
        "lora_mb": 3.0,
    }
    assert offered(rows) == ["updates", "images_seen", "scale", "felt_rate", "weight_change", "minutes"]


def test_a_run_whose_last_checkpoint_has_no_time_of_its_own_took_its_whole_time(measured):
    last = measured.checkpoints["is_last"].astype(bool)
    table = measured.checkpoints.assign(seconds=math.nan, train_seconds=24.0)
    rows = derived_table(replace(measured, checkpoints=table))
    assert set(rows["minutes"].dropna()) == {0.4} and rows["minutes"].notna().sum() == last.sum()


def test_minutes_on_another_device_are_another_amount_of_work(measured, shared):
    other = measured.checkpoints["run_id"].eq(shared.run_ids[0]).fillna(False)
    table = measured.checkpoints.assign(device=["slow" if there else "card" for there in other])
    tables = replace(measured, checkpoints=table)
    rows = derived_table(tables)
    assert rows["minutes"].isna().sum() == 2
    found = left_out(tables, rows, AXES["minutes"])
    assert found == {"device": ["baseline"]}
    assert left_out_notes(found) == ["No place on this axis for baseline: trained on another device than most."]


def test_it_is_said_for_which_patterns_a_rate_does_not_exist(measured, shared):
    settings = {**measured.settings, shared.pattern_ids[2]: {**ADAMW, "optimizer": "adafactor"}}
    tables = replace(measured, settings=settings)
    rows = derived_table(tables)
    found = left_out(tables, rows, AXES["felt_rate"])
    assert found == {"adafactor": ["rate 6e-3"]}
    [note] = left_out_notes(found)
    assert note.startswith("Does not exist for rate 6e-3: AdaFactor takes its steps")
    assert note in derived_notes(tables, rows, "felt_rate", "likeness")


def test_nothing_and_less_are_no_place_on_an_axis_and_file_sizes_are_rounded(measured):
    assert positive(pd.Series([0.0, -1.0, 2.0])).isna().tolist() == [True, True, False]
    odd = replace(measured, checkpoints=measured.checkpoints.assign(bytes=3_000_120.0))
    assert set(derived_table(odd)["lora_mb"]) == {3.0}


def test_each_reason_of_a_pattern_is_said_once(measured, shared):
    rows = measured.checkpoints
    own = rows["pattern_id"].eq(shared.pattern_ids[0]).fillna(False).astype(bool)
    devices = iter(["slow", "slower", None, None])
    tables = replace(measured, checkpoints=rows.assign(device=[next(devices) if it else "card" for it in own]))
    without = derived_table(tables).assign(minutes=math.nan)[lambda all_rows: all_rows["label"] == "baseline"]
    assert left_out(tables, without, AXES["minutes"]) == {"device": ["baseline"], "not_measured": ["baseline"]}
    assert reason(tables, {"device": "slow"}, AXES["lora_mb"]) == "not_measured"


def test_long_lists_are_cut():
    assert few(["a", "b"], 2) == "a, b"
    assert few(list("abcdef")) == "a, b, c, d and 2 more"


def test_the_order_over_patterns_is_spearman_s_and_its_chance_that_of_shuffles_on_all_axes():
    values = pd.DataFrame({"scale": [1.0, 2.0, 3.0, 4.0, 5.0], "likeness": [5.0, 6.0, 7.0, 8.0, 7.5]})
    found = order_over(values, "scale", "likeness")
    # rho = 1 - 6 x 2 / (5 x 24) = .9; of the 120 orders 1 has rho 1, 4 have .9, and as many the other way: 10 / 120
    assert found.rho == pytest.approx(0.9) and found.n == 5
    assert found.chance == pytest.approx(10 / 120, abs=0.012)  # 3 standard errors of 4999 shuffles
    assert order_over(values, "scale", "likeness", 3).chance == pytest.approx(3 * found.chance)
    assert order_over(values, "scale", "likeness", 30).chance == 1
    assert order_over(values[:2], "scale", "likeness") is None
    assert order_over(values.assign(scale=1.0), "scale", "likeness") is None


def test_only_a_nearly_perfect_order_that_chance_hardly_makes_is_told_and_called_exploratory():
    places = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    rows = pd.DataFrame(
        {
            "pattern_id": list(range(6)) * 2,
            "updates": [3.0, 1.0, 2.0, 6.0, 4.0, 5.0] * 2,
            "minutes": places * 2,
            "likeness": [place + 9 for place in places] + [place + 11 for place in places],
        }
    )
    found = strongest(rows, "likeness", ["updates", "minutes"])
    assert (found.key, found.rho, found.n, found.n_axes) == ("minutes", pytest.approx(1), 6, 2)
    assert found.chance == pytest.approx(2 * 2 / 720, abs=0.005)
    assert strongest(rows, "likeness", ["updates"]) is None  # rho = 1 - 6 x 12 / 210 = .66
    assert strongest(rows[rows["pattern_id"] < 4], "likeness", ["minutes"]) is None  # 2 of 24 orders of 4


def test_of_two_orders_the_clearer_is_told_whichever_way_it_goes():
    places = [float(n) for n in range(12)]
    rows = pd.DataFrame({"pattern_id": range(12), "updates": [1.0, 0.0, *places[2:]], "minutes": places[::-1]})
    found = strongest(rows.assign(likeness=places), "likeness", ["updates", "minutes"])
    assert (found.key, found.rho) == ("minutes", pytest.approx(-1))
    assert found.chance == pytest.approx(2 * 1 / 5000)  # no shuffle is as good; never 0


def test_an_order_that_luck_gives_one_of_many_axes_is_not_told():
    """rho .94 over 6 patterns: 12 of 720 orders are as good, 1.7 % on one axis, 13 % on one of eight."""
    places = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    rows = pd.DataFrame({"pattern_id": range(6), "updates": places, "likeness": [2.0, 1.0, 3.0, 4.0, 5.0, 6.0]})
    others = {f"other {n}": [2.0, 6.0, 1.0, 5.0, 3.0, 4.0] for n in range(7)}
    assert strongest(rows, "likeness", ["updates"]).rho == pytest.approx(1 - 6 * 2 / 210)
    assert strongest(rows.assign(**others), "likeness", ["updates", *others]) is None


def test_an_order_is_said_with_its_chance_and_what_to_do_with_it():
    said = order_words(Order("minutes", -0.93, 0.0014, 12, 7), "likeness")
    assert said == (
        "Training time nearly puts the patterns in order of likeness (the more of it, the lower): Spearman's rho"
        " -0.93 over 12 patterns. Shuffled scores are in as good an order on any of the 7 axes in at most 0.14 % of"
        " cases. Exploratory: it says what to test by a matched pair."
    )
    assert "an order on this axis in at most 3 %" in order_words(Order("minutes", 0.93, 0.03, 12, 1), "likeness")


def test_the_chart_over_an_axis_has_runs_means_and_intervals_and_every_checkpoint_if_asked(measured, shared):
    rows = derived_table(measured)
    spec = score_by_derived(measured, rows, "weight_change", "likeness").to_dict()
    marks = {one["mark"].get("shape", one["mark"]["type"]): one for one in spec["layer"]}
    means = {row["label"]: row for row in spec["datasets"][marks["stroke"]["data"]["name"]]}
    number = shared.pattern_ids[0]
    assert means["baseline"]["likeness"] == pytest.approx(60) and means["baseline"]["n"] == 2
    assert means["baseline"]["weight_change"] == pytest.approx(0.02 * number)
    assert 60 - means["baseline"]["low"] == pytest.approx(means["baseline"]["high"] - 60)
    assert means["baseline"]["low"] < 58
    assert marks["point"]["encoding"]["x"]["scale"]["type"] == "log"
    assert len(spec["datasets"][marks["point"]["data"]["name"]]) == 6
    every = score_by_derived(measured, rows, "weight_change", "likeness", every=True).to_dict()
    paths = [one for one in every["layer"] if one["mark"]["type"] == "line"]
    assert [one["encoding"]["detail"]["field"] for one in paths] == ["run_id"]
    assert len(every["datasets"][every["data"]["name"]]) == 12
