"""kohya files: what is written, what is read, and the proof that both are the same LoRA."""

import hashlib
import json
import math
import re
import shutil
from typing import get_args

import pytest
import torch
from safetensors.torch import load, save_file

from trainer import kohya
from trainer.adapter import attach, attach_file, slot, use
from trainer.base import encode, load_base
from trainer.config import Optimizer, TrainConfig
from trainer.device import probe
from trainer.kohya import KohyaError, ProofError, metadata_for, prove, read, write

PLACE = "lora_unet_mid_block_attentions_0_"
TEXT = "lora_te_text_model_encoder_layers_1_self_attn_q_proj"


@pytest.fixture
def adapter(base):
    """dim 4, alpha 1: a scale of 1/4 that is easily lost."""
    generator = torch.Generator().manual_seed(0)
    one = attach(base, "one", dim=4, alpha=1.0, text_encoder=True, generator=generator)
    with torch.no_grad():
        for module in one.modules.values():
            module.up.normal_(std=0.05, generator=generator)
    yield one
    one.detach()


@pytest.fixture
def file(adapter, tmp_path):
    path = tmp_path / "one.safetensors"
    write(adapter, path, {"ss_seed": "1"}, "fp16")
    return path


def damage(file, change):
    """Rewrite a file after `change` did something to its tensors."""
    tensors = load(file.read_bytes())
    change(tensors)
    save_file(tensors, file)


def test_keys_shapes_and_alpha_are_kohyas(file):
    tensors = load(file.read_bytes())
    assert len(tensors) == 3 * 216
    assert tensors[f"{PLACE}proj_in.lora_down.weight"].shape == (4, 128, 1, 1)
    assert tensors[f"{PLACE}proj_in.lora_up.weight"].shape == (128, 4, 1, 1)
    assert tensors[f"{TEXT}.lora_down.weight"].shape == (4, 128)
    assert tensors[f"{TEXT}.alpha"].shape == () and tensors[f"{TEXT}.alpha"] == 1
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}


def test_a_file_goes_into_an_adapter_and_out_again_bit_for_bit(base, adapter, tmp_path):
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    write(adapter, one, {}, "fp32")
    again = attach_file(base, "again", one)
    write(again, two, {}, "fp32")
    again.detach()
    first, second, memory = load(one.read_bytes()), load(two.read_bytes()), adapter.state()
    assert first.keys() == second.keys() == memory.keys()
    for key, tensor in memory.items():
        assert torch.equal(first[key], tensor) and torch.equal(second[key], tensor), key


def test_modules_of_different_dims_and_alphas_keep_them(base, file):
    def change(tensors):
        tensors[f"{TEXT}.alpha"] = torch.tensor(3.0)
        del tensors[f"{PLACE}proj_in.alpha"]  # then alpha counts as dim
        for side, shape in (("down", (2, 128, 1, 1)), ("up", (128, 2, 1, 1))):
            tensors[f"{PLACE}proj_out.lora_{side}.weight"] = torch.full(shape, 0.1)

    damage(file, change)
    odd = attach_file(base, "odd", file)
    modules = odd.modules
    assert (modules[TEXT].alpha, modules[TEXT].dim) == (3.0, 4)
    assert (modules[f"{PLACE}proj_in"].alpha, modules[f"{PLACE}proj_in"].dim) == (4.0, 4)
    assert (modules[f"{PLACE}proj_out"].alpha, modules[f"{PLACE}proj_out"].dim) == (1.0, 2)
    layer = base.text_encoder.encoder.layers[1].self_attn.q_proj
    proj_in = base.unet.mid_block.attentions[0].proj_in
    x = torch.randn(2, 128, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), use(base, odd):
        change = layer(x) - torch.nn.functional.linear(x, layer.weight, layer.bias)
        torch.testing.assert_close(change, 0.75 * x @ modules[TEXT].down.T @ modules[TEXT].up.T)
        convolved = proj_in(x[..., None, None])
    down, up = modules[f"{PLACE}proj_in"].down[..., 0, 0], modules[f"{PLACE}proj_in"].up[..., 0, 0]
    weight = proj_in.get_base_layer().weight[..., 0, 0]
    torch.testing.assert_close(convolved[..., 0, 0] - proj_in.bias, x @ (weight + up @ down).T)
    odd.detach()


