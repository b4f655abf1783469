"""The CLIP judge: how well a picture fits a prompt, as raw cosine, through any model of open_clip."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.judges.info import JudgeInfo, JudgeUnavailable
from workbench.judges.published import CLIP_WEIGHTS
from workbench.judges.threads import in_threads

PER_BATCH = 32

Rgb = NDArray[np.uint8]  # height x width x 3
Vectors = NDArray[np.float32]  # number x width, unit length


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
        self.width = int(open_clip.get_model_config(model)["embed_dim"])  # of its vectors
        self._texts: dict[str, Vectors] = {}  # prompt -> unit vector: a plan has few prompts and many pictures

    def similarity(self, images: Sequence[Rgb], prompts: Sequence[str]) -> list[float]:
        """Raw cosine (-1 to 1) between each picture (height x width x 3) and the prompt at the same place."""
        if len(images) != len(prompts):
            raise ValueError(f"{len(images)} pictures and {len(prompts)} prompts: there must be one for each.")
        return [float(cosine) for cosine in (self.images(images) * self.texts(prompts)).sum(axis=1)]

    def images(self, pictures: Sequence[Rgb]) -> Vectors:
        """A unit vector of each picture (height x width x 3, any sizes): number x width."""
        import torch

        vectors = [np.zeros((0, self.width), np.float32)]
        for start in range(0, len(pictures), PER_BATCH):
            pixels = torch.stack(in_threads(self._prepared, pictures[start : start + PER_BATCH]))
            with torch.inference_mode():
                vectors.append(unit(self.model.encode_image(pixels.to(self.device))))
        return np.concatenate(vectors)

    def texts(self, prompts: Sequence[str]) -> Vectors:
        """A unit vector of each text: number x width. Every text is encoded once as long as the judge is loaded."""
        import torch

        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._texts]
        for start in range(0, len(new), PER_BATCH):
            batch = new[start : start + PER_BATCH]
            with torch.inference_mode():
                vectors = unit(self.model.encode_text(self.tokenizer(batch).to(self.device)))
            self._texts.update(zip(batch, vectors, strict=True))
        return np.array([self._texts[prompt] for prompt in prompts], np.float32).reshape(len(prompts), self.width)

    def _prepared(self, picture: Rgb) -> Any:
        """A picture as the model takes it: a tensor of 3 x side x side."""
        return self.preprocess(Image.fromarray(picture))


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


def unit(vectors: Any) -> Vectors:
    """Vectors of torch at length 1, as numpy's."""
    return np.asarray((vectors / vectors.norm(dim=-1, keepdim=True)).float().cpu())
