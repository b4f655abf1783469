"""The Recipes page as a person meets it: without a default, with one person, with several; challenge, undo, stop."""

import pytest
from several_people import several
from test_pages import button, open_app, press, words

from db import library, runs
from workbench.recipes import default


def labels(app):
    return [one.label for one in app.button]


def queued(made, name):
    rows = runs.of_project(made.db, made.projects[name], "queued")
    return sorted((row["label"], row["seed"]) for row in rows)


@pytest.fixture
def people(tmp_path):
    """Five people for whom one challenger is better and one is not, and a new one."""
    gains = (5.0, 5.5, 6.0, 6.5, 5.5)  # mean 5.7, sd .570: half-width 2.776 x .255
    made = several(tmp_path, {f"P{n}": {"alpha 1": gain, "dim 4": 0.1 - n / 10} for n, gain in enumerate(gains)})
    other = several(tmp_path, {"Dora": {}})
    made.projects |= other.projects
    default.make_default(made.db, made.projects["P0"], made.patterns["baseline"])
    return made


def test_without_a_project_or_a_default_the_page_says_what_to_do(tmp_path, monkeypatch):
    app = open_app(tmp_path, monkeypatch, "recipes")
    assert "There is no project yet" in words(app)
    made = several(tmp_path, {"Anna": {"alpha 1": 2.0}})
    app = open_app(tmp_path, monkeypatch, "recipes")
    assert "There is no default yet" in words(app)
    press(app, "Make it my default")
    assert default.current(made.db).label == "alpha 1"  # what is ahead is offered first
    assert "Your default: alpha 1" in words(app) and "make a project of another person's photos" in words(app)
    press(app, "Undo")
    assert default.current(made.db) is None


def test_every_challenger_has_its_line_and_a_better_one_can_be_made_the_default(people, tmp_path, monkeypatch):
    app = open_app(tmp_path, monkeypatch, "recipes")
    said = words(app)
    assert "alpha 1: +5.7 (+5.0 … +6.4), 5 people" in said
    assert "'alpha 1' is better than your default 'baseline' for new people like these" in said
    assert "dim 4: -0.1" in said and "Nothing is left to learn" in said
    press(app, "Make it the default")
    now = default.current(people.db)
    assert now.label == "alpha 1" and now.why.startswith("better than 'baseline': +5.7")


def test_a_challenge_is_queued_for_the_project_in_the_sidebar_and_taken_back(people, tmp_path, monkeypatch):
    app = open_app(tmp_path, monkeypatch, "recipes", project="Dora")
    assert "Challenge it for Dora" in words(app)
    assert "no pattern on this base model" in words(app)  # one is settled, the other has nothing left to learn
    several(tmp_path, {"Else": {"rate 6e-3": 3.0}})
    app = open_app(tmp_path, monkeypatch, "recipes", project="Dora")
    assert "4 runs:" in words(app)
    press(app, "Queue 4 runs")
    both = [("baseline", 1), ("baseline", 2), ("rate 6e-3", 1), ("rate 6e-3", 2)]
    assert queued(people, "Dora") == both and "Queued: **baseline and rate 6e-3 for Dora**" in words(app)
    assert button(app, "All of these are trained or queued").disabled
    press(app, "Undo")
    assert queued(people, "Dora") == []


def test_a_challenge_with_nothing_left_is_stopped_and_taken_up_again(people, tmp_path, monkeypatch):
    app = open_app(tmp_path, monkeypatch, "recipes")
    press(app, "Stop this challenge: nothing left to learn")
    assert "Stopped: it is not offered any more" in words(app)
    press(app, "Take it up again")
    assert "Stopped" not in words(app)
    assert any(label.startswith("Stop this challenge") for label in labels(app))


def test_a_project_on_another_base_says_that_it_is_another_recipe(people, tmp_path, monkeypatch):
    library.update_project(people.db, people.projects["Dora"], base_model="embedded-painted")
    app = open_app(tmp_path, monkeypatch, "recipes", project="Dora")
    assert "another recipe" in words(app) and "Queue 4 runs" not in labels(app)
