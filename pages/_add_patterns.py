"""Ways to add patterns: clone one, from scratch, a grid, a preset, a file; each says what it would add beforehand."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._article import article_tab
from pages._folded import folded
from pages._settings import one_change, settings_fields
from workbench.running import device
from workbench.sweep import cost, grid, pattern_file, patterns, preflight, presets, settings
from workbench.sweep.patterns import Asked, Pattern, PatternError

AXES = 4  # fields for a grid
WAY = "way to add"  # key of the open tab; gone when the page is left
GRID_HELP = "Values with commas between them, such as 1, 4, 16. `empty` is no value."


def save(work: Callable[[], object]) -> None:
    """Add something and show the page anew, or say why not."""
    try:
        work()
    except (PatternError, settings.ConfigError) as error:
        st.error(shared.plain(str(error)))
    else:
        st.rerun()


@st.fragment
def add_patterns(project: dict[str, Any], listed: list[Pattern], n_photos: int) -> None:
    """All ways, a tab each; without any pattern from scratch comes first.

    A tab is made when it is opened first, and then stays, with what was typed in it, for as long as the page does.
    """
    db = shared.open_workbench()
    ways: dict[str, Callable[[], None]] = {
        "Clone one": partial(clone, db, project, listed),
        "From scratch": partial(from_scratch, db, project, listed, n_photos),
        "Grid": partial(grid_of, db, project, listed),
        "Presets": partial(preset, db, project, listed),
        "The article": partial(article_tab, db, project, [pattern.label for pattern in listed]),
        "File": partial(from_file, db, project),
    }
    if not listed:
        del ways["Clone one"]
    opened = st.session_state.get("opened ways", set()) if WAY in st.session_state else set()
    for (name, fill), tab in zip(ways.items(), st.tabs(list(ways), key=WAY, on_change="rerun"), strict=True):
        if tab.open or name in opened:
            opened.add(name)
            with tab:
                fill()
    st.session_state["opened ways"] = opened


def clone(db: Database, project: dict[str, Any], listed: list[Pattern]) -> None:
    """Copy a pattern and change one setting: then the two say what that setting does."""
    names = {pattern.pattern_id: pattern for pattern in listed}
    source = names[st.selectbox("Pattern to copy", names, format_func=lambda number: names[number].label)]
    if source.unknown:
        n = len(source.unknown)
        st.caption(f"{n} of its settings are not known: the copy has them at their defaults, and can be trained.")
    change = one_change(source.config.model_dump(), f"clone-{source.pattern_id}")
    label = st.text_input("Label", settings.change_label(source.label, change))
    warn_beforehand(db, project, listed, label, {**source.config.model_dump(), **change})
    if st.button("Add this pattern", icon=":material/content_copy:"):
        save(lambda: patterns.clone(db, project["id"], source.pattern_id, label, **change))


def from_scratch(db: Database, project: dict[str, Any], listed: list[Pattern], n_photos: int) -> None:
    """A pattern from scratch: every setting with its unit, its meaning and its default; begins with a usual one."""
    first = not listed
    suggested = "baseline" if first else ""
    label = st.text_input("Label", suggested, placeholder="a few words that say what it tries", key="new label")
    values = settings_fields(presets.baseline(project["base_model"]).model_dump(), "new", n_photos)
    warn_beforehand(db, project, listed, label, values)
    if st.button("Add the pattern", type="primary" if first else "secondary", icon=":material/add:"):
        save(lambda: patterns.add(db, project["id"], settings.parse(values), label))


def warn_beforehand(
    db: Database, project: dict[str, Any], listed: list[Pattern], label: str, values: dict[str, Any]
) -> None:
    """What is known about a pattern while it is typed; nothing of one that can't be trained or is there already."""
    try:
        config = settings.parse(values)
    except settings.ConfigError:
        return  # said where it is typed, or when it is added
    if config.hash not in {pattern.hash for pattern in listed}:
        show_notes(preflight.notes_before(db, project["id"], [Asked(label.strip() or "this pattern", config)]))


