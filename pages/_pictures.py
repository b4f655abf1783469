"""Pictures on pages: many as one element, because a Streamlit element costs more than its picture."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages._shared import go
from workbench.pictures.compare import Comparison
from workbench.pictures.gallery import Grid, Picture, Tile, facts, preview_url
from workbench.pictures.pairs import CopyPair

HERE = Path(__file__).parent


def source(*names: str) -> str:
    """Scripts or styles of one component, which must be one text."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


_GRID = st.components.v2.component(
    "picture_grid",
    html='<div class="grid"></div>',
    css=source("_zoom.css", "_grid.css"),
    js=source("_zoom.js", "_grid.js"),
)
_COMPARE = st.components.v2.component(
    "compare",
    html='<div class="compare" tabindex="-1"></div>',
    css=source("_zoom.css", "_compare.css"),
    js=source("_zoom.js", "_compare.js"),
)
FLOW = """
<style>
.flow {display: grid; grid-template-columns: repeat(auto-fill, minmax(var(--px), 1fr)); gap: 12px 10px;}
.flow figure {margin: 0;}
.flow img {width: 100%; aspect-ratio: 1; object-fit: contain; display: block; background: #80808033;}
.flow figcaption {font-size: .8rem; line-height: 1.3; padding-top: 4px; overflow-wrap: anywhere;}
.flow small {opacity: .75; font-size: .75rem; display: block;}
</style>
"""
FACTS = """
<style>
.facts {display: grid; grid-template-columns: max-content 1fr; gap: 4px 14px; font-size: .9rem;}
.facts > :nth-child(odd) {opacity: .7;}
.facts > :nth-child(even) {overflow-wrap: anywhere; font-variant-numeric: tabular-nums;}
</style>
"""
PAIRS = """
<style>
.pairs {display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 270px), 1fr)); gap: 18px 16px;}
.pairs figure {margin: 0; border-top: 3px solid #80808066; padding-top: 6px;}
.pairs figure.flagged {border-color: #D55E00;}
.pairs .two {display: grid; grid-template-columns: 1fr 1fr; gap: 6px;}
.pairs img {width: 100%; aspect-ratio: 1; object-fit: contain; display: block; background: #80808033;}
.pairs .sides {display: grid; grid-template-columns: 1fr 1fr; gap: 6px; font-size: .75rem; opacity: .75;}
.pairs .sides span {overflow-wrap: anywhere;}
.pairs figcaption {font-size: .8rem; line-height: 1.35; padding-top: 4px;}
.pairs b {display: block; font-weight: 600;}
</style>
"""
BIG = """
<style>
.big {aspect-ratio: 1; object-fit: contain; display: block; background: #80808033;}
@media (max-width: 640px) {.big {width: min(46vh, 100%);}}
</style>
"""


def picture_grid(grid: Grid, px: int, height: int | None, key: str, zoom: bool = False) -> str | None:
    """Show rows of tiles; returns the token of the tile that was clicked just now.

    ``zoom``: with a bar above to enlarge the same place of all pictures.
    """
    data = {**payload(grid), "px": px, "height": height, "zoom": zoom}
    return _GRID(data=data, key=key, on_picked_change=_ignore).picked


def payload(grid: Grid) -> dict[str, Any]:
    """A grid as JSON values; what is empty or false is left out, since there may be thousands of tiles."""

    def told(tile: Tile | None) -> dict[str, Any] | None:
        return None if tile is None else {name: value for name, value in vars(tile).items() if value}

    rows = [{**vars(row), "tiles": [told(tile) for tile in row.tiles]} for row in grid.rows]
    return {"corner": grid.corner, "columns": [vars(column) for column in grid.columns], "rows": rows}


def compare_pictures(comparison: Comparison, px: int, key: str) -> None:
    """Show two checkpoints cell by cell: beside each other, in turns, or as what differs."""
    _COMPARE(data={**asdict(comparison), "px": px}, key=key)


