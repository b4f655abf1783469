"""Charts: what a person sees in them (marks, axes, units, intervals, notes) and what a click names."""

import json
import math
from dataclasses import replace

import pandas as pd
import pytest

from workbench.charting.chart_parts import COLOURS, GREY, LEGEND_ROW_PX, height_for
from workbench.charting.contrast_chart import contrast_chart, ways
from workbench.charting.loss_curve import loss_curve
from workbench.charting.people_chart import correlation_words, drawn_as, people_chart
from workbench.charting.rank_chart import mark_chart, rank_chart
from workbench.charting.setting_chart import score_by_setting, setting_notes
from workbench.charting.training_chart import score_by_checkpoint
from workbench.findings.analysis import tables
from workbench.findings.contrast import contrast_table
from workbench.findings.metrics import METRICS
from workbench.findings.noise import noise_floor
from workbench.findings.ranks import rank_correlation
from workbench.people.eye_and_judge import correlation, seen_by_both
from workbench.people.found import BEST, OPEN, WORSE
from workbench.projects import add_project
from workbench.workspace import Workspace


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    db = Workspace(tmp_path_factory.mktemp("empty")).open()
    return tables(db, add_project(db, "empty", "zwx", "woman"))


def layer(spec, **wanted):
    """The one layer with this mark (and further properties of the mark)."""
    found = [one for one in spec["layer"] if wanted.items() <= mark(one).items()]
    assert len(found) == 1, [mark(one) for one in spec["layer"]]
    return found[0]


def mark(one):
    return {"type": one["mark"]} if isinstance(one["mark"], str) else one["mark"]


def rows_of(spec, one):
    return spec["datasets"][one.get("data", spec.get("data"))["name"]]


def pick_of(spec):
    [pick] = spec["params"]
    return pick["name"], pick["select"]["type"], pick["select"]["fields"]


def notes(spec):
    text = spec["title"]["text"]
    return text["expr"] if isinstance(text, dict) else " ".join(text)


def test_a_setting_s_chart_has_a_point_per_run_and_a_mean_with_its_interval_per_pattern(read):
    spec = score_by_setting(read, "learning_rate", "likeness").to_dict()
    points, bars = layer(spec, type="point", filled=True), layer(spec, type="rule")
    assert len(rows_of(spec, points)) == 6
    means = {row["label"]: row for row in rows_of(spec, bars)}
    assert means["baseline"]["likeness"] == pytest.approx(60) and means["baseline"]["n"] == 2
    noise = noise_floor(read.checkpoints, "likeness")  # the baseline's runs have 62 and 58
    assert means["baseline"]["low"] == pytest.approx(60 - noise.half_width(2, variances=(8.0,)))
    assert pick_of(spec) == ("pick", "point", ["run_id"])


def test_rates_are_on_a_log_axis_with_their_unit_and_names_are_categories(read):
    def x(setting):
        spec = score_by_setting(read, setting, "likeness").to_dict()
        return layer(spec, type="point", filled=True)["encoding"]["x"]

    rate = x("learning_rate")
    assert rate["scale"]["type"] == "log" and "per update" in rate["title"] and rate["type"] == "quantitative"
    assert rate["axis"]["values"] == [0.002, 0.006]
    assert x("optimizer")["type"] == "nominal" and x("weight_decay")["scale"].get("type") is None


def test_a_choice_stands_on_its_axis_by_its_name_in_lines_that_fit(read):
    names = {1: "sgd_nesterov", 2: "adafactor-fixed"}
    told = {number: {**own, "optimizer": names.get(number, "adam")} for number, own in read.settings.items()}
    spec = score_by_setting(replace(read, settings=told), "optimizer", "likeness").to_dict()
    points = layer(spec, type="point", filled=True)
    shown = {row["shown"] for row in rows_of(spec, points)}
    assert shown == {"SGD with Nesterov", "AdaFactor with a fixed rate", "Adam"}
    label = points["encoding"]["x"]["axis"]["labelExpr"]
    assert '["SGD with", "Nesterov"]' in label and "sgd_nesterov" not in label


