"""Photos: bring them in, see what became of each, and correct captions and the split."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import streamlit as st

from pages import _shared as shared
from pages._photo_flaws import look_at_these
from pages._photo_versions import split_again, version_list
from pages._pictures import picture_flow
from pages._sources import typed_path
from pages._traits import traits
from workbench import views
from workbench.dataset import photos
from workbench.dataset.dataset_warnings import set_warnings
from workbench.dataset.photo_file import SUFFIXES
from workbench.dataset.photo_folder import subjects_in, uploaded
from workbench.dataset.subjects import add_subjects
from workbench.pictures import gallery
from workbench.projects import ProjectError

TYPES = [suffix.lstrip(".") for suffix in SUFFIXES] + ["txt", "caption", "csv", "jsonl", "json"]
SIDES = ["train", "reference"]
SPLIT_HELP = (
    "A quarter of the photos, at most ten, is held out as reference before any training{why}. Nearly equal photos stay "
    "on one side. Folders train and reference fix it."
)
CAPTIONS_HELP = (
    "A CSV with the columns file, caption (or metadata.csv, metadata.jsonl). It goes before text files beside the "
    "photos. Empty: those, and a captions.csv or metadata file in the folder."
)


def add(primary: bool) -> None:
    """Two ways in: a folder on this computer, which copies nothing over the network, or an upload."""
    by_folder, by_upload = st.tabs(["From a folder", "Upload"])
    split_help = SPLIT_HELP.format(why=": likeness is measured against them" if judged else "")
    with by_folder:
        folder = st.text_input(
            "Folder on this computer", placeholder=str(Path.home() / "photos" / "anna"), help=split_help
        )
        captions = st.text_input("File with captions", placeholder="not needed", help=CAPTIONS_HELP)
        kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
        if st.button("Import the folder", type=kind, icon=":material/folder_open:"):
            if path := typed_path(folder):
                from_folder(path, typed_path(captions))
            else:
                st.error("Which folder? Type or paste its path first.")
        if path := st.session_state.get("several subjects"):
            several_subjects(path)
    with by_upload:
        files = st.file_uploader(
            "Photos, and the captions if you have them: a .txt for each, or one CSV", TYPES, True, help=split_help
        )
        if files and st.button("Import the uploaded photos", icon=":material/upload:"):
            content = [(file.name, file.getvalue()) for file in files]
            bring_in(lambda **options: photos.add_photos(ws, project["id"], uploaded(content), **options))


def from_folder(path: Path, captions: Path | None) -> None:
    """Import a folder; one that holds a folder for each subject is asked about first."""
    if subjects_in(path):
        st.session_state["several subjects"] = path
        return
    st.session_state.pop("several subjects", None)
    bring_in(lambda **options: photos.add_folder(ws, project["id"], path, captions=captions, **options))


def several_subjects(path: Path) -> None:
    """Offer a project for each sub-folder with photos."""
    names = [folder.name for folder in subjects_in(path)]
    listed = ", ".join(names[:6]) + (" ..." if len(names) > 6 else "")
    st.info(f"{len(names)} sub-folders have photos: {shared.plain(listed)}. Is each another subject?")
    if not st.button(f"Make {len(names)} projects", icon=":material/group_add:"):
        return
    settings = {name: project[name] for name in ("base_model", "face_judge", "clip_judge", "strangers")}
    bar = st.progress(0.0, "Reading the photos ...")
    try:
        made = add_subjects(
            ws,
            path,
            project["trigger_word"],
            project["class_noun"],
            on_subject=lambda n, of, name: bar.progress(n / of, f"{n + 1} of {of}: {name}"),
            **settings,
        )
    except (photos.PhotosError, ProjectError, OSError) as error:
        bar.empty()
        st.error(shared.plain(str(error)))
        return
    del st.session_state["several subjects"]
    st.session_state["new project id"] = made[0].project_id
    st.session_state["import"] = made[0].photos
    st.rerun()


def bring_in(work: Callable[..., photos.Import]) -> None:
    """Import with a progress bar; what was skipped is shown after the page has come up again."""
    bar = st.progress(0.0, "Reading the photos ...")
    try:
        done = work(on_progress=lambda n, of, name: bar.progress(n / max(of, 1), f"{n + 1} of {of}: {name}"))
    except (photos.PhotosError, OSError) as error:
        bar.empty()
        st.error(shared.plain(str(error)))
        return
    st.session_state["import"] = done
    st.rerun()


def tell(done: photos.Import) -> None:
    """What came of the import."""
    st.success(f"{done.added} photos added.", icon=":material/check:")
    if done.skipped:
        skipped = "\n".join(f"- **{shared.plain(name)}** {shared.plain(why)}" for name, why in done.skipped)
        st.warning(f"{len(done.skipped)} skipped:\n{skipped}")
    for warning in done.told:
        st.warning(shared.plain(warning), icon=":material/info:")


def show(rows: list[dict[str, Any]]) -> None:
    """Every photo as it will be trained on, or held out, with its exact caption."""
    held_out = "Held out: likeness is measured against these" if judged else "Held out: no training sees these"
    for side, title in (("train", "Trained on"), ("reference", held_out)):
        chosen = [row for row in rows if row["side"] == side]
        st.subheader(f"{title} ({len(chosen)})")
        picture_flow([gallery.photo_picture(row, faces=judged) for row in chosen], 136)


def edit(rows: list[dict[str, Any]]) -> None:
    """Captions and sides in a table; saving makes a new version, the old one stays with its runs."""
    table = pd.DataFrame(
        {
            "picture": [gallery.photo_url(row) for row in rows],
            "name": [row["name"] for row in rows],
            "side": [row["side"] for row in rows],
            "caption": [row["caption"] for row in rows],
            "leave out": False,
        },
        index=[row["id"] for row in rows],
    )
    columns = {
        "picture": st.column_config.ImageColumn("", width=64),
        "name": st.column_config.TextColumn(disabled=True, width="small"),
        "side": st.column_config.SelectboxColumn(options=SIDES, required=True, width="small"),
        "caption": st.column_config.TextColumn(required=True, width="large"),
        "leave out": st.column_config.CheckboxColumn(width="small"),
    }
    edited = st.data_editor(
        table, hide_index=True, column_config=columns, row_height=64, key=f"photos-{project['dataset_id']}"
    )
    changed = edited[(edited != table).any(axis=1)]
    if st.button("Save as a new version", icon=":material/save:", disabled=changed.empty):
        kept = changed[~changed["leave out"]]
        try:
            photos.change_photos(
                ws,
                captions=kept["caption"].to_dict(),
                sides=kept["side"].to_dict(),
                remove=list(changed.index[changed["leave out"]]),
            )
        except photos.PhotosError as error:
            st.error(shared.plain(str(error)))
        else:
            st.rerun()


st.title("Photos")
ws, db = shared.workspace(), shared.open_workbench()
project = shared.project_or_stop(db)
judged = project["face_judge"] != "none"  # else nobody looks for faces, and nothing is said of them
if "import" in st.session_state:
    tell(st.session_state.pop("import"))
if "photos said" in st.session_state:
    level, text = st.session_state.pop("photos said")
    {"error": st.error, "info": st.info}[level](shared.plain(text))
if project["dataset_id"] is None:
    st.markdown("Add 15 or more photos of one subject: sharp, different days, places and light.")
    add(primary=True)
    st.stop()

version = views.dataset(db, project["dataset_id"]) or {}
rows = views.photos(db, project["dataset_id"])
st.caption(shared.plain(gallery.version_text(version)))
for warning in set_warnings(rows, faces=judged):
    st.warning(shared.plain(warning), icon=":material/info:")
with st.expander("Add photos", icon=":material/add_photo_alternate:"):
    add(primary=False)
with st.expander("Edit captions and the split", icon=":material/edit:"):
    edit(rows)
with st.expander("Captions without permanent traits", icon=":material/notes:"):
    traits(project, version, rows)
with st.expander("Split again", icon=":material/shuffle:"):
    split_again(project)
with st.expander("Versions", icon=":material/history:"):
    version_list(db, project)
look_at_these(db, project, rows)
show(rows)
