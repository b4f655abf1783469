"""The command line: the same functions as the pages, with output that people and programs can read."""

import json

import pytest

from db import runs
from workbench.cli import main, parser
from workbench.cli.photos import judges_for
from workbench.cli.shared import seed_words
from workbench.workspace import Workspace


@pytest.fixture(scope="module")
def demo_home(tmp_path_factory):
    home = tmp_path_factory.mktemp("demo")
    assert main(["--home", str(home), "demo"]) == 0
    return home


@pytest.fixture
def cli(demo_home, capsys):
    """Call a verb on the demo workspace; returns exit code, output and errors."""

    def call(*words, home=demo_home):
        code = main(["--home", str(home), *map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_the_demo_has_29_patterns_with_two_seeds_and_thirty_photos(cli):
    _, out, _ = cli("status", "--json")
    [project] = json.loads(out)
    assert len(project["runs"]) == 2 * 29 and {run["status"] for run in project["runs"]} == {"queued"}
    assert {run["seed"] for run in project["runs"]} == {1, 2}
    _, out, _ = cli("photos", "--json")
    sides = [photo["side"] for photo in json.loads(out)]
    assert (sides.count("train"), sides.count("reference")) == (30, 10)


def test_the_demo_is_made_once(cli):
    assert cli("demo", "--if-empty")[0] == 0
    code, _, err = cli("demo")
    assert code == 1 and "already" in err


def test_the_inert_learning_rate_is_told_before_anything_is_trained(cli):
    _, out, err = cli("patterns", "--json")
    assert len(json.loads(out)) == 29
    assert "learning rate - AdaFactor sets its own step sizes" in err


def test_a_pattern_can_be_cloned_queued_cancelled_and_tried_again(cli, tmp_path):
    home = tmp_path / "w"
    main(["--home", str(home), "demo"])
    cli("patterns", "--clone", "baseline", "--set", "dim=4", "--label", "dim 4", home=home)
    code, out, _ = cli("queue", "dim 4", "--seeds", 7, "--json", home=home)
    run = json.loads(out)[-1]
    assert code == 0 and (run["label"], run["seed"], run["status"]) == ("dim 4", 7, "queued")
    assert "cancelled" in cli("queue", "--cancel", run["id"], home=home)[1]
    code, out, _ = cli("queue", "--retry", run["id"], "--json", home=home)
    assert json.loads(out)[-1]["status"] == "queued"


def test_retrain_queues_a_new_run(cli, tmp_path):
    home = tmp_path / "w"
    main(["--home", str(home), "demo"])
    code, out, _ = cli("retrain", 1, "--set", "alpha=4", home=home)
    assert code == 0 and "run 59" in out
    run = runs.get(Workspace(home).open(), 59)
    assert json.loads(run["config"])["alpha"] == 4 and run["seed"] == 1


def test_photos_make_a_project_of_ones_own(cli, tmp_path, subject):
    home = tmp_path / "w"
    words = ("photos", subject / "train", "--new", "mine", "--trigger", "abc", "--class-noun", "woman", "--json")
    code, out, _ = cli(*words, home=home)
    photos = json.loads(out)
    assert code == 0 and len(photos) == 30
    assert 4 <= sum(photo["side"] == "reference" for photo in photos) <= 10
    assert all("abc" in photo["caption"] for photo in photos)


def test_judges_of_a_new_project_suit_the_people_that_its_base_draws():
    def judges(*words):
        chosen = judges_for(parser().parse_args(["photos", "--new", "mine", *words]))
        return chosen["face_judge"], chosen["clip_judge"]

    assert judges() == ("embedded", "embedded")
    assert "embedded" not in judges("--base", "sd15.safetensors")
    assert judges("--base", "sd15.safetensors", "--face-judge", "dlib")[0] == "dlib"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["queue", "nothing"], "There is no pattern 'nothing'"),
        (["patterns", "--clone", "baseline", "--set", "dmi=4"], "Did you mean dim?"),
        (["patterns", "--clone", "baseline", "--set", "dim"], "NAME=VALUE"),
        (["retrain", "99"], "There is no run 99"),
        (["photos", "/nowhere/at/all"], "nowhere"),
        (["scores", "--project", "other"], "'Demo'"),
    ],
)
def test_a_mistake_gets_a_sentence_that_helps_and_exit_code_1(cli, words, hint):
    code, _, err = cli(*words)
    assert code == 1 and hint in err and "Traceback" not in err


def test_every_verb_explains_itself():
    actions = next(action for action in parser()._actions if action.dest == "verb")
    assert {"photos", "patterns", "queue", "worker", "status", "scores", "retrain", "demo", "app", "doctor"} <= set(
        actions.choices
    )
    assert all(action.help for action in actions._choices_actions)


def test_doctor_names_device_judges_and_health(cli):
    code, out, _ = cli("doctor", "--json")
    rows = [(row["what"], row["text"]) for row in json.loads(out)]
    assert code == 0 and dict(rows)["Database"].startswith("ok")
    assert "precisions" in dict(rows)["Device"]
    assert any(what == "Judge: clip" and "licence" in text for what, text in rows)


def test_a_seed_that_is_not_known_is_said_in_words():
    assert (seed_words(7), seed_words(-1)) == ("seed 7", "seed not known")
