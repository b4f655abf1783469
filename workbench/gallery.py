"""What stands where in a picture grid: rows are checkpoints, columns are the plan's prompts and seeds."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from workbench.metrics import HUMAN_AXES
from workbench.plan import EvalPlan
from workbench.sentences import score_status

PICTURES = "/app/static"  # where the launcher serves them


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


def photo_pictures(photos: Iterable[Mapping[str, Any]]) -> list[Picture]:
    """Photos without words around them: for a strip to compare with."""
    return [Picture(photo_url(photo), f"reference photo {number}") for number, photo in enumerate(photos, 1)]


def photo_picture(photo: Mapping[str, Any]) -> Picture:
    """A photo with its exact caption, and how it was cut."""
    cut = {"face": "cut around the face", "centre": "cut from the middle", "none": "not cut"}.get(
        photo["crop"], photo["crop"]
    )
    face = f"face {photo['face_px']:.0f} px" if photo["face_px"] else "no face found"
    alike = f" · like others (group {photo['duplicate_group']})" if photo["duplicate_group"] is not None else ""
    return Picture(photo_url(photo), photo["name"], photo["caption"], f"{photo['name']} · {cut} · {face}{alike}")


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
    """Preview seeds for a quick look: the last two, since people rate the first and its pictures may wait."""
    return plan.seeds[-2:]


def preview_grid(table: pd.DataFrame, plan: EvalPlan, held: Collection[str] = ()) -> Grid:
    """Chosen previews as a grid, base row first, with the columns that checkpoints have a preview in.

    ``held``: tokens that wait to be rated.
    """
    trained = table[~table["is_base"]]
    shown = trained if len(trained) else table
    cells = sorted(set(zip(shown["prompt"], shown["seed"], strict=True)))
    texts = table.drop_duplicates("prompt").set_index("prompt")["text"]
    columns = tuple(Column(texts[prompt], f"seed {seed}") for prompt, seed in cells)
    base = table[table["is_base"]].drop_duplicates(["prompt", "seed"])
    rows = [_row("without LoRA", "the base model alone", base, cells, held)] if len(base) else []
    for _, group in trained.groupby("checkpoint_id", sort=False):
        first = group.iloc[0]
        sub = f"seed {first['train_seed']} · {int(first['updates']):,} updates"
        rows.append(_row(first["label"], sub, group, cells, held))
    return Grid("prompt, preview seed", columns, tuple(rows))


def _row(head: str, sub: str, group: pd.DataFrame, cells: Sequence[tuple[int, int]], held: Collection[str]) -> GridRow:
    by_cell = {(row["prompt"], row["seed"]): preview_tile(row, held) for row in group.to_dict("records")}
    hidden = group["token"].isin(list(held)).any()
    likeness = group.loc[group["role"] == "identity", "likeness"].dropna()
    badge = f"likeness {round(likeness.mean())}" if len(likeness) and not hidden else ""
    return GridRow(head, sub, badge, tuple(by_cell.get(cell) for cell in cells))


def preview_tile(row: Mapping[str, Any], held: Collection[str] = ()) -> Tile:
    """A preview as a tile: its likeness, or why it has none."""
    if row["token"] in held:
        return Tile(waits=True)
    flaw = flaw_of(row)
    note = flaw or (str(round(row["likeness"])) if pd.notna(row["likeness"]) else "")
    return Tile(preview_url(row["token"]), row["text"], note, bool(flaw), id=row["token"])


def flaw_of(row: Mapping[str, Any]) -> str:
    """What is wrong with a preview in two or three words; empty when nothing is."""
    for status in (row["picture_status"], row["face_status"]):
        if isinstance(status, str) and status in ("black", "flat", "non_finite", "no_face", "several_faces"):
            return score_status(status).split(":")[0]
    return ""


def photo_row(photos: Iterable[Mapping[str, Any]], n_columns: int) -> GridRow:
    """Reference photos as a row of a grid: as many as fit."""
    tiles = [Tile(photo_url(photo), f"reference photo {number}") for number, photo in enumerate(photos, 1)]
    return GridRow("reference photos", "real, not trained on", "", tuple(tiles[:n_columns]))


def with_photos(grid: Grid, photos: Iterable[Mapping[str, Any]]) -> Grid:
    """The grid with a row of reference photos on top."""
    return replace(grid, rows=(photo_row(photos, len(grid.columns)), *grid.rows))


def checkpoint_grid(
    table: pd.DataFrame, plan: EvalPlan, checkpoint_ids: Collection[int], held: Collection[str] = ()
) -> Grid:
    """The base row and some checkpoints, on the prompts that name the subject."""
    chosen = choose(table, plan, roles=("identity",), seeds=shown_seeds(plan))
    wanted = chosen["is_base"] | chosen["checkpoint_id"].isin(list(checkpoint_ids))
    return preview_grid(chosen[wanted], plan, held)


# everything about one preview


def facts(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a preview shows and how it was judged, as (name, value), without the settings of its pattern."""
    named: list[tuple[str, str]] = [("prompt", row["text"]), ("preview seed", str(row["seed"]))]
    if row["is_base"]:
        named.append(("LoRA", "none: the base model alone"))
    else:
        named += [
            ("pattern", row["label"]),
            ("training seed", str(row["train_seed"])),
            ("checkpoint", f"{row['updates']:,} updates, {row['images_seen']:,} images seen"),
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
    if pd.notna(row["face_px"]):
        found.append(("face", f"{row['face_px']:.0f} px"))
    if pd.notna(row["clip_t"]):
        found.append(("prompt adherence", f"cosine {row['clip_t']:.3f} ({row['clip_judge']})"))
    else:
        found.append(("prompt adherence", no_score(row["clip_status"])))
    for axis in HUMAN_AXES:
        if pd.notna(row[f"human_{axis}"]):
            found.append((f"{axis}, rated", f"{row[f'human_{axis}']:.0f}"))
    return found


def no_score(status: Any) -> str:
    """Why there is no score; a preview that nobody has looked at has no status."""
    return score_status(status) if isinstance(status, str) else "not judged yet"
