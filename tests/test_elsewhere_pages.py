"""What was made elsewhere as a person meets it: the way in, the answer, the scores, and a training that isn't ours."""

import io
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from drawn_elsewhere import PARAMETERS, a1111_text, grid, picture, save
from filled_elsewhere import PROMPTS, fill_elsewhere
from overheard import Overheard
from PIL import Image
from test_launch import free_port, start
from test_pages import go, open_app, press, words

from trainer import EMBEDDED
from trainer.config import TrainConfig
from workbench import views
from workbench.elsewhere.pictures.import_pictures import NewProject, import_pictures
from workbench.findings.analysis import tables
from workbench.plans.plan import plan_of
from workbench.rating.pool import held_back_tokens, rating_set, spread
from workbench.sweep import patterns
from workbench.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
SUBJECTS = EMBEDDED / "subjects"
JUDGED_MS = 90_000


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return fill_elsewhere(tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture
def made(template, tmp_path):
    shutil.copytree(template.ws.home, tmp_path, dirs_exist_ok=True)
    return Workspace(tmp_path)


def kohya_samples(folder):
    """Samples as sd-scripts names them: another person turns into the subject over three epochs."""
    folder.mkdir()
    for epoch, share in ((1, "000"), (2, "050"), (3, "100")):
        for prompt in range(4):
            source = SUBJECTS / "blends" / f"{prompt}_{share}_0.jpg"
            Image.open(source).save(folder / f"anna_e{epoch:06d}_{prompt:02d}_20240101120000_42.png")
    return folder


def test_home_offers_the_import_before_anything_else(tmp_path, monkeypatch):
    app = open_app(tmp_path, monkeypatch)
    assert app.button[0].label == "I already have pictures or LoRAs"
    app = press(app, "I already have pictures")
    assert app.title[0].value == "Import"


def test_home_gives_the_answer_in_words(made, monkeypatch):
    said = words(open_app(made.home, monkeypatch))
    assert "Best is epoch 6 at strength 1: likeness 71.0 (95 % interval 58.6 to 83.4, 6 pictures)." in said
    assert "2 of the 11 others" in said and "With 3 prompts only large differences show." in said
    assert "It isn't known whether the photos" in said
    assert "Which settings" not in said


def test_photos_that_no_training_saw_need_no_note(tmp_path, monkeypatch):
    fill_elsewhere(tmp_path, saw_references="no")
    for page in ("home", "charts", "scores"):
        assert "It isn't known whether" not in words(open_app(tmp_path, monkeypatch, page))


@pytest.mark.parametrize("page", ["charts", "scores"])
def test_every_page_with_figures_says_that_references_may_have_been_trained_on(made, monkeypatch, page):
    assert "It isn't known whether the photos" in words(open_app(made.home, monkeypatch, page))


@pytest.mark.parametrize("page", ["photos", "patterns", "plan", "queue", "rate", "gallery", "charts", "scores"])
@pytest.mark.parametrize("ragged", [False, True])
def test_no_page_breaks_on_what_was_made_elsewhere(tmp_path, monkeypatch, page, ragged):
    made = fill_elsewhere(tmp_path, base_row=not ragged, strengths=(0.8,) if ragged else (0.6, 1.0))
    if ragged:
        made.db.execute("delete from scores where preview_id % 3 = 0")
        made.db.execute("delete from previews where id % 3 = 0")
        made.db.conn.commit()
    open_app(tmp_path, monkeypatch, page)


def test_a_run_made_elsewhere_shows_no_default_value_as_its_setting(made, monkeypatch):
    app = open_app(made.home, monkeypatch, run="1")
    app = go(app, "run")
    said = words(app)
    assert "Made elsewhere" in said and "Not known (" in said
    assert not [one.label for one in app.button if one.label.startswith(("Retrain", "Go on", "Train on"))]
    shown = [frame.value for frame in app.dataframe]
    assert all("download" not in frame.columns for frame in shown)
    assert any("made elsewhere: only its pictures are here" in frame.to_string() for frame in shown)
    assert "<th>setting</th>" not in said  # none is known


def test_training_it_here_happens_once_and_then_leads_to_its_pattern(tmp_path, monkeypatch):
    made = fill_elsewhere(tmp_path)
    for _ in range(2):
        app = go(open_app(tmp_path, monkeypatch, run="1"), "run")
        label = next(one.label for one in app.button if one.label in ("Train it here", "Go to Patterns"))
        app = press(app, label)
        assert app.title[0].value == "Patterns"
    assert label == "Go to Patterns"
    assert [one.label for one in patterns.listed(made.db, 1)] == ["anna_v2", "anna_v2, trained here"]


def test_the_charts_of_imported_pictures_offer_no_view_over_what_is_not_known(made, monkeypatch):
    app = open_app(made.home, monkeypatch, "charts")
    assert app.button_group(key="view").options == ["Epochs x strengths"]


def test_a_pattern_made_elsewhere_is_not_offered_for_training(made, monkeypatch):
    app = open_app(made.home, monkeypatch, "patterns")
    assert "Trained elsewhere, so not queued: anna" in words(app)
    assert not [one.label for one in app.button if one.label.startswith("Queue ")]


def test_people_rate_one_picture_per_prompt_and_checkpoint_and_it_is_hidden_until_then(made):
    db = made.open()
    project = views.project(db, 1)
    rows = rating_set(db, project)
    assert {(row["seed"], row["strength"]) for row in rows} == {(42, 1.0)}
    assert len(rows) == 12 and held_back_tokens(db, project, "me") == {row["token"] for row in rows}


def test_where_the_main_strength_or_first_seed_is_missing_the_next_one_is_rated(made):
    db = made.open()
    gone = "checkpoint_id is not null and ((strength = 1 and prompt = 0) or (seed = 42 and prompt = 1))"
    db.execute(f"delete from scores where preview_id in (select id from previews where {gone})")
    db.execute(f"delete from previews where {gone}")
    db.conn.commit()
    rows = rating_set(db, views.project(db, 1))
    chosen = {row["prompt"]: (row["seed"], row["strength"]) for row in rows}
    assert chosen == {0: (42, 0.8), 1: (43, 1.0), 2: (42, 1.0)}


def test_a_sitting_stays_short_and_ends_with_the_last_checkpoint(tmp_path):
    made = fill_elsewhere(tmp_path, epochs=(2, 4, 6, 8), prompts=(*PROMPTS[:3], *PROMPTS[:1]))
    every = rating_set(made.db, views.project(made.db, 1))
    assert len(every) == 16
    assert spread([2, 4, 6, 8], 2) == [4, 8]


def test_the_gallery_shows_every_seed_of_pictures_made_elsewhere(made, monkeypatch):
    app = open_app(made.home, monkeypatch, "gallery")
    assert plan_of(made.open(), 1).elsewhere
    assert not app.get("button_group")[1].value  # no seed is picked: all are shown


def test_judges_are_named_with_licence_world_and_scale(made, monkeypatch):
    said = words(open_app(made.home, monkeypatch, "scores"))
    for part in ("Apache-2.0", "synthetic", "0 = 0.020, 100 = 0.820", "6 of 6", "mean of the cosines"):
        assert part in said, part


def named_by_hand(folder):
    """Pictures that only their owner's own way of naming tells apart."""
    for epoch in (1, 2):
        (folder / f"ep{epoch}").mkdir(parents=True)
        for prompt in range(2):
            picture(10 * epoch + prompt).save(folder / f"ep{epoch}" / f"p{prompt}-s7.png")
    return folder


def import_page(home, monkeypatch, source):
    home.mkdir()
    app = open_app(home, monkeypatch, "made_elsewhere")
    return field(app, "Folder, zip archive or grid").set_value(str(source)).run()


def field(app, label):
    return next(one for one in [*app.text_input, *app.text_area] if one.label == label)


def test_a_pattern_that_is_wrong_can_be_corrected_and_taken_back(tmp_path, monkeypatch):
    app = import_page(tmp_path / "home", monkeypatch, named_by_hand(tmp_path / "mine"))
    for typed, said in (("{foo}", "may hold"), ("ep{epoch}/p{prompt}-s{seed}", "1 LoRA, 2 checkpoints")):
        field(app, "How their names are put together").set_value(typed)
        app = press(app, "Read them so")
        assert said in words(app)
    app = press(app, "Take my answers back")
    assert field(app, "How their names are put together").value == ""


def test_a_grid_without_a_text_is_read_by_what_its_owner_says_of_its_sides(tmp_path, monkeypatch):
    sheet = tmp_path / "sheet.png"
    grid(3, 2, legend=False).save(sheet)
    app = import_page(tmp_path / "home", monkeypatch, sheet)
    app = app.button_group(key=f"way of reading of {sheet}").set_value("grids of several pictures").run()
    across, down = (one for one in app.text_area if one.label == "Its values in order")
    across.set_value("10, 20, 30")
    down.set_value("101\n102")
    next(one for one in app.selectbox if one.label.startswith("From top")).set_value("seed")
    app = press(app, "Read them so")
    assert "6 pictures: 1 LoRA, 3 checkpoints, 1 strength" in words(app)


def test_a_judge_of_synthetic_people_is_not_chosen_in_silence(tmp_path, monkeypatch):
    app = import_page(tmp_path / "home", monkeypatch, kohya_samples(tmp_path / "sample"))
    for kind in ("likeness", "prompt adherence"):
        next(one for one in app.selectbox if one.label == f"Judge of {kind}").set_value("embedded")
    said = words(app.run())
    assert "Likeness: photos of real people get no score" in said
    assert "Prompt adherence: photos of real people get no score" in said and "--download buffalo_l" in said


def test_the_plan_of_imported_pictures_offers_no_fields_that_would_do_nothing(made, monkeypatch):
    app = open_app(made.home, monkeypatch, "plan")
    assert "were made elsewhere, so nothing is rendered" in words(app)
    assert not [one.label for one in app.text_input if one.label in ("Sampler steps", "Preview base")]


@pytest.mark.parametrize("page", ["home", "patterns", "queue"])
def test_training_under_the_plan_of_imported_pictures_is_said_to_give_no_previews(made, monkeypatch, page):
    assert "gets no previews" not in words(open_app(made.home, monkeypatch, page))
    patterns.add(made.open(), 1, TrainConfig(), "trained here")
    assert "gets no previews" in words(open_app(made.home, monkeypatch, page))


def test_what_has_judged_is_not_said_to_refuse(made, monkeypatch):
    assert "photos of others it refuses" not in words(open_app(made.home, monkeypatch))


def test_home_says_before_the_scores_what_its_judges_may_refuse(made, monkeypatch):
    db = made.open()
    db.execute("delete from scores")
    db.conn.commit()
    said = words(open_app(made.home, monkeypatch))
    assert "photos of others it refuses" in said and "No scores yet" in said


SEED = 975310864213  # long: short ones stand in ids by chance
TELLS = [
    "annasecret",
    "given-name",
    str(SEED),
    "0.613",
    "0.887",
    "epoch",
    "strength",
    "<lora",
    "safetensors",
    "Sampler",
]


def told_pictures(folder):
    """Pictures of two LoRA files whose names, texts and seeds say where they are from."""
    for number, (lora, strength) in enumerate([("annasecret-000864", 0.613), ("annasecret", 0.887)]):
        text = a1111_text(
            f"photo of zwx woman <lora:{lora}:{strength}>", PARAMETERS.replace("Seed: 42", f"Seed: {SEED}")
        )
        save(picture(number, 512), folder / f"given-name-{number}.png", parameters=text)
    return folder


@pytest.mark.browser
def test_nothing_that_the_rate_page_sends_tells_where_an_imported_picture_is_from(tmp_path, page):
    home = tmp_path / "work"
    photos = {"training": SUBJECTS / "subject_a" / "train", "unseen": SUBJECTS / "subject_a" / "reference"}
    new = NewProject("samples", "zwx", "woman", face_judge="none", clip_judge="none")
    import_pictures(Workspace(home), told_pictures(tmp_path / "pictures"), new=new, **photos)
    heard, port = Overheard(page), free_port()
    app = start(home, port)
    assert "Workbench" in app.stdout.readline()
    try:
        page.goto(f"http://127.0.0.1:{port}/rate")
        page.get_by_role("button", name="Start").click()
        page.locator(".rate .show img").first.wait_for()
        heard.look()
        page.keyboard.press("s")
        page.get_by_text("Saved. 1 of 2.").wait_for()
        page.wait_for_load_state("networkidle")
        heard.look()
    finally:
        app.stdin.close()
        app.wait(40)
    assert len(heard.pictures) == 2 == len(heard.states)
    assert not any(Image.open(io.BytesIO(body)).info for body in heard.pictures.values())
    everything = [(what, data.lower()) for what, data in heard.heard]
    assert any(b'class="rate' in data for _, data in everything)  # what is looked through is what was sent
    assert [(what, word) for what, data in everything for word in TELLS if word.lower().encode() in data] == []


@pytest.mark.browser
def test_a_folder_of_kohya_samples_becomes_a_map(tmp_path, page):
    home, samples = tmp_path / "work", kohya_samples(tmp_path / "sample")
    port = free_port()
    app = start(home, port)
    assert "Workbench" in app.stdout.readline()
    worker = subprocess.Popen(
        [sys.executable, "-m", "workbench", "--home", str(home), "worker", "--watch-stdin"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        page.goto(f"http://127.0.0.1:{port}")
        page.get_by_role("button", name="I already have pictures or LoRAs").click()
        fill(page, "Folder, zip archive or grid", str(samples))
        page.get_by_text("12 pictures: 1 LoRA, 3 checkpoints, 1 strength").wait_for()
        fill(page, "Folder with the training photos", str(SUBJECTS / "subject_a" / "train"))
        fill(page, "Folder with unseen photos", str(SUBJECTS / "subject_a" / "reference"))
        fill(page, "Class noun", "woman")
        for kind in ("likeness", "prompt adherence"):
            choose(page, f"Judge of {kind}", "embedded")
        page.get_by_role("button", name="Import 12 pictures").click()
        page.get_by_text("12 pictures are here now").wait_for(timeout=JUDGED_MS)
        page.get_by_text(re.compile("Best is epoch 3 at strength 1")).wait_for(timeout=JUDGED_MS)
        page.locator("[data-testid=stVegaLiteChart] svg, [data-testid=stVegaLiteChart] canvas").first.wait_for()
        wait_until_judged(Workspace(home))
    finally:
        for process in (app, worker):
            process.stdin.close()
        for process in (app, worker):
            process.wait(40)
    read = tables(Workspace(home).open(), 1)
    by_epoch = read.checkpoints[~read.checkpoints["is_base"]].set_index("epoch")["likeness"]
    assert by_epoch[1] < by_epoch[2] < by_epoch[3] and by_epoch[3] > 80
    assert not views.reference_note(Workspace(home).open(), {"id": 1})


def fill(page, label, text):
    box = page.get_by_role("textbox", name=label, exact=True)
    box.fill(text)
    box.press("Enter")


def choose(page, label, value):
    """Choose from a list; one that is opened while the page runs anew is closed again by that."""
    option = page.get_by_role("option", name=value, exact=True)
    deadline = time.monotonic() + 30
    while not option.is_visible():
        assert time.monotonic() < deadline, f"no {value} in the list {label}"
        page.get_by_role("combobox", name=label).click()
        page.wait_for_timeout(1000)  # ms
    option.click()


def wait_until_judged(ws, limit_s=60):
    deadline = time.monotonic() + limit_s
    while tables(ws.open(), 1).previews["likeness"].isna().any():
        assert time.monotonic() < deadline
        time.sleep(1)
