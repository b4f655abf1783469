"""What a LoRA is looked at with: the base and the clip skip of its previews, and a plan's other ways to look."""

from collections.abc import Collection
from typing import NamedTuple

from trainer.config import TrainConfig
from workbench.plans.plan import EvalPlan


class Eyes(NamedTuple):
    """What a LoRA is looked at with: the base and the clip skip of its previews."""

    base_model: str
    clip_skip: int


def main_eyes(plan: EvalPlan, config: TrainConfig) -> Eyes:
    """What the headline previews of a pattern are made with."""
    return Eyes(plan.preview_base or config.base_model, plan.clip_skip or config.clip_skip)


def other_eyes(plan: EvalPlan, config: TrainConfig, compared: Collection[str]) -> list[Eyes]:
    """The plan's variants that change a setting in which a pattern is compared; what equals the main view is none."""
    main = main_eyes(plan, config)
    found: list[Eyes] = []
    for variant in plan.variants:
        eyes = Eyes(variant.preview_base or main.base_model, variant.clip_skip or main.clip_skip)
        changed = {"base_model": variant.preview_base, "clip_skip": variant.clip_skip}
        if any(changed[name] is not None for name in compared) and eyes not in (main, *found):
            found.append(eyes)
    return found