@pytest.fixture
def rich(base):
    """Everything at once: LoCon, rsLoRA and DoRA, away from where they start."""
    generator = torch.Generator().manual_seed(0)
    options = {"conv_dim": 2, "conv_alpha": 1.0, "rslora": True, "dora": True}
    one = attach(base, "rich", dim=4, alpha=1.0, text_encoder=True, generator=generator, **options)
    with torch.no_grad():
        for module in one.modules.values():
            module.up.normal_(std=0.05, generator=generator)
            module.dora_scale.mul_(1 + 0.05 * torch.randn(module.dora_scale.shape, generator=generator))
    yield one
    one.detach()


CONV = "lora_unet_mid_block_resnets_0_conv1"


@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp32"])
def test_locon_rslora_and_dora_go_through_a_file_and_are_proved(base, rich, tmp_path, precision):
    file = tmp_path / "rich.safetensors"
    assert write(rich, file, {}, precision).modules == 301
    tensors = load(file.read_bytes())
    assert len(tensors) == 4 * 301
    assert tensors[f"{CONV}.lora_down.weight"].shape == (2, 128, 3, 3)
    assert tensors[f"{CONV}.lora_up.weight"].shape == (128, 2, 1, 1)
    assert tensors[f"{CONV}.dora_scale"].shape == (1, 128, 1, 1)
    assert tensors[f"{TEXT}.dora_scale"].shape == (1, 128)
    assert {t.dtype for key, t in tensors.items() if key.endswith("dora_scale")} == {torch.float32}
    assert float(tensors[f"{TEXT}.alpha"]) == 2  # 1 x sqrt 4: every reader divides by 4
    assert float(tensors[f"{CONV}.alpha"]) == pytest.approx(math.sqrt(2), rel=8e-3)
    proof = prove(base, rich, file)
    rounding = {"fp16": 1e-3, "bf16": 8e-3, "fp32": 1e-6}[precision]
    assert (proof["modules"], proof["scale"]) == (301, 0.5)
    assert proof["change"] > 0.01 and proof["error"] <= 2 * rounding * proof["change"]
    again = attach_file(base, "again", file)
    memory, disk = rich.state(), again.state()
    again.detach()
    assert memory.keys() == disk.keys()
    for key, tensor in memory.items():
        torch.testing.assert_close(disk[key], tensor, atol=1e-4, rtol=rounding)


def wrong_lengths(tensors):
    tensors[f"{CONV}.dora_scale"] *= 1.0001


def lost_lengths(tensors):
    del tensors[f"{CONV}.dora_scale"]


def alpha_of_convolutions(tensors):
    tensors[f"{CONV}.alpha"] = torch.tensor(1.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (wrong_lengths, [f"{CONV}.dora_scale", "not the trained tensor"]),
        (lost_lengths, [f"{CONV}.dora_scale", "only one"]),
        (alpha_of_convolutions, [CONV, "scale 0.5 ", "0.707"]),
    ],
)
def test_the_proof_catches_a_wrong_dora_or_locon(base, rich, tmp_path, change, words):
    file = tmp_path / "rich.safetensors"
    write(rich, file, {}, "fp16")
    damage(file, change)
    with pytest.raises(ProofError) as error:
        prove(base, rich, file)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_locon_made_elsewhere_with_some_convolutions_of_several_ranks_is_read(base, file):
    def change(tensors):
        for dim, name in ((1, CONV), (3, CONV.replace("conv1", "conv2"))):
            tensors[f"{name}.lora_down.weight"] = torch.full((dim, 128, 3, 3), 0.1)
            tensors[f"{name}.lora_up.weight"] = torch.full((128, dim, 1, 1), 0.1)

    damage(file, change)
    odd = attach_file(base, "odd", file)
    assert len(odd.modules) == 218 and odd.modules[CONV].dim == 1 and odd.modules[CONV].scale == 1
    layer = base.unet.mid_block.resnets[0].conv1
    x = torch.ones(1, 128, 5, 5)
    with torch.no_grad():
        with use(base, None):
            plain = layer(x)
        with use(base, odd):
            change = (layer(x) - plain)[0, 0, 2, 2]
    assert change.item() == pytest.approx(128 * 9 * 0.1 * 0.1, rel=1e-4)  # in x kernel x down x up
    odd.detach()


