"""All patterns at a glance in one picture: a row per pattern, the same prompts in all of them, the base row on top."""

import io
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image, ImageDraw, ImageFont
from sqlite_utils import Database

from db import library, results
from workbench.bases import short
from workbench.findings.analysis import Tables
from workbench.pictures.gallery import UNSEEN, flaw_of, prompt_text, records
from workbench.plans.plan import EvalPlan, plan_of
from workbench.views import seen_words
from workbench.workspace import Workspace

Row = dict[str, Any]

SHAPE = 1.0  # width / height that a sheet comes near to, by how many blocks its rows stand in
BLOCKS = 4  # at most
GAP, PAD, LINE, TOP = 4, 18, 20, 42  # px
LABEL_PX = 190
PAGE_PX = 1460  # width on a page; of a wider picture Streamlit makes a smaller one at each click
TILE_PX = 104
TITLE, NAME, SMALL = 24, 19, 15  # px; large, since a page shows the sheet at about half its size
PAPER, INK, FAINT, EMPTY, WARN = "#f2f2f2", "#1c1c1c", "#6b6b6b", "#dcdcdc", "#a13d00"
# Pillow's own font has Latin letters only; the first of these that is there is taken for other scripts.
WIDE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "YuGothM.ttc",
    "meiryo.ttc",
    "msgothic.ttc",
    "Hiragino Sans GB.ttc",
    "DejaVuSans.ttf",
)


@dataclass(frozen=True)
class Spot:
    """One picture of a sheet. No file: not made, or (``waits``) held back until it is rated."""

    file: Path | None = None
    note: str = ""
    warn: bool = False
    waits: bool = False


@dataclass(frozen=True)
class Line:
    """A row of a sheet: what it is, a small line below, and its pictures, one per column."""

    label: str
    sub: str
    spots: tuple[Spot, ...]


@dataclass(frozen=True)
class Sheet:
    """All that a sheet shows. ``head`` stands on top of every block, ``photos`` once above all."""

    title: str
    columns: tuple[str, ...]
    head: tuple[Line, ...]
    lines: tuple[Line, ...]
    photos: tuple[Path, ...]
    footer: str
    seen: str = UNSEEN  # whether a training saw the photos


def sheet_of(
    ws: Workspace,
    db: Database,
    project: Mapping[str, Any],
    tables: Tables,
    seeds: Collection[int],
    held: Collection[str] = (),
) -> Sheet:
    """The last checkpoint of every pattern (its first training seed) on the identity prompts and some preview seeds.

    ``held``: tokens that wait to be rated: blank, and the mean of their row is not said. The mean likeness of a
    pattern is over the pictures of its row.
    """
    plan = plan_of(db, project["id"])
    stored = results.previews(db, project["id"], project["plan_id"]) if project["plan_id"] else []
    files = {row["token"]: row["thumb"] for row in stored}
    photos = library.photos(db, project["dataset_id"], "reference") if project["dataset_id"] else []
    base, of_pattern = rows_of(tables, plan, seeds)
    trained = [row for rows in of_pattern.values() for row in rows]
    cells = sorted({(row["prompt"], row["seed"]) for row in trained or base})

    def spot(row: Mapping[str, Any] | None) -> Spot:
        if row is None:
            return Spot()
        if row["token"] in held:
            return Spot(waits=True)
        flaw = flaw_of(row)
        likeness = "" if pd.isna(row["likeness"]) else f"{row['likeness']:.0f}"
        return Spot(ws.path(files[row["token"]]), flaw or likeness, bool(flaw))

    def line(label: str, sub: str, rows: Iterable[Mapping[str, Any]]) -> Line:
        by_cell = {(row["prompt"], row["seed"]): row for row in rows}
        shown = [row for row in by_cell.values() if row["likeness"] == row["likeness"]]
        hidden = any(row["token"] in held for row in by_cell.values())
        mean = f"likeness {sum(row['likeness'] for row in shown) / len(shown):.0f}" if shown and not hidden else ""
        return Line(label, " · ".join(filter(None, [sub, mean])), tuple(spot(by_cell.get(cell)) for cell in cells))

    ordered = [of_pattern[pattern] for pattern in tables.labels if pattern in of_pattern]
    eyes: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in base:
        eyes.setdefault((row["base_model"], row["clip_skip"]), []).append(row)
    texts = {row["prompt"]: prompt_text(row) for row in [*base, *trained]}
    several = len({seed for _, seed in cells}) > 1
    head = tuple(line("without LoRA", short_eyes(each, eyes), rows) for each, rows in eyes.items())
    lines = tuple(line(rows[0]["label"], _which(rows[0]), rows) for rows in ordered)
    return Sheet(
        project["name"],
        tuple((f"seed {seed}: " if several else "") + texts[prompt] for prompt, seed in cells),
        head,
        lines,
        tuple(ws.path(photo["file"]) for photo in photos),
        footer(plan, seeds, any(spot.waits for row in lines for spot in row.spots)),
        seen_words(db, project),
    )


