"""Pictures as other programs write them, from the documented formats: for tests and the golden files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

PROMPT = "photo of zwx woman, smiling"
PARAMETERS = "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 42, Size: 64x64, Model: sd15"


def picture(number: int = 0, side_px: int | tuple[int, int] = 64) -> Image.Image:
    """A smooth picture, another one for each number."""
    width, height = (side_px, side_px) if isinstance(side_px, int) else side_px
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    bands = [(x + number * 0.13) % 1, (y + number * 0.29) % 1, (x * y + number * 0.41) % 1]
    return Image.fromarray((np.stack(bands, axis=2) * 255).astype(np.uint8))


def a1111_text(
    prompt: str = PROMPT + " <lora:anna-000010:0.8>", parameters: str = PARAMETERS, negative: str = "blurry"
) -> str:
    """The text that A1111 and Forge write."""
    return f"{prompt}\nNegative prompt: {negative}\n{parameters}"


def comfyui_graph(
    loras: Sequence[tuple[str, float]] = (("people/anna-000010.safetensors", 0.8),),
    seed: Any = 42,
    prompt: Any = PROMPT,
    **sampler: Any,
) -> dict[str, Any]:
    """A graph as ComfyUI writes it: checkpoint, LoRAs one after the other, sampler, decoder, output."""
    graph: dict[str, Any] = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15.safetensors"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": prompt, "clip": ["1", 1]}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["1", 1]}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    }
    model = ["1", 0]
    for number, (name, strength) in enumerate(loras):
        key = f"1{number}"
        inputs = {"lora_name": name, "strength_model": strength, "strength_clip": strength, "model": model}
        graph[key] = {"class_type": "LoraLoader", "inputs": inputs}
        model = [key, 0]
    inputs = {"seed": seed, "steps": 20, "cfg": 7.0, "sampler_name": "euler", "model": model, "positive": ["2", 0]}
    inputs |= {"negative": ["3", 0], "latent_image": ["4", 0], **sampler}
    graph["5"] = {"class_type": "KSampler", "inputs": inputs}
    graph["6"] = {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}}
    graph["7"] = {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "ComfyUI"}}
    return graph


def save(image: Image.Image, file: Path, **texts: str) -> Path:
    """Write a PNG with text chunks, a JPEG or WebP with the EXIF comment that A1111 writes through piexif."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".png":
        info = PngInfo()
        for key, text in texts.items():
            info.add_text(key, text)
        image.save(file, pnginfo=info)
        return file
    exif = Image.Exif()
    if "parameters" in texts:
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + texts["parameters"].encode("utf-16-be")
    image.save(file, exif=exif)
    return file


def save_comfyui(file: Path, number: int = 0, **graph: Any) -> Path:
    return save(picture(number), file, prompt=json.dumps(comfyui_graph(**graph)))


def grid(
    columns: int, rows: int, cell_px: int = 64, margin: int = 0, legend: bool = True, top: int = 37
) -> Image.Image:
    """A grid as modules/images.py of A1111 puts it together; the cell in column c of row r is picture c + 10 r."""
    left = cell_px * 3 // 4 if legend else 0
    top = top if legend else 0
    size = (left + columns * cell_px + margin * (columns - 1), top + rows * cell_px + margin * (rows - 1))
    sheet = Image.new("RGB", size, "white")
    for row in range(rows):
        for column in range(columns):
            corner = left + column * (cell_px + margin), top + row * (cell_px + margin)
            sheet.paste(picture(column + 10 * row, cell_px), corner)
    return sheet


def grid_text(x: tuple[str, str] | None, y: tuple[str, str] | None, prompt: str, **more: str) -> str:
    """The text of a grid: type and values of its axes; values with commas are quoted as JSON."""
    parts = [PARAMETERS, "Script: X/Y/Z plot"]
    for name, axis in (("X", x), ("Y", y)):
        if axis:
            value = json.dumps(axis[1]) if "," in axis[1] or ":" in axis[1] else axis[1]
            parts += [f"{name} Type: {axis[0]}", f"{name} Values: {value}"]
    parts += [f"{name}: {value}" for name, value in more.items()]
    return a1111_text(prompt, ", ".join(parts))
