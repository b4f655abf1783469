"""Recipes over several people: planted differences, intervals worked out by hand, and cautious words."""

import json
import math
from dataclasses import replace

import pytest
from PIL import Image
from several_people import DEFAULT, add_person, copy_of, several

from db import bin, library, recipes, runs
from db.migrations import migrations
from trainer.config import TrainConfig
from workbench.charting.recipes_chart import chart_rows, people_chart
from workbench.cli import main
from workbench.recipes import challenge, default, verdicts, words
from workbench.recipes.challenge import ChallengeError
from workbench.recipes.people import one_person, people
from workbench.recipes.pooled import LEVEL, pool
from workbench.sweep import patterns
from workbench.sweep.patterns import PatternError

THREE = {"Anna": {"alpha 1": 2.0}, "Ben": {"alpha 1": 4.0}, "Cleo": {"alpha 1": 9.0}}


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three people with results, a default, and a fourth one who is new; nobody changes it."""
    return several(tmp_path_factory.mktemp("three"), {**THREE, "Dora": {}})


@pytest.fixture(scope="module")
def seen(three):
    return seen_of(three)


def seen_of(made, matters=None, label="baseline"):
    """Where all challengers stand, once the pattern of that label is the default."""
    first = next(iter(made.projects.values()))
    default.make_default(made.db, first, made.patterns[label])
    return verdicts.overview(made.ws, made.db, matters=matters)


def only(seen):
    [verdict] = seen.verdicts
    return verdict


# people


def test_projects_that_share_a_photo_are_one_person_and_a_chain_is_one_too(tmp_path):
    made = several(tmp_path, {"Anna": {}, "Ben": {}})
    add_person(made, "Anna again", {}, photos=["Anna 2", "new 1", "new 2", "new 3"])
    add_person(made, "Anna later", {}, photos=["new 3", "new 4", "new 5", "new 6"])
    found = people(made.ws, made.db)
    assert [each.projects for each in found.persons] == [("Anna", "Anna again", "Anna later"), ("Ben",)]
    assert "they are one person" in found.persons[0].note and found.persons[1].note == ""


def test_photos_that_were_saved_anew_are_known_by_their_looks(subject, tmp_path):
    files = sorted((subject / "train").glob("*.jpg"))
    mine = {f"mine {n}": file for n, file in enumerate(files[:3])}
    copies, others = {}, {f"other {n}": file for n, file in enumerate(files[10:13])}
    for n, file in enumerate(files[:3]):
        copies[f"copy {n}"] = tmp_path / f"{n}.jpg"
        Image.open(file).resize((128, 128)).save(copies[f"copy {n}"], quality=40)
    assert one_person([mine, others, copies]) == [[0, 2], [1]]
    strangers = sorted((subject.parent / "others").glob("*.jpg"))
    by_person = [{file.name: file for file in strangers if file.name[:2] == f"{n:02d}"} for n in range(20)]
    assert one_person(by_person) == [[n] for n in range(20)]


def test_one_person_with_two_projects_counts_once_by_the_one_with_more_trainings(tmp_path):
    made = several(tmp_path, {"Anna": {"alpha 1": 2.0}, "Ben": {"alpha 1": 4.0}})
    add_person(made, "Anna again", {"alpha 1": 30.0}, photos=["Anna 0", "x", "y", "z"], train_seeds=(1,))
    verdict = only(seen_of(made))
    assert [each.difference.value for each in verdict.counted] == [pytest.approx(2), pytest.approx(4)]
    assert verdict.counted[0].others == ("Anna again",)
    assert any("counted once" in text and "Anna again" in text for text in words.besides(verdict))


# verdicts


def test_the_line_says_mean_interval_and_people_and_the_chart_shows_each_of_them(seen):
    verdict = only(seen)
    assert words.headline(verdict) == "alpha 1: +5.0 (-4.0 … +14.0), 3 people"
    assert verdict.code == "cannot_tell"
    # with sd 3.606: n = 12: (t(11; .016) 2.83 + .84) x 1.04 = 3.82; 9: (3.04 + .84) x 1.20 = 4.67; 8: 5.05
    assert verdict.more == 6 and "about 6 more people would be needed" in words.means(verdict)
    assert verdict.matters == pytest.approx(math.sqrt(8))  # the sd between two trainings 4 apart
    said = words.besides(verdict)
    assert said[0].startswith("For the next person alone anything from -12.9 to +22.9 fits")
    assert said[1].startswith("A person's own noise (training seeds) makes about ±")
    rows = chart_rows(verdict)
    assert list(rows["row"]) == ["Anna", "Ben", "Cleo", "alpha 1, 3 people"]
    assert list(rows["value"]) == [pytest.approx(each) for each in (2, 4, 9, 5)]
    assert (rows["low"] < rows["value"]).all() and "over training seeds" in rows["interval"][0]
    assert people_chart(verdict).to_dict()["layer"]


def test_a_challenger_that_helps_everybody_alike_is_better_and_one_that_harms_is_worse(tmp_path):
    gains = [5.0, 5.5, 6.0, 6.5, 5.2, 5.8, 6.2]
    made = several(tmp_path, {f"P{n}": {"alpha 1": gain, "dim 4": -gain} for n, gain in enumerate(gains)})
    seen = seen_of(made)
    by = {each.label: each for each in seen.verdicts}
    assert (by["alpha 1"].code, by["dim 4"].code) == ("better", "worse")
    assert by["alpha 1"].compared == 2 and by["alpha 1"].p == pytest.approx(2 * by["alpha 1"].pooled.p)
    assert "better than your default 'baseline' for new people like these" in words.means(by["alpha 1"])
    assert by["alpha 1"].nothing_left and by["dim 4"].nothing_left


def test_words_are_adjusted_for_the_family_though_intervals_are_not(tmp_path):
    made = several(tmp_path, {f"P{n}": {"alpha 1": gain} for n, gain in enumerate((1.0, 3.0, 5.0, 7.0))})
    verdict = only(seen_of(made, matters=1.0))
    # mean 4, half-width 3.182 x 1.291 = 4.108: the interval holds 0 by a hair. One point higher it doesn't, and
    # t = 5 / 1.291 = 3.87 on 3 degrees of freedom has p = .03: not below LEVEL
    assert verdict.code == "cannot_tell"
    higher = replace(verdict, pooled=pool([2.0, 4.0, 6.0, 8.0]), p=pool([2.0, 4.0, 6.0, 8.0]).p)
    assert higher.pooled.low > 0 and higher.p > LEVEL and verdicts.code_of(higher) == "leans"
    assert "the interval alone misses zero" in words.means(replace(higher, code="leans"))


def test_one_person_gets_no_interval_and_is_told_what_to_do_next(tmp_path):
    made = several(tmp_path, {"Anna": {"alpha 1": 6.0}})
    seen = seen_of(made)
    assert words.headline(only(seen)) == "alpha 1: +6.0 (no interval from one person), 1 person"
    assert only(seen).code == "one_person" and not only(seen).nothing_left
    assert "make a project of another person's photos" in words.next_person(seen)


def test_a_challenger_that_wrecks_one_person_is_never_better(tmp_path):
    made = several(tmp_path, {f"P{n}": {"alpha 1": 5.0 + n / 10} for n in range(5)})
    add_person(made, "Zoe", {"alpha 1": None})
    verdict = only(seen_of(made))
    assert verdict.code == "wrecked" and verdict.p < LEVEL and verdict.pooled.people == 5
    assert "wrecked the LoRA of Zoe" in words.means(verdict)
    assert words.besides(verdict)[-1].startswith("Zoe is in no mean: it is wrecked there")
    assert chart_rows(verdict)["problem"].tolist().count("it is wrecked there") == 1


def test_a_lora_wrecked_under_another_judge_counts_for_every_line_of_its_challenger(tmp_path):
    made = several(tmp_path, {f"P{n}": {"alpha 1": 5.0 + n / 10} for n in range(5)})
    add_person(made, "Zoe", {"alpha 1": None}, face_judge="other", judge_key="face/other/1/abc")
    seen = seen_of(made)
    assert {each.pooled.people for each in seen.verdicts} == {5, 0}
    assert all(each.code == "wrecked" and each.wrecked == ("Zoe",) for each in seen.verdicts)


def test_a_small_difference_that_is_known_well_leaves_nothing_to_learn(tmp_path):
    gains = (0.5, -0.5, 0.2, -0.2)
    made = several(tmp_path, {f"P{n}": {"alpha 1": gain} for n, gain in enumerate(gains)})
    verdict = only(seen_of(made))
    assert verdict.code == "alike" and verdict.nothing_left and "Nothing is left to learn" in words.why_stop(verdict)
    assert only(seen_of(made, matters=0.3)).code == "cannot_tell"


def test_what_is_hardly_ever_better_is_stopped_before_it_is_known_to_be_worse(tmp_path):
    made = several(tmp_path, {f"P{n}": {"alpha 1": gain} for n, gain in enumerate((-2.0, -4.0, -6.0, -8.0))})
    verdict = only(seen_of(made, matters=1.0))
    assert verdict.code == "leans" and verdict.pooled.chance < 0.05 and verdict.nothing_left
    assert "the chance that it is better on average is" in words.why_stop(verdict)


def test_two_judges_and_two_main_scores_make_lines_of_their_own(tmp_path):
    made = several(tmp_path, {"Anna": {"alpha 1": 2.0}, "Ben": {"alpha 1": 4.0}})
    add_person(made, "Rated", {"alpha 1": 20.0}, face_judge="none")
    add_person(made, "Cleo", {"alpha 1": -9.0}, face_judge="other", judge_key="face/other/1/abc")
    seen = seen_of(made)
    lines = {each.scale.judge.split("/")[-1]: each for each in seen.verdicts}
    assert len(lines) == 3 and {each.pooled.people for each in seen.verdicts} == {2, 1}
    assert lines["people"].pooled.mean == pytest.approx(20) and lines["people"].scale.metric == "human_likeness"
    assert words.scale_words(lines["people"].scale) == "likeness, rated, by people"
    assert lines["abc"].pooled.mean == pytest.approx(-9) and "judge other 1" in words.scale_words(lines["abc"].scale)
    assert any("are never averaged" in note for note in seen.notes)


def test_a_deleted_project_and_a_pattern_in_the_bin_dont_count_until_they_are_back(new_person):
    made, _, seen = new_person
    assert only(seen).pooled.people == 3
    bin.delete_project(made.db, made.projects["Cleo"])
    bin.delete_pattern(made.db, made.projects["Ben"], made.patterns["alpha 1"])
    seen = seen_of(made)
    assert only(seen).pooled.people == 1 and [each.name for each in seen.people.persons] == ["Anna", "Ben", "Dora"]
    bin.restore_project(made.db, made.projects["Cleo"])
    bin.restore_pattern(made.db, made.projects["Ben"], made.patterns["alpha 1"])
    assert only(seen_of(made)).pooled.people == 3


def test_a_default_in_the_bin_says_so_and_keeps_its_name(tmp_path):
    made = several(tmp_path, {"Anna": {"alpha 1": 2.0}})
    seen_of(made)
    bin.delete_pattern(made.db, made.projects["Anna"], made.patterns["baseline"])
    seen = verdicts.overview(made.ws, made.db)
    assert seen.default.label == "baseline" and not seen.default.in_use and seen.verdicts == ()


# the default and its challenges


def test_every_change_of_the_default_is_kept_and_can_be_taken_back(tmp_path):
    made = several(tmp_path, {"Anna": {"alpha 1": 2.0}})
    project = made.projects["Anna"]
    assert default.current(made.db) is None
    for label in ("baseline", "alpha 1", "alpha 1"):
        default.make_default(made.db, project, made.patterns[label], "why")
    assert default.current(made.db).label == "alpha 1"
    default.take_back(made.db)
    assert default.current(made.db).label == "baseline"
    assert [row["label"] for row in default.history(made.db)] == ["baseline", "alpha 1", "baseline"]
    with pytest.raises(Exception, match="append-only"):
        made.db.execute("delete from defaults")
    with pytest.raises(PatternError, match="no pattern 99"):
        default.make_default(made.db, project, 99)


def test_taking_back_the_first_default_leaves_none(tmp_path):
    made = several(tmp_path, {"Anna": {"alpha 1": 2.0}})
    seen_of(made)
    default.take_back(made.db)
    assert default.current(made.db) is None


@pytest.fixture
def new_person(three, seen, tmp_path):
    """A copy of the three that may be changed, the project of the new one, and where all stand there."""
    made = copy_of(three, tmp_path)
    return made, library.project(made.db, made.projects["Dora"]), seen


def queued(made, project):
    return [(row["label"], row["seed"]) for row in runs.of_project(made.db, project["id"], "queued")]


def test_a_challenge_adds_both_patterns_and_queues_them_with_the_same_seeds_and_undo_cancels_them(new_person):
    made, project, seen = new_person
    prepared = challenge.prepare(made.db, project, seen.default, made.patterns["alpha 1"])
    assert prepared.runs == 4 and prepared.price.runs == 4 and patterns.listed(made.db, project["id"]) == []
    number = challenge.begin(made.db, prepared)
    assert queued(made, project) == [("baseline", 1), ("alpha 1", 1), ("baseline", 2), ("alpha 1", 2)]
    same = {row["pattern_id"] for row in runs.of_project(made.db, project["id"])}
    assert same == {made.patterns["baseline"], made.patterns["alpha 1"]}
    with pytest.raises(ChallengeError, match="trained or queued already"):
        challenge.begin(made.db, challenge.prepare(made.db, project, seen.default, made.patterns["alpha 1"]))
    assert len(challenge.take_back(made.db, number)) == 4 and queued(made, project) == []
    again = challenge.prepare(made.db, project, seen.default, made.patterns["alpha 1"])
    assert again.runs == 4  # and the cancelled runs are taken up again
    challenge.begin(made.db, again)
    assert len(runs.of_project(made.db, project["id"])) == 4


def test_undoing_one_challenge_leaves_the_default_for_another_one(new_person):
    made, project, seen = new_person
    add_person(made, "Else", {"dim 4": 0.0})
    first = challenge.begin(made.db, challenge.prepare(made.db, project, seen.default, made.patterns["alpha 1"]))
    challenge.begin(made.db, challenge.prepare(made.db, project, seen.default, made.patterns["dim 4"]))
    challenge.take_back(made.db, first)
    assert set(queued(made, project)) == {("baseline", 1), ("baseline", 2), ("dim 4", 1), ("dim 4", 2)}


def test_undoing_both_challenges_leaves_nothing_and_undoing_one_again_does_not_touch_the_next(new_person):
    made, project, seen = new_person
    add_person(made, "Else", {"dim 4": 0.0})

    def begin(label):
        return challenge.begin(made.db, challenge.prepare(made.db, project, seen.default, made.patterns[label]))

    first, second = begin("alpha 1"), begin("dim 4")
    challenge.take_back(made.db, first)
    challenge.take_back(made.db, second)
    assert queued(made, project) == []  # nor the default's, which the first had queued for both
    begin("alpha 1")
    assert challenge.take_back(made.db, first) == [] and len(queued(made, project)) == 4
    more = challenge.prepare(made.db, project, seen.default, made.patterns["alpha 1"], [3])
    challenge.take_back(made.db, challenge.begin(made.db, more))
    assert {seed for _, seed in queued(made, project)} == {1, 2}  # what the third one queued goes, the rest stays
    with pytest.raises(ChallengeError, match="-1 is none"):
        challenge.prepare(made.db, project, seen.default, made.patterns["alpha 1"], [-1])


def test_stopping_in_two_windows_loses_nothing_and_a_retraining_meanwhile_breaks_nothing(new_person):
    made, project, seen = new_person
    challenge.begin(made.db, challenge.prepare(made.db, project, seen.default, made.patterns["alpha 1"]))
    about = (made.db, seen.default.pattern_id, made.patterns["alpha 1"])
    stopped = challenge.stop(*about)
    assert challenge.stop(*about) == []
    assert challenge.resume(*about) == stopped
    challenge.stop(*about)
    runs.enqueue(made.db, project["id"], made.patterns["alpha 1"], project["dataset_id"], 1)  # by hand
    challenge.resume(*about)
    assert sorted(queued(made, project)) == [("alpha 1", 1), ("alpha 1", 2), ("baseline", 1), ("baseline", 2)]


def test_stopping_cancels_what_waits_and_going_on_queues_it_again(new_person):
    made, project, seen = new_person
    challenge.begin(made.db, challenge.prepare(made.db, project, seen.default, made.patterns["alpha 1"]))
    about = (made.db, seen.default.pattern_id, made.patterns["alpha 1"])
    assert len(challenge.stop(*about)) == 2 and queued(made, project) == [("baseline", 1), ("baseline", 2)]
    now = verdicts.overview(made.ws, made.db)
    assert only(now).stopped and challenge.offers(made.db, project, now) == []
    challenge.resume(*about)
    assert len(queued(made, project)) == 4 and not only(verdicts.overview(made.ws, made.db)).stopped


def test_challengers_under_way_come_first_then_the_leader_then_the_others(new_person):
    made, project, seen = new_person
    add_person(made, "Else", {"dim 4": 0.0, "rate 6e-3": 5.0})
    seen = verdicts.overview(made.ws, made.db)
    offers = challenge.offers(made.db, project, seen, [made.patterns["dim 4"]])
    assert [each.label for each in offers] == ["alpha 1", "dim 4", "rate 6e-3"]
    assert offers[0].why == "under way: 3 people so far" and offers[1].why == "leads in the last project"
    assert challenge.last_leaders(made.db, project, seen.default.pattern_id) == [made.patterns["rate 6e-3"]]


def test_another_base_no_photos_and_the_very_same_lora_are_refused_with_what_to_do(new_person):
    made, project, seen = new_person
    db = made.db
    painted = library.add_project(
        db,
        name="Painted",
        trigger_word="a",
        class_noun="b",
        base_model="embedded-painted",
        face_judge="none",
        clip_judge="none",
    )
    library.update_project(db, painted, plan_id=project["plan_id"], dataset_id=project["dataset_id"])
    with pytest.raises(ChallengeError, match="another recipe"):
        challenge.prepare(db, library.project(db, painted), seen.default, made.patterns["alpha 1"])
    twin = TrainConfig.model_validate({**DEFAULT.model_dump(), "max_grad_norm": DEFAULT.max_grad_norm})
    assert twin.hash == DEFAULT.hash  # the same settings are the same pattern
    inert = TrainConfig.model_validate({**DEFAULT.model_dump(), "text_encoder_lr": DEFAULT.learning_rate})
    number = patterns.add(db, made.projects["Anna"], inert, "the same")
    with pytest.raises(ChallengeError, match="very same LoRA"):
        challenge.prepare(db, project, seen.default, number)
    assert "the same" not in [each.label for each in challenge.offers(db, project, seen)]
    library.update_project(db, project["id"], dataset_id=None)
    with pytest.raises(ChallengeError, match="no photos"):
        challenge.prepare(db, library.project(db, project["id"]), seen.default, made.patterns["alpha 1"])


def test_dangers_of_the_two_are_said_before_they_are_queued(new_person):
    made, project, seen = new_person
    wild = TrainConfig.model_validate({**DEFAULT.model_dump(), "learning_rate": 0.5})
    number = patterns.add(made.db, made.projects["Anna"], wild, "wild")
    prepared = challenge.prepare(made.db, project, seen.default, number)
    assert any(note.level == "warn" and "'wild'" in note.text for note in prepared.notes)


# upgrade and command line


def test_an_older_workspace_keeps_everything_and_gets_the_new_tables(tmp_path, monkeypatch):
    before = type(migrations)("workbench")
    before._migrations = [each for each in migrations._migrations if each.name != "recipes"]
    with monkeypatch.context() as older:
        older.setattr("db.connect.migrations", before)
        made = several(tmp_path, THREE)
        assert "defaults" not in made.db.table_names()
        count = {name: made.db[name].count for name in ("runs", "previews", "scores", "patterns", "projects")}
        made.db.close()
    made.db = made.ws.open()
    assert {name: made.db[name].count for name in count} == count
    assert only(seen_of(made)).pooled.people == 3 and recipes.default(made.db)["label"] == "baseline"


def test_the_command_line_lists_recipes_challenges_and_sets_the_default(tmp_path, capsys):
    made = several(tmp_path, {**THREE, "Dora": {}})
    home = ["--home", str(tmp_path)]
    assert main([*home, "recipes"]) == 0 and "There is no default yet" in capsys.readouterr().err
    assert main([*home, "default", "baseline", "--project", "Anna"]) == 0
    assert "'baseline'" in capsys.readouterr().out
    assert main([*home, "recipes"]) == 0
    assert "alpha 1: +5.0 (-4.0 … +14.0), 3 people" in capsys.readouterr().out
    assert main([*home, "recipes", "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert row["people"] == 3 and row["code"] == "cannot_tell" and row["differences"][2]["value"] == pytest.approx(9)
    assert main([*home, "challenge", "--project", "Dora"]) == 0
    assert "alpha 1" in capsys.readouterr().out
    ask = [*home, "challenge", "--project", "Dora", "--challenger", "alpha 1"]
    assert main([*ask, "--look"]) == 0 and runs.of_project(made.db, made.projects["Dora"]) == []
    assert main([*ask, "--seeds", "3"]) == 0 and "challenge --undo 1" in capsys.readouterr().out
    assert len(runs.of_project(made.db, made.projects["Dora"], "queued")) == 2
    assert main([*ask, "--stop"]) == 0 and "stopped; cancelled: run " in capsys.readouterr().out
    assert len(runs.of_project(made.db, made.projects["Dora"], "queued")) == 1
    assert main([*ask, "--go-on"]) == 0 and "goes on; queued again: run " in capsys.readouterr().out
    assert len(runs.of_project(made.db, made.projects["Dora"], "queued")) == 2
    assert main([*home, "challenge", "--undo", "1"]) == 0
    assert runs.of_project(made.db, made.projects["Dora"], "queued") == []
    assert main([*home, "recipes", "--matters", "nan"]) == 1 and "from 0 on" in capsys.readouterr().err
    assert main([*home, "challenge", "--project", "Dora", "--challenger", "nobody"]) == 1
    assert "'alpha 1'" in capsys.readouterr().err
