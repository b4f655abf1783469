"""The shapes of the layers that a LoRA can adapt in a base model, from the headers of its files (no torch here)."""

import re
from collections.abc import Iterator
from pathlib import Path

from trainer import EMBEDDED, EMBEDDED_BASES
from trainer.base_kind import TEXT, UNET, TornFile, read_header, weights
from trainer.dialect import kohya_name

Shapes = dict[str, tuple[int, ...]]  # kohya name -> shape of the weight: (out, in) or (out, in, k, k)

BLOCKS = re.compile(r"(down_blocks\.\d+|mid_block|up_blocks\.\d+)\.(attentions|resnets|downsamplers|upsamplers)\..+")
TEXT_LAYER = re.compile(r"(?:text_model\.)?(encoder\.layers\.\d+\.(?:self_attn\.(?:q|k|v|out)_proj|mlp\.fc[12]))")
RESNET = {"in_layers.2": "conv1", "out_layers.3": "conv2", "emb_layers.1": "time_emb_proj"}
EACH = 3  # blocks of the original U-Net that are one block of diffusers': two layers and a change of size


def layer_shapes(location: str | Path) -> Shapes:
    """Every layer of a base model that a LoRA can adapt, by kohya name. Raises TornFile."""
    place = EMBEDDED / "base" if str(location) in EMBEDDED_BASES else Path(location).expanduser()
    parts = ("unet", "text_encoder")
    files = [place] if place.is_file() else [file for part in parts for file in weights(place / part)]
    if not files:
        raise TornFile("has no weights. Choose another base model.")
    found: Shapes = {}
    for file in files:
        for key, tensor in read_header(file).items():
            path = _path(key) if place.is_file() else _in_folder(file.parent.name, key)
            if path and len(tensor["shape"]) > 1:
                found[kohya_name(path)] = tuple(int(side) for side in tensor["shape"])
    return found


def _in_folder(part: str, key: str) -> str | None:
    layer = key.removesuffix(".weight")
    if part == "unet":
        return f"unet.{layer}" if BLOCKS.fullmatch(layer) else None
    inside = TEXT_LAYER.fullmatch(layer)
    return f"text_encoder.text_model.{inside[1]}" if inside else None


def _path(key: str) -> str | None:
    """diffusers' name of a layer of a checkpoint in the original layout (CompVis/latent-diffusion, openaimodel.py)."""
    if key.startswith(f"{TEXT}transformer."):
        return _in_folder("text_encoder", key.removeprefix(f"{TEXT}transformer."))
    name = key.removeprefix(UNET).removesuffix(".weight")
    for found in _blocks(name):
        return f"unet.{found}"
    return None


def _blocks(name: str) -> Iterator[str]:
    if found := re.fullmatch(r"middle_block\.([012])\.(.+)", name):
        kind = ("resnets.0", "attentions.0", "resnets.1")[int(found[1])]
        yield f"mid_block.{kind}.{_inner(found[2])}"
    elif found := re.fullmatch(r"input_blocks\.([1-9]\d*)\.([01])\.(.+)", name):
        block, layer = divmod(int(found[1]) - 1, EACH)
        kind = f"{'attentions' if found[2] == '1' else 'resnets'}.{layer}"
        inner = f"{kind}.{_inner(found[3])}"
        yield f"down_blocks.{block}.{'downsamplers.0.conv' if found[3] == 'op' else inner}"
    elif found := re.fullmatch(r"output_blocks\.(\d+)\.([012])\.(.+)", name):
        block, layer = divmod(int(found[1]), EACH)
        kind = f"{'resnets' if found[2] == '0' else 'attentions'}.{layer}"
        inner = f"{kind}.{_inner(found[3])}"
        yield f"up_blocks.{block}.{'upsamplers.0.conv' if found[3] == 'conv' else inner}"


def _inner(name: str) -> str:
    return "conv_shortcut" if name == "skip_connection" else RESNET.get(name, name)
