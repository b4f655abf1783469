"""Train a LoRA that memorises one photo, and one that learns the person, and see which previews are called copies."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer import EMBEDDED
from trainer.config import TrainConfig
from workbench.dataset.photo_file import read_photo
from workbench.judges import clip_judge_info, face_judge_info
from workbench.scores.copying import is_face_copy, is_picture_copy
from workbench.scores.likeness import Calibration, Rgb, calibrate, on_scale
from workbench.scores.look import LookScale, calibrate_look, score_look
from workbench.scores.one_photo import (
    FACE,
    LAYOUT,
    LOOK,
    MEASURES,
    concentration,
    copied_by,
    popular_share,
    usual_shares,
    verdict,
)
from workbench.scores.scoring import ScoreResult, score_faces
from workbench.sweep.miniature import BASELINE, PLAN

SIDE_PX = 64  # of the miniature's previews
SEED = 1
# One photo, seen 200 times through many parameters, rate falling to 0. Found by trying: weaker recipes copy less
# exactly and are flagged less, and not every photo can be memorised this way (docs/validity.md lists all tries).
MEMORISES: dict[str, Any] = {
    **BASELINE,
    "dim": 32,
    "alpha": 32.0,
    "conv_dim": 16,
    "batch_size": 1,
    "lr_scheduler": "cosine",
    "epochs": 200,
    "save_every": 200,
}
MEMORISED = 8  # the photo, seen from the front


@dataclass(frozen=True)
class Trial:
    """What became of one LoRA's previews of the identity prompts."""

    photos: int  # trained on
    updates: int
    pictures: int
    faces: int
    likeness: float | None  # mean points of those with a face
    face_copies: int
    picture_copies: int
    verdict: str  # on the LoRA as a whole; see one_photo.py
    copy_of: int | None
    nearest: dict[str, tuple[int, int, int]]  # measure -> most popular photo, previews nearest to it, of how many


class Eyes:
    """The embedded judges, and subject A's photos as they see them."""

    def __init__(self) -> None:
        from workbench.judges.clip import ClipJudge
        from workbench.judges.face import FaceJudge

        face, clip = face_judge_info("embedded"), clip_judge_info("embedded")
        assert face is not None and clip is not None  # they ship
        self.face, self.clip = FaceJudge(face, "cpu"), ClipJudge(clip)
        train, reference = shipped("subject_a/train"), shipped("subject_a/reference")
        others = shipped("others")
        self.faces: Calibration = calibrate(self.face, train, reference, others, SIDE_PX)
        self.look: LookScale = calibrate_look(self.clip, train, reference, others, SIDE_PX)

    def trial(self, pictures: Sequence[Rgb], photos: int, updates: int, base_row: Sequence[Rgb] = ()) -> Trial:
        """Count the copies among pictures, and judge all together. ``base_row``: the same previews without a LoRA."""
        scores, looks = self.see(pictures)
        points = [on_scale(s.value, self.faces.strangers, self.faces.real) for s in scores if s.value is not None]
        faces, look = ({"detail": json.dumps(scale.detail)} for scale in (self.faces, self.look))
        face_flags = [is_face_copy(score.detail, faces) for score in scores]
        picture_flags = [is_picture_copy(score.detail, look) for score in looks]
        own = [score for score in scores if score.value is not None and score.value >= (self.faces.threshold or -1.0)]
        nearest, usual = {**nearest_photos(scores, looks), FACE: nearest_faces(own)}, self.usual(base_row)
        found = copied_by(nearest, usual)
        each = [concentration(name, nearest[name], usual.get(name)) for name in MEASURES]
        return Trial(
            photos=photos,
            updates=updates,
            pictures=len(pictures),
            faces=len(points),
            likeness=sum(points) / len(points) if points else None,
            face_copies=sum(face_flags),
            picture_copies=sum(picture_flags),
            verdict=verdict(found, sum(face_flags) + sum(picture_flags)),
            copy_of=found.photo if found is not None and found.is_copy else None,
            nearest={most.measure: (most.photo, most.k, most.n) for most in each if most is not None},
        )

    def see(self, pictures: Sequence[Rgb]) -> tuple[list[ScoreResult], list[ScoreResult]]:
        """Likeness and look of each picture."""
        looks = score_look(self.clip, self.look, pictures, [None] * len(pictures))
        return score_faces(self.face, self.faces, pictures), [seen.scores[0] for seen in looks]

    def usual(self, base_row: Sequence[Rgb]) -> dict[str, float]:
        """Share of pictures that copy nothing, real photos and the base row, that are nearest to one photo."""
        look, base = self.look.detail, nearest_photos(*self.see(base_row))
        real = {LAYOUT: look["hash_popular"], LOOK: look["popular"], FACE: self.faces.detail["popular"]}
        return usual_shares(real, {name: popular_share(photos) for name, photos in base.items()})


def nearest_photos(scores: Sequence[ScoreResult], looks: Sequence[ScoreResult]) -> Mapping[str, list[int]]:
    """Measure -> the nearest train photo of each picture that has one."""
    return {
        LAYOUT: [seen.detail["hash_train_photo"] for seen in looks],
        LOOK: [seen.detail["nearest_train_photo"] for seen in looks],
        FACE: nearest_faces(scores),
    }


def nearest_faces(scores: Sequence[ScoreResult]) -> list[int]:
    """The train photo whose face is nearest, of each picture with a face."""
    return [score.detail["nearest_train_photo"] for score in scores if score.value is not None]


def shipped(folder: str) -> list[Rgb]:
    """Shipped photos, by name."""
    import numpy as np

    return [np.asarray(read_photo(path)) for path in sorted((EMBEDDED / "subjects" / folder).glob("*.jpg"))]


def draw(base: Any, config: TrainConfig, photos: Sequence[Any], folder: Path) -> tuple[list[Rgb], int]:
    """Train on the photos, and render the demo's identity prompts with the last LoRA file: pictures, and updates."""
    from trainer.events import Failed, Saved
    from trainer.lora import Job, train

    job = Job("trial", config, SEED, photos, folder, "trial", "zwx", "woman")
    saved = None
    for event in train(base, [job]):
        if isinstance(event, Failed):
            raise RuntimeError(f"The trial's training failed: {event.params['what']}")
        saved = event if isinstance(event, Saved) else saved
    assert saved is not None  # the last update always saves
    return previews(base, folder / saved.file), saved.update


def previews(base: Any, lora: Path | None) -> list[Rgb]:
    """The demo's identity prompts, drawn with a LoRA file or by the base alone."""
    from trainer.preview import Cell, Sampling, render

    texts = [p.text.format(trigger="zwx", class_noun="woman") for p in PLAN.prompts if p.role == "identity"]
    cells = [Cell(f"{text}/{seed}", text, seed) for text in texts for seed in PLAN.seeds]
    return [picture.pixels for picture in render(base, lora, cells, Sampling(steps=PLAN.steps, cfg=PLAN.cfg))]
