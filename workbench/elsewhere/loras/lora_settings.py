"""Which settings a LoRA file says it was trained with; what it doesn't say stays unknown, with the reason.

Sources: sd-scripts train_network.py and library/train_util.py for the ss_* entries of its metadata, LyCORIS for the
arguments of its networks, peft's LoraConfig.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from trainer.config import DEFAULTS, ConfigError, TrainConfig, parse_config
from trainer.dialect import adapter_config
from workbench.elsewhere.loras.lora_file import LoraFile, LoraModule
from workbench.elsewhere.loras.lora_header import printable
from workbench.elsewhere.loras.ss_metadata import NETWORK_ARGS, NOT_OURS, Metadata, NotSaid, one, used
from workbench.elsewhere.loras.ss_optimizer import OptimizerSaid, UnknownOptimizer, read_optimizer
from workbench.elsewhere.names import lora_number

Shapes = dict[str, tuple[int, ...]]

OWN_SETTINGS = "workbench.settings"  # all settings but the base, where this trainer wrote the file
TEXT_START = "lora_te_"
ALL_ALIKE = ("pytorch_lora_weights", "adapter_model")  # names that diffusers and peft give to every LoRA
ATTENTION = re.compile(r"_attn[12]_to_(q|k|v|out_0)$")
ALPHA_ROUNDING = 4e-3  # of an alpha that was saved in bf16 (8 bits), relative


@dataclass(frozen=True)
class Said:
    """All that a file says of its training. ``known`` and ``unknown`` (setting -> why) have every setting once.

    ``not_ours``: options that this trainer doesn't have, as "name value": they tell trainings apart whose known
    settings are equal. ``photos``: how many, without repeats.
    """

    known: dict[str, Any]
    unknown: dict[str, str]
    not_ours: tuple[str, ...]
    session: str | None
    seed: int | None
    updates: int | None
    epoch: float | None
    total_updates: int | None
    photos: int | None
    base_name: str
    base_hash: str
    stem: str  # of the file's name without its number
    is_last: bool  # its name has no number: kohya calls the end of a training so


def what_it_says(file: LoraFile, layers: Shapes) -> Said:
    """The settings that a file was trained with, as far as it says; ``layers`` of the base, to tell parts from all."""
    meta = Metadata(file.metadata)
    known, unknown = _own(meta, file) or _settings(meta, file, layers)
    stem, number, counted = lora_number(_name(file))
    updates, epoch = meta.whole("ss_steps"), meta.whole("ss_epoch")
    if updates is None and counted == "updates":
        updates = number
    if epoch is None and counted == "epochs":
        epoch = number
    return Said(
        known=known,
        unknown={**unknown, "base_model": "a file names it at most"},
        not_ours=meta.not_ours(),
        session=meta.text("ss_session_id"),
        seed=meta.whole("ss_seed"),
        updates=updates,
        epoch=epoch,
        total_updates=meta.whole("ss_max_train_steps"),
        photos=meta.photos(),
        base_name=meta.text("ss_sd_model_name") or "",
        base_hash=meta.text("ss_new_sd_model_hash") or meta.text("ss_sd_model_hash") or "",
        stem=printable(stem),
        is_last=number is None,
    )


def _name(file: LoraFile) -> str:
    """What the file is called; where diffusers and peft call all alike, the folder's name, which may have a number."""
    if file.stem not in ALL_ALIKE:
        return file.stem
    folder = file.path.resolve().parent
    number = re.fullmatch(r"checkpoint-(\d{1,9})", folder.name)
    return f"{folder.parent.name}-step{int(number[1]):08d}" if number else folder.name


# our own files


def _own(meta: Metadata, file: LoraFile) -> tuple[dict[str, Any], dict[str, str]] | None:
    """All settings of a file that this trainer wrote; None for other files, or where the tensors say otherwise."""
    settings = meta.json(OWN_SETTINGS)
    if not isinstance(settings, dict):
        return None
    try:
        config = parse_config(settings)
        rank = _dim(plain_modules(file))
    except (ConfigError, NotSaid):
        return None
    if rank != config.dim:
        return None
    return {name: getattr(config, name) for name in TrainConfig.model_fields if name != "base_model"}, {}


