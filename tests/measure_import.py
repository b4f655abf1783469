"""Time the import of 500 pictures with scoring: python tests/measure_import.py [SIDE_PX ...] (default: 64 512)."""

import random
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from trainer import EMBEDDED
from workbench.elsewhere.pictures.import_pictures import NewProject, import_pictures
from workbench.elsewhere.pictures.judge_here import judge_here
from workbench.workspace import Workspace

SUBJECT = EMBEDDED / "subjects" / "subject_a"
PROMPTS = ("photo of zwx woman", "zwx woman at the beach", "painting of zwx woman", "photo of a woman", "zwx, smiling")
EPOCHS, SEEDS = 20, (1, 2, 3, 4, 5)


def make_pictures(folder: Path, side_px: int, epochs: int = EPOCHS) -> int:
    """Samples under kohya's names: photos of the shipped subject with noise and brightness of their own."""
    rng = random.Random(0)
    photos = [Image.open(path).convert("RGB") for path in sorted((SUBJECT / "train").glob("*.jpg"))]
    n = 0
    folder.mkdir(parents=True)
    for epoch, prompt, seed in product(range(1, epochs + 1), range(len(PROMPTS)), SEEDS):
        photo = rng.choice(photos).resize((side_px, side_px), Image.Resampling.LANCZOS)
        noise = np.random.default_rng(n).normal(0, 12 - epoch / 2, (side_px, side_px, 3))
        pixels = np.clip(np.asarray(photo) * rng.uniform(0.9, 1.1) + noise, 0, 255).astype(np.uint8)
        name = f"anna_e{epoch:06d}_{prompt:02d}_20240101120000_{seed}.png"
        Image.fromarray(pixels).save(folder / name, compress_level=1)
        n += 1
    (folder / "sample_prompts.txt").write_text("\n".join(PROMPTS), encoding="utf-8")
    return n


def measure(side_px: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        n = make_pictures(Path(place, "sample"), side_px)
        ws = Workspace(Path(place, "workspace"))
        start = time.perf_counter()
        new = NewProject("measured", "zwx", "woman")
        photos = {"training": SUBJECT / "train", "unseen": SUBJECT / "reference"}
        done = import_pictures(ws, Path(place, "sample"), new=new, **photos)
        imported = time.perf_counter()
        why_not = judge_here(ws, ws.open(), done.project_id)
        scored = time.perf_counter()
        print(
            f"{side_px} px: {n} pictures, import {imported - start:.1f} s, scoring {scored - imported:.1f} s, "
            f"together {scored - start:.1f} s {' '.join(why_not)}"
        )


if __name__ == "__main__":
    for side in [int(text) for text in sys.argv[1:]] or [64, 512]:
        measure(side)
