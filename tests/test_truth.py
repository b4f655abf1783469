"""The demo's verdicts against many more seeds: the comparison by hand, the stored scores, what the documents say."""

import doctest
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from filled import fill

from db import library, runs
from workbench.cli import judging, main
from workbench.findings import truth, truth_data, truth_words
from workbench.findings.analysis import tables
from workbench.findings.contrast import contrast_table
from workbench.findings.noise import Noise
from workbench.findings.truth import Difference, by_size, compared, counts, leader, measure, outcome, true_difference
from workbench.findings.truth_data import CELL, DECIMALS, Truth, TruthError, as_tables, merged, read, write
from workbench.findings.truth_words import HEADING, paragraph, section, summary, with_paragraph, with_section
from workbench.projects import add_project
from workbench.sweep import demo, many_seeds, patterns
from workbench.workspace import Workspace

DOCS = Path(__file__).resolve().parent.parent / "docs"

SEEN = (1, 2)
MORE = (3, 4, 5, 6)
SWEEP = {  # likeness of a run by training seed
    "start": {1: 20.0, 2: 21.0, 3: 20.5, 4: 20.0, 5: 21.0, 6: 20.5},
    "better": {1: 60.0, 2: 61.0, 3: 70.0, 4: 71.0, 5: 70.5, 6: 70.5},  # truly by 50
    "worse": {1: 61.0, 2: 60.0, 3: 10.0, 4: 10.5, 5: 10.0, 6: 11.5},  # seeds 1 and 2 say better
    "lucky": {1: 59.0, 2: 60.0, 3: 20.0, 4: 22.0, 5: 19.0, 6: 21.0},  # seeds 1 and 2 say better, nothing is
    "a little": {1: 22.5, 2: 22.0, 3: 26.5, 4: 26.0, 5: 27.0, 6: 26.5},  # truly by 6, too little for two seeds
    "the same": {1: 21.0, 2: 20.0, 3: 20.0, 4: 21.0, 5: 21.0, 6: 20.0},
}


def made_up(values=SWEEP):
    """A sweep whose patterns each differ from the first in one setting; three prompts around the value of the run."""
    cells = [
        (number, seed, prompt, 101, value + shift, None, None, None, None, None)
        for number, by_seed in enumerate(values.values(), 1)
        for seed, value in by_seed.items()
        for prompt, shift in enumerate((-1.0, 0.0, 1.0))
    ]
    table = pd.DataFrame(cells, columns=[*CELL, *DECIMALS]).astype(dict.fromkeys(DECIMALS, "float64"))
    about = {
        "patterns": [{"label": label, "like": number} for number, label in enumerate(values, 1)],
        "prompts": [{"text": f"prompt {number}", "role": "identity"} for number in range(3)],
        "contrasts": [["learning_rate", 1, number, 0.1, 0.1 * number] for number in range(2, len(values) + 1)],
        "made": [{"seeds": sorted({cell[1] for cell in cells}), "command": "by hand"}],
    }
    return Truth(table, about)


@pytest.fixture(scope="module")
def by_hand():
    return compared(as_tables(made_up()), SEEN, MORE)


@pytest.fixture(scope="module")
def stored():
    return read()


@pytest.fixture(scope="module")
def figures(stored):
    return measure(stored)


@pytest.mark.parametrize("module", [truth, truth_data, truth_words, judging])
def test_the_examples_in_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


# the comparison


def test_the_true_difference_by_hand():
    floor = Noise(sd=2.0, df=1000, n_patterns=500, n_wrecked=0)  # a variance of 4
    found = true_difference(pd.Series([1.0, 2.0, 3.0]), pd.Series([10.0, 14.0, 18.0]), floor)
    assert (found.diff, found.half) == (12.0, floor.half_width(3, 3, [1.0, 16.0]))
    assert found.differs
    assert not true_difference(pd.Series([1.0, 2.0]), pd.Series([2.0, 3.0]), floor).differs
    assert not true_difference(pd.Series([3.0]), pd.Series([90.0, 91.0]), floor).differs  # one run tells nothing
    assert not true_difference(pd.Series([3.0, 3.1]), pd.Series([90.0, 91.0]), None).differs


