"""What to train next in words: what it is, why, what it costs and how much may be learned; or why to stop."""

from collections.abc import Mapping
from typing import Any

from workbench.findings.contrast import said
from workbench.findings.metrics import METRICS, Metric
from workbench.findings.suggest import LEAST_CHANCE, Advice, Suggestion
from workbench.sentences import setting as about_setting
from workbench.words import counted, duration

TITLES = {
    "replicate": "Train {chosen} once more",
    "corner": "{label}",
    "cell": "{label}",
    "step": "{label}",
}
REASONS = {
    "replicate single": "'{leader}' leads with {value}, but by a single training: nobody can say yet whether that "
    "would happen again.",
    "replicate": "'{leader}' leads with {value}; {rival_value} of '{rival}' is too close to call, since training seeds "
    "alone put patterns that far apart. Another seed narrows it.",
    "corner": "Do {first} {first_value} and {second} {second_value} work together? Of the four combinations three are "
    "trained: '{a}' {a_mean}, '{b}' {b_mean}, '{c}' {c_mean}. About {expected} is expected of the fourth; then "
    "it can be said whether the two depend on each other.",
    "cell": "'{leader}' ({leader_mean}) and '{other}' ({other_mean}) differ in two settings, {setting} and {rest}, so "
    "nobody can say which of them did it. This is '{other}' with {setting} alone as in '{leader}'.",
    "step": "Of {setting} {values} the best is the last one tried ({best}: {mean}). Does it go on at {value}?",
}
LEARNED = "Chance that it is the best: {chance}. Gain on average: {gain} {metric}, where a miss gains nothing."
NOT_KNOWN = (
    "How much chance it has is not known before one pattern is trained with a second seed: only then is it known how "
    "far seeds alone put trainings apart."
)
RECKONED = (
    "First stands what teaches most per hour: by how much the pattern that you would choose afterwards is expected to "
    "be better than '{leader}' now (the knowledge gradient), divided by the hours of training and previews. Each mean "
    "is believed give or take {sd} / √runs, what training seeds make. Of two changes that go the same way the smaller "
    "is expected to add nothing, give or take what it does alone (half of that where both make it worse); one step "
    "further is expected to do nothing, give or take what the last one did. Left out is what is tried, waits, has no "
    "effect or is known to break a training, and what has less than a {least} chance of being the best, or of "
    "differing from it by more than {sd}."
)
IN_UPDATES = " Hours are not measured here yet, so updates stand in for them."
STOP = (
    "Stop: nothing is left to learn here that is worth the hours. '{leader}' is the best with {value}. {why} That is "
    "by {metric}, on these prompts; another question (other settings, another person) is worth a sweep of its own."
)
NOTHING_LEFT = "Every single step from what was trained is tried, has no effect, or is known to break a training."
TOO_UNLIKELY = (
    "What could be tried ({n}) has less than a {least} chance of being better, or of differing from it by more than "
    "another training seed makes ({sd}). The likeliest to be better: {likeliest}, {chance}."
)
WAITING = "Let what is queued come to its end first: {runs} to come."
ALONE = "Only one pattern is measured. Clone it and change one thing: then the two say what that does."


def title(suggestion: Suggestion) -> str:
    """What would be trained."""
    trainings = suggestion.candidate.trainings
    chosen = " and ".join(f"'{training.label}'" for training in trainings)
    return TITLES[suggestion.candidate.kind].format(chosen=chosen, label=trainings[0].label)


def reason(advice: Advice, suggestion: Suggestion, labels: Mapping[int, str]) -> str:
    """Why that is worth training."""
    about, metric = suggestion.candidate.about, METRICS[advice.metric]
    kind: str = suggestion.candidate.kind
    if kind == "replicate" and about["single"]:
        kind = "replicate single"
    known = named(about, labels) | means(advice, about, metric)
    return REASONS[kind].format(expected=metric.show(suggestion.expected), **known)


def named(about: Mapping[str, Any], labels: Mapping[int, str]) -> dict[str, str]:
    """Patterns by their labels, settings by theirs, values as people read them."""
    patterns, settings = ("leader", "rival", "other", "a", "b", "c"), ("first", "second", "setting", "rest")
    found = {name: labels[about[name]] for name in patterns if about.get(name) is not None}
    found |= {name: about_setting(about[name]).label for name in settings if name in about}
    valued = {"first_value": "first", "second_value": "second", "best": "setting", "value": "setting"}
    found |= {name: said(about[of], about[name]) for name, of in valued.items() if name in about}
    if "values" in about:
        found["values"] = ", ".join(said(about["setting"], value) for value in about["values"])
    return found


def means(advice: Advice, about: Mapping[str, Any], metric: Metric) -> dict[str, str]:
    """The measured means of the patterns that a reason names."""
    found = {
        f"{name}_mean": metric.show(advice.means[about[name]])
        for name in ("leader", "other", "a", "b", "c")
        if name in about
    }
    if about.get("rival") is not None:
        found["rival_value"] = metric.show(advice.means[about["rival"]])
    if "pattern" in about:
        found["mean"] = metric.show(advice.means[about["pattern"]])
    return found if "value" in about else {**found, "value": metric.show(advice.value)}


def price(suggestion: Suggestion) -> str:
    """What it costs, as short as it can be said."""
    runs = counted(len(suggestion.candidate.trainings), "training")
    cost = suggestion.price
    if cost is None:
        return f"{runs}."
    if cost.seconds is None:
        return f"{runs} with previews: {cost.updates:,} updates, hours not measured yet."
    return f"{runs} with previews: about {duration(cost.seconds)}."


def learned(advice: Advice, suggestion: Suggestion) -> str:
    """How much may come of it."""
    if suggestion.gain is None or suggestion.chance is None:
        return NOT_KNOWN
    metric = METRICS[advice.metric]
    gain = metric.show_change(suggestion.gain, sign=True)
    return LEARNED.format(chance=share(suggestion.chance), gain=gain, metric=metric.label)


def reckoned(advice: Advice, labels: Mapping[int, str]) -> str:
    """How the order and the figures come about; empty where no noise is known."""
    if advice.noise is None or advice.leader is None:
        return ""
    sd = METRICS[advice.metric].show_change(advice.noise.sd)
    text = RECKONED.format(leader=labels[advice.leader], sd=sd, least=share(LEAST_CHANCE))
    untimed = any(s.price is not None and s.price.seconds is None for s in advice.suggestions)
    return text + (IN_UPDATES if untimed else "")


def stop(advice: Advice, labels: Mapping[int, str]) -> str:
    """Why nothing more is worth training; what to do first where that can't be said."""
    if advice.waiting:
        return WAITING.format(runs=counted(advice.waiting, "run"))
    if advice.n_patterns == 1:
        return ALONE
    if not advice.stop or advice.leader is None or advice.noise is None:
        return NOT_KNOWN
    metric = METRICS[advice.metric]
    why = NOTHING_LEFT
    if advice.left_out:
        first = advice.left_out[0]
        why = TOO_UNLIKELY.format(
            n=len(advice.left_out),
            least=share(LEAST_CHANCE),
            sd=metric.show_change(advice.noise.sd),
            likeliest=title(first),
            chance=share(first.chance or 0.0),
        )
    return STOP.format(leader=labels[advice.leader], value=metric.show(advice.value), why=why, metric=metric.label)


def share(part: float) -> str:
    """A chance in whole percent; under 1 % that is said.

    >>> share(0.05), share(0.004)
    ('5 %', 'under 1 %')
    """
    return f"{100 * part:.0f} %" if part >= 0.01 else "under 1 %"
