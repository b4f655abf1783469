"""Which way a change of one setting is told, so that all pairs of a setting point alike."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from workbench.sweep.patterns import Contrast

MANY = 4  # values of one setting, from which on only pairs with the reference are shown at first


def directed(pairs: Sequence[Contrast], baseline: Mapping[str, Any]) -> list[Contrast]:
    """The pairs, turned so that all of a setting point alike.

    Numbers go from the smaller to the larger, "no" to "yes", nothing to something; other values (optimisers, base
    models) from the reference (:func:`references`) to the other, and where neither side is it, from the one that
    comes first among the pairs. ``baseline``: settings of the pattern that the others are compared with.
    """
    ranks = {setting: ranked(pairs, setting, first) for setting, first in references(pairs, baseline).items()}
    return [
        turned(pair) if ranks[pair.setting][pair.value_a] > ranks[pair.setting][pair.value_b] else pair
        for pair in pairs
    ]


def shown_first(pairs: Sequence[Contrast], baseline: Mapping[str, Any]) -> list[bool]:
    """Whether a pair is shown before all are asked for: of a setting with many values, those with the reference."""
    first = references(pairs, baseline)
    few = {setting for setting in first if len(values(pairs, setting)) < MANY}
    return [pair.setting in few or first[pair.setting] in (pair.value_a, pair.value_b) for pair in pairs]


def references(pairs: Sequence[Contrast], baseline: Mapping[str, Any]) -> dict[str, Any]:
    """Per setting the value that most pairs have on a side; of several the baseline's, else the one that comes first.

    It depends on what was tried and not on what came of it, so looking at these pairs first favours no result.
    """
    found = {}
    for setting in dict.fromkeys(pair.setting for pair in pairs):
        counts = values(pairs, setting)
        most = [value for value, n in counts.items() if n == max(counts.values())]
        found[setting] = baseline[setting] if baseline.get(setting) in most else most[0]
    return found


def values(pairs: Sequence[Contrast], setting: str) -> Counter[Any]:
    """The values of a setting that are compared, in the order in which they come, and how often each is."""
    return Counter(value for pair in pairs if pair.setting == setting for value in (pair.value_a, pair.value_b))


def ranked(pairs: Sequence[Contrast], setting: str, first: Any) -> dict[Any, int]:
    """The place of each value of a setting in the order in which changes are told."""
    known = list(values(pairs, setting))
    if all(value is None or isinstance(value, (bool, int, float)) for value in known):
        known.sort(key=lambda value: (value is not None, value or 0))
    else:
        known.sort(key=lambda value: value != first)  # stable: the others as they come
    return {value: place for place, value in enumerate(known)}


def turned(pair: Contrast) -> Contrast:
    return replace(pair, a=pair.b, b=pair.a, value_a=pair.value_b, value_b=pair.value_a)
