"""The texts inside pictures: A1111's lines, ComfyUI's graph, and files of sample prompts."""

import json
from pathlib import Path
from typing import Any

import pytest
from drawn_elsewhere import PARAMETERS, PROMPT, a1111_text, comfyui_graph, picture
from PIL import Image

from workbench.elsewhere.pictures.comfyui import parse_comfyui
from workbench.elsewhere.pictures.infotext import Lora, TextProblem, loras_in, pairs, parse_infotext, without_loras
from workbench.elsewhere.pictures.picture_file import read_header
from workbench.elsewhere.pictures.prompts_file import is_prompts_file, read_prompts

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
        ("<lora:anna:0.5:te=0.2>", 0.2),  # a named weight goes before a plain one
        ("<lora:anna:0.5:unet=0.8>", 0.8),
        ("<lora:anna:0.5:0.8:64>", 0.8),  # the third is how many dimensions are used
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


def test_a_prompt_of_many_lines_and_words_of_its_own_is_read_whole():
    prompt = "zwx woman,\nBREAK a beach: sunny\nAND (sea:1.2) :0.5 <lora:anna-000010:0.8>"
    template = '\nTemplate: "zwx {woman|girl} __place__"\nNegative Template: blurry'
    drawn = parse_infotext(a1111_text(prompt, negative="blurry,\nbad: hands") + template)
    assert drawn.prompt == "zwx woman, BREAK a beach: sunny AND (sea:1.2) :0.5"
    assert (drawn.negative, drawn.seed, drawn.loras) == ("blurry,\nbad: hands", 42, (Lora("anna-000010", 0.8),))


def test_a_line_of_hashes_names_loras_without_their_strength():
    drawn = parse_infotext(a1111_text(PROMPT, PARAMETERS + ', Lora hashes: "anna-000010: 0a1b, detail: 2c3d"'))
    assert drawn.loras == () and drawn.hashed == (Lora("anna-000010", None), Lora("detail", None))


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


def hires(graph: dict[str, Any]) -> dict[str, Any]:
    """The graph with a second sampler on the enlarged picture, and previews of the first one's."""
    second = {**graph["5"]["inputs"], "seed": 7, "steps": 10, "denoise": 0.5, "latent_image": ["31", 0]}
    graph["6"]["inputs"]["samples"] = ["32", 0]
    first = {"30": {"class_type": "PreviewImage", "inputs": {"images": ["33", 0]}}}
    return (
        first
        | graph
        | {
            "31": {"class_type": "LatentUpscaleBy", "inputs": {"samples": ["5", 0], "scale_by": 2.0}},
            "32": {"class_type": "KSampler", "inputs": second},
            "33": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        }
    )


def test_of_two_samplers_the_first_says_seed_and_settings():
    drawn = parse_comfyui(json.dumps(hires(comfyui_graph())))
    assert (drawn.seed, drawn.steps, drawn.size_px) == (42, 20, (64, 64))
    assert drawn.loras == (Lora("people/anna-000010.safetensors", 0.8),)


def test_a_lora_that_only_the_second_sampler_uses_is_found():
    graph = hires(comfyui_graph())
    graph["5"]["inputs"]["model"] = ["1", 0]
    assert parse_comfyui(json.dumps(graph)).loras == (Lora("people/anna-000010.safetensors", 0.8),)


def test_a_sampler_may_have_its_parts_in_nodes_of_their_own():
    graph = comfyui_graph()
    own = graph["5"]["inputs"]
    names = ("model", "positive", "negative", "cfg")
    graph["40"] = {"class_type": "CFGGuider", "inputs": {name: own[name] for name in names}}
    graph["41"] = {"class_type": "RandomNoise", "inputs": {"noise_seed": 43}}
    graph["42"] = {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}}
    graph["43"] = {"class_type": "BasicScheduler", "inputs": {"model": own["model"], "steps": 12, "denoise": 1.0}}
    parts = {"guider": ["40", 0], "noise": ["41", 0], "sampler": ["42", 0], "sigmas": ["43", 0]}
    graph["5"] = {"class_type": "SamplerCustomAdvanced", "inputs": {**parts, "latent_image": ["4", 0]}}
    drawn = parse_comfyui(json.dumps(graph))
    assert (drawn.seed, drawn.steps, drawn.cfg, drawn.sampler, drawn.size_px) == (43, 12, 7.0, "euler", (64, 64))
    assert (drawn.prompt, drawn.negative) == ("photo of zwx woman, smiling", "blurry")
    assert drawn.loras == (Lora("people/anna-000010.safetensors", 0.8),)