# everybody's files


def _settings(meta: Metadata, file: LoraFile, layers: Shapes) -> tuple[dict[str, Any], dict[str, str]]:
    known: dict[str, Any] = {}
    unknown: dict[str, str] = {}
    readers = _readers(meta, file, layers)
    for name in TrainConfig.model_fields:
        if name == "base_model":
            continue
        try:
            value = readers[name]()
            known[name] = getattr(parse_config({name: value}), name)
        except ConfigError:
            unknown[name] = f"the file says {printable(str(value)[:40])}, which can't be trained here"
        except (NotSaid, UnknownOptimizer) as error:
            unknown[name] = str(error)
        except (ValueError, TypeError, OverflowError):  # JSON of another make than any trainer's
            unknown[name] = "what the file says of it can't be read"
    arguments = meta.network_args()
    not_ours = {key: name for key, (name, usual) in NOT_OURS.items() if meta.is_on(key, usual)}
    not_ours |= {key: name for key, name in NETWORK_ARGS.items() if used(arguments, key)}
    for key, name in not_ours.items():
        unknown[name] = f"it was trained with {key.removeprefix('ss_')}, which can't be set here"
    return {name: value for name, value in known.items() if name not in unknown}, unknown


def _readers(meta: Metadata, file: LoraFile, layers: Shapes) -> dict[str, Callable[[], Any]]:
    """Setting -> what finds out its value."""
    plain, wide = plain_modules(file), [m for m in file.modules.values() if m.is_convolution]
    text = any(name.startswith(TEXT_START) for name in file.modules)
    rslora = _rslora(meta)

    def optimizer() -> OptimizerSaid:
        return read_optimizer(meta.said("ss_optimizer"))

    def never(why: str) -> Callable[[], Any]:
        def reader() -> Any:
            raise NotSaid(why)

        return reader

    return {
        "resolution": lambda: _resolution(meta),
        "dim": lambda: _dim(plain),
        "alpha": lambda: _alpha(plain, meta.text("ss_network_alpha"), rslora),
        "conv_dim": lambda: _dim(wide) if wide else None,
        "conv_alpha": lambda: _alpha(wide, meta.network_args().get("conv_alpha"), rslora) if wide else None,
        "rslora": lambda: rslora,
        "dora": lambda: _same((m.dora is not None for m in file.modules.values()), "DoRA is not on all layers"),
        "modules": lambda: _modules(file, layers),
        "dropout": lambda: _dropout(meta),
        "train_text_encoder": lambda: _text_encoder(file, layers),
        "text_encoder_lr": lambda: _text_rate(meta) if text else None,
        "optimizer": lambda: optimizer().optimizer,
        "learning_rate": lambda: _rate(meta),
        "beta1": lambda: optimizer().beta1,
        "beta2": lambda: optimizer().beta2,
        "weight_decay": lambda: optimizer().weight_decay,
        "lr_scheduler": lambda: _schedule(meta),
        "lr_cycles": lambda: _only_of(meta, "cosine_with_restarts", "lr_cycles"),
        "lr_power": lambda: _only_of(meta, "polynomial", "lr_power"),
        "warmup_updates": lambda: _warmup(meta),
        "batch_size": lambda: _batch(meta),
        "gradient_accumulation": lambda: _count(meta, "ss_gradient_accumulation_steps"),
        "repeats": lambda: _repeats(meta),
        "epochs": lambda: _count(meta, "ss_num_epochs"),
        "max_updates": lambda: _max_updates(meta),
        "max_images": lambda: _never_stopped_by_images(meta),
        "save_every": never("LoRA files don't say when others were saved"),
        "save_unit": never("LoRA files don't say when others were saved"),
        "captions": never("LoRA files don't say what the captions left out"),
        "caption_dropout": lambda: meta.number("ss_caption_dropout_rate") or 0.0,
        "shuffle_captions": lambda: _shuffled(meta),
        "clip_skip": lambda: _or(meta.number("ss_clip_skip"), 1),
        "min_snr_gamma": lambda: meta.number("ss_min_snr_gamma") or None,
        "noise_offset": lambda: meta.number("ss_noise_offset") or 0.0,
        "max_grad_norm": lambda: meta.number("ss_max_grad_norm") or 0.0,
        "flip": lambda: meta.of_subsets("flip_aug", "ss_flip_aug"),
        "mixed_precision": lambda: meta.said("ss_mixed_precision").replace("None", "no"),
        "save_precision": lambda: _precision(file),
    }


