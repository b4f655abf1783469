"""Which device and precision the trainer takes."""

import pytest
import torch

from trainer.device import DeviceError, _computes, probe, use_threads


def test_a_cpu_is_always_there_and_computes_in_fp32_only():
    device = probe("cpu")
    assert (device.kind, device.torch_device, device.precisions) == ("cpu", torch.device("cpu"), {"no"})


def test_without_a_wish_the_best_working_device_is_taken():
    wanted = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert probe().kind == wanted


@pytest.mark.parametrize("name", ["abacus", "xpu", "cuda:99", "meta"])
def test_a_device_that_is_not_there_is_refused_with_what_is_there(name):
    with pytest.raises(DeviceError, match=rf"{name}.*cpu"):
        probe(name)


def test_a_precision_counts_only_if_real_arithmetic_works_in_it():
    cpu = torch.device("cpu")
    assert _computes(cpu, torch.float32)
    assert not _computes(cpu, torch.int8)  # no gradients
    assert not _computes(torch.device("meta"), torch.float32)  # no numbers


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_gpu_names_itself_its_memory_and_its_precisions():
    device = probe("cuda")
    assert device.memory and device.name and {"no", "fp16"} <= device.precisions


def test_a_small_model_computes_on_one_core_and_a_large_one_on_all():
    before = torch.get_num_threads()
    use_threads(13_000_000)
    assert torch.get_num_threads() == 1
    use_threads(860_000_000)
    assert torch.get_num_threads() >= before
    torch.set_num_threads(before)
