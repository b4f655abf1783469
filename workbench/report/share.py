"""A picture to share: the best row beside the base row, with the pattern's name, its value and the interval."""

from pathlib import Path

from PIL import Image, ImageDraw

from db import results
from workbench.pictures.contact_sheet import EMPTY, FAINT, INK, PAPER, Spot, draw_spot, opened, wrap, write
from workbench.pictures.gallery import flaw_of, prompt_text, records
from workbench.report.contents import Contents

SIZE = (1200, 630)  # px: what pages that show a link make room for
COLUMNS = 4  # prompts at most
PAD, GAP, LABEL, TOP, FOOT = 36, 10, 232, 116, 66  # px
TITLE, VALUE, NAME, SMALL = 38, 24, 24, 17  # px


def cells_of(found: Contents) -> list[tuple[int, int]]:
    """The prompts and preview seeds that are shown: the plan's first prompts, whatever came out of them."""
    rows = records(found.leader.previews)
    own = sorted({(row["prompt"], row["seed"]) for row in rows if not row["is_base"] and row["role"] == "identity"})
    by_prompt = {prompt: (prompt, seed) for prompt, seed in reversed(own)}
    return sorted(by_prompt.values())[:COLUMNS] if len(by_prompt) >= COLUMNS else own[:COLUMNS]


def tokens(found: Contents) -> set[str]:
    """Of the pictures on it, if they don't wait."""
    cells = set(cells_of(found))
    return {row["token"] for row in records(found.leader.previews) if (row["prompt"], row["seed"]) in cells}


def share(found: Contents) -> Image.Image:
    """SIZE px. What waits to be rated stays blank; no real photo is on it."""
    cells = cells_of(found)
    rows = records(found.leader.previews)
    stored = results.previews(found.db, found.project["id"], found.project["plan_id"])
    files = {row["token"]: found.ws.path(row["file"]) for row in stored}
    texts = {(row["prompt"], row["seed"]): prompt_text(row) for row in rows}
    eyes = {(row["base_model"], row["clip_skip"]) for row in rows if not row["is_base"]}
    page = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(page)
    leader, wide = found.leader, SIZE[0] - 2 * PAD
    write(pen, (PAD, PAD - 6), found.project["name"], TITLE, wide)
    write(pen, (PAD, PAD + 42), f"{leader.value}, {leader.interval} {leader.about}", VALUE, wide)
    tile = tile_px(len(cells))
    left = PAD + LABEL
    lines = {
        "without LoRA": [row for row in rows if row["is_base"] and (row["base_model"], row["clip_skip"]) in eyes],
        leader.name: [row for row in rows if not row["is_base"]],
    }
    for number, (name, group) in enumerate(lines.items()):
        top = TOP + number * (tile + GAP)
        head(pen, name, "the base model alone" if not number else leader.standing, top, tile)
        by_cell = {(row["prompt"], row["seed"]): row for row in group}
        for place, cell in enumerate(cells):
            row = by_cell.get(cell)
            spot = Spot() if row is None else Spot(waits=True) if row["token"] in found.held else Spot()
            corner = left + place * (tile + GAP), top
            draw_spot(page, pen, spot, *corner, tile)
            if row is not None and not spot.waits:
                paste(page, pen, files[row["token"]], corner, tile, flaw_of(row))
    said = " · ".join(texts[cell] for cell in cells)
    foot = wrap(f"The same prompts and seeds in both rows: {said}", SMALL, wide, 2)
    for place, words in enumerate(foot):
        write(pen, (PAD, SIZE[1] - FOOT + 6 + 22 * place), words, SMALL, wide, FAINT)
    return page


def tile_px(columns: int) -> int:
    """The side of a picture, so that two rows and all columns fit."""
    across = (SIZE[0] - 2 * PAD - LABEL - GAP * (max(columns, 1) - 1)) // max(columns, 1)
    return min(across, (SIZE[1] - TOP - FOOT - GAP) // 2)


def head(pen: ImageDraw.ImageDraw, name: str, sub: str, top: int, tile: int) -> None:
    lines = wrap(name, NAME, LABEL - 16, 4)
    y = top + (tile - 30 * len(lines) - 24) // 2
    for words in lines:
        write(pen, (PAD, y), words, NAME, LABEL - 12, INK)
        y += 30
    write(pen, (PAD, y), sub, SMALL, LABEL - 12, FAINT)


def paste(
    page: Image.Image, pen: ImageDraw.ImageDraw, file: Path, corner: tuple[int, int], tile: int, flaw: str
) -> None:
    """A picture in its place, as it is: a broken one says so."""
    picture = opened(file, tile)
    if picture is None:
        write(pen, (corner[0] + 8, corner[1] + tile // 2 - 9), "file is gone", SMALL, tile - 16, FAINT)
        return
    page.paste(picture, (corner[0] + (tile - picture.width) // 2, corner[1] + (tile - picture.height) // 2))
    if flaw:
        pen.rectangle((corner[0], corner[1] + tile - 26, corner[0] + tile - 1, corner[1] + tile - 1), EMPTY)
        write(pen, (corner[0] + 6, corner[1] + tile - 24), flaw, SMALL, tile - 12, INK)
