"""What is said before a step is trained: all that is inert, double, dangerous or impossible, and nothing else."""

import pytest

from db import library, runs
from trainer.config import OWN_STEP, TrainConfig
from workbench.plans.plan import EvalPlan, Prompt
from workbench.projects import add_project
from workbench.running.device import DeviceInfo
from workbench.sentences import DANGERS, INERT
from workbench.sentences import danger as sentence
from workbench.sweep import article, miniature, patterns, preflight, presets
from workbench.sweep.choices import OPTIMIZERS, sensible_rate
from workbench.sweep.danger import dangers
from workbench.sweep.patterns import Asked
from workbench.workspace import Workspace

SD = "/models/sd15"
PHOTOS = 30

# What a person who knows it would train without a second thought, and why.
SENSIBLE = {
    "diffusers' LoRA example": (
        "1e-4 with alpha = dim, 4 to 16 dims, a constant rate",
        {"dim": 16, "alpha": 16, "learning_rate": 1e-4, "epochs": 50, "train_text_encoder": False},
    ),
    "sd-scripts' alpha of 1 on a small dim": (
        "the trainer's own default alpha; at dim 8 the scale 1/8 is made up for by a higher rate",
        {"dim": 8, "alpha": 1, "learning_rate": 5e-4, "repeats": 10, "epochs": 10},
    ),
    "the baseline preset": ("what the workbench proposes for SD 1.x", presets.SD1_BASELINE),
    "half the rate for the text encoder": (
        "5e-5 beside 1e-4, as sd-scripts' guide has it",
        {"dim": 32, "alpha": 16, "learning_rate": 1e-4, "text_encoder_lr": 5e-5, "repeats": 10, "epochs": 10},
    ),
    "Lion at a fifth of AdamW's rate": (
        "the paper says 3 to 10 times lower",
        {"optimizer": "lion", "dim": 32, "alpha": 32, "learning_rate": 2e-5, "repeats": 10, "epochs": 10},
    ),
    "Prodigy at 1": (
        "its authors' rate",
        {"optimizer": "prodigy", "dim": 32, "alpha": 32, "learning_rate": 1.0, "repeats": 5, "epochs": 10},
    ),
    "D-Adaptation at 1": (
        "what sd-scripts recommends",
        {"optimizer": "dadaptation", "dim": 32, "alpha": 16, "learning_rate": 1.0, "repeats": 5, "epochs": 10},
    ),
    "AdaFactor with a fixed rate": (
        "moves like Adam, so Adam's rate",
        {"optimizer": "adafactor-fixed", "dim": 32, "alpha": 32, "learning_rate": 1e-4, "repeats": 10, "epochs": 10},
    ),
    "LoCon with a smaller dim for the convolutions": (
        "LyCORIS' own proportions, warm-up of a twentieth",
        {
            "dim": 32,
            "alpha": 16,
            "conv_dim": 8,
            "conv_alpha": 4,
            "learning_rate": 1e-4,
            "repeats": 10,
            "epochs": 10,
            "lr_scheduler": "cosine_with_restarts",
            "lr_cycles": 3,
            "warmup_updates": 150,
        },
    ),
    "a large batch by accumulation": (
        "4 x 2 photos, the rate doubled for it, light dropout, captions dropped now and then",
        {
            "dim": 32,
            "alpha": 32,
            "batch_size": 4,
            "gradient_accumulation": 2,
            "learning_rate": 2e-4,
            "repeats": 10,
            "epochs": 20,
            "dropout": 0.1,
            "caption_dropout": 0.05,
            "noise_offset": 0.05,
            "min_snr_gamma": 5,
            "mixed_precision": "bf16",
        },
    ),
}


def unsaved(**labelled):
    return patterns.unsaved([Asked(label, config) for label, config in labelled.items()])


def said(*configs, photos=PHOTOS, **more):
    listed = patterns.unsaved([Asked(f"p{number}", config) for number, config in enumerate(configs)])
    return preflight.notes_of(listed, photos, **more)


def codes(photos=PHOTOS, **settings):
    return [danger.code for danger in dangers(TrainConfig(**settings), photos)]


