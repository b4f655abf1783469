"""The section on verdicts of docs/validity.md, from the figures of workbench/findings/sweeps_simulated.py."""

import textwrap
from collections.abc import Mapping
from typing import Any

from workbench.findings.family import LEVEL, UNEVEN
from workbench.findings.sweeps_simulated import NULL, USUAL
from workbench.scores.validity_words import percent, table

Figures = Mapping[str, Any]

OPENING = """## Verdicts

What Charts says of settings ("changing alpha seems to matter here"), tried on simulated sweeps
(`workbench/findings/sweeps_simulated.py`) of which the truth is known, with seed {seed}: {sweeps:,} sweeps behind each
row. Likeness in points varies as on the demo's 58 runs: by {run} with the training seed, {run_prompt} with how a
training answers a prompt, {cell} from picture to picture; and, as there, trainings of some patterns vary more than of
others (the log of that has an sd of {uneven}). Recorded once from the demo's 31 patterns that move, with 2 to 5 seeds
each: that sd is .85 (.60-1.22), more than these tables usually take, so read *much less alike* (.9) and *still less
alike* (1.2) too; trainings look normal (Shapiro & Wilk's p is below 5 % in 2 of 27 patterns with 4 seeds or more, as
chance would have it), though so few seeds tell little. **What this shows:** the rule keeps its promise if scores vary
like that. **What it doesn't:** that yours do. The rules are tried in a fast form;
of {judged:,} of these pairs the tables behind Charts say the same in {alike:,}.

The rule: all pairs of patterns that differ in one setting, with two trainings or more on each side, are one family. A
setting "seems to matter here, on these prompts" if its difference is so large that by training seeds alone the largest
of all would be that large in {level} of all sweeps (under the 5 % that are promised, which leaves room for sweeps that
vary less alike than expected). That is Dunnett's method, for any pairs, with a pattern's own spread moderated by that
of all (Smyth 2004); how unevenly patterns vary is estimated from the sweep itself, as far as it tells. "And on new
prompts of this kind" asks more: that the difference also stands over training seeds and prompts together, by Holm's
method over the family. Other scores than the main one are called exploratory.
"""

NULL_WORDS = """### No setting matters

Share of sweeps with any claim; 5 % at most are promised. *Alike*: Dunnett's method, and Holm's, as if all patterns
varied alike; *one by one*: each pair for itself, at 95 % and with an interval over prompts that misses zero.
*Prompts hold*: 95 % intervals over prompts of the difference of these two checkpoints. *Uneven .9*: any claim where
patterns vary much less alike.
"""

WORLD_WORDS = """### Other worlds

The same for {design} with {trainings} trainings each, {prompts} prompts x {seeds} seeds. Where patterns answer prompts
differently, settings do differ on these prompts, by chance of the prompts: a claim that speaks of these prompts is then
true if its sign is right, so false are only those of the *wrong sign* (or about no difference), and those *on new
prompts*.
"""

POWER_WORDS = """### What is found

One setting is worth so many points, and patterns answer prompts differently. *False*: anything else is called so, on
new prompts.
"""

RANKING_WORDS = """### Is the first the best?

Each of {design} is worth something else, with this sd (0: none is the best); {trainings} trainings each. *Lost*: points
by which the first is worse than the best. *Leads*: said to be ahead by more than training seeds explain; *wrongly*:
though it is not the best.
"""


INTERVAL_WORDS = """### Do intervals by training seeds hold?

Share of 95 % intervals with the truth in them, by how many patterns and trainings there are ({sweeps:,} sweeps each):
of a pattern's mean, of the difference of two, and of a 2x2 (the difference of two differences, all four trained twice).
k standard errors to each side, from moderated variances, with k drawn for as many trainings and as uneven patterns as
the sweep has. *Alike*: all designs together with one spread for all patterns, as intervals were made before; only where
a page has no runs of its own it still does so.
"""

WIDTH = 120  # characters of a line
FLAGGED = """Outside of 93 to 97 %: {which}. The reasons: with few trainings that were repeated ({few}), nothing in the
sweep tells whether patterns vary alike, so intervals are too wide where they do and too narrow where they are far from
it; and a seed that moves all patterns alike moves no difference, which makes intervals of these too wide.
"""

LEADER_WORDS = """### The interval of the one that leads

The pattern that leads was chosen because its mean is high, so a part of that is luck: *luck*, in points, is how far its
measured mean lies above its true one. Its interval as any pattern's (*plain*) holds too seldom. *Drawn toward all*: the
value and interval of `workbench/findings/chances.py`, which takes off as much as chance explains; *left*: what then
remains (below 0: too much was taken off). Patterns are worth something else each, with this sd;
{sweeps:,} sweeps a row.
"""

CHANCE_WORDS = """### Chance to be the best

All chances that were said in these sweeps: of patterns said to be the best with such a chance, how many are.
"""


