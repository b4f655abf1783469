"""The web server as a browser meets it: one address, pictures by name, and nothing else of the disk."""

import http.client
import io
import os
import re
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from filled import fill
from PIL import Image

from db import library, results, runs
from workbench.launch import PortTaken, flatten, refuse_taken, settings
from workbench.pictures.gallery import lora_url, photo_url, preview_url

ROOT = Path(__file__).resolve().parent.parent


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(home, port):
    command = [
        sys.executable,
        "-m",
        "workbench",
        "--home",
        str(home),
        "app",
        "--port",
        str(port),
        "--watch-stdin",
    ]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("launch") / "work space é")


@pytest.fixture(scope="module")
def server(workspace):
    port = free_port()
    process = start(workspace.ws.home, port)
    assert process.stdout.readline().strip() == f"Workbench: http://127.0.0.1:{port}"
    yield process, port
    process.stdin.close()
    process.wait(20)


@pytest.fixture(scope="module")
def get(server):
    """get(path) -> (status, headers, body). The path goes out as it is, to this machine unless told."""

    def request(path, host=None):
        connection = http.client.HTTPConnection("127.0.0.1", server[1], timeout=20)
        with closing(connection):
            connection.putrequest("GET", path, skip_host=True)
            connection.putheader("Host", host or f"127.0.0.1:{server[1]}")
            connection.endheaders()
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    return request


def test_the_first_page_is_there_once_the_address_was_printed(get):
    status, _, body = get("/")
    assert status == 200
    assert b"<title>" in body


def test_a_preview_is_served_by_its_token_as_it_was_rendered(get, workspace):
    row = results.previews(workspace.db, workspace.project_id, workspace.plan_id)[0]
    for full, column, kind in ((True, "file", "image/png"), (False, "thumb", "image/webp")):
        status, headers, body = get(preview_url(row["token"], full=full))
        assert status == 200
        assert headers["content-type"] == kind
        assert body == workspace.ws.path(row[column]).read_bytes()


def test_pictures_are_kept_by_the_browser_for_ever_and_by_no_one_else(get, workspace):
    row = results.previews(workspace.db, workspace.project_id, workspace.plan_id)[0]
    _, headers, _ = get(preview_url(row["token"]))
    assert headers["cache-control"] == "private, max-age=31536000, immutable"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"


def test_no_header_of_a_preview_tells_when_it_was_rendered(get, workspace):
    """Else a rater could sort the pictures by run: a run's previews are rendered together."""
    row = results.previews(workspace.db, workspace.project_id, workspace.plan_id)[0]
    for full in (True, False):
        status, headers, _ = get(preview_url(row["token"], full=full))
        assert status == 200
        assert not {"last-modified", "etag"} & {name.lower() for name in headers}


def test_a_small_photo_is_served_as_it_is(get, workspace):
    photo = library.photos(workspace.db, workspace.dataset_id)[3]
    for full in (True, False):
        status, _, body = get(photo_url(photo, full=full))
        assert status == 200
        assert body == workspace.ws.path(photo["file"]).read_bytes()


def test_a_large_photo_is_small_on_pages_and_whole_on_demand(get, workspace):
    photo = library.photos(workspace.db, workspace.dataset_id)[0]
    file = workspace.ws.path(photo["file"])
    before = file.read_bytes()
    Image.new("RGB", (1000, 1000), "gray").save(file)
    try:
        small, whole = (Image.open(io.BytesIO(get(photo_url(photo, full=full))[2])) for full in (False, True))
    finally:
        file.write_bytes(before)
    assert (small.format, small.size) == ("WEBP", (384, 384))
    assert (whole.format, whole.size) == ("PNG", (1000, 1000))


def test_a_lora_is_downloaded_under_the_name_of_its_file(get, workspace):
    checkpoint = runs.checkpoints(workspace.db, workspace.run_ids[0])[0]
    status, headers, body = get(lora_url(checkpoint))
    file = workspace.ws.path(checkpoint["file"])
    assert status == 200
    assert body == file.read_bytes()
    assert headers["content-disposition"] == f'attachment; filename="{file.name}"'


def test_what_is_not_there_is_not_found_and_asked_for_again(get, workspace):
    photo = library.photos(workspace.db, workspace.dataset_id)[0]
    checkpoint = runs.checkpoints(workspace.db, workspace.run_ids[0])[0]
    token = results.previews(workspace.db, workspace.project_id, workspace.plan_id)[0]["token"]
    missing = [
        "/app/static/previews/nobody.png",
        f"/app/static/previews/{token}.jpg",
        f"/app/static/previews/{token}",
        photo_url({**photo, "sha256": "f" * 64}),
        photo_url({**photo, "position": 999}),
        photo_url({**photo, "dataset_id": 999}),
        f"/app/static/photos/{photo['id']}.png",
        lora_url({**checkpoint, "sha256": "f" * 64}),
        lora_url({**checkpoint, "id": 999}),
    ]
    for path in missing:
        status, headers, _ = get(path)
        assert status == 404, path
        assert headers["cache-control"] == "no-store"


