"""The ss_* entries of a LoRA file as values: they are texts there, and None is the text "None"."""

import ast
import json
import math
import re
from collections.abc import Iterable
from typing import Any

from workbench.elsewhere.loras.lora_header import printable

OFF = ("", "none", "0", "0.0", "false", "[]", "{}")  # an option that was not used
PHOTOS_MOST = 1_000_000
LONGEST = 200  # characters of a single value

# What sd-scripts can do and this trainer can't -> the setting that it makes unknown, values that are its default
NOT_OURS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ss_multires_noise_iterations": ("noise_offset", ()),
    "ss_adaptive_noise_scale": ("noise_offset", ()),
    "ss_noise_offset_random_strength": ("noise_offset", ()),
    "ss_ip_noise_gamma": ("noise_offset", ()),
    "ss_zero_terminal_snr": ("min_snr_gamma", ()),
    "ss_debiased_estimation": ("min_snr_gamma", ()),
    "ss_loss_type": ("min_snr_gamma", ("l2",)),
    "ss_scale_weight_norms": ("max_grad_norm", ()),
    "ss_color_aug": ("flip", ()),
    "ss_random_crop": ("flip", ()),
    "ss_face_crop_aug_range": ("flip", ()),
    "ss_caption_tag_dropout_rate": ("caption_dropout", ()),
    "ss_caption_dropout_every_n_epochs": ("caption_dropout", ()),
    "ss_num_reg_images": ("repeats", ()),
    "ss_fp8_base": ("mixed_precision", ()),
    "ss_fp8_base_unet": ("mixed_precision", ()),
    "ss_full_fp16": ("mixed_precision", ()),
    "ss_full_bf16": ("mixed_precision", ()),
}
# Arguments of a network -> the setting that they make unknown; others of LyCORIS' are settings or change nothing
NETWORK_ARGS = {
    "rank_dropout": "dropout",
    "module_dropout": "dropout",
    "loraplus_lr_ratio": "learning_rate",
    "loraplus_unet_lr_ratio": "learning_rate",
    "loraplus_text_encoder_lr_ratio": "text_encoder_lr",
    "block_lr_zero_threshold": "learning_rate",
    "down_lr_weight": "learning_rate",
    "mid_lr_weight": "learning_rate",
    "up_lr_weight": "learning_rate",
    "block_dims": "dim",
    "block_alphas": "alpha",
    "conv_block_dims": "conv_dim",
    "conv_block_alphas": "conv_alpha",
    "use_scalar": "alpha",
    "train_norm": "modules",
    "use_tucker": "conv_dim",
    "use_cp": "conv_dim",
}


class NotSaid(ValueError):
    """A setting that can't be known from the file. The text says why."""


class Metadata:
    """The entries of a file as values: None = not there, or said to be None."""

    def __init__(self, entries: dict[str, str]) -> None:
        self.entries = entries

    def text(self, key: str) -> str | None:
        value = self.entries.get(key, "").strip()
        return None if value.lower() in ("", "none") or len(value) > LONGEST else printable(value)

    def said(self, key: str) -> str:
        """A value that must be there: "None" is one. NotSaid where it is not."""
        if key not in self.entries:
            raise NotSaid(f"the file doesn't say ({key})")
        return printable(self.entries[key].strip()[: LONGEST + 1])

    def whole(self, key: str) -> int | None:
        text = self.text(key)
        return int(text) if text and re.fullmatch(r"\d{1,15}", text) else None

    def number(self, key: str) -> float | None:
        """A number; a list of equal ones counts as one (newer sd-scripts has a rate per text encoder)."""
        text = self.said(key)
        if text.lower() in ("", "none"):
            return None
        try:
            value = ast.literal_eval(text)
            values = {float(each) for each in (value if isinstance(value, list | tuple) else [value])}
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, OverflowError) as error:
            raise NotSaid(f"{key} is {text[:40]!r}, which is no number") from error
        if len(values) != 1 or not all(map(math.isfinite, values)):
            raise NotSaid(f"{key} is {text[:40]!r}, not one finite number")
        return values.pop()

    def flag(self, key: str) -> bool:
        text = self.said(key)
        if text not in ("True", "False"):
            raise NotSaid(f"{key} is {text[:40]!r}, neither True nor False")
        return text == "True"

    def json(self, key: str) -> Any:
        """A JSON value, None where there is none or it can't be read."""
        try:
            return json.loads(self.entries.get(key, "null"))
        except (ValueError, RecursionError):
            return None

    # the data, as one dataset config (ss_datasets) or as folders (the older way)

    def datasets(self) -> list[dict[str, Any]]:
        found = self.json("ss_datasets")
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    def subsets(self) -> list[dict[str, Any]]:
        """What each folder of photos was trained with; regularisation images apart."""
        listed = [dataset.get("subsets") for dataset in self.datasets()]
        found = [each for subsets in listed if isinstance(subsets, list) for each in subsets]
        if not found:
            folders = self.json("ss_dataset_dirs")
            found = list(folders.values()) if isinstance(folders, dict) else []
        return [each for each in found if isinstance(each, dict) and not each.get("is_reg")]

    def photos(self) -> int | None:
        """How many photos, without repeats."""
        counts = [each.get("img_count") for each in self.subsets()]
        whole = [count for count in counts if type(count) is int and 0 < count <= PHOTOS_MOST]
        return sum(whole) if whole and len(whole) == len(counts) else None

    def of_subsets(self, key: str, older: str) -> Any:
        """A value that all folders of photos share."""
        if not self.datasets():
            return self.flag(older)
        return one((each.get(key) for each in self.subsets()), key)

    def network_args(self) -> dict[str, str]:
        found = self.json("ss_network_args")
        return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}

    def is_on(self, key: str, usual: Iterable[str] = ()) -> bool:
        return self.entries.get(key, "").strip().lower() not in (*OFF, *usual)

    def not_ours(self) -> tuple[str, ...]:
        """Options that were used and that this trainer doesn't have, with their values."""
        options = [f"{key} {self.entries[key][:40]}" for key, (_, usual) in NOT_OURS.items() if self.is_on(key, usual)]
        arguments = self.network_args()
        return (*options, *(f"{key} {arguments[key][:40]}" for key in NETWORK_ARGS if used(arguments, key)))


def used(arguments: dict[str, str], key: str) -> bool:
    return arguments.get(key, "").strip().lower() not in OFF


def one(values: Iterable[Any], key: str) -> Any:
    """The value that all are."""
    found = list(values)
    if not found or found[0] is None:
        raise NotSaid(f"the file doesn't say ({key})")
    if any(value != found[0] for value in found):
        raise NotSaid(f"{key} is not the same for all photos")
    return found[0]
