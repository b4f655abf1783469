"""Rows, pairs and grids in a real browser: what is said of them by key and by mouse is what the table holds."""

import statistics
from types import SimpleNamespace

import pytest
from filled_many import fill_many
from serving import serving
from test_launch import ROOT
from test_rate_browser import IN_TURN, rate

from db import library, ratings, results, sittings
from workbench.rating import sitting
from workbench.rating.answers import save

pytestmark = pytest.mark.browser
TRANSFORMS = "all => all.map(one => getComputedStyle(one).transform)"
SCALES = "all => all.map(one => new DOMMatrix(getComputedStyle(one).transform).a)"
PAINTED = """async (images) => {
    await Promise.all(images.map((image) => image.decode()));
    for (const _ of "12") await new Promise(requestAnimationFrame);
}"""
AT_ONCE = """keys => {
    for (const key of keys) document.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
}"""
SLOW_MS = 150  # docs/rating.md has real figures; shared machines of a CI are slower and uneven
MODES = {"sheet": 8, "pair": 2, "best_worst": 6}  # pictures of an item
FACE = '{"face_px": 33.0, "box": [40, 20, 88, 84], "nearest_reference_photo": 1}'


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    filled = fill_many(tmp_path_factory.mktemp("modes"), n_patterns=6, n_checkpoints=2, px=128)
    filled.db.execute("update scores set detail = ? where metric = 'likeness' and status = 'ok'", [FACE])
    return filled


@pytest.fixture(scope="module")
def site(filled):
    with serving(filled.ws.home) as address:
        yield address


def asked_in(filled, mode):
    """What a sitting of this mode could ask: rows of one checkpoint, else pictures of one prompt."""
    rows = [row for row in results.previews(filled.db, filled.project_id, filled.plan_id) if row["run_id"]]
    together = {}
    for row in rows:
        together.setdefault(row["checkpoint_id"] if mode == "sheet" else row["prompt"], []).append(row["id"])
    n = MODES[mode]
    return tuple(tuple(ids[at : at + n]) for ids in together.values() for at in range(0, len(ids), n))


def begin(filled, rater, mode, n=12, repeats=0):
    """A sitting of ``n`` items, with the warm-ups before them passed; ``items`` are those that count."""
    project = library.project(filled.db, filled.project_id)
    asked = asked_in(filled, mode)[:n]
    about = SimpleNamespace(mode=mode, asked=asked, repeats=repeats, minutes=10.0, foretold={})
    row = sittings.by_token(filled.db, sitting.begin(filled.db, project, rater, about))
    items = sittings.items(filled.db, row["id"])
    for item in items:
        if item["part"] == "warm_up":
            save(filled.db, row["token"], {"item": item["token"], "seconds": 1.0, "skip": True})
    return SimpleNamespace(**row, items=[item for item in items if item["part"] != "warm_up"])


@pytest.fixture
def go(filled, site, page):
    """Begin a sitting and open it."""

    def opened(rater, mode, **more):
        asked = begin(filled, f"{rater} {mode}", mode, **more)
        rate(page, site, {"token": asked.token})
        on_item(page, filled, asked, 0)
        return asked

    page.set_viewport_size({"width": 1280, "height": 800})
    return opened


def sources(filled, item):
    return [f"/app/static/previews/{token_of(filled, preview)}.png" for preview in item["previews"]]


def token_of(filled, preview):
    return next(filled.db.query("select token from previews where id = ?", [preview]))["token"]


def shown(page):
    return page.locator(".show .stage > img").evaluate_all("all => all.map(one => one.getAttribute('src'))")


def on_item(page, filled, asked, place):
    """Wait until the pictures of an item stand there, in its order, and are painted: until then keys wait."""
    wanted = sources(filled, asked.items[place])
    for _ in range(200):
        if shown(page) == wanted:
            break
        page.wait_for_timeout(25)
    assert shown(page) == wanted
    page.locator(".show .stage > img").evaluate_all(PAINTED)


def said(filled, asked):
    """(place of the item, event, said or value, number of the picture from the left or None) of every event."""
    found = []
    for event in events_of(filled, asked):
        place, item = next((place, item) for place, item in enumerate(asked.items) if item["id"] == event["item_id"])
        number = None if event["preview_id"] is None else item["previews"].index(event["preview_id"])
        what = event["said"] if event["said"] is not None else event["value"]
        found.append((place, event["event"], what, number))
    return found


