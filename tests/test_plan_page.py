"""The Plan page: what a plan can tell apart stands there before it is saved, and so do the looks that it takes."""

import pytest
from filled import PLAN, fill
from test_pages import field, no_error, open_app, press, words

from db import library
from workbench.plans.detectable import detectable, spreads
from workbench.plans.plan import plan_of, set_plan


@pytest.fixture
def full(tmp_path):
    return fill(tmp_path, rated=False)


def plainly(app):
    """What the page says, without Markdown's escapes."""
    return words(app).replace("\\", "")


def test_what_a_typed_plan_can_tell_apart_is_said_before_it_is_saved(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "plan")
    project = library.project(full.db, full.project_id)
    known = spreads(full.db, full.project_id)
    assert "What this plan can tell apart" in words(app)
    assert detectable(PLAN, project, known)[0].sentence in plainly(app)
    field(app, "Preview seeds").set_value("101").run()
    typed = PLAN.model_copy(update={"seeds": (101,)})
    assert detectable(typed, project, known)[1].sentence in plainly(no_error(app))
    assert plan_of(full.db, full.project_id) == PLAN


def test_a_first_look_and_confirmation_seeds_are_typed_counted_and_saved(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "plan")
    field(app, "Preview seeds").set_value("101, 102, 103").run()
    field(app, "Seeds of the first look (how many)").set_value("1").run()
    field(app, "Confirmation seeds").set_value("201, 202").run()
    said = words(no_error(app))
    assert (
        "= 12 previews of each promising or last checkpoint, 4 of the others; 8 fresh ones of those that lead" in said
    )
    assert "4 to 20" not in said and "between 4 and 20 for each checkpoint to come" in said
    press(app, "Use this plan")
    plan = plan_of(full.db, full.project_id)
    assert (plan.scan_seeds, plan.confirm_seeds) == (1, (201, 202))
    field(app, "Confirmation seeds").set_value("101").run()
    assert "can't be confirmed by it" in no_error(app).error[0].value


def test_without_a_judge_a_first_look_is_remarked(full, monkeypatch):
    library.update_project(full.db, full.project_id, face_judge="none", clip_judge="none")
    app = open_app(full.ws.home, monkeypatch, "plan")
    field(app, "Seeds of the first look (how many)").set_value("1").run()
    said = words(no_error(app))
    assert "Nobody judges the first look" in said and "What this plan can tell apart" not in said


def test_a_plan_of_pictures_made_elsewhere_is_shown_as_such(full, monkeypatch):
    set_plan(full.db, full.project_id, PLAN.model_copy(update={"elsewhere": True}))
    said = words(open_app(full.ws.home, monkeypatch, "plan"))
    assert "were made elsewhere, so nothing is rendered" in said and "previews to render" not in said
