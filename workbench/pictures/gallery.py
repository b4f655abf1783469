"""What stands where in a picture grid: rows are checkpoints, columns are the plan's prompts and seeds."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from workbench.bases import short
from workbench.elsewhere.names import LAST_EPOCH, THE_LAST
from workbench.findings.metrics import HUMAN_AXES
from workbench.plans.plan import EvalPlan
from workbench.rating.modes import FLAGS
from workbench.sentences import in_fp32, score_status

Row = dict[str, Any]

PICTURES = "/app/static"  # where the launcher serves them
UNSEEN = "real, not trained on"
GRID_COLUMNS = [
    "token",
    "checkpoint_id",
    "pattern_id",
    "label",
    "train_seed",
    "updates",
    "images_seen",
    "epoch",
    "is_base",
    "is_final",
    "base_model",
    "clip_skip",
    "prompt",
    "role",
    "text",
    "seed",
    "likeness",
    "picture_status",
    "face_status",
]


@dataclass(frozen=True)
class Picture:
    """A picture with a caption and a small line under it."""

    src: str
    alt: str
    caption: str = ""
    note: str = ""


@dataclass(frozen=True)
class Tile:
    """One place of a grid. ``waits``: hidden until it is rated; ``warn``: the note tells of a flaw."""

    src: str = ""
    alt: str = ""
    note: str = ""
    warn: bool = False
    waits: bool = False
    id: str = ""  # what a click names; empty = no click


@dataclass(frozen=True)
class Column:
    """The head of a column."""

    text: str
    sub: str = ""


@dataclass(frozen=True)
class GridRow:
    """A row's head and its tiles, one per column (None = not made yet)."""

    head: str
    sub: str
    badge: str
    tiles: tuple[Tile | None, ...]


@dataclass(frozen=True)
class Grid:
    """Rows of tiles under shared heads."""

    corner: str
    columns: tuple[Column, ...]
    rows: tuple[GridRow, ...]


def preview_url(token: str, full: bool = False) -> str:
    """The address of a preview: a thumbnail, or the picture as it was rendered."""
    return f"{PICTURES}/previews/{token}.{'png' if full else 'webp'}"


def photo_url(photo: Mapping[str, Any], full: bool = False) -> str:
    """The address of a photo (a row of table photos): small, or as it was prepared."""
    name = f"{photo['dataset_id']}-{photo['position']}-{photo['sha256'][:12]}"
    return f"{PICTURES}/photos/{name}.{'png' if full else 'webp'}"


def lora_url(checkpoint: Mapping[str, Any]) -> str:
    """The address of a checkpoint's LoRA file."""
    return f"{PICTURES}/loras/{checkpoint['id']}-{checkpoint['sha256'][:12]}.safetensors"


def photo_picture(photo: Mapping[str, Any], faces: bool = True) -> Picture:
    """A photo with its exact caption, and how it was cut. ``faces``: somebody looks for faces in it."""
    cut = {"face": "cut around the face", "centre": "cut from the middle", "none": "not cut"}.get(
        photo["crop"], photo["crop"]
    )
    face = f" · face {photo['face_px']:.0f} px" if photo["face_px"] else " · no face found"
    alike = f" · like others (group {photo['duplicate_group']})" if photo["duplicate_group"] is not None else ""
    note = f"{photo['name']} · {cut}{face if faces else ''}{alike}"
    return Picture(photo_url(photo), photo["name"], photo["caption"], note)


def version_text(dataset: Mapping[str, Any]) -> str:
    """Which version of the photos this is, and how it was made."""
    size = f"of {dataset['size_px']} px" if dataset["size_px"] else "as large as each photo allows"
    return f"Version {dataset['version']} · squares {size} · trigger {dataset['trigger_word']}"


def choose(
    table: pd.DataFrame,
    plan: EvalPlan,
    *,
    roles: Collection[str] = ("identity", "neutral"),
    seeds: Collection[int] = (),
    strength: float | None = None,
    last_only: bool = False,
) -> pd.DataFrame:
    """The previews (rows of ``preview_table``) that a filter lets through; the base row has every strength.

    No seeds = all, no strength = the plan's main one.
    """
    strength = plan.main_strength if strength is None else strength
    keep = table["role"].isin(list(roles)) & (table["is_base"] | (table["strength"] == strength))
    if seeds:
        keep &= table["seed"].isin(list(seeds))
    if last_only:
        keep &= table["is_base"] | table["is_last"].astype(bool)
    return table[keep]


def shown_seeds(plan: EvalPlan) -> tuple[int, ...]:
    """Preview seeds for a quick look: the last one, since people are asked to rate pictures of all others, blind.

    None (that is: all) where pictures were made elsewhere, since not every prompt has every seed there.
    """
    return () if plan.elsewhere else plan.seeds[-1:]


