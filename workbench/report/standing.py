"""The report's parts on patterns: the ranking with its chances, time against score, and the strengths."""

from collections.abc import Mapping
from typing import Any

from workbench import views
from workbench.charting.chart_parts import wrecked_note
from workbench.charting.front_chart import front_chart
from workbench.charting.ranking_chart import ranking_chart
from workbench.charting.training_chart import STRENGTH, Curves, curve_notes, training_chart
from workbench.findings import curves
from workbench.findings import ranking_words as words
from workbench.findings.metrics import COSINE_ZERO, STRANGERS
from workbench.findings.ranking import main_strength
from workbench.report.contents import Contents
from workbench.report.drawn import svg
from workbench.report.parts import bullets, figure, table, text

CHARTED = 15  # patterns that the chart shows, as the page does before one asks for more; the table has all


def ranking_parts(found: Contents) -> list[str]:
    """The patterns, best first: the chart, each with its interval and its chance, and every score that was measured."""
    rows, tables = found.ranking, found.tables
    if rows.empty:
        return []
    shown = rows.head(CHARTED)
    notes = words.chart_notes(shown, main_strength(tables))
    if len(shown) < len(rows):
        notes.append(f"Above: the first {len(shown)} of {len(rows)}; the table has all.")
    return [
        figure(svg(ranking_chart(shown, found.metric), "ranking"), " ".join(notes)),
        places(found),
        *(text(note, "faint") for note in words.ranking_notes(rows)),
        every_score(found),
    ]


def places(found: Contents) -> str:
    """A row per pattern: value, interval, chance, what it took; no column for what is known of none."""
    rows, show = found.ranking, found.metric.show

    def score(value: float) -> str:
        return "-" if value != value else show(value)

    def number(value: float, form: str) -> str:
        return "-" if value != value else format(value, form)

    def row(one: Mapping[str, Any]) -> list[str]:
        wrecked = f", {one['n_wrecked']} wrecked" if one["n_wrecked"] else ""
        return [
            one["label"],
            *(score(one[name]) for name in ("value", "low", "high", "believed")),
            words.chance_short(one["chance_best"]) or "-",
            f"{one['n_runs']}{wrecked}",
            number(one["updates"], ",.0f"),
            "-" if one["minutes"] != one["minutes"] else words.time_words(one["minutes"]),
            number(one["best_strength"], "g"),
            score(one["value_best_strength"]),
        ]

    heads = [
        *("pattern", found.metric.label, "from", "to", "to expect", "best in", "runs"),
        *("updates", "time of a training", "best strength", "score there"),
    ]
    cells = [row(one) for one in rows.to_dict("records")]
    known = [n for n in range(len(heads)) if any(line[n] != "-" for line in cells)]
    return table([heads[n] for n in known], [[line[n] for n in known] for line in cells], "narrow")


def every_score(found: Contents) -> str:
    """A row per pattern with the scores that it was not ranked by."""
    tables = found.tables
    keys = [key for key in views.measured(tables) if key != tables.main_metric]
    each = {int(row["pattern_id"]): row for row in tables.patterns.to_dict("records")}

    def shown(pattern: int, key: str) -> str:
        value = each[pattern][key]
        return "-" if value != value else tables.metric(key).show(value)

    ranked = zip(found.ranking["pattern_id"], found.ranking["label"], strict=True)
    rows = [[label, *(shown(int(pattern), key) for key in keys)] for pattern, label in ranked]
    heads = ["pattern", *(tables.metric(key).label for key in keys)]
    if not keys:
        return ""
    head = "<h3>The other scores, at the same checkpoints</h3>"
    return f'<div class="sideways">{head}{table(heads, rows, "narrow")}</div>'


def front_parts(found: Contents) -> list[str]:
    """What more time buys; nothing where no training was timed."""
    chart = None if found.ranking.empty else front_chart(found.ranking, found.metric)
    if chart is None:
        return []
    first, *steps = words.front_words(found.ranking, found.metric, found.noise)
    notes = " ".join(words.time_notes(found.ranking))
    return [text(first), figure(svg(chart, "front"), notes), bullets([("", step) for step in steps])]


def strength_parts(found: Contents) -> list[str]:
    """The score over the strengths at the last checkpoints; nothing where only one was rendered."""
    tables, metric = found.tables, found.tables.main_metric
    if found.elsewhere:
        return []
    cells = curves.at_strengths(tables, metric)
    if cells.empty or cells[STRENGTH].nunique() < 2:
        return []
    means = curves.pattern_means(cells)
    last = cells["is_last"].astype(bool), means["is_last"].astype(bool)
    points = tables.checkpoints
    base = list(points.loc[points["is_base"], metric].dropna())
    zero = COSINE_ZERO if COSINE_ZERO in set(points["zero"]) else STRANGERS
    curve = Curves(cells[last[0]], means[last[1]], base, found.metric, list(tables.labels.values()), zero)
    notes = [*curve_notes(curve, STRENGTH), *wrecked_note(tables.runs, metric)]
    faceless = text(curves.FACELESS, "faint") if metric == "likeness" else ""
    return [faceless, figure(svg(training_chart(curve, STRENGTH), "strengths"), " ".join(notes))]
