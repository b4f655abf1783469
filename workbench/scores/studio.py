"""Where pictures are judged: loaded judges, and the photos that each has already seen. Runs inside the engine."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.dataset.photo_file import BrokenPhoto, read_photo
from workbench.judges import JudgeInfo
from workbench.judges.find import EMBEDDED_WORLD, face_judge_info
from workbench.judges.threads import n_threads, tasks
from workbench.judges.world import check_world, spread
from workbench.scores.likeness import Calibration, calibrate
from workbench.scores.look import CLIP_I, LookScale, calibrate_look, packed, score_look
from workbench.scores.scoring import CLIP_T, LIKENESS, ScoreResult, score_faces

BATCH = 32  # pictures that are judged at a time
AHEAD = 2  # batches that are read meanwhile
KEPT_BYTES = 384 * 2**20  # of pictures that stay for the next judge: 512 of 512 px
NOT_JUDGED = ("black", "flat", "non_finite")  # there is nothing on them that a judge could see
Photos = dict[str, Any]  # train, reference, strangers: lists of files; size_px
Row = dict[str, Any]
Rgb = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Read:
    """A picture ({preview_id, file, status, prompt}) that was read, or why there is nothing on it to judge."""

    picture: Row
    image: Rgb | None
    status: str = "ok"
    detail: dict[str, str] = field(default_factory=dict)


class Studio:
    """Judges stay loaded and scales stay measured for as long as the engine lives."""

    def __init__(self, device: str) -> None:
        self.device = device  # cpu or cuda
        self.loaded: dict[str, Any] = {}
        self.scales: dict[str, Calibration | LookScale] = {}
        self.kept: dict[str, Rgb] = {}  # by file: mostly another judge wants the same pictures next
        self.readers = ThreadPoolExecutor(n_threads(), thread_name_prefix="reading")

    def judge(self, info: JudgeInfo) -> Any:
        """The loaded judge; loading takes from one to fifteen seconds, once."""
        if info.key not in self.loaded:
            self.loaded[info.key] = load(info, self.device)
        return self.loaded[info.key]

    def scale(self, info: JudgeInfo, photos: Photos) -> Any:
        """What the photos look like to a judge, measured once: a Calibration of faces or a LookScale of CLIP's.

        Raises WrongWorld where the judge was not made for these photos, CalibrationError where they give no scale.
        """
        key = f"{info.key}|{photos!r}"
        if key not in self.scales:
            train, reference, strangers = (self.read(photos[side]) for side in ("train", "reference", "strangers"))
            if info.world == EMBEDDED_WORLD:
                check_world(info.kind, [*train, *reference], "the subject's photos")
                check_world(info.kind, strangers, "the photos of other people")
            measure: Any = calibrate if info.kind == "face" else calibrate_look
            self.scales[key] = measure(self.judge(info), train, reference, strangers, photos["size_px"])
        return self.scales[key]

    def calibrate(self, judge: Row, photos: Photos) -> Row:
        """Measure a scale: its ends in raw cosine, the photos that count on each side, the threshold, and the rest."""
        found = self.scale(JudgeInfo(**judge), photos)
        return {name: getattr(found, name) for name in ("real", "strangers", "counts", "threshold", "detail")}

    def score(self, judge: Row, photos: Photos | None, pictures: Sequence[Row]) -> Iterator[list[Row]]:
        """Score pictures ({preview_id, file, status, prompt}): the rows of each batch, in order, as it is judged.

        A face judge needs the photos and gives likeness. A CLIP judge gives clip_t to pictures with a prompt, and with
        photos clip_i; what it saw goes along as ``vector``. A picture that shows nothing, or can't be read, has no
        value and that status. Raises JudgeUnavailable and what ``scale`` raises, before the first batch.
        """
        info = JudgeInfo(**judge)
        looker = self.judge(info)
        if photos is None and info.world == EMBEDDED_WORLD:
            self.check_pictures(info, pictures)
        scale = self.scale(info, photos) if photos is not None else None
        for batch in self.read_ahead(pictures):
            yield judged(info, looker, scale, batch)
            self.keep(batch)

    def check_pictures(self, info: JudgeInfo, pictures: Sequence[Row]) -> None:
        """Raise WrongWorld for pictures without photos that show other people than the embedded judges know.

        Only pictures with a face tell anything: what a broken LoRA draws is as far from a portrait as a photo is.
        """
        faces = face_judge_info("embedded")
        assert faces is not None
        images = [each.image for each in map(read_picture, spread(pictures)) if each.image is not None]
        found = self.judge(faces).faces_many(images)
        check_world(info.kind, [image for image, seen in zip(images, found, strict=True) if seen], "the pictures")

    def read(self, files: Sequence[str]) -> list[Rgb]:
        """Photos as uint8 RGB (height, width, 3), the way up that a viewer shows them. Raises BrokenPhoto."""
        return list(self.readers.map(pixels, files))

    def read_ahead(self, pictures: Sequence[Row]) -> Iterator[list[Read]]:
        """Batches of pictures; while one is judged, the next AHEAD are read."""
        waiting: deque[list[Future[list[Read]]]] = deque()
        files = {picture["file"] for picture in pictures}
        self.kept = {file: image for file, image in self.kept.items() if file in files}
        for start in range(0, len(pictures), BATCH):
            batch = pictures[start : start + BATCH]
            waiting.append([self.readers.submit(self.read_some, some) for some in tasks(batch)])
            if len(waiting) > AHEAD:
                yield [read for some in waiting.popleft() for read in some.result()]
        while waiting:
            yield [read for some in waiting.popleft() for read in some.result()]

    def read_some(self, pictures: Sequence[Row]) -> list[Read]:
        """Pictures that were kept, or are read."""
        kept = [self.kept.get(picture["file"]) for picture in pictures]
        return [
            read_picture(picture) if image is None else Read(picture, image)
            for picture, image in zip(pictures, kept, strict=True)
        ]

    def keep(self, batch: Sequence[Read]) -> None:
        """Keep what was read as far as there is room: the first of a job, since the next judge begins there too."""
        room = KEPT_BYTES - sum(image.nbytes for image in self.kept.values())
        for read in batch:
            if read.image is not None and read.picture["file"] not in self.kept and read.image.nbytes <= room:
                self.kept[read.picture["file"]] = read.image
                room -= read.image.nbytes


def load(info: JudgeInfo, device: str) -> Any:
    """A judge of either kind, loaded. Raises JudgeUnavailable."""
    if info.kind == "clip":
        from workbench.judges.clip import ClipJudge

        return ClipJudge(info, device)
    if info.version.startswith("dlib "):  # a folder with a pack may be called dlib
        from workbench.judges.dlib_face import DlibJudge

        return DlibJudge(info)
    from workbench.judges.face import FaceJudge

    return FaceJudge(info, device)


def judged(info: JudgeInfo, judge: Any, scale: Any, batch: Sequence[Read]) -> list[Row]:
    """The rows of a batch, in its order."""
    seen = iter(look_at(info, judge, scale, [read for read in batch if read.image is not None]))
    rows = []
    for read in batch:
        results, vector = next(seen) if read.image is not None else (without_value(info, scale, read), None)
        for result in results:
            row = {"preview_id": read.picture["preview_id"], "metric": result.metric, "value": result.value}
            rows.append({**row, "status": result.status, "detail": result.detail})
        if vector and results:  # once for a picture
            rows[-1]["vector"] = vector
    return rows


def look_at(
    info: JudgeInfo, judge: Any, scale: Any, batch: Sequence[Read]
) -> list[tuple[Sequence[ScoreResult], str | None]]:
    """What a judge says of pictures: results, and for CLIP the vector."""
    images = [read.image for read in batch if read.image is not None]
    if info.kind == "face":
        return [([result], None) for result in score_faces(judge, scale, images)]
    looked = score_look(judge, scale, images, [read.picture["prompt"] for read in batch])
    return [(each.scores, packed(each.vector)) for each in looked]


def without_value(info: JudgeInfo, scale: Any, read: Read) -> list[ScoreResult]:
    """Why a picture has none of the values that it would have."""
    if info.kind == "face":
        metrics = [LIKENESS]
    else:
        metrics = [CLIP_T] * (read.picture["prompt"] is not None) + [CLIP_I] * (scale is not None)
    return [ScoreResult(metric, None, read.status, read.detail) for metric in metrics]


def read_picture(picture: Row) -> Read:
    """A picture's pixels, or the reason why there is nothing to judge."""
    if picture["status"] in NOT_JUDGED:
        return Read(picture, None, picture["status"])
    try:
        return Read(picture, pixels(picture["file"]))
    except (BrokenPhoto, OSError) as error:
        return Read(picture, None, "error", {"message": str(error)})


def pixels(file: str) -> Rgb:
    """A picture as uint8 RGB (height, width, 3)."""
    return np.asarray(read_photo(Path(file)))
