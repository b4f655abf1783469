"""A sitting: what it asks, how far it is, what a browser is told of it, and how it ends."""

import json
import re
from types import SimpleNamespace

import pytest
from filled import CLIP_BASE_ROW, PLAN, fill
from one_sitting import asking, begun, items_of, pictures
from PIL import Image

from db import bin, library, now, results, sittings
from workbench.findings.preview_table import preview_table
from workbench.plans.plan import set_plan
from workbench.projects import add_project
from workbench.rating import answers, pool, sitting
from workbench.rating.modes import MODES
from workbench.rating.problem import NoSuchSitting, RatingError
from workbench.rating.state import AHEAD, state
from workbench.sweep import patterns
from workbench.workspace import Workspace


@pytest.fixture
def filled(tmp_path):
    return fill(tmp_path, rated=False)


@pytest.fixture
def project(filled):
    return library.project(filled.db, filled.project_id)


def tell(filled, token):
    return state(filled.db, token, filled.ws)


def answer(filled, token, said=None, seconds=2.0):
    """Answer the next item; a mark of 50 unless told otherwise. The item."""
    item = tell(filled, token)["items"][0]
    answers.save(filled.db, token, {"item": item["token"], "seconds": seconds, **(said or {"marks": {"likeness": 50}})})
    return item


def answer_all(filled, token, most=1000):
    items = []
    while len(items) < most and not tell(filled, token)["over"]:
        items.append(answer(filled, token))
    return items


def stored_items(filled, token):
    return sittings.items(filled.db, sittings.by_token(filled.db, token)["id"])


# beginning


@pytest.mark.parametrize("mode", MODES)
def test_a_sitting_asks_in_its_order_all_that_was_proposed(filled, mode):
    token = begun(filled, mode, repeats=3)
    items = stored_items(filled, token)
    firsts = [item for item in items if item["part"] == "first"]
    assert sorted(sorted(item["previews"]) for item in firsts) == sorted(sorted(i) for i in items_of(filled, mode))
    seen = [token_of["token"] for token_of in tell(filled, token)["items"]]
    assert seen == [item["token"] for item in items[:AHEAD]]
    row = sittings.by_token(filled.db, token)
    assert (row["mode"], row["rater"], row["protocol"], row["ended_at"]) == (mode, "me", sitting.PROTOCOL, None)


def test_a_sitting_s_token_can_t_be_guessed(filled):
    tokens = {begun(filled, rater=f"rater {n}", n=3) for n in range(20)}
    assert len(tokens) == 20 and all(re.fullmatch(r"[\w-]{22}", token) for token in tokens)  # 128 bit in base64


def test_what_was_foretold_is_kept_with_the_sitting(filled, project):
    proposal = SimpleNamespace(**{**vars(asking("deck", items_of(filled, "deck"))), "foretold": {"afterwards": 9.0}})
    row = sittings.by_token(filled.db, sitting.begin(filled.db, project, "me", proposal))
    assert json.loads(row["foretold"]) == {"afterwards": 9.0} and row["minutes"] == 5.0


def test_a_second_click_on_start_begins_nothing(filled, project):
    first = begun(filled)
    assert begun(filled) == first and len(sittings.of_rater(filled.db, filled.project_id)) == 1
    assert begun(filled, rater="Mia") != first
    assert begun(filled, n=5) != first
    answer(filled, first)
    again = begun(filled)
    assert again != first  # whoever has answered and starts anew means another one
    set_plan(filled.db, filled.project_id, PLAN.model_copy(update={"steps": 7}))
    assert begun_in(filled, again) != again  # of another plan


def begun_in(filled, token):
    """The same sitting once more, in the plan that the project has now."""
    asked = [item["previews"] for item in stored_items(filled, token) if item["part"] == "first"]
    return sitting.begin(filled.db, library.project(filled.db, filled.project_id), "me", asking("deck", asked))


