"""Training settings in words: fields, tables and what was in force."""

import json

import pytest

from trainer.config import ConfigError, TrainConfig
from trainer.effective import effective
from workbench.sweep import settings
from workbench.sweep.patterns import Pattern


def pattern(number, label, **changed):
    config = TrainConfig(**changed)
    return Pattern(number, label, "", config, config.hash)


def test_the_form_has_every_setting_once():
    names = [field.name for group in settings.groups().values() for field in group]
    assert sorted(names) == sorted(TrainConfig.model_fields)


def test_rarely_used_settings_are_folded_away_and_none_is_forgotten():
    assert not settings.main_groups().keys() & settings.rare_groups().keys()
    assert "More" not in settings.rare_groups()  # every setting has a group
    assert {"dim", "optimizer", "epochs", "captions"} <= {f.name for g in settings.main_groups().values() for f in g}


@pytest.mark.parametrize("name", TrainConfig.model_fields)
def test_every_setting_says_in_a_sentence_what_it_does_and_its_default(name):
    field = settings.field(name)
    assert len(field.help.split(" Default: ")[0]) > 15
    assert "Default: " in field.help
    assert not field.source or field.help.endswith(f"Source: {field.source}.")


@pytest.mark.parametrize("name", ["optimizer", "lr_scheduler", "captions", "modules", "mixed_precision"])
def test_every_choice_says_in_a_sentence_what_it_does_and_its_source(name):
    sentences = [settings.choice_text(name, value) for value in settings.field(name).choices]
    assert len(set(sentences)) == len(sentences)
    assert all(sentence.endswith(")") and len(sentence) > 30 for sentence in sentences)
    assert settings.choice_text("dim", 16) == ""


def test_an_optimisers_sensible_rate_is_on_the_bases_scale():
    assert "at alpha = dim: 0.0001." in settings.choice_text("optimizer", "adamw", "/sd15")
    assert "at alpha = dim: 0.002." in settings.choice_text("optimizer", "adamw", "embedded")
    assert "It has no rate to set." in settings.choice_text("optimizer", "adafactor")


def test_what_is_typed_is_summed_up_at_once():
    values = TrainConfig(batch_size=4, epochs=10, save_every=5, learning_rate=1e-3, dim=8, alpha=2.0).model_dump()
    assert settings.comes_to(values, 30) == ("80 updates · 300 images seen · rate × scale 0.00025 · 2 LoRA files")
    assert "once there are photos" in settings.comes_to(values, 0)
    assert "dim is 'x' but must be" in settings.comes_to({**values, "dim": "x"}, 30)


def test_the_felt_rate_knows_rslora_and_optimisers_without_a_rate_of_their_own():
    assert settings.amounts(TrainConfig(learning_rate=1e-3, dim=16, alpha=4, rslora=True), 0) == {
        "rate × scale": "0.001"
    }
    assert settings.amounts(TrainConfig(optimizer="prodigy", learning_rate=1), 0) == {"rate × scale": "finds its own"}


def test_a_field_knows_its_unit_its_choices_and_its_default():
    rate, optimizer, flip = (settings.field(name) for name in ("learning_rate", "optimizer", "flip"))
    assert rate.title == "learning rate (per update)"
    assert "Default: 0.0001." in rate.help
    assert (rate.choices, rate.is_switch) == ((), False)
    assert "adafactor" in optimizer.choices
    assert flip.is_switch


def test_a_unit_that_says_nothing_new_is_left_out():
    assert settings.field("epochs").title == "epochs"
    assert settings.field("save_every").title == "save every"


@pytest.mark.parametrize("name", TrainConfig.model_fields)
def test_what_a_field_shows_reads_back_as_the_same_value(name):
    start = TrainConfig(learning_rate=2e-3, min_snr_gamma=5.0).model_dump()
    field, value = settings.field(name), start[name]
    if not field.choices and not field.is_switch:
        value = settings.typed(settings.value_text(value))
    assert settings.parse({**start, name: value}).model_dump() == start


def test_what_can_not_be_a_setting_is_refused_with_a_sentence():
    with pytest.raises(ConfigError, match="dim is 'many' but must be"):
        settings.parse({"dim": settings.typed(" many ")})


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (True, "yes"), (False, "no"), (2e-3, "0.002"), (16.0, "16"), ("x", "x")]
)
def test_values_are_written_for_people(value, text):
    assert settings.value_text(value) == text


def test_the_table_shows_only_what_differs_from_the_first_pattern():
    listed = [
        pattern(1, "baseline"),
        pattern(2, "small", dim=4),
        pattern(3, "saved often", dim=4, save_every=5),
    ]
    rows = settings.comparison(listed, {1: 2}, n_photos=30)
    assert [row["dim (rank)"] for row in rows] == ["16", "4", "4"]
    assert "save every" not in rows[0]  # it changes no weight
    assert [row["trained"] for row in rows] == [2, 0, 0]


def test_a_blank_means_as_in_the_first_pattern():
    rows = settings.comparison([pattern(1, "a"), pattern(2, "b", dim=4), pattern(3, "c", alpha=1.0)], {}, 30)
    assert [row["dim (rank)"] for row in rows] == ["16", "4", ""]
    assert [row["alpha"] for row in rows] == ["16", "", "1"]


def test_the_table_says_how_long_a_training_is_and_which_rate_is_felt():
    config = TrainConfig(learning_rate=1e-3, dim=8, alpha=2.0, batch_size=4, epochs=10)
    assert settings.amounts(config, n_photos=30) == {
        "rate × scale": "0.00025",
        "updates": 80,
        "images seen": 300,
    }
    assert settings.amounts(config, n_photos=0) == {"rate × scale": "0.00025"}
    relative = TrainConfig(optimizer="adafactor", learning_rate=1e-2)
    assert settings.amounts(relative, 0) == {"rate × scale": "-"}


def test_what_was_in_force_is_told_with_the_reason():
    config = TrainConfig(optimizer="adafactor", mixed_precision="fp16", train_text_encoder=False)
    rows = {row["setting"]: row for row in settings.in_force(config, json.dumps(effective(config, ("no",))))}
    rate = rows["learning rate (per update)"]
    assert (rate["asked for"], rate["in force"]) == ("0.0001", "-")
    assert "AdaFactor" in rate["why"]
    precision = rows["mixed precision"]
    assert (precision["asked for"], precision["in force"]) == ("fp16", "no")
    assert "device" in precision["why"]
    assert rows["dim (rank)"]["why"] == ""


def test_before_a_run_has_started_it_is_shown_as_asked():
    rows = settings.in_force(TrainConfig(dim=4), None)
    assert {row["setting"]: row["in force"] for row in rows}["dim (rank)"] == "4"


def test_only_settings_that_vary_can_be_charted():
    assert settings.varied({1: {"dim": 4, "alpha": 1.0}, 2: {"dim": 8, "alpha": 1.0}}) == ["dim"]
    assert settings.varied({1: {"dim": 4}, 2: {}}) == ["dim"]
    assert settings.varied({}) == []


def test_a_copy_is_labelled_by_its_change():
    assert settings.change_label("baseline", {"alpha": 1.0}) == "baseline, alpha 1"
    assert settings.change_label("baseline", {"text_encoder_lr": None}) == "baseline, text encoder rate empty"