def rows_of(tables: Tables, plan: EvalPlan, seeds: Collection[int]) -> tuple[list[Row], dict[int, list[Row]]]:
    """The previews of a sheet: of the base rows, and of each pattern's checkpoint."""
    table = tables.previews
    table = table[
        (table["is_main"] | (table["is_final"] & (table["strength"] == plan.main_strength)))
        & (table["role"] == "identity")
        & table["seed"].isin(list(seeds))
    ]
    trained = records(table[~table["is_base"] & table["is_last"]])
    of_pattern: dict[int, list[Row]] = {}
    for row in sorted(trained, key=lambda row: (row["is_final"], row["train_seed"], -row["checkpoint_id"])):
        rows = of_pattern.setdefault(row["pattern_id"], [])
        if not rows or rows[0]["checkpoint_id"] == row["checkpoint_id"]:
            rows.append(row)
    return records(table[table["is_base"]]), of_pattern


def tokens(tables: Tables, plan: EvalPlan, seeds: Collection[int]) -> list[str]:
    """The tokens of the previews of a sheet."""
    base, of_pattern = rows_of(tables, plan, seeds)
    return [row["token"] for rows in (base, *of_pattern.values()) for row in rows]


def _which(row: Mapping[str, Any]) -> str:
    return f"{int(row['updates']):,} updates" + (", final" if row["is_final"] else "")


def short_eyes(eyes: tuple[str, int], every: Collection[tuple[str, int]]) -> str:
    """Which base stands alone, where there are several."""
    return "" if len(every) == 1 else f"{short(eyes[0])}, clip skip {eyes[1]}"


def footer(plan: EvalPlan, seeds: Collection[int], hidden: bool) -> str:
    """How all pictures were made."""
    seeds_text = ", ".join(map(str, sorted(seeds)))
    about = (
        f"Last checkpoints, LoRA strength {plan.main_strength:g}, preview seed {seeds_text}, {plan.steps} steps, "
        f"CFG {plan.cfg:g}. Under each picture: likeness (0 a stranger, 100 the person's own photos)."
    )
    return about + (" Blank: waits to be rated." if hidden else "")


# drawing


def draw(sheet: Sheet, tile: int = TILE_PX) -> Image.Image:
    """The sheet as a picture: ``tile`` px a preview, its rows in as many blocks as come nearest to SHAPE."""
    n_columns = max(len(sheet.columns), 1)
    block = LABEL_PX + n_columns * (tile + GAP)
    row = tile + LINE + GAP
    top = PAD + TOP + (tile + LINE + 10 if sheet.photos else 0)
    heads = column_height(sheet.columns, tile) + len(sheet.head) * row

    def size(blocks: int) -> tuple[int, int]:
        rows = math.ceil(len(sheet.lines) / blocks)
        wide = 2 * PAD + blocks * block + (blocks - 1) * 2 * PAD
        return wide, top + heads + rows * row + PAD + LINE * len(wrap(sheet.footer, SMALL, wide - 2 * PAD, 4)) + 8

    blocks = min(
        range(1, max(1, min(BLOCKS, len(sheet.lines))) + 1),
        key=lambda n: abs(math.log(size(n)[0] / size(n)[1] / SHAPE)),
    )
    width, height = size(blocks)
    page = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(page)
    write(pen, (PAD, PAD), sheet.title, TITLE, width - 2 * PAD)
    if sheet.photos:
        draw_photos(page, pen, sheet, tile, PAD + TOP)
    per_block = math.ceil(len(sheet.lines) / blocks)
    for number in range(blocks):
        left = PAD + number * (block + 2 * PAD)
        draw_columns(pen, sheet.columns, left + LABEL_PX, top, tile)
        y = top + column_height(sheet.columns, tile)
        for line in (*sheet.head, *sheet.lines[number * per_block : (number + 1) * per_block]):
            draw_line(page, pen, line, left, y, tile)
            y += row
    foot = wrap(sheet.footer, SMALL, width - 2 * PAD, 4)
    for place, words in enumerate(foot):
        write(pen, (PAD, height - PAD - LINE * (len(foot) - place)), words, SMALL, width - 2 * PAD, FAINT)
    return page


