"""The article as a preset, against what is known of it: a table that was written down apart from the code."""

import pytest

from db import library, marks
from trainer.config import TrainConfig
from workbench.plans.plan import plan_of
from workbench.plans.plan_editor import problems
from workbench.projects import add_project
from workbench.sweep import article, miniature, patterns
from workbench.workspace import Workspace

B7, M45 = "beautifulRealistic_v7", "meichidarkMix_meichidarkV45"
COMMON = {"dim": 128, "mixed_precision": "fp16", "save_every": 10, "save_unit": "epochs"}
UNKNOWN_OF_ALL = {"flip", "captions"}
EVERYTHING = {"base_model", "clip_skip", "epochs", "repeats", "batch_size", "optimizer", "learning_rate", "alpha"}


def row(base=None, clip=None, ep=None, rep=None, bs=None, opt=None, alpha=None, lr=None):
    named = {
        "base_model": base,
        "clip_skip": clip,
        "epochs": ep,
        "repeats": rep,
        "batch_size": bs,
        "optimizer": opt,
        "alpha": alpha,
        "learning_rate": lr,
    }
    return {name: value for name, value in named.items() if value is not None}


# label -> (known, inferred, unknown, score, words)
TABLE = {
    "1": ({}, {}, EVERYTHING, None, ""),
    "2": (row(opt="lion", alpha=64), {}, EVERYTHING - {"optimizer", "alpha"}, 0, ""),
    "3": (row(B7, 1, 20, 15, 1, "adafactor", 1), row(lr=1e-4), set(), 90, ""),
    "4": (row(B7, 2, 20, 15, 1, "adafactor", 1), row(lr=1e-4), set(), None, "<90"),
    "5": (row(opt="adafactor", alpha=64), row(B7, 1, 20, 15, 1, lr=1e-4), set(), 60, ""),
    "6": (row(opt="adafactor", alpha=16), row(B7, 1, 20, 15, 1, lr=1e-4), set(), 60, ""),
    "7": (row(B7, 1, 20, 15, 2, "adafactor", 1), row(lr=1e-4), set(), None, "<90"),
    "8": (row(M45), row(None, 1, 20, 15, 1, "adafactor", 1, 1e-4), set(), 90, ""),
    "9": (row(opt="lion", alpha=1), {}, EVERYTHING - {"optimizer", "alpha"}, 80, ""),
    "10": (row(B7, 1, 40, 15, 1, "adafactor", 1), row(lr=1e-4), set(), 75, ""),
    "11": (row(B7, 1, 20, 5, 1, "adafactor", 1), row(lr=1e-4), set(), 70, ""),
    "12": (row(B7, 1, 20, 25, 1, "adafactor", 1), row(lr=1e-4), set(), 80, ""),
    "13": (row(B7, 1, 20, 15, 4, "adafactor", 1, 1e-4), {}, set(), 88, ""),
    "14": ({}, row(B7, 1, 20, 15, 4, None, 1, 1e-4), {"optimizer"}, 50, ""),
    "15": ({}, row(B7, 1, 20, 15, 4, None, 1, 1e-4), {"optimizer"}, 50, ""),
    "16": ({}, row(B7, 1, 20, 15, 4, None, 1, 1e-4), {"optimizer"}, 50, ""),
    "17": (row(opt="dadaptation"), row(B7, 1, 20, 15, 4, None, 1, 1e-4), set(), 80, ""),
    "18": ({}, row(B7, 1, 20, 15, 4, None, 1, 1e-4), {"optimizer"}, 50, ""),
    "19": (row(bs=1), {}, EVERYTHING - {"batch_size"}, None, ""),
    "20": ({}, {}, EVERYTHING, None, "below 90: only 3 and 8 stand out"),
    "21": ({}, {}, EVERYTHING, None, "below 90: only 3 and 8 stand out"),
    "22": ({}, {}, EVERYTHING, None, "below 90: only 3 and 8 stand out"),
    "23": (row(opt="adafactor", lr=1e-3), row(B7, 1, 20, 15, 4, None, 1), set(), None, "same as 13"),
    "24": (row(opt="adafactor", lr=0.1), row(B7, 1, 20, 15, 4, None, 1), set(), None, "same as 13"),
    "25": (row(opt="lion", lr=0.01), row(B7, 1, 20, 15, 4), {"alpha"}, None, "black images"),
}
NOT_REPRODUCIBLE = {"1", "2", "9", "19", "20", "21", "22"}
FOUR = ["14/15/16/18: Adam", "14/15/16/18: AdamW", "14/15/16/18: Lion", "14/15/16/18: SGDNesterov"]
TRAINED = ["3", "4", "5", "6", "7", "8", "10", "11", "12", "13", *FOUR, "17", "23", "24", "25"]
UPDATES = {"3": 9000, "4": 9000, "5": 9000, "6": 9000, "10": 18000, "11": 3000, "12": 15000, "7": 4500, "13": 2260}