def picture_flow(pictures: Sequence[Picture], px: int) -> None:
    """Show pictures side by side, wrapping, each with its caption and a small line below."""
    figures = "".join(
        f'<figure><img src="{escape(p.src)}" alt="{escape(p.alt)}" loading="lazy" decoding="async">'
        f"<figcaption>{escape(p.caption)}<small>{escape(p.note)}</small></figcaption></figure>"
        for p in pictures
    )
    st.html(f'{FLOW}<div class="flow" style="--px: {px}px">{figures}</div>')


def pair_flow(pairs: Sequence[CopyPair]) -> None:
    """Show pictures, each beside the training photo that it is nearest to; what is flagged says so in words."""
    figures = "".join(
        f'<figure class="{"flagged" if p.flags else ""}"><div class="two">'
        f'<img src="{escape(p.picture)}" alt="{escape(p.where)}" loading="lazy" decoding="async">'
        f'<img src="{escape(p.photo)}" alt="{escape(p.photo_name)}" loading="lazy" decoding="async"></div>'
        f'<div class="sides"><span>{escape(p.where)}</span><span>training photo {escape(p.photo_name)}</span></div>'
        f"<figcaption>{copied(p)}{escape(p.words)}</figcaption></figure>"
        for p in pairs
    )
    st.html(f'{PAIRS}<div class="pairs">{figures}</div>')


def copied(pair: CopyPair) -> str:
    return f"<b>Copy by the {escape(' and the '.join(pair.flags))}</b>" if pair.flags else ""


def big_picture(src: str, alt: str, height: str = "100vh") -> None:
    """One picture as large as its column lets it be, at most ``height``; a small one is enlarged smoothly."""
    st.html(
        f"<style>.big {{width: min({height}, 100%);}}</style>{BIG}"
        f'<img class="big" src="{escape(src)}" alt="{escape(alt)}">'
    )


def always_in_view(name: str) -> DeltaGenerator:
    """A container that stays at the bottom of the window while the page is scrolled.

    On a phone its pictures are one row that scrolls sideways: stacked they would cover what is to be judged.
    """
    key = name.replace(" ", "-")
    style = "position: sticky; bottom: 0; padding-bottom: .5rem; backdrop-filter: blur(18px);"
    narrow = "grid-auto-flow: column; grid-template-columns: none; grid-auto-columns: 64px; overflow-x: auto;"
    st.html(
        f"<style>div:has(> .st-key-{key}) {{{style}}}"
        f"@media (max-width: 640px) {{.st-key-{key} .flow {{{narrow}}}}}</style>"
    )
    return st.container(key=key)


def scale_marks(marks: Sequence[str]) -> None:
    """Words under a slider: its left end, its middle, its right end."""
    words = "".join(f"<span>{escape(mark)}</span>" for mark in marks)
    style = "display: flex; justify-content: space-between; font-size: .8rem; opacity: .75; margin-top: -.3rem;"
    st.html(f'<div style="{style}">{words}</div>')


def fact_table(facts: Sequence[tuple[str, str]]) -> None:
    """Names and values, one pair a line."""
    rows = "".join(f"<div>{escape(name)}</div><div>{escape(value)}</div>" for name, value in facts)
    st.html(f"{FACTS}<div class='facts'>{rows}</div>")


@st.dialog("Preview", width="large")
def show_preview(preview: Mapping[str, Any], settings: Sequence[tuple[str, str]]) -> None:
    """A preview as it was rendered, with every setting and score."""
    picture, words = st.columns([5, 4], gap="medium")
    with picture:
        big_picture(preview_url(preview["token"], full=True), preview["text"])
    with words:
        fact_table(facts(preview))
        if not preview["is_base"] and st.button("Open the run", icon=":material/model_training:", type="primary"):
            go("run", run=str(preview["run_id"]))
    if settings:
        with st.expander("Every setting of the training"):
            fact_table(settings)


def _ignore() -> None:
    """A trigger needs a callback to be delivered; the page reads the value itself."""
