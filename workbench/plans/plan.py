"""The evaluation plan: prompts x seeds x strengths + sampler settings, the same for all runs of a comparison."""

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlite_utils import Database

from db import library, results

Role = Literal["identity", "neutral"]
LATER = ("vae", "variants", "elsewhere", "scan_seeds", "confirm_seeds")  # fields that the first plans didn't have


class Prompt(BaseModel):
    """One prompt and what it is for. ``{trigger}`` and ``{class_noun}`` stand for the project's words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1)
    role: Role = "identity"  # neutral = without the trigger: likeness must stay low there, else it leaks


class Variant(BaseModel):
    """Other eyes for the same LoRA: the base or the clip skip that its previews are made with instead."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preview_base: str | None = None  # None = as in the plan
    clip_skip: int | None = Field(None, ge=1)


class EvalPlan(BaseModel):
    """What is rendered from every checkpoint, and from the base model alone (the base row)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompts: tuple[Prompt, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field((101, 102, 103, 104), min_length=1)
    strengths: tuple[float, ...] = Field((1.0,), min_length=1)
    steps: int = Field(25, ge=1, le=200, description="sampler steps")
    cfg: float = Field(7.0, ge=1, le=30, description="guidance scale")
    sampler: Literal["base", "dpm++2m", "euler", "ddim"] = "base"
    negative: str = ""
    size: int | None = Field(None, description="px; empty = the base's own size")
    clip_skip: int | None = Field(None, ge=1, description="empty = as trained")
    preview_base: str | None = Field(None, description="empty = the base that was trained on")
    vae: str | None = Field(None, description="folder or file of a VAE; empty = the preview base's own")
    variants: tuple[Variant, ...] = Field(
        (), description="rendered besides, from the last checkpoint of runs that differ in the base or clip skip"
    )
    elsewhere: bool = Field(False, description="its pictures were made elsewhere: nothing is rendered")
    scan_seeds: int | None = Field(
        None, ge=1, description="of the seeds, how many every checkpoint is looked at with first; empty = all at once"
    )
    confirm_seeds: tuple[int, ...] = Field(
        (), description="fresh seeds, for the leading checkpoints only: nothing is chosen by them"
    )

    @property
    def hash(self) -> str:
        later = {name for name in LATER if not getattr(self, name)}  # plans from before keep their hash
        text = json.dumps(self.model_dump(mode="json", exclude=later), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def rendering(self) -> tuple[Any, ...]:
        """How a picture is drawn once prompt, seed, strength, base and clip skip are given."""
        return self.steps, self.cfg, self.sampler, self.negative, self.size, self.vae

    @property
    def main_strength(self) -> float:
        """The strength that headline figures are about: 1 where it is rendered, else the highest."""
        return 1.0 if 1.0 in self.strengths else max(self.strengths)

    def text(self, prompt: int, trigger: str, class_noun: str) -> str:
        """A prompt as it is rendered, by its number."""
        return self.prompts[prompt].text.replace("{trigger}", trigger).replace("{class_noun}", class_noun)

    def cells(self) -> list[tuple[int, int, float]]:
        """Every (prompt number, seed, strength)."""
        return [
            (prompt, seed, strength)
            for strength in self.strengths
            for prompt in range(len(self.prompts))
            for seed in self.seeds
        ]

    def identity_cells(self) -> list[tuple[int, int, float]]:
        """The cells that likeness is measured on, at the main strength: all that variants are rendered of."""
        return [cell for cell in self.base_row_cells() if self.prompts[cell[0]].role == "identity"]

    def base_row_cells(self) -> list[tuple[int, int, float]]:
        """The same cells without a LoRA: strength means nothing there, so one strength stands for all."""
        return [cell for cell in self.cells() if cell[2] == self.main_strength]

    def scan_cells(self) -> list[tuple[int, int, float]]:
        """What every checkpoint is looked at with first: all prompts at the main strength, with the first seeds.

        Without ``scan_seeds`` there is no first look: these are all cells.
        """
        first = self.seeds[: self.scan_seeds]
        return [cell for cell in self.base_row_cells() if cell[1] in first] if self.scan_seeds else self.cells()

    def confirm_cells(self) -> list[tuple[int, int, float]]:
        """What the leading checkpoints are looked at with last: all prompts at the main strength, with fresh seeds."""
        return [
            (prompt, seed, self.main_strength) for prompt in range(len(self.prompts)) for seed in self.confirm_seeds
        ]


DEFAULT_PLAN = EvalPlan(
    prompts=(
        Prompt(text="photo of {trigger} {class_noun}"),
        Prompt(text="close-up portrait photo of {trigger} {class_noun}, smiling, plain background"),
        Prompt(text="photo of {trigger} {class_noun}, neutral expression, looking to the side, window light"),
        Prompt(text="photo of {trigger} {class_noun} in a blue shirt, at the beach"),
        Prompt(text="photo of {trigger} {class_noun} in a restaurant at night, upper body"),
        Prompt(text="oil painting of {trigger} {class_noun}, portrait"),
        Prompt(text="photo of a {class_noun}, plain background", role="neutral"),
        Prompt(text="photo of a {class_noun} in a blue shirt, at the beach", role="neutral"),
    ),
)


def set_plan(db: Database, project_id: int, plan: EvalPlan) -> int:
    """Make a plan the project's current one and return its id. Previews of earlier plans stay."""
    plan_id = results.add_plan(db, plan.hash, plan.model_dump(mode="json"))
    library.update_project(db, project_id, plan_id=plan_id)
    return plan_id


def plan_of(db: Database, project_id: int) -> EvalPlan:
    """The project's current plan."""
    project = library.project(db, project_id)
    row = results.plan(db, project["plan_id"]) if project and project["plan_id"] else None
    return from_row(row) if row else DEFAULT_PLAN


def from_row(row: dict[str, Any]) -> EvalPlan:
    return EvalPlan.model_validate_json(row["config"])
