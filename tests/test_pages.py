"""Every page as a person meets it: empty, full and in the middle of a sweep."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from filled import PLAN, UPDATES, add_life, add_ratings, fill
from PIL import Image, ImageFilter
from serving import serving
from streamlit.testing.v1 import AppTest

from db import library, results, runs, sittings
from pages._shared import matching
from trainer.config import parse_config
from workbench.dataset.photos import add_photos
from workbench.keeping import bin
from workbench.plans.plan import EvalPlan, plan_of, set_plan
from workbench.projects import add_project
from workbench.running import queue
from workbench.sweep import patterns
from workbench.sweep.article import TOOL_PLAN
from workbench.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
PAGES = ["photos", "patterns", "plan", "queue", "rate", "gallery", "charts"]


def open_app(home, monkeypatch, page=None, **query):
    """The app on a page. With a folder ``pages`` beside its script AppTest would leave out app.py."""
    monkeypatch.setenv("WORKBENCH_HOME", str(home))
    script = home / "run app.py"
    script.write_text(f"import runpy\n\nrunpy.run_path({str(ROOT / 'app.py')!r})\n", encoding="utf-8")
    app = AppTest.from_file(str(script), default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    return go(app, page) if page else no_error(app)


def go(app, page):
    return no_error(app.switch_page(str(ROOT / "pages" / f"{page}.py")).run())


def no_error(app):
    assert not app.exception, [error.message for error in app.exception]
    return app


def button(app, label):
    found = [one for one in app.button if one.label.startswith(label)]
    assert found, f"no button {label!r} among {[one.label for one in app.button]}"
    return found[0]


def field(app, label):
    return next(one for one in app.text_input if one.label == label)


def unfold(app, *keys):
    """Open what is folded away: it is made only then."""
    for key in keys:
        app.session_state[key] = True
    return no_error(app.run())


def press(app, label):
    return no_error(button(app, label).click().run())


def words(app):
    """All that a page says outside its pictures and charts."""
    kinds = (
        app.title,
        app.subheader,
        app.markdown,
        app.caption,
        app.info,
        app.warning,
        app.error,
        app.success,
    )
    said = [element.value for kind in kinds for element in kind]
    said += [element.proto.body for element in app.main.get("html")]
    said += [f"{metric.label} {metric.value}" for metric in app.metric]
    return re.sub(r"\\(?=[^\w\s])", "", "\n".join(said))  # as Markdown shows it


@pytest.fixture
def empty(tmp_path):
    return tmp_path


@pytest.fixture
def bare(tmp_path):
    """A project without photos, patterns and runs."""
    ws = Workspace(tmp_path)
    add_project(ws.open(), "bare", "zwx", "woman")
    return ws


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def full(template, tmp_path):
    """A finished sweep, each test its own copy."""
    shutil.copytree(template.ws.home, tmp_path, dirs_exist_ok=True)
    ws = Workspace(tmp_path)
    return replace(template, ws=ws, db=ws.open())


@pytest.fixture
def busy(full):
    """In the middle of a sweep: one run trains, one failed, one was cancelled, one waits."""
    return full, add_life(full)


# empty


@pytest.mark.parametrize("page", PAGES)
def test_without_a_project_every_page_says_what_to_do_as_one_button(empty, monkeypatch, page):
    app = open_app(empty, monkeypatch, page)
    assert "There is no project yet" in words(app)
    assert [one.label for one in app.button] == ["Make a project"]
    press(app, "Make a project")
    assert "best LoRA" in app.title[0].value


def test_the_first_start_asks_for_a_project_and_goes_on_to_its_photos(empty, monkeypatch):
    app = open_app(empty, monkeypatch)
    press(app, "Make the project")
    assert "The project needs a name" in app.error[0].value

    app.text_input[0].set_value("Anna")
    app.text_input[2].set_value("woman")
    press(app, "Make the project")
    assert app.title[0].value == "Photos"
    assert [row["name"] for row in library.projects(Workspace(empty).open())] == ["Anna"]


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("photos", "Add 15 or more photos"),
        ("plan", "This is the plan in force"),
        ("patterns", "The first one is the baseline of the others"),
        ("queue", "Nothing is queued"),
        ("rate", "There is no picture to rate yet"),
        ("gallery", "No previews yet"),
        ("charts", "No scores yet"),
    ],
)
def test_a_new_project_says_on_every_page_what_is_missing(bare, monkeypatch, page, said):
    assert said in words(open_app(bare.home, monkeypatch, page))


def test_home_leads_from_a_new_project_to_its_photos(bare, monkeypatch):
    app = press(open_app(bare.home, monkeypatch), "Add photos of your subject")
    assert app.title[0].value == "Photos"


@pytest.mark.parametrize("number", [None, "999", "x", "1 or 1=1", "-1", "9" * 30])
def test_a_run_that_is_not_there_is_said(full, monkeypatch, number):
    app = open_app(full.ws.home, monkeypatch, **({"run": number} if number else {}))
    assert "no run" in words(go(app, "run")).lower()


@pytest.mark.parametrize("page", ["home", *PAGES, "run"])
def test_every_page_stands_beside_the_project_and_the_worker(busy, monkeypatch, page):
    app = go(open_app(busy[0].ws.home, monkeypatch), page)
    assert app.sidebar.selectbox[0].value == 1
    assert "worker training" in app.sidebar.markdown[0].value
    assert app.sidebar.caption[0].value == "on 2 cores"


# home


def test_home_says_where_things_stand_and_what_comes_next(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch)
    said = words(app)
    assert "Runs done 6 of 6" in said
    assert "Previews 104 of 104" in said
    assert "Best so far: baseline" in said
    assert "60.0" in said
    assert [one.label for one in app.button if one.proto.type == "primary"] == ["Queue this"]  # what to train next
    assert "Rate for 5 minutes: 10 checkpoints can't be told apart yet" in [one.label for one in app.button]
    assert press(app, "Rate for 5").title[0].value == "Rate"


def test_home_names_failures_with_their_reason_and_retries_them(busy, monkeypatch):
    full, ids = busy
    app = open_app(full.ws.home, monkeypatch)
    assert "became infinite or not a number at update 37" in words(app)
    primary = [one.label for one in app.button if one.proto.type == "primary"]
    assert len(primary) == 1 and primary != ["Queue this"]  # runs are waiting: what comes next stands at the top
    press(app, "Retry")
    assert runs.get(full.db, ids["failed"])["status"] == "queued"
    assert "became infinite" not in words(app)


def test_a_plan_is_changed_and_the_cost_is_said_before(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "plan")
    assert "This is the plan in force" in words(app)
    field(app, "Preview seeds").set_value("101, 102, 7").run()
    # 12 checkpoints and the base row, each 4 prompts, with the third seed; the others are drawn already
    said = words(no_error(app))
    assert "4 prompts × 3 seeds × 1 strength = 12 previews of each checkpoint" in said
    assert "52 previews to render for the checkpoints that there are (about 26 s" in said
    assert "104 are drawn already" in said
    press(app, "Use this plan")
    plan = plan_of(full.db, full.project_id)
    assert (plan.seeds, plan.steps, plan.prompts) == ((101, 102, 7), PLAN.steps, PLAN.prompts)
    assert "This is the plan in force" in words(app)
    assert len(results.previews(full.db, full.project_id, full.plan_id)) == 104  # earlier ones stay
    assert [choice for choice in app.selectbox[0].options if choice.startswith("earlier: ")]


def test_a_preset_fills_the_form_and_an_earlier_plan_can_be_used_again(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "plan")
    begin = next(box for box in app.selectbox if box.label == "Begin with")
    no_error(begin.set_value("preset: the article's tool").run())
    assert field(app, "Sampler steps").value == str(TOOL_PLAN.steps)
    press(app, "Use this plan")
    assert plan_of(full.db, full.project_id) == TOOL_PLAN
    begin = next(box for box in app.selectbox if box.label == "Begin with")
    no_error(begin.set_value(begin.options[-1]).run())
    assert "no preview to render now" in words(app)
    press(app, "Use this plan")
    assert plan_of(full.db, full.project_id) == PLAN


def test_a_plan_that_can_not_be_rendered_is_explained_and_not_saved(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "plan")
    field(app, "Sampler steps").set_value("0").run()
    field(app, "VAE").set_value("/not/there").run()
    assert "The number of sampler steps is '0' but must be at least 1" in no_error(app).error[0].value
    assert button(app, "Use this plan").disabled
    field(app, "Sampler steps").set_value("20").run()
    assert "There is no VAE in" in words(no_error(app))


def test_another_judge_says_what_it_costs_before_it_is_saved(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "plan")
    app.selectbox(key="face_judge of 1, was embedded").set_value("none").run()
    assert "No judge: likeness is not measured any more" in words(no_error(app))
    press(app, "Save the judges")
    assert library.project(full.db, full.project_id)["face_judge"] == "none"


def test_a_judge_that_is_not_on_this_computer_is_said_where_it_is_chosen(full, monkeypatch):
    library.update_project(full.db, full.project_id, clip_judge="nobody/nothing")
    app = open_app(full.ws.home, monkeypatch, "plan")
    assert "'nobody/nothing' names no CLIP judge" in words(app)
    app.selectbox(key="clip_judge of 1, was nobody/nothing").set_value("none").run()
    assert "names no CLIP judge" not in words(no_error(app))


def test_a_base_that_the_judge_does_not_know_is_warned_about(bare, monkeypatch):
    assert not open_app(bare.home, monkeypatch).warning
    library.update_project(bare.open(), 1, base_model="/models/sd15")
    said = words(open_app(bare.home, monkeypatch))
    assert "The judge of likeness, embedded, knows synthetic people only" in said


def test_home_says_when_nothing_can_train(full, monkeypatch):
    queue.enqueue(full.db, full.project_id, full.pattern_ids[:1], [9])
    assert "Nothing trains until a worker runs" in words(open_app(full.ws.home, monkeypatch))


# photos


def test_photos_show_their_exact_captions_as_text(full, monkeypatch):
    nasty = "photo of zwx woman <img src=x onerror=alert(1)> & [link](javascript:alert(2))"
    full.db.execute("update photos set caption = ? where position = 0", [nasty])
    full.db.conn.commit()
    said = words(open_app(full.ws.home, monkeypatch, "photos"))
    assert "<img src=x" not in said
    assert "photo of zwx woman &lt;img src=x onerror=alert(1)&gt; &amp; [link](javascript:alert(2))" in said
    assert "Trained on (6)" in said
    assert "Held out: likeness is measured against these (3)" in said


def test_a_folder_is_imported_and_broken_files_are_named_with_the_reason(bare, monkeypatch, subject, tmp_path_factory):
    folder = tmp_path_factory.mktemp("my photos")
    for name in ("00", "01", "02", "03", "04"):
        shutil.copy(subject / "train" / f"{name}.jpg", folder)
        shutil.copy(subject / "train" / f"{name}.txt", folder)
    (folder / "half.jpg").write_bytes((folder / "00.jpg").read_bytes()[:900])
    app = open_app(bare.home, monkeypatch, "photos")
    app.text_input[0].set_value(str(folder)).run()
    press(app, "Import the folder")
    said = words(app)
    assert "5 photos added" in said
    assert "half" in said
    assert "1 skipped" in said
    project = library.projects(bare.open())[0]
    assert len(library.photos(bare.open(), project["dataset_id"])) == 5


def test_no_folder_at_all_is_not_taken_for_the_one_that_the_app_runs_in(bare, monkeypatch):
    app = press(open_app(bare.home, monkeypatch, "photos"), "Import the folder")
    assert "Which folder?" in app.error[0].value
    assert library.projects(bare.open())[0]["dataset_id"] is None


def test_a_folder_that_is_not_there_is_said(bare, monkeypatch):
    app = open_app(bare.home, monkeypatch, "photos")
    app.text_input[0].set_value(str(bare.home / "nowhere")).run()
    press(app, "Import the folder")
    assert "nowhere" in app.error[0].value


@pytest.fixture
def flawed(bare, subject):
    """Ten photos: one blurred, one twice, one without a face."""
    files = sorted((subject / "train").glob("*.jpg"))
    sources = [(file.name, file, f"zwx woman with long red hair, shirt {n}") for n, file in enumerate(files[:7])]
    for name, picture in (
        ("soft.png", Image.open(files[8]).filter(ImageFilter.GaussianBlur(3))),
        ("twice.png", Image.open(files[0]).resize((200, 200))),
        ("wall.png", Image.effect_noise((256, 256), 60).convert("RGB")),
    ):
        file = bare.home / name
        picture.save(file)
        sources.append((name, file, "zwx woman with long red hair"))
    add_photos(bare, 1, sources)
    return bare


def test_flawed_photos_are_shown_with_the_reason_and_can_be_left_out_and_brought_back(flawed, monkeypatch):
    app = open_app(flawed.home, monkeypatch, "photos")
    said = words(app)
    assert "Look at these (4)" in said
    for text in ("It looks blurred", "Nearly the same picture as twice.png", "No face was found in it"):
        assert text in said
    press(app, "Leave it out")
    said = words(app)
    assert "is left out. The version before still has it." in said and "Look at these (2)" in said
    press(app, "Use this version again")
    assert "Look at these (4)" in words(app)
    assert [row["version"] for row in library.datasets(flawed.open(), 1)] == [1, 2]


def test_a_photo_whose_file_is_gone_is_named_on_the_photos_page_and_can_be_left_out(flawed, monkeypatch):
    first = library.photos(flawed.open(), 1)[0]
    file = flawed.path(first["file"])
    content = file.read_bytes()
    file.unlink()
    app = open_app(flawed.home, monkeypatch, "photos")
    said = words(app)
    assert "Its file is missing or broken: " in said and file.name in said and "Trained on" in said
    file.write_bytes(content)
    assert "missing or broken" not in words(no_error(app.run()))
    file.unlink()
    no_error(app.run())
    no_error(next(one for one in app.button if one.key == f"leave-out-{first['id']}").click().run())
    assert "missing or broken" not in words(app)


def test_without_a_judge_of_faces_the_photos_page_speaks_of_none(flawed, monkeypatch):
    library.update_project(flawed.open(), 1, face_judge="none")
    app = open_app(flawed.home, monkeypatch, "photos")
    said = words(app) + " ".join(one.help or "" for one in app.text_input)
    assert "Look at these (3)" in said and "Held out: no training sees these" in said
    assert not re.search(r"face|likeness|person", said, re.IGNORECASE)


def test_a_word_list_shows_what_is_left_of_every_caption_before_it_is_saved(flawed, monkeypatch):
    app = open_app(flawed.home, monkeypatch, "photos")
    assert "long red hair (in 10)" in words(app)
    press(app, "Use these")
    table = next(frame.value for frame in app.dataframe if "traits left out" in frame.value)
    assert set(table["traits left out"]) == {"zwx woman", *(f"zwx woman, shirt {n}" for n in range(7))}
    assert set(table["trigger and class only"]) == {"zwx woman"}
    assert json.loads(library.dataset(flawed.open(), 1)["traits"]) == []
    press(app, "Save the word list")
    project = library.project(flawed.open(), 1)
    assert json.loads(library.dataset(flawed.open(), project["dataset_id"])["traits"]) == ["long red hair"]


def test_another_split_is_a_version_of_its_own(flawed, monkeypatch):
    before = {row["name"]: row["side"] for row in library.photos(flawed.open(), 1)}
    press(open_app(flawed.home, monkeypatch, "photos"), "Split again")
    project = library.project(flawed.open(), 1)
    after = {row["name"]: row["side"] for row in library.photos(flawed.open(), project["dataset_id"])}
    assert after != before and after["00.jpg"] == after["twice.png"]


def test_a_folder_with_a_folder_for_each_subject_becomes_a_project_each(bare, monkeypatch, subject, tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    for number, name in enumerate(("anna", "ben")):
        (folder / name).mkdir()
        for photo in range(3):
            shutil.copy(subject / "train" / f"{number}{photo}.jpg", folder / name)
    app = open_app(bare.home, monkeypatch, "photos")
    app.text_input[0].set_value(str(folder)).run()
    press(app, "Import the folder")
    assert "2 sub-folders have photos: anna, ben." in words(app)
    press(app, "Make 2 projects")
    assert [row["name"] for row in library.projects(bare.open())] == ["bare", "anna", "ben"]


def test_a_project_may_begin_with_the_painted_miniature(empty, monkeypatch):
    app = open_app(empty, monkeypatch)
    field(app, "Name").set_value("painted")
    field(app, "Class noun").set_value("woman")
    choice = next(one for one in app.selectbox if one.label == "Base model")
    assert any("paintings" in option for option in choice.options)
    choice.set_value("embedded-painted")
    press(app, "Make the project")
    assert library.projects(Workspace(empty).open())[0]["base_model"] == "embedded-painted"


# patterns


def test_patterns_show_only_what_differs_from_the_baseline(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "patterns")
    table = app.dataframe[0].value
    assert list(table["pattern"]) == ["baseline", "alpha 1", "rate 6e-3"]
    assert list(table["alpha"]) == ["16", "1", ""]
    assert list(table["learning rate"]) == ["0.002", "", "0.006"]
    assert "dim (rank)" not in table


def test_only_what_was_not_trained_yet_is_queued(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "patterns")
    assert button(app, "All of these").disabled
    app.button_group[0].set_value([]).run()
    assert button(app, "Choose a training seed").disabled
    app.button_group[0].set_value([1, 2, 3]).run()
    press(app, "Queue 3 runs")
    assert app.title[0].value == "Queue"
    queued = runs.with_status(full.db, "queued")
    assert [(run["pattern_id"], run["seed"]) for run in queued] == [(pattern, 3) for pattern in full.pattern_ids]


def test_what_will_have_no_effect_is_said_before_it_is_queued(full, monkeypatch):
    for rate in (1e-4, 1e-2):
        label = f"AdaFactor {rate}"
        patterns.clone(full.db, full.project_id, full.pattern_ids[0], label, optimizer="adafactor", learning_rate=rate)
    assert "very same LoRA" in words(open_app(full.ws.home, monkeypatch, "patterns"))


def test_the_value_to_change_is_that_of_the_pattern_to_copy(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "patterns")
    first, _, faster = full.pattern_ids
    assert app.text_input(key=f"clone-{first}-learning_rate").value == "0.002"
    next(box for box in app.selectbox if box.label == "Pattern to copy").set_value(faster).run()
    assert app.text_input(key=f"clone-{faster}-learning_rate").value == "0.006"


def test_a_clone_changes_one_setting(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "patterns")
    app.selectbox(key=f"clone-{full.pattern_ids[0]}-which").set_value("dim").run()
    app.text_input(key=f"clone-{full.pattern_ids[0]}-dim").set_value("4").run()
    assert "baseline, dim (rank) 4" in [field.value for field in app.text_input if field.label == "Label"]
    press(app, "Add this pattern")
    added = patterns.listed(full.db, full.project_id)[-1]
    assert (added.label, added.config.dim) == ("baseline, dim (rank) 4", 4)
    assert patterns.changes(added, patterns.listed(full.db, full.project_id)[0]) == {"dim": 4}


@pytest.mark.parametrize(
    ("typed", "said"),
    [("0", "dim is '0' but must be at least 1"), ("many", "dim is 'many'"), ("16", "Nothing is changed")],
)
def test_a_value_that_can_not_be_trained_is_explained(full, monkeypatch, typed, said):
    app = open_app(full.ws.home, monkeypatch, "patterns")
    app.selectbox(key=f"clone-{full.pattern_ids[0]}-which").set_value("dim").run()
    app.text_input(key=f"clone-{full.pattern_ids[0]}-dim").set_value(typed).run()
    press(app, "Add this pattern")
    assert said in app.error[0].value
    assert len(patterns.listed(full.db, full.project_id)) == 3


def test_the_first_pattern_is_made_from_the_defaults(bare, monkeypatch):
    app = open_app(bare.home, monkeypatch, "patterns")
    app.text_input(key="new label").set_value("start")
    press(app, "Add the pattern")
    assert [(p.label, p.config.dim) for p in patterns.listed(bare.open(), 1)] == [("start", 16)]


# queue


def test_the_queue_shows_every_run_with_its_reason(busy, monkeypatch):
    full, ids = busy
    app = open_app(full.ws.home, monkeypatch, "queue")
    table = app.dataframe[0].value.set_index("run")
    assert len(table) == 10
    assert table.loc[ids["running"], "status"] == "training"
    assert table.loc[ids["running"], "progress"] == 45 / UPDATES[-1]
    assert "update 37" in table.loc[ids["failed"], "what happened"]
    assert "baseline, seed 3: training" in words(app)  # the one that trains now is open below
    assert "starting" in app.code[0].value


def test_a_running_training_is_cancelled_from_the_queue(busy, monkeypatch):
    full, ids = busy
    press(open_app(full.ws.home, monkeypatch, "queue"), "Cancel")
    assert runs.get(full.db, ids["running"])["cancel_requested"] == 1


# gallery, charts, run


def test_the_gallery_offers_to_show_what_waits_and_says_what_that_costs(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "gallery")
    assert "wait to be rated" not in words(app)  # the last seed's pictures are shown freely
    no_error(app.button_group(key="seeds").set_value([101, 102]).run())
    said = words(app)
    assert "23 pictures here wait to be rated blind by me" in said and "can't rate these blind any more" in said
    assert app.button(key="reveal").label == "Show them, and don't ask me about them"
    assert not sittings.revealed(full.db, full.project_id, "me")
    no_error(app.button(key="reveal").click().run())
    assert len(sittings.revealed(full.db, full.project_id, "me")) == 23
    assert "reveal" not in [one.key for one in app.button]


@pytest.mark.parametrize("view", ["Every checkpoint", "All patterns in one picture", "Two against each other"])
def test_every_view_of_the_gallery_is_there(full, monkeypatch, view):
    app = open_app(full.ws.home, monkeypatch, "gallery")
    no_error(app.button_group(key="gallery-view").set_value(view).run())
    assert len(app.get("download_button")) == (view == "All patterns in one picture")


def test_without_two_bases_the_charts_say_how_to_compare_them(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "charts")
    no_error(app.button_group(key="view").set_value("Other base or clip skip").run())
    assert "No two patterns differ in their base model or their clip skip alone" in words(app)
    other = full.db.execute("select config from patterns where id = ?", [full.pattern_ids[0]]).fetchone()[0]
    patterns.add(full.db, full.project_id, parse_config(other).model_copy(update={"clip_skip": 2}), "skip 2")
    no_error(app.run())
    assert press(app, "Change the plan").title[0].value == "Plan"


def test_a_link_to_the_former_view_of_the_weight_change_leads_to_its_axis(full, monkeypatch):
    for checkpoint in full.db["checkpoints"].rows:
        change = json.dumps({"all": checkpoint["id"] / 1000})
        full.db["checkpoints"].update(checkpoint["id"], {"weight_change": change})
    full.db.execute("update meta set value = value + 1 where key = 'revision'")
    full.db.conn.commit()
    app = open_app(full.ws.home, monkeypatch, "charts", view="Weight change")
    assert app.button_group(key="view").value == "One setting"
    assert app.selectbox(key="setting").value == "weight_change"
    assert "These are no matched comparisons" in words(app)
    assert len(app.get("vega_lite_chart")) == 1
    no_error(app.toggle(key="every checkpoint").set_value(True).run())
    no_error(app.selectbox(key="setting").set_value("alpha").run())


def test_a_link_to_a_weight_change_that_was_not_measured_is_no_error(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "charts", view="Weight change")
    assert app.button_group(key="view").value == "One setting"


def test_a_score_over_strengths_is_offered_where_the_plan_has_several(tmp_path, monkeypatch):
    full = fill(tmp_path, EvalPlan(prompts=PLAN.prompts, seeds=PLAN.seeds, strengths=(0.5, 1.0)), rated=False)
    app = open_app(full.ws.home, monkeypatch, "charts", view="Over the training")
    assert list(app.selectbox(key="at strength").options) == ["0.5", "1", "best of each", "all, side by side"]
    assert app.selectbox(key="at strength").value == "1"
    no_error(app.selectbox(key="at strength").set_value("all, side by side").run())
    assert len(app.get("vega_lite_chart")) == 2
    no_error(app.selectbox(key="at strength").set_value("best of each").run())
    assert "Choosing flatters" in words(app)
    no_error(app.button_group(key="over").set_value("strength").run())
    assert len(app.get("vega_lite_chart")) == 1
    assert "loses faces first" in words(app)


@pytest.mark.parametrize("query", [{"view": ""}, {"view": "Over the training", "over": ""}])
def test_a_link_that_names_no_view_shows_the_first(full, monkeypatch, query):
    app = open_app(full.ws.home, monkeypatch, "charts", **query)
    assert len(app.get("vega_lite_chart")) == 1


def test_before_any_lora_is_measured_no_view_breaks_on_the_base_row_alone(full, monkeypatch):
    for pattern_id in full.pattern_ids:
        bin.delete_pattern(full.db, full.project_id, pattern_id)
    for view in ("Over the training", "Epochs x strengths"):
        assert "No scores yet" in words(open_app(full.ws.home, monkeypatch, "charts", view=view))


def test_after_a_change_of_the_plan_the_charts_say_that_its_pictures_are_being_made(tmp_path, monkeypatch):
    full = fill(tmp_path, rated=False)
    other = EvalPlan(prompts=PLAN.prompts, seeds=(901, 902))
    set_plan(full.db, full.project_id, other)
    said = words(open_app(full.ws.home, monkeypatch, "charts"))
    assert "its pictures are being made of the LoRAs that are there" in said


def test_a_click_on_what_is_gone_means_nothing():
    table = pd.DataFrame({"pattern_a": [1, 1], "pattern_b": [2, 3]})
    assert matching(table, [{"pattern_a": 1, "pattern_b": 3}]).name == 1
    assert matching(table, [{"pattern_a": 4, "pattern_b": 3}]) is None and matching(table, []) is None


@pytest.mark.parametrize("view", ["Only one thing differs", "One setting", "Over the training"])
def test_every_view_of_the_charts_draws_a_chart(full, monkeypatch, view):
    app = open_app(full.ws.home, monkeypatch, "charts")
    no_error(app.button_group(key="view").set_value(view).run())
    assert len(app.get("vega_lite_chart")) == 1
    assert len(app.get("download_button")) == 1


def test_a_pair_is_told_in_a_sentence_with_its_certainty(full, monkeypatch):
    said = words(open_app(full.ws.home, monkeypatch, "charts"))
    assert "alpha" in said
    assert "seems to matter" in said
    assert "95 % interval" in said


def test_previews_without_scores_are_no_error(tmp_path, monkeypatch):
    """Previews come a little before their scores."""
    full = fill(tmp_path, rated=False)
    full.db.execute("delete from scores")
    full.db.execute("update meta set value = value + 1 where key = 'revision'")
    full.db.conn.commit()
    app = open_app(full.ws.home, monkeypatch)
    for page in PAGES:
        go(app, page)
    assert "Best so far" not in words(go(app, "home"))
    no_error(app)


def test_a_judge_that_is_not_there_is_said(full, monkeypatch):
    full.db.execute("update scores set judge_id = null, value = null, status = 'unavailable' where metric = 'likeness'")
    full.db.conn.commit()
    said = words(open_app(full.ws.home, monkeypatch, "charts"))
    assert "Likeness is not measured: the judge embedded is not on this computer" in said


def test_without_any_judge_marks_are_the_scores(tmp_path, monkeypatch):
    full = fill(tmp_path, rated=False)
    full.db.execute("delete from scores")
    library.update_project(full.db, full.project_id, face_judge="none", clip_judge="none")
    app = open_app(full.ws.home, monkeypatch, "charts")
    assert "Without a judge they are your marks" in words(app)
    assert press(app, "Rate").title[0].value == "Rate"
    add_ratings(full)
    assert go(app, "charts").selectbox(key="score").value == "human_likeness"


def test_the_gallery_offers_the_strengths_of_the_plan(tmp_path, monkeypatch):
    full = fill(tmp_path, plan=PLAN.model_copy(update={"strengths": (0.6, 1.0), "seeds": (101,)}))
    app = open_app(full.ws.home, monkeypatch, "gallery")
    strength = app.button_group(key="strength")
    assert (strength.options, strength.value) == (["0.6", "1.0"], 1.0)
    no_error(strength.set_value(0.6).run())


def open_run(full, monkeypatch, run_id):
    return go(open_app(full.ws.home, monkeypatch, run=str(run_id)), "run")


def test_a_run_shows_its_settings_files_and_pictures(full, monkeypatch):
    app = open_run(full, monkeypatch, full.run_ids[2])
    assert app.title[0].value == "alpha 1, seed 1"
    files = app.dataframe[0].value
    assert list(files["updates"]) == list(UPDATES)
    told = words(app)
    assert "<th>setting</th><th>asked for</th><th>in force</th><th>why</th>" in told
    assert "<td>alpha</td><td>1</td><td>1</td>" in told
    assert "<td>text encoder rate (per update)</td><td>-</td><td>0.002</td>" in told


def test_a_run_tells_what_was_measured_of_its_checkpoints(full, monkeypatch):
    assert "Checkpoints" not in [one.value for one in open_run(full, monkeypatch, full.run_ids[0]).subheader]
    losses = zip(runs.checkpoints(full.db, full.run_ids[0]), (0.1, 0.08), (0.1, 0.12), strict=True)
    for checkpoint, train, reference in losses:
        measured = {"loss_train": train, "loss_reference": reference, "weight_change": '{"mid": 0.01, "all": 0.02}'}
        full.db.table("checkpoints").update(checkpoint["id"], measured)
    app = open_run(full, monkeypatch, full.run_ids[0])
    assert "Checkpoints" in [one.value for one in app.subheader]
    assert "Overfitting: the gap grew from +0.0000 at update 60 to +0.0400 at 120" in words(app)
    assert len(app.get("vega_lite_chart")) == 3  # and the loss while it trained
    assert "<th>weight change</th>" in words(app) and words(app).count("<td>2 %</td>") == 2


def test_retraining_with_a_new_seed_is_one_click(full, monkeypatch):
    app = press(open_run(full, monkeypatch, full.run_ids[0]), "Retrain with a new seed")
    assert app.title[0].value == "Queue"
    queued = runs.with_status(full.db, "queued")
    assert [(run["pattern_id"], run["seed"]) for run in queued] == [(full.pattern_ids[0], 3)]


def test_retraining_with_one_change_makes_a_new_pattern(full, monkeypatch):
    app = open_run(full, monkeypatch, full.run_ids[0])
    app.selectbox(key=f"retrain-{full.run_ids[0]}-which").set_value("alpha").run()
    app.text_input(key=f"retrain-{full.run_ids[0]}-alpha").set_value("4").run()
    press(app, "Retrain with this change")
    queued = runs.with_status(full.db, "queued")
    assert [(run["label"], run["seed"]) for run in queued] == [("baseline, alpha 4", 1)]


def test_retraining_without_a_change_is_explained(full, monkeypatch):
    app = press(open_run(full, monkeypatch, full.run_ids[0]), "Retrain with this change")
    assert "Nothing is changed" in app.error[0].value
    assert not runs.with_status(full.db, "queued")


# all of them


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_at_most_one_primary_button(busy, monkeypatch, page):
    app = open_app(busy[0].ws.home, monkeypatch, page)
    assert sum(one.proto.type == "primary" for one in app.button) <= 1


def test_the_project_of_the_address_is_shown(full, monkeypatch):
    add_project(full.db, "other", "abc", "dog")
    app = open_app(full.ws.home, monkeypatch, project="other")
    assert app.title[0].value == "other"


def test_no_page_loads_a_model(full, monkeypatch):
    open_app(full.ws.home, monkeypatch)
    script = full.ws.home / "run app.py"
    code = f"""