def test_the_chart_says_which_patterns_differ_in_this_setting_only(read):
    spec = score_by_setting(read, "alpha", "likeness").to_dict()
    told = " ".join(setting_notes(read, "alpha", "likeness"))
    assert "Differ only in alpha (dashed lines): 'baseline' from 'alpha 1'." in told
    assert "3 degrees of freedom" in told
    line = rows_of(spec, layer(spec, type="line"))
    assert sorted(row["value"] for row in line) == [1, 16]
    assert "may come from another setting" in " ".join(setting_notes(read, "dim", "likeness"))


def test_runs_where_the_setting_has_no_effect_are_named_and_not_drawn(read, shared):
    inert = {**read.settings, shared.pattern_ids[2]: {"alpha": 16.0}}
    without = replace(read, settings=inert)
    spec = score_by_setting(without, "learning_rate", "likeness").to_dict()
    assert {row["label"] for row in rows_of(spec, layer(spec, type="point", filled=True))} == {
        "baseline",
        "alpha 1",
    }
    assert "no effect there: rate 6e-3" in " ".join(setting_notes(without, "learning_rate", "likeness"))


def test_the_checkpoint_chart_has_a_line_per_run_and_the_ends_of_the_scale(read):
    spec = score_by_checkpoint(read.checkpoints, "likeness", labels=read.labels).to_dict()
    thin = layer(spec, type="line", strokeWidth=1)
    assert thin["encoding"]["detail"]["field"] == "run_id" and len(rows_of(spec, thin)) == 12
    named = {
        row["name"]: row["level"] for one in spec["layer"] if mark(one)["type"] == "text" for row in rows_of(spec, one)
    }
    assert named == {"without LoRA": pytest.approx(12), "strangers": 0, "real photos": 100}
    assert pick_of(spec) == ("pick", "point", ["checkpoint_id"])
    thick = {(row["label"], row["updates"]): row["value"] for row in rows_of(spec, layer(spec, strokeWidth=3))}
    assert thick["baseline", 60] == pytest.approx(50) and thick["baseline", 120] == pytest.approx(60)


def test_without_photos_of_other_people_no_chart_speaks_of_strangers(read):
    none = read.checkpoints.assign(zero="cosine 0")
    apart = replace(read, checkpoints=none, previews=read.previews.assign(zero="cosine 0"))
    rules = json.dumps(score_by_checkpoint(none, "likeness").to_dict())
    assert "0 = cosine 0 (no photos of other people were given)" in rules
    for chart in (
        score_by_checkpoint(none, "likeness"),
        score_by_setting(apart, "alpha", "likeness"),
        contrast_chart(contrast_table(apart, "likeness")),
        eye_chart(apart),
    ):
        drawn = json.dumps(chart.to_dict())
        assert "(0 = cosine 0, 100 = real photos)" in drawn
        assert "strangers" not in drawn


def test_only_the_likeness_chart_has_strangers_and_real_photos(read):
    spec = score_by_checkpoint(read.checkpoints, "clip_t", "images_seen").to_dict()
    assert "strangers" not in json.dumps(spec["datasets"])
    assert layer(spec, strokeWidth=3)["encoding"]["x"]["title"] == "images seen"


def test_an_interval_stands_at_every_checkpoint(read):
    spec = score_by_checkpoint(read.checkpoints, "likeness").to_dict()
    bars = next(one for one in spec["layer"] if mark(one)["type"] == "rule" and "y2" in one["encoding"])
    assert {row["updates"] for row in rows_of(spec, bars)} == {60, 120}
    assert "from training seeds, each checkpoint for itself" in notes(spec)


