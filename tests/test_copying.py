"""Copies: the limits by hand, the shipped photos, and LoRAs that do and don't memorise, trained for it."""

import doctest
import json

import numpy as np
import pytest
from PIL import Image
from scipy.stats import t

from workbench.scores import copying, one_photo
from workbench.scores.copy_trial import MEMORISED, shipped
from workbench.scores.copying import (
    angle,
    beyond_ratio,
    copied_photo,
    gap_rule,
    hash_rule,
    is_face_copy,
    is_picture_copy,
    nearest_hash,
    real_nearest,
    real_nearest_hash,
    real_nearest_photo,
    times_nearer,
    upper_bound,
)
from workbench.scores.look import look
from workbench.scores.one_photo import (
    FACE,
    LAYOUT,
    LOOK,
    NONE,
    ONE_PHOTO,
    SOME,
    concentration,
    copied_by,
    popular_share,
    usual_shares,
    verdict,
)


def unit(degrees):
    """The unit vector in the plane at an angle: cosines are those of the angle between two."""
    angle = np.radians(degrees)
    return np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)


def at(*degrees):
    return np.stack([unit(each) for each in degrees])


def cosine(degrees):
    return float(np.cos(np.radians(degrees)))


def row(**detail):
    """A calibration as it is stored."""
    return {"detail": json.dumps(detail)}


# by hand


@pytest.mark.parametrize("module", [copying, one_photo])
def test_the_examples_in_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


def test_angles_of_cosines_also_where_rounding_leaves_the_range():
    assert [angle(1.0000001), angle(0.5), angle(0.0), angle(-1.0000001)] == pytest.approx([0, 60, 90, 180])


def test_a_picture_twice_as_near_to_a_train_photo_is_two_times_nearer():
    assert times_nearer(cosine(20), cosine(40)) == pytest.approx(2)
    assert times_nearer(cosine(40), cosine(20)) == pytest.approx(0.5)
    assert times_nearer(1.0, cosine(30)) == pytest.approx(30)  # the same picture: not infinitely nearer


def test_every_real_photo_is_left_out_where_its_nearest_are_looked_for():
    train, reference = at(0, 90), at(10, 50)
    by_hand = [  # (nearest train, nearest reference), references first
        (cosine(10), cosine(40)),
        (cosine(40), cosine(40)),
        (cosine(90), cosine(10)),
        (cosine(90), cosine(40)),
    ]
    assert np.array(real_nearest(train, reference)) == pytest.approx(np.array(by_hand), abs=1e-6)


def test_a_side_of_one_photo_has_none_to_leave_out():
    assert len(real_nearest(at(0), at(10, 50, 70))) == 3
    assert real_nearest(at(0), at(10)) == []


def test_the_bound_is_the_prediction_interval_of_a_further_normal_value():
    # n = 10, mean 3, s = 1: t(9, .95) = 1.8331 from the published table; sqrt(1 + 1/10) = 1.04881
    values = np.array([3 + sign * np.sqrt(0.9) for sign in (1, -1)] * 5)
    assert np.std(values, ddof=1) == pytest.approx(1)
    assert upper_bound(values, 0.05) == pytest.approx(3 + 1.8331 * 1.04881, abs=1e-4)


def test_the_limit_of_the_gap_comes_from_its_spread_among_real_photos():
    train, reference = at(0, 90), at(10, 50)
    rule = gap_rule(train, reference)
    gaps = np.array([cosine(10) - cosine(40), 0, 0 - cosine(10), 0 - cosine(40)])
    ratios = np.log([40 / 10, 40 / 40, 10 / 90, 40 / 90])
    assert rule["usual_gap"] == pytest.approx(gaps.mean(), abs=1e-6)
    assert rule["gap_spread"] == pytest.approx(gaps.std(ddof=1), abs=1e-6)
    assert rule["usual_ratio"] == pytest.approx(np.exp(ratios.mean()), rel=1e-4)
    limit = ratios.mean() + t.ppf(0.99, 3) * ratios.std(ddof=1) * np.sqrt(1 + 1 / 4)
    assert rule["ratio_limit"] == pytest.approx(np.exp(limit), rel=1e-4)
    assert rule["gap_photos"] == 4


