"""Loading base models, and captions into embeddings."""

import dataclasses
import json
import shutil

import pytest
import torch
from safetensors.torch import load, save_file

from trainer.base import BaseModelError, count_tokens, encode, load_base, text_body
from trainer.device import probe

CAPTIONS = ["photo of a zwx woman, smiling", "photo of a man"]


@pytest.fixture
def folder(small_sd, tmp_path):
    """A copy of the small base that a test may break."""
    return shutil.copytree(small_sd, tmp_path / "copy")


@pytest.fixture(scope="module")
def small(small_sd):
    return load_base(small_sd, probe("cpu"))


def load_file(file):
    return load(file.read_bytes())  # a memory-mapped file could not be overwritten on Windows


def refused(folder, *words):
    with pytest.raises(BaseModelError) as error:
        load_base(folder, probe("cpu"))
    assert all(word in str(error.value) for word in words), str(error.value)


def test_sizes_come_from_the_configs(base, small):
    assert (base.size_px, base.vae_factor, base.latent_channels, base.max_tokens) == (64, 8, 16, 48)
    assert (small.size_px, small.vae_factor, small.latent_channels, small.max_tokens) == (64, 8, 4, 77)
    assert encode(base, CAPTIONS, 1).shape == (2, 48, 128)
    assert encode(small, CAPTIONS, 1).shape == (2, 77, 32)


def test_a_loaded_base_is_frozen_in_eval_mode_and_in_fp32_on_a_cpu(small_sd):
    base = load_base(small_sd, probe("cpu"), weight_dtype=torch.float16)
    for model in (base.unet, base.vae, base.text_encoder):
        assert not model.training
        assert all(p.dtype == torch.float32 and not p.requires_grad for p in model.parameters())


def test_the_schedule_for_training_follows_the_base(base, small):
    assert base.train_schedule.config.beta_end == 0.012
    assert base.train_schedule.config.prediction_type == "epsilon"
    assert base.sampler_config["_class_name"] == "DPMSolverMultistepScheduler"
    assert small.sampler_config["_class_name"] == "DDPMScheduler"


@pytest.mark.parametrize("clip_skip", [1, 2, 4])
def test_clip_skip_n_is_the_nth_last_layer_and_then_the_final_norm(base, clip_skip):
    caught = []
    layers = base.text_encoder.encoder.layers
    hook = layers[len(layers) - clip_skip].register_forward_hook(lambda *call: caught.append(call[2]))
    embeddings = encode(base, CAPTIONS, clip_skip)
    hook.remove()
    hidden = caught[0][0] if isinstance(caught[0], tuple) else caught[0]
    assert torch.equal(embeddings, base.text_encoder.final_layer_norm(hidden))


@pytest.mark.parametrize("clip_skip", [0, 5])
def test_a_clip_skip_deeper_than_the_text_encoder_is_refused(base, clip_skip):
    with pytest.raises(ValueError, match=f"clip_skip is {clip_skip}.*4 layers"):
        encode(base, CAPTIONS, clip_skip)


def test_both_layouts_of_the_text_encoder_give_the_same_embeddings(base):
    from transformers import CLIPTextModelWithProjection

    nested = CLIPTextModelWithProjection(base.text_encoder.config).eval()  # keeps its layers in .text_model
    nested.text_model.load_state_dict(base.text_encoder.state_dict())
    other = dataclasses.replace(base, text_encoder=nested)
    assert text_body(nested) is nested.text_model
    for clip_skip in (1, 2):
        assert torch.equal(encode(other, CAPTIONS, clip_skip), encode(base, CAPTIONS, clip_skip))


def test_embeddings_are_those_of_diffusers_pipeline(base):
    from diffusers import StableDiffusionPipeline

    from trainer import EMBEDDED

    pipeline = StableDiffusionPipeline.from_pretrained(EMBEDDED / "base", safety_checker=None)
    theirs, _ = pipeline.encode_prompt(CAPTIONS, "cpu", 1, do_classifier_free_guidance=False)
    assert torch.equal(encode(base, CAPTIONS, 1), theirs)


def test_embeddings_carry_a_graph_only_when_asked(base):
    assert not encode(base, CAPTIONS, 1).requires_grad
    weight = base.text_encoder.final_layer_norm.weight.requires_grad_(True)
    assert encode(base, CAPTIONS, 2, grad=True).requires_grad
    assert not encode(base, CAPTIONS, 2).requires_grad
    weight.requires_grad_(False)


def test_tokens_are_counted_beyond_what_the_model_reads(base):
    assert count_tokens(base, "photo of a man") == 6  # start, four words, end
    assert count_tokens(base, "photo " * 60) == 62 > base.max_tokens
    assert torch.equal(encode(base, ["photo " * 60], 1), encode(base, ["photo " * 46], 1))


