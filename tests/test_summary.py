"""What a sweep is said to have shown, against tables of which every number is known."""

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from test_contrast import changed, clearer

from workbench.findings.contrast import contrast_table
from workbench.findings.noise import noise_floor
from workbench.findings.summary import summary, telling
from workbench.findings.verdicts import CLAIMS, SUMMARY, summary_words
from workbench.sweep.patterns import Contrast

NEW, HERE = CLAIMS


def words(lines):
    return [f"{line.params['head']}: {summary_words(line.code, line.params)}" for line in lines]


def row(setting="alpha", step="1 → 16", diff=15.0, wording=NEW, **other):
    """A row of a contrast table: two trainings on each side, ± 8 by training seeds, one of a family."""
    about = {
        "metric": "likeness",
        "setting": setting,
        "group": setting,
        "change": f"{setting}: {step}",
        "pattern_a": 1,
        "pattern_b": 2,
        "label_a": "A",
        "label_b": "B",
        "diff": diff,
        "noise": 8.0,
        "n_a": 2,
        "n_b": 2,
        "more_seeds": None,
        "compared": 4,
        "wording": wording,
        "wrecked": "",
        "shown_first": True,
    }
    return {**about, **other}


def told(read, *rows, metric="likeness"):
    return summary(replace(read, contrasts=[]), metric, pd.DataFrame(rows))


# what helped


def test_a_sweep_is_told_setting_by_setting(read, shared):
    read = clearer(read, shared.pattern_ids[1])
    found = summary(read, "likeness")
    half = contrast_table(read, "likeness")["noise"].iloc[0]
    assert words(found.helped) == [f"alpha: 16 rather than 1: likeness +30.0 ± {half:.1f}, on new prompts too."]
    # -3 ± half: training seeds leave open anything to 3 + half
    assert words(found.open) == [
        f"learning rate: 0.002 → 0.006: -3.0 ± {half:.1f}, so hardly above {3 + half:.1f}; to tell would take over 20 "
        "more seeds."
    ]
    assert (found.nothing, found.alone, found.wrecked, found.n_pairs) == (None, (), (), 2)


def test_the_better_value_is_named_first_whichever_is_the_larger_one(read):
    found = told(read, row(diff=-15.0, wording=HERE))
    assert words(found.helped) == [
        "alpha: 1 rather than 16: likeness +15.0 ± 8.0, on these prompts, perhaps not on new ones."
    ]
    leak = told(read, row(diff=-15.0, metric="leakage"), metric="leakage")
    assert "16 rather than 1: leakage -15.0 ± 8.0" in words(leak.helped)[0]  # less of it is better


def test_a_claim_comes_with_the_other_claims_of_its_setting(read):
    found = told(
        read, row(step="1 → 16"), row(step="1 → 4", diff=12.0), row(step="4 → 16", diff=3.0, wording="cannot_tell")
    )
    assert words(found.helped)[0].endswith("on new prompts too. 1 other change of it seems to matter too.")
    assert not found.open


def test_the_same_change_between_other_patterns_is_no_other_change(read):
    again = row(diff=14.0, pattern_a=3, pattern_b=4, label_a="C", label_b="D")
    found = told(read, row(), again, row(step="1 → 4", diff=12.0))
    assert words(found.helped)[0].endswith("+14.0 at 'C'. 1 other change of it seems to matter too.")
    assert found.helped[0].params["others"] == 1


def test_what_the_same_change_made_elsewhere_is_said_beside_it(read):
    other = row(diff=-4.0, wording="cannot_tell", pattern_a=3, pattern_b=4, label_a="C", label_b="D")
    found = told(read, row(), other)
    assert words(found.helped)[0].endswith("on new prompts too. That is at 'A'; -4.0 (within noise) at 'C'.")
    turned = told(read, row(diff=-15.0), {**other, "pattern_a": 1, "label_a": "A"})
    assert words(turned.helped)[0].endswith("That is at 'B'; +4.0 (within noise) at 'D'.")


def test_of_many_values_the_claim_with_the_reference_is_told(read):
    across = row("optimizer", "lion → sgd", diff=-40.0, shown_first=False)
    found = told(read, across, row("optimizer", "adamw → lion", diff=12.0))
    assert words(found.helped)[0].startswith("optimizer: lion rather than adamw: likeness +12.0 ± 8.0")


# nothing helped


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no two measured patterns differ in exactly one setting"),
        ([row(wording="wrecked", diff=math.nan, compared=0)], "every pair has a wrecked side"),
        (
            [row(wording="cannot_tell"), row("dim", wording="cannot_tell")],
            "Nothing is beyond noise: of 2 pairs compared none",
        ),
        ([row(wording="checkpoints_differ", compared=0, n_b=1)], "no pair has two trainings on both sides"),
    ],
)
def test_why_nothing_helped_is_said(read, rows, said):
    found = told(read, *rows) if rows else summary(replace(read, contrasts=[]), "likeness")
    assert not found.helped and said in summary_words(found.nothing.code, found.nothing.params)


def test_without_a_second_seed_anywhere_nothing_is_said_of_a_setting(read):
    once = read.checkpoints[(read.checkpoints["train_seed"] == 1) | read.checkpoints["is_base"]]
    single = replace(read, checkpoints=once, runs=read.runs[read.runs["train_seed"] == 1])
    found = summary(single, "likeness")
    assert noise_floor(once, "likeness") is None
    assert not found.helped and found.nothing.code == "noise_unknown"
    assert words(found.open) == [
        "alpha: 1 → 16: +15.0, of a single training: train both with a second seed.",
        "learning rate: 0.002 → 0.006: -3.0, of a single training: train both with a second seed.",
    ]


# what can't be told


