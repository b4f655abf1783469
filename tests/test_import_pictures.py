"""Pictures made elsewhere come in whole or not at all, once, and tell nobody where they are from."""

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_elsewhere import PARAMETERS, PROMPT, a1111_text, grid, picture, save, save_comfyui
from malformed_pictures import MALFORMED, OF_THE_WHOLE
from PIL import Image
from sqlite_utils import Database

from db import imports as imports_table
from db import library, results, runs
from workbench import bases
from workbench.cli.elsewhere import score
from workbench.dataset.photo_file import PhotosError
from workbench.elsewhere.pictures.found import Axis, PicturesError, Reading
from workbench.elsewhere.pictures.import_pictures import Imported, NewProject, import_pictures, look_into
from workbench.elsewhere.pictures.judge_here import judge_here
from workbench.findings.epoch_map import places
from workbench.findings.preview_table import preview_table
from workbench.pictures.gallery import saved_at
from workbench.plans.plan import plan_of
from workbench.projects import ProjectError, add_project, change_project
from workbench.running import queue
from workbench.sweep import patterns
from workbench.workspace import Workspace

GOLDEN = Path(__file__).parent / "data" / "pictures"
NEW = NewProject("anna", "zwx", "woman", face_judge="none", clip_judge="none")
KOHYA = "anna_e{:06d}_{:02d}_20240101120000_{}.png"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training and an unseen photo that differ."""
    folder = tmp_path_factory.mktemp("photos")
    for number, side in enumerate(("training", "unseen")):
        save(picture(number + 50, 80), folder / side / "photo.png")
    return folder


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def bring(ws: Workspace, source: Path, photos: Path, new: NewProject | None = NEW, **options: Any) -> Imported:
    given = {"training": photos / "training", "unseen": photos / "unseen", **options}
    return import_pictures(ws, source, new=new, **given)


def samples(folder: Path, epochs: tuple[int, ...] = (1, 2), seeds: tuple[int, ...] = (7, 8)) -> Path:
    """kohya's samples: two prompts at every epoch and seed."""
    number = 0
    for epoch in epochs:
        for prompt in (0, 1):
            for seed in seeds:
                number += 1
                save(picture(number + 100 * epoch), folder / KOHYA.format(epoch, prompt, seed))
    return folder


def previews(ws: Workspace, project_id: int) -> list[dict[str, Any]]:
    db = ws.open()
    project = library.project(db, project_id)
    assert project is not None
    return results.previews(db, project_id, project["plan_id"])


def rows_of(db: Database) -> dict[str, int]:
    """How many rows every table of ours has."""
    return {name: db.table(name).count for name in db.table_names() if not name.startswith(("_", "sqlite"))}


# what comes in


def test_samples_of_kohya_become_a_run_with_checkpoints_and_cells(ws: Workspace, tmp_path: Path, photos: Path):
    folder = samples(tmp_path / "sample")
    (folder / "sample_prompts.txt").write_text("photo of zwx woman --d 7\na woman\n", encoding="utf-8")
    done = bring(ws, folder, photos)
    db = ws.open()
    project, plan = library.project(db, done.project_id), plan_of(db, done.project_id)
    assert project is not None and project["base_model"] == bases.NO_BASE
    assert (done.pictures, done.loras) == (8, ("anna",))
    assert plan.elsewhere and plan.seeds == (7, 8) and plan.strengths == (1.0,)
    assert [(prompt.text, prompt.role) for prompt in plan.prompts] == [
        ("photo of zwx woman", "identity"),
        ("a woman", "neutral"),
    ]
    [run] = runs.of_project(db, done.project_id)
    assert (run["origin"], run["session"], run["saw_references"], run["status"]) == ("pictures", "anna", "no", "done")
    saved = runs.checkpoints(db, run["id"])
    assert [(row["updates"], row["epoch"], row["is_last"], row["file"]) for row in saved] == [
        (1, 1.0, 0, ""),
        (2, 2.0, 1, ""),
    ]
    assert all(row["removed_at"] for row in saved)
    assert {(row["updates"], row["prompt"], row["seed"]) for row in previews(ws, done.project_id)} == {
        (epoch, prompt, seed) for epoch in (1, 2) for prompt in (0, 1) for seed in (7, 8)
    }
    [pattern] = patterns.listed(db, done.project_id)
    assert pattern.origin == "pictures" and "learning_rate" in pattern.unknown


