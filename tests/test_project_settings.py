"""What may change in a project that has results, what it costs, and what is refused."""

import pytest
from filled import PLAN, fill

from db import library
from trainer.config import TrainConfig
from workbench import patterns
from workbench.plan import set_plan
from workbench.preflight import notes
from workbench.project_settings import PlanError, changed_plan, cost_of, judge_problem, previews_to_come
from workbench.projects import ProjectError, add_project, change_project
from workbench.workspace import Workspace

PROMPTS = [prompt.model_dump() for prompt in PLAN.prompts]


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("settings"))


@pytest.fixture
def db(tmp_path):
    return Workspace(tmp_path).open()


@pytest.fixture
def sd15(tmp_path):
    """As much of a Stable Diffusion folder as is looked at before training."""
    folder = tmp_path / "sd15"
    folder.mkdir()
    (folder / "model_index.json").write_text("{}", encoding="utf-8")
    return str(folder)


def typed(prompts=PROMPTS, seeds="101, 102", steps="25", cfg="7"):
    return changed_plan(PLAN, prompts, seeds, steps, cfg)


def test_what_a_form_shows_reads_back_as_the_same_plan():
    assert typed() == PLAN
    assert typed().hash == PLAN.hash


def test_a_plan_is_changed_where_something_was_typed_and_only_there():
    plan = PLAN.model_copy(update={"sampler": "euler", "strengths": (0.6, 1.0)})
    blank = [{"text": None, "role": "identity"}, {"text": "  ", "role": "neutral"}]
    prompts = [*PROMPTS[:2], {"text": " a new one of {trigger} ", "role": "identity"}, *blank]
    changed = changed_plan(plan, prompts, "7 8,9", "30", "4.5")
    assert [prompt.text for prompt in changed.prompts] == [
        *(row["text"] for row in PROMPTS[:2]),
        "a new one of {trigger}",
    ]
    assert (changed.seeds, changed.steps, changed.cfg) == ((7, 8, 9), 30, 4.5)
    assert (changed.sampler, changed.strengths) == ("euler", (0.6, 1.0))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prompts": []}, "Give at least one prompt."),
        ({"seeds": " , "}, "Give at least one preview seed."),
        ({"seeds": "101, x"}, "A preview seed is 'x' but must be a whole number."),
        ({"seeds": "5 6 5"}, "Preview seed 5 is there 2 times."),
        ({"seeds": "-1"}, "Preview seed -1 must lie between 0 and 4294967295."),
        ({"steps": "many"}, "The number of sampler steps is 'many' but must be a whole number."),
        ({"steps": "201"}, "The number of sampler steps is '201' but must be at most 200."),
        ({"cfg": "0.5"}, "The guidance scale is '0.5' but must be at least 1."),
        ({"cfg": ""}, "The guidance scale is '' but must be a number."),
        ({"cfg": "nan"}, "The guidance scale is 'nan' but must be"),
        ({"prompts": [*PROMPTS, PROMPTS[0]]}, "is there 2 times."),
        ({"prompts": PROMPTS[3:]}, "Likeness is measured on identity prompts, and there is none."),
        (
            {"prompts": [{"text": "x", "role": "funny"}]},
            "The role of prompt 1 is 'funny' but must be 'identity' or 'neutral'.",
        ),
    ],
)
def test_what_can_not_be_rendered_is_refused_in_a_sentence(wrong, said):
    with pytest.raises(PlanError) as error:
        typed(**wrong)
    assert said in str(error.value)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(PlanError, match=r"sampler steps is '0'.*guidance scale is '99'"):
        typed(steps="0", cfg="99")


# what a change costs


def test_the_plan_in_force_costs_nothing_and_another_renders_everything_again(full):
    assert cost_of(full.db, full.project_id, PLAN) == ""
    assert previews_to_come(full.db, full.project_id, PLAN) == 0
    other = typed(seeds="101, 102, 103")
    assert previews_to_come(full.db, full.project_id, other) == (12 + 1) * 4 * 3  # 12 checkpoints and the base row
    assert "156 previews to render" in cost_of(full.db, full.project_id, other)


def test_strengths_are_rendered_for_checkpoints_but_not_for_the_base_row(full):
    other = PLAN.model_copy(update={"strengths": (0.6, 1.0)})
    assert previews_to_come(full.db, full.project_id, other) == 12 * 16 + 8


def test_an_earlier_plan_has_its_previews_still(tmp_path):
    full = fill(tmp_path, rated=False)
    set_plan(full.db, full.project_id, typed(steps="10"))
    assert cost_of(full.db, full.project_id, PLAN).startswith("Another plan: no preview to render now, and 8 for each")


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
    assert "names no CLIP judge" in judge_problem("clip", "ViT-B-32/openai")
    assert "isn't on this computer" in judge_problem("face", "no_such_pack")


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
