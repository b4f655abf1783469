"""A plan as it is typed: presets to begin with, what is wrong with it, and what going over to it will cost."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlite_utils import Database

from db import library, results, reuse, runs
from workbench.bases import base_problem
from workbench.plans.closer import Closer, bounds, looks_twice
from workbench.plans.detectable import Detectable, Spread, detectable, spreads
from workbench.plans.plan import DEFAULT_PLAN, EvalPlan, Variant, plan_of
from workbench.plans.wanted import pictures_of, same_pictures, wanted
from workbench.sweep import miniature
from workbench.sweep.article import TOOL_PLAN, TOOL_PLAN_ASSUMED
from workbench.words import between, duration

SEED_BELOW = 2**32
STRENGTH_AT_MOST = 3.0
SIDES = (16, 4096)  # px
EMPTY_IS_NONE = ("size", "preview_base", "vae", "clip_skip", "scan_seeds")
SEVERAL = ("seeds", "strengths", "confirm_seeds")
NAMES = {
    "seeds": "A preview seed",
    "strengths": "A LoRA strength",
    "steps": "The number of sampler steps",
    "cfg": "The guidance scale",
    "sampler": "The sampler",
    "size": "The size",
    "clip_skip": "The clip skip",
    "scan_seeds": "The number of seeds for the first look",
    "confirm_seeds": "A confirmation seed",
}
ALLOWED = {
    "too_short": "at least one",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "literal_error": "{expected}",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
}


class PlanError(ValueError):
    """A plan that can't be used as it was written down."""


@dataclass(frozen=True)
class Choice:
    """A plan to begin with."""

    name: str
    plan: EvalPlan
    note: str = ""


PRESETS = (
    Choice(
        "preset: photos of people",
        DEFAULT_PLAN,
        "For Stable Diffusion 1.x: 6 prompts that name the subject, 2 that don't.",
    ),
    Choice(
        "preset: photos of people, coarse to fine",
        DEFAULT_PLAN.model_copy(update={"scan_seeds": 1, "confirm_seeds": (201, 202, 203, 204)}),
        "For many checkpoints: one seed of each first, all four of the promising ones, four fresh ones of the leaders.",
    ),
    Choice(
        "preset: the miniature", miniature.PLAN, "In words that the shipped base knows, at the guidance that suits it."
    ),
    Choice("preset: the article's tool", TOOL_PLAN, TOOL_PLAN_ASSUMED),
)


def choices(db: Database, project: Mapping[str, Any]) -> list[Choice]:
    """The plan in force, the presets, and the project's earlier plans, newest first."""
    now = plan_of(db, project["id"])
    earlier = [
        Choice(earlier_name(row), EvalPlan.model_validate_json(row["config"]), "Its previews are stored still.")
        for row in reversed(reuse.plans_of(db, project["id"]))
        if row["id"] != project["plan_id"]
    ]
    return [
        Choice("the plan in force", now),
        *PRESETS,
        *earlier,
    ]


def earlier_name(row: Mapping[str, Any]) -> str:
    made = datetime.fromtimestamp(row["created_at"])
    return f"earlier: {made:%d %b %Y, %H:%M}, {row['previews']:,} previews"


# what was typed


def typed_plan(plan: EvalPlan, typed: Mapping[str, Any]) -> EvalPlan:
    """A plan with what was typed in place of its own values; what is not named stays.

    ``prompts``: rows with text and role, ``variants``: rows with preview_base and clip_skip (those without any are
    left out); SEVERAL: "101, 102"; the rest as text, of which EMPTY_IS_NONE may be empty.
    Raises PlanError with all that is wrong.
    """
    values = {**plan.model_dump(), **{name: as_value(name, value) for name, value in typed.items()}}
    try:
        changed = EvalPlan.model_validate(values)
    except ValidationError as error:
        raise PlanError(" ".join(_sentence(dict(each)) for each in error.errors())) from error
    wrong = problems(changed)
    if wrong:
        raise PlanError(" ".join(wrong))
    return changed


def as_value(name: str, value: Any) -> Any:
    """What was typed into one field, as pydantic reads it."""
    if name == "prompts":
        return [{**row, "text": row["text"].strip()} for row in value if (row["text"] or "").strip()]
    if name == "variants":
        return list(typed_variants(value))
    if name in SEVERAL:
        return str(value).replace(",", " ").replace(";", " ").split()
    text = str(value if value is not None else "").strip()
    return None if name in EMPTY_IS_NONE and not text else text


