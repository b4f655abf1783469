"""A grid: every combination of some values of some settings, as patterns, looked over before they are added."""

import itertools
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.config import TrainConfig, parse_config
from workbench.sweep.patterns import Asked, Pattern, PatternError, same_among, unsaved
from workbench.sweep.settings import change_label, typed

MOST = 500  # patterns


class GridError(PatternError):
    """A grid that can't be made as asked."""


@dataclass(frozen=True)
class Looked:
    """A grid beside a project's patterns: what would be new, and what would not."""

    new: tuple[Asked, ...]
    known: tuple[str, ...]  # labels of combinations that the project has already, with the very same settings
    doubles: tuple[tuple[str, ...], ...]  # labels of patterns that would train the very same LoRA

    @property
    def sentence(self) -> str:
        """How many, and what is double."""
        n = len(self.new)
        text = f"{n} new pattern{'s' if n != 1 else ''}."
        if self.known:
            text += f" The project has {len(self.known)} of the combinations already: {', '.join(self.known)}."
        for group in self.doubles:
            text += f" The very same run: {', '.join(group)}."
        return text


def axis(text: str) -> tuple[str, list[Any]]:
    """``NAME=V1,V2`` as a setting and its values; ``empty`` is no value."""
    name, equals, values = text.partition("=")
    found = [value.strip() for value in values.split(",") if value.strip()]
    if not equals or not found:
        raise GridError(f"'{text}' is no axis: write NAME=VALUE,VALUE, such as alpha=1,16.")
    return name.strip(), [None if value == "empty" else value_of(value) for value in found]


def value_of(text: str) -> Any:
    """What somebody typed as a number or a switch where it is one, else as text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return typed(text)


def grid(start: TrainConfig, label: str, axes: Mapping[str, Sequence[Any]]) -> list[Asked]:
    """Every combination of the axes' values, the rest as in ``start``; the first axis changes slowest.

    Raises GridError for an empty axis or too many patterns, ConfigError for a setting or value that isn't one.
    """
    for name, values in axes.items():
        if not values:
            raise GridError(f"The axis {name} has no values.")
    count = 1
    for values in axes.values():
        count *= len(values)
    if not axes or count > MOST:
        raise GridError(f"The grid has {count if axes else 0} patterns; 1 to {MOST} can be made at once.")
    found: dict[str, Asked] = {}
    for values in itertools.product(*axes.values()):
        config = parse_config({**start.model_dump(mode="json"), **dict(zip(axes, values, strict=True))})
        change = {name: getattr(config, name) for name in axes}  # as numbers, however they were typed
        found.setdefault(config.hash, Asked(change_label(label, change), config))
    return list(found.values())


def looked_over(asked: Sequence[Asked], listed: Sequence[Pattern], precisions: Collection[str]) -> Looked:
    """A grid against the patterns that there are."""
    stored = {pattern.hash: pattern.label for pattern in listed}
    new = [each for each in asked if each.config.hash not in stored]
    known = tuple(stored[each.config.hash] for each in asked if each.config.hash in stored)
    groups = same_among([*listed, *unsaved(new)], precisions)
    doubles = tuple(
        tuple(pattern.label for pattern in group) for group in groups if any(p.pattern_id < 0 for p in group)
    )
    return Looked(tuple(new), known, doubles)
