"""The names of tensors: the same LoRA in kohya's, diffusers' and peft's names gives the same picture."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from trainer import PAINTED
from trainer.adapter import attach, targets
from trainer.dialect import ForeignKey, alpha_of, dialect_of, place_of
from trainer.kohya import KohyaError, read, write
from trainer.preview import Cell, Sampling, render

CELLS = [Cell("a", "photo of a woman, smiling", 1), Cell("b", "photo of a man, at the beach", 2)]
SAMPLING = Sampling(steps=4, cfg=2.0)
DIM, ALPHA = 4, 3.0


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory):
    """A LoRA of all layers, text encoder included, in a kohya file; and its modules."""
    generator = torch.Generator().manual_seed(3)
    adapter = attach(base, "one", dim=DIM, alpha=ALPHA, text_encoder=True, generator=generator)
    with torch.no_grad():
        for module in adapter.modules.values():
            module.up.normal_(std=0.15, generator=generator)
    path = tmp_path_factory.mktemp("dialects") / "kohya.safetensors"
    write(adapter, path, {}, "fp32")
    modules = {name: (m.down.detach().clone(), m.up.detach().clone()) for name, m in adapter.modules.items()}
    adapter.detach()
    return path, modules


@pytest.fixture(scope="module")
def paths(base):
    """kohya name -> diffusers' path: unet.down_blocks..., text_encoder.text_model...."""
    found = {}
    for name, target in targets(base).items():
        inner = target.path if target.part == "unet" else f"text_model.{target.path.removeprefix('text_model.')}"
        found[name] = f"{target.part}.{inner}"
    return found


def pixels(base, file):
    return np.stack([picture.pixels for picture in render(base, file, CELLS, SAMPLING)]).astype(int)


def new_names(paths, modules, down="lora_A.weight", up="lora_B.weight"):
    named = {}
    for name, (a, b) in modules.items():
        named[f"{paths[name]}.{down}"], named[f"{paths[name]}.{up}"] = a, b
    return named


def config(**more):
    about = {"r": DIM, "lora_alpha": ALPHA, "use_rslora": False, "alpha_pattern": {}, "rank_pattern": {}, **more}
    both = {f"{part}.{key}": value for part in ("unet", "text_encoder") for key, value in about.items()}
    return {"format": "pt", "lora_adapter_metadata": json.dumps(both)}


def test_every_layer_has_the_same_name_both_ways(paths):
    for name, path in paths.items():
        assert place_of(f"{path}.lora_A.weight").module == name
        assert place_of(f"{path}.lora_A.weight").path == path
        assert place_of(f"{name}.lora_down.weight").module == name


def test_one_lora_in_three_dialects_is_one_picture(base, trained, paths, tmp_path):
    kohya, modules = trained
    wanted, plain = pixels(base, kohya), pixels(base, None)
    assert np.abs(wanted - plain).mean() > 5
    # diffusers with peft's names and config; the flat names of transformers >= 5.6
    flat = {key.replace("text_encoder.text_model.", "text_encoder."): t for key, t in new_names(paths, modules).items()}
    for number, named in enumerate([new_names(paths, modules), flat]):
        save_file(named, tmp_path / f"{number}.safetensors", config())
        assert np.array_equal(pixels(base, tmp_path / f"{number}.safetensors"), wanted)
    # diffusers' names between: no config, so alpha = rank, the scale is in the weights
    between = new_names(paths, modules, "lora.down.weight", "lora.up.weight")
    scaled = {key: t * (ALPHA / DIM) if key.endswith("up.weight") else t for key, t in between.items()}
    save_file(scaled, tmp_path / "between.safetensors")
    assert np.abs(pixels(base, tmp_path / "between.safetensors") - wanted).max() <= 1  # rounding of the product


def test_attention_processors_names_are_the_same_layers(base, trained, paths, tmp_path):
    _, modules = trained
    attention = {name: pair for name, pair in modules.items() if "_attn" in name or "self_attn" in name}
    old = {}
    for name, (down, up) in attention.items():
        path = paths[name]
        if path.startswith("unet."):
            path = path.replace(".to_out.0", ".to_out")
            head, _, last = path.rpartition(".")
            key = f"{head}.processor.{last}_lora"
        else:
            key = f"{path}.lora_linear_layer"
        old[f"{key}.down.weight"], old[f"{key}.up.weight"] = down, up
    save_file(old, tmp_path / "old.safetensors")
    save_file(new_names(paths, attention), tmp_path / "new.safetensors")
    assert len(read(tmp_path / "old.safetensors").modules) == len(attention)
    assert np.array_equal(pixels(base, tmp_path / "old.safetensors"), pixels(base, tmp_path / "new.safetensors"))


