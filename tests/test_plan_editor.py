"""A plan as it is typed: what it becomes, what is refused in words, and what going over to it costs."""

from dataclasses import replace

import pytest
from filled import PLAN, fill

from db import library
from workbench.plans.missing import fill_jobs
from workbench.plans.plan import DEFAULT_PLAN, Variant, set_plan
from workbench.plans.plan_editor import Cost, PlanError, choices, cost_of, problems, remarks, typed_plan
from workbench.sweep import miniature
from workbench.sweep.article import TOOL_PLAN

PROMPTS = [prompt.model_dump() for prompt in PLAN.prompts]
TYPED = {
    "prompts": PROMPTS,
    "variants": [{"preview_base": None, "clip_skip": None}],
    "seeds": "101, 102",
    "strengths": "1",
    "steps": "25",
    "cfg": "7",
    "sampler": "base",
    "negative": "",
    "size": "",
    "clip_skip": "",
    "preview_base": "",
    "vae": "",
    "scan_seeds": "",
    "confirm_seeds": "",
}


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("plan"))


def test_what_a_form_shows_reads_back_as_the_same_plan():
    assert typed_plan(PLAN, TYPED) == PLAN
    assert typed_plan(PLAN, TYPED).hash == PLAN.hash


def test_every_field_is_read_as_it_is_meant(tmp_path):
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    blank = [{"text": None, "role": "identity"}, {"text": "  ", "role": "neutral"}]
    typed = {
        "prompts": [*PROMPTS[:2], {"text": " a new one of {trigger} ", "role": "identity"}, *blank],
        "variants": [{"preview_base": " embedded ", "clip_skip": None}, {"preview_base": "", "clip_skip": 2.0}, {}],
        "seeds": "7 8,9",
        "strengths": "0.6; 1",
        "steps": " 30 ",
        "cfg": "4.5",
        "sampler": "euler",
        "negative": " blurred ",
        "size": "512",
        "clip_skip": "2",
        "preview_base": "embedded",
        "vae": str(tmp_path),
        "scan_seeds": " 1",
        "confirm_seeds": "21, 22",
    }
    plan = typed_plan(PLAN, typed)
    assert [prompt.text for prompt in plan.prompts] == [*(row["text"] for row in PROMPTS[:2]), "a new one of {trigger}"]
    assert plan.variants == (Variant(preview_base="embedded"), Variant(clip_skip=2))
    assert (plan.seeds, plan.strengths, plan.steps, plan.cfg) == ((7, 8, 9), (0.6, 1.0), 30, 4.5)
    assert (plan.sampler, plan.negative, plan.size, plan.clip_skip) == ("euler", "blurred", 512, 2)
    assert (plan.preview_base, plan.vae) == ("embedded", str(tmp_path))
    assert (plan.scan_seeds, plan.confirm_seeds) == (1, (21, 22))


def test_what_is_not_named_stays():
    plan = PLAN.model_copy(update={"sampler": "euler", "strengths": (0.6, 1.0)})
    assert typed_plan(plan, {"steps": "30"}) == plan.model_copy(update={"steps": 30})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prompts": []}, "Give at least one prompt."),
        ({"seeds": " , "}, "Give at least one preview seed."),
        ({"strengths": ""}, "Give at least one LoRA strength."),
        ({"seeds": "101, x"}, "A preview seed is 'x' but must be a whole number."),
        ({"strengths": "1 b"}, "A LoRA strength is 'b' but must be a number."),
        ({"strengths": "0"}, "LoRA strength 0 must lie above 0"),
        ({"strengths": "1, 1.0"}, "LoRA strength 1 is there 2 times."),
        ({"seeds": "5 6 5"}, "Preview seed 5 is there 2 times."),
        ({"seeds": "-1"}, "Preview seed -1 must lie between 0 and 4294967295."),
        ({"scan_seeds": "2"}, "The first look takes 2 of 2 preview seeds, so nothing is left for a closer one."),
        ({"scan_seeds": "0"}, "The number of seeds for the first look is '0' but must be at least 1."),
        ({"confirm_seeds": "5, 5"}, "Confirmation seed 5 is there 2 times."),
        ({"confirm_seeds": "102"}, "Confirmation seed 102 is a preview seed as well"),
        ({"confirm_seeds": "y"}, "A confirmation seed is 'y' but must be a whole number."),
        ({"steps": "many"}, "The number of sampler steps is 'many' but must be a whole number."),
        ({"steps": "201"}, "The number of sampler steps is '201' but must be at most 200."),
        ({"cfg": "0.5"}, "The guidance scale is '0.5' but must be at least 1."),
        ({"cfg": ""}, "The guidance scale is '' but must be a number."),
        ({"cfg": "nan"}, "The guidance scale is 'nan' but must be"),
        ({"sampler": "magic"}, "The sampler is 'magic' but must be 'base',"),
        ({"size": "500"}, "The size is 500 px but must be a multiple of 8"),
        ({"size": "big"}, "The size is 'big' but must be a whole number."),
        ({"clip_skip": "0"}, "The clip skip is '0' but must be at least 1."),
        ({"preview_base": "/not/there"}, "/not/there"),
        ({"vae": "/not/there"}, "There is no VAE in /not/there"),
        ({"variants": [{"preview_base": "/not/there"}]}, "/not/there"),
        ({"variants": [{"clip_skip": 0}]}, "The clip skip of variant 1 is '0' but must be at least 1."),
        ({"variants": [{"clip_skip": 2}, {"clip_skip": 2}]}, "Variant 2 is there already."),
        ({"prompts": [*PROMPTS, PROMPTS[0]]}, "is there 2 times."),
        ({"prompts": PROMPTS[3:]}, "Likeness is measured on identity prompts, and there is none."),
        ({"prompts": [{"text": "a {triger} photo", "role": "identity"}]}, "has {triger}: only {trigger} and"),
        (
            {"prompts": [{"text": "x", "role": "funny"}]},
            "The role of prompt 1 is 'funny' but must be 'identity' or 'neutral'.",
        ),
    ],
)
def test_what_can_not_be_rendered_is_refused_in_a_sentence(wrong, said):
    with pytest.raises(PlanError) as error:
        typed_plan(PLAN, {**TYPED, **wrong})
    assert said in str(error.value)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(PlanError, match=r"sampler steps is '0'.*guidance scale is '99'"):
        typed_plan(PLAN, {"steps": "0", "cfg": "99"})