def test_with_more_spread_among_real_photos_the_same_picture_is_no_copy():
    reference = at(10, 30, 50, 70)
    steady, varied = (row(**gap_rule(train, reference)) for train in (at(0, 20, 40, 60, 80), at(9, 11, 45, 68, 140)))
    picture = {"nearest_train": cosine(1), "nearest_reference": cosine(12)}
    assert is_face_copy(picture, steady) and not is_face_copy(picture, varied)


def test_a_photo_on_both_sides_gives_no_endless_ratio():
    rule = gap_rule(at(0, 40, 80), at(0, 50))
    assert all(np.isfinite(value) for value in rule.values())


def test_too_few_photos_or_no_face_is_no_copy():
    few = {"detail": json.dumps(gap_rule(at(0), at(10, 50, 70)))}
    copy = {"nearest_train": 1.0, "nearest_reference": 0.0}
    assert not is_face_copy(copy, few) and not is_face_copy(copy, row())
    assert not is_face_copy({"faces": 0}, row(ratio_limit=1.5)) and is_face_copy(copy, row(ratio_limit=1.5))


def test_hamming_distance_and_the_nearest_hash():
    assert nearest_hash(0b1011, [0b0000, 0b1001, 0b1111]) == (1, 1)
    assert nearest_hash(0b1011, [0b0000]) == (3, 0)
    assert nearest_hash((1 << 64) - 1, [0]) == (64, 0)


def bits(*places):
    return sum(1 << place for place in places)


def test_the_limit_of_the_hash_lies_below_what_unseen_photos_reach():
    # seven hashes, each with 8 or 9 bits of its own: two differ by the sum of these
    own = [range(i * 9, i * 9 + (8 if i % 2 else 9)) for i in range(7)]
    train, reference = [bits(*places) for places in own[:5]], [bits(*places) for places in own[5:]]
    rule = hash_rule(train, reference)
    nearest = [16, 17, 17, 16, 17, 16, 17]  # references first: there is always a train photo with 8
    assert rule["usual_bits"] == pytest.approx(np.mean(nearest))
    assert rule["hash_limit"] == 10  # never more, whatever the spread


def test_shots_of_one_burst_do_not_lower_the_limit_of_the_hash():
    own = [bits(*range(i * 9, i * 9 + (3 if i % 2 else 5))) for i in range(7)]  # 8 bits from each other
    burst = [own[0], own[0] ^ 1, own[0] ^ 2]
    assert hash_rule([*burst, *own[1:4]], own[4:])["hash_limit"] > 4
    assert hash_rule(burst[:2], [])["hash_limit"] is None  # nothing but one burst


def test_the_photo_to_look_at_is_the_one_that_gives_the_picture_away():
    rule = row(hash_limit=6.0, ratio_limit=2.0)
    seen = {"nearest_train": 0.5, "nearest_reference": 0.5, "nearest_train_photo": 3, "hash_train_photo": 7}
    by_layout, neither = {**seen, "hash_train": 6}, {**seen, "hash_train": 8}
    by_clip = {**neither, "nearest_train": 0.99}
    assert [is_picture_copy(each, rule) for each in (by_layout, neither, by_clip)] == [True, False, True]
    assert [copied_photo(each, rule) for each in (by_layout, neither, by_clip)] == [7, 3, 3]


# the demo subject


def test_no_real_photo_of_the_demo_is_taken_for_a_copy_and_every_copy_is(eyes):
    for side in (eyes.faces, eyes.look):
        rule = side.detail
        for near, far in real_nearest(side.train, side.reference):
            assert not beyond_ratio({"nearest_train": near, "nearest_reference": far}, rule)
        for photo in side.train:
            far = float(np.max(side.reference @ photo))
            assert beyond_ratio({"nearest_train": 1.0, "nearest_reference": far}, rule)


def test_a_train_photo_that_was_only_compressed_is_a_copy_of_that_photo(eyes, tmp_path):
    stored = row(**eyes.look.detail)
    for index, photo in enumerate(shipped("subject_a/train")[:5]):
        Image.fromarray(photo).resize((100, 100)).save(tmp_path / "small.jpg", quality=50)
        picture = np.asarray(Image.open(tmp_path / "small.jpg"))
        detail = look(eyes.look, picture, eyes.clip.images([picture])[0]).detail
        assert is_picture_copy(detail, stored) and copied_photo(detail, stored) == index


