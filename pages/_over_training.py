"""A score over the course of the training."""

import streamlit as st

from pages._view import View, behind, download, metric_choice, show
from workbench.charting.training_chart import score_by_checkpoint

PLACES = {"updates": "updates", "images seen": "images_seen"}


def over_the_training(view: View) -> None:
    """A score at every checkpoint of every run, over updates or images seen."""
    with st.container(horizontal=True):
        metric = metric_choice(view)
        place = st.segmented_control("Over", PLACES, default="updates", key="over", bind="query-params", required=True)
    chart = score_by_checkpoint(view.tables.checkpoints, metric, PLACES[place], view.tables.labels)
    ids = [point["checkpoint_id"] for point in show(chart, "by-checkpoint")]
    behind(view, "checkpoint_id", ids, metric, "checkpoint-pictures")
    download(view.tables.checkpoints, "checkpoints")
