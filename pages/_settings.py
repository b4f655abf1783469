"""Fields for training settings: each with its unit, its meaning and its default."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from workbench import settings
from workbench.settings import Field


def setting_field(field: Field, value: Any, key: str) -> Any:
    """One input for one setting; what it returns is for ``parse_config`` to check and to explain."""
    if field.is_switch:
        return st.toggle(field.title, value, key=key, help=field.help)
    if field.choices:
        return st.selectbox(field.title, field.choices, field.choices.index(value), key=key, help=field.help)
    text = st.text_input(field.title, settings.value_text(value), key=key, help=field.help, placeholder="empty")
    return settings.typed(text)


def settings_fields(start: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Inputs for all settings, grouped, filled from ``start``."""
    values: dict[str, Any] = {}
    for title, fields in settings.groups().items():
        st.markdown(f"**{title}**")
        columns = st.columns(3)
        for number, field in enumerate(fields):
            with columns[number % 3]:
                values[field.name] = setting_field(field, start[field.name], f"{key}-{field.name}")
    return values


def one_change(start: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A setting to choose and a new value for it: {name: value}."""
    fields = {field.name: field for group in settings.groups().values() for field in group}
    which, value = st.columns(2)
    with which:
        first = list(fields).index("learning_rate")
        name = st.selectbox("Setting to change", fields, first, lambda n: fields[n].label, key=f"{key}-which")
    with value:
        return {name: setting_field(fields[name], start[name], f"{key}-{name}")}
