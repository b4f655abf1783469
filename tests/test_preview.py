"""Previews: the right picture from the right weights, and nothing else changed."""

import dataclasses
from itertools import pairwise

import diffusers
import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from trainer import EMBEDDED
from trainer.adapter import attach, attach_file, use
from trainer.base import encode, load_base
from trainer.device import probe
from trainer.kohya import KohyaError, write
from trainer.preview import SAMPLERS, Cell, PreviewError, Sampling, render

PROMPTS = ["photo of a woman, smiling", "photo of a man, blue shirt, at the beach"]
CELLS = [Cell(f"{p}-{seed}", prompt, seed) for p, prompt in enumerate(PROMPTS) for seed in (1, 2)]
QUICK = Sampling(steps=6, cfg=2.0)


def save_lora(base, path, size=0.2, **kind):
    """A LoRA file of dim 4, alpha 1 (scale 1/4), text encoder included, that visibly changes pictures."""
    generator = torch.Generator().manual_seed(3)
    adapter = attach(base, "saved", dim=4, alpha=1.0, text_encoder=True, generator=generator, **kind)
    with torch.no_grad():
        for module in adapter.modules.values():
            module.up.normal_(std=size, generator=generator)
            if module.dora_scale is not None:
                module.dora_scale.mul_(1 + size * torch.randn(module.dora_scale.shape, generator=generator))
    write(adapter, path, {}, "fp32")
    adapter.detach()
    return path


@pytest.fixture(scope="module")
def lora(base, tmp_path_factory):
    return save_lora(base, tmp_path_factory.mktemp("lora") / "lora.safetensors")


