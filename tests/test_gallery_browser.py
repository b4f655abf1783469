"""The Gallery in a real browser: zoom in all pictures at once, compare two checkpoints, and 1,000 previews quickly."""

import io
import statistics

import numpy as np
import pytest
from filled import fill
from filled_many import fill_many
from measure_gallery import measure
from PIL import Image
from serving import serving

pytestmark = pytest.mark.browser
SLOW_MS = 3000  # docs/speed.md has real figures; shared machines of a CI are slower and uneven
ALL_TRANSFORMS = "images => [...new Set(images.map(image => getComputedStyle(image).transform))]"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with serving(fill(tmp_path_factory.mktemp("gallery"), rated=False).ws.home) as address:
        yield address


def compare(page, site):
    page.goto(f"{site}/gallery?gallery-view=Two+against+each+other")
    page.locator("figure img").first.wait_for()
    return page


def mode(page, name):
    page.get_by_role("button", name=name).click()


def second_shown(page):
    return page.locator(".compare").evaluate("root => root.classList.contains('second')")


def test_zoom_in_one_picture_shows_the_same_place_of_all(site, page):
    page.goto(f"{site}/gallery")
    images = page.locator(".grid .stage img")
    images.first.wait_for()
    assert images.evaluate_all(ALL_TRANSFORMS) == ["matrix(1, 0, 0, 1, 0, 0)"]
    box = page.locator("button.tile .stage").nth(1).bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.25)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_function("() => document.activeElement !== null")
    [zoomed] = images.evaluate_all(ALL_TRANSFORMS)
    scale, _, _, _, x, y = (float(part) for part in zoomed.removeprefix("matrix(").removesuffix(")").split(","))
    assert scale > 1.5
    # the point under the mouse stays where it is: x + scale * 0.75 width = 0.75 width
    assert x == pytest.approx(-0.75 * (scale - 1) * box["width"], rel=0.02)
    assert y == pytest.approx(-0.25 * (scale - 1) * box["height"], rel=0.02)

    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75 + 30, box["y"] + box["height"] * 0.25 + 12, steps=4)
    page.mouse.up()
    [moved] = images.evaluate_all(ALL_TRANSFORMS)
    assert moved != zoomed
    assert page.get_by_role("dialog").count() == 0  # a drag is no click

    page.get_by_role("button", name="whole picture").click()
    assert images.evaluate_all(ALL_TRANSFORMS) == ["matrix(1, 0, 0, 1, 0, 0)"]
    page.locator("button.tile").nth(4).click()
    page.get_by_role("dialog").get_by_text("preview seed").wait_for()


def test_the_plain_wheel_scrolls_until_it_is_asked_to_zoom(site, page):
    page.goto(f"{site}/gallery")
    images = page.locator(".grid .stage img")
    images.first.wait_for()
    page.locator("button.tile .stage").nth(1).hover()
    page.mouse.wheel(0, -100)
    assert images.evaluate_all(ALL_TRANSFORMS) == ["matrix(1, 0, 0, 1, 0, 0)"]
    page.get_by_role("button", name="wheel zooms").click()
    page.locator("button.tile .stage").nth(1).hover()
    page.mouse.wheel(0, -100)
    page.wait_for_function("() => true")
    assert images.evaluate_all(ALL_TRANSFORMS) != ["matrix(1, 0, 0, 1, 0, 0)"]
    page.locator("button.tile").nth(1).focus()
    page.keyboard.press("0")
    assert images.evaluate_all(ALL_TRANSFORMS) == ["matrix(1, 0, 0, 1, 0, 0)"]


def test_two_checkpoints_stand_side_by_side_and_change_places_by_key(site, page):
    compare(page, site)
    assert page.locator("figure").count() == 4  # prompts, one seed
    assert page.locator("figure").first.locator("img").count() == 2
    mode(page, "2 In turns")
    assert not second_shown(page)
    assert "A" in page.locator(".told").inner_text()
    page.keyboard.press("Space")
    assert second_shown(page)
    assert page.locator(".told").inner_text().startswith("B")
    page.keyboard.press("3")
    page.locator("figure canvas").first.wait_for()
    page.keyboard.press("1")
    assert page.locator("figure").first.locator("img").count() == 2


def test_flicker_changes_under_three_times_a_second_and_only_when_asked(site, page):
    compare(page, site)
    mode(page, "2 In turns")
    changes = """(root) => new Promise(done => {
        let n = 0;
        const watch = new MutationObserver(() => { n += 1; });
        watch.observe(root, {attributes: true, attributeFilter: ['class']});
        setTimeout(() => { watch.disconnect(); done(n); }, 2000);
    })"""
    assert page.locator(".compare").evaluate(changes) == 0
    page.keyboard.press("f")
    seen = page.locator(".compare").evaluate(changes)
    assert 4 <= seen <= 9  # 8 changes in 2 s = 4 times there and back: 2 Hz
    page.keyboard.press("f")
    assert page.locator(".compare").evaluate(changes) == 0


def test_who_wants_little_motion_swaps_by_hand(site, browser):
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 1280, "height": 900})
    page = compare(context.new_page(), site)
    mode(page, "2 In turns")
    assert page.get_by_role("button", name="Flicker").is_disabled()
    page.keyboard.press("Space")
    assert second_shown(page)
    page.keyboard.press("f")
    page.wait_for_timeout(700)
    assert second_shown(page)
    context.close()


def test_a_difference_is_what_the_legend_says(site, page):
    """Against the base row, measured apart from the page, pixel by pixel."""
    compare(page, site)
    mode(page, "4 Against the base row")
    first = page.locator("figure").first.locator(".side").first
    first.get_by_text("mean").wait_for()
    shown = float(first.get_by_text("mean").inner_text().split()[1])
    sources = """() => { const root = document.querySelector('.compare')
        ?? [...document.querySelectorAll('*')].map(n => n.shadowRoot?.querySelector('.compare')).find(Boolean);
        const pair = JSON.parse(root.seen).pairs[0]; return [pair.a.full, pair.base_a.full]; }"""
    a, base = (
        np.asarray(Image.open(io.BytesIO(page.request.get(site + source).body())).convert("RGB"), dtype=int)
        for source in page.evaluate(sources)
    )
    expected = np.abs(a - base).max(axis=2)
    assert shown == pytest.approx(expected.mean(), abs=0.06)
    drawn = first.locator("canvas").evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    )
    colours = np.array(drawn).reshape(*expected.shape, 4)
    assert (expected == 0).any() and (colours[expected == 0] == [0, 0, 4, 255]).all()
    assert (colours[expected >= 64] == [252, 253, 191, 255]).all()  # amplified 4 times: the end of the legend


def test_a_thousand_previews_are_there_at_once(tmp_path, page):
    with serving(fill_many(tmp_path).ws.home) as address:
        first, warm = measure(page, address, clicks=3)
    assert first["pictures"] >= 8
    assert statistics.median(one["painted"] for one in warm) < SLOW_MS