def typed_variants(rows: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for row in rows:
        values = {name: as_value(name, row.get(name)) for name in ("preview_base", "clip_skip")}
        if any(value is not None for value in values.values()):
            yield values


def problems(plan: EvalPlan) -> list[str]:
    """What makes a plan useless though each of its values is allowed."""
    found = seed_problems(plan)
    found += [f"LoRA strength {w:g} is there {n} times." for w, n in Counter(plan.strengths).items() if n > 1]
    found += [
        f"LoRA strength {w:g} must lie above 0 and be at most {STRENGTH_AT_MOST:g}. Without any LoRA is the base row, "
        "which is made anyway."
        for w in plan.strengths
        if not 0 < w <= STRENGTH_AT_MOST
    ]
    found += prompt_problems(plan)
    if plan.size is not None and (plan.size % 8 or not SIDES[0] <= plan.size <= SIDES[1]):
        found.append(f"The size is {plan.size} px but must be a multiple of 8 between {SIDES[0]} and {SIDES[1]}.")
    places = [plan.preview_base, *(variant.preview_base for variant in plan.variants)]
    found += [problem for place in dict.fromkeys(places) if place and (problem := base_problem(place))]
    if plan.vae and (wrong := vae_problem(plan.vae)):
        found.append(wrong)
    twice = [n for n, variant in enumerate(plan.variants, 1) if variant in plan.variants[: n - 1]]
    found += [f"Variant {n} is there already." for n in twice]
    return found


def seed_problems(plan: EvalPlan) -> list[str]:
    both = (*plan.seeds, *plan.confirm_seeds)
    found = [f"Preview seed {seed} is there {n} times." for seed, n in Counter(plan.seeds).items() if n > 1]
    found += [
        f"Confirmation seed {seed} is there {n} times." for seed, n in Counter(plan.confirm_seeds).items() if n > 1
    ]
    found += [
        f"Confirmation seed {seed} is a preview seed as well: what was chosen by it can't be confirmed by it. "
        "Take another number."
        for seed in sorted({*plan.seeds} & {*plan.confirm_seeds})
    ]
    found += [
        f"Preview seed {seed} must lie between 0 and {SEED_BELOW - 1}." for seed in both if not 0 <= seed < SEED_BELOW
    ]
    if plan.scan_seeds and plan.scan_seeds >= len(plan.seeds):
        found.append(
            f"The first look takes {plan.scan_seeds} of {len(plan.seeds)} preview seeds, so nothing is left for a "
            "closer one. Take fewer, or leave it empty."
        )
    return found


def prompt_problems(plan: EvalPlan) -> list[str]:
    texts = Counter(prompt.text for prompt in plan.prompts)
    found = [f"The prompt '{text}' is there {n} times." for text, n in texts.items() if n > 1]
    for text in texts:
        found += [
            f"The prompt '{text}' has {{{word}}}: only {{trigger}} and {{class_noun}} are filled in."
            for word in re.findall(r"\{(.*?)\}", text)
            if word not in ("trigger", "class_noun")
        ]
    if not any(prompt.role == "identity" for prompt in plan.prompts):
        found.append("Likeness is measured on identity prompts, and there is none. Give one that names the subject.")
    return found


def vae_problem(place: str) -> str:
    """Why a VAE can't be used, and what to do; empty when there is one."""
    path = Path(place).expanduser()
    if path.is_dir() and (path / "config.json").is_file():
        return ""
    if path.is_file() and path.suffix == ".safetensors":
        return ""
    if path.is_file():
        return f"The VAE {path.name} is not a .safetensors file, and no other kind is ever loaded. Convert it."
    return (
        f"There is no VAE in {place}: a folder with config.json (diffusers layout) or a .safetensors file is needed. "
        "Empty = the preview base's own."
    )


def remarks(plan: EvalPlan, project: Mapping[str, Any]) -> list[str]:
    """What may be meant but is seldom right."""
    trigger = project["trigger_word"]
    found = []
    for prompt in plan.prompts:
        named = "{trigger}" in prompt.text or re.search(rf"\b{re.escape(trigger)}\b", prompt.text)
        if prompt.role == "identity" and not named:
            found.append(f"'{prompt.text}' is an identity prompt but does not name {trigger}: who should be in it?")
        if prompt.role == "neutral" and named:
            found.append(f"'{prompt.text}' is neutral but names {trigger}: likeness there would be taken for leakage.")
    if plan.scan_seeds and not looks_twice(plan, project):
        found.append(
            "Nobody judges the first look, so every checkpoint gets all previews at once. Choose a judge below."
        )
    return found


def _sentence(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors in plain words: what is wrong, and what it may be."""
    name, context = str(error["loc"][0]), error.get("ctx", {})
    if error["type"] == "too_short":
        what = {"seeds": "preview seed", "strengths": "LoRA strength"}.get(name, "prompt")
        return f"Give at least one {what}."
    what = NAMES.get(name, name)
    if name == "prompts":
        what = f"The role of prompt {error['loc'][1] + 1}"
    if name == "variants":
        what = f"The clip skip of variant {error['loc'][1] + 1}"
    allowed = ALLOWED.get(error["type"], error["msg"].lower()).format(**context)
    return f"{what} is {error['input']!r} but must be {allowed}."


# what it costs


@dataclass(frozen=True)
class Cost:
    """What it takes to go over to a plan. Counts are of previews, at least; those that depend on scores come on top."""

    to_render: int  # of the checkpoints that there are, base rows included
    taken_over: int  # drawn alike under other plans
    there: int  # drawn under this very plan
    each: int  # of every checkpoint to come
    per_preview: float | None  # seconds; None before anything was measured
    perhaps: int = 0  # more to render, if every checkpoint turns out to be promising
    each_perhaps: int = 0  # more of a checkpoint to come that is promising, or leads
    detects: tuple[Detectable, ...] = ()  # what the plan can tell apart

    @property
    def sentence(self) -> str:
        """In words: what is rendered, how long it takes, what stays."""
        here = ""
        if self.to_render or self.perhaps:
            here = f"{between(self.to_render, self.perhaps)} previews to render for the checkpoints that there are"
        if here and self.per_preview:
            took = [duration(n * self.per_preview) for n in (self.to_render, self.to_render + self.perhaps) if n]
            time = " to ".join(dict.fromkeys(took))
            here += f" (about {time}, at {self.per_preview:.2g} s each as measured)"
        each = between(self.each, self.each_perhaps)
        parts = [f"{here or 'no preview to render now'}, and {each} for each checkpoint to come."]
        stays = self.taken_over + self.there
        if stays:
            parts.append(f"{stays:,} are drawn already and stay as they are, with their scores and marks.")
        return " ".join(parts)


def cost_of(db: Database, project_id: int, plan: EvalPlan, known: Mapping[str, Spread] | None = None) -> Cost | None:
    """What it takes to go over to a plan; None when it is the project's plan already.

    ``known``: the measured spread (:func:`workbench.plans.detectable.spreads`), looked up where it is not given.
    """
    project = library.project(db, project_id)
    if project is None or plan == plan_of(db, project_id):
        return None
    plan_id = next((row["id"] for row in db.table("plans").rows_where("hash = ?", [plan.hash])), None)
    drawn = same_pictures(db, project, plan)
    listed = runs.of_project(db, project_id)
    twice = looks_twice(plan, project)
    nears = [Closer()]  # where nothing depends on scores
    if twice or plan.confirm_seeds:
        nears = list(bounds(listed, {run["id"]: runs.checkpoints(db, run["id"]) for run in listed}))
    counted = []
    for near in nears:
        to_render = taken_over = there = 0
        for item in wanted(db, project_id, plan, near):
            checkpoint_id = item.checkpoint["id"] if item.checkpoint else None
            filled = results.filled_cells(db, plan_id, project_id, checkpoint_id, *item.eyes) if plan_id else set()
            lacking = [cell for cell in item.cells if cell not in filled]
            alike = sum(shown in drawn for shown in pictures_of(item, project, plan, lacking).values())
            there += len(item.cells) - len(lacking)
            taken_over += alike
            to_render += len(lacking) - alike
        counted.append((to_render, taken_over, there))
    least, taken_over, there = counted[0]
    first = len(plan.scan_cells() if twice else plan.cells())
    return Cost(
        least,
        taken_over,
        there,
        first,
        seconds_each(db, project_id, plan),
        counted[-1][0] - least,
        len(plan.cells()) + len(plan.confirm_cells()) - first,
        tuple(detectable(plan, project, spreads(db, project_id) if known is None else known)),
    )


def seconds_each(db: Database, project_id: int, plan: EvalPlan) -> float | None:
    """How long a preview of a plan will take: the measured seconds per sampler step, times its steps."""
    measured = [row for row in reuse.plans_of(db, project_id) if row["rendered"]]
    steps = sum(row["rendered"] * EvalPlan.model_validate_json(row["config"]).steps for row in measured)
    return sum(row["rendered"] * row["seconds"] for row in measured) / steps * plan.steps if steps else None


def variant_rows(variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """Variants as a table shows them."""
    return [variant.model_dump() for variant in variants] or [Variant().model_dump()]
