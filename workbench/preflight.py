"""What can be known before training: settings without effect, patterns that are one run under two names."""

from dataclasses import dataclass

from sqlite_utils import Database

from trainer.config import inert
from workbench import patterns
from workbench.device import known_device
from workbench.patterns import Pattern
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
    return [*_same_runs(db, project_id), *_inert(listed), *_precision(db, listed)]


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
