"""Where a sweep stands is looked up again when something has changed, and only then."""

import pytest
from filled import add_scores, fill

from workbench.keeping import bin
from workbench.running import queue
from workbench.running.progress import progress


@pytest.fixture
def filled(tmp_path):
    return fill(tmp_path)


def test_what_is_there_is_looked_up_once_while_nothing_changes(filled):
    asked: list[str] = []
    first = progress(filled.db, filled.project_id)
    with filled.db.tracer(lambda sql, _: asked.append(sql)):
        assert progress(filled.db, filled.project_id) == first
    assert asked and not [sql for sql in asked if "not exists" in sql or "v.checkpoint_id, v.base_model" in sql]


def test_a_queued_run_a_deleted_one_and_a_score_are_seen_at_once(filled):
    db, project = filled.db, filled.project_id
    before = progress(db, project)
    queue.enqueue(db, project, filled.pattern_ids[:1], [9])
    queued = progress(db, project)
    assert queued.runs_queued == 1 and queued.previews_expected > before.previews_expected
    bin.delete_run(db, filled.run_ids[0])
    assert progress(db, project).previews_done < before.previews_done
    [preview] = list(db.query("select preview_id from scores order by preview_id desc limit 1"))
    db.execute("delete from scores where preview_id = ?", [preview["preview_id"]])
    db.execute("update meta set value = value + 1 where key = 'revision'")
    db.conn.commit()
    lacking = progress(db, project).scores_missing
    add_scores(filled, preview["preview_id"], 50.0, "ok", 0.3)
    assert progress(db, project).scores_missing < lacking
