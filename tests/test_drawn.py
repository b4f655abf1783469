"""What pages keep of a project's tables: it changes with what is said and scored, and with nothing else."""

import json

import altair as alt
import pandas as pd
import pytest
from filled import add_scores, fill, rate

from db import library, results
from pages import _shared as shared
from pages._drawn import about, charted, drawn, finished, worked_out
from workbench.charting.training_chart import score_by_checkpoint
from workbench.findings.analysis import Tables, tables
from workbench.projects import change_project

TOLD: list[str] = []


@pytest.fixture
def filled(tmp_path, monkeypatch):
    made = fill(tmp_path)
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    TOLD.clear()
    return made


def likeness(of: Tables) -> pd.DataFrame:
    TOLD.append("worked out")
    return of.patterns[["label", "likeness", "human_likeness"]]


def bars(of: Tables, column: str) -> alt.Chart:
    TOLD.append("drawn")
    return alt.Chart(of.patterns[["label", column]], height=123).mark_bar().encode(x=f"{column}:Q", y="label:N")


def picture(filled, column="likeness"):
    return drawn(filled.db, filled.project_id, bars, column)


def rows(filled):
    return worked_out(filled.db, filled.project_id, likeness)


def test_what_did_not_change_is_worked_out_and_drawn_once(filled):
    assert rows(filled).equals(rows(filled)) and picture(filled).spec == picture(filled).spec
    assert picture(filled).height == 123
    assert TOLD == ["worked out", "drawn"]


def test_other_arguments_and_other_projects_have_answers_of_their_own(filled):
    assert picture(filled).spec != picture(filled, "human_likeness").spec
    assert picture(filled).spec["encoding"]["x"]["field"] == "likeness"


def test_what_is_kept_is_known_by_workspace_project_function_and_arguments(filled, tmp_path, monkeypatch):
    def of_others(_):
        return None

    of_others.__qualname__ = likeness.__qualname__
    of_others.__module__ = "somewhere"
    keys = [about(filled.db, 1, likeness, ()), about(filled.db, 2, likeness, ()), about(filled.db, 1, bars, ())]
    keys += [about(filled.db, 1, likeness, ("more",)), about(filled.db, 1, of_others, ())]
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "another"))
    keys.append(about(filled.db, 1, likeness, ()))
    assert len(set(keys)) == 6


def last(filled):
    return [row for row in results.previews(filled.db, filled.project_id, filled.plan_id) if row["is_last"]]


def a_score(filled):
    [preview] = [row["id"] for row in last(filled) if row["pattern_id"] == filled.pattern_ids[0]][:1]
    filled.db.execute("delete from scores where preview_id = ?", [preview])
    filled.db.conn.commit()
    add_scores(filled, preview, 99.0, "ok", 0.9)


def a_rating(filled):
    rate(filled, last(filled)[0]["id"], "somebody", 1, likeness=3.0)


def a_label(filled):
    library.add_label(filled.db, filled.project_id, filled.pattern_ids[0], "renamed")


def a_judge(filled):
    change_project(filled.db, filled.project_id, face_judge="none")


@pytest.mark.parametrize("change", [a_score, a_rating, a_label, a_judge])
def test_a_chart_changes_when_a_score_a_rating_a_label_or_a_judge_does(filled, change):
    column = "human_likeness" if change is a_rating else "likeness"
    before, said = picture(filled, column).spec, rows(filled)
    change(filled)
    assert picture(filled, column).spec["datasets"] != before["datasets"]
    assert not rows(filled).equals(said)


def test_a_page_that_changes_its_table_changes_nobody_elses(filled):
    mine = shared.tables(filled.db, filled.project_id)
    mine.previews["likeness"] = 0.0
    mine.patterns.loc[0, "label"] = "changed"
    mine.checkpoints.insert(0, "more", 1.0)
    said = rows(filled)
    said.loc[0, "label"] = "changed"
    yours, anew = shared.tables(filled.db, filled.project_id), tables(filled.db, filled.project_id)
    for name in ("previews", "variants", "checkpoints", "runs", "patterns"):
        pd.testing.assert_frame_equal(getattr(yours, name), getattr(anew, name))
    assert rows(filled)["label"].iloc[0] != "changed"


def test_a_kept_chart_is_drawn_as_streamlit_would_draw_it(filled):
    from streamlit.testing.v1 import AppTest

    def page():
        import streamlit as st

        from pages import _shared as shared
        from pages._drawn import drawn, show
        from workbench.charting.training_chart import score_by_checkpoint

        def by_checkpoint(of):
            return score_by_checkpoint(of.checkpoints, "likeness", labels=of.labels)

        by_checkpoint.__qualname__ = "by_checkpoint"
        db = shared.open_workbench()
        chart = by_checkpoint(shared.tables(db, 1))
        show(drawn(db, 1, by_checkpoint), "kept")
        show(drawn(db, 1, by_checkpoint), "once more")
        st.altair_chart(chart, key="anew", height=chart.height, on_select="rerun", selection_mode="pick")

    app = AppTest.from_function(page, default_timeout=60).run()
    assert not app.exception
    kept, again, anew = (one.proto for one in app.get("vega_lite_chart"))
    assert [(one.name, one.data.data) for one in again.datasets] == [(one.name, one.data.data) for one in kept.datasets]
    assert json.loads(kept.spec) == json.loads(anew.spec) and kept.selection_mode == anew.selection_mode
    assert [(one.name, one.data.data) for one in kept.datasets] == [(one.name, one.data.data) for one in anew.datasets]
    assert kept.theme == anew.theme and len(kept.datasets)


def test_a_chart_of_given_rows_is_kept_while_they_are_equal():
    def bars_of(table: pd.DataFrame) -> alt.Chart:
        TOLD.append("drawn")
        return alt.Chart(table).mark_bar().encode(x="value:Q")

    TOLD.clear()
    table = pd.DataFrame({"value": [1.0, 2.0]})
    first, again = charted(bars_of, table), charted(bars_of, table.copy())
    assert first is again and TOLD == ["drawn"]
    assert charted(bars_of, table.assign(value=[1.0, 3.0])).spec["datasets"] != first.spec["datasets"]

    def points_of(of: pd.DataFrame) -> alt.Chart:
        return alt.Chart(of).mark_point().encode(x="value:Q")

    assert charted(points_of, table).spec["mark"] != first.spec["mark"]


def test_a_height_by_steps_is_left_to_the_chart():
    chart = alt.Chart(pd.DataFrame({"value": [1.0]})).mark_bar().encode(x="value:Q")
    assert finished(chart.properties(height=alt.Step(20))).height is None
    assert finished(chart.properties(height=77)).height == 77


def test_what_has_no_name_is_not_kept(filled):
    with pytest.raises(TypeError, match="function of a module"):
        drawn(filled.db, filled.project_id, lambda of: score_by_checkpoint(of.checkpoints, "likeness"))
