"""Loading base models, and captions into embeddings."""

import dataclasses
import json
import shutil

import pytest
import torch
from one_file import one_file, small_sd1, write
from safetensors.torch import load, save_file

from trainer import EMBEDDED, PAINTED
from trainer.base import BaseModelError, count_tokens, encode, load_base, text_body
from trainer.device import probe
from trainer.painted import merged
from trainer.single_file import clip_tokenizer

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


@pytest.mark.parametrize("name", ["model.ckpt", "model.PT"])
def test_a_pickle_is_refused_with_the_way_to_convert_it(tmp_path, name):
    (tmp_path / name).write_bytes(b"weights")
    refused(tmp_path / name, "pickle", "from_single_file")


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


# one file


@pytest.fixture(scope="module")
def sd1(tmp_path_factory):
    return small_sd1(tmp_path_factory.mktemp("bases") / "small-sd1")


@pytest.fixture(scope="module")
def tensors(sd1):
    return one_file(sd1)


def same_weights(ours, theirs):
    other = theirs.state_dict()
    return ours.state_dict().keys() == other.keys() and all(
        torch.equal(tensor, other[key]) for key, tensor in ours.state_dict().items()
    )


def test_a_single_file_is_the_folder_that_it_was_made_from(sd1, tensors, tmp_path):
    file = write(tensors, tmp_path / "one.safetensors")
    ours, theirs = load_base(file, probe("cpu")), load_base(sd1, probe("cpu"))
    assert all(same_weights(getattr(ours, part), getattr(theirs, part)) for part in ("unet", "vae", "text_encoder"))
    for clip_skip in (1, 2):
        assert torch.equal(encode(ours, CAPTIONS, clip_skip), encode(theirs, CAPTIONS, clip_skip))
    latents, time = torch.randn(2, 4, 8, 8), torch.tensor([10, 900])
    text = encode(theirs, CAPTIONS, 1)
    with torch.no_grad():
        assert torch.equal(ours.unet(latents, time, text).sample, theirs.unet(latents, time, text).sample)
        assert torch.equal(ours.vae.decode(latents).sample, theirs.vae.decode(latents).sample)
    assert (ours.name, ours.size_px, ours.max_tokens, ours.vae_factor) == ("one", 512, 77, 8)
    assert ours.train_schedule.config.beta_end == 0.012 and not ours.unet.training


def test_a_single_file_is_read_without_asking_any_hub(tensors, tmp_path, monkeypatch):
    import socket

    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    state = torch.random.get_rng_state()
    load_base(write(tensors, tmp_path / "one.safetensors"), probe("cpu"))
    assert torch.equal(torch.random.get_rng_state(), state)  # nor is anybody's random stream moved


def test_a_single_file_in_fp32_with_ema_and_older_names_is_the_same_base(tensors, tmp_path):
    plain = load_base(write(tensors, tmp_path / "plain.safetensors"), probe("cpu"))
    other = {key: t.float() if t.is_floating_point() else t for key, t in tensors.items()}
    other |= {
        f"model_ema.{key.removeprefix('model.').replace('.', '')}": torch.full_like(t, 7.0)
        for key, t in tensors.items()
        if key.startswith("model.diffusion_model.")
    }
    other = {key.replace("transformer.text_model.", "transformer."): t for key, t in other.items()}
    again = load_base(write(other, tmp_path / "other.safetensors"), probe("cpu"))
    assert all(same_weights(getattr(again, part), getattr(plain, part)) for part in ("unet", "vae", "text_encoder"))
    assert again.fingerprint != plain.fingerprint


def test_a_checkpoint_without_vae_wants_one_beside_it(tensors, tmp_path):
    file = tmp_path / "bare.safetensors"
    write({key: t for key, t in tensors.items() if not key.startswith("first_stage_model.")}, file)
    refused(file, "without a VAE", "bare.vae.safetensors")
    vae = {k.removeprefix("first_stage_model."): t for k, t in tensors.items() if k.startswith("first_stage_model.")}
    write(vae, tmp_path / "bare.vae.safetensors")
    whole = load_base(write(tensors, tmp_path / "whole.safetensors"), probe("cpu"))
    bare = load_base(file, probe("cpu"))
    assert same_weights(bare.vae, whole.vae)
    assert bare.fingerprints["vae"] != whole.fingerprints["vae"]  # of the files