def test_diffusers_itself_draws_the_same_picture_from_its_names(base, trained, paths, tmp_path):
    from diffusers import StableDiffusionPipeline

    from trainer import EMBEDDED

    _, modules = trained
    unet = {name: pair for name, pair in modules.items() if name.startswith("lora_unet_")}
    file = tmp_path / "diffusers.safetensors"
    adapted = [paths[name].removeprefix("unet.") for name in unet]
    save_file(new_names(paths, unet), file, config(target_modules=adapted))
    pipe = StableDiffusionPipeline.from_pretrained(EMBEDDED / "base", safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    pipe.load_lora_weights(str(file), local_files_only=True)
    images = pipe(
        [cell.prompt for cell in CELLS],
        num_inference_steps=SAMPLING.steps,
        guidance_scale=SAMPLING.cfg,
        generator=[torch.Generator().manual_seed(cell.seed) for cell in CELLS],
        output_type="np",
    ).images
    theirs = (images * 255).round().astype(int)
    assert np.abs(theirs - pixels(base, None)).mean() > 5
    assert np.abs(theirs - pixels(base, file)).max() <= 2


def test_the_lora_of_paintings_is_read_as_what_diffusers_wrote():
    file = read(PAINTED)
    assert len(file.modules) == 237
    assert {module.scale for module in file.modules.values()} == {1.0}


@pytest.mark.parametrize(
    ("about", "path", "alpha"),
    [
        ({}, "unet.a.to_q", 4.0),  # nothing is said: alpha = rank
        ({"unet.lora_alpha": 8}, "unet.a.to_q", 8.0),
        ({"unet.lora_alpha": 8}, "text_encoder.a.q_proj", 4.0),  # the other part's
        ({"unet.lora_alpha": 8, "unet.use_rslora": True}, "unet.a.to_q", 16.0),  # 8 x sqrt(4)
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"a.to_q": 2}}, "unet.a.to_q", 2.0),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"to_q": 2}}, "unet.a.to_q", 2.0),  # the end of a name
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"^a\\.to_q$": 2}}, "unet.a.to_q", 2.0),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"o_q": 2}}, "unet.a.to_q", 8.0),  # no whole part of it
    ],
)
def test_alpha_is_what_pefts_config_says(about, path, alpha):
    assert alpha_of(about, path, dim=4) == alpha


@pytest.mark.parametrize(
    "about", [{"unet.lora_alpha": 0}, {"unet.lora_alpha": True}, {"unet.alpha_pattern": {"a": "x"}}]
)
def test_an_alpha_that_is_none_is_refused(about):
    with pytest.raises(ValueError, match="no number above 0"):
        alpha_of(about, "unet.a", dim=4)


def test_who_names_tensors_so():
    assert dialect_of(["lora_unet_a.alpha"]) == "kohya"
    assert dialect_of(["unet.a.lora_A.weight"]) == "diffusers"
    assert dialect_of(["base_model.model.a.lora_A.weight"]) == "peft"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("lora_te2_text_model.alpha", "SDXL"),
        ("lora_unet_input_blocks_4_1_proj_in.alpha", "SDXL"),
        ("transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight", "Flux"),
        ("lora_unet_mid.hada_w1_a", "LoHa"),
        ("lora_unet_mid.lokr_w2", "LoKr"),
        ("unet.mid_block.to_q.lora_magnitude_vector", "peft's DoRA"),
        ("first_stage_model.decoder.weight", "base model"),
    ],
)
def test_keys_of_other_models_and_adapters_are_refused_by_name(key, words):
    with pytest.raises(ForeignKey, match=words):
        place_of(key)


def test_the_trainer_names_file_and_key_too(tmp_path):
    save_file({"lora_te2_text_model.alpha": torch.tensor(1.0)}, tmp_path / "xl.safetensors")
    with pytest.raises(KohyaError, match=r"xl\.safetensors: lora_te2_text_model\.alpha belongs to a LoRA for SDXL"):
        read(tmp_path / "xl.safetensors")
