"""Pictures beside the training photo that they are nearest to: what was copied, and by how much."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import pandas as pd

from workbench.findings.copied import copy_words
from workbench.pictures.gallery import photo_url, preview_url, saved_at
from workbench.scores.one_photo import ONE_PHOTO

Row = Mapping[str, Any]

NEEDED = ("nearest_photo", "copy_gap", "face_copy", "picture_copy")
TOLD = ("token", "label", "strength", "epoch", "images_seen", "updates", *NEEDED)  # of a picture, by its pair


@dataclass(frozen=True)
class CopyPair:
    """One picture and its nearest training photo. ``words``: how near, in words; ``flags``: face, whole picture."""

    token: str
    picture: str  # address of each
    photo: str
    photo_name: str
    where: str
    words: str
    flags: tuple[str, ...]


class Pairs(Sequence[CopyPair]):
    """Pairs that are made when they are looked at: of ten thousand a page shows six."""

    def __init__(self, rows: pd.DataFrame, photos: Mapping[int, Row]) -> None:
        self.rows, self.photos = rows, photos

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> CopyPair: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[CopyPair, ...]: ...
    def __getitem__(self, place: int | slice) -> CopyPair | tuple[CopyPair, ...]:
        if isinstance(place, int):
            return self[place : place + 1 or None][0]
        return tuple(pair(row, self.photos[row["nearest_photo"]]) for row in self.rows.iloc[place].to_dict("records"))

    def __iter__(self) -> Iterator[CopyPair]:
        return iter(self[:])


@dataclass(frozen=True)
class Copies:
    """All pairs, the flagged ones first, and how many pictures were looked at."""

    pairs: Pairs
    n_checked: int
    n_faces: int  # flagged
    n_pictures: int

    @property
    def flagged(self) -> Pairs:
        return Pairs(self.pairs.rows[self.pairs.rows["n_flags"] > 0], self.pairs.photos)


def copies(previews: pd.DataFrame, photos: Iterable[Row], held: Collection[str] = ()) -> Copies | None:
    """Which training photo each picture of a LoRA is nearest to; None where that was not measured.

    ``photos``: the training photos; ``held``: tokens of pictures that wait to be rated, and are left out. Ordered by
    flags, then by how far the nearest training photo is ahead of the nearest reference photo.
    """
    by_id = {photo["id"]: photo for photo in photos}
    rows = looked_at(previews, by_id)
    return None if rows is None else copies_among(rows, by_id, held)


def looked_at(previews: pd.DataFrame, photo_ids: Collection[int]) -> pd.DataFrame | None:
    """The pictures of LoRAs whose nearest training photo is known, in the order of :func:`copies`; None without any."""
    if not set(NEEDED) <= set(previews):
        return None
    wanted = ~previews["is_base"] & previews["nearest_photo"].isin(list(photo_ids)) & ~previews["is_final"]
    rows = previews.loc[wanted, list(TOLD)]
    if rows.empty:
        return None
    flags = (rows["face_copy"] == 1).astype(int) + (rows["picture_copy"] == 1).astype(int)
    return rows.assign(n_flags=flags).sort_values(["n_flags", "copy_gap"], ascending=False, kind="stable")


def copies_among(rows: pd.DataFrame, photos: Mapping[int, Row], held: Collection[str] = ()) -> Copies:
    """What :func:`looked_at` has found, without the pictures that are held back. ``photos``: by their id."""
    shown = rows[~rows["token"].isin(list(held))] if held else rows
    return Copies(
        Pairs(shown, photos),
        n_checked=len(rows),
        n_faces=int((rows["face_copy"] == 1).sum()),
        n_pictures=int((rows["picture_copy"] == 1).sum()),
    )


def pair(row: Row, photo: Row) -> CopyPair:
    """A picture with the training photo that it is nearest to."""
    names = (("face_copy", "face"), ("picture_copy", "whole picture"))
    strength = f", strength {row['strength']:g}" if row["strength"] != 1 else ""
    return CopyPair(
        token=row["token"],
        picture=preview_url(row["token"], full=True),
        photo=photo_url(photo),
        photo_name=photo["name"],
        where=f"{row['label']}, {saved_at(row)}{strength}",
        words=how_near(row["copy_gap"]),
        flags=tuple(name for column, name in names if row[column] == 1),
    )


def how_near(gap: float) -> str:
    """The gap in a sentence; ``gap``: points of the likeness scale beyond what is usual between real photos."""
    if pd.isna(gap):
        return "No face to compare."
    if gap <= 0:
        return "Its face is no nearer to this training photo than real photos are to each other."
    return f"Its face is nearer to this training photo than to any reference photo by {gap:.0f} points more than usual."


def share_words(found: Copies) -> str:
    """How many pictures are flagged, in a sentence."""
    if not found.n_faces and not found.n_pictures:
        return f"None of {found.n_checked:,} pictures is flagged as a copy of a training photo."
    parts = [f"{n:,} by the {what}" for n, what in ((found.n_faces, "face"), (found.n_pictures, "whole picture")) if n]
    return f"Flagged as copies of a training photo, of {found.n_checked:,} pictures: {' and '.join(parts)}."


def lora_copies(checkpoints: pd.DataFrame, photos: Iterable[Row]) -> list[str] | None:
    """Each LoRA file whose previews copy one photo, in a sentence; None where none could be looked at.

    ``checkpoints``: the table of findings/analysis.py; ``photos``: the training photos.
    """
    if not checkpoints["copy_n"].notna().any():
        return None
    names = {photo["id"]: photo["name"] for photo in photos}
    rows = checkpoints[(checkpoints["copy_verdict"] == ONE_PHOTO) & checkpoints["copy_of"].isin(list(names))]
    return [f"{lora_name(row)}: {copy_words(row, names[row['copy_of']])}" for row in rows.to_dict("records")]


def lora_name(row: Row) -> str:
    """Which LoRA file a row of the checkpoint table is of."""
    seed = f", seed {row['train_seed']}" if row["train_seed"] >= 0 else ""
    return f"{row['label']}{seed}, {saved_at(row)}"
