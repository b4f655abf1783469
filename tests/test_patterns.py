"""Patterns: add, clone and change one; contrasts and doubles; the notes before a sweep."""

import pytest

from db import library, runs
from trainer.config import ConfigError, TrainConfig
from workbench import patterns
from workbench.device import DeviceInfo
from workbench.patterns import PatternError
from workbench.preflight import notes
from workbench.projects import add_project
from workbench.workspace import Workspace


@pytest.fixture
def db(tmp_path):
    return Workspace(tmp_path).open()


@pytest.fixture
def project(db):
    return add_project(db, "p", "zwx", "woman")


def add(db, project, label, **settings):
    return patterns.add(db, project, TrainConfig(**settings), label)


def test_a_clone_with_one_change_makes_a_contrast(db, project):
    baseline = add(db, project, "baseline", alpha=16)
    other = patterns.clone(db, project, baseline, "alpha 1", alpha=1)
    [contrast] = patterns.contrasts(db, project)
    assert (contrast.setting, contrast.a, contrast.b) == ("alpha", baseline, other)
    assert (contrast.value_a, contrast.value_b) == (16, 1)


def test_two_changes_make_no_contrast(db, project):
    baseline = add(db, project, "baseline")
    patterns.clone(db, project, baseline, "both", alpha=1, dim=32)
    assert patterns.contrasts(db, project) == []


def test_the_text_encoders_rate_that_follows_the_rate_is_no_second_difference(db, project):
    baseline = add(db, project, "baseline", train_text_encoder=True)
    patterns.clone(db, project, baseline, "faster", learning_rate=1e-3)
    patterns.clone(db, project, baseline, "U-Net only", train_text_encoder=False)
    assert {c.setting for c in patterns.contrasts(db, project)} == {"learning_rate", "train_text_encoder"}


def test_another_optimiser_is_one_difference_though_it_makes_the_rate_inert(db, project):
    baseline = add(db, project, "baseline")
    patterns.clone(db, project, baseline, "AdaFactor", optimizer="adafactor")
    assert [c.setting for c in patterns.contrasts(db, project)] == ["optimizer"]


def test_adafactor_at_two_rates_is_one_run_under_two_names_and_the_preflight_says_so(db, project):
    one = add(db, project, "rate 1e-4", optimizer="adafactor", learning_rate=1e-4)
    two = patterns.clone(db, project, one, "rate 0.1", learning_rate=0.1)
    assert patterns.contrasts(db, project) == []
    [group] = patterns.same_run(db, project)
    assert [p.pattern_id for p in group] == [one, two]
    [warning] = [note for note in notes(db, project) if note.level == "warn"]
    assert warning.pattern_ids == (one, two)
    assert "'rate 1e-4' and 'rate 0.1'" in warning.text and "learning rate" in warning.text


def test_the_preflight_is_silent_on_a_sensible_sweep(db, project):
    baseline = add(db, project, "baseline", learning_rate=2e-4)
    for rate in (1e-4, 3e-4):
        patterns.clone(db, project, baseline, f"rate {rate}", learning_rate=rate)
    assert notes(db, project) == []


def test_a_precision_that_the_device_lacks_is_named(db, project):
    add(db, project, "half", mixed_precision="fp16")
    assert notes(db, project) == []  # nothing is said on a guess
    runs.worker_started(db, "w", pid=1)
    runs.worker_seen(db, "w", "idle", device=DeviceInfo("cpu", "CPU", ("no",)).to_json())
    [note] = notes(db, project)
    assert "CPU has no fp16; it trains in fp32" in note.text


def test_equal_settings_are_one_pattern_under_two_labels(db, project):
    assert add(db, project, "3", dim=8) == add(db, project, "13", dim=8)
    assert [p.label for p in patterns.listed(db, project)] == ["3 = 13"]


def test_changes_are_told_against_the_baseline(db, project):
    baseline = add(db, project, "baseline")
    patterns.clone(db, project, baseline, "other", dim=8, alpha=4)
    first, second = patterns.listed(db, project)
    assert patterns.changes(second, first) == {"dim": 8, "alpha": 4.0}


def test_a_label_can_be_given_once_and_a_clone_must_differ(db, project):
    baseline = add(db, project, "baseline")
    with pytest.raises(PatternError, match="'baseline' already"):
        add(db, project, "baseline", dim=8)
    with pytest.raises(PatternError, match="Nothing is changed"):
        patterns.clone(db, project, baseline, "same")
    with pytest.raises(ConfigError, match="alpha"):
        patterns.clone(db, project, baseline, "bad", alpha=-1)
    assert len(library.patterns(db, project)) == 1
