"""Copy pictures into the workspace: their pixels and nothing that tells where they are from."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from workbench.dataset.photo_file import MIN_SIDE_PX
from workbench.elsewhere.pictures.layout import Cell
from workbench.elsewhere.pictures.picture_file import BrokenPicture, read_pixels
from workbench.elsewhere.problem import Problem
from workbench.scores.preview_file import write_preview

Copy = dict[str, Any]  # what write_preview says of a picture, its files with the folder's path
OnProgress = Callable[[int, int, str], None]  # done, all, name of the picture at work
MOST_THREADS = 8


def write_copies(
    cells: Sequence[Cell], folder: Path, on_progress: OnProgress | None = None
) -> tuple[list[tuple[Cell, Copy]], list[Problem]]:
    """Write every cell's picture and thumbnail into a folder; those that can't be read are problems.

    Files are read once, also those that hold several cells. Decoding and encoding let other threads run.
    """
    files = [list(group) for _, group in groupby(cells, key=lambda cell: cell.picture.file)]
    written: list[tuple[Cell, Copy]] = []
    problems: list[Problem] = []
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
        try:
            for group, result in zip(files, pool.map(lambda group: _write(group, folder), files), strict=True):
                if isinstance(result, Problem):
                    problems.append(result)
                else:
                    written += zip(group, result, strict=True)
                if on_progress:
                    on_progress(len(written), len(cells), group[0].picture.name)
        except BaseException:
            pool.shutdown(cancel_futures=True)  # else Ctrl-C would wait for all of them
            raise
    return written, problems


def _write(cells: Sequence[Cell], folder: Path) -> list[Copy] | Problem:
    """The pictures of one file."""
    picture = cells[0].picture
    name = picture.name if picture.box is None else picture.name.rpartition(" [")[0]
    try:
        pixels = read_pixels(picture.file, name)
        if min(pixels.shape[:2]) < MIN_SIDE_PX:
            raise BrokenPicture(name, f"is under {MIN_SIDE_PX} px a side.")
        return [_write_one(pixels, cell, folder) for cell in cells]
    except BrokenPicture as error:
        return error.problem


def _write_one(pixels: np.ndarray, cell: Cell, folder: Path) -> Copy:
    left, top, right, bottom = cell.picture.box or (0, 0, pixels.shape[1], pixels.shape[0])
    copy = write_preview(folder, np.ascontiguousarray(pixels[top:bottom, left:right]), finite=True)
    return {**copy, "file": folder / copy["file"], "thumb": folder / copy["thumb"]}