def test_the_fingerprint_is_of_the_weights_not_of_their_place(small_sd, small, folder):
    assert load_base(folder, probe("cpu")).fingerprint == small.fingerprint
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors["decoder.conv_out.bias"] = tensors["decoder.conv_out.bias"] + 1
    save_file(tensors, file, {"format": "pt"})
    changed = load_base(folder, probe("cpu"))
    assert changed.fingerprint != small.fingerprint
    different = [part for part in small.fingerprints if changed.fingerprints[part] != small.fingerprints[part]]
    assert different == ["vae"]


def test_weights_saved_as_an_fp16_variant_or_in_shards_load(small, folder):
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    save_file({k: t.half() for k, t in tensors.items()}, file.with_suffix(".fp16.safetensors"), {"format": "pt"})
    file.unlink()
    weight = small.unet.conv_in.weight
    assert torch.equal(load_base(folder, probe("cpu")).unet.conv_in.weight, weight.half().float())

    small.unet.save_pretrained(folder / "unet", max_shard_size="200KB")
    assert (folder / "unet" / "diffusion_pytorch_model.safetensors.index.json").exists()
    assert torch.equal(load_base(folder, probe("cpu")).unet.conv_in.weight, weight)
    next((folder / "unet").glob("*-00002-of-*")).unlink()
    refused(folder, "unet", "00002")


def test_names_of_older_programs_are_understood(small, folder):
    file = folder / "text_encoder" / "model.safetensors"  # transformers before 5.6
    bare = {key.removeprefix("text_model."): tensor for key, tensor in load_file(file).items()}
    old = {f"text_model.{key}": tensor for key, tensor in bare.items()}
    old["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    save_file(old, file, {"format": "pt"})

    file = folder / "vae" / "diffusion_pytorch_model.safetensors"  # diffusers before 0.12
    renames = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    old = {}
    for key, tensor in load_file(file).items():
        for new, name in renames.items():
            key = key.replace(new, name)
        old[key] = tensor
    assert any("proj_attn" in key for key in old)
    save_file(old, file, {"format": "pt"})

    again = load_base(folder, probe("cpu"))
    for ours, theirs in ((again.vae, small.vae), (again.text_encoder, small.text_encoder)):
        other = theirs.state_dict()
        assert all(torch.equal(tensor, other[key]) for key, tensor in ours.state_dict().items())


def test_a_folder_that_is_not_there_is_named(tmp_path):
    refused(tmp_path / "nowhere", "nowhere", "diffusers folder")


@pytest.mark.parametrize("part", ["model_index.json", "tokenizer", "scheduler", "unet", "vae", "text_encoder"])
def test_an_incomplete_folder_names_the_missing_part(folder, part):
    place = folder / part
    place.unlink() if place.is_file() else shutil.rmtree(place)
    refused(folder, part, "Copy the whole")


def test_pickled_weights_are_refused_with_the_way_to_convert_them(folder):
    for file in (folder / "unet").glob("*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    refused(folder, "pickle", "unet", "from_pretrained", "save_pretrained")


@pytest.mark.parametrize(("name", "word"), [("model.ckpt", "pickle"), ("model.safetensors", "single file")])
def test_a_single_file_is_refused_with_the_way_to_convert_it(tmp_path, name, word):
    (tmp_path / name).write_bytes(b"weights")
    refused(tmp_path / name, word, "from_single_file")


def test_torn_weights_are_named(folder):
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:50_000])
    refused(folder, "unet", "cannot be read")


def test_weights_that_lack_a_tensor_are_refused_not_filled_with_noise(folder):
    for part, key in (("unet", "conv_in.weight"), ("text_encoder", "final_layer_norm.weight")):
        file = next((folder / part).glob("*.safetensors"))
        whole = load_file(file)
        name = next(one for one in whole if one.endswith(key))
        save_file({k: t for k, t in whole.items() if k != name}, file, {"format": "pt"})
        refused(folder, part, key)
        save_file(whole, file, {"format": "pt"})


def test_parts_that_do_not_belong_together_are_refused(folder, small_sd, tmp_path):
    from diffusers import UNet2DConditionModel

    config = json.loads((folder / "unet" / "config.json").read_text())
    UNet2DConditionModel.from_config({**config, "cross_attention_dim": 48}).save_pretrained(folder / "unet")
    refused(folder, "48", "32", "belong together")
    UNet2DConditionModel.from_config({**config, "in_channels": 9}).save_pretrained(folder / "unet")
    refused(folder, "9 channels", "4")


def test_an_sdxl_folder_is_refused_by_name(folder):
    shutil.copytree(folder / "text_encoder", folder / "text_encoder_2")
    refused(folder, "SDXL")
