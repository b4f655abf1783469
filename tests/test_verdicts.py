"""The sentences of verdicts: no more is said than what was measured, in the score's own unit."""

import pytest

from workbench.findings.metrics import METRICS
from workbench.findings.verdicts import VERDICTS, exploratory, verdict


def test_a_difference_that_a_few_more_seeds_would_tell_says_how_many():
    about = {"metric": "likeness", "n_a": 2, "n_b": 2, "noise": 9.0, "compared": 4, "a": "A", "b": "B", "prompts": 3}
    about |= {"diff": 8.0, "low": -1.0, "high": 17.0, "more_seeds": 3}
    assert "it would need about 3 more seeds on each side to tell." in verdict("cannot_tell", about)
    assert "about 1 more seed on each side" in verdict("cannot_tell", about | {"more_seeds": 1})


@pytest.mark.parametrize("metric", METRICS)
def test_every_verdict_is_a_sentence_for_every_metric(metric):
    about = {
        "metric": metric,
        "a": "one {pattern}",
        "b": "another",
        "change": "alpha from 16 to 1",
        "diff": 0.2,
        "low": 0.1,
        "high": 0.3,
        "prompts": 4,
        "n_a": 2,
        "n_b": 2,
        "noise": 0.1,
        "more_seeds": 2,
        "wrecked": ("another",),
        "value": 0.5,
        "second": 0.4,
        "n_wrecked": "1",
        "n_runs": "2",
    }
    for code in VERDICTS:
        sentence = verdict(code, about)
        assert sentence.endswith(".") and "{" not in sentence.replace("'one {pattern}'", "")


def test_shares_differ_by_points_and_other_scores_in_their_own_unit():
    about = {"a": "A", "b": "B", "low": -0.6, "high": -0.4, "diff": -0.5, "prompts": 4, "noise": 0.1}
    said = verdict("seems_to_matter", {**about, "metric": "face_rate", "change": "x", "n_a": 2, "n_b": 2})
    assert "50 points lower (worse) (95 % interval -60 to -40 points" in said and "±10 points" in said


def test_many_comparisons_come_with_a_warning_and_one_does_not():
    assert "12 pairs" in exploratory(12) and exploratory(1) == ""
