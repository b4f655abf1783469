"""Pictures made elsewhere: look what they are, ask what only a person can know, import, and go to the map."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from pages import _shared as shared
from pages._projects import STRANGERS_HELP, judge
from pages._sources import PHOTO_TYPES, problem_list, source_field, typed_path
from workbench import views
from workbench.dataset.photo_file import PhotosError
from workbench.elsewhere import found_rows, uploads
from workbench.elsewhere.found import AXIS_KINDS, Axis, Found, PicturesError, Question, Reading
from workbench.elsewhere.import_pictures import Imported, NewProject, import_pictures, look_into
from workbench.judges import fitting, list_judges
from workbench.plans.plan import plan_of
from workbench.projects import ProjectError

TYPES = ["png", "jpg", "jpeg", "webp", "zip"]
NEW = 0  # in place of a project's id
PATTERN_HELP = (
    "How a name is put together, such as `{lora}_{epoch}_{strength}_{seed}`. Words: lora, epoch or updates, strength, "
    "seed, prompt (its number), text, any. A slash stands for a folder."
)
TRAINING_HELP = "The photos that the LoRA was trained on: what it may have copied is looked for among them."
UNSEEN_HELP = (
    "Photos of the same person that the training never saw, five or more: likeness is measured against them. Without "
    "any, some of the training photos stand in, and every chart says so."
)


def pictures_tab() -> None:
    """The whole way, from a folder to the map."""
    st.markdown(
        "Samples of a training, a folder of A1111, Forge or ComfyUI pictures, an X/Y/Z grid, or any folder: they are "
        "judged here, without a base model and without a GPU."
    )
    source = source_field(
        "Folder, zip archive or grid",
        TYPES,
        "pictures",
        placeholder=str(Path.home() / "training" / "sample"),
        help="Sub-folders are read too. Nothing in it is changed.",
    )
    if source is None:
        return
    reading = st.session_state.get(f"reading of {source}", Reading())
    found = looked_into(source, reading)
    if found is None:
        return
    what_was_found(found)
    reading = questions(source, found, reading)
    if found.pictures and not any(question.needed for question in found.questions):
        st.subheader("Whom they show")
        the_person(source, found, reading)


def looked_into(source: Path, reading: Reading) -> Found | None:
    """What the source holds, looked at again only when it or the answers have changed."""
    key = (str(source), source.stat().st_mtime_ns, repr(reading))
    kept = st.session_state.get("looked into")
    if kept and kept[0] == key:
        seen: Found = kept[1]
        return seen
    try:
        with st.spinner("Reading the pictures ..."):
            found = look_into(source, reading)
    except PicturesError as error:
        if error.problems:
            problem_list(error.problems, "These files can't be read:")
        else:
            st.error(shared.plain(str(error)))
        return None
    st.session_state["looked into"] = (key, found)
    return found


def what_was_found(found: Found) -> None:
    """What was recognised, and what is wrong with which file."""
    if found.pictures:
        recognised = f"{found_rows.summary(found)} Recognised as {found_rows.scheme_text(found)}."
        st.success(shared.plain(recognised), icon=":material/check:")
        with st.expander("What was read of each picture", icon=":material/table_rows:", expanded=False):
            st.dataframe(found_rows.picture_rows(found.pictures), hide_index=True)
    for note in found.notes:
        st.info(shared.plain(note), icon=":material/info:")
    problem_list(found.problems, f"{len(found.problems)} files can't be read:")
    if found.skipped:
        with st.expander(f"{len(found.skipped)} files are no pictures to judge"):
            st.markdown("\n".join(f"- {shared.plain(str(problem))}" for problem in found.skipped))


def questions(source: Path, found: Found, reading: Reading) -> Reading:
    """Ask what can't be read; the answers are taken at once and the source is read again with them."""
    if not found.questions:
        return reading
    with st.form(f"questions about {source}"):
        st.markdown("**What only you can know**")
        answers = {question.field: ask(question, reading) for question in found.questions}
        if not st.form_submit_button("Read them so", icon=":material/check:"):
            return reading
    given = {field: answer for field, answer in answers.items() if answer is not None}
    st.session_state[f"reading of {source}"] = replace(reading, **given)
    st.rerun()


def ask(question: Question, reading: Reading) -> Any:
    """A field for one question; None = not answered."""
    label = shared.plain(question.text) + ("" if question.needed else " (may stay empty)")
    now = getattr(reading, question.field)
    if question.choices:
        return st.selectbox(label, question.choices, index=None if question.needed else 0)
    if question.field in ("x", "y"):
        return axis_field(label, question.field, now)
    if question.field == "strength":
        return st.number_input(label, value=float(now), step=0.1)
    if question.field in ("columns", "rows", "last"):
        return st.number_input(label, min_value=1, value=now, step=1)
    if question.field == "prompts":
        lines = st.text_area(label, "\n".join(now), help="One prompt a line, in the order of their numbers.")
        return tuple(line.strip() for line in lines.splitlines() if line.strip()) or None
    help = PATTERN_HELP if question.field == "pattern" else None
    return st.text_input(label, now or "", help=help).strip() or None


