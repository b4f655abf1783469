"""What an update is shown: batches, captions and noise, each from a random stream of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.adapter import use
from trainer.base import BaseModel, load_base
from trainer.config import TrainConfig
from trainer.data import REMEMBERED, Embeddings, Photo, encode_captions, read_folder, shuffled
from trainer.device import probe
from trainer.job import Job
from trainer.run import Run

CAPTION = "photo of zwx woman, smiling, red hat, at the beach, from the side"


@pytest.fixture(scope="module")
def tiny(small_sd: Path) -> BaseModel:
    """An untrained base with weights so small that an update takes a blink."""
    return load_base(small_sd, probe("cpu"))


@pytest.fixture
def begin(tiny: BaseModel, subject: Path, tmp_path: Path) -> Iterator[Any]:
    """Starts runs over 5 photos: begin(dim=8)."""
    photos = [Photo(photo.path, CAPTION, photo.sha256) for photo in read_folder(subject / "train")[:5]]
    runs: list[Run] = []

    def make(**settings: Any) -> Run:
        settings = {"modules": "attention", "dim": 4, "batch_size": 2, "train_text_encoder": False, **settings}
        job = Job(f"{len(runs)}", TrainConfig(**settings), 1, photos, tmp_path / f"{len(runs)}", "lora")
        runs.append(Run(tiny, job, tmp_path / "cache"))
        return runs[-1]

    yield make
    for run in runs:
        run.close()


def test_an_epochs_last_update_may_have_fewer_batches(begin):
    run = begin(gradient_accumulation=2)  # 5 photos: batches of 2, 2 and 1, so updates of two batches and of one
    shown = []
    for _ in range(4):
        run.update += 1
        shown.append([batch.tolist() for batch, _ in run._next_batches()])
    assert [[len(batch) for batch in update] for update in shown] == [[2, 2], [1], [2, 2], [1]]
    assert sorted(photo for update in shown[:2] for batch in update for photo in batch) == [0, 1, 2, 3, 4]


def test_an_update_follows_the_mean_of_its_batches_gradients(begin):
    settings = {"optimizer": "sgd_nesterov", "beta1": 0, "weight_decay": 0, "learning_rate": 10, "max_grad_norm": 0}
    settings |= {"gradient_accumulation": 2, "batch_size": 3}  # batches of 3 and 2 count alike
    run, by_hand = begin(**settings), begin(**settings)
    loss, rate = run.step()

    by_hand.update += 1
    with use(by_hand.base, by_hand.adapter, training=True):
        parts = [by_hand._loss_of(*batch) for batch in by_hand._next_batches()]
    gradients = torch.autograd.grad((parts[0] + parts[1]) / 2, by_hand.parameters, allow_unused=True)
    assert (loss, rate) == (pytest.approx(sum(part.item() for part in parts) / 2), 10)
    moved = 0.0
    for ours, start, gradient in zip(run.parameters, by_hand.parameters, gradients, strict=True):
        assert torch.allclose(ours, start - 10 * gradient, rtol=1e-4, atol=1e-6)
        moved = max(moved, (ours - start).abs().max().item())
    assert moved > 1e-4


@pytest.mark.parametrize(
    ("settings", "stream"),
    [
        ({"noise_offset": 0.1}, "offset"),
        ({"caption_dropout": 0.5}, "captions"),
        ({"shuffle_captions": True}, "captions"),
        ({"dropout": 0.5}, "dropout"),
    ],
    ids=str,
)
def test_a_setting_of_chance_draws_from_its_own_stream_only(begin, settings, stream):
    plain, other = begin(learning_rate=1e-2), begin(learning_rate=1e-2, **settings)
    losses = [[run.step()[0] for _ in range(3)] for run in (plain, other)]
    assert losses[0] != losses[1]
    for name, numbers in plain.generators.items():
        assert torch.equal(numbers.get_state(), other.generators[name].get_state()) == (name != stream)
    assert stream in other.generators


def test_the_noise_is_shifted_as_a_whole_for_each_photo_and_channel(begin):
    run = begin(noise_offset=0.1)
    shifts = run._offset(torch.zeros(500, 4, 8, 8))
    assert shifts.shape == (500, 4, 1, 1)
    assert shifts.std().item() == pytest.approx(1, abs=0.05)
    assert not torch.equal(shifts[0], shifts[1])


def test_the_first_part_of_a_shuffled_caption_stays_and_none_is_lost():
    chance = torch.Generator().manual_seed(0)
    orders = {shuffled(CAPTION, chance) for _ in range(200)}
    assert len(orders) == 24  # of four parts
    for caption in orders:
        assert caption.startswith("photo of zwx woman, ")
        assert sorted(caption.split(", ")) == sorted(CAPTION.split(", "))
    assert shuffled("just one", chance) == "just one"


def test_dropped_captions_are_empty_and_as_many_as_asked_for(begin):
    photos = torch.arange(5).repeat(200)
    shown = begin(caption_dropout=0.3)._captions_of(photos)
    assert set(shown) == {"", CAPTION}
    assert shown.count("") / len(shown) == pytest.approx(0.3, abs=0.05)
    assert set(begin(caption_dropout=1)._captions_of(photos)) == {""}
    assert begin()._captions_of(photos) == [CAPTION] * 1000


def test_words_are_the_same_whether_they_are_cached_new_or_remembered(tiny, tmp_path):
    words = Embeddings(tiny, ["photo", ""], 1, tmp_path)
    assert len(list((tmp_path / "text").iterdir())) == 2
    direct = encode_captions(tiny, ["photo", "", "new"], 1)
    first, again = (words.of(["new", "photo", "", "new"]) for _ in range(2))
    assert torch.equal(first, again)
    for row, caption in zip(first, ["new", "photo", "", "new"], strict=True):
        assert torch.equal(row, direct[caption])
    assert set(words.known) == {"photo", "", "new"}


def test_only_so_many_shuffled_captions_stay_in_memory(tiny):
    words = Embeddings(tiny, ["photo"], 1)
    words.room = 3
    for number in range(5):
        assert words.of([f"photo {number}", "photo"]).shape[0] == 2
    assert set(words.known) == {"photo", "photo 0", "photo 1"}
    assert REMEMBERED > 100
