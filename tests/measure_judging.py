"""Pictures judged per second, beside a plain loop over the same models: ``python tests/measure_judging.py``.

The loop is what one writes first: open a picture with Pillow, ``FaceAnalysis.get``, cosines to the reference faces;
then open_clip's preprocess and ``encode_image``, one picture at a time, with the libraries' own settings. Ours is
``Studio.score`` with a face job and a CLIP job, as the engine does them, which also measures look, copying and
picture hashes. Rounds alternate, so that whatever else the machine does meets both; where it does much else, the
processor time that a picture takes says more than the clock.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the engine is started, for both
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import numpy as np
import open_clip
import torch
from insightface.app import FaceAnalysis
from PIL import Image

from trainer import EMBEDDED
from workbench.judges import clip_judge_info, face_judge_info
from workbench.scores.studio import Studio

SUBJECTS = EMBEDDED / "subjects"
PROMPT = "photo of woman, smiling, plain gray background"


def main() -> None:
    """Measure and print a row per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 512])
    args = parser.parse_args()
    print(f"{args.pictures} pictures, {args.rounds} rounds each, {os.cpu_count()} cores; medians")
    with tempfile.TemporaryDirectory() as folder:
        for side in args.sizes:
            files = pictures(Path(folder), args.pictures, side)
            loop, ours = peer(files), studio(files, side)
            loop(), ours()  # loads, calibrates, warms up
            times: dict[str, list[tuple[float, float]]] = {"loop": [], "ours": []}
            for n in range(args.rounds):
                pair = [("loop", loop), ("ours", ours)]
                for name, judge in pair if n % 2 else reversed(pair):
                    times[name].append(timed(judge))
            rates = {name: [len(files) / wall for wall, _ in each] for name, each in times.items()}
            work = {name: [cpu / len(files) * 1000 for _, cpu in each] for name, each in times.items()}
            faster = [a / b for a, b in zip(rates["ours"], rates["loop"], strict=True)]
            less = [a / b for a, b in zip(work["loop"], work["ours"], strict=True)]
            rate, cpu = ({name: statistics.median(each) for name, each in all.items()} for all in (rates, work))
            print(
                f"{side} px: loop {rate['loop']:.1f}, ours {rate['ours']:.1f} pictures/s, ratio {spread(faster)}; "
                f"processor time loop {cpu['loop']:.1f}, ours {cpu['ours']:.1f} ms a picture, ratio {spread(less)}; "
                f"load {os.getloadavg()[0] if hasattr(os, 'getloadavg') else float('nan'):.1f}"
            )


def pictures(folder: Path, count: int, side: int) -> list[Path]:
    """Portraits of the shipped people as PNG files of ``side`` px."""
    shipped = sorted(SUBJECTS.rglob("*.jpg"))
    files = [folder / f"{side}_{n:04d}.png" for n in range(count)]
    for n, file in enumerate(files):
        with Image.open(shipped[n % len(shipped)]) as photo:
            photo.convert("RGB").resize((side, side), Image.Resampling.LANCZOS).save(file)
    return files


def timed(judge: Callable[[], None]) -> tuple[float, float]:
    """Seconds of one round, by the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    judge()
    return time.perf_counter() - wall, time.process_time() - cpu


def spread(ratios: list[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def peer(files: list[Path]) -> Callable[[], None]:
    """One picture after the other, through the same models."""
    faces = FaceAnalysis(name=str(EMBEDDED / "faces"), allowed_modules=["detection", "recognition"])
    faces.prepare(ctx_id=-1)
    open_clip.add_model_config(EMBEDDED / "clip" / "portrait-mini.json")
    weights = str(EMBEDDED / "clip" / "open_clip_model.safetensors")
    model, _, preprocess = open_clip.create_model_and_transforms("portrait-mini", pretrained=weights)
    model.eval()
    with torch.no_grad():
        text = torch.nn.functional.normalize(model.encode_text(open_clip.get_tokenizer("portrait-mini")([PROMPT])))
    photos = sorted((SUBJECTS / "subject_a" / "reference").glob("*.jpg"))
    reference = np.array([faces.get(cv2.imread(str(photo)))[0].normed_embedding for photo in photos])

    def loop() -> None:
        for file in files:
            picture = Image.open(file).convert("RGB")
            found = faces.get(np.asarray(picture)[:, :, ::-1])
            if found:
                float((reference @ found[0].normed_embedding).mean())
            with torch.no_grad():
                vector = model.encode_image(preprocess(picture).unsqueeze(0))
                float((torch.nn.functional.normalize(vector) @ text.T).item())

    return loop


def studio(files: list[Path], side: int) -> Callable[[], None]:
    """Both jobs of the engine."""
    judging = Studio("cpu")
    sides = {name: sorted((SUBJECTS / "subject_a" / name).glob("*.jpg")) for name in ("train", "reference")}
    sides["strangers"] = sorted((SUBJECTS / "others").glob("*.jpg"))
    photos = {**{name: [str(file) for file in each] for name, each in sides.items()}, "size_px": side}
    wanted = [{"preview_id": n, "file": str(file), "status": "ok", "prompt": PROMPT} for n, file in enumerate(files)]
    infos = [face_judge_info("embedded"), clip_judge_info("embedded")]

    def ours() -> None:
        judging.kept.clear()  # nothing read in the round before
        for info in infos:
            rows = [row for batch in judging.score(asdict(info), photos, wanted) for row in batch]
            assert len(rows) >= len(files)

    return ours


if __name__ == "__main__":
    main()
