"""Importance: hidden while there is little, quiet where nothing matters, and loud where one setting does."""

import time
from dataclasses import replace

import numpy as np
import pytest
from filled import fill
from test_pages import open_app, words

from workbench.charting.chart_parts import COLOURS, GREY
from workbench.charting.importance_chart import importance_chart
from workbench.findings import importance as about
from workbench.findings.analysis import tables
from workbench.findings.importance import Bar, Importance, Kernels, alike, importance, measured, solved, together
from workbench.findings.importance import words as said

LEVELS = {
    "dim": (4, 8, 16),
    "learning_rate": (1e-4, 3e-4, 1e-3),
    "optimizer": ("adamw", "lion", "adafactor"),
    "batch_size": (1, 2, 4),
    "captions": ("as_written", "trigger_only"),
}


def sweep(effect, seed, patterns=29):
    """Settings drawn at random, and scores: patterns differ by 6, two trainings of one by 4 (some by more)."""
    rng = np.random.default_rng(seed)
    groups = {(name,): [levels[i] for i in rng.integers(len(levels), size=patterns)] for name, levels in LEVELS.items()}
    noise = 4 / np.sqrt(2) * rng.standard_normal(patterns) * np.exp(0.6 * rng.standard_normal(patterns))
    values = 6 * rng.standard_normal(patterns) + noise
    return groups, values + effect * np.log10(groups["learning_rate",])


def of(effect, seed, patterns=29):
    groups, values = sweep(effect, seed, patterns)
    return measured("likeness", (2 * patterns, patterns, 0), groups, values, np.full(patterns, 2.0))


def test_where_nothing_matters_hardly_any_sweep_has_a_bar_beyond_chance():
    sweeps = [of(0.0, seed) for seed in range(20)]
    assert sum(any(bar.beyond_chance for bar in each.bars) for each in sweeps) <= 3  # 5 %: more in 1.6 % of draws
    assert sum(each.why_not == about.NOTHING for each in sweeps) > 10


def test_a_planted_setting_is_the_first_bar_and_beyond_chance():
    for seed in range(5):
        found = of(30.0, seed)
        assert found.bars[0].settings == ("learning_rate",) and found.bars[0].beyond_chance
        assert not any(bar.beyond_chance for bar in found.bars[1:])
        assert found.bars[0].low > 0 and found.explained > 0.2


def test_the_same_sweep_gives_the_same_bars_quickly():
    start = time.process_time()
    assert of(30.0, 1) == of(30.0, 1)
    assert time.process_time() - start < 8  # two of them, 0.3 s each where nothing else runs


def test_large_sweeps_take_no_longer_than_they_need(monkeypatch):
    monkeypatch.setattr(about, "SHUFFLES", 40)  # nearly all of the time goes into these two
    monkeypatch.setattr(about, "RESAMPLED", 10)
    start = time.process_time()
    assert of(30.0, 1, patterns=about.MOST_PATTERNS).bars[0].beyond_chance
    assert time.process_time() - start < 3


def test_settings_that_split_the_patterns_alike_are_one_and_masked_ones_have_a_value_of_their_own():
    settings = [
        {"optimizer": "adafactor", "dim": 4, "alpha": 1.0, "save_every": 1},
        {"optimizer": "adamw", "dim": 8, "alpha": 2.0, "save_every": 2, "learning_rate": 1e-4, "text_encoder_lr": 1e-4},
        {"optimizer": "adamw", "dim": 4, "alpha": 1.0, "save_every": 1, "learning_rate": 1e-3},  # without text encoder
    ]
    assert together(settings) == {
        ("dim", "alpha"): [4, 8, 4],
        ("optimizer",): ["adafactor", "adamw", "adamw"],
        ("learning_rate",): [about.NO_EFFECT, 1e-4, 1e-3],
    }


def test_numbers_are_alike_by_their_distance_and_names_are_not():
    # logarithms 0, 1 and 2 of a range of 2, in widths of half of it: exp(-1 / 2), exp(-4 / 2)
    near = alike([1.0, 10.0, 100.0, about.NO_EFFECT])
    assert near[0].tolist() == pytest.approx([1, np.exp(-0.5), np.exp(-2), 0])
    assert near[3].tolist() == [0, 0, 0, 1]
    assert alike(["a", "b", "a"])[0].tolist() == [1, 0, 1]


