"""What was measured of a run's checkpoints, as the Run page shows it."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import streamlit as st
from sqlite_utils import Database

from pages._drawn import charted, show_still
from pages._plain_table import plain_table
from workbench import views
from workbench.charting import checkpoint_charts


def checkpoint_measurements(db: Database, run_id: int) -> None:
    """Weight change per block, loss at fixed noise, time and memory; nothing for runs from before these were kept."""
    checkpoints = views.checkpoints(db, run_id)
    table = checkpoint_charts.measurements(checkpoints)
    rows = checkpoint_charts.measurement_rows(table)
    if not rows:
        return
    st.subheader("Checkpoints")
    said = checkpoint_charts.overfitting(table)
    if said:
        st.markdown(said)
    charts = {
        "**How far it moved the model**": (weight_change, any(table["blocks"])),
        "**Photos that it knows, photos that it doesn't**": (losses, table["loss_train"].notna().any()),
    }
    drawn = {title: chart for title, (chart, measured) in charts.items() if measured}
    if drawn:
        stored = [{name: row[name] for name in checkpoint_charts.STORED} for row in checkpoints]
        for column, (title, chart) in zip(st.columns(len(drawn), gap="large"), drawn.items(), strict=True):
            column.markdown(title)
            with column:
                show_still(charted(chart, stored), title)
    plain_table(rows)


def weight_change(checkpoints: list[Mapping[str, Any]]) -> alt.LayerChart:
    chart = checkpoint_charts.weight_change_chart(checkpoint_charts.measurements(checkpoints))
    assert chart is not None  # it was measured
    return chart


def losses(checkpoints: list[Mapping[str, Any]]) -> alt.LayerChart:
    chart = checkpoint_charts.loss_chart(checkpoint_charts.measurements(checkpoints))
    assert chart is not None  # it was measured
    return chart
