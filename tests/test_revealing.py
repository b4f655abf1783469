"""Pictures that wait are shown by name only at a price that is kept; and nothing names them in files meanwhile."""

import csv
import io
import json
import struct

import numpy as np
import pytest
from filled import PLAN, fill
from one_sitting import asking
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from planted import png_chunks, webp_chunks

from db import library, ratings, results, sittings
from workbench.cli import main
from workbench.elsewhere.pictures.picture_file import read_pixels
from workbench.findings.analysis import tables
from workbench.keeping.backup import backup, restore
from workbench.rating import pool, revealing
from workbench.rating.answers import save, undo
from workbench.rating.export import COLUMNS, events
from workbench.rating.sitting import begin
from workbench.rating.state import state
from workbench.scores.preview_file import write_preview
from workbench.workspace import Workspace

THREE = PLAN.model_copy(update={"seeds": (101, 102, 103)})  # asked: 101, then 102; 103 is shown freely


@pytest.fixture
def full(tmp_path):
    return fill(tmp_path / "w", THREE, rated=False)


@pytest.fixture
def project(full):
    return library.project(full.db, full.project_id)


def held(full, project, rater="me"):
    return pool.held_back_tokens(full.db, project, rater)


def of_seed(full, seed):
    table = tables(full.db, full.project_id).previews
    return set(table[(table["seed"] == seed) & ~table["is_base"] & (table["role"] == "identity")]["token"])


def test_what_was_shown_by_name_waits_no_more_and_is_not_asked(full, project):
    waiting = held(full, project)
    chosen = set(sorted(waiting)[:5])
    assert revealing.reveal(full.db, project, "me", chosen) == 5
    assert held(full, project) == waiting - chosen
    assert held(full, project, "Mia") == waiting  # who rates under another name is still asked
    assert revealing.reveal(full.db, project, "me", chosen) == 0  # there is nothing left to give up


def test_only_what_waits_is_given_up(full, project):
    free = of_seed(full, 103)
    assert revealing.reveal(full.db, project, "me", free) == 0
    assert sittings.revealed(full.db, full.project_id, "me") == set()


def test_a_sitting_passes_over_what_was_shown_by_name_meanwhile(full, project):
    rows = pool.rating_set(full.db, project)[:4]
    token = begin(full.db, project, "me", asking("deck", tuple((row["id"],) for row in rows), repeats=0))
    first = next(item for item in state(full.db, token)["items"] if not item["warm_up"])
    seen = first["pictures"][0]["src"].rpartition("/")[2].removesuffix(".png")
    revealing.reveal(full.db, project, "me", [seen])
    after = state(full.db, token)
    assert seen not in json.dumps(after) and after["total"] == 3


def test_what_a_page_showed_before_it_was_asked_is_never_asked_blind(full, project):
    later = {row["token"] for row in pool.pictures(full.db, project) if row["seed"] == 102}
    some = set(sorted(later)[:3])
    assert some and not some & held(full, project)  # only the first seed waits now
    assert revealing.note(full.db, project, "me", some | of_seed(full, 103)) == 3
    assert revealing.note(full.db, project, "me", some) == 0
    assert not some & revealing.may_be_asked(full.db, project, "me")
    revealing.reveal(full.db, project, "me", held(full, project))
    assert held(full, project) <= later - some  # the next stage, without them


def test_a_table_to_keep_has_no_tokens_of_what_may_be_asked(full, project):
    table = tables(full.db, full.project_id).previews
    asked = revealing.may_be_asked(full.db, project, "me")
    assert held(full, project) <= asked
    assert of_seed(full, 102) & {row["token"] for row in pool.pictures(full.db, project)} <= asked  # asked about later
    kept = revealing.nameless(full.db, project, "me", table)
    text = kept.to_csv()
    assert len(kept) == len(table) and not any(token in text for token in asked)
    assert set(table["token"]) - asked == set(kept["token"]) - {""}
    assert any(token in table.to_csv() for token in asked)


def test_words_name_the_number_the_person_and_the_price():
    assert revealing.offer(2) == "Show the 2 pictures that wait to be rated"
    assert revealing.offer(1) == "Show the 1 picture that waits to be rated"
    assert revealing.hidden(2, "Mia") == "2 pictures here wait to be rated blind by Mia."
    assert "can't rate these blind any more" in revealing.COST and "taken out of what you are asked" in revealing.COST


# the command line


@pytest.fixture
def run(full, capsys):
    def one(*words):
        assert main(["--home", str(full.ws.home), *map(str, words)]) == 0
        return capsys.readouterr()

    return one


def test_a_sheet_leaves_blank_what_waits_and_shows_it_at_the_price(full, project, run, tmp_path):
    before = held(full, project)
    said = run("sheet", tmp_path / "a.png", "--seeds", 101).err
    assert "wait to be rated blind by me. They are left blank" in said and held(full, project) == before
    said = run("sheet", tmp_path / "b.png", "--seeds", 101, "--show-to", "me").err
    assert "me isn't asked about them any more" in said and held(full, project) < before
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_scores_leave_out_the_tokens_of_what_may_be_asked(full, project, run):
    out = run("scores", "--json").out
    assert not any(token in out for token in revealing.may_be_asked(full.db, project, "me"))
    assert len(json.loads(out)) == len(tables(full.db, full.project_id).previews)


