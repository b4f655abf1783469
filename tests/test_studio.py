"""Where pictures are judged: every status arrives for real, in batches, with the same numbers as one by one."""

import base64
import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db import library, results
from trainer import EMBEDDED
from trainer.config import TrainConfig
from workbench.dataset.photos import add_folder
from workbench.judges import JudgeUnavailable, WrongWorld, clip_judge_info, face_judge_info
from workbench.judges.threads import in_threads
from workbench.plans.plan import EvalPlan, Prompt
from workbench.projects import add_project
from workbench.running import queue
from workbench.running.engine import Engine, why
from workbench.running.worker import Worker
from workbench.scores import studio as studio_module
from workbench.scores.picture import picture_status
from workbench.scores.studio import AHEAD, BATCH, KEPT_BYTES, Studio
from workbench.sweep import patterns
from workbench.workspace import Workspace

SUBJECTS = EMBEDDED / "subjects"
FACE, CLIP = asdict(face_judge_info("embedded")), asdict(clip_judge_info("embedded"))
PROMPT = "photo of woman, smiling, plain gray background"


@pytest.fixture(scope="module")
def judging():
    return Studio("cpu")


@pytest.fixture(scope="module")
def photos():
    """What a scale is measured from."""
    sides = {side: sorted((SUBJECTS / "subject_a" / side).glob("*.jpg")) for side in ("train", "reference")}
    sides["strangers"] = sorted((SUBJECTS / "others").glob("*_0.jpg"))
    return {**{side: [str(file) for file in files] for side, files in sides.items()}, "size_px": 128}


def portrait(name="subject_a/train/20", side=128):
    return np.asarray(Image.open(SUBJECTS / f"{name}.jpg").convert("RGB").resize((side, side)))


def on_gray(*placed):
    """Pictures at (x, y) on a gray square of 128 px."""
    canvas = np.full((128, 128, 3), 128, np.uint8)
    for picture, x, y in placed:
        canvas[y : y + len(picture), x : x + len(picture)] = picture
    return canvas


def wanted(folder, pictures, prompt=PROMPT):
    """Pictures as a job names them, written to ``folder``."""
    rows = []
    for n, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / f"{n}.png")
        status = picture_status(pixels)
        rows.append({"preview_id": n, "file": str(folder / f"{n}.png"), "status": status, "prompt": prompt})
    return rows


def all_rows(batches):
    return [row for batch in batches for row in batch]


def test_every_picture_gets_a_value_or_the_reason_for_none(tmp_path, judging, photos):
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    pictures = {
        "ok": portrait(),
        "no_face": noise,
        "several_faces": on_gray((portrait(side=64), 0, 32), (portrait("others/12_1", 64), 64, 32)),
        "small_face": on_gray((portrait(side=22), 46, 46)),
        "black": np.zeros((128, 128, 3), np.uint8),
        "flat": np.full((128, 128, 3), 90, np.uint8),
        "non_finite": portrait(),
        "error": portrait(),
    }
    jobs = wanted(tmp_path, pictures.values())
    jobs[6]["status"] = "non_finite"  # as it was when it was rendered
    Path(jobs[7]["file"]).write_bytes(b"not a picture")
    rows = all_rows(judging.score(FACE, photos, jobs))
    assert [row["status"] for row in rows] == list(pictures)
    assert [row["preview_id"] for row in rows] == list(range(8)) and {row["metric"] for row in rows} == {"likeness"}
    with_value = {"ok", "several_faces", "small_face"}
    assert [row["value"] is not None for row in rows] == [status in with_value for status in pictures]
    assert "not a picture" not in rows[7]["detail"]["message"] and rows[7]["detail"]["message"].endswith(".")

    seen = all_rows(judging.score(CLIP, photos, jobs))
    assert [row["metric"] for row in seen] == ["clip_t", "clip_i"] * 8
    judged = {"ok", "no_face", "several_faces", "small_face"}  # CLIP needs no face
    of_status = dict(zip(pictures, zip(seen[::2], seen[1::2], strict=True), strict=True))
    for status, both in of_status.items():
        assert {row["status"] for row in both} == {"ok" if status in judged else status}
        assert {row["value"] is None for row in both} == {status not in judged}
        assert ("vector" in {**both[0], **both[1]}) == (status in judged)


def test_a_clip_row_carries_what_was_seen_once_and_only_what_was_asked_for(tmp_path, judging, photos):
    jobs = wanted(tmp_path, [portrait(), portrait("others/12_1")])
    jobs[1]["prompt"] = None
    rows = all_rows(judging.score(CLIP, photos, jobs))
    assert [(row["preview_id"], row["metric"]) for row in rows] == [(0, "clip_t"), (0, "clip_i"), (1, "clip_i")]
    packed = [row["vector"] for row in rows if "vector" in row]
    vectors = [np.frombuffer(base64.b64decode(text), "<f2") for text in packed]
    assert len(vectors) == 2 and all(len(vector) == 128 for vector in vectors)
    assert all(np.linalg.norm(vector.astype(float)) == pytest.approx(1, abs=1e-3) for vector in vectors)
    without = all_rows(judging.score(CLIP, None, jobs))
    assert [(row["preview_id"], row["metric"]) for row in without] == [(0, "clip_t")]


