"""Judges: found by name, folder or file, never fetched unasked; and what each sees."""

import doctest
import functools
import http.server
import shutil
import socket
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer import EMBEDDED
from workbench.judges import (
    JudgeInfo,
    JudgeUnavailable,
    WrongWorld,
    clip_judge_info,
    download_judge,
    face,
    face_judge_info,
    list_judges,
)
from workbench.judges import download as download_module
from workbench.judges import find as find_module
from workbench.judges.clip import ClipJudge
from workbench.judges.download import download_source, unpack_pack
from workbench.judges.face import FaceJudge, cover
from workbench.judges.find import CLIP_LICENCES, fitting
from workbench.judges.published import published, source_of
from workbench.judges.world import check_world, restored_db, spread

SUBJECTS = EMBEDDED / "subjects"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home folder: no packs, and none of the person's own."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.fixture
def offline(monkeypatch):
    """Any attempt to connect fails the test."""

    def refuse(*_args):
        raise AssertionError("something tried to use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def why(find, spec):
    """The code of the reason why a judge can't be used, after a look at its sentence."""
    with pytest.raises(JudgeUnavailable) as error:
        find(spec)
    assert "{" not in str(error.value) and str(error.value).endswith(".")
    return error.value.code


def photo(name="subject_a/train/00.jpg"):
    return np.asarray(Image.open(SUBJECTS / name).convert("RGB"))


# finding


def test_none_is_no_judge():
    assert face_judge_info("none") is None and clip_judge_info("none") is None


@pytest.mark.parametrize("find", [face_judge_info, clip_judge_info])
def test_the_embedded_judges_say_what_they_are_valid_for(find):
    info = find("embedded")
    assert info.name == "embedded" and info.licence == "Apache-2.0" and "synthetic" in info.world
    assert JudgeInfo.from_dict(info.to_dict()) == info == find("embedded")


def test_other_weights_are_another_judge(tmp_path):
    folder = shutil.copytree(EMBEDDED / "faces", tmp_path / "my pack é")
    same = face_judge_info(str(folder))
    with (folder / "rec_mini.onnx").open("ab") as file:
        file.write(b"\0")
    other = face_judge_info(str(folder))
    assert same.name == other.name == "my pack é" and same.key != other.key
    assert same.key.rpartition("/")[2] == face_judge_info("embedded").key.rpartition("/")[2]  # the same files


def test_a_pack_that_is_not_there_is_named_with_the_command_and_nothing_is_fetched(home, offline):
    assert why(face_judge_info, "buffalo_l") == "face_pack_absent"
    with pytest.raises(JudgeUnavailable, match="doctor --download buffalo_l"):
        face_judge_info("buffalo_l")
    assert not (home / ".insightface").exists()


def test_a_pack_in_the_working_folder_is_not_taken_for_the_named_one(home, monkeypatch):
    shutil.copytree(EMBEDDED / "faces", home / "buffalo_l")
    monkeypatch.chdir(home)
    assert why(face_judge_info, "buffalo_l") == "face_pack_absent"
    assert face_judge_info("./buffalo_l").licence != "non-commercial research only"


def test_a_pack_of_insightface_is_for_research_only(home):
    shutil.copytree(EMBEDDED / "faces", home / ".insightface" / "models" / "buffalo_l")
    info = face_judge_info("buffalo_l")
    assert info.licence == "non-commercial research only" and info.world == "photos of real people"
    assert [j.name for j in list_judges() if j.kind == "face" and j.name != "dlib"] == ["embedded", "buffalo_l"]
    assert (fitting("face", synthetic=True), fitting("face", synthetic=False)) == ("embedded", "buffalo_l")


def test_a_folder_that_is_no_pack_is_refused(tmp_path):
    assert why(face_judge_info, str(tmp_path / "nothing")) == "face_folder_missing"
    shutil.copy(EMBEDDED / "faces" / "det_mini.onnx", tmp_path)
    assert why(face_judge_info, str(tmp_path)) == "face_pack_incomplete"


@pytest.mark.parametrize("doubled", ["det_mini.onnx", "rec_mini.onnx"])
def test_a_pack_without_a_detector_or_a_recogniser_is_refused_when_it_is_loaded(tmp_path, doubled, offline):
    for name in ("a.onnx", "b.onnx"):
        shutil.copy(EMBEDDED / "faces" / doubled, tmp_path / name)
    assert why(FaceJudge, face_judge_info(str(tmp_path))) == "face_pack_incomplete"


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ("ViT-B-32", "clip_unknown"),
        ("ViT-B-32/no_such_tag", "clip_unknown"),
        ("ViT-B-32/model.pt", "clip_is_pickle"),
        ("ViT-B-32/model.bin", "clip_is_pickle"),
        ("ViT-B-32/nowhere/model.safetensors", "clip_file_missing"),
    ],
)
def test_a_clip_judge_that_is_none_is_told_why(spec, code, offline):
    assert why(clip_judge_info, spec) == code


