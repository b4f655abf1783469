"""The section on raters of docs/validity.md, from the figures of workbench/people/validity.py."""

from collections.abc import Mapping
from typing import Any

from workbench.people.haste import TOO_SHORT
from workbench.people.steadiness import FEWEST
from workbench.scores.validity_words import number, percent, table

Figures = Mapping[str, Any]

OPENING = """## Raters

What the page People says of raters, tried on simulated ones (`workbench/people/simulated.py`) of whom the truth is
known, with seed {seed}. Simulated raters behind each row of a table:
{often}.
They mark 0 to 100 with a noise (sd, in points) about what they mean, by the slider in whole points or by the nine
keys, 12.5 points apart; a sitting is laid out by the same code as a real one. Pictures differ by checkpoint (sd 12),
prompt (5) and picture (6). **What this shows:** the formulas are right and the intervals hold what they say, *if*
people waver as these do: evenly over the scale, and as much at the end as at the beginning. **What it doesn't:** that
they do.
"""

STEADINESS = """### Two marks of the same picture

`Sw`: the standard deviation of one rater's marks of the same picture, from repeats (Bland & Altman 1996). Two single
marks must differ by 2.77 Sw to mean something, two means over k pictures by 2.77 Sw / sqrt(k). *True*: of the marks as
they are given, rounding to the keys included. Nothing is said from fewer than {fewest} repeats.
"""

DRIFT = """### Drift within a sitting

Points by which marks rise per 50 answers, from the marks (checkpoint and prompt taken out) and from repeats together.
Words only where the interval leaves out 0. *Found* with a drift of 0 is a false alarm: 5 % are due. A mood that comes
and goes within a sitting passes for drift more often: in 19 % of 150 sittings with moods of about ten answers and sd 5,
in 37 % with sd 9 (tried once).
"""

SIDES = """### Liking for a side

60 pairs and 15 repeats of them with sides swapped; *leans*: points that the left one has in its favour, with a noise
of 8. The exact test finds a false lean in 5 % at most.
"""

AGREEMENT = """### Agreement between raters

Krippendorff's alpha of two raters on the interval scale. True: the share of the variance of the marks that is the
pictures'; where one rater marks higher throughout, that counts as disagreement. Krippendorff's worked examples come out
as published (tests/test_agreement.py). The interval is a jackknife over pictures, of the log of an F ratio;
percentiles of a bootstrap held the truth in 86 to 94 % with 15 to 60 pictures (tried once, 250 pairs of raters a row).
"""

HASTE = """### Notices on haste

Shown to the rater alone. Too short: {short} s for a picture or a pair, {long} s for a row or grid, in more than a fifth
of the answers. 60 marks and 60 pairs each.
"""

ORDER = """### Order from choices

{checkpoints} checkpoints, strengths with sd 1 in logits, and prompts that change each by sd 0.5, unless said
otherwise. *Hold*: 95 % intervals with the truth in them, of a checkpoint's strength, of the difference of two, and of
its rank. *Told*: pairs called different; *wrongly*: pairs of all that are called so and aren't, or are the other way
round; *places*: mean width of a rank interval.
"""

NEEDED = """How many answers tell the better one of two: *computed* for a simple test with a power of 80 %, where
prompts are known to change nothing. Here how much they change is learned from the answers, which takes more of them:
"""


def section(figures: Figures) -> str:
    """The whole section."""
    often = ", ".join(f"{name} {n}" for name, n in figures["often"].items())
    parts = [
        OPENING.format(seed=figures["seed"], often=often),
        STEADINESS.format(fewest=FEWEST),
        steadiness(figures["steadiness"]),
        DRIFT,
        drift(figures["drift"]),
        SIDES,
        sides(figures["sides"]),
        AGREEMENT,
        agreement(figures["agreement"]),
        HASTE.format(short=TOO_SHORT["deck"], long=TOO_SHORT["sheet"]),
        haste(figures["haste"]),
        ORDER.format(checkpoints=figures["order"]["checkpoints"]),
        *order(figures["order"]),
    ]
    return "\n".join(parts)


def steadiness(rows: list[Figures]) -> str:
    return table(
        ["marks by", "noise", "repeats", "true Sw", "recovered", "interval holds", "second - first", "interval holds"],
        [
            [
                "keys" if row["keys"] else "slider",
                f"{row['noise']:.0f}",
                str(row["repeats"]),
                f"{row['true']:.2f}",
                f"{row['estimate']:.2f}",
                percent(row["holds"]["share"]),
                f"{row['shift']:+.2f}",
                percent(row["shift_holds"]["share"]),
            ]
            for row in rows
        ],
    )


def drift(rows: list[Figures]) -> str:
    return table(
        ["pictures", "repeats", "drift", "recovered", "half-width", "interval holds", "found"],
        [
            [
                str(row["marks"]),
                str(row["repeats"]),
                f"{row['drift']:g}",
                f"{row['estimate']:.2f}",
                f"{row['half']:.1f}",
                percent(row["holds"]["share"]),
                percent(row["found"]["share"]),
            ]
            for row in rows
        ],
    )


def sides(rows: list[Figures]) -> str:
    return table(
        ["leans", "left one chosen", "same answer to a repeat", "lean found"],
        [
            [f"{row['side']:.0f}", percent(row["left"]), percent(row["same"]), percent(row["found"]["share"])]
            for row in rows
        ],
    )


def agreement(rows: list[Figures]) -> str:
    return table(
        ["noise", "one marks higher by", "pictures", "true alpha", "recovered, mean", "interval holds"],
        [
            [
                f"{row['noise']:.0f}",
                f"{row['offset']:.0f}",
                str(row["pictures"]),
                number(row["true"]),
                number(row["estimate"]),
                percent(row["holds"]["share"]),
            ]
            for row in rows
        ],
    )


def haste(rows: list[Figures]) -> str:
    looks = {True: "yes", False: "no"}
    return table(
        ["rater", "looks at the pictures", "is told something"],
        [[row["name"], looks[row["honest"]], f"{row['told']['k']} of {row['told']['n']}"] for row in rows],
    )


def order(figures: Figures) -> list[str]:
    """Tables on orders (workbench.people.simulated_choices.simulate)."""
    usual = {"with prompts": "usual", "naive": "usual, computed as if prompts changed nothing"}
    every = [{**row, "what": usual[row["method"]]} for row in figures["coverage"]]
    every += [{**row, "what": "all equally strong"} for row in figures["equal"]]
    every += figures["other"]
    shares = ("strengths", "pairs", "ranks", "told", "wrong")
    tables = table(
        ["what", "answers", "strengths hold", "differences hold", "ranks hold", "told", "wrongly", "places"],
        [
            [row["what"], str(row["answers"]), *(percent(row[name]) for name in shares), f"{row['places']:.1f}"]
            for row in every
        ],
    )
    needed = table(
        ["preferred in", "answers, computed", "told here", "with four times as many", "the same, prompts differ"],
        [
            [
                f"{100 * row['share']:.0f} %",
                str(row["answers"]),
                percent(row["told"]),
                percent(row["told_by_four_times"]),
                percent(row["told_by_four_times_where_prompts_differ"]),
            ]
            for row in figures["needed"]
        ],
    )
    return [tables, NEEDED, needed]
