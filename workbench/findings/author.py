"""The author's marks beside a project's own sweep: contrast by contrast, and where the article could not know."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from trainer import EMBEDDED_BASES
from trainer.config import LENGTH, OWN_STEP, TrainConfig
from workbench.findings.analysis import Tables
from workbench.findings.contrast import contrast_table, said, trainings
from workbench.findings.intervals import TINY
from workbench.findings.metrics import METRICS
from workbench.findings.noise import noise_floor
from workbench.findings.verdicts import CLAIMS, direction
from workbench.sentences import setting as about_setting
from workbench.sweep.article import four_label
from workbench.sweep.article_data import ASSUMED, ENTRIES, FOUR, FOUR_LABELS, SAID, Entry
from workbench.sweep.choices import sensible_rate
from workbench.sweep.patterns import Contrast, Pattern, contrasts_among, same_among
from workbench.sweep.settings import field

PHOTOS = 30  # of the article's person
PRECISIONS = ("fp16",)  # of its graphics card
OF_A_LENGTH = (*LENGTH, "repeats")  # settings that are there to change the number of updates
LOOKED_AT = ("base_model", "clip_skip")  # pictures are drawn with one of each, too
RATE_FITS = 3.0  # a rate within this factor of an optimiser's usual one counts as its own
OF_THE_PERSON = ("likeness", "identity_yield", "human_likeness")  # what a mark of a LoRA is about
OF_100 = ("likeness", "human_likeness")  # scores whose points can be held against marks of 100
CATEGORIES = {  # code -> words, in the order in which rows are listed
    "agree": "agree",
    "disagree": "disagree",
    "cannot_tell": "ours can't tell",
    "not_known": "the article couldn't know",
    "not_here": "not trained here",
}
BOTH_SPEAK = ("agree", "disagree", "cannot_tell")
ONE_TRAINING = "here both are one training"
OUR_FIGURES = ("diff", "low", "high", "n_a", "n_b", "wording")
COLUMNS = [
    *("category", "setting", "change", "author_a", "author_b", "mark_a", "mark_b", "author_diff", "author_way"),
    *("author_words", "why_not", "here", "pattern_a", "pattern_b", "metric", *OUR_FIGURES, "same_way", "sentence"),
]


@dataclass(frozen=True)
class Mark:
    """What the author gave a pattern: between ``low`` and ``high`` of 100, missing where that is open."""

    low: float
    high: float
    words: str

    @property
    def value(self) -> float:
        return self.low if self.low == self.high else math.nan


# the article as a sweep


def article_patterns() -> list[tuple[Entry, Pattern]]:
    """The article's labels as patterns with the settings that are known or inferred of each; the rest is unknown.

    The four other optimisers had one mark, so each of them is a pattern, though nobody knows its number.
    """
    found = []
    for number, (label, entry) in enumerate(map(named, ENTRIES), 1):
        given = {**SAID, **entry.by_the_tool, **entry.assumed, **entry.inferred, **entry.known}
        config = TrainConfig.model_validate(given)
        unknown = frozenset((*entry.unknown, *ASSUMED))
        found.append((entry, Pattern(number, label, "", config, config.hash, None, unknown)))
    return found


def named(entry: Entry) -> tuple[str, Entry]:
    """An entry under the label that its mark has; of the four, in the order of their numbers, each is one optimiser."""
    if entry.label not in FOUR_LABELS:
        return entry.label, entry
    name = list(FOUR)[FOUR_LABELS.index(entry.label)]
    return four_label(name), replace(entry, inferred={**entry.inferred, "optimizer": FOUR[name]}, unknown=())


def article_contrasts(every: Sequence[Pattern]) -> tuple[list[Contrast], list[Contrast]]:
    """Pairs of the article that differ in one effective setting; and those that differ in one without any effect.

    Patterns that train the very same LoRA stand there once among the first; they are what the second are about.
    """
    known = [pattern for pattern in every if pattern.unknown == frozenset(ASSUMED)]
    same = same_among(known, PRECISIONS)
    others = {pattern.pattern_id for group in same for pattern in group[1:]}
    real = contrasts_among([pattern for pattern in every if pattern.pattern_id not in others], PRECISIONS)
    by_name = []
    for first, *rest in same:
        for other in rest:
            a, b = first.config.model_dump(), other.config.model_dump()
            differ = [name for name in a if a[name] != b[name]]
            if len(differ) == 1:
                name = differ[0]
                by_name.append(Contrast(name, first.pattern_id, other.pattern_id, a[name], b[name]))
    return real, by_name


def marks_of(given: Sequence[Mapping[str, Any]]) -> dict[str, Mark]:
    """Label -> the author's mark, as far as his words go: "<90", "same as 13".

    >>> marks_of([{"label": "4", "value": None, "words": "<90"}])["4"].high < 90
    True
    """
    found = {str(row["label"]): one_mark(row["value"], row["words"] or "") for row in given}
    for label, mark in list(found.items()):
        like = re.fullmatch(r"same as (\w+)", mark.words)
        if like and like[1] in found:
            other = found[like[1]]
            found[label] = Mark(other.low, other.high, mark.words)
    return found


def one_mark(value: float | None, words: str) -> Mark:
    if value is not None:
        return Mark(float(value), float(value), words)
    below = re.match(r"(?:<|below )(\d+)", words)
    if below:
        return Mark(0.0, math.nextafter(float(below[1]), 0.0), words)
    return Mark(math.nan, math.nan, words)


def way(a: Mark, b: Mark) -> int | None:
    """1 where the author has b higher, -1 lower, 0 equal; None where his marks don't say."""
    if a.value == b.value:
        return 0
    if b.low > a.high:
        return 1
    return -1 if b.high < a.low else None


