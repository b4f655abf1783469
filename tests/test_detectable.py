"""The smallest difference that a plan can detect: against published tables, by hand, and found when it is there."""

import math

import numpy as np
import pandas as pd
import pytest
from filled import PLAN, fill
from filled_rows import raw_of

from db import library
from workbench.findings.intervals import t_interval
from workbench.plans.detectable import (
    POWER,
    TRAIN_SEEDS,
    Pairs,
    Spread,
    detectable,
    noncentrality,
    pairs_of,
    power,
    smallest,
    spreads,
    typical,
)
from workbench.plans.plan import DEFAULT_PLAN, EvalPlan
from workbench.plans.plan_editor import cost_of
from workbench.projects import add_project
from workbench.sweep.miniature import PLAN as MINIATURE_PLAN
from workbench.workspace import Workspace


def cells_of(values):
    """values[checkpoint][prompt][seed] as (prompt, seed) x checkpoint."""
    values = np.asarray(values, dtype="float64")
    index = pd.MultiIndex.from_product([range(values.shape[1]), range(values.shape[2])], names=["prompt", "seed"])
    return pd.DataFrame(values.reshape(len(values), -1).T, index=index)


# power


@pytest.mark.parametrize(
    ("effect", "per_group"),
    [(0.2, 394), (0.5, 64), (0.8, 26)],  # Cohen, A power primer, 1992, table 2 (393 there, by an approximation)
)
def test_two_groups_need_as_many_as_cohens_table_says(effect, per_group):
    assert smallest(1.0, per_group, 2 * per_group - 2, arms=2) <= effect
    assert smallest(1.0, per_group - 1, 2 * per_group - 4, arms=2) > effect


