"""What can be known before training: settings without effect, patterns that are one run under two names."""

from dataclasses import dataclass

from sqlite_utils import Database

from db import library
from trainer.config import inert
from workbench import patterns
from workbench.device import known_device
from workbench.patterns import Pattern
from workbench.plan import plan_of
from workbench.sentences import inert_reason, setting


@dataclass(frozen=True)
class Note:
    """A sentence about one or more patterns; ``warn`` = training them as they are would waste time or mislead."""

    level: str  # warn, info
    text: str
    pattern_ids: tuple[int, ...]


def notes(db: Database, project_id: int) -> list[Note]:
    """Everything worth saying about a project's patterns before they are queued."""
    listed = patterns.listed(db, project_id)
    return [*judges(db, project_id), *_same_runs(db, project_id), *_inert(listed), *_precision(db, listed)]


def judges(db: Database, project_id: int) -> list[Note]:
    """Judges that don't know the people whom the base model draws: the embedded ones know synthetic people only."""
    project = library.project(db, project_id)
    assert project is not None
    instead, listed = plan_of(db, project_id).preview_base, patterns.listed(db, project_id)
    drawn: dict[str, list[int]] = {} if listed else {instead or project["base_model"]: []}
    for pattern in listed:
        drawn.setdefault(instead or pattern.config.base_model, []).append(pattern.pattern_id)
    found = []
    for what, judge in (("likeness", project["face_judge"]), ("prompt adherence", project["clip_judge"])):
        for base, pattern_ids in drawn.items():
            if judge == "none" or (judge == "embedded") == (base == "embedded"):
                continue
            why = (
                f"knows synthetic people only, but the base model {base} draws others"
                if judge == "embedded"
                else "knows photos of real people, but the base model embedded draws synthetic ones only"
            )
            text = f"The judge of {what}, {judge}, {why}: its scores would mislead. Change it on the Home page."
            found.append(Note("warn", text, tuple(pattern_ids)))
    return found


def _same_runs(db: Database, project_id: int) -> list[Note]:
    found = []
    for group in patterns.same_run(db, project_id):
        names = " and ".join(f"'{pattern.label}'" for pattern in group)
        requested = {name for pattern in group for name in patterns.changes(pattern, group[0])}
        what = ", ".join(setting(name).label for name in sorted(requested))
        text = (
            f"{names} will train the very same LoRA, number for number: they differ only in {what}, "
            "which has no effect here. One of them is enough."
        )
        found.append(Note("warn", text, tuple(pattern.pattern_id for pattern in group)))
    return found


def _inert(listed: list[Pattern]) -> list[Note]:
    """Settings that somebody set to something, and that do nothing."""
    found = []
    for pattern in listed:
        set_by_hand = pattern.config.model_dump(exclude_defaults=True)
        by_reason: dict[str, list[str]] = {}
        for name, code in inert(pattern.config).items():
            if name in set_by_hand:
                by_reason.setdefault(code, []).append(setting(name).label)
        for code, labels in by_reason.items():
            text = f"'{pattern.label}': {', '.join(labels)} - {inert_reason(code)}."
            found.append(Note("info", text, (pattern.pattern_id,)))
    return found


def _precision(db: Database, listed: list[Pattern]) -> list[Note]:
    """Precisions that the known device doesn't have: it will train in fp32, and say so."""
    device = known_device(db)
    if device is None:
        return []
    return [
        Note(
            "info",
            f"'{p.label}': {device.name} has no {p.config.mixed_precision}; it trains in fp32.",
            (p.pattern_id,),
        )
        for p in listed
        if p.config.mixed_precision not in device.precisions
    ]
