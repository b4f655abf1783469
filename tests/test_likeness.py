"""The likeness scale: by hand on small vectors, and on the demo subject with the embedded judge."""

import numpy as np
import pytest
from PIL import Image

from trainer import EMBEDDED
from workbench.judges import face_judge_info
from workbench.judges.face import Face, FaceJudge
from workbench.scores.likeness import (
    CalibrationError,
    calibrate,
    equal_error,
    mean_cosine,
    nearest,
    on_scale,
    pick_face,
    real_scores,
    threshold,
)
from workbench.scores.scoring import score_face, score_faces

SUBJECTS = EMBEDDED / "subjects"


def unit(degrees):
    """The unit vector in the plane at an angle: cosines are those of the angle between two."""
    angle = np.radians(degrees)
    return np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)


def face(left, top, right, bottom, score=0.9, embedding=None):
    side = float(np.sqrt((right - left) * (bottom - top)))
    return Face((left, top, right, bottom), score, unit(0) if embedding is None else embedding, side)


class ByBrightness:
    """A judge that sees a face in every picture, at an angle of as many degrees as the picture is bright."""

    def faces_many(self, pictures):
        return [[] if p.mean() > 200 else [face(8, 8, 56, 56, embedding=unit(p.mean()))] for p in pictures]


def grey(*levels, size=64):
    return [np.full((size, size, 3), level, dtype=np.uint8) for level in levels]


def test_mean_cosine_is_the_mean_of_the_pairs():
    assert mean_cosine(unit(0), np.stack([unit(0), unit(60)])) == pytest.approx((1 + 0.5) / 2)


def test_the_mean_of_pairs_does_not_grow_with_the_number_of_references():
    few, many = np.stack([unit(-60), unit(60)]), np.stack([unit(-60), unit(60)] * 5)
    assert mean_cosine(unit(0), few) == pytest.approx(0.5) == pytest.approx(mean_cosine(unit(0), many))


def test_the_scale_runs_from_strangers_to_the_subjects_own_photos():
    assert on_scale(0.1, 0.1, 0.6) == 0
    assert on_scale(0.6, 0.1, 0.6) == pytest.approx(100)
    assert on_scale(0.35, 0.1, 0.6) == pytest.approx(50)
    assert on_scale(0.0, 0.1, 0.6) == pytest.approx(-20)


def test_without_strangers_the_zero_is_cosine_zero():
    assert on_scale(0.3, None, 0.6) == pytest.approx(50)


def test_the_nearest_face():
    assert nearest(unit(0), np.stack([unit(60), unit(-30), unit(90)])) == pytest.approx(np.cos(np.pi / 6))


def test_real_photos_are_scored_as_pictures_are_with_themselves_left_out():
    train, reference = np.stack([unit(0)]), np.stack([unit(0), unit(60), unit(90)])
    by_hand = [(1 + 0.5 + 0) / 3, (0.5 + 0) / 2, (0.5 + np.cos(np.pi / 6)) / 2, (0 + np.cos(np.pi / 6)) / 2]
    assert real_scores(train, reference) == pytest.approx(by_hand, abs=1e-6)
    assert real_scores(train, reference[:1]) == pytest.approx([1])  # a single reference has nothing to be held against


def test_the_threshold_lies_midway_between_low_real_photos_and_high_strangers():
    real, strangers = list(np.linspace(0.8, 0.9, 11)), list(np.linspace(0, 0.2, 21))
    assert threshold(real, strangers) == pytest.approx((0.81 + 0.19) / 2)  # their 10th and 95th percentile


def test_one_odd_photo_hardly_moves_the_threshold():
    real, strangers = [0.8] * 30, [0.1] * 30
    assert threshold([0.2, *real], strangers) == threshold(real, [0.7, *strangers]) == pytest.approx(0.45)


def test_where_real_photos_and_strangers_overlap_the_threshold_errs_as_often_on_both_sides():
    real, strangers = [0.3, 0.5, 0.7, 0.9], [0.2, 0.4, 0.6]
    # at .45: one of four real photos below, one of three strangers above; nowhere do the shares come closer
    assert threshold(real, strangers) == equal_error(real, strangers) == pytest.approx(0.45)


def test_a_threshold_for_equal_scores_is_that_score():
    assert equal_error([0.5, 0.5], [0.5]) == 0.5


def test_without_strangers_there_is_no_threshold():
    assert threshold([0.8, 0.9], []) is None
    assert calibrate(ByBrightness(), grey(10), grey(20), [], 64).threshold is None


def test_no_face_is_a_status_and_no_face():
    assert pick_face([], (64, 64)) == (None, "no_face")


def test_the_largest_central_face_counts_and_others_are_flagged():
    centre, corner = face(20, 20, 44, 44), face(38, 38, 63, 63)  # the corner one is a little larger
    assert pick_face([corner, centre], (64, 64)) == (centre, "several_faces")
    assert pick_face([centre], (64, 64)) == (centre, "ok")


def test_a_clearly_larger_face_beats_a_central_one():
    small, large = face(22, 22, 42, 42), face(0, 0, 40, 40)
    assert pick_face([small, large], (64, 64))[0] is large


def test_a_small_face_is_flagged():
    assert pick_face([face(20, 20, 40, 40)], (64, 64))[1] == "small_face"
    assert pick_face([face(20, 20, 44, 44)], (64, 64))[1] == "ok"  # 24 px


