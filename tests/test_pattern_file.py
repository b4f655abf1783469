"""Patterns in and out of spreadsheets and JSON: what comes back is what went out, and half a file is none."""

import csv
import io

import pytest
from test_config import OTHER

from trainer.config import TrainConfig
from workbench.projects import add_project
from workbench.sweep import article, pattern_file, patterns
from workbench.sweep.pattern_file import PatternFileError, read, to_csv, to_json
from workbench.sweep.patterns import Asked
from workbench.workspace import Workspace

ASKED = [
    Asked("baseline", TrainConfig(), "as it is"),
    Asked("all, changed", TrainConfig(**OTHER), 'a "note"\nof two lines'),
    Asked("exact", TrainConfig(learning_rate=1e-4 / 64, alpha=1 / 3, weight_decay=0.0), "ä, ü"),
]


@pytest.mark.parametrize("write", [to_csv, to_json])
def test_what_goes_out_comes_back_number_for_number(write):
    back = read(write(ASKED))
    assert [(each.label, each.note) for each in back] == [(each.label, each.note) for each in ASKED]
    assert [each.config.hash for each in back] == [each.config.hash for each in ASKED]


def test_the_article_survives_a_spreadsheet():
    back = read("\ufeff" + to_csv(article.requested()))
    assert {each.label: each.config for each in back} == {each.label: each.config for each in article.requested()}


def test_a_setting_at_its_default_is_a_blank_cell():
    row = next(csv.DictReader(io.StringIO(to_csv(ASKED))))
    assert {name: value for name, value in row.items() if value} == {
        "label": "baseline",
        "note": "as it is",
        "base_model": "embedded",
    }


def test_blank_means_the_default_and_a_blank_base_the_projects():
    [asked] = read("label,alpha,base_model,flip\nonly alpha, 4 ,,\n", base_model="/sd15")
    assert asked.config == TrainConfig(base_model="/sd15", alpha=4)


def test_a_spreadsheet_with_semicolons_decimal_commas_and_titles_of_the_form_is_read():
    text = "Label;learning rate (per update);dim (rank);mirrored copies\r\nschnell;0,002;8;yes\r\n;;;\r\n"
    [asked] = read(text)
    assert asked == Asked("schnell", TrainConfig(learning_rate=0.002, dim=8, flip=True))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("label,dim\na,8\nb,many\nc,0\n", ["Row 3: dim is 'many'", "Row 4: dim is '0' but must be at least 1"]),
        ("label,dmi\na,8\n", ["Column 2: There is no setting dmi. Did you mean dim?"]),
        ("dim\n8\n", ["There is no column 'label'", "Row 2: label is empty"]),
        ("label,dim\n,8\n", ["Row 2: label is empty"]),
        ("label,dim\na,8\na,16\n", ["Row 3: label 'a' is that of row 2 too"]),
        ("label,dim,dim\na,8,8\n", ["Column 'dim' is there 2 times"]),
        ("label,dim\na,8,9\n", ["Row 2: 3 cells, but the head has 2"]),
        ("label,dim\n", ["no pattern"]),
        (" \n", ["empty"]),
        ("{", ["not JSON"]),
        ('{"a": 1}', ["no list of patterns"]),
        ('[{"label": "a", "settings": {"alpha": -1}}, 3]', ["Pattern 1: alpha is -1", "Pattern 2: must be an object"]),
        ('[{"label": "a", "alpha": 1}]', ["Pattern 1: there is no 'alpha' beside label, note and settings"]),
    ],
)
def test_everything_that_is_wrong_is_named_with_row_and_column(text, said):
    with pytest.raises(PatternFileError) as caught:
        read(text)
    for words in said:
        assert words in str(caught.value)


def test_half_a_file_is_not_imported(tmp_path):
    db = Workspace(tmp_path).open()
    project = add_project(db, "p", "zwx", "woman")
    patterns.add(db, project, TrainConfig(dim=4), "taken")
    with pytest.raises(patterns.PatternError, match="'taken' already"):
        patterns.add_all(db, project, read("label,dim\nnew,8\ntaken,16\n"))
    assert [p.label for p in patterns.listed(db, project)] == ["taken"]


def test_each_label_of_a_pattern_is_a_row(tmp_path):
    db = Workspace(tmp_path).open()
    project = add_project(db, "p", "zwx", "woman")
    for label in ("13", "23"):
        patterns.add(db, project, TrainConfig(dim=4), label, f"note of {label}")
    rows = pattern_file.labelled(db, project)
    assert [(row.label, row.note) for row in rows] == [("13", "note of 13"), ("23", "note of 23")]
