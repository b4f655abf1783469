"""Picture grids: what stands where, what is hidden, and what is said of a picture."""

import pytest
from filled import PLAN, fill, likeness

from db import library, runs
from workbench.findings.analysis import tables
from workbench.pictures import gallery
from workbench.rating import pool


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("gallery"))


@pytest.fixture(scope="module")
def previews(full):
    return tables(full.db, full.project_id).previews


@pytest.fixture(scope="module")
def grid(previews):
    return gallery.preview_grid(gallery.choose(previews, PLAN), PLAN)


def test_columns_are_prompts_by_seeds_and_rows_are_checkpoints_under_the_base_row(grid):
    assert [(column.text, column.sub) for column in grid.columns[:3]] == [
        ("photo of zwx woman", "seed 101"),
        ("photo of zwx woman", "seed 102"),
        ("photo of zwx woman in a blue shirt, at the beach", "seed 101"),
    ]
    assert len(grid.columns) == 4 * 2
    assert [(row.head, row.sub) for row in grid.rows[:3]] == [
        ("without LoRA", "the base model alone"),
        ("baseline", "seed 1 · 60 updates"),
        ("baseline", "seed 1 · 120 updates"),
    ]
    assert len(grid.rows) == 1 + 3 * 2 * 2
    assert all(len(row.tiles) == 8 and None not in row.tiles for row in grid.rows)


def test_a_tile_shows_the_picture_of_its_row_and_column_with_its_likeness(grid, previews):
    row = next(row for row in grid.rows if (row.head, row.sub) == ("alpha 1", "seed 2 · 120 updates"))
    tile = row.tiles[3]
    preview = previews.set_index("token").loc[tile.id]
    assert (preview["label"], preview["train_seed"], preview["prompt"], preview["seed"]) == (
        "alpha 1",
        2,
        1,
        102,
    )
    assert tile.src == f"/app/static/previews/{tile.id}.webp"
    assert tile.note == str(round(likeness(1, 2, 120, 1, 102)))


def test_a_row_says_its_mean_likeness_over_the_prompts_that_name_the_subject(grid):
    row = next(row for row in grid.rows if (row.head, row.sub) == ("alpha 1", "seed 2 · 120 updates"))
    values = [likeness(1, 2, 120, prompt, seed) for prompt in range(3) for seed in PLAN.seeds]
    assert row.badge == f"likeness {round(sum(values) / 6)}"


def test_broken_pictures_say_what_is_wrong_in_place_of_a_score(grid):
    row = next(row for row in grid.rows if (row.head, row.sub) == ("rate 6e-3", "seed 1 · 60 updates"))
    assert [(tile.note, tile.warn) for tile in row.tiles[0:3:2]] == [
        ("black picture", True),
        ("no face found", True),
    ]


def test_what_waits_to_be_rated_names_neither_its_picture_nor_its_score(full, previews):
    held = pool.held_back_tokens(full.db, library.project(full.db, full.project_id), "me")
    grid = gallery.preview_grid(previews, PLAN, held)
    waiting = [tile for row in grid.rows for tile in row.tiles if tile.waits]
    assert len(waiting) == len(held) == 23
    assert set(waiting) == {gallery.Tile(waits=True)}
    shown = {tile.id for row in grid.rows for tile in row.tiles}
    assert not shown & held


def test_a_row_with_a_hidden_picture_does_not_say_its_mean(full, previews):
    held = {previews[(previews["label"] == "baseline") & (previews["prompt"] == 0)]["token"].iloc[0]}
    grid = gallery.preview_grid(previews, PLAN, held)
    hidden = [row for row in grid.rows if any(tile.waits for tile in row.tiles)]
    assert [row.badge for row in hidden] == [""]


def test_a_missing_preview_leaves_its_place_empty(previews):
    checkpoint = previews["checkpoint_id"].dropna().iloc[0]
    gone = previews[(previews["checkpoint_id"] == checkpoint) & (previews["prompt"] == 1)].index
    grid = gallery.preview_grid(previews.drop(gone), PLAN)
    assert grid.rows[1].tiles[2:4] == (None, None)
    assert None not in grid.rows[2].tiles


@pytest.mark.parametrize(
    ("wanted", "n"),
    [
        ({}, 13 * 8),
        ({"roles": ("neutral",)}, 13 * 2),
        ({"seeds": (102,)}, 13 * 4),
        ({"last_only": True}, 7 * 8),
        ({"roles": ("identity",), "seeds": (101,), "last_only": True}, 7 * 3),
        ({"strength": 0.7}, 8),  # the base row has no strength
    ],
)
def test_filters_keep_what_they_say(previews, wanted, n):
    assert len(gallery.choose(previews, PLAN, **wanted)) == n


def test_only_columns_with_a_chosen_picture_are_shown(previews):
    one = previews[~previews["is_base"]].iloc[:1]
    with_base = previews[previews["is_base"] | previews["preview_id"].isin(one["preview_id"])]
    grid = gallery.preview_grid(with_base, PLAN)
    assert len(grid.columns) == 1
    assert [row.head for row in grid.rows] == ["without LoRA", "baseline"]


def test_reference_photos_come_on_top_as_many_as_there_are_columns(full, grid):
    photos = library.photos(full.db, full.dataset_id, "reference")
    first = gallery.with_photos(grid, photos).rows[0]
    assert [tile.src for tile in first.tiles] == [gallery.photo_url(photo) for photo in photos]
    narrow = gallery.Grid("", grid.columns[:2], ())
    assert len(gallery.with_photos(narrow, photos).rows[0].tiles) == 2


def test_addresses_change_with_the_content(full):
    """Browsers keep pictures for ever: another workspace at the same address must not show the old ones."""
    photo = library.photos(full.db, full.dataset_id)[0]
    other = {**photo, "sha256": "f" * 64}
    assert gallery.photo_url(photo) != gallery.photo_url(other)
    checkpoint = runs.checkpoints(full.db, full.run_ids[0])[0]
    assert gallery.lora_url(checkpoint) != gallery.lora_url({**checkpoint, "sha256": "f" * 64})


def test_everything_about_a_preview_is_told_with_its_judges(previews):
    row = previews[(previews["label"] == "baseline") & (previews["n_marks"] > 0)].iloc[0].to_dict()
    told = dict(gallery.facts(row))
    assert told["pattern"] == "baseline"
    assert told["checkpoint"] == "120 updates, 480 images seen"
    assert told["likeness"].startswith(f"{row['likeness']:.1f} (cosine ")
    assert told["likeness"].endswith("embedded)")
    assert told["face"] == "33 px"
    assert told["quality, rated"] == "70"


def test_a_preview_without_a_score_tells_the_reason(previews):
    faceless = previews[previews["face_status"] == "no_face"].iloc[0].to_dict()
    assert dict(gallery.facts(faceless))["likeness"] == "no face found"
    black = previews[previews["picture_status"] == "black"].iloc[0].to_dict()
    assert dict(gallery.facts(black))["prompt adherence"] == "black picture"
    absent = {**faceless, "clip_t": None, "clip_status": "unavailable"}
    assert dict(gallery.facts(absent))["prompt adherence"] == "the judge is not there"
    fresh = {**absent, "clip_status": None}
    assert dict(gallery.facts(fresh))["prompt adherence"] == "not judged yet"
    base = previews[previews["is_base"]].iloc[0].to_dict()
    assert dict(gallery.facts(base))["LoRA"] == "none: the base model alone"
