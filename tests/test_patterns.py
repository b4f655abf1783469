"""Patterns: add, clone and change one; contrasts and doubles; the notes before a sweep; the verb."""

import json

import pytest

from db import library, runs
from trainer.config import ConfigError, TrainConfig
from workbench.cli import main
from workbench.projects import add_project
from workbench.running.device import DeviceInfo
from workbench.sweep import patterns
from workbench.sweep.patterns import Asked, PatternError
from workbench.sweep.preflight import notes
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
    [group] = patterns.same_among(patterns.listed(db, project), ("no",))
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


def test_several_patterns_are_added_together_or_not_at_all(db, project):
    asked = [Asked("a", TrainConfig()), Asked("b", TrainConfig(dim=8)), Asked("c", TrainConfig())]
    first, second, third = patterns.add_all(db, project, asked)
    assert first == third != second
    with pytest.raises(PatternError) as caught:
        patterns.add_all(
            db, project, [Asked("d", TrainConfig(dim=2)), Asked("d", TrainConfig()), Asked(" a ", TrainConfig())]
        )
    assert "'d' is given 2 times" in str(caught.value) and "'a' already" in str(caught.value)
    with pytest.raises(PatternError, match="There is no"):
        patterns.add_all(db, project, [Asked("e", TrainConfig()), Asked("f", TrainConfig(base_model="/nowhere"))])
    assert [p.label for p in patterns.listed(db, project)] == ["a = c", "b"]


def test_betas_that_another_optimiser_has_not_are_no_second_difference(db, project):
    baseline = add(db, project, "AdamW", beta1=0.9, beta2=0.99)
    patterns.clone(db, project, baseline, "AdaFactor", optimizer="adafactor", beta1=None, beta2=None)
    assert [c.setting for c in patterns.contrasts(db, project)] == ["optimizer"]


def test_betas_of_one_optimiser_are_a_difference(db, project):
    baseline = add(db, project, "AdamW", beta1=0.9, beta2=0.99)
    patterns.clone(db, project, baseline, "as usual", beta2=None)
    assert [c.setting for c in patterns.contrasts(db, project)] == ["beta2"]


# the verb


@pytest.fixture
def cli(tmp_path, capsys):
    add_project(Workspace(tmp_path).open(), "p", "zwx", "woman")

    def call(*words):
        code = main(["--home", str(tmp_path), "patterns", *map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def labels(out):
    return [row["label"] for row in json.loads(out)]


def test_the_article_is_printed_label_by_label_without_touching_a_project(cli):
    _, out, _ = cli("--preset", "article", "--json")
    rows = json.loads(out)
    assert [row["label"] for row in rows] == [str(number) for number in range(1, 26)]
    three = rows[2]
    assert three["settings"]["clip_skip"] == {"value": 1, "mark": "K", "from": "the article"}
    assert three["settings"]["resolution"] == {"value": 512, "mark": "K", "from": "the tool's code"}
    assert three["settings"]["learning_rate"]["mark"] == "I"
    assert (three["score"], three["unknown"]) == (90, ["flip", "captions"])
    assert "not reproducible from the article" in cli("--preset", "article")[1]
    assert labels(cli("--json")[1]) == []


def test_the_article_is_added_with_apply(cli):
    _, out, err = cli("--preset", "article", "--apply", "--json")
    assert len(labels(out)) == 16 and "13: batch 4 = 23 = 24" in labels(out)
    assert "left out: 1: not reproducible from the article" in err
    assert "checkpoint (epoch 10, 20 ...)" in err


def test_a_grid_is_shown_before_it_is_added(cli):
    cli("--preset", "baseline", "--apply")
    grid = ("--grid", "alpha=1,16", "learning_rate=2e-3,4e-3")
    _, out, err = cli(*grid, "--json")
    assert len(json.loads(out)) == 3  # the baseline itself is there already
    assert "3 new patterns. The project has 1 of the combinations already: baseline." in err
    assert labels(cli("--json")[1]) == ["baseline"]
    _, out, _ = cli(*grid, "--apply", "--json")
    assert len(labels(out)) == 4


def test_patterns_go_out_to_a_file_and_come_in_again(cli, tmp_path):
    cli("--preset", "optimizers", "--apply")
    before = json.loads(cli("--json")[1])
    for name in ("sweep.csv", "sweep.json"):
        cli("--export", tmp_path / name)
        other = tmp_path / name.replace(".", "-")
        add_project(Workspace(other).open(), "q", "zwx", "woman")
        assert main(["--home", str(other), "patterns", "--import", str(tmp_path / name)]) == 0
        after = patterns.listed(Workspace(other).open(), 1)
        assert [(p.label, p.hash) for p in after] == [(row["label"], row["hash"]) for row in before]


def test_a_file_that_is_wrong_is_explained_and_adds_nothing(cli, tmp_path):
    (tmp_path / "bad.csv").write_text("label,dim\nfine,8\nwrong,x\n", encoding="utf-8")
    code, _, err = cli("--import", tmp_path / "bad.csv")
    assert code == 1 and "Row 3: dim is 'x'" in err
    (tmp_path / "latin.csv").write_bytes("label,note\na,gr\xfcn\n".encode("latin-1"))
    assert "not UTF-8" in cli("--import", tmp_path / "latin.csv")[2]
    assert labels(cli("--json")[1]) == []