def events_of(filled, asked):
    """All that the table holds of the items that count."""
    ids = {item["id"] for item in asked.items}
    return [event for event in ratings.of_sitting(filled.db, asked.id) if event["item_id"] in ids]


def wait_for(page, filled, asked, n):
    for _ in range(200):
        if len(said(filled, asked)) >= n:
            break
        page.wait_for_timeout(25)
    page.wait_for_timeout(150)  # and no more than these
    assert len(said(filled, asked)) == n
    return said(filled, asked)


def picture(page, number):
    return page.locator(".show .tile .press").nth(number)


def button(page, name):
    return page.locator(".controls").get_by_role("button", name=name)


# two against each other


def test_a_pair_is_answered_by_four_keys(filled, page, go):
    asked = go("keys", "pair")
    for place, key in enumerate(["ArrowLeft", "ArrowRight", "ArrowDown", "b", "="]):
        on_item(page, filled, asked, place)
        page.keyboard.press(key)
    answers = [("left", 0), ("right", 1), ("same", None), ("bad", None), ("same", None)]
    expected = [(place, "choose", *answer) for place, answer in enumerate(answers)]
    assert wait_for(page, filled, asked, 5) == expected
    on_item(page, filled, asked, 5)


def test_a_pair_is_answered_by_a_click_on_a_picture_or_a_button(filled, page, go):
    asked = go("mouse", "pair")
    presses = [lambda: picture(page, 1), lambda: picture(page, 0)]
    presses += [lambda name=name: button(page, name) for name in ("Left", "Same", "Both bad", "Right")]
    for place, press in enumerate(presses):
        on_item(page, filled, asked, place)
        press().click()
    answers = [("right", 1), ("left", 0), ("left", 0), ("same", None), ("bad", None), ("right", 1)]
    expected = [(place, "choose", *answer) for place, answer in enumerate(answers)]
    assert wait_for(page, filled, asked, 6) == expected


def test_the_picture_that_is_clicked_is_the_one_that_is_stored_as_chosen(filled, page, go):
    asked = go("identity", "pair")
    clicked = picture(page, 1).locator("img").first.get_attribute("src")
    picture(page, 1).click()
    wait_for(page, filled, asked, 1)
    [event] = events_of(filled, asked)
    assert clicked == f"/app/static/previews/{token_of(filled, event['preview_id'])}.png"


def test_five_keys_at_once_answer_five_pairs_in_order(filled, page, go):
    asked = go("burst", "pair")
    page.evaluate(AT_ONCE, ["ArrowLeft", "b", "ArrowRight", "ArrowDown", "ArrowRight"])
    answers = [("left", 0), ("bad", None), ("right", 1), ("same", None), ("right", 1)]
    assert wait_for(page, filled, asked, 5) == [(place, "choose", *answer) for place, answer in enumerate(answers)]
    on_item(page, filled, asked, 5)


def test_a_double_click_on_a_picture_answers_once(filled, page, go):
    asked = go("double", "pair")
    picture(page, 0).dblclick()
    wait_for(page, filled, asked, 1)


def test_a_pair_comes_back_with_its_sides_swapped(filled, page, go):
    asked = go("repeat", "pair", n=8, repeats=2)
    twice = [item for item in asked.items if item["part"] == "repeat"]
    assert len(twice) == 2
    seen = []
    for place in range(len(asked.items)):
        on_item(page, filled, asked, place)
        seen.append(shown(page))
        page.keyboard.press("ArrowLeft")
    ids = [item["id"] for item in asked.items]
    for item in twice:
        assert seen[ids.index(item["id"])] == seen[ids.index(item["repeats"])][::-1]
    wait_for(page, filled, asked, len(asked.items))
    chosen = {event["item_id"]: event["preview_id"] for event in events_of(filled, asked)}
    for item in twice:  # the left one both times: two different pictures
        assert {chosen[item["id"]], chosen[item["repeats"]]} == set(item["previews"])


def test_nothing_but_the_pictures_tells_one_side_of_a_pair_from_the_other(filled, page, go):
    go("sides", "pair")
    left, right = page.locator(".show .tile").evaluate_all(
        """tiles => tiles.map((one) => one.outerHTML.replace(/src="[^"]*"/, '').replace(/left|right/g, 'SIDE'))"""
    )
    assert left == right
    one, other = (picture(page, n).locator(".stage").bounding_box() for n in (0, 1))
    assert (one["width"], one["height"]) == (other["width"], other["height"])


