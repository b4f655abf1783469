"""Rules for files: what goes, what never goes, and the way back."""

import pytest
from filled import UPDATES, fill, rate

from db import results, runs
from workbench.keeping import bin, retention
from workbench.keeping.retention import Going, RetentionError, Rule


@pytest.fixture
def full(tmp_path):
    """Six finished runs with two checkpoints each; the later one is the better in all of them."""
    filled = fill(tmp_path / "w", rated=False)
    for run in filled.run_ids:
        state = filled.ws.run_folder(run) / "state" / "state.safetensors"
        state.parent.mkdir()
        state.write_bytes(bytes(500))
    return filled


def ruled(full, **rule):
    retention.set_rule(full.db, full.project_id, Rule(**rule))
    return retention.going(full.ws, full.db, full.project_id)


def firsts(full):
    return {runs.checkpoints(full.db, run)[0]["id"] for run in full.run_ids}


def ids(going):
    return {row["id"] for row in going.checkpoints}


def test_everything_is_kept_until_somebody_says_otherwise(full):
    assert retention.rule_of(full.db, full.project_id) == Rule()
    assert not retention.going(full.ws, full.db, full.project_id)


def test_the_last_n_of_each_run_stay(full):
    going = ruled(full, loras="last", n=1)
    assert ids(going) == firsts(full) and going.states == () and going.bytes == 6 * 1000
    assert str(going) == "6 LoRA files (0.0 MB)"
    assert not ruled(full, loras="last", n=2)


def test_the_n_with_the_highest_likeness_stay(full):
    assert ids(ruled(full, loras="best", n=1)) == firsts(full)  # the likeness rises by 10 from the first to the second
    full.db.execute(
        "delete from scores where metric = 'likeness' and preview_id in "
        "(select v.id from previews v join checkpoints c on c.id = v.checkpoint_id where c.run_id = 1)"
    )
    assert ids(ruled(full, loras="best", n=1)) == firsts(full) - {1}  # not judged yet: nothing of that run goes


def rate_checkpoint(full, run, which, value, rater="me", axis="likeness"):
    checkpoint = runs.checkpoints(full.db, run)[which]["id"]
    own = [
        row for row in results.previews(full.db, full.project_id, full.plan_id) if row["checkpoint_id"] == checkpoint
    ]
    rate(full, own[0]["id"], rater, position=checkpoint, **{axis: value})
    return checkpoint


def test_only_the_rated_stay_but_not_before_somebody_asks_for_it(full):
    rated = [rate_checkpoint(full, run, 1, 50.0 + run) for run in full.run_ids[:2]]
    last = {runs.checkpoints(full.db, run)[1]["id"] for run in full.run_ids}
    going = ids(ruled(full, loras="rated"))
    assert going == (firsts(full) | last) - set(rated)  # which the charts call best too: the baseline's last ones
    assert not retention.after_scores(full.ws, full.db, full.project_id)


def test_what_somebody_rated_best_never_goes_whatever_the_rule(full):
    first = rate_checkpoint(full, full.run_ids[5], 0, 99.0)
    rate_checkpoint(full, full.run_ids[0], 0, 10.0)
    other = rate_checkpoint(full, full.run_ids[4], 0, 30.0, rater="you", axis="quality")
    assert ids(ruled(full, loras="last", n=1)) == firsts(full) - {first, other}


def test_what_the_charts_call_best_never_goes(full):
    from workbench.findings.analysis import tables
    from workbench.findings.best import best_so_far

    best = set(best_so_far(tables(full.db, full.project_id)).checkpoint_ids)
    assert best and not best & ids(ruled(full, loras="rated"))


def test_the_result_of_a_final_run_never_goes(full):
    full.db.execute("update runs set final = 1 where id = ?", [full.run_ids[-1]])
    final = runs.checkpoints(full.db, full.run_ids[-1])
    going = ids(ruled(full, loras="rated"))
    assert final[0]["id"] in going and final[1]["id"] not in going


def test_a_file_whose_previews_are_not_all_made_stays(full):
    first = runs.checkpoints(full.db, full.run_ids[0])[0]["id"]
    [preview] = [row for row in results.previews(full.db, 1, 1) if row["checkpoint_id"] == first][:1]
    full.db.execute("delete from scores where preview_id = ?", [preview["id"]])
    full.db.execute("delete from previews where id = ?", [preview["id"]])
    assert first not in ids(ruled(full, loras="last", n=1))


def test_states_go_where_the_rule_says_so_but_not_one_that_a_waiting_run_needs(full):
    from workbench.sweep import patterns

    longer = patterns.clone(full.db, 1, full.pattern_ids[0], "longer", epochs=99)
    runs.enqueue(full.db, 1, longer, full.dataset_id, 1, continues=full.run_ids[0])
    going = ruled(full, states="remove")
    assert going.states == full.run_ids[1:] and going.checkpoints == () and going.bytes == 5 * 500


def test_tidied_files_lie_in_the_bin_and_come_back(full):
    ruled(full, loras="last", n=1, states="remove")
    gone = retention.after_scores(full.ws, full.db, full.project_id)
    assert str(gone) == "6 LoRA files and 6 training states (0.0 MB)"
    run = full.run_ids[0]
    first, last = runs.checkpoints(full.db, run)
    assert first["removed_at"] and not full.ws.path(first["file"]).exists() and full.ws.path(last["file"]).exists()
    assert len(results.previews(full.db, 1, 1)) == 104  # pictures and scores stay
    assert not retention.going(full.ws, full.db, full.project_id)
    items = bin.contents(full.ws, full.db)
    assert len(items) == 6 and sum(item.bytes for item in items) == 6 * 1500
    bin.restore(full.ws, full.db, f"files {run}")
    first, _ = runs.checkpoints(full.db, run)
    assert first["removed_at"] is None and full.ws.path(first["file"]).stat().st_size == 1000
    assert (full.ws.run_folder(run) / "state" / "state.safetensors").is_file()
    assert bin.empty(full.ws, full.db) == 5 * 1500 and not full.ws.bin.exists()
    assert [c["updates"] for c in runs.checkpoints(full.db, full.run_ids[1])] == list(UPDATES)  # rows stay


def test_a_crash_between_the_note_and_the_move_is_mended_by_the_next_tidying(full, monkeypatch):
    ruled(full, loras="last", n=1)
    monkeypatch.setattr(retention, "to_bin", lambda ws, file: exec("raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        retention.tidy(full.ws, full.db, 1)
    monkeypatch.undo()
    retention.tidy(full.ws, full.db, 1)
    removed = [c for run in full.run_ids for c in runs.checkpoints(full.db, run) if c["removed_at"]]
    assert len(removed) == 6 and not any(full.ws.path(c["file"]).exists() for c in removed)
    assert all((full.ws.bin / c["file"]).exists() for c in removed)


def test_a_rule_that_makes_no_sense_is_refused(full):
    with pytest.raises(RetentionError, match="Choose among"):
        ruled(full, loras="some")
    with pytest.raises(RetentionError, match="at least 1"):
        ruled(full, loras="last", n=0)


def test_nothing_is_said_as_nothing():
    assert str(Going()) == "nothing" and not Going()
