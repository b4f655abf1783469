"""The article as a preset: its patterns, scaled to the miniature if need be, its marks, and the arms it lacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlite_utils import Database

from db import library, marks
from trainer import EMBEDDED_BASES
from trainer.config import TrainConfig
from workbench.plans.plan import EvalPlan, Prompt, Variant, plan_of, set_plan
from workbench.sweep import patterns as stored
from workbench.sweep.article_data import (
    ASSUMED,
    AUTHOR,
    BASE,
    ENTRIES,
    FOUR,
    FOUR_LABELS,
    MARKS_SENTENCE,
    NAMES,
    NOT_REPRODUCIBLE,
    OTHER_BASE,
    RATE_OF_3,
    RATES_ASKED,
    SAID,
    SAME_RUN,
    SOURCE,
    Entry,
)
from workbench.sweep.choices import OPTIMIZERS
from workbench.sweep.danger import COUPLED, sensible_rate
from workbench.sweep.patterns import Asked

__all__ = [
    "AUTHOR",
    "BASE",
    "ENTRIES",
    "MARKS_SENTENCE",
    "OTHER_BASE",
    "SAID",
    "TOOL_PLAN",
    "TOOL_PLAN_ASSUMED",
    "Added",
    "Arm",
    "add_arm",
    "add_article",
    "described",
    "full_label",
    "left_out",
    "patterns",
    "requested",
    "scaled",
    "suggestions",
    "to_miniature",
]


@dataclass(frozen=True)
class Arm:
    """What the article could not tell apart, and what to train (or to render) for it."""

    title: str
    tells: str
    patterns: tuple[Asked, ...] = ()
    seeds: tuple[int, ...] = ()  # to train every pattern with
    clip_skips: tuple[int, ...] = ()  # to render the last checkpoints with, too
    keeps: tuple[str, ...] = ()  # settings that are what the arm is about: no table sets them otherwise
    own_rates: bool = False  # each pattern has its optimiser's sensible rate at alpha = dim, on whatever scale


@dataclass(frozen=True)
class Added:
    """What came into a project: ids of patterns, and what did not with the reason."""

    pattern_ids: tuple[int, ...]
    left_out: tuple[tuple[str, str], ...]


def described(entry: Entry) -> dict[str, Any]:
    """An entry for programs: every setting with its mark, what is assumed, the mark as given."""
    settings = {
        **{n: {"value": v, "mark": "K", "from": "the article"} for n, v in {**SAID, **entry.known}.items()},
        **{n: {"value": v, "mark": "K", "from": "the tool's code"} for n, v in entry.by_the_tool.items()},
        **{n: {"value": v, "mark": "I", "from": entry.why} for n, v in entry.inferred.items()},
    }
    config = entry.config
    return {
        "label": entry.label,
        "settings": settings,
        "unknown": [*entry.unknown, *ASSUMED],
        "assumed": entry.assumed if config else {},
        "why": entry.why,
        "score": entry.score,
        "words": entry.words,
        "reproducible": trained_as(entry) != (),
        "patterns": list(trained_as(entry)),
        "remark": "" if trained_as(entry) else NOT_REPRODUCIBLE,
    }


def trained_as(entry: Entry) -> tuple[str, ...]:
    """Labels of the patterns that stand for an entry: of one of the four all four, since the order is unknown."""
    if entry.label in FOUR_LABELS:
        return tuple(four_label(name) for name in FOUR)
    return (entry.label,) if entry.config else ()


def four_label(name: str) -> str:
    return f"{'/'.join(FOUR_LABELS)}: {name}"


def requested() -> list[Asked]:
    """Every trainable pattern with the settings that the article asked for: 13, 23 and 24 with their own rates."""
    found = []
    for entry in ENTRIES:
        if entry.label == FOUR_LABELS[0]:
            found += [
                Asked(four_label(name), _of_four(entry, optimizer), "one of the four other optimisers")
                for name, optimizer in FOUR.items()
            ]
        elif entry.config is not None:
            note = RATES_ASKED if entry.label in SAME_RUN else entry.why
            found.append(Asked(entry.label, entry.config, note))
    return found


def _of_four(entry: Entry, optimizer: str) -> TrainConfig:
    config = replace(entry, inferred={**entry.inferred, "optimizer": optimizer}, unknown=()).config
    assert config is not None  # only the optimiser was open
    return config


def patterns() -> list[Asked]:
    """What is trained: as requested, but 13, 23 and 24 as the one pattern that they are."""
    rate = RATE_OF_3["learning_rate"]
    return [
        replace(asked, config=asked.config.model_copy(update={"learning_rate": rate}))
        if asked.label in SAME_RUN
        else asked
        for asked in requested()
    ]


def left_out() -> list[Entry]:
    """Entries that can't be trained: too much of them is unknown."""
    return [entry for entry in ENTRIES if not trained_as(entry)]


# the scale of the miniature