def test_of_many_patterns_a_setting_s_chart_names_those_with_a_pair_in_it(read):
    labels = {**read.labels, **{100 + n: f"other {n}" for n in range(8)}}
    one = read.runs[read.runs["label"] == "baseline"]
    more = [one.assign(pattern_id=pattern, label=labels[pattern]) for pattern in labels if pattern >= 100]
    settings = {**read.settings, **{pattern: read.settings[1] for pattern in labels if pattern >= 100}}
    many = replace(read, runs=pd.concat([read.runs, *more]), labels=labels, settings=settings)
    spec = score_by_setting(many, "alpha", "likeness").to_dict()
    colour = layer(spec, type="point", filled=True)["encoding"]["color"]
    assert colour["legend"]["values"] == ["baseline", "alpha 1"]
    assert set(colour["scale"]["range"][2:]) == {GREY}
    assert "Grey: 9 patterns without such a pair" in " ".join(setting_notes(many, "alpha", "likeness"))


def test_the_forest_has_a_row_per_pair_its_interval_and_the_noise_floor(read, shared):
    table = contrast_table(read, "likeness").assign(wording=["seems_to_matter", "cannot_tell"])
    spec = contrast_chart(table).to_dict()
    points = layer(spec, type="point", filled=True)
    rows = rows_of(spec, points)
    assert [row["row"] for row in rows] == ["alpha: 1 → 16", "learning rate: 0.002 → 0.006"]
    assert [row["verdict"] for row in rows] == ["seems to matter, on new prompts too", "can't be told apart"]
    assert rows[0]["band_high"] == table["noise"][0] > 9 and rows[0]["band_low"] == -rows[0]["band_high"]
    interval = layer(spec, type="rule", strokeWidth=2)["encoding"]
    assert (interval["x"]["field"], interval["x2"]["field"]) == ("low", "high")
    assert pick_of(spec) == ("pick", "point", ["pattern_a", "pattern_b"])
    assert {"n_cells", "n_a", "n_b"} <= {tip["field"] for tip in points["encoding"]["tooltip"]}


def test_a_pair_without_a_difference_says_so_in_words(read):
    table = contrast_table(read, "likeness")
    table = table.assign(diff=[math.nan, -3.0], wording=["wrecked", "cannot_tell"], wrecked=["'alpha 1'", ""])
    spec = contrast_chart(table).to_dict()
    text = layer(spec, type="text")
    [words] = rows_of(spec, text)
    assert (words["verdict"], words["change"]) == ("a run is wrecked", "alpha: 1 → 16")
    assert words[text["encoding"]["text"]["field"]] == "'alpha 1' wrecked: too few faces to compare"


def test_a_pair_without_a_difference_keeps_its_place(read):
    table = contrast_table(read, "likeness").assign(diff=[math.nan, -3.0], low=[math.nan, -8.0], noise=[math.nan, 9.0])
    spec = contrast_chart(table).to_dict()
    places = ["alpha", "alpha: 1 → 16", "learning rate", "learning rate: 0.002 → 0.006"]
    assert layer(spec, type="text")["encoding"]["y"]["scale"]["domain"] == places


def test_the_forest_names_each_setting_once_and_tells_equal_changes_apart(read):
    table = contrast_table(read, "likeness")
    twice = table.iloc[:1].assign(label_a="other", diff=2.0, wording="cannot_tell")
    later = table.iloc[:1].assign(change="alpha: 1 → 4", diff=1.0, wording="cannot_tell")
    rows = pd.concat([table, later, twice], ignore_index=True)
    spec = contrast_chart(rows).to_dict()
    assert layer(spec, type="bar")["encoding"]["y"]["scale"]["domain"] == [
        "alpha",
        "alpha: 1 → 4",
        "alpha: 1 → 16\n(from alpha 1)",
        "alpha: 1 → 16\n(from other)",
        "learning rate",
        "learning rate: 0.002 → 0.006",
    ]
    lone = contrast_chart(table, heads=False).to_dict()
    assert layer(lone, type="bar")["encoding"]["y"]["scale"]["domain"] == [
        "alpha: 1 → 16",
        "learning rate: 0.002 → 0.006",
    ]