def column_height(columns: Sequence[str], tile: int) -> int:
    lines = max((len(wrap(text, SMALL, tile, 4)) for text in columns), default=0)
    return lines * 18 + 6


def draw_columns(pen: ImageDraw.ImageDraw, columns: Sequence[str], left: int, top: int, tile: int) -> None:
    height = column_height(columns, tile)
    for number, text in enumerate(columns):
        lines = wrap(text, SMALL, tile, 4)
        y = top + height - 4 - 18 * len(lines)
        for place, words in enumerate(lines):
            write(pen, (left + number * (tile + GAP), y + 18 * place), words, SMALL, tile, FAINT)


def draw_photos(page: Image.Image, pen: ImageDraw.ImageDraw, sheet: Sheet, tile: int, top: int) -> None:
    """The real person, as many photos as fit."""
    fit = (page.width - 2 * PAD - LABEL_PX) // (tile + GAP)
    write(pen, (PAD, top + tile // 2 - 22), "reference photos", NAME, LABEL_PX - 8)
    write(pen, (PAD, top + tile // 2 + 2), sheet.seen, SMALL, LABEL_PX - 8, FAINT)
    for number, file in enumerate(sheet.photos[:fit]):
        draw_spot(page, pen, Spot(file), PAD + LABEL_PX + number * (tile + GAP), top, tile)


def draw_line(page: Image.Image, pen: ImageDraw.ImageDraw, line: Line, left: int, top: int, tile: int) -> None:
    names = wrap(line.label, NAME, LABEL_PX - 10, 3)
    subs = wrap(line.sub, SMALL, LABEL_PX - 10, 2)
    y = top + max(0, (tile - 23 * len(names) - 18 * len(subs)) // 2)
    for words in names:
        write(pen, (left, y), words, NAME, LABEL_PX - 8)
        y += 23
    for words in subs:
        write(pen, (left, y), words, SMALL, LABEL_PX - 8, FAINT)
        y += 18
    for number, spot in enumerate(line.spots):
        draw_spot(page, pen, spot, left + LABEL_PX + number * (tile + GAP), top, tile)


def draw_spot(page: Image.Image, pen: ImageDraw.ImageDraw, spot: Spot, left: int, top: int, tile: int) -> None:
    pen.rectangle((left, top, left + tile - 1, top + tile - 1), EMPTY)
    if spot.waits:
        write(pen, (left + 6, top + tile // 2 - 7), "waits", SMALL, tile - 12, FAINT)
    picture = opened(spot.file, tile)
    if picture is not None:
        page.paste(picture, (left + (tile - picture.width) // 2, top + (tile - picture.height) // 2))
    elif spot.file is not None:
        write(pen, (left + 6, top + tile // 2 - 7), "file is gone", SMALL, tile - 12, WARN)
    write(pen, (left, top + tile + 1), spot.note, SMALL, tile, WARN if spot.warn else FAINT)


def opened(file: Path | None, tile: int) -> Image.Image | None:
    """A picture fitted into a tile; None where there is no file, or none that can be read."""
    if file is None:
        return None
    try:
        with Image.open(file) as found:
            picture = found.convert("RGB")
    except OSError:
        return None
    scale = tile / max(picture.size)
    return picture.resize(
        (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.LANCZOS
    )


def write(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, width: int, colour: str = INK
) -> None:
    """One line of text, cut with an ellipsis where it would be wider than ``width`` px."""
    face = font(size, is_latin(text))
    if pen.textlength(text, font=face) > width:
        while text and pen.textlength(text + "…", font=face) > width:
            text = text[:-1]
        text += "…"
    pen.text(place, text, colour, font=face)


def wrap(text: str, size: int, width: int, most: int) -> list[str]:
    """A text in lines of at most ``width`` px; what is left over ends up in the last line, to be cut there."""
    face, lines = font(size, is_latin(text)), [""]
    words = text.split() if " " in text else list(text) if not is_latin(text) else [text]
    space = " " if " " in text else ""
    for word in words:
        longer = f"{lines[-1]}{space if lines[-1] else ''}{word}"
        if not lines[-1] or face.getlength(longer) <= width or len(lines) == most:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line]


def is_latin(text: str) -> bool:
    return all(ord(letter) < 0x250 or letter in "–—‘’“”…" for letter in text)


@lru_cache
def font(size: int, latin: bool = True) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, or for other scripts the first on this computer that has them."""
    for name in () if latin else WIDE_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "png")
    return out.getvalue()


def jpeg(picture: Image.Image, width: int) -> bytes:
    """A picture for a page, at most ``width`` px wide; small words stay sharp."""
    if picture.width > width:
        picture = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "jpeg", quality=92, subsampling=0)
    return out.getvalue()
