"""The names of tensors in LoRA files: kohya's, diffusers' and peft's, all read as kohya's (no torch here).

Sources: sd-scripts networks/lora.py; LyCORIS; diffusers loaders/lora_base.py and utils/state_dict_utils.py (a LoRA was
`to_q_lora.down` in an attention processor first, then `to_q.lora.down`, then peft's `to_q.lora_A`; that of a text
encoder `lora_linear_layer.down`); peft utils/save_and_load.py (`base_model.model.` before all).
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

DOWN, UP, ALPHA, DORA = "lora_down.weight", "lora_up.weight", "alpha", "dora_scale"  # kohya's keys in a file

Dialect = Literal["kohya", "diffusers", "peft"]
ADAPTER_METADATA = "lora_adapter_metadata"  # diffusers >= 0.34 keeps peft's LoraConfig under it
PEFT_START = "base_model.model."
PEFT_CONFIG = "adapter_config.json"  # beside a file of peft's own: it alone knows the alpha

KOHYA_KEY = re.compile(r"(lora_(?:unet|te)_[A-Za-z0-9_]+)\.(lora_down\.weight|lora_up\.weight|alpha|dora_scale)")
HALVES = {  # every spelling of the two halves, the longer ones first
    ".lora_linear_layer.down.weight": DOWN,
    ".lora_linear_layer.up.weight": UP,
    ".lora_A.weight": DOWN,
    ".lora_B.weight": UP,
    ".lora.down.weight": DOWN,
    ".lora.up.weight": UP,
    "_lora.down.weight": DOWN,
    "_lora.up.weight": UP,
    ".alpha": ALPHA,
}
PATH = re.compile(r"[a-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*")
UNET_STARTS = ("down_blocks.", "mid_block.", "up_blocks.")
OF_PROCESSORS = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}  # in a text encoder

NOT_SD1: tuple[tuple[tuple[str, ...], str], ...] = (  # how a key begins -> what it belongs to
    (("lora_te1_", "lora_te2_", "text_encoder_2."), "SDXL, which has two text encoders"),
    (("lora_unet_input_blocks_", "lora_unet_middle_block_", "lora_unet_output_blocks_"), "SDXL (original names)"),
    (
        ("lora_unet_double_blocks_", "lora_unet_single_blocks_", "double_blocks.", "single_blocks.", "lora_te3_"),
        "Flux or SD 3",
    ),
    (
        ("transformer.", "lora_transformer_", "diffusion_model.", "lora_unet_joint_blocks_"),
        "a transformer model, such as Flux or SD 3",
    ),
)
NOT_LORA: tuple[tuple[tuple[str, ...], str], ...] = (
    (("model.diffusion_model.", "first_stage_model.", "cond_stage_model."), "a base model's, not a LoRA's"),
    (("emb_params", "string_to_param"), "a textual inversion's, not a LoRA's"),
    (("control_model.", "controlnet_", "lllite_"), "a ControlNet's, not a LoRA's"),
)
OTHER_KINDS = (  # what stands in a key of another kind of adapter
    ("hada_", "LoHa (hada), which is no plain LoRA"),
    ("lokr_", "LoKr, which is no plain LoRA"),
    ("lora_mid.", "LoCon with a core tensor (use_tucker, use_cp)"),
    ("oft_", "OFT, which is no plain LoRA"),
    ("lora_magnitude_vector", "peft's DoRA (lengths of output rows, which programs read in different ways)"),
    (".on_input", "IA3, which is no plain LoRA"),
    ("_norm", "a LyCORIS with trained norms (train_norm)"),
    (".diff", "a difference of whole weights (LyCORIS full), which is no plain LoRA"),
)
WIDTHS = {1024: "Stable Diffusion 2", 1280: "SDXL", 2048: "SDXL"}  # of the text that attn2 attends to


class ForeignKey(ValueError):
    """A key that is none of a plain LoRA for SD 1.x. The text is the rest of a sentence that begins with the key."""


@dataclass(frozen=True)
class Place:
    """Which tensor a key means: kohya's module and slot, and diffusers' name of the layer ('' where kohya wrote it)."""

    module: str
    slot: str
    path: str = ""  # unet.down_blocks.0..., text_encoder.text_model....


def dialect_of(keys: Iterable[str]) -> Dialect:
    """Who names tensors so."""
    first = next(iter(keys), "")
    if first.startswith("lora_"):
        return "kohya"
    return "peft" if first.startswith(PEFT_START) else "diffusers"


def place_of(key: str) -> Place:
    """What a key means. Raises ForeignKey for one that is none of a plain LoRA for SD 1.x."""
    if problem := _foreign(key):
        raise ForeignKey(problem)
    if found := KOHYA_KEY.fullmatch(key):
        return Place(found[1], found[2])
    suffix = next((suffix for suffix in HALVES if key.endswith(suffix)), None)
    if suffix is None:
        raise ForeignKey("is no key of a plain LoRA in kohya's, diffusers' or peft's names. Use another file.")
    path = _path(key.removeprefix(PEFT_START).removesuffix(suffix))
    if path is None:
        raise ForeignKey("names no layer of a U-Net or text encoder of SD 1.x. Use a LoRA that was made for it.")
    return Place(kohya_name(path), HALVES[suffix], path)


def kohya_name(path: str) -> str:
    """unet.down_blocks.0.attentions.0.proj_in -> lora_unet_down_blocks_0_attentions_0_proj_in."""
    part, _, layer = path.partition(".")
    return f"{'lora_unet_' if part == 'unet' else 'lora_te_'}{layer.replace('.', '_')}"


def _foreign(key: str) -> str | None:
    for starts, family in NOT_SD1:
        if key.startswith(starts):
            return f"belongs to a LoRA for {family}. Only LoRAs for Stable Diffusion 1.x can be used here so far."
    for starts, owner in NOT_LORA:
        if key.startswith(starts):
            return f"is {owner}. Choose a LoRA file."
    for sign, kind in OTHER_KINDS:
        if sign in key.removeprefix("lora_unet_").removeprefix("lora_te_"):
            return f"belongs to {kind}. Use a LoRA, a LoCon, or a DoRA in kohya's names."
    return None


def _path(layer: str) -> str | None:
    """The layer's path in today's names, unet. or text_encoder. before it; None for what is neither."""
    if layer.startswith(UNET_STARTS):
        layer = f"unet.{layer}"
    elif layer.startswith(("text_model.", "encoder.layers.")):
        layer = f"text_encoder.{layer}"
    part, _, path = layer.partition(".")
    if part not in ("unet", "text_encoder") or not PATH.fullmatch(path):
        return None
    path = path.replace(".processor.", ".")
    if part == "unet":
        return f"unet.{re.sub(r'[.]to_out$', '.to_out.0', path)}"
    path = re.sub(r"[.](to_q|to_k|to_v|to_out)$", lambda found: f".{OF_PROCESSORS[found[1]]}", path)
    return f"text_encoder.{path if path.startswith('text_model.') else f'text_model.{path}'}"


def wrong_family(module: str, down: tuple[int, ...]) -> str | None:
    """What a LoRA was made for, if the width of the text that its U-Net attends to is not SD 1.x's."""
    if len(down) == 2 and module.startswith("lora_unet_") and module.endswith(("attn2_to_k", "attn2_to_v")):
        return WIDTHS.get(down[1])
    return None


