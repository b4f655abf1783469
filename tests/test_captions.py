"""Captions from text files, file names and the template, and the trigger word in each."""

import csv
import doctest

import pytest

import trainer.captions
from trainer.captions import caption_as, without_traits
from workbench.dataset import captions, traits
from workbench.dataset.caption_file import caption_of
from workbench.dataset.captions import TEMPLATE, caption_for, read_text, with_trigger, words_of
from workbench.dataset.traits import TraitsError, caption_rows, checked_traits, found_in, suggested_traits


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


def test_the_text_files_of_sd_scripts_are_read(tmp_path):
    (tmp_path / "a.caption").write_text("of sd-scripts", encoding="utf-8")
    assert read_text(tmp_path / "a.jpg") == "of sd-scripts"
    (tmp_path / "a.txt").write_text("of everybody else", encoding="utf-8")
    assert read_text(tmp_path / "a.jpg") == "of everybody else"


def test_no_text_file_is_no_text(tmp_path):
    assert read_text(tmp_path / "a.jpg") is None


def test_the_examples_in_the_docstrings_hold():
    for module in (captions, trainer.captions, traits):
        found = doctest.testmod(module)
        assert found.failed == 0 and found.attempted > 0


def test_the_demo_captions_stay_as_they_are(subject):
    for photo in sorted((subject / "train").glob("*.jpg")):
        text = read_text(photo)
        assert caption(photo.name, text) == text.strip()


# permanent traits


def test_a_caption_in_the_three_ways_of_training_it():
    written = "photo of zwx woman with long wavy red hair, smiling"
    ways = [
        caption_as(mode, written, "zwx", "woman", ["long * red hair"])
        for mode in ("as_written", "traits_left_out", "trigger_only")
    ]
    assert ways == [written, "photo of zwx woman, smiling", "zwx woman"]
    with pytest.raises(ValueError, match="as_written, traits_left_out, trigger_only"):
        caption_as("other", written, "zwx", "woman", [])


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("a zwx woman with red hair and glasses", "a zwx woman with glasses"),
        ("a zwx woman with glasses and red hair, outside", "a zwx woman with glasses, outside"),
        ("a zwx woman with RED  Hair", "a zwx woman"),
        ("zwx woman, red hair, smiling", "zwx woman, smiling"),
        ("red hair, zwx woman", "zwx woman"),
        ("zwx woman with red hair and blue eyes, smiling", "zwx woman, smiling"),
        ("zwx woman with red hair, blue eyes, and freckles", "zwx woman, freckles"),
        ("zwx woman with her red hair in a bun at the beach", "zwx woman in a bun at the beach"),
        ("zwx woman with her red hair. She smiles.", "zwx woman. She smiles."),
        ("zwx woman (with red hair), smiling", "zwx woman, smiling"),
        ("zwx woman with a wig or red hair", "zwx woman with a wig"),
        ("portrait of zwx woman wearing red hair and a hat", "portrait of zwx woman wearing a hat"),
        ("zwx woman with red hair, red hair, red hair", "zwx woman"),
        ("zwx woman with a red hairband", "zwx woman with a red hairband"),  # other words
        ("zwx woman with infra-red hair", "zwx woman with infra-red hair"),
        ("zwx woman , smiling ,", "zwx woman , smiling ,"),  # nothing to leave out: nothing is touched
    ],
)
def test_traits_are_left_out_and_what_is_left_is_tidy(written, left):
    assert without_traits(written, ["red hair", "blue eyes"]) == left


def test_the_longest_phrase_goes_first():
    assert (
        without_traits("zwx woman with long red hair, smiling", ["red hair", "long red hair"]) == "zwx woman, smiling"
    )


def test_a_star_is_one_word_and_not_a_comma():
    phrases = ["long * hair"]
    assert without_traits("zwx woman with long red hair", phrases) == "zwx woman"
    assert without_traits("zwx woman with long dark red hair", phrases) == "zwx woman with long dark red hair"
    assert without_traits("zwx woman, long, hair", phrases) == "zwx woman, long, hair"
    assert without_traits("zwx woman with auburn hair", ["aub* hair"]) == "zwx woman"
    assert without_traits("zwx woman (x.y) [z", ["(x.y)", "[z"]) == "zwx woman"


def test_the_trigger_word_is_never_lost():
    assert caption_as("traits_left_out", "zwx woman with hair", "zwx", "woman", ["zwx woman"]) == "zwx woman, with hair"
    assert caption_as("traits_left_out", "red hair", "zwx", "woman", ["red hair"]) == "zwx woman"


@pytest.mark.parametrize(("phrases", "same"), [(2, 32), (3, 40)])
def test_on_the_demo_subject_the_word_list_gives_the_captions_that_leave_the_hair_out(subject, phrases, same):
    """The other 8 differ in the expression only: smiling with teeth there, smiling in the text files."""
    words = ["long * red hair", "red hair in a bun", "with teeth"][:phrases]
    with (subject / "captions_full.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pairs = [
        (caption_as("traits_left_out", row["caption"], "zwx", "woman", words), read_text(subject / row["file"]).strip())
        for row in rows
    ]
    assert sum(ours == theirs for ours, theirs in pairs) == same
    assert all(ours.replace("smiling with teeth", "smiling") == theirs for ours, theirs in pairs)


def test_what_most_captions_have_in_common_is_suggested(subject):
    with (subject / "captions_full.csv").open(encoding="utf-8") as file:
        full = [row["caption"] for row in csv.DictReader(file)]
    assert suggested_traits(full, "zwx", "woman") == ["long * red hair"]
    assert found_in("long * red hair", full) == 39 and found_in("red hair in a bun", full) == 1
    assert suggested_traits([without_traits(caption, ["long * red hair"]) for caption in full], "zwx", "woman") == []
    dogs = ["zwx dog with floppy ears, red collar", "photo of zwx dog, red collar, floppy ears", "zwx dog, floppy ears"]
    assert suggested_traits(dogs, "zwx", "dog") == ["floppy ears", "red collar"]
    assert suggested_traits([], "zwx", "dog") == suggested_traits(["zwx dog with ears"], "zwx", "dog") == []


def test_a_word_list_is_checked():
    assert checked_traits(["  red   hair ", "Red Hair", "", "blue eyes"], "zwx", "woman") == ["red hair", "blue eyes"]
    for wrong in ("a ZWX", "woman", "* *"):
        with pytest.raises(TraitsError):
            checked_traits([wrong], "zwx", "woman")


def test_the_table_shows_every_caption_in_three_ways():
    rows = caption_rows([{"caption": "zwx woman with red hair"}], "zwx", "woman", ["red hair"])
    assert rows == [
        {
            "as written": "zwx woman with red hair",
            "traits left out": "zwx woman",
            "trigger and class only": "zwx woman",
        }
    ]


@pytest.mark.parametrize(
    ("name", "caption"),
    [("train/1.jpg", "by path"), ("2.jpg", "by name"), ("3.jpg", "without ending"), ("4.jpg", None), ("9.jpg", None)],
)
def test_a_photo_is_found_in_a_caption_file(name, caption):
    listed = {
        "train/1.jpg": "by path",
        "reference/1.jpg": "other",
        "C:/x/2.JPG": "by name",
        "3": "without ending",
        "a/4.jpg": "one",
        "b/4.jpg": "two",
    }
    assert caption_of(listed, name) == caption