def test_a_file_that_was_deleted_is_not_found(get, workspace):
    row = results.previews(workspace.db, workspace.project_id, workspace.plan_id)[1]
    file = workspace.ws.path(row["file"])
    file.rename(file.with_suffix(".away"))
    try:
        assert get(preview_url(row["token"], full=True))[0] == 404
    finally:
        file.with_suffix(".away").rename(file)


@pytest.mark.parametrize("room", ["previews", "photos", "loras"])
@pytest.mark.parametrize(
    "path",
    [
        "../../workbench.db",
        "..%2f..%2fworkbench.db",
        "%2e%2e/%2e%2e/workbench.db",
        "..%5c..%5cworkbench.db",
        "%2fetc%2fpasswd",
        "....//....//workbench.db",
        "1-0-000000000000.png/../../../workbench.db",
        "workbench.db%00.png",
        "1-1-0%0a0000000000.png",
    ],
)
def test_no_path_leads_to_another_file(get, room, path):
    status, _, body = get(f"/app/static/{room}/{path}")
    assert status in (400, 404) or body == get("/")[2]  # Streamlit answers an unknown address with the app


@pytest.mark.parametrize("path", ["/", "/app/static/photos/1-0-000000000000.png", "/_stcore/health"])
def test_a_page_of_another_name_can_not_read_along(get, server, path):
    """An outside name that is made to point at this machine would make its page and ours one site."""
    assert get(path, host=f"evil.example:{server[1]}")[0] == 400
    assert get(path, host=f"localhost:{server[1]}")[0] != 400


def test_only_this_machine_can_connect(server):
    process, port = server
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    listening = [
        connection.laddr
        for member in family
        for connection in member.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert {tuple(address) for address in listening} == {("127.0.0.1", port)}


def test_the_app_ends_when_its_starter_is_gone(tmp_path):
    process = start(tmp_path, free_port())
    process.stdout.readline()
    process.stdin.close()
    assert process.wait(20) == 0


def test_a_taken_port_is_said_and_the_other_program_is_not_announced_as_ours(tmp_path):
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} is taken"):
            refuse_taken(port)
        process = start(tmp_path, port)
        said, _ = process.communicate(timeout=30)
    assert process.returncode != 0
    assert f"Port {port} is taken" in said
    assert "Workbench:" not in said


def test_the_settings_keep_the_app_private():
    known = settings()
    assert known["server.address"] == "127.0.0.1"
    assert known["browser.gatherUsageStats"] is False
    assert known["server.fileWatcherType"] == "none"
    assert set(known["server.allowedHosts"]) == {"localhost", "127.0.0.1"}


def test_both_themes_are_grey():
    """A tinted page changes how the colours of a picture look."""
    known = settings()
    for theme in ("light", "dark", "light.sidebar", "dark.sidebar"):
        red, green, blue = re.findall("..", known[f"theme.{theme}.backgroundColor"].lstrip("#"))
        assert red == green == blue


def test_settings_are_written_with_dots():
    assert flatten({"a": {"b": {"c": 1}, "d": [2]}, "e": 3}) == {"a.b.c": 1, "a.d": [2], "e": 3}


@pytest.mark.browser
def test_the_first_visit_may_go_to_any_page_and_nothing_leaves_the_machine(workspace, page):
    port = free_port()
    process = start(workspace.ws.home, port)  # a fresh process: the trap is its very first session
    try:
        process.stdout.readline()
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"http://127.0.0.1:{port}/gallery")
        page.get_by_role("heading", name="Gallery").wait_for()
        page.get_by_role("link", name="Charts").wait_for()  # the sidebar is app.py's
        page.locator("button.tile img").first.wait_for()
        assert asked
        assert all(
            url.startswith((f"http://127.0.0.1:{port}/", f"ws://127.0.0.1:{port}/", "data:", "blob:")) for url in asked
        )
    finally:
        process.stdin.close()
        process.wait(20)


@pytest.mark.parametrize(("verb", "threads"), [("app", "1"), ("worker", "None")])
def test_the_app_multiplies_on_one_thread_and_trainings_as_they_like(verb, threads):
    code = f"""
import os, runpy, sys
sys.argv = ["workbench", "{verb}", "--help"]
try:
    runpy.run_module("workbench", run_name="__main__")
except SystemExit:
    print("threads:", os.environ.get("OPENBLAS_NUM_THREADS"))
"""
    env = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, encoding="utf-8")
    assert f"threads: {threads}" in done.stdout, done.stderr
