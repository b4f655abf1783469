"""Import: pictures and LoRA files that were made by other programs."""

import streamlit as st

from pages._import_loras import loras_tab
from pages._import_pictures import pictures_tab

TABS = {"Pictures": pictures_tab, "LoRA files": loras_tab}

st.title("Import")
tab = st.segmented_control(
    "What", TABS, default="Pictures", key="import", bind="query-params", required=True, label_visibility="collapsed"
)
TABS[tab or "Pictures"]()  # a link may name none