def test_the_forest_says_which_way_is_better(read):
    assert ways(METRICS["likeness"]) == "← worse · better →" and ways(METRICS["leakage"]) == "← better · worse →"
    assert ways(METRICS["saturation_change"]) == "neither way is better as such"
    assert ways(METRICS["likeness"]) in contrast_chart(contrast_table(read, "likeness")).to_json(ensure_ascii=False)


def test_a_wrecked_run_that_has_no_point_is_named_under_the_chart(read, shared):
    gone = read.checkpoints["run_id"].isin(shared.run_ids[2:4]) & read.checkpoints["is_last"]
    table = read.checkpoints.assign(
        likeness=read.checkpoints["likeness"].mask(gone), wrecked=read.checkpoints["wrecked"] | gone
    )
    wrecked = replace(read, checkpoints=table, runs=table.loc[read.runs.index])
    told = " ".join(setting_notes(wrecked, "alpha", "likeness"))
    for said in (told, notes(score_by_checkpoint(table, "likeness").to_dict())):
        assert "No point where a run is wrecked, without a face to measure: alpha 1." in said
    assert "wrecked" not in notes(score_by_checkpoint(table, "clip_t").to_dict())


def test_a_missing_interval_is_called_none_in_the_tooltip_and_not_zero(read):
    table = contrast_table(read, "likeness").assign(low=[math.nan, -7.97], high=[math.nan, 1.97])
    rows = rows_of_forest(contrast_chart(table).to_dict())
    assert [row["interval"] for row in rows] == ["none", "-8.0 to +2.0"]


def test_the_same_change_on_two_baselines_keeps_two_rows(read):
    table = contrast_table(read, "likeness")
    twice = pd.concat([table, table.assign(label_a="other baseline")], ignore_index=True)
    rows = rows_of_forest(contrast_chart(twice).to_dict())
    assert len({row["row"] for row in rows}) == 4


def rows_of_forest(spec):
    return rows_of(spec, layer(spec, type="point", filled=True))


def test_people_and_the_judge_are_compared_per_rated_picture(read):
    spec = eye_chart(read).to_dict()
    points = rows_of(spec, layer(spec, type="point", filled=True))
    assert len(points) == 12 and pick_of(spec) == ("pick", "point", ["preview_id"])
    found = correlation(seen_by_both(read.previews), "human_likeness", "likeness")
    assert "n = 12 rated pictures of 4 checkpoints" in correlation_words(found)


def test_each_pattern_has_a_shape_of_its_own_where_eye_and_judge_are_compared(read):
    encoding = layer(eye_chart(read).to_dict(), type="point", filled=True)["encoding"]
    assert encoding["shape"]["scale"]["domain"] == list(read.labels.values())
    assert len(set(encoding["shape"]["scale"]["range"])) == 3


def test_what_may_be_said_of_a_checkpoint_is_told_by_shape_and_words_too():
    said = [BEST, OPEN, WORSE]
    rows = pd.DataFrame({"checkpoint_id": [4, 5, 6], "name": ["a", "b", "c"], "said": said, "n": 9})
    rows = rows.assign(value=[1.0, 2.0, 3.0], low=[1, 1, 3], high=[2, 3, 3], wins=1, ties=0, losses=1)
    for chart in (rank_chart(rows, len(rows)), mark_chart(rows.assign(value=[70.0, 66.0, 20.0]))):
        spec = chart.to_dict()
        points = layer(spec, type="point", filled=True)
        assert pick_of(spec) == ("pick", "point", ["checkpoint_id"])
        assert points["encoding"]["shape"]["scale"]["domain"] == said
        assert len(set(points["encoding"]["shape"]["scale"]["range"])) == 3
        assert points["encoding"]["y"]["sort"] == ["a", "b", "c"]
        assert [row["interval"] for row in rows_of(spec, points)] == ["1 to 2", "1 to 3", "3 to 3"]


