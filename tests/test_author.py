"""The author's marks beside our sweep: his contrasts, what he could know, and who agrees with whom."""

import json
import math

import filled
import pytest
from test_pages import open_app, words

from db import marks
from trainer.config import TrainConfig
from workbench.charting.author_chart import marks_chart, ours_chart
from workbench.cli import main
from workbench.findings.analysis import tables
from workbench.findings.author import (
    Mark,
    article_contrasts,
    article_patterns,
    author_words,
    beside_ours,
    marks_of,
    outside,
    rates,
    tally,
    way,
)
from workbench.sweep import article
from workbench.sweep.marks import of_author


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """The second pattern is 45 points below the first, the third 3 points: a claim, and none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filled, "OF_PATTERN", (60.0, 15.0, 57.0))
        return filled.fill_anew(tmp_path_factory.mktemp("author"), filled.PLAN, rated=False)


@pytest.fixture
def beside(full):
    """Rows by the author's labels, with ours standing for some of them (label -> number of the pattern)."""

    def made(numbers, metric="likeness"):
        article.add_marks(full.db, full.project_id, {k: full.pattern_ids[n] for k, n in numbers.items()})
        rows = beside_ours(tables(full.db, full.project_id), of_author(full.db, full.project_id), metric)
        return {(row["author_a"], row["author_b"]): row for row in rows.to_dict("records")}

    yield made
    full.db.execute("delete from marks")


# the article as a sweep


def test_the_contrasts_of_the_article_are_found_from_its_settings():
    every = [pattern for _, pattern in article_patterns()]
    names = {pattern.pattern_id: pattern.label for pattern in every}
    real, by_name = article_contrasts(every)
    found = {(pair.setting, names[pair.a], names[pair.b]) for pair in real}
    assert {pair for pair in found if "14/" not in pair[1] + pair[2]} == {
        ("alpha", "2", "9"),
        ("clip_skip", "3", "4"),
        ("alpha", "3", "5"),
        ("alpha", "3", "6"),
        ("batch_size", "3", "7"),
        ("base_model", "3", "8"),
        ("epochs", "3", "10"),
        ("repeats", "3", "11"),
        ("repeats", "3", "12"),
        ("batch_size", "3", "13"),
        ("alpha", "5", "6"),
        ("batch_size", "7", "13"),
        ("repeats", "11", "12"),
        ("optimizer", "13", "17"),
    }
    assert len(found) == 14 + 6 + 4 + 4  # the four among each other, with 13 and with 17
    assert [(pair.setting, names[pair.a], names[pair.b]) for pair in by_name] == [
        ("learning_rate", "13", "23"),
        ("learning_rate", "13", "24"),
    ]
    [lion] = [pair for pair in real if names[pair.a] == "2"]
    assert {"epochs", "learning_rate", "captions"} <= set(lion.taken_as_equal)


def test_marks_in_words_say_as_much_as_they_say():
    rows = [("13", 88, ""), ("23", None, "same as 13"), ("4", None, "<90"), ("1", None, ""), ("3", 90, "")]
    found = marks_of([{"label": label, "value": value, "words": said} for label, value, said in rows])
    assert found["23"].value == 88
    assert way(found["3"], found["4"]) == -1 and way(found["4"], found["3"]) == 1
    assert way(found["4"], found["13"]) is None  # below 90 may be 89
    assert way(found["13"], found["23"]) == 0 and way(found["1"], found["3"]) is None
    assert author_words(found["3"], found["13"]) == "2 lower (90 → 88)"
    assert author_words(found["3"], found["4"], "'so-so'") == "lower (90 → <90, 'so-so')"
    assert author_words(Mark(50, 50, ""), Mark(50, 50, "")) == "no difference (50 → 50)"


def test_one_rate_for_two_optimisers_is_held_against_the_usual_rate_of_each():
    def of(optimizer):
        return TrainConfig(optimizer=optimizer, learning_rate=1e-4, dim=128, alpha=1.0)

    assert rates(of("adam"), of("adamw")) == ""  # both 128 times below theirs
    said = rates(of("adamw"), of("sgd_nesterov"))
    assert "for AdamW they come to 128 times below" in said
    assert "for SGD with Nesterov they come to 384,000 times below" in said  # 1e-4 / 128 against 0.3
    said = rates(of("adafactor"), of("dadaptation"))
    assert "AdaFactor has no rate" in said and "10,000 times below" in said  # alpha is no part of a step it finds


# beside ours


def test_the_same_way_is_agreement_where_ours_is_a_claim_and_the_article_could_know(beside):
    row = beside({"3": 0, "11": 1})["3", "11"]  # 90 and 70; 60 and 15 here
    assert (row["category"], row["author_diff"], row["diff"]) == ("agree", -20, pytest.approx(-45))
    assert row["low"] < -45 < row["high"] < 0
    assert row["sentence"].startswith("The author: 20 lower (90 → 70). Ours: likeness 45.0 lower (worse)")


