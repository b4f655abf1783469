"""What may be said of a difference, in sentences: tables hold a code and parameters, the words stand here."""

import math
from collections.abc import Iterable, Mapping, Sequence
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
        "'{a}' leads with {value} ({interval}): ahead of '{b}' ({second}) by more than training seeds explain.{more}"
    ),
    "best_close": ("'{a}' is ahead with {value} ({interval}), but '{b}' ({second}) is too close to call.{more}"),
    "best_wrecked": (
        "'{a}' is ahead with {value}, but most pictures of {n_wrecked} of its {n_runs} trainings show no face, so a "
        "part of that is of few faces. Compare the face rate, and look at the pictures.{more}"
    ),
    "best_single": (
        "'{a}' is ahead with {value}, '{b}' follows with {second}. With a single training nobody can say "
        "whether that would happen again: train both with a second seed.{more}"
    ),
    "best_open": (
        "'{a}' is ahead with {value}, '{b}' follows with {second}. How much training seeds alone make is not known "
        "yet, so nobody can say whether that would happen again.{more}"
    ),
    "best_alone": "'{a}' is the only pattern measured so far: {value}.{more}",
}

SUMMARY = {  # what is said of a setting in a line; the setting stands before it
    "helped_on_new": "{now} rather than {was}: {metric} {change}, on new prompts too.{more}",
    "helped_here": "{now} rather than {was}: {metric} {change}, on these prompts, perhaps not on new ones.{more}",
    "nothing_beyond_noise": (
        "Nothing is beyond noise: of {pairs} compared none differs by more than other training seeds can make."
    ),
    "single_trainings": (
        "Nothing can be said of a setting yet: no pair has two trainings on both sides. Train each with a second seed."
    ),
    "noise_unknown": (
        "Nothing can be said of a setting yet: how much training seeds alone make is not known. Train each with a "
        "second seed."
    ),
    "all_wrecked": "Nothing can be said of a setting: every pair has a wrecked side.",
    "no_pairs": "Nothing yet: no two measured patterns differ in exactly one setting.",
    "open": "{was} → {now}: {change}. About {seeds} on each side would tell, if it is that large.{of}",
    "open_long": "{was} → {now}: {change}, so hardly above {bound}; to tell would take over {most} more seeds.{of}",
    "small": "surely small: {was} → {now}: {change}, below what lies between two trainings of one pattern ({sd}).{of}",
    "second_seed": "{was} → {now}: {change}, of a single training: train both with a second seed.{of}",
    "few_seeds": "{was} → {now}: {change}. How much training seeds make is not known yet.{of}",
    "one_prompt": "{was} → {now}: {change}, over one prompt only.{of}",
    "the_same": "{was} → {now}: the same wherever both were measured.{of}",
    "alone": "only together with {also}. Clone '{a}' and set it alone to {now}.",
    "not_measured": "no two patterns that differ in it alone have a measured preview in common yet.",
    "wrecked": "{n} of {of} trainings wrecked: most pictures are broken or show no face.{because}",
}
SIGNS = (
    "How sure: ± is what other training seeds leave open, for all pairs at once (95 %). Only what is beyond that is "
    "said to help."
)
HELPED, OPEN, NOT_ALONE = "What helped", "Can't tell yet", "Not tested alone"  # the blocks of the summary
TOLD_ALL = "Nothing: each setting that was compared seems to matter."
ALL_ALONE = "Nothing: each setting that varies was changed alone somewhere."
NO_NOISE = "no difference on either side"
TOGETHER = (
    "{n} pairs were compared. Those with two trainings or more on each side are judged together: if no setting "
    "mattered, 'seems to matter' would be said of any of them in about 5 % of such sweeps at most (over training seeds "
    "by Dunnett's method, of new prompts by Holm's; in simulated ones in 3 %, in 6 % where some patterns vary far more "
    "with the seed than others). The intervals over prompts and 'these checkpoints differ' are each "
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
    known.setdefault("more", "")
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


def summary_words(code: str, params: Mapping[str, Any]) -> str:
    """The line for a code of :data:`SUMMARY`; ``params`` as :mod:`workbench.findings.summary` gives them."""
    known = {name: value for name, value in params.items() if isinstance(value, str)}
    known |= {"n": str(params.get("n")), "most": str(MOST_SEEDS), **summary_figures(params)}
    n_pairs, seeds = params.get("n_pairs", 1), params.get("more_seeds")
    known["pairs"] = f"{params.get('n')} pair{'s' * (params.get('n') != 1)}"
    known["of"] = f" ({n_pairs} pairs; this is the clearest.)" if n_pairs > 1 else ""
    known["seeds"] = f"{seeds} more seed{'s' * (seeds > 1)}" if seeds else ""
    if "same" in params:
        known["more"] = of_same_change(params) + of_other_changes(params["others"])
    if "of" in params:
        known["of"] = str(params["of"])
        known["because"] = (
            " Only {group} parts it from '{other}': {now}, not {was}.".format(**params) if params["group"] else ""
        )
    if "also" in params:
        known["also"] = listed(params["also"])
    return SUMMARY[code].format(**known)


def summary_figures(params: Mapping[str, Any]) -> dict[str, str]:
    """Figures in the metric's format: a change comes with what training seeds leave open of it."""
    if "metric" not in params:
        return {}
    metric = METRICS[params["metric"]]
    show = metric.show_change
    known = {"metric": metric.label}
    known |= {name: show(params[name]) for name in ("bound", "sd") if params.get(name) is not None}
    if "diff" in params:
        size, half = show(params["diff"], sign=True), params["noise"]
        known["change"] = size if half is None else f"{size.partition(' ')[0]} ± {show(half)}"
    return known


def listed(names: Sequence[str], most: int = 3) -> str:
    """Names in a sentence, the first few of many: 'dim, alpha and 4 more'."""
    shown = [*names[:most], f"{len(names) - most} more"] if len(names) > most else list(names)
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def of_same_change(params: Mapping[str, Any]) -> str:
    """What the very same change made between other patterns: a setting may help here and not there."""
    show = METRICS[params["metric"]].show_change
    each = [
        f"{show(diff, sign=True)}{'' if code in CLAIMS else ' (within noise)'} at '{label}'"
        for diff, code, label in params["same"]
    ]
    return f" That is at '{params['where']}'; {listed(each)}." if each else ""


def of_other_changes(n: int) -> str:
    return f" {n} other change{'s' * (n > 1)} of it seem{'s' * (n == 1)} to matter too." if n else ""
