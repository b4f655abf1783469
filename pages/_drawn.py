"""What pages work out of a project's tables and the charts of it, kept until something that they show has changed."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import altair as alt
import pandas as pd
import streamlit as st
from sqlite_utils import Database
from streamlit.elements.vega_charts import _convert_altair_to_vega_lite_spec as spec_of

from pages import _shared as shared
from workbench import views

Found = TypeVar("Found")
Chart = alt.LayerChart | alt.Chart | alt.VConcatChart | alt.HConcatChart


@dataclass(frozen=True)
class Drawn:
    """A finished chart: nothing of it is built or checked again when it is shown again."""

    spec: dict[str, Any]  # Vega-Lite, its data as bytes beside it
    height: int | None  # px, where the chart says so


def worked_out(db: Database, project_id: int, work: Callable[..., Found], *arguments: Hashable) -> Found:
    """``work(tables, *arguments)``, worked out anew only when something that the tables show has changed.

    ``work`` is a function of a module (not a lambda): it is known by its name, so nothing but the arguments may make
    its answers differ. A table comes as a copy of one's own; whatever else comes belongs to everybody and is not
    changed.
    """
    key = about(db, project_id, work, arguments)
    return own(_worked_out(key, partial(of_tables, db, project_id, work, arguments)))


def drawn(db: Database, project_id: int, chart: Callable[..., Chart], *arguments: Hashable) -> Drawn:
    """The chart ``chart(tables, *arguments)``, kept in the same way."""
    return _drawn(about(db, project_id, chart, arguments), partial(of_tables, db, project_id, chart, arguments))


def charted(chart: Callable[..., Chart], *content: Any) -> Drawn:
    """The chart ``chart(*content)`` of small tables, lists and plain values, kept for as long as these are equal."""
    return _charted(f"{chart.__module__}.{chart.__qualname__}", content, chart)


def show(chart: Drawn | Chart, key: str, height: int | None = None) -> list[dict[str, Any]]:
    """Draw a chart; returns what was clicked in it (its selection is called "pick")."""
    found = chart if isinstance(chart, Drawn) else finished(chart)
    event = st.vega_lite_chart(
        spec=dict(found.spec),  # Streamlit takes the data out of it
        key=key,
        height=height or found.height or "content",
        on_select="rerun",
        selection_mode="pick",
    )
    return list(event.selection.get("pick", []))


def show_still(chart: Drawn, key: str, height: int | None = None) -> None:
    """Draw a chart in which nothing can be clicked."""
    st.vega_lite_chart(spec=dict(chart.spec), key=key, height=height or chart.height or "content")


def about(
    db: Database, project_id: int, work: Callable[..., Any], arguments: tuple[Hashable, ...]
) -> tuple[Hashable, ...]:
    """What an answer depends on."""
    name = getattr(work, "__qualname__", "<")
    if "<" in name:
        raise TypeError(f"{name} can't be kept by its name: give a function of a module, with what it needs beside it.")
    return str(shared.workspace().home), project_id, views.revision(db), work.__module__, name, arguments


def of_tables(db: Database, project_id: int, work: Callable[..., Found], arguments: tuple[Hashable, ...]) -> Found:
    return work(shared.tables(db, project_id), *arguments)


def own(found: Found) -> Found:
    """A table that may be changed without changing everybody's: the values are copied when they are."""
    return found.copy(deep=False) if isinstance(found, pd.DataFrame | pd.Series) else found


def finished(chart: Chart) -> Drawn:
    spec = spec_of(chart)
    height = spec.get("height")
    return Drawn(spec, height if isinstance(height, int) else None)


@st.cache_resource(max_entries=64, show_spinner=False)
def _worked_out(key: tuple[Hashable, ...], _work: Callable[[], Any]) -> Any:
    return _work()


@st.cache_resource(max_entries=64, show_spinner=False)
def _charted(name: str, content: tuple[Any, ...], _chart: Callable[..., Chart]) -> Drawn:
    return finished(_chart(*content))


@st.cache_resource(max_entries=128, show_spinner=False)
def _drawn(key: tuple[Hashable, ...], _build: Callable[[], Chart]) -> Drawn:
    return finished(_build())
