"""What suits the embedded miniature base: prompts in words that it knows, its guidance, and a pattern to start from.

The figures were chosen by experiment (docs/demo.md); a real checkpoint starts from presets.SD1_BASELINE.
"""

from typing import Any

from workbench.plans.plan import EvalPlan, Prompt

PLAN = EvalPlan(  # many prompts and few seeds: an interval counts prompts
    prompts=(
        Prompt(text="photo of {trigger} {class_noun}, smiling, plain gray background"),
        Prompt(text="photo of {trigger} {class_noun}"),
        Prompt(text="photo of {trigger} {class_noun}, neutral expression, blue shirt, at the beach"),
        Prompt(text="photo of {trigger} {class_noun}, surprised, red shirt, plain green background"),
        Prompt(text="photo of {trigger} {class_noun}, neutral expression, yellow shirt, lit from the left"),
        Prompt(text="photo of {trigger} {class_noun}, smiling, navy shirt, plain purple background"),
        Prompt(text="photo of a {class_noun}, smiling, plain gray background", role="neutral"),
        Prompt(text="photo of a {class_noun}, neutral expression, blue shirt, at the beach", role="neutral"),
    ),
    seeds=(101, 102),
    strengths=(1.0,),
    steps=20,
    cfg=2.0,  # at 4 an overtrained LoRA loses 10-15 points of likeness here
)

BASELINE: dict[str, Any] = {
    "dim": 16,
    "alpha": 16.0,
    "optimizer": "adamw",
    "learning_rate": 2e-3,
    "train_text_encoder": False,
    "batch_size": 4,
    "epochs": 30,
    "save_every": 15,
}

# The article's patterns on this scale (see article.to_miniature); why: docs/demo.md.
ARTICLE: dict[str, Any] = {
    "repeats": 5,  # divisors: with both of these a 25th of the updates
    "epochs": 5,
    "save_every": 5,
    "dim": 16,
    "alpha": 500,  # a factor, chosen for AdaFactor, where nothing else can stand in for the missing updates
    "rates": dict.fromkeys(("adamw", "adam", "lion", "sgd_nesterov", "adafactor-fixed"), 0.064),
    "bases": {"beautifulRealistic_v7": "embedded", "meichidarkMix_meichidarkV45": "embedded-painted"},
    "settings": {"resolution": None, "mixed_precision": "no", "captions": "traits_left_out"},
}
