"""What is said of a challenger against the default over several people, in sentences."""

import math
from collections.abc import Sequence

from workbench.findings.metrics import METRICS, STRANGERS, ZEROS, Metric
from workbench.recipes.measured import PEOPLE, Difference, Scale
from workbench.recipes.pooled import LEAST_CHANCE, MOST_PEOPLE, Pooled
from workbench.recipes.verdicts import OnePerson, Overview, Verdict
from workbench.words import counted

MEANS = {
    "better": "'{a}' is better than your default '{b}' for new people like these{adjusted}.",
    "worse": "Your default '{b}' is better than '{a}' for new people like these{adjusted}.",
    "alike": (
        "'{a}' and your default '{b}' do the same for new people like these, give or take {matters}: the whole "
        "interval (95 %) lies within what matters."
    ),
    "leans": (
        "Perhaps {direction} than your default '{b}', but can't be told apart yet: the interval alone misses zero, "
        "which who looks again after every person{several} sees by chance too often.{more}"
    ),
    "cannot_tell": "Can't be told apart from your default '{b}'.{more}",
    "the_same": "'{a}' and your default '{b}' measured the very same difference in each of {n} people.",
    "one_person": (
        "One person says nothing of the next one: there is no interval. Challenge your default '{b}' with '{a}' on a "
        "second person."
    ),
    "nobody": "Nothing measured yet that both have: {why}.",
    "wrecked": (
        "Not a default: '{a}' wrecked the LoRA of {who}: most of its pictures show no face. That is in no mean, since "
        "there is no face to measure."
    ),
}
PROBLEMS = {
    "nothing_shared": "no picture of the same prompt, seed and strength was measured for both",
    "default_wrecked": "the default is wrecked there: most of its pictures show no face",
    "challenger_wrecked": "it is wrecked there: most of its pictures show no face",
}
OWN = {  # what a person's own interval is over
    "seeds": "over training seeds",
    "prompts": "over prompts: how much training seeds make is not known there",
    "": "none",
}


def headline(verdict: Verdict) -> str:
    """The line of a challenger.

    Such as "alpha 1: +6.0 (-1.0 ... +13.0), 7 people".
    """
    return f"{verdict.label}: {figures(verdict.pooled, METRICS[verdict.scale.metric])}"


def figures(pooled: Pooled, metric: Metric) -> str:
    """Mean, interval, people."""
    who = counted_people(pooled.people)
    if pooled.people == 0:
        return f"no difference yet, {who}"
    mean = metric.show_change(pooled.mean, sign=True)
    if not pooled.has_interval:
        why = "no interval from one person" if pooled.people == 1 else "the same in each, so no interval"
        return f"{mean} ({why}), {who}"
    low, high = (metric.show_change(end, sign=True) for end in (pooled.low, pooled.high))
    return f"{mean} ({low} … {high}), {who}"


def counted_people(n: int) -> str:
    return "1 person" if n == 1 else f"{n} people"


def means(verdict: Verdict) -> str:
    """What that means for new people, in one sentence or two."""
    metric = METRICS[verdict.scale.metric]
    several = f", at {verdict.compared} comparisons" if verdict.compared > 1 else ""
    return MEANS[verdict.code].format(
        a=verdict.label,
        b=verdict.default_label,
        n=verdict.pooled.people,
        matters="" if verdict.matters is None else metric.show_change(verdict.matters),
        several=several,
        direction="better" if (verdict.pooled.mean > 0) == metric.higher_is_better else "worse",
        adjusted=f" (of {verdict.compared} comparisons, by Holm's method)" if verdict.compared > 1 else "",
        more=more(verdict),
        why="; ".join(dict.fromkeys(PROBLEMS[row.difference.problem] for row in verdict.left_out)),
        who=" and ".join(verdict.wrecked),
    )


def more(verdict: Verdict) -> str:
    """How many more people it would take; empty where they aren't worth it."""
    if verdict.nothing_left:
        return ""
    if verdict.more is None:
        return f" If the true difference is what was seen, more than {MOST_PEOPLE} more people would be needed to tell."
    what = "person" if verdict.more == 1 else "people"
    return f" If the true difference is what was seen, about {verdict.more} more {what} would be needed to tell."


def besides(verdict: Verdict) -> list[str]:
    """More that is known: the next person, training seeds, who is left out, whether it is worth going on."""
    pooled, metric = verdict.pooled, METRICS[verdict.scale.metric]
    found = []
    if pooled.has_interval:
        low, high = (metric.show_change(end, sign=True) for end in (pooled.next_low, pooled.next_high))
        found.append(f"For the next person alone anything from {low} to {high} fits (95 %).")
        if pooled.people == 2:
            found.append("Two people make a very wide interval (12.7 standard errors); a third takes most of it off.")
        found.append(seeds_part(pooled, metric))
    found += [left_out(row) for row in verdict.left_out]
    found += [
        f"{row.person.name}: counted once, as in the project with the most trainings; also measured in "
        f"{', '.join(row.others)}."
        for row in verdict.counted
        if row.others
    ]
    if reason := why_stop(verdict):
        found.append(reason)
    return found


