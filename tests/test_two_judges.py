"""Where two judges disagree: ranks by hand, the widest apart first, and never one scale for both."""

import pandas as pd
import pytest

from workbench.charting.judges_chart import judges_chart
from workbench.findings.two_judges import disagreement
from workbench.pictures.judges_grid import judges_grid


def previews(first, second):
    """A preview table with both judges' values; None = no face."""
    n = len(first)
    return pd.DataFrame(
        {
            "preview_id": range(1, n + 1),
            "token": [f"t{i}" for i in range(n)],
            "label": ["a"] * (n - 1) + [None],
            "text": "photo of a woman",
            "seed": 1,
            "likeness": pd.Series(first, dtype="float64"),
            "second_likeness": pd.Series(second, dtype="float64"),
            "face_status": ["no_face" if value is None else "ok" for value in first],
            "second_face_status": ["no_face" if value is None else "ok" for value in second],
        }
    )


def test_pictures_are_ordered_by_how_far_apart_the_judges_rank_them():
    found = disagreement(previews([90, 80, 70, 60], [0.5, 0.9, 0.4, 0.8]))
    # ranks 1 2 3 4 and 3 1 4 2: apart -2, 1, -1, 2
    assert list(found.rows["preview_id"]) == [1, 4, 2, 3]
    assert list(found.rows["apart"]) == [-2, 2, 1, -1]
    # Spearman: 1 - 6 (4 + 1 + 1 + 4) / (4 * 15) = 0
    assert found.rho == pytest.approx(0)


def test_scales_do_not_matter_only_ranks_do():
    found = disagreement(previews([90, 80, 70], [0.003, 0.002, 0.001]))
    assert found.rho == pytest.approx(1) and (found.rows["apart"] == 0).all()


def test_a_face_that_only_one_of_them_found_is_counted_and_not_ranked():
    found = disagreement(previews([90, None, 70, 60, None], [50, 60, None, 40, None]))
    assert len(found.rows) == 2
    assert (found.only_first, found.only_second) == (1, 1)


def test_without_a_second_judge_there_is_nothing_to_compare():
    assert disagreement(previews([90, 80], [None, None])) is None
    assert disagreement(previews([90, 80], [1, 2]).drop(columns="second_likeness")) is None


def test_the_chart_has_a_point_per_picture_and_says_how_much_they_agree():
    chart = judges_chart(disagreement(previews([90, 80, 70, 60], [0.5, 0.9, 0.4, 0.8])), "embedded", "dlib").to_dict()
    assert "Rank correlation 0.00, n = 4 pictures" in " ".join(chart["title"]["text"])
    assert [layer["mark"]["type"] for layer in chart["layer"]] == ["line", "point"]
    titles = [chart["layer"][1]["encoding"][axis]["title"] for axis in ("x", "y")]
    assert titles == ["rank by embedded (1 = most alike)", "rank by dlib (1 = most alike)"]


def test_both_values_stand_over_each_picture():
    found = disagreement(previews([90, 80], [50, 60]))
    grid = judges_grid(found.rows, "embedded", "dlib", 2)
    assert [column.sub for column in grid.columns] == ["embedded 90, dlib 50", "embedded 80, dlib 60"]
    assert [tile.note for tile in grid.rows[0].tiles] == ["1 / 2", "2 / 1"]
    assert grid.columns[1].text == "without LoRA"
