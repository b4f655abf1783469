"""What to train next, as Home shows it: the reason, the cost, one click to queue it and one to take it back."""

import shutil
from dataclasses import replace

import pytest
from filled import fill
from test_pages import button, no_error, open_app, press, unfold, words

from db import runs
from workbench.projects import add_project
from workbench.workspace import Workspace


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("next"))


@pytest.fixture
def full(template, tmp_path):
    shutil.copytree(template.ws.home, tmp_path, dirs_exist_ok=True)
    ws = Workspace(tmp_path)
    return replace(template, ws=ws, db=ws.open())


def opened(full, monkeypatch, page=None):
    """A page with all its suggestions."""
    return unfold(open_app(full.ws.home, monkeypatch, page), "more to train")


def labels(app):
    return [one.label for one in app.button]


def waiting(full):
    rows = runs.of_project(full.db, full.project_id, "queued")
    return [(row["label"], row["seed"]) for row in rows]


def test_home_says_what_to_train_next_why_and_what_it_costs(full, monkeypatch):
    app = opened(full, monkeypatch)
    said = words(app)
    assert "What to train next" in said
    assert "Train 'baseline' and 'rate 6e-3' once more" in said
    assert "57.0 of 'rate 6e-3' is too close to call" in said
    assert "2 trainings with previews: about" in said and "Chance that it is the best: 19 %" in said
    assert "the knowledge gradient" in said
    assert labels(app).count("Queue this") == 2


def test_it_stands_under_the_pairs_on_charts_too(full, monkeypatch):
    app = opened(full, monkeypatch, "charts")
    assert "What to train next" in words(app) and labels(app).count("Queue this") == 2
    no_error(app.button(key="suggestion-0").click().run())
    assert len(waiting(full)) == 2 and "Queued: " in words(app)


def test_one_click_queues_it_and_one_takes_it_back(full, monkeypatch):
    app = opened(full, monkeypatch)
    before = words(app)
    no_error(app.button(key="suggestion-0").click().run())
    queued = waiting(full)
    assert len(queued) == 2
    said = words(app)
    assert "Queued: " in said and labels(app).count("Queue this") == 1
    press(app, "Undo")
    app = unfold(app, "more to train")
    assert waiting(full) == []
    assert {row["status"] for row in runs.of_project(full.db, full.project_id)} == {"done", "cancelled"}
    said = words(app)
    assert "Queued: " not in said and labels(app).count("Queue this") == 2
    assert before.count("Chance that") == said.count("Chance that")


def test_what_is_folded_away_is_queued_from_there_and_said_above(full, monkeypatch):
    app = opened(full, monkeypatch)
    no_error(app.button(key="suggestion-1").click().run())
    assert waiting(full) and "Queued: " in words(app)


def test_what_is_folded_away_is_not_made_before_it_is_opened(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch)
    assert labels(app).count("Queue this") == 1 and "the knowledge gradient" not in words(app)


def test_when_all_is_queued_it_says_to_wait_for_that(full, monkeypatch):
    app = opened(full, monkeypatch)
    for _ in range(2):
        no_error(app.button(key="suggestion-0").click().run())
    assert "Queue this" not in labels(app)
    assert "Let what is queued come to its end first: 4 runs to come" in words(app)


def test_why_it_can_not_be_queued_is_said(full, monkeypatch):
    app = opened(full, monkeypatch)
    full.db.execute("update photos set side = 'reference'")  # another page has moved them away meanwhile
    full.db.conn.commit()
    no_error(app.button(key="suggestion-0").click().run())
    assert "has no photos to train on yet" in words(app)
    assert waiting(full) == []


def test_it_says_stop_in_words(full, monkeypatch):
    full.db.execute("update patterns set origin = 'lora' where id = ?", [full.pattern_ids[0]])
    full.db.conn.commit()
    monkeypatch.setattr("workbench.findings.suggest.LEAST_CHANCE", 0.6)  # the step beyond has a half
    said = words(open_app(full.ws.home, monkeypatch))
    assert "Stop: nothing is left to learn here" in said and "Queue this" not in said


def test_a_project_without_scores_has_no_such_heading(tmp_path, monkeypatch):
    ws = Workspace(tmp_path)
    add_project(ws.open(), "bare", "zwx", "woman")
    assert "What to train next" not in words(open_app(tmp_path, monkeypatch))


def test_names_that_people_wrote_are_shown_as_they_are(full, monkeypatch):
    full.db.execute("update pattern_labels set label = ? where pattern_id = ?", ["a *b* {c} $d$", full.pattern_ids[2]])
    full.db.conn.commit()
    app = opened(full, monkeypatch)
    assert "'a *b* {c} $d$' once more" in words(app)
    assert button(app, "Queue this")
