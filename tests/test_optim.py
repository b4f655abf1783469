"""Optimisers and schedules against numbers worked out by hand."""

import math

import pytest
import torch

from trainer.config import TrainConfig
from trainer.optim import Lion, build_optimizer, fused_adamw_works, rate_factor, set_rates


def parameter(*values: float) -> torch.Tensor:
    return torch.nn.Parameter(torch.tensor(values))


def test_lion_by_hand():
    weight = parameter(1.0, -2.0)
    optimizer = Lion([weight], lr=0.1, betas=(0.9, 0.99), weight_decay=0.5)

    # c = 0.1 g, so its sign is g's; w (1 - 0.1 x 0.5) - 0.1 sign; m = 0.01 g
    weight.grad = torch.tensor([4.0, -8.0])
    optimizer.step()
    assert weight.tolist() == pytest.approx([0.95 - 0.1, -1.9 + 0.1])
    assert optimizer.state[weight]["momentum"].tolist() == pytest.approx([0.04, -0.08])

    # c = 0.9 m + 0.1 g = (0.036 - 0.03, -0.072 + 0.1): the first keeps its sign against g, the second turns
    weight.grad = torch.tensor([-0.3, 1.0])
    optimizer.step()
    assert weight.tolist() == pytest.approx([0.85 * 0.95 - 0.1, -1.8 * 0.95 - 0.1])
    assert optimizer.state[weight]["momentum"].tolist() == pytest.approx([0.99 * 0.04 - 0.003, -0.99 * 0.08 + 0.01])


@pytest.mark.parametrize("fused", [False, True])
def test_the_first_step_of_adamw_by_hand(fused):
    weight = parameter(2.0)
    config = TrainConfig(learning_rate=0.1, weight_decay=0.5)
    optimizer = build_optimizer(config, [weight], [])
    optimizer.param_groups[0]["fused"] = fused
    weight.grad = torch.tensor([3.0])
    optimizer.step()
    assert weight.item() == pytest.approx(2.0 * (1 - 0.1 * 0.5) - 0.1)  # g / sqrt(g^2) = 1 at the first step


def test_the_first_step_of_adafactor_by_hand():
    weight = torch.nn.Parameter(torch.full((2, 2), 0.5))
    optimizer = build_optimizer(TrainConfig(optimizer="adafactor", weight_decay=0.0), [weight], [])
    weight.grad = torch.full((2, 2), 7.0)
    optimizer.step()
    # step = min(1e-2, 1 / sqrt 1) x max(1e-3, RMS = 0.5) = 5e-3, and the gradient is scaled to RMS 1
    assert weight.flatten().tolist() == pytest.approx([0.5 - 5e-3] * 4)


def test_the_text_encoder_has_a_rate_of_its_own():
    config = TrainConfig(learning_rate=1e-3, text_encoder_lr=1e-4, lr_scheduler="linear")
    optimizer = build_optimizer(config, [parameter(1.0)], [parameter(1.0)])
    assert set_rates(optimizer, config, update=3, total=4) == pytest.approx(5e-4)
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([5e-4, 5e-5])
    assert set_rates(optimizer, config, update=1, total=4) == pytest.approx(1e-3)  # from the full rate each time


def test_under_adafactor_there_is_no_rate_to_set():
    config = TrainConfig(optimizer="adafactor")
    optimizer = build_optimizer(config, [parameter(1.0)], [])
    assert set_rates(optimizer, config, 1, 4) is None
    assert optimizer.param_groups[0]["lr"] is None


@pytest.mark.parametrize(
    ("settings", "factors"),
    [
        ({}, [1, 1, 1, 1]),
        ({"lr_scheduler": "linear"}, [1, 0.75, 0.5, 0.25]),
        ({"lr_scheduler": "cosine"}, [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]),
        ({"warmup_updates": 2}, [0, 0.5, 1, 1]),
        ({"warmup_updates": 2, "lr_scheduler": "linear"}, [0, 0.5, 1, 0.5]),
        ({"warmup_updates": 8}, [0, 0.125, 0.25, 0.375]),
    ],
)
def test_schedules_by_hand(settings, factors):
    config = TrainConfig(**settings)
    assert [rate_factor(config, update, total=4) for update in (1, 2, 3, 4)] == pytest.approx(factors)


@pytest.mark.parametrize("name", ["constant_with_warmup", "linear", "cosine"])
def test_schedules_are_those_of_diffusers(name):
    from diffusers.optimization import get_scheduler

    config = TrainConfig(lr_scheduler=name.removesuffix("_with_warmup"), warmup_updates=3, learning_rate=1.0)
    theirs = torch.optim.SGD([parameter(1.0)], lr=1.0)
    schedule = get_scheduler(name, theirs, num_warmup_steps=3, num_training_steps=11)
    for update in range(1, 12):
        assert rate_factor(config, update, total=11) == pytest.approx(theirs.param_groups[0]["lr"], abs=1e-12)
        theirs.step()
        schedule.step()


def test_fused_adamw_is_probed_by_a_real_step():
    assert isinstance(fused_adamw_works(torch.device("cpu")), bool)
    assert not fused_adamw_works(torch.device("meta"))
