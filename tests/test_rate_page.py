"""The page Rate before and after a sitting: who, how long, what is proposed, what it brought."""

import pytest
from filled import fill
from one_sitting import begun
from test_pages import button, go, no_error, open_app, press, words

from db import library, ratings, sittings
from workbench.projects import add_project
from workbench.rating import answers, sitting, state
from workbench.rating.choose import propose
from workbench.rating.modes import MODES
from workbench.workspace import Workspace


@pytest.fixture
def full(tmp_path):
    return fill(tmp_path, rated=False)


def project_of(full):
    return library.project(full.db, full.project_id)


def answer_all(full, token, n=None):
    """Say something of every item that is left, or of the next ``n``."""
    given = 0
    while (now := state.state(full.db, token))["items"] and given != n:
        marks = dict.fromkeys(now["axes"], 40.0)
        said = {"marks": marks} if marks else {"said": "same"}
        answers.save(full.db, token, {"item": now["items"][0]["token"], "seconds": 3.0, **said})
        given += 1


def test_the_best_way_is_one_card_with_one_coloured_button(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "rate")
    best = propose(full.db, project_of(full), "me", 10)[0]
    said = words(app)
    assert MODES[best.mode].label in said and MODES[best.mode].what in said
    assert best.why in said and best.foretold.words in said
    assert f"about {round(best.minutes)} min" in said
    assert [one.label for one in app.main.button if one.proto.type == "primary"] == ["Start"]


def test_more_minutes_bring_more_to_do(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "rate")
    no_error(app.button_group(key="minutes").set_value(5).run())
    best = propose(full.db, project_of(full), "me", 5)[0]
    assert best.foretold.words in words(app)
    assert best.minutes <= 5


def test_start_stores_the_sitting_and_the_address_holds_it(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "rate")
    best = propose(full.db, project_of(full), "me", 10)[0]
    press(app, "Start")
    [row] = sittings.of_rater(full.db, full.project_id, "me")
    assert app.query_params["sitting"] == row["token"]
    assert row["mode"] == best.mode and row["minutes"] == best.minutes
    assert not app.title  # nothing but the pictures


@pytest.mark.parametrize("token", ["aZ3__x-9", "__", "_a-_"])
def test_a_sitting_opens_whatever_letters_its_token_has(full, monkeypatch, token):
    """Streamlit allows no "__" in a component's key; one token in 200 has it."""
    begun(full, n=5)
    full.db.execute("update sittings set token = ?", [token])
    full.db.conn.commit()
    app = open_app(full.ws.home, monkeypatch, "rate")
    app.query_params["sitting"] = token
    no_error(app.run())
    assert not app.title and app.query_params["sitting"] == token


def test_another_way_can_be_taken(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "rate")
    found = propose(full.db, project_of(full), "me", 10)
    other = next(proposal for proposal in found[1:] if proposal.mode == "deck" or proposal is found[-1])
    choice = next(group for group in app.button_group if group.label == "Or another way")
    no_error(choice.set_value(other.mode).run())
    assert MODES[other.mode].what in words(app)
    press(app, "Start")
    assert [row["mode"] for row in sittings.of_rater(full.db, full.project_id, "me")] == [other.mode]


def test_known_names_are_offered_and_new_ones_typed(full, monkeypatch):
    answer_all(full, begun(full, rater="Mia"), 5)
    app = open_app(full.ws.home, monkeypatch, "rate")
    assert app.selectbox(key="rater").options == ["Mia"]
    app = open_app(full.ws.home, monkeypatch)
    app.session_state["rater"] = "Ben"  # as if typed: a test can choose only what is offered
    go(app, "rate")
    assert app.selectbox(key="rater").options == ["Mia", "Ben"]
    press(app, "Start")
    assert [row["rater"] for row in sittings.of_rater(full.db, full.project_id)] == ["Mia", "Ben"]


def test_a_sitting_that_was_left_comes_first_and_goes_on_or_is_put_away(full, monkeypatch):
    token = begun(full, n=12)
    answer_all(full, token, 6)
    done = state.state(full.db, token)["done"]
    app = open_app(full.ws.home, monkeypatch, "rate")
    assert [one.label for one in app.main.button if one.proto.type == "primary"] == [f"Go on ({done} of 12 answered)"]
    press(app, "Put it away")
    assert not sitting.open_sittings(full.db, project_of(full), "me")
    assert "Go on" not in " ".join(one.label for one in app.button)
    assert len(ratings.of_sitting(full.db, sittings.by_token(full.db, token)["id"])) == 6


def test_the_report_says_what_is_known_and_leads_on(full, monkeypatch):
    token = begun(full, n=12)
    answer_all(full, token)
    app = open_app(full.ws.home, monkeypatch, "rate")
    app.query_params["sitting"] = token
    no_error(app.run())
    assert app.query_params["report"] == token
    said = words(app)
    assert "Saved: 12 answers" in said and "Known now." in said
    assert button(app, "Another 10 minutes").proto.type == "primary"
    press(app, "Undo the last one")
    assert app.query_params["sitting"] == token
    assert state.state(full.db, token)["done"] == 11


def test_an_address_of_nothing_leads_back_to_the_form(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "rate")
    app.query_params["sitting"] = "no-such-sitting"
    no_error(app.run())
    assert "no such sitting" in words(app)
    assert button(app, "Start")


def test_the_sitting_of_another_project_is_not_shown_in_this_one(full, monkeypatch):
    add_project(full.db, "other", "abc", "dog")
    token = begun(full, n=5)
    app = open_app(full.ws.home, monkeypatch, "rate")
    app.sidebar.selectbox[0].set_value(2).run()
    app.query_params["sitting"] = token
    no_error(app.run())
    assert "no such sitting in this project" in words(app)


def test_without_pictures_the_page_says_why_and_leads_to_the_queue(tmp_path, monkeypatch):
    add_project(Workspace(tmp_path).open(), "bare", "zwx", "woman")
    app = open_app(tmp_path, monkeypatch, "rate")
    assert "There is no picture to rate yet" in words(app)
    assert press(app, "See the queue").title[0].value == "Queue"


def test_of_several_people_nobody_is_taken_for_another(full, monkeypatch):
    for name in ("Mia", "Ben"):
        answer_all(full, begun(full, rater=name), 5)
    app = open_app(full.ws.home, monkeypatch, "rate")
    assert app.selectbox(key="rater").value is None
    assert "Choose your name" in words(app) and not app.main.button  # what is asked depends on who it is
    no_error(app.selectbox(key="rater").set_value("Ben").run())
    assert button(app, "Start")