@pytest.mark.parametrize(
    ("rater", "mode", "asked", "words"),
    [
        ("  ", "deck", [1], "Type your name"),
        ("x" * 61, "deck", [1], "longer than 60"),
        ("me", "staring", [1], "no way of rating called 'staring'"),
        ("me", "deck", [], "nothing to rate"),
        ("me", "pair", [(1,)], "shows 2 to 2"),
        ("me", "pair", [(1, 1)], "different"),
        ("me", "deck", [(1, 2)], "shows 1 to 1"),
        ("me", "sheet", [tuple(range(1, 10))], "shows 1 to 8"),
    ],
)
def test_what_can_t_be_asked_is_said(filled, project, rater, mode, asked, words):
    with pytest.raises(RatingError, match=words):
        sitting.begin(filled.db, project, rater, asking(mode, asked))
    assert sittings.of_rater(filled.db, filled.project_id) == []


def test_a_name_is_the_same_with_spaces_around_it(filled, project):
    token = begun(filled, rater=" me ")
    assert sittings.by_token(filled.db, token)["rater"] == "me"
    assert [each.token for each in sitting.open_sittings(filled.db, project, "me  ")] == [token]


# the warm-up


@pytest.mark.parametrize(("mode", "n"), [("single", 3), ("deck", 3), ("sheet", 2), ("pair", 2), ("best_worst", 2)])
def test_a_warm_up_shows_both_ends_of_the_scale_from_outside_the_set(filled, project, mode, n):
    token = begun(filled, mode)
    warm = [item for item in stored_items(filled, token) if item["part"] == "warm_up"]
    assert [item["part"] for item in stored_items(filled, token)][: n + 1] == ["warm_up"] * n + ["first"]
    shown = {preview for item in warm for preview in item["previews"]}
    asked = {preview for item in items_of(filled, mode) for preview in item}
    assert not shown & (asked | {row["id"] for row in pool.pictures(filled.db, project)})
    table = preview_table(filled.db, filled.project_id).set_index("preview_id").loc[list(shown)]
    assert table["is_base"].any() and set(table["role"]) == {"identity"} and set(table["seed"]) == {102}
    everything = preview_table(filled.db, filled.project_id)
    best = everything[(everything["seed"] == 102) & (everything["role"] == "identity")]["likeness"].max()
    assert table["likeness"].max() == best
    for item in warm:
        cells = {tuple(table.loc[preview, ["prompt", "seed"]]) for preview in item["previews"]}
        assert len(cells) == 1 or mode == "sheet"


def test_what_is_asked_is_no_warm_up_even_of_the_seed_that_warms_up(filled, project):
    first = begun(filled, n=1)
    warm = [item["previews"][0] for item in stored_items(filled, first) if item["part"] == "warm_up"]
    token = sitting.begin(filled.db, project, "Mia", asking("deck", warm))
    items = stored_items(filled, token)
    assert len(warm) == 3 and {item["part"] for item in items} == {"warm_up", "first"}
    assert not set(warm) & {item["previews"][0] for item in items if item["part"] == "warm_up"}


def test_warm_ups_are_told_apart_and_not_counted(filled):
    token = begun(filled, n=10)
    told = tell(filled, token)
    assert [item["warm_up"] for item in told["items"]] == [True] * 3 + [False] * 3
    assert (told["total"], told["done"], told["warm_ups"]) == (10, 0, {"total": 3, "done": 0})
    answer(filled, token)
    told = tell(filled, token)
    assert (told["total"], told["done"], told["warm_ups"]) == (10, 0, {"total": 3, "done": 1})


def test_who_rated_in_this_way_within_the_last_hour_has_no_warm_up(filled, monkeypatch):
    answer_all(filled, begun(filled, n=3))

    def parts(token):
        return {item["part"] for item in stored_items(filled, token)}

    assert "warm_up" not in parts(begun(filled, n=4))
    assert "warm_up" in parts(begun(filled, "single", n=4))  # another way
    assert "warm_up" in parts(begun(filled, rater="Mia", n=4))
    monkeypatch.setattr("workbench.rating.warm_up.now", lambda: now() + 59 * 60)
    assert "warm_up" not in parts(begun(filled, n=5))
    monkeypatch.setattr("workbench.rating.warm_up.now", lambda: now() + 60 * 60)
    assert "warm_up" in parts(begun(filled, n=6))
    monkeypatch.setattr("workbench.rating.warm_up.now", lambda: now() - 86400)  # the clock was a day ahead
    assert "warm_up" in parts(begun(filled, n=6))


