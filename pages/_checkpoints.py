"""What was measured of a run's checkpoints, as the Run page shows it."""

import streamlit as st
from sqlite_utils import Database

from pages._drawn import finished, show_still
from workbench import views
from workbench.charting import checkpoint_charts


def checkpoint_measurements(db: Database, run_id: int) -> None:
    """Weight change per block, loss at fixed noise, time and memory; nothing for runs from before these were kept."""
    table = checkpoint_charts.measurements(views.checkpoints(db, run_id))
    rows = checkpoint_charts.measurement_rows(table)
    if not rows:
        return
    st.subheader("Checkpoints")
    said = checkpoint_charts.overfitting(table)
    if said:
        st.markdown(said)
    charts = {
        "**How far it moved the model**": checkpoint_charts.weight_change_chart(table),
        "**Photos that it knows, photos that it doesn't**": checkpoint_charts.loss_chart(table),
    }
    drawn = {title: chart for title, chart in charts.items() if chart is not None}
    if drawn:
        for column, (title, chart) in zip(st.columns(len(drawn), gap="large"), drawn.items(), strict=True):
            column.markdown(title)
            with column:
                show_still(finished(chart), title)
    st.dataframe(rows, hide_index=True)