def test_space_shows_the_same_place_of_both_pictures_and_a_drag_chooses_none(filled, page, go):
    asked = go("zoom", "pair")
    page.keyboard.press("Space")
    transforms = page.locator(".show .stage > img").evaluate_all(TRANSFORMS)
    assert len(set(transforms)) == 1 and "matrix(2.5, " in transforms[0]
    box = picture(page, 0).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 40, steps=4)
    page.mouse.up()
    moved = page.locator(".show .stage > img").evaluate_all(TRANSFORMS)
    assert len(set(moved)) == 1 and moved[0] != transforms[0]
    assert said(filled, asked) == []
    page.keyboard.press("ArrowRight")  # still chooses
    assert wait_for(page, filled, asked, 1) == [(0, "choose", "right", 1)]
    page.wait_for_function("root => !root.classList.contains('zoomed')", arg=page.locator(".rate").element_handle())


def test_undo_in_a_pair_says_what_was_said_before(filled, page, go):
    asked = go("undo", "pair")
    page.keyboard.press("ArrowRight")
    on_item(page, filled, asked, 1)
    page.keyboard.press("z")
    on_item(page, filled, asked, 0)
    assert "said before" in button(page, "Right").inner_text()
    assert "said before" not in button(page, "Left").inner_text()
    page.keyboard.press("ArrowLeft")
    on_item(page, filled, asked, 1)
    page.get_by_role("button", name="Skip").click()
    on_item(page, filled, asked, 2)
    events = wait_for(page, filled, asked, 4)
    assert [event[:3] for event in events] == [
        (0, "choose", "right"),
        (0, "undo", None),
        (0, "choose", "left"),
        (1, "skip", None),
    ]


# a row


def test_a_row_gets_one_mark_by_key_by_button_or_by_slider(filled, page, go):
    asked = go("marks", "sheet")
    assert len(shown(page)) == 8
    assert "all 8 together" in page.locator(".controls").inner_text()
    page.keyboard.press("7")
    on_item(page, filled, asked, 1)
    button(page, "25 of 100").click()
    on_item(page, filled, asked, 2)
    page.locator(".slider input").focus()
    page.keyboard.press("PageUp")
    value = float(page.locator(".slider .much").inner_text())
    page.keyboard.press("Enter")
    on_item(page, filled, asked, 3)
    marks = [75.0, 25.0, value]
    assert wait_for(page, filled, asked, 3) == [(place, "rate", mark, None) for place, mark in enumerate(marks)]


def test_a_click_on_a_picture_of_a_row_shows_it_large_and_says_nothing(filled, page, go):
    asked = go("large", "sheet")
    picture(page, 5).click()
    large = page.locator(".layer.large img")
    assert large.get_attribute("src") == sources(filled, asked.items[0])[5]
    assert large.bounding_box()["height"] >= 700
    page.keyboard.press("Escape")
    assert not large.is_visible()
    assert said(filled, asked) == []
    page.keyboard.press("5")
    wait_for(page, filled, asked, 1)


@pytest.mark.parametrize("mode", ["sheet", "best_worst"])
def test_one_picture_of_several_is_flagged_by_key_and_by_mouse(filled, page, go, mode):
    asked = go("flag", mode)
    page.keyboard.type("f31")
    page.get_by_role("button", name="Flag").click()
    page.get_by_role("button", name="Picture 5", exact=True).click()
    page.get_by_role("button", name="Copy of a photo").click()
    assert page.locator(".stage .flag").all_inner_texts() == ["⚑ Broken", "⚑ Copy of a photo"]
    assert "Broken" in picture(page, 2).locator(".stage").inner_text()
    page.keyboard.type("5" if mode == "sheet" else "14")
    events = wait_for(page, filled, asked, 3 if mode == "sheet" else 4)
    flagged = [event for event in events if event[1] == "flag"]
    assert flagged == [(0, "flag", "broken", 2), (0, "flag", "copy_of_a_photo", 4)]
    on_item(page, filled, asked, 1)
    assert page.locator(".stage .flag").count() == 0


# best and worst


