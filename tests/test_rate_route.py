"""The address that a rating page talks to, over HTTP with the real app: what it tells, takes and refuses."""

import http.client
import itertools
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from filled import fill
from one_sitting import begun
from starlette.applications import Starlette
from starlette.testclient import TestClient
from test_launch import free_port, start

from db import ratings, sittings
from workbench.rating.route import route

NAMES = (f"rater {number}" for number in itertools.count())
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("rate route"), rated=False)


@pytest.fixture(scope="module")
def port(filled):
    port = free_port()
    process = start(filled.ws.home, port)
    process.stdout.readline()
    yield port
    process.stdin.close()
    process.wait(20)


@pytest.fixture(scope="module")
def ask(port):
    """ask(token, body, headers) -> (status, headers, reply); without a body it is a GET."""

    def request(token, body=None, headers=JSON, method=None):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            method = method or ("GET" if body is None else "POST")
            connection.request(method, f"/app/rate/{token}", sent, headers if sent is not None else {})
            response = connection.getresponse()
            said = response.read()
        kind = response.headers.get("content-type", "")
        return response.status, response.headers, json.loads(said) if kind.startswith("application/json") else said

    return request


@pytest.fixture
def token(filled):
    return begun(filled, rater=next(NAMES), n=12)


def first(ask, token):
    return ask(token)[2]["items"][0]["token"]


def stored(filled, token):
    return ratings.of_sitting(filled.db, sittings.by_token(filled.db, token)["id"])


def test_the_log_of_the_database_is_not_folded_after_every_answer(tmp_path):
    """SQLite does so when the last connection closes; that would take longer than the answer."""
    made = fill(tmp_path, rated=False)
    token = begun(made, n=3)
    made.db.close()
    assert not (tmp_path / "workbench.db-wal").exists()
    with TestClient(Starlette(routes=[route(made.ws)]), base_url="http://127.0.0.1") as client:
        said = client.get(f"/app/rate/{token}").json()
        about = {"item": said["items"][0]["token"], "seconds": 1, "marks": {"likeness": 50}}
        assert client.post(f"/app/rate/{token}", json=about).status_code == 200
        assert (tmp_path / "workbench.db-wal").stat().st_size > 0


def test_a_sitting_is_told_and_answers_bring_the_next_items(ask, filled, token):
    status, _, told = ask(token)
    assert status == 200 and (told["mode"], told["axes"], told["done"]) == ("deck", ["likeness"], 0)
    wanted = [item["token"] for item in told["items"]]
    for number, item in enumerate(wanted):
        status, _, told = ask(token, {"item": item, "seconds": 1.5, "marks": {"likeness": 12.5 * number}})
        assert status == 200 and told["items"][0]["token"] not in wanted[: number + 1]
        assert len(stored(filled, token)) == number + 1  # it was committed before the reply
    assert told == ask(token)[2]
    assert [row["value"] for row in stored(filled, token)] == [12.5 * number for number in range(6)]


def test_an_undo_brings_the_item_back(ask, filled, token):
    item = first(ask, token)
    ask(token, {"item": item, "seconds": 1, "marks": {"likeness": 5}})
    status, _, told = ask(token, {"undo": True})
    assert status == 200 and told["items"][0]["token"] == item
    assert told["items"][0]["before"]["marks"] == {"likeness": 5}
    assert ask(token, {"undo": True})[0] == 200  # nothing to take back
    assert len(stored(filled, token)) == 2
    ask(token, {"item": item, "seconds": 1, "marks": {"likeness": 6}})
    assert ask(token, {"undo": True, "item": "another"})[0] == 409
    assert ask(token, {"undo": True, "item": item})[2]["items"][0]["token"] == item


def test_pictures_of_the_state_are_there_to_be_loaded(ask, port, token):
    for item in ask(token)[2]["items"]:
        for address in (item["pictures"][0]["src"], item["pictures"][0]["thumb"]):
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
                connection.request("GET", address)
                assert connection.getresponse().status == 200


def test_what_was_answered_in_another_tab_is_told_with_the_state(ask, filled, token):
    item = first(ask, token)
    ask(token, {"item": item, "seconds": 1, "marks": {"likeness": 5}})
    status, _, said = ask(token, {"item": item, "seconds": 1, "marks": {"likeness": 95}})
    assert status == 409 and "answered already" in said["error"]
    assert said["state"] == ask(token)[2] and said["state"]["items"][0]["token"] != item
    other = begun(filled, rater=next(NAMES), n=3)
    status, _, said = ask(other, {"item": item, "seconds": 1, "skip": True})
    assert status == 409 and "isn't asked" in said["error"]
    assert [row["value"] for row in stored(filled, token)] == [5.0] and stored(filled, other) == []


WRONG = [
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b"\xff\xfe", "not JSON"),
    (b"[" * 9000, "not JSON"),
    (b"[1]", "must be a JSON object"),
    (b'"x"', "must be a JSON object"),
    ({}, "which item"),
    ({"item": "ITEM", "seconds": 1}, "Nothing was said"),
    ({"item": "ITEM", "seconds": 1, "marks": {"quality": 5}}, "no axis 'quality'"),
    ({"item": "ITEM", "seconds": 1, "marks": {"likeness": 500}}, "between 0 and 100"),
    (b'{"item": "ITEM", "seconds": 1, "marks": {"likeness": NaN}}', "between 0 and 100"),
    (b'{"item": "ITEM", "seconds": Infinity, "skip": true}', "must be a number"),
    (b'{"item": "ITEM", "seconds": 1e999, "skip": true}', "must be a number"),
    (b'{"item": "ITEM", "seconds": ' + b"9" * 5000 + b', "skip": true}', "."),
    ({"item": "ITEM", "seconds": 1, "skip": True, "note": "x"}, "has no 'note'"),
    ({"item": "ITEM", "seconds": 1, "skip": True, "note": "x" * 17000}, "at most 16 KB"),
    (b'{"item": "ITEM", "seconds": 1, "marks": {"\\ud800": 5}}', "no axis '?'"),  # half a character
    ({"undo": 1}, "'undo': true"),
    ({"undo": True, "marks": {}}, "'undo': true"),
    ({"undo": True, "item": 3}, "'undo': true"),
]


