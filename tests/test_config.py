"""Patterns: checked, hashed, counted."""

import json
import subprocess
import sys

import pytest

from trainer.config import LATER, ConfigError, TrainConfig, parse_config
from trainer.effective import completed, differing, effective, inert

OTHER = {  # another value for every setting
    "base_model": "sd15",
    "resolution": 512,
    "dim": 8,
    "alpha": 1.0,
    "modules": "attention",
    "train_text_encoder": False,
    "text_encoder_lr": 5e-5,
    "optimizer": "lion",
    "learning_rate": 2e-4,
    "weight_decay": 0.1,
    "lr_scheduler": "cosine",
    "warmup_updates": 10,
    "batch_size": 4,
    "repeats": 2,
    "epochs": 20,
    "max_updates": 100,
    "save_every": 2,
    "save_unit": "updates",
    "clip_skip": 2,
    "min_snr_gamma": 5.0,
    "max_grad_norm": 0.0,
    "flip": True,
    "mixed_precision": "fp16",
    "save_precision": "bf16",
    "conv_dim": 8,
    "conv_alpha": 4.0,
    "rslora": True,
    "dora": True,
    "dropout": 0.1,
    "beta1": 0.8,
    "beta2": 0.99,
    "lr_cycles": 3,
    "lr_power": 2.0,
    "gradient_accumulation": 2,
    "max_images": 900,
    "captions": "trigger_only",
    "caption_dropout": 0.1,
    "shuffle_captions": True,
    "noise_offset": 0.05,
}


def test_every_requested_setting_changes_the_hash():
    assert OTHER.keys() == TrainConfig.model_fields.keys()
    hashes = {TrainConfig(**{name: value}).hash for name, value in OTHER.items()}
    assert len(hashes | {TrainConfig().hash}) == len(OTHER) + 1


def test_the_hash_does_not_depend_on_the_order_or_the_spelling_of_numbers():
    backwards = dict(reversed(OTHER.items()))
    assert TrainConfig(**OTHER).hash == TrainConfig(**backwards).hash
    assert parse_config('{"alpha": 8, "learning_rate": 0.0001}').hash == TrainConfig(alpha=8.0).hash
    assert parse_config(json.dumps(TrainConfig(**OTHER).model_dump())).hash == TrainConfig(**OTHER).hash


def test_the_hash_stays_what_it_was_when_patterns_were_stored_with_it():
    assert TrainConfig().hash == "a39fd36c03b3d626752841f081a6cbccb64f33859a04d5f92bc3d91301a78e1f"


def test_a_pattern_stored_before_a_setting_existed_is_still_the_same_pattern():
    first = {name: value for name, value in TrainConfig().model_dump().items() if name not in LATER}
    assert parse_config(first).hash == TrainConfig().hash
    settings = effective(TrainConfig(), ["no"])
    stored = {name: value for name, value in settings.items() if name not in LATER}
    assert completed(stored) == settings
    assert differing(stored, effective(TrainConfig(dropout=0.1), ["no"])) == ["dropout"]


def test_a_pattern_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        TrainConfig().dim = 8


def test_every_setting_is_documented():
    for name, field in TrainConfig.model_fields.items():
        assert field.description, name
        assert "unit" in (field.json_schema_extra or {}), name


@pytest.mark.parametrize(
    ("settings", "images", "per_epoch", "total"),
    [
        ({"batch_size": 4, "epochs": 10}, 30, 8, 80),  # ceil(30 / 4) = 8
        ({"batch_size": 4, "repeats": 2, "epochs": 10}, 30, 15, 150),  # ceil(60 / 4) = 15
        ({"batch_size": 64, "epochs": 3}, 30, 1, 3),
        ({"batch_size": 4, "gradient_accumulation": 3, "epochs": 10}, 30, 3, 30),  # ceil(8 / 3) = 3
        ({"batch_size": 4, "epochs": 10, "max_images": 100}, 30, 8, 27),  # 3 epochs, then 10 photos in 3 batches
        ({"batch_size": 4, "epochs": 10, "max_images": 90}, 30, 8, 24),
        ({"batch_size": 4, "epochs": 10, "max_images": 9000}, 30, 8, 80),
        ({"batch_size": 1, "epochs": 2, "max_updates": 45}, 30, 30, 45),
        ({"batch_size": 1, "epochs": 2, "max_updates": 600}, 30, 30, 60),
    ],
)
def test_updates_are_epochs_times_rounded_up_batches(settings, images, per_epoch, total):
    config = TrainConfig(**settings)
    assert (config.updates_per_epoch(images), config.total_updates(images)) == (per_epoch, total)


def test_images_seen_counts_the_smaller_last_batch():
    config = TrainConfig(batch_size=4)  # 10 photos: batches of 4, 4, 2
    assert [config.images_seen(u, 10) for u in range(7)] == [0, 4, 8, 10, 14, 18, 20]


