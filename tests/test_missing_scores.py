"""Scores are made by filling what is missing: of pictures that exist, by the real judges, through the real worker."""

import json
import shutil
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from db import library, results, runs
from db.vectors import vectors
from trainer import EMBEDDED
from trainer.config import TrainConfig
from workbench.dataset.photos import add_folder
from workbench.findings.analysis import checkpoint_table, tables
from workbench.findings.preview_table import preview_table
from workbench.plans.plan import EvalPlan, Prompt, set_plan
from workbench.projects import add_project
from workbench.running import write_down
from workbench.running.progress import progress
from workbench.running.worker import Worker
from workbench.scores import no_score
from workbench.scores.missing_scores import score_jobs
from workbench.scores.preview_file import write_preview
from workbench.scores.studio import Studio
from workbench.sweep import patterns
from workbench.workspace import Workspace

SUBJECT = EMBEDDED / "subjects" / "subject_a"
PLAN = EvalPlan(
    prompts=(Prompt(text="photo of {trigger} {class_noun}"), Prompt(text="photo of a {class_noun}", role="neutral")),
    seeds=(1, 2),
    elsewhere=True,
)


def rgb(file):
    return np.asarray(Image.open(file).convert("RGB"))


def photos(folder, n):
    return sorted((EMBEDDED / "subjects" / folder).glob("*.jpg"))[:n]


class Filled:
    """A project whose pictures are photos: the base row of other people, a LoRA's of the subject."""

    def __init__(self, home: Path, **project) -> None:
        self.ws = Workspace(home)
        self.db = self.ws.open()
        self.id = add_project(self.db, "p", "zwx", "woman", plan=PLAN, **project)
        add_folder(self.ws, self.id, SUBJECT)
        pattern = patterns.add(self.db, self.id, TrainConfig(), "baseline")
        self.run, _ = runs.enqueue(self.db, self.id, pattern, self.project["dataset_id"], 1)
        runs.end(self.db, self.run, "done")
        about = {"updates": 10, "images_seen": 40, "epoch": 1.0, "file": "", "sha256": "0", "bytes": 0, "proof": "{}"}
        self.checkpoint = runs.add_checkpoint(self.db, self.run, **about, is_last=1)
        own = [self.train_photo, *photos("subject_a/reference", 1), *photos("others", 2)]
        for checkpoint, files in ((None, photos("others", 4)), (self.checkpoint, own)):
            for cell, file in zip(PLAN.cells(), files, strict=True):
                self.add(checkpoint, cell, rgb(file))

    @property
    def project(self):
        return library.project(self.db, self.id)

    @property
    def train_photo(self) -> Path:
        return self.ws.path(library.photos(self.db, self.project["dataset_id"], "train")[3]["file"])

    def add(self, checkpoint, cell, pixels, text=None, **columns):
        folder = self.ws.preview_folder(self.project["plan_id"])
        files = write_preview(folder, pixels, finite=True)
        files |= {name: self.ws.relative(folder / files[name]) for name in ("file", "thumb")}
        prompt, seed, strength = cell
        return results.add_preview(
            self.db,
            **files,
            plan_id=self.project["plan_id"],
            project_id=self.id,
            checkpoint_id=checkpoint,
            base_model="embedded",
            clip_skip=1,
            prompt=prompt,
            seed=seed,
            strength=strength,
            text=PLAN.text(prompt, "zwx", "woman") if text is None else text,
            seconds=0.0,
            **columns,
        )

    def score(self):
        """Do what is missing as the engine and the worker do it, in this process."""
        while jobs := self.jobs():
            for job in jobs:
                if job.command["do"] == "calibrate":
                    found = studio().calibrate(job.command["judge"], job.command["photos"])
                    write_down.calibration(self.db, job, as_event(found))
                else:
                    batches = studio().score(*(job.command[name] for name in ("judge", "photos", "pictures")))
                    for rows in batches:
                        write_down.scores(self.db, job, as_event({"scores": rows}))
        return preview_table(self.db, self.id)

    def jobs(self):
        return list(score_jobs(self.ws, self.db, self.project))

    def rows(self, query):
        return [tuple(row.values()) for row in self.db.query(query)]


@lru_cache
def studio():
    """Judges that stay loaded."""
    return Studio("cpu")


def as_event(found):
    """What comes out of the engine's pipe."""
    return json.loads(json.dumps(found))


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """All was scored; nobody changes it."""
    filled = Filled(tmp_path_factory.mktemp("scored"))
    filled.score()
    return filled


def own(table):
    """The LoRA's previews: a training photo, a reference photo, and two of other people without the trigger."""
    return table[~table["is_base"]].sort_values(["prompt", "seed"]).reset_index(drop=True)