def test_a_checkpoint_that_predicts_velocity_is_trained_so(tensors, tmp_path):
    file = write({**tensors, "v_pred": torch.zeros(0)}, tmp_path / "v.safetensors")
    assert load_base(file, probe("cpu")).train_schedule.config.prediction_type == "v_prediction"


def test_a_single_file_that_lacks_a_tensor_is_refused_not_filled_with_noise(tensors, tmp_path):
    for key, word in (
        ("model.diffusion_model.middle_block.0.in_layers.0.weight", "U-Net"),
        ("first_stage_model.encoder.mid.attn_1.q.weight", "VAE"),
        ("cond_stage_model.transformer.text_model.final_layer_norm.weight", "text encoder"),
    ):
        file = write({k: t for k, t in tensors.items() if k != key}, tmp_path / "lacks.safetensors")
        refused(file, "lacks.safetensors", word)


def test_a_single_file_that_is_cut_short_is_named(tensors, tmp_path):
    file = write(tensors, tmp_path / "torn.safetensors")
    file.write_bytes(file.read_bytes()[:-1000])
    refused(file, "cut short")
    file.write_bytes(b"weights")
    refused(file, "no safetensors file")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            ["conditioner.embedders.0.transformer.text_model.x", "model.diffusion_model.input_blocks.0.0.weight"],
            ["SDXL"],
        ),
        (["lora_unet_mid_block_attentions_0_proj_in.lora_down.weight"], ["LoRA"]),
        (["encoder.conv_in.weight", "decoder.conv_in.weight"], ["VAE alone"]),
        (["emb_params"], ["textual inversion"]),
    ],
)
def test_other_files_are_refused_with_what_they_are(tmp_path, keys, words):
    file = write({key: torch.zeros(4, 4, 3, 3) for key in keys}, tmp_path / "other.safetensors")
    refused(file, "other.safetensors is", *words)


def test_the_tokenizer_gives_the_ids_of_clip():
    import open_clip

    tokenizer = clip_tokenizer()
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]  # as published
    theirs = open_clip.get_tokenizer("ViT-L-14")
    for text in [
        *CAPTIONS,
        "",
        "Ein Café 1234!",
        "it's  a dog's LIFE; won't",
        "女性 (masterpiece:1.2) 😀",
        "a_b 3.14 #x",
    ]:
        assert tokenizer(text).input_ids == [number for number in theirs(text)[0].tolist() if number]
    assert tokenizer("a", padding="max_length").input_ids[2:] == [49407] * 75


# the second miniature


def test_the_painted_miniature_is_what_diffusers_makes_of_its_lora(base):
    """Its halves are spelled in two ways, of which diffusers would read only one: here it gets both spelled alike."""
    from diffusers import StableDiffusionPipeline
    from safetensors.torch import load_file as read

    spelled = {
        k.replace(".lora.down.", ".lora_A.").replace(".lora.up.", ".lora_B."): t for k, t in read(PAINTED).items()
    }

    painted = load_base("embedded-painted", probe("cpu"))
    pipeline = StableDiffusionPipeline.from_pretrained(EMBEDDED / "base", safety_checker=None)
    pipeline.load_lora_weights(spelled)
    latents, time = torch.randn(2, 16, 8, 8), torch.tensor([100, 700])
    text = encode(base, CAPTIONS, 1)
    with torch.no_grad():
        ours, plain, theirs = (unet(latents, time, text).sample for unet in (painted.unet, base.unet, pipeline.unet))
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert (ours - plain).abs().mean() > 100 * (ours - theirs).abs().mean()


def test_the_painted_miniature_is_another_base_with_the_same_vae(base):
    painted = load_base("embedded-painted", probe("cpu"))
    assert painted.name == painted.location == "embedded-painted"
    different = [part for part in base.fingerprints if painted.fingerprints[part] != base.fingerprints[part]]
    assert different == ["unet"] and painted.fingerprint != base.fingerprint
    assert not any("lora" in name for name, _ in painted.unet.named_modules())


def test_two_halves_of_a_lora_are_merged_as_they_act():
    down, up = torch.randn(2, 3, 3, 3), torch.randn(5, 2, 1, 1)
    picture = torch.randn(1, 3, 6, 6)
    one_by_one = torch.nn.functional.conv2d(torch.nn.functional.conv2d(picture, down), up)
    assert torch.allclose(torch.nn.functional.conv2d(picture, merged(down, up)), one_by_one, atol=1e-4)
    assert torch.equal(
        merged(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]])), torch.tensor([[3.0, 6.0], [4.0, 8.0]])
    )