def plain_modules(file: LoraFile) -> list[LoraModule]:
    """Linear layers and 1x1 convolutions; the others have a rank of their own (LoCon)."""
    return [module for module in file.modules.values() if not module.is_convolution]


def _same(values: Iterable[Any], otherwise: str) -> Any:
    found = set(values)
    if len(found) != 1:
        raise NotSaid(otherwise)
    return found.pop()


def _dim(modules: Iterable[LoraModule]) -> int:
    return int(_same((module.dim for module in modules), "not all layers have the same rank"))


def _alpha(modules: list[LoraModule], said: str | None, rslora: bool) -> float:
    """The alpha in force, as it was asked for; that of rsLoRA is saved times sqrt(dim)."""
    dim = _dim(modules)
    saved = [module.alpha / (math.sqrt(dim) if rslora else 1.0) for module in modules]
    if not all(math.isclose(alpha, saved[0], rel_tol=ALPHA_ROUNDING) for alpha in saved):
        raise NotSaid("not all layers have the same alpha")
    try:
        asked = float(said) if said else math.nan
    except ValueError:
        asked = math.nan
    return asked if math.isclose(asked, saved[0], rel_tol=ALPHA_ROUNDING) else saved[0]


def _rslora(meta: Metadata) -> bool:
    """Without a sign of it the scale is alpha / dim, which is another way to write the same."""
    try:
        config = adapter_config(meta.entries)
    except ValueError:
        config = {}
    return meta.network_args().get("rs_lora", "").lower() == "true" or any(
        config.get(f"{part}.use_rslora") is True for part in ("unet", "text_encoder")
    )


def _modules(file: LoraFile, layers: Shapes) -> str:
    """kohya or attention, where all layers of that set are adapted."""
    inside = {name for name in layers if "_attentions_" in name}
    there = {name for name in file.modules if "_attentions_" in name}
    if there == inside:
        return "kohya"
    if there == {name for name in inside if ATTENTION.search(name)}:
        return "attention"
    raise NotSaid(f"it adapts {len(there)} of {len(inside)} layers of the U-Net's transformers")


def _text_encoder(file: LoraFile, layers: Shapes) -> bool:
    there, inside = (sum(name.startswith(TEXT_START) for name in names) for names in (file.modules, layers))
    if there not in (0, inside):
        raise NotSaid(f"it adapts {there} of {inside} layers of the text encoder")
    return there > 0


def _dropout(meta: Metadata) -> float:
    lycoris = meta.network_args().get("dropout")
    if lycoris is None:
        return meta.number("ss_network_dropout") or 0.0
    return Metadata({"dropout": lycoris}).number("dropout") or 0.0


def _rate(meta: Metadata) -> float:
    if (rate := _or(meta.number("ss_unet_lr") if "ss_unet_lr" in meta.entries else None, None)) is None:
        rate = meta.number("ss_learning_rate")
    if rate is None:
        raise NotSaid("the file says None: the optimiser set its own steps")
    return rate


def _text_rate(meta: Metadata) -> float | None:
    """The text encoder's rate; None where it is the U-Net's."""
    rate = meta.number("ss_text_encoder_lr")
    if rate is None:
        rate = meta.number("ss_learning_rate")
    return None if rate == _rate(meta) else rate


def _schedule(meta: Metadata) -> str:
    """diffusers' schedules by their names; constant_with_warmup is constant, with updates of warm-up."""
    return meta.said("ss_lr_scheduler").removesuffix("_with_warmup")


def _only_of(meta: Metadata, schedule: str, name: str) -> Any:
    if _schedule(meta) == schedule:
        raise NotSaid("LoRA files don't say")
    return DEFAULTS[name]  # it plays no part