def test_every_preview_gets_likeness_adherence_look_and_a_vector(scored):
    table = preview_table(scored.db, scored.id)
    assert len(table) == 8 and table[["likeness", "clip_t", "clip_i", "recognised"]].notna().all(axis=None)
    assert len(vectors(scored.db, scored.id, scored.project["plan_id"], table_judge(scored))) == 8
    assert scored.jobs() == [] and progress(scored.db, scored.id).scores_missing == 0
    assert results.without_finish(scored.db, scored.id) == []


def table_judge(filled):
    return filled.rows("select id from judges where kind = 'clip'")[0][0]


def test_the_subject_is_recognised_and_other_people_are_not(scored):
    table = own(preview_table(scored.db, scored.id))
    assert table["recognised"].tolist() == [1, 1, 0, 0]
    assert table["likeness"][:2].min() > 70 > 40 > table["likeness"][2:].max()


def test_a_copied_training_photo_is_flagged_with_the_photo_to_look_at(scored):
    table = own(preview_table(scored.db, scored.id))
    train = library.photos(scored.db, scored.project["dataset_id"], "train")
    assert table["nearest_photo"][0] == train[3]["id"]
    assert table["copied"][0] == table["face_copy"][0] == 1
    assert set(table["nearest_photo"]) <= {photo["id"] for photo in train}


def test_a_checkpoint_s_yield_has_a_wilson_interval_over_its_pictures(scored):
    row = checkpoint_table(scored.db, scored.id).query("~is_base").iloc[0]
    assert row["complete"] and row["identity_yield"] == row["face_rate"] == 1
    assert (row["yield_low"], row["yield_high"]) == pytest.approx((0.342, 1), abs=1e-3)  # 2 of 2: 1 / (1 + z^2 / 2)
    assert row["face_rate_low"] == row["yield_low"]


def test_drift_is_on_neutral_prompts_and_diversity_on_identity_prompts(scored):
    table = preview_table(scored.db, scored.id)
    row = checkpoint_table(scored.db, scored.id, table).query("~is_base").iloc[0]
    mine = own(table)
    assert row["drift"] == pytest.approx(mine["drift"][2:].mean()) and 0 < row["drift"] < 2
    assert row["diversity"] == pytest.approx(mine["diversity"][1], abs=1e-5)
    assert row["saturation_change"] == pytest.approx(mine["saturation_change"][:2].mean())
    base = checkpoint_table(scored.db, scored.id, table).query("is_base").iloc[0]
    assert base["drift"] == pytest.approx(0, abs=1e-6) and base["saturation_change"] == 0


def test_what_is_lacking_is_asked_for_and_nothing_else(scored):
    new = scored.add(scored.checkpoint, (0, 3, 1.0), rgb(photos("others", 5)[4]))
    try:
        jobs = {tuple(job.about["calibrations"]): job.command for job in scored.jobs()}
        assert set(jobs) == {("likeness",), ("clip_t", "clip_i")}
        for command in jobs.values():
            assert [picture["preview_id"] for picture in command["pictures"]] == [new] and command["photos"]
        assert jobs["clip_t", "clip_i"]["pictures"][0]["prompt"] == "photo of woman"
        assert progress(scored.db, scored.id).scores_missing == 3
    finally:
        scored.db.execute("delete from previews where id = ?", [new])
        scored.db.conn.commit()


def test_a_database_from_before_gets_what_it_lacks_and_keeps_what_it_has(tmp_path):
    filled = Filled(tmp_path)
    filled.score()
    values = "select preview_id, metric, value, created_at from scores where metric in ('likeness', 'clip_t')"
    scales = "select id, real, strangers, created_at from calibrations where id in (select min(id) from calibrations)"
    before, ends = filled.rows(values), filled.rows(scales)
    filled.db.execute("delete from scores where metric = 'clip_i'")
    filled.db.execute("delete from vectors")
    filled.db.execute("delete from calibrations where judge_id in (select id from judges where kind = 'clip')")
    filled.db.execute("update calibrations set threshold = null, detail = '{}'")
    filled.db.execute("update previews set saturation = null, clipping = null, sharpness = null")
    filled.db.conn.commit()
    table = preview_table(filled.db, filled.id)
    assert table[["recognised", "clip_i", "drift", "diversity", "saturation"]].isna().all(axis=None)
    assert progress(filled.db, filled.id).scores_missing == 8
    lines = []
    assert Worker(filled.ws, echo=lines.append).work(once=True), lines
    table = preview_table(filled.db, filled.id)
    assert own(table)[["recognised", "clip_i", "drift", "saturation_change"]].notna().all(axis=None)
    assert filled.rows(values) == before and filled.rows(scales) == ends
    assert filled.jobs() == [] and progress(filled.db, filled.id).scores_missing == 0