def test_without_a_judge_the_warm_up_shows_what_the_base_makes(filled):
    filled.db.execute("delete from scores")
    filled.db.conn.commit()
    [warm] = [item for item in stored_items(filled, begun(filled)) if item["part"] == "warm_up"]
    assert results.preview(filled.db, warm["previews"][0])["checkpoint_id"] is None
    assert "warm_up" not in {item["part"] for item in stored_items(filled, begun(filled, "pair"))}


# blind


SECRETS = [*("baseline", "alpha 1", "rate 6e-3", "zwx", "102", "101", "embedded", "run", "checkpoint", "score"), "seed"]


@pytest.mark.parametrize("mode", MODES)
def test_the_state_tells_nothing_about_where_pictures_come_from(filled, mode):
    token = begun(filled, mode, repeats=2)
    while not (told := tell(filled, token))["over"]:
        names = {name for item in told["items"] for name in item}
        assert names == {"token", "warm_up", "text", "pictures", "before"}
        shown = [picture for item in told["items"] for picture in item["pictures"]]
        assert {name for picture in shown for name in picture} == {"src", "thumb", "face", "nearest"}
        assert all(re.fullmatch(r"/app/static/previews/[\w-]{16}\.png", picture["src"]) for picture in shown)
        words = re.sub(r'"(token|last)": "[^"]*"|/[\w-]{16}\.', "", json.dumps(told))
        assert not [secret for secret in SECRETS if re.search(rf"\b{re.escape(secret)}\b", words)]
        labels = [pattern.label for pattern in patterns.listed(filled.db, filled.project_id)]
        assert not [label for label in labels if label in words] and str(CLIP_BASE_ROW) not in words
        answer(filled, token, {"skip": True})


def test_the_wanted_prompt_says_the_class_noun_in_place_of_the_trigger(filled):
    texts = {item["text"] for item in answer_all(filled, begun(filled))}
    assert "photo of woman in a blue shirt, at the beach" in texts and len(texts) == 3


def test_a_row_of_several_prompts_has_no_text(filled):
    token = begun(filled, "sheet")
    assert {item["text"] for item in answer_all(filled, token)} == {""}


# the face and the nearest photo


def add_face(filled, preview_id, box, size, nearest=1):
    detail = json.dumps({"box": box, "nearest_reference_photo": nearest})
    filled.db.execute("update calibrations set size_px = ?", [size])
    filled.db.execute("update scores set detail = ? where preview_id = ? and metric = 'likeness'", [detail, preview_id])
    filled.db.conn.commit()


@pytest.mark.parametrize(
    ("side", "size", "box", "shares"),
    [
        ((64, 64), 64, [16, 8, 48, 56], [0.25, 0.125, 0.75, 0.875]),
        ((128, 128), 64, [16, 8, 48, 56], [0.25, 0.125, 0.75, 0.875]),  # it was judged at half the size
        ((100, 200), 64, [8, 16, 24, 48], [0.25, 0.25, 0.75, 0.75]),  # upright: judged at 32 x 64
        ((300, 100), 90, [-3, 6, 45, 36], [0.0, 0.2, 0.5, 1.0]),  # lying: judged at 90 x 30; a face over the edge
    ],
)
def test_the_face_box_is_in_shares_of_the_picture_as_it_is_seen(filled, side, size, box, shares):
    row = pictures(filled)[0]
    Image.new("RGB", side).save(filled.ws.path(row["file"]))
    add_face(filled, row["id"], box, size)
    token = begun(filled, n=1)
    answer_all(filled, token, most=3)  # the warm-up
    [item] = tell(filled, token)["items"]
    assert item["pictures"][0]["face"] == pytest.approx(shares)
    assert state(filled.db, token)["items"][0]["pictures"][0]["face"] is None  # its proportions aren't known


def test_of_two_judges_the_project_s_own_says_where_the_face_is(filled):
    row = pictures(filled)[0]
    add_face(filled, row["id"], [16, 16, 32, 32], 64)
    about = {"kind": "face", "name": "another", "version": "1", "licence": "MIT", "world": "own"}
    another = results.add_judge(filled.db, "face another 1", **about)
    calibration = results.add_calibration(
        filled.db, judge_id=another, dataset_id=filled.dataset_id, size_px=64, estimator="mean_of_pairs", real=0.8,
        strangers=0.0, counts="{}",
    )  # fmt: skip
    score = {"judge_id": another, "calibration_id": calibration, "metric": "likeness", "value": 0.5, "status": "ok"}
    results.add_scores(filled.db, [{**score, "preview_id": row["id"], "detail": json.dumps({"box": [0, 0, 64, 64]})}])
    token = begun(filled, n=1)
    answer_all(filled, token, most=3)  # the warm-up
    [item] = tell(filled, token)["items"]
    assert item["pictures"][0]["face"] == [0.25, 0.25, 0.5, 0.5]


