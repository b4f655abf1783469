"""Optimisers against numbers worked out by hand, and against the packages that sd-scripts uses."""

import json
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors import safe_open

from trainer.config import EIGHT_BIT, OWN_STEP, ConfigError, Optimizer, TrainConfig
from trainer.optim import Lion, build_optimizer, fused_adamw_works, set_rates

REFERENCE = Path(__file__).parent / "data" / "optimizers" / "reference.safetensors"  # made by make.py beside it
TENSORS = {"down": 0, "up": 0, "row": 0, "text": 1}  # tensor -> its group
RATES = {
    "lion": 1e-3,
    "sgd_nesterov": 0.1,
    "dadaptation": 1.0,
    "prodigy": 1.0,
    "lion8bit": 1e-3,
    "sgd_nesterov8bit": 0.1,
}
# sd-scripts' own defaults are the packages': decay 0, AdamW 0.01
DECAY = {"adamw": 0.01, "adamw8bit": 0.01}
NO_BETAS = ("adafactor", "adafactor-fixed", "sgd_nesterov", "sgd_nesterov8bit")


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


def test_fused_adamw_is_probed_by_a_real_step():
    assert isinstance(fused_adamw_works(torch.device("cpu")), bool)
    assert not fused_adamw_works(torch.device("meta"))


@pytest.fixture(scope="module")
def reference() -> dict[str, torch.Tensor]:
    with safe_open(REFERENCE, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def as_sd_scripts(name: str, case: str) -> TrainConfig:
    """The pattern that asks for what make.py asked the package for."""
    rate = RATES.get(name, 1e-2)
    settings = {"optimizer": name, "learning_rate": rate, "weight_decay": DECAY.get(name, 0.0)}
    if case == "article":
        settings |= {"weight_decay": 0.1, "text_encoder_lr": rate / 2, "lr_scheduler": "cosine", "warmup_updates": 3}
        settings |= {} if name in NO_BETAS else {"beta1": 0.9, "beta2": 0.99}
    return TrainConfig(**settings)


def twenty_updates(config: TrainConfig, reference: dict[str, torch.Tensor]) -> list[dict[str, torch.Tensor]]:
    """The weights after each update, through build_optimizer and set_rates."""
    with safe_open(REFERENCE, "pt") as file:
        factors = json.loads(file.metadata()["factors"])
    weights = {name: torch.nn.Parameter(reference[f"weight/{name}"].clone()) for name in TENSORS}
    unet, text = ([weights[name] for name, group in TENSORS.items() if group == number] for number in (0, 1))
    optimizer = build_optimizer(config, unet, text)
    after = []
    for update, factor in enumerate(factors, 1):
        for name, weight in weights.items():
            weight.grad = weight.detach() - reference[f"a/{name}"] + reference[f"b/{name}"] * factor
        set_rates(optimizer, config, update, total=30)
        optimizer.step()
        after.append({name: weight.detach().clone() for name, weight in weights.items()})
    return after


def kept(weight: torch.Tensor, count: int = 12) -> torch.Tensor:
    """The values that make.py keeps of a tensor."""
    return weight.flatten()[torch.linspace(0, weight.numel() - 1, count).long()]


def tolerance(name: str) -> float:
    """Share of the way moved; in 8 bits a value between two codes may become the other one on another processor."""
    return 5e-3 if name in EIGHT_BIT else 1e-5


def sum_tolerance(name: str) -> float:
    return 2e-5 if name in EIGHT_BIT else 1e-6


@pytest.mark.parametrize("case", ["plain", "article"])
@pytest.mark.parametrize("name", get_args(Optimizer))
def test_twenty_updates_are_those_of_the_packages_that_sd_scripts_uses(name, case, reference):
    after = twenty_updates(as_sd_scripts(name, case), reference)
    for tensor in TENSORS:
        theirs, start = reference[f"{name}/{case}/{tensor}"], kept(reference[f"weight/{tensor}"])
        moved = (theirs - start).abs().max()
        assert moved > 5e-5
        for ours, row in zip(after, theirs, strict=True):
            assert (kept(ours[tensor]) - row).abs().max() <= tolerance(name) * moved
    sums = torch.stack([torch.stack([w.double().abs().sum() for w in weights.values()]) for weights in after])
    assert torch.allclose(sums, reference[f"{name}/{case}/sums"], rtol=sum_tolerance(name), atol=0)


def test_eight_bit_means_tensors_of_4096_values_and_more(reference):
    big, small = (torch.nn.Parameter(reference[f"weight/{name}"].clone()) for name in ("down", "up"))
    for name in EIGHT_BIT:
        optimizer = build_optimizer(TrainConfig(optimizer=name), [big, small], [])
        big.grad, small.grad = reference["a/down"], reference["a/up"]
        optimizer.step()
        assert optimizer.state[big]["state1"].dtype == torch.uint8
        assert optimizer.state[small]["state1"].dtype == torch.float32


def test_8_and_32_bits_differ_by_more_than_the_comparison_allows(reference):
    for name in EIGHT_BIT:
        full, eight = (f"{n}/plain" for n in (name.removesuffix("8bit"), name))
        values = (reference[f"{full}/down"] - reference[f"{eight}/down"]).abs().max()
        moved = (reference[f"{eight}/down"] - kept(reference["weight/down"])).abs().max()
        sums = (reference[f"{full}/sums"] / reference[f"{eight}/sums"] - 1).abs().max()
        assert values > tolerance(name) * moved or sums > sum_tolerance(name)  # Lion's signs seldom differ


@pytest.mark.parametrize("name", OWN_STEP)
def test_an_optimiser_with_its_own_step_has_one_rate_that_the_schedule_multiplies(name, capsys):
    config = TrainConfig(optimizer=name, learning_rate=0.5, text_encoder_lr=0.1, lr_scheduler="linear")
    optimizer = build_optimizer(config, [parameter(1.0)], [parameter(1.0)])
    assert set_rates(optimizer, config, update=3, total=4) == pytest.approx(0.25)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.25, 0.25])
    assert capsys.readouterr().out == ""  # both packages like to print


def test_betas_and_decay_of_the_pattern_reach_the_optimiser():
    given = {"beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1}
    for name in get_args(Optimizer):
        group = build_optimizer(TrainConfig(optimizer=name, **given), [parameter(1.0)], []).param_groups[0]
        assert group["weight_decay"] == 0.1
        if "sgd" in name:
            assert group.get("momentum", group.get("betas", [0])[0]) == 0.8
        elif "adafactor" not in name:
            assert tuple(group["betas"]) == (0.8, 0.95)


def test_sgd_without_momentum_is_plain_or_refused():
    weight = parameter(1.0)
    weight.grad = torch.tensor([2.0])
    config = TrainConfig(optimizer="sgd_nesterov", learning_rate=0.1, beta1=0, weight_decay=0)
    build_optimizer(config, [weight], []).step()
    assert weight.item() == pytest.approx(0.8)
    with pytest.raises(ConfigError, match="Set beta1 above 0"):
        build_optimizer(TrainConfig(optimizer="sgd_nesterov8bit", beta1=0), [parameter(1.0)], [])


def test_a_package_that_cannot_be_loaded_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "prodigyopt", None)
    with pytest.raises(ConfigError, match=r"prodigy cannot be loaded here.*Choose another"):
        build_optimizer(TrainConfig(optimizer="prodigy"), [parameter(1.0)], [])