@pytest.fixture(scope="module")
def pipeline():
    pipe = StableDiffusionPipeline.from_pretrained(EMBEDDED / "base", safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def pixels(base, lora, cells=CELLS, sampling=QUICK, **kw):
    pictures = {p.cell.key: p.pixels for p in render(base, lora, cells, sampling, **kw)}
    return np.stack([pictures[cell.key] for cell in cells]).astype(int)


def by_diffusers(pipe, sampling=QUICK, **kw):
    images = pipe(
        [cell.prompt for cell in CELLS],
        num_inference_steps=sampling.steps,
        guidance_scale=sampling.cfg,
        generator=[torch.Generator().manual_seed(cell.seed) for cell in CELLS],
        output_type="np",
        **kw,
    ).images
    return (images * 255).round().astype(int)


def test_every_cell_comes_once_as_a_picture_of_the_bases_size(base):
    pictures = list(render(base, None, CELLS, QUICK, batch_size=3))
    assert sorted(p.cell.key for p in pictures) == sorted(cell.key for cell in CELLS)
    for picture in pictures:
        assert picture.pixels.shape == (64, 64, 3) and picture.pixels.dtype == np.uint8
        assert picture.finite and picture.seconds > 0 and not picture.half
        assert picture.pixels.std() > 20


@pytest.mark.parametrize("sampler", ["base", *SAMPLERS])
def test_pictures_are_those_of_diffusers_pipeline(base, pipeline, sampler):
    own = pipeline.scheduler
    if sampler != "base":
        name, settings = SAMPLERS[sampler]
        pipeline.scheduler = getattr(diffusers, name).from_config(own.config, **settings)
    theirs = by_diffusers(pipeline)
    pipeline.scheduler = own
    ours = pixels(base, None, sampling=dataclasses.replace(QUICK, sampler=sampler))
    assert np.abs(ours - theirs).max() <= 1


def test_samplers_differ(base):
    made = [pixels(base, None, sampling=dataclasses.replace(QUICK, sampler=s)) for s in ("base", "euler", "ddim")]
    assert all(np.abs(one - two).max() > 1 for one, two in pairwise(made))


@pytest.mark.parametrize("sampling", [Sampling(steps=4, cfg=1.0), Sampling(steps=4, cfg=5.0, negative="glasses")])
def test_guidance_and_negative_prompt_are_diffusers(base, pipeline, sampling):
    negative = [sampling.negative] * len(CELLS)
    theirs = by_diffusers(pipeline, sampling, negative_prompt=negative)
    assert np.abs(pixels(base, None, sampling=sampling) - theirs).max() <= 1


def test_a_lora_file_gives_the_picture_that_diffusers_gives(base, pipeline, lora):
    pipeline.load_lora_weights(str(lora))
    theirs = by_diffusers(pipeline)
    pipeline.unload_lora_weights()
    ours, plain = pixels(base, lora), pixels(base, None)
    assert np.abs(ours - plain).mean() > 5
    assert np.abs(ours - theirs).max() <= 1


def test_a_locon_file_gives_the_picture_that_diffusers_gives(base, pipeline, tmp_path):
    locon = save_lora(base, tmp_path / "locon.safetensors", conv_dim=2, conv_alpha=1.0)
    pipeline.load_lora_weights(str(locon))
    theirs = by_diffusers(pipeline)
    pipeline.unload_lora_weights()
    ours = pixels(base, locon)
    assert np.abs(ours - pixels(base, None)).mean() > 5
    assert np.abs(ours - theirs).max() <= 1


KINDS = [
    {},
    {"conv_dim": 2, "conv_alpha": 1.0, "rslora": True},
    {"dora": True, "conv_dim": 2, "conv_alpha": 1.0},
]


@pytest.mark.parametrize("kind", KINDS)
def test_strength_scales_unet_and_text_encoder_as_use_does(base, tmp_path, kind):
    """Swapped-in weights against the way through up and down in memory, at another strength than 1."""
    lora = save_lora(base, tmp_path / "lora.safetensors", size=0.1, **kind)
    cells = [dataclasses.replace(cell, strength=0.6) for cell in CELLS[:1]]
    adapter = attach_file(base, "file", lora)
    with use(base, adapter, 0.6), torch.no_grad():
        text = encode(base, ["", CELLS[0].prompt], 1)
        noise = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(CELLS[0].seed))
        scheduler = diffusers.DPMSolverMultistepScheduler.from_config(base.sampler_config)
        scheduler.set_timesteps(6)
        for t in scheduler.timesteps:
            without, wanted = base.unet(noise.repeat(2, 1, 1, 1), t, text).sample.chunk(2)
            noise = scheduler.step(without + 2.0 * (wanted - without), t, noise).prev_sample
        by_hand = base.vae.decode(noise).sample[0]
    adapter.detach()
    by_hand = ((by_hand / 2 + 0.5).clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
    ours = pixels(base, lora, cells)
    assert np.abs(ours[0] - by_hand).max() <= 1
    assert np.abs(ours - pixels(base, lora, CELLS[:1])).mean() > 1


def test_strength_0_is_the_base_row(base, lora):
    zero = [dataclasses.replace(cell, strength=0.0) for cell in CELLS]
    assert np.array_equal(pixels(base, lora, zero), pixels(base, None))


def test_the_base_row_has_no_strength(base):
    mixed = [dataclasses.replace(cell, strength=n / 2) for n, cell in enumerate(CELLS)]
    assert np.array_equal(pixels(base, None, mixed), pixels(base, None))


def test_a_cells_noise_depends_on_its_seed_alone(base, lora):
    """Alone, in another order, in another batch: the same picture (but for rounding by batch size)."""
    together = pixels(base, lora)
    reverse = pixels(base, lora, CELLS[::-1], batch_size=3)[::-1]
    alone = np.concatenate([pixels(base, lora, [cell]) for cell in CELLS])
    assert np.abs(together - reverse).max() <= 1 and np.abs(together - alone).max() <= 1
    assert np.abs(together[0] - together[1]).mean() > 5  # another seed


def test_clip_skip_is_encodes(base, pipeline):
    embeddings = encode(base, [cell.prompt for cell in CELLS], 2)
    negative = encode(base, [""] * len(CELLS), 2)
    theirs = pipeline(
        prompt_embeds=embeddings,
        negative_prompt_embeds=negative,
        num_inference_steps=6,
        guidance_scale=2.0,
        generator=[torch.Generator().manual_seed(cell.seed) for cell in CELLS],
        output_type="np",
    ).images
    ours = pixels(base, None, sampling=dataclasses.replace(QUICK, clip_skip=2))
    assert np.abs(ours - (theirs * 255).round()).max() <= 1
    assert np.abs(ours - pixels(base, None)).max() > 1


def test_another_size_than_the_bases_is_drawn(base):
    assert pixels(base, None, CELLS[:1], Sampling(steps=2, size=96)).shape == (1, 96, 96, 3)


def test_a_base_with_other_sizes_renders_too(small_sd):
    small = load_base(small_sd, probe("cpu"))
    assert pixels(small, None, CELLS, Sampling(steps=2)).shape == (4, 64, 64, 3)


def test_large_pictures_are_decoded_in_several_goes(base, monkeypatch):
    whole = pixels(base, None)
    monkeypatch.setattr("trainer.preview.DECODE_PX", 64 * 64)
    assert np.abs(pixels(base, None) - whole).max() <= 1


def test_rendering_leaves_base_training_and_chance_as_they_were(base, lora):
    training = attach(base, "training", dim=4, alpha=4, text_encoder=True, generator=torch.Generator().manual_seed(0))
    try:
        modules = [m for model in (base.unet, base.text_encoder, base.vae) for m in model.modules()]
        objects = [(p, p.detach().clone(), p.requires_grad) for m in modules for p in m.parameters(recurse=False)]
        own = [set(vars(m)) for m in modules]
        chance = torch.random.get_rng_state()
        generator = render(base, lora, CELLS, QUICK, batch_size=2)
        with use(base, training):
            assert next(generator).finite  # left in the middle, as by a caller that trains in between
            generator.close()
            list(render(base, lora, CELLS[:1], QUICK))
            assert all(training.name in str(layer.active_adapters) for layer in base.wrapped.values())
        after = [m for model in (base.unet, base.text_encoder, base.vae) for m in model.modules()]
        assert all(one is two for one, two in zip(modules, after, strict=True))
        parameters = [p for m in after for p in m.parameters(recurse=False)]
        for (same, copy, grad), parameter in zip(objects, parameters, strict=True):
            assert parameter is same and torch.equal(parameter, copy) and parameter.requires_grad == grad
        assert [set(vars(m)) for m in modules] == own
        assert torch.equal(torch.random.get_rng_state(), chance)
        with use(base, training):
            loss = base.unet(torch.ones(1, 16, 8, 8), 5, encode(base, ["photo"], 1, grad=True)).sample.sum()
        loss.backward()
        assert all(p.grad is not None for p in training.parameters())
    finally:
        training.detach()


def test_weights_that_explode_give_a_black_picture_that_says_so(base, tmp_path):
    broken = save_lora(base, tmp_path / "broken.safetensors", size=1e30)
    for picture in render(base, broken, CELLS[:2], QUICK):
        assert not picture.finite and not picture.pixels.any()


def in_half(base, precision):
    """The base on a device that draws previews in a half precision, as a GPU does."""
    return dataclasses.replace(base, device=dataclasses.replace(base.device, precisions=frozenset({"no", precision})))


@pytest.mark.parametrize(("precision", "furthest"), [("bf16", 8), ("fp16", 1)])
def test_half_precision_draws_nearly_the_same_and_says_so(base, lora, precision, furthest):
    made = list(render(in_half(base, precision), lora, CELLS[:2], QUICK))
    assert all(p.half and p.finite for p in made)
    off = np.abs(np.stack([p.pixels for p in made]).astype(int) - pixels(base, lora, CELLS[:2]))
    assert 0 < off.mean() < furthest


@pytest.mark.parametrize("weights", [torch.float32, torch.float16])
def test_what_overflows_in_fp16_can_be_drawn_in_fp32_on_the_same_base(base, tmp_path, weights):
    strong = save_lora(base, tmp_path / "strong.safetensors", size=300)  # activations beyond 65,504
    wanted = pixels(base, strong, CELLS[:2])
    kept = [(p, p.data) for p in (*base.unet.parameters(), *base.text_encoder.parameters())]
    try:
        base.unet.to(weights)
        half = in_half(base, "fp16")
        assert not any(p.finite for p in render(half, strong, CELLS[:2], QUICK))
        before = [(p.data_ptr(), p.dtype, p.detach().clone()) for p in base.unet.parameters()]
        again = list(render(half, strong, CELLS[:2], QUICK, full=True))
        assert all(p.finite and not p.half for p in again)
        for parameter, (place, dtype, copy) in zip(base.unet.parameters(), before, strict=True):
            assert (parameter.data_ptr(), parameter.dtype) == (place, dtype) and torch.equal(parameter, copy)
    finally:
        for parameter, data in kept:
            parameter.data = data
    if weights == torch.float32:  # else the base itself was rounded
        assert np.abs(np.stack([p.pixels for p in again]).astype(int) - wanted).max() <= 1


def test_truly_broken_weights_are_broken_in_fp32_too(base, tmp_path):
    broken = save_lora(base, tmp_path / "broken.safetensors", size=1e30)
    half = in_half(base, "fp16")
    assert not any(p.finite for full in (False, True) for p in render(half, broken, CELLS[:1], QUICK, full=full))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": 60}, "60 px is no multiple of 8"),
        ({"sampler": "magic"}, "magic.*dpm"),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_impossible_wishes_are_refused_before_anything_is_drawn(base, change, words):
    with pytest.raises(PreviewError, match=words):
        render(base, None, CELLS, dataclasses.replace(QUICK, **change))


def test_a_broken_lora_is_refused_before_anything_is_drawn(base, tmp_path):
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(KohyaError, match="torn"):
        render(base, tmp_path / "torn.safetensors", CELLS, QUICK)