@pytest.fixture
def said(full, project):
    """Three answers of a sitting of pairs with a repeat, one of them undone and given again, one flagged."""
    rows = [row["id"] for row in pool.rating_set(full.db, project)]
    pairs = tuple(zip(rows[:16:2], rows[1:16:2], strict=True))
    token = begin(full.db, project, "me", asking("pair", pairs, repeats=1))
    for answer in ({"said": "left"}, {"said": "same", "flags": [[1, "broken"]]}):
        item = state(full.db, token)["items"][0]["token"]
        save(full.db, token, {"item": item, "seconds": 2.5, **answer})
    undo(full.db, token)
    save(full.db, token, {"item": item, "seconds": 1.5, "said": "right"})
    return token


def test_every_event_is_given_away_raw_with_what_it_was_about(full, project, said):
    found = events(full.db, project)
    assert len(found) == len(ratings.events(full.db, full.project_id)) and all(tuple(row) == COLUMNS for row in found)
    assert [row["event"] for row in found] == ["choose", "choose", "flag", "undo", "undo", "choose"]
    assert [row["undone"] for row in found] == [False, True, True, False, False, False]
    assert {row["mode"] for row in found} == {"pair"} and {row["session"] for row in found} == {said}
    left, same, flag, *_, right = found
    assert left["preview_id"] == left["previews"][0] and right["preview_id"] == right["previews"][1]
    assert same["preview_id"] is None and flag["said"] == "broken"
    seen = {row["id"]: row for row in results.previews(full.db, full.project_id, full.plan_id)}
    assert (left["label"], left["token"]) == tuple(seen[left["preview_id"]][name] for name in ("label", "token"))
    assert events(full.db, project, "Mia") == []


def test_the_command_line_writes_events_as_csv_and_json(full, project, said, run, tmp_path):
    expected = events(full.db, project)
    rows = list(csv.DictReader(io.StringIO(run("ratings").out)))
    assert [row["said"] for row in rows] == [row["said"] or "" for row in expected]
    assert rows[0]["previews"] == " ".join(map(str, expected[0]["previews"]))
    assert rows[0]["answered_at"].endswith("+00:00")
    assert json.loads(run("ratings", "--json").out)[1]["undone"] is True
    for name in ("r.csv", "r.json"):
        assert "6 events" in run("ratings", "--file", tmp_path / name).out
    assert list(csv.DictReader((tmp_path / "r.csv").open(encoding="utf-8", newline=""))) == rows
    assert len(json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))) == 6
    assert main(["--home", str(full.ws.home), "ratings", "--file", str(tmp_path / "r.txt")]) == 1


def test_sittings_what_they_ask_and_what_was_seen_survive_a_backup(full, project, said, tmp_path):
    revealing.reveal(full.db, project, "me", sorted(held(full, project))[:2])
    backup(full.ws, tmp_path / "b.zip")
    restore(tmp_path / "b.zip", tmp_path / "x")
    there = Workspace(tmp_path / "x").open()
    for table in ("sittings", "rating_items", "reveals", "ratings"):
        kept = list(there.query(f"select * from {table}"))
        assert kept and kept == list(full.db.query(f"select * from {table}"))
    assert state(there, said) == state(full.db, said)  # it can go on
    save(there, said, {"item": state(there, said)["items"][0]["token"], "seconds": 1.0, "said": "bad"})


# files


def marked(file):
    """A picture with all that programs write beside the pixels: texts, EXIF with a date, XMP, ICC, a time."""
    exif = Image.Exif()
    exif[0x0132], exif[0x010E] = "2026:01:02 03:04:05", "secretlabel7xq"
    about = {"exif": exif, "icc_profile": b"secretprofile", "dpi": (300, 300)}
    if file.suffix == ".png":
        info = PngInfo()
        info.add_text("parameters", "secretlabel7xq, Seed: 987654321", zip=True)
        info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>secretxmp</x:xmpmeta>")
        info.add(b"tIME", struct.pack(">HBBBBB", 2026, 1, 2, 3, 4, 5))
        about["pnginfo"] = info
    else:
        about["xmp"] = b"<x:xmpmeta>secretxmp</x:xmpmeta>"
    noise = np.random.default_rng(1).integers(0, 255, (80, 96, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, **about)
    return file


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_a_copied_picture_keeps_its_pixels_and_nothing_else(tmp_path, name):
    file = marked(tmp_path / name)
    assert b"secretxmp" in file.read_bytes()
    made = write_preview(tmp_path / "previews", read_pixels(file, name), finite=True)
    png, webp = ((tmp_path / "previews" / made[which]).read_bytes() for which in ("file", "thumb"))
    assert set(png_chunks(png)) == {"IHDR", "IDAT", "IEND"}
    assert set(webp_chunks(webp)) <= {"VP8 ", "VP8L"}
    assert b"secret" not in png + webp and b"2026" not in png + webp


def test_a_large_picture_and_its_thumbnail_hold_pixels_only(tmp_path):
    made = write_preview(tmp_path, np.full((512, 600, 3), 77, dtype=np.uint8), finite=True)
    assert set(webp_chunks((tmp_path / made["thumb"]).read_bytes())) == {"VP8 "}
    assert set(png_chunks((tmp_path / made["file"]).read_bytes())) == {"IHDR", "IDAT", "IEND"}
    assert made["file"] == f"{made['token']}.png" and made["thumb"] == f"{made['token']}.webp"
