"""Broken pictures are told from real ones before any judge sees them."""

import numpy as np
import pytest
from PIL import Image

from workbench.scores.picture import picture_status


def plain(level, size=64):
    return np.full((size, size, 3), level, dtype=np.uint8)


@pytest.mark.parametrize("size", [64, 512])
def test_black_is_black(size):
    assert picture_status(plain(0, size)) == "black"


def test_nearly_black_with_a_few_hot_pixels_is_black():
    picture = plain(1)
    picture[5, 5] = 255
    assert picture_status(picture) == "black"


@pytest.mark.parametrize("level", [30, 128, 255])
def test_one_plain_colour_is_flat(level):
    assert picture_status(plain(level)) == "flat"


def test_a_plain_colour_with_faint_noise_is_flat():
    noise = np.random.default_rng(0).integers(-2, 3, (64, 64, 3))
    assert picture_status((128 + noise).astype(np.uint8)) == "flat"


def test_a_plain_red_is_flat_though_its_channels_differ():
    assert picture_status(plain((200, 10, 10))) == "flat"


def test_noise_is_a_picture():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert picture_status(noise) == "ok"


def test_a_dark_picture_with_something_on_it_is_a_picture():
    picture = plain(0)
    picture[20:30, 20:30] = 40  # 2.4 % of the area
    assert picture_status(picture) == "ok"


def test_a_picture_in_one_channel_is_a_picture():
    picture = plain(0)
    picture[..., 2] = np.arange(64, dtype=np.uint8)
    assert picture_status(picture) == "ok"


def test_numbers_that_overflowed_win():
    assert picture_status(plain(0), finite=False) == "non_finite"


def test_photos_at_preview_size_are_pictures(subject):
    for path in sorted(subject.glob("*/*.jpg")):
        assert picture_status(np.asarray(Image.open(path).resize((64, 64)))) == "ok"


def test_real_previews_are_pictures(base):
    from trainer.preview import Cell, Sampling, render

    prompts = ["photo of a woman, plain black background", "photo of a man, plain white background"]
    cells = [Cell(str(i), prompt, 7 + i, 1.0) for i, prompt in enumerate(prompts)]
    pictures = list(render(base, None, cells, Sampling(steps=8, cfg=2.0)))
    assert [picture_status(picture.pixels, picture.finite) for picture in pictures] == ["ok", "ok"]
