"""What may be said of a difference, in sentences: tables hold a code and parameters, the words stand here."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from workbench.findings.family import MOST_SEEDS
from workbench.findings.metrics import METRICS

VERDICTS = {
    "seems_to_matter": (
        "Changing {change} seems to matter here, on these prompts and on new prompts of this kind: {metric} is {gap} "
        "{direction} ({interval}), more than another training seed makes ({noise})."
    ),
    "matters_on_these_prompts": (
        "Changing {change} seems to matter here, on these prompts: {metric} is {gap} {direction}, more than another "
        "training seed makes ({noise}). Whether it does on new prompts of this kind is open (these "
        "checkpoints: {interval})."
    ),
    "checkpoints_differ": (
        "These checkpoints differ: {metric} of '{b}' is {gap} {direction} than of '{a}' ({interval}). {why_not_more}"
    ),
    "cannot_tell": (
        "Can't be told apart: {metric} of '{b}' is {gap} {direction} than of '{a}', but anything in the {interval}"
        " fits. {why_not_more}"
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
TOGETHER = (
    "{n} pairs were compared. Those with two trainings or more on each side are judged together: if no setting "
    "mattered, 'seems to matter' would be said of any of them in 5 % of such sweeps at most (over training seeds by "
    "Dunnett's method, of new prompts by Holm's). The intervals over prompts and 'these checkpoints differ' are each "
    "for itself: about one in 20 would miss zero."
)
EXPLORATORY = "This score is exploratory: settings are judged by {claim}; what only another score shows is a hint."
CLAIMS = ("seems_to_matter", "matters_on_these_prompts")


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
        known["noise"] = NO_NOISE if params["noise"] is None else noise_words(params)
        known["why_not_more"] = why_not_more(params)
    said = VERDICTS[code].format(**known)
    if code in CLAIMS:
        said += exploratory_words(params)
    return said + (fresh_words(params) if params.get("fresh") else "")


def noise_words(params: Mapping[str, Any]) -> str:
    """The noise floor of a difference, and for how many pairs at once it holds."""
    half, compared = METRICS[params["metric"]].show_change(params["noise"]), params.get("compared", 0)
    return f"±{half}" + (f", Dunnett's method over {compared} pairs" if compared > 1 else "")


def exploratory_words(params: Mapping[str, Any]) -> str:
    """A word of caution where settings are judged by another score than this one."""
    claim = params.get("claim")
    if claim in (None, params["metric"]):
        return ""
    return f" Exploratory: settings are judged by {METRICS[claim].label}, not by this score."


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
    """Why the sentence does not speak of the setting, and what would let it."""
    if params["n_a"] < 2 or params["n_b"] < 2:
        return "Whether the setting did it is open: train both with a second seed."
    if params["noise"] is None:
        return "How much training seeds alone make is not known yet."
    return f"Another training seed alone can make as much ({noise_words(params)}). {more_seeds(params)}"


def more_seeds(params: Mapping[str, Any]) -> str:
    """What telling a difference of the size seen would take."""
    needed = params.get("more_seeds")
    if needed is None:
        return f"If that is all there is, more than {MOST_SEEDS} more seeds on each side would be needed to tell."
    return (
        f"If the true difference is what was seen, it would need about {needed} more seed{'s' * (needed > 1)} on each "
        "side to tell."
    )


def exploratory(n: int, metric: str | None = None, claim: str | None = None) -> str:
    """What holds of ``n`` comparisons together; ``claim``: the metric that settings are judged by."""
    said = [TOGETHER.format(n=n)] if n > 1 else []
    if metric != claim and claim is not None:
        said.append(EXPLORATORY.format(claim=METRICS[claim].label))
    return " ".join(said)