def test_two_keys_choose_the_best_and_the_worst_of_a_grid(filled, page, go):
    asked = go("keys", "best_worst")
    assert len(shown(page)) == 6
    page.keyboard.press("3")
    assert page.locator(".tile").nth(2).inner_text().split() == ["3", "best", "▲"]
    assert "Best: 3" in page.locator(".controls").inner_text()
    assert said(filled, asked) == []
    page.keyboard.press("6")
    on_item(page, filled, asked, 1)
    page.keyboard.press("Shift+Digit2")
    assert page.locator(".tile").nth(1).inner_text().split() == ["2", "worst", "▼"]
    page.keyboard.press("1")
    on_item(page, filled, asked, 2)
    page.keyboard.press("ArrowDown")
    on_item(page, filled, asked, 3)
    page.keyboard.press("b")
    assert wait_for(page, filled, asked, 6) == [
        (0, "choose", "best", 2),
        (0, "choose", "worst", 5),
        (1, "choose", "best", 0),
        (1, "choose", "worst", 1),
        (2, "choose", "same", None),
        (3, "choose", "bad", None),
    ]


def test_clicks_choose_in_a_grid_and_a_second_click_lets_go(filled, page, go):
    asked = go("mouse", "best_worst")
    picture(page, 0).click()
    assert page.locator(".tile").nth(0).inner_text().split() == ["1", "best", "▲"]
    assert picture(page, 0).get_attribute("aria-pressed") == "true"
    picture(page, 0).click()
    assert page.locator(".tile").nth(0).inner_text().split() == ["1"]
    picture(page, 4).dblclick()  # in haste: once all the same
    assert page.locator(".tile").nth(4).inner_text().split() == ["5", "best", "▲"]
    picture(page, 1).click()
    on_item(page, filled, asked, 1)
    button(page, "Can't tell").click()
    on_item(page, filled, asked, 2)
    button(page, "All bad").click()
    assert wait_for(page, filled, asked, 4) == [
        (0, "choose", "best", 4),
        (0, "choose", "worst", 1),
        (1, "choose", "same", None),
        (2, "choose", "bad", None),
    ]


def test_undo_in_a_grid_takes_back_the_pick_first_then_the_answer(filled, page, go):
    asked = go("undo", "best_worst")
    page.keyboard.type("25")
    on_item(page, filled, asked, 1)
    page.keyboard.press("4")
    page.keyboard.press("z")
    assert page.locator(".tile").nth(3).inner_text().split() == ["4"]
    page.keyboard.press("Backspace")
    on_item(page, filled, asked, 0)
    assert [one.split()[1:] for one in page.locator(".tile").all_inner_texts()] == [
        [],
        ["best", "before"],
        [],
        [],
        ["worst", "before"],
        [],
    ]
    page.keyboard.press("s")
    on_item(page, filled, asked, 1)
    events = [event[1:3] for event in wait_for(page, filled, asked, 5)]
    assert events == [("choose", "best"), ("choose", "worst"), ("undo", None), ("undo", None), ("skip", None)]


def test_ten_keys_at_once_answer_five_grids(filled, page, go):
    asked = go("burst", "best_worst")
    page.keyboard.type("1223344556", delay=0)
    expected = []
    for place in range(5):
        expected += [(place, "choose", "best", place), (place, "choose", "worst", place + 1)]
    assert wait_for(page, filled, asked, 10) == expected


# in all of them


@pytest.mark.parametrize("mode", MODES)
def test_a_face_close_up_and_the_nearest_photo_for_every_picture(filled, page, go, mode):
    go("closer", mode)
    page.keyboard.press("x")
    scales = page.locator(".show .stage > img").evaluate_all(SCALES)
    assert len(scales) == MODES[mode] and all(scale > 1.05 for scale in scales)
    page.keyboard.press("x")
    before = page.locator(".show .stage").first.bounding_box()
    page.keyboard.press("n")
    photos = page.locator(".show .near img")
    assert photos.count() == MODES[mode]
    page.wait_for_timeout(100)
    place = page.locator(".show").bounding_box()
    for n in range(MODES[mode]):
        stage, near = (picture(page, n).locator(name).bounding_box() for name in (".stage", ".near"))
        assert near["x"] >= stage["x"] + stage["width"]  # beside it, covering nothing
        assert abs(near["width"] - stage["width"]) < 1
        assert near["x"] + near["width"] <= place["x"] + place["width"] + 1
        assert near["y"] + near["height"] <= place["y"] + place["height"] + 1
    page.keyboard.press("n")
    page.wait_for_timeout(100)
    assert page.locator(".show .stage").first.bounding_box() == before