def test_what_becomes_of_a_verdict():
    up, unclear = Difference(10.0, 2.0), Difference(1.0, 2.0)
    assert [outcome(True, 8.0, up), outcome(True, -8.0, up), outcome(True, 8.0, unclear)] == [
        "right",
        "opposite",
        "unproven",
    ]
    assert [outcome(False, 8.0, up), outcome(False, 8.0, unclear)] == ["missed", "open"]
    assert outcome(True, 0.0, up) == "opposite" and not Difference(1e-12, 0.0).differs  # no difference but for rounding


def test_each_planted_case_is_told_as_what_it_is(by_hand):
    assert dict(zip(by_hand["label_b"], by_hand["outcome"], strict=True)) == {
        "better": "right",
        "worse": "opposite",
        "lucky": "unproven",
        "a little": "missed",
        "the same": "open",
    }
    row = by_hand.set_index("label_b").loc["better"]
    assert (row["diff"], row["truth"]) == (pytest.approx(40.0), pytest.approx(50.0))
    assert row["alone"] < row["noise"] < 40


def test_the_counts_are_those_of_the_cases(by_hand):
    found = counts(by_hand)
    assert (found["contrasts"], found["claims"], found["differ"]) == (5, 3, 3)
    assert (found["right"], found["opposite"], found["unproven"], found["missed"], found["open"]) == (1, 1, 1, 1, 1)
    assert (found["tiny"], found["direction"]) == (1, 2)  # 'lucky' is truly within a point; 'worse' had the wrong sign
    sizes = by_size(by_hand)
    assert [(row["least"], row["contrasts"], row["claims"]) for row in sizes] == [
        (0.0, 2, 1),
        (5.0, 1, 0),
        (10.0, 1, 1),
        (15.0, 0, 0),
        (20.0, 1, 1),
    ]


def test_half_widths_hold_the_truth_where_they_reach_it(by_hand):
    gap = (by_hand["diff"] - by_hand["truth"]).abs().round(6).tolist()
    assert sorted(gap) == [0.0, 4.25, 10.0, 39.0, 50.0] and 2 < by_hand["noise"].min() <= by_hand["noise"].max() < 4
    found = counts(by_hand)
    assert (found["hold"], found["hold_alone"], found["hold_both"]) == (1, 1, 1)
    wide = by_hand.assign(noise=5.0, alone=3.0, half=4.0)
    assert [counts(wide)[name] for name in ("hold", "hold_alone", "hold_both")] == [2, 1, 2]


def test_what_is_counted_at_a_limit_and_alone(by_hand):
    assert counts(by_hand.assign(truth=-1.0))["tiny"] == 3  # within a point, the point included: all claims
    exact = counts(by_hand.assign(truth=by_hand["diff"], alone=0.0))
    assert exact["hold_alone"] == 5 and exact["alone"] == (by_hand["diff"] != 0).sum()
    found = counts(by_hand.assign(truth=by_hand["diff"], alone=3.0))
    assert (found["alone"], found["alone_right"]) == (3, 2)  # 'lucky' is claimed the right way, but not known to differ


def test_what_the_sweep_did_not_measure_is_no_contrast():
    nothing = {seed: float("nan") if seed in SEEN else 50.0 for seed in (*SEEN, *MORE)}
    rows = compared(as_tables(made_up({**SWEEP, "unseen": nothing})), SEEN, MORE)
    assert rows["label_b"].tolist().count("unseen") == 0 and len(rows) == 5


