"""What helped, on Home and on Charts, as a person reads it: in full, with one run, one seed, marks alone, a wreck."""

import filled
import pytest
from test_pages import go, no_error, open_app, press, words

HEADS = ("What helped", "Can't tell yet", "Not tested alone")


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Alpha 1 is so much worse that no doubt is left. Nothing here changes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filled, "OF_PATTERN", (60.0, 20.0, 57.0))
        return filled.fill_anew(tmp_path_factory.mktemp("helped"), filled.PLAN, rated=True)


def test_home_and_charts_say_it_in_three_blocks(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch)
    for said in (words(app), words(go(app, "charts"))):
        assert all(head in said for head in HEADS)
        assert "alpha:** 16 rather than 1: likeness +40.0 ± " in said
        assert "learning rate:** 0.002 → 0.006: -3.0 ± " in said
        assert "each setting that varies was changed alone somewhere" in said
        assert "for all pairs at once" in said
    assert len(app.get("vega_lite_chart")) == 1


def test_home_leads_to_all_pairs(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch)
    assert len(app.get("vega_lite_chart")) == 1
    assert press(app, "All 2 pairs").title[0].value == "Charts"


def test_a_pair_shows_both_sides_with_one_training_seed_and_another_can_be_chosen(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "charts")
    seed = app.button_group(key="pair-seed")
    assert seed.value == 1 and "alpha: 1 → 16" in words(app)
    no_error(seed.set_value(2).run())


def test_with_one_run_nothing_is_claimed_and_the_way_to_a_pair_is_a_button(tmp_path, monkeypatch):
    monkeypatch.setattr(filled, "CHANGES", {"baseline": {}})
    monkeypatch.setattr(filled, "TRAIN_SEEDS", (1,))
    home = filled.fill_anew(tmp_path, filled.PLAN, rated=False).ws.home
    app = open_app(home, monkeypatch)
    said = words(app)
    assert "no two measured patterns differ in exactly one setting" in said and not app.get("vega_lite_chart")
    go(app, "charts")
    assert press(app, "Clone one").title[0].value == "Patterns"


def test_with_two_patterns_and_one_seed_a_second_seed_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(filled, "CHANGES", {"baseline": {}, "alpha 1": {"alpha": 1.0}})
    monkeypatch.setattr(filled, "TRAIN_SEEDS", (1,))
    app = open_app(filled.fill_anew(tmp_path, filled.PLAN, rated=False).ws.home, monkeypatch)
    for said in (words(app), words(go(app, "charts"))):
        assert "Nothing can be said of a setting yet" in said
        assert "alpha:** 1 → 16: +15.0, of a single training: train both with a second seed" in said
        assert "seems to matter" not in said


def test_a_wrecked_pattern_is_named_beside_the_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(filled, "broken_cell", lambda pattern, *_: ("ok", "no_face" if pattern == 2 else "ok"))
    app = open_app(filled.fill_anew(tmp_path, filled.PLAN, rated=False).ws.home, monkeypatch)
    for said in (words(app), words(go(app, "charts"))):
        assert "rate 6e-3:** 2 of 2 trainings wrecked" in said
        assert "Only learning rate parts it from 'baseline': 0.006, not 0.002" in said


def test_marks_are_summed_up_where_they_are_all_there_is(tmp_path, monkeypatch):
    made = filled.fill(tmp_path)
    made.db.execute("delete from scores")
    made.db.execute("update meta set value = value + 1 where key = 'revision'")
    made.db.conn.commit()
    app = open_app(made.ws.home, monkeypatch, "charts")
    assert app.selectbox(key="score").value == "human_likeness"
    said = words(app)
    assert all(head in said for head in HEADS) and "Nothing is beyond noise: of 1 pair" in said