def test_diffusers_loads_the_file_with_the_same_scale_and_says_the_same(base, adapter, tmp_path, caplog):
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import logging
    from peft.tuners.lora import LoraLayer

    from trainer import EMBEDDED

    file = tmp_path / "one.safetensors"
    write(adapter, file, metadata_for_one(base), "fp32")
    pipeline = StableDiffusionPipeline.from_pretrained(EMBEDDED / "base", safety_checker=None)
    logging.enable_propagation()
    pipeline.load_lora_weights(str(file))
    logging.disable_propagation()
    assert not caplog.messages  # it warns of keys that it does not expect
    for model, count in ((pipeline.unet, 192), (pipeline.text_encoder, 24)):
        scales = [m.scaling for m in model.modules() if isinstance(m, LoraLayer)]
        assert len(scales) == count and all(set(s.values()) == {0.25} for s in scales)
    noise = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs, _ = pipeline.encode_prompt("photo of a woman", "cpu", 1, do_classifier_free_guidance=False)
        their_answer = pipeline.unet(noise, 500, theirs).sample
        plain = encode(base, ["photo of a woman"], 1)
        plain_answer = base.unet(noise, 500, plain).sample
        with use(base, adapter):
            ours = encode(base, ["photo of a woman"], 1)
            our_answer = base.unet(noise, 500, ours).sample
    assert (ours - plain).norm() > 0.01 * plain.norm()
    assert (our_answer - plain_answer).norm() > 0.01 * plain_answer.norm()
    torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(their_answer, our_answer, atol=1e-4, rtol=1e-4)


def metadata_for_one(base, **changes):
    settings = {"dim": 4, "alpha": 1.0, "clip_skip": 2, "batch_size": 4, "repeats": 2, "epochs": 3} | changes
    return metadata_for(
        TrainConfig(**settings),
        base,
        name="zoe-000002",
        seed=7,
        update=30,
        n_images=30,
        session="abc",
        started=1_700_000_000.0,
        trigger="zwx",
    )


def test_metadata_says_how_the_lora_was_made_in_strings_only(base):
    metadata = metadata_for_one(base)
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in metadata.items())
    expected = {
        "ss_output_name": "zoe-000002",
        "ss_network_module": "networks.lora",
        "ss_network_dim": "4",
        "ss_network_alpha": "1.0",
        "ss_network_args": "{}",
        "ss_base_model_version": "sd_v1",
        "ss_v2": "False",
        "ss_seed": "7",
        "ss_steps": "30",
        "ss_epoch": "2",
        "ss_num_epochs": "3",
        "ss_max_train_steps": "45",
        "ss_num_batches_per_epoch": "15",
        "ss_num_train_images": "60",
        "ss_clip_skip": "2",
        "ss_resolution": "(64, 64)",
        "ss_learning_rate": "0.0001",
        "ss_mixed_precision": "no",
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "modelspec.prediction_type": "epsilon",
        "modelspec.trigger_phrase": "zwx",
    }
    assert {key: metadata[key] for key in expected} == expected
    assert json.loads(metadata["ss_dataset_dirs"]) == {"photos": {"n_repeats": 2, "img_count": 30}}
    assert json.loads(metadata["ss_tag_frequency"]) == {"photos": {"zwx": 30}}