def test_equal_truths_share_the_better_place_and_less_leakage_is_better(stored):
    same = dict.fromkeys(MORE, 70.0)
    found = leader(as_tables(made_up({"a": {1: 60.0, 2: 61.0, **same}, "b": {1: 50.0, 2: 51.0, **same}})), SEEN, MORE)
    assert (found["first"], found["place"], found["lost"]) == ("a", 1, 0.0)
    read_again = as_tables(stored)
    means = read_again.runs[read_again.runs["train_seed"].isin(SEEN)].groupby("pattern_id")["leakage"].mean()
    later = read_again.runs[~read_again.runs["train_seed"].isin(SEEN)].groupby("pattern_id")["leakage"].mean()
    found = leader(read_again, SEEN, [seed for seed in stored.seeds if seed not in SEEN], "leakage")
    assert (found["first"], found["best"]) == (read_again.labels[means.idxmin()], read_again.labels[later.idxmin()])
    assert found["place"] == (later < later[means.idxmin()]).sum() + 1


def test_the_leader_is_judged_by_the_other_seeds():
    assert leader(as_tables(made_up()), SEEN, MORE) == {
        "first": "better",
        "best": "better",
        "place": 1,
        "lost": 0.0,
    }
    without = {label: by_seed for label, by_seed in SWEEP.items() if label != "better"}
    found = leader(as_tables(made_up(without)), SEEN, MORE)
    assert (found["first"], found["best"], found["place"]) == ("worse", "a little", 5)
    assert found["lost"] == pytest.approx(26.5 - 10.5)


def test_no_seed_counts_on_both_sides():
    with pytest.raises(ValueError, match="can't be in the sweep and in its truth"):
        compared(as_tables(made_up()), SEEN, (2, 3))


def test_too_few_seeds_are_refused():
    few = {label: {seed: by_seed[seed] for seed in (1, 2, 3)} for label, by_seed in SWEEP.items()}
    with pytest.raises(TruthError, match=r"only \[1, 2, 3\] are stored"):
        measure(made_up(few))
    without = {label: {seed: by_seed[seed] for seed in (2, 3, 4, 5)} for label, by_seed in SWEEP.items()}
    with pytest.raises(TruthError, match="demo's seeds"):
        measure(made_up(without))


def test_the_words_name_what_is_wrong(by_hand):
    told = {"seeds": [1, 2], "others": list(MORE), "rows": by_hand.to_dict("records")}
    told["demo"] = counts(by_hand) | leader(as_tables(made_up()), SEEN, MORE)
    said = summary(told)
    assert said.startswith("Seeds 1 and 2 make 3 claims: 1 hold for 4 other seeds, 2 not (the other way round: 1,")
    assert "not told by the other seeds: 1)" in said and "left open (of 5) 1 can't be told" in said
    assert "The other one does differ, by 6 points." in said and "'better', is the best there, too" in said


# the data


def test_what_was_written_is_read_again(tmp_path):
    before = made_up()
    write(before, tmp_path / "some.csv")
    again = read(tmp_path / "some.csv")
    pd.testing.assert_frame_equal(again.cells, before.cells)
    assert again.about == before.about
    assert sorted(file.name for file in tmp_path.iterdir()) == ["some.csv", "some.json"]


