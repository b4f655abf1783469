"""What kind of base model lies somewhere: looked up in file names, configs and headers, without reading a weight."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer import EMBEDDED_BASES

PICKLES = {".bin", ".ckpt", ".pt", ".pth"}
UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model."
EMBEDDED_PX, SD1_PX = 64, 512  # side of the pictures that they were made for
HEADER_LIMIT = 100_000_000  # bytes; safetensors' own
TYPES = {"F16": "fp16", "F32": "fp32", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8"}
LORA_SIGNS = (".lora_down.", ".lora_up.", ".lora_A.", ".lora_B.", ".lora.down.", ".lora.up.", ".hada_w1", ".lokr_w1")
ONLY_SD1 = "Only Stable Diffusion 1.x can be trained here so far: choose a 1.x checkpoint or a 1.x folder."
EMBEDDED_SENTENCES = {
    "embedded": "the miniature that comes along: synthetic portraits of 64 px",
    "embedded-painted": "the miniature that comes along, turned to paintings by a LoRA that is merged in",
}

Header = dict[str, dict[str, Any]]  # tensor -> dtype, shape, data_offsets


class TornFile(ValueError):
    """A safetensors file that is no such file, or not all of it. The text is the rest of a sentence."""


@dataclass(frozen=True)
class BaseKind:
    """What lies in a place. ``sentence``: what it is and, where it can't be trained on, what to do.

    kind: embedded, folder, checkpoint (these can be trained on), sd2, sdxl, other, inpainting, no_vae, unet, vae,
    text_encoder, controlnet, lora, embedding, pickle, torn, broken_folder, nothing. ``own_vae``: a checkpoint's
    VAE is inside it. ``velocity``: a checkpoint says that it predicts velocity rather than noise. ``size_px``: side
    of the pictures that it was made for; None = not known.
    """

    kind: str
    sentence: str
    own_vae: bool = False
    velocity: bool = False
    size_px: int | None = None

    @property
    def ok(self) -> bool:
        return self.kind in ("embedded", "folder", "checkpoint")


def base_kind(location: str | Path) -> BaseKind:
    """What kind of base model ``location`` is. Never raises for what lies there."""
    if str(location) in EMBEDDED_BASES:
        return BaseKind("embedded", EMBEDDED_SENTENCES[str(location)], own_vae=True, size_px=EMBEDDED_PX)
    path = Path(location).expanduser()
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        text = (
            f"There is no base model at {location}. Give the path of a diffusers folder or a .safetensors checkpoint."
        )
        return BaseKind("nothing", text)
    if path.suffix.lower() in PICKLES:
        return BaseKind("pickle", f"{path} is a pickle file, which can run code. {how_to_convert(path)}")
    try:
        return _file(path, read_header(path))
    except TornFile as error:
        return BaseKind("torn", f"{path.name} {error}")


def read_header(path: Path) -> Header:
    """The tensors of a safetensors file, without its metadata. Raises TornFile.

    Layout (safetensors, README): 8 bytes little-endian length, that many bytes of JSON, then the tensors.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(HEADER_LIMIT, size - 8):
                raise TornFile("is no safetensors file. Choose another file.")
            header = json.loads(stream.read(length))
            tensors = {
                key: {name: value[name] for name in ("dtype", "shape", "data_offsets")}
                for key, value in header.items()
                if key != "__metadata__"
            }
            end = 8 + length + max((int(tensor["data_offsets"][1]) for tensor in tensors.values()), default=0)
    except OSError as error:
        raise TornFile(f"can't be opened ({error.strerror or error}).") from error
    except (ValueError, AttributeError, TypeError, KeyError, IndexError) as error:
        if isinstance(error, TornFile):
            raise
        raise TornFile("is no safetensors file. Choose another file.") from error
    if size < end:
        raise TornFile(f"is cut short: {size:,} of {end:,} bytes are there. Copy or download it again.")
    return tensors


def vae_beside(checkpoint: Path) -> Path | None:
    """The VAE that WebUIs look for beside a checkpoint (NAME.vae.safetensors), or None."""
    file = checkpoint.with_name(f"{checkpoint.stem}.vae.safetensors")
    return file if file.is_file() else None


def how_to_convert(source: Path) -> str:
    load = "from_single_file" if source.is_file() else "from_pretrained"
    return (
        f"If you trust its origin, convert it once: StableDiffusionPipeline.{load}({source.name!r})"
        ".save_pretrained('new-folder') writes safetensors; then use the new folder."
    )


def _file(path: Path, header: Header) -> BaseKind:
    kind, what = _contents(header)
    about = f"{_type(header)}, {_gigabytes(path.stat().st_size)}"
    if kind != "checkpoint":
        return BaseKind(kind, f"{path.name} is {what} ({about}). {_instead(kind)}")
    own_vae = f"{VAE}decoder.conv_in.weight" in header
    beside = vae_beside(path)
    if not own_vae and beside is None:
        text = (
            f"{path.name} is a Stable Diffusion 1.x checkpoint without a VAE ({about}). Put its VAE beside it under "
            f"the name {path.stem}.vae.safetensors, or choose a checkpoint with a VAE inside."
        )
        return BaseKind("no_vae", text)
    vae = "with VAE" if own_vae else f"with the VAE {beside.name if beside else ''} beside it"
    velocity = "v_pred" in header
    how = ", predicts velocity" if velocity else ""
    return BaseKind("checkpoint", f"Stable Diffusion 1.x checkpoint {vae}, {about}{how}", own_vae, velocity, SD1_PX)