def test_a_final_run_has_prompt_adherence_and_neither_likeness_nor_look(tmp_path):
    filled = Filled(tmp_path)
    filled.db.execute("update runs set final = 1")
    filled.db.conn.commit()
    mine = own(filled.score())
    assert mine["clip_t"].notna().all() and mine[["likeness", "clip_i", "recognised"]].isna().all(axis=None)
    assert set(mine["face_status"]) == {"final_run"} and progress(filled.db, filled.id).scores_missing == 0
    assert mine["drift"].notna().all()  # pictures are compared with the base row's, not with photos


def test_a_picture_whose_prompt_nobody_knows_has_a_look_and_the_reason(tmp_path):
    filled = Filled(tmp_path)
    filled.db.execute("update previews set text = '' where checkpoint_id is not null")
    filled.db.conn.commit()
    mine = own(filled.score())
    assert set(mine["clip_status"]) == {"no_prompt"} and set(mine["clip_reason"]) == {"its prompt is not known"}
    assert mine["clip_t"].isna().all() and mine["clip_i"].notna().all() and mine["diversity"][:2].notna().all()
    assert filled.jobs() == [] and progress(filled.db, filled.id).scores_missing == 0


def test_a_second_judge_s_values_stand_beside_the_first_s_and_replace_nothing(tmp_path):
    pack = tmp_path / "another pack"
    shutil.copytree(EMBEDDED / "faces", pack)
    filled = Filled(tmp_path / "w", strangers=str(EMBEDDED / "subjects" / "others"))
    first = filled.score()
    assert set(first["second_face_status"]) == {None}
    library.update_project(filled.db, filled.id, second_face_judge=str(pack))
    assert progress(filled.db, filled.id).scores_missing == 8
    both = filled.score()
    assert both["likeness"].equals(first["likeness"]) and both["clip_i"].equals(first["clip_i"])
    assert both["second_likeness"].tolist() == pytest.approx(first["likeness"].tolist(), abs=1e-4)  # the same weights
    assert set(both["second_face_judge"]) != set(both["face_judge"])
    assert both.attrs["left_out"]["scores_of_other_judges"] == 0
    library.update_project(filled.db, filled.id, second_face_judge="none")
    alone = preview_table(filled.db, filled.id)
    assert alone["second_likeness"].isna().all() and alone.attrs["left_out"]["scores_of_other_judges"] == 8
    library.update_project(filled.db, filled.id, second_face_judge=str(tmp_path / "nowhere"))
    assert filled.jobs() == [] and set(preview_table(filled.db, filled.id)["second_face_status"]) == {"unavailable"}
    assert progress(filled.db, filled.id).scores_missing == 0
    library.update_project(filled.db, filled.id, second_face_judge="embedded")  # the first one again
    assert filled.jobs() == [] and preview_table(filled.db, filled.id)["second_likeness"].isna().all()
    assert progress(filled.db, filled.id).scores_missing == 0


def test_photos_of_another_world_give_every_preview_the_reason_and_a_value_once_they_are_right(tmp_path):
    filled = Filled(tmp_path)
    black = filled.add(filled.checkpoint, (0, 9, 1.0), np.zeros((64, 64, 3), np.uint8))
    for job in filled.jobs():
        assert job.command["do"] == "calibrate"
        no_score.of_job(filled.db, job, "outside_world", "These show real people.")
    table = preview_table(filled.db, filled.id)
    shown = table[table["preview_id"] != black]
    assert set(shown["face_status"]) == set(shown["clip_status"]) == {"outside_world"}
    assert table["clip_t"].isna().all() and "These show real people." in table["clip_reason"][0]
    assert progress(filled.db, filled.id).scores_missing == 0
    assert all(job.command["do"] == "calibrate" for job in filled.jobs())  # no word is held against them either
    table = filled.score().set_index("preview_id")
    assert table.loc[black, "clip_status"] == "black"
    shown = table.drop(black)
    assert shown[["likeness", "clip_t", "clip_i"]].notna().all(axis=None) and set(shown["clip_status"]) == {"ok"}