def test_what_a_few_seeds_would_tell_says_how_many_and_stands_first(read):
    long, short = row("dim", diff=2.0, wording="cannot_tell"), row(diff=6.0, wording="cannot_tell", more_seeds=3)
    found = told(read, long, short)
    assert words(found.open) == [
        "alpha: 1 → 16: +6.0 ± 8.0. About 3 more seeds on each side would tell, if it is that large.",
        "dim: 1 → 16: +2.0 ± 8.0, so hardly above 10.0; to tell would take over 20 more seeds.",
    ]


def test_a_difference_is_surely_small_only_below_what_lies_between_two_trainings(read):
    sd = noise_floor(read.checkpoints, "likeness").sd  # of 62 and 58, 47 and 43, 59 and 55: sqrt(8)
    assert sd == pytest.approx(math.sqrt(8))
    small = told(read, row(diff=0.8, noise=2.0, wording="cannot_tell"))
    assert words(small.open) == [
        "alpha: surely small: 1 → 16: +0.8 ± 2.0, below what lies between two trainings of one pattern (2.8)."
    ]
    assert told(read, row(diff=0.9, noise=2.0, wording="cannot_tell")).open[0].code == "open_long"


def test_the_bound_is_that_of_the_widest_pair_of_a_setting(read):
    found = told(
        read, row(diff=2.0, wording="cannot_tell"), row(step="1 → 4", diff=-1.0, noise=12.0, wording="cannot_tell")
    )
    assert found.open[0].params["bound"] == 13
    assert words(found.open)[0].endswith("(2 pairs; this is the clearest.)")


# what was not tested alone


def test_settings_that_only_change_together_are_named_with_a_way_out(read, shared):
    a, b, c = shared.pattern_ids
    settings = {a: {"alpha": 16.0, "dim": 16}, b: {"alpha": 1.0, "dim": 8}, c: {"alpha": 16.0, "dim": 16}}
    found = summary(replace(read, settings=settings, contrasts=[]), "likeness")
    assert words(found.alone) == [
        "dim (rank): only together with alpha. Clone 'baseline' and set it alone to 8.",
        "alpha: only together with dim (rank). Clone 'baseline' and set it alone to 1.",
    ]
    tested = [Contrast("alpha", a, b, 16.0, 1.0)]
    assert [
        line.params["head"] for line in summary(replace(read, settings=settings, contrasts=tested), "likeness").alone
    ] == ["dim (rank)"]


def test_of_several_confounded_pairs_the_one_with_the_fewest_other_differences_is_named(read, shared):
    a, b, c = shared.pattern_ids
    settings = {
        a: {"alpha": 16.0, "dim": 16, "epochs": 4, "learning_rate": 1e-3},
        b: {"alpha": 1.0, "dim": 8, "epochs": 8, "learning_rate": 2e-3},
        c: {"alpha": 4.0, "dim": 8, "epochs": 4, "learning_rate": 1e-3},
    }
    found = summary(replace(read, settings=settings, contrasts=[]), "likeness")
    assert words(found.alone)[0] == "dim (rank): only together with alpha. Clone 'baseline' and set it alone to 8."


def test_a_text_encoder_rate_that_follows_the_rate_and_when_files_are_saved_are_no_settings_of_their_own(read, shared):
    a, b, c = shared.pattern_ids
    rates = {a: 1e-3, b: 2e-3, c: 2e-3}
    settings = {p: {"learning_rate": rate, "text_encoder_lr": rate, "save_every": p} for p, rate in rates.items()}
    found = summary(
        replace(read, settings=settings, contrasts=[Contrast("learning_rate", a, b, 1e-3, 2e-3)]), "likeness"
    )
    assert found.alone == ()


# what is wrecked


def test_a_wrecked_pattern_is_named_with_the_setting_that_parts_it_from_a_sound_one(read, shared):
    def wreck(_, checkpoints):
        checkpoints.loc[checkpoints["pattern_id"] == shared.pattern_ids[2], "wrecked"] = True

    found = summary(changed(read, wreck), "likeness")
    assert words(found.wrecked) == [
        "rate 6e-3: 2 of 2 trainings wrecked: most pictures are broken or show no face. Only learning rate parts it "
        "from 'baseline': 0.006, not 0.002."
    ]
    assert "learning rate" not in " ".join(words(found.open) + words(found.helped))


def test_one_wrecked_run_of_two_is_named_too(read, shared):
    def wreck(_, checkpoints):
        one = (checkpoints["pattern_id"] == shared.pattern_ids[2]) & (checkpoints["train_seed"] == 1)
        checkpoints.loc[one.fillna(False).astype(bool), "wrecked"] = True

    [line] = words(summary(changed(read, wreck), "likeness").wrecked)
    assert line.startswith("rate 6e-3: 1 of 2 trainings wrecked")


# words and rows


def test_every_code_of_a_summary_has_words_and_every_words_a_code():
    source = Path(summary.__code__.co_filename).read_text(encoding="utf-8")
    assert [code for code in SUMMARY if f'"{code}"' not in source and code not in ("the_same", "one_prompt")] == []


def test_home_shows_of_each_setting_the_pair_that_says_most():
    rows = pd.DataFrame(
        [
            row("optimizer", "adamw → sgd", diff=-40.0),
            row("optimizer", "lion → sgd", diff=-30.0, shown_first=False),
            row("alpha", "1 → 16", diff=20.0, wording="checkpoints_differ"),
            row("alpha", "1 → 4", diff=15.0),
            row("optimizer", "adamw → lion", diff=12.0),
            row("dim", "8 → 16", diff=1.0, wording="cannot_tell"),
        ]
    )
    assert list(telling(rows, 8).index) == [0, 3, 4, 5]
    assert list(telling(rows, 3).index) == [0, 3, 5]
