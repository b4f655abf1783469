"""The page People as a person meets it: empty, with ratings of all kinds, by one and by several; in a real browser."""

import re
import shutil

import pytest
from filled import fill
from filled_ratings import add_all_ratings
from serving import serving
from test_pages import go, no_error, open_app, press, words

from workbench.findings.preview_table import preview_table
from workbench.keeping.bin import delete_run
from workbench.people.found import flagged
from workbench.rating.pool import held_back_tokens
from workbench.workspace import Workspace

# which items a sitting repeats is drawn anew each time, so figures differ a little
APART = r"baseline, .* leads; \d+ others? of {n} may be as good|baseline, .* is better than the other {others}\."


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    filled = fill(tmp_path_factory.mktemp("rated"), rated=False)
    add_all_ratings(filled)
    return filled


def people(home, monkeypatch, view=None):
    app = open_app(home, monkeypatch, "people")
    return no_error(app.button_group(key="people-view").set_value(view).run()) if view else app


def headings(app):
    return [one.value.replace("\\", "") for one in app.subheader]


def test_without_a_rating_the_page_leads_to_rating(tmp_path, monkeypatch):
    app = people(fill(tmp_path, rated=False).ws.home, monkeypatch)
    assert "Nobody has rated a picture yet" in words(app)
    assert press(app, "Rate").title[0].value == "Rate"


def test_checkpoints_stand_in_order_with_what_may_be_said_of_them(rated, monkeypatch):
    app = people(rated.ws.home, monkeypatch)
    assert re.match(APART.format(n=12, others=11), headings(app)[0])
    assert len(app.get("vega_lite_chart")) == 1
    no_error(app.button_group(key="people-by").set_value("Choices alone").run())
    assert "of 6 may be as good" in headings(app)[0] and "comparisons of 6 checkpoints" in words(app)
    no_error(app.button_group(key="whose").set_value("Mia").run())
    assert "36 answers by Mia" in words(app)


def test_checkpoints_that_were_never_compared_are_said_to_be_unconnected(tmp_path, monkeypatch):
    from filled_ratings import asked_of, hold_sitting, judged_pictures
    from one_sitting import asking

    filled = fill(tmp_path, rated=False)
    pictures = judged_pictures(filled)
    checkpoint_of = {row["preview_id"]: row["checkpoint_id"] for row in pictures}
    cells = asked_of("best_worst", pictures)
    pairs = tuple(pair for cell in cells for pair in (cell[:2], cell[4:6]))  # two patterns, never against each other
    assert len({checkpoint_of[preview] for pair in pairs for preview in pair}) == 4
    hold_sitting(filled, asking("pair", pairs, 0), "me", pictures)
    app = people(filled.ws.home, monkeypatch)
    no_error(app.button_group(key="people-by").set_value("Choices alone").run())
    assert "Not connected" in words(app) and "Group 2" in words(app)
    assert len(app.get("vega_lite_chart")) == 2


def test_flagged_pictures_are_counted_and_shown_when_asked_for(rated, monkeypatch):
    app = people(rated.ws.home, monkeypatch)
    assert "Flagged" in headings(app)
    counts = app.dataframe[0].value.set_index("checkpoint")
    assert counts["not the person"].to_dict() == {
        "baseline, seed 2, 120 updates": 0,
        "rate 6e-3, seed 1, 120 updates": 1,
        "rate 6e-3, seed 2, 120 updates": 1,
    }
    [toggle] = [one for one in app.toggle if one.label == "Show the flagged pictures (3)"]
    no_error(toggle.set_value(True).run())


def test_flagged_pictures_that_wait_are_counted_and_not_shown(rated):
    previews = preview_table(rated.ws.open(), rated.project_id)
    counts, shown = flagged(previews)
    fewer, left = flagged(previews, held={shown["token"].iloc[0]})
    assert fewer.equals(counts) and list(left["token"]) == list(shown["token"].iloc[1:]) and len(shown) == 3


def test_flags_alone_make_no_order(tmp_path, monkeypatch):
    from filled_ratings import judged_pictures
    from one_sitting import asking

    from db import library, sittings
    from workbench.rating.answers import save
    from workbench.rating.sitting import begin

    filled = fill(tmp_path, rated=False)
    picture = next(row["preview_id"] for row in judged_pictures(filled) if not row["is_base"])
    token = begin(filled.db, library.project(filled.db, 1), "me", asking("deck", ((picture,),), 0))
    for item in sittings.items(filled.db, sittings.by_token(filled.db, token)["id"]):
        save(filled.db, token, {"item": item["token"], "seconds": 2, "flags": [[0, "broken"]]})
    app = people(filled.ws.home, monkeypatch)
    assert "flags alone make no order" in words(app) and "Flagged" in headings(app)
    no_error(app.button_group(key="people-view").set_value("Eye and judge").run())
    assert "No single picture has a mark yet" in words(app)