@pytest.mark.parametrize(("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15)])  # G*Power, matched pairs
def test_paired_differences_need_as_many_as_gpower_says(effect, pairs):
    assert smallest(1.0, pairs, pairs - 1) <= effect < smallest(1.0, pairs - 1, pairs - 2)


def test_power_is_5_percent_without_a_difference_and_that_of_the_normal_with_many():
    assert power(0.0, 7) == pytest.approx(0.05, abs=1e-4)
    assert power(0.0, 1) == pytest.approx(0.05, abs=1e-4)
    assert noncentrality(100_000) == pytest.approx(1.959964 + 0.841621, abs=1e-3)  # z of 97.5 % and of 80 %
    assert power(noncentrality(5), 5) == pytest.approx(POWER)


# the spread


def test_the_parts_of_a_spread_by_hand():
    # one pair; differences: prompt 0: 1, 3 (mean 2), prompt 1: 5, 9 (mean 7); prompt means: variance 12.5;
    # within: (1 + 1 + 4 + 4) / 2 = 5; between: 12.5 - 5 / 2 = 10
    pairs = pairs_of(cells_of([[[0, 0], [0, 0]], [[1, 3], [5, 9]]]))
    assert pairs.gap.tolist() == [4.5] and pairs.total.tolist() == [12.5]
    assert pairs.components() == (10.0, 5.0)
    spread = Spread("likeness", pairs, None, "here")
    # one more seed each halves what is within: sqrt(10 + 5 / 4) against sqrt(10 + 5 / 2)
    assert spread.smallest(6, 4) / spread.smallest(6, 2) == pytest.approx(math.sqrt(11.25 / 12.5))
    assert spread.smallest(6, 2) == pytest.approx(noncentrality(5) * math.sqrt(12.5 / 6))
    assert spread.smallest(1, 8) is None


def test_missing_values_take_no_part():
    gone = math.nan
    pairs = pairs_of(cells_of([[[0, 0], [0, 0], [0, 0]], [[1, 3], [5, gone], [gone, gone]]]))
    # prompt means 2 and 5; one degree of freedom; mean of 1 / seeds over the two prompts is 3 / 4
    assert (pairs.total.tolist(), pairs.freedom.tolist(), pairs.share.tolist()) == ([4.5], [1], [0.75])
    assert pairs.components() == (4.5 - 2 * 0.75, 2.0)
    assert not len(pairs_of(cells_of([[[0, 0], [0, 0]], [[1, 2], [gone, gone]]])).gap)  # one shared prompt
    assert not len(pairs_of(cells_of([[[0, 0], [0, 0]]])).gap)  # one checkpoint


def test_with_one_seed_more_seeds_promise_nothing_and_more_prompts_do():
    spread = Spread("likeness", pairs_of(cells_of([[[0], [0], [0]], [[1], [2], [6]]])), None, "here")
    assert spread.smallest(6, 1) == spread.smallest(6, 9) > spread.smallest(12, 1)


def test_pairs_far_apart_do_not_widen_what_is_said_of_close_ones():
    rng = np.random.default_rng(1)
    close = rng.normal(0, 1, (8, 6, 2))
    far = np.array([200, 400, 600]).reshape(3, 1, 1) + rng.normal(0, 30, (3, 6, 2))
    alone = Spread("likeness", pairs_of(cells_of(close)), None, "here").smallest(6, 2)
    both = Spread("likeness", pairs_of(cells_of(np.concatenate([close, far]))), None, "here").smallest(6, 2)
    assert both == pytest.approx(alone, rel=0.01)


# is it true?


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The filled workspace whose likenesses are drawn: sd 6 between prompts and 5 between preview seeds."""
    full = fill(tmp_path_factory.mktemp("drawn"), plan=PLAN.model_copy(update={"seeds": (101, 102, 103)}), rated=False)
    rng = np.random.default_rng(7)
    rows = list(
        full.db.query(
            "select s.id, v.checkpoint_id, v.prompt from scores s join previews v on v.id = s.preview_id "
            "where s.metric = 'likeness' and s.value is not null and v.checkpoint_id is not null"
        )
    )
    of_prompt = {key: rng.normal(0, 6) for key in sorted({(row["checkpoint_id"], row["prompt"]) for row in rows})}
    for row in rows:
        value = 50 + of_prompt[row["checkpoint_id"], row["prompt"]] + rng.normal(0, 5)
        raw = raw_of(value)
        full.db.execute("update scores set value = ? where id = ?", [raw, row["id"]])
    full.db.conn.commit()
    return full


def found_share(difference, prompts, seeds, between, within, draws=4000):
    """In what share of draws the interval of workbench.findings.contrast excludes 0."""
    rng = np.random.default_rng(11)
    means = difference + rng.normal(0, between, (draws, prompts))
    means += rng.normal(0, within, (draws, prompts, seeds)).mean(axis=2)
    hits = 0
    for each in means:
        _, low, high = t_interval(each.tolist())
        hits += not low <= 0 <= high
    return hits / draws


@pytest.mark.parametrize(("prompts", "seeds"), [(3, 2), (6, 2), (12, 4)])
def test_a_difference_of_that_size_is_found_in_four_of_five_draws(prompts, seeds):
    between, within = 6 * math.sqrt(2), 5 * math.sqrt(2)  # of a difference of two
    one = np.ones(1)
    pairs = Pairs(0 * one, (between**2 + within**2) * one, within**2 * one, one, one)
    size = Spread("likeness", pairs, None, "here").smallest(prompts, seeds)
    assert found_share(size, prompts, seeds, between, within) == pytest.approx(POWER, abs=0.02)
    assert found_share(size / 2, prompts, seeds, between, within) < 0.4


def test_so_it_is_with_the_spread_read_from_stored_scores(drawn):
    spread = spreads(drawn.db, drawn.project_id)["likeness"]
    assert spread.source == "here"
    between, within = spread.pairs.components()
    assert math.sqrt(within) == pytest.approx(5 * math.sqrt(2), rel=0.15)
    assert math.sqrt(between) == pytest.approx(6 * math.sqrt(2), rel=0.3)  # 36 draws
    size = spread.smallest(6, 2)
    assert 0.65 < found_share(size, 6, 2, 6 * math.sqrt(2), 5 * math.sqrt(2)) < 0.92


def test_settings_of_that_distance_are_found_in_four_of_five_draws():
    """The rule of workbench.findings.contrast.Noise.half_width, with the sd of many trained twice."""
    from workbench.findings.noise import Noise

    noise = Noise(sd=4.0, df=29, n_patterns=29, n_wrecked=0)
    size = smallest(noise.sd, TRAIN_SEEDS, noise.df, arms=2)
    rng = np.random.default_rng(5)
    means = size + 4.0 * (rng.normal(size=(2, 20_000, TRAIN_SEEDS)).mean(axis=2) * [[1], [-1]]).sum(axis=0)
    sds = 4.0 * np.sqrt(rng.chisquare(29, 20_000) / 29)
    halves = [Noise(float(sd), 29, 29, 0).half_width(TRAIN_SEEDS, TRAIN_SEEDS) for sd in sds]
    assert np.mean(np.abs(means) > halves) == pytest.approx(POWER, abs=0.01)


# what is said


def test_a_typed_plan_says_what_it_can_tell_apart_before_it_is_saved(drawn):
    few = PLAN.model_copy(update={"seeds": (101,)})
    [likeness, adherence] = cost_of(drawn.db, drawn.project_id, few).detects
    assert (likeness.prompts, likeness.seeds, adherence.prompts) == (3, 1, 4)  # likeness is of identity prompts
    assert likeness.checkpoints > likeness.more_seeds > likeness.more_prompts
    assert likeness.sentence.startswith(
        f"Likeness: two checkpoints that differ by {likeness.checkpoints:.1f} (twice the prompts: "
    )
    assert likeness.sentence.endswith("As this project's scores spread.")
    assert f"{TRAIN_SEEDS} training seeds each, by" in likeness.sentence


def test_a_project_without_scores_takes_the_spread_of_another_on_its_base_or_of_the_demo(drawn):
    plan = EvalPlan(**{**MINIATURE_PLAN.model_dump(), "seeds": (1, 2)})
    new = library.project(drawn.db, add_project(drawn.db, "new", "abc", "man"))
    known = spreads(drawn.db, new["id"])
    assert {spread.source for spread in known.values()} == {"elsewhere"}
    assert "another project on this base" in detectable(plan, new, known)[0].sentence

    library.update_project(drawn.db, new["id"], base_model="embedded-painted")
    known = spreads(drawn.db, new["id"])
    assert known == {metric: typical(metric) for metric in ("likeness", "clip_t")}
    assert 5 < detectable(plan, new, known)[0].checkpoints < 20
    drawn.db.execute("delete from projects where id = ?", [new["id"]])
    drawn.db.conn.commit()


def test_on_a_base_that_nothing_is_known_of_that_is_said(tmp_path):
    db = Workspace(tmp_path).open()
    project = library.project(db, add_project(db, "p", "zwx", "woman"))
    library.update_project(db, project["id"], base_model="/sd15.safetensors", clip_judge="none")
    project = library.project(db, project["id"])
    [only] = detectable(DEFAULT_PLAN, project, spreads(db, project["id"]))
    assert only.sentence == (
        "Likeness: not known before the first scores on this base are there, since it follows from how they spread."
    )


def test_one_prompt_tells_nothing_apart(drawn):
    project = library.project(drawn.db, drawn.project_id)
    one = PLAN.model_copy(update={"prompts": PLAN.prompts[:1]})
    [likeness, _] = detectable(one, project, spreads(drawn.db, drawn.project_id))
    assert likeness.checkpoints is None and "Give at least two" in likeness.sentence