def _warmup(meta: Metadata) -> int:
    """Updates; sd-scripts takes a share of all where it is a fraction. Plain constant has no warm-up (diffusers)."""
    warmup = meta.number("ss_lr_warmup_steps") or 0.0
    if meta.said("ss_lr_scheduler") == "constant":
        return 0
    return int(warmup * _count(meta, "ss_max_train_steps") if 0 < warmup < 1 else warmup)


def _count(meta: Metadata, key: str) -> int:
    number = meta.number(key)
    if number is None or number != int(number):
        raise NotSaid(f"{key} is no whole number")
    return int(number)


def _batch(meta: Metadata) -> int:
    """Photos of all devices together in a forward pass."""
    if datasets := meta.datasets():
        return int(one((each.get("batch_size_per_device") for each in datasets), "batch_size_per_device"))
    each = _count(meta, "ss_batch_size_per_device")
    whole = meta.whole("ss_total_batch_size") or 0
    accumulated = meta.whole("ss_gradient_accumulation_steps") or 1
    return max(each, whole // accumulated)


def _repeats(meta: Metadata) -> int:
    found = [each.get("num_repeats", each.get("n_repeats")) for each in meta.subsets()]
    return int(one(found, "n_repeats in ss_dataset_dirs"))


def _never_stopped_by_images(meta: Metadata) -> None:
    meta.said("ss_max_train_steps")  # sd-scripts counts updates; of other programs it is not known


def _max_updates(meta: Metadata) -> int | None:
    """Where the training was to stop before its epochs were over; None = after them."""
    total = _count(meta, "ss_max_train_steps")
    batches, accumulated = _count(meta, "ss_num_batches_per_epoch"), _count(meta, "ss_gradient_accumulation_steps")
    if accumulated < 1:
        raise NotSaid("ss_gradient_accumulation_steps is below 1")
    return None if total >= _count(meta, "ss_num_epochs") * math.ceil(batches / accumulated) else total


def _shuffled(meta: Metadata) -> bool:
    """Ours keeps the first part in its place."""
    shuffled = bool(meta.of_subsets("shuffle_caption", "ss_shuffle_caption"))
    kept = (
        one((each.get("keep_tokens") for each in meta.subsets()), "keep_tokens")
        if meta.datasets()
        else meta.whole("ss_keep_tokens")
    )
    if shuffled and kept != 1:
        raise NotSaid(f"captions were shuffled with {kept} parts kept in place, and here that is always 1")
    return shuffled


def _resolution(meta: Metadata) -> int:
    """The side of square photos; with buckets only where all photos came into the square one."""
    datasets = meta.datasets()
    if datasets:
        size = one((each.get("resolution") for each in datasets), "resolution")
        text, bucketed = str(size), any(each.get("enable_bucket") for each in datasets)
        infos = [each.get("bucket_info") for each in datasets]
    else:
        text = meta.said("ss_resolution")
        bucketed, infos = meta.is_on("ss_enable_bucket"), [meta.json("ss_bucket_info")]
    sides = [int(side) for side in re.findall(r"\d{1,6}", text)]
    if not sides or len(sides) > 2 or sides[0] != sides[-1]:
        raise NotSaid(f"photos were {text[:40]}, not square")
    if bucketed and {(sides[0], sides[0])} != {size for info in infos for size in _buckets(info)}:
        raise NotSaid("photos were of several shapes (buckets)")
    return sides[0]


def _buckets(info: Any) -> Iterable[tuple[int, ...]]:
    buckets = info.get("buckets") if isinstance(info, dict) else None
    for bucket in buckets.values() if isinstance(buckets, dict) else ():
        if isinstance(bucket, dict) and isinstance(bucket.get("resolution"), list):
            yield tuple(bucket["resolution"])


def _precision(file: LoraFile) -> str:
    if file.precision is None:
        raise NotSaid("its tensors are of several types")
    return file.precision


def _or(value: float | None, otherwise: Any) -> Any:
    return otherwise if value is None else value
