"""What waits for a rater: stage after stage, nothing twice, nothing that was seen by name."""

import pytest
from filled import PLAN, fill, rate
from filled_many import fill_many

from db import library, ratings, sittings
from workbench.rating import pool
from workbench.rating.standing import standings

THREE = PLAN.model_copy(update={"seeds": (101, 102, 103)})


@pytest.fixture
def staged(tmp_path):
    made = fill(tmp_path, THREE, rated=False)
    return made, library.project(made.db, made.project_id)


def seeds_of(rows):
    return {row["seed"] for row in rows}


def rate_all(made, rows, rater="me", value=60.0):
    for number, row in enumerate(rows):
        rate(made, row["id"], rater, number, likeness=value)


def begin(made, mode, items, rater="me"):
    about = {"project_id": made.project_id, "plan_id": made.plan_id, "rater": rater, "mode": mode, "minutes": 5.0}
    rows = [{"part": "first", "previews": list(item)} for item in items]
    sitting = sittings.add_sitting(made.db, rows, **about, foretold="{}", protocol="2")
    return sitting, [item["id"] for item in sittings.items(made.db, sitting)]


def answer(made, item, event="skip", rater="me", **said):
    about = {"item_id": item, "rater": rater, "session": "s", "event": event, "position": 0, "protocol": "2"}
    return ratings.add(made.db, **about, shown_at=1.0, answered_at=2.0, **said)


def test_the_last_seed_is_never_asked_about_and_a_lone_seed_is(staged):
    made, project = staged
    assert pool.stages(THREE) == (101, 102) and pool.stages(PLAN) == (101,)
    assert pool.stages(PLAN.model_copy(update={"seeds": (7,)})) == (7,)
    assert seeds_of(pool.pictures(made.db, project)) == {101, 102}


def test_the_next_seed_follows_when_the_first_is_done_for_the_checkpoints_that_may_be_the_best(staged):
    made, project = staged
    first = pool.rating_set(made.db, project)
    worst = first[-1]["checkpoint_id"]
    assert seeds_of(pool.waiting(made.db, project, "me")) == {101}
    rate_all(made, [row for row in first if row["checkpoint_id"] != worst])
    rate_all(made, [row for row in first if row["checkpoint_id"] == worst], value=1.0)
    rows = pool.waiting(made.db, project, "me")
    table = standings(made.db, project, "me")
    leading = set(table.loc[table["open"], "checkpoint_id"])
    assert seeds_of(rows) == {102} and {row["checkpoint_id"] for row in rows} == leading
    assert worst not in leading and len(leading) == 11
    assert seeds_of(pool.waiting(made.db, project, "Mia")) == {101}  # she has said nothing


def test_what_an_open_sitting_still_asks_waits_until_it_is_answered_or_stopped(staged):
    made, project = staged
    later = [row["id"] for row in pool.pictures(made.db, project) if row["seed"] == 102][:2]
    sitting, items = begin(made, "deck", [(later[0],), (later[1],)])
    assert {row["id"] for row in pool.waiting(made.db, project, "me")} >= set(later)
    answer(made, items[0])
    waiting = {row["id"] for row in pool.waiting(made.db, project, "me")}
    assert later[0] not in waiting and later[1] in waiting
    sittings.end(made.db, sitting)
    assert later[1] not in {row["id"] for row in pool.waiting(made.db, project, "me")}


def test_a_row_or_pair_that_was_answered_waits_no_more_and_does_again_when_that_is_undone(staged):
    made, project = staged
    ids = [row["id"] for row in pool.rating_set(made.db, project)]
    sitting, items = begin(made, "pair", [ids[:2]])
    event = answer(made, items[0], "choose", said="same")
    assert not set(ids[:2]) & {row["id"] for row in pool.waiting(made.db, project, "me")}
    answer(made, items[0], "undo", undoes=event)
    assert set(ids[:2]) <= {row["id"] for row in pool.waiting(made.db, project, "me")}
    sittings.end(made.db, sitting)
    assert set(ids[:2]) <= {row["id"] for row in pool.waiting(made.db, project, "me")}


def test_pictures_of_a_warm_up_do_not_wait(staged):
    made, project = staged
    [later] = [row["id"] for row in pool.pictures(made.db, project) if row["seed"] == 102][:1]
    about = {"project_id": made.project_id, "plan_id": made.plan_id, "rater": "me", "mode": "deck", "minutes": 5.0}
    sittings.add_sitting(made.db, [{"part": "warm_up", "previews": [later]}], **about, foretold="{}", protocol="2")
    assert later not in {row["id"] for row in pool.waiting(made.db, project, "me")}


def test_pictures_seen_by_name_are_never_asked_even_in_a_sitting_that_is_open(staged):
    made, project = staged
    ids = [row["id"] for row in pool.rating_set(made.db, project)]
    begin(made, "deck", [(ids[0],)])
    sittings.reveal(made.db, "me", ids[:3])
    assert not set(ids[:3]) & {row["id"] for row in pool.waiting(made.db, project, "me")}
    assert set(ids[:3]) <= {row["id"] for row in pool.waiting(made.db, project, "Mia")}


def test_every_rater_has_an_order_of_their_own_that_stays(staged):
    made, project = staged
    mine = [row["id"] for row in pool.waiting(made.db, project, "me")]
    assert mine == [row["id"] for row in pool.waiting(made.db, project, "me")]
    hers = [row["id"] for row in pool.waiting(made.db, project, "Mia")]
    assert mine != hers and sorted(mine) == sorted(hers)


def test_nothing_is_hidden_that_only_the_best_checkpoint_would_be_rated_for(tmp_path):
    made = fill(tmp_path, rated=False)
    project = library.project(made.db, made.project_id)
    rows = pool.rating_set(made.db, project)
    best = rows[0]["checkpoint_id"]
    kept = {best: rows[0]["id"]}
    rate_all(made, [row for row in rows if row["checkpoint_id"] == best and row["id"] != kept[best]], value=95.0)
    rate_all(made, [row for row in rows if row["checkpoint_id"] != best], value=5.0)
    assert pool.held_back_tokens(made.db, project, "me") == set()


def test_asking_what_is_hidden_reads_few_rows_of_a_large_project(tmp_path):
    made = fill_many(tmp_path, n_patterns=3, n_checkpoints=2, px=16)
    project = library.project(made.db, made.project_id)
    said = []
    made.db.conn.set_trace_callback(said.append)
    assert len(pool.held_back_tokens(made.db, project, "me")) == 3 * 2 * 6
    made.db.conn.set_trace_callback(None)
    assert len(said) < 25  # and none per picture or checkpoint