def test_rows_of_the_power_lora_loader_are_read_where_they_are_on():
    graph = comfyui_graph()
    rows = {"lora_1": {"on": True, "lora": "anna-000010.safetensors", "strength": 0.7}}
    rows["lora_2"] = {"on": False, "lora": "detail.safetensors", "strength": 1.0}
    graph["10"] = {"class_type": "Power Lora Loader (rgthree)", "inputs": {**rows, "model": ["1", 0]}}
    assert parse_comfyui(json.dumps(graph)).loras == (Lora("anna-000010.safetensors", 0.7),)


@pytest.mark.parametrize("inputs", [{"lora_stack": ["9", 0]}, {"lora_01": "anna.safetensors", "strength_01": 0.8}])
def test_a_node_that_loads_loras_in_its_own_way_is_refused_and_not_taken_for_the_base(inputs: dict[str, Any]):
    graph = comfyui_graph()
    graph["10"] = {"class_type": "Lora Loader Stack", "inputs": {**inputs, "model": ["1", 0]}}
    with pytest.raises(TextProblem, match=r"LoRAs in node 10 \('Lora Loader Stack'"):
        parse_comfyui(json.dumps(graph))


def test_joined_texts_and_both_sides_of_a_controlnet_are_told_apart():
    graph = comfyui_graph(prompt=["50", 0])
    graph["50"] = {"class_type": "StringConcatenate", "inputs": {"string_a": "zwx", "string_b": ["51", 0]}}
    graph["50"]["inputs"]["delimiter"] = " "
    graph["51"] = {
        "class_type": "ImpactWildcardProcessor",
        "inputs": {"wildcard_text": "__x__", "populated_text": "hat"},
    }
    graph["52"] = {"class_type": "CLIPTextEncode", "inputs": {"text": "sea", "clip": ["1", 1]}}
    graph["53"] = {
        "class_type": "ConditioningCombine",
        "inputs": {"conditioning_1": ["2", 0], "conditioning_2": ["52", 0]},
    }
    graph["54"] = {"class_type": "ControlNetApplyAdvanced", "inputs": {"positive": ["53", 0], "negative": ["3", 0]}}
    graph["5"]["inputs"] |= {"positive": ["54", 0], "negative": ["54", 1]}
    drawn = parse_comfyui(json.dumps(graph))
    assert (drawn.prompt, drawn.negative) == ("zwx hat AND sea", "blurry")


def test_the_graph_in_a_webp_of_comfyui_is_read(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0110] = "prompt:" + json.dumps(comfyui_graph())
    picture().save(tmp_path / "a.webp", exif=exif)
    header = read_header(tmp_path / "a.webp", "a.webp")
    assert header.scheme == "comfyui" and header.drawn == parse_comfyui(json.dumps(comfyui_graph()))


def test_circles_in_a_graph_end():
    graph = comfyui_graph()
    graph["10"]["inputs"]["model"] = ["10", 0]
    with pytest.raises(TextProblem, match="circle"):
        parse_comfyui(json.dumps(graph))


@pytest.mark.parametrize(
    ("name", "text", "prompts"),
    [
        ("sample_prompts.txt", "# a\nzwx woman --n bad --w 512 --d 42\n\na woman --ar 3:2\n", ("zwx woman", "a woman")),
        ("prompts.toml", '[prompt]\nwidth=512\n[[prompt.subset]]\nprompt="zwx"\nseed=1\n', ("zwx",)),
        ("sample-prompts.json", '[{"prompt": "zwx"}, "a woman"]', ("zwx", "a woman")),
    ],
)
def test_files_of_sample_prompts(tmp_path: Path, name: str, text: str, prompts: tuple[str, ...]):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert is_prompts_file(name) and read_prompts(tmp_path / name) == prompts
