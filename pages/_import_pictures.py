"""Pictures made elsewhere: look what they are, ask what only a person can know, import, and go to the map."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from pages import _shared as shared
from pages._projects import STRANGERS_HELP, judge
from pages._sources import PHOTO_TYPES, problem_list, source_field, typed_path
from workbench import project_settings, views
from workbench.dataset.photo_file import PhotosError
from workbench.elsewhere import found_rows, uploads
from workbench.elsewhere.pictures.found import AXIS_KINDS, Axis, Found, PicturesError, Question, Reading
from workbench.elsewhere.pictures.import_pictures import Imported, NewProject, import_pictures, look_into
from workbench.judges import fitting, list_judges
from workbench.plans.plan import plan_of
from workbench.projects import ProjectError
from workbench.words import counted

TYPES = ["png", "jpg", "jpeg", "webp", "zip"]
ONLY_SYNTHETIC = "`embedded` knows the shipped synthetic people only."
FACES = (
    "run `python -m workbench doctor --download buffalo_l` once (non-commercial research only), or "
    "`pip install -r requirements-dlib.txt` (free for any use), and load this page again"
)
CLIPS = "run `python -m workbench doctor --download ViT-B-32/laion2b_s34b_b79k` once, and load this page again"
NEW = 0  # in place of a project's id
SINGLE, GRIDS = "single pictures", "grids of several pictures"
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
    if found:
        what_was_found(found)
    questions(source, found.questions if found else (), reading)
    if found and found.pictures and not any(question.needed for question in found.questions):
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
    problem_list(found.problems, f"{counted(len(found.problems), 'file')} can't be read:")
    if found.skipped:
        with st.expander(f"{counted(len(found.skipped), 'file')} left out: no pictures to judge"):
            st.markdown("\n".join(f"- {shared.plain(str(problem))}" for problem in found.skipped))


def questions(source: Path, asked: Sequence[Question], reading: Reading) -> None:
    """Ask what can't be read; with the answers the source is read again, and they can be taken back."""
    if not asked and reading == Reading():
        return
    key = f"reading of {source}"
    by_name = next((question for question in asked if question.field == "pattern"), None)
    told = reading.pattern is not None or reading.columns is not None  # how pictures are put together, before
    with st.container(border=True):
        st.markdown("**What only you can know**")
        if by_name:
            st.markdown(shared.plain(by_name.text))
        way = None
        if by_name or told:
            begin = GRIDS if reading.columns is not None else SINGLE
            way = st.segmented_control("They are", [SINGLE, GRIDS], default=begin, required=True, key=f"way of {key}")
        with st.form(f"questions about {source}", border=False):
            changes = {SINGLE: pattern_field, GRIDS: grid_fields}[way](reading) if way else {}
            for question in asked:
                if question.field != "pattern":
                    changes[question.field] = ask(question, reading)
            done = st.form_submit_button("Read them so", icon=":material/check:")
        if reading != Reading() and st.button("Take my answers back", icon=":material/undo:", type="tertiary"):
            st.session_state.pop(key)
            st.rerun()
    if done:
        st.session_state[key] = replace(reading, **{n: value for n, value in changes.items() if value is not None})
        if way:  # the other way says nothing any more
            other = Reading()
            fields = ("columns", "rows", "x", "y") if way == SINGLE else ("pattern",)
            st.session_state[key] = replace(st.session_state[key], **{n: getattr(other, n) for n in fields})
        st.rerun()


def ask(question: Question, reading: Reading) -> Any:
    """A field for one question; None = not answered."""
    label = shared.plain(question.text) + ("" if question.needed else " (may stay empty)")
    now = getattr(reading, question.field)
    if question.choices:
        return st.selectbox(label, question.choices, index=None if question.needed else 0)
    if question.field == "last":
        return st.number_input(label, min_value=1, value=now, step=1)
    if question.field == "prompts":
        lines = st.text_area(label, "\n".join(now), help="One prompt a line, in the order of their numbers.")
        return tuple(line.strip() for line in lines.splitlines() if line.strip()) or None
    return st.text_input(label, now or "").strip() or None


def pattern_field(reading: Reading) -> dict[str, Any]:
    """How the names of single pictures are put together."""
    typed = st.text_input("How their names are put together", reading.pattern or "", help=PATTERN_HELP)
    return {"pattern": typed.strip() or None, "strength": strength_field(reading)}


def grid_fields(reading: Reading) -> dict[str, Any]:
    """What changes along both sides of grids; their values say how many columns and rows there are."""
    x = axis_field("From left to right", "x", reading.x)
    y = axis_field("From top to bottom (may stay empty)", "y", reading.y)
    strength = strength_field(reading)
    if x is None and y is None:
        return {}
    sizes = {"columns": len(x.values) if x else 1, "rows": len(y.values) if y else 1}
    return {**sizes, "x": x, "y": y, "strength": strength}


def axis_field(label: str, name: str, now: Axis | None) -> Axis | None:
    """What changes along one side of a grid, and its values in order."""
    kind, values = st.columns([1, 2])
    chosen = kind.selectbox(label, AXIS_KINDS, AXIS_KINDS.index(now.kind) if now else 0, key=f"axis {name}")
    typed = values.text_area(
        "Its values in order",
        "\n".join(now.values) if now else "",
        placeholder="10, 20, 30",
        help="With commas between; or one a line, as prompts with commas need it.",
        height=68,
        key=f"of {name}",
    )
    each = tuple(part.strip() for part in typed.split("\n" if "\n" in typed.strip() else ",") if part.strip())
    return Axis(chosen, each) if each else None


def strength_field(reading: Reading) -> float:
    """The LoRA strength of pictures that name none."""
    return float(st.number_input("LoRA strength where nothing says it", value=reading.strength, step=0.1, width=260))


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
    refused = st.session_state.get("refused pictures", {}).get(str(source), ())  # found only by the import itself
    problem_list(refused, "Nothing was imported, because of:")
    broken = counted(len(refused or found.problems), "file")
    skip = bool(refused or found.problems) and st.checkbox(f"Import the others, without the {broken} named above")
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
    for text in judge_notes(face, clip):
        st.warning(text, icon=":material/person_off:")
    if not name or not noun.strip():
        return None
    return NewProject(name, trigger.strip(), noun.strip(), face, clip, strangers=strangers)


def suits(kind: str) -> str:
    """The judge to begin with: one for photos of real people that is here, else the embedded one."""
    wanted = fitting(kind, False)
    here = {info.name for info in list_judges() if info.kind == kind}
    return wanted if wanted in here else "embedded"


def judge_notes(face: str, clip: str) -> list[str]:
    """What the chosen judges won't do, and what to get instead, in Markdown."""
    chosen = (("face", "Likeness", face, FACES), ("clip", "Prompt adherence", clip, CLIPS))
    notes = []
    for kind, what, spec, instead in chosen:
        problem = project_settings.judge_problem(kind, spec)
        if problem:
            notes.append(shared.plain(problem))
        elif spec == "embedded":
            refused = f"**{what}: photos of real people get no score.** {ONLY_SYNTHETIC}"
            notes.append(f"{refused} For real people {instead}.")
    return notes


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
            st.session_state["refused pictures"] = {str(source): error.problems}
            st.rerun()  # what is wrong stands above the button, with the choice to leave it out
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
    st.session_state["left out"] = done.skipped
    shared.go("home")


def told(done: Imported) -> list[str]:
    """What came of the import, a sentence each."""
    said = [f"{done.pictures:,} pictures are here now." if done.import_id else "All of these were here already."]
    return [*said, *done.told]
