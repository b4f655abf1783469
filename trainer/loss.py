"""What training minimises: the denoising error, per photo and timestep."""

from typing import Any

import torch
from torch import Tensor

from trainer.adapter import Adapter, use
from trainer.base import BaseModel

PREDICTIONS = ("epsilon", "v_prediction")
BATCH = 4  # photos: without gradients these take less memory than training on one


def target_of(schedule: Any, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """What the U-Net should say, (n, c, h, w): the noise, or the velocity (Salimans & Ho 2022)."""
    if schedule.config.prediction_type == "v_prediction":
        return schedule.get_velocity(latents, noise, timesteps)
    return noise


def min_snr_weights(schedule: Any, timesteps: Tensor, gamma: float) -> Tensor:
    """min(SNR, gamma) / SNR for epsilon, / (SNR + 1) for velocity (Hang et al. 2023); SNR = a / (1 - a)."""
    a = schedule.alphas_cumprod.to(timesteps.device)[timesteps]
    snr = a / (1 - a)
    divisor = snr + 1 if schedule.config.prediction_type == "v_prediction" else snr
    return snr.clamp(max=gamma) / divisor


def denoising_loss(
    base: BaseModel,
    latents: Tensor,
    noise: Tensor,
    timesteps: Tensor,
    embeddings: Tensor,
    gamma: float | None,
) -> Tensor:
    """Mean squared error of the U-Net's prediction, weighted per photo; a scalar in fp32.

    latents and noise (n, c, h, w), timesteps (n,), embeddings (n, tokens, width).
    """
    schedule: Any = base.train_schedule
    noisy = schedule.add_noise(latents, noise, timesteps)
    said = base.unet(noisy, timesteps, embeddings, return_dict=False)[0]
    wanted = target_of(schedule, latents, noise, timesteps)
    each = torch.nn.functional.mse_loss(said.float(), wanted.float(), reduction="none").mean(dim=(1, 2, 3))
    if gamma is not None:
        each = each * min_snr_weights(schedule, timesteps, gamma)
    return each.mean()


@torch.no_grad()
def fixed_noise_loss(
    base: BaseModel, adapter: Adapter | None, latents: Tensor, embeddings: Tensor, seed: int, draws: int = 8
) -> float:
    """The unweighted loss with noise and timesteps that depend on the seed alone: comparable between LoRAs.

    latents (n, c, h, w), embeddings (n, tokens, width). Each of the `draws` rounds takes one timestep
    per photo; together they cover the schedule evenly. A forward pass has at most BATCH photos.
    """
    generator = torch.Generator().manual_seed(seed)
    schedule: Any = base.train_schedule
    count, steps = len(latents), schedule.config.num_train_timesteps
    slots = torch.randperm(count * draws, generator=generator)
    timesteps = ((slots + 0.5) * steps / (count * draws)).long().view(draws, count).to(latents.device)
    total = 0.0
    with use(base, adapter):
        for row in timesteps:
            noise = torch.randn(latents.shape, generator=generator).to(latents.device)
            for batch in torch.arange(count, device=latents.device).split(BATCH):
                parts = (latents[batch], noise[batch], row[batch], embeddings[batch])
                total += denoising_loss(base, *parts, gamma=None).item() * len(batch)
    return total / (draws * count)
