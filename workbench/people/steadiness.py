"""How steady one rater is: what repeats of the same pictures say, and how far marks must lie apart to mean something.

The figures are in points of the scale (Bland & Altman 1996, BMJ 312:1654; 1999, Stat Methods Med Res 8:135), so they
can be held against a difference between checkpoints. An intraclass correlation or a kappa is left out on purpose: it
measures the same wavering against how much the pictures differ, so the same rater looks worse on a project whose
checkpoints are all good, and it says of no difference whether it counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from db import ratings
from workbench.findings.shares import Z
from workbench.people.marks import marks_given, pairs_of_marks
from workbench.people.shares import Share, share_of, two_sided
from workbench.rating.modes import KEY_MARKS, MODES
from workbench.words import counted

Row = dict[str, Any]
Values = NDArray[np.float64]

# With four repeats the upper end of the within-rater sd is 2.9 times its estimate, with five 2.5 times: below that a
# sentence would say more than is known.
FEWEST = 5
STEP = KEY_MARKS[1] - KEY_MARKS[0]  # points between two keys
SCALE = KEY_MARKS[-1] - KEY_MARKS[0]  # points from end to end
MEANS_OVER = 10  # pictures, in the words


@dataclass(frozen=True)
class Repeated:
    """Marks of one mode and axis that were given twice."""

    mode: str
    axis: str
    n: int  # repeats
    mean_gap: float  # points between the two, mean of absolute differences
    within: float  # the rater's sd between marks of the same picture, Sw
    low: float  # its 95 % interval
    high: float
    least: float  # points by which two single marks must differ to mean something (95 %)
    shift: float  # second mark - first, mean; nan below two repeats
    shift_low: float
    shift_high: float

    def of_means(self, k: int) -> float:
        """Points by which two means over k pictures each must differ, as far as the rater's own wavering goes."""
        return self.least / math.sqrt(k)


@dataclass(frozen=True)
class Chosen:
    """Choices of one mode that were asked twice. A grid's best and its worst are two choices."""

    mode: str
    same: Share  # the same picture again (or the same "same", "both bad")
    by_chance: float  # of who answers without looking
    same_side: Share | None  # of those shown with sides swapped, decided both times: the same side again
    sides: Share | None  # of all first answers to pairs: left; ties apart
    side_p: float | None  # exact binomial, two-sided, against a half


@dataclass(frozen=True)
class Steadiness:
    """What a rater's repeats say. ``words``: whole sentences for this rater."""

    marks: tuple[Repeated, ...]  # by mode and axis
    choices: tuple[Chosen, ...]  # by mode
    words: str

    def of(self, axis: str = "likeness", mode: str | None = None) -> Repeated | None:
        """The figures of an axis in a mode, or in the mode with most repeats."""
        found = [each for each in self.marks if each.axis == axis and mode in (None, each.mode)]
        return max(found, key=lambda each: each.n, default=None)

    @property
    def by_mode(self) -> dict[str, str]:
        """The words of each mode alone, of those that have any."""
        said = {}
        for mode in MODES:
            marks = [each for each in self.marks if each.mode == mode]
            choices = [each for each in self.choices if each.mode == mode]
            said[mode] = " ".join([*of_marks(marks), *of_choices(choices)])
        return {mode: words for mode, words in said.items() if words}


def steadiness(db: Database, project: Row, rater: str) -> Steadiness | None:
    """What is known of a rater's steadiness; None without any repeat and without choices between pairs."""
    pairs = pairs_of_marks(marks_given(db, project["id"], rater))
    marks = tuple(
        repeated(mode, axis, of_both["first"].to_numpy(float), of_both["again"].to_numpy(float))
        for (mode, axis), of_both in pairs.groupby(["mode", "axis"], sort=False)
    )
    said = [row for row in ratings.choices(db, project["id"]) if row["rater"] == rater]
    by_mode = (chosen(mode, [row for row in said if row["mode"] == mode]) for mode in ("pair", "best_worst"))
    choices = tuple(each for each in by_mode if each is not None)
    if not marks and not choices:
        return None
    sentences = [*of_marks(marks), *of_choices(choices)]
    if not sentences:
        sentences = ["Nothing came twice yet, so your steadiness isn't known."]
    return Steadiness(marks, choices, " ".join(sentences))


