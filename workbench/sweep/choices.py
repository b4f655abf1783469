"""What each choice of a setting does, in one sentence with its source; and every optimiser's own sensible rate."""

from dataclasses import dataclass

EMBEDDED_TIMES = 20.0  # the miniature's usual rate over that of SD 1.x: 2e-3 against 1e-4 (docs/patterns.md)
EMBEDDED_OWN = {  # tried there: 240 updates of batch 4, dim 16 (workbench/sweep/danger.py has the figures)
    "dadaptation": 0.1,  # at 1 its pictures are noise
    "prodigy": 1.0,
    "sgd_nesterov": 0.3,
    "sgd_nesterov8bit": 0.3,
}


@dataclass(frozen=True)
class Choice:
    """One value of a setting. ``rate``: an optimiser's sensible one at alpha = dim on SD 1.x; None = it has none."""

    sentence: str
    source: str
    rate: float | None = None


OPTIMIZERS = {
    "adamw": Choice(
        "Every value moves by about the rate each update, whatever the size of its gradient; decay apart from that. "
        "The usual choice.",
        "Loshchilov & Hutter 2019; 1e-4 in diffusers' and sd-scripts' LoRA examples",
        1e-4,
    ),
    "adam": Choice(
        "As AdamW, but weight decay is added to the gradient, where it is scaled away again (coupled L2).",
        "Kingma & Ba 2015",
        1e-4,
    ),
    "lion": Choice(
        "Moves every value by exactly the rate, by the sign of its momentum: wants a rate 3 to 10 times below AdamW's.",
        "Chen et al. 2023, section 5",
        2e-5,
    ),
    "sgd_nesterov": Choice(
        "Moves by rate x gradient with momentum 0.9: gradients here are small, so it wants a rate a hundred and more "
        "times AdamW's.",
        "Nesterov 1983, torch SGD; 0.3 is tried on the miniature only",
        0.3,
    ),
    "adafactor": Choice(
        "Sets its own step sizes from the number of updates and the size of the weights: the learning rate has no "
        "effect at all.",
        "Shazeer & Stern 2018 with relative steps, as in sd-scripts",
    ),
    "adafactor-fixed": Choice(
        "AdaFactor with the learning rate in force: moves about as AdamW does, and keeps less in memory.",
        "Shazeer & Stern 2018; sd-scripts relative_step=False scale_parameter=False",
        1e-4,
    ),
    "dadaptation": Choice(
        "Adam that finds its own step size while it trains; the rate multiplies it and belongs at 1.",
        "Defazio & Mishchenko 2023; sd-scripts warns at 0.1 and below",
        1.0,
    ),
    "prodigy": Choice(
        "A quicker D-Adaptation: finds its own step size while it trains; the rate multiplies it and belongs at 1.",
        "Mishchenko & Defazio 2023",
        1.0,
    ),
    "adamw8bit": Choice(
        "AdamW that keeps its memory in 8 bits; tensors under 4,096 values stay in 32. A LoRA gains little by it.",
        "Dettmers et al. 2022, bitsandbytes",
        1e-4,
    ),
    "lion8bit": Choice(
        "Lion that keeps its memory in 8 bits; tensors under 4,096 values stay in 32. A LoRA gains little by it.",
        "Dettmers et al. 2022, bitsandbytes",
        2e-5,
    ),
    "sgd_nesterov8bit": Choice(
        "SGD that keeps its memory in 8 bits. bitsandbytes ignores `nesterov`: it is plain momentum.",
        "bitsandbytes optim/sgd.py",
        0.3,
    ),
}

SCHEDULES = {
    "constant": Choice("The rate stays as it is to the end.", "diffusers"),
    "cosine": Choice("Falls slowly, then quickly, then slowly to 0, along half a cosine.", "Loshchilov & Hutter 2017"),
    "cosine_with_restarts": Choice(
        "Falls like the cosine and jumps back to the full rate, as often as there are cycles.",
        "Loshchilov & Hutter 2017, SGDR",
    ),
    "linear": Choice("Falls by the same amount each update, to 0 at the end.", "diffusers"),
    "polynomial": Choice("Falls as (share that is left) ** power; power 1 is linear.", "diffusers"),
}

CAPTIONS = {
    "as_written": Choice(
        "As the caption says it: what it names is not bound to the trigger word.", "tried in the demo"
    ),
    "traits_left_out": Choice(
        "Without the phrases of the word list (hair, eyes ...): so they come along with the trigger word.",
        "tried in the demo; the list is on the Photos page",
    ),
    "trigger_only": Choice(
        "Trigger word and class noun alone: everything in the photos, background too, is bound to them.",
        "sd-scripts without captions: the folder's name",
    ),
}

MODULES = {
    "kohya": Choice("Attention, feed-forward and projections: 192 modules in SD 1.x.", "sd-scripts networks/lora.py"),
    "attention": Choice("The attention's four matrices only: 128 modules in SD 1.x.", "diffusers' LoRA scripts"),
}

PRECISIONS = {
    "no": Choice("32 bits throughout: safe, slow on a GPU.", "torch"),
    "fp16": Choice("16 bits; large numbers overflow, so the gradients are scaled.", "torch autocast"),
    "bf16": Choice("16 bits with the range of 32: coarser, but it doesn't overflow.", "torch autocast"),
}

CHOICES: dict[str, dict[str, Choice]] = {
    "optimizer": OPTIMIZERS,
    "lr_scheduler": SCHEDULES,
    "captions": CAPTIONS,
    "modules": MODULES,
    "mixed_precision": PRECISIONS,
}

NAMES = {  # how a choice is called in a sentence; where none stands, as it is stored
    "optimizer": {
        "adamw": "AdamW",
        "adam": "Adam",
        "lion": "Lion",
        "sgd_nesterov": "SGD with Nesterov",
        "adafactor": "AdaFactor",
        "adafactor-fixed": "AdaFactor with a fixed rate",
        "dadaptation": "D-Adaptation",
        "prodigy": "Prodigy",
        "adamw8bit": "AdamW, 8 bits",
        "lion8bit": "Lion, 8 bits",
        "sgd_nesterov8bit": "SGD, 8 bits",
    },
    "lr_scheduler": {"cosine_with_restarts": "cosine with restarts"},
    "captions": {
        "as_written": "as written",
        "traits_left_out": "traits left out",
        "trigger_only": "trigger and class only",
    },
}


def named(setting: str, value: object) -> str:
    """How a choice is called; empty where it has no other name than its own.

    >>> named("captions", "as_written"), named("dim", 4)
    ('as written', '')
    """
    return NAMES.get(setting, {}).get(str(value), "")


def sensible_rate(optimizer: str, *, embedded: bool) -> float | None:
    """A rate to start with at alpha = dim; None where the optimiser has none.

    On the miniature it is 20 times as much, but for optimisers whose steps follow something else than the rate.
    """
    rate = OPTIMIZERS[optimizer].rate
    if rate is None or not embedded:
        return rate
    return EMBEDDED_OWN.get(optimizer, float(f"{rate * EMBEDDED_TIMES:.4g}"))
