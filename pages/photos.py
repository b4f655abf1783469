"""Photos: bring them in, see what became of each, and correct captions and the split."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import streamlit as st

from pages import _shared as shared
from pages._pictures import picture_flow
from workbench import gallery, photos, views
from workbench.dataset_warnings import dataset_warnings

TYPES = ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "txt"]
SIDES = ["train", "reference"]
SPLIT_HELP = (
    "A quarter of the photos, at most ten, is held out as reference before any training: likeness is "
    "measured against them. Nearly equal photos stay on one side. Folders train and reference fix it."
)


def add(primary: bool) -> None:
    """Two ways in: a folder on this computer, which copies nothing over the network, or an upload."""
    by_folder, by_upload = st.tabs(["From a folder", "Upload"])
    with by_folder:
        folder = st.text_input(
            "Folder on this computer", placeholder=str(Path.home() / "photos" / "anna"), help=SPLIT_HELP
        )
        kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
        if st.button("Import the folder", type=kind, icon=":material/folder_open:"):
            typed = folder.strip().strip('"')  # Windows copies paths with quotes
            if typed:
                path = Path(typed).expanduser()
                bring_in(lambda **options: photos.add_folder(ws, project["id"], path, **options))
            else:
                st.error("Which folder? Type or paste its path first.")
    with by_upload:
        files = st.file_uploader(
            "Photos, and a .txt with the caption for each if you have them", TYPES, True, help=SPLIT_HELP
        )
        if files and st.button("Import the uploaded photos", icon=":material/upload:"):
            sources = shared.uploaded(files)
            bring_in(lambda **options: photos.add_photos(ws, project["id"], sources, **options))


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


def show(rows: list[dict[str, Any]]) -> None:
    """Every photo as it will be trained on, or held out, with its exact caption."""
    for side, title in (
        ("train", "Trained on"),
        ("reference", "Held out: likeness is measured against these"),
    ):
        chosen = [row for row in rows if row["side"] == side]
        st.subheader(f"{title} ({len(chosen)})")
        picture_flow([gallery.photo_picture(row) for row in chosen], 136)


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
if "import" in st.session_state:
    tell(st.session_state.pop("import"))
if project["dataset_id"] is None:
    st.markdown("Add 15 or more photos of one subject: sharp, different days, places and light.")
    add(primary=True)
    st.stop()

version = views.dataset(db, project["dataset_id"]) or {}
rows = views.photos(db, project["dataset_id"])
st.caption(shared.plain(gallery.version_text(version)))
for warning in dataset_warnings(rows, version["size_px"], faces=project["face_judge"] != "none"):
    st.warning(shared.plain(warning), icon=":material/info:")
with st.expander("Add photos", icon=":material/add_photo_alternate:"):
    add(primary=False)
with st.expander("Edit captions and the split", icon=":material/edit:"):
    edit(rows)
show(rows)