@pytest.fixture
def db(tmp_path):
    return Workspace(tmp_path).open()


@pytest.fixture
def project(db):
    return add_project(db, "p", "zwx", "woman")


def told(label):
    return article.described(next(entry for entry in article.ENTRIES if entry.label == label))


def with_mark(label, mark, source=None):
    settings = told(label)["settings"].items()
    return {
        name: said["value"]
        for name, said in settings
        if said["mark"] == mark and (mark == "I" or said["from"] == "the article")
    }


def test_all_25_labels_are_there_in_order():
    assert [entry.label for entry in article.ENTRIES] == [str(number) for number in range(1, 26)] == list(TABLE)


@pytest.mark.parametrize("label", TABLE)
def test_what_is_known_inferred_and_unknown_of_a_label(label):
    known, inferred, unknown, score, words = TABLE[label]
    assert with_mark(label, "K") == {**COMMON, **known}
    assert with_mark(label, "I") == inferred
    assert set(told(label)["unknown"]) == unknown | UNKNOWN_OF_ALL
    assert (told(label)["score"], told(label)["words"]) == (score, words)
    assert told(label)["reproducible"] == (label not in NOT_REPRODUCIBLE)
    assert (told(label)["remark"] == "not reproducible from the article") == (label in NOT_REPRODUCIBLE)


def test_no_setting_is_known_and_inferred_or_known_and_unknown():
    for label in TABLE:
        known, inferred = with_mark(label, "K"), with_mark(label, "I")
        assert not known.keys() & inferred.keys()
        assert not (known.keys() | inferred.keys()) & set(told(label)["unknown"])


def test_fifteen_marks_are_numbers_and_blanks_are_never_filled():
    scores = {label: told(label)["score"] for label in TABLE}
    numbers = [label for label, score in scores.items() if score is not None]
    assert len(numbers) == 15
    assert set(numbers) - {"14", "15", "16", "18"} == {"2", "3", "5", "6", "8", "9", "10", "11", "12", "13", "17"}


def test_what_the_tools_code_fixes_goes_into_every_pattern():
    for asked in article.requested():
        config = asked.config
        assert (config.resolution, config.weight_decay, config.train_text_encoder) == (512, 0.1, True)
        assert (config.save_precision, config.max_grad_norm, config.modules) == ("fp16", 1.0, "kohya")
        own_schedule = config.optimizer == "adafactor"
        assert config.lr_scheduler == ("constant" if own_schedule else "cosine")
        has_betas = config.optimizer in ("adam", "adamw", "lion", "dadaptation")
        assert (config.beta1, config.beta2) == ((0.9, 0.99) if has_betas else (None, None))


def test_what_becomes_a_pattern_and_how_long_it_trains():
    requested = {asked.label: asked.config for asked in article.requested()}
    assert list(requested) == TRAINED
    assert {label: requested[label].total_updates(30) for label in UPDATES} == UPDATES
    assert [entry.label for entry in article.left_out()] == sorted(NOT_REPRODUCIBLE, key=int)
    assert [requested[label].optimizer for label in FOUR] == ["adam", "adamw", "lion", "sgd_nesterov"]
    assert [requested[label].learning_rate for label in ("13", "23", "24")] == [1e-4, 1e-3, 0.1]


