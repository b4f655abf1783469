"""What a sweep costs: worked out by hand from what was measured, and silent where nothing was."""

import pytest
from filled import BASELINE, PLAN, fill

from db import runs
from trainer.config import TrainConfig
from workbench.plans.plan import Variant, set_plan
from workbench.projects import add_project
from workbench.running.device import DeviceInfo
from workbench.sweep import cost
from workbench.sweep.cost import Cost, file_bytes, seconds_per_update
from workbench.workspace import Workspace


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("cost"))


def test_updates_files_and_previews_by_hand(full):
    config = BASELINE.model_copy(update={"epochs": 10, "save_every": 5})
    found = cost.cost(full.db, full.project_id, [config, config])
    # 6 photos in batches of 4: 2 updates an epoch; 2 files; 4 prompts x 2 seeds for each, once more without LoRA
    assert (found.runs, found.updates, found.images, found.files) == (2, 40, 120, 4)
    assert len(PLAN.cells()) == 8
    assert found.previews == 4 * 8 + 8


def test_time_comes_from_steps_and_previews_measured_here(full):
    config = BASELINE.model_copy(update={"epochs": 10, "save_every": 5})
    trained = list(full.db.query("select step, train_seconds from runs where step > 0"))
    per_update = trained[0]["train_seconds"] / trained[0]["step"]
    [row] = full.db.query("select avg(seconds) as mean from previews")
    found = cost.cost(full.db, full.project_id, [config])
    assert found.seconds == pytest.approx(20 * per_update + (2 * 8 + 8) * row["mean"])


def test_variants_of_what_is_compared_are_counted(tmp_path):
    full = fill(tmp_path)
    other = BASELINE.model_copy(update={"clip_skip": 2, "save_every": 10})
    plain = cost.cost(full.db, full.project_id, [other]).previews
    set_plan(
        full.db, full.project_id, PLAN.model_copy(update={"variants": (Variant(clip_skip=1), Variant(clip_skip=2))})
    )
    # the last file once more with clip skip 1, and the base with that: 3 identity prompts x 2 seeds each
    assert cost.cost(full.db, full.project_id, [other]).previews == plain + 6 + 6
    same = BASELINE.model_copy(update={"save_every": 10})  # its clip skip is compared only where another one is there
    assert cost.cost(full.db, full.project_id, [same]).previews == plain


def test_a_larger_batch_takes_in_proportion_longer():
    measured = [(TrainConfig(batch_size=2), 0.5), (TrainConfig(batch_size=16), 3.0)]
    assert seconds_per_update(TrainConfig(batch_size=4), measured) == pytest.approx(1.0)
    assert seconds_per_update(TrainConfig(batch_size=8, gradient_accumulation=2), measured) == pytest.approx(3.0)


def test_another_base_or_size_was_not_measured():
    measured = [(TrainConfig(), 0.5)]
    assert seconds_per_update(TrainConfig(base_model="/sd15"), measured) is None
    assert seconds_per_update(TrainConfig(resolution=512), measured) is None


def test_another_devices_steps_do_not_count(full):
    config = BASELINE.model_copy(update={"epochs": 10})
    runs.worker_started(full.db, "other", pid=1)
    runs.worker_seen(full.db, "other", "idle", device=DeviceInfo("cuda", "another GPU", ("no",)).to_json())
    found = cost.cost(full.db, full.project_id, [config])
    assert found.seconds is None
    assert "hours not measured yet" in found.sentence
    full.db.execute("delete from workers where id = 'other'")
    full.db.conn.commit()


def test_the_size_of_a_file_is_scaled_from_a_measured_one_or_that_of_sd_1():
    known = [(TrainConfig(dim=16), 1000)]
    assert file_bytes(TrainConfig(dim=64), known) == 4000
    assert file_bytes(TrainConfig(dim=16, save_precision="fp32"), known) == 2000
    assert file_bytes(TrainConfig(dim=16, train_text_encoder=False), known) is None
    assert file_bytes(TrainConfig(base_model="/sd15", dim=128), []) == pytest.approx(144e6)


def test_gigabytes_of_files_states_and_previews_by_hand(full):
    config = TrainConfig(base_model="/sd15", dim=128, epochs=2, save_every=1, batch_size=6)
    found = cost.cost(full.db, full.project_id, [config])
    files, state = 2 * 144e6, 3 * 2 * 144e6  # fp32 weights and Adam's two moments
    assert found.bytes == pytest.approx(files + state + found.previews * 512 * 512 * 0.25)
    lion = cost.cost(full.db, full.project_id, [config.model_copy(update={"optimizer": "lion"})])
    assert found.bytes - lion.bytes == pytest.approx(2 * 144e6)
    prodigy = cost.cost(full.db, full.project_id, [config.model_copy(update={"optimizer": "prodigy"})])
    assert prodigy.bytes - found.bytes == pytest.approx(2 * 2 * 144e6)  # two more: its sum and its start


def test_without_photos_nothing_can_be_said(tmp_path):
    db = Workspace(tmp_path).open()
    assert cost.cost(db, add_project(db, "p", "zwx", "woman"), [TrainConfig()]) is None


def test_the_sentence_says_all_of_it():
    text = Cost(2, 4000, 16000, 8, 128, 7500.0, 2.4e9).sentence
    assert text == (
        "2 runs: 4,000 updates, 16,000 images seen, 8 LoRA files, 128 previews; about 2 h 05 min; about 2.4 GB."
    )
    assert Cost(0, 0, 0, 0, 0, None, None).sentence == "Nothing to train."