def axis_field(label: str, name: str, now: Axis | None) -> Axis | None:
    """What changes along one side of a grid, and its values in order."""
    kind, values = st.columns([1, 2])
    chosen = kind.selectbox(label, AXIS_KINDS, AXIS_KINDS.index(now.kind) if now else 0, key=f"axis {name}")
    typed = values.text_input("Its values, with commas between", ", ".join(now.values) if now else "", key=f"of {name}")
    each = tuple(part.strip() for part in re.split("[,\n]", typed) if part.strip())
    return Axis(chosen, each) if each else None


def the_person(source: Path, found: Found, reading: Reading) -> None:
    """Into which project, the person's photos, and the import itself."""
    db = shared.open_workbench()
    able = {row["id"]: row["name"] for row in views.projects(db) if plan_of(db, row["id"]).elsewhere}
    into = NEW
    if able:
        names = {NEW: "a new project", **able}
        into = int(st.selectbox("Into", names, format_func=names.__getitem__, width=440))
    training = unseen = None
    new = None
    if into == NEW:
        left, right = st.columns(2, gap="large")
        with left:
            st.markdown("**Photos that it was trained on**", help=TRAINING_HELP)
            training = source_field("Folder with the training photos", PHOTO_TYPES, "training")
        with right:
            st.markdown("**Photos that it never saw**", help=UNSEEN_HELP)
            unseen = source_field("Folder with unseen photos", PHOTO_TYPES, "unseen")
        new = project_fields(found)
    skip = bool(found.problems) and st.checkbox(f"Leave out the {len(found.problems)} files that can't be read")
    ready = into != NEW or (training is not None and new is not None)
    if into == NEW and not ready:
        st.caption("Needed still: " + ("the training photos" if training is None else "a name and a class noun") + ".")
    label = f"Import {len(found.pictures):,} pictures"
    if st.button(label, type="primary", icon=":material/move_to_inbox:", disabled=not ready):
        bring_in(source, into or None, new, training, unseen, reading, skip)


def project_fields(found: Found) -> NewProject | None:
    """Name, words and judges of the new project; None while a name or the class noun is missing."""
    left, middle, right = st.columns([2, 1, 1])
    loras = [picture.lora for picture in found.pictures if picture.lora]
    name = left.text_input("Name of the project", loras[0] if loras else "", key="import name").strip()
    trigger = middle.text_input("Trigger word", "zwx", help="As it stands in the prompts.", key="import trigger")
    noun = right.text_input("Class noun", placeholder="woman", help="What it is: woman, man, dog.", key="import noun")
    who, what, zero = st.columns(3)
    with who:
        face = judge("face", suits("face"), "import face")
    with what:
        clip = judge("clip", suits("clip"), "import clip")
    strangers = typed_path(zero.text_input("Folder with other people's faces", help=STRANGERS_HELP))
    if not name or not noun.strip():
        return None
    return NewProject(name, trigger.strip(), noun.strip(), face, clip, strangers=strangers)


def suits(kind: str) -> str:
    """The judge to begin with: one for photos of real people that is here, else the embedded one."""
    wanted = fitting(kind, False)
    here = {info.name for info in list_judges() if info.kind == kind}
    return wanted if wanted in here else "embedded"


def bring_in(
    source: Path,
    project_id: int | None,
    new: NewProject | None,
    training: Path | None,
    unseen: Path | None,
    reading: Reading,
    leave_out: bool,
) -> None:
    """Import with a progress bar, then go to the map, where the judging shows its own."""
    bar = st.progress(0.0, "Reading the pictures ...")
    ws = shared.workspace()
    try:
        done = import_pictures(
            ws,
            source,
            project_id=project_id,
            new=new,
            training=training,
            unseen=unseen,
            reading=reading,
            leave_out=leave_out,
            on_progress=lambda n, of, name: bar.progress(min(n / max(of, 1), 1.0), f"{n:,} of {of:,}: {name}"),
        )
    except PicturesError as error:
        bar.empty()
        if error.problems:
            problem_list(error.problems, "Nothing was imported, because of:")
        else:
            st.error(shared.plain(str(error)))
        return
    except (ProjectError, PhotosError, OSError) as error:
        bar.empty()
        st.error(f"Nothing was imported. {shared.plain(str(error))}")
        return
    for each in (source, training, unseen):
        if each is not None:
            uploads.forget(ws, each)
    st.session_state["new project id"] = done.project_id
    st.session_state["imported"] = told(done)
    shared.go("home")


def told(done: Imported) -> list[str]:
    """What came of the import, a sentence each."""
    said = [f"{done.pictures:,} pictures are here now." if done.import_id else "All of these were here already."]
    return [*said, *done.told, *(str(problem) for problem in done.skipped)]
