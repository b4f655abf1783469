"""What to keep: the rule for files, deleting, the bin, and the backup."""

from pathlib import Path
from typing import Any, get_args

import streamlit as st

from pages import _shared as shared
from pages._folded import folded
from workbench.keeping import backup, bin, retention
from workbench.sweep import patterns
from workbench.words import counted, megabytes

BIN_OPEN = "bin is to be emptied"


def keeping(project: dict[str, Any]) -> None:
    """Everything about keeping and deleting, folded away on Home."""
    folded("Files to keep", "files to keep", files_to_keep, project, icon=":material/inventory_2:")
    folded("Delete", "delete", deleting, project, icon=":material/delete:")
    bin_and_backup()


def files_to_keep(project: dict[str, Any]) -> None:
    rule_form(project)
    tidy(project)


def deleting(project: dict[str, Any]) -> None:
    delete_pattern(project)
    delete_project(project)


def bin_and_backup() -> None:
    """What concerns the whole workspace."""
    items = bin.contents(shared.workspace(), shared.open_workbench())
    if items:
        label = f"Bin ({counted(len(items), 'thing')}, {bin.room(items)})"
        folded(label, "bin", bin_list, items, icon=":material/restore_from_trash:")
    folded("Backup", "backup", backup_form, icon=":material/save:")


# the rule


def rule_form(project: dict[str, Any]) -> None:
    """Which LoRA files and states of finished runs are kept."""
    db = shared.open_workbench()
    now = retention.rule_of(db, project["id"])
    choices = list(get_args(retention.Loras))
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    n = right.number_input("Files per run", min_value=1, value=now.n, step=1, help="For 'last' and 'highest likeness'.")
    loras = left.selectbox(
        "LoRA files of finished runs",
        choices,
        index=choices.index(now.loras),
        format_func=lambda code: retention.SENTENCES[code].format(n=n),
    )
    states = st.checkbox("Keep training states (needed to train a finished run longer)", value=now.states == "keep")
    st.caption(
        "What the rule doesn't keep goes into the bin when a run has its scores. Previews, scores and ratings stay, "
        "and so does every file that somebody rated best or that leads the charts."
    )
    wanted = retention.Rule(loras, int(n), "keep" if states else "remove")
    if st.button("Save this rule", disabled=wanted == now):
        retention.set_rule(db, project["id"], wanted)
        st.rerun()


def tidy(project: dict[str, Any]) -> None:
    """Show what the rule would move, and move it."""
    ws, db = shared.workspace(), shared.open_workbench()
    going = retention.going(ws, db, project["id"])
    if not going:
        st.caption("By this rule there is nothing to tidy up.")
        return
    st.markdown(f"By this rule {shared.plain(str(going))} would go into the bin:")
    rows = [
        {"run": row["run_id"], "updates": row["updates"], "file": row["file"], "size": megabytes(row["bytes"])}
        for row in going.checkpoints
    ]
    rows += [{"run": run_id, "updates": None, "file": "training state", "size": ""} for run_id in going.states]
    st.dataframe(rows, hide_index=True, height=min(400, 36 * (len(rows) + 1)))
    if st.button(f"Tidy up: move {going}", icon=":material/cleaning_services:"):
        retention.tidy(ws, db, project["id"], going)
        st.rerun()


# deleting


def delete_pattern(project: dict[str, Any]) -> None:
    """Put a pattern with its runs into the bin."""
    db = shared.open_workbench()
    named = {pattern.pattern_id: pattern.label for pattern in patterns.listed(db, project["id"])}
    if not named:
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    chosen = left.selectbox("A pattern with all its runs", named, format_func=named.__getitem__, index=None)
    if right.button("Delete the pattern", disabled=chosen is None):
        attempt(lambda: bin.delete_pattern(db, project["id"], int(chosen or 0)))


def delete_project(project: dict[str, Any]) -> None:
    """Put the project into the bin."""
    st.markdown(f"The whole project **{shared.plain(project['name'])}**: photos, patterns, runs and ratings.")
    if st.button("Delete the project"):
        attempt(lambda: bin.delete_project(shared.open_workbench(), project["id"]))
    st.caption("Both can be restored from the bin until it is emptied.")


def attempt(work: Any) -> None:
    try:
        work()
    except bin.BinError as error:
        st.error(shared.plain(str(error)))
    else:
        st.rerun()


# the bin


def bin_list(items: list[bin.Item]) -> None:
    """What was deleted, each with a way back; and the way out, which asks twice."""
    ws, db = shared.workspace(), shared.open_workbench()
    for item in items:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{shared.plain(item.title)} · {megabytes(item.bytes)}")
            if st.button("Restore", key=f"restore {item.key}", icon=":material/undo:"):
                attempt(lambda key=item.key: bin.restore(ws, db, key))
    if not st.session_state.get(BIN_OPEN):
        if st.button("Empty the bin", icon=":material/delete_forever:"):
            st.session_state[BIN_OPEN] = True
            st.rerun()
        return
    st.warning(
        f"{counted(len(items), 'thing')} with {bin.room(items)} of files would be gone for good. Scores and ratings "
        "stay."
    )
    with st.container(horizontal=True):
        if st.button("Empty it for good", type="primary"):
            st.session_state.pop(BIN_OPEN)
            freed = bin.empty(ws, db)
            st.toast(f"{megabytes(freed)} are free again.")
            st.rerun()
        if st.button("Leave it"):
            st.session_state.pop(BIN_OPEN)
            st.rerun()


# the backup


def backup_form() -> None:
    """Write the workspace into one file, in a folder that is named here."""
    ws = shared.workspace()
    st.markdown(
        "The whole workspace in one file: database, photos, LoRA files, states and pictures. Training may go on."
    )
    folder = st.text_input("Folder for the backup", placeholder=str(Path.home()))
    if st.button("Back up", icon=":material/save:", disabled=not folder.strip()):
        target = Path(folder.strip()).expanduser() / backup.suggested_name(ws)
        bar = st.progress(0.0, "Copying the database ...")
        try:
            made = backup.backup(ws, target, lambda done, total, name: bar.progress(share(done, total), name or "done"))
        except (backup.BackupError, OSError) as error:
            bar.empty()
            st.error(shared.plain(str(error)))
        else:
            bar.empty()
            st.success(shared.plain(f"{made.files} files, {megabytes(made.bytes)}, in {made.file}"))
            if made.missing:
                st.warning(shared.plain(f"Not there any more, so not in it: {', '.join(made.missing[:5])}"))
    st.caption("To restore it: `python -m workbench restore FILE.zip FOLDER`, then start with `--home FOLDER`.")


def share(done: int, total: int) -> float:
    return min(1.0, done / total) if total else 1.0
