"""Where files to import are: a path on this computer or an upload, and lists of what is wrong with them."""

from collections.abc import Iterable
from pathlib import Path

import streamlit as st

from pages import _shared as shared
from workbench.dataset.photo_file import SUFFIXES
from workbench.elsewhere.problem import Problem
from workbench.elsewhere.uploads import Upload, UploadError, keep

AT_ONCE = 20
PHOTO_TYPES = [suffix.lstrip(".") for suffix in SUFFIXES]


def typed_path(text: str) -> Path | None:
    """A path as people paste it: Windows copies paths with quotes."""
    typed = text.strip().strip('"')
    return Path(typed).expanduser() if typed else None


def source_field(label: str, types: list[str], key: str, placeholder: str = "", help: str | None = None) -> Path | None:
    """A folder or file by its path, or uploads, which are kept until they are imported; None = nothing given yet."""
    by_path, by_upload = st.tabs(["On this computer", "Upload"])
    with by_path:
        path = typed_path(st.text_input(label, placeholder=placeholder, key=f"{key} path", help=help))
        if path and not path.exists():
            st.error(f"There is no file or folder {shared.plain(str(path))}. Correct the path.")
            path = None
    with by_upload:
        files = st.file_uploader(f"{label}: files to upload", types, accept_multiple_files=True, key=f"{key} files")
    if path or not files:
        return path
    try:
        return keep(shared.workspace(), [Upload(file.file_id, file.name, file.getvalue) for file in files])
    except UploadError as error:
        st.error(shared.plain(str(error)))
        return None


def problem_list(problems: Iterable[Problem], title: str) -> None:
    """What is wrong with which file."""
    every = list(problems)
    if not every:
        return
    lines = [f"- **{shared.plain(problem.name)}** {shared.plain(problem.why)}" for problem in every[:AT_ONCE]]
    more = [f"- and {len(every) - AT_ONCE} more"] if len(every) > AT_ONCE else []
    st.error("\n".join([title, "", *lines, *more]), icon=":material/error:")
