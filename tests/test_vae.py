"""Another VAE for previews: every layout is read, and only a fitting one is used."""

import re
import shutil

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from trainer import EMBEDDED
from trainer.base import load_base
from trainer.device import probe
from trainer.preview import Cell, Sampling, render
from trainer.vae import VaeError, load_vae

CPU = probe("cpu")
CELLS = [Cell("one", "photo of a woman", 1)]
QUICK = Sampling(steps=2, cfg=1.0)


def same(one, two):
    first, second = one.state_dict(), two.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())
    assert {t.dtype for t in second.values()} == {torch.float32}
    keys = ("latent_channels", "block_out_channels", "layers_per_block", "norm_num_groups", "scaling_factor")
    assert [tuple(np.atleast_1d(one.config[k])) for k in keys] == [tuple(np.atleast_1d(two.config[k])) for k in keys]


@pytest.fixture(scope="module")
def plain(small_sd):
    """The VAE of a small base with Stable Diffusion's groups of 32 and 4 latent channels."""
    return AutoencoderKL.from_pretrained(small_sd / "vae")


def original(tensors, prefix=""):
    """The same tensors in the names of the first Stable Diffusion: blocks of the decoder count from the end."""
    renamed = {}
    for key, tensor in tensors.items():
        name = re.sub(r"encoder\.down_blocks\.(\d)\.resnets\.", r"encoder.down.\1.block.", key)
        name = re.sub(r"encoder\.down_blocks\.(\d)\.downsamplers\.0", r"encoder.down.\1.downsample", name)
        name = re.sub(r"up_blocks\.(\d)\.resnets\.", lambda m: f"up.{3 - int(m[1])}.block.", name)
        name = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{3 - int(m[1])}.upsample", name)
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        name = name.replace("mid_block.attentions.0", "mid.attn_1").replace("conv_shortcut", "nin_shortcut")
        name = name.replace("conv_norm_out", "norm_out").replace("group_norm", "norm").replace("to_out.0", "proj_out")
        name = re.sub(r"to_([qkv])\.", r"\1.", name)
        conv = "attn_1" in name and tensor.dim() == 2
        renamed[prefix + name] = (tensor[:, :, None, None] if conv else tensor).contiguous()
    return renamed


def test_a_folder_of_its_own_and_one_of_a_whole_model_are_read(plain, small_sd):
    same(plain, load_vae(small_sd / "vae", CPU))
    same(plain, load_vae(small_sd, CPU))
    vae = load_vae(str(EMBEDDED / "base"), CPU)
    assert vae.config.latent_channels == 16
    assert not vae.training and not any(p.requires_grad for p in vae.parameters())


@pytest.mark.parametrize("prefix", ["", "first_stage_model."])
def test_a_single_file_in_the_original_layout_is_read_alone_and_in_a_checkpoint(plain, tmp_path, prefix):
    tensors = original(plain.state_dict(), prefix)
    assert f"{prefix}decoder.up.3.block.0.conv1.weight" in tensors
    tensors |= {"loss.logvar": torch.ones(1), "model.diffusion_model.out.2.bias": torch.ones(4)}
    save_file(tensors, tmp_path / "vae.safetensors")
    same(plain, load_vae(tmp_path / "vae.safetensors", CPU))


def test_a_single_file_in_diffusers_layout_is_read_from_half_precision_too(plain, small_sd, tmp_path):
    tensors = load_file(small_sd / "vae" / "diffusion_pytorch_model.safetensors")
    save_file(tensors, tmp_path / "vae.safetensors")
    same(plain, load_vae(tmp_path / "vae.safetensors", CPU))
    halves = {key: tensor.half() for key, tensor in tensors.items()}
    save_file(halves, tmp_path / "half.safetensors")
    half = load_vae(tmp_path / "half.safetensors", CPU)
    assert all(torch.equal(tensor, halves[key].float()) for key, tensor in half.state_dict().items())