# the article


def test_everything_inert_double_or_dangerous_in_the_article_is_named_before_a_step_is_trained():
    listed = patterns.unsaved(article.requested())
    number = {p.label: p.pattern_id for p in listed}
    found = preflight.notes_of(listed, PHOTOS)
    adafactor = ("3", "4", "5", "6", "7", "8", "10", "11", "12", "13", "23", "24")
    expected = {
        ("warn", "very same LoRA", ("13", "23", "24")),
        ("warn", "SGD moves by", ("14/15/16/18: SGDNesterov",)),
        ("warn", "adds weight decay 0.1 to the gradient", ("14/15/16/18: Adam", "14/15/16/18: SGDNesterov")),
        ("warn", "finds itself", ("17",)),
        ("warn", "under Lion", ("25",)),
        ("info", "no effect at all", adafactor),
    }
    assert len(found) == len(expected)
    for level, words, labels in expected:
        [note] = [note for note in found if words in note.text and note.level == level]
        assert note.pattern_ids == tuple(number[label] for label in labels)


def test_the_same_holds_on_the_miniatures_scale():
    found = preflight.notes_of(patterns.unsaved(article.scaled(miniature.ARTICLE, article.requested())), PHOTOS)
    warned = " ".join(note.text for note in found if note.level == "warn")
    assert "'13' and '23' and '24' will train the very same LoRA" in warned
    assert "'17': rate" in warned
    assert "'25': " in warned


# silence


@pytest.mark.parametrize("name", SENSIBLE)
def test_nothing_is_said_of_a_sensible_pattern(name):
    why, settings = SENSIBLE[name]
    config = TrainConfig(base_model=SD, **settings)
    assert said(config, device=DeviceInfo("cuda", "GPU", ("no", "fp16", "bf16"), {config.optimizer: ""})) == [], why


def test_there_are_ten_of_them_and_they_are_ten_different_runs():
    assert len(SENSIBLE) == 10
    assert said(*(TrainConfig(base_model=SD, **settings) for _, settings in SENSIBLE.values())) == []


FIRST_STEPS = {  # what a newcomer tries on the miniature
    "baseline": {},
    "too little training": {"epochs": 3, "save_every": 2},
    "too much: rate x 3": {"learning_rate": 6e-3},
    "alpha 1": {"alpha": 1.0},
    "AdaFactor, rate 1e-4": {"optimizer": "adafactor", "learning_rate": 1e-4},
    "AdaFactor, rate 1e-2": {"optimizer": "adafactor", "learning_rate": 1e-2},
}


def test_of_first_steps_on_the_miniature_only_the_double_and_the_one_that_breaks_are_named():
    configs = {label: TrainConfig(**{**miniature.BASELINE, **change}) for label, change in FIRST_STEPS.items()}
    found = preflight.notes_of(unsaved(**configs), PHOTOS)
    warned = [note.text for note in found if note.level == "warn"]
    assert "AdaFactor, rate 1e-4' and 'AdaFactor, rate 1e-2" in warned[0]
    assert [text.split(":")[0] for text in warned[1:]] == ["'too much"]


def test_the_optimisers_at_their_own_rates_are_sensible_on_both_scales():
    for base in (SD, "embedded"):
        asked = presets.optimizers(presets.baseline(base))
        warned = [note for note in preflight.notes_of(patterns.unsaved(asked), PHOTOS) if note.level == "warn"]
        assert warned == []


