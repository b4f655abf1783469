"""What can be known before training: what is inert, double, dangerous or impossible here, and what will be answered."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from db import library
from trainer import EMBEDDED_BASES
from trainer.effective import inert
from workbench.bases import NO_BASE
from workbench.plans.plan import EvalPlan, plan_of
from workbench.running.device import DeviceInfo, known_device
from workbench.sentences import danger, inert_reason, setting
from workbench.sweep import patterns
from workbench.sweep.danger import dangers
from workbench.sweep.patterns import Asked, Contrast, Pattern
from workbench.sweep.settings import value_text

ANY_PRECISION = ("no", "fp16", "bf16")  # nothing is masked on a guess
NAMES_SHOWN = 6


@dataclass(frozen=True)
class Note:
    """A sentence about one or more patterns; ``warn`` = training them as they are would waste time or mislead."""

    level: str  # warn, info
    text: str
    pattern_ids: tuple[int, ...]


def notes(db: Database, project_id: int) -> list[Note]:
    """Everything worth saying about a project's patterns before they are queued."""
    return [*judges(db, project_id), *_of(db, project_id, patterns.listed(db, project_id))]


def notes_before(db: Database, project_id: int, asked: Sequence[Asked]) -> list[Note]:
    """The same of patterns that are not added yet, beside the project's own: only what concerns the new ones."""
    new, device = patterns.unsaved(asked), known_device(db)
    doubles = same_runs([*patterns.listed(db, project_id), *new], device)
    found = [note for note in doubles if any(number < 0 for number in note.pattern_ids)]
    return [*found, *each_of(new, n_photos(db, project_id), device, plan_of(db, project_id))]


def _of(db: Database, project_id: int, listed: Sequence[Pattern]) -> list[Note]:
    return notes_of(listed, n_photos(db, project_id), known_device(db), plan_of(db, project_id))


def n_photos(db: Database, project_id: int) -> int:
    """Photos on the train side; 0 before there are any."""
    project = library.project(db, project_id)
    return len(library.photos(db, project["dataset_id"], "train")) if project and project["dataset_id"] else 0


def notes_of(
    listed: Sequence[Pattern], n_photos: int = 0, device: DeviceInfo | None = None, plan: EvalPlan | None = None
) -> list[Note]:
    """What is worth saying about any patterns, trained on so many photos (0 = not known); warnings first."""
    return [*same_runs(listed, device), *each_of(listed, n_photos, device, plan)]


def each_of(listed: Sequence[Pattern], n_photos: int, device: DeviceInfo | None, plan: EvalPlan | None) -> list[Note]:
    """What is worth saying about each pattern by itself; warnings first."""
    found = [
        *_dangers(listed, n_photos),
        *(_impossible(listed, device) if device else ()),
        *(_clip_skip(listed, plan) if plan else ()),
        *_inert(listed),
        *(_precision(listed, device) if device else ()),
    ]
    return sorted(found, key=lambda note: note.level != "warn")


def judges(db: Database, project_id: int) -> list[Note]:
    """Judges that don't know the people whom the base model draws: what they will refuse, or be unsure of."""
    project = library.project(db, project_id)
    assert project is not None
    plan, listed = plan_of(db, project_id), patterns.listed(db, project_id)
    instead = NO_BASE if plan.elsewhere else plan.preview_base
    drawn: dict[str, list[int]] = {} if listed else {instead or project["base_model"]: []}
    for pattern in listed:
        drawn.setdefault(instead or pattern.config.base_model, []).append(pattern.pattern_id)
    chosen = {
        "likeness": project["face_judge"],
        "likeness for a second opinion": project["second_face_judge"],
        "prompt adherence": project["clip_judge"],
    }
    found = []
    for what, judge in chosen.items():
        for base, pattern_ids in drawn.items():
            level, why = _unfit(judge, base)
            if why:
                found.append(Note(level, f"The judge of {what}, {judge}, {why}", tuple(pattern_ids)))
    return found


def _unfit(judge: str, base: str) -> tuple[str, str]:
    """Why a judge doesn't suit a base model, and how much that matters; empty where it does, or where nobody knows."""
    change = "Change it on the Plan page."
    if judge == "none" or (judge == "embedded") == (base in EMBEDDED_BASES):
        return "", ""
    if base == NO_BASE:
        return "info", "knows synthetic people only: photos of others it refuses, and there are no scores then."
    if judge == "embedded":
        return "warn", f"knows synthetic people only and refuses photos of others, but {base} draws others. {change}"
    if judge == "dlib":
        return "info", (
            "was made for photos of real people. It tells the shipped synthetic people apart as well (AUC .993), but "
            "less surely than the embedded judge."
        )
    return "warn", (
        f"knows photos of real people, but the base model {base} draws synthetic ones only: its scores would mislead. "
        f"{change}"
    )


def same_runs(listed: Sequence[Pattern], device: DeviceInfo | None) -> Iterable[Note]:
    """Patterns that are one training under several names."""
    for group in patterns.same_among(listed, device.precisions if device else ANY_PRECISION):
        names = " and ".join(f"'{pattern.label}'" for pattern in group)
        requested = {name for pattern in group for name in patterns.changes(pattern, group[0])}
        what = ", ".join(setting(name).label for name in sorted(requested))
        why = f"they differ only in {what}, which has no effect here" if what else "they have the same settings"
        text = f"{names} will train the very same LoRA, number for number: {why}. One of them is enough."
        yield Note("warn", text, tuple(pattern.pattern_id for pattern in group))


