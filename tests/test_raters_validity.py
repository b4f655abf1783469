"""The section on raters of docs/validity.md: what it says was measured, and it holds what the product promises."""

import re
from pathlib import Path

import pytest

from workbench.people.validity import REPETITIONS, SEED, SHARES, measure
from workbench.people.validity_words import section

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "validity.md"


@pytest.fixture(scope="module")
def written():
    return DOCUMENT.read_text(encoding="utf-8").partition("## Raters\n")[2]


def rows(written, title):
    """The cells of the first table under a heading."""
    table = written.partition(f"### {title}\n")[2].partition("\n|")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def percent(cell):
    return float(cell.removesuffix(" %"))


def test_the_section_says_what_was_measured():
    figures = measure(repetitions=4, seed=1)
    text = section(figures)
    assert "with seed 1" in text and "steadiness 12" in text
    assert "nan" not in text and "None" not in text
    assert len(rows(text, "Two marks of the same picture")) == len(figures["steadiness"]) == 18
    assert len(rows(text, "Notices on haste")) == len(figures["haste"])


def test_the_document_was_written_with_the_usual_repetitions(written):
    assert f"with seed {SEED}" in written
    assert all(f"{name} {round(share * REPETITIONS)}" in written for name, share in SHARES.items())


def test_intervals_of_steadiness_hold_the_truth_as_often_as_they_say(written):
    found = rows(written, "Two marks of the same picture")
    assert all(93 <= percent(row[5]) <= 98 for row in found if row[0] == "slider")
    assert all(92 <= percent(row[5]) <= 99 for row in found if row[0] == "keys")
    assert all(abs(float(row[6])) <= 1 for row in found)  # no second mark is higher by itself


def test_drift_is_found_where_there_is_one_and_seldom_where_there_is_none(written):
    found = rows(written, "Drift within a sitting")
    assert all(2 <= percent(row[6]) <= 8 for row in found if row[2] == "0")
    assert percent(found[2][6]) > 85 and percent(found[5][6]) > 85
    assert all(float(row[3]) == pytest.approx(float(row[2]), abs=0.6) for row in found)


def test_alpha_is_the_true_share_of_the_variance(written):
    for _, _, pictures, true, recovered, holds in rows(written, "Agreement between raters"):
        assert float(recovered) == pytest.approx(float(true), abs=0.05 if pictures == "15" else 0.03)
        assert 91 <= percent(holds) <= 98


def test_raters_who_look_hear_of_haste_in_under_two_percent(written):
    found = [(looks, *map(int, re.findall(r"\d+", told))) for _, looks, told in rows(written, "Notices on haste")]
    honest = [(k, n) for looks, k, n in found if looks == "yes"]
    assert sum(k for k, _ in honest) < 0.02 * sum(n for _, n in honest)
    assert all(k > 0.9 * n for looks, k, n in found if looks == "no")
