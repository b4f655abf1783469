"""Near-duplicates, and the division into train and reference photos."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from workbench.dataset.duplicates import alike_groups, near_duplicates, perceptual_hash
from workbench.dataset.split import reference_count, split


@pytest.fixture(scope="module")
def photos(subject):
    return [Image.open(path).convert("RGB") for path in sorted(subject.glob("*/*.jpg"))]


def again(photo: Image.Image) -> Image.Image:
    """The photo saved once more as a rough JPEG."""
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=30)
    return Image.open(file)


def test_copies_are_found_and_nothing_else(photos):
    copies = [
        again(photos[0]),
        photos[1].resize((128, 128)),
        ImageEnhance.Brightness(photos[2]).enhance(1.2),
        photos[3].convert("L").convert("RGB"),
    ]
    groups = near_duplicates([*photos, *copies])
    assert groups == [[0, 40], [1, 41], [2, 42], [3, 43]]


def test_a_hash_is_64_bits_of_which_half_are_set(photos):
    for photo in photos[:5]:
        value = perceptual_hash(photo)
        assert 0 <= value < 2**64 and value.bit_count() == 32


def test_the_hash_of_a_known_picture():
    # grey levels that follow cosine number 1 from left to right: its coefficient is the only large one
    x = np.arange(32)
    wave = 128 + 100 * np.cos(np.pi * (x + 0.5) / 32)
    picture = Image.fromarray(np.tile(wave, (32, 1)).astype(np.uint8))
    bits = f"{perceptual_hash(picture):064b}"
    assert bits[0] == "1" and bits[1] == "1"  # mean brightness and the wave; rows of the hash run down the picture


def test_links_join_groups():
    # distances: 0-1 six bits, 1-2 six bits, 0-2 twelve; 3 is far from all
    hashes = [0, 0b111111, 0b111111111111, 2**64 - 1]
    assert alike_groups(hashes, limit=6) == [[0, 1, 2]]
    assert alike_groups(hashes, limit=5) == []


@pytest.mark.parametrize(
    ("n", "held_out"),
    [(0, 0), (1, 0), (2, 1), (4, 1), (8, 2), (16, 4), (20, 5), (30, 8), (40, 10), (200, 10)],
)
def test_how_many_are_held_out(n, held_out):
    assert reference_count(n) == held_out
    assert split(n).count("reference") == held_out


def test_from_twenty_photos_on_at_least_four_are_held_out():
    assert reference_count(20, share=0.1) == 4
    assert reference_count(19, share=0.1) == 2


def test_the_same_photos_are_split_the_same_way():
    assert split(30, seed=3) == split(30, seed=3) != split(30, seed=4)


def test_single_photos_are_held_out_before_groups():
    pairs = [[i, i + 1] for i in range(0, 14, 2)]
    for seed in range(5):
        assert split(20, pairs, seed=seed)[14:].count("reference") == 5


@pytest.mark.parametrize("seed", range(20))
def test_photos_that_look_alike_stay_on_one_side(seed):
    groups = [[0, 1, 2], [5, 9], [11, 12, 13, 14]]
    sides = split(24, groups, seed=seed)
    for group in groups:
        assert len({sides[i] for i in group}) == 1
    assert sides.count("reference") == 6


def test_photos_without_a_face_are_no_references():
    usable = [i % 2 == 0 for i in range(20)]
    for seed in range(5):
        sides = split(20, seed=seed, usable=usable)
        assert sides.count("reference") == 5
        assert all(side == "train" for side, face in zip(sides, usable, strict=True) if not face)


def test_a_chosen_side_never_changes_and_counts():
    fixed = {0: "reference", 1: "train", 2: "reference"}
    sides = split(16, fixed=fixed)
    assert all(sides[i] == side for i, side in fixed.items())
    assert sides.count("reference") == 4


def test_a_photo_that_looks_like_a_placed_one_joins_it():
    assert split(8, [[0, 7]], fixed={0: "reference"})[7] == "reference"
    assert split(8, [[0, 7]], fixed={0: "train"})[7] == "train"
    # both sides taken already: a model may have seen it
    assert split(8, [[0, 1, 7]], fixed={0: "train", 1: "reference"})[7] == "train"


def test_one_large_group_is_held_out_rather_than_nothing():
    sides = split(6, [[0, 1, 2], [3, 4, 5]])
    assert sorted({tuple(sides[:3]), tuple(sides[3:])}) == [("reference",) * 3, ("train",) * 3]


def test_when_all_photos_look_alike_all_are_trained_on():
    assert split(6, [[0, 1, 2, 3, 4, 5]]) == ["train"] * 6