def test_metadata_of_locon_accumulation_dropout_and_captions_is_sd_scripts(base):
    metadata = metadata_for_one(
        base,
        conv_dim=8,
        dropout=0.1,
        gradient_accumulation=4,
        noise_offset=0.05,
        caption_dropout=0.2,
        shuffle_captions=True,
        optimizer="adam",
        beta2=0.99,
    )
    expected = {
        "ss_network_module": "networks.lora",
        "ss_network_dropout": "0.1",
        "ss_gradient_accumulation_steps": "4",
        "ss_num_batches_per_epoch": "15",  # 60 photos in batches of 4
        "ss_max_train_steps": "12",  # 4 updates an epoch
        "ss_batch_size_per_device": "4",
        "ss_total_batch_size": "16",
        "ss_noise_offset": "0.05",
        "ss_caption_dropout_rate": "0.2",
        "ss_shuffle_caption": "True",
        "ss_keep_tokens": "1",
        "ss_optimizer": "torch.optim.adam.Adam(weight_decay=0.01,betas=(0.9, 0.99))",
    }
    assert {key: metadata[key] for key in expected} == expected
    assert json.loads(metadata["ss_network_args"]) == {"conv_dim": "8", "conv_alpha": "8.0"}
    plain = metadata_for_one(base)
    assert (plain["ss_noise_offset"], plain["ss_network_dropout"], plain["ss_keep_tokens"]) == ("None", "None", "0")


def test_metadata_of_dora_and_rslora_is_that_of_lycoris(base):
    metadata = metadata_for_one(base, dora=True, rslora=True, conv_dim=4, conv_alpha=2)
    assert (metadata["ss_network_module"], metadata["ss_network_alpha"]) == ("lycoris.kohya", "1.0")
    assert json.loads(metadata["ss_network_args"]) == {
        "algo": "lora",
        "dora_wd": "True",
        "wd_on_output": "False",
        "rs_lora": "True",
        "conv_dim": "4",
        "conv_alpha": "2.0",
    }


@pytest.mark.parametrize("name", get_args(Optimizer))
def test_metadata_names_every_optimizer_by_its_class(base, name):
    said = metadata_for_one(base, optimizer=name)["ss_optimizer"]
    assert re.fullmatch(r"[a-z_0-9.]+\.[A-Z]\w+\([^{}]*weight_decay=0\.01[^{}]*\)", said), said
    assert ("(0.9, 0.99)" in said) == name.startswith("lion")


def test_metadata_gives_what_had_an_effect_not_what_was_asked_for(base):
    metadata = metadata_for_one(base, optimizer="adafactor", learning_rate=0.1, mixed_precision="fp16")
    assert (metadata["ss_learning_rate"], metadata["ss_lr_scheduler"]) == ("None", "adafactor")
    assert "Adafactor" in metadata["ss_optimizer"] and metadata["ss_mixed_precision"] == "no"


def test_a_shared_file_tells_nothing_of_folders(small_sd, tmp_path):
    private = shutil.copytree(small_sd, tmp_path / "Jane Doe")
    base = load_base(private, probe("cpu"))
    metadata = metadata_for_one(base, base_model=str(private))
    assert "Jane" not in json.dumps(metadata) and str(tmp_path) not in json.dumps(metadata)


