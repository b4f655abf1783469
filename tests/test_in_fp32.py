"""A broken picture of a half-precision base is drawn once more in fp32, to tell the precision from the weights."""

import dataclasses

import filled
import numpy as np
import pytest
from PIL import Image
from test_preview import save_lora

from workbench.findings.preview_table import preview_table
from workbench.pictures.gallery import facts
from workbench.running.engine import Engine
from workbench.sentences import in_fp32

CELLS = [
    {"key": str(seed), "prompt": 0, "seed": seed, "strength": 1.0, "text": "photo of a woman"} for seed in (101, 102)
]
SAMPLING = {"steps": 4, "cfg": 2.0, "sampler": "base", "negative": "", "size": None, "clip_skip": 1}


@pytest.fixture
def fill(base, tmp_path):
    """Let an engine whose device draws in fp16 fill two cells; returns its Picture events."""

    def carried_out(lora, precisions=("no", "fp16")):
        events = []
        engine = Engine(events.append, "cpu")
        device = dataclasses.replace(base.device, precisions=frozenset(precisions))
        engine.bases["embedded"] = dataclasses.replace(base, device=device)
        engine.carry_out(
            {
                "do": "fill",
                "id": 1,
                "base": "embedded",
                "vae": None,
                "lora": str(lora),
                "cells": CELLS,
                "out": str(tmp_path / "previews"),
                "sampling": SAMPLING,
            }
        )
        assert events[-1] == {"event": "Filled", "id": 1}
        return events[:-1]

    return carried_out


def test_black_in_fp16_and_fine_in_fp32_blames_the_precision_and_keeps_the_picture(base, tmp_path, fill):
    made = fill(save_lora(base, tmp_path / "strong.safetensors", size=300))
    assert [(event["status"], event["in_fp32"]) for event in made] == [("non_finite", "ok")] * 2
    for event in made:  # what the half precision made of it stays on show
        assert (np.asarray(Image.open(tmp_path / "previews" / event["file"])) == 0).mean() > 0.2
    assert "fine in fp32" in in_fp32("ok") and "--no-half" in in_fp32("ok")


def test_black_in_both_blames_the_weights(base, tmp_path, fill):
    made = fill(save_lora(base, tmp_path / "broken.safetensors", size=1e30))
    assert [(event["status"], event["in_fp32"]) for event in made] == [("non_finite", "non_finite")] * 2
    assert "the weights are broken" in in_fp32("non_finite")


def test_a_sound_picture_and_one_drawn_in_fp32_from_the_start_are_not_drawn_again(base, tmp_path, fill):
    sound = save_lora(base, tmp_path / "sound.safetensors", size=0.2)
    assert [(event["status"], event["in_fp32"]) for event in fill(sound)] == [("ok", None)] * 2
    broken = save_lora(base, tmp_path / "broken.safetensors", size=1e30)
    assert [event["in_fp32"] for event in fill(broken, ("no",))] == [None, None]
    assert in_fp32(None) == ""


def test_the_gallery_says_of_a_black_picture_what_is_to_blame(tmp_path):
    full = filled.fill(tmp_path, rated=False)
    full.db.execute("update previews set in_fp32 = 'ok' where status = 'black'")
    full.db.conn.commit()
    table = preview_table(full.db, full.project_id)
    [black] = [row for _, row in table[table["picture_status"] == "black"].iterrows()]
    [sound] = [row for _, row in table[~table["is_base"] & (table["picture_status"] == "ok")].head(1).iterrows()]
    assert dict(facts(black))["drawn again"] == in_fp32("ok")
    assert "drawn again" not in dict(facts(sound))