@pytest.mark.parametrize(("body", "words"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_answer_is_refused_with_a_sentence_and_the_state(ask, filled, token, body, words):
    item = first(ask, token)
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, headers, said = ask(token, sent.replace(b"ITEM", item.encode()))
    assert status == 422 and words in said["error"] and said["error"].endswith(".")
    assert said["state"] == ask(token)[2] and headers["cache-control"] == "no-store"
    assert stored(filled, token) == []


def test_no_sitting_no_answer(ask):
    for body in (None, {"item": "x", "seconds": 1, "skip": True}, {"undo": True}):
        status, headers, said = ask("nobody", body)
        assert status == 404 and "no such sitting" in said["error"] and headers["cache-control"] == "no-store"


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; a=b"])
def test_a_form_of_another_site_can_not_answer(ask, filled, token, kind):
    """Such content types are sent by any page without asking; JSON is not."""
    body = {"item": first(ask, token), "seconds": 1, "skip": True}
    status, _, said = ask(token, body, {"Content-Type": kind} if kind else {})
    assert status == 415 and "application/json" in said["error"] and stored(filled, token) == []


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "http://[", "http://127.0.0.1", "http://127.0.0.1.evil.example"]
)
def test_a_page_of_another_origin_can_not_answer(ask, filled, token, origin):
    body = {"item": first(ask, token), "seconds": 1, "skip": True}
    status, _, said = ask(token, body, {**JSON, "Origin": origin})
    assert status == 403 and "own pages" in said["error"] and stored(filled, token) == []


def test_our_own_pages_can(ask, port, token):
    body = {"item": first(ask, token), "seconds": 1, "skip": True}
    headers = {"Content-Type": "application/json; charset=utf-8", "Origin": f"http://127.0.0.1:{port}"}
    assert ask(token, body, headers)[0] == 200


def test_another_method_is_not_there(ask, token):
    assert ask(token, {"x": 1}, method="DELETE")[0] == 405


def test_no_header_tells_anything(ask, token):
    item = first(ask, token)
    for body in (None, {"item": item, "seconds": 1, "skip": True}, {"item": item}):
        _, headers, _ = ask(token, body)
        assert headers["cache-control"] == "no-store"
        usual = {"content-length", "content-type", "date", "server", "vary"}
        assert {name.lower() for name in headers} <= usual | {"cache-control", "x-content-type-options"}


def test_what_can_not_be_written_now_is_said_and_can_be_sent_again(ask, filled, token, port):
    item = first(ask, token)
    body = {"item": item, "seconds": 1, "marks": {"likeness": 5}}
    other = filled.ws.open()
    other.conn.execute("begin immediate")  # a writer that takes its time
    try:
        status, headers, said = ask(token, body)
        assert status == 503 and "locked" in said["error"] and headers["cache-control"] == "no-store"
        assert ask(token)[0] == 200  # reading goes on
    finally:
        other.conn.rollback()
        other.conn.close()
    assert ask(token, body)[0] == 200 and len(stored(filled, token)) == 1


def test_two_hundred_answers_of_two_raters_and_two_tabs_are_each_saved_once(ask, filled):
    tokens = [begun(filled, rater=next(NAMES), repeats=15) for _ in range(2)]

    def tab(token):
        replies = []
        while not (told := ask(token)[2])["over"]:
            body = {"item": told["items"][0]["token"], "seconds": 1, "marks": {"likeness": 50}}
            replies.append(ask(token, body)[0])
        return replies

    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(tab, tokens * 2))
    for number, token in enumerate(tokens):
        rows = stored(filled, token)
        assert [row["position"] for row in rows] == list(range(53))  # 3 + 35 + 15, in their order
        said = replies[number] + replies[number + 2]
        assert said.count(200) == 53 and set(said) <= {200, 409}


def test_a_reply_leaves_at_once(ask, filled, port):
    """Else its second part waits 40 ms for the browser, on every connection that is used again."""
    token, took = begun(filled, rater=next(NAMES)), []
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        for _ in range(25):
            body = {"item": first(ask, token), "seconds": 1, "skip": True}
            began = time.perf_counter()
            connection.request("POST", f"/app/rate/{token}", json.dumps(body), JSON)
            connection.getresponse().read()
            took.append(time.perf_counter() - began)
    assert min(took[10:]) < 0.035, took  # the first ones of a connection are confirmed at once


def test_a_browser_that_leaves_in_the_middle_of_an_answer_writes_nothing(ask, filled, port, token):
    item = first(ask, token)
    with closing(socket.create_connection(("127.0.0.1", port))) as line:
        head = f"POST /app/rate/{token} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        line.sendall(f'{head}Content-Length: 500\r\n\r\n{{"item": "{item}", "seconds": 1'.encode())
    assert ask(token)[2]["items"][0]["token"] == item and stored(filled, token) == []
