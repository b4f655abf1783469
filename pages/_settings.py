"""Fields for training settings: each with its unit, its meaning, its source and its default."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages import _shared as shared
from pages._bases import base_field
from workbench.sweep import settings
from workbench.sweep.settings import Field


def setting_field(field: Field, value: Any, key: str, base_model: str = "") -> Any:
    """One input for one setting; what it returns is for ``parse_config`` to check and to explain.

    A choice says in a sentence what it does; ``base_model``: for whose scale it names a rate.
    """
    if field.name == "base_model":
        return base_field(shared.open_workbench(), field.title, str(value), key)
    if field.is_switch:
        return st.toggle(field.title, value, key=key, help=field.help)
    if field.choices:
        chosen = st.selectbox(field.title, field.choices, field.choices.index(value), key=key, help=field.help)
        sentence = settings.choice_text(field.name, chosen, base_model)
        if sentence:
            st.caption(shared.plain(sentence))
        return chosen
    text = st.text_input(field.title, settings.value_text(value), key=key, help=field.help, placeholder="empty")
    return settings.typed(text)


def settings_fields(start: Mapping[str, Any], key: str, n_photos: int = 0) -> dict[str, Any]:
    """Inputs for all settings, grouped, filled from ``start``; rarely used ones are folded away.

    What they come to with so many photos (0 = none yet) stands above them, and changes while one types.
    """
    values: dict[str, Any] = {}
    comes_to = st.empty()
    for title, fields in settings.main_groups().items():
        group(title, fields, start, key, values)
    with st.expander("More settings", icon=":material/tune:"):
        for title, fields in settings.rare_groups().items():
            group(title, fields, start, key, values)
    comes_to.info(shared.plain(settings.comes_to(values, n_photos)), icon=":material/functions:")
    return values


def group(title: str, fields: list[Field], start: Mapping[str, Any], key: str, values: dict[str, Any]) -> None:
    """The inputs of one group side by side; what they say goes into ``values``."""
    st.markdown(f"**{title}**")
    columns = st.columns(3)
    for number, field in enumerate(fields):
        with columns[number % 3]:
            base_model = str(values.get("base_model") or start["base_model"])
            values[field.name] = setting_field(field, start[field.name], f"{key}-{field.name}", base_model)


def one_change(start: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A setting to choose and a new value for it: {name: value}."""
    fields = {field.name: field for group in settings.groups().values() for field in group}
    which, value = st.columns(2)
    with which:
        first = list(fields).index("learning_rate")
        name = st.selectbox("Setting to change", fields, first, lambda n: fields[n].label, key=f"{key}-which")
    with value:
        return {name: setting_field(fields[name], start[name], f"{key}-{name}", str(start["base_model"]))}