def section(figures: Figures) -> str:
    """The section in Markdown. ``figures``: see :func:`sweeps_simulated.measure`."""
    null = figures["null"]
    opening = OPENING.format(
        **{name: getattr(NULL, name) for name in ("run", "run_prompt", "cell")},
        seed=figures["seed"],
        sweeps=figures["sweeps"],
        uneven=UNEVEN,
        level=f"{100 * LEVEL:.0f} %",
        alike=sum(row["alike"] for row in null),
        judged=sum(row["judged"] for row in null),
    )
    usual = {"design": USUAL.name, "trainings": max(USUAL.trainings), "prompts": USUAL.prompts, "seeds": USUAL.seeds}
    parts = [
        opening,
        NULL_WORDS,
        null_table(null, figures["harder"]),
        WORLD_WORDS.format(**usual),
        world_table(figures["worlds"]),
        POWER_WORDS,
        power_table(figures["power"]),
        RANKING_WORDS.format(**usual),
        ranking_table(figures["ranking"]),
        INTERVAL_WORDS.format(sweeps=figures["held"]),
        interval_table(figures["intervals"]),
        flagged(figures["intervals"]),
        LEADER_WORDS.format(sweeps=figures["believed"]),
        leader_table(figures["leaders"]),
        CHANCE_WORDS,
        chance_table(figures["chances"]),
    ]
    return "\n".join(parts)


def sizes(row: Figures) -> list[str]:
    return [row["design"], str(row["pairs"]), str(row["trainings"]), f"{row['prompts']} x {row['seeds']}"]


SIZES = ["sweep", "pairs", "trainings", "prompts x seeds"]


def null_table(rows: list[Figures], harder: list[Figures]) -> str:
    shares = ("matters", "on_new", "even", "by_holm", "one_by_one", "prompts_hold")
    return table(
        [
            *SIZES,
            "any claim",
            "on new prompts",
            "alike, Dunnett",
            "alike, Holm",
            "one by one",
            "prompts hold",
            "uneven .9",
        ],
        [
            [*sizes(row), *(share(row[name]) for name in shares), share(hard["matters"])]
            for row, hard in zip(rows, harder, strict=True)
        ],
    )


def world_table(rows: list[Figures]) -> str:
    shares = ("matters", "wrong", "on_new", "even", "prompts_hold")
    return table(
        ["world", "any claim", "of the wrong sign, or none", "on new prompts", "alike, Dunnett", "prompts hold"],
        [[row["world"], *(share(row[name]) for name in shares)] for row in rows],
    )


def power_table(rows: list[Figures]) -> str:
    shares = ("matters", "on_new", "false")
    return table(
        [*SIZES, "points", "found on these prompts", "and on new ones", "false"],
        [[*sizes(row), f"{row['effect']:.0f}", *(share(row[name]) for name in shares)] for row in rows],
    )


def ranking_table(rows: list[Figures]) -> str:
    return table(
        ["sd of the patterns", "the first is the best", "lost", "leads", "wrongly"],
        [
            [
                f"{row['spread']:.0f}",
                share(row["best"] if row["spread"] else None),
                f"{row['lost']:.1f}",
                share(row["leads"]),
                share(row["wrong"]),
            ]
            for row in rows
        ],
    )


KINDS = {"means": "mean", "differences": "difference", "squares": "2x2"}


def interval_table(rows: list[Figures]) -> str:
    """A row per world and kind of interval, a column per design."""
    worlds: dict[str, list[Figures]] = {}
    for row in rows:
        worlds.setdefault(row["world"], []).append(row)
    first = next(iter(worlds.values()))
    return table(
        ["world", "interval of", *(designed(row) for row in first), "alike"],
        [
            [world, name, *(share(row[kind]) for row in each), alike(each, kind)]
            for world, each in worlds.items()
            for kind, name in KINDS.items()
        ],
    )


def designed(row: Figures) -> str:
    return f"{row['design'].partition(',')[0]}, {row['trainings']} trainings"


def alike(rows: list[Figures], kind: str) -> str:
    """The range over the designs, were all patterns taken to vary alike."""
    shares = [row[f"{kind}_alike"] for row in rows]
    return f"{share(min(shares))} to {share(max(shares))}"


def flagged(rows: list[Figures]) -> str:
    """What doesn't hold as promised, and why."""
    off = [
        f"{KINDS[kind]}, {row['world']}, {designed(row)} ({share(row[kind])})"
        for row in rows
        for kind in KINDS
        if not 0.93 <= round(row[kind], 3) <= 0.97
    ]
    if not off:
        return ""
    said = FLAGGED.format(which="; ".join(off), few="12 patterns of which 4")
    return textwrap.fill(said, WIDTH, break_long_words=False, break_on_hyphens=False) + "\n"


def leader_table(rows: list[Figures]) -> str:
    return table(
        ["sweep", "world", "sd of the patterns", "luck", "plain holds", "drawn toward all holds", "left", "all hold"],
        [
            [
                row["design"],
                row["world"],
                f"{row['spread']:.0f}",
                f"{row['luck']:+.1f}",
                share(row["plain"]),
                share(row["drawn"]),
                f"{row['left']:+.1f}",
                share(row["all"]),
            ]
            for row in rows
        ],
    )


def chance_table(rows: list[Figures]) -> str:
    return table(
        ["chance", "patterns", "said, mean", "are the best"],
        [
            [
                f"{100 * row['low']:.0f} to {100 * row['high']:.0f} %",
                f"{row['n']:,}",
                share(row["said"]),
                share(row["came"]),
            ]
            for row in rows
        ],
    )


def share(value: float | None) -> str:
    return "-" if value is None else percent(value)
