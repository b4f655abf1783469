"""The texts inside pictures: A1111's lines, ComfyUI's graph, and files of sample prompts."""

import json
from pathlib import Path

import pytest
from drawn_elsewhere import PARAMETERS, a1111_text, comfyui_graph

from workbench.elsewhere.comfyui import parse_comfyui
from workbench.elsewhere.infotext import Lora, TextProblem, loras_in, pairs, parse_infotext, without_loras
from workbench.elsewhere.picture_file import read_header
from workbench.elsewhere.prompts_file import is_prompts_file, read_prompts

GOLDEN = Path(__file__).parent / "data" / "pictures"


def test_a_text_of_a1111_is_read_whole():
    drawn = parse_infotext(a1111_text())
    assert drawn.prompt == "photo of zwx woman, smiling"
    assert drawn.loras == (Lora("anna-000010", 0.8),)
    assert (drawn.negative, drawn.seed, drawn.steps, drawn.cfg) == ("blurry", 42, 20, 7.0)
    assert (drawn.sampler, drawn.size_px, drawn.model, drawn.clip_skip) == ("DPM++ 2M", (64, 64), "sd15", None)


@pytest.mark.parametrize("name", ["a1111/00001-42.png", "a1111/00002-42.jpg", "a1111/00003-42.webp"])
def test_png_jpeg_and_webp_say_the_same(name: str):
    header = read_header(GOLDEN / name, name)
    assert header.scheme == "infotext" and header.drawn == parse_infotext(a1111_text())


def test_forge_with_several_loras_on_several_lines():
    header = read_header(GOLDEN / "forge" / "00001-3000000000.png", "picture")
    drawn = header.drawn
    assert drawn is not None
    assert drawn.prompt == "zwx woman at the beach"
    assert drawn.loras == (Lora("detail", 0.5), Lora("anna-step00000500", 0.9))
    assert (drawn.seed, drawn.clip_skip, drawn.model) == (3_000_000_000, 2, "6ce0161689")
    assert drawn.parameters["Lora hashes"] == "detail: 0123, anna: 4567"


@pytest.mark.parametrize(
    ("tag", "strength"),
    [
        ("<lora:anna>", 1.0),
        ("<lora:anna:0.8>", 0.8),
        ("<lora:anna:-0.5>", -0.5),
        ("<lora:anna:0.2:0.8>", 0.8),  # text encoder, then image model
        ("<lora:anna:te=0.2:unet=0.8>", 0.8),
        ("<lora:anna:te=0.2>", 0.2),
        ("<lora:anna:0.7:lbw=1,0,0>", 0.7),
        ("<lyco:anna:0.7>", 0.7),
    ],
)
def test_the_strength_of_a_lora_is_that_on_the_image_model(tag: str, strength: float):
    assert loras_in(f"a, {tag}, b") == (Lora("anna", strength),)
    assert without_loras(f"a, {tag}, b") == "a, b"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (PARAMETERS.replace("Seed: 42", "Seed: nan"), "Seed"),
        (PARAMETERS.replace("Seed: 42", "Seed: 1e999"), "Seed"),
        (PARAMETERS.replace("Seed: 42", "Seed: -1"), "Seed"),
        (PARAMETERS.replace("Seed: 42", f"Seed: {2**64}"), "Seed"),
        (PARAMETERS.replace("Steps: 20", "Steps: many"), "Steps"),
        (PARAMETERS.replace("CFG scale: 7", "CFG scale: 1e999"), "CFG scale"),
        (PARAMETERS.replace("CFG scale: 7", "CFG scale: x"), "CFG scale"),
        (PARAMETERS.replace("64x64", "64"), "Size"),
        (PARAMETERS.replace("64x64", "0x64"), "Size"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_key(line: str, key: str):
    with pytest.raises(TextProblem, match=f"says {key}"):
        parse_infotext(a1111_text(parameters=line))


def test_a_prompt_without_parameters_is_a_prompt():
    drawn = parse_infotext("zwx woman, 35mm: f1.8\nat the beach")
    assert drawn.prompt == "zwx woman, 35mm: f1.8 at the beach" and drawn.seed is None


def test_quoted_values_hold_commas_and_colons():
    assert pairs('A: 1, B: "x, y: \\"z\\"", C: 3, D: "open') == [
        ("A", "1"),
        ("B", 'x, y: "z"'),
        ("C", "3"),
        ("D", "open"),
    ]


def test_a_graph_of_comfyui_is_followed_back_from_the_output():
    drawn = parse_comfyui(json.dumps(comfyui_graph()))
    assert drawn.prompt == "photo of zwx woman, smiling" and drawn.negative == "blurry"
    assert drawn.loras == (Lora("people/anna-000010.safetensors", 0.8),)
    assert (drawn.seed, drawn.steps, drawn.cfg, drawn.model, drawn.size_px) == (42, 20, 7.0, "sd15", (64, 64))


def test_seed_and_text_may_come_from_other_nodes():
    graph = comfyui_graph(seed=["20", 0], prompt=["21", 0])
    graph["20"] = {"class_type": "PrimitiveInt", "inputs": {"value": 77}}
    graph["21"] = {"class_type": "String", "inputs": {"string": "zwx at night"}}
    drawn = parse_comfyui(json.dumps(graph))
    assert (drawn.seed, drawn.prompt) == (77, "zwx at night")


def test_several_loras_of_a_graph_keep_their_order():
    drawn = parse_comfyui(json.dumps(comfyui_graph(loras=(("detail.safetensors", 0.3), ("anna.safetensors", 1.0)))))
    assert drawn.loras == (Lora("detail.safetensors", 0.3), Lora("anna.safetensors", 1.0))


def test_circles_in_a_graph_end():
    graph = comfyui_graph()
    graph["10"]["inputs"]["model"] = ["10", 0]
    with pytest.raises(TextProblem, match="circle"):
        parse_comfyui(json.dumps(graph))


@pytest.mark.parametrize(
    ("name", "text", "prompts"),
    [
        ("sample_prompts.txt", "# a\nzwx woman --n bad --w 512 --d 42\n\na woman\n", ("zwx woman", "a woman")),
        ("prompts.toml", '[prompt]\nwidth=512\n[[prompt.subset]]\nprompt="zwx"\nseed=1\n', ("zwx",)),
        ("sample-prompts.json", '[{"prompt": "zwx"}, "a woman"]', ("zwx", "a woman")),
    ],
)
def test_files_of_sample_prompts(tmp_path: Path, name: str, text: str, prompts: tuple[str, ...]):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert is_prompts_file(name) and read_prompts(tmp_path / name) == prompts
