"""How a picture is finished: figures of pixels, by hand."""

import numpy as np
import pytest
from PIL import Image

from workbench.scores.finish import Finish, finish
from workbench.scores.preview_file import write_preview


def plain(*rgb, side=16):
    return np.tile(np.array(rgb, dtype=np.uint8), (side, side, 1))


def test_grey_has_no_saturation_and_a_pure_colour_has_all():
    assert finish(plain(120, 120, 120)).saturation == 0
    assert finish(plain(200, 0, 0)).saturation == 1
    assert finish(plain(200, 150, 100)).saturation == pytest.approx(0.5)  # (200 - 100) / 200
    assert finish(plain(0, 0, 0)).saturation == 0


def test_a_pixel_is_clipped_when_any_channel_is_at_its_end():
    picture = plain(120, 130, 140)
    assert finish(picture).clipping == 0
    picture[:4] = (255, 130, 140)  # a quarter of 16 rows is burnt out
    picture[4:6] = (0, 130, 140)  # an eighth has drowned
    assert finish(picture).clipping == pytest.approx(0.375)


def test_a_blurred_picture_is_less_sharp_and_a_plain_one_not_at_all(subject):
    photo = Image.open(next((subject / "reference").glob("*.jpg"))).convert("RGB")
    sharp = finish(np.asarray(photo)).sharpness
    soft = finish(np.asarray(photo.resize((16, 16)).resize(photo.size))).sharpness
    assert 0 < soft < sharp / 2
    assert finish(plain(90, 90, 90)).sharpness == 0


def test_a_preview_that_is_written_has_its_finish_among_its_columns(tmp_path):
    columns = write_preview(tmp_path, plain(200, 150, 100, side=64), finite=True)
    assert Finish(*(columns[name] for name in Finish._fields)) == finish(plain(200, 150, 100, side=64))