# figures


def repeated(mode: str, axis: str, first: Values, again: Values) -> Repeated:
    """Figures of marks given twice, one or more.

    ``Sw = sqrt(mean(d^2) / 2)`` with n degrees of freedom: chi-square interval; two marks of the same picture differ by
    less than ``1.96 sqrt(2) Sw`` in 95 % (Bland & Altman). The second marks' shift counts as wavering too.

    Marks by the keys lie STEP apart. Where none moved by more than one key, d is 0 or STEP and nothing like normal;
    there ``Sw^2 = STEP^2 p / 2``, p being the share that moved, so Wilson's interval of p gives one of Sw; both
    intervals together count there (the chi-square one alone held the truth in 62 to 81 % at a noise of 2 points).
    """
    d = again - first
    n = len(d)
    within = float(np.sqrt((d**2).mean() / 2))
    low, high = sd_interval(within, n)
    if np.isin([first, again], KEY_MARKS).all() and abs(d).max() <= STEP:
        moved = share_of(int((d != 0).sum()), n)
        low, high = min(low, STEP * math.sqrt(moved.low / 2)), max(high, STEP * math.sqrt(moved.high / 2))
    middle, half = float(d.mean()), mean_half_width(d)
    shift = (middle, middle - half, middle + half)
    return Repeated(mode, axis, n, float(abs(d).mean()), within, low, high, Z * math.sqrt(2) * within, *shift)


def sd_interval(sd: float, df: int) -> tuple[float, float]:
    """95 % interval of a standard deviation with ``df`` degrees of freedom, by the chi-square distribution.

    >>> [round(end, 2) for end in sd_interval(1.0, 15)]
    [0.74, 1.55]
    """
    from scipy.stats import chi2

    low, high = (sd * math.sqrt(df / chi2.ppf(q, df)) for q in (0.975, 0.025))
    return float(low), float(high)


def mean_half_width(values: Values) -> float:
    """Half of the 95 % t interval of a mean; missing below two values."""
    from scipy.stats import t

    n = len(values)
    return float(t.ppf(0.975, n - 1) * values.std(ddof=1) / math.sqrt(n)) if n > 1 else float("nan")


def chosen(mode: str, said: Sequence[Row]) -> Chosen | None:
    """Figures of one rater's choices in a mode (rows of db.ratings.choices); None where nothing was asked twice and,
    of pairs, no side was chosen."""
    first = {key(row): row for row in said if not row["is_repeat"]}
    again = {key(row): row for row in said if row["is_repeat"]}
    both = [(first[asked], again[asked]) for asked in first.keys() & again.keys()]
    sided = [row["said"] for row in first.values() if row["said"] in ("left", "right")]
    if not both and not sided:
        return None
    same = share_of(sum(answer(a) == answer(b) for a, b in both), len(both))
    swapped = [(a["said"], b["said"]) for a, b in both if a["previews"] == b["previews"][::-1]]
    decided = [pair for pair in swapped if {*pair} <= {"left", "right"}]
    sides = share_of(sided.count("left"), len(sided)) if sided else None
    return Chosen(
        mode,
        same,
        0.5 if mode == "pair" or not both else float(np.mean([1 / len(a["previews"]) for a, _ in both])),
        share_of(sum(a == b for a, b in decided), len(decided)) if decided else None,
        sides,
        two_sided(sides.k, sides.n) if sides else None,
    )


def key(row: Row) -> tuple[int, str]:
    """What was asked: a pair, or a grid's best or worst. "Same" or "bad" of a grid stands for its best."""
    return row["first_item"], "worst" if row["said"] == "worst" else "chosen"


