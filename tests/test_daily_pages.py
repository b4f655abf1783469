"""What pages offer for the daily work: pause, hours, order, train longer, final, rules, bin, backup."""

import pytest
from filled import add_life, fill
from test_pages import button, field, go, no_error, open_app, press, unfold, words

from db import library, runs
from workbench.keeping import bin, retention
from workbench.running import hours, queue


@pytest.fixture
def full(tmp_path):
    return fill(tmp_path / "w")


@pytest.fixture
def busy(full):
    return full, add_life(full)


def test_the_queue_is_paused_and_resumed_and_both_pages_say_so(busy, monkeypatch):
    full, _ = busy
    app = press(open_app(full.ws.home, monkeypatch, "queue"), "Pause")
    assert hours.is_paused(full.db) and "The queue is paused" in words(app)
    assert "The queue is paused" in words(open_app(full.ws.home, monkeypatch))
    press(open_app(full.ws.home, monkeypatch, "queue"), "Resume")
    assert not hours.is_paused(full.db)


def test_the_hours_are_chosen_on_the_queue_page(busy, monkeypatch):
    full, _ = busy
    app = press(open_app(full.ws.home, monkeypatch, "queue"), "Only in these hours")
    assert str(hours.window(full.db)) == "22:00-07:00"
    press(app, "At any hour")
    assert hours.window(full.db) is None


def test_a_waiting_run_is_moved_by_a_button(busy, monkeypatch):
    full, ids = busy
    [later] = queue.enqueue(full.db, full.project_id, full.pattern_ids[:1], [9])
    runs.end(full.db, ids["running"], "done")
    app = open_app(full.ws.home, monkeypatch, "queue")
    assert button(app, "First").key == f"first-{ids['queued']}"
    press(app, "Last")
    assert [run["id"] for run in runs.with_status(full.db, "queued")] == [later, ids["queued"]]


def test_a_finished_run_offers_to_go_on_and_to_train_on_all_photos(full, monkeypatch):
    run = str(full.run_ids[0])
    app = press(open_app(full.ws.home, monkeypatch, "run", run=run), "Go on")
    assert "training state of run 1 is gone" in no_error(app).error[0].value
    press(open_app(full.ws.home, monkeypatch, "run", run=run), "Train on all photos")
    [final] = runs.with_status(full.db, "queued")
    assert final["final"] == 1
    assert "final: on all photos" in words(open_app(full.ws.home, monkeypatch, "run", run=str(final["id"])))


def test_a_run_goes_into_the_bin_and_home_brings_it_back(full, monkeypatch):
    run = full.run_ids[0]
    queue_page = press(open_app(full.ws.home, monkeypatch, "run", run=str(run)), "Move this run to the bin")
    assert runs.get(full.db, run) is None
    press(queue_page, "Undo")
    assert runs.get(full.db, run) is not None
    press(open_app(full.ws.home, monkeypatch, "run", run=str(run)), "Move this run to the bin")
    app = unfold(open_app(full.ws.home, monkeypatch), "bin")
    assert "run 1 (baseline, seed 1) of 'demo'" in words(app).replace("\\", "")
    press(app, "Restore")
    assert runs.get(full.db, run) is not None


def test_the_bin_is_emptied_at_the_second_click_only(full, monkeypatch):
    bin.delete_run(full.db, full.run_ids[0])
    app = press(unfold(open_app(full.ws.home, monkeypatch), "bin"), "Empty the bin")
    assert full.ws.run_folder(full.run_ids[0]).exists() and "gone for good" in words(app)
    press(app, "Empty it for good")
    assert not full.ws.run_folder(full.run_ids[0]).exists()


def test_a_deleted_project_is_gone_from_the_sidebar_and_can_be_restored_from_home(full, monkeypatch):
    app = press(unfold(open_app(full.ws.home, monkeypatch), "delete"), "Delete the project")
    assert "Which settings make the best LoRA of this person?" in app.title[0].value
    assert "There is no project yet" in words(go(app, "queue"))
    press(unfold(open_app(full.ws.home, monkeypatch), "bin"), "Restore")
    assert [row["name"] for row in library.projects(full.db)] == ["demo"]


def test_a_rule_is_saved_and_shows_what_would_go_before_it_goes(full, monkeypatch):
    app = unfold(open_app(full.ws.home, monkeypatch), "files to keep")
    assert "nothing to tidy up" in words(app)
    retention.set_rule(full.db, full.project_id, retention.Rule("last", 1))
    app = unfold(open_app(full.ws.home, monkeypatch), "files to keep")
    assert "6 LoRA files" in words(app)
    press(app, "Tidy up")
    assert not retention.going(full.ws, full.db, full.project_id)


def test_a_backup_is_written_where_people_say_and_a_wrong_folder_is_explained(full, monkeypatch, tmp_path):
    app = unfold(open_app(full.ws.home, monkeypatch), "backup")
    field(app, "Folder for the backup").set_value(str(tmp_path / "nowhere")).run()
    assert "There is no folder" in press(app, "Back up").error[0].value
    field(app, "Folder for the backup").set_value(str(tmp_path)).run()
    assert "files" in press(app, "Back up").success[0].value
    assert len(list(tmp_path.glob("w-*.zip"))) == 1
