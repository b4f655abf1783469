"""Cut an X/Y/Z grid of A1111 or Forge into its cells: where they lie, and what each was drawn with."""

import csv
import io
import re
from dataclasses import replace
from itertools import product

import numpy as np

from workbench.elsewhere.pictures.found import AXIS_KINDS, Axis, Box
from workbench.elsewhere.pictures.infotext import Drawn, TextProblem, loras_in, size, without_loras

SCRIPTS = ("X/Y/Z plot", "X/Y plot")
MOST_CELLS = 2500
WIDEST_MARGIN = 500  # px, the largest that the script's page offers
WHOLE_RANGE = re.compile(r"([+-]?\d+)\s*-\s*([+-]?\d+)(?:\s*\(([+-]\d+)\s*\))?")
WHOLE_COUNT = re.compile(r"([+-]?\d+)\s*-\s*([+-]?\d+)\s*\[(\d+)\s*\]")
FLOAT_RANGE = re.compile(r"([+-]?\d+(?:\.\d*)?)\s*-\s*([+-]?\d+(?:\.\d*)?)(?:\s*\(([+-]\d+(?:\.\d*)?)\s*\))?")
FLOAT_COUNT = re.compile(r"([+-]?\d+(?:\.\d*)?)\s*-\s*([+-]?\d+(?:\.\d*)?)\s*\[(\d+)\s*\]")
WHOLE_TYPES = ("Seed", "Steps", "Clip skip", "Hires steps")
FLOAT_TYPES = ("CFG Scale",)
READ_TYPES = ("Nothing", "Prompt S/R", "Sampler", "Checkpoint name", *WHOLE_TYPES, *FLOAT_TYPES)


class GridProblem(ValueError):
    """A grid that can't be cut. The text is the rest of a sentence that begins with the file's name."""


def is_grid(drawn: Drawn) -> bool:
    """Whether a picture's text says that it is a grid of the script."""
    return drawn.parameters.get("Script") in SCRIPTS and ("X Type" in drawn.parameters or "Y Type" in drawn.parameters)


def cells(drawn: Drawn, width: int, height: int) -> list[tuple[Box, Drawn]]:
    """The cells of a grid row by row: where each lies (px), and how it was drawn.

    The keys are those that A1111's scripts/xyz_grid.py writes: ``X Type``, ``X Values``, ``Fixed X Values``.
    Raises GridProblem or TextProblem.
    """
    if drawn.parameters.get("Z Type", "Nothing") != "Nothing":
        raise GridProblem(
            "has a third axis (Z Type). Import its sub-grids or its single pictures: the script saves both if asked."
        )
    axes = [(_type(drawn, name), _values(drawn, name)) for name in ("X", "Y")]
    (x_type, xs), (y_type, ys) = axes
    if len(xs) * len(ys) > MOST_CELLS:
        raise GridProblem(f"says {len(xs)} x {len(ys)} cells in 'X Values' and 'Y Values': {MOST_CELLS} are the most.")
    cell_px = drawn.size_px
    if cell_px is None:
        raise GridProblem("doesn't say the size of its cells ('Size').")
    cell_px = _enlarged(drawn, cell_px)
    boxes = cut(width, height, len(xs), len(ys), cell_px, legend=y_type != "Nothing")
    drawings = [_with(_with(drawn, x_type, x, xs), y_type, y, ys) for y, x in product(ys, xs)]  # x first, as there
    return list(zip(boxes, drawings, strict=True))


def _enlarged(drawn: Drawn, cell_px: tuple[int, int]) -> tuple[int, int]:
    """The size of a cell after the second pass (hires fix), where one was made."""
    target = drawn.parameters.get("Hires resize")
    if target:
        return size("Hires resize", target)
    try:
        factor = float(drawn.parameters.get("Hires upscale", "1"))
        if not 0 < factor <= 16:
            raise ValueError
    except ValueError:
        raise TextProblem(f"says Hires upscale: {drawn.parameters['Hires upscale'][:30]!r} is no factor.") from None
    return int(cell_px[0] * factor), int(cell_px[1] * factor)