def answer(row: Row) -> int | str:
    """The picture that was chosen, or that none was."""
    return row["said"] if row["preview_id"] is None else row["preview_id"]


# words


def of_marks(marks: Sequence[Repeated]) -> list[str]:
    """Sentences on the marks of likeness in every mode, and short ones on the other axes."""
    said = []
    likeness = [each for each in marks if each.axis == "likeness"]
    for each in likeness:
        where = f" in the mode {MODES[each.mode].label}" if len(likeness) > 1 else ""
        whole = "row" if each.mode == "sheet" else "picture"
        if each.n < FEWEST:
            said.append(
                f"{each.n} {whole}{'s' * (each.n > 1)} came twice{where}: from {FEWEST} on it can be said how steady "
                "your marks are."
            )
            continue
        if each.within == 0:
            said.append(
                f"All {each.n} repeats{where} got the same mark again; a difference of less than "
                f"{points(least(each.high))} may still be chance."
            )
            continue
        said += [
            f"Your two marks of the same {whole} lie {points(each.mean_gap)} apart on average{where} ({each.n} "
            "repeats).",
            must_differ(each, whole),
        ]
        if (each.shift_low > 0 or each.shift_high < 0) and round(each.shift):
            said.append(
                f"The second time you mark {'higher' if each.shift > 0 else 'lower'}, by {points(abs(each.shift))} on "
                f"average ({each.shift_low:+.0f} to {each.shift_high:+.0f})."
            )
    for each in marks:
        if each.axis != "likeness" and each.n >= FEWEST:
            axis = "the prompt" if each.axis == "prompt" else each.axis
            said.append(
                f"For {axis} two marks lie {points(each.mean_gap)} apart ({each.n} repeats; {points(each.least)} mean "
                "something)."
            )
    return said


def must_differ(each: Repeated, whole: str) -> str:
    """By how much two marks must differ, and two means."""
    of_means = f"{each.of_means(MEANS_OVER):.0f}"
    if each.least > SCALE:
        return (
            f"No difference between two {whole}s can mean anything then; means over {MEANS_OVER} {whole}s have to "
            f"differ by about {of_means} points."
        )
    return (
        f"One pair of {whole}s has to differ by {points(each.least)} to mean something (by {least(each.low):.0f} to "
        f"{min(least(each.high), SCALE):.0f}, as far as {each.n} repeats can tell); means over {MEANS_OVER} {whole}s "
        f"by about {of_means}."
    )


def least(sd: float) -> float:
    """Points by which two single marks with this sd must differ."""
    return Z * math.sqrt(2) * sd


def points(value: float) -> str:
    """In whole points.

    >>> points(0.6), points(6.4)
    ('1 point', '6 points')
    """
    return "1 point" if round(value) == 1 else f"{value:.0f} points"


def of_choices(choices: Sequence[Chosen]) -> list[str]:
    """Sentences on what was chosen twice, and on sides."""
    said = []
    for each in choices:
        pair = each.mode == "pair"
        n = each.same.n
        if n >= FEWEST:
            what = "Of the pairs" if pair else "Of best and worst"
            said.append(
                f"{what} that came again you chose the same in {each.same.words} (without looking it would be about "
                f"{100 * each.by_chance:.0f} %)."
            )
        elif n:
            said.append(
                f"{counted(n, 'pair') if pair else f'{n} of best and worst'} came twice: from "
                f"{FEWEST} on it can be said how steady you are."
            )
        if each.same_side is not None and each.same_side.low > 0.5:
            said.append(
                f"When the two came with their sides swapped you chose the same side again in {each.same_side.words}, "
                "and so the other picture: your eye goes by the side. Looking at both before choosing helps."
            )
        elif each.sides is not None and each.side_p is not None and each.side_p < 0.05:
            side = "left" if each.sides.share > 0.5 else "right"
            taken = each.sides if side == "left" else share_of(each.sides.n - each.sides.k, each.sides.n)
            said.append(f"You chose the {side} one in {taken.words}, though sides are drawn at random.")
    return said