def test_the_hashes_are_those_that_a_reader_computes(base, adapter, tmp_path):
    file = tmp_path / "one.safetensors"
    written = write(adapter, file, metadata_for_one(base), "fp32")
    data, metadata = file.read_bytes(), read(file).metadata
    body = data[8 + int.from_bytes(data[:8], "little") :]
    assert metadata["sshs_model_hash"] == hashlib.sha256(body).hexdigest()
    only_training = {key: value for key, value in metadata.items() if key.startswith("ss_")}
    save_file(load(data), tmp_path / "ss.safetensors", only_training)
    piece = (tmp_path / "ss.safetensors").read_bytes()[0x100000:0x110000]
    assert len(piece) == 0x10000
    assert metadata["sshs_legacy_hash"] == hashlib.sha256(piece).hexdigest()[:8]
    assert (written.sha256, written.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert written.modules == 216


def test_hashes_do_not_depend_on_what_else_is_in_the_metadata(base, adapter, tmp_path):
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    write(adapter, one, {"ss_seed": "1"}, "fp16")
    write(adapter, two, {"ss_seed": "1", "modelspec.title": "another"}, "fp16")
    hashes = [{k: v for k, v in read(f).metadata.items() if k.startswith("sshs_")} for f in (one, two)]
    assert hashes[0] == hashes[1] and len(hashes[0]) == 2


def nan(tensors):
    tensors[f"{TEXT}.lora_up.weight"][0, 0] = float("nan")


def infinite_alpha(tensors):
    tensors[f"{TEXT}.alpha"] = torch.tensor(float("inf"))


def two_alphas(tensors):
    tensors[f"{TEXT}.alpha"] = torch.ones(2)


def no_up(tensors):
    del tensors[f"{TEXT}.lora_up.weight"]


def other_rank(tensors):
    tensors[f"{TEXT}.lora_up.weight"] = torch.ones(128, 5)


def other_width(tensors):
    tensors[f"{TEXT}.lora_down.weight"] = torch.ones(4, 768)


def not_plain(tensors):
    tensors[f"{TEXT}.lora_mid.weight"] = torch.ones(4, 4)


def lengths_of_rows(tensors):
    tensors[f"{TEXT}.dora_scale"] = torch.ones(128, 1)


def lengths_of_nothing(tensors):
    tensors[f"{TEXT}.dora_scale"] = torch.ones(128)


def other_layer(tensors):
    for part in ("alpha", "lora_down.weight", "lora_up.weight"):
        tensors[f"{TEXT}_2.{part}"] = tensors[f"{TEXT}.{part}"].clone()


def everything(tensors):
    tensors.clear()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (nan, [f"{TEXT}.lora_up.weight", "not finite"]),
        (infinite_alpha, [f"{TEXT}.alpha", "not finite"]),
        (two_alphas, [f"{TEXT}.alpha", "2 values"]),
        (no_up, [f"{TEXT}.lora_up.weight", "missing"]),
        (other_rank, [TEXT, "(128, 5)"]),
        (other_width, [f"{TEXT}.lora_down.weight", "(4, 768)", "(4, 128)"]),
        (not_plain, [f"{TEXT}.lora_mid.weight", "core tensor"]),
        (lengths_of_rows, [f"{TEXT}.dora_scale", "output rows"]),
        (lengths_of_nothing, [f"{TEXT}.dora_scale", "(128,)", "(1, 128)"]),
        (other_layer, [f"{TEXT}_2", "no layer"]),
        (everything, ["no tensors"]),
    ],
)
def test_a_broken_file_is_refused_with_its_name_and_the_key(base, file, change, words):
    damage(file, change)
    wrapped = set(base.wrapped)
    with pytest.raises(KohyaError) as error:
        attach_file(base, "broken", file)
    assert all(word in str(error.value) for word in [file.name, *words]), str(error.value)
    assert set(base.wrapped) == wrapped


