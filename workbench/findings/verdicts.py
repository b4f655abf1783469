"""What may be said of a difference, in sentences: tables hold a code and parameters, the words stand here."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from workbench.findings.metrics import METRICS

VERDICTS = {
    "seems_to_matter": (
        "Changing {change} seems to matter here: {metric} is {gap} {direction} ({interval}), more than another "
        "training seed makes ({noise})."
    ),
    "checkpoints_differ": (
        "These checkpoints differ: {metric} of '{b}' is {gap} {direction} than of '{a}' ({interval}). {why_not_more}"
    ),
    "cannot_tell": (
        "Can't tell: {metric} of '{b}' is {gap} {direction} than of '{a}', but anything in the {interval}"
        " fits. More prompts narrow it."
    ),
    "the_same": ("No difference: {metric} of '{a}' and '{b}' is the same wherever both were measured."),
    "one_prompt": (
        "Can't tell: {metric} of '{b}' is {gap} {direction} than of '{a}', but only one prompt was measured for both."
    ),
    "wrecked": (
        "{wrecked} is wrecked: most of its previews show no face, so its {metric} says nothing. "
        "Compare the face rate, and look at the pictures."
    ),
    "nothing_shared": ("Nothing to compare yet: '{a}' and '{b}' have no measured preview of the same prompt and seed."),
    "best_leads": (
        "'{a}' leads with {value} ({interval}): ahead of '{b}' ({second}) by more than training seeds explain."
    ),
    "best_close": ("'{a}' is ahead with {value} ({interval}), but '{b}' ({second}) is too close to call."),
    "best_single": (
        "'{a}' is ahead with {value}, '{b}' follows with {second}. With a single training nobody can say "
        "whether that would happen again: train both with a second seed."
    ),
    "best_open": (
        "'{a}' is ahead with {value}, '{b}' follows with {second}. How much training seeds alone make is not known "
        "yet, so nobody can say whether that would happen again."
    ),
    "best_alone": "'{a}' is the only pattern measured so far: {value}.",
}

NO_NOISE = "no difference on either side"
EXPLORATORY = (
    "{n} pairs were compared. Even if no setting mattered, about one interval in 20 would miss zero: take"
    " single findings as hints and train them again."
)


def verdict(code: str, params: Mapping[str, Any]) -> str:
    """The sentence for a code; ``params`` as ``contrast.params`` or ``contrast.Best`` give them."""
    metric = METRICS[params["metric"]]
    known = {name: text for name, text in params.items() if isinstance(text, str)}
    known["metric"] = metric.label
    for name in ("value", "second"):
        if params.get(name) is not None:
            known[name] = metric.show(params[name])
    known["interval"] = interval(params)
    known["wrecked"] = wrecked_labels(params.get("wrecked", ()))
    if "diff" in params and not math.isnan(params["diff"]):
        known["gap"] = metric.show_change(abs(params["diff"]))
        known["direction"] = direction(params["diff"], metric.higher_is_better)
        known["noise"] = NO_NOISE if params["noise"] is None else f"±{metric.show_change(params['noise'])}"
        known["why_not_more"] = why_not_more(params)
    return VERDICTS[code].format(**known) + (fresh_words(params) if params.get("fresh") else "")


def fresh_words(params: Mapping[str, Any]) -> str:
    """What is left of the value that something was chosen by, on pictures that it was not chosen by."""
    metric, fresh = METRICS[params["metric"]], params["fresh"]
    about = interval({"metric": params["metric"], "low": fresh["low"], "high": fresh["high"]})
    return f" Chosen at {metric.show(params['value'])}; on fresh pictures {metric.show(fresh['value'])} ({about})."


def interval(params: Mapping[str, Any]) -> str:
    """The 95 % interval in the metric's format; of a difference with signs, and over how many prompts."""
    metric, low, high, prompts = METRICS[params["metric"]], params["low"], params["high"], params.get("prompts", 0)
    if math.isnan(low) or math.isnan(high):
        return f"the same difference in all {prompts} prompts" if prompts > 1 else "interval not known yet"
    if "diff" not in params:
        return f"95 % interval {metric.show(low).partition(' ')[0]} to {metric.show(high)}"
    low, high = (metric.show_change(end, sign=True) for end in (low, high))
    return f"95 % interval {low.partition(' ')[0]} to {high} over {prompts} prompts"  # the unit is said once


def wrecked_labels(labels: Iterable[str]) -> str:
    return " and ".join(f"'{label}'" for label in labels)


def direction(diff: float, higher_is_better: bool | None) -> str:
    """Higher or lower, and whether that is good (None: neither way is better as such)."""
    word = "higher" if diff > 0 else "lower"
    if higher_is_better is None:
        return word
    return f"{word} ({'better' if (diff > 0) == higher_is_better else 'worse'})"


def why_not_more(params: Mapping[str, Any]) -> str:
    """Why the sentence stops at the checkpoints and does not speak of the setting."""
    if params["n_a"] < 2 or params["n_b"] < 2:
        return "Whether the setting did it is open: train both with a second seed."
    if params["noise"] is None:
        return "How much training seeds alone make is not known yet."
    noise = METRICS[params["metric"]].show_change(params["noise"])
    return f"Another training seed alone can make as much (±{noise}), so the setting need not be the cause."


def exploratory(n: int) -> str:
    """A word of caution under ``n`` comparisons."""
    return EXPLORATORY.format(n=n) if n > 1 else ""