def test_a_lost_cell_is_noticed(tmp_path):
    write(made_up(), tmp_path / "some.csv")
    lines = (tmp_path / "some.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "some.csv").write_text("".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(TruthError, match="should hold 108 different cells, but has 107 rows"):
        read(tmp_path / "some.csv")


def test_seeds_come_to_those_that_are_there_and_the_newer_stand():
    first = made_up({label: {seed: by_seed[seed] for seed in (1, 2)} for label, by_seed in SWEEP.items()})
    then = made_up({label: {seed: by_seed[seed] + 5 for seed in (2, 3)} for label, by_seed in SWEEP.items()})
    both = merged(first, then)
    assert both.seeds == [1, 2, 3]
    assert [each["seeds"] for each in both.about["made"]] == [[1], [2, 3]]
    of_start = both.cells[(both.cells["pattern"] == 1) & (both.cells["prompt"] == 1)]
    assert of_start["likeness"].tolist() == [20.0, 26.0, 25.5]
    assert merged(None, first) is first


def test_another_sweeps_scores_are_refused():
    fewer = made_up(dict(list(SWEEP.items())[:3]))
    with pytest.raises(TruthError, match="patterns and contrasts differ"):
        merged(made_up(), fewer)


def test_the_stored_scores_are_whole_and_say_how_they_were_made(stored):
    assert stored.seeds[:2] == list(demo.SEEDS) and len(stored.seeds) >= 4
    assert len(stored.about["patterns"]) == 29 and len(stored.about["contrasts"]) == 32
    assert len(stored.cells) == 29 * len(stored.seeds) * 16
    assert sorted(seed for made in stored.about["made"] for seed in made["seeds"]) == stored.seeds
    for made in stored.about["made"]:
        assert all(
            made[name] for name in ("command", "code", "days", "seconds_each", "processor", "system", "packages")
        )
    identity = stored.cells[stored.cells["prompt"] < 6]
    assert identity[["recognised", "clip_t", "clip_i", "diversity"]].notna().all().all()
    assert truth_data.STORED.stat().st_size < 400_000


def test_the_stored_scores_of_the_demos_seeds_are_those_of_its_document(stored):
    page = (DOCS / "demo.md").read_text(encoding="utf-8").partition("## What it measures")[2]
    said = re.findall(r"^\| ([^|]+) \| \d+ \| ([-\d.]+) / ([-\d.]+) \| (\d+) / (\d+) \|", page, re.MULTILINE)
    table = as_tables(stored).runs.set_index(["label", "train_seed"])
    names = {label: next(full for full in table.index.levels[0] if full.startswith(label)) for label, *_ in said}
    assert sorted(names.values()) == sorted(table.index.levels[0])
    for label, *numbers in said:
        for seed, likeness, leakage in zip((1, 2), numbers[:2], numbers[2:], strict=True):
            row = table.loc[(names[label], seed)]
            assert row["likeness"] == pytest.approx(float(likeness), abs=0.06), (label, seed)
            assert row["leakage"] == pytest.approx(float(leakage), abs=0.51), (label, seed)


def test_scores_that_were_stored_give_the_same_verdicts_as_the_workspace(tmp_path):
    filled = fill(tmp_path)
    write(truth_data.taken(filled.db, filled.project_id, "some code", "demo"), tmp_path / "some.csv")
    again, whole = as_tables(read(tmp_path / "some.csv")), tables(filled.db, filled.project_id)
    for metric in ("likeness", "clip_t"):
        one, other = contrast_table(whole, metric), contrast_table(again, metric)
        assert len(one) > 0 and other["wording"].tolist() == one["wording"].tolist()
        for column in ("diff", "low", "high", "noise"):
            assert other[column].tolist() == pytest.approx(one[column].tolist(), abs=0.02, nan_ok=True), column


def test_a_seed_that_some_patterns_lack_is_left_out(tmp_path):
    filled = fill(tmp_path)
    with filled.db.conn:
        filled.db.execute("update runs set seed = 7 where seed = 2 and pattern_id = ?", [filled.pattern_ids[0]])
    assert truth_data.taken(filled.db, filled.project_id, "some code", "demo").seeds == [1]


def test_a_workspace_without_a_finished_seed_has_nothing_to_store(tmp_path):
    db = Workspace(tmp_path).open()
    with pytest.raises(TruthError, match="No training seed is finished"):
        truth_data.taken(db, add_project(db, "empty", "zwx", "woman"), "some code", "demo")


# the command


def test_the_command_queues_the_demos_trainings_with_the_last_checkpoint_alone(tmp_path, capsys):
    home = ["--home", str(tmp_path)]
    assert main([*home, "truth", "--seeds", "3-4"]) == 0
    assert "58 runs of 'Demo, many seeds' are queued" in capsys.readouterr().out
    ws = Workspace(tmp_path)
    db = ws.open()
    [project] = library.projects(db)
    many = patterns.listed(db, project["id"])
    usual = patterns.listed(db, demo.add_demo(ws, db))
    assert [each.label for each in many] == [each.label for each in usual]
    for one, other in zip(many, usual, strict=True):
        assert one.config.save_every == one.config.epochs
        assert one.config == other.config.model_copy(update={"save_every": other.config.epochs})
    assert main([*home, "truth", "--seeds", "5"]) == 0
    queued = runs.of_project(db, project["id"])
    assert [run["seed"] for run in queued] == [3] * 29 + [4] * 29 + [5] * 29
    assert project["name"] == many_seeds.NAME


def test_an_export_asks_for_the_code_and_for_the_project(tmp_path, capsys):
    home = ["--home", str(tmp_path)]
    assert main([*home, "truth", "--export", str(tmp_path / "some.csv")]) == 1
    assert "--export needs --code" in capsys.readouterr().err
    assert main([*home, "truth", "--export", str(tmp_path / "some.csv"), "--code", "abc"]) == 1
    assert "There is no project 'Demo, many seeds' or 'Demo'" in capsys.readouterr().err


def test_seeds_that_cannot_be_read_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["truth", "--seeds", "some"])
    assert "seeds are written like 3-18" in capsys.readouterr().err