def preview_grid(table: pd.DataFrame, plan: EvalPlan, held: Collection[str] = ()) -> Grid:
    """Chosen previews as a grid, base rows first, with the columns that checkpoints have a preview in.

    Of the base rows only those that the checkpoints are held against: the same base model and clip skip.
    ``held``: tokens that wait to be rated.
    """
    every = records(table)
    trained = [row for row in every if not row["is_base"]]
    eyes = {(row["base_model"], row["clip_skip"]) for row in trained}
    base = [row for row in every if row["is_base"] and (not eyes or (row["base_model"], row["clip_skip"]) in eyes)]
    cells = sorted({(row["prompt"], row["seed"]) for row in trained or base})
    texts = {row["prompt"]: prompt_text(row) for row in [*trained, *base]}
    columns = tuple(Column(texts[prompt], f"seed {seed}") for prompt, seed in cells)
    alone: dict[tuple[str, int], list[Row]] = {}
    for row in base:
        alone.setdefault((row["base_model"], row["clip_skip"]), []).append(row)
    rows = [_row("without LoRA", _base_name(seen, alone), group, cells, held) for seen, group in alone.items()]
    checkpoints: dict[int, list[Row]] = {}
    for row in trained:
        checkpoints.setdefault(row["checkpoint_id"], []).append(row)
    rows += [_row(group[0]["label"], checkpoint_text(group[0]), group, cells, held) for group in checkpoints.values()]
    return Grid("prompt, preview seed", columns, tuple(rows))


def prompt_text(row: Mapping[str, Any]) -> str:
    """A preview's prompt; of one that was made elsewhere its number may be all that is known."""
    return row["text"] or f"prompt {row['prompt'] + 1}"


def records(table: pd.DataFrame) -> list[Row]:
    """The rows of a preview table with what a grid shows, as plain values: to_dict takes 30 times as long."""
    columns = {name: table[name].tolist() for name in GRID_COLUMNS}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def checkpoint_text(row: Mapping[str, Any]) -> str:
    """Which checkpoint of its pattern a preview is of."""
    final = " · final: trained on all photos" if row["is_final"] else ""
    seed = f"seed {row['train_seed']} · " if row["train_seed"] >= 0 else ""
    return f"{seed}{saved_at(row)}{final}"


def saved_at(row: Mapping[str, Any]) -> str:
    """When in its training a checkpoint was saved; of one made elsewhere the epoch may be all that is known."""
    if row["epoch"] == LAST_EPOCH:
        return THE_LAST
    if not row["images_seen"] and pd.notna(row["epoch"]) and row["epoch"] > 0:
        return f"epoch {row['epoch']:g}"
    return f"{int(row['updates']):,} updates"


def _base_name(eyes: tuple[str, int], every: Collection[tuple[str, int]]) -> str:
    """Which base stands alone here; where patterns have several, by name."""
    if len(every) == 1:
        return "the base model alone"
    several_skips = len({clip_skip for _, clip_skip in every}) > 1
    return f"{short_place(eyes[0])} alone" + (f", clip skip {eyes[1]}" if several_skips else "")


def _row(head: str, sub: str, group: Sequence[Row], cells: Sequence[tuple[int, int]], held: Collection[str]) -> GridRow:
    by_cell = {(row["prompt"], row["seed"]): preview_tile(row, held) for row in group}
    hidden = any(row["token"] in held for row in group)
    likeness = [row["likeness"] for row in group if row["role"] == "identity" and row["likeness"] == row["likeness"]]
    badge = f"likeness {round(sum(likeness) / len(likeness))}" if likeness and not hidden else ""
    return GridRow(head, sub, badge, tuple(by_cell.get(cell) for cell in cells))


def preview_tile(row: Mapping[str, Any], held: Collection[str] = ()) -> Tile:
    """A preview as a tile: its likeness, or why it has none."""
    if row["token"] in held:
        return Tile(waits=True)
    flaw = flaw_of(row)
    note = flaw or ("" if pd.isna(row["likeness"]) else str(round(row["likeness"])))
    return Tile(preview_url(row["token"]), row["text"], note, bool(flaw), id=row["token"])


def flaw_of(row: Mapping[str, Any]) -> str:
    """What is wrong with a preview in two or three words; empty when nothing is."""
    for status in (row["picture_status"], row["face_status"]):
        if isinstance(status, str) and status in ("black", "flat", "non_finite", "no_face", "several_faces"):
            return score_status(status).split(":")[0]
    return ""


def photo_row(photos: Iterable[Mapping[str, Any]], n_columns: int, seen: str = UNSEEN) -> GridRow:
    """Reference photos as a row of a grid: as many as fit."""
    tiles = [Tile(photo_url(photo), f"reference photo {number}") for number, photo in enumerate(photos, 1)]
    return GridRow("reference photos", seen, "", tuple(tiles[:n_columns]))


def with_photos(grid: Grid, photos: Iterable[Mapping[str, Any]], seen: str = UNSEEN) -> Grid:
    """The grid with a row of reference photos on top. ``seen``: whether a training saw them, in words."""
    return replace(grid, rows=(photo_row(photos, len(grid.columns), seen), *grid.rows))


