"""Where pictures are judged: loaded judges, and the faces that each has already seen. Runs inside the engine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.judges import JudgeInfo
from workbench.likeness import Calibration, calibrate
from workbench.photo_file import BrokenPhoto, read_photo
from workbench.scoring import LIKENESS, ScoreResult, score_clip, score_faces

BATCH = 32  # pictures in memory at a time
NOT_JUDGED = ("black", "flat", "non_finite")  # there is nothing on them that a judge could see
Photos = dict[str, Any]  # train, reference, strangers: lists of files; size_px


class Studio:
    """Judges stay loaded and scales stay measured for as long as the engine lives."""

    def __init__(self, device: str) -> None:
        self.device = device  # cpu or cuda
        self.loaded: dict[str, Any] = {}
        self.calibrations: dict[str, Calibration] = {}

    def judge(self, info: JudgeInfo) -> Any:
        """The loaded judge; loading takes from one to fifteen seconds, once."""
        if info.key not in self.loaded:
            if info.kind == "face":
                from workbench.judges.face import FaceJudge

                self.loaded[info.key] = FaceJudge(info, self.device)
            else:
                from workbench.judges.clip import ClipJudge

                self.loaded[info.key] = ClipJudge(info, self.device)
        return self.loaded[info.key]

    def calibration(self, info: JudgeInfo, photos: Photos) -> Calibration:
        """The ends of the likeness scale on these photos, measured once."""
        key = f"{info.key}|{photos!r}"
        if key not in self.calibrations:
            train, reference, strangers = (pictures(photos[side]) for side in ("train", "reference", "strangers"))
            found = calibrate(self.judge(info), train, reference, strangers, photos["size_px"])
            self.calibrations[key] = found
        return self.calibrations[key]

    def calibrate(self, judge: dict[str, Any], photos: Photos) -> dict[str, Any]:
        """Measure a scale: its ends in raw cosine, and how many faces were found on each side."""
        found = self.calibration(JudgeInfo(**judge), photos)
        return {"real": found.real, "strangers": found.strangers, "counts": found.counts}

    def score(self, metric: str, judge: dict[str, Any], photos: Photos | None, wanted: list[Any]) -> list[Any]:
        """Score pictures ({preview_id, file, status, prompt}) in batches; the results keep their order.

        A picture that shows nothing is not judged: its own status is the reason.
        """
        info = JudgeInfo(**judge)
        rows = [row_of(row, ScoreResult(metric, None, row["status"])) for row in wanted if row["status"] in NOT_JUDGED]
        seen = [row for row in wanted if row["status"] not in NOT_JUDGED]
        for start in range(0, len(seen), BATCH):
            readable, unreadable = sort_out(seen[start : start + BATCH])
            images = [image for _, image in readable]
            results: list[ScoreResult] = []
            if images and metric == LIKENESS:
                assert photos is not None
                results = score_faces(self.judge(info), self.calibration(info, photos), images)
            elif images:
                results = score_clip(self.judge(info), images, [row["prompt"] for row, _ in readable])
            rows += [row_of(row, result) for (row, _), result in zip(readable, results, strict=True)]
            rows += [row_of(row, ScoreResult(metric, None, "error", {"message": why})) for row, why in unreadable]
        return rows


def sort_out(wanted: list[Any]) -> tuple[list[tuple[Any, np.ndarray]], list[tuple[Any, str]]]:
    """Pictures that can be read, with their pixels; and the others, with the reason."""
    readable, unreadable = [], []
    for row in wanted:
        try:
            readable.append((row, np.asarray(read_photo(Path(row["file"])))))
        except (BrokenPhoto, OSError) as error:
            unreadable.append((row, str(error)))
    return readable, unreadable


def row_of(picture: dict[str, Any], result: ScoreResult) -> dict[str, Any]:
    """A score as the worker stores it."""
    return {
        "preview_id": picture["preview_id"],
        "value": result.value,
        "status": result.status,
        "detail": result.detail,
    }


def pictures(files: Sequence[str]) -> list[np.ndarray]:
    """Read pictures as uint8 RGB (height, width, 3), the way up that a viewer shows them."""
    return [np.asarray(read_photo(Path(file))) for file in files]
