"""Which optimisers work here is found out by trying."""

import subprocess
import sys
import time
from typing import get_args

import torch

from trainer.config import Optimizer
from trainer.device import Device, probe
from trainer.probe import probe_optimizers


def test_every_optimiser_works_on_a_cpu_and_the_probe_is_quick():
    probe_optimizers(probe("cpu"))  # imports
    began = time.perf_counter()
    found = probe_optimizers(probe("cpu"))
    assert time.perf_counter() - began < 2
    assert found == dict.fromkeys(get_args(Optimizer), "")


def test_on_a_device_that_cannot_compute_every_optimiser_has_a_reason(capsys):
    nowhere = Device("meta", "nothing", torch.device("meta"), frozenset({"no"}))
    found = probe_optimizers(nowhere)
    assert set(found) == set(get_args(Optimizer))
    assert all(reason.startswith("One step on nothing failed: ") and "\n" not in reason for reason in found.values())
    assert capsys.readouterr().out == ""


def test_a_missing_package_takes_its_optimisers_only(monkeypatch):
    monkeypatch.setitem(sys.modules, "dadaptation", None)
    monkeypatch.setitem(sys.modules, "dadaptation.experimental", None)
    found = probe_optimizers(probe("cpu"))
    assert "dadaptation cannot be loaded here" in found["dadaptation"]
    assert {name for name, reason in found.items() if reason} == {"dadaptation"}


BROKEN = """
import sys
sys.path.insert(0, sys.argv[1])
import trainer.adapter  # diffusers and peft would load it
from trainer.device import probe
from trainer.probe import probe_optimizers
found = probe_optimizers(probe("cpu"))
assert {name for name, reason in found.items() if reason} == {"adamw8bit", "lion8bit", "sgd_nesterov8bit"}, found
assert "libcudart.so is gone" in found["adamw8bit"]
"""


def test_a_bitsandbytes_that_fails_and_prints_stops_nobody_else(tmp_path):
    (tmp_path / "bitsandbytes.py").write_text(
        "print('CUDA SETUP')\nraise RuntimeError('libcudart.so is gone')\n", encoding="utf-8"
    )
    done = subprocess.run([sys.executable, "-c", BROKEN, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
