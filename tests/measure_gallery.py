"""How long the Gallery takes from the click on its name until its first pictures are painted: docs/speed.md.

    python tests/measure_gallery.py [--patterns 33] [--checkpoints 4] [--clicks 9] [--home FOLDER]

Makes a workspace with 1,056 previews (33 patterns x 4 checkpoints x 8 prompts), serves the app, and clicks from Home
to Gallery in a headless Chrome, Edge or Chromium. The first click warms everything up and is shown apart.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]

from browser import NO_BROWSER, find_browser, launch_options  # noqa: E402
from filled_many import fill_many  # noqa: E402
from serving import serving  # noqa: E402

CLICKS = 9
# From the click until every picture of the grid that lies in the window is decoded and two frames were painted.
CLICK_AND_WAIT = """
async (name) => {
  const link = [...document.querySelectorAll('[data-testid=stSidebarNavLink]')].find(a => a.textContent.includes(name));
  const began = performance.now();
  link.click();
  const frame = () => new Promise(done => requestAnimationFrame(done));
  const visible = () => {
    const found = [];
    for (const host of document.querySelectorAll('*')) {
      const root = host.shadowRoot;
      if (root && root.querySelector('.grid')) found.push(...root.querySelectorAll('.grid img'));
    }
    found.push(...document.querySelectorAll('.grid img'));
    return found.filter(image => {
      const box = image.getBoundingClientRect();
      return box.width && box.top < innerHeight && box.bottom > 0 && box.left < innerWidth && box.right > 0;
    });
  };
  let grid = 0;
  for (;;) {
    const pictures = visible();
    if (pictures.length && !grid) grid = performance.now() - began;
    if (pictures.length && pictures.every(image => image.complete && image.naturalWidth)) break;
    if (performance.now() - began > 30000) throw new Error('no pictures after 30 s');
    await frame();
  }
  await frame(); await frame();
  return {painted: performance.now() - began, grid, pictures: visible().length};
}
"""


def click(page: Any, name: str) -> dict[str, float]:
    return dict(page.evaluate(CLICK_AND_WAIT, name))


def leave(page: Any) -> None:
    """Back to a page without a grid."""
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Queue").click()
    page.get_by_role("heading", name="Queue").first.wait_for()
    page.wait_for_function("() => !document.querySelector('.grid')")
    page.wait_for_timeout(600)


def measure(page: Any, site: str, clicks: int = CLICKS) -> tuple[dict[str, float], list[dict[str, float]]]:
    """The first click and the ones after it, in ms."""
    page.goto(f"{site}/queue")
    page.get_by_role("heading", name="Queue").first.wait_for()
    page.wait_for_timeout(1000)
    first = click(page, "Gallery")
    warm = []
    for _ in range(clicks):
        leave(page)
        warm.append(click(page, "Gallery"))
    return first, warm


def main() -> None:
    from playwright.sync_api import sync_playwright

    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--patterns", type=int, default=33)
    asked.add_argument("--checkpoints", type=int, default=4)
    asked.add_argument("--clicks", type=int, default=CLICKS)
    asked.add_argument("--home", type=Path, help="an existing workspace to measure in place of a made one")
    args = asked.parse_args()
    browser_path = find_browser()
    if browser_path is None:
        sys.exit(NO_BROWSER)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        home = args.home or Path(scratch)
        if args.home is None:
            began = time.monotonic()
            fill_many(home, args.patterns, args.checkpoints).db.close()
            previews = (args.patterns * args.checkpoints + 1) * 8
            print(f"{previews:,} previews made in {time.monotonic() - began:.0f} s")
        with serving(home) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(**launch_options(browser_path))
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.set_default_timeout(60_000)
            first, warm = measure(page, address, args.clicks)
            browser.close()
    painted = sorted(one["painted"] for one in warm)
    print(f"first click: {first['painted']:.0f} ms to {first['pictures']:.0f} pictures in the window")
    middle = statistics.median(painted)
    print(f"then, n = {len(painted)}: median {middle:.0f} ms, {painted[0]:.0f} to {painted[-1]:.0f} ms")
    grid = statistics.median(one["grid"] for one in warm)
    print(f"the grid stood after {grid:.0f} ms (median), its pictures {middle - grid:.0f} ms later")


if __name__ == "__main__":
    main()
