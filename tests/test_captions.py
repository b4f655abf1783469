"""Captions from text files, file names and the template, and the trigger word in each."""

import doctest

import pytest

from workbench import captions
from workbench.captions import TEMPLATE, caption_for, read_text, with_trigger, words_of


def caption(name, text=None, template=TEMPLATE):
    return caption_for(name, text, template, "zwx", "woman")


def test_the_text_beside_the_photo_comes_first():
    assert caption("red_dress.jpg", "photo of zwx woman, smiling") == "photo of zwx woman, smiling"


def test_then_the_words_of_the_file_name():
    assert caption("red_dress 02.jpg") == "zwx woman, red dress"


def test_then_the_template():
    assert caption("IMG_1234.jpg") == "photo of zwx woman"
    assert caption("IMG_1234.jpg", "  \n ", "portrait of {trigger} {class_noun} {x}") == "portrait of zwx woman {x}"


@pytest.mark.parametrize(
    "name",
    [
        "IMG_1234.jpg",
        "IMG-20230501-WA0007.jpg",
        "DSC00042.JPG",
        "DSCF1234 (2).jpg",
        "PXL_20240102_030405.jpg",
        "00.jpg",
        "2023-05-01 12.30.45.png",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301.jpeg",
        "d41d8cd98f00b204e9800998ecf8427e.jpg",
        "Screenshot_20240101-101010_Instagram.png",
        "WhatsApp Image 2024-01-01 at 10.10.10.jpeg",
        "photo.webp",
        "FB_IMG_1700000000000.jpg",
    ],
)
def test_camera_names_dates_and_ids_are_no_words(name):
    assert words_of(name) == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("smiling-at-the_beach2.png", "smiling at the beach"),
        ("RedDress.jpg", "Red Dress"),
        ("IMG_1234 laughing.jpg", "laughing"),
        ("女性_笑顔.jpg", "女性 笑顔"),
        ("Müller im Garten.jpg", "Müller im Garten"),
    ],
)
def test_real_words_are_kept(name, words):
    assert words_of(name) == words


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a woman on a bench", "a zwx woman on a bench"),
        ("a Woman on a bench, another woman behind", "a zwx Woman on a bench, another woman behind"),
        ("dancing in the rain", "zwx woman, dancing in the rain"),
        ("a zwx woman on a bench", "a zwx woman on a bench"),
        ("a ZWX woman", "a ZWX woman"),  # a text encoder reads lower case
        ("women on a bench", "zwx woman, women on a bench"),  # another word
        ("zwxy in the rain", "zwx woman, zwxy in the rain"),
    ],
)
def test_a_missing_trigger_word_is_put_in(before, after):
    assert with_trigger(before, "zwx", "woman") == after


def test_without_a_trigger_word_nothing_is_put_in():
    assert with_trigger("a woman", "", "woman") == "a woman"


def test_words_with_signs_in_them_are_taken_literally():
    assert with_trigger("a (cat)", "s.k+s", "(cat)") == "a s.k+s (cat)"
    assert with_trigger("saks cat", "s.ks", "cat") == "saks s.ks cat"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_files_of_any_editor_are_read(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes("Frau im Café".encode(encoding))
    assert read_text(tmp_path / "a.jpg") == "Frau im Café"


def test_no_text_file_is_no_text(tmp_path):
    assert read_text(tmp_path / "a.jpg") is None


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(captions).failed == 0


def test_the_demo_captions_stay_as_they_are(subject):
    for photo in sorted((subject / "train").glob("*.jpg")):
        text = read_text(photo)
        assert caption(photo.name, text) == text.strip()
