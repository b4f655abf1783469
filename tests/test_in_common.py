"""Two raters are asked about the same pictures, in orders of their own, so that their agreement can be told."""

from collections import defaultdict

import numpy as np
import pytest
from filled_many import fill_many
from raters_drawn import World

from db import library, sittings
from workbench.people.agreement import FEWEST, agreement, table_of
from workbench.people.marks import marks_given
from workbench.people.simulated import Rater, sit
from workbench.rating import pool
from workbench.rating.choose import IN_COMMON, for_agreement, make_field, propose
from workbench.rating.picking import one_by_one


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """60 judged checkpoints, 360 pictures, of which each has a likeness; likeness of any other picture is 50."""
    made = fill_many(tmp_path_factory.mktemp("common"), n_patterns=30, n_checkpoints=2, px=16)
    project = library.project(made.db, made.project_id)
    rng = np.random.default_rng(0)
    rows = pool.pictures(made.db, project)
    quality = {checkpoint: rng.normal(55, 10) for checkpoint in dict.fromkeys(row["checkpoint_id"] for row in rows)}
    truth = {row["id"]: quality[row["checkpoint_id"]] + rng.normal(0, 6) for row in rows}
    return made, project, defaultdict(lambda: 50.0, truth)


def sit_twice(large, name, rater, mode, rng):
    """Two sittings of ten minutes; the previews in the order in which the second asked about them."""
    made, project, truth = large
    for _ in range(2):
        found = {each.mode: each for each in propose(made.db, project, name, 10)}
        token = sit(made.db, project, name, rater, found[mode], truth, rng)
    items = sittings.items(made.db, sittings.by_token(made.db, token)["id"])
    return [item["previews"][0] for item in items if item["part"] == "first"]


def test_two_raters_share_pictures_enough_after_two_sittings_each(large):
    made, project, _ = large
    rng = np.random.default_rng(1)
    # slow ones: with an order for each rater they would share about 10 of 360
    hers = sit_twice(large, "Anna", Rater(noise=8, keys=True, seconds=16), "single", rng)
    his = sit_twice(large, "Ben", Rater(noise=12, bias=8, keys=True, seconds=16), "single", rng)
    given = marks_given(made.db, made.project_id)
    both = table_of(given[given["axis"] == "likeness"]).dropna(axis=1)
    assert both.shape[1] >= FEWEST
    assert agreement(made.db, project).interval.units == both.shape[1]
    shared = [preview for preview in hers if preview in his]
    assert len(shared) >= 5 and shared != [preview for preview in his if preview in hers]  # shown in another order
    assert both.shape[1] >= IN_COMMON and for_agreement(made.db, project, "Ben") == set()
    assert len(for_agreement(made.db, project, "Chris")) > both.shape[1]  # all that the two have marked


def test_raters_who_said_nothing_yet_are_asked_about_the_same_pictures(large):
    made, project, _ = large
    fresh = [propose(made.db, project, name, 10) for name in ("Dora", "Emil")]
    assert fresh[0] == fresh[1]


def test_what_another_rater_has_marked_comes_first_among_pictures_that_tell_as_much():
    world = World(6, np.random.default_rng(3))
    usual = make_field(world.prior, [], [], world.rows, [])
    theirs = {row["id"] for row in world.rows if row["prompt"] == 5 and row["stage"] == 0}
    field = make_field(world.prior, [], [], world.rows, [], theirs)
    first = [item[0] for item in one_by_one(usual).asked[:12]]
    asked = [item[0] for item in one_by_one(field).asked[:12]]
    assert not theirs & set(first) and theirs <= set(asked)
    at = world.by_id
    assert [at[each].checkpoint for each in asked] == [at[each].checkpoint for each in first]  # none tells less
    later = {row["id"] for row in world.rows if row["stage"] == 2}
    field = make_field(world.prior, [], [], world.rows, [], later)
    assert [item[0] for item in one_by_one(field).asked[:12]] == first  # stage after stage all the same
