"""What kind of base model lies somewhere, and which there are to choose from."""

import json
import shutil
import struct

import pytest

from db import library, places
from trainer import EMBEDDED
from workbench import bases, projects
from workbench.bases import BaseError, base_problem, describe
from workbench.cli import main
from workbench.workspace import Workspace

UNET, TEXT, VAE = "model.diffusion_model.", "cond_stage_model.transformer.text_model.", "first_stage_model."
SD1 = {
    f"{UNET}input_blocks.0.0.weight": (32, 4, 3, 3),
    f"{UNET}out.2.weight": (4, 32, 3, 3),
    f"{TEXT}embeddings.token_embedding.weight": (100, 64),
}
WHOLE = {**SD1, f"{VAE}decoder.conv_in.weight": (32, 4, 3, 3)}


def header_file(path, tensors, dtype="F16", metadata=None):
    """A safetensors file of zeros, written by hand."""
    size = {"F16": 2, "BF16": 2, "F32": 4}[dtype]
    header, end = {"__metadata__": metadata} if metadata else {}, 0
    for key, shape in tensors.items():
        count = 1
        for side in shape:
            count *= side
        header[key] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + count * size]}
        end += count * size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
    return path


@pytest.fixture
def db(tmp_path):
    return Workspace(tmp_path / "home").open()


@pytest.mark.parametrize(
    ("tensors", "kind", "words"),
    [
        (WHOLE, "checkpoint", ["Stable Diffusion 1.x checkpoint with VAE, fp16"]),
        (SD1, "no_vae", ["without a VAE", "model.vae.safetensors"]),
        ({**WHOLE, "v_pred": (1,)}, "checkpoint", ["predicts velocity"]),
        ({**WHOLE, f"{UNET}input_blocks.0.0.weight": (32, 9, 3, 3)}, "inpainting", ["9 channels"]),
        ({**WHOLE, "conditioner.embedders.0.transformer.x": (1,)}, "sdxl", ["SDXL", "1.x"]),
        ({**WHOLE, f"{UNET}label_emb.0.0.weight": (1,)}, "sdxl", ["SDXL"]),
        (
            {f"{UNET}input_blocks.0.0.weight": (1, 4), "cond_stage_model.model.ln_final.weight": (1,)},
            "sd2",
            ["Stable Diffusion 2"],
        ),
        ({f"{UNET}double_blocks.0.x": (1,)}, "other", ["another family"]),
        ({"lora_te_text_model_encoder.lora_down.weight": (4, 8)}, "lora", ["a LoRA, not a base model"]),
        ({"unet.down.lora_A.weight": (4, 8)}, "lora", ["a LoRA"]),
        ({"encoder.conv_in.weight": (1,), "decoder.conv_in.weight": (1,)}, "vae", ["a VAE alone"]),
        ({f"{UNET}input_blocks.0.0.weight": (1, 4)}, "unet", ["a U-Net alone"]),
        ({"text_model.embeddings.token_embedding.weight": (1,)}, "text_encoder", ["a text encoder alone"]),
        ({"control_model.x": (1,)}, "controlnet", ["ControlNet"]),
        ({"emb_params": (4, 768)}, "embedding", ["textual inversion"]),
        ({"something": (1,)}, "other", ["no checkpoint of Stable Diffusion"]),
        ({}, "other", ["no checkpoint of Stable Diffusion", "empty"]),
    ],
)
def test_a_file_is_known_by_its_header(tmp_path, tensors, kind, words):
    found = describe(str(header_file(tmp_path / "model.safetensors", tensors)))
    assert found.kind == kind and found.ok == (kind == "checkpoint")
    assert all(word in found.sentence for word in words), found.sentence
    assert (base_problem(found.location) is None) == found.ok


@pytest.mark.parametrize(("dtype", "word"), [("F16", "fp16"), ("F32", "fp32"), ("BF16", "bf16")])
def test_precision_and_size_are_told(tmp_path, dtype, word):
    file = header_file(tmp_path / "model.safetensors", {**WHOLE, "padding": (1_000_000,)}, dtype, {"format": "pt"})
    assert f"{word}, {file.stat().st_size / 1e6:.1f} MB" in describe(str(file)).sentence


def test_a_vae_beside_a_checkpoint_is_found(tmp_path):
    file = header_file(tmp_path / "model.safetensors", SD1)
    assert not describe(str(file)).ok
    header_file(tmp_path / "model.vae.safetensors", {"encoder.conv_in.weight": (1,)})
    assert describe(str(file)).ok and "model.vae.safetensors beside it" in describe(str(file)).sentence


def test_embedded_bases_are_described():
    for name in ("embedded", "embedded-painted"):
        assert describe(name).ok and "miniature" in describe(name).sentence
    assert "painting" in describe("embedded-painted").sentence


def test_folders_are_described(small_sd, tmp_path):
    found = describe(str(small_sd))
    assert (found.kind, found.ok) == ("folder", True) and "diffusers layout, fp32" in found.sentence
    copy = shutil.copytree(small_sd, tmp_path / "copy")
    (copy / "unet" / "diffusion_pytorch_model.safetensors").rename(copy / "unet" / "diffusion_pytorch_model.bin")
    assert describe(str(copy)).kind == "pickle" and "from_pretrained" in describe(str(copy)).sentence
    shutil.rmtree(copy / "unet")
    assert "no weights in unet" in describe(str(copy)).sentence
    shutil.copytree(copy / "text_encoder", copy / "text_encoder_2")
    assert describe(str(copy)).kind == "sdxl"
    assert describe(str(tmp_path)).kind == "broken_folder"


