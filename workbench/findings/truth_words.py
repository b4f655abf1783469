"""What docs/validity.md and docs/demo.md say of the demo's verdicts and many more seeds."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.findings.metrics import METRICS
from workbench.findings.truth import NO_CLAIM, OUTCOMES, POINT
from workbench.scores.validity_words import percent, table

Figures = Mapping[str, Any]

HEADING = "## The demo against many more seeds"
LEAD = "**Against many more seeds:**"  # what the paragraph of docs/demo.md starts with
WIDTH = 120

OPENING = """The demo judges {patterns} patterns by {two} training seeds. Here they are trained with {many} more
({others}), once, so that what is true of these trainings on these prompts is known better than a sweep of that size can
know it. The scores are stored (`workbench/findings/demo_truth.csv`; how they were made stands below and in the file
beside it), so this section needs no training. *True*: the mean difference over the seeds that the sweep doesn't have,
with a 95 % interval by training seeds (each pattern's own variance, moderated by that of all: Smyth 2004). It is one
interval for each contrast: of {contrasts} where nothing differs one or two would miss 0. **What this shows:** whether
claims from {two} trainings of each pattern hold for other trainings, and what they miss. **What it doesn't:** other
prompts, other people, other base models; "on new prompts" is not tried."""

DEMO_WORDS = """### The verdicts of seeds {seeds}

{summary}"""

SWEEP_WORDS = """### Every sweep of {two} seeds

The same for every sweep that can be cut from the {every} seeds without using one twice, each against all the others.
Together {contrasts} verdicts, {claims} of them claims: {right} right, {opposite} the other way round, {unproven} that
the other seeds can't tell; {tiny} where the true difference is within ±{point:g} point. Of {differ} true differences
{direction} were seen with the right sign, and {right} claimed. That is the price of judging all pairs together: each
for itself at 95 %, {alone} would have been claimed, {alone_right} of them rightly. The half-widths that are shown hold
the true difference in {hold} of the cases (all pairs at once, so more than 95 % are to be expected) and {hold_alone}
(one pair alone: 95 % promised, less what the truth itself is uncertain by; with that {hold_both}). *Lost*:
points by which the first is worse than the true best."""

SIZE_WORDS = """### By the size of the true difference

All these sweeps together."""

SCORE_WORDS = """### Other scores

Seeds {seeds} against the others. These are exploratory: settings are judged by likeness."""

MADE_WORDS = "### How it was made"


def section(figures: Figures) -> str:
    """The section in Markdown. ``figures``: see :func:`truth.measure`."""
    told = {
        "patterns": figures["patterns"],
        "two": len(figures["seeds"]),
        "many": len(figures["others"]),
        "every": len(figures["seeds"]) + len(figures["others"]),
        "others": spans(figures["others"]),
        "seeds": spans(figures["seeds"]),
        "contrasts": figures["demo"]["contrasts"],
    }
    together = figures["together"]
    shares = {name: percent(together[name] / together["contrasts"]) for name in ("hold", "hold_alone", "hold_both")}
    parts = [
        HEADING + "\n\n" + wrapped(OPENING.format(**told)),
        wrapped(DEMO_WORDS.format(**told, summary=summary(figures))),
        contrast_rows(figures["rows"]),
        wrapped(SWEEP_WORDS.format(**{**told, **together, **shares, "point": POINT})),
        sweep_rows(figures["sweeps"]),
        wrapped(SIZE_WORDS),
        size_rows(figures["by_size"]),
        wrapped(SCORE_WORDS.format(**told)),
        score_rows(figures["scores"]),
        MADE_WORDS + "\n",
        made_rows(figures["made"]),
    ]
    return "\n".join(parts)


def summary(figures: Figures) -> str:
    """How many of the demo's claims hold for the many seeds, how many don't, and what it left open."""
    found, rows = figures["demo"], figures["rows"]
    wrong, left = found["opposite"] + found["unproven"], found["missed"] + found["open"]
    held = (
        f"{found['right']} hold for {len(figures['others'])} other seeds, {wrong} not (the other way round: "
        f"{found['opposite']}, not told by the other seeds: {found['unproven']})"
    )
    lead = (
        "the best there, too" if found["place"] == 1 else f"{found['lost']:.1f} points behind '{found['best']}' there"
    )
    return (
        f"Seeds {spans(figures['seeds'])} make {found['claims']} claims: {held}. Of the {left} contrasts that "
        f"were left open (of {found['contrasts']}) {found['open']} can't be told by the other seeds either, which "
        f"proves nothing of them.{missed_words(rows)} The first of the sweep, '{found['first']}', is {lead}."
    )


def missed_words(rows: Sequence[Figures]) -> str:
    """True differences of which the small sweep said nothing; empty where it missed none."""
    sizes = [abs(row["truth"]) for row in rows if row["outcome"] == "missed"]
    if len(sizes) < 2:
        return f" The other one does differ, by {sizes[0]:.0f} points." if sizes else ""
    return (
        f" The other {len(sizes)} do differ, by {min(sizes):.0f} to {max(sizes):.0f} points, too little for two seeds."
    )


def paragraph(figures: Figures) -> str:
    """What docs/demo.md says of it."""
    return wrapped(f"{LEAD} {summary(figures)} Every contrast: [validity.md](validity.md).")


def contrast_rows(rows: Sequence[Figures]) -> str:
    return table(
        ["setting", "from", "to", "seen", "bound", "true", "95 %", "verdict"],
        [
            [
                row["change"].replace("|", "/"),
                row["label_a"],
                row["label_b"],
                f"{row['diff']:+.1f}",
                f"±{row['noise']:.1f}",
                f"{row['truth']:+.1f}",
                f"{row['truth'] - row['half']:+.1f} to {row['truth'] + row['half']:+.1f}",
                OUTCOMES[row["outcome"]],
            ]
            for row in rows
        ],
    )


def sweep_rows(rows: Sequence[Figures]) -> str:
    return table(
        ["seeds", "claims", "right", "other way", "can't tell", "missed", "its first", "true best", "lost"],
        [
            [
                spans(row["seeds"]),
                *(str(row[name]) for name in ("claims", "right", "opposite", "unproven", "missed")),
                row["first"],
                row["best"],
                f"{row['lost']:.1f}",
            ]
            for row in rows
        ],
    )


def size_rows(rows: Sequence[Figures]) -> str:
    return table(
        ["true difference, points", "contrasts", "claimed", "right", "differs, but not claimed", "can't be told"],
        [
            [
                f"{row['least']:.0f} to {row['below']:.0f}" if row["below"] else f"{row['least']:.0f} and more",
                *(str(row[name]) for name in ("contrasts", "claims", "right", "missed")),
                str(row["open"] + row["unproven"]),
            ]
            for row in rows
        ],
    )


def score_rows(rows: Sequence[Figures]) -> str:
    names = ("contrasts", "claims", "right", "opposite", "unproven", *NO_CLAIM)
    head = ["score", "contrasts", "claims", "right", "other way", "can't tell", "missed", "both open"]
    return table(head, [[METRICS[row["metric"]].label, *(str(row[name]) for name in names)] for row in rows])


def made_rows(made: Sequence[Figures]) -> str:
    return table(
        ["seeds", "made by", "seconds of training each", "day", "code", "processor", "system", "packages"],
        [
            [
                spans(each["seeds"]),
                f"`{each['command']}`",
                str(each["seconds_each"]),
                " to ".join(each["days"]),
                each["code"],
                each["processor"],
                each["system"],
                ", ".join(each["packages"]),
            ]
            for each in made
        ],
    )


def spans(seeds: Sequence[int]) -> str:
    """Seeds in few words.

    >>> spans([1, 2]), spans([3, 4, 5, 6]), spans([3, 4, 5, 9])
    ('1 and 2', '3 to 6', '3 to 5 and 9')
    """
    found: list[list[int]] = []
    for seed in sorted(seeds):
        if found and seed == found[-1][-1] + 1:
            found[-1].append(seed)
        else:
            found.append([seed])
    said = [f"{run[0]} to {run[-1]}" if len(run) > 2 else " and ".join(map(str, run)) for run in found]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def wrapped(text: str) -> str:
    """Paragraphs and headings with lines of at most WIDTH characters."""
    return (
        "\n\n".join(
            part if part.startswith("#") else textwrap.fill(part, WIDTH, break_long_words=False, break_on_hyphens=False)
            for part in text.split("\n\n")
        )
        + "\n"
    )


# into the documents


def with_section(page: str, words: str) -> str:
    """docs/validity.md with this section in place of the one there, or at its end."""
    start = page.find(f"{HEADING}\n")
    if start < 0:
        return f"{page.rstrip()}\n\n{words}"
    after = re.compile(r"^## ", re.MULTILINE).search(page, start + len(HEADING))
    return page[:start] + words + (f"\n{page[after.start() :]}" if after else "")


def with_paragraph(page: str, words: str) -> str:
    """docs/demo.md with this paragraph in place of the one there, or before its paragraph on time."""
    start = page.find(LEAD)
    if start < 0:
        start = page.find("**Time.**")
        return f"{page[:start]}{words}\n{page[start:]}"
    end = page.find("\n\n", start)
    return page[:start] + words + (page[end + 1 :] if end >= 0 else "")
