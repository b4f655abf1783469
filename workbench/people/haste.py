"""Signs that answers were given without looking, for the rater alone: what was seen, and what to do.

Every sign has an innocent reason too (pictures that are all alike, a clock that jumped), so each is said as something
to look at and none is held against anybody. Limits are set so that raters who look hardly ever hear one (measured in
docs/validity.md).
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlite_utils import Database

from db import ratings
from workbench.people.marks import marks_given, pairs_of_marks
from workbench.people.shares import two_sided
from workbench.rating.estimate import Estimate
from workbench.rating.modes import KEY_MARKS, MODES
from workbench.rating.standing import known, leads

Row = dict[str, Any]
Alike = Callable[[pd.DataFrame], bool]  # of a sitting's marks

FEWEST = 20  # answers of a mode; below that a share says little
# Seconds. Pressing a key at the sight of a picture takes 0.3 to 0.5 s without deciding anything, and eyes move three or
# four times a second: a picture, a reference photo and a key need 0.7 s at least. A row or grid needs some more looks.
TOO_SHORT = {"single": 0.7, "deck": 0.7, "pair": 0.7, "sheet": 1.2, "best_worst": 1.2}
TOO_MANY_SHORT = 0.2  # of the answers; a slip of the finger now and then is no haste
COMMONEST = 0.8  # of the marks on one value
KEY_STEP = KEY_MARKS[1]  # points between two keys
LEAST_SD = 3.0  # points over all pictures: less than most people waver between two looks at the same one
ENDS = 0.9  # of the marks at 0 or 100
REPEATS = 3  # that agree, at the least, before marks that are all alike are believed
AS_LIKENESS = 0.95  # of the marks for quality that equal those for likeness
LEAST_RUN = 8  # equal answers one after the other
RARE = 0.001  # a run or a lean to one side that luck gives in one sitting of a thousand


def notices(db: Database, project: Row, rater: str, session: str | None = None) -> list[str]:
    """What this rater should hear of one sitting, or of all: one sentence or two each. Shown to nobody else."""
    given = marks_given(db, project["id"], rater)

    def alike(marks: pd.DataFrame) -> bool:
        return only_leading(known(db, project, rater, before=int(marks["id"].min())), set(marks["checkpoint_id"]))

    said = pd.DataFrame([row for row in ratings.choices(db, project["id"]) if row["rater"] == rater])
    if session is not None:
        given, said = (rows[rows["session"] == session] if len(rows) else rows for rows in (given, said))
    return of_answers(given, said, alike)


def of_answers(given: pd.DataFrame, said: pd.DataFrame, alike: Alike = lambda marks: False) -> list[str]:
    """The same of one rater's marks (columns of workbench.people.marks) and choices (of db.ratings.choices).

    ``alike``: whether a sitting's marks are of pictures that this rater had found alike before.
    """
    likeness = given[given["axis"] == "likeness"]
    found = [named(mode, too_short(mode, seconds)) for mode, seconds in seconds_of(given, said)]
    for mode, marks in likeness.groupby("mode", sort=False):
        values = marks["value"].to_numpy(float)
        sign = one_mark(marks, alike) or ends(values) or runs(in_order(marks, "value"), "mark")
        found.append(named(str(mode), sign))
    pairs = said[(said["mode"] == "pair") & ~said["is_repeat"].astype(bool)] if len(said) else said
    if len(pairs):
        found.append(one_side(list(pairs["said"])) or runs(in_order(pairs, "said"), "answer"))
    found.append(as_likeness(given))
    return [words for words in found if words]


def named(mode: str, sign: str) -> str:
    """A sign with the way of rating that it is about."""
    return f"{MODES[mode].label}: {sign}" if sign else ""


def seconds_of(given: pd.DataFrame, said: pd.DataFrame) -> list[tuple[str, "pd.Series[float]"]]:
    """How long each answer was looked at, by mode: an answer with several axes, or a best and a worst, is one."""
    tables = [given[["mode", "session", "position", "seconds"]]]
    if len(said):
        timed = said.assign(seconds=said["answered_at"] - said["shown_at"])
        tables.append(timed[["mode", "session", "position", "seconds"]])
    answers = pd.concat([table for table in tables if len(table)] or tables)
    answers = answers.drop_duplicates(["session", "position"])
    return [(str(mode), of_mode["seconds"]) for mode, of_mode in answers.groupby("mode", sort=False)]


def in_order(answers: pd.DataFrame, column: str) -> list[list[Any]]:
    """The answers of each sitting in their order."""
    return [list(rows.sort_values("position")[column]) for _, rows in answers.groupby("session", sort=False)]


# signs; each gives words, or nothing


def too_short(mode: str, seconds: "pd.Series[float]") -> str:
    """Answers that came before a picture can have been looked at."""
    short = int((seconds < TOO_SHORT[mode]).sum())
    if len(seconds) < FEWEST or short <= TOO_MANY_SHORT * len(seconds):
        return ""
    return (
        f"{short} of {len(seconds)} answers came within {TOO_SHORT[mode]} s (median {seconds.median():.1f} s): a look "
        "at the picture, one at a photo and a key take longer. If you didn't mean them, undo, or rate these again in "
        "another sitting."
    )


def one_mark(marks: pd.DataFrame, alike: Alike) -> str:
    """One mark for nearly everything, and not because the pictures are alike: sittings that asked only about leading
    checkpoints count for nothing here as long as their repeats agree."""
    words = same_mark(marks["value"].to_numpy(float))
    if not words:
        return ""
    believed = [session for session, own in marks.groupby("session") if repeats_agree(own) and alike(own)]
    return same_mark(marks.loc[~marks["session"].isin(believed), "value"].to_numpy(float)) if believed else words


def repeats_agree(marks: pd.DataFrame) -> bool:
    """Whether what was marked twice got marks a key apart at most, the odd one aside."""
    pairs = pairs_of_marks(marks)
    apart = (pairs["first"] - pairs["again"]).abs()
    return len(pairs) >= REPEATS and float((apart <= KEY_STEP).mean()) >= COMMONEST


def only_leading(before: Estimate, asked: Collection[int]) -> bool:
    """Whether these checkpoints are those that a rater had left as possibly the best, having ruled out others, and
    their means lie within about a key of each other."""
    if not any(before.heard.values()):
        return False
    may = dict(zip(before.ids, leads(before), strict=True))
    front = [each for each in asked if may.get(each) and before.heard[each]]
    if all(may.values()) or len(front) < COMMONEST * len(asked):
        return False
    return float(np.std([before.means[before.ids.index(each)] for each in front])) <= KEY_STEP


def same_mark(values: "np.ndarray[Any, Any]") -> str:
    """One mark for nearly everything."""
    if len(values) < FEWEST:
        return ""
    kinds, often = np.unique(values, return_counts=True)
    share, mark = often.max() / len(values), kinds[often.argmax()]
    if share < COMMONEST and values.std(ddof=1) >= LEAST_SD:
        return ""
    what = (
        f"{often.max()} of {len(values)} marks are {mark:g}"
        if share >= COMMONEST
        else f"all {len(values)} marks lie close together, {values.min():.0f} to {values.max():.0f}"
    )
    return (
        f"{what}. Marks like that can't tell checkpoints apart. If the pictures really are that alike, choosing "
        "between two (pairs) shows finer differences; else use more of the scale."
    )


def ends(values: "np.ndarray[Any, Any]") -> str:
    """Only 0 and 100, both of them."""
    at_ends = int(np.isin(values, (0.0, 100.0)).sum())
    if len(values) < FEWEST or at_ends < ENDS * len(values):
        return ""
    return (
        f"{at_ends} of {len(values)} marks are 0 or 100. What lies between (50: could be a relative) tells checkpoints "
        "apart; if yes or no is all you see, pairs suit you better."
    )


def runs(sittings: Sequence[Sequence[Any]], what: str) -> str:
    """A long run of equal answers, longer than these answers in a random order would have."""
    for answers in sittings:
        length, value = longest_run(answers)
        if length >= LEAST_RUN and chance_of_run(answers, length) < RARE:
            shown = f"{value:.0f}" if isinstance(value, float) else f"'{value}'"
            return (
                f"{length} answers in a row were the same {what} ({shown}), though pictures come shuffled. If a key "
                "was held or pressed out of habit, undo these or rate them again."
            )
    return ""


def longest_run(answers: Sequence[Any]) -> tuple[int, Any]:
    """Length and value of the longest run.

    >>> longest_run([1, 2, 2, 2, 1, 1])
    (3, 2)
    """
    best, length = (0, None), 0
    for i, answer in enumerate(answers):
        length = length + 1 if i and answer == answers[i - 1] else 1
        if length > best[0]:
            best = (length, answer)
    return best


def chance_of_run(answers: Sequence[Any], length: int) -> float:
    """At most this likely is a run of ``length`` equal answers, were the same answers in a random order.

    Sum over places and kinds of the chance that all ``length`` from there on are of that kind.

    >>> round(chance_of_run([1, 1, 2, 2], 2), 3)  # 3 places, 2 kinds, 2/4 x 1/3 each
    1.0
    """
    n = len(answers)
    _, often = np.unique(np.asarray(answers), return_counts=True)
    drawn = np.arange(length)
    return float(sum((n - length + 1) * np.prod(np.maximum(k - drawn, 0) / (n - drawn)) for k in often))


def one_side(said: Sequence[str]) -> str:
    """Nearly always the left one, or the right one."""
    left, right = said.count("left"), said.count("right")
    if left + right < FEWEST or two_sided(left, left + right) >= RARE:
        return ""
    side, k = ("left", left) if left > right else ("right", right)
    return (
        f"In {k} of {left + right} pairs you chose the {side} one, though sides are drawn at random. Look at both "
        "before choosing; 'same' is an answer too."
    )


def as_likeness(given: pd.DataFrame) -> str:
    """Quality marked as likeness nearly every time."""
    if not {"likeness", "quality"} <= {*given["axis"].unique()}:
        return ""
    wide = given[given["axis"].isin(["likeness", "quality"])].pivot_table(
        index=["session", "position"], columns="axis", values="value"
    )
    wide = wide.dropna()
    same = int((wide["likeness"] == wide["quality"]).sum())
    if len(wide) < FEWEST or same < AS_LIKENESS * len(wide) or wide["likeness"].std() < LEAST_SD:
        return ""
    return (
        f"Quality has the same mark as likeness in {same} of {len(wide)} answers. A flawless picture of somebody else "
        "is 100 for quality and 0 for likeness; if you only judge likeness, the quick deck asks for that alone."
    )