def test_13_23_and_24_are_trained_once_and_their_notes_keep_the_rates():
    trained = {asked.label: asked for asked in article.patterns()}
    assert len({trained[label].config.hash for label in ("13", "23", "24")}) == 1
    assert "1e-3 (23) and 0.1 (24)" in trained["13"].note
    assert len({asked.config.hash for asked in trained.values()}) == 16


def test_what_is_unknown_is_assumed_openly():
    assert told("3")["assumed"] == {"flip": False, "captions": "trigger_only"}
    assert told("25")["assumed"] == {"flip": False, "captions": "trigger_only", "alpha": 1.0}
    assert told("1")["assumed"] == {}


# the scale of the miniature


def test_a_pattern_is_scaled_by_the_table():
    table = {
        "repeats": 5,
        "epochs": 10,
        "save_every": 20,
        "dim": 8,
        "alpha": 0.25,
        "rates": {"adamw": 20},
        "bases": {B7: "embedded"},
        "settings": {"resolution": None},
    }
    config = TrainConfig(
        base_model=B7, dim=128, alpha=64, repeats=15, epochs=20, save_every=10, learning_rate=1e-4, resolution=512
    )
    scaled = article.to_miniature(config, table)
    assert (scaled.repeats, scaled.epochs, scaled.save_every, scaled.dim) == (3, 2, 1, 16)
    assert (scaled.alpha, scaled.learning_rate, scaled.resolution) == (16.0, 0.002, None)
    assert scaled.base_model == "embedded"
    lion = article.to_miniature(config.model_copy(update={"optimizer": "lion"}), table)
    assert lion.learning_rate == 1e-4  # no factor in the table


def test_scaling_keeps_apart_what_the_article_kept_apart():
    scaled = {asked.label: asked.config for asked in article.scaled(miniature.ARTICLE)}
    assert list(scaled) == TRAINED
    assert len({config.hash for config in scaled.values()}) == 16
    assert {config.base_model for config in scaled.values()} == {"embedded", "embedded-painted"}


# into a project


def test_the_article_comes_into_a_project_with_marks_and_views(db, project):
    done = article.add_article(db, project, bases={B7: "embedded"})
    listed = {p.label: p for p in patterns.listed(db, project)}
    numbers = [label.partition(":")[0] for label in listed]
    assert numbers == ["3", "4", "5", "6", "7", "10", "11", "12", "13", *["14/15/16/18"] * 4, "17", "25"]
    assert {"5: alpha 64", "13: batch 4 = 23 = 24", *FOUR} <= set(listed)
    assert done.pattern_ids == tuple(p.pattern_id for p in listed.values())
    assert dict(done.left_out)["8"] == f"its base model {M45} is not given"
    assert dict(done.left_out)["1"] == "not reproducible from the article"
    assert {variant.clip_skip for variant in plan_of(db, project).variants} == {1, 2}
    given = {row["label"]: row for row in marks.of_project(db, project)}
    assert len(given) == 25
    assert {row["rater"] for row in given.values()} == {"the article's author"}
    assert given["13"]["pattern_id"] == given["23"]["pattern_id"] == listed["13: batch 4 = 23 = 24"].pattern_id
    assert (given["13"]["value"], given["23"]["value"], given["23"]["words"]) == (88, None, "same as 13")
    assert (given["9"]["value"], given["9"]["pattern_id"]) == (80, None)
    assert sum(row["value"] is not None for row in given.values()) == 15
    assert "strength behind each mark are unknown" in given["3"]["source"]


def test_both_bases_give_the_plan_a_view_of_each(db, project):
    article.add_article(db, project, table=miniature.ARTICLE)
    assert "8: other base" in [p.label for p in patterns.listed(db, project)]
    bases = [variant.preview_base for variant in plan_of(db, project).variants if variant.preview_base]
    assert bases == ["embedded", "embedded-painted"]


