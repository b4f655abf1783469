"""What is folded away on a page: made when somebody opens it, so that the page itself is there at once."""

from collections.abc import Callable
from typing import Any

import streamlit as st


@st.fragment
def folded(label: str, key: str, content: Callable[..., None], *about: Any, icon: str | None = None) -> None:
    """An expander of which nothing is worked out before it is opened; opening it draws nothing else anew.

    ``content(*about)`` may run in another thread than the page, so it opens a database of its own. ``key``: of the
    expander, which says under it whether it stands open.
    """
    with st.expander(label, key=key, icon=icon, on_change="rerun") as box:
        if box.open:
            content(*about)