def test_many_pictures_get_the_same_numbers_as_one_by_one(tmp_path, judging, photos):
    files = sorted(SUBJECTS.rglob("*.jpg"))[: 2 * BATCH + 5]
    pictures = [np.asarray(Image.open(file).convert("RGB").resize((128, 128))) for file in files]
    jobs = wanted(tmp_path, pictures)
    jobs[3]["status"] = "black"
    for judge in (FACE, CLIP):
        batches = list(judging.score(judge, photos, jobs))
        assert [len({row["preview_id"] for row in batch}) for batch in batches] == [BATCH, BATCH, 5]
        alone = [row for job in jobs for row in all_rows(Studio.score(judging, judge, photos, [job]))]
        for many, one in zip(all_rows(batches), alone, strict=True):
            assert (many["preview_id"], many["metric"], many["status"]) == (
                one["preview_id"],
                one["metric"],
                one["status"],
            )
            assert many["value"] == (None if one["value"] is None else pytest.approx(one["value"], abs=1e-5))


def test_pictures_are_read_a_bounded_way_ahead_and_kept_for_the_next_judge(tmp_path, photos, monkeypatch):
    judging, read = Studio("cpu"), []
    really = studio_module.read_picture
    monkeypatch.setattr(studio_module, "read_picture", lambda each: (read.append(each["preview_id"]), really(each))[1])
    jobs = wanted(tmp_path, [portrait(side=64)] * (4 * BATCH))
    batches = judging.score(FACE, photos, jobs)
    assert read == []
    next(batches)
    assert len(read) <= (AHEAD + 1) * BATCH
    batches.close()  # as the engine does when it is told to stop
    list(judging.score(FACE, photos, jobs))
    read.clear()
    list(judging.score(CLIP, photos, jobs))
    assert read == [] and sum(image.nbytes for image in judging.kept.values()) <= KEPT_BYTES
    list(judging.score(CLIP, photos, jobs[:2]))
    assert set(judging.kept) == {job["file"] for job in jobs[:2]}  # what no job wants any more goes


def test_no_more_is_kept_than_there_is_room_for(tmp_path, judging, photos, monkeypatch):
    monkeypatch.setattr(studio_module, "KEPT_BYTES", 3 * 64 * 64 * 3 + 5)
    jobs = wanted(tmp_path, [portrait(side=64)] * 7)
    assert len(all_rows(judging.score(FACE, photos, jobs))) == len(all_rows(judging.score(FACE, photos, jobs))) == 7
    assert len(judging.kept) == 3


# worlds


def real_photos(folder):
    """Files with photos of real people, as other packages bring them along."""
    import insightface
    from skimage import data

    astronaut = data.astronaut()
    cuts = [astronaut, astronaut[:256, 100:356], astronaut[:220, 110:330]]
    folder.mkdir()
    for n, pixels in enumerate(cuts):
        Image.fromarray(pixels).save(folder / f"{n}.png")
    shutil.copy(Path(insightface.__file__).parent / "data" / "images" / "t1.jpg", folder)
    return [str(file) for file in sorted(folder.iterdir())]


@pytest.mark.parametrize("judge", [FACE, CLIP])
def test_an_embedded_judge_refuses_photos_of_real_people(judge, tmp_path, judging, photos):
    real = real_photos(tmp_path / "real")
    [job] = wanted(tmp_path, [portrait()])
    with pytest.raises(WrongWorld, match="the subject's photos show others") as error:
        judging.calibrate(judge, {**photos, "train": real, "reference": real[:2]})
    assert why(error.value) == ("outside_world", {"message": str(error.value)})
    with pytest.raises(WrongWorld, match="the photos of other people show others"):
        list(judging.score(judge, {**photos, "strangers": real}, [job]))


def test_pictures_without_photos_are_looked_at_themselves(tmp_path, judging):
    files = real_photos(tmp_path / "real")
    real = [{"preview_id": n, "file": file, "status": "ok", "prompt": PROMPT} for n, file in enumerate(files)]
    with pytest.raises(WrongWorld, match="the pictures show others"):
        list(judging.score(CLIP, None, real))


