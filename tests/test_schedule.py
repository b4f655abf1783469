"""Schedules against numbers worked out by hand, and against the packages that sd-scripts uses."""

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from trainer.config import TrainConfig
from trainer.optim import build_optimizer, set_rates
from trainer.schedule import rate_factor

REFERENCE = Path(__file__).parent / "data" / "optimizers" / "reference.safetensors"  # made by make.py beside it
# label in the reference file -> the settings that ask for it
SETTINGS = {
    "constant": {},
    "constant, warm-up": {"warmup_updates": 4},
    "linear": {"lr_scheduler": "linear"},
    "linear, warm-up": {"lr_scheduler": "linear", "warmup_updates": 4},
    "cosine": {"lr_scheduler": "cosine"},
    "cosine, warm-up": {"lr_scheduler": "cosine", "warmup_updates": 4},
    "cosine, 1 restart": {"lr_scheduler": "cosine_with_restarts"},
    "cosine, 3 restarts, warm-up": {"lr_scheduler": "cosine_with_restarts", "warmup_updates": 4, "lr_cycles": 3},
    "polynomial 1": {"lr_scheduler": "polynomial"},
    "polynomial 2, warm-up": {"lr_scheduler": "polynomial", "warmup_updates": 4, "lr_power": 2},
    "polynomial 0.5": {"lr_scheduler": "polynomial", "lr_power": 0.5},
}


@pytest.mark.parametrize(
    ("settings", "factors"),
    [
        ({}, [1, 1, 1, 1]),
        ({"lr_scheduler": "linear"}, [1, 0.75, 0.5, 0.25]),
        ({"lr_scheduler": "cosine"}, [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]),
        ({"warmup_updates": 2}, [0, 0.5, 1, 1]),
        ({"warmup_updates": 2, "lr_scheduler": "linear"}, [0, 0.5, 1, 0.5]),
        ({"warmup_updates": 8}, [0, 0.125, 0.25, 0.375]),
        ({"lr_scheduler": "cosine_with_restarts", "lr_cycles": 2}, [1, 0.5, 1, 0.5]),
        ({"lr_scheduler": "polynomial", "lr_power": 2, "learning_rate": 1e-6}, [1, 0.60625, 0.325, 0.15625]),
        ({"lr_scheduler": "polynomial", "learning_rate": 1e-8}, [1, 1, 1, 1]),
    ],
)
def test_schedules_by_hand(settings, factors):
    config = TrainConfig(**settings)
    assert [rate_factor(config, update, total=4) for update in (1, 2, 3, 4)] == pytest.approx(factors)


@pytest.mark.parametrize("label", SETTINGS)
def test_the_first_twenty_rates_are_those_of_diffusers(label):
    with safe_open(REFERENCE, "pt") as file:
        theirs = json.loads(file.metadata()["schedules"])[label]
    config = TrainConfig(learning_rate=2e-4, text_encoder_lr=5e-5, **SETTINGS[label])
    optimizer = build_optimizer(config, *([torch.nn.Parameter(torch.ones(1))] for _ in range(2)))
    for update, rates in enumerate(theirs, 1):
        set_rates(optimizer, config, update, total=24)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(rates, rel=1e-12, abs=1e-18)
    assert update == 20


def test_the_reference_has_every_schedule():
    with safe_open(REFERENCE, "pt") as file:
        assert set(json.loads(file.metadata()["schedules"])) == set(SETTINGS)