def cut(
    width: int, height: int, columns: int, rows: int, cell_px: tuple[int, int] | None = None, *, legend: bool = True
) -> list[Box]:
    """Where the cells lie, row by row.

    With the size of a cell, as A1111 draws (modules/images.py, draw_grid_annotations): the row texts take 3/4 of a
    cell's width on the left, the column texts what is left over above, and equal margins stand between the cells.
    Without it the picture is divided evenly, and must divide. Raises GridProblem.
    """
    if columns < 1 or rows < 1 or columns * rows > MOST_CELLS:
        raise GridProblem(f"can't be cut into {columns} x {rows} cells: from 1 to {MOST_CELLS} are possible.")
    if cell_px is None:
        if width % columns or height % rows:
            raise GridProblem(
                f"is {width} x {height} px, which doesn't divide into {columns} columns and {rows} rows. Cut its "
                "legend off, or give single pictures."
            )
        cell_px, left, top, margin = (width // columns, height // rows), 0, 0, 0
    else:
        left, top, margin = _frame(width, height, columns, rows, cell_px, legend)
    w, h = cell_px
    tops = [top + row * (h + margin) for row in range(rows)]
    lefts = [left + column * (w + margin) for column in range(columns)]
    return [(x, y, x + w, y + h) for y, x in product(tops, lefts)]


def _frame(
    width: int, height: int, columns: int, rows: int, cell_px: tuple[int, int], legend: bool
) -> tuple[int, int, int]:
    """px on the left, px above, and the margin between cells that make up the size of a grid.

    A grid that is filled to the pixel without texts has none.
    """
    w, h = cell_px
    fits = []
    for left in (0, w * 3 // 4):
        spare = width - left - columns * w
        margin = spare // max(1, columns - 1)
        top = height - rows * h - margin * (rows - 1)
        if spare < 0 or spare != margin * (columns - 1) or not (top >= 0 and margin <= WIDEST_MARGIN):
            continue
        if columns == 1 and rows > 1 and top > h:  # one column tells no margin, and column texts are never so high
            continue
        fits.append((left, top, margin))
    if (exact := [fit for fit in fits if fit[:2] == (0, 0)]) or fits:
        return (exact or sorted(fits, reverse=legend))[0]
    raise GridProblem(
        f"is {width} x {height} px, which doesn't fit {columns} x {rows} cells of {w} x {h} px as its text says."
    )


def _type(drawn: Drawn, axis: str) -> str:
    found = drawn.parameters.get(f"{axis} Type", "Nothing")
    if found not in READ_TYPES:
        raise GridProblem(
            f"changes '{found[:40]}' along '{axis} Type', which isn't read here. Import its single pictures."
        )
    return found


def _values(drawn: Drawn, axis: str) -> list[str]:
    """The values of an axis as the script reads them: separated by commas, quotes allowed, ranges for numbers.

    An empty text is a value too: a LoRA's tag replaced by nothing.
    """
    kind = _type(drawn, axis)
    if kind == "Nothing":
        return [""]
    written = drawn.parameters.get(f"Fixed {axis} Values") or drawn.parameters.get(f"{axis} Values", "")
    try:
        values = [v.strip() for row in csv.reader(io.StringIO(written), skipinitialspace=True) for v in row]
    except csv.Error:
        values = []
    if kind in (*WHOLE_TYPES, *FLOAT_TYPES):
        values = [value for value in values if value]
    if not any(values):
        raise GridProblem(f"says nothing in '{axis} Values'.")
    if kind in WHOLE_TYPES:
        values = [each for value in values for each in _spread(value, WHOLE_COUNT, WHOLE_RANGE, whole=True)]
    elif kind in FLOAT_TYPES:
        values = [each for value in values for each in _spread(value, FLOAT_COUNT, FLOAT_RANGE, whole=False)]
    if len(values) > MOST_CELLS:
        raise GridProblem(f"has {len(values)} values in '{axis} Values': {MOST_CELLS} are the most.")
    return values


def _spread(value: str, counted: re.Pattern[str], stepped: re.Pattern[str], *, whole: bool) -> list[str]:
    """``1-5`` -> 1 2 3 4 5, ``1-10 (+3)`` -> 1 4 7 10, ``1-10 [4]`` -> 1 4 7 10; anything else stays as it is.

    As the script does it: numpy's arange of floats ends after the end where steps don't meet it (7-8.5 is 7 8 9).
    """
    found = counted.fullmatch(value) or stepped.fullmatch(value)
    if not found:
        return [value]
    start, end = float(found[1]), float(found[2])
    if found.re is counted:
        n = int(found[3])
        if not 1 <= n <= MOST_CELLS:
            raise GridProblem(f"asks for {n} values in '{value[:40]}'.")
        points = np.linspace(start, end, n).tolist()
    else:
        step = float(found[3] or 1)
        if step == 0 or abs(end - start) / abs(step) > MOST_CELLS:
            raise GridProblem(f"asks for too many values in '{value[:40]}'.")
        points = np.arange(start, end + (1 if whole else step), step).tolist()
    return [str(int(point)) if whole else f"{point:g}" for point in points]


def _with(drawn: Drawn, kind: str, value: str, values: list[str]) -> Drawn:
    """A drawing with one axis' value put in."""
    if kind == "Nothing":
        return drawn
    if kind == "Prompt S/R":
        if values[0] not in drawn.written and values[0] not in drawn.negative:
            raise GridProblem(f"replaces '{values[0][:60]}' along an axis, which isn't in its prompt.")
        written = drawn.written.replace(values[0], value)
        negative = drawn.negative.replace(values[0], value)
        text = without_loras(written)
        return replace(drawn, written=written, prompt=text, loras=loras_in(written), negative=negative)
    if kind == "Seed":
        return replace(drawn, seed=_whole(value, "Seed"))
    if kind == "Steps":
        return replace(drawn, steps=_whole(value, "Steps"))
    if kind == "Clip skip":
        return replace(drawn, clip_skip=_whole(value, "Clip skip"))
    if kind == "CFG Scale":
        try:
            return replace(drawn, cfg=float(value))
        except ValueError:
            raise GridProblem(f"has CFG Scale '{value[:30]}' along an axis.") from None
    if kind == "Sampler":
        return replace(drawn, sampler=value)
    if kind == "Checkpoint name":
        return replace(drawn, model=value)
    return drawn


def _whole(value: str, key: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > 18:
        raise GridProblem(f"has {key} '{value[:30]}' along an axis: a whole number is needed.")
    return int(value)


def axis(text: str) -> Axis:
    """An axis as a person types it: ``epoch=2,4,6`` or ``strength=0.6,0.8,1``. Raises GridProblem."""
    name, _, written = text.partition("=")
    kind = next((each for each in AXIS_KINDS if each == name.strip()), None)
    values = tuple(value.strip() for value in written.split(",") if value.strip())
    if kind is None or not values:
        raise GridProblem(f"'{text[:60]}' is no axis: write one of {', '.join(AXIS_KINDS)}, as in epoch=2,4,6.")
    return Axis(kind, values)