def test_the_nearest_photo_is_the_reference_photo_that_the_judge_found_nearest(filled):
    row = pictures(filled)[0]
    add_face(filled, row["id"], [0, 0, 9, 9], 64, nearest=2)
    token = begun(filled, n=1)
    answer_all(filled, token, most=3)
    photo = library.photos(filled.db, filled.dataset_id, "reference")[2]
    address = f"/app/static/photos/{filled.dataset_id}-8-{photo['sha256'][:12]}"
    nearest = tell(filled, token)["items"][0]["pictures"][0]["nearest"]
    assert nearest == {"src": f"{address}.png", "thumb": f"{address}.webp"}


def test_a_photo_of_another_version_is_named_as_the_project_s_own_one(filled, project):
    """Its address would tell which runs were trained on the earlier version."""
    row = pictures(filled)[0]
    add_face(filled, row["id"], [0, 0, 9, 9], 64, nearest=2)
    kept = [dict(photo) for photo in library.photos(filled.db, filled.dataset_id)][4:]
    other = library.add_dataset(
        filled.db,
        filled.project_id,
        hash="later",
        trigger_word="zwx",
        class_noun="woman",
        size_px=None,
        photos=[{k: v for k, v in photo.items() if k not in ("id", "dataset_id")} for photo in kept],
    )
    library.update_project(filled.db, filled.project_id, dataset_id=other)
    token = begun(filled, n=1)
    answer_all(filled, token, most=3)
    assert tell(filled, token)["items"][0]["pictures"][0]["nearest"]["src"].startswith(f"/app/static/photos/{other}-8-")


def test_a_picture_without_a_face_has_neither(filled):
    face = preview_table(filled.db, filled.project_id).set_index("preview_id")["face_status"]
    without = next(row["id"] for row in pictures(filled) if face[row["id"]] == "no_face")
    project = library.project(filled.db, filled.project_id)
    token = sitting.begin(filled.db, project, "me", asking("single", [without]))
    answer_all(filled, token, most=3)
    shown = tell(filled, token)["items"][0]["pictures"][0]
    assert (shown["face"], shown["nearest"]) == (None, None)


# how far it is


def test_answers_count_up_and_minutes_down(filled):
    token = begun(filled, n=10, repeats=5)
    told = tell(filled, token)
    assert (told["total"], told["done"], told["over"], told["can_undo"]) == (15, 0, False, False)
    assert told["seconds_left"] == pytest.approx(300)  # as it was planned
    lefts = []
    for _ in range(17):
        answer(filled, token, seconds=4.0)
        lefts.append(tell(filled, token)["seconds_left"])
    assert lefts[2:] == pytest.approx([4.0 * n for n in range(15, 0, -1)], abs=0.2)
    told = tell(filled, token)
    assert (told["total"], told["done"]) == (15, 14)


def test_pauses_are_not_taken_for_slowness(filled):
    token = begun(filled, n=10)
    for seconds in (3.0, 500.0, 3.0, 500.0, 3.0):
        answer(filled, token, seconds=seconds)
    assert tell(filled, token)["seconds_left"] == pytest.approx(3.0 * 8, abs=0.1)


def test_a_reload_and_a_restart_see_the_same_state(filled):
    token = begun(filled)
    answer_all(filled, token, most=5)
    before = tell(filled, token)
    assert state(Workspace(filled.ws.home).open(), token, filled.ws) == before


def test_a_sitting_ends_with_its_last_answer(filled, project):
    token = begun(filled, n=5)
    answer_all(filled, token)
    told = tell(filled, token)
    assert told["over"] and told["items"] == [] and told["seconds_left"] == 0 and told["done"] == told["total"] == 5
    assert sittings.by_token(filled.db, token)["ended_at"] is not None
    assert sitting.open_sittings(filled.db, project, "me") == []


