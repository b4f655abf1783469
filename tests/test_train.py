"""Training for real on the miniature: it learns, repeats, resumes, and keeps runs apart."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageOps

from trainer.adapter import attach_file
from trainer.base import BaseModel, load_base
from trainer.config import TrainConfig
from trainer.data import Photo, encode_captions, encode_photos, read_folder
from trainer.device import probe
from trainer.events import Event, Failed, Finished, Progress, Saved, Started, StateSaved
from trainer.kohya import read
from trainer.lora import Job, failure, is_out_of_memory, train
from trainer.loss import fixed_noise_loss
from trainer.preview import Cell, Sampling, render
from trainer.run import Run

SMALL = {  # 5 photos in batches of 2, 2, 1: seven updates make a bit more than two epochs
    "modules": "attention",
    "dim": 4,
    "alpha": 4,
    "learning_rate": 2e-3,
    "batch_size": 2,
    "epochs": 9,
    "max_updates": 7,
    "save_unit": "updates",
    "save_every": 4,
    "train_text_encoder": False,
    "save_precision": "fp32",
}
BLOWS_UP = {"learning_rate": 10, "alpha": 4096, "dim": 1}  # not finite at the second update


@pytest.fixture(scope="module")
def photos(subject: Path) -> list[Photo]:
    return read_folder(subject / "train")[:5]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def job(photos: list[Photo], tmp_path: Path):
    """Makes jobs: job("name", seed=1, dim=8) has an output folder of its own."""

    def make(name: str, seed: int = 1, photos: list[Photo] = photos, **settings: object) -> Job:
        return Job(name, TrainConfig(**{**SMALL, **settings}), seed, photos, tmp_path / name, name, "zwx")

    return make


@pytest.fixture(scope="module")
def original(base: BaseModel) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in weights(base).items()}


@pytest.fixture(autouse=True)
def base_stays_as_it_was(base: BaseModel, original: dict[str, torch.Tensor]) -> Iterator[None]:
    yield
    assert base.wrapped == {}
    assert same(weights(base), original)


def weights(base: BaseModel) -> dict[str, torch.Tensor]:
    unet, text = base.unet.state_dict(), base.text_encoder.state_dict()
    return {f"unet.{key}": value for key, value in unet.items()} | {f"text.{k}": v for k, v in text.items()}


def tensors(job: Job, file: str | None = None) -> dict[str, torch.Tensor]:
    modules = read(job.out / (file or f"{job.name}.safetensors")).modules
    return {f"{n}.{part}": getattr(m, part) for n, m in modules.items() for part in ("down", "up")}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def finish(base: BaseModel, *jobs: Job, cache: Path | None = None, **options: float) -> list[Event]:
    events = list(train(base, jobs, cache=cache, **options))
    assert [type(e) for e in events].count(Finished) == len(jobs), events[-1]
    return events


def test_training_lowers_the_loss_on_photos_that_it_never_saw(base, subject, cache, job):
    trained = job("learns", photos=read_folder(subject / "train"), batch_size=4, max_updates=40, dim=16, alpha=16)
    finish(base, trained, cache=cache)

    reference = read_folder(subject / "reference")
    latents = encode_photos(base, reference, 64).mean[0]
    words = encode_captions(base, [p.caption for p in reference], clip_skip=1)
    embeddings = torch.stack([words[p.caption] for p in reference])
    before = fixed_noise_loss(base, None, latents, embeddings, seed=0)
    adapter = attach_file(base, "check", trained.out / "learns.safetensors")
    after = fixed_noise_loss(base, adapter, latents, embeddings, seed=0)
    adapter.detach()
    assert after < 0.97 * before


def test_events_tell_the_whole_story_in_order(base, cache, job):
    story = job("story", modules="kohya", epochs=2, max_updates=None, save_unit="epochs", save_every=1)
    events = finish(base, story, cache=cache)
    assert isinstance(events[0], Started)
    assert (events[0].total_updates, events[0].resumed_at, events[0].device) == (6, 0, "CPU")
    assert events[0].effective["text_encoder_lr"] is None
    progress = [e for e in events if isinstance(e, Progress)]
    assert (progress[0].update, progress[-1].update, progress[-1].images_seen) == (1, 6, 10)
    saved = [e for e in events if isinstance(e, Saved)]
    assert [(e.file, e.update, e.images_seen, e.epoch, e.last) for e in saved] == [
        ("story-000001.safetensors", 3, 5, 1.0, False),
        ("story.safetensors", 6, 10, 2.0, True),
    ]
    for event in saved:
        data = (story.out / event.file).read_bytes()
        assert (event.bytes, event.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert event.modules == event.proof["modules"] == 192
    assert [e.update for e in events if isinstance(e, StateSaved)] == [3, 6]
    rows = [json.loads(line) for line in (story.out / "loss.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["update"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[0]["loss"] == progress[0].loss


def test_each_saved_file_tells_what_was_measured_of_it(base, cache, job, subject, tmp_path):
    settings = {"max_updates": 4, "save_every": 2, "learning_rate": 1e-2}
    plain, measured = job("plain", **settings), job("measured", **settings)
    measured.reference = read_folder(subject / "reference")[:3]
    without = [event for event in finish(base, plain, cache=cache) if isinstance(event, Saved)]
    early, late = (event for event in finish(base, measured, cache=cache) if isinstance(event, Saved))
    assert same(tensors(plain), tensors(measured))  # to measure changes nothing

    assert 0 < early.seconds < late.seconds
    assert 1e8 < early.memory_bytes <= late.memory_bytes < 1e11  # of the whole process
    assert 0 < early.weight_change["all"] < late.weight_change["all"]
    assert [event.loss_reference for event in without] == [None, None]
    assert [event.loss_train for event in without] == [early.loss_train, late.loss_train]

    adapter = attach_file(base, "check", measured.out / late.file)
    for photos, told in ((measured.photos, late.loss_train), (measured.reference, late.loss_reference)):
        latents = encode_photos(base, photos, 64).mean[0]
        words = encode_captions(base, [p.caption for p in photos], clip_skip=1)
        embeddings = torch.stack([words[p.caption] for p in photos])
        assert fixed_noise_loss(base, adapter, latents, embeddings, seed=0, draws=1) == pytest.approx(told, rel=1e-6)
    adapter.detach()


def test_the_same_seed_gives_the_same_tensors_and_another_seed_others(base, cache, job):
    one, again, other = (job(name, seed, max_updates=3) for name, seed in (("one", 1), ("again", 1), ("other", 2)))
    for each in (one, again, other):
        finish(base, each, cache=cache)
    assert same(tensors(one), tensors(again))
    assert not same(tensors(one), tensors(other))
    assert (one.out / "loss.jsonl").read_bytes() == (again.out / "loss.jsonl").read_bytes()


def test_a_run_whose_caller_vanished_goes_on_bit_for_bit(base, cache, job):
    whole, parts = job("whole"), job("parts")
    finish(base, whole, cache=cache)

    for event in (early := train(base, [parts], cache=cache, state_every_s=0)):
        if isinstance(event, StateSaved) and event.update == 2:
            early.close()
    for event in (late := train(base, [parts], cache=cache)):
        if isinstance(event, Saved) and event.last:  # its state is not written yet: the last is of update 4
            late.close()
    events = finish(base, parts, cache=cache)
    assert events[0].resumed_at == 4
    assert same(tensors(parts), tensors(whole))
    assert (parts.out / "loss.jsonl").read_bytes() == (whole.out / "loss.jsonl").read_bytes()


def test_a_finished_run_is_not_trained_again_but_tells_of_its_files_again(base, cache, job):
    done = job("done", max_updates=2)
    first = [event for event in finish(base, done, cache=cache) if isinstance(event, Saved)]
    again = finish(base, done, cache=cache)
    assert first and again[1:-1] == first
    assert (type(again[0]), type(again[-1])) == (Started, Finished)


def test_a_state_of_another_pattern_is_not_continued(base, cache, job):
    first = job("run", max_updates=2)
    finish(base, first, cache=cache)
    (event,) = train(base, [dataclasses.replace(first, seed=2)], cache=cache)
    assert isinstance(event, Failed)
    assert event.reason == "bad_state"
    assert "seed differ" in event.params["what"]


def test_two_jobs_take_turns_and_give_what_each_gives_alone(base, cache, job):
    a = job("a", max_updates=3)
    b = job("b", max_updates=5, dim=2, seed=2, train_text_encoder=True, optimizer="lion")
    alone = []
    for each in (a, b):
        each = dataclasses.replace(each, out=each.out.with_name(f"{each.name}-alone"))
        finish(base, each, cache=cache)
        alone.append(each)

    events = finish(base, a, b, cache=cache, state_every_s=0)
    order = [e.run for e in events if isinstance(e, StateSaved)]
    assert order == ["a", "b"] * 3 + ["b"] * 2
    assert same(tensors(a), tensors(alone[0]))
    assert same(tensors(b), tensors(alone[1]))


def test_adafactor_with_relative_steps_ignores_the_learning_rate(base, cache, job):
    slow, fast = (job(str(r), optimizer="adafactor", learning_rate=r, max_updates=3) for r in (1e-4, 0.1))
    for each in (slow, fast):
        finish(base, each, cache=cache)
    assert same(tensors(slow), tensors(fast))


def test_a_run_that_diverges_fails_with_the_reason_and_the_others_go_on(base, cache, job):
    bad, good = job("bad", **BLOWS_UP), job("good", max_updates=4)
    events = list(train(base, [bad, good], cache=cache))
    failed = [e for e in events if isinstance(e, Failed)]
    assert [(e.run, e.reason, e.update) for e in failed] == [("bad", "diverged", 2)]
    assert failed[0].params["what"] in ("loss", "gradient", "weights")
    assert not list(bad.out.glob("*.safetensors"))
    assert isinstance(events[-1], Finished)
    assert events[-1].run == "good"

    alone = dataclasses.replace(good, out=good.out.with_name("alone"))
    finish(base, alone, cache=cache)
    assert same(tensors(good), tensors(alone))


def test_previews_between_two_events_change_nothing(base, cache, job):
    plain, watched = job("plain"), job("watched")
    finish(base, plain, cache=cache)
    pictures = 0
    for event in train(base, [watched], cache=cache):
        torch.manual_seed(pictures)
        torch.randn(3)
        if isinstance(event, Progress | Saved):
            file = watched.out / event.file if isinstance(event, Saved) else None
            pictures += len(list(render(base, file, [Cell("x", "photo of a woman", 1)], Sampling(steps=2))))
    assert pictures >= 4
    assert same(tensors(plain), tensors(watched))


def test_a_base_of_other_sizes_trains(small_sd, photos, job):
    other = load_base(small_sd, probe("cpu"))
    assert (other.latent_channels, other.max_tokens, other.size_px) == (4, 77, 64)
    events = finish(other, job("other", modules="kohya", max_updates=2, train_text_encoder=True, min_snr_gamma=5.0))
    assert [e.modules for e in events if isinstance(e, Saved)] == [192 + 6 * 3]
    assert other.wrapped == {}


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_trains_where_the_device_has_it(base, cache, job, precision):
    half = dataclasses.replace(base, device=dataclasses.replace(base.device, precisions=frozenset({"no", precision})))
    mixed, full = (job(name, max_updates=2, mixed_precision=name) for name in (precision, "no"))
    events = finish(half, mixed, cache=cache)
    assert events[0].effective["mixed_precision"] == precision
    finish(half, full, cache=cache)
    assert not same(tensors(mixed), tensors(full))
    for key, value in tensors(full).items():
        assert torch.allclose(tensors(mixed)[key], value, atol=0.05)


def test_a_precision_that_the_device_lacks_gives_the_fp32_run(base, cache, job):
    asked, full = (job(name, max_updates=2, mixed_precision=name) for name in ("fp16", "no"))
    assert finish(base, asked, cache=cache)[0].effective["mixed_precision"] == "no"
    finish(base, full, cache=cache)
    assert same(tensors(asked), tensors(full))


def test_every_photo_is_seen_as_often_as_it_should_be(base, cache, job):
    run = Run(base, job("order", repeats=2), cache)  # 10 a epoch, in batches of 2
    epochs = []
    for _ in range(2):
        seen = []
        for _ in range(5):
            run.update += 1
            seen += [photo for batch, _ in run._next_batches() for photo in batch.tolist()]
        epochs.append(seen)
    run.close()
    assert sorted(epochs[0]) == sorted(epochs[1]) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert epochs[0] != epochs[1]


def test_caches_change_nothing_and_a_torn_entry_is_made_again(base, tmp_path, photos, job):
    cache = tmp_path / "shared"
    fresh, filled, torn = (job(name, flip=True, max_updates=2) for name in ("fresh", "filled", "torn"))
    finish(base, fresh)
    finish(base, filled, cache=cache)
    kept = sorted((cache / "latents").iterdir())
    assert len(kept) == 2 * len(photos)  # as they are and mirrored
    kept[0].write_bytes(kept[0].read_bytes()[:100])
    finish(base, torn, cache=cache)
    assert same(tensors(fresh), tensors(filled))
    assert same(tensors(fresh), tensors(torn))


def test_the_mirrored_variant_is_what_a_mirrored_photo_gives(base, photos, tmp_path):
    small = Image.open(photos[0].path).resize((64, 64))
    small.save(tmp_path / "as_is.png")
    ImageOps.mirror(small).save(tmp_path / "mirrored.png")
    as_is, mirrored = (Photo.read(tmp_path / f"{name}.png", "") for name in ("as_is", "mirrored"))
    both = encode_photos(base, [as_is], 64, flip=True).mean
    assert both.shape == (2, 1, 16, 8, 8)
    assert torch.equal(both[1], encode_photos(base, [mirrored], 64).mean[0])
    assert not torch.equal(both[1], both[0])


def test_a_broken_photo_fails_its_job_by_name_and_the_others_go_on(base, cache, job, photos, tmp_path):
    (tmp_path / "torn.jpg").write_bytes(photos[0].path.read_bytes()[:2000])
    torn = Photo.read(tmp_path / "torn.jpg", "photo of a zwx woman")
    events = list(train(base, [job("bad", photos=[torn]), job("good", max_updates=1)], cache=cache))
    assert isinstance(events[0], Failed)
    assert events[0].reason == "bad_photos"
    assert "torn.jpg" in events[0].params["what"]
    assert isinstance(events[-1], Finished)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"clip_skip": 9}, "clip_skip is 9, but the text encoder has 4 layers"),
        ({"photos": []}, "There is no photo"),
    ],
)
def test_a_pattern_that_does_not_fit_fails_with_a_sentence(base, job, settings, words):
    (event,) = train(base, [job("bad", **settings)])
    assert isinstance(event, Failed)
    assert event.reason == "bad_config"
    assert words in event.params["what"]


def test_running_out_of_memory_is_told_apart_from_a_defect(job):
    with pytest.raises(RuntimeError) as full:
        torch.empty(2**50)
    assert is_out_of_memory(full.value)
    assert failure(job("big"), 3, full.value).reason == "out_of_memory"

    defect = RuntimeError("shapes differ")
    with pytest.raises(RuntimeError, match="shapes differ"):
        failure(job("odd"), 3, defect)
