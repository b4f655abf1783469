"""How sharp photos are, and what is pointed out about single photos."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from workbench.dataset.dataset_warnings import dataset_warnings, set_warnings
from workbench.dataset.photo_flaws import flaws
from workbench.dataset.sharpness import SIDE_PX, sharpness


@pytest.fixture(scope="module")
def photos(subject):
    return [Image.open(path).convert("RGB") for path in sorted(subject.glob("*/*.jpg"))]


def row(name="a.jpg", **other):
    return {
        "name": name,
        "side": "train",
        "width": 256,
        "height": 256,
        "side_px": 256,
        "face_px": 150.0,
        "face_cut": 0.0,
        "faces": 1,
        "sharpness": 0.2,
        "duplicate_group": None,
        **other,
    }


def kinds(rows, size=None, **options):
    return {number: [flaw.kind for flaw in wrong] for number, wrong in flaws(rows, size, **options).items()}


def test_the_sharpness_of_a_checkerboard_is_sixty_four():
    # mean 0, variance 1: pixels are +1 and -1; each has four neighbours of the other sign: -4 - 4 = -8, 8 squared = 64
    board = (np.indices((SIDE_PX, SIDE_PX)).sum(0) % 2 * 255).astype(np.uint8)
    assert sharpness(Image.fromarray(board)) == pytest.approx(64)


def test_the_sharpness_of_a_ramp_and_of_a_plain_picture_is_nothing():
    ramp = np.tile(np.arange(SIDE_PX, dtype=np.uint8), (SIDE_PX, 1))
    assert sharpness(Image.fromarray(ramp)) == pytest.approx(0)
    assert sharpness(Image.new("RGB", (300, 200), "red")) == 0


def test_sharpness_does_not_depend_on_brightness_and_contrast_and_little_on_size(photos):
    photo = photos[0]
    dark = photo.point(lambda level: level * 0.4 + 20)
    assert sharpness(dark) == pytest.approx(sharpness(photo), rel=0.1)
    large = photo.resize((1024, 1024), Image.Resampling.LANCZOS)  # scaling blurs a little, twice
    assert 0.6 < sharpness(large) / sharpness(photo) < 1.1


def test_a_blurred_copy_of_any_photo_is_found_among_the_sharp_ones(photos):
    values = [sharpness(photo) for photo in photos]
    assert kinds([row(str(n), sharpness=value) for n, value in enumerate(values)]) == {}
    for number, photo in enumerate(photos[::4]):
        blurred = sharpness(photo.filter(ImageFilter.GaussianBlur(1.5)))
        rows = [row("blurred", sharpness=blurred), *(row(str(n), sharpness=value) for n, value in enumerate(values))]
        assert kinds(rows) == {0: ["blurred"]}, number


def test_where_all_photos_are_blurred_all_are_told(photos):
    values = [sharpness(photo.filter(ImageFilter.GaussianBlur(2))) for photo in photos[:10]]
    assert len(kinds([row(str(n), sharpness=value) for n, value in enumerate(values)])) == 10


def test_a_rough_jpeg_is_not_taken_for_blurred(photos):
    def rough(photo):
        file = io.BytesIO()
        photo.save(file, "JPEG", quality=30)
        return Image.open(file)

    values = [*(sharpness(photo) for photo in photos[:20]), *(sharpness(rough(photo)) for photo in photos[20:])]
    assert kinds([row(str(n), sharpness=value) for n, value in enumerate(values)]) == {}


@pytest.mark.parametrize(
    ("values", "blurred"),
    [
        ([0.2, 0.2, 0.2], []),
        ([0.2, 0.2, 0.029], [2]),  # under .15 of the median .2
        ([0.2, 0.2, 0.031], []),
        ([0.8, 0.8, 0.06], []),  # under .15 of the median, but sharp for itself
        ([0.009, 0.009, 0.011], [0, 1]),
        ([None, 0.2, 0.001], [2]),
    ],
)
def test_what_counts_as_blurred(values, blurred):
    assert list(kinds([row(str(n), sharpness=value) for n, value in enumerate(values)])) == blurred


@pytest.mark.parametrize(
    ("photo", "size", "found"),
    [
        (row(), 256, []),
        (row(side_px=200), 256, ["small"]),
        (row(side_px=200), None, []),
        (row(face_px=None), 64, ["no_face"]),
        (row(faces=3), 64, ["several_faces"]),
        (row(faces=None, face_cut=None, sharpness=None), 64, []),
        (row(face_cut=0.02), 64, []),
        (row(face_cut=0.04), 64, ["cut"]),
        (row(face_px=217), 64, []),  # .848 of the side
        (row(face_px=219), 64, ["close"]),
        (row(face_px=250, face_cut=0.2), 64, ["cut"]),
    ],
)
def test_single_photos(photo, size, found):
    assert kinds([photo], size) == ({0: found} if found else {})


def test_near_duplicates_are_named_to_each_other():
    rows = [row("a.jpg", duplicate_group=1), row("b.jpg"), row("c.jpg", duplicate_group=1)]
    found = flaws(rows)
    assert list(found) == [0, 2] and "c.jpg" in found[0][0].text and "a.jpg" in found[2][0].text
    rows[2]["side"] = "reference"
    assert kinds(rows) == {0: ["both_sides"], 2: ["both_sides"]}
    assert "held out" in flaws(rows)[2][0].text and "likeness" in flaws(rows)[2][0].text


def test_where_nobody_looks_for_faces_nothing_is_said_of_faces_likeness_or_persons():
    rows = [
        row("a.jpg", face_px=None, faces=0, face_cut=None, duplicate_group=1),
        row("b.jpg", faces=4, face_cut=0.5, duplicate_group=1, side="reference"),
        row("c.jpg", sharpness=0.001, side_px=60),
    ]
    texts = [flaw.text for wrong in flaws(rows, 64, faces=False).values() for flaw in wrong]
    texts += dataset_warnings(rows, 64, faces=False) + set_warnings(rows[:1], faces=False)
    assert len(texts) >= 6
    assert not any(word in text.lower() for text in texts for word in ("face", "likeness", "person"))


def test_the_sentences_of_an_import_name_the_photos():
    rows = [*(row(f"{n}.jpg") for n in range(20)), row("soft.jpg", sharpness=0.001), row("cut.jpg", face_cut=0.3)]
    said = " ".join(dataset_warnings(rows, 64))
    assert "Blurred: soft.jpg." in said and "cut off in cut.jpg" in said