def test_a_claim_the_other_way_disagrees_and_the_difference_is_turned_to_the_authors_order(beside):
    row = beside({"3": 1, "11": 0})["3", "11"]
    assert (row["category"], row["diff"], row["same_way"]) == ("disagree", pytest.approx(45), False)
    assert row["low"] < row["diff"] < row["high"]


def test_without_a_claim_of_ours_the_same_way_is_no_agreement(beside):
    row = beside({"3": 0, "11": 2})["3", "11"]  # 3 points lower here, less than seeds make
    assert (row["category"], row["same_way"]) == ("cannot_tell", True)


def test_the_article_could_not_know_what_changes_along_or_is_less_than_seeds_make(beside):
    rows = beside({"3": 0, "13": 1, "12": 2, "23": 1})
    batch = rows["3", "13"]
    assert batch["category"] == "not_known" and "updates changes along (9,000 and 2,260)" in batch["why_not"]
    # sd of one run sqrt(8), t(3) = 3.182: 3.182 x 2.828 x sqrt(2) = 12.7
    assert "a difference of 10 marks can come of chance" in rows["3", "12"]["why_not"]
    assert "up to 13 points" in rows["3", "12"]["why_not"]
    same = rows["13", "23"]
    assert same["category"] == "not_known" and "no effect under AdaFactor" in same["why_not"]
    assert same["here"] == "here both are one training"


def test_points_that_are_no_marks_of_100_are_not_held_against_marks(beside):
    assert "chance" not in beside({"3": 0, "12": 2}, "clip_t")["3", "12"]["why_not"]


def test_a_score_that_never_moves_is_the_same_and_lies_on_nobodys_side(beside):
    row = beside({"3": 0, "11": 1}, "face_rate")["3", "11"]
    assert (row["diff"], row["same_way"], row["category"]) == (0, None, "cannot_tell")
    assert row["sentence"].endswith("Ours: the same wherever both were measured.")


def test_what_is_not_trained_here_says_so(beside):
    rows = beside({"3": 0})
    assert {row["category"] for row in rows.values()} <= {"not_here"}
    assert "too much of it is unknown" in rows["2", "9"]["here"]
    assert math.isnan(rows["3", "11"]["diff"])


def test_the_first_line_counts_every_contrast_once(full, beside):
    beside({"3": 0, "11": 1})
    given = of_author(full.db, full.project_id)
    rows = beside_ours(tables(full.db, full.project_id), given, "likeness")
    assert tally(rows) == (
        "Of 30 contrasts of the article 1 can be held against ours: 1 agree, 0 disagree, in 0 ours can't tell. In 0 "
        "the article couldn't know what made the difference, 29 are not trained here."
    )
    assert list(outside(rows, given)) == ["1", "19", "20", "21", "22", "25"]
    assert outside(rows, given)["25"] == "alpha not known"


# where people see it


def test_marks_and_our_scores_are_never_on_one_axis(full, beside):
    beside({"3": 0, "11": 1})
    rows = beside_ours(tables(full.db, full.project_id), of_author(full.db, full.project_id), "likeness")
    theirs, ours = marks_chart(rows).to_dict(), ours_chart(rows).to_dict()
    assert "author_diff" in json.dumps(theirs["layer"]) and '"diff"' not in json.dumps(theirs["layer"])
    assert "author_diff" not in json.dumps(ours["layer"])
    [pick] = ours["params"]
    assert (pick["name"], pick["select"]["fields"]) == ("pick", ["author_a", "author_b"])


def test_the_view_is_there_where_there_are_marks_and_nowhere_else(full, beside, monkeypatch):
    app = open_app(full.ws.home, monkeypatch, "charts", view="The author's marks")
    assert "contrasts of the article" not in words(app)
    beside({"3": 0, "11": 1})
    marks.add(full.db, full.project_id, "3", "somebody else", value=1)
    app = open_app(full.ws.home, monkeypatch, "charts", view="The author's marks")
    assert "Of 30 contrasts of the article 1 can be held against ours: 1 agree," in words(app)
    assert article.MARKS_SENTENCE in words(app)
    table = next(frame.value for frame in app.dataframe if "verdict" in frame.value)
    assert list(table["verdict"][:2]) == ["agree", "not trained here"]


def test_the_command_line_lists_the_same(full, beside, capsys):
    assert main(["--home", str(full.ws.home), "patterns", "--marks"]) != 0
    beside({"3": 0, "11": 1})
    assert main(["--home", str(full.ws.home), "patterns", "--marks", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)[0]["category"] == "agree" and "Of 30 contrasts" in told.err