def _contents(header: Header) -> tuple[str, str]:
    """The kind of a safetensors file and what to call it, from the names and shapes of its tensors."""

    def has(*starts: str) -> bool:
        return any(key.startswith(starts) for key in header)

    if any(sign in key for key in header for sign in LORA_SIGNS):
        return "lora", "a LoRA, not a base model"
    if has("conditioner.embedders."):
        return "sdxl", "an SDXL checkpoint"
    if has("control_model.", "controlnet_"):
        return "controlnet", "a ControlNet, not a base model"
    if has(f"{UNET}joint_blocks.", f"{UNET}double_blocks.", "joint_blocks.", "double_blocks."):
        return "other", "a checkpoint of another family (SD 3, Flux)"
    if f"{UNET}input_blocks.0.0.weight" in header:
        return _ldm(header)
    if has("down_blocks.", "input_blocks."):
        return "unet", "a U-Net alone"
    if has(VAE, "encoder.conv_in.") and has(VAE, "decoder."):
        return "vae", "a VAE alone"
    if has("text_model.", "embeddings.token_embedding."):
        return "text_encoder", "a text encoder alone"
    if 0 < len(header) <= 4 and has("emb_params", "string_to_param", "clip_l", "clip_g"):
        return "embedding", "a textual inversion, not a base model"
    return "other", "no checkpoint of Stable Diffusion that is known here"


def _ldm(header: Header) -> tuple[str, str]:
    """The kind of a checkpoint in the original layout (CompVis/latent-diffusion names)."""
    if f"{UNET}label_emb.0.0.weight" in header:
        return "sdxl", "an SDXL checkpoint"
    if any(key.startswith(f"{TEXT}model.") for key in header):
        return "sd2", "a Stable Diffusion 2 checkpoint"
    if not any(key.startswith(f"{TEXT}transformer.") for key in header):
        return "unet", "a U-Net alone"
    takes, gives = (header.get(f"{UNET}{name}.weight", {}).get("shape", []) for name in ("input_blocks.0.0", "out.2"))
    if len(takes) == len(gives) == 4 and takes[1] != gives[0]:
        return "inpainting", f"a checkpoint whose U-Net takes {takes[1]} channels (inpainting, pix2pix)"
    return "checkpoint", "a Stable Diffusion 1.x checkpoint"


def _instead(kind: str) -> str:
    if kind in ("unet", "vae", "text_encoder"):
        return "Choose a whole checkpoint, or the diffusers folder that it belongs to."
    if kind in ("lora", "embedding", "controlnet"):
        return "Choose the checkpoint that it was made for."
    if kind == "inpainting":
        return "Choose the text-to-image checkpoint of the same model."
    return ONLY_SD1


def _type(header: Header) -> str:
    """Precision of most bytes: fp16, fp32, bf16."""
    size: Counter[str] = Counter()
    for tensor in header.values():
        start, end = tensor["data_offsets"]
        dtype = str(tensor["dtype"])
        size[TYPES.get(dtype, dtype)] += end - start
    return size.most_common(1)[0][0] if size else "empty"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _folder(folder: Path) -> BaseKind:
    """A diffusers folder, by its configs."""
    if not (folder / "model_index.json").is_file():
        text = (
            f"{folder} is no base model: a folder with model_index.json, unet, vae, text_encoder and tokenizer is "
            "needed (diffusers layout), or a .safetensors checkpoint. Correct the path."
        )
        return BaseKind("broken_folder", text)
    index, unet = _json(folder / "model_index.json"), _json(folder / "unet" / "config.json")
    width = unet.get("cross_attention_dim")
    if "XL" in str(index.get("_class_name")) or (folder / "text_encoder_2").exists():
        return BaseKind("sdxl", f"{folder.name} is an SDXL model in diffusers layout. {ONLY_SD1}")
    if width == 1024:
        return BaseKind("sd2", f"{folder.name} is a Stable Diffusion 2 model in diffusers layout. {ONLY_SD1}")
    parts = ("unet", "vae", "text_encoder")
    files = {part: weights(folder / part) for part in parts}
    absent = [part for part in parts if not files[part]]
    if absent and any(file.suffix in PICKLES for part in absent for file in (folder / part).glob("*")):
        text = f"{folder} has only pickle files in {absent[0]}, which can run code. {how_to_convert(folder)}"
        return BaseKind("pickle", text)
    if absent:
        text = f"{folder} has no weights in {', '.join(absent)}. Copy the whole diffusers folder."
        return BaseKind("broken_folder", text)
    size = sum(file.stat().st_size for part in parts for file in files[part])
    try:
        about = f"{_type(read_header(files['unet'][0]))}, {_gigabytes(size)}"
    except TornFile as error:
        return BaseKind("torn", f"{folder.name}: the U-Net {error}")
    cells, factor = unet.get("sample_size"), len(_json(folder / "vae" / "config.json").get("block_out_channels") or [])
    side = cells * 2 ** (factor - 1) if isinstance(cells, int) and factor else None
    return BaseKind("folder", f"Stable Diffusion 1.x in diffusers layout, {about}", own_vae=True, size_px=side)


def weights(place: Path) -> list[Path]:
    """The weight files of a part: the fp16 variant only where there is no other, as it is loaded."""
    found = sorted(place.glob("*.safetensors"))
    return [file for file in found if ".fp16." not in file.name] or found


def _json(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