def eye_chart(read):
    return people_chart(seen_by_both(read.previews), read.metric("likeness"), list(read.labels.values()))


def test_the_rank_correlation_is_spearman_s():
    a, b = pd.Series([1.0, 2.0, 3.0, 4.0, 5.0]), pd.Series([5.0, 6.0, 7.0, 8.0, 7.5])
    # ranks of b: 1, 2, 3, 5, 4; squared differences 0, 0, 0, 1, 1: 1 - 6 x 2 / (5 x 24) = 0.9
    assert rank_correlation(a, b) == pytest.approx(0.9)
    assert math.isnan(rank_correlation(a[:2], b[:2]))


def test_the_loss_curve_has_a_running_median_and_few_enough_points():
    spec = loss_curve([(update, 9.0 if update == 50 else 1.0) for update in range(1, 20_001)]).to_dict()
    rows = rows_of(spec, layer(spec, strokeWidth=2))
    assert len(rows) <= 1000 and {row["median"] for row in rows} == {1.0}  # one spike does not move it


def test_charts_without_data_can_be_drawn(empty):
    for chart in (
        score_by_setting(empty, "alpha", "likeness"),
        score_by_checkpoint(empty.checkpoints, "likeness"),
        contrast_chart(contrast_table(empty, "likeness")),
        eye_chart(empty),
        loss_curve([]),
    ):
        assert chart.to_dict()["layer"]


@pytest.mark.parametrize("metric", METRICS)
def test_every_axis_names_its_metric_unit_and_direction(read, metric):
    spec = score_by_checkpoint(read.checkpoints, metric).to_dict()
    title = " ".join(layer(spec, strokeWidth=3)["encoding"]["y"]["title"])
    assert METRICS[metric].label in title and METRICS[metric].better in title
    assert METRICS[metric].unit in title


def test_patterns_keep_their_colour_and_shape_and_never_share_both():
    labels = [f"pattern {number}" for number in range(1, 43)]
    drawn = drawn_as(labels)
    assert len(set(drawn.values())) == 42
    assert drawn_as(labels[:5]) == {label: drawn[label] for label in labels[:5]}


def test_the_chart_of_eye_and_judge_draws_what_its_legend_says(read):
    seen = layer(eye_chart(read).to_dict(), type="point")["encoding"]
    drawn = drawn_as(read.labels.values())
    for channel, part in (("color", 0), ("shape", 1)):
        scale = seen[channel]["scale"]
        assert dict(zip(scale["domain"], scale["range"], strict=True)) == {
            name: is_[part] for name, is_ in drawn.items()
        }


def test_a_legend_of_many_patterns_takes_nothing_from_the_plot():
    four, all_of_the_article = (height_for(f"pattern {n % total}" for n in range(99)) for total in (4, 29))
    assert all_of_the_article - four == 7 * LEGEND_ROW_PX  # 29 labels, 4 in a row: 8 rows in place of 1


def test_a_chart_grows_with_its_legend(read):
    one = read.checkpoints[read.checkpoints["label"] == read.checkpoints["label"].dropna().iloc[0]]
    many = pd.concat([one.assign(label=f"pattern {n}", pattern_id=n) for n in range(9)])
    heights = [score_by_checkpoint(rows, "likeness").to_dict()["height"] for rows in (one, many)]
    assert heights[1] - heights[0] == LEGEND_ROW_PX  # of many only five are named: two rows


def luminance(colour):
    """Relative luminance of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_words_on_charts_read_on_light_and_on_dark(read):
    grey = luminance(GREY)
    assert min((1 + 0.05) / (grey + 0.05), (grey + 0.05) / (luminance("#1e1e1e") + 0.05)) > 3
    assert luminance(COLOURS[0]) > luminance("#1e1e1e") + 0.1
    assert loss_curve([(1, 0.1)]).to_dict()["config"]["background"] == "transparent"