def test_a_vae_that_is_a_pickle_is_refused(tmp_path):
    file = tmp_path / "vae.pt"
    file.write_bytes(b"x")
    with pytest.raises(PlanError, match=r"vae.pt is not a .safetensors file"):
        typed_plan(PLAN, {"vae": str(file)})
    file.rename(tmp_path / "vae.safetensors")
    assert typed_plan(PLAN, {"vae": str(tmp_path / "vae.safetensors")}).vae


def test_a_prompt_whose_role_does_not_fit_is_remarked(full):
    project = library.project(full.db, full.project_id)
    assert remarks(PLAN, project) == []
    swapped = [{**PROMPTS[0], "role": "neutral"}, {**PROMPTS[3], "role": "identity"}]
    first, second = remarks(typed_plan(PLAN, {"prompts": swapped}), project)
    assert "is neutral but names zwx" in first and "does not name zwx" in second


# to begin with


def test_presets_and_earlier_plans_can_be_chosen(tmp_path):
    full = fill(tmp_path, rated=False)
    project = library.project(full.db, full.project_id)
    offered = choices(full.db, project)
    coarse = DEFAULT_PLAN.model_copy(update={"scan_seeds": 1, "confirm_seeds": (201, 202, 203, 204)})
    assert [choice.plan for choice in offered] == [PLAN, DEFAULT_PLAN, coarse, miniature.PLAN, TOOL_PLAN]
    assert problems(coarse) == []
    assert "assumed" in offered[4].note.lower()
    set_plan(full.db, full.project_id, DEFAULT_PLAN)
    [earlier] = choices(full.db, library.project(full.db, full.project_id))[5:]
    assert earlier.plan == PLAN and earlier.name.endswith("104 previews")


# what it costs


def test_the_plan_in_force_costs_nothing(full):
    assert cost_of(full.db, full.project_id, PLAN) is None


def test_only_what_no_plan_has_drawn_is_rendered(full):
    other = typed_plan(PLAN, {"seeds": "101, 102, 103"})
    cost = cost_of(full.db, full.project_id, other)
    assert [each.metric for each in cost.detects] == ["likeness", "clip_t"]
    cost = replace(cost, detects=())
    assert cost == Cost(to_render=13 * 4, taken_over=104, there=0, each=12, per_preview=0.5)
    assert cost.sentence == (
        "52 previews to render for the checkpoints that there are (about 26 s, at 0.5 s each as measured), and 12 for "
        "each checkpoint to come. 104 are drawn already and stay as they are, with their scores and marks."
    )


def test_more_steps_take_longer_and_share_no_picture(full):
    cost = cost_of(full.db, full.project_id, typed_plan(PLAN, {"steps": "50"}))
    assert (cost.to_render, cost.taken_over, cost.per_preview) == (104, 0, 1.0)


def test_strengths_are_rendered_for_checkpoints_but_not_for_the_base_row(full):
    cost = cost_of(full.db, full.project_id, typed_plan(PLAN, {"strengths": "0.6, 1"}))
    assert (cost.to_render, cost.taken_over) == (12 * 8, 104)


def test_what_was_said_to_cost_is_what_is_asked_for(tmp_path):
    full = fill(tmp_path, rated=False)
    other = typed_plan(PLAN, {"seeds": "102, 103", "prompts": PROMPTS[1:]})
    cost = cost_of(full.db, full.project_id, other)
    set_plan(full.db, full.project_id, other)
    jobs = list(fill_jobs(full.ws, full.db, library.project(full.db, full.project_id)))
    assert sum(len(job.command["cells"]) for job in jobs) == cost.to_render == 13 * 3
    assert full.db.table("previews").count - 104 == cost.taken_over == 13 * 3


def test_an_earlier_plan_has_its_previews_still(tmp_path):
    full = fill(tmp_path, rated=False)
    set_plan(full.db, full.project_id, typed_plan(PLAN, {"steps": "10"}))
    cost = cost_of(full.db, full.project_id, PLAN)
    assert (cost.to_render, cost.there) == (0, 104)
    assert cost.sentence.startswith("no preview to render now, and 8 for each checkpoint to come. 104 are drawn")