@pytest.mark.parametrize(
    ("content", "kind", "word"),
    [
        (b"", "torn", "no safetensors file"),
        (b"\x80\x02}q\x00.", "torn", "no safetensors file"),
        (struct.pack("<Q", 1 << 60) + b"{}", "torn", "no safetensors file"),
        (struct.pack("<Q", 2) + b"[]" + b"x" * 9, "torn", "no safetensors file"),
        (struct.pack("<Q", 9) + b'{"a": {}}', "torn", "no safetensors file"),
        (struct.pack("<Q", 32) + b'{"a": {"data_offsets": [0, 0]}}  ', "torn", "no safetensors file"),
    ],
)
def test_what_is_no_safetensors_file_is_told_and_breaks_nothing(tmp_path, content, kind, word):
    (tmp_path / "x.safetensors").write_bytes(content)
    found = describe(str(tmp_path / "x.safetensors"))
    assert found.kind == kind and word in found.sentence


def test_a_file_that_is_cut_short_a_pickle_and_nothing_are_told(tmp_path):
    file = header_file(tmp_path / "model.safetensors", WHOLE)
    file.write_bytes(file.read_bytes()[:-1])
    assert "cut short" in describe(str(file)).sentence
    (tmp_path / "model.ckpt").write_bytes(b"x")
    assert "pickle" in describe(str(tmp_path / "model.ckpt")).sentence
    assert "no base model at" in describe(str(tmp_path / "nowhere")).sentence


def test_candidates_are_the_miniatures_those_in_use_and_what_lies_in_the_models_folder(db, tmp_path, small_sd):
    models = tmp_path / "models"
    (models / "deep" / "er").mkdir(parents=True)
    one = header_file(models / "one.safetensors", WHOLE)
    two = header_file(models / "deep" / "er" / "two.safetensors", WHOLE)
    header_file(models / "lora.safetensors", {"a.lora_down.weight": (1,)})
    header_file(models / ".hidden.safetensors", WHOLE)
    folder = shutil.copytree(small_sd, models / "in diffusers layout")
    bases.set_models_folder(db, f'"{models}"')
    found = [base.location for base in bases.candidates(db, "/gone")]
    assert found == ["/gone", "embedded", "embedded-painted", str(folder), str(one), str(two)]
    bases.set_models_folder(db, "")
    assert len(bases.candidates(db)) == 2
    with pytest.raises(BaseError, match="no folder"):
        bases.set_models_folder(db, str(tmp_path / "nowhere"))


def test_the_environment_names_the_models_folder(db, tmp_path, monkeypatch):
    monkeypatch.setenv(bases.MODELS_VARIABLE, str(tmp_path))
    assert bases.models_folder(db) == tmp_path


def test_a_moved_base_is_found_at_its_new_place_and_keeps_its_location(db, tmp_path):
    file = header_file(tmp_path / "new.safetensors", WHOLE)
    assert bases.place(db, "/old/model.safetensors") == "/old/model.safetensors"
    with pytest.raises(projects.ProjectError, match="no base model at"):
        projects.add_project(db, "one", "zwx", "woman", base_model="/old/model.safetensors")
    assert bases.set_place(db, "/old/model.safetensors", str(file)).ok
    assert bases.place(db, "/old/model.safetensors") == str(file.resolve())
    project = projects.add_project(db, "one", "zwx", "woman", base_model="/old/model.safetensors")
    assert library.project(db, project)["base_model"] == "/old/model.safetensors"
    bases.set_place(db, "/old/model.safetensors", None)
    assert places.places(db) == {}


def test_a_place_without_a_base_is_refused(db, tmp_path):
    with pytest.raises(BaseError, match="no base model"):
        bases.set_place(db, "/old", str(tmp_path / "nowhere"))
    with pytest.raises(BaseError, match="comes along"):
        bases.set_place(db, "embedded", str(EMBEDDED / "base"))
    assert places.places(db) == {}


def test_the_command_line_lists_bases_and_places_one(tmp_path, capsys):
    ws = Workspace(tmp_path / "home")
    library.add_project(
        ws.open(),
        name="one",
        trigger_word="zwx",
        class_noun="woman",
        base_model="/old/model.safetensors",
        face_judge="none",
        clip_judge="none",
    )
    assert main(["--home", str(ws.home), "bases", "--json"]) == 0
    rows = {row["location"]: row for row in json.loads(capsys.readouterr().out)}
    assert (
        rows["embedded"]["ok"] and not rows["/old/model.safetensors"]["ok"] and rows["/old/model.safetensors"]["used"]
    )
    file = header_file(tmp_path / "new.safetensors", WHOLE)
    assert main(["--home", str(ws.home), "bases", "--place", "/old/model.safetensors", str(file)]) == 0
    assert f"used   /old/model.safetensors  (at {file.resolve()}): Stable Diffusion 1.x" in capsys.readouterr().out
    assert bases.place(ws.open(), "/old/model.safetensors") == str(file.resolve())
    assert main(["--home", str(ws.home), "bases", "--place", "/old/model.safetensors", "/nowhere"]) == 1
    assert "no base model" in capsys.readouterr().err
    assert main(["--home", str(ws.home), "bases", "--models", str(tmp_path)]) == 0
    assert str(file) in capsys.readouterr().out


def test_a_project_may_have_any_kind_of_base_that_can_be_trained_on(db, tmp_path, small_sd):
    file = header_file(tmp_path / "model.safetensors", WHOLE)
    for number, base in enumerate(("embedded-painted", str(small_sd), str(file))):
        projects.add_project(db, str(number), "zwx", "woman", base_model=base)
    header_file(tmp_path / "xl.safetensors", {"conditioner.embedders.0.x": (1,)})
    with pytest.raises(projects.ProjectError, match="SDXL"):
        projects.add_project(db, "xl", "zwx", "woman", base_model=str(tmp_path / "xl.safetensors"))