def to_miniature(config: TrainConfig, table: Mapping[str, Any]) -> TrainConfig:
    """A pattern of the article on the embedded base, by a table of divisors and factors.

    ``table``: repeats, epochs, save_every, dim: divisors (results are rounded, at least 1); alpha: a factor; rates:
    optimiser -> factor on its learning rate; bases: the article's base -> ours; settings: what is set as it stands,
    whatever the article says.
    """
    scaled = {
        name: max(1, round(getattr(config, name) / table.get(name, 1)))
        for name in ("repeats", "epochs", "save_every", "dim")
    }
    rate = config.learning_rate * table.get("rates", {}).get(config.optimizer, 1)
    bases = table.get("bases", {})
    changed = {
        **scaled,
        "alpha": config.alpha * table.get("alpha", 1),
        "learning_rate": float(f"{rate:.6g}"),  # 1e-4 x 20 is 0.002, not 0.0020000000000000005
        "base_model": bases.get(config.base_model, config.base_model),
        **table.get("settings", {}),
    }
    return TrainConfig.model_validate({**config.model_dump(), **changed})


def scaled(table: Mapping[str, Any], asked: Sequence[Asked] | None = None) -> list[Asked]:
    """The article's patterns (or these) on the embedded base."""
    return [replace(each, config=to_miniature(each.config, table)) for each in asked or patterns()]


def placed(
    asked: Sequence[Asked], bases: Mapping[str, str], table: Mapping[str, Any] | None
) -> tuple[list[Asked], list[tuple[str, str]]]:
    """Patterns on the bases that are here, scaled where a table is given; and those without a base, with the reason."""
    if table is not None:
        bases = table["bases"]
    found, without = [], []
    for each in asked:
        place = bases.get(each.config.base_model)
        if place is None:
            without.append((each.label, f"its base model {each.config.base_model} is not given"))
            continue
        config = each.config.model_copy(update={"base_model": place})
        found.append(replace(each, config=config if table is None else to_miniature(config, table)))
    return found, without


# into a project


def add_article(
    db: Database,
    project_id: int,
    *,
    bases: Mapping[str, str] | None = None,
    table: Mapping[str, Any] | None = None,
) -> Added:
    """Add the article's patterns to a project, its author's marks, and the views that it lacked to the plan.

    ``bases``: the article's base -> where it lies here; None = the project's base stands for that of 3, and 8 is
    left out. ``table``: see :func:`to_miniature`; its bases count then. All patterns are added or none (PatternError).
    """
    project = library.project(db, project_id)
    assert project is not None
    bases = (table or {}).get("bases") or bases or {BASE: project["base_model"]}
    asked, without = placed(patterns(), bases, table)
    ids = stored.add_all(db, project_id, [replace(each, label=full_label(each.label)) for each in asked])
    add_marks(db, project_id, {each.label: pattern_id for each, pattern_id in zip(asked, ids, strict=True)})
    add_variants(db, project_id, [Variant(clip_skip=n) for n in (1, 2)])
    if len(bases) > 1:
        add_variants(db, project_id, [Variant(preview_base=base) for base in bases.values()])
    without += [(entry.label, NOT_REPRODUCIBLE) for entry in left_out()]
    return Added(tuple(dict.fromkeys(ids)), tuple(without))


def full_label(label: str) -> str:
    """The article's number with a few words beside it: '5: alpha 64'."""
    return f"{label}: {NAMES[label]}" if label in NAMES else label


def add_marks(db: Database, project_id: int, pattern_ids: Mapping[str, int]) -> None:
    """The author's marks: numbers where there are numbers, words where there are words, blanks blank.

    The four other optimisers got 50 each, so each pattern has that mark though nobody knows its number.
    """
    for entry in ENTRIES:
        if entry.label in FOUR_LABELS:
            label = four_label(list(FOUR)[FOUR_LABELS.index(entry.label)])
            words = "one of four optimisers with 50 each; which had which number is unknown"
        else:
            label, words = entry.label, entry.words
        marks.add(
            db,
            project_id,
            label,
            AUTHOR,
            value=entry.score,
            words=words,
            pattern_id=pattern_ids.get(label),
            source=SOURCE,
        )


def add_variants(db: Database, project_id: int, variants: Sequence[Variant]) -> None:
    """Let the project's plan render these too."""
    plan = plan_of(db, project_id)
    every = tuple(dict.fromkeys([*plan.variants, *variants]))
    if every != plan.variants:
        set_plan(db, project_id, plan.model_copy(update={"variants": every}))


def add_arm(
    db: Database,
    project_id: int,
    arm: Arm,
    *,
    bases: Mapping[str, str] | None = None,
    table: Mapping[str, Any] | None = None,
) -> Added:
    """Add an arm's patterns and views to a project; ``bases`` and ``table`` as for the article."""
    project = library.project(db, project_id)
    assert project is not None
    if table is not None and arm.keeps:
        fixed = {name: value for name, value in table.get("settings", {}).items() if name not in arm.keeps}
        table = {**table, "settings": fixed}
    asked, without = placed(arm.patterns, bases or {BASE: project["base_model"]}, table)
    if arm.own_rates:
        asked = [at_own_rate(each) for each in asked]
    new = [each for each in asked if library.label(db, project_id, each.label) is None]
    ids = stored.add_all(db, project_id, new)
    add_variants(db, project_id, [Variant(clip_skip=n) for n in arm.clip_skips])
    return Added(tuple(ids), tuple(without))