def test_exchanging_a_value_is_the_kernel_with_that_value():
    groups, _ = sweep(0, 3, patterns=9)
    columns = list(groups.values())
    kernels = Kernels(np.array([alike(column) for column in columns]))
    for few in (1, 2, len(columns)):  # half in single settings, half in pairs: 1 with itself, however many there are
        assert Kernels(kernels.each[:few]).total.diagonal() == pytest.approx(1)
    found = kernels.exchanged(np.array([0, 1]), np.array([5, 6]), np.array([2, 3, 4]))
    for setting in range(len(columns)):
        given = np.array(kernels.each)
        given[setting, 1] = given[setting, 6]  # pattern 1 with the value of 6
        assert found[setting, 1, 1] == pytest.approx(Kernels(given).total[1, [2, 3, 4]])


def test_the_stiffness_is_that_which_foretells_each_pattern_best_from_the_others():
    groups, values = sweep(30.0, 2, patterns=12)
    kernel = Kernels(np.array([alike(column) for column in groups.values()])).total
    noise = np.full(12, 0.5)
    errors = {}
    for stiffness in about.STIFFNESS:
        centred = values - values.mean()
        missed = []
        for i in range(12):
            rest = np.delete(np.arange(12), i)
            weights = np.linalg.solve(kernel[np.ix_(rest, rest)] + stiffness * np.diag(noise[rest]), centred[rest])
            missed.append(centred[i] - kernel[i, rest] @ weights)
        errors[stiffness] = np.mean(np.square(missed))
    best = min(errors, key=errors.get)
    expected = np.linalg.solve(kernel + best * np.diag(noise), values - values.mean())
    weights, mean = solved(kernel, noise, values[:, None])
    assert weights[:, 0] == pytest.approx(expected) and mean[0] == pytest.approx(values.mean())


def test_a_sweep_with_a_planted_setting_is_read_from_its_tables(tmp_path):
    read = planted_tables(tmp_path)
    found = importance(read, "likeness")
    assert (found.n_runs, found.n_patterns, found.n_left_out) == (60, 30, 4)
    assert found.bars[0].settings == ("learning_rate",) and found.bars[0].beyond_chance
    assert "Beyond what chance makes: learning rate." in said(found, "likeness")
    equal = replace(read, runs=read.runs.assign(likeness=50.0))
    assert importance(equal, "likeness").why_not.startswith("Hidden: all patterns have the same settings, or")


def planted_tables(folder):
    """30 patterns of two runs each with random settings, and a run that can't be used for each reason there is."""
    full = fill(folder)
    read = tables(full.db, full.project_id)
    groups, values = sweep(40.0, 4, patterns=30)
    rows = [replicate_row(read, n, seed, values[n]) for n in range(30) for seed in (1, 2)]
    rows += [rows[0] | each for each in ({"dataset_id": 99}, {"wrecked": True}, {"likeness": np.nan})]
    rows.append(replicate_row(read, 30, 1, 50.0))
    settings = {n: {name: column[n] for (name,), column in groups.items()} for n in range(30)}
    runs = read.runs.iloc[[0] * len(rows)].assign(**{k: [row[k] for row in rows] for k in rows[0]})
    return replace(read, runs=runs, settings=settings, unknown={30: frozenset({"dim"})})


def replicate_row(read, pattern, seed, value):
    return {
        "pattern_id": pattern,
        "train_seed": seed,
        "replicate": f"pattern {pattern:02d}",
        "dataset_id": read.dataset_id,
        "wrecked": False,
        "likeness": value + seed,
    }


def test_below_fifty_runs_there_is_one_line_and_no_bar(tmp_path, monkeypatch):
    full = fill(tmp_path)
    found = importance(tables(full.db, full.project_id), "likeness")
    assert found.bars == () and "Hidden below 50 finished runs of 20 patterns: with the 6 of 3" in found.why_not
    app = open_app(full.ws.home, monkeypatch, "charts", view="Importance")
    assert found.why_not in words(app)


def test_bars_within_chance_are_grey_and_the_line_of_chance_is_drawn():
    bars = (Bar(("alpha",), 0.5, 0.3, 0.7, True), Bar(("dim", "optimizer"), 0.1, -0.1, 0.2, False))
    spec = importance_chart(Importance("likeness", 60, 30, 0, "", 0.4, 0.2, bars), "likeness").to_dict()
    scale = spec["layer"][0]["encoding"]["color"]["scale"]
    assert scale["range"] == [COLOURS[0], GREY]
    drawn = [row for rows in spec["datasets"].values() for row in rows]
    assert {"line": 0.2} in drawn
    assert [row["bar"] for row in drawn if "bar" in row] == ["alpha", "dim (rank) + optimizer"]


def test_a_score_that_the_settings_do_not_explain_has_no_bars():
    found = next(each for each in (of(0.0, seed) for seed in range(20)) if each.explained <= 0)
    assert found.bars == () and said(found, "likeness") == about.NOTHING