# the documents


def test_the_documents_say_what_the_stored_scores_say(figures):
    written = (DOCS / "validity.md").read_text(encoding="utf-8")
    assert with_section(written, section(figures)) == written, "run `python -m workbench truth --write docs`"
    page = (DOCS / "demo.md").read_text(encoding="utf-8")
    assert with_paragraph(page, paragraph(figures)) == page, "run `python -m workbench truth --write docs`"


def test_the_figures_are_complete_and_add_up(figures):
    json.dumps(figures)
    assert figures["demo"]["contrasts"] == len(figures["rows"]) == 32
    assert len(figures["sweeps"]) == (len(figures["seeds"]) + len(figures["others"])) // 2
    assert sum(row["claims"] for row in figures["sweeps"]) == figures["together"]["claims"]
    assert sum(row["contrasts"] for row in figures["by_size"]) == figures["together"]["contrasts"]
    said = section(figures)
    assert said.startswith(f"{HEADING}\n") and "nan" not in said and "None" not in said


def test_a_section_takes_the_place_of_the_one_before():
    page = "# Page\n\n## Verdicts\n\nwords\n"
    once = with_section(page, f"{HEADING}\n\nold\n")
    assert once == f"# Page\n\n## Verdicts\n\nwords\n\n{HEADING}\n\nold\n"
    assert with_section(once, f"{HEADING}\n\nnew\n") == once.replace("old", "new")
    between = with_section(f"{once}\n## More\n\nmore\n", f"{HEADING}\n\nnew\n")
    assert between == f"# Page\n\n## Verdicts\n\nwords\n\n{HEADING}\n\nnew\n\n## More\n\nmore\n"


def test_a_paragraph_takes_the_place_of_the_one_before():
    page = "# Demo\n\nwords\n\n**Time.** long\n"
    once = with_paragraph(page, "**Against many more seeds:** old\n")
    assert once == "# Demo\n\nwords\n\n**Against many more seeds:** old\n\n**Time.** long\n"
    assert with_paragraph(once, "**Against many more seeds:** new\n") == once.replace("old", "new")


def test_the_stored_scores_are_judged_by_the_tables_of_the_product(stored, figures):
    small = truth.of_seeds(as_tables(stored), demo.SEEDS)
    table = contrast_table(small, "likeness")
    assert [row["wording"] for row in figures["rows"]] == table["wording"].tolist()
    assert [row["diff"] for row in figures["rows"]] == pytest.approx(table["diff"].tolist())