def test_steadiness_and_haste_are_one_s_own_and_agreement_is_everybody_s(rated, monkeypatch):
    app = people(rated.ws.home, monkeypatch, "Steady?")
    assert headings(app) == ["Between raters"]  # of several nobody is taken for another
    no_error(app.selectbox(key="rater").set_value("Mia").run())
    assert headings(app) == ["You (Mia)", "Between raters"]
    said = words(app)
    assert "5 repeats" in said and "alpha" in said
    assert len(app.dataframe[0].value) == 5  # three axes of single, deck, sheet
    app = open_app(rated.ws.home, monkeypatch)
    app.session_state["rater"] = "Somebody else"  # as if typed on the Rate page
    go(app, "people")
    no_error(app.button_group(key="people-view").set_value("Steady?").run())
    assert "no ratings under the name" in words(app)


def test_one_rater_is_told_that_a_second_one_would_help(tmp_path, monkeypatch):
    filled = fill(tmp_path, rated=False)
    add_all_ratings(filled, raters=("me",), modes=("deck",))
    app = people(filled.ws.home, monkeypatch, "Steady?")
    assert "Only one person has rated so far" in words(app)
    assert not [one for one in app.button_group if one.key == "whose"]


def test_the_pattern_whose_flaw_only_people_see_is_named(rated, monkeypatch):
    app = people(rated.ws.home, monkeypatch, "Eye and judge")
    said = words(app)
    assert "Rank correlation 0." in said and "n = 34 rated pictures of 12 checkpoints" in said
    assert "rate 6e-3: people place its pictures" in said and "lower than the judge does" in said
    assert re.match("Likeness.* They part most in rate 6e-3: people place it lower.", headings(app)[0])
    [legend] = [one for one in (element.proto.body for element in app.get("html")) if 'class="signs"' in one]
    assert "rate 6e-3</span>" in legend and "<details" not in legend  # few patterns need no click
    lines = app.dataframe[1].value
    assert list(lines["judge"]) == ["likeness", "prompt adherence"]
    no_error(app.selectbox(key="people-group").set_value("learning_rate").run())
    assert "0.006: people place its pictures" in words(app)
    no_error(app.button_group(key="people-judge").set_value("human_prompt/clip_t").run())
    assert "among pictures of the same prompt" in words(app)


def test_pictures_that_still_wait_are_not_shown_beside_their_scores(rated, monkeypatch, tmp_path):
    """What others have rated may wait for who looks."""
    home = tmp_path / "copy"
    shutil.copytree(rated.ws.home, home)
    app = people(home, monkeypatch, "Eye and judge")
    assert "you have yet to rate" not in words(app)
    app.session_state["rater"] = "Newcomer"
    no_error(app.run())
    db = Workspace(home).open()
    project = dict(db["projects"].get(rated.project_id))
    held = held_back_tokens(db, project, "Newcomer")
    marked = preview_table(db, rated.project_id).dropna(subset=["human_likeness", "likeness"])
    waiting = marked[marked["token"].isin(list(held))]
    assert len(waiting)
    assert f"{len(waiting)} pictures not drawn here: you have yet to rate them" in words(app)


def test_a_run_in_the_bin_is_left_out(rated, monkeypatch, tmp_path):
    home = tmp_path / "copy"
    shutil.copytree(rated.ws.home, home)
    delete_run(Workspace(home).open(), rated.run_ids[-1])
    app = people(home, monkeypatch)
    assert re.match(APART.format(n=10, others=9), headings(app)[0])
    assert "rate 6e-3, seed 2, 120 updates" not in set(app.dataframe[0].value["checkpoint"])
    no_error(app.button_group(key="people-by").set_value("Choices alone").run())
    assert "comparisons of 5 checkpoints" in words(app)


@pytest.fixture(scope="module")
def site(rated):
    with serving(rated.ws.home) as address:
        yield address


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_click_on_a_checkpoint_shows_its_pictures(site, page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{site}/people")
    page.get_by_role("heading", name=re.compile(APART.format(n=12, others=11))).wait_for()
    points = page.locator("[data-testid=stVegaLiteChart] .mark-symbol.role-mark path")
    points.first.wait_for()
    assert points.count() == 12 and page.locator(".grid img").count() == 0
    points.first.click()
    page.get_by_text("reference photos").first.wait_for()
    assert page.locator(".grid .stage img").count() > 3
    assert no_sideways(page)


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_where_eye_and_judge_part_the_pictures_are_beside_the_person(site, page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{site}/people?people-view=Eye+and+judge")
    page.get_by_role("heading", name="Where they part most").wait_for()
    page.get_by_text("the judge places it higher").first.wait_for()
    assert no_sideways(page)
    below = page.locator(".grid").last
    below.locator("button.tile").first.click()
    page.get_by_role("dialog").get_by_text("rate 6e-3").first.wait_for()


def no_sideways(page):
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