def test_calibration_by_hand():
    # train at 10 and 30 degrees, reference at 20 and 50; strangers at 110
    found = calibrate(ByBrightness(), grey(10, 30), grey(20, 50), grey(110), 64)
    cosine = lambda degrees: np.cos(np.radians(degrees))  # noqa: E731
    assert found.real == pytest.approx((cosine(10) + cosine(40) + cosine(10) + cosine(20)) / 4, abs=1e-6)
    assert found.strangers == pytest.approx((cosine(90) + cosine(60)) / 2, abs=1e-6)
    assert found.counts == {"train": 2, "reference": 2, "strangers": 1}
    assert found.estimator == "mean_of_pairs"
    real = [(cosine(10) + cosine(40)) / 2, (cosine(10) + cosine(20)) / 2, cosine(30), cosine(30)]
    assert found.detail["real_each"] == pytest.approx(real, abs=1e-4)
    assert found.detail["strangers_each"] == pytest.approx([(cosine(90) + cosine(60)) / 2], abs=1e-4)
    assert found.threshold == pytest.approx((np.percentile(real, 10) + (cosine(90) + cosine(60)) / 2) / 2, abs=1e-6)


def test_photos_without_a_face_are_left_out_and_told():
    found = calibrate(ByBrightness(), grey(10, 255), grey(20, 255, 50), grey(110), 64)
    assert found.found == {"train": [True, False], "reference": [True, False, True], "strangers": [True]}
    assert found.counts == {"train": 1, "reference": 2, "strangers": 1}


def test_photos_are_scaled_to_the_size_of_the_previews_first():
    seen = []

    class Watching(ByBrightness):
        def faces_many(self, pictures):
            seen.extend(p.shape for p in pictures)
            return super().faces_many(pictures)

    calibrate(Watching(), grey(10, size=256), grey(20, size=64), grey(110, size=100), 64)
    assert seen == [(64, 64, 3)] * 3


def test_without_other_people_there_is_no_zero():
    assert calibrate(ByBrightness(), grey(10), grey(20), [], 64).strangers is None


def test_without_a_face_among_the_references_there_is_no_scale():
    with pytest.raises(CalibrationError, match="any of the 2 reference photos"):
        calibrate(ByBrightness(), grey(10), grey(255, 255), grey(110), 64)


def test_a_judge_that_takes_the_subject_for_a_stranger_gives_no_scale():
    with pytest.raises(CalibrationError, match="choose another face judge"):
        calibrate(ByBrightness(), grey(10), grey(40), grey(70), 64)


# the demo subject


@pytest.fixture(scope="module")
def judge():
    return FaceJudge(face_judge_info("embedded"), "cpu")


def pictures(folder):
    return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.jpg"))]


@pytest.fixture(scope="module")
def subject_a(judge):
    """Subject A's scale at the size of the miniature's previews."""
    subject = SUBJECTS / "subject_a"
    sides = pictures(subject / "train"), pictures(subject / "reference"), pictures(SUBJECTS / "others")
    return calibrate(judge, *sides, 64)


def likeness(judge, scale, picture):
    return on_scale(score_face(judge, scale, picture).value, scale.strangers, scale.real)


def test_every_face_of_the_demo_is_found(subject_a):
    assert subject_a.counts == {"train": 30, "reference": 10, "strangers": 80}


def test_the_subject_is_far_from_strangers(subject_a):
    assert subject_a.real > 0.8
    assert abs(subject_a.strangers) < 0.1


def test_train_photos_stand_at_100_and_strangers_at_0_one_by_one(judge, subject_a):
    train = [likeness(judge, subject_a, p) for p in pictures(SUBJECTS / "subject_a" / "train")]
    others = [likeness(judge, subject_a, p) for p in pictures(SUBJECTS / "others")]
    assert np.mean(train) == pytest.approx(100, abs=0.01) and np.std(train) < 5
    assert np.mean(others) == pytest.approx(0, abs=0.01) and 15 < np.std(others) < 35
    assert max(others) < min(train)


@pytest.mark.parametrize("stranger", range(5))
def test_likeness_rises_as_a_stranger_is_blended_into_the_subject(judge, subject_a, stranger):
    steps = []
    for share in (0, 25, 50, 75, 100):
        files = [SUBJECTS / "blends" / f"{stranger}_{share:03d}_{view}.jpg" for view in (0, 1)]
        views = [np.asarray(Image.open(file)) for file in files]
        steps.append(np.mean([likeness(judge, subject_a, view) for view in views]))
    assert steps == sorted(steps)
    assert steps[-1] == pytest.approx(99, abs=3)  # measured: 97.5 to 100.2


def test_the_demos_threshold_lets_in_its_real_photos_and_no_stranger(subject_a):
    real, strangers = subject_a.detail["real_each"], subject_a.detail["strangers_each"]
    assert (len(real), len(strangers)) == (40, 80)
    assert max(strangers) < subject_a.threshold < min(real)
    assert on_scale(subject_a.threshold, subject_a.strangers, subject_a.real) == pytest.approx(68, abs=2)


def test_batches_give_the_numbers_of_single_pictures(judge, subject_a):
    some = pictures(SUBJECTS / "others")[:6]
    single = [score_face(judge, subject_a, picture) for picture in some]
    assert score_faces(judge, subject_a, some) == single


def test_other_peoples_photos_are_cut_to_squares_around_the_face(judge, subject_a):
    stranger = pictures(SUBJECTS / "others")[0]
    wide = np.concatenate([np.full((256, 400, 3), 90, np.uint8), stranger], axis=1)  # the face is at the right edge
    sides = pictures(SUBJECTS / "subject_a" / "train")[:3], pictures(SUBJECTS / "subject_a" / "reference")[:3]
    whole, cut = (calibrate(judge, *sides, [photo], 64).strangers for photo in (stranger, wide))
    assert cut == pytest.approx(whole, abs=0.05)
