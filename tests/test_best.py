"""The leading pattern: how its standing is worded, and what is said besides."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from workbench.findings import best as of_best
from workbench.findings.best import (
    besides,
    best_so_far,
    few_faces,
    in_the_running,
    leaders,
    more_to_expect,
    standing,
)
from workbench.findings.metrics import METRICS
from workbench.findings.noise import Noise
from workbench.findings.ranking import ranking

LIKENESS = METRICS["likeness"]
NOISE = Noise(sd=1.0, df=10, n_patterns=10, n_wrecked=0)  # half-width of two means of 3 runs: about 2


def ranked(*rows):
    """Rows of a ranking: value and trainings of each pattern."""
    return pd.DataFrame([{"value": value, "n_seeds": seeds, "variance": 1.0} for value, seeds in rows])


@pytest.mark.parametrize(
    ("rows", "noise", "wording"),
    [
        ([(60.0, 3)], NOISE, "best_alone"),
        ([(60.0, 3), (50.0, 3), (40.0, 3)], NOISE, "best_leads"),
        ([(60.0, 3), (59.9, 3), (40.0, 3)], NOISE, "best_close"),
        ([(60.0, 3), (50.0, 1)], NOISE, "best_single"),
        ([(60.0, 1), (50.0, 3)], NOISE, "best_single"),
        ([(60.0, 3), (50.0, 3)], None, "best_open"),
    ],
)
def test_a_pattern_leads_only_if_it_is_apart_from_every_other_one(rows, noise, wording):
    assert standing(noise, ranked(*rows)) == wording


def test_the_only_pattern_that_is_not_wrecked_is_alone_and_has_its_own_interval(read, shared):
    sound = read.checkpoints["pattern_id"].eq(shared.pattern_ids[0]).fillna(False).astype(bool)
    alone = replace(read, checkpoints=read.checkpoints.assign(wrecked=~sound))
    rows, best = ranking(alone, "likeness"), best_so_far(alone)
    assert (best.wording, best.params["b"]) == ("best_alone", None) and list(rows["wrecked"]) == [False, True, True]
    assert (best.low, best.high) == tuple(rows.loc[0, ["low", "high"]]) and not math.isnan(best.low)
    assert list(in_the_running(alone, "likeness")["label"]) == ["baseline"]
    assert best_so_far(replace(read, checkpoints=read.checkpoints.assign(wrecked=True))) is None


@pytest.mark.parametrize(
    ("metric", "n_wrecked", "few"),
    [("likeness", 1, True), ("likeness", 0, False), ("face_rate", 1, False), ("human_likeness", 1, False)],
)
def test_only_a_judge_that_skips_pictures_without_a_face_is_misled_by_the_few_that_are_left(metric, n_wrecked, few):
    assert few_faces(SimpleNamespace(n_wrecked=n_wrecked), METRICS[metric]) == few


def test_what_is_shown_alike_is_not_said_twice(read):
    rows = ranking(read, "likeness")
    assert any(said.startswith("Expect ") for said in besides(rows.assign(believed=rows["value"] - 2), LIKENESS, 1.0))
    assert not any(said.startswith("Expect ") for said in besides(rows.assign(believed=rows["value"]), LIKENESS, 1.0))
    close = pd.DataFrame(
        {"label": ["a", "b"], "believed": [50.01, 50.02], "believed_low": 50.0, "believed_high": 50.03}
    )
    assert more_to_expect(close, LIKENESS) == []


def test_no_more_patterns_than_the_limit_have_to_stand_on_fresh_seeds(read, monkeypatch):
    first = list(best_so_far(read).checkpoint_ids)
    assert of_best.LEADERS == 3 and len(leaders(read)) > len(first)  # 'rate 6e-3' is too close to call
    monkeypatch.setattr(of_best, "LEADERS", 1)
    assert leaders(read) == first
