"""What kohya's ss_optimizer says: which of our optimisers it was, with which arguments."""

import ast
import re
from dataclasses import dataclass
from typing import Any

from trainer.config import usual_betas

LONGEST = 2000  # characters
CLASS = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)(?:\((.*)\))?", re.DOTALL)

# class, small -> ours and its weight decay where no argument says it (torch, bitsandbytes, lion-pytorch, transformers,
# dadaptation, prodigyopt)
CLASSES = {
    "adamw": ("adamw", 0.01),
    "adam": ("adam", 0.0),
    "lion": ("lion", 0.0),
    "sgd": ("sgd_nesterov", 0.0),
    "adafactor": ("adafactor", 0.0),
    "dadaptadampreprint": ("dadaptation", 0.0),
    "prodigy": ("prodigy", 0.0),
    "adamw8bit": ("adamw8bit", 0.01),
    "lion8bit": ("lion8bit", 0.0),
    "sgd8bit": ("sgd_nesterov8bit", 0.0),
}
OURS = {"weight_decay", "betas", "momentum"}  # arguments that are settings here
# arguments that change nothing at this value: it is what our trainer uses
SAME: dict[str, tuple[Any, ...]] = {
    "eps": (1e-8, (1e-30, 1e-3)),
    "amsgrad": (False,),
    "nesterov": (True,),
    "maximize": (False,),
    "dampening": (0, 0.0),
    "clip_threshold": (1.0,),
    "decay_rate": (-0.8,),
    "warmup_init": (False,),
    "d0": (1e-6,),
    "d_coef": (1.0, 1),
    "use_bias_correction": (False,),
    "safeguard_warmup": (False,),
    "beta3": (None,),
}
ONLY_SPEED = {"foreach", "fused", "capturable", "fsdp_in_use", "slice_p", "block_wise", "min_8bit_size"}


class UnknownOptimizer(ValueError):
    """An optimiser, or an argument, that is none of ours. The text says which."""


@dataclass(frozen=True)
class OptimizerSaid:
    """One of our optimisers with its settings; betas None = the optimiser's usual."""

    optimizer: str
    weight_decay: float
    beta1: float | None
    beta2: float | None


def read_optimizer(text: str) -> OptimizerSaid:
    """Read module.Class(name=value,...), as sd-scripts' train_util.get_optimizer_for_metadata writes it.

    Raises UnknownOptimizer for what our trainer would not do alike.
    """
    found = CLASS.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if found is None:
        raise UnknownOptimizer(f"ss_optimizer is {text[:60]!r}, which can't be read")
    name = found[1].rpartition(".")[2]
    if name.lower() not in CLASSES:
        raise UnknownOptimizer(f"{name} is no optimiser of this trainer")
    ours, decay = CLASSES[name.lower()]
    said = _arguments(found[2] or "")
    if ours == "adafactor":
        ours = _adafactor(said)
    if ours in ("dadaptation", "prodigy") and not said.pop("decouple", ours == "prodigy"):
        raise UnknownOptimizer(f"{name} with decouple=False is no optimiser of this trainer")
    for argument, value in said.items():
        if argument not in OURS | ONLY_SPEED and value not in SAME.get(argument, ()):
            raise UnknownOptimizer(f"{name}'s {argument}={value!r} is no setting here")
    return OptimizerSaid(ours, float(said.get("weight_decay", decay)), *_betas(ours, said))


def _adafactor(said: dict[str, Any]) -> str:
    """Which of our two it is; ours with its own steps scales them by the weights, the other doesn't."""
    relative = bool(said.pop("relative_step", True))
    if bool(said.pop("scale_parameter", True)) != relative:
        raise UnknownOptimizer(f"Adafactor with relative_step={relative} and scale_parameter={not relative} isn't ours")
    return "adafactor" if relative else "adafactor-fixed"


def _betas(optimizer: str, said: dict[str, Any]) -> tuple[float | None, float | None]:
    """The betas; None for one that is the optimiser's usual, which is how our own patterns have it."""
    usual = usual_betas(optimizer)
    if optimizer.startswith("sgd"):
        momentum = said.get("momentum", 0.9)  # sd-scripts' own where none is asked for
        return (None if momentum == usual[0] else float(momentum)), None
    betas = said.get("betas", usual)
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise UnknownOptimizer(f"betas={betas!r} are no two numbers")
    first, second = (
        None if own is None or own == common else float(own) for own, common in zip(betas, usual, strict=True)
    )
    return first, second


def _arguments(text: str) -> dict[str, Any]:
    """name=value pairs between commas that stand in no bracket; values as Python writes them."""
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or any(word.arg is None for word in call.keywords):
            raise ValueError
        return {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError) as error:
        raise UnknownOptimizer(f"the optimiser's arguments are {text[:60]!r}, which can't be read") from error