# dangers, one by one


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        ("adam_rate_high", {"learning_rate": 1e-2, "alpha": 1}),
        ("lion_rate_high", {"optimizer": "lion", "learning_rate": 1e-2, "alpha": 1}),
        ("full_scale_high_rate", {"learning_rate": 1e-3, "dim": 32, "alpha": 32}),
        ("felt_rate_high", {"learning_rate": 2e-3, "dim": 32, "alpha": 16}),
        ("full_scale_high_rate", {"learning_rate": 1e-4, "dim": 128, "alpha": 128, "rslora": True}),
        ("hardly_moves", {"learning_rate": 1e-6, "dim": 128, "alpha": 1, "epochs": 20}),
        ("own_step_rate_low", {"optimizer": "prodigy", "learning_rate": 1e-4}),
        ("own_step_rate_low", {"optimizer": "dadaptation", "learning_rate": 0.1}),
        ("own_step_rate_high", {"optimizer": "prodigy", "learning_rate": 10}),
        ("sgd_hardly_moves", {"optimizer": "sgd_nesterov", "learning_rate": 1e-4}),
        ("full_scale_high_rate", {"optimizer": "sgd_nesterov", "learning_rate": 3}),
        ("text_encoder_rate_high", {"learning_rate": 1e-4, "text_encoder_lr": 2e-4, "epochs": 50}),
        ("bnb_sgd_without_nesterov", {"optimizer": "sgd_nesterov8bit", "learning_rate": 0.3, "weight_decay": 0}),
        ("coupled_decay", {"optimizer": "adam", "weight_decay": 0.01, "epochs": 50}),
        ("eight_bit_small_tensors", {"optimizer": "adamw8bit", "dim": 8, "epochs": 50}),
        ("no_clipping", {"max_grad_norm": 0, "mixed_precision": "fp16", "epochs": 50}),
        ("dropout_high", {"dropout": 0.5, "epochs": 50}),
        ("noise_offset_high", {"noise_offset": 0.5, "epochs": 50}),
        ("dropout_of_the_trigger", {"captions": "trigger_only", "caption_dropout": 0.1, "epochs": 50}),
        ("caption_dropout_high", {"caption_dropout": 0.6, "epochs": 50}),
        ("less_than_an_epoch", {"max_images": 100, "repeats": 10, "epochs": 10}),
        ("all_warm_up", {"warmup_updates": 900, "epochs": 50}),
        ("batch_above_epoch", {"batch_size": 40, "epochs": 500}),
    ],
)
def test_a_dangerous_setting_is_named_with_its_reason_and_source(code, settings):
    config = TrainConfig(base_model=SD, **settings)
    assert codes(base_model=SD, **settings).count(code) == 1
    [found] = [danger for danger in dangers(config, PHOTOS) if danger.code == code]
    [note] = [note for note in said(config) if note.text == f"'p0': {sentence(code, found.params)}"]
    assert note.text.endswith(f"({DANGERS[code][1]})") and "{" not in note.text
    assert note.level == ("warn" if found.warn else "info")


def test_every_danger_that_has_a_sentence_is_tested():
    marks = test_a_dangerous_setting_is_named_with_its_reason_and_source.pytestmark
    assert {code for code, _ in marks[0].args[1]} == DANGERS.keys()


def test_the_miniature_has_a_scale_of_its_own():
    assert codes(base_model=SD, learning_rate=2e-3) == ["full_scale_high_rate"]
    assert codes(**miniature.BASELINE) == []
    assert codes(base_model="embedded-painted", **miniature.BASELINE) == []
    assert codes(**{**miniature.BASELINE, "learning_rate": 1e-2}) == ["full_scale_high_rate"]
    assert codes(**{**miniature.BASELINE, "learning_rate": 1e-5, "alpha": 1}) == ["hardly_moves"]
    assert sensible_rate("adamw", embedded=True) == 20 * sensible_rate("adamw", embedded=False)


@pytest.mark.parametrize(
    ("rate", "alpha", "hardly"),
    [  # 92 updates of batch 4; the loss went from 0.166 to ..., where 240 updates at scale 1 make it 0.118
        (2e-3, 0.02, False),  # 0.153
        (2e-3, 0.005, True),  # 0.161
        (1e-4, 0.25, True),  # 0.165
    ],
)
def test_what_hardly_moved_when_it_was_tried_is_named(rate, alpha, hardly):
    tried = {**miniature.BASELINE, "learning_rate": rate, "alpha": alpha, "max_updates": 92}
    assert (codes(**tried) == ["hardly_moves"]) == hardly


