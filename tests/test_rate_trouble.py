"""Answers over HTTP while things go wrong: a killed app, a full disk, a backup, a broken file, a power cut."""

import http.client
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest
from filled import fill
from one_sitting import asking, begun, pictures
from test_launch import free_port, start

from db import library, ratings, sittings
from workbench.keeping.backup import backup, restore
from workbench.rating import answers, sitting
from workbench.rating.route import tell
from workbench.rating.state import state
from workbench.workspace import DATABASE, Workspace

RATERS = (f"rater {number}" for number in count())
MARKS = {"likeness": 50, "quality": 62.5, "prompt": 75}  # three rows each: a half answer would be seen


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("trouble"), rated=False)


@contextmanager
def app_of(home: Path):
    """The app's process and the port where it answers."""
    port = free_port()
    process = start(home, port)
    try:
        process.stdout.readline()
        yield process, port
    finally:
        process.kill()
        process.wait(20)
        process.stdin.close()
        process.stdout.close()


def rate(port: int, token: str, acknowledged: list[str], go_on: Callable[[], bool] = lambda: True) -> None:
    """Answer what is asked until it is over or the app is gone; which answers the app said were saved."""
    path = f"/app/rate/{token}"
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        try:
            connection.request("GET", path)
            told = json.loads(connection.getresponse().read())
            while told["items"] and go_on():
                status, told_then = post(connection, path, told["items"][0]["token"])
                assert status == 200, told_then
                acknowledged.append(told["items"][0]["token"])
                told = told_then
        except (OSError, http.client.HTTPException):
            return


def post(connection: http.client.HTTPConnection, path: str, item: str) -> tuple[int, dict]:
    body = json.dumps({"item": item, "seconds": 1, "marks": MARKS})
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    return reply.status, json.loads(reply.read())


def saved(db, token: str) -> list[str]:
    """Tokens of what was answered, each as often as it was, in order; every answer must be whole."""
    row = sittings.by_token(db, token)
    named = {item["id"]: item["token"] for item in sittings.items(db, row["id"])}
    parts: dict[int, list[str]] = {}
    for event in ratings.of_sitting(db, row["id"]):
        parts.setdefault(event["item_id"], []).append(event["axis"])
    assert all(len(axes) % 3 == 0 and set(axes) == set(MARKS) for axes in parts.values()), "no half answer"
    return [named[item] for item, axes in parts.items() for _ in range(len(axes) // 3)]


def long_sitting(filled, n: int = 100) -> str:
    """One that asks for so many answers."""
    project = library.project(filled.db, filled.project_id)
    asked = [row["id"] for row in pictures(filled)] * (n // 35 + 1)
    return sitting.begin(filled.db, project, next(RATERS), asking("single", asked[:n]))


def test_an_app_killed_twice_amid_two_hundred_answers_of_two_raters_loses_and_doubles_nothing(filled):
    tokens, said = [long_sitting(filled) for _ in range(2)], [[], []]
    for enough in (40, 120, None):  # answers in all at which it is killed
        with app_of(filled.ws.home) as (process, port), ThreadPoolExecutor(2) as pool:
            burst = [pool.submit(rate, port, *each) for each in zip(tokens, said, strict=True)]
            while enough and sum(map(len, said)) < enough and not all(each.done() for each in burst):
                time.sleep(0.002)
            if enough:
                process.kill()
            for each in burst:
                each.result(120)
        for token, acknowledged in zip(tokens, said, strict=True):
            found = saved(filled.db, token)
            assert len(found) == len(set(found)), "each once"
            assert set(acknowledged) <= set(found)
            assert len(set(found) - set(acknowledged)) <= 2, "committed, and killed before it could say so: each time"
    for token in tokens:
        order = [item["token"] for item in sittings.items(filled.db, sittings.by_token(filled.db, token)["id"])]
        assert saved(filled.db, token) == order and len(order) >= 100


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can take room from a process that runs")
def test_an_answer_that_finds_no_room_is_told_and_is_taken_once_there_is_some(filled):
    import resource

    token = begun(filled, "single", next(RATERS))
    with app_of(filled.ws.home) as (process, port):
        before: list[str] = []
        rate(port, token, before, lambda: len(before) < 5)
        item, path = state(filled.db, token)["items"][0]["token"], f"/app/rate/{token}"
        usual = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1000, usual[1]))  # bytes
            for _ in range(3):
                status, told = post(connection, path, item)
                assert status == 503 and told["error"].startswith("It could not be saved now: "), told
            assert saved(filled.db, token) == before
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, usual)
            assert post(connection, path, item)[0] == 200
            assert post(connection, path, item)[0] == 409
        rate(port, token, [])
    assert saved(filled.db, token)[:6] == [*before, item] and state(filled.db, token)["over"]
    assert len(set(saved(filled.db, token))) == len(saved(filled.db, token))


def test_a_backup_amid_a_burst_holds_whole_answers_from_the_beginning_and_the_sitting_goes_on_in_it(filled, tmp_path):
    token, said = long_sitting(filled, 60), []
    with app_of(filled.ws.home) as (_, port), ThreadPoolExecutor(1) as pool:
        burst = pool.submit(rate, port, token, said)
        while len(said) < 10:
            time.sleep(0.002)
        backup(filled.ws, tmp_path / "a.zip")
        burst.result(120)
    restore(tmp_path / "a.zip", tmp_path / "again")
    copy = Workspace(tmp_path / "again").open()
    in_copy, order = saved(copy, token), saved(filled.db, token)
    assert len(in_copy) >= 10 and in_copy == order[: len(in_copy)]
    while not (told := state(copy, token))["over"]:
        answers.save(copy, token, {"item": told["items"][0]["token"], "seconds": 1, "marks": MARKS})
    assert saved(copy, token) == order


@pytest.mark.parametrize("what", ["a broken file", "a folder in its place", "a newer schema"])
def test_a_database_out_of_reach_is_told_as_such(tmp_path, what):
    ws = Workspace(tmp_path / "w")
    if what == "a newer schema":
        row = {"migration_set": "workbench", "name": "of_next_year", "applied_at": "2027"}
        ws.open().table("_sqlite_migrations").insert(row)
    elif what == "a broken file":
        ws.home.mkdir()
        (ws.home / DATABASE).write_bytes(os.urandom(9000))
    else:
        (ws.home / DATABASE).mkdir(parents=True)
    status, told = tell(ws, "any")
    assert status == 503 and told["error"].startswith("It could not be saved now: ") and told["error"].endswith(".")


def test_an_answer_and_an_undo_wait_for_the_disk(filled):
    """Else a power cut may take the last ones away. What SQLite promises, and no more can be tried here."""
    token = begun(filled, rater=next(RATERS))
    db = filled.ws.open()
    assert db.execute("pragma synchronous").fetchone() == (1,), "nothing else waits"
    answers.save(db, token, {"item": state(db, token)["items"][0]["token"], "seconds": 1, "skip": True})
    assert db.execute("pragma synchronous").fetchone() == (2,)
    other = filled.ws.open()
    answers.undo(other, token)
    assert other.execute("pragma synchronous").fetchone() == (2,)