@pytest.mark.parametrize("spec", ["ViT-B-32/laion2b_s34b_b79k", "ViT-B-32/openai", "ViT-L-14-quickgelu/openai"])
def test_clip_weights_count_as_present_once_they_are_in_the_hubs_cache(spec, tmp_path, monkeypatch, offline):
    repository, name = source_of(spec)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert why(clip_judge_info, spec) == "clip_weights_absent"
    cache = tmp_path / f"models--{repository.replace('/', '--')}"
    (cache / "snapshots" / "abc").mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("abc")
    weights = cache / "snapshots" / "abc" / name
    shutil.copy(EMBEDDED / "clip" / "open_clip_model.safetensors", weights)
    info = clip_judge_info(spec)
    assert info.name == spec and Path(info.location) == weights.resolve()
    assert info.licence == CLIP_LICENCES.get(spec, "not stated: see where the weights come from")
    assert why(ClipJudge, info) == "clip_does_not_fit"  # the miniature's weights in the place of a real model's


def test_known_clip_sources_are_those_of_open_clip():
    import open_clip

    configs = {f"{model}/{tag}": open_clip.get_pretrained_cfg(model, tag) for model, tag in open_clip.list_pretrained()}
    theirs = {spec: config["hf_hub"].rpartition("/")[0] for spec, config in configs.items() if config["hf_hub"]}
    assert {spec: (source_of(spec) or ("",))[0] for spec in theirs} == theirs
    assert set(CLIP_LICENCES) <= set(published()) <= set(theirs)


def test_every_judge_on_this_computer_is_listed(home):
    assert {(info.kind, info.name) for info in list_judges()} >= {("face", "embedded"), ("clip", "embedded")}


# downloading, from a server on this computer


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def publisher(tmp_path, monkeypatch, home):
    """A folder that stands in for insightface's release page."""
    folder = tmp_path / "published"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/{{pack}}.zip"
        monkeypatch.setattr(download_module, "PACK_SOURCE", address)
        yield folder
        server.shutdown()


def packed(target: Path, inside: str = "") -> None:
    """The embedded pack as an archive, its files in the folder ``inside``."""
    with zipfile.ZipFile(target, "w") as archive:
        for file in (EMBEDDED / "faces").glob("*.onnx"):
            archive.write(file, f"{inside}{file.name}")


@pytest.mark.parametrize("inside", ["", "buffalo_s/"])
def test_a_pack_is_downloaded_on_command_and_then_works(publisher, home, inside, capfd):
    packed(publisher / "buffalo_s.zip", inside)
    info = download_judge("buffalo_s")
    assert info == face_judge_info("buffalo_s")
    assert len(FaceJudge(info, "cpu").faces(photo())) == 1
    assert capfd.readouterr().out == ""


def test_a_failed_download_leaves_nothing_behind(publisher, home):
    assert why(download_judge, "buffalo_s") == "download_failed"  # the server has no such file
    (publisher / "buffalo_s.zip").write_bytes(b"PK not an archive")
    assert why(download_judge, "buffalo_s") == "download_failed"
    assert list((home / ".insightface" / "models").iterdir()) == []