def test_what_is_open_can_go_on_and_what_was_stopped_is_over(filled, project):
    first, second = begun(filled, n=5), begun(filled, "pair")
    answer_all(filled, first, most=4)
    found = sitting.open_sittings(filled.db, project, "me")
    assert [(each.token, each.mode, each.done, each.total) for each in found] == [
        (second, "pair", 0, len(items_of(filled, "pair"))),
        (first, "deck", 1, 5),
    ]
    assert sitting.open_sittings(filled.db, project, "Mia") == []
    sitting.stop(filled.db, first)
    assert [each.token for each in sitting.open_sittings(filled.db, project, "me")] == [second]
    told = tell(filled, first)
    assert told["over"] and told["items"] == [] and (told["done"], told["total"]) == (1, 5)
    sitting.stop(filled.db, "nobody's")


def test_an_answer_from_another_tab_takes_a_stopped_sitting_up_again(filled):
    token = begun(filled, n=5)
    item = tell(filled, token)["items"][0]
    sitting.stop(filled.db, token)
    answers.save(filled.db, token, {"item": item["token"], "seconds": 1, "marks": {"likeness": 5}})
    assert not tell(filled, token)["over"] and sittings.by_token(filled.db, token)["ended_at"] is None


def test_a_token_of_no_sitting_is_said(filled):
    with pytest.raises(NoSuchSitting, match="no such sitting"):
        state(filled.db, "nobody")


def test_a_project_without_previews_has_no_sittings(tmp_path):
    db = Workspace(tmp_path).open()
    project = library.project(db, add_project(db, "empty", "zwx", "woman"))
    assert sitting.open_sittings(db, project, "me") == []


# what changes meanwhile


def test_pictures_in_the_bin_are_passed_over_and_come_back_with_their_run(filled, project):
    token = begun(filled)
    answer_all(filled, token, most=4)
    items = {item["token"]: item["previews"][0] for item in stored_items(filled, token)}
    open_ones = list(items.values())[4:]
    runs = {row["id"]: row["run_id"] for row in pictures(filled)}
    run = runs[open_ones[5]]
    lost = sum(runs[preview] == run for preview in open_ones)
    before = tell(filled, token)
    bin.delete_run(filled.db, run)
    assert tell(filled, token)["total"] == before["total"] - lost
    rest = answer_all(filled, token)
    assert len(rest) == len(open_ones) - lost
    assert run not in {runs[items[item["token"]]] for item in rest}
    assert tell(filled, token)["over"] and sitting.open_sittings(filled.db, project, "me") == []
    bin.restore_run(filled.db, run)
    [again] = sitting.open_sittings(filled.db, project, "me")
    assert again.total - again.done == lost == len(answer_all(filled, token))
    assert sittings.by_token(filled.db, token)["ended_at"] is not None


def test_a_changed_plan_leaves_a_sitting_as_it_is(filled, project):
    token = begun(filled)
    answer_all(filled, token, most=4)
    before = tell(filled, token)
    set_plan(filled.db, filled.project_id, PLAN.model_copy(update={"seeds": (7,)}))
    assert tell(filled, token) == before
    answer(filled, token)
    assert tell(filled, token)["done"] == before["done"] + 1


def test_a_project_in_the_bin_asks_nothing_until_it_is_restored(filled, project):
    token = begun(filled)
    before = tell(filled, token)
    bin.delete_project(filled.db, filled.project_id)
    told = tell(filled, token)
    assert told["over"] and told["items"] == [] and sittings.by_token(filled.db, token)["ended_at"] is None
    bin.restore_project(filled.db, filled.project_id)
    assert tell(filled, token) == before


def test_pictures_that_were_seen_by_name_are_not_asked_any_more(filled, project):
    token = begun(filled, n=5)
    other = begun(filled, n=5, rater="Mia")
    seen = stored_items(filled, token)[4]["previews"]
    sittings.reveal(filled.db, "me", seen)
    assert (tell(filled, token)["total"], tell(filled, other)["total"]) == (4, 5)
    tokens = {item["token"]: item["previews"] for item in stored_items(filled, token)}
    assert seen not in [tokens[item["token"]] for item in answer_all(filled, token)]
    assert sittings.by_token(filled.db, token)["ended_at"] is not None  # nothing of it will ever be asked
