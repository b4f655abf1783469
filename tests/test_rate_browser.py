"""Rating in a real browser: keys and mouse, in haste, in two windows, by two people, with the app gone, on a phone."""

import statistics
from types import SimpleNamespace

import pytest
from filled_many import fill_many
from serving import served, serving
from test_launch import free_port

from db import library, ratings, results, sittings
from workbench.rating import sitting

pytestmark = pytest.mark.browser
SLOW_MS = 150  # docs/rating.md has real figures; shared machines of a CI are slower and uneven
PRESS = """(key) => document.dispatchEvent(new KeyboardEvent('keydown', {key, code: 'Digit' + key, bubbles: true}))"""
AT = "([root, src]) => root.querySelector('.show .stage img')?.getAttribute('src') === src"
# From the key to the frame after the next pictures were painted, for keys that make one answer.
IN_TURN = """async ([keys, n]) => {
    const root = [...document.querySelectorAll('*')].map(one => one.shadowRoot?.querySelector('.rate')).find(Boolean);
    const images = () => [...root.querySelectorAll('.show .stage img')];
    const frame = () => new Promise(requestAnimationFrame);
    const took = [];
    for (let i = 0; i < n; i += 1) {
        const before = images()[0], from = performance.now();
        for (const key of keys) document.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
        await new Promise((done) => {
            const watch = new MutationObserver(() => {
                if (images().length && images()[0] !== before) { watch.disconnect(); done(); }
            });
            watch.observe(root, {childList: true, subtree: true});
        });
        await Promise.all(images().map((image) => image.decode()));
        await frame();
        await frame();
        took.push(performance.now() - from);
        await new Promise((done) => setTimeout(done, 150));
    }
    return took;
}"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    return fill_many(tmp_path_factory.mktemp("rating"), n_patterns=12, n_checkpoints=4, px=64)


@pytest.fixture(scope="module")
def site(filled):
    with serving(filled.ws.home) as address:
        yield address


@pytest.fixture
def fresh(tmp_path):
    """A workspace of its own, for what kills its app."""
    return fill_many(tmp_path, n_patterns=2, n_checkpoints=2, px=64)


def begin(filled, rater, mode="deck", n=12):
    """A sitting over the first ``n`` pictures with a face; it has warm-ups of its own before them."""
    project = library.project(filled.db, filled.project_id)
    rows = [row for row in results.previews(filled.db, project["id"], project["plan_id"]) if row["run_id"]][:n]
    asked = tuple((row["id"],) for row in rows)
    about = SimpleNamespace(mode=mode, asked=asked, repeats=0, minutes=10.0, foretold={"words": "It will show."})
    token = sitting.begin(filled.db, project, rater, about)
    return sittings.by_token(filled.db, token)


def rate(page, site, asked):
    page.goto(f"{site}/rate?sitting={asked['token']}")
    page.locator(".rate .show .stage img").first.wait_for()
    page.locator(".actions button").first.wait_for()
    return page


def items(filled, asked):
    return sittings.items(filled.db, asked["id"])


def said(filled, asked):
    """(place of the item, event, axis, value or flag) of every event, in the order in which they were committed."""
    place = {item["id"]: item["position"] for item in items(filled, asked)}
    return [
        (place[event["item_id"]], event["event"], event["axis"], event["said"] or event["value"])
        for event in ratings.of_sitting(filled.db, asked["id"])
    ]


def wait_for(page, filled, asked, n):
    """Wait until the table has ``n`` events of the sitting."""
    for _ in range(1200):
        if len(said(filled, asked)) >= n:
            break
        page.wait_for_timeout(50)
    page.wait_for_timeout(150)
    assert len(said(filled, asked)) == n
    return said(filled, asked)


def on_show(page):
    return page.locator(".show .stage img").first.get_attribute("src")


def src_of(filled, asked, position):
    item = items(filled, asked)[position]
    token = next(filled.db.query("select token from previews where id = ?", [item["previews"][0]]))["token"]
    return f"/app/static/previews/{token}.png"


# deck


def test_a_key_marks_the_picture_and_brings_the_next(filled, site, page):
    asked = begin(filled, "key")
    rate(page, site, asked)
    assert on_show(page) == src_of(filled, asked, 0)
    page.keyboard.press("8")
    assert wait_for(page, filled, asked, 1) == [(0, "rate", "likeness", 87.5)]
    assert on_show(page) == src_of(filled, asked, 1)


def test_a_click_marks_the_picture_and_a_double_click_only_one(filled, site, page):
    asked = begin(filled, "mouse")
    rate(page, site, asked)
    button = page.locator(".mark-row button").nth(8)
    button.click()
    wait_for(page, filled, asked, 1)
    page.locator(".mark-row button").nth(0).dblclick()
    assert wait_for(page, filled, asked, 2) == [(0, "rate", "likeness", 100.0), (1, "rate", "likeness", 0.0)]


def test_keys_at_once_each_answer_the_next_picture_in_order(filled, site, page):
    asked = begin(filled, "burst")
    rate(page, site, asked)
    page.keyboard.type("19573", delay=0)
    values = [0.0, 100.0, 50.0, 75.0, 25.0]
    assert wait_for(page, filled, asked, 5) == [(n, "rate", "likeness", value) for n, value in enumerate(values)]
    assert on_show(page) == src_of(filled, asked, 5)


def test_two_hundred_keys_in_a_burst_are_two_hundred_answers(filled, site, page):
    asked = begin(filled, "long burst", n=210)
    rate(page, site, asked)
    keys = [str(1 + n % 9) for n in range(200)]
    page.keyboard.type("".join(keys), delay=0)
    expected = [(n, "rate", "likeness", (int(key) - 1) * 12.5) for n, key in enumerate(keys)]

    assert wait_for(page, filled, asked, 200) == expected


def test_keys_work_while_the_slider_has_the_focus_and_enter_saves_its_finer_mark(filled, site, page):
    asked = begin(filled, "slider")
    rate(page, site, asked)
    assert page.locator(".slider .much").inner_text() == "not set"
    slider = page.locator(".slider input")
    box = slider.bounding_box()
    page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + box["height"] / 2)
    shown = float(page.locator(".slider .much").inner_text())
    assert 56 <= shown <= 64
    assert said(filled, asked) == []
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert wait_for(page, filled, asked, 1) == [(0, "rate", "likeness", shown + 0.5)]
    assert page.locator(".slider .much").inner_text() == "not set"
    slider.focus()
    page.keyboard.press("2")
    assert wait_for(page, filled, asked, 2)[1] == (1, "rate", "likeness", 12.5)


def test_held_keys_and_shortcuts_of_the_browser_mark_nothing(filled, site, page):
    asked = begin(filled, "held")
    rate(page, site, asked)
    page.keyboard.down("4")
    for _ in range(5):
        page.keyboard.down("4")  # a repeat, as a held key makes them
    page.keyboard.up("4")
    page.keyboard.press("Control+7")
    page.keyboard.press("Alt+7")
    assert wait_for(page, filled, asked, 1) == [(0, "rate", "likeness", 37.5)]


def test_undo_brings_pictures_back_one_after_the_other_with_what_was_said(filled, site, page):
    asked = begin(filled, "undo")
    rate(page, site, asked)
    assert page.get_by_role("button", name="Undo").is_disabled()
    page.keyboard.type("46", delay=0)
    wait_for(page, filled, asked, 2)
    page.keyboard.press("z")
    wait_for(page, filled, asked, 3)
    assert on_show(page) == src_of(filled, asked, 1)
    assert page.locator(".mark-row button.before").inner_text() == "6"
    page.get_by_role("button", name="Undo").click()
    wait_for(page, filled, asked, 4)
    assert on_show(page) == src_of(filled, asked, 0)
    page.keyboard.press("9")
    events = wait_for(page, filled, asked, 5)
    assert [event[:2] for event in events] == [(0, "rate"), (1, "rate"), (1, "undo"), (0, "undo"), (0, "rate")]
    assert on_show(page) == src_of(filled, asked, 1)


def test_skip_and_flags_by_key_and_by_mouse(filled, site, page):
    asked = begin(filled, "flags")
    rate(page, site, asked)
    page.keyboard.press("s")
    wait_for(page, filled, asked, 1)
    page.keyboard.type("f2")
    assert page.locator(".stage .flag").inner_text() == "⚑ Not the person"
    page.keyboard.press("3")
    wait_for(page, filled, asked, 3)
    page.get_by_role("button", name="Flag").click()
    page.get_by_role("button", name="Copy of a photo").click()
    page.keyboard.press("Enter")
    events = wait_for(page, filled, asked, 4)
    assert events[0][:2] == (0, "skip")
    assert sorted(events[1:3], key=str) == [(1, "flag", None, "not_the_person"), (1, "rate", "likeness", 25.0)]
    assert events[3] == (2, "flag", None, "copy_of_a_photo")


def test_the_next_picture_is_there_at_once(filled, site, page):
    asked = begin(filled, "speed", n=60)
    rate(page, site, asked)
    took = page.evaluate(IN_TURN, [["5"], 50])
    print(f"key to next picture painted: median {statistics.median(took):.0f} ms, worst {max(took):.0f} ms")
    assert statistics.median(took) < SLOW_MS
    assert len(said(filled, asked)) == 50


# single


def test_three_sliders_by_keys_alone(filled, site, page):
    asked = begin(filled, "three keys", "single")
    rate(page, site, asked)
    assert page.locator(".slider .much").all_inner_texts() == ["not set"] * 3
    page.keyboard.type("745")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("9")
    assert page.locator(".slider .much").all_inner_texts() == ["75", "100", "50"]
    assert said(filled, asked) == []
    page.keyboard.press("Enter")
    events = wait_for(page, filled, asked, 3)
    assert {event[2:] for event in events} == {("likeness", 75.0), ("quality", 100.0), ("prompt", 50.0)}
    assert page.locator(".slider .much").all_inner_texts() == ["not set"] * 3
    page.keyboard.type("6")  # the next picture begins with likeness, whatever slider had the focus
    page.keyboard.press("Enter")
    assert wait_for(page, filled, asked, 4)[-1] == (1, "rate", "likeness", 62.5)


def test_only_sliders_that_were_moved_are_saved(filled, site, page):
    asked = begin(filled, "three mouse", "single")
    rate(page, site, asked)
    save = page.get_by_role("button", name="Save and next")
    assert save.is_disabled()
    page.keyboard.press("Enter")
    assert "Move a slider" in page.locator(".told").inner_text()
    box = page.locator(".slider input").nth(1).bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + box["height"] / 2)  # just where an unset one stands
    save.click()
    [(place, event, axis, value)] = wait_for(page, filled, asked, 1)
    assert (place, event, axis) == (0, "rate", "quality")
    assert value == pytest.approx(50, abs=1)


def test_the_face_comes_close_and_the_nearest_photo_stands_beside_it_when_asked(filled, site, page):
    asked = begin(filled, "close")
    photo = "/app/static/previews/none.png"

    def with_face(route):
        said = route.fetch().json()
        for item in said["items"]:
            item["pictures"][0] |= {"face": [0.25, 0.25, 0.5, 0.5], "nearest": {"src": photo, "thumb": photo}}
        route.fulfill(json=said)

    page.route("**/app/rate/*", with_face)
    rate(page, site, asked)
    assert page.locator(".near").count() == 0
    page.keyboard.press("x")
    [scale, _, _, _, x, y] = page.locator(".show .stage img").evaluate(
        "image => getComputedStyle(image).transform.slice(7, -1).split(',').map(Number)"
    )
    width = page.locator(".show .stage").bounding_box()["width"]
    assert scale == pytest.approx(1 / (0.25 * 1.35), rel=0.01)  # the face and some room around it fill the frame
    middle = [(0.375 * width * scale + offset) / width for offset in (x, y)]
    assert middle == pytest.approx([0.5, 0.5], abs=0.01)
    page.keyboard.press("n")
    beside, picture = page.locator(".near").bounding_box(), page.locator(".show .stage").bounding_box()
    assert beside["x"] >= picture["x"] + picture["width"]
    assert beside["width"] == pytest.approx(picture["width"], abs=1)
    page.keyboard.type("nx")
    assert page.locator(".near").count() == 0
    page.keyboard.press("Space")
    zoomed = page.locator(".show .stage img").evaluate("image => new DOMMatrix(getComputedStyle(image).transform).a")
    assert zoomed == pytest.approx(2.5)


def test_all_keys_are_listed_and_the_list_takes_no_marks(filled, site, page):
    asked = begin(filled, "list")
    rate(page, site, asked)
    page.keyboard.type("?5")
    assert "undo" in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0
    page.keyboard.press("5")
    assert len(wait_for(page, filled, asked, 1)) == 1


def test_digits_that_need_shift_on_a_keyboard_mark_without_it(filled, site, page):
    asked = begin(filled, "azerty")
    rate(page, site, asked)
    key = "{key: 'é', code: 'Digit2', bubbles: true}"
    page.evaluate(f"() => document.dispatchEvent(new KeyboardEvent('keydown', {key}))")
    assert wait_for(page, filled, asked, 1) == [(0, "rate", "likeness", 12.5)]


def test_a_flag_can_not_be_chosen_for_a_picture_whose_answer_is_under_way(filled, site, page):
    asked = begin(filled, "flag late")
    rate(page, site, asked)
    held = []
    page.route("**/app/rate/*", lambda route: held.append(route))
    page.keyboard.press("5")
    page.get_by_role("button", name="Flag").click()
    assert page.get_by_role("dialog").count() == 0
    [answer] = held
    answer.continue_()
    assert wait_for(page, filled, asked, 1) == [(0, "rate", "likeness", 50.0)]


def test_a_refused_answer_leaves_the_sliders_as_they_were(filled, site, page):
    asked = begin(filled, "refused", "single")
    rate(page, site, asked)
    state = page.request.get(f"{site}/app/rate/{asked['token']}").json()
    page.route("**/app/rate/*", lambda route: route.fulfill(status=422, json={"error": "Not so.", "state": state}))
    page.keyboard.type("74")
    page.keyboard.press("Enter")
    page.locator(".told", has_text="Not so.").wait_for()
    assert page.locator(".slider .much").all_inner_texts() == ["75", "37.5", "not set"]
    page.unroute("**/app/rate/*")
    page.keyboard.press("Enter")
    assert {event[2:] for event in wait_for(page, filled, asked, 2)} == {("likeness", 75.0), ("quality", 37.5)}


def test_tab_stays_in_the_menu_that_is_open(filled, site, page):
    asked = begin(filled, "tab")
    rate(page, site, asked)
    page.keyboard.press("f")
    focus = "root => root.getRootNode().activeElement.textContent"
    said = []
    for _ in range(4):
        said.append(page.locator(".rate").evaluate(focus))
        page.keyboard.press("Tab")
    assert [text.rstrip("123") for text in said] == ["Broken", "Not the person", "Copy of a photo", "CloseEsc"]
    assert page.locator(".rate").evaluate(focus) == said[0]


def test_a_flag_alone_is_saved_by_mouse(filled, site, page):
    asked = begin(filled, "flag alone")
    rate(page, site, asked)
    save = page.get_by_role("button", name="Save and next")
    assert save.is_disabled()
    page.get_by_role("button", name="Flag").click()
    page.get_by_role("button", name="Broken").click()
    save.click()
    assert wait_for(page, filled, asked, 1) == [(0, "flag", None, "broken")]


# going on


def test_a_reload_and_a_second_window_come_to_the_same_picture(filled, site, page):
    asked = begin(filled, "two windows")
    rate(page, site, asked)
    page.keyboard.type("55")
    wait_for(page, filled, asked, 2)
    page.reload()
    page.locator(".show .stage img").wait_for()
    assert on_show(page) == src_of(filled, asked, 2)

    other = page.context.new_page()
    rate(other, site, asked)
    assert on_show(other) == src_of(filled, asked, 2)
    other.keyboard.press("1")
    wait_for(page, filled, asked, 3)
    page.evaluate(PRESS, "9")  # this window still shows what the other one answered
    page.locator(".told", has_text="another window").wait_for()
    assert on_show(page) == src_of(filled, asked, 3)
    assert said(filled, asked)[2:] == [(2, "rate", "likeness", 0.0)]


def test_two_people_rate_at_once(filled, site, browser):
    both = []
    for name in ("anna", "ben"):
        asked = begin(filled, name)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        both.append((asked, rate(context.new_page(), site, asked)))
    for key in "12345678":
        for _, page in both:
            page.keyboard.press(key)
    for asked, page in both:
        values = [value for *_, value in wait_for(page, filled, asked, 8)]
        assert values == [12.5 * n for n in range(8)]
        page.context.close()


def test_an_app_that_was_killed_loses_and_doubles_nothing(fresh, page):
    port = free_port()
    process = served(fresh.ws.home, port)
    asked = begin(fresh, "killed")
    rate(page, f"http://127.0.0.1:{port}", asked)
    page.keyboard.press("1")
    wait_for(page, fresh, asked, 1)
    process.kill()
    process.wait(20)
    page.wait_for_timeout(300)
    shown = on_show(page)
    page.keyboard.press("9")
    page.locator(".told", has_text="Not saved yet").wait_for()
    page.keyboard.type("555")  # not taken: nobody has seen what they would mark
    assert on_show(page) == shown == src_of(fresh, asked, 1)
    process = served(fresh.ws.home, port)
    try:
        assert wait_for(page, fresh, asked, 2)[1] == (1, "rate", "likeness", 100.0)
        page.wait_for_function(AT, arg=[page.locator(".rate").element_handle(), src_of(fresh, asked, 2)])
        page.keyboard.press("5")
        assert wait_for(page, fresh, asked, 3)[2] == (2, "rate", "likeness", 50.0)
    finally:
        process.stdin.close()
        process.wait(20)


def test_an_answer_that_was_not_saved_outlives_a_reload(filled, site, page):
    asked = begin(filled, "kept")
    rate(page, site, asked)
    page.route("**/app/rate/*", lambda route: route.abort())
    page.keyboard.press("8")
    page.locator(".told", has_text="Not saved yet").wait_for()
    assert said(filled, asked) == []
    page.unroute("**/app/rate/*")
    page.reload()
    assert wait_for(page, filled, asked, 1) == [(0, "rate", "likeness", 87.5)]
    page.locator(".show .stage img").wait_for()
    assert on_show(page) == src_of(filled, asked, 1)


def test_a_full_disk_is_said_and_keys_that_were_queued_are_kept(filled, site, page):
    asked = begin(filled, "full disk")
    rate(page, site, asked)
    page.route("**/app/rate/*", lambda route: route.fulfill(status=503, json={"error": "The disk is full."}))
    page.evaluate(f"() => ['2', '3'].forEach({PRESS})")  # at once: the second waits behind the first
    page.locator(".told", has_text="The disk is full.").wait_for()
    assert on_show(page) == src_of(filled, asked, 0)
    page.unroute("**/app/rate/*")
    page.get_by_role("button", name="Try now").click()
    assert wait_for(page, filled, asked, 2) == [(0, "rate", "likeness", 12.5), (1, "rate", "likeness", 25.0)]


def test_a_key_or_click_after_a_full_disk_was_said_is_refused_in_words_and_the_picture_stays(filled, site, page):
    asked = begin(filled, "full disk, apart")
    rate(page, site, asked)
    page.route("**/app/rate/*", lambda route: route.fulfill(status=503, json={"error": "The disk is full."}))
    page.keyboard.press("2")
    page.locator(".told", has_text="The disk is full.").wait_for()
    told = page.locator(".told").inner_text
    assert "not taken" not in told()
    page.keyboard.press("3")
    assert "That key was not taken: press it again when the next picture is there." in told()
    page.locator(".mark-row button").nth(4).click()
    assert "That click was not taken (2 so far)" in told()
    assert on_show(page) == src_of(filled, asked, 0)
    page.unroute("**/app/rate/*")
    page.get_by_role("button", name="Try now").click()
    assert wait_for(page, filled, asked, 1) == [(0, "rate", "likeness", 12.5)]
    assert on_show(page) == src_of(filled, asked, 1) and "not taken" not in told()
    page.keyboard.press("3")
    assert wait_for(page, filled, asked, 2)[1] == (1, "rate", "likeness", 25.0)


def test_stop_for_now_leads_to_the_report_and_on_again(filled, site, page):
    asked = begin(filled, "stops")
    rate(page, site, asked)
    page.keyboard.type("55555")
    wait_for(page, filled, asked, 5)
    page.get_by_role("button", name="Stop for now").click()
    page.get_by_text("Saved:").wait_for()
    page.get_by_role("button", name="Go on (").click()
    page.locator(".show .stage img").wait_for()
    assert on_show(page) == src_of(filled, asked, 5)


def test_the_last_answer_leads_to_the_report_and_can_be_taken_back(filled, site, page):
    asked = begin(filled, "to the end", n=3)
    rate(page, site, asked)
    n = len(items(filled, asked))
    page.keyboard.type("5" * (n + 3))  # more than there are
    page.get_by_text("Saved: 3 answers").wait_for()
    assert len(said(filled, asked)) == n
    page.get_by_role("button", name="Undo the last one").click()
    page.locator(".show .stage img").wait_for()
    assert on_show(page) == src_of(filled, asked, n - 1)
    page.keyboard.press("7")
    page.get_by_text("Saved: 3 answers").wait_for()
    assert said(filled, asked)[-1] == (n - 1, "rate", "likeness", 75.0)


# how it looks


def test_nothing_scrolls_and_the_picture_is_large(filled, site, page):
    page.set_viewport_size({"width": 1280, "height": 800})
    for mode in ("single", "deck"):
        rate(page, site, begin(filled, f"desktop {mode}", mode))
        picture = page.locator(".show .stage").bounding_box()
        assert picture["width"] >= 0.55 * 1280
        for part in (*page.locator(".strip img").all(), *page.locator(".rate button:visible").all()):
            box = part.bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= 800
            assert box["x"] >= picture["x"] + picture["width"] and box["x"] + box["width"] <= 1280
        assert page.evaluate("() => document.scrollingElement.scrollHeight <= innerHeight")


@pytest.mark.parametrize("mode", ["single", "deck"])
def test_on_a_phone_all_is_in_reach_and_nothing_scrolls_sideways(filled, site, browser, mode):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    rate(page, site, begin(filled, f"phone {mode}", mode))
    assert page.evaluate("() => document.scrollingElement.scrollWidth") <= 390
    buttons = [one.bounding_box() for one in page.locator(".rate button:visible").all()]
    assert all(box["height"] >= 44 and box["width"] >= 44 for box in buttons)
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in buttons)
    assert all(box["y"] + box["height"] <= 844 for box in buttons)
    picture, strip = page.locator(".show .stage").bounding_box(), page.locator(".strip").bounding_box()
    controls = page.locator(".controls").bounding_box()
    assert picture["width"] >= 300
    assert picture["y"] + picture["height"] <= strip["y"] and strip["y"] + strip["height"] <= controls["y"]
    assert all(one.bounding_box()["height"] >= 44 for one in page.locator(".slider input").all())
    context.close()


def test_nothing_in_the_window_tells_where_a_picture_comes_from(filled, site, page):
    rate(page, site, begin(filled, "blind"))
    shown = page.content() + page.locator(".rate").evaluate("root => root.innerHTML")
    assert not [word for word in ("pattern 1", "30 updates", "seed 101", "strength", "checkpoint") if word in shown]
