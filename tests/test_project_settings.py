"""What may change in a project that has results, what it costs, and what is refused."""

import pytest
from filled import fill

from db import library
from trainer.config import TrainConfig
from workbench.project_settings import judge_cost, judge_problem
from workbench.projects import ProjectError, add_project, change_project
from workbench.sweep import patterns
from workbench.sweep.preflight import notes
from workbench.workspace import Workspace


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("settings"))


@pytest.fixture
def db(tmp_path):
    return Workspace(tmp_path).open()


@pytest.fixture
def sd15(small_sd):
    return str(small_sd)


# judges and base


def test_only_what_is_named_is_changed(db, tmp_path, sd15):
    project = add_project(db, "p", "zwx", "woman")
    before = library.project(db, project)
    change_project(db, project, face_judge="none", strangers=tmp_path)
    assert library.project(db, project) == {**before, "face_judge": "none", "strangers": str(tmp_path)}
    change_project(db, project, strangers="", base_model=f" {sd15} ")
    after = library.project(db, project)
    assert (after["strangers"], after["base_model"], after["face_judge"]) == (None, sd15, "none")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"base_model": " "}, "needs a base model"),
        ({"base_model": "/not/there"}, "no base model"),
        ({"strangers": "/not/there"}, "There is no folder"),
    ],
)
def test_what_is_not_there_is_refused_and_nothing_is_changed(db, wrong, said):
    project = add_project(db, "p", "zwx", "woman")
    before = library.project(db, project)
    with pytest.raises(ProjectError, match=said):
        change_project(db, project, clip_judge="none", **wrong)
    assert library.project(db, project) == before


def test_a_judge_that_can_not_be_used_here_says_why():
    assert judge_problem("face", "embedded") == judge_problem("clip", "embedded") == judge_problem("face", "none") == ""
    assert "names no CLIP judge" in judge_problem("clip", "nobody/nothing")
    assert "isn't on this computer" in judge_problem("face", "no_such_pack")


def test_another_judge_says_how_many_previews_it_has_to_score(full):
    project = library.project(full.db, full.project_id)
    assert judge_cost(full.db, project, "face", "embedded") == ""
    assert "No judge: prompt adherence is not measured" in judge_cost(full.db, project, "clip", "none")
    assert judge_cost(full.db, project, "face", "no_such_pack") == ""  # what is wrong with it is said instead
    before = {**project, "face_judge": "none"}  # back to one that has scored everything
    assert "0 previews will be scored anew" in judge_cost(full.db, before, "face", "embedded")


def test_a_judge_that_has_scored_nothing_scores_everything(tmp_path):
    full = fill(tmp_path, rated=False)
    full.db.execute("delete from scores where metric = 'likeness'")
    full.db.execute("update runs set final = 1 where id = ?", [full.run_ids[0]])
    full.db.conn.commit()
    project = {**library.project(full.db, full.project_id), "face_judge": "none"}
    said = judge_cost(full.db, project, "face", "embedded")
    assert f"{104 - 16} previews will be scored anew, none is rendered anew" in said  # not those of the final run


@pytest.mark.parametrize(
    ("base", "face", "clip", "said"),
    [
        ("embedded", "embedded", "embedded", []),
        ("sd15", "buffalo_l", "ViT-B-32/laion2b_s34b_b79k", []),
        ("sd15", "none", "none", []),
        ("sd15", "embedded", "none", ["likeness, embedded, knows synthetic people only"]),
        ("embedded", "none", "ViT-L-14/x", ["prompt adherence, ViT-L-14/x, knows photos of real people"]),
        ("embedded", "buffalo_l", "ViT-L-14/x", ["likeness, buffalo_l, knows", "prompt adherence, ViT-L-14/x, knows"]),
    ],
)
def test_a_judge_that_does_not_know_whom_the_base_draws_is_warned_about(db, sd15, base, face, clip, said):
    base = sd15 if base == "sd15" else base
    project = add_project(db, "p", "zwx", "woman", base_model=base, face_judge=face, clip_judge=clip)
    assert [note.pattern_ids for note in notes(db, project)] == [()] * len(said)
    pattern = patterns.add(db, project, TrainConfig(base_model=base), "baseline")
    found = notes(db, project)
    assert [(note.level, note.pattern_ids) for note in found] == [("warn", (pattern,))] * len(said)
    assert all(words in note.text for note, words in zip(found, said, strict=True))


def test_a_pattern_s_own_base_counts_not_the_project_s(db, sd15):
    project = add_project(db, "p", "zwx", "woman", clip_judge="none")
    patterns.add(db, project, TrainConfig(), "shipped")
    other = patterns.add(db, project, TrainConfig(base_model=sd15), "real")
    [note] = notes(db, project)
    assert note.pattern_ids == (other,)
