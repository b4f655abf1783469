"""python -m trainer, from a pattern file to LoRA files."""

import _thread
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from trainer.__main__ import _parser, as_trained, main
from trainer.data import Photo
from trainer.kohya import read
from trainer.state import load_state, save_state

PATTERN = {
    "dim": 4,
    "alpha": 2,
    "batch_size": 4,
    "epochs": 2,
    "max_updates": 6,
    "learning_rate": 1e-3,
    "train_text_encoder": False,
    "save_unit": "updates",
    "save_every": 4,
}

OF_FIRST_RELEASE = ("run", "file", "update", "images_seen", "epoch", "sha256", "bytes", "modules", "proof", "last")


@pytest.fixture
def pattern(tmp_path: Path) -> Path:
    path = tmp_path / "pattern.json"
    path.write_text(json.dumps(PATTERN), encoding="utf-8")
    return path


def test_the_command_trains_draws_and_writes_files_that_load(pattern, subject, tmp_path):
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "trainer",
        pattern,
        subject / "train",
        out,
        "--device",
        "cpu",
        "--seed",
        "3",
    ]
    command += ["--name", "ada", "--trigger", "zwx", "--previews", "photo of a zwx woman"]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # two threads wait for each other on a busy machine
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, env=one_thread)
    assert done.returncode == 0, done.stderr
    assert "6 updates on CPU" in done.stdout
    assert "updates/s" in done.stdout
    assert sorted(p.name for p in out.glob("*.safetensors")) == [
        "ada-step00000004.safetensors",
        "ada.safetensors",
    ]
    file = read(out / "ada.safetensors")
    assert len(file.modules) == 192
    assert {m.scale for m in file.modules.values()} == {0.5}
    assert file.metadata["modelspec.trigger_phrase"] == "zwx"
    assert Image.open(out / "previews" / "ada-1.png").size == (64, 64)


def test_ctrl_c_stops_after_the_update_and_the_same_command_goes_on(pattern, subject, tmp_path, capsys):
    out = tmp_path / "out"
    command = [str(pattern), str(subject / "train"), str(out), "--device", "cpu"]

    def press_ctrl_c() -> None:
        while not ((out / "loss.jsonl").exists() and (out / "loss.jsonl").read_text(encoding="utf-8")):
            time.sleep(0.01)
        _thread.interrupt_main()

    threading.Thread(target=press_ctrl_c, daemon=True).start()
    assert main(command) == 130
    assert "stopped after update" in capsys.readouterr().out
    assert main(command) == 0
    assert "from update 0" not in capsys.readouterr().out
    assert (out / "lora.safetensors").exists()


def test_photos_without_captions_are_refused_by_name(pattern, subject, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "me.jpg").write_bytes((subject / "train" / "00.jpg").read_bytes())
    assert main([str(pattern), str(photos), str(tmp_path / "out")]) == 2
    assert "1 of 1 photos have no caption (me.jpg)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [('{"dimm": 4}', "Did you mean dim?"), ('{"base_model": "nowhere"}', "no base model at nowhere")],
)
def test_a_wrong_pattern_is_refused_with_a_sentence(pattern, subject, tmp_path, capsys, text, words):
    pattern.write_text(text, encoding="utf-8")
    assert main([str(pattern), str(subject / "train"), str(tmp_path / "out"), "--device", "cpu"]) == 2
    assert words in capsys.readouterr().err


def test_a_training_that_fails_has_an_exit_code_of_its_own(pattern, subject, tmp_path, capsys):
    pattern.write_text(json.dumps({**PATTERN, "clip_skip": 9}), encoding="utf-8")
    assert main([str(pattern), str(subject / "train"), str(tmp_path / "out"), "--device", "cpu"]) == 1
    assert "clip_skip is 9" in capsys.readouterr().err


def test_a_finished_run_goes_on_into_another_folder(pattern, subject, tmp_path, capsys):
    few = tmp_path / "few"
    few.mkdir()
    for name in ("00.jpg", "00.txt", "01.jpg", "01.txt"):
        (few / name).write_bytes((subject / "train" / name).read_bytes())
    common = ["--device", "cpu", "--reference", str(few)]

    def train(updates: int, out: str, *more: str) -> str:
        pattern.write_text(json.dumps({**PATTERN, "max_updates": updates, "epochs": 9}), encoding="utf-8")
        assert main([str(pattern), str(few), str(tmp_path / out), *common, *more]) == 0
        return capsys.readouterr().out

    said = train(1, "short")
    assert "on train photos" in said and "on reference photos" in said
    assert "from update 1" in train(2, "longer", "--continue", str(tmp_path / "short"))
    assert len((tmp_path / "longer" / "loss.jsonl").read_text(encoding="utf-8").splitlines()) == 2

    # the first release measured nothing of its files, and a state of it still goes on
    state = load_state(tmp_path / "short" / "state", {})
    state.saved = [{key: event[key] for key in OF_FIRST_RELEASE} for event in state.saved]
    save_state(tmp_path / "short" / "state", state)
    said = train(1, "short")
    assert "saved " in said and "on train photos" not in said


@pytest.mark.parametrize(
    ("captions", "options", "seen"),
    [
        ("trigger_only", ["--trigger", "zwx", "--class-noun", "woman"], "zwx woman"),
        (
            "traits_left_out",
            ["--trigger", "zwx", "--traits", "wavy red hair", "freckles"],
            "photo of zwx woman, smiling",
        ),
        ("as_written", [], "photo of zwx woman with wavy red hair, smiling"),
    ],
)
def test_captions_become_what_the_pattern_asks_for(captions, options, seen):
    options = _parser().parse_args(["pattern.json", "photos", "out", *options])
    photo = Photo(Path("00.jpg"), "photo of zwx woman with wavy red hair, smiling", "ab")
    assert as_trained(photo, captions, options) == Photo(photo.path, seen, "ab")


@pytest.mark.parametrize(("captions", "words"), [("trigger_only", "--class-noun"), ("traits_left_out", "--traits")])
def test_captions_that_need_words_say_which(pattern, subject, tmp_path, capsys, captions, words):
    pattern.write_text(json.dumps({**PATTERN, "captions": captions}), encoding="utf-8")
    assert main([str(pattern), str(subject / "train"), str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err


def test_help_is_quick_and_says_where_captions_come_from(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert "photo.jpg and photo.txt" in capsys.readouterr().out
