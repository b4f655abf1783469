"""The report's parts on settings: what helped, what can't be told, and every pair that differs in one setting."""

from collections.abc import Sequence
from html import escape
from typing import Any

from workbench.charting.contrast_chart import WORDINGS, contrast_chart
from workbench.findings.summary import Line, summary, telling
from workbench.findings.verdicts import (
    ALL_ALONE,
    HELPED,
    NOT_ALONE,
    OPEN,
    SIGNS,
    TOLD_ALL,
    exploratory,
    summary_words,
)
from workbench.report.contents import Contents
from workbench.report.drawn import svg
from workbench.report.parts import beside, bullets, figure, folded, table, text
from workbench.words import counted

CHARTED = 12  # pairs at most, so that the chart fits on a page of paper; the table has all


def summary_parts(found: Contents) -> list[str]:
    """What helped, what can't be told, what was not tested alone, side by side."""
    tables = found.tables
    if found.elsewhere or tables.runs.empty or tables.runs[found.metric.key].isna().all():
        return []
    said = summary(tables, found.metric.key, found.pairs)
    told_all = said.n_pairs and not said.open and said.helped
    all_alone = not said.alone and tables.runs["pattern_id"].nunique() > 1
    blocks = [
        (HELPED, lines(said.helped), lines([said.nothing]) if said.nothing else ""),
        (OPEN, lines(said.open), text(TOLD_ALL) if told_all else ""),
        (NOT_ALONE, lines(said.alone), text(ALL_ALONE) if all_alone else ""),
    ]
    figures = any(line.params.get("noise") is not None for line in (*said.helped, *said.open))
    return [
        beside([f"<h3>{escape(head)}</h3>{given}{instead}" for head, given, instead in blocks]),
        f"<h3>Wrecked</h3>{lines(said.wrecked)}" if said.wrecked else "",
        text(SIGNS, "faint") if figures else "",
    ]


def lines(said: Sequence[Line]) -> str:
    return bullets([(line.params["head"], summary_words(line.code, line.params)) for line in said])


def pair_parts(found: Contents) -> list[str]:
    """The pairs that differ in one setting: those that say most as a chart, and a row each with its verdict."""
    pairs, measured = found.pairs, found.metric
    if pairs.empty:
        return []

    def change(value: Any, sign: bool = True) -> str:
        return "-" if value is None or value != value else measured.show_change(float(value), sign=sign)

    rows = [
        (
            row["change"],
            f"{row['label_a']} → {row['label_b']}",
            change(row["diff"]),
            "-" if row["low"] != row["low"] else f"{change(row['low'])} to {change(row['high'])}",
            "-" if change(row["noise"]) == "-" else f"±{change(row['noise'], sign=False)}",
            f"{row['n_a']}, {row['n_b']}",
            WORDINGS[row["wording"]][0] if row["wording"] in WORDINGS else row["wording"],
        )
        for row in pairs.to_dict("records")
    ]
    heads = (
        "setting",
        "patterns",
        f"change of {measured.label}",
        "95 % interval over prompts",
        "another training seed makes",
        "runs",
        "verdict",
    )
    chosen = telling(pairs, CHARTED)
    some = f"Above: of each setting the pair that says most, {len(chosen)} of {len(pairs)}; the table has all."
    return [
        text(exploratory(len(pairs), measured.key, measured.key)),
        figure(svg(contrast_chart(chosen, False), "pairs"), some if len(chosen) < len(pairs) else ""),
        table(heads, rows, "narrow"),
        folded(
            f"{counted(len(pairs), 'verdict')} in full",
            bullets(list(zip(pairs["change"], pairs["sentence"], strict=True))),
        ),
    ]