def _dangers(listed: Sequence[Pattern], n_photos: int) -> Iterable[Note]:
    found: dict[tuple[str, str], list[Pattern]] = {}
    for pattern in listed:
        for each in dangers(pattern.config, n_photos):
            key = ("warn" if each.warn else "info", danger(each.code, each.params))
            found.setdefault(key, []).append(pattern)
    for (level, text), group in found.items():
        yield note(level, group, text)


def note(level: str, group: Sequence[Pattern], text: str) -> Note:
    """The same sentence about several patterns, said once."""
    names = [f"'{pattern.label}'" for pattern in group]
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return Note(level, f"{', '.join(names[:NAMES_SHOWN])}{more}: {text}", tuple(p.pattern_id for p in group))


def _inert(listed: Sequence[Pattern]) -> Iterable[Note]:
    """Settings that somebody set to something, and that do nothing; under AdaFactor the rate whatever it is."""
    found: dict[str, list[Pattern]] = {}
    for pattern in listed:
        set_by_hand = pattern.config.model_dump(exclude_defaults=True)
        by_reason: dict[str, list[str]] = {}
        for name, code in inert(pattern.config).items():
            if name in set_by_hand or (name, code) == ("learning_rate", "adafactor_relative_step"):
                by_reason.setdefault(code, []).append(setting(name).label)
        for code, labels in by_reason.items():
            found.setdefault(f"{', '.join(labels)} - {inert_reason(code)}.", []).append(pattern)
    for text, group in found.items():
        yield note("info", group, text)


def _precision(listed: Sequence[Pattern], device: DeviceInfo) -> Iterable[Note]:
    """Precisions that the known device doesn't have: it will train in fp32, and say so."""
    found: dict[str, list[Pattern]] = {}
    for pattern in listed:
        if pattern.config.mixed_precision not in device.precisions:
            found.setdefault(pattern.config.mixed_precision, []).append(pattern)
    for precision, group in found.items():
        yield note("info", group, f"{device.name} has no {precision}; it trains in fp32.")


def _impossible(listed: Sequence[Pattern], device: DeviceInfo) -> Iterable[Note]:
    """Optimisers with which one real step failed on this device."""
    found: dict[str, list[Pattern]] = {}
    for pattern in listed:
        if device.optimizers.get(pattern.config.optimizer):
            found.setdefault(pattern.config.optimizer, []).append(pattern)
    for optimizer, group in found.items():
        why = device.optimizers[optimizer].rstrip(".")
        yield note("warn", group, f"{optimizer} can't work on {device.name}: {why}. Choose another optimiser.")


def _clip_skip(listed: Sequence[Pattern], plan: EvalPlan) -> Iterable[Note]:
    """A plan that draws with one clip skip whatever was trained: then part of a difference is the pictures'."""
    unlike = [pattern for pattern in listed if plan.clip_skip not in (None, pattern.config.clip_skip)]
    if unlike:
        text = (
            f"trained with another clip skip than the previews' {plan.clip_skip}, so the pictures show both at once. "
            "Let the plan draw as trained, or add a variant for each. (Training and pictures must use the same one: "
            "sd-scripts library/strategy_sd.py)"
        )
        yield note("warn", unlike, text)


# what will be answered


@dataclass(frozen=True)
class Answer:
    """What a sweep says about one setting in which its patterns differ.

    ``pairs``: those that differ in it alone; ``missing``: without any, the arm that would make one: the pattern to
    clone and the value to give it.
    """

    setting: str
    pairs: tuple[Contrast, ...]
    missing: tuple[Pattern, object] | None = None


def answers(listed: Sequence[Pattern], precisions: Collection[str] = ANY_PRECISION) -> list[Answer]:
    """Every setting that varies, and whether it can be told from the others."""
    pairs: dict[str, list[Contrast]] = {}
    together: dict[str, tuple[int, Pattern, Pattern]] = {}  # setting -> fewest differences it comes with
    for a, b, names in patterns.differences(listed, precisions):
        for name in names:
            if name not in together or len(names) < together[name][0]:
                together[name] = (len(names), a, b)
        if len(names) == 1:
            value_a, value_b = (getattr(each.config, names[0]) for each in (a, b))
            pairs.setdefault(names[0], []).append(Contrast(names[0], a.pattern_id, b.pattern_id, value_a, value_b))
    return [
        Answer(name, tuple(pairs.get(name, ())), None if fewest == 1 else (a, getattr(b.config, name)))
        for name, (fewest, a, b) in together.items()
    ]


def answer_sentence(answer: Answer, labels: dict[int, str]) -> str:
    """What is answered, or the arm that is missing, in a sentence."""
    label = setting(answer.setting).label
    if answer.pairs:
        names = [f"{labels[pair.a]} / {labels[pair.b]}" for pair in answer.pairs]
        more = f" and {len(names) - NAMES_SHOWN} more pairs" if len(names) > NAMES_SHOWN else ""
        return f"{label}: answered by {'; '.join(names[:NAMES_SHOWN])}{more}."
    assert answer.missing is not None
    pattern, value = answer.missing
    text = value_text(value) or "empty"
    return f"{label}: only varies together with others. Missing: '{pattern.label}' with {label} {text}."


def chance_sentence(n_seeds: int) -> str:
    """What the number of training seeds allows to be said."""
    if n_seeds > 1:
        return f"Chance: {n_seeds} trainings of each pattern show how far two trainings of one pattern lie apart."
    return (
        "Chance: with one seed each nothing tells a setting's effect from what another seed alone would make. "
        "Missing: a second seed, of one pattern at least."
    )