def test_unpacking_keeps_inside_the_pack(tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../outside.onnx", b"x")
        archive.writestr("run.py", b"x")
    unpack_pack(tmp_path / "evil.zip", tmp_path / "pack")
    assert [file.name for file in (tmp_path / "pack").iterdir()] == ["outside.onnx"]


def test_what_would_be_fetched_is_told_before(offline):
    source, licence = download_source("buffalo_l")
    assert source.startswith("https://github.com/deepinsight/") and licence == "non-commercial research only"
    assert why(download_source, "something") == "download_unknown"


# faces


@pytest.fixture(scope="module")
def judge():
    return FaceJudge(face_judge_info("embedded"), "cpu")


def test_one_face_is_seen_in_every_portrait_though_the_detector_boxes_it_twice(judge):
    files = sorted(SUBJECTS.rglob("*.jpg"))
    portraits = [np.asarray(Image.open(file).resize((64, 64))) for file in files]
    assert [len(faces) for faces in judge.faces_many(portraits)] == [1] * 170
    bgr = [np.ascontiguousarray(portrait[..., ::-1]) for portrait in portraits]
    boxes = [len(judge.detector.detect(portrait)[0]) for portrait in bgr]
    assert np.mean([n > 1 for n in boxes]) > 0.5  # measured: 0.9; at 0 the rule against it could go


def test_a_face_has_a_box_a_size_and_a_unit_vector(judge):
    (found,) = judge.faces(photo())
    left, top, right, bottom = found.box
    assert 0 < left < 128 < right < 256 and 0 < top < 128 < bottom < 256
    assert found.size_px == pytest.approx(((right - left) * (bottom - top)) ** 0.5)
    assert found.embedding.shape == (256,) and np.linalg.norm(found.embedding) == pytest.approx(1, abs=1e-6)
    assert 0.9 < found.score <= 1


def test_two_photos_of_a_person_are_closer_than_two_people(judge):
    names = ("subject_a/train/00.jpg", "subject_a/train/07.jpg", "others/03_0.jpg")
    a, b, c = (judge.faces(photo(name))[0].embedding for name in names)
    assert a @ b > a @ c + 0.3 and a @ b > b @ c + 0.3


def test_many_pictures_of_any_size_give_the_faces_of_each_one(judge):
    pictures = [
        photo(),
        photo("others/00_0.jpg")[:200, 20:],
        np.zeros((64, 64, 3), np.uint8),
        photo()[::2, ::2],
    ]
    many = judge.faces_many(pictures)
    assert [len(faces) for faces in many] == [1, 1, 0, 1]
    for faces, picture in zip(many, pictures, strict=True):
        for a, b in zip(faces, judge.faces(picture), strict=True):
            assert a.box == b.box and np.array_equal(a.embedding, b.embedding)


def test_two_people_side_by_side_are_two_faces(judge):
    pair = np.concatenate([photo()[:, 20:236], photo("others/03_0.jpg")[:, 20:236]], axis=1)
    assert len(judge.faces(pair)) == 2


def test_what_is_no_rgb_picture_is_refused(judge):
    with pytest.raises(ValueError, match="height x width x 3"):
        judge.faces(np.zeros((64, 64), np.uint8))
    with pytest.raises(ValueError, match="float64"):
        judge.faces(np.zeros((64, 64, 3)))


def test_the_share_of_the_smaller_box():
    assert cover((0, 0, 10, 10), (5, 5, 10, 10)) == 1
    assert cover((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(0.5)
    assert cover((0, 0, 10, 10), (20, 0, 30, 10)) == 0
    assert doctest.testmod(face).failed == 0


# dlib


@pytest.fixture(scope="module")
def dlib_judge():
    """dlib and its weights are an extra."""
    pytest.importorskip("dlib")
    from workbench.judges.dlib_face import DlibJudge

    try:
        return DlibJudge(face_judge_info("dlib"))
    except JudgeUnavailable as error:
        pytest.skip(str(error))


def test_dlib_without_its_weights_is_told_how_to_get_them(monkeypatch):
    monkeypatch.setattr(find_module.importlib.util, "find_spec", lambda _: None)
    assert why(face_judge_info, "dlib") == "dlib_missing"
    with pytest.raises(JudgeUnavailable, match=r"requirements-dlib\.txt"):
        face_judge_info("dlib")
    assert "dlib" not in [info.name for info in list_judges()]


def test_dlib_says_what_it_is_and_loads_two_files_only(dlib_judge):
    info = dlib_judge.info
    assert info.name == "dlib" and info.world == "photos of real people"
    assert "CC0" in info.licence and "Boost" in info.licence
    assert not any("68" in name for name in find_module.DLIB_FILES)  # its training set excludes commercial use
    assert info in list_judges()


def test_dlib_finds_the_same_faces_in_small_and_large_pictures_and_tells_people_apart(dlib_judge):
    names = ("subject_a/train/00.jpg", "subject_a/train/07.jpg", "others/03_0.jpg")
    for side in (64, 128, 256, 512):
        pictures = [np.asarray(Image.fromarray(photo(name)).resize((side, side))) for name in names]
        many = dlib_judge.faces_many(pictures)
        assert [len(faces) for faces in many] == [1, 1, 1], side
        a, b, c = (faces[0].embedding for faces in many)
        assert a.shape == (128,) and np.linalg.norm(a) == pytest.approx(1, abs=1e-6)
        assert a @ b > a @ c and a @ b > b @ c
        alone = [dlib_judge.faces(picture)[0].embedding for picture in pictures]
        assert np.allclose(alone, [a, b, c], atol=1e-5)
        assert 0.3 < many[0][0].size_px / side < 0.8


def test_dlib_finds_nobody_where_nobody_is_and_everybody_among_real_people(dlib_judge):
    assert dlib_judge.faces_many([np.zeros((64, 64, 3), np.uint8)]) == [[]]
    assert [len(faces) for faces in dlib_judge.faces_many([real_photo("t1.jpg")])] == [6]


def real_photo(name):
    """A photo of real people, as insightface brings it along."""
    import insightface

    return np.asarray(Image.open(Path(insightface.__file__).parent / "data" / "images" / name).convert("RGB"))


# worlds


def test_the_shipped_people_are_of_the_embedded_judges_world():
    for folder in ("subject_a/train", "subject_a/reference", "others", "blends"):
        files = sorted((SUBJECTS / folder).glob("*.jpg"))
        check_world("face", [photo(file) for file in files], "these photos")
    by_person = [[photo(f"others/{who:02d}_{view}.jpg") for view in range(4)] for who in range(20)]
    for photos in by_person:
        check_world("clip", photos, "these photos")
    check_world("clip", [], "no photos")


def test_real_people_are_not_and_the_reason_says_what_to_choose():
    from skimage import data

    astronaut = data.astronaut()
    photos = [astronaut, astronaut[:256, 100:356], astronaut[:220, 110:330], real_photo("t1.jpg")]
    with pytest.raises(WrongWorld, match=r"the photos show others.* dB.*buffalo_l"):
        check_world("face", photos, "the photos")
    with pytest.raises(WrongWorld, match="ViT-B-32"):
        check_world("clip", photos, "the photos")


def test_one_odd_photo_decides_nothing():
    mine = [photo(file) for file in sorted((SUBJECTS / "subject_a" / "reference").glob("*.jpg"))]
    check_world("face", [*mine, real_photo("t1.jpg")], "these photos")


def test_what_a_photo_loses_is_measured_in_decibels():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    of_noise, of_photo = restored_db([noise, photo()])
    assert of_noise == pytest.approx(10.8, abs=0.2)  # gray in its place: 10 log10(12), as even noise has span^2 / 12
    assert 27 < of_photo < 37
    assert spread(range(1000))[::63] == [0, 999] and spread(range(3)) == [0, 1, 2] and spread([]) == []


# clip


@pytest.fixture(scope="module")
def clip():
    return ClipJudge(clip_judge_info("embedded"))


@pytest.fixture(scope="module")
def captioned():
    """Pictures and captions of the reference photos, the trigger word left out."""
    folder = SUBJECTS / "subject_a" / "reference"
    files = sorted(folder.glob("*.jpg"))
    texts = [file.with_suffix(".txt").read_text(encoding="utf-8").replace("zwx ", "").strip() for file in files]
    return [np.asarray(Image.open(file)) for file in files], texts


def test_the_right_caption_is_preferred(clip, captioned):
    pictures, texts = captioned
    right = clip.similarity(pictures, texts)
    wrong = [clip.similarity(pictures, texts[k:] + texts[:k]) for k in range(1, len(texts))]
    assert np.mean(right) > np.mean(wrong) + 0.1  # measured on all 40 photos: .33 against .11
    assert clip.similarity(pictures, texts) > clip.similarity(pictures, [t.replace("woman", "man") for t in texts])


@pytest.mark.parametrize("colour", ["black", "blonde", "gray"])
def test_red_hair_is_seen(clip, captioned, colour):
    pictures, texts = captioned
    red, other = ([text.replace("woman", f"woman with {c} hair") for text in texts] for c in ("red", colour))
    pairs = zip(clip.similarity(pictures, red), clip.similarity(pictures, other), strict=True)
    assert all(a > b for a, b in pairs)


def test_a_cosine_is_the_same_alone_and_in_a_batch(clip, captioned):
    pictures, texts = captioned
    many = clip.similarity(pictures * 4, texts * 4)  # more than one batch
    alone = [clip.similarity([picture], [text])[0] for picture, text in zip(pictures, texts, strict=True)]
    assert many == pytest.approx(alone * 4, abs=1e-5)
    assert all(-1 <= cosine <= 1 for cosine in many)


def test_a_picture_is_the_same_unit_vector_alone_in_a_batch_and_in_threads(clip, captioned):
    pictures, texts = captioned
    vectors = clip.images(pictures * 4)
    assert vectors.shape == (40, 128) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    alone = np.concatenate([clip.images([picture]) for picture in pictures])
    assert np.allclose(vectors, np.tile(alone, (4, 1)), atol=1e-5)
    assert clip.images([]).shape == clip.texts([]).shape == (0, 128)
    assert np.array_equal(clip.texts(texts)[::-1], clip.texts(texts[::-1]))


def test_a_prompt_longer_than_the_model_reads_is_no_error(clip):
    assert len(clip.similarity([photo()], ["photo of a woman " * 40])) == 1


def test_a_picture_without_a_prompt_is_an_error(clip):
    with pytest.raises(ValueError, match="2 pictures and 1 prompts"):
        clip.similarity([photo(), photo()], ["a woman"])


def test_weights_by_their_file_give_the_same_cosines(clip, captioned):
    weights = EMBEDDED / "clip" / "open_clip_model.safetensors"
    again = ClipJudge(clip_judge_info(f"portrait-mini/{weights}"))  # the name of the embedded model's config
    assert again.info.name == "portrait-mini/open_clip_model"
    assert again.similarity(*captioned) == clip.similarity(*captioned)


def test_weights_of_another_model_are_refused(clip):
    weights = EMBEDDED / "clip" / "open_clip_model.safetensors"
    assert why(ClipJudge, clip_judge_info(f"NoSuchModel/{weights}")) == "clip_does_not_fit"
    assert why(ClipJudge, clip_judge_info(f"RN50/{weights}")) == "clip_does_not_fit"


def test_models_that_would_fetch_their_words_from_the_hub_are_refused(tmp_path, offline):
    weights = shutil.copy(EMBEDDED / "clip" / "open_clip_model.safetensors", tmp_path / "w.safetensors")
    for model in ("xlm-roberta-base-ViT-B-32", "ViT-B-16-SigLIP"):
        assert why(ClipJudge, clip_judge_info(f"{model}/{weights}")) == "clip_needs_hub"


# manners


def test_loading_and_judging_print_nothing_and_use_no_network(capfd, offline, captioned):
    FaceJudge(face_judge_info("embedded")).faces(photo())
    ClipJudge(clip_judge_info("embedded")).similarity(*captioned)
    assert capfd.readouterr().out == ""


def test_faces_are_judged_and_photos_imported_without_torch():
    script = """
import io, sys, tempfile
from pathlib import Path
from workbench.dataset import photos
from workbench.scores import scoring, likeness
from workbench.judges import list_judges, face_judge_info
from workbench.judges.face import FaceJudge
list_judges()
FaceJudge(face_judge_info("embedded"))
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=EMBEDDED.parent.parent)
    assert done.stdout.strip() == "False", done.stderr
