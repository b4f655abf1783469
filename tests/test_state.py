"""The saved state of a training: whole, exact, and never mixed up."""

from typing import get_args

import pytest
import torch

from trainer.config import Optimizer, TrainConfig
from trainer.optim import build_optimizer, set_rates
from trainer.state import FILE, State, StateError, load_state, optimizer_state, restore_optimizer, save_state

JOB = {"pattern": "abc", "seed": 1}


def state(update: int) -> State:
    chance = torch.Generator().manual_seed(update)
    return State(
        job=JOB,
        update=update,
        seconds=0.1 + update / 3,
        started=1.75e9,
        lora={"m.lora_down.weight": torch.randn(3, 4, generator=chance)},
        optimizer={0: {"step": 5, "momentum": torch.randn(3, 4, generator=chance), "rms": 1 / 3}},
        groups=[{"d": 1 / 7, "k": 3}],
        order=torch.tensor([2, 0, 1]),
        generators={"noise": chance.get_state()},
        scaler={"scale": 65536.0},
        saved=[{"file": "lora-000001.safetensors", "update": 4}],
    )


def test_a_state_comes_back_bit_for_bit(tmp_path):
    saved = state(7)
    save_state(tmp_path, saved)
    loaded = load_state(tmp_path, JOB)
    assert (loaded.update, loaded.seconds, loaded.started) == (7, saved.seconds, 1.75e9)
    assert loaded.scaler == saved.scaler and loaded.saved == saved.saved
    assert torch.equal(loaded.lora["m.lora_down.weight"], saved.lora["m.lora_down.weight"])
    assert torch.equal(loaded.order, saved.order)
    assert torch.equal(loaded.generators["noise"], saved.generators["noise"])
    assert loaded.groups == [{"d": 1 / 7, "k": 3}]
    assert loaded.optimizer[0]["step"] == 5
    assert loaded.optimizer[0]["rms"] == 1 / 3
    assert torch.equal(loaded.optimizer[0]["momentum"], saved.optimizer[0]["momentum"])


def test_without_a_state_there_is_nothing_to_resume(tmp_path):
    assert load_state(tmp_path, JOB) is None


def test_a_write_that_dies_half_way_leaves_the_previous_state(tmp_path):
    save_state(tmp_path, state(7))
    (tmp_path / f"{FILE}.part").write_bytes(b"half")
    assert load_state(tmp_path, JOB).update == 7
    save_state(tmp_path, state(8))
    assert load_state(tmp_path, JOB).update == 8
    assert [p.name for p in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("keep", [0, 5, 100, -20])
def test_a_torn_state_says_what_to_do(tmp_path, keep):
    save_state(tmp_path, state(7))
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:keep])
    with pytest.raises(StateError, match=r"is broken.*Delete it to start again"):
        load_state(tmp_path, JOB)


def test_the_state_of_another_training_is_refused_and_named(tmp_path):
    save_state(tmp_path, state(7))
    with pytest.raises(StateError, match="another training: seed differ"):
        load_state(tmp_path, {"pattern": "abc", "seed": 2})


def test_only_what_has_to_be_the_same_is_compared(tmp_path):
    save_state(tmp_path, state(7))
    assert load_state(tmp_path, {"pattern": "abc"}).update == 7


@pytest.mark.parametrize("name", get_args(Optimizer))
def test_an_optimiser_goes_on_where_it_was(tmp_path, name):
    config = TrainConfig(optimizer=name, learning_rate=0.1, lr_scheduler="cosine")

    def steps(weights, optimizer, updates):
        for update in updates:
            for weight in weights:
                weight.grad = torch.linspace(-1, 1, weight.numel()).view_as(weight) * (0.5 + update) + weight.detach()
            set_rates(optimizer, config, update, total=9)
            optimizer.step()

    weights = [torch.nn.Parameter(torch.full(shape, 0.3)) for shape in ((65, 64), (64, 65), (8, 4))]
    optimizer = build_optimizer(config, weights[:2], weights[2:])
    steps(weights, optimizer, (1, 2, 3))
    copies = [torch.nn.Parameter(weight.detach().clone()) for weight in weights]
    again = build_optimizer(config, copies[:2], copies[2:])

    saved = state(2)
    saved.optimizer, saved.groups = optimizer_state(optimizer)
    save_state(tmp_path, saved)
    loaded = load_state(tmp_path, JOB)
    restore_optimizer(again, loaded.optimizer, loaded.groups)
    steps(weights, optimizer, (4, 5, 6))
    steps(copies, again, (4, 5, 6))
    assert all(torch.equal(weight, copy) for weight, copy in zip(weights, copies, strict=True))


def test_a_state_in_8_bits_stays_in_8_bits_and_shared_tables_are_written_once(tmp_path):
    weights = [torch.nn.Parameter(torch.full((65, 64), 0.3)) for _ in range(3)]
    optimizer = build_optimizer(TrainConfig(optimizer="adamw8bit"), weights, [])
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    saved = state(1)
    saved.optimizer, saved.groups = optimizer_state(optimizer)
    save_state(tmp_path, saved)
    loaded = load_state(tmp_path, JOB)
    assert loaded.optimizer[2]["state1"].dtype == torch.uint8
    assert torch.equal(loaded.optimizer[2]["qmap2"], optimizer.state[weights[2]]["qmap2"])
    assert (tmp_path / FILE).stat().st_size < 3 * 2 * 65 * 64 + 20_000  # two bytes a weight, not eight


@pytest.mark.parametrize(
    ("name", "numbers"), [("dadaptation", {"d", "k", "gsq_weighted"}), ("prodigy", {"d", "d_max"})]
)
def test_what_an_optimiser_finds_for_a_whole_group_is_kept(name, numbers):
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = build_optimizer(TrainConfig(optimizer=name, learning_rate=1.0), [weight], [])
    for _ in range(3):
        weight.grad = weight.detach() + 1
        optimizer.step()
    _, [group] = optimizer_state(optimizer)
    assert numbers <= set(group)
    assert {name for name in group if name.startswith("lr") or name == "initial_lr"} == set()
