"""A short table as text of the page: it can be searched and copied, wraps on a phone, and costs no grid of its own."""

from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

STYLE = """
<style>
.plain {overflow-x: auto;}
.plain table {width: 100%; border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums;}
.plain th {text-align: left; font-weight: 400; opacity: .7;}
.plain th, .plain td {padding: 4px 12px 4px 0; border-bottom: 1px solid #80808040;}
</style>
"""


def plain_table(rows: Sequence[Mapping[str, str]]) -> None:
    """Rows with the same columns; the first one names them."""
    head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{escape(value)}</td>' for value in row.values())}</tr>" for row in rows)
    st.html(f'{STYLE}<div class="plain"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')
