"""The square that is cut out of a photo: figures worked out by hand, and real faces that must stay whole."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from workbench.dataset.crop import crop_square, fitted, square_for
from workbench.dataset.finder import FaceFinder, face_square, share_outside
from workbench.judges import face_judge_info
from workbench.judges.face import FaceJudge


def test_a_photo_without_a_face_is_cut_in_the_middle_from_left_to_right():
    assert square_for(600, 400, None) == (100, 0, 400)


def test_a_tall_photo_without_a_face_is_cut_around_a_third_of_its_height():
    assert square_for(400, 1000, None) == (0, 133, 400)  # 1000 / 3 - 200
    assert square_for(400, 500, None) == (0, 0, 400)  # 500 / 3 - 200 lies above the photo


def test_the_square_moves_to_the_face():
    # face 100 px wide around x = 750: left = 750 - 400 / 2
    assert square_for(1000, 400, (700, 100, 800, 220)) == (550, 0, 400)


def test_a_face_at_the_edge_keeps_the_square_inside_the_photo():
    assert square_for(1000, 400, (940, 100, 1040, 220)) == (600, 0, 400)
    assert square_for(1000, 400, (-20, 100, 80, 220)) == (0, 0, 400)


def test_hair_and_shoulders_come_along():
    # square 600; face 200 high from y = 700: wanted 0.6 above (580) and 1.0 below (1100);
    # the middle of the face (800) at 0.42 of the square would start at 548, which holds both
    assert square_for(600, 2000, (200, 700, 400, 900)) == (0, 548, 600)
    # face 300 high from y = 700: wanted 520 to 1300 is more than 600, so only the face itself must be inside
    left, top, side = square_for(600, 2000, (150, 700, 450, 1000))
    assert (left, top, side) == (0, 598, 600) and top <= 700 and top + side >= 1000


def test_a_full_length_photo_is_cut_to_six_faces():
    # face 100 x 100 at (950, 400): side 600 in place of 2000, middle of the face at 0.42 x 600 from the top
    assert square_for(2000, 3000, (950, 400, 1050, 500)) == (700, 198, 600)


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (300, 900), (1600, 400)])
def test_no_face_is_ever_cut_where_the_photo_is_large_enough(size):
    rng = np.random.default_rng(1)
    for _ in range(300):
        width, height = rng.uniform(20, min(size) * 0.95, 2)
        x, y = rng.uniform(0, size[0] - width), rng.uniform(0, size[1] - height)
        left, top, side = square_for(*size, (x, y, x + width, y + height))
        assert left >= 0 and top >= 0 and left + side <= size[0] and top + side <= size[1]
        assert left <= x + 0.5 and left + side >= x + width - 0.5  # half a pixel: the square lies on whole ones
        assert top <= y + 0.5 and top + side >= y + height - 0.5


def test_a_square_photo_stays_as_it_is():
    photo = Image.new("RGB", (300, 300))
    square, how = crop_square(photo, (10, 10, 50, 50))
    assert square is photo and how == "none"


def test_the_crop_says_how_it_was_made():
    photo = Image.new("RGB", (300, 200))
    assert crop_square(photo, None)[1] == "centre"
    assert crop_square(photo, (10, 10, 50, 50))[1] == "face"


def test_squares_are_made_smaller_but_never_larger():
    assert fitted(Image.new("RGB", (300, 300)), 64).size == (64, 64)
    assert fitted(Image.new("RGB", (50, 50)), 64).size == (50, 50)
    assert fitted(Image.new("RGB", (300, 300)), None).size == (300, 300)


@pytest.fixture(scope="module")
def embedded():
    return FaceJudge(face_judge_info("embedded"), "cpu")


@pytest.fixture
def astronaut():
    """A real photo, 512 x 512, the face around (224, 115)."""
    return Image.fromarray(data.astronaut())


def holds(box, x, y):
    return box is not None and box[0] < x < box[2] and box[1] < y < box[3]


def test_the_face_of_a_real_person_is_found_with_and_without_the_embedded_judge(astronaut, embedded):
    assert holds(FaceFinder().box(astronaut), 224, 115)
    assert holds(FaceFinder(embedded).box(astronaut), 224, 115)


def test_a_face_in_a_large_photo_is_found_in_the_photos_own_pixels(astronaut):
    large = astronaut.resize((2048, 2048))
    assert holds(FaceFinder().box(large), 4 * 224, 4 * 115)


@pytest.mark.parametrize("picture", ["coffee", "rocket", "chelsea"])
def test_nothing_is_found_where_no_person_is(picture, embedded):
    photo = Image.fromarray(getattr(data, picture)())
    assert FaceFinder().box(photo) is None
    assert FaceFinder(embedded).box(photo) is None


def test_a_real_photo_is_cut_around_its_face(astronaut):
    wide = Image.new("RGB", (1200, 512), "gray")
    wide.paste(astronaut, (688, 0))  # the face is now around x = 912, out of the middle square
    square = face_square(wide, FaceFinder())
    assert square.how == "face" and square.picture.size == (512, 512) and 80 < square.face_px < 140
    assert holds(FaceFinder().box(square.picture), 912 - (1200 - 512), 115)
    assert square.face_cut == 0 and square.faces == 1


def test_a_face_that_is_cut_off_is_told_by_how_much(subject, embedded):
    photo = Image.open(subject / "train" / "00.jpg")
    _, top, _, bottom = FaceFinder(embedded).box(photo)
    half = photo.crop((0, round(top + 0.3 * (bottom - top)), photo.width, photo.height))
    assert face_square(photo, FaceFinder(embedded)).face_cut == 0
    assert 0.1 < face_square(half, FaceFinder(embedded)).face_cut < 0.4


def test_the_share_outside_a_frame():
    frame = (0, 0, 100, 100)
    assert share_outside((10, 10, 50, 50), frame) == 0
    assert share_outside((-25, 0, 75, 100), frame) == 0.25
    assert share_outside((-50, -50, 50, 50), frame) == 0.75
    assert share_outside((200, 0, 300, 100), frame) == 1


def test_several_faces_are_counted_where_they_are_in_the_square(subject, embedded):
    pair = Image.new("RGB", (512, 512), "gray")
    for number, place in enumerate([(0, 100), (256, 100)]):
        pair.paste(Image.open(subject / "train" / f"0{number}.jpg"), place)
    assert face_square(pair, FaceFinder(embedded)).faces == 2
    wide = Image.new("RGB", (1024, 256), "gray")
    for number, place in enumerate([(0, 0), (768, 0)]):
        wide.paste(Image.open(subject / "train" / f"0{number}.jpg"), place)
    assert face_square(wide, FaceFinder(embedded)).faces == 1


def test_the_embedded_judge_is_asked_first_on_its_own_people(subject, embedded):
    photo = Image.open(subject / "train" / "00.jpg")
    (face,) = embedded.faces(np.asarray(photo))
    assert FaceFinder(embedded).box(photo) == face.box
