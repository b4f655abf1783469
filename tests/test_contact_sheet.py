"""All patterns in one picture: what stands where, what is left blank, and that it can be read."""

import io
from pathlib import Path

import pytest
from filled import PLAN, fill, likeness
from PIL import Image

from db import library
from workbench.cli import main
from workbench.findings.analysis import tables
from workbench.pictures import contact_sheet as cs

RED = (255, 0, 0)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("sheet"))


def sheet(full, seeds=(102,), held=()):
    project = library.project(full.db, full.project_id)
    return cs.sheet_of(full.ws, full.db, project, tables(full.db, full.project_id), seeds, held)


def square(tmp_path, colour=RED, size=(64, 64), name="a.png"):
    Image.new("RGB", size, colour).save(tmp_path / name)
    return tmp_path / name


def made(n_lines, spots, photos=(), columns=3):
    lines = tuple(cs.Line(f"pattern {n}", "120 updates", tuple(spots)) for n in range(n_lines))
    return cs.Sheet(
        "title", ("a prompt",) * columns, (cs.Line("without LoRA", "", tuple(spots)),), lines, photos, "end"
    )


def test_rows_are_patterns_with_the_last_checkpoint_of_their_first_training_seed(full):
    found = sheet(full)
    assert [line.label for line in found.lines] == ["baseline", "alpha 1", "rate 6e-3"]
    values = [likeness(1, 1, 120, prompt, 102) for prompt in range(3)]
    assert found.lines[1].sub == f"120 updates · likeness {sum(values) / 3:.0f}"
    assert [spot.note for spot in found.lines[1].spots] == [f"{value:.0f}" for value in values]
    assert all(spot.file.is_file() for spot in found.lines[1].spots)


def test_columns_are_the_identity_prompts_and_the_base_row_and_photos_stand_on_top(full):
    assert sheet(full).columns == tuple(PLAN.text(prompt, "zwx", "woman") for prompt in range(3))
    both = sheet(full, seeds=(101, 102))
    assert both.columns[:2] == ("seed 101: photo of zwx woman", "seed 102: photo of zwx woman")
    assert [line.label for line in both.head] == ["without LoRA"]
    assert len(both.photos) == 3 and all(photo.is_file() for photo in both.photos)
    assert "preview seed 101, 102, 25 steps, CFG 7" in both.footer


def test_what_waits_to_be_rated_is_blank_and_its_row_says_no_mean(full):
    table = tables(full.db, full.project_id).previews
    own = table[(table["label"] == "baseline") & table["is_last"] & (table["seed"] == 102) & (table["train_seed"] == 1)]
    found = sheet(full, held={own["token"].iloc[0]})
    assert found.lines[0].spots[0] == cs.Spot(waits=True)
    assert found.lines[0].sub == "120 updates"
    assert "Blank: waits to be rated" in found.footer
    assert "likeness" in found.lines[1].sub


def test_a_broken_picture_says_what_is_wrong(tmp_path):
    full = fill(tmp_path, rated=False)
    black = full.db.execute(
        "select v.id from previews v join checkpoints c on c.id = v.checkpoint_id where c.run_id = ? and c.is_last "
        "and v.prompt = 0 and v.seed = 102",
        [full.run_ids[0]],
    ).fetchone()[0]
    full.db.table("previews").update(black, {"status": "black"})
    spot = sheet(full).lines[0].spots[0]
    assert (spot.note, spot.warn) == ("black picture", True)


# as a picture


def test_every_picture_is_drawn_in_its_place(tmp_path):
    red, blue = square(tmp_path), square(tmp_path, (0, 0, 255), name="b.png")
    page = cs.draw(made(4, [cs.Spot(red), cs.Spot(blue), cs.Spot(waits=True)]))
    counts = {colour: n for n, colour in page.getcolors(1 << 24)}
    assert counts[RED] == counts[(0, 0, 255)]
    n_blocks = counts[RED] / cs.TILE_PX**2 - 4  # each block has the base row once
    assert n_blocks in (1, 2, 3, 4)
    assert 0 < counts[(0xDC,) * 3] <= (4 + n_blocks) * cs.TILE_PX**2  # the blank ones, less the word on them


def test_a_picture_that_is_not_square_keeps_its_shape(tmp_path):
    page = cs.draw(made(1, [cs.Spot(square(tmp_path, size=(64, 32)))], columns=1))
    assert {colour: n for n, colour in page.getcolors(1 << 24)}[RED] == 2 * cs.TILE_PX * cs.TILE_PX // 2


@pytest.mark.parametrize("content", [None, b"", b"not a picture"])
def test_a_file_that_is_gone_or_torn_is_said_and_breaks_nothing(tmp_path, content):
    file = tmp_path / "x.webp"
    if content is not None:
        file.write_bytes(content)
    assert cs.opened(file, 64) is None
    cs.draw(made(2, [cs.Spot(file)], photos=(file,), columns=1))


@pytest.mark.parametrize("n", [1, 2, 8, 25, 30, 100])
def test_rows_stand_in_blocks_so_that_the_picture_is_neither_a_ribbon_nor_a_tower(tmp_path, n):
    page = cs.draw(made(n, [cs.Spot(square(tmp_path))] * 6, columns=6))
    assert 0.3 < page.width / page.height < 4.5
    if 8 <= n <= 30:
        assert 0.55 < page.width / page.height < 1.8


def test_no_line_of_text_is_wider_than_its_place():
    long = "a label that somebody wrote with very many words about what it tries and why that may be better"
    for text in (long, "x" * 200, "長い名前" * 30):
        lines = cs.wrap(text, cs.NAME, cs.LABEL_PX - 10, 3)
        assert len(lines) <= 3
        page = Image.new("RGB", (400, 40))
        pen = cs.ImageDraw.Draw(page)
        cs.write(pen, (0, 0), text, cs.NAME, 150, "#ffffff")
        assert page.crop((160, 0, 400, 40)).getbbox() is None


@pytest.mark.parametrize(("width", "expected"), [(2200, (1460, 730)), (600, (600, 300))])
def test_a_page_gets_a_picture_that_streamlit_leaves_as_it_is(width, expected):
    from streamlit.elements.lib.image_utils import MAXIMUM_CONTENT_WIDTH

    content = cs.jpeg(Image.new("RGB", (width, width // 2), cs.PAPER), cs.PAGE_PX)
    with Image.open(io.BytesIO(content)) as shown:
        assert shown.format == "JPEG" and shown.size == expected
    assert cs.PAGE_PX <= MAXIMUM_CONTENT_WIDTH


def test_the_command_line_writes_the_picture(full, tmp_path, capsys):
    file = tmp_path / "all.png"
    assert main(["--home", str(full.ws.home), "sheet", str(file)]) == 0
    assert "3 patterns" in capsys.readouterr().out
    assert Image.open(file).size[0] > 400
    assert main(["--home", str(full.ws.home), "sheet", str(tmp_path / "all.jpg")]) == 1
    assert main(["--home", str(full.ws.home), "sheet", str(file), "--seeds", "5"]) == 1
    assert not Path(tmp_path / "all.jpg").exists()
