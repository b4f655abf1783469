"""The Patterns page: grids, presets, the article and files."""

import pytest
from filled import fill
from test_pages import go, no_error, open_app, press, words

from db import marks
from trainer.config import TrainConfig
from workbench.sweep import patterns
from workbench.sweep.marks import article_rows


@pytest.fixture
def full(tmp_path):
    return fill(tmp_path)


def open_way(full, monkeypatch, *ways):
    """The Patterns page after these tabs were opened, one after the other."""
    app = open_app(full.ws.home, monkeypatch, "patterns")
    for way in ways:
        app.session_state["way to add"] = way
        no_error(app.run())
    return app


def labels(full):
    return [pattern.label for pattern in patterns.listed(full.db, full.project_id)]


def test_what_the_settings_come_to_stands_beside_them_while_one_types(full, monkeypatch):
    app = open_way(full, monkeypatch, "From scratch")
    assert "60 updates · 180 images seen · rate × scale 0.002 · 2 LoRA files" in words(app)
    app.text_input(key="new-epochs").set_value("3").run()
    assert "6 updates · 18 images seen" in words(app)
    app.text_input(key="new-epochs").set_value("x").run()
    assert "epochs is 'x' but must be a whole number" in words(no_error(app))


def test_a_choice_says_what_it_does(full, monkeypatch):
    app = open_way(full, monkeypatch, "From scratch")
    app.selectbox(key="new-optimizer").set_value("lion").run()
    said = words(app)
    assert "Moves every value by exactly the rate" in said and "at alpha = dim: 0.0004" in said


@pytest.mark.parametrize(
    ("name", "kind", "value", "stored"),
    [
        ("conv_dim", "text_input", "8", 8),
        ("rslora", "toggle", True, True),
        ("captions", "selectbox", "trigger_only", "trigger_only"),
        ("beta2", "text_input", "0,99", 0.99),
        ("base_model", "selectbox", "embedded-painted", "embedded-painted"),
    ],
)
def test_a_clone_may_change_any_kind_of_setting(full, monkeypatch, name, kind, value, stored):
    app = open_app(full.ws.home, monkeypatch, "patterns")
    key = f"clone-{full.pattern_ids[0]}"
    app.selectbox(key=f"{key}-which").set_value(name).run()
    getattr(app, kind)(key=f"{key}-{name}").set_value(value).run()
    press(app, "Add this pattern")
    first, *_, added = patterns.listed(full.db, full.project_id)
    assert patterns.changes(added, first) == {name: stored}


def test_a_grid_is_looked_over_and_added(full, monkeypatch):
    app = open_way(full, monkeypatch, "Grid")
    app.selectbox(key="axis-0").set_value("alpha").run()
    app.text_input(key="values-0").set_value("1, 16, 64").run()
    assert "1 new pattern. The project has 2 of the combinations already" in words(app)
    press(app, "Add 1 pattern")
    assert labels(full)[-1] == "baseline, alpha 64"


@pytest.mark.parametrize(("values", "said"), [("-1", "alpha is -1 but must be"), (",", "is no axis")])
def test_a_grid_that_can_not_be_made_is_explained(full, monkeypatch, values, said):
    app = open_way(full, monkeypatch, "Grid")
    app.selectbox(key="axis-0").set_value("alpha").run()
    app.text_input(key="values-0").set_value(values).run()
    assert said in words(no_error(app))


def test_a_preset_says_what_it_costs_before_it_is_added(full, monkeypatch):
    app = open_way(full, monkeypatch, "Presets")
    next(group for group in app.button_group if group.key == "preset").set_value("optimizers").run()
    assert "With one training seed each: 7 runs" in words(app)
    press(app, "Add 7 patterns")
    assert {"prodigy at 1", "lion at 0.0004"} <= set(labels(full))


def test_what_will_be_answered_and_what_a_run_costs_is_said(full, monkeypatch):
    patterns.add(full.db, full.project_id, TrainConfig(dim=4, alpha=2, clip_skip=2), "far away")
    app = open_app(full.ws.home, monkeypatch, "patterns")
    assert "answered by" not in words(app)  # not worked out before it is opened
    app.session_state["answers"] = True
    said = words(no_error(app.run()))
    assert "alpha: answered by baseline / alpha 1" in said
    assert "clip skip: only varies together with others. Missing: " in said
    assert "2 runs: " in said  # the new pattern with two seeds


def test_a_dangerous_pattern_is_warned_of_while_it_is_typed(full, monkeypatch):
    app = open_way(full, monkeypatch, "From scratch")
    before = labels(full)
    assert "this pattern" not in words(app)
    app.text_input(key="new-learning_rate").set_value("0.5").run()
    assert "'this pattern': rate 0.5 is 250 times the usual 0.002" in words(app)
    assert labels(full) == before


def test_the_article_is_added_with_its_marks_and_the_arms_it_lacked(full, monkeypatch):
    app = open_way(full, monkeypatch, "The article")
    press(app, "Add the article")
    assert "16 patterns added." in words(app) and "Left out: 1, 2, 9, 19, 20, 21, 22 (not repro" in words(app)
    assert "13: batch 4 = 23 = 24" in labels(full)
    assert len(marks.of_project(full.db, full.project_id)) == 25
    app.button(key="arm-0").click().run()
    assert "alpha 64 at rate / 64, AdamW" in labels(full)
    assert "2 patterns added." in words(app)
    taken = {key: app.button(key=key).disabled for key in ("add article", "arm-0", "arm-1", "arm-2")}
    assert taken == {
        "add article": True,
        "arm-0": True,
        "arm-1": True,
        "arm-2": False,
    }  # 1: the article brings its views


def test_a_tab_is_made_when_it_is_opened_and_keeps_what_was_typed_in_it(full, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "patterns")
    assert not {field.key for field in app.text_input} & {"new label", "values-0"}
    app = open_way(full, monkeypatch, "From scratch")
    app.text_input(key="new label").set_value("half the rate").run()
    app.session_state["way to add"] = "Grid"
    app.run()
    assert app.text_input(key="values-0").value == ""
    assert no_error(app).text_input(key="new label").value == "half the rate"
    go(go(app, "plan"), "patterns")
    assert not {field.key for field in app.text_input} & {"new label", "values-0"}


# the tables behind


def test_the_articles_table_names_what_is_known_and_what_is_not():
    rows = {row["pattern"]: row for row in article_rows()}
    assert list(rows) == [str(number) for number in range(1, 26)]
    assert rows["1"]["here"] == "not reproducible from the article"
    assert (rows["3"]["author's mark"], rows["3"]["inferred"]) == ("90", "learning rate 0.0001")
    assert (rows["4"]["author's mark"], rows["4"]["in words"]) == ("", "<90")
    assert "14/15/16/18: Lion" in rows["15"]["here"]
