"""What CLIP sees: look, the nearest photos and the vector, with a judge that sees what a test says it sees."""

import base64

import numpy as np
import pytest
from PIL import Image

from workbench.judges import clip_judge_info
from workbench.scores.likeness import CalibrationError
from workbench.scores.look import calibrate_look, packed, score_look

TRAIN, REFERENCE = [(1.0, 0.0), (0.8, 0.6)], [(0.0, 1.0), (0.6, 0.8)]  # unit vectors


class Seer:
    """Sees in a picture the vector whose number is its red channel; texts are where they are said to be."""

    def __init__(self, vectors, words=()):
        self.vectors, self.words = np.array(vectors, dtype=np.float32), dict(words)

    def images(self, pictures):
        return self.vectors[[picture[0, 0, 0] for picture in pictures]]

    def texts(self, texts):
        return np.array([self.words[text] for text in texts], dtype=np.float32)


def picture(number, side=64):
    """A picture of noise; its first pixel has its number."""
    pixels = np.random.default_rng(number).integers(0, 255, (side, side, 3), dtype=np.uint8)
    pixels[0, 0, 0] = number
    return pixels


def scale(seer):
    return calibrate_look(seer, [picture(0), picture(1)], [picture(2), picture(3)], [], 64)


def test_look_is_the_mean_cosine_to_the_reference_photos():
    seer = Seer([*TRAIN, *REFERENCE, (0.6, 0.8)], {"a woman": (0.0, 1.0)})
    [seen] = score_look(seer, scale(seer), [picture(4)], ["a woman"])
    adherence, look = seen.scores
    assert (adherence.metric, adherence.value) == ("clip_t", pytest.approx(0.8))
    assert (look.metric, look.value) == ("clip_i", pytest.approx((0.8 + 1.0) / 2))
    assert look.detail["nearest_train"] == pytest.approx(0.96) and look.detail["nearest_train_photo"] == 1
    assert look.detail["nearest_reference"] == pytest.approx(1.0) and look.detail["nearest_reference_photo"] == 1


def test_the_scale_s_ends_are_means_over_pairs():
    seer = Seer([*TRAIN, *REFERENCE, (1.0, 0.0)])
    found = calibrate_look(seer, [picture(0), picture(1)], [picture(2), picture(3)], [picture(4)], 64)
    assert found.real == pytest.approx((0 + 0.6 + 0.6 + 0.96) / 4) and found.strangers == pytest.approx(0.3)
    assert found.counts == {"train": 2, "reference": 2, "strangers": 1} and found.threshold is None
    assert scale(seer).strangers is None


def test_the_hash_is_compared_with_the_nearest_photo():
    seer = Seer([*TRAIN, *REFERENCE])
    [copy] = score_look(seer, scale(seer), [picture(1)], [None])
    assert copy.scores[0].detail["hash_train"] == 0 < 10 < copy.scores[0].detail["hash_reference"]
    half = np.asarray(Image.fromarray(picture(1)).resize((128, 128), Image.Resampling.NEAREST))
    [larger] = score_look(seer, scale(seer), [half], [None])
    assert larger.scores[0].detail["hash_train"] <= 2


def test_without_photos_there_is_no_look_and_without_a_prompt_no_adherence():
    seer = Seer([*TRAIN, *REFERENCE], {"x": (1.0, 0.0)})
    with_prompt, without = score_look(seer, None, [picture(0), picture(1)], ["x", None])
    assert [score.metric for score in with_prompt.scores] == ["clip_t"] and without.scores == ()
    assert without.vector == pytest.approx(TRAIN[1]) and score_look(seer, None, [], []) == []


@pytest.mark.parametrize("missing", ["train", "reference"])
def test_without_photos_of_the_subject_there_is_no_scale(missing):
    photos = {"train": [picture(0)], "reference": [picture(2)], missing: []}
    with pytest.raises(CalibrationError, match=f"no {missing} photos"):
        calibrate_look(Seer([*TRAIN, *REFERENCE]), photos["train"], photos["reference"], [], 64)


def test_a_vector_travels_as_little_endian_halves():
    vector = np.array([1.0, -0.5], dtype=np.float32)
    assert base64.b64decode(packed(vector)) == b"\x00\x3c\x00\xb8"


def test_the_shipped_judge_finds_the_subject_s_photos_more_alike_than_other_people_s(subject):
    from workbench.judges.clip import ClipJudge

    def read(folder, n):
        return [np.asarray(Image.open(file).convert("RGB")) for file in sorted(folder.glob("*.jpg"))[:n]]

    judge = ClipJudge(clip_judge_info("embedded"))
    others = read(subject.parent / "others", 20)
    found = calibrate_look(judge, read(subject / "train", 10), read(subject / "reference", 10), others, 64)
    assert found.real > found.strangers + 0.05