import os, sys
os.environ["WORKBENCH_HOME"] = {str(full.ws.home)!r}
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({str(script)!r}, default_timeout=60).run()
for page in {PAGES!r}:
    assert not app.switch_page({str(ROOT / "pages")!r} + "/" + page + ".py").run().exception
heavy = ("torch", "diffusers", "insightface", "onnxruntime", "open_clip")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120)
    assert done.stdout.strip() == "[]", done.stderr


# what only a browser can do


@pytest.fixture
def site(full):
    """The app over a full workspace: its address."""
    with serving(full.ws.home) as address:
        yield address


@pytest.mark.browser
def test_a_click_on_a_picture_tells_all_about_it_and_leads_to_its_run(site, page):
    page.goto(f"{site}/gallery")
    page.locator("button.tile").nth(4).click()  # after the base row: the first picture of the first run
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("images seen").wait_for()
    picture = dialog.locator("img.big")
    assert page.evaluate("image => image.decode().then(() => image.naturalWidth)", picture.element_handle()) == 64
    assert picture.bounding_box()["width"] > 400
    dialog.get_by_role("button", name="Open the run").click()
    page.get_by_role("heading", name="baseline, seed 1", exact=True).wait_for()
    assert "run=1" in page.url


@pytest.mark.browser
def test_a_click_on_a_point_shows_its_pictures(site, page):
    page.goto(f"{site}/charts?view=Over+the+training")
    points = page.locator("[data-testid=stVegaLiteChart] .mark-symbol.role-mark path")
    points.last.wait_for()  # the first may be the end of an interval: a line, which counts as hidden
    assert page.locator(".tile").count() == 0
    points.last.click(force=True)
    page.locator(".head", has_text="without LoRA").wait_for()
    page.locator("button.tile img").first.wait_for()


@pytest.mark.browser
def test_a_ticked_run_stays_open_when_the_order_of_the_queue_changes(busy, site, page):
    full, ids = busy
    page.goto(f"{site}/queue")
    page.get_by_role("heading", name="baseline, seed 3: training").wait_for()
    table = page.get_by_test_id("stDataFrame").bounding_box()
    page.mouse.click(table["x"] + 16, table["y"] + 2.5 * table["height"] / 11)  # the second of ten runs
    page.get_by_role("heading", name="baseline, seed 4: waiting").wait_for()
    runs.end(full.db, ids["running"], "done")  # which makes the ticked one the first
    page.get_by_text("9 of 10 runs ended").wait_for()
    page.wait_for_timeout(2500)  # one more look at the queue
    assert page.get_by_role("heading", name="baseline, seed 4: waiting").is_visible()
