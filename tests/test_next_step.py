"""The next thing to do follows what there is already."""

from dataclasses import replace

import pytest
from filled import PLAN, fill, rate

from db import library
from workbench.next_step import next_step
from workbench.plans.plan import set_plan
from workbench.projects import add_project
from workbench.rating.pool import rating_set
from workbench.running.progress import Progress, progress
from workbench.workspace import Workspace


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("next"))


def test_a_new_project_needs_photos_first(tmp_path):
    db = Workspace(tmp_path).open()
    project = add_project(db, "p", "zwx", "woman")
    assert next_step(db, project, Progress(), "me").page == "photos"


def test_pictures_that_are_still_to_be_made_come_before_the_charts(filled):
    done = replace(progress(filled.db, filled.project_id), running=None, runs_queued=0)
    step = next_step(filled.db, filled.project_id, done, "me")
    assert step.page == "rate" and step.text == "Rate for 5 minutes: 10 checkpoints can't be told apart yet"
    fresh = next_step(filled.db, filled.project_id, done, "Mia")
    assert fresh.text == "Rate for 5 minutes: nobody has looked yet which of 12 checkpoints is best"
    set_plan(filled.db, filled.project_id, PLAN.model_copy(update={"seeds": (901,)}))  # nothing to rate yet
    made = replace(done, previews_done=0, previews_expected=8)
    assert next_step(filled.db, filled.project_id, made, "me").text == "Watch the previews being made"
    assert next_step(filled.db, filled.project_id, replace(made, previews_done=8), "me").page == "charts"


def test_rating_is_no_step_any_more_once_it_would_tell_nothing(tmp_path):
    made = fill(tmp_path, rated=False)
    done = replace(progress(made.db, made.project_id), running=None, runs_queued=0)
    rows = rating_set(made.db, library.project(made.db, made.project_id))
    best = rows[0]["checkpoint_id"]
    for number, row in enumerate(rows[1:], 1):  # one picture is left
        rate(made, row["id"], "me", number, likeness=95.0 if row["checkpoint_id"] == best else 5.0)
    assert next_step(made.db, made.project_id, done, "me").page == "charts"
    assert next_step(made.db, made.project_id, done, "Mia").page == "rate"
