"""The saved state of a training: whole, exact, and never mixed up."""

import pytest
import torch

from trainer.state import FILE, State, StateError, load_state, restore_optimizer, save_state

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


def test_an_optimiser_goes_on_where_it_was(tmp_path):
    def steps(optimizer, weight, count):
        for n in range(count):
            weight.grad = torch.full_like(weight, 0.5 + n)
            optimizer.step()

    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    steps(optimizer, weight, 2)
    copy = torch.nn.Parameter(weight.detach().clone())
    again = torch.optim.AdamW([copy], lr=0.1)

    saved = state(2)
    saved.optimizer = optimizer.state_dict()["state"]
    save_state(tmp_path, saved)
    restore_optimizer(again, load_state(tmp_path, JOB).optimizer)
    steps(optimizer, weight, 2)
    steps(again, copy, 2)
    assert torch.equal(weight, copy)
