"""Photos in: every kind of file a person may have, and the dataset versions that come of them."""

import csv
import io
import json
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from db import library
from workbench.dataset.photo_file import BrokenPhoto, read_photo
from workbench.dataset.photo_folder import subjects_in, uploaded
from workbench.dataset.photos import (
    PhotosError,
    add_folder,
    add_photos,
    change_photos,
    content_hash,
    edit_caption,
    measure_again,
    set_split,
    set_traits,
    split_again,
    trained_at,
    traits_of,
)
from workbench.dataset.subjects import add_subjects
from workbench.dataset.versions import go_back, versions
from workbench.projects import ProjectError, find_project
from workbench.workspace import Workspace


def saved(image, kind="JPEG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def portrait(subject):
    """A demo photo with another name each time it is asked for."""
    files = sorted((subject / "train").glob("*.jpg"))
    return lambda number=0: Image.open(files[number]).convert("RGB")


def halves(size=(120, 80)):
    """Left half red, right half blue."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1]))
    return image


# 120 x 80 px, left half red, right half blue as stored, with EXIF orientation 1, 3, 6 and 8 and, as phones write
# it, the same rotation as a transformation in the container (irot). Made with pillow-heif 1.8.1 and its encoder
# x265 (pi-heif, which reads here, can't write): image.info["exif"] = ..., image.save(file, "HEIF", quality=60).
HEIC_PHOTOS = Path(__file__).parent / "data" / "heic"
PHONE_PHOTO = HEIC_PHOTOS / "orientation-6.heic"


def colour(image, x, y):
    """The strongest channel at a place: r, g or b."""
    return "rgb"[int(np.argmax(image.getpixel((x, y))))]


# reading


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF"])
def test_the_usual_formats_are_read(kind, tmp_path):
    data = saved(halves(), kind)
    (tmp_path / "photo.bin").write_bytes(data)
    for source in (data, tmp_path / "photo.bin"):
        photo = read_photo(source)
        assert photo.mode == "RGB" and photo.size == (120, 80)
        assert colour(photo, 10, 40) == "r" and colour(photo, 110, 40) == "b"


@pytest.mark.parametrize(
    ("orientation", "red_at", "size"),
    [
        (1, (10, 40), (120, 80)),
        (3, (110, 40), (120, 80)),
        (6, (40, 10), (80, 120)),
        (8, (40, 110), (80, 120)),
    ],
)
def test_photos_stand_upright(orientation, red_at, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = read_photo(saved(halves(), exif=exif))
    assert photo.size == size and colour(photo, *red_at) == "r"


@pytest.mark.parametrize(("orientation", "size"), [(1, (120, 80)), (3, (120, 80)), (6, (80, 120)), (8, (80, 120))])
def test_photos_of_phones_stand_upright_once(orientation, size):
    photo = read_photo(HEIC_PHOTOS / f"orientation-{orientation}.heic")
    first, last = ("r", "b") if orientation in (1, 6) else ("b", "r")
    assert photo.mode == "RGB" and photo.size == size and photo.info == {}
    assert (colour(photo, 10, 10), colour(photo, size[0] - 10, size[1] - 10)) == (first, last)


@pytest.mark.parametrize(("orientation", "size"), [(1, (120, 80)), (6, (80, 120))])
def test_avif_stands_upright_once(orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = read_photo(saved(halves(), "AVIF", exif=exif.tobytes()))
    assert photo.size == size and (colour(photo, 10, 10), colour(photo, size[0] - 10, size[1] - 10)) == ("r", "b")


def test_a_broken_exif_block_does_not_stop_a_photo():
    data = saved(halves(), exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff rubbish")
    assert read_photo(data).size == (120, 80)


def test_what_the_camera_wrote_about_itself_is_not_kept():
    exif = Image.Exif()
    exif[0x010F] = "Camera 123"
    assert read_photo(saved(halves(), exif=exif)).info == {}


def test_transparency_becomes_white():
    image = Image.new("RGBA", (80, 80), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 40, 80))
    photo = read_photo(saved(image, "PNG"))
    assert photo.getpixel((60, 40)) == (255, 255, 255) and photo.getpixel((20, 40)) == (0, 0, 255)


def test_a_palette_with_transparency_becomes_white():
    image = Image.new("P", (80, 80), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (0, 0, 40, 80))
    photo = read_photo(saved(image, "PNG", transparency=0))
    assert photo.getpixel((60, 40)) == (255, 255, 255) and photo.getpixel((20, 40)) == (0, 0, 255)


def test_print_colours_are_converted():
    photo = read_photo(saved(halves().convert("CMYK")))
    assert photo.mode == "RGB" and colour(photo, 10, 40) == "r" and colour(photo, 110, 40) == "b"


def test_sixteen_bits_are_scaled_not_clipped():
    levels = np.linspace(0, 65535, 80).astype(np.uint16)
    photo = read_photo(saved(Image.fromarray(np.tile(levels, (80, 1))), "PNG"))
    row = np.asarray(photo)[40, :, 0].astype(int)
    assert row[0] == 0 and row[-1] == 255 and np.abs(row - levels / 257).max() <= 0.5


def test_a_colour_profile_is_applied():
    flat = Image.new("RGB", (80, 80), (200, 100, 50))
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert read_photo(saved(flat, "PNG", icc_profile=lab)).getpixel((5, 5)) == pytest.approx((200, 100, 50), abs=2)
    assert read_photo(saved(flat, "PNG", icc_profile=b"rubbish")).getpixel((5, 5)) == (200, 100, 50)


def noise(size):
    """A picture that no format makes small."""
    levels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(levels)


def moving(kind):
    frames = [Image.new("RGB", (80, 80), c) for c in ("red", "green", "blue")]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


HEIC = struct.pack(">I", 24) + b"ftypheic" + b"\0\0\0\0mif1heic" + b"\0" * 200
AVIF = struct.pack(">I", 24) + b"ftypavif" + b"\0\0\0\0mif1avif" + b"\0" * 200


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"no picture at all", "isn't a picture"),
        (HEIC, "damaged or unusual HEIC file: .* convert it to JPEG or PNG"),
        (AVIF, "damaged or unusual AVIF file"),
        (moving("AVIF"), "is an animation"),
        (PHONE_PHOTO.read_bytes()[:-20], "damaged or unusual HEIC file"),
        (moving("GIF"), "is a GIF"),
        (moving("WEBP"), "is an animation"),
        (moving("PNG"), "is an animation"),
        (saved(noise((400, 300)))[:-4000], "damaged or cut short"),
        (saved(noise((400, 300)), "PNG")[:-2000], "damaged or cut short"),
        (saved(halves((400, 300)))[:30], "(isn't a picture|damaged or cut short)"),
        (saved(halves((60, 300))), "is only 60 x 300 px"),
        (saved(Image.new("F", (80, 80)), "TIFF"), "32-bit float"),
    ],
)
def test_what_can_not_be_used_is_named_with_the_reason(data, why):
    with pytest.raises(BrokenPhoto, match=why) as error:
        read_photo(data, "holiday.jpg")
    assert error.value.name == "holiday.jpg" and str(error.value).startswith("holiday.jpg ")


def test_a_picture_that_would_fill_the_memory_is_refused_before_it_is_decoded():
    header = b"IHDR" + struct.pack(">II5B", 20_000, 20_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
        + struct.pack(">I", 99)
        + b"IDAT"
        + b"\0" * 99
    )
    with pytest.raises(BrokenPhoto, match="megapixels"):
        read_photo(bomb, "bomb.png")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BrokenPhoto, match=r"^gone\.jpg can't be opened"):
        read_photo(tmp_path / "gone.jpg")


def test_further_pictures_in_a_phones_file_are_left_out():
    data = saved(halves(), "MPO", save_all=True, append_images=[Image.new("RGB", (60, 40), "green")])
    assert read_photo(data).size == (120, 80)


# importing


@pytest.fixture
def ws(tmp_path):
    return Workspace(tmp_path / "home with é")


@pytest.fixture
def project(ws):
    """A project of the demo subject, without photos."""
    return library.add_project(
        ws.open(),
        name="demo",
        trigger_word="zwx",
        class_noun="woman",
        base_model="embedded",
        face_judge="embedded",
        clip_judge="embedded",
    )


def photos(ws, project):
    db = ws.open()
    return library.photos(db, library.project(db, project)["dataset_id"])


def test_the_demo_folder_keeps_its_split_and_its_captions(ws, project, subject):
    done = add_folder(ws, project, subject)
    rows = photos(ws, project)
    assert done.added == 40 and done.skipped == [] and done.warnings == []
    assert [row["side"] for row in rows].count("reference") == 10
    assert {row["name"] for row in rows if row["side"] == "reference"} == {f"reference/{i:02d}.jpg" for i in range(10)}
    assert all(row["face_px"] > 120 and row["crop"] == "none" for row in rows)
    first = rows[0]
    assert first["name"] == "train/00.jpg"
    assert first["caption"] == (subject / "train" / "00.txt").read_text(encoding="utf-8").strip()
    with Image.open(ws.path(first["file"])) as kept, Image.open(subject / "train" / "00.jpg") as given:
        assert kept.format == "PNG" and np.array_equal(np.asarray(kept), np.asarray(given.convert("RGB")))


def test_the_same_photos_again_are_the_same_dataset(ws, project, subject):
    first = add_folder(ws, project, subject)
    before = sorted(path.stat().st_mtime_ns for path in (ws.home / "photos").iterdir())
    again = add_folder(ws, project, subject)
    assert again.dataset_id == first.dataset_id and again.added == 0
    assert again.skipped[0] == ("train/00.jpg", "is the same picture as train/00.jpg.")
    assert sorted(path.stat().st_mtime_ns for path in (ws.home / "photos").iterdir()) == before
    assert len(library.datasets(ws.open(), project)) == 1


def test_photos_are_split_before_any_training_and_stay_where_they_are(ws, project, portrait):
    sources = [(f"{i:02d}.jpg", saved(portrait(i), "PNG"), "photo of zwx woman") for i in range(20)]
    add_photos(ws, project, sources[:16])
    before = {row["sha256"]: row["side"] for row in photos(ws, project)}
    assert list(before.values()).count("reference") == 4
    done = add_photos(ws, project, sources)
    after = {row["sha256"]: row["side"] for row in photos(ws, project)}
    assert done.added == 4 and len(after) == 20 and list(after.values()).count("reference") == 5
    assert all(after[sha] == side for sha, side in before.items())
    assert [d["version"] for d in library.datasets(ws.open(), project)] == [1, 2]


def test_near_duplicates_land_on_one_side_and_are_told(ws, project, portrait):
    shots = [(f"{i}.jpg", saved(portrait(i)), None) for i in range(8)]
    burst = [(f"burst {q}.jpg", saved(portrait(20), quality=q), None) for q in (40, 60, 80)]
    done = add_photos(ws, project, shots + burst)
    grouped = [row for row in photos(ws, project) if row["duplicate_group"] is not None]
    assert [row["name"] for row in grouped] == ["burst 40.jpg", "burst 60.jpg", "burst 80.jpg"]
    assert len({row["side"] for row in grouped}) == len({row["duplicate_group"] for row in grouped}) == 1
    assert any("Nearly alike" in warning and "burst 40.jpg" in warning for warning in done.warnings)


def test_a_chosen_split_across_near_duplicates_is_kept_and_warned_about(ws, project, portrait):
    pair = [("a.jpg", saved(portrait(1), quality=90), None), ("b.jpg", saved(portrait(1), quality=50), None)]
    done = add_photos(ws, project, pair, split={"a.jpg": "train", "b.jpg": "reference"})
    assert [row["side"] for row in photos(ws, project)] == ["train", "reference"]
    assert any("On both sides" in warning for warning in done.warnings)


def test_broken_photos_are_skipped_by_name_and_the_rest_come_in(ws, project, portrait):
    good = saved(portrait(0))
    done = add_photos(
        ws,
        project,
        [
            ("good.jpg", good, None),
            ("empty.jpg", b"", None),
            ("iphone.heic", HEIC, None),
            ("same.jpg", good, None),
        ],
    )
    assert done.added == 1
    assert [name for name, _ in done.skipped] == ["empty.jpg", "iphone.heic", "same.jpg"]
    assert "damaged or unusual HEIC" in dict(done.skipped)["iphone.heic"]
    assert dict(done.skipped)["same.jpg"] == "is the same picture as good.jpg."


def test_when_nothing_can_be_used_nothing_is_stored(ws, project):
    with pytest.raises(PhotosError, match=r"empty\.jpg is empty"):
        add_photos(ws, project, [("empty.jpg", b"", None)])
    assert library.datasets(ws.open(), project) == []


def test_wide_photos_are_cut_around_the_face_and_scaled(ws, project, portrait):
    wide = Image.new("RGB", (900, 256), (90, 120, 90))
    wide.paste(portrait(3), (640, 0))
    add_photos(ws, project, [("wide.jpg", saved(wide, quality=95), None)], size=128)
    (row,) = photos(ws, project)
    assert (row["crop"], row["width"], row["height"]) == ("face", 900, 256)
    with Image.open(ws.path(row["file"])) as square:
        assert square.size == (128, 128)
    assert 60 < row["face_px"] < 110  # about 150 px in the photo, at half the size; found on 36 px of height
    assert row["caption"] == "zwx woman, wide"


def test_photos_without_a_face_are_told_and_are_no_references(ws, project, portrait):
    sources = [(f"{i}.jpg", saved(portrait(i)), None) for i in range(8)]
    done = add_photos(ws, project, [*sources, ("wall.png", saved(noise((256, 256)), "PNG"), None)])
    (wall,) = [row for row in photos(ws, project) if row["name"] == "wall.png"]
    assert wall["face_px"] is None and wall["side"] == "train"
    assert any("No face" in warning and "wall.png" in warning for warning in done.warnings)


def test_without_a_face_judge_no_face_is_missed(ws, project, portrait):
    library.update_project(ws.open(), project, face_judge="none")
    done = add_photos(ws, project, [(f"{i}.jpg", saved(noise((100 + i, 100))), None) for i in range(8)])
    assert done.added == 8 and not any("face" in warning for warning in done.warnings)
    assert [row["side"] for row in photos(ws, project)].count("reference") == 2


def test_an_absent_judge_is_told_and_the_import_goes_on(ws, project, portrait, monkeypatch, tmp_path):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    library.update_project(ws.open(), project, face_judge="buffalo_l")
    done = add_photos(ws, project, [("a.jpg", saved(portrait(0)), None)])
    assert done.added == 1 and "doctor --download buffalo_l" in done.warnings[0]
    assert done.told == done.warnings[:1]


def test_few_photos_are_warned_about(ws, project, portrait):
    done = add_photos(ws, project, [(f"{i}.jpg", saved(portrait(i)), None) for i in range(4)])
    assert done.warnings[0].startswith("Photos: 4, held out as reference: 1.")


def test_progress_is_told_photo_by_photo(ws, project, portrait):
    seen = []
    sources = [(f"{i}.jpg", saved(portrait(i)), None) for i in range(3)]
    add_photos(ws, project, sources, on_progress=lambda *what: seen.append(what))
    assert seen == [(0, 3, "0.jpg"), (1, 3, "1.jpg"), (2, 3, "2.jpg")]


def test_a_folder_is_read_in_counting_order_with_its_captions(ws, project, portrait, tmp_path):
    folder = tmp_path / "my photos"
    folder.mkdir()
    for i in (10, 2, 1):
        portrait(i).save(folder / f"{i}.PNG")
    (folder / "2.txt").write_text("a woman in a red shirt", encoding="utf-8")
    (folder / "._1.png").write_bytes(b"what macOS leaves behind")
    (folder / "notes.csv").write_text("x", encoding="utf-8")  # not called as caption files are
    shutil.copy(folder / "2.txt", folder / "10.txt")
    done = add_folder(ws, project, folder)
    assert [row["name"] for row in photos(ws, project)] == ["1.PNG", "2.PNG", "10.PNG"]
    captions = ["photo of zwx woman", "a zwx woman in a red shirt", "a zwx woman in a red shirt"]
    assert [row["caption"] for row in photos(ws, project)] == captions
    assert done.skipped == []


def test_a_folder_without_pictures_or_without_being_there_says_so(ws, project, tmp_path):
    with pytest.raises(PhotosError, match="no pictures"):
        add_folder(ws, project, tmp_path)
    with pytest.raises(PhotosError, match="There is no folder"):
        add_folder(ws, project, tmp_path / "nowhere")


def test_a_crash_before_the_rows_leaves_nothing_half_done(ws, project, portrait, monkeypatch):
    """The rows come last, in one transaction; pictures that lie there already are used the next time."""
    sources = [(f"{i}.jpg", saved(portrait(i)), None) for i in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr(library, "add_dataset", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            add_photos(ws, project, sources)
    assert library.datasets(ws.open(), project) == []
    assert len(list((ws.home / "photos").glob("*.png"))) == 3 and not list((ws.home / "photos").glob("*.part"))
    assert add_photos(ws, project, sources).added == 3


def test_a_photo_whose_file_is_gone_is_named_and_comes_back_when_it_is_added_again(ws, project, portrait):
    sources = [(f"{i}.jpg", saved(portrait(i)), None) for i in range(5)]
    add_photos(ws, project, sources[:4])
    before = photos(ws, project)
    gone, damaged = (ws.path(before[i]["file"]) for i in (1, 2))
    gone.unlink()
    damaged.write_bytes(b"half")
    with pytest.raises(PhotosError, match=r"Nothing was added: of 2 photos .*: 1.jpg, 2.jpg. Add the same again"):
        add_photos(ws, project, sources[4:])
    assert photos(ws, project) == before
    assert add_photos(ws, project, sources[1:]).added == 1
    assert gone.is_file() and [row["name"] for row in photos(ws, project)] == [name for name, _, _ in sources]


def test_a_photo_whose_file_is_gone_can_be_removed_or_put_on_a_side_and_then_others_come_in(ws, project, portrait):
    sources = [(f"{i}.jpg", saved(portrait(i)), None) for i in range(5)]
    add_photos(ws, project, sources[:4])
    lost = photos(ws, project)[0]
    ws.path(lost["file"]).unlink()
    set_split(ws, {lost["id"]: "train"})
    split_again(ws, project, 1)
    change_photos(ws, remove=[lost["id"]])
    assert add_photos(ws, project, sources[4:]).added == 1
    assert [row["name"] for row in photos(ws, project)] == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]


# changing


@pytest.fixture
def ten(ws, project, portrait):
    add_photos(ws, project, [(f"{i}.jpg", saved(portrait(i)), None) for i in range(10)])
    return photos(ws, project)


def test_a_new_caption_makes_a_new_version_and_the_old_one_stays(ws, project, ten):
    old = ten[0]["dataset_id"]
    new = edit_caption(ws, ten[0]["id"], " zwx woman,\n smiling ")
    assert new != old
    assert photos(ws, project)[0]["caption"] == "zwx woman, smiling"
    assert library.photos(ws.open(), old)[0]["caption"] == ten[0]["caption"] == "photo of zwx woman"
    assert [row["file"] for row in photos(ws, project)] == [row["file"] for row in ten]


def test_changing_back_is_the_old_version_again(ws, project, ten):
    edit_caption(ws, ten[0]["id"], "zwx woman, smiling")
    assert edit_caption(ws, ten[0]["id"], ten[0]["caption"]) == ten[0]["dataset_id"]
    assert len(library.datasets(ws.open(), project)) == 2


def test_a_page_that_was_open_meanwhile_changes_the_current_version(ws, project, ten):
    edit_caption(ws, ten[0]["id"], "zwx woman, smiling")
    edit_caption(ws, ten[1]["id"], "zwx woman, laughing")  # an id of the first version
    assert [row["caption"] for row in photos(ws, project)][:2] == [
        "zwx woman, smiling",
        "zwx woman, laughing",
    ]


def test_photos_change_sides_and_go(ws, project, ten):
    train = [row for row in ten if row["side"] == "train"]
    set_split(ws, {train[0]["id"]: "reference"})
    assert [row["side"] for row in photos(ws, project)].count("reference") == 3
    change_photos(ws, remove=[train[1]["id"]])
    assert train[1]["sha256"] not in {row["sha256"] for row in photos(ws, project)}
    assert len(photos(ws, project)) == 9


def test_changes_that_make_no_sense_are_refused(ws, project, ten):
    with pytest.raises(PhotosError, match="can't be empty"):
        edit_caption(ws, ten[0]["id"], "  ")
    with pytest.raises(PhotosError, match="'train' or 'reference'"):
        set_split(ws, {ten[0]["id"]: "test"})
    with pytest.raises(PhotosError, match="no photo 999"):
        edit_caption(ws, 999, "x")
    with pytest.raises(PhotosError, match="left to train on"):
        set_split(ws, {row["id"]: "reference" for row in ten})
    assert len(library.datasets(ws.open(), project)) == 1


# caption files


def test_a_caption_file_goes_before_the_text_files(ws, project, subject):
    done = add_folder(ws, project, subject, captions=subject / "captions_full.csv")
    with (subject / "captions_full.csv").open(encoding="utf-8") as file:
        written = {row["file"]: row["caption"] for row in csv.DictReader(file)}
    assert done.added == 40 and done.warnings == []
    assert {row["name"]: row["caption"] for row in photos(ws, project)} == written


@pytest.fixture
def two(tmp_path, portrait):
    """A folder with two photos, 1.png and 2.png."""
    folder = tmp_path / "two"
    folder.mkdir()
    for i in (1, 2):
        portrait(i).save(folder / f"{i}.png")
    return folder


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("captions.csv", "file,caption\n1.png,zwx woman one\n2.png,zwx woman two\n"),
        ("captions.csv", "File;Caption\r\n1.png;zwx woman one\r\n2.png;zwx woman two\r\n"),
        ("metadata.csv", "file_name,text\n1.png,zwx woman one\n2.png,zwx woman two\n"),
        (
            "metadata.jsonl",
            '{"file_name": "1.png", "text": "zwx woman one"}\n\n{"file_name": "2.png", "text": "zwx woman two"}\n',
        ),
        (
            "meta_cap.json",
            '{"C:\\\\photos\\\\1": {"caption": "zwx woman one"}, "/x/2.png": {"caption": "zwx woman two"}}',
        ),
    ],
)
def test_caption_files_as_other_programs_have_them_are_found_in_the_folder(ws, project, two, name, text):
    (two / name).write_text(text, encoding="utf-8")
    add_folder(ws, project, two)
    assert [row["caption"] for row in photos(ws, project)] == ["zwx woman one", "zwx woman two"]


def test_text_files_beside_the_photos_go_before_the_folders_own_caption_file(ws, project, two):
    (two / "captions.csv").write_text("file,caption\n1.png,zwx woman one\n2.png,zwx woman two\n", encoding="utf-8")
    (two / "1.caption").write_text("zwx woman of sd-scripts", encoding="utf-8")
    add_folder(ws, project, two)
    assert [row["caption"] for row in photos(ws, project)] == ["zwx woman of sd-scripts", "zwx woman two"]


def test_a_caption_file_that_names_only_some_photos_says_so(ws, project, two):
    (two / "mine.csv").write_text("file,caption\n1.png,zwx woman one\n", encoding="utf-8")
    done = add_folder(ws, project, two, captions=two / "mine.csv")
    assert done.warnings[0] == "mine.csv has no caption for 1 photos (2.png)."
    assert done.told == done.warnings[:1]  # no look at the photos afterwards would tell it
    assert [row["caption"] for row in photos(ws, project)] == ["zwx woman one", "photo of zwx woman"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "names no caption"),
        ("picture,words\n1.png,x\n", "columns file, caption"),
        ("file,caption\nother.png,x\n", "names none of the photos"),
    ],
)
def test_a_caption_file_of_no_use_is_refused(ws, project, two, text, why):
    (two / "mine.csv").write_text(text, encoding="utf-8")
    with pytest.raises(PhotosError, match=why):
        add_folder(ws, project, two, captions=two / "mine.csv")
    with pytest.raises(PhotosError, match="can't be opened"):
        add_folder(ws, project, two, captions=two / "nowhere.csv")


def test_an_upload_brings_its_captions_along(ws, project, portrait):
    files = [
        ("1.jpg", saved(portrait(1))),
        ("1.TXT", "Frau im Café".encode("cp1252")),
        ("2.jpg", saved(portrait(2))),
        ("3.heic", PHONE_PHOTO.read_bytes()),
        ("all.csv", b"file,caption\n2.jpg,zwx woman two\n1.jpg,not this\n"),
    ]
    sources = uploaded(files)
    assert [(name, text) for name, _, text in sources] == [
        ("1.jpg", "Frau im Café"),
        ("2.jpg", "zwx woman two"),
        ("3.heic", None),
    ]
    assert add_photos(ws, project, sources).added == 3


# traits


def test_a_word_list_is_a_version_of_its_own_and_stays_with_later_ones(ws, project, ten):
    first = ten[0]["dataset_id"]
    second = set_traits(ws, project, [" long  red hair ", "Long red hair", "", "freckles"])
    db = ws.open()
    assert second != first and traits_of(library.dataset(db, second)) == ["long red hair", "freckles"]
    assert traits_of(library.dataset(db, first)) == []
    third = change_photos(ws, remove=[ten[0]["id"]])
    assert traits_of(library.dataset(db, third)) == ["long red hair", "freckles"]
    assert set_traits(ws, project, ["freckles"]) not in (first, second, third)
    with pytest.raises(PhotosError, match="trigger word"):
        set_traits(ws, project, ["zwx with hair"])


def test_the_hash_of_a_version_without_traits_is_what_it_was(ten):
    words = {"trigger_word": "zwx", "class_noun": "woman"}
    row = {"sha256": "ab", "caption": "zwx woman", "side": "train"}
    # sha256 of [{"class_noun": "woman", "trigger_word": "zwx"}, [["ab", "zwx woman", "train"]]] as JSON
    assert content_hash([row], words) == "01eae5bc46f6a52589617c313b2a5f60e3c09019dc59009a0718d8d774fa6379"
    assert content_hash([row], words, ["hair"]) != content_hash([row], words)
    assert content_hash([row], words, ["a", "b"]) == content_hash([row], words, ["b", "a"])


def test_a_project_without_photos_has_no_word_list(ws, project):
    with pytest.raises(PhotosError, match="no photos yet"):
        set_traits(ws, project, ["hair"])


# splitting again, versions


def test_another_split_keeps_near_duplicates_together_and_the_old_version(ws, project, portrait):
    shots = [(f"{i}.jpg", saved(portrait(i)), None) for i in range(12)]
    burst = [(f"burst {q}.jpg", saved(portrait(20), quality=q), None) for q in (40, 60, 80)]
    first = add_photos(ws, project, shots + burst).dataset_id
    seen = set()
    for seed in range(1, 6):
        split_again(ws, project, seed)
        rows = photos(ws, project)
        sides = {row["name"]: row["side"] for row in rows}
        assert len({sides[f"burst {q}.jpg"] for q in (40, 60, 80)}) == 1
        assert list(sides.values()).count("reference") == 4
        seen.add(tuple(sides.values()))
    assert len(seen) > 1
    assert split_again(ws, project, 0) == first  # the automatic split is the one with seed 0


def test_versions_say_what_changed_and_one_can_go_back(ws, project, ten, portrait):
    first = ten[0]["dataset_id"]
    edit_caption(ws, ten[0]["id"], "zwx woman, smiling")
    change_photos(ws, remove=[ten[1]["id"]])
    train = next(row for row in photos(ws, project) if row["side"] == "train")
    set_split(ws, {train["id"]: "reference"})
    set_traits(ws, project, ["red hair"])
    add_photos(ws, project, [("new.jpg", saved(portrait(15)), None)])
    listed = versions(ws.open(), project)
    assert [each.number for each in listed] == [6, 5, 4, 3, 2, 1]
    assert [each.change for each in listed] == [
        "1 added",
        "word list: red hair",
        "1 moved to the other side",
        "1 left out",
        "1 captions changed",
        "first import",
    ]
    assert [each.is_current for each in listed] == [True] + [False] * 5
    assert (listed[-1].train, listed[-1].reference) == (8, 2)
    go_back(ws.open(), first)
    assert [row["sha256"] for row in photos(ws, project)] == [row["sha256"] for row in ten]
    assert versions(ws.open(), project)[-1].is_current and len(versions(ws.open(), project)) == 6
    with pytest.raises(PhotosError, match="no version 999"):
        go_back(ws.open(), 999)


# what is measured


def test_sharpness_and_faces_are_measured_at_import(ws, project, portrait):
    pair = Image.new("RGB", (512, 512), "gray")
    pair.paste(portrait(0), (0, 100))
    pair.paste(portrait(1), (256, 100))
    add_photos(ws, project, [("one.png", saved(portrait(2), "PNG"), None), ("pair.png", saved(pair, "PNG"), None)])
    one, two = photos(ws, project)
    assert 0.1 < one["sharpness"] < 0.4 and one["face_cut"] == 0 and one["faces"] == 1
    assert two["faces"] == 2


def test_photos_of_an_earlier_release_are_measured_when_asked(ws, project, ten):
    db = ws.open()
    db.execute("update photos set sharpness = null, face_cut = null, faces = null where position < 3")
    db.conn.commit()
    assert measure_again(ws, project) == 3
    for before, after in zip(ten, photos(ws, project), strict=True):
        assert after["sharpness"] == pytest.approx(before["sharpness"])
        assert (after["faces"], after["face_cut"], after["id"]) == (before["faces"], before["face_cut"], before["id"])
    assert measure_again(ws, project) == 0


def test_the_side_at_which_photos_are_trained_follows_the_patterns(ws, project, small_sd):
    db = ws.open()
    row = library.project(db, project)
    assert trained_at(db, row) == 64
    assert trained_at(db, {**row, "base_model": "/nowhere"}) is None
    config = {"base_model": str(small_sd), "resolution": None}
    library.add_label(db, project, library.add_pattern(db, "a", config), "a")
    assert trained_at(db, row) == 64
    library.add_label(db, project, library.add_pattern(db, "b", {**config, "resolution": 96}), "b")
    assert trained_at(db, row) == 96


# several subjects


@pytest.fixture
def people(tmp_path, subject):
    """A folder with two subjects, one of them split already, and a folder without photos."""
    folder = tmp_path / "people"
    for name in ("anna", "ben/train", "ben/reference", "empty"):
        (folder / name).mkdir(parents=True)
    for i in range(4):
        shutil.copy(subject / "train" / f"0{i}.jpg", folder / "anna")
        shutil.copy(subject / "train" / f"1{i}.jpg", folder / "ben" / "train")
    shutil.copy(subject / "reference" / "00.jpg", folder / "ben" / "reference")
    return folder


def test_each_sub_folder_becomes_a_project(ws, people):
    assert [path.name for path in subjects_in(people)] == ["anna", "ben"]
    made = add_subjects(ws, people, "zwx", "woman", prefix="2026")
    assert [(each.name, each.photos.added) for each in made] == [("2026 anna", 4), ("2026 ben", 5)]
    assert [row["side"] for row in photos(ws, made[1].project_id)].count("reference") == 1
    with pytest.raises(ProjectError, match="2026 anna, 2026 ben"):
        add_subjects(ws, people, "zwx", "woman", prefix="2026")
    assert len(library.projects(ws.open())) == 2


def test_a_folder_of_one_subject_holds_no_several(ws, people, subject):
    assert subjects_in(subject) == [] and subjects_in(people / "anna") == []
    with pytest.raises(PhotosError, match="no sub-folders with photos"):
        add_subjects(ws, people / "anna", "zwx", "woman")


def test_the_command_line_imports_lists_splits_and_goes_back(ws, people, subject, capsys):
    from workbench.cli import main

    def run(*words):
        assert main(["--home", str(ws.home), "photos", *map(str, words)]) == 0
        return capsys.readouterr().out

    assert "anna: 4 photos" in run(people, "--each-subfolder", "--class-noun", "woman")
    said = run(subject, "--new", "A", "--class-noun", "woman", "--captions", subject / "captions_full.csv")
    assert "zwx woman with long wavy red hair" in said
    run("--project", "A", "--traits", "long * red hair", "red hair in a bun")
    listed = json.loads(run("--project", "A", "--versions", "--json"))
    assert [row["change"] for row in listed] == ["word list: long * red hair, red hair in a bun", "first import"]
    run("--project", "A", "--split-again", "5")
    run("--project", "A", "--go-back", "1")
    project = find_project(ws.open(), "A")
    assert traits_of(library.dataset(ws.open(), project["dataset_id"])) == []
    assert main(["--home", str(ws.home), "photos", "--project", "A", "--go-back", "9"]) == 1
    assert "There are 1, 2, 3" in capsys.readouterr().err
