"""Blind: nothing that the server sends while somebody rates tells what made a picture."""

import base64
import gzip
import json
import struct
import time
import zlib
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from filled_ratings import asked_of, judged_pictures
from one_sitting import asking
from overheard import Overheard
from planted import OF_PATTERN, SEEDS, TEXTS, leaks, plant, png_chunks, varint, webp_chunks
from serving import serving

from db import library, sittings
from workbench.rating import pool, standing
from workbench.rating.modes import MODES
from workbench.rating.sitting import begin
from workbench.views import last_rater

PIXELS_ONLY = {"IHDR", "PLTE", "IDAT", "IEND", "VP8 ", "VP8L", "VP8X", "ALPH"}
STATE = {"mode", "axes", "rater", "total", "done", "seconds_left", "can_undo", "last", "over", "items", "warm_ups"}
ITEM = {"token", "warm_up", "text", "pictures", "before"}
PICTURE = {"src", "thumb", "face", "nearest"}
ANSWERS = {
    "single": {"marks": {"likeness": 50.0, "quality": 62.5, "prompt": 75.0}},
    "deck": {"marks": {"likeness": 25.0}},
    "sheet": {"marks": {"likeness": 37.5}},
    "pair": {"said": "left"},
    "best_worst": {"best": 0, "worst": 1},
}
KEYS = {
    "single": ["5", "Enter"],
    "deck": ["3"],
    "sheet": ["4"],
    "pair": ["ArrowLeft"],
    "best_worst": ["1", "2"],
}
ASKED = 8  # items of a sitting here


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield plant(tmp_path_factory.mktemp("blind"), patch)


@pytest.fixture(scope="module")
def site(planted):
    with serving(planted.filled.ws.home) as address:
        yield address


def new_sitting(planted, mode, rater):
    asked = asking(mode, asked_of(mode, judged_pictures(planted.filled))[:ASKED], repeats=1)
    return begin(planted.filled.db, library.project(planted.filled.db, planted.filled.project_id), rater, asked)


def found_in(heard, planted):
    """What a rater must not learn, with where it was heard. Pictures' pixels are no place for numbers."""
    return [
        (what, leak)
        for what, data in heard
        for leak in leaks(data, planted, numbers="/static/" not in what)
        if not (what.startswith("address of") and leak.startswith("paths"))
    ]


def check_state(state):
    """Exactly what the page needs, and nothing beside it."""
    assert state.keys() <= STATE and STATE - state.keys() <= {"warm_ups"}
    for item in state["items"]:
        assert item.keys() == ITEM
        for picture in item["pictures"]:
            assert picture.keys() == PICTURE
            assert picture["nearest"] is None or picture["nearest"].keys() == {"src", "thumb"}
        assert item["before"] is None or item["before"].keys() == {"marks", "said", "best", "worst", "flags"}


# the search itself: what it can't find, it can't rule out


@pytest.mark.parametrize(
    "hide",
    [
        lambda text: text,
        lambda text: text.upper(),
        lambda text: quote(text, safe="").replace("s", "%73").encode(),
        lambda text: text.decode().encode("utf-16-le"),
        lambda text: base64.b64encode(b"1" + text + b"2"),
        lambda text: base64.b64encode(b"12" + text),
        lambda text: b"before" + gzip.compress(text) + b"after",
        lambda text: b"before" + zlib.compress(text),
    ],
    ids=["as it is", "in capitals", "percent", "UTF-16", "base64", "base64, two on", "gzip", "deflate"],
)
@pytest.mark.parametrize("kind", ["scores", "ids", *TEXTS])
def test_the_search_finds_every_kind_of_secret_however_it_is_written(planted, kind, hide):
    text = planted.texts[kind][0]
    assert any(leak.startswith(f"{kind}: ") for leak in leaks(b"x" + hide(text.encode()) + b"y", planted))
    assert leaks(hide(b"nothing of the kind"), planted) == []


def test_the_search_finds_numbers_as_they_lie_in_memory(planted):
    assert leaks(b"\x08" + varint(planted.numbers["ids"][0]), planted)
    assert leaks(b"\x09" + struct.pack("<d", planted.numbers["scores"][3]), planted)
    assert f"{OF_PATTERN[0] + 3:.4f}" in planted.texts["scores"]  # likeness as pages show it, with all its digits


# without a browser


def call(address, payload=None):
    body = None if payload is None else json.dumps(payload).encode()
    with urlopen(Request(address, body, {"Content-Type": "application/json"}), timeout=20) as answer:
        return answer.headers, answer.read()


