"""Run: one training with everything about it, and ways to train it again."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from pages import _shared as shared
from pages._checkpoints import checkpoint_measurements
from pages._drawn import charted, show_still
from pages._pictures import picture_grid, show_preview
from pages._plain_table import plain_table
from pages._settings import one_change
from workbench import sentences, views
from workbench.charting.loss_curve import loss_curve
from workbench.keeping import bin
from workbench.pictures import gallery
from workbench.plans.plan import plan_of
from workbench.running import queue, run_log
from workbench.sweep import patterns, settings
from workbench.words import duration


def wanted_run() -> dict[str, Any]:
    """The run that the address names (?run=7)."""
    number = st.query_params.get("run", "")
    found = views.run(db, int(number)) if re.fullmatch("[0-9]{1,9}", number) else None
    if found is None:
        st.title("Run")
        shared.nothing_yet(
            f"There is no run {shared.plain(number)}." if number else "No run was chosen.",
            "queue",
            "Choose one",
        )
    return found


def facts() -> None:
    """How it went."""
    trained = duration(run["train_seconds"]) if run["train_seconds"] else "not yet"
    parts = [
        ("Status", sentences.status_word(run["status"])),
        ("Updates", f"{run['step']:,} of {run['total_steps']:,}" if run["total_steps"] else "not started"),
        ("Trained for", trained),
        ("Device", run["device"] or "-"),
    ]
    for column, (name, value) in zip(st.columns(4), parts, strict=True):
        column.metric(name, value)
    if views.why(run):
        st.warning(shared.plain(views.why(run)))
    if run["status"] in ("failed", "cancelled") and st.button(
        "Retry from the last saved state", icon=":material/replay:"
    ):
        again(lambda: queue.retry(db, run["id"]))


def made_elsewhere() -> None:
    """A training of another program: what is here of it, and how to train the like here."""
    what = "its pictures" if run["origin"] == "pictures" else "its LoRA files"
    st.info(f"Made elsewhere: imported from {what}. What isn't known of its training is not guessed.")
    shared.reference_notes(db, project)
    if project["base_model"] == "none":
        st.caption("This project only judges: it has no base model to train on.")
        return
    unknown = views.unknown_settings(run)
    st.markdown("**Train it here**")
    mine = [each for each in patterns.listed(db, project["id"]) if each.origin is None and each.hash == config.hash]
    if mine:
        st.caption(f"Its pattern is here already: {shared.plain(mine[0].label)}. It can be queued on Patterns.")
        if st.button("Go to Patterns", type="primary", icon=":material/tune:"):
            shared.go("patterns")
        return
    told = f"{len(unknown)} settings are not known and start at their defaults" if unknown else "All settings are known"
    st.caption(f"A pattern of its own with the same settings. {told}; look through them before you queue it.")
    if st.button("Train it here", type="primary", icon=":material/content_copy:"):
        try:
            patterns.train_here(db, project["id"], run["pattern_id"])
        except patterns.PatternError as error:
            st.error(shared.plain(str(error)))
        else:
            shared.go("patterns")


def retrain() -> None:
    """Train this pattern again: with a new seed at a click, or with one setting changed."""
    seed, change = st.columns([2, 3], gap="large")
    with seed:
        st.markdown("**Same settings, new seed**")
        st.caption("Tells how much of the result is chance.")
        if st.button("Retrain with a new seed", type="primary", icon=":material/replay:"):
            again(lambda: queue.retrain(db, run["id"]))
    with change:
        st.markdown("**Change one setting**")
        changes = one_change(config.model_dump(), f"retrain-{run['id']}")
        label = st.text_input("Label of the new pattern", settings.change_label(run["label"], changes))
        if st.button("Retrain with this change", icon=":material/tune:"):
            again(lambda: queue.retrain(db, run["id"], changes=changes, label=label))


def longer_and_final() -> None:
    """What can be made of a finished run: train it longer, or once more on all photos."""
    if run["status"] != "done":
        return
    longer, final = st.columns([2, 3], gap="large")
    with longer:
        st.markdown("**Train longer**")
        st.caption("Goes on from the end of this run as a new one; what is here stays.")
        epochs = st.number_input("Epochs in all", min_value=1, value=config.epochs * 2, step=1)
        if st.button("Go on", icon=":material/fast_forward:"):
            again(lambda: queue.extend(ws, db, run["id"], epochs=int(epochs)))
    with final:
        st.markdown("**Final: on all photos**")
        st.caption(
            "Trains this pattern once more with the reference photos too, for a LoRA to use. Its likeness can't be "
            "measured then: no photo is left that it hasn't seen."
        )
        if st.button("Train on all photos", icon=":material/workspace_premium:", disabled=bool(run["final"])):
            again(lambda: queue.train_final(db, run["id"]))


def delete() -> None:
    """Put the run into the bin."""
    if run["status"] == "running":
        st.caption("It trains now. Cancel it on the Queue page before you delete it.")
    elif st.button("Move this run to the bin", icon=":material/delete:"):
        try:
            bin.delete_run(db, run["id"])
        except bin.BinError as error:
            st.error(shared.plain(str(error)))
        else:
            st.session_state["deleted run"] = run["id"]
            shared.go("queue")


def again(work: Callable[[], object]) -> None:
    try:
        work()
    except (queue.QueueError, patterns.PatternError, settings.ConfigError) as error:
        st.error(shared.plain(str(error)))
    else:
        shared.go("queue")


def checkpoints() -> None:
    """The LoRA files: where they lie, and what was proved about them."""
    rows = views.checkpoint_rows(db, run["id"])
    if not rows:
        return
    st.subheader("Checkpoints" if run["origin"] == "pictures" else "LoRA files")
    columns = {
        "download": st.column_config.LinkColumn(display_text="download", width="small"),
        "file": st.column_config.TextColumn(width=330),
    }
    st.dataframe(rows, hide_index=True, column_config=columns)
    if any(row.get("download") for row in rows):
        st.caption(f"In {ws.home}. They load in every tool that reads kohya's LoRA files.")


def pictures() -> None:
    """This run's previews beside the base model alone."""
    table = shared.tables(db, project["id"]).previews
    if not (table["run_id"] == run["id"]).any():
        return
    st.subheader("Previews")
    plan = plan_of(db, project["id"])
    own = gallery.choose(
        table[table["is_base"] | (table["run_id"] == run["id"])], plan, seeds=gallery.shown_seeds(plan)
    )
    held = shared.held_back(db, project, "reveal in run", own["token"])
    picked = picture_grid(gallery.preview_grid(own, plan, held), 96, None, "run-pictures")
    if picked:
        row = table[table["token"] == picked].iloc[0].to_dict()
        show_preview(row, shared.all_settings(db, row))


ws, db = shared.workspace(), shared.open_workbench()
run = wanted_run()
project = shared.project_of(db, run)
if st.session_state.get("project") != project["id"] and project["deleted_at"] is None:
    st.session_state["new project id"] = project["id"]  # where the buttons below lead has to show it too
    st.rerun()
config = patterns.get(db, run["pattern_id"])
st.title(shared.plain(views.full_name(run)))
st.caption(f"Run {run['id']} of {shared.plain(project['name'])}")
if run["final"]:
    st.info("Trained on all photos, the reference photos too: not scored for likeness, and compared with nothing.")
if run["origin"]:
    made_elsewhere()
else:
    facts()
    retrain()
    longer_and_final()
pictures()
points = run_log.losses(ws, run["id"])
if points:
    st.subheader("Loss")
    show_still(charted(loss_curve, np.array(points)), "loss", 300)
checkpoint_measurements(db, run["id"])
checkpoints()
st.subheader("Settings")
known, unknown = views.known_settings(run, config), views.unknown_settings(run)
if known:
    plain_table(known)
if unknown:
    st.markdown(f"**Not known ({len(unknown)}):** {', '.join(settings.field(name).label for name in unknown)}.")
delete()