def test_a_lora_that_memorised_one_photo_is_flagged(eyes, memorised, base_row):
    pictures, updates = memorised
    found = eyes.trial(pictures, 1, updates, base_row)
    assert found.picture_copies >= 8  # measured: 10 of 12; other photos less (docs/validity.md)
    stored = row(**eyes.look.detail)
    details = [look(eyes.look, p, v).detail for p, v in zip(pictures, eyes.clip.images(pictures), strict=True)]
    copied = {copied_photo(detail, stored) for detail in details if is_picture_copy(detail, stored)}
    assert copied == {MEMORISED}
    assert (found.verdict, found.copy_of) == (ONE_PHOTO, MEMORISED)
    assert found.nearest["layout"] == (MEMORISED, 12, 12)


def test_a_lora_that_generalises_is_not_flagged(eyes, generalised, base_row):
    found = eyes.trial(generalised.pictures, 30, generalised.updates, base_row)
    assert found.likeness > 50  # it has learned the person
    assert (found.face_copies, found.picture_copies, found.verdict, found.copy_of) == (0, 0, NONE, None)


def test_neither_the_base_alone_nor_the_photos_themselves_are_a_copy_of_one_photo(eyes, base_row):
    assert eyes.trial(base_row, 0, 0).copy_of is None
    assert eyes.trial(shipped("subject_a/train"), 30, 0, base_row).verdict == SOME  # each its own copy


# all previews of a LoRA together, by hand


def test_a_photo_that_most_previews_are_nearest_to_is_copied():
    # P(X >= 10 | 12, 1/2) = (66 + 12 + 1) / 4096; of 9: + 220 / 4096
    assert concentration(LAYOUT, [3] * 10 + [1, 2], 0.1).p == pytest.approx(79 / 4096)
    assert concentration(LAYOUT, [3] * 9 + [1, 2, 4], 0.1).p == pytest.approx(299 / 4096)
    assert concentration(LAYOUT, [3] * 10 + [1, 2], 0.1).is_copy
    assert not concentration(LAYOUT, [3] * 9 + [1, 2, 4], 0.1).is_copy
    assert concentration(LAYOUT, [], 0.1) is None


def test_what_is_usual_is_no_copy_however_often_it_is():
    nearest = [3] * 11 + [1]
    assert concentration(LAYOUT, nearest, None).is_copy and not concentration(LAYOUT, nearest, 0.8).is_copy
    assert concentration(LAYOUT, nearest, 0.8).p == pytest.approx(0.8**12 + 12 * 0.8**11 * 0.2)
    assert not concentration(LAYOUT, [3] * 12, 1.0).is_copy  # there is one photo only


def test_few_previews_are_no_evidence():
    assert not concentration(LOOK, [3] * 5, 0.1).is_copy and concentration(LOOK, [3] * 6, 0.1).is_copy


def test_the_first_measure_that_shows_a_copy_tells_which_photo():
    spread, one = [1, 2, 3, 4, 5, 6], [9] * 6
    assert copied_by({LAYOUT: spread, LOOK: one, FACE: [8] * 6}, {}) == concentration(LOOK, one, None)
    nearly = copied_by({LAYOUT: spread, LOOK: [9] * 5 + [1]}, {LOOK: 0.2})
    assert (nearly.measure, nearly.k, nearly.usual, nearly.is_copy) == (LOOK, 5, 0.2, False)
    assert copied_by({}, {}) is None
    assert [verdict(x, n) for x, n in ((nearly, 0), (nearly, 2), (None, 0))] == [NONE, SOME, NONE]


def test_the_usual_share_is_the_greater_of_the_samples():
    assert popular_share([7, 7, 2, 1]) == 0.5 and popular_share([]) is None
    assert usual_shares({LAYOUT: 0.2, LOOK: None}, {LAYOUT: 0.3}) == {LAYOUT: 0.3}


def test_the_most_popular_photo_among_real_ones_leaves_each_out():
    train, reference = at(0, 10, 90), at(12, 20)
    assert real_nearest_photo(train, reference) == [1, 1, 1, 0, 1]
    assert gap_rule(train, reference)["popular"] == 0.8 and gap_rule(at(0), at(10))["popular"] == 1
    assert real_nearest_hash([0b0, 0b11, 0b111111], [0b1111]) == [1, 1, 0, 1]
    assert real_nearest_hash([0b0], [0b1]) == [0]