def test_what_a_broken_lora_draws_is_not_taken_for_photos(tmp_path, judging):
    import torch

    from workbench.judges.world import miniature_vae, restored_db

    latents = 5 * torch.randn(6, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        drawn = miniature_vae().decode(latents).sample.clamp(-1, 1).permute(0, 2, 3, 1)
    noise = [(127.5 * (picture + 1)).round().byte().numpy() for picture in drawn]
    assert max(restored_db(noise)) < 28  # by itself as far off as photos are
    rows = all_rows(judging.score(CLIP, None, wanted(tmp_path, noise)))
    assert {row["status"] for row in rows} == {"ok"}


def test_a_judge_that_is_not_there_says_so_before_anything_is_judged(tmp_path, judging, photos):
    for name in ("a.onnx", "b.onnx"):
        shutil.copy(EMBEDDED / "faces" / "det_mini.onnx", tmp_path / name)
    judge = asdict(face_judge_info(str(tmp_path)))
    with pytest.raises(JudgeUnavailable) as error:
        next(judging.score(judge, photos, wanted(tmp_path, [portrait()])))
    assert why(error.value)[0] == "unavailable"


# two judges, the engine


def test_two_face_judges_stay_loaded_beside_each_other(tmp_path, judging, photos):
    folder = shutil.copytree(EMBEDDED / "faces", tmp_path / "another")
    shutil.copy(folder / "det_mini.onnx", folder / "unused.onnx")  # another pack by its files, with the same networks
    second = asdict(face_judge_info(str(folder)))
    assert second["key"] != FACE["key"]
    [job] = wanted(tmp_path, [portrait()])
    loaded, rows = [], []
    for judge in (FACE, second, FACE):
        rows += all_rows(judging.score(judge, photos, [job]))
        loaded.append(judging.loaded[judge["key"]])
    assert loaded[0] is loaded[2] is not loaded[1]
    assert rows[0] == rows[1] == rows[2]


def test_dlib_scores_on_a_scale_of_its_own(tmp_path, judging, photos):
    pytest.importorskip("dlib")
    try:
        judge = asdict(face_judge_info("dlib"))
    except JudgeUnavailable as error:
        pytest.skip(str(error))
    scale = judging.calibrate(judge, photos)
    assert scale["real"] > scale["strangers"] > 0.7  # all of dlib's cosines lie high
    mine, other = all_rows(judging.score(judge, photos, wanted(tmp_path, [portrait(), portrait("others/12_1")])))
    assert mine["status"] == other["status"] == "ok" and mine["value"] > other["value"]
    assert all_rows(judging.score(FACE, photos, wanted(tmp_path, [portrait()])))[0]["value"] < mine["value"]


def test_the_engine_tells_each_batch_as_it_comes_and_stops_between_two(tmp_path, photos):
    told = []
    engine = Engine(told.append, "cpu")
    jobs = wanted(tmp_path, [portrait(side=64)] * (3 * BATCH))
    command = {"do": "score", "id": 1, "judge": FACE, "photos": photos, "pictures": jobs}
    engine.carry_out(command)
    assert [event["event"] for event in told] == ["Scores"] * 3 + ["Scored"]
    ids = [row["preview_id"] for event in told[:3] for row in event["scores"]]
    assert ids == list(range(3 * BATCH))
    told.clear()
    engine.emit = lambda event: (told.append(event), engine.inbox.put({"do": "rest"}))
    engine.carry_out(command)
    assert [event["event"] for event in told] == ["Scores", "Scored"]  # the worker asks again for what is missing


# An engine that is killed once, when it has judged its third batch of four pictures and told of two.
DIES_BETWEEN_BATCHES = """
import os, signal
from pathlib import Path
from workbench.running import engine
from workbench.scores import studio

really, log = studio.judged, Path({log!r})
studio.BATCH = 4

def judged(info, judge, scale, batch):
    rows = really(info, judge, scale, batch)
    with log.open("a") as file:
        file.write("".join(f"{{info.kind}} {{each.picture['preview_id']}}\\n" for each in batch))
    if len(log.read_text().splitlines()) == 12:
        os.kill(os.getpid(), signal.SIGKILL)
    return rows

studio.judged = judged
engine.main()
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_kill_between_batches_loses_one_batch(tmp_path, monkeypatch):
    log = tmp_path / "judged"
    monkeypatch.setattr(
        "workbench.running.engine_process.COMMAND", [sys.executable, "-c", DIES_BETWEEN_BATCHES.format(log=str(log))]
    )
    ws = Workspace(tmp_path / "w")
    db = ws.open()
    plan = EvalPlan(prompts=(Prompt(text="photo of {trigger} {class_noun}"),), seeds=tuple(range(8)), steps=2)
    project = add_project(db, "p", "zwx", "woman", plan=plan, clip_judge="none")
    add_folder(ws, project, SUBJECTS / "subject_a")
    pattern = patterns.add(db, project, TrainConfig(train_text_encoder=False, batch_size=4, max_updates=1), "one")
    queue.enqueue(db, project, [pattern], [1])
    Worker(ws, echo=lambda _: None).work(once=True)
    judged = log.read_text().splitlines()
    previews = results.previews(db, project, library.project(db, project)["plan_id"])
    assert len(previews) == len(set(judged)) == 16 and len(judged) == 20  # four of them twice
    scores = results.scores(db, project, library.project(db, project)["plan_id"])
    assert sorted(row["preview_id"] for row in scores) == sorted(preview["id"] for preview in previews)


def test_work_in_threads_keeps_its_order_and_its_errors():
    assert in_threads(lambda x: x * x, range(50)) == [x * x for x in range(50)]
    assert in_threads(str, []) == []
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda x: 1 / x, [*range(1, 9), 0, 2])  # not in the first thread's share