def test_an_article_that_does_not_fit_adds_nothing(db, project):
    patterns.add(db, project, TrainConfig(), "25: Lion at 0.01")
    with pytest.raises(patterns.PatternError, match=r"'25: Lion at 0\.01' already"):
        article.add_article(db, project, bases={B7: "embedded"})
    assert [p.label for p in patterns.listed(db, project)] == ["25: Lion at 0.01"]
    assert marks.of_project(db, project) == []


def test_marks_given_again_replace_the_earlier_ones_and_move_the_revision(db, project):
    marks.add(db, project, "3", "somebody", value=90)
    before = library.revision(db)
    marks.add(db, project, "3", "somebody", words="forgot")
    [mark] = marks.of_project(db, project)
    assert (mark["value"], mark["words"]) == (None, "forgot")
    assert library.revision(db) > before


# what it could not tell apart


def arm(title):
    return next(arm for arm in article.suggestions() if arm.title == title)


def test_every_arm_says_what_it_would_tell_apart():
    arms = article.suggestions()
    assert all(arm.tells.endswith(".") and (arm.patterns or arm.seeds or arm.clip_skips) for arm in arms)
    assert len({arm.title for arm in arms}) == len(arms)


def test_alpha_64_at_a_64th_of_the_rate_has_the_felt_rate_of_alpha_1():
    adamw = next(asked.config for asked in article.requested() if asked.label == "14/15/16/18: AdamW")
    full, divided = (asked.config for asked in arm("alpha or rate?").patterns)
    assert full.learning_rate * full.scale == pytest.approx(64 * adamw.learning_rate * adamw.scale)
    assert divided.learning_rate * divided.scale == pytest.approx(adamw.learning_rate * adamw.scale)


def test_larger_batches_get_as_many_updates_as_pattern_3():
    totals = [asked.config.total_updates(30) for asked in arm("batch size or number of updates?").patterns]
    assert totals == [9000, 9040]  # the last batch of an epoch is smaller


def test_each_optimiser_of_the_tuned_contrast_has_its_own_rate():
    rates = {a.config.optimizer: a.config.learning_rate for a in arm("optimisers at their own rates").patterns}
    assert rates["adamw"] == 1e-4
    assert rates["lion"] < rates["adamw"] < rates["sgd_nesterov"] < rates["dadaptation"] == rates["prodigy"] == 1.0
    assert "adafactor" not in rates  # it has no rate


def test_an_arm_is_added_once_and_brings_its_views(db, project):
    chosen = arm("alpha or rate?")
    article.add_arm(db, project, chosen)
    article.add_arm(db, project, chosen)
    assert [p.label for p in patterns.listed(db, project)] == ["alpha 64, AdamW", "alpha 64 at rate / 64, AdamW"]
    article.add_arm(db, project, arm("clip skip in training or in the pictures?"))
    assert [variant.clip_skip for variant in plan_of(db, project).variants] == [1, 2]


def test_on_the_miniature_the_tuned_contrast_has_the_miniatures_rates(db, project):
    article.add_arm(db, project, arm("optimisers at their own rates"), table=miniature.ARTICLE)
    added = {p.config.optimizer: p.config for p in patterns.listed(db, project)}
    assert {config.scale for config in added.values()} == {1.0}
    assert (added["adamw"].learning_rate, added["dadaptation"].learning_rate) == (2e-3, 0.1)
    assert "tuned: adamw at 0.002" in [p.label for p in patterns.listed(db, project)]


def test_what_an_arm_is_about_is_not_set_otherwise_by_the_scale(db, project):
    article.add_arm(db, project, arm("captions"), table=miniature.ARTICLE)
    assert [p.config.captions for p in patterns.listed(db, project)] == ["as_written", "traits_left_out"]


def test_the_tools_previews_are_a_plan_that_can_be_used_and_is_marked_assumed():
    plan = article.TOOL_PLAN
    assert problems(plan) == []
    assert (plan.steps, plan.cfg, plan.size, plan.negative, plan.strengths) == (
        28,
        10,
        512,
        "low quality",
        (0.6, 0.7, 0.8, 1),
    )
    assert article.TOOL_PLAN_ASSUMED.startswith("Assumed")
