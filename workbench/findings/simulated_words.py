"""The section on verdicts of docs/validity.md, from the figures of workbench/findings/sweeps_simulated.py."""

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
others (the log of that has an sd of {uneven}). **What this shows:** the rule keeps its promise if scores vary like
that. **What it doesn't:** that yours do. The rules are tried in a fast form; of {judged:,} of these pairs the tables
behind Charts say the same in {alike:,}.

The rule: all pairs of patterns that differ in one setting, with two trainings or more on each side, are one family. A
setting "seems to matter here, on these prompts" if its difference is so large that by training seeds alone the largest
of all would be that large in {level} of all sweeps (a little under the 5 % that are promised). That is Dunnett's
method, for any pairs, with a pattern's own spread moderated by that of all (Smyth 2004). "And on new prompts of this
kind" asks more: that the difference also stands over training seeds and prompts together, by Holm's method over the
family. Other scores than the main one are called exploratory.
"""

NULL_WORDS = """### No setting matters

Share of sweeps with any claim; 5 % at most are promised. *Alike*: Dunnett's method, and Holm's, as if all patterns
varied alike; *one by one*: each pair for itself, at 95 % and with an interval over prompts that misses zero.
*Intervals hold*: over prompts, the difference of these two checkpoints; by training seeds, the difference of two
settings with one spread for all patterns, as the bars on other charts have it (a little narrow where patterns don't
vary alike).
"""

WORLD_WORDS = """### Other worlds

The same for {design} with {trainings} trainings each, {prompts} prompts x {seeds} seeds. Where patterns answer prompts
differently, settings do differ on these prompts, by chance of the prompts: then only *on new prompts* is false, and *on
these prompts* where the sign is *wrong*.
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
        null_table(null),
        WORLD_WORDS.format(**usual),
        world_table(figures["worlds"]),
        POWER_WORDS,
        power_table(figures["power"]),
        RANKING_WORDS.format(**usual),
        ranking_table(figures["ranking"]),
    ]
    return "\n".join(parts)


def sizes(row: Figures) -> list[str]:
    return [row["design"], str(row["pairs"]), str(row["trainings"]), f"{row['prompts']} x {row['seeds']}"]


SIZES = ["sweep", "pairs", "trainings", "prompts x seeds"]


def null_table(rows: list[Figures]) -> str:
    shares = ("matters", "on_new", "even", "by_holm", "one_by_one", "prompts_hold", "seeds_hold")
    return table(
        [
            *SIZES,
            "any claim",
            "on new prompts",
            "alike, Dunnett",
            "alike, Holm",
            "one by one",
            "prompts hold",
            "seeds hold",
        ],
        [[*sizes(row), *(share(row[name]) for name in shares)] for row in rows],
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


def share(value: float | None) -> str:
    return "-" if value is None else percent(value)