def seeds_part(pooled: Pooled, metric: Metric) -> str:
    """A person's own noise: what of the interval more training seeds would take off, and what only more people."""
    if math.isnan(pooled.by_seeds):
        return (
            "How much training seeds make of this is not known: train both with two seeds for every person, and it is."
        )
    half, own = metric.show_change(pooled.half), metric.show_change(pooled.by_seeds)
    if pooled.by_seeds >= pooled.half:
        return (
            f"A person's own noise (training seeds) would make ±{own} of the interval, as much as all of its ±{half}: "
            "more seeds for each person help as well as more people."
        )
    rest = metric.show_change(math.sqrt(max(pooled.half**2 - pooled.by_seeds**2, 0.0)))
    return (
        f"A person's own noise (training seeds) makes about ±{own} of this ±{half}; people and prompts make the "
        f"other ±{rest} (together as the root of the squares), which only more people take off."
    )


def left_out(row: OnePerson) -> str:
    return f"{row.person.name} is in no mean: {PROBLEMS[row.difference.problem]}."


def why_stop(verdict: Verdict) -> str:
    """Why nothing is left to learn from more people; empty while something is."""
    if not verdict.nothing_left:
        return ""
    if verdict.code == "alike":
        return "Nothing is left to learn: the difference is too small to matter, as far as a 95 % interval can say so."
    if verdict.code in ("better", "worse", "wrecked"):
        return ""  # said already
    return (
        f"Nothing is left to learn: the chance that it is better on average is {chance(verdict.pooled)}; below "
        f"{100 * LEAST_CHANCE:.0f} % more people aren't worth the hours."
    )


def chance(pooled: Pooled) -> str:
    """The chance that the challenger is better on average, as a whole percentage."""
    if math.isnan(pooled.chance):
        return "not known"
    share = 100 * pooled.chance
    return "under 1 %" if share < 1 else "over 99 %" if share > 99 else f"{share:.0f} %"


def scale_words(scale: Scale) -> str:
    """What a line is measured on: metric and judge."""
    metric = METRICS[scale.metric]
    if scale.judge == PEOPLE:
        return f"{metric.label}, by people"
    judge = scale.judge.split("/")
    by = f", judge {judge[1]} {judge[2]}" if len(judge) > 2 else f", judge {scale.judge}" if scale.judge else ""
    zero = f", {ZEROS[scale.zero]}" if scale.zero not in ("", STRANGERS) and scale.zero in ZEROS else ""
    own = "; on each person's own scale" if scale.metric == "likeness" else ""
    return f"{metric.label}{by}{zero}{own}"


def own_interval(difference: Difference, metric: Metric) -> str:
    """A person's own interval in words, and what it is over."""
    if math.isnan(difference.low):
        return OWN[""]
    low, high = (metric.show_change(end, sign=True) for end in (difference.low, difference.high))
    return f"{low} … {high}, {OWN[difference.over]}"


def matters_words(verdict: Verdict, given: bool) -> str:
    """What counts as a difference that matters, and where that comes from."""
    if verdict.matters is None:
        return "Which difference matters is not known: train with two seeds, or type one."
    metric = METRICS[verdict.scale.metric]
    why = "as you said" if given else "what another training seed alone makes of one LoRA (standard deviation)"
    return f"A difference that matters: {metric.show_change(verdict.matters)}, {why}."


def empty(overview: Overview) -> str:
    """Why there is no line yet and what to do, in a sentence or two; empty where there are lines."""
    if overview.verdicts:
        return ""
    default, n = overview.default, len(overview.people.persons)
    if default is None:
        return (
            "There is no default yet. Your default is the pattern that you would use for the next person without "
            "thinking twice: choose one, then challenge it on every new person."
        )
    if not overview.with_default:
        return (
            f"'{default.label}' has not been trained to the end for anybody yet. Challenge it on a project: that "
            "queues it beside a challenger, with the same seeds."
        )
    who = " and ".join(overview.with_default)
    next_one = " Then make a project of another person." if n < 2 else ""
    return (
        f"'{default.label}' is trained for {who}, but nothing beside it on the same photos. Challenge it there."
        f"{next_one}"
    )


def next_person(overview: Overview) -> str:
    """What to do where all that is measured is of one person; empty where it isn't so."""
    most = max((each.pooled.people for each in overview.verdicts), default=0)
    if most != 1:
        return ""
    if len(overview.people.persons) < 2:
        return (
            "There is one person so far. What is best for one may not be for the next: make a project of another "
            "person's photos, and challenge your default there."
        )
    names = [person.name for person in overview.people.persons if person.name not in overview.with_default]
    where = f": {', '.join(names[:5])}" if names else ""
    return f"Only one person was compared so far. Challenge your default on another{where}."


def family(verdicts: Sequence[Verdict]) -> str:
    """What holds of all lines together."""
    if not verdicts:
        return ""
    n = max(each.compared for each in verdicts)
    together = f"{counted(n, 'comparison')} with the default, judged together by Holm's method. " if n > 1 else ""
    return (
        f"{together}Intervals: 95 %, Student's t over people (people - 1 degrees of freedom), each for itself. 'Better "
        "than your default' is said so rarely that it is false in at most 5 % of cases, also if one looks again after "
        "every person, up to ten; but only if people differ from each other about normally. A rare person whom it "
        "harms much while it helps all others a little is not guarded against: look at each person."
    )
