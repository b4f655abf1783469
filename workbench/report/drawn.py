"""Charts and pictures as parts of an HTML file: drawn as SVG, or inlined, so that nothing has to be fetched."""

import base64
import re
from pathlib import Path
from typing import Any

import altair as alt

WIDTH = 680  # px of a chart's plot; a page narrower than the chart scales it down
GRID = "rgba(128,128,128,0.25)"
TEXT = "currentColor"  # the page's own, so that a chart is read on a light and a dark page
CONFIG: dict[str, Any] = {
    "axis": {"labelColor": TEXT, "titleColor": TEXT, "gridColor": GRID, "domainColor": GRID, "tickColor": GRID},
    "legend": {"labelColor": TEXT, "titleColor": TEXT},
    "header": {"labelColor": TEXT, "titleColor": TEXT},
}
KINDS = {".webp": "image/webp", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


def svg(chart: alt.LayerChart, name: str, width: int = WIDTH) -> str:
    """A chart as an SVG element, ``width`` px its plot. ``name``: sets its ids apart from those of other charts."""
    import vl_convert  # starts a JavaScript engine: half a second

    drawn = str(vl_convert.vegalite_to_svg(chart.properties(width=width).to_dict(validate=False), config=CONFIG))
    drawn = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', drawn)
    drawn = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", drawn)
    return re.sub(r' xmlns(:xlink)?="[^"]*"', "", drawn)  # a page needs none, and nothing here looks like a link


def data_uri(file: Path) -> str | None:
    """A picture file as an address that holds the picture itself; None where it is gone."""
    try:
        content = file.read_bytes()
    except OSError:
        return None
    return of_bytes(content, KINDS.get(file.suffix.lower(), "image/png"))


def of_bytes(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
