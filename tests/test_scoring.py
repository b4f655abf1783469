"""Scores of a preview: a value, or the reason for none."""

import doctest

import numpy as np
import pytest
from PIL import Image

from trainer import EMBEDDED
from workbench.judges import face_judge_info
from workbench.judges.face import FaceJudge
from workbench.scores import scoring
from workbench.scores.likeness import calibrate
from workbench.scores.scoring import prompt_for_clip, score_face

SUBJECTS = EMBEDDED / "subjects"


def photo(path):
    return np.asarray(Image.open(SUBJECTS / path).convert("RGB"))


@pytest.fixture(scope="module")
def judge():
    return FaceJudge(face_judge_info("embedded"), "cpu")


@pytest.fixture(scope="module")
def scale(judge):
    train = [photo(f"subject_a/train/{i:02d}.jpg") for i in range(6)]
    reference = [photo(f"subject_a/reference/{i:02d}.jpg") for i in range(4)]
    return calibrate(judge, train, reference, [photo(f"others/{i:02d}_0.jpg") for i in range(6)], 64)


def test_a_photo_of_the_subject_scores_above_one_of_a_stranger(judge, scale):
    mine = score_face(judge, scale, photo("subject_a/train/20.jpg"))
    other = score_face(judge, scale, photo("others/12_1.jpg"))
    assert mine.metric == other.metric == "likeness" and mine.status == other.status == "ok"
    assert mine.value > other.value + 0.3


def test_the_score_tells_where_the_face_is_and_how_large(judge, scale):
    detail = score_face(judge, scale, photo("subject_a/train/20.jpg")).detail
    left, top, right, bottom = detail["box"]
    assert 0 <= left < 32 < right <= 64 and 0 <= top < 32 < bottom <= 64
    assert detail["faces"] == 1 and 30 < detail["face_px"] < 60 and detail["detector"] > 0.9


def test_a_face_in_a_picture_that_is_no_square_keeps_its_proportions(judge, scale):
    wide = np.pad(photo("subject_a/train/20.jpg"), ((0, 0), (64, 64), (0, 0)), mode="edge")  # 3 : 2
    square = np.pad(wide, ((64, 64), (0, 0), (0, 0)), mode="edge")
    mine, same = (score_face(judge, scale, rgb) for rgb in (wide, square))
    (left, top, right, bottom), (x0, y0, x1, y1) = mine.detail["box"], same.detail["box"]
    assert (right - left) / (bottom - top) == pytest.approx((x1 - x0) / (y1 - y0), rel=0.1)
    assert mine.detail["face_px"] == pytest.approx(same.detail["face_px"], rel=0.1)
    assert mine.status == "ok" and mine.value == pytest.approx(same.value, abs=0.05)


def test_a_training_photo_itself_shows_as_a_copy_and_a_new_photo_does_not(judge, scale):
    copy = score_face(judge, scale, photo("subject_a/train/03.jpg")).detail
    new = score_face(judge, scale, photo("subject_a/train/20.jpg")).detail
    assert copy["nearest_train"] == pytest.approx(1, abs=1e-3)
    assert new["nearest_train"] < 0.99
    assert copy["nearest_train"] - copy["nearest_reference"] > copy["usual_gap"]
    assert copy["nearest_train_photo"] == 3 and 0 <= copy["nearest_reference_photo"] < 4


def test_the_photo_to_look_at_is_counted_over_all_photos_also_those_without_a_face(judge):
    black = np.zeros((64, 64, 3), np.uint8)
    train = [black, *(photo(f"subject_a/train/{i:02d}.jpg") for i in range(3))]
    reference = [photo("subject_a/reference/00.jpg"), black, photo("subject_a/reference/01.jpg")]
    scale = calibrate(judge, train, reference, [photo("others/00_0.jpg")], 64)
    assert score_face(judge, scale, train[2]).detail["nearest_train_photo"] == 2
    assert score_face(judge, scale, reference[2]).detail["nearest_reference_photo"] == 2


def test_a_picture_without_a_face_has_no_value_and_a_reason(judge, scale):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    result = score_face(judge, scale, noise)
    assert (result.value, result.status, result.detail) == (None, "no_face", {"faces": 0})


def test_two_faces_in_a_picture_are_flagged_and_the_value_is_of_one(judge, scale):
    left, right = (photo(f"{name}.jpg")[:, 28:228] for name in ("subject_a/train/20", "others/12_1"))
    pair = np.concatenate([left, right], axis=1)
    canvas = np.full((400, 400, 3), 128, np.uint8)
    canvas[72:328] = pair
    result = score_face(judge, scale, canvas)
    assert result.status in ("several_faces", "small_face") and result.detail["faces"] == 2
    assert result.value is not None


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("photo of zwx woman, smiling", "photo of woman, smiling"),
        ("photo of a zwx woman", "photo of a woman"),
        ("zwx at the beach", "woman at the beach"),
        ("photo of zwx, a woman in a hat", "photo of woman, a woman in a hat"),
        ("zwx, woman, smiling", "woman, smiling"),
        ("a woman zwx in a hat", "a woman in a hat"),
        ("photo of ZWX Woman", "photo of Woman"),
        ("photo of a woman", "photo of a woman"),
        ("zwxy woman", "zwxy woman"),
        ("zwx womanly", "woman womanly"),
    ],
)
def test_the_trigger_word_becomes_the_class_noun_once(prompt, text):
    assert prompt_for_clip(prompt, "zwx", "woman") == text


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(scoring).failed == 0


def test_without_trigger_or_class_noun_prompts_still_make_sense():
    assert prompt_for_clip("photo of a  woman", "", "woman") == "photo of a woman"
    assert prompt_for_clip("photo of zwx, smiling", "zwx", "") == "photo of , smiling"


def test_a_class_noun_of_two_words_and_signs():
    assert prompt_for_clip("a sks pit bull (old)", "sks", "pit bull (old)") == "a pit bull (old)"