def test_previews_are_decoded_by_the_vae_that_is_asked_for(base, tmp_path):
    own = next(render(base, None, CELLS, QUICK)).pixels
    same_again = next(render(base, None, CELLS, QUICK, vae=load_vae(EMBEDDED / "base" / "vae", CPU))).pixels
    assert np.array_equal(own, same_again)
    darker = shutil.copytree(EMBEDDED / "base" / "vae", tmp_path / "darker")
    file = darker / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors["decoder.conv_out.bias"] -= 0.5
    save_file({key: tensor.clone() for key, tensor in tensors.items()}, file)
    dark = next(render(base, None, CELLS, QUICK, vae=load_vae(darker, CPU))).pixels
    expected = np.clip(own.astype(float) - 0.25 * 255, 0, 255)
    assert np.abs(dark - expected).max() <= 1.5
    assert np.array_equal(next(render(base, None, CELLS, QUICK)).pixels, own)


def test_a_vae_for_another_kind_of_base_is_refused_before_anything_is_drawn(base, small_sd):
    with pytest.raises(VaeError, match="4 latent channels, base model embedded has 16"):
        render(base, None, CELLS, QUICK, vae=load_vae(small_sd, CPU))


def test_a_vae_with_other_cells_or_another_scale_of_latents_is_refused(small_sd):
    small = load_base(small_sd, CPU)
    with torch.device("cpu"):
        shallow = AutoencoderKL(block_out_channels=(32,), latent_channels=4)
        sdxl = AutoencoderKL.from_config({**small.vae.config, "scaling_factor": 0.13025})
    with pytest.raises(VaeError, match="1 pixels along a latent cell, base model small-sd has 8"):
        render(small, None, CELLS, QUICK, vae=shallow)
    with pytest.raises(VaeError, match=r"0\.13025 as its scale of latents"):
        render(small, None, CELLS, QUICK, vae=sdxl)


def test_what_is_no_vae_is_refused_with_its_name(small_sd, tmp_path):
    with pytest.raises(VaeError, match="no VAE at"):
        load_vae(tmp_path / "gone", CPU)
    (tmp_path / "empty").mkdir()
    with pytest.raises(VaeError, match=r"empty has no config\.json"):
        load_vae(tmp_path / "empty", CPU)
    torch.save({"a": torch.ones(1)}, tmp_path / "vae.pt")
    with pytest.raises(VaeError, match=r"vae\.pt is a pickle"):
        load_vae(tmp_path / "vae.pt", CPU)
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(VaeError, match=r"torn\.safetensors is torn"):
        load_vae(tmp_path / "torn.safetensors", CPU)
    with pytest.raises(VaeError, match="has no VAE in it"):
        load_vae(small_sd / "unet" / "diffusion_pytorch_model.safetensors", CPU)
    with pytest.raises(VaeError, match="no VAE of Stable Diffusion's kind"):
        load_vae(EMBEDDED / "base" / "vae" / "diffusion_pytorch_model.safetensors", CPU)
    with pytest.raises(VaeError, match="UNet2DConditionModel"):
        load_vae(small_sd / "unet", CPU)


def test_a_vae_that_lacks_tensors_is_refused(plain, small_sd, tmp_path):
    tensors = {k: t.contiguous() for k, t in plain.state_dict().items() if k != "decoder.conv_norm_out.bias"}
    save_file(tensors, tmp_path / "vae.safetensors")
    with pytest.raises(VaeError, match=r"decoder\.conv_norm_out\.bias"):
        load_vae(tmp_path / "vae.safetensors", CPU)
    folder = shutil.copytree(small_sd / "vae", tmp_path / "folder")
    save_file(tensors, folder / "diffusion_pytorch_model.safetensors")
    with pytest.raises(VaeError, match=r"decoder\.conv_norm_out\.bias"):
        load_vae(folder, CPU)
