"""The CLIP judge: how well a picture fits a prompt, as raw cosine, through any model of open_clip."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.judges.find import CLIP_WEIGHTS
from workbench.judges.info import JudgeInfo, JudgeUnavailable

PAIRS_PER_BATCH = 32


class ClipJudge:
    """A loaded CLIP model. ``device`` is a torch device name."""

    def __init__(self, info: JudgeInfo, device: str = "cpu") -> None:
        self.info, self.device = info, device
        with contextlib.redirect_stdout(sys.stderr):  # the engine speaks JSON on standard output
            import open_clip
            from safetensors import SafetensorError

            model, weights, tag = model_and_weights(info)
            refuse_hub(model)
            published = open_clip.get_pretrained_cfg(model, tag)  # lost when a file is loaded by its path
            try:
                self.model, _, self.preprocess = open_clip.create_model_and_transforms(
                    model,
                    pretrained=str(weights),
                    device=device,
                    force_quick_gelu=bool(published.get("quick_gelu", False)),
                    image_mean=published.get("mean"),
                    image_std=published.get("std"),
                    image_interpolation=published.get("interpolation"),
                    image_resize_mode=published.get("resize_mode"),
                )
            except (RuntimeError, KeyError, AssertionError, SafetensorError) as error:
                why = f"{type(error).__name__}: {error}".splitlines()[0]
                raise does_not_fit(model, weights, why) from error
            self.tokenizer: Any = open_clip.get_tokenizer(model)  # context length: from the model's config
        self.model.eval()
        self._texts: dict[str, Any] = {}  # prompt -> unit vector: a plan has few prompts and many pictures

    def similarity(self, images: Sequence[NDArray[np.uint8]], prompts: Sequence[str]) -> list[float]:
        """Raw cosine (-1 to 1) between each picture (height x width x 3) and the prompt at the same place."""
        import torch

        if len(images) != len(prompts):
            raise ValueError(f"{len(images)} pictures and {len(prompts)} prompts: there must be one for each.")
        cosines: list[float] = []
        with torch.inference_mode():
            self._encode_texts([prompt for prompt in dict.fromkeys(prompts) if prompt not in self._texts])
            for start in range(0, len(images), PAIRS_PER_BATCH):
                batch = range(start, min(start + PAIRS_PER_BATCH, len(images)))
                pixels = torch.stack([self.preprocess(Image.fromarray(images[i])) for i in batch])
                pictures = unit(self.model.encode_image(pixels.to(self.device)))
                texts = torch.stack([self._texts[prompts[i]] for i in batch])
                cosines += (pictures * texts).sum(dim=-1).float().tolist()
        return cosines

    def _encode_texts(self, prompts: Sequence[str]) -> None:
        """Remember the unit vectors of prompts."""
        for start in range(0, len(prompts), PAIRS_PER_BATCH):
            batch = list(prompts[start : start + PAIRS_PER_BATCH])
            vectors = unit(self.model.encode_text(self.tokenizer(batch).to(self.device)))
            self._texts.update(zip(batch, vectors, strict=True))


def model_and_weights(info: JudgeInfo) -> tuple[str, Path, str]:
    """open_clip's name of the model, its weights, and the tag under which they are published ('' if none)."""
    import open_clip

    location = Path(info.location)
    if location.is_dir():
        config = next(location.glob("*.json"))
        if config.stem not in open_clip.list_models():
            open_clip.add_model_config(config)
        return config.stem, location / CLIP_WEIGHTS, ""
    model, _, tag = info.name.partition("/")
    if model not in open_clip.list_models():
        raise does_not_fit(model, location, "open_clip has no such model")
    return model, location, tag


def does_not_fit(model: str, file: Path, why: str) -> JudgeUnavailable:
    """Weights that belong to another model."""
    return JudgeUnavailable("clip_does_not_fit", file=str(file), model=model, why=why)


def refuse_hub(model: str) -> None:
    """Stop before open_clip fetches a text tower or tokenizer from the hub, which it does without asking."""
    import open_clip

    text = (open_clip.get_model_config(model) or {}).get("text_cfg", {})
    if "hf_model_name" in text or "hf_tokenizer_name" in text or "siglip" in model.lower():
        raise JudgeUnavailable("clip_needs_hub", model=model)


def unit(vectors: Any) -> Any:
    """Vectors at length 1."""
    return vectors / vectors.norm(dim=-1, keepdim=True)