def author_words(a: Mark, b: Mark, quoted: str = "") -> str:
    """The author's difference in words: '20 lower (90 → 70)'."""
    told = {1: "higher", -1: "lower", 0: "no difference", None: "no direction"}[way(a, b)]
    marks = f"{mark_words(a)} → {mark_words(b)}"
    gap = b.value - a.value
    size = told if math.isnan(gap) or not gap else f"{abs(gap):g} {told}"
    return f"{size} ({marks}{f', {quoted}' if quoted else ''})"


def mark_words(mark: Mark) -> str:
    return mark.words or "no mark" if math.isnan(mark.value) else f"{mark.value:g}"


def quoted(a: Pattern, b: Pattern, entries: Mapping[int, Entry]) -> str:
    """The author's own words for one of the two, which are about it beside his first pattern, 3."""
    words = [re.match(r".*?('[^']+')", entries[p.pattern_id].why) for p in (a, b)]
    return ", ".join(found[1] for found in words if found) if "3" in (a.label, b.label) else ""


# could it know?


def confounded(pair: Contrast, a: TrainConfig, b: TrainConfig) -> list[str]:
    """What changes along with the setting, in the article, so that its marks can't be about the setting alone."""
    found = []
    if pair.setting in LOOKED_AT:
        name = about_setting(pair.setting).label
        found.append(f"with which {name} the pictures were drawn is unknown: that, too, makes a difference")
    if pair.setting == "optimizer":
        found += [words for words in [rates(a, b)] if words]
    if pair.setting not in OF_A_LENGTH:
        updates = [config.total_updates(PHOTOS) for config in (a, b)]
        if updates[0] != updates[1]:
            found.append(f"the number of updates changes along ({updates[0]:,} and {updates[1]:,})")
    return found


def rates(a: TrainConfig, b: TrainConfig) -> str:
    """How one rate for both suits two optimisers; empty where it suits one as well as the other."""
    times = [of_usual_rate(config) for config in (a, b)]
    known = [ratio for ratio in times if ratio is not None]
    if len(known) == 2 and max(known) / min(known) <= RATE_FITS:
        return ""
    each = [rate_words(config.optimizer, ratio) for config, ratio in zip((a, b), times, strict=True)]
    return f"one rate and one alpha stand for two optimisers: {', '.join(each)}"


def of_usual_rate(config: TrainConfig) -> float | None:
    """The rate that is felt (rate x alpha / dim; the rate alone where an optimiser finds its step), in usual ones.

    None where the optimiser has no rate.
    """
    usual = sensible_rate(config.optimizer, embedded=False)
    if usual is None:
        return None
    return config.learning_rate * (1 if config.optimizer in OWN_STEP else config.scale) / usual


def rate_words(optimizer: str, times: float | None) -> str:
    """How the article's one rate suits an optimiser, ``times`` its usual one."""
    optimizer = said("optimizer", optimizer)
    if times is None:
        return f"{optimizer} has no rate"
    if 1 / RATE_FITS <= times <= RATE_FITS:
        return f"they suit {optimizer}"
    way = "above" if times > 1 else "below"
    return f"for {optimizer} they come to {max(times, 1 / times):,.0f} times {way} its usual rate"


