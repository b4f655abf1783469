"""LoRA files made elsewhere: every dialect is read, every damaged file is refused with its name and its key."""

import json
import time
import tracemalloc

import pytest
from lora_files import BAD, GOLDEN, K, Q, packed, tensors

from trainer.layer_shapes import layer_shapes
from workbench.elsewhere.loras.lora_file import check_layers, read_lora
from workbench.elsewhere.loras.lora_header import LoraFileError
from workbench.elsewhere.loras.loras_found import Around, LorasError, found_in

AROUND = Around("embedded", "embedded", photos=30)


@pytest.mark.parametrize(
    ("name", "dialect", "layers"),
    [
        ("old", "kohya", 9),
        ("anna", "kohya", 9),
        ("locon", "kohya", 11),
        ("dora", "kohya", 9),
        ("hashes-only", "kohya", 9),
        ("no-metadata-000004", "kohya", 9),
        ("diffusers-old", "diffusers", 6),
        ("diffusers-new", "diffusers", 9),
        ("peft/adapter_model", "peft", 6),
    ],
)
def test_every_dialect_is_read_and_fits_the_miniature(name, dialect, layers):
    file = read_lora(GOLDEN / f"{name}.safetensors")
    assert (file.dialect, len(file.modules), file.precision) == (dialect, layers, "fp16")
    check_layers(file, layer_shapes("embedded"), "embedded")


def test_the_golden_files_are_what_their_maker_makes(tmp_path, monkeypatch):
    import importlib.util

    spec = importlib.util.spec_from_file_location("make", GOLDEN / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    (tmp_path / "peft").mkdir()
    monkeypatch.setattr(make, "HERE", tmp_path)
    make.main()
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.safetensors")}
    assert made == {path.relative_to(GOLDEN): path.read_bytes() for path in GOLDEN.rglob("*.safetensors")}
    assert sum(map(len, made.values())) < 300_000


def test_alphas_are_those_of_the_tensors_or_of_the_adapters_config():
    assert read_lora(GOLDEN / "old.safetensors").scale == 0.5  # alpha 1, rank 2
    assert read_lora(GOLDEN / "diffusers-old.safetensors").scale == 1.0  # nothing says otherwise
    peft = read_lora(GOLDEN / "peft" / "adapter_model.safetensors")
    assert peft.scale == pytest.approx(8 / 2**0.5)  # rsLoRA: alpha / sqrt(rank)
    new = read_lora(GOLDEN / "diffusers-new.safetensors").modules
    assert new["lora_unet_mid_block_attentions_0_proj_in"].alpha == 4.0  # by its own pattern
    assert new["lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"].alpha == 1.0
    assert new["lora_te_text_model_encoder_layers_0_mlp_fc1"].alpha == 3.0


def test_the_layers_of_a_base_are_found_in_its_headers(base):
    from trainer.adapter import targets

    assert layer_shapes("embedded") == {name: t.shape for name, t in targets(base, convolutions=True).items()}


def test_the_layers_of_a_single_file_are_those_of_its_folder(tmp_path):
    from one_file import one_file, small_sd1, write

    folder = small_sd1(tmp_path / "folder")
    file = write(one_file(folder), tmp_path / "one.safetensors")
    assert layer_shapes(file) == layer_shapes(folder)
    assert len(layer_shapes(folder)) > 250


def test_a_base_is_told_from_others_by_its_files(base, tmp_path):
    from trainer.base import load_base
    from trainer.device import probe
    from trainer.fingerprint import fingerprint

    assert fingerprint("embedded") == base.fingerprint
    assert fingerprint("embedded-painted") == load_base("embedded-painted", probe("cpu")).fingerprint


def test_there_are_a_hundred_damaged_files():
    assert len(BAD) >= 100


@pytest.mark.parametrize("what", BAD)
def test_a_damaged_file_is_refused_by_name_and_key(tmp_path, what):
    name, make, words = BAD[what]
    path = tmp_path / name
    path.write_bytes(make())
    tracemalloc.start()
    before = time.perf_counter()
    found = found_in([path], AROUND)
    seconds, (_, most) = time.perf_counter() - before, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    [problem] = found.problems
    assert problem.name == name and words in problem.why
    assert problem.why.endswith((".", ")")) and "\x1b" not in problem.why and len(problem.why) < 500
    assert found.runs == ()
    assert seconds < 10 and most < 100 << 20


def test_every_cut_of_a_file_is_refused(tmp_path):
    whole = packed(tensors())
    path = tmp_path / "cut.safetensors"
    for end in range(0, len(whole), 97):
        path.write_bytes(whole[:end])
        with pytest.raises(LoraFileError, match=r"cut\.safetensors"):
            read_lora(path)


def test_a_whole_file_among_the_makers_is_whole(tmp_path):
    path = tmp_path / "good.safetensors"
    path.write_bytes(packed(tensors()))
    file = read_lora(path)
    check_layers(file, layer_shapes("embedded"), "embedded")
    assert set(file.modules) == {Q, K}


def test_a_folder_named_like_a_lora_and_a_file_that_is_not_there_are_said(tmp_path):
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(LorasError, match=r"There is no LoRA file \(.safetensors\)"):
        found_in([tmp_path / "folder.safetensors"], AROUND)
    with pytest.raises(LorasError, match="There is no file or folder"):
        found_in([tmp_path / "nowhere.safetensors"], AROUND)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (b"{", "can't be read"),
        (b"[]", "no JSON object"),
        (b'{"peft_type": "LOHA"}', "peft_type is LOHA"),
        (b'{"lora_alpha": 8}', "peft_type is None"),
        (b'{"peft_type": "LORA", "lora_alpha": -8}', "unet.lora_alpha is -8"),
        (b" " * (2 << 20), "too large"),
    ],
)
def test_a_config_of_peft_that_is_none_is_refused(tmp_path, config, words):
    path = tmp_path / "adapter_model.safetensors"
    path.write_bytes((GOLDEN / "peft" / path.name).read_bytes())
    (tmp_path / "adapter_config.json").write_bytes(config)
    with pytest.raises(LoraFileError) as caught:
        read_lora(path)
    assert path.name in str(caught.value) and words in str(caught.value)


def test_the_key_that_is_wrong_is_found_after_many_that_are_right(tmp_path):
    named = tensors()
    named[f"{Q}.lora_up.weight"] = named[f"{Q}.lora_up.weight"].copy()
    named[f"{Q}.lora_up.weight"][77, 1] = float("nan")
    path = tmp_path / "one.safetensors"
    path.write_bytes(packed(named, {"note": json.dumps({})}))
    with pytest.raises(LoraFileError, match=f"{Q}.lora_up.weight has values that are not finite"):
        read_lora(path)