@pytest.mark.parametrize("mode", MODES)
def test_the_state_of_a_sitting_and_its_pictures_tell_nothing(planted, site, mode):
    token = new_sitting(planted, mode, f"reader of {mode}")
    address = f"{site}/app/rate/{token}"
    headers, body = call(address)
    seen = set()
    for _ in range(3 * ASKED):
        state = json.loads(body)
        check_state(state)
        assert leaks(body, planted) == [] == leaks(str(headers).encode(), planted)
        assert headers["cache-control"] == "no-store"
        assert not {"etag", "last-modified"} & {name.lower() for name in headers}
        seen |= {picture[name] for item in state["items"] for picture in item["pictures"] for name in ("src", "thumb")}
        if state["over"]:
            break
        headers, body = call(address, {"item": state["items"][0]["token"], "seconds": 2.0, **ANSWERS[mode]})
    assert state["over"] and state["done"] == state["total"] >= ASKED / 2
    for path in seen:
        headers, picture = call(site + path)
        assert leaks(picture, planted, numbers=False) == [] == leaks(str(headers).encode(), planted)
        assert not {"etag", "last-modified", "content-disposition"} & {name.lower() for name in headers}
        check_file(path, picture)


def check_file(path, picture):
    """A preview's file holds pixels, and neither texts, EXIF, XMP nor dates."""
    chunks = (png_chunks if path.endswith(".png") else webp_chunks)(picture)
    assert set(chunks) <= PIXELS_ONLY
    assert "VP8X" not in chunks or not picture[20] & 0b00101100  # its flags for ICC, EXIF and XMP


def test_a_repeat_looks_like_any_other_item(planted, site):
    """Same keys, and tokens that don't sort by order or picture."""
    db = planted.filled.db
    token = new_sitting(planted, "deck", "sorter")
    items = sittings.items(db, sittings.by_token(db, token)["id"])
    assert {"first", "repeat"} <= {item["part"] for item in items}
    told = call(f"{site}/app/rate/{token}")[1].decode()
    assert "repeat" not in told and "first" not in told and "position" not in told
    for ids in (range(len(items)), [item["previews"][0] for item in items]):
        at = sorted(range(len(items)), key=lambda place: (items[place]["token"], place))
        in_order = [ids[place] for place in at]
        assert len(items) >= 8 and in_order != sorted(in_order) != in_order[::-1]
    assert all(len(item["token"]) >= 16 and item["token"] != str(item["id"]) for item in items)


# in a browser


def open_sitting(page, site, token):
    page.goto(f"{site}/rate?sitting={token}")
    wait_for_pictures(page)


def wait_for_pictures(page):
    """Until what is asked stands there; the reference photos come before."""
    page.locator(".rate .show .stage img").first.wait_for()
    page.locator(".rate .actions button").first.wait_for()


def rate_one(page, planted, mode, token, n):
    """Answer by keyboard and wait until it is in the table."""
    db = planted.filled.db
    for key in KEYS[mode]:
        page.keyboard.press(key)
    until = time.monotonic() + 60
    while answered(db, token) < n:
        assert time.monotonic() < until, f"answer {n} of {mode} was not saved"
        page.wait_for_timeout(20)
    page.wait_for_timeout(150)  # until the next picture stands


def answered(db, token):
    rows = db.query("select count(distinct item_id) as n from ratings where session = :token", {"token": token})
    return next(iter(rows))["n"]


@pytest.mark.browser
@pytest.mark.parametrize("mode", MODES)
def test_nothing_that_reaches_the_browser_tells_what_made_a_picture(planted, site, page, mode):
    token = new_sitting(planted, mode, f"browser of {mode}")
    heard = Overheard(page)
    page.goto(f"{site}/rate")  # directly: what is proposed, the project in the sidebar, the worker's badge
    page.get_by_role("heading", name="Rate").wait_for()
    page.wait_for_load_state("networkidle")
    heard.look()
    open_sitting(page, site, token)
    for n in (1, 2):
        rate_one(page, planted, mode, token, n)
    heard.look()
    page.reload()
    wait_for_pictures(page)
    for n in (3, 4, 5):  # warm-ups are behind by then
        rate_one(page, planted, mode, token, n)
    for key in ("x", "n", " ", "z"):  # close-up, nearest photo, zoom, undo
        page.keyboard.press(key)
        page.wait_for_timeout(200)
    heard.look()
    page.keyboard.press(" ")
    page.get_by_role("button", name="Stop for now").click()
    page.get_by_text("Known now").wait_for()  # the report, with what could be rated next
    page.get_by_role("button", name="Start").or_(page.get_by_role("button", name="Go on")).first.wait_for()
    page.wait_for_load_state("networkidle")
    heard.look()
    assert b"Saved: " in heard.heard[-1][1] and b"Nothing has been rated" not in heard.heard[-1][1]

    assert found_in(heard.heard, planted) == []
    kinds = {what.split(" ")[0] for what, _ in heard.heard}
    assert {"framesent", "framereceived", "headers", "body", "the"} <= kinds
    assert heard.bundles >= 5 and len(heard.states) >= 5 and len(heard.pictures) >= 4
    for state in heard.states:
        check_state(state)
    for path, picture in heard.pictures.items():
        check_file(path, picture)
        assert not {"etag", "last-modified"} & heard.headers[path].keys()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("path", "wait", "kinds"),
    [
        ("gallery", "button.tile img", {"patterns", "seeds"}),
        ("charts?view=Over+the+training", "canvas, svg.marks", {"patterns", "scores", "ids"}),
        ("run?run=73100001", "h1", {"patterns", "paths", "settings", "updates", "seeds"}),
    ],
)
def test_the_same_listening_finds_what_pages_that_are_not_blind_show(planted, site, page, path, wait, kinds):
    """Else the tests above could never fail."""
    heard = Overheard(page)
    page.goto(f"{site}/{path}")
    page.locator(wait).first.wait_for()
    found, until = [], time.monotonic() + 30
    while not {leak.split(":")[0] for _, leak in found} >= kinds and time.monotonic() < until:
        page.wait_for_timeout(500)  # until the whole page stands
        heard.look()
        found = found_in(heard.heard, planted)
    assert {leak.split(":")[0] for _, leak in found} >= kinds
    assert {"framereceived", "the page"} <= {what for what, _ in found}