@pytest.mark.parametrize(("base", "dim", "small"), [(SD, 12, True), (SD, 13, False), ("embedded", 32, True)])
def test_small_tensors_are_named_only_where_a_module_is_that_narrow(base, dim, small):
    """4,096 values: at dim 12 modules narrower than 342, and SD 1.x has 320 ones; at dim 13 narrower than 316."""
    found = codes(base_model=base, optimizer="adamw8bit", dim=dim, alpha=dim, learning_rate=1e-4, epochs=50)
    assert ("eight_bit_small_tensors" in found) == small


def test_betas_that_are_the_optimisers_own_are_the_very_same_run():
    notes = said(TrainConfig(), TrainConfig(beta1=0.9, beta2=0.999), TrainConfig(beta2=0.99), photos=0)
    assert [(note.pattern_ids, "beta 1, beta 2" in note.text) for note in notes] == [((-1, -2), True)]


def test_how_long_a_training_moves_is_not_said_before_there_are_photos():
    assert codes(photos=0, base_model=SD, learning_rate=1e-6, dim=128, alpha=1) == []


def test_every_optimiser_has_a_sentence_and_all_but_adafactor_a_rate():
    assert OPTIMIZERS.keys() == set(TrainConfig.model_fields["optimizer"].annotation.__args__)
    assert [name for name, choice in OPTIMIZERS.items() if choice.rate is None] == ["adafactor"]
    assert {OPTIMIZERS[name].rate for name in OWN_STEP} == {1.0}


@pytest.mark.parametrize(
    ("reason", "settings"),
    [
        ("adafactor_relative_step", {"optimizer": "adafactor"}),
        ("adafactor_no_betas", {"optimizer": "adafactor-fixed", "beta1": 0.8}),
        ("sgd_no_beta2", {"optimizer": "sgd_nesterov", "beta2": 0.9, "learning_rate": 0.3, "weight_decay": 0}),
        ("one_rate_for_all", {"optimizer": "prodigy", "text_encoder_lr": 0.5, "learning_rate": 1}),
        ("text_encoder_not_trained", {"train_text_encoder": False, "text_encoder_lr": 5e-5}),
        ("schedule_has_no_cycles", {"lr_cycles": 3}),
        ("schedule_has_no_power", {"lr_power": 2}),
        ("no_convolutions", {"conv_alpha": 4}),
        ("caption_has_one_part", {"captions": "trigger_only", "shuffle_captions": True}),
    ],
)
def test_a_setting_without_effect_is_named_with_the_reason(reason, settings):
    [note] = said(TrainConfig(base_model=SD, **settings), photos=0)
    assert note.level == "info" and note.text.endswith(f"- {INERT[reason]}.")


# the device, the plan


def test_an_optimiser_that_failed_its_one_step_here_is_named_with_the_reason():
    device = DeviceInfo("cpu", "CPU", ("no",), {"adamw8bit": "bitsandbytes is not installed.", "adamw": ""})
    found = said(TrainConfig(optimizer="adamw8bit"), TrainConfig(), device=device)
    [note] = [note for note in found if "can't work" in note.text]
    assert note.text == "'p0': adamw8bit can't work on CPU: bitsandbytes is not installed. Choose another optimiser."
    assert said(TrainConfig(optimizer="adamw"), device=device) == []


def test_a_plan_that_draws_with_one_clip_skip_whatever_was_trained_is_named():
    plan = EvalPlan(prompts=(Prompt(text="{trigger}"),), clip_skip=1)
    found = said(TrainConfig(clip_skip=2), TrainConfig(), plan=plan)
    assert [note.pattern_ids for note in found] == [(-1,)]
    assert "previews' 1" in found[0].text
    assert said(TrainConfig(clip_skip=2), plan=plan.model_copy(update={"clip_skip": None})) == []


def test_precisions_are_said_once_for_all_patterns():
    device = DeviceInfo("cpu", "CPU", ("no",))
    half = [TrainConfig(mixed_precision="fp16", dim=dim) for dim in (4, 8, 16)]
    [note] = said(*half, device=device)
    assert note.text == "'p0', 'p1', 'p2': CPU has no fp16; it trains in fp32."