def too_small(a: Mark, b: Mark, metric: str, half: float | None) -> str:
    """Whether the author's difference is less than two trainings of one pattern lie apart here; empty where not."""
    gap = abs(b.value - a.value)
    if half is None or metric not in OF_100 or math.isnan(gap) or gap >= half:
        return ""
    told = f"a difference of {gap:g} marks" if gap else "equal marks"
    return f"{told} can come of chance: here two trainings of one pattern lie up to {half:.0f} points of 100 apart"


# ours beside it


def beside_ours(tables: Tables, given: Sequence[Mapping[str, Any]], metric: str) -> pd.DataFrame:
    """One row per contrast of the article, with this project's verdict on the same pair; columns COLUMNS.

    ``given``: the author's marks (label, pattern_id, value, words). ``category`` is a key of CATEGORIES: the sides
    agree or disagree only where the article could know and ours is a claim that the setting matters. ``author_diff`` is
    in marks of 100, missing without two numbers; ``author_way``: 1 the second is better, -1 worse, 0 equal, missing
    where the marks don't say. ``diff``, ``low``, ``high``: ours, in the metric's unit, the second minus the first.
    ``same_way``: whether our difference, claimed or not, has the author's direction.
    """
    marks, ids = marks_of(given), {row["label"]: row["pattern_id"] for row in given}
    every = article_patterns()
    entries = {pattern.pattern_id: entry for entry, pattern in every}
    by_id = {pattern.pattern_id: pattern for _, pattern in every if pattern.label in marks}
    real, by_name = article_contrasts(list(by_id.values()))
    ours, trained = contrast_table(tables, metric), trainings(tables)
    ours = ours.assign(**{f"trained_{side}": ours[f"pattern_{side}"].map(trained.get) for side in "ab"})
    noise = noise_floor(tables.checkpoints, metric)
    half = noise.half_width(1, 1) if noise else None
    rows = []
    for pair in (*real, *by_name):
        a, b = by_id[pair.a], by_id[pair.b]
        mark_a, mark_b = marks[a.label], marks[b.label]
        stand_for = [ids[each.label] for each in (a, b)]
        sides = [None if each is None else trained.get(each) for each in stand_for]
        found = our_row(ours, *sides)
        reasons = [without_effect(pair, b)] if pair in by_name else confounded(pair, a.config, b.config)
        if way(mark_a, mark_b) is None:
            reasons.append("the marks give no direction")
        elif pair not in by_name:
            reasons += [words for words in [too_small(mark_a, mark_b, metric, half)] if words]
        first, second = (said(pair.setting, value) for value in (pair.value_a, pair.value_b))
        rows.append(
            {
                "setting": pair.setting,
                "change": f"{about_setting(pair.setting).label}: {first} → {second}",
                "author_a": a.label,
                "author_b": b.label,
                "mark_a": mark_words(mark_a),
                "mark_b": mark_words(mark_b),
                "author_diff": mark_b.value - mark_a.value,
                "author_way": way(mark_a, mark_b),
                "author_words": author_words(mark_a, mark_b, quoted(a, b, entries)),
                "why_not": "; ".join(reasons),
                "here": "" if found["wording"] else why_missing(None not in stand_for, *sides),
                "pattern_a": stand_for[0],
                "pattern_b": stand_for[1],
                "metric": metric,
                **found,
            }
        )
    table = pd.DataFrame([judged(row) for row in rows], columns=COLUMNS)
    table = table.astype({**dict.fromkeys(["pattern_a", "pattern_b", "author_way"], "Int64"), "diff": "float64"})
    place = table["category"].map({code: n for n, code in enumerate(CATEGORIES)})
    return table.loc[place.sort_values(kind="stable").index].reset_index(drop=True)


def without_effect(pair: Contrast, b: Pattern) -> str:
    """Of two that differ in a setting that has no effect."""
    name = about_setting(pair.setting).label
    return (
        f"the {name} has no effect under {said('optimizer', b.config.optimizer)}, so both are one training under two "
        "names: replicates by accident, with what seeds is unknown"
    )


def our_row(ours: pd.DataFrame, a: frozenset[str] | None, b: frozenset[str] | None) -> dict[str, Any]:
    """Our figures for what trains as ``b`` minus what trains as ``a``, whatever their names; empty without any.

    ``ours``: a contrast table with what each side trains (``trained_a``, ``trained_b``).
    """
    for row in ours.to_dict("records") if a and b else ():
        if (row["trained_a"], row["trained_b"]) == (a, b):
            return {name: row[name] for name in OUR_FIGURES}
        if (row["trained_a"], row["trained_b"]) == (b, a):
            turned = {"diff": -row["diff"], "low": -row["high"], "high": -row["low"]}
            return {**turned, "n_a": row["n_b"], "n_b": row["n_a"], "wording": row["wording"]}
    return {"diff": math.nan, "low": math.nan, "high": math.nan, "n_a": 0, "n_b": 0, "wording": ""}