CHARTS = ("Only one thing differs", "One setting", "Over the training", "Epochs x strengths")
EVERYWHERE = (
    "",
    "gallery",
    "gallery?gallery-view=All+patterns+in+one+picture",
    "gallery?gallery-view=Two+against+each+other",
    "queue",
    "run?run=73100001",
    "scores",
    "people",
    *(f"charts?view={view.replace(' ', '+')}" for view in CHARTS),
)


@pytest.mark.browser
def test_no_page_sends_a_picture_that_waits(planted, site, page):
    """Neither its address nor, under another one, its token; of the last seed pictures are shown freely."""
    db = planted.filled.db
    project = library.project(db, planted.filled.project_id)
    rater = last_rater(db) or "me"  # for whom pages take who looks at them: what that rater has judged waits no more
    held = pool.held_back_tokens(db, project, rater, standing.at_stake(db, project, rater).open)
    seen = sittings.revealed(db, planted.filled.project_id, rater)
    assert len(held) >= 20
    sent, pictures = [], 0
    for path in EVERYWHERE:
        tab = page.context.new_page()
        heard = Overheard(tab)
        tab.goto(f"{site}/{path}")
        tab.get_by_role("link", name="Charts").wait_for()
        tab.wait_for_load_state("networkidle")
        if path.startswith("gallery"):
            tab.get_by_role("button", name=str(SEEDS[0])).click()  # also the seed whose pictures wait
            tab.get_by_text("that wait to be rated").first.wait_for()
        tab.wait_for_timeout(500)
        heard.look()
        sent += [data for _, data in heard.heard]
        pictures += len(heard.pictures)
        tab.close()
    shown = {token for token in tokens_of(db) if any(token.encode() in data for data in sent)}
    assert pictures >= 10 and len(shown) >= 20
    assert not shown & held
    assert sittings.revealed(db, planted.filled.project_id, rater) == seen  # looking at what is free costs nothing


def tokens_of(db):
    return [row["token"] for row in db.query("select token from previews")]


@pytest.mark.browser
def test_who_comes_from_the_gallery_is_told_nothing_more(planted, site, page):
    """What another page has shown is no longer there, and isn't sent again; the way in is the form, and its buttons."""
    heard = Overheard(page)
    page.goto(f"{site}/gallery")
    page.locator("button.tile img").first.wait_for()
    page.wait_for_load_state("networkidle")
    heard.look()
    assert found_in(heard.heard, planted)
    page.get_by_role("link", name="Rate").click()
    page.get_by_role("heading", name="Rate").wait_for()
    name = page.get_by_role("combobox", name="Your name")
    name.fill("newcomer")
    name.press("Enter")
    page.get_by_role("button", name="Start", disabled=False).wait_for()
    page.wait_for_load_state("networkidle")
    heard.heard.clear()
    page.get_by_role("button", name="Start").click()
    wait_for_pictures(page)
    page.keyboard.press("s")
    page.locator(".heard", has_text="Saved.").wait_for(state="attached")
    heard.look()
    assert {"framesent", "framereceived", "the page"} <= {what for what, _ in heard.heard} and len(heard.states) >= 2
    assert found_in(heard.heard, planted) == []


@pytest.mark.browser
def test_a_leak_in_the_state_would_be_found(planted, site, page):
    """One label, one seed, one score, slipped into what the route tells."""
    token = new_sitting(planted, "deck", "leaky")
    slip = {"label": "secretlabel7xq", "seed": SEEDS[0], "likeness": planted.texts["scores"][0]}

    def leaky(path, body):
        return json.dumps({**json.loads(body), **slip}).encode() if path.startswith("/app/rate/") else body

    heard = Overheard(page, leaky)
    open_sitting(page, site, token)
    heard.look()
    found = found_in(heard.heard, planted)
    assert {what for what, _ in found} == {f"body of /app/rate/{token}"}
    assert {leak.split(":")[0] for _, leak in found} == {"patterns", "seeds", "scores"}
    with pytest.raises(AssertionError):
        check_state(heard.states[0])