@pytest.mark.parametrize(
    ("settings", "points"),
    [  # 10 photos, batches of 4, 4, 2
        ({"epochs": 4}, [3, 6, 9, 12]),
        ({"epochs": 5, "save_every": 2}, [6, 12, 15]),
        ({"epochs": 4, "max_updates": 7}, [3, 6, 7]),
        ({"epochs": 2, "save_every": 9}, [6]),
        ({"epochs": 4, "save_unit": "updates", "save_every": 5}, [5, 10, 12]),
        ({"epochs": 4, "save_unit": "images", "save_every": 10}, [3, 6, 9, 12]),
        ({"epochs": 4, "save_unit": "images", "save_every": 15}, [5, 9, 12]),  # 18, 30, 40 images seen
        ({"epochs": 2, "save_unit": "images", "save_every": 1}, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_save_points_by_hand(settings, points):
    assert TrainConfig(batch_size=4, **settings).save_points(10) == points


def test_no_photo_is_refused():
    with pytest.raises(ConfigError, match="no photo"):
        TrainConfig().total_updates(0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"dimm": 8}, "There is no setting dimm. Did you mean dim?"),
        ({"dim": 0}, "dim is 0 but must be at least 1 "),
        ({"alpha": 0}, "alpha is 0 but must be above 0"),
        ({"optimizer": "adagrad"}, "optimizer is 'adagrad' but must be one of 'adamw', 'adam'"),
        ({"batch_size": "two"}, "batch_size is 'two' but must be a whole number"),
        ({"resolution": 100}, "resolution is 100 but must be a multiple of 8"),
        ({"learning_rate": float("nan")}, "learning_rate is nan but must be a finite number"),
        ({"dim": 0, "epochs": 0}, "epochs is 0"),
        ("[1]", "The pattern is a list"),
        ("{", "The pattern is not JSON"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_may_be(data, words):
    with pytest.raises(ConfigError) as caught:
        parse_config(data)
    assert words in str(caught.value)


def test_under_adafactor_the_learning_rate_is_inert():
    config = TrainConfig(optimizer="adafactor", learning_rate=0.5, warmup_updates=9, lr_scheduler="cosine")
    settings = effective(config, {"no"})
    assert settings["learning_rate"] is settings["text_encoder_lr"] is settings["warmup_updates"] is None
    assert settings["lr_scheduler"] == "adafactor"
    assert set(inert(config).values()) == {"adafactor_relative_step"}
    assert differing(settings, effective(TrainConfig(optimizer="adafactor"), {"no"})) == []


def test_the_text_encoders_rate_is_the_learning_rate_unless_it_is_set_or_not_trained():
    assert effective(TrainConfig(learning_rate=3e-4), {"no"})["text_encoder_lr"] == 3e-4
    assert effective(TrainConfig(text_encoder_lr=5e-5), {"no"})["text_encoder_lr"] == 5e-5
    frozen = TrainConfig(train_text_encoder=False, text_encoder_lr=5e-5)
    assert effective(frozen, {"no"})["text_encoder_lr"] is None
    assert inert(frozen) == {"text_encoder_lr": "text_encoder_not_trained"}


def test_a_precision_that_the_device_lacks_falls_back_to_fp32():
    config = TrainConfig(mixed_precision="fp16")
    assert effective(config, {"no"})["mixed_precision"] == "no"
    assert effective(config, {"no", "fp16"})["mixed_precision"] == "fp16"


def test_a_contrast_lists_what_differs_and_no_save_rule():
    a = effective(TrainConfig(dim=8, save_every=2, save_unit="updates"), {"no"})
    b = effective(TrainConfig(dim=16, flip=True, learning_rate=2e-4), {"no"})
    assert differing(a, b) == ["dim", "learning_rate", "flip"]
    assert differing(a, a) == []


@pytest.mark.parametrize(
    ("a", "b", "names"),
    [
        ({"learning_rate": 1e-4}, {"learning_rate": 2e-4}, ["learning_rate"]),
        ({"text_encoder_lr": 5e-5}, {}, ["text_encoder_lr"]),
        (
            {"learning_rate": 1e-4, "text_encoder_lr": 5e-5},
            {"learning_rate": 2e-4},
            ["text_encoder_lr", "learning_rate"],
        ),
        ({"train_text_encoder": False}, {}, ["train_text_encoder"]),
        ({"optimizer": "adafactor"}, {"lr_scheduler": "cosine", "warmup_updates": 5}, ["optimizer"]),
        (
            {"optimizer": "lion", "lr_scheduler": "cosine"},
            {},
            ["optimizer", "lr_scheduler"],
        ),
    ],
)
def test_what_only_follows_from_another_difference_is_not_a_second_one(a, b, names):
    assert differing(effective(TrainConfig(**a), {"no"}), effective(TrainConfig(**b), {"no"})) == names
    assert sorted(differing(effective(TrainConfig(**b), {"no"}), effective(TrainConfig(**a), {"no"}))) == sorted(names)


def test_patterns_and_events_are_read_without_torch():
    code = "import sys, trainer.config, trainer.events; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
