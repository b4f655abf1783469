"""Targets and weights of the denoising loss against numbers worked out by hand."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import DDPMScheduler

from trainer.adapter import attach
from trainer.base import encode
from trainer.loss import denoising_loss, fixed_noise_loss, min_snr_weights, target_of

# alphas_cumprod 0.9 and 0.2: SNR 9 and 0.25
SNR_9_AND_QUARTER = {"num_train_timesteps": 2, "trained_betas": [0.1, 1 - 0.2 / 0.9]}


def schedule(prediction: str) -> DDPMScheduler:
    return DDPMScheduler(**SNR_9_AND_QUARTER, prediction_type=prediction)


def test_min_snr_weights_by_hand():
    both = torch.tensor([0, 1])
    assert min_snr_weights(schedule("epsilon"), both, 5.0).tolist() == pytest.approx([5 / 9, 1.0], rel=1e-5)
    assert min_snr_weights(schedule("v_prediction"), both, 5.0).tolist() == pytest.approx(
        [5 / 10, 0.25 / 1.25], rel=1e-5
    )


def test_the_target_is_the_noise_or_the_velocity():
    x, noise, late = torch.tensor([[[[2.0]]]]), torch.tensor([[[[3.0]]]]), torch.tensor([1])
    assert target_of(schedule("epsilon"), x, noise, late).item() == 3.0
    # v = sqrt(a) noise - sqrt(1 - a) x
    assert target_of(schedule("v_prediction"), x, noise, late).item() == pytest.approx(
        0.2**0.5 * 3 - 0.8**0.5 * 2, rel=1e-5
    )


def test_the_loss_is_the_weighted_mean_over_photos():
    """A U-Net that says 0 is off by the noise: squares 4 and 9."""
    silent = SimpleNamespace(
        train_schedule=schedule("epsilon"), unet=lambda x, t, e, return_dict: (torch.zeros_like(x),)
    )
    latents, noise = torch.zeros(2, 1, 2, 2), torch.tensor([2.0, 3.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    both, words = torch.tensor([0, 1]), torch.zeros(2, 1, 1)
    assert denoising_loss(silent, latents, noise, both, words, None).item() == pytest.approx((4 + 9) / 2)
    assert denoising_loss(silent, latents, noise, both, words, 5.0).item() == pytest.approx(
        (4 * 5 / 9 + 9) / 2, rel=1e-5
    )


def test_the_fixed_noise_loss_repeats_and_knows_its_seed_and_adapter(base):
    latents = torch.randn(3, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    words = encode(base, ["photo of a woman"] * 3, 1)
    adapter = attach(base, "loss", dim=2, alpha=2, text_encoder=False, generator=torch.Generator().manual_seed(2))
    try:
        torch.manual_seed(5)
        first = fixed_noise_loss(base, None, latents, words, seed=1, draws=2)
        torch.manual_seed(6)
        assert fixed_noise_loss(base, None, latents, words, seed=1, draws=2) == first
        assert fixed_noise_loss(base, None, latents, words, seed=2, draws=2) != first
        assert fixed_noise_loss(base, adapter, latents, words, seed=1, draws=2) == pytest.approx(first)
        with torch.no_grad():
            adapter.parameters()[1].add_(0.5)
        assert fixed_noise_loss(base, adapter, latents, words, seed=1, draws=2) != pytest.approx(first, rel=1e-6)
    finally:
        adapter.detach()


def test_how_many_photos_go_through_at_once_does_not_change_the_loss(base, monkeypatch):
    latents = torch.randn(5, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    words = encode(base, ["photo of a woman"] * 5, 1)
    found = []
    for size in (1, 4, 5):
        monkeypatch.setattr("trainer.loss.BATCH", size)
        found.append(fixed_noise_loss(base, None, latents, words, seed=1, draws=2))
    assert found == pytest.approx([found[0]] * 3, rel=1e-5)
