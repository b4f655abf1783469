"""LoRAs that copy one photo, in the tables and in words: counted by hand from nearest photos that are written down."""

import doctest
import json

import pytest
from filled import fill
from filled_elsewhere import fill_elsewhere
from test_pages import open_app

from db import library
from workbench.findings import copied
from workbench.findings.analysis import checkpoint_table, preview_table, tables
from workbench.pictures.pairs import lora_copies


@pytest.fixture
def filled(tmp_path):
    return fill(tmp_path)


def write(filled, nearest, of="preview_id is not null"):
    """Give every likeness score these nearest train photos, in turn."""
    rows = list(
        filled.db.query(
            "select s.id from scores s join previews p on p.id = s.preview_id "
            f"where s.metric = 'likeness' and s.value is not null and {of} order by p.checkpoint_id, p.prompt, p.seed"
        )
    )
    for place, row in enumerate(rows):
        detail = {"nearest_train": 0.6, "nearest_reference": 0.5, "nearest_train_photo": nearest(place)}
        filled.db.execute("update scores set detail = ? where id = ?", [json.dumps(detail), row["id"]])


def photo_ids(filled):
    return [photo["id"] for photo in library.photos(filled.db, filled.dataset_id, "train")]


def last_of(filled, run=0):
    return f"p.checkpoint_id = (select id from checkpoints where run_id = {filled.run_ids[run]} and is_last)"


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(copied).failed == 0


def test_a_checkpoint_whose_previews_all_go_back_to_one_photo_is_named(filled):
    write(filled, lambda place: place % 6)
    write(filled, lambda place: 4, of=last_of(filled))  # 6 identity previews, and 2 neutral ones that don't count
    table = checkpoint_table(filled.db, filled.project_id)
    named = table[table["copy_verdict"] == "one_photo"]
    assert len(named) == 1 and named["run_id"].item() == filled.run_ids[0] and named["is_last"].item()
    assert named["copy_of"].item() == photo_ids(filled)[4]
    assert (named["copy_by"].item(), named["copy_k"].item(), named["copy_n"].item()) == ("face", 6, 6)
    assert table.loc[table["is_base"], "copy_verdict"].tolist() == [None]
    assert set(table.loc[~table["is_base"], "copy_verdict"]) == {"one_photo", "none"}


def test_a_face_that_is_not_recognisably_the_person_is_no_copy_of_a_photo(filled):
    write(filled, lambda place: place % 6)
    write(filled, lambda place: 4, of=last_of(filled))
    filled.db.execute("update calibrations set threshold = 2")  # no cosine reaches it
    assert not (checkpoint_table(filled.db, filled.project_id)["copy_verdict"] == "one_photo").any()


def test_what_the_base_row_does_too_is_usual(filled):
    write(filled, lambda place: 4)  # the base row's as well: 6 of 6
    table = checkpoint_table(filled.db, filled.project_id)
    assert not (table["copy_verdict"] == "one_photo").any() and table["copy_of"].isna().all()
    assert table.loc[~table["is_base"], "copy_usual"].max() == 6


def test_what_real_photos_do_is_usual_too(filled):
    write(filled, lambda place: place % 6)
    write(filled, lambda place: 4, of=last_of(filled))
    filled.db.execute("update calibrations set detail = ?", [json.dumps({"popular": 0.9})])
    assert preview_table(filled.db, filled.project_id).attrs["usual"] == {"face": 0.9}
    assert not (checkpoint_table(filled.db, filled.project_id)["copy_verdict"] == "one_photo").any()  # .9^6 = .53


def test_scores_without_nearest_photos_give_no_count(filled):
    table = checkpoint_table(filled.db, filled.project_id)
    assert table[["copy_k", "copy_n", "copy_of"]].isna().all(axis=None)
    assert lora_copies(table, []) is None


def test_the_sentence_names_run_photo_and_what_is_usual(filled):
    write(filled, lambda place: place % 6)
    write(filled, lambda place: 4, of=last_of(filled))
    found = tables(filled.db, filled.project_id)
    photos = library.photos(filled.db, filled.dataset_id, "train")
    [said] = lora_copies(found.checkpoints, photos)
    assert said == (  # the base row's six previews were given a photo each
        "baseline, seed 1, 120 updates: 6 of 6 previews have their face nearest to one and the same training photo "
        "(photo 4.jpg), where 1 would be usual."
    )
    write(filled, lambda place: place % 6)
    assert lora_copies(tables(filled.db, filled.project_id).checkpoints, photos) == []


def test_with_three_train_photos_nothing_can_be_said(filled):
    keep = photo_ids(filled)[:3]
    filled.db.execute(f"delete from photos where side = 'train' and id not in ({', '.join(map(str, keep))})")
    write(filled, lambda place: 2)
    assert checkpoint_table(filled.db, filled.project_id)["copy_n"].isna().all()


@pytest.mark.parametrize("page", ["scores", None])
def test_scores_and_home_name_the_lora_that_copies(tmp_path, monkeypatch, page):
    made = fill_elsewhere(tmp_path, epochs=(4, 6))
    write(made, lambda place: place % 6)
    write(made, lambda place: 4, of="p.checkpoint_id = (select max(id) from checkpoints)")
    said = [warning.value.replace("\\", "") for warning in open_app(tmp_path, monkeypatch, page).warning]
    expected = "anna_v2, epoch 6: 6 of 6 previews have their face nearest to one and the same training photo"
    assert [text for text in said if text.startswith(expected)], said


def test_scores_say_so_where_no_lora_copies(tmp_path, monkeypatch):
    made = fill_elsewhere(tmp_path, epochs=(4,))
    write(made, lambda place: place % 6)
    said = " ".join(text.value for text in open_app(tmp_path, monkeypatch, "scores").markdown)
    assert "Of no LoRA file do most previews go back to one and the same training photo." in said
