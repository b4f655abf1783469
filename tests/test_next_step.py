"""The next thing to do follows what there is already."""

from dataclasses import replace

import pytest
from filled import PLAN, fill

from workbench.next_step import next_step
from workbench.plans.plan import set_plan
from workbench.projects import add_project
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
    assert next_step(filled.db, filled.project_id, done, "me").page == "rate"
    set_plan(filled.db, filled.project_id, PLAN.model_copy(update={"seeds": (901,)}))  # nothing to rate yet
    made = replace(done, previews_done=0, previews_expected=8)
    assert next_step(filled.db, filled.project_id, made, "me").text == "Watch the previews being made"
    assert next_step(filled.db, filled.project_id, replace(made, previews_done=8), "me").page == "charts"