def at_own_rate(asked: Asked) -> Asked:
    """A pattern with alpha = dim and the rate that suits its optimiser on its base."""
    config = asked.config
    rate = sensible_rate(config.optimizer, embedded=config.base_model in EMBEDDED_BASES)
    return changed(f"{asked.label} at {rate:g}", config, alpha=float(config.dim), learning_rate=rate)


# what it could not tell apart


def suggestions() -> list[Arm]:
    """The arms that the article lacks, each with what it would tell apart. Patterns are on the article's scale."""
    asked = {each.label: each.config for each in patterns()}
    of_3, of_13, adamw = asked["3"], asked["13"], asked[four_label("AdamW")]
    rate = adamw.learning_rate
    return [
        Arm(
            "alpha or rate?",
            "3, 5 and 6 differ in alpha, and alpha / dim multiplies every step. If alpha 64 at a 64th of the rate does "
            "as alpha 1 at the full rate, alpha was a learning rate. On AdamW, since AdaFactor has no rate to divide.",
            (
                changed("alpha 64, AdamW", adamw, alpha=64.0),
                changed("alpha 64 at rate / 64, AdamW", adamw, alpha=64.0, learning_rate=rate / 64),
            ),
        ),
        Arm(
            "clip skip in training or in the pictures?",
            "3 and 4 were looked at with one unknown clip skip. Their last checkpoints are rendered with 1 and with 2: "
            "whether clip skip 1 trains better, or only fits the pictures' clip skip better.",
            clip_skips=(1, 2),
        ),
        Arm(
            "batch size or number of updates?",
            "3, 7 and 13 have seen equally many images in 1, 1/2 and 1/4 of the updates. With equal updates (more "
            "epochs): whether a larger batch is better, or fewer updates were.",
            (
                changed("batch 2, updates as in 3", of_3, batch_size=2, epochs=2 * of_3.epochs),
                changed("batch 4, updates as in 3", of_3, batch_size=4, epochs=4 * of_3.epochs),
            ),
        ),
        Arm(
            "optimisers at their own rates",
            "13 to 18 had one rate for all, which suits AdamW, is 10,000 times too low for DAdaptation, and hardly "
            "moves SGD. Each at a sensible rate of its own: whether one is better, or was only tuned better.",
            tuple(
                changed(
                    f"tuned: {name}",
                    of_13,
                    optimizer=name,
                    learning_rate=choice.rate,
                    alpha=float(of_13.dim),
                    weight_decay=0.0 if name in COUPLED else of_13.weight_decay,
                    **tool_fixes(name),
                )
                for name, choice in OPTIMIZERS.items()
                if choice.rate is not None and not name.endswith("8bit")
            ),
            own_rates=True,
        ),
        Arm(
            "chance?",
            "The article trained everything once. With three training seeds each: how far two trainings of one pattern "
            "lie apart, and so whether 90 against 88 means anything.",
            seeds=(1, 2, 3),
        ),
        Arm(
            "mirrored copies",
            "The tool's default wrote a mirrored copy of every photo: twice the updates per epoch. Nobody knows "
            "whether it was on: whether that would have changed the result of 3.",
            (changed("3 with mirrored copies", of_3, flip=True, repeats=2 * of_3.repeats),),
        ),
        Arm(
            "captions",
            "Nobody knows the captions. Without any, the tool used the folder's name: whether captions would have "
            "changed the result of 3.",
            (
                changed("3, captions as written", of_3, captions="as_written"),
                changed("3, traits left out", of_3, captions="traits_left_out"),
            ),
            keeps=("captions",),
        ),
    ]


def tool_fixes(optimizer: str) -> dict[str, Any]:
    """Schedule and betas that the tool passes with an optimiser."""
    fixed = Entry("", {"optimizer": optimizer}).by_the_tool
    return {name: fixed.get(name) for name in ("beta1", "beta2")} | {"lr_scheduler": fixed["lr_scheduler"]}


def changed(label: str, config: TrainConfig, **settings: Any) -> Asked:
    return Asked(label, TrainConfig.model_validate({**config.model_dump(), **settings}))


TOOL_PLAN = EvalPlan(  # the tool's defaults of that time; what the author set is unknown
    prompts=(
        Prompt(
            text="{trigger} {class_noun}, best quality,Amazing,finely detail,extremely detailed CG unity 8k wallpaper"
        ),
        Prompt(text="best quality,Amazing,finely detail,extremely detailed CG unity 8k wallpaper", role="neutral"),
    ),
    strengths=(0.6, 0.7, 0.8, 1.0),
    steps=28,
    cfg=10.0,
    sampler="euler",
    negative="low quality",
    size=512,
)
TOOL_PLAN_ASSUMED = (
    "Assumed: what the author set is unknown, these are the tool's defaults of 2023. Its prompt held no trigger word "
    "(so the first prompt is ours); its sampler was Euler a, the nearest here is Euler; it drew one random seed per "
    "click, here the seeds are fixed; base and clip skip were those that the WebUI had loaded."
)
