"""How far a LoRA moved the weights: against the same figure from the whole matrices."""

import math

import pytest
import torch

from trainer.adapter import attach, targets
from trainer.change import weight_change


def moved(base, name="moved", filled=True, **kind):
    """An adapter of dim 4, alpha 1 that has moved."""
    generator = torch.Generator().manual_seed(0)
    adapter = attach(base, name, dim=4, alpha=1.0, generator=generator, **({"text_encoder": True} | kind))
    with torch.no_grad():
        for module in adapter.modules.values() if filled else ():
            module.up.normal_(std=0.05, generator=generator)
            if module.dora_scale is not None:
                module.dora_scale.mul_(1.1)
    return adapter


def by_matrices(base, adapter, start):
    """sqrt(sum |W' - W|^2 / sum |W|^2) over the modules whose name starts so."""
    found = targets(base, convolutions=True)
    change = whole = 0.0
    for name, module in adapter.modules.items():
        if name.startswith(start):
            weight = found[name].layer.weight.detach()
            change += (module.weight(weight) - weight).square().sum().item()
            whole += weight.square().sum().item()
    return math.sqrt(change / whole)


@pytest.mark.parametrize(
    "kind", [{}, {"conv_dim": 2, "conv_alpha": 3.0}, {"rslora": True}, {"dora": True, "conv_dim": 2}]
)
def test_each_block_is_the_norm_of_its_change_over_the_norm_of_its_weights(base, kind):
    adapter = moved(base, **kind)
    try:
        found = weight_change(base, adapter)
        starts = {"text encoder": "lora_te_", "mid": "lora_unet_mid", "all": "lora_"}
        starts |= {f"{side} {n}": f"lora_unet_{side}_blocks_{n}_" for side in ("down", "up") for n in range(4)}
        for block, value in found.items():
            assert value == pytest.approx(by_matrices(base, adapter, starts[block]), rel=1e-4), block
        order = ["text encoder", "down 0", "down 1", "down 2", "mid", "up 1", "up 2", "up 3", "all"]
        if kind.get("conv_dim"):  # blocks with nothing but convolutions
            order[4:5] = ["down 3", "mid", "up 0"]
        assert list(found) == order
    finally:
        adapter.detach()


def test_a_fresh_lora_has_changed_nothing(base):
    adapter = moved(base, filled=False)
    assert set(weight_change(base, adapter).values()) == {0.0}
    adapter.detach()


def test_twice_the_alpha_is_twice_the_change_and_no_text_encoder_no_figure_for_it(base):
    once, twice = moved(base, "once", text_encoder=False), moved(base, "twice", text_encoder=False)
    for name, module in twice.modules.items():
        with torch.no_grad():
            module.up.copy_(2 * once.modules[name].up)
    one, two = weight_change(base, once), weight_change(base, twice)
    assert "text encoder" not in one
    assert two == pytest.approx({block: 2 * value for block, value in one.items()}, rel=1e-5)
    twice.detach()
    once.detach()