def matrix_grid(
    rows: pd.DataFrame, setting: str, previews: pd.DataFrame, prompt: int, seed: int, held: Collection[str] = ()
) -> Grid:
    """Rows of ``findings.matrix`` of one family as a grid: trained with (rows) x looked at with (columns).

    Each place shows the picture of one prompt and preview seed, and under it the mean likeness of all of them.
    ``previews``: rows of ``preview_table`` with their variants.
    """
    values = sorted({*rows["trained"], *rows["preview"]}, key=str)
    chosen = previews[(previews["prompt"] == prompt) & (previews["seed"] == seed)].set_index("token")
    words = "on {}" if setting == "base_model" else "with clip skip {}"
    told = {str(value): words.format(short_place(value)) for value in values}

    def tile(cell: Mapping[str, Any]) -> Tile | None:
        token = next((token for token in cell["tokens"] if token in chosen.index), None)
        if token is None:
            return None
        if token in held:
            return Tile(waits=True)
        few = pd.notna(cell["face_rate"]) and cell["face_rate"] < 0.5
        likeness = "few faces" if few else "-" if pd.isna(cell["likeness"]) else f"likeness {cell['likeness']:.0f}"
        alone = f", base alone {cell['base_row']:.0f}" if pd.notna(cell["base_row"]) else ""
        return Tile(preview_url(token), chosen.loc[token, "text"], f"{likeness}{alone}", few, id=token)

    grid_rows = []
    for (_, label), cells in rows.groupby(["pattern_id", "label"], sort=False):
        by_value = {cell["preview"]: cell for cell in cells.to_dict("records")}
        trained = cells["trained"].iloc[0]
        n = int(cells["n"].max())
        runs = f"{n} run" + "s" * (n != 1)
        tiles = tuple(tile(by_value[value]) if value in by_value else None for value in values)
        grid_rows.append(GridRow(f"trained {told[str(trained)]}", label, runs, tiles))
    columns = tuple(Column(f"rendered {told[str(value)]}") for value in values)
    return Grid("", columns, tuple(grid_rows))


def short_place(value: Any) -> str:
    """A base model's name without its folders; other values as they are."""
    return short(value) if isinstance(value, str) else str(value)


def of_checkpoints(table: pd.DataFrame, plan: EvalPlan, checkpoint_ids: Collection[int]) -> pd.DataFrame:
    """The previews of the base row and some checkpoints, on the prompts that name the subject."""
    chosen = choose(table, plan, roles=("identity",), seeds=shown_seeds(plan))
    return chosen[chosen["is_base"] | chosen["checkpoint_id"].isin(list(checkpoint_ids))]


# everything about one preview


def facts(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a preview shows and how it was judged, as (name, value), without the settings of its pattern."""
    named: list[tuple[str, str]] = [("prompt", prompt_text(row)), ("preview seed", str(row["seed"]))]
    seen = f"{row['images_seen']:,} images seen" if row["images_seen"] else "images seen: not known"
    if row["is_base"]:
        named.append(("LoRA", "none: the base model alone"))
    else:
        named += [
            ("pattern", row["label"]),
            ("training seed", str(row["train_seed"]) if row["train_seed"] >= 0 else "not known"),
            ("checkpoint", f"{saved_at(row)}, {seen}"),
            ("LoRA strength", f"{row['strength']:g}"),
        ]
    return [*named, *judged(row)]


def judged(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The scores and marks of a preview, each with its judge, or the reason why there is none."""
    found = []
    if pd.notna(row["likeness"]):
        found.append(("likeness", f"{row['likeness']:.1f} (cosine {row['likeness_raw']:.3f}, {row['face_judge']})"))
    elif pd.notna(row["likeness_raw"]):
        found.append(("likeness", f"cosine {row['likeness_raw']:.3f}, {score_status('not_calibrated')}"))
    else:
        found.append(("likeness", no_score(row["face_status"])))
    if isinstance(row["in_fp32"], str):
        found.append(("drawn again", in_fp32(row["in_fp32"])))
    if pd.notna(row["face_px"]):
        found.append(("face", f"{row['face_px']:.0f} px"))
    if pd.notna(row["clip_t"]):
        found.append(("prompt adherence", f"cosine {row['clip_t']:.3f} ({row['clip_judge']})"))
    else:
        found.append(("prompt adherence", no_score(row["clip_status"])))
    for axis in HUMAN_AXES:
        if pd.notna(row[f"human_{axis}"]):
            found.append((f"{axis}, rated", f"{row[f'human_{axis}']:.0f}"))
    flags = flag_words(row)
    return [*found, ("flagged by raters", flags)] if flags else found


def flag_words(row: Mapping[str, Any]) -> str:
    """What raters flagged a preview as, and how many of them where several did.

    >>> flag_words({"flag_broken": 2, "flag_not_the_person": 1})
    'broken (2 raters), not the person'
    """
    named = [(flag.replace("_", " "), int(row.get(f"flag_{flag}", 0))) for flag in FLAGS]
    return ", ".join(f"{name} ({n} raters)" if n > 1 else name for name, n in named if n)


def no_score(status: Any) -> str:
    """Why there is no score; a preview that nobody has looked at has no status."""
    return score_status(status) if isinstance(status, str) else "not judged yet"