@pytest.mark.parametrize("length", [0, 4, 200, 100_000])
def test_a_torn_file_is_refused(file, length):
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(KohyaError, match=r"one\.safetensors is torn"):
        read(file)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(KohyaError, match="gone"):
        read(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("name", ["lora.pt", "lora.ckpt", "lora.bin", "disguised.safetensors"])
def test_pickles_are_refused_unread(tmp_path, name):
    torch.save({"a": torch.ones(1)}, tmp_path / name)
    with pytest.raises(KohyaError, match=f"{name} is a pickle"):
        read(tmp_path / name)


def test_a_lora_of_another_kind_of_base_is_refused(small_sd, file):
    with pytest.raises(KohyaError, match="base model"):
        attach_file(load_base(small_sd, probe("cpu")), "other", file)


def test_missing_alpha_is_read_as_dim(file):
    damage(file, lambda tensors: tensors.pop(f"{TEXT}.alpha"))
    module = read(file).modules[TEXT]
    assert (module.alpha, module.dim, module.scale) == (4.0, 4, 1.0)


@pytest.mark.parametrize(("value", "precision"), [(float("nan"), "fp32"), (1e6, "fp16")])
def test_weights_that_a_file_cannot_hold_leave_the_old_file_alone(adapter, file, value, precision):
    before = file.read_bytes()
    with torch.no_grad():
        adapter.modules[TEXT].up[0, 0] = value
    with pytest.raises(KohyaError, match=f"{TEXT}.*{precision}"):
        write(adapter, file, {}, precision)
    assert file.read_bytes() == before
    assert [one.name for one in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(("precision", "rounding"), [("fp16", 1e-3), ("bf16", 8e-3), ("fp32", 0)])
def test_the_proof_of_a_good_file_gives_its_figures(base, adapter, tmp_path, precision, rounding):
    file = tmp_path / "one.safetensors"
    write(adapter, file, {}, precision)
    proof = prove(base, adapter, file)
    assert (proof["modules"], proof["scale"]) == (216, 0.25)
    assert proof["precision"] == {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32"}[precision]
    assert proof["change"] > 0.01 and proof["error"] <= 2 * rounding * proof["change"]
    assert proof["rounding"] <= rounding
    json.dumps(proof)


def test_the_proof_says_when_the_precision_swallows_the_lora(base, adapter, tmp_path):
    with torch.no_grad():
        for module in adapter.modules.values():
            module.up.fill_(1e-9)  # below the smallest fp16
    file = tmp_path / "one.safetensors"
    write(adapter, file, {}, "fp16")
    assert prove(base, adapter, file)["rounding"] == 1


def wrong_alpha(tensors):
    tensors[f"{TEXT}.alpha"] = torch.tensor(4.0)


def all_alphas_lost(tensors):
    for key in [key for key in tensors if key.endswith(".alpha")]:
        del tensors[key]


def another_weight(tensors):
    tensors[f"{PLACE}proj_in.lora_down.weight"][0, 0] += 0.01


def a_module_lost(tensors):
    for part in ("alpha", "lora_down.weight", "lora_up.weight"):
        del tensors[f"{TEXT}.{part}"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (wrong_alpha, [TEXT, "scale 1 ", "0.25"]),
        (all_alphas_lost, ["scale 1 ", "0.25"]),
        (another_weight, [f"{PLACE}proj_in.lora_down.weight", "not the trained tensor"]),
        (a_module_lost, ["215", "216", TEXT]),
        (nan, [TEXT, "not finite"]),
    ],
)
def test_the_proof_catches_a_file_that_is_not_what_was_trained(base, adapter, file, change, words):
    prove(base, adapter, file)
    damage(file, change)
    with pytest.raises(ProofError) as error:
        prove(base, adapter, file)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_the_proof_catches_a_loader_that_loses_the_scale(base, adapter, file, monkeypatch):
    def careless(base, name, path):
        loaded = attach_file(base, name, path)
        for key in loaded.modules:
            base.wrapped[key].lora_alpha[slot(name)] = 4.0
        return loaded

    monkeypatch.setattr(kohya, "attach_file", careless)
    with pytest.raises(ProofError, match="changes the output differently"):
        prove(base, adapter, file)
    assert not any("proof" in key for layer in base.wrapped.values() for key in layer.lora_A)
