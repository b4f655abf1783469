"""What may change in a project that has results: its judges, its base model, and the plan of its previews."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from sqlite_utils import Database

from db import results, runs
from trainer.config import parse_config
from workbench.judges import JudgeUnavailable, clip_judge_info, face_judge_info
from workbench.plan import EvalPlan, plan_of

SEED_BELOW = 2**32
NAMES = {"seeds": "A preview seed", "steps": "The number of sampler steps", "cfg": "The guidance scale"}
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


def changed_plan(plan: EvalPlan, prompts: Iterable[Mapping[str, Any]], seeds: str, steps: str, cfg: str) -> EvalPlan:
    """A plan with other prompts (rows with text and role), seeds ("101, 102"), steps and guidance, as typed.

    Rows without a text are left out; what is not named here stays. Raises PlanError with all that is wrong.
    """
    values = {
        **plan.model_dump(),
        "prompts": [{**row, "text": row["text"].strip()} for row in prompts if (row["text"] or "").strip()],
        "seeds": seeds.replace(",", " ").split(),
        "steps": steps.strip(),
        "cfg": cfg.strip(),
    }
    try:
        changed = EvalPlan.model_validate(values)
    except ValidationError as error:
        raise PlanError(" ".join(_sentence(dict(each)) for each in error.errors())) from error
    wrong = problems(changed)
    if wrong:
        raise PlanError(" ".join(wrong))
    return changed


def problems(plan: EvalPlan) -> list[str]:
    """What makes a plan useless though each of its values is allowed."""
    found = [f"Preview seed {seed} is there {n} times." for seed, n in Counter(plan.seeds).items() if n > 1]
    found += [
        f"Preview seed {seed} must lie between 0 and {SEED_BELOW - 1}."
        for seed in plan.seeds
        if not 0 <= seed < SEED_BELOW
    ]
    texts = Counter(prompt.text for prompt in plan.prompts)
    found += [f"The prompt '{text}' is there {n} times." for text, n in texts.items() if n > 1]
    if not any(prompt.role == "identity" for prompt in plan.prompts):
        found.append("Likeness is measured on identity prompts, and there is none. Give one that names the subject.")
    return found


def _sentence(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors in plain words: what is wrong, and what it may be."""
    name, context = str(error["loc"][0]), error.get("ctx", {})
    if error["type"] == "too_short":
        return f"Give at least one {'preview seed' if name == 'seeds' else 'prompt'}."
    what = f"The role of prompt {error['loc'][1] + 1}" if name == "prompts" else NAMES.get(name, name)
    allowed = ALLOWED.get(error["type"], error["msg"].lower()).format(**context)
    return f"{what} is {error['input']!r} but must be {allowed}."


def previews_to_come(db: Database, project_id: int, plan: EvalPlan) -> int:
    """Previews that a plan lacks for the checkpoints that there are, with the base rows they are held against."""
    plan_id = next((row["id"] for row in db.table("plans").rows_where("hash = ?", [plan.hash])), None)
    lacking, bases = 0, set()
    for run in runs.of_project(db, project_id):
        config = parse_config(run["config"])
        base = plan.preview_base or config.base_model, plan.clip_skip or config.clip_skip
        for checkpoint in runs.checkpoints(db, run["id"]):
            bases.add(base)
            filled = results.filled_cells(db, plan_id, project_id, checkpoint["id"], *base) if plan_id else ()
            lacking += len(plan.cells()) - len(filled)
    for base in bases:
        filled = results.filled_cells(db, plan_id, project_id, None, *base) if plan_id else ()
        lacking += len(plan.base_row_cells()) - len(filled)
    return lacking


def cost_of(db: Database, project_id: int, plan: EvalPlan) -> str:
    """What it takes to go over to a plan, in a sentence; empty when it is the project's plan already."""
    if plan == plan_of(db, project_id):
        return ""
    n, each = previews_to_come(db, project_id, plan), len(plan.cells())
    here = f"{n:,} previews to render for the checkpoints that there are" if n else "no preview to render now"
    return f"Another plan: {here}, and {each:,} for each checkpoint to come."


def judge_problem(kind: str, spec: str) -> str:
    """Why a judge (``face`` or ``clip``) can't be used on this computer, and what to do; empty when it can."""
    try:
        (face_judge_info if kind == "face" else clip_judge_info)(spec)
    except JudgeUnavailable as error:
        return str(error)
    return ""