def test_tiles_are_as_large_as_their_place_lets_them_be(page):
    """Columns and px worked out by hand; 8 px between tiles."""
    script = (ROOT / "pages" / "_rate_tiles.js").read_text(encoding="utf-8")

    def fit(*place):
        return page.evaluate(f"place => {{ {script}; return fitTiles(...place); }}", place)

    # 8 squares in 1000 x 600 with 18 below each: 4 in a line are (1000 - 24) / 4 wide, of 296 - 18 that are there
    assert fit(8, 1, 1000, 600, 18) == {"columns": 4, "px": 244}
    # 2 upright ones, half as wide as high: beside each other 600 high, above each other 296
    assert fit(2, 0.5, 1000, 600, 0) == {"columns": 2, "px": 300}
    # 2 squares on a phone: beside each other (374 - 8) / 2 = 183 wide, above each other (530 - 8) / 2 = 261 high
    assert fit(2, 1, 374, 530, 0) == {"columns": 1, "px": 261}
    assert fit(6, 1, 900, 640, 24) == {"columns": 3, "px": 292}  # (640 - 8) / 2 - 24 high; 294 would be there across


@pytest.mark.parametrize(("mode", "least"), [("sheet", 235), ("pair", 550), ("best_worst", 270)])
def test_pictures_are_large_and_nothing_scrolls_in_a_small_window(filled, page, go, mode, least):
    go("small", mode)
    boxes = [one.bounding_box() for one in page.locator(".show .stage").all()]
    assert len({(round(box["width"]), round(box["height"])) for box in boxes}) == 1
    assert boxes[0]["width"] >= least
    assert len({round(box["y"]) for box in boxes}) <= 2  # one or two lines
    inside(page, 1280, 800)


@pytest.mark.parametrize(("mode", "least"), [("sheet", 105), ("pair", 240), ("best_worst", 130)])
def test_on_a_phone_all_stays_in_reach(filled, site, browser, mode, least):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    asked = begin(filled, f"phone {mode}", mode)
    rate(page, site, {"token": asked.token})
    assert page.evaluate("() => document.scrollingElement.scrollWidth") <= 390
    assert page.locator(".show .stage").first.bounding_box()["width"] >= least
    targets = [one.bounding_box() for one in page.locator(".rate button:visible").all()]
    assert all(box["width"] >= 44 and box["height"] >= 44 for box in targets)
    inside(page, 390, 844)
    if mode == "pair":
        assert page.locator(".choices button").first.inner_text() == "Upper"  # they stand above each other here
    picture(page, 1).tap()
    if mode == "sheet":
        assert page.locator(".layer.large img").is_visible()
        page.locator(".layer.large").tap()
        page.locator(".mark-row button").nth(3).tap()
    if mode == "best_worst":
        picture(page, 0).tap()
    on_item(page, filled, asked, 1)
    context.close()


def inside(page, width, height):
    """Every picture, button and the person's photos stand in the window, and none over another part."""
    parts = [*page.locator(".rate button:visible").all(), *page.locator(".show .stage").all()]
    parts += [page.locator(".strip"), page.locator(".strip img").first]
    for part in parts:
        box = part.bounding_box()
        assert box["x"] >= 0 and box["y"] >= 0
        assert box["x"] + box["width"] <= width + 0.5 and box["y"] + box["height"] <= height + 0.5
    areas = [page.locator(f".rate > .{name}").bounding_box() for name in ("show", "strip", "controls", "actions")]
    for n, one in enumerate(areas):
        for other in areas[n + 1 :]:
            assert apart(one, other, "x", "width") or apart(one, other, "y", "height")


def apart(one, other, start, size):
    return one[start] + one[size] <= other[start] + 0.5 or other[start] + other[size] <= one[start] + 0.5


@pytest.mark.parametrize(("mode", "keys"), [("sheet", ["5"]), ("pair", ["ArrowLeft"]), ("best_worst", ["1", "2"])])
def test_the_next_pictures_are_there_at_once(filled, page, go, mode, keys):
    n = len(go("speed", mode).items) - 1
    took = page.evaluate(IN_TURN, [keys, n])
    median = statistics.median(took)
    print(f"{mode}: key to next pictures painted: median {median:.0f} ms, worst {max(took):.0f} ms, {n} times")
    assert median < SLOW_MS