def why_missing(known: bool, a: frozenset[str] | None, b: frozenset[str] | None) -> str:
    """Why there is no figure of ours. ``known``: both stand for patterns of this project."""
    if not known:
        return "too much of it is unknown to be trained again, or it was left out here"
    if not a or not b:
        return "not both have a finished run here"
    return ONE_TRAINING if a == b else "here they differ in more than this, or share no measured preview"


def judged(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its category and its sentence."""
    measured = METRICS[row["metric"]]
    better = None
    if abs(row["diff"]) > TINY and measured.higher_is_better is not None:
        better = 1 if (row["diff"] > 0) == measured.higher_is_better else -1
    same = None if better is None or not row["author_way"] else better == row["author_way"]
    claimed = row["wording"] in CLAIMS and better is not None
    if row["here"] not in ("", ONE_TRAINING):
        category = "not_here"
    elif row["why_not"]:
        category = "not_known"
    elif not claimed:
        category = "cannot_tell"
    else:
        category = "agree" if same else "disagree"
    row = {**row, "same_way": same, "category": category}
    return {**row, "sentence": sentence(row)}


OURS = {
    "seems_to_matter": "it seems to matter here",
    "matters_on_these_prompts": "it seems to matter here, on these prompts",
    "checkpoints_differ": "these checkpoints differ, but whether the setting did it is open",
    "cannot_tell": "can't be told apart",
    "the_same": "the same wherever both were measured",
    "one_prompt": "only one prompt was measured for both",
    "wrecked": "a run is wrecked, without faces to compare",
}


def sentence(row: Mapping[str, Any]) -> str:
    """A row in words: the author, whether he could know, ours, and what the two say together."""
    told = f"The author: {row['author_words']}. "
    if row["why_not"]:
        told += f"The article couldn't know: {row['why_not']}. "
    return f"{told}{ours_words(row)}"


def ours_words(row: Mapping[str, Any]) -> str:
    if row["here"]:
        return f"Ours: none, {row['here']}."
    if math.isnan(row["diff"]) or row["wording"] == "the_same":
        return f"Ours: {OURS[row['wording']]}."
    measured = METRICS[row["metric"]]
    gap, ends = measured.show_change(abs(row["diff"])), ""
    if not math.isnan(row["low"]):
        low, high = (measured.show_change(row[end], sign=True) for end in ("low", "high"))
        ends = f" (95 % interval {low.partition(' ')[0]} to {high} over prompts)"
    told = f"{measured.label} {gap} {direction(row['diff'], measured.higher_is_better)}"
    return f"Ours: {told}{ends}: {OURS[row['wording']]}."


def tally(rows: pd.DataFrame) -> str:
    """In how many contrasts the two agree, in a few sentences."""
    counts = Counter(rows["category"])
    hints = rows[(rows["category"] == "not_known") & rows["same_way"].notna() & rows["wording"].isin(CLAIMS)]
    same = sum(map(bool, hints["same_way"]))
    along = (
        f" Of these {counts['not_known']}, {same} point the way that ours claims and {len(hints) - same} the other "
        "way, whatever the cause."
    )
    return (
        f"Of {len(rows)} contrasts of the article {sum(counts[code] for code in BOTH_SPEAK)} can be held against ours: "
        f"{counts['agree']} agree, {counts['disagree']} disagree, in {counts['cannot_tell']} ours can't tell. In "
        f"{counts['not_known']} the article couldn't know what made the difference, {counts['not_here']} are not "
        f"trained here.{along * bool(len(hints))}"
    )


def outside(rows: pd.DataFrame, given: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The author's labels that stand in no contrast -> why: what is not known of them."""
    used = {*rows["author_a"], *rows["author_b"]}
    labels = {row["label"] for row in given}
    return {
        pattern.label: ", ".join(field(name).label for name in entry.unknown) + " not known"
        if entry.unknown
        else "no other differs in one thing"
        for entry, pattern in article_patterns()
        if pattern.label in labels and pattern.label not in used
    }


def scaled_here(tables: Tables, given: Sequence[Mapping[str, Any]]) -> bool:
    """Whether this project trains the article's patterns on the miniature."""
    ours = [tables.settings.get(row["pattern_id"], {}) for row in given if row["pattern_id"] is not None]
    return any(own.get("base_model") in EMBEDDED_BASES for own in ours)
