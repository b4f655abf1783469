"""Going on with a training, stopped or finished, gives what an uninterrupted one gives: bit for bit on a CPU."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from trainer.base import BaseModel, load_base
from trainer.config import Optimizer, TrainConfig
from trainer.data import Photo, read_folder
from trainer.device import probe
from trainer.effective import can_continue, course
from trainer.events import Event, Failed, Finished, Saved, Started, StateSaved, Stopped
from trainer.kohya import read
from trainer.lora import Job, train
from trainer.run import Run
from trainer.state import FILE

SMALL = {  # 5 photos in batches of 2, 2, 1: five updates end in the second epoch
    "modules": "attention",
    "dim": 64,  # some weights have 4,096 values and more, so that 8 bits are 8 bits
    "learning_rate": 1e-3,
    "batch_size": 2,
    "epochs": 9,
    "max_updates": 5,
    "save_unit": "updates",
    "save_every": 100,
    "train_text_encoder": False,
    "save_precision": "fp32",
}
EVERY_STREAM = {
    "train_text_encoder": True,
    "flip": True,
    "lr_scheduler": "cosine",
    "warmup_updates": 2,
    "clip_skip": 2,
    "dropout": 0.3,
    "noise_offset": 0.1,
    "caption_dropout": 0.4,
    "shuffle_captions": True,
    "gradient_accumulation": 2,
    "batch_size": 1,
}
FROZEN_WORDS = {**EVERY_STREAM, "train_text_encoder": False, "dora": True, "conv_dim": 4}
Make = Callable[..., Job]


@pytest.fixture(scope="module")
def tiny(small_sd: Path) -> BaseModel:
    """An untrained base with weights so small that an update takes a blink."""
    return load_base(small_sd, probe("cpu"))


@pytest.fixture(scope="module")
def photos(subject: Path) -> list[Photo]:
    return read_folder(subject / "train")[:5]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def job(photos: list[Photo], tmp_path: Path) -> Make:
    """Makes jobs: job("name", dim=8) has an output folder of its own."""

    def make(name: str, continues: Path | None = None, **settings: Any) -> Job:
        config = TrainConfig(**{**SMALL, **settings})
        return Job(name, config, 1, photos, tmp_path / name, name, "zwx", continues=continues)

    return make


def run(base: BaseModel, job: Job, cache: Path, stop_at: int | None = None) -> list[Event]:
    """Train; with `stop_at` the caller vanishes once the state of that update is on the disk."""
    events = []
    for event in (training := train(base, [job], cache=cache, state_every_s=0 if stop_at else 60)):
        events.append(event)
        if isinstance(event, StateSaved) and event.update == stop_at:
            training.close()
    assert stop_at or isinstance(events[-1], Finished), events[-1]
    return events


def tensors(job: Job) -> dict[str, torch.Tensor]:
    modules = read(job.out / f"{job.name}.safetensors").modules
    return {f"{name}.{key}": tensor for name, module in modules.items() for key, tensor in module.tensors.items()}


def same(a: Job, b: Job) -> bool:
    one, two = tensors(a), tensors(b)
    losses = [(job.out / "loss.jsonl").read_bytes() for job in (a, b)]
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one) and losses[0] == losses[1]


@pytest.mark.parametrize("settings", [EVERY_STREAM, FROZEN_WORDS], ids=["trained words", "frozen words"])
def test_a_killed_run_goes_on_bit_for_bit(tiny, cache, job, settings):
    whole, parts = job("whole", **settings), job("parts", **settings)
    run(tiny, whole, cache)
    run(tiny, parts, cache, stop_at=2)
    assert not (parts.out / "parts.safetensors").exists()
    events = run(tiny, parts, cache)
    assert events[0].resumed_at == 2
    assert same(parts, whole)


@pytest.mark.parametrize("name", get_args(Optimizer))
def test_a_run_of_every_optimiser_goes_on_bit_for_bit(tiny, cache, job, name):
    settings = {"optimizer": name, "lr_scheduler": "linear"}
    found = []
    for stops in ((4,), (2, 4)):
        one = job(str(len(stops)), **settings)
        for stop in stops:  # each time as a new process would: from the files alone
            began = Run(tiny, one, cache)
            while began.update < stop:
                began.step()
            began.save_state()
            weights = began.adapter.state()
            began.close()
        found.append(weights)
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_a_run_that_is_asked_to_stop_saves_its_state_and_says_so(tiny, cache, job):
    whole, parts = job("whole"), job("parts")
    run(tiny, whole, cache)
    for event in train(tiny, [parts], cache=cache, state_every_s=0):
        if isinstance(event, StateSaved) and event.update == 2:  # in the middle of an epoch
            parts.stop = "cancelled"
    assert event == Stopped("parts", 2, "cancelled")
    parts.stop = None
    assert run(tiny, parts, cache)[0].resumed_at == 2
    assert same(parts, whole)


def test_a_state_of_the_first_release_is_continued(tiny, cache, job):
    whole, old = job("whole"), job("old")
    run(tiny, whole, cache)
    run(tiny, old, cache, stop_at=3)
    as_the_first_release_wrote_it(old.out / "state" / FILE)
    assert run(tiny, old, cache)[0].resumed_at == 3
    assert same(old, whole)


def as_the_first_release_wrote_it(path: Path) -> None:
    """Take out of a state what came later."""
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["state"])
    for gone in ("shared", "groups"):
        del facts[gone]
    del facts["job"]["course"]
    facts["saved"] = [{k: v for k, v in e.items() if k not in LATER_FACTS} for e in facts["saved"]]
    streams = {"generator/offset", "generator/captions", "generator/dropout"}
    kept = {k: v for k, v in safetensors.torch.load(path.read_bytes()).items() if k not in streams}
    safetensors.torch.save_file(kept, path, metadata={"state": json.dumps(facts)})


LATER_FACTS = ("seconds", "memory_bytes", "loss_train", "loss_reference", "weight_change")


def test_files_that_the_first_release_saved_are_told_of_again(tiny, cache, job):
    old = job("old", max_updates=3, save_every=2)
    told = [event for event in run(tiny, old, cache) if isinstance(event, Saved)]
    as_the_first_release_wrote_it(old.out / "state" / FILE)
    again = [event for event in run(tiny, old, cache) if isinstance(event, Saved)]
    assert (
        [event.file for event in again]
        == [event.file for event in told]
        == ["old-step00000002.safetensors", "old.safetensors"]
    )
    assert again[0].seconds is None and again[0].weight_change == {}


# Going on with a finished run


@pytest.mark.parametrize(
    "settings",
    [{}, {"optimizer": "prodigy", "learning_rate": 1.0}, {**EVERY_STREAM, "lr_scheduler": "constant"}],
    ids=["adamw", "prodigy", "every stream"],
)
def test_a_finished_run_goes_on_to_what_the_longer_run_is(tiny, cache, job, settings):
    settings = {**settings, "save_every": 2}
    short = job("short", **{**settings, "max_updates": 3, "save_every": 1})
    longer = job("longer", **settings)
    run(tiny, short, cache)
    run(tiny, longer, cache)
    before = {path.name: path.read_bytes() for path in short.out.rglob("*") if path.is_file()}

    on = dataclasses.replace(longer, out=longer.out.with_name("on"), continues=short.out / "state")
    events = run(tiny, on, cache)
    assert isinstance(events[0], Started) and events[0].resumed_at == 3
    assert same(on, longer)
    assert sorted(p.name for p in on.out.glob("*.safetensors")) == [
        "longer-step00000004.safetensors",
        "longer.safetensors",
    ]
    assert {path.name: path.read_bytes() for path in short.out.rglob("*") if path.is_file()} == before


def test_a_continued_run_that_is_killed_goes_on_from_its_own_state(tiny, cache, job):
    short, longer = job("short", max_updates=2), job("longer")
    run(tiny, short, cache)
    run(tiny, longer, cache)
    on = dataclasses.replace(longer, out=longer.out.with_name("on"), continues=short.out / "state")
    run(tiny, on, cache, stop_at=4)
    (short.out / "state" / FILE).unlink()
    assert run(tiny, on, cache)[0].resumed_at == 4
    assert same(on, longer)


@pytest.mark.parametrize(
    ("settings", "reason", "words"),
    [
        ({"dim": 8}, "bad_state", "another training: course differ"),
        ({"max_updates": 2}, "bad_config", "has 2 updates, this one 2"),
        ({"lr_scheduler": "cosine"}, "bad_config", "cosine depends on how long the run is"),
    ],
)
def test_what_cannot_go_on_says_why(tiny, cache, job, settings, reason, words):
    short = job("short", max_updates=2)
    run(tiny, short, cache)
    (event,) = train(tiny, [job("on", continues=short.out / "state", **settings)], cache=cache)
    assert isinstance(event, Failed)
    assert (event.reason, words in event.params["what"]) == (reason, True), event
    assert tiny.wrapped == {}


def test_without_the_finished_runs_state_there_is_nothing_to_go_on_from(tiny, cache, job, tmp_path):
    (event,) = train(tiny, [job("on", continues=tmp_path / "nowhere" / "state")], cache=cache)
    assert event.reason == "bad_state"
    assert "no saved state" in event.params["what"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"epochs": 20}, None),
        ({"epochs": 20, "save_every": 3}, None),
        ({"max_updates": 40}, "not_longer"),
        ({"epochs": 5}, "not_longer"),
        ({}, "not_longer"),
        ({"max_images": 50}, "not_longer"),
        ({"epochs": 20, "dim": 8}, "other_settings"),
        ({"epochs": 20, "save_precision": "fp32"}, "other_settings"),
    ],
)
def test_which_pattern_can_go_on_from_which(changes, code):
    old = TrainConfig(epochs=10)
    assert can_continue(old, TrainConfig(**{"epochs": 10, **changes}), n_images=30) == code


def test_a_schedule_with_an_end_cannot_go_on_except_where_no_rate_counts():
    for name, code in (
        ("adamw", "schedule_has_an_end"),
        ("adafactor-fixed", "schedule_has_an_end"),
        ("adafactor", None),
    ):
        old, new = (TrainConfig(optimizer=name, lr_scheduler="cosine", epochs=epochs) for epochs in (10, 20))
        assert can_continue(old, new) == code


def test_patterns_of_one_course_differ_in_length_alone():
    assert course(TrainConfig()) == course(TrainConfig(epochs=99, max_updates=7, max_images=5, save_unit="images"))
    assert course(TrainConfig()) != course(TrainConfig(alpha=1.0))