def test_new_patterns_are_held_against_those_that_are_there(tmp_path):
    db = Workspace(tmp_path).open()
    project = add_project(db, "p", "zwx", "woman")
    patterns.add(db, project, TrainConfig(optimizer="adafactor"), "there")
    new = [Asked("again", TrainConfig(optimizer="adafactor", learning_rate=0.1)), Asked("fine", TrainConfig())]
    warned = [note for note in preflight.notes_before(db, project, new) if note.level == "warn"]
    assert [note.text.split(" will")[0] for note in warned] == ["'there' and 'again'"]
    assert preflight.notes_before(db, project, new[1:]) == []
    runs.worker_started(db, "w", pid=1)
    broken = DeviceInfo("cpu", "CPU", ("no",), {"adamw": "it broke"})
    runs.worker_seen(db, "w", "idle", device=broken.to_json())
    [note] = preflight.notes_before(db, project, new[1:])
    assert "it broke" in note.text


def test_the_painted_miniature_draws_people_whom_the_embedded_judges_know(tmp_path):
    db = Workspace(tmp_path).open()
    project = add_project(db, "p", "zwx", "woman")
    patterns.add(db, project, TrainConfig(base_model="embedded-painted"), "painted")
    assert preflight.judges(db, project) == []


@pytest.mark.parametrize(
    ("judges", "base", "level", "says"),
    [
        ({"face_judge": "embedded"}, "none", "info", "photos of others it refuses"),
        ({"second_face_judge": "embedded"}, "none", "info", "second opinion"),
        ({"face_judge": "dlib"}, "embedded", "info", "AUC"),
        ({"second_face_judge": "buffalo_l"}, "embedded", "warn", "would mislead"),
        ({"clip_judge": "embedded"}, "a real one", "warn", "refuses photos of others"),
    ],
)
def test_a_judge_that_does_not_suit_the_base_is_told_before_anything_runs(tmp_path, judges, base, level, says):
    db = Workspace(tmp_path).open()
    nobody = {"face_judge": "none", "clip_judge": "none", "second_face_judge": "none"}
    project = add_project(db, "p", "zwx", "woman", base_model="none", **{**nobody, **judges})
    library.update_project(db, project, base_model=base)
    [note] = preflight.judges(db, project)
    assert note.level == level and says in note.text and note.text.endswith(".")


# what will be answered


def answered(**configs):
    listed = unsaved(**configs)
    return {a.setting: a for a in preflight.answers(listed)}, {p.pattern_id: p.label for p in listed}


def test_a_setting_that_alone_differs_is_answered():
    found, labels = answered(a=TrainConfig(), b=TrainConfig(alpha=1))
    assert preflight.answer_sentence(found["alpha"], labels) == "alpha: answered by a / b."


def test_settings_that_vary_only_together_name_the_arm_that_is_missing():
    found, labels = answered(a=TrainConfig(), b=TrainConfig(alpha=1, dim=32, epochs=5), c=TrainConfig(alpha=1, dim=32))
    assert {name for name, answer in found.items() if answer.pairs} == {"epochs"}
    sentence = preflight.answer_sentence(found["alpha"], labels)
    assert sentence == "alpha: only varies together with others. Missing: 'a' with alpha 1."
    flipped = {a.setting: a for a in preflight.answers(unsaved(a=TrainConfig(), c=TrainConfig(alpha=1, flip=True)))}
    assert preflight.answer_sentence(flipped["flip"], labels).endswith("'a' with mirrored copies yes.")
    found, _ = answered(a=TrainConfig(), c=TrainConfig(alpha=1, dim=32), arm=TrainConfig(alpha=1))
    assert all(answer.pairs for answer in found.values())


def test_what_the_article_can_answer():
    found, _ = answered(**{asked.label: asked.config for asked in article.requested()})
    assert {name for name, answer in found.items() if answer.pairs} == {
        *("clip_skip", "alpha", "batch_size", "base_model", "epochs", "repeats", "optimizer", "learning_rate")
    }


def test_one_seed_each_can_not_tell_chance():
    assert "Missing: a second seed" in preflight.chance_sentence(1)
    assert "Missing" not in preflight.chance_sentence(2)
