"""Grids are cut where A1111's own drawing puts their cells, and each cell gets its values."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from drawn_elsewhere import grid, grid_text, picture

from workbench.elsewhere.pictures.infotext import Lora, parse_infotext
from workbench.elsewhere.pictures.picture_file import read_header, read_pixels
from workbench.elsewhere.pictures.xyz_grid import GridProblem, axis, cells, cut

GOLDEN = Path(__file__).parent / "data" / "pictures" / "grid" / "xyz_grid-0001-42.png"
PROMPT = "photo of zwx woman <lora:anna-000010:0.8>"

TAGGED = "photo of zwx woman <lora:anna-000010:0.8>"


def test_the_golden_grid_gives_six_cells_with_epoch_strength_and_pixels():
    header = read_header(GOLDEN, GOLDEN.name)
    assert header.drawn is not None
    found = cells(header.drawn, header.width, header.height)
    said = [drawn.loras[0] for _, drawn in found]
    assert said == [Lora(f"anna-0000{n}", w) for w, n in product((0.8, 1.0), (10, 20, 30))]
    for number, (box, drawn) in enumerate(found):
        pixels = read_pixels(GOLDEN, GOLDEN.name, box)
        assert np.array_equal(pixels, np.asarray(picture(number % 3 + 10 * (number // 3))))
        assert drawn.prompt == "photo of zwx woman" and drawn.seed == 42


@pytest.mark.parametrize("margin", [0, 4, 30])
@pytest.mark.parametrize("legend", [True, False])
@pytest.mark.parametrize(("columns", "rows"), [(1, 2), (2, 1), (3, 2), (5, 4)])
def test_cells_are_found_whatever_legend_and_margin(columns: int, rows: int, legend: bool, margin: int):
    sheet = grid(columns, rows, margin=margin if columns > 1 else 0, legend=legend)
    boxes = cut(*sheet.size, columns, rows, (64, 64))
    for (row, column), box in zip(product(range(rows), range(columns)), boxes, strict=True):
        assert np.array_equal(np.asarray(sheet.crop(box)), np.asarray(picture(column + 10 * row)))


@pytest.mark.parametrize(
    ("kind", "written", "values"),
    [
        ("Seed", "1-4", [1, 2, 3, 4]),
        ("Seed", "1-10 (+3)", [1, 4, 7, 10]),
        ("Seed", "1-10 [4]", [1, 4, 7, 10]),
        ("Steps", "10,20", [10, 20]),
        ("CFG Scale", "5-6 (+0.5)", [5.0, 5.5, 6.0]),
        ("CFG Scale", "7-8.5", [7.0, 8.0, 9.0]),  # the script goes beyond an end that no step meets
        ("Seed", "10-1 (-3)", [10, 7, 4]),
        ("Steps", "10,20\n30", [10, 20, 30]),
        ("Clip skip", "1-2", [1, 2]),
    ],
)
def test_ranges_are_spread_as_the_script_spreads_them(kind: str, written: str, values: list[float]):
    drawn = parse_infotext(grid_text((kind, written), None, PROMPT))
    found = cells(drawn, 64 * len(values), 64 + 30)
    names = {"Seed": "seed", "Steps": "steps", "CFG Scale": "cfg", "Clip skip": "clip_skip"}
    assert [getattr(cell, names[kind]) for _, cell in found] == values


def test_seeds_drawn_at_random_are_in_the_fixed_values():
    drawn = parse_infotext(grid_text(("Seed", "-1,-1"), None, PROMPT, **{"Fixed X Values": '"7, 9"'}))
    assert [cell.seed for _, cell in cells(drawn, 128, 64 + 30)] == [7, 9]


def test_a_tag_replaced_by_nothing_is_the_base():
    drawn = parse_infotext(grid_text(("Prompt S/R", "<lora:anna-000010:0.8>,<lora:anna-000020:0.8>,"), None, TAGGED))
    assert [cell.loras for _, cell in cells(drawn, 192, 94)] == [
        (Lora("anna-000010", 0.8),),
        (Lora("anna-000020", 0.8),),
        (),
    ]


def test_columns_are_replaced_before_rows_as_the_script_does_it():
    x, y = ("Prompt S/R", "smiling,angry at the sea"), ("Prompt S/R", "sea,lake")
    drawn = parse_infotext(grid_text(x, y, "zwx woman smiling, sea"))
    assert [cell.prompt for _, cell in cells(drawn, 48 + 128, 30 + 128)] == [
        "zwx woman smiling, sea",
        "zwx woman angry at the sea, sea",
        "zwx woman smiling, lake",
        "zwx woman angry at the lake, lake",
    ]


def test_a_grid_that_was_enlarged_has_larger_cells():
    drawn = parse_infotext(grid_text(("Seed", "1,2"), None, PROMPT, **{"Hires upscale": "2"}))
    assert [box for box, _ in cells(drawn, 256, 150)] == [(0, 22, 128, 150), (128, 22, 256, 150)]


@pytest.mark.parametrize(
    ("x", "size", "why"),
    [
        (("Seed", "1-3"), (130, 94), "doesn't fit 3 x 1"),
        (("Seed", "1-1000000"), (64, 64), "too many values"),
        (("Seed", "1-9 [100000]"), (64, 64), "asks for 100000"),
        (("Seed", "one,two"), (128, 94), "has Seed 'one'"),
        (("Prompt S/R", "berta,clara"), (128, 94), "isn't in its prompt"),
        (("VAE", "a,b"), (128, 94), "isn't read here"),
        (("CFG Scale", "a,b"), (128, 94), "CFG Scale 'a'"),
        (("Seed", " "), (128, 94), "says nothing in 'X Values'"),
    ],
)
def test_a_grid_that_cannot_be_cut_says_why(x: tuple[str, str], size: tuple[int, int], why: str):
    with pytest.raises(GridProblem, match=why):
        cells(parse_infotext(grid_text(x, None, PROMPT)), *size)


def test_a_third_axis_is_refused():
    text = grid_text(("Seed", "1,2"), None, PROMPT, **{"Z Type": "Steps", "Z Values": "10"})
    with pytest.raises(GridProblem, match="Z Type"):
        cells(parse_infotext(text), 128, 94)


def test_a_grid_without_a_text_divides_evenly_or_is_refused():
    assert cut(128, 64, 2, 1) == [(0, 0, 64, 64), (64, 0, 128, 64)]
    with pytest.raises(GridProblem, match="doesn't divide"):
        cut(129, 64, 2, 1)
    with pytest.raises(GridProblem, match="can't be cut"):
        cut(128, 64, 0, 1)


def test_axes_as_a_person_types_them():
    assert axis("epoch= 2, 4,6").values == ("2", "4", "6") and axis("strength=0.8").kind == "strength"
    for text in ("epoch", "colour=1", "epoch="):
        with pytest.raises(GridProblem, match="is no axis"):
            axis(text)