def adapter_config(metadata: Mapping[str, str]) -> dict[str, Any]:
    """peft's LoraConfig as diffusers keeps it in a file, {} without one. ValueError for one that can't be read."""
    text = metadata.get(ADAPTER_METADATA)
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{ADAPTER_METADATA} in the metadata is no JSON") from error
    if not isinstance(found, dict):
        raise ValueError(f"{ADAPTER_METADATA} in the metadata is no JSON object")
    return found


def alpha_of(config: Mapping[str, Any], path: str, dim: int) -> float:
    """kohya's alpha of a module whose file says nothing itself: peft's lora_alpha, without a config its dim (scale 1).

    Patterns are names, or ends of names, of layers; rsLoRA's scale alpha / sqrt(dim) is kohya's of alpha x sqrt(dim).
    ValueError for what is no number, or for a pattern that is more than a name.
    """
    part, _, layer = path.partition(".")

    def told(name: str) -> Any:
        return config.get(f"{part}.{name}")

    alpha = told("lora_alpha")
    patterns = told("alpha_pattern") or {}
    if not isinstance(patterns, dict):
        raise ValueError(f"{part}.alpha_pattern is no JSON object")
    for pattern, value in patterns.items():
        name = pattern.removeprefix("^").removesuffix("$").replace("\\.", ".")
        if not re.fullmatch(r"[A-Za-z0-9_.]+", name):
            raise ValueError(f"{part}.alpha_pattern has {pattern[:60]!r}, which is no name of a layer")
        if layer == name or layer.endswith(f".{name}"):
            alpha = value
            break
    if alpha is None:
        return float(dim)
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not (math.isfinite(alpha) and alpha > 0):
        raise ValueError(f"{part}.lora_alpha is {alpha!r}, which is no number above 0")
    return float(alpha * math.sqrt(dim)) if told("use_rslora") is True else float(alpha)
