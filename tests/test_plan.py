"""The evaluation plan: the same cells for every checkpoint."""

import pytest
from pydantic import ValidationError

from db import library, results
from workbench.plans.plan import EvalPlan, Prompt, plan_of, set_plan
from workbench.projects import ProjectError, add_project, find_project
from workbench.sweep import miniature
from workbench.workspace import Workspace


@pytest.fixture
def db(tmp_path):
    return Workspace(tmp_path).open()


def small(**more):
    prompts = (Prompt(text="photo of {trigger} {class_noun}"), Prompt(text="photo of a {class_noun}", role="neutral"))
    return EvalPlan(**{"prompts": prompts, "seeds": (1, 2, 3), "strengths": (0.6, 1.0), **more})


def test_cells_are_prompts_times_seeds_times_strengths_and_the_base_row_has_one_strength():
    assert len(small().cells()) == 2 * 3 * 2
    assert small().base_row_cells() == [(p, s, 1.0) for p in (0, 1) for s in (1, 2, 3)]


def test_the_main_strength_is_1_where_it_is_rendered_else_the_highest():
    assert small().main_strength == 1.0
    assert small(strengths=(0.4, 0.8)).main_strength == 0.8


def test_prompts_are_filled_with_the_projects_words():
    assert small().text(0, "zwx", "woman") == "photo of zwx woman"
    assert small().text(1, "zwx", "woman") == "photo of a woman"


def test_equal_plans_have_one_hash_and_any_change_another():
    assert small().hash == small().hash != small(cfg=3.0).hash


def test_a_plan_without_prompts_or_with_an_unknown_role_is_refused():
    with pytest.raises(ValidationError):
        EvalPlan(prompts=())
    with pytest.raises(ValidationError):
        Prompt(text="x", role="funny")


def test_a_new_plan_leaves_the_earlier_one_stored(db):
    project = add_project(db, "p", "zwx", "woman")
    first = library.project(db, project)["plan_id"]
    second = set_plan(db, project, small())
    assert plan_of(db, project) == small()
    assert results.plan(db, first) is not None and second != first
    assert set_plan(db, project, miniature.PLAN) == first


def test_a_project_needs_its_words_and_a_free_name(db):
    add_project(db, "p", "zwx", "woman")
    with pytest.raises(ProjectError, match="already"):
        add_project(db, " p ", "zwx", "woman")
    with pytest.raises(ProjectError, match="trigger"):
        add_project(db, "q", " ", "woman")


def test_the_only_project_is_meant_when_none_is_named(db):
    with pytest.raises(ProjectError, match="no project yet"):
        find_project(db, None)
    add_project(db, "p", "zwx", "woman")
    assert find_project(db, None)["name"] == "p"
    add_project(db, "q", "abc", "man")
    assert find_project(db, "q")["trigger_word"] == "abc"
    with pytest.raises(ProjectError, match="'p', 'q'"):
        find_project(db, None)