def test_a_judge_that_can_not_be_loaded_is_the_reason_until_another_try(tmp_path):
    pack = tmp_path / "pack"
    pack.mkdir()
    for name in ("a.onnx", "b.onnx"):  # a detector twice, and nothing that recognises
        shutil.copy(EMBEDDED / "faces" / "det_mini.onnx", pack / name)
    filled = Filled(tmp_path / "w", face_judge=str(pack))
    Worker(filled.ws, echo=lambda _: None).work(once=True)
    table = preview_table(filled.db, filled.id)
    assert set(table["face_status"]) == {"unavailable"} and "no complete face pack" in table["face_reason"][0]
    assert table["face_found"].isna().all() and table["clip_t"].notna().all()
    assert progress(filled.db, filled.id).scores_missing == 0
    assert [job.command["do"] for job in filled.jobs()] == ["calibrate"]  # the next worker tries again


def test_a_clip_that_could_not_be_loaded_once_scores_later(tmp_path):
    filled = Filled(tmp_path)
    for job in filled.jobs():
        if job.command["judge"]["kind"] == "clip":
            no_score.of_job(filled.db, job, "unavailable", "There is no memory left.")
    waiting = preview_table(filled.db, filled.id)
    assert set(waiting["clip_status"]) == {"unavailable"} and "no memory" in waiting["clip_reason"][0]
    table = filled.score()
    assert set(table["clip_status"]) == {"ok"} and table[["clip_t", "clip_i"]].notna().all(axis=None)


def test_photos_without_a_scale_leave_prompt_adherence(tmp_path):
    filled = Filled(tmp_path)
    for job in filled.jobs():
        no_score.of_job(filled.db, job, "not_calibrated", "There are no reference photos.")
    plain = [job for job in filled.jobs() if job.command["do"] == "score"]
    assert [job.about["calibrations"] for job in plain] == [{"clip_t": None, "clip_i": None}]
    assert plain[0].command["photos"] is None and len(plain[0].command["pictures"]) == 8


def test_a_black_picture_s_reason_is_its_own_and_it_is_no_one_recognised(tmp_path):
    filled = Filled(tmp_path)
    cell = (0, 5, 1.0)
    set_plan(filled.db, filled.id, PLAN.model_copy(update={"seeds": (5,)}))
    filled.add(None, cell, rgb(photos("others", 1)[0]))
    filled.add(filled.checkpoint, cell, np.zeros((64, 64, 3), np.uint8), in_fp32="ok")
    mine = own(filled.score())
    assert mine["face_status"][0] == mine["clip_status"][0] == "black" and mine["in_fp32"][0] == "ok"
    assert mine["recognised"][0] == mine["face_found"][0] == 0
    assert mine[["likeness", "clip_t", "clip_i", "drift", "saturation_change", "copied"]].isna().all(axis=None)


def test_pictures_to_confirm_with_take_no_part_in_figures(scored):
    before = checkpoint_table(scored.db, scored.id)
    confirming = PLAN.model_copy(update={"seeds": (1,), "confirm_seeds": (2,)})
    plan_id, config = scored.project["plan_id"], json.dumps(confirming.model_dump(mode="json"))
    scored.db.execute("update plans set config = ? where id = ?", [config, plan_id])
    scored.db.conn.commit()
    try:
        table = preview_table(scored.db, scored.id)
        assert table.groupby("seed")["is_confirm"].first().to_dict() == {1: False, 2: True}
        assert not table[table["is_confirm"]]["is_main"].any() and table["diversity"].isna().all()
        after = checkpoint_table(scored.db, scored.id, table)
        assert (after["n_previews"] == before["n_previews"] / 2).all()
    finally:
        scored.db.execute(
            "update plans set config = ? where id = ?", [json.dumps(PLAN.model_dump(mode="json")), plan_id]
        )
        scored.db.conn.commit()


def test_whether_the_references_were_trained_on_goes_along(scored):
    scored.db.execute("update runs set saw_references = 'unknown'")
    scored.db.conn.commit()
    read = tables(scored.db, scored.id)
    assert set(read.previews["saw_references"]) == {None, "unknown"}
    assert set(read.checkpoints["saw_references"]) == {None, "unknown"} and set(read.runs["saw_references"]) == {
        "unknown"
    }


def test_a_picture_that_an_earlier_plan_has_brings_all_that_was_seen_in_it(scored):
    from db import reuse

    source = results.previews(scored.db, scored.id, scored.project["plan_id"])[0]
    plan = results.add_plan(scored.db, "another", PLAN.model_dump(mode="json"))
    reuse.adopt(scored.db, plan, {(0, 1, 1.0): source["id"]})
    [taken] = results.previews(scored.db, scored.id, plan)
    assert taken["same_as"] == source["id"] and taken["saturation"] == source["saturation"] is not None
    assert len(vectors(scored.db, scored.id, plan, table_judge(scored))) == 1