def test_every_golden_file_is_recognised():
    schemes = {folder.name: look_into(folder).scheme for folder in sorted(GOLDEN.iterdir()) if folder.is_dir()}
    assert schemes == {
        "a1111": "infotext",
        "ai_toolkit": "ai-toolkit",
        "comfyui": "comfyui",
        "forge": "infotext",
        "grid": "grid",
        "kohya": "kohya",
        "kohya_old": "kohya",
        "kohya_steps": "kohya",
        "onetrainer": "onetrainer",
    }
    assert not any(look_into(GOLDEN / name).problems for name in schemes if name != "a1111")


def test_the_golden_files_are_what_their_maker_writes(tmp_path: Path):
    import importlib.util

    spec = importlib.util.spec_from_file_location("make_pictures", GOLDEN / "make.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.make(tmp_path)
    made, stored = ({p.relative_to(root) for p in root.rglob("*.??g")} for root in (tmp_path, GOLDEN))
    assert made == stored
    for name in made:
        if name.suffix == ".png":
            with Image.open(tmp_path / name) as new, Image.open(GOLDEN / name) as old:
                assert new.info == old.info and np.array_equal(np.asarray(new), np.asarray(old))


def test_text_names_lora_epoch_strength_prompt_and_seed(tmp_path: Path):
    save(picture(1), tmp_path / "1.png", parameters=a1111_text())
    save_comfyui(tmp_path / "2.png", 2, seed=43)
    found = look_into(tmp_path)
    assert found.scheme == "infotext + comfyui" and not found.problems and not found.questions
    for one, seed in zip(found.pictures, (42, 43), strict=True):
        assert (one.lora, one.number, one.counted, one.strength) == ("anna", 10, "epochs", 0.8)
        assert (one.text, one.seed, one.model, one.steps) == (PROMPT, seed, "sd15", 20)


def test_the_base_row_is_what_shows_no_lora(ws: Workspace, tmp_path: Path, photos: Path):
    folder = tmp_path / "pictures"
    for number, tag in enumerate(("<lora:anna-000010:1>", "", "<lora:anna-000010:0>")):
        line = PARAMETERS.replace("Seed: 42", f"Seed: {number}")
        save(picture(number), folder / f"{number}.png", parameters=a1111_text(f"zwx woman {tag}", line))
    done = bring(ws, folder, photos)
    assert {row["seed"]: row["run_id"] is None for row in previews(ws, done.project_id)} == {0: False, 1: True, 2: True}


def test_the_file_without_a_number_is_the_end_of_its_training(ws: Workspace, tmp_path: Path, photos: Path):
    folder = tmp_path / "pictures"
    for number, name in enumerate(("anna-000002", "anna-000004", "anna-000006", "anna")):
        text = a1111_text(f"zwx woman <lora:{name}:1>")
        save(picture(number), folder / f"{number}.png", parameters=text)
    assert any(question.field == "last" and not question.needed for question in look_into(folder).questions)
    done = bring(ws, folder, photos)
    assert sorted(row["updates"] for row in previews(ws, done.project_id)) == [2, 4, 6, 8]
    read = preview_table(ws.open(), done.project_id)
    rows = read.sort_values("updates").to_dict("records")
    assert [saved_at(row) for row in rows] == ["epoch 2", "epoch 4", "epoch 6", "the last file"]
    assert places(read.sort_values("updates")) == [saved_at(row) for row in rows]
    told = bring(ws, folder, photos, NewProject("b", "zwx", "woman", "none", "none"), reading=Reading(last=10))
    rows = previews(ws, told.project_id)
    assert saved_at(max(rows, key=lambda row: row["updates"])) == "epoch 10"


def test_where_updates_are_counted_no_picture_is_of_epoch_0(ws: Workspace, tmp_path: Path, photos: Path):
    folder = tmp_path / "pictures"
    for number, name in enumerate(("anna-step00000500", "anna")):
        save(picture(number), folder / f"{number}.png", parameters=a1111_text(f"zwx woman <lora:{name}:1>"))
    rows = previews(ws, bring(ws, folder, photos).project_id)
    assert sorted((row["updates"], saved_at(row)) for row in rows) == [(500, "500 updates"), (1000, "the last file")]


def test_of_several_loras_the_one_that_changes_is_judged_or_it_is_asked(tmp_path: Path):
    for number in (10, 20):
        text = a1111_text(f"zwx <lora:detail:0.5> <lora:anna-0000{number}:1>")
        save(picture(number), tmp_path / "clear" / f"{number}.png", parameters=text)
        text = a1111_text("zwx <lora:detail:0.5> <lora:anna:1>", PARAMETERS.replace("42", str(number)))
        save(picture(number), tmp_path / "unclear" / f"{number}.png", parameters=text)
    assert {one.lora for one in look_into(tmp_path / "clear").pictures} == {"anna"}
    [question] = [q for q in look_into(tmp_path / "unclear").questions if q.needed]
    assert (question.field, question.choices) == ("subject", ("anna", "detail"))
    assert {one.lora for one in look_into(tmp_path / "unclear", Reading(subject="anna")).pictures} == {"anna"}


def test_a_folder_of_any_names_is_asked_for_and_read_by_a_pattern(ws: Workspace, tmp_path: Path, photos: Path):
    for epoch in (2, 4):
        for strength in ("0.5", "1"):
            save(picture(epoch), tmp_path / "p" / "anna" / f"ep{epoch} w{strength} s9.png")
    assert [question.field for question in look_into(tmp_path / "p").questions] == ["pattern"]
    with pytest.raises(PicturesError, match="How are the names put together"):
        bring(ws, tmp_path / "p", photos)
    done = bring(ws, tmp_path / "p", photos, reading=Reading("{lora}/ep{epoch} w{strength} s{seed}"))
    cells = {(row["updates"], row["strength"], row["seed"], row["label"]) for row in previews(ws, done.project_id)}
    assert cells == {(epoch, strength, 9, "anna") for epoch in (2, 4) for strength in (0.5, 1.0)}
    assert {row["text"] for row in previews(ws, done.project_id)} == {""}  # not known, so it isn't judged


def test_a_grid_without_a_text_is_cut_as_the_person_says(ws: Workspace, tmp_path: Path, photos: Path):
    save(grid(3, 2, legend=False), tmp_path / "anna.png")
    reading = Reading(columns=3, rows=2, x=Axis("strength", ("0.6", "0.8", "1")), y=Axis("epoch", ("2", "4")))
    done = bring(ws, tmp_path / "anna.png", photos, reading=reading)
    rows = previews(ws, done.project_id)
    assert {(row["updates"], row["strength"]) for row in rows} == {(e, s) for e in (2, 4) for s in (0.6, 0.8, 1.0)}
    row = next(row for row in rows if (row["updates"], row["strength"]) == (4, 0.8))
    with Image.open(ws.path(row["file"])) as stored:
        assert np.array_equal(np.asarray(stored), np.asarray(picture(11)))


def test_nothing_of_name_and_text_is_in_the_files_that_are_served(ws: Workspace, tmp_path: Path, photos: Path):
    folder = tmp_path / "pictures"
    file = save(picture(1), folder / KOHYA.format(3, 0, 7), parameters=a1111_text())
    done = bring(ws, folder, photos)
    [row] = previews(ws, done.project_id)
    assert row["original"] == file.name
    for name in (row["file"], row["thumb"]):
        assert "anna" not in name and "e000003" not in name
        content = ws.path(name).read_bytes()
        assert b"anna" not in content and b"parameters" not in content and b"zwx" not in content
    with Image.open(ws.path(row["file"])) as stored, Image.open(file) as given:
        assert not stored.info and np.array_equal(np.asarray(stored), np.asarray(given))


def test_the_same_folder_again_adds_nothing(ws: Workspace, tmp_path: Path, photos: Path):
    folder = samples(tmp_path / "sample")
    save(picture(900), folder / "anna_e000001_00_20240101120005.png")  # two without a seed
    save(picture(901), folder / "anna_e000001_00_20240101120009.png")
    done = bring(ws, folder, photos)
    before = rows_of(ws.open())
    files = sorted((ws.home / "previews").rglob("*"))
    again = bring(ws, folder, photos, None, project_id=done.project_id)
    assert again.pictures == 0 and again.import_id is None
    assert rows_of(ws.open()) == before and sorted((ws.home / "previews").rglob("*")) == files


def test_more_pictures_later_keep_the_earlier_ones(ws: Workspace, tmp_path: Path, photos: Path):
    folder = tmp_path / "pictures"
    for number, strength in enumerate(("0.6", "")):
        tag = f"<lora:anna-000010:{strength}>" if strength else ""
        save(picture(number), folder / f"{number}.png", parameters=a1111_text(f"zwx woman {tag}"))
    first = bring(ws, folder, photos)
    save(picture(5), folder / "5.png", parameters=a1111_text("zwx at night <lora:anna-000020:1>"))
    later = bring(ws, folder, photos, None, project_id=first.project_id, training=None, unseen=None)
    assert later.pictures == 1 and later.project_id == first.project_id
    rows = previews(ws, first.project_id)
    seen = sorted((row["updates"] or 0, row["prompt"], row["strength"]) for row in rows)
    assert seen == [(0, 0, 1.0), (10, 0, 0.6), (20, 1, 1.0)]  # the base row stands at the new main strength
    db = ws.open()
    [run] = runs.of_project(db, first.project_id)
    assert [row["is_last"] for row in runs.checkpoints(db, run["id"])] == [0, 1]
    assert len(imports_table.of_project(db, first.project_id, "pictures")) == 2


def test_a_zip_archive_is_as_good_as_its_folder(ws: Workspace, tmp_path: Path, photos: Path):
    folder = samples(tmp_path / "sample", epochs=(1,))
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    assert bring(ws, Path(archive), photos).pictures == 4


def test_without_unseen_photos_it_is_unknown_whether_references_were_trained_on(
    ws: Workspace, tmp_path: Path, photos: Path
):
    folder = tmp_path / "training"
    for number in range(4):
        save(picture(number * 7 + 50, 80), folder / f"{number}.png")
    done = bring(ws, samples(tmp_path / "sample"), photos, training=folder, unseen=None)
    db = ws.open()
    [run] = runs.of_project(db, done.project_id)
    sides = [row["side"] for row in library.photos(db, run["dataset_id"])]
    assert run["saw_references"] == "unknown" and sorted(set(sides)) == ["reference", "train"]
    assert any("reward copying" in sentence for sentence in done.told)


def test_what_is_broken_stops_all_or_is_left_out(ws: Workspace, tmp_path: Path, photos: Path):
    folder = samples(tmp_path / "sample", epochs=(1,))
    broken = folder / KOHYA.format(2, 0, 7)
    save(picture(1), broken)
    broken.write_bytes(broken.read_bytes()[:300])
    before = rows_of(ws.open())
    with pytest.raises(PicturesError, match=broken.name):
        bring(ws, folder, photos)
    assert rows_of(ws.open()) == before
    assert not list((ws.home / "previews").rglob("*.png")) if (ws.home / "previews").exists() else True
    done = bring(ws, folder, photos, leave_out=True)
    assert done.pictures == 4 and [problem.name for problem in done.skipped] == [broken.name]


def test_a_crash_between_the_rows_leaves_none(
    ws: Workspace, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
):
    before = rows_of(ws.open())

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("db.imports.mark_last", crash)
    with pytest.raises(KeyboardInterrupt):
        bring(ws, samples(tmp_path / "sample"), photos)
    assert rows_of(ws.open()) == before


def test_the_project_only_judges_and_says_so(ws: Workspace, tmp_path: Path, photos: Path):
    done = bring(ws, samples(tmp_path / "sample"), photos)
    db = ws.open()
    [pattern] = patterns.listed(db, done.project_id)
    with pytest.raises(ValueError, match="trained elsewhere"):
        queue.enqueue(db, done.project_id, [pattern.pattern_id], [1])
    assert "only judges" in str(bases.base_problem(bases.NO_BASE))
    change_project(db, done.project_id, second_face_judge="embedded")
    project = library.project(db, done.project_id)
    assert project is not None and project["second_face_judge"] == "embedded"


def test_a_project_with_previews_of_its_own_takes_no_pictures(shared: Any, tmp_path: Path, photos: Path):
    with pytest.raises(ProjectError, match="a project of their own"):
        bring(shared.ws, samples(tmp_path / "sample"), photos, None, project_id=shared.project_id)


def test_names_words_and_photos_are_checked_before_anything_is_read(ws: Workspace, tmp_path: Path, photos: Path):
    folder = samples(tmp_path / "sample", epochs=(1,))
    with pytest.raises(ProjectError, match="trigger word"):
        bring(ws, folder, photos, NewProject("anna", " ", "woman"))
    with pytest.raises(PhotosError, match="training photos"):
        bring(ws, folder, photos, training=None, unseen=None)
    with pytest.raises(PicturesError, match="Say either"):
        bring(ws, folder, photos, None)
    add_project(ws.open(), "anna", "zwx", "woman")
    with pytest.raises(ProjectError, match="already"):
        bring(ws, folder, photos)


def test_the_shipped_people_are_judged_here(ws: Workspace, tmp_path: Path, subject: Path):
    folder = tmp_path / "sample"
    photos = sorted((subject / "train").glob("*.jpg"))[:4]
    for epoch, photo in enumerate(photos, start=1):
        with Image.open(photo) as image:
            save(image.convert("RGB").resize((64, 64)), folder / KOHYA.format(epoch, 0, 7))
    for side, name in (("train", "training"), ("reference", "unseen")):
        for photo in sorted((subject / side).glob("*.jpg"))[:6]:
            (tmp_path / name).mkdir(exist_ok=True)
            shutil.copy(photo, tmp_path / name)
    done = bring(ws, folder, tmp_path, NewProject("anna", "zwx", "woman"))
    db = ws.open()
    assert judge_here(ws, db, done.project_id) == []
    project = library.project(db, done.project_id)
    assert project is not None
    scores = results.scores(db, done.project_id, project["plan_id"])
    assert {row["status"] for row in scores if row["metric"] == "likeness"} == {"ok"}
    assert {row["status"] for row in scores if row["metric"] == "clip_t"} == {"no_prompt"}
    n = len(scores)
    said = score(ws, done.project_id)  # nothing is left to judge: this is the answer of `import-pictures --score`
    assert len(results.scores(db, done.project_id, project["plan_id"])) == n
    assert said[0].startswith("Best is epoch") and "4 by the whole picture" in said[-1]  # they are train photos


# what doesn't


def test_loras_of_a_line_of_hashes_count_where_no_prompt_names_any(tmp_path: Path):
    hashes = PARAMETERS + ', Lora hashes: "anna-000010: 0a1b"'
    save(picture(1), tmp_path / "a.png", parameters=a1111_text(PROMPT, hashes))
    save(picture(2), tmp_path / "b.png", parameters=a1111_text(PROMPT, PARAMETERS))
    found = look_into(tmp_path, Reading(strength=0.7))
    assert [(p.lora, p.number, p.strength) for p in found.pictures] == [("anna", 10, 0.7), (None, None, 1.0)]
    assert any("'Lora hashes' does: its strength is taken as 0.7" in note for note in found.notes)

    save(picture(3), tmp_path / "c.png", parameters=a1111_text())  # a prompt that names one: then hashes may be stale
    assert [p.lora for p in look_into(tmp_path).pictures] == [None, None, "anna"]


@pytest.mark.parametrize("end", ["", "-photo of zwx woman, smiling"])
def test_pictures_of_a1111_without_their_text_are_asked_for_and_a_pattern_is_offered(tmp_path: Path, end: str):
    for epoch in (10, 20):
        save(picture(epoch), tmp_path / f"anna-{epoch:06d}" / f"00001-42{end}.jpg")
    [question] = look_into(tmp_path).questions
    offered = question.text.partition("For instance ")[2].partition(", if")[0]
    found = look_into(tmp_path, Reading(pattern=offered))
    assert not found.problems
    assert [(p.lora, p.number, p.seed) for p in found.pictures] == [("anna", 10, 42), ("anna", 20, 42)]
    assert {p.text for p in found.pictures} == {end[1:] or None}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_sources_are_refused_in_a_sentence_and_nothing_is_imported(
    what: str, tmp_path: Path, photos: Path, ws: Workspace
):
    make, said = MALFORMED[what]
    (tmp_path / "given").mkdir()
    try:
        source, reading = make(tmp_path / "given")
    except (OSError, UnicodeError) as error:  # links need a right on Windows, macOS takes UTF-8 names only
        pytest.skip(f"this system can't make it: {error}")
    before = rows_of(ws.open())
    start = time.perf_counter()
    with pytest.raises(PicturesError) as error:
        bring(ws, source, photos, reading=reading)
    assert said in str(error.value), str(error.value)
    problems = error.value.problems
    assert problems or what in OF_THE_WHOLE, "the file is named"
    assert all(problem.name and str(problem) in str(error.value) for problem in problems[:20])
    assert time.perf_counter() - start < 10
    assert rows_of(ws.open()) == before
    assert not list(ws.home.glob("previews/*/*")) and not list(ws.cache.glob("import-*"))


def test_a_hundred_and_more_malformed_sources_are_tried():
    assert len(MALFORMED) >= 100
