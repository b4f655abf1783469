"""The ranking of patterns: figures by hand, equal chances for all, best strengths that flatter nobody, the words."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_charts import layer, pick_of, rows_of

from workbench.charting.front_chart import front_chart
from workbench.charting.ranking_chart import EXCLUDED, MAY_BE_BEST, MEASURED, ranking_chart
from workbench.findings import ranking_words as words
from workbench.findings.analysis import ranked_patterns
from workbench.findings.best import best_so_far, in_the_running, more_to_expect
from workbench.findings.best_strength import AtBest, at_best, halves
from workbench.findings.metrics import METRICS
from workbench.findings.noise import noise_floor
from workbench.findings.ranking import apart, excluded, of_strength, ranking

LIKENESS = METRICS["likeness"]


def timed(read, **changes):
    """The tables with another column or several for each run, by pattern."""
    columns = {
        name: [values.get(pattern, None) for pattern in read.checkpoints["pattern_id"].fillna(-1)]
        for name, values in changes.items()
    }
    return replace(read, checkpoints=read.checkpoints.assign(**columns))


# figures


def test_a_pattern_s_row_says_what_it_scored_how_sure_that_is_and_what_it_took(read, shared):
    rows = ranking(read, "likeness")
    assert list(rows["label"]) == ["baseline", "rate 6e-3", "alpha 1"]
    first = rows.iloc[0]
    assert (first["value"], first["n_seeds"], first["variance"]) == (pytest.approx(60), 2, pytest.approx(8))
    half = noise_floor(read.checkpoints, "likeness").half_width(2, variances=(8.0,))
    assert (first["low"], first["high"]) == (pytest.approx(60 - half), pytest.approx(60 + half))
    assert (first["minutes"], first["per_hour"]) == (pytest.approx(24 / 60), pytest.approx(150))
    assert (first["updates"], first["images_seen"], first["megabytes"]) == (120, 480, pytest.approx(0.001))
    assert (first["device"], first["comparable"], first["n_candidates"]) == ("cpu", True, 2)
    assert rows["chance_best"].sum() == pytest.approx(1) and rows["chance_best"].is_monotonic_decreasing
    assert rows["best_strength"].isna().all()  # one strength was rendered


def test_a_score_of_which_less_is_better_is_ranked_and_believed_the_other_way_round(read):
    rows = ranking(read, "leakage")
    assert rows.empty or rows["value"].is_monotonic_increasing
    low = replace(read, checkpoints=read.checkpoints.assign(leakage=100 - read.checkpoints["likeness"]))
    rows = ranking(low, "leakage")
    assert list(rows["label"]) == ["baseline", "rate 6e-3", "alpha 1"] and rows["chance_best"].idxmax() == 0
    assert (rows["believed_low"] < rows["believed"]).all() and (rows["believed"] < rows["believed_high"]).all()


def test_a_pattern_whose_runs_are_all_wrecked_comes_last_and_has_no_chance(read, shared):
    broken = read.checkpoints["pattern_id"].eq(shared.pattern_ids[0]).fillna(False).astype(bool)
    rows = ranking(replace(read, checkpoints=read.checkpoints.assign(wrecked=broken)), "likeness")
    assert list(rows["label"]) == ["rate 6e-3", "alpha 1", "baseline"] and list(rows["wrecked"]) == [False, False, True]
    assert math.isnan(rows["chance_best"].iloc[2]) and not rows["on_front"].iloc[2]


def test_where_nothing_was_measured_nothing_is_ranked(read, shared):
    unmeasured = read.checkpoints[read.checkpoints["pattern_id"].eq(shared.pattern_ids[0]).fillna(False)]
    assert ranking(replace(read, checkpoints=unmeasured.assign(likeness=math.nan)), "likeness").empty


def test_a_lora_under_two_names_stands_there_once_under_the_name_with_more_runs(read, shared):
    first, _, close = shared.pattern_ids
    same = dict(read.runs.loc[read.runs["pattern_id"] == close, ["run_id", "replicate"]].values)
    runs = read.runs.assign(
        replicate=[
            next(iter(same.values())) if pattern == first else own
            for pattern, own in zip(read.runs["pattern_id"], read.runs["replicate"], strict=True)
        ]
    )
    once = replace(read, runs=runs)
    assert list(ranking(once, "likeness")["label"]) == ["baseline", "alpha 1"]  # as many runs: the older name
    dropped = (read.checkpoints["pattern_id"] == first) & (read.checkpoints["train_seed"] == 1)
    fewer = replace(once, checkpoints=read.checkpoints[~dropped.fillna(False).astype(bool)])
    # not under the better one: two names would be two chances
    assert list(ranking(fewer, "likeness")["label"]) == list(in_the_running(fewer, "likeness")["label"])
    assert list(ranking(fewer, "likeness")["label"]) == ["rate 6e-3", "alpha 1"]


def test_the_fewest_patterns_that_hold_the_best_are_left_in():
    assert list(excluded(pd.Series([0.7, 0.2, 0.06, 0.04]))) == [False, False, False, True]
    assert list(excluded(pd.Series([0.04, 0.96, math.nan]))) == [True, False, False]
    assert excluded(pd.Series([0.01] * 100)).sum() == 5  # of a hundred that are alike not one is left out for itself


def test_of_a_sweep_with_one_training_each_nothing_is_said_but_the_order(read):
    once = read.checkpoints[read.checkpoints["train_seed"].fillna(1) == 1]
    rows = ranking(replace(read, checkpoints=once), "likeness")
    assert rows["low"].isna().all() and rows["chance_best"].isna().all() and not rows["excluded"].any()
    spec = ranking_chart(rows, LIKENESS).to_dict()
    assert {row["said"] for row in rows_of(spec, layer(spec, type="point"))} == {MEASURED}
    assert "no pattern was trained with two seeds" in words.chart_notes(rows, 1.0)[0]


# time against score


def test_nothing_is_both_quicker_and_better_than_the_front(read, shared):
    a, b, c = shared.pattern_ids  # 60, 45, 57
    rows = ranking(
        timed(read, train_seconds={a: 300.0, b: 100.0, c: 60.0}, device=dict.fromkeys((a, b, c), "gpu")), "likeness"
    )
    places = {row.label: (row.on_front, row.near_front) for row in rows.itertuples()}
    assert places == {"baseline": (True, False), "rate 6e-3": (True, False), "alpha 1": (False, False)}
    noise = noise_floor(read.checkpoints, "likeness")
    said = words.front_words(rows, LIKENESS, noise)
    assert said == [
        "Nothing is both quicker and better than these: 'rate 6e-3', 'baseline'.",
        "'baseline' costs 4 min 00 s more than 'rate 6e-3' for +3.0 (can't be told apart).",
    ]


def test_what_can_not_be_told_apart_from_the_front_is_marked_and_a_tenth_more_time_is_none(read, shared):
    a, b, c = shared.pattern_ids
    everywhere = dict.fromkeys((a, b, c), "gpu")
    slower = ranking(timed(read, train_seconds={a: 100.0, b: 50.0, c: 120.0}, device=everywhere), "likeness")
    assert slower.set_index("pattern_id").loc[c, ["on_front", "near_front"]].tolist() == [False, True]
    as_quick = ranking(timed(read, train_seconds={a: 105.0, b: 50.0, c: 100.0}, device=everywhere), "likeness")
    assert as_quick.set_index("pattern_id").loc[c, "on_front"] == np.False_
    quicker = ranking(timed(read, train_seconds={a: 115.0, b: 50.0, c: 100.0}, device=everywhere), "likeness")
    assert quicker["on_front"].all()


def test_times_of_another_device_do_not_compare_and_unknown_ones_are_named(read, shared):
    a, b, c = shared.pattern_ids
    rows = ranking(timed(read, train_seconds={a: 60.0, b: 6.0}, device={a: "gpu", b: "laptop"}), "likeness")
    known = rows.set_index("pattern_id")
    assert known["comparable"].sum() == 1 and math.isnan(known.loc[c, "minutes"])
    assert known.loc[b, "minutes"] == pytest.approx(0.1)
    said = " ".join(words.time_notes(rows))
    assert "another device" in said and "not measured: rate 6e-3" in said
    chart = front_chart(rows, LIKENESS).to_dict()
    assert len(rows_of(chart, layer(chart, type="point"))) == 1
    assert front_chart(ranking(timed(read, train_seconds={}, device={}), "likeness"), LIKENESS) is None


def test_times_over_more_than_ten_fold_are_on_a_log_axis(read, shared):
    def x(slow):
        seconds = dict(zip(shared.pattern_ids, (10.0, 20.0, slow), strict=True))
        rows = ranking(timed(read, train_seconds=seconds, device=dict.fromkeys(seconds, "gpu")), "likeness")
        spec = front_chart(rows, LIKENESS).to_dict()
        assert pick_of(spec) == ("pick", "point", ["pattern_id"])
        return layer(spec, type="point")["encoding"]["x"]

    assert x(101.0)["scale"]["type"] == "log" and "log scale" in x(101.0)["title"]
    assert x(99.0)["scale"].get("type") is None


def test_runs_of_one_pattern_that_took_unequally_long_are_a_warning(read):
    rows = ranking(read, "likeness")
    assert not any("rough" in said for said in words.time_notes(rows))
    uneven = read.checkpoints.assign(
        train_seconds=[24.0 * (seed == 2) + 24 for seed in read.checkpoints["train_seed"].fillna(0)]
    )
    said = words.time_notes(ranking(replace(read, checkpoints=uneven), "likeness"))
    assert any("up to 2.0 times as long" in each for each in said)


def test_two_patterns_are_apart_where_they_differ_by_more_than_the_interval_of_a_difference(read):
    noise = noise_floor(read.checkpoints, "likeness")
    half = noise.half_width(2, 3, variances=(8.0, 5.0))
    assert half > 1.1 * noise.half_width(2, variances=(8.0,))  # of a mean alone: too narrow for a difference

    def rows(gap):
        return SimpleNamespace(value=50, n_seeds=2, variance=8.0), SimpleNamespace(
            value=50 + gap, n_seeds=3, variance=5.0
        )

    assert of_strength(AtBest(0.6, 60.0, (58.0, 62.0), (0.6, 1.0)), noise) == pytest.approx(
        (0.6, 60.0, 60 - noise.half_width(2, variances=(8.0,)), 60 + noise.half_width(2, variances=(8.0,)))
    )
    assert [apart(*rows(gap), noise) for gap in (1.01 * half, 0.99 * half, -1.01 * half)] == [True, False, True]


# the chart


def test_the_chart_shows_best_first_who_may_be_the_best_and_the_chance(read):
    rows = ranking(read, "likeness").assign(excluded=[False, False, True])
    spec = ranking_chart(rows, LIKENESS).to_dict()
    points = layer(spec, type="point", filled=True)
    assert [row["label"] for row in rows_of(spec, points)] == points["encoding"]["y"]["sort"] == list(rows["label"])
    assert {row["label"]: row["said"] for row in rows_of(spec, points)}["alpha 1"] == EXCLUDED
    assert rows_of(spec, points)[0]["said"] == MAY_BE_BEST and pick_of(spec) == ("pick", "point", ["pattern_id"])
    chances = [row["chance"] for row in rows_of(spec, layer(spec, type="text"))]
    assert chances == [words.chance_short(chance) for chance in rows["chance_best"]] and chances[0].endswith(" of 100")


# equal chances, by simulation


def flat_sweeps(rng, checkpoints, seeds, sweeps):
    """Checkpoint tables without any difference between patterns, as one; per pattern so many checkpoints and runs."""
    rows = []
    for pattern, (many, runs) in enumerate(list(zip(checkpoints, seeds, strict=True)) * sweeps):
        for seed in range(runs):
            of_run = rng.normal()
            for place in range(many):
                rows.append(
                    {
                        "run_id": 100 * pattern + seed,
                        "pattern_id": pattern,
                        "label": str(pattern),
                        "train_seed": seed,
                        "dataset_id": 1,
                        "checkpoint_id": 10_000 * pattern + 100 * seed + place,
                        "updates": 60 * (place + 1) // many,
                        "is_last": place == many - 1,
                        "likeness": 50 + of_run + rng.normal(),
                    }
                )
    common = {"is_base": False, "complete": True, "looked_at": True, "wrecked": False}
    return pd.DataFrame(rows).assign(**dict.fromkeys((m for m in METRICS if m != "likeness"), np.nan), **common)


def lead_share(checkpoints, seeds, sweeps=250):
    """How often the first pattern of a sweep leads where none is better; all sweeps are ranked at once."""
    rows = flat_sweeps(np.random.default_rng(3), checkpoints, seeds, sweeps)
    ranked = ranked_patterns(rows, 1, "likeness")["pattern_id"]
    firsts = ranked[~(ranked // len(seeds)).duplicated()] % len(seeds)
    assert len(firsts) == sweeps
    return float((firsts == 0).mean())


def test_four_times_the_checkpoints_do_not_make_a_pattern_lead():
    # by chance 1 of 4; +- 0.08 is three standard errors of 250 sweeps
    assert lead_share((8, 2, 2, 2), (2, 2, 2, 2)) == pytest.approx(0.25, abs=0.08)


def test_more_seeds_do_not_make_a_pattern_lead():
    assert lead_share((2, 2, 2, 2), (6, 2, 2, 2), 120) < 0.25 + 0.08


def strengths_of(rng, runs=2, offered=(0.4, 0.6, 0.8, 1.0), patterns=1):
    """Previews of patterns to which no strength makes a difference, with noise of every kind."""
    rows = []
    for pattern in range(patterns):
        of_both = rng.normal(size=(4, 4, len(offered)))  # of a picture at a strength, whatever was trained
        for run in range(runs):
            of_run = rng.normal(size=len(offered))
            for prompt in range(4):
                for seed in range(4):
                    for place, strength in enumerate(offered):
                        value = 50 + of_run[place] + of_both[prompt, seed, place] + rng.normal()
                        rows.append((10 * pattern + run, prompt, seed, strength, value))
    table = pd.DataFrame(rows, columns=["checkpoint_id", "prompt", "seed", "strength", "likeness"])
    return table.assign(role="identity", is_final=False, is_confirm=False, picture_status="ok")


def test_a_best_strength_that_is_none_does_not_flatter(read):
    rows = strengths_of(np.random.default_rng(5), patterns=120)
    chosen = {pattern: [10 * pattern, 10 * pattern + 1] for pattern in range(120)}
    found = at_best(replace(read, previews=rows), chosen, "likeness", 1.0)
    held = [found[pattern].value - 50 for pattern in chosen]
    each = rows.groupby([rows["checkpoint_id"] // 10, "strength"])["likeness"].mean()
    naive = each.groupby(level=0).max() - 50
    error = np.std(held, ddof=1) / math.sqrt(len(held))
    assert np.mean(naive) > 0.4 and abs(np.mean(held)) < 3 * error < 0.35


def test_a_strength_that_is_better_is_found_and_paid_in_full(read):
    rows = strengths_of(np.random.default_rng(6))
    better = rows.assign(likeness=rows["likeness"] + 8 * (rows["strength"] == 0.6))
    found = at_best(replace(read, previews=better), {7: [0, 1]}, "likeness", 1.0)[7]
    assert found.strength == 0.6 and found.value == pytest.approx(better[better["strength"] == 0.6]["likeness"].mean())
    assert found.per_run == pytest.approx(
        tuple(better[better["strength"] == 0.6].groupby("checkpoint_id")["likeness"].mean())
    )


def test_every_pattern_has_the_same_strengths_to_choose_from(read):
    rows = strengths_of(np.random.default_rng(7), patterns=2)
    rows = rows[~((rows["checkpoint_id"] == 11) & (rows["strength"] == 0.4))]
    found = at_best(replace(read, previews=rows), {0: [0, 1], 1: [10, 11]}, "likeness", 1.0)
    assert {each.offered for each in found.values()} == {(0.6, 0.8, 1.0)}
    alone = rows[rows["strength"] == 1.0]
    assert at_best(replace(read, previews=alone), {0: [0, 1], 1: [10, 11]}, "likeness", 1.0) == {}


def test_the_halves_are_a_chessboard_of_prompts_and_seeds():
    rows = pd.DataFrame({"prompt": [0, 0, 2, 2], "seed": [101, 102, 101, 102]})
    assert list(halves(rows)) == [0, 1, 1, 0]


# words


def test_the_leader_s_sentence_says_how_sure_what_to_expect_and_how_long_it_takes(read):
    from workbench.findings.verdicts import verdict

    best = best_so_far(read)
    rows = ranking(read, "likeness")
    assert (best.chance, best.minutes) == (rows["chance_best"].iloc[0], pytest.approx(0.4))
    assert (best.low, best.high) == tuple(rows[["believed_low", "believed_high"]].iloc[0])
    said = verdict(best.wording, best.params)
    assert f"{100 * best.chance:.0f} of 100 draws" in said and "One training takes 24 s." in said
    assert math.isnan(best.best_strength) and "strength" not in said


def test_where_another_leads_at_the_best_strengths_the_sentence_says_so(read):
    rows = ranking(read, "likeness").assign(best_strength=[1.0, 0.6, 1.0], value_best_strength=[60.0, 66.0, 45.0])
    assert words.strength_words(rows, LIKENESS, 1.0) == (
        "With each pattern at the strength that suits it best 'rate 6e-3' is ahead: 66.0 at 0.6, against 60.0."
    )
    once = rows.assign(n_seeds=[2, 1, 2])  # the luck of its one seed would be in it
    assert words.strength_words(once, LIKENESS, 1.0) == "Strength 1 suits it best, too."
    own = rows.assign(best_strength=[0.8, 0.6, 1.0], value_best_strength=[68.0, 66.0, 45.0])
    assert words.strength_words(own, LIKENESS, 1.0) == "At strength 0.8, which suits it best, 68.0."
    spec = ranking_chart(rows, LIKENESS).to_dict()
    hollow = layer(spec, type="point", shape="diamond")
    assert (
        hollow["encoding"]["x"]["field"] == "value_best_strength"
        and "Hollow diamonds" in words.chart_notes(rows, 1.0)[1]
    )


# the page


def test_the_page_says_shows_and_lists_the_best_of_each_pattern(tmp_path, monkeypatch):
    from filled import fill
    from test_pages import open_app

    fill(tmp_path)
    app = open_app(tmp_path, monkeypatch, "charts", view="Best of each pattern")
    said = " ".join(each.value for each in [*app.markdown, *app.caption]).replace("\\", "")
    assert "'baseline' is ahead with 60.0" in said and "of 100 draws" in said
    assert "No pattern is quicker or better than 'baseline'" in said
    [figures] = [each.value for each in app.dataframe if "chance_best" in each.value]
    assert list(figures["label"]) == ["baseline", "rate 6e-3", "alpha 1"] and list(figures["n_seeds"]) == [2, 2, 2]
    assert figures["chance_best"].sum() == pytest.approx(100) and "best_strength" not in figures


def test_a_leader_with_a_wrecked_training_leads_in_nothing_by_the_few_faces_that_are_left(read, shared):
    from workbench.findings.verdicts import verdict

    one = (read.checkpoints["pattern_id"] == shared.pattern_ids[0]) & (read.checkpoints["train_seed"] == 1)
    far = read.checkpoints["likeness"] + 40 * (read.checkpoints["pattern_id"] == shared.pattern_ids[0]).fillna(False)
    wrecked = one.fillna(False).astype(bool)
    ahead = replace(read, checkpoints=read.checkpoints.assign(likeness=far.astype("float64")))
    assert best_so_far(ahead).wording == "best_leads"
    found = best_so_far(replace(ahead, checkpoints=ahead.checkpoints.assign(wrecked=wrecked)))
    assert found.label == "baseline" and found.wording == "best_wrecked"
    assert "most pictures of 1 of its 2 trainings show no face" in verdict(found.wording, found.params)


def test_where_more_is_to_be_expected_of_another_than_of_the_first_it_is_named():
    rows = pd.DataFrame({"label": ["once", "thrice"], "believed": [50.0, 52.0]}).assign(
        believed_low=40.0, believed_high=60.0
    )
    assert more_to_expect(rows, LIKENESS)[0].startswith("Of 'thrice' 52.0, which is better")
    assert more_to_expect(rows.assign(believed=[53.0, 52.0]), LIKENESS) == []
    assert more_to_expect(rows, METRICS["leakage"]) == []  # less is better
    assert more_to_expect(rows.assign(believed=[51.5, 52.0]), LIKENESS) == []