def grid_of(db: Database, project: dict[str, Any], listed: list[Pattern]) -> None:
    """Every combination of some values; how many, how long and what is double is said before they are added."""
    st.caption("Every combination of the values becomes a pattern; the rest is as in the pattern that it starts from.")
    starts = {pattern.label: pattern.config for pattern in listed} or {
        "baseline": presets.baseline(project["base_model"])
    }
    label = st.selectbox("Start from", starts, key="grid-start")
    fields = {field.name: field for group in settings.groups().values() for field in group}
    typed: list[str] = []
    for number in range(AXES):
        which, values = st.columns([1, 2])
        name = which.selectbox(
            "Setting", fields, None, lambda n: fields[n].title, key=f"axis-{number}", placeholder="none"
        )
        text = values.text_input("Values", key=f"values-{number}", help=GRID_HELP, disabled=name is None)
        if name and text.strip():
            typed.append(f"{name}={text}")
    if not typed:
        return
    try:
        asked = grid.grid(starts[label], label, dict(map(grid.axis, typed)))
    except (PatternError, settings.ConfigError) as error:
        st.error(shared.plain(str(error)))
        return
    offer(db, project, listed, asked, "grid")


def preset(db: Database, project: dict[str, Any], listed: list[Pattern]) -> None:
    """Patterns by name."""
    names = {key: each.title for key, each in presets.PRESETS.items() if key != "article"}
    key = st.segmented_control("Preset", names, format_func=names.__getitem__, default="baseline", key="preset")
    if not key:
        return
    chosen = presets.PRESETS[key]
    st.markdown(chosen.sentence)
    st.caption(f"Then queue it with training seeds {', '.join(map(str, chosen.seeds))}.")
    offer(db, project, listed, presets.asked_for(db, project, key), f"preset-{key}")


def offer(db: Database, project: dict[str, Any], listed: list[Pattern], asked: Sequence[Asked], key: str) -> None:
    """Patterns that could be added: what is new, what it costs, what is known; and the button."""
    looked = grid.looked_over(asked, listed, device.known_precisions(db))
    price = cost.cost(db, project["id"], [each.config for each in looked.new])
    st.markdown(shared.plain(looked.sentence))
    if price and price.runs:
        st.caption(shared.plain(f"With one training seed each: {price.sentence}"))
    show_notes(preflight.notes_before(db, project["id"], looked.new))
    folded("Look at them", f"{key}-look", look_at, looked.new)
    n = len(looked.new)
    if st.button(f"Add {n} pattern{'s' if n != 1 else ''}", key=f"{key}-add", icon=":material/add:", disabled=not n):
        save(lambda: patterns.add_all(db, project["id"], looked.new))


def look_at(asked: Sequence[Asked]) -> None:
    """What the patterns differ in."""
    rows = settings.comparison(patterns.unsaved(asked), {}, 0)
    st.dataframe([{n: v for n, v in row.items() if n != "trained"} for row in rows], hide_index=True)


def from_file(db: Database, project: dict[str, Any]) -> None:
    """Patterns in and out of a spreadsheet."""
    st.caption(
        "A row per pattern: a column `label`, perhaps `note`, and settings by name. Blank = default. All rows are "
        "added, or none. The download shows how it looks."
    )
    asked = pattern_file.labelled(db, project["id"])
    left, right, _ = st.columns(3)
    left.download_button(
        "Download as CSV", "\ufeff" + pattern_file.to_csv(asked), "patterns.csv", "text/csv", icon=":material/download:"
    )
    right.download_button(
        "Download as JSON", pattern_file.to_json(asked), "patterns.json", "application/json", icon=":material/download:"
    )
    upload = st.file_uploader("CSV or JSON with patterns", ["csv", "json"], key="pattern file")
    if upload is None:
        return
    try:
        read = pattern_file.read_bytes(upload.getvalue(), project["base_model"])
    except PatternError as error:
        st.error(shared.plain(str(error)))
        return
    st.markdown(f"{len(read)} patterns: {shared.plain(', '.join(each.label for each in read))}.")
    show_notes(preflight.notes_before(db, project["id"], read))
    if st.button("Add them", key="file-add", icon=":material/upload:"):
        save(lambda: patterns.add_all(db, project["id"], read))


def show_notes(notes: Sequence[preflight.Note]) -> None:
    """Warnings in one box, what is only good to know in another."""
    for level, box in (("warn", st.warning), ("info", st.info)):
        texts = [shared.plain(note.text) for note in notes if note.level == level]
        if texts:
            box("\n\n".join(texts), icon=":material/lightbulb:")
