"""Which pattern is the best, how sure that is, and what more time would buy."""

from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from pages import _shared as shared
from pages._drawn import charted
from pages._view import View, behind, download, metric_choice, pictures, show
from workbench.charting.front_chart import front_chart
from workbench.charting.ranking_chart import ranking_chart
from workbench.findings import ranking_words as words
from workbench.findings.analysis import Tables
from workbench.findings.best import Best, leading
from workbench.findings.metrics import Metric
from workbench.findings.noise import noise_floor
from workbench.findings.ranking import main_strength, ranking
from workbench.findings.verdicts import verdict

FIRST = 15  # patterns that stand there before one asks for more
NOT_DRAWN = ["checkpoint_ids"]  # lists, by which no table can be known again
STEPS = 4  # sentences on time against score that stand there before one asks for more


def best_of_each(view: View) -> None:
    """The patterns, best first, with their chances; a table of what each took; time against score."""
    tables, metric = view.tables, metric_choice(view)
    measured, (rows, found, said) = tables.metric(metric), view.worked_out(ranked, metric)
    if rows.empty:
        shared.nothing_yet("No run has come to its end yet: only then is its best checkpoint known.", "queue", "Queue")
    if found:
        st.markdown(shared.plain(verdict(found.wording, found.params)))
    shown = rows
    if len(rows) > FIRST and not st.toggle(f"All {len(rows)} patterns", key="all-patterns", bind="query-params"):
        shown = rows.head(FIRST)
    picked = show(charted(ranking_chart, shown.drop(columns=NOT_DRAWN), measured), "ranking")
    st.caption(shared.plain(" ".join(words.chart_notes(shown, main_strength(tables)))))
    behind(view, "checkpoint_id", checkpoints(rows, picked), metric, "best-pictures")
    with st.expander("How this is worked out", icon=":material/help:"):
        for note in words.ranking_notes(rows):
            st.markdown(shared.plain(note))
    figures(rows, measured)
    time_against_score(view, rows, measured, said)


def ranked(tables: Tables, metric: str) -> tuple[pd.DataFrame, Best | None, list[str]]:
    """The ranking, its leader, and what is said of time against score; nothing of that where no time is known."""
    rows, measured = ranking(tables, metric), tables.metric(metric)
    if rows.empty:
        return rows, None, []
    timed = front_chart(rows, measured) is not None
    noise = noise_floor(tables.checkpoints, metric)
    return rows, leading(tables, metric, rows), list(words.front_words(rows, measured, noise)) if timed else []


def front_of(rows: pd.DataFrame, measured: Metric) -> alt.LayerChart:
    """The chart of time against score, where a time is known."""
    chart = front_chart(rows, measured)
    assert chart is not None  # :func:`ranked` has looked
    return chart


def checkpoints(rows: pd.DataFrame, picked: list[dict[str, Any]]) -> list[int]:
    """The checkpoints at which the clicked patterns stand."""
    chosen = rows[rows["pattern_id"].isin([point["pattern_id"] for point in picked])]
    return [each for ids in chosen["checkpoint_ids"] for each in ids]


def figures(rows: pd.DataFrame, measured: Metric) -> None:
    """What each pattern scored and took, as a table; what is known of none has no column."""
    score = st.column_config.NumberColumn
    number = "percent" if measured.is_share else f"%{measured.number}"
    columns = {
        "label": st.column_config.TextColumn("pattern", pinned=True),
        "value": score(measured.label, format=number, help=f"{measured.title}, at the best checkpoint of each run"),
        "low": score("from", format=number, help="95 % interval from training seeds"),
        "high": score("to", format=number, help="95 % interval from training seeds"),
        "believed": score("to expect", format=number, help="with the luck of being the first of many taken off"),
        "chance_best": score("best in 100", format="%.0f", help=words.DRAWN),
        "best_strength": score("best strength", format="%g"),
        "value_best_strength": score("score there", format=number, help="by pictures that had no part in choosing it"),
        "n_seeds": score("runs", format="%d", help="trainings with another seed each that were measured"),
        "n_wrecked": score("wrecked runs", format="%d"),
        "minutes": score("minutes", format="%.1f", help="of one training, mean over its runs"),
        "per_hour": score("per hour", format="%.1f", help="trainings in an hour"),
        "device": st.column_config.TextColumn("device"),
        "updates": score("updates", format="%d", help="until its best checkpoint, mean over its runs"),
        "images_seen": score("images seen", format="%d", help="until its best checkpoint, mean over its runs"),
        "megabytes": score("MB", format="%.1f", help="of the LoRA file"),
    }
    known = [name for name in columns if rows[name].notna().any()]
    if not rows["n_wrecked"].any():
        known.remove("n_wrecked")
    if rows["device"].nunique() < 2 and "device" in known:
        known.remove("device")
    table = rows[known].assign(chance_best=100 * rows["chance_best"])[known]
    st.dataframe(table, column_config={name: columns[name] for name in known}, hide_index=True)
    download(rows.drop(columns=["checkpoint_ids"]), "ranking")


def time_against_score(view: View, rows: pd.DataFrame, measured: Metric, said: list[str]) -> None:
    """What more time buys, and who is beaten in both."""
    st.subheader("Time against score")
    if not said:
        st.caption("No training of these patterns was timed: of LoRAs made elsewhere the time is not known.")
        return
    first, *steps = said
    st.markdown(shared.plain(first))
    picked = show(charted(front_of, rows.drop(columns=NOT_DRAWN), measured), "front")
    st.caption(shared.plain(" ".join(words.time_notes(rows))))
    ids = checkpoints(rows, picked)
    if ids:
        pictures(view, "checkpoint_id", ids, measured.key, "front-pictures")
    else:
        st.caption("Click a point to see its pictures.")
    if steps:
        said = [f"- {shared.plain(step)}" for step in steps]
        st.markdown("\n".join(said[:STEPS]))
        if len(said) > STEPS:
            with st.expander(f"{len(said) - STEPS} more"):
                st.markdown("\n".join(said[STEPS:]))
