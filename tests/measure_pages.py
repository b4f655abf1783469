"""How long every page takes from the click until it is painted, with 10,000 previews: docs/speed.md.

    python tests/measure_pages.py [--clicks 15] [--home FOLDER] [--only Home,Queue] [--json FILE]

Makes a workspace with 10,256 previews, serves the app, and goes through all pages and views in a headless Chrome, Edge
or Chromium, round by round. The first click on each, in a fresh app, is shown apart. "painted": the app has said that
its run is over, nothing of the page before stands there any more, every chart and every picture in the window is
drawn, and two frames have passed. "CPU" is what the server's process used between the click and then.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]

import psutil  # noqa: E402
from browser import NO_BROWSER, find_browser, launch_options  # noqa: E402
from filled_many import fill_sweep  # noqa: E402
from test_launch import free_port, start  # noqa: E402

CLICKS = 15
GOAL_MS = 300
SETTLE_MS = 400  # between a page that is painted and the next click
SIDEBAR = ("Home", "Photos", "Patterns", "Plan", "Import", "Queue", "Rate", "Gallery", "Scores", "Charts", "People")
LATER = ("Recipes",)  # measured where the app has it
# A run of a page is over when the server says so: a short message whose last field is `script_finished` (6) with
# FINISHED_SUCCESSFULLY (0). The app's own mark of it can come and go between two frames, and a fragment (the worker's
# badge, every 10 s) sets it too.
COUNT_FINISHED = """
window.finished = 0;
const Plain = window.WebSocket;
window.WebSocket = class extends Plain {
  constructor(...all) {
    super(...all);
    this.addEventListener('message', event => {
      const end = new Uint8Array(event.data).slice(-2);
      if (event.data.byteLength < 200 && end[0] === 0x30 && end[1] === 0) window.finished += 1;
    });
  }
};
"""
# What is clicked: `find` gives the element; `title` is the new page's heading, or null for a view of the same page.
CLICK_AND_WAIT = """
async ([kind, name]) => {
  const within = (selector, test) => [...document.querySelectorAll(selector)].find(test);
  const says = element => element.textContent.includes(name);
  const find = {
    page: () => within('[data-testid=stSidebarNavLink]', says),
    button: () => within('[data-testid=stMain] button', says),
  }[kind];
  const app = document.querySelector('[data-testid=stApp]');
  const frame = () => new Promise(done => requestAnimationFrame(done));
  const inWindow = element => {
    const box = element.getBoundingClientRect();
    return box.width && box.top < innerHeight && box.bottom > 0 && box.left < innerWidth && box.right > 0;
  };
  const drawn = chart => {
    const marks = chart.querySelector('canvas, svg.marks');
    return marks && marks.getBoundingClientRect().height > 0;
  };
  const pictures = () => {
    const found = [...document.querySelectorAll('[data-testid=stMain] img')];
    for (const host of document.querySelectorAll('[data-testid=stMain] *'))
      if (host.shadowRoot) found.push(...host.shadowRoot.querySelectorAll('img'));
    return found.filter(image => inWindow(image) && image.getAttribute('src'));
  };
  const before = location.pathname;
  const target = find();
  if (!target) throw new Error('nothing to click: ' + name);
  const finished = window.finished, began = performance.now();
  target.click();
  let idle = 0;
  for (;;) {
    const main = document.querySelector('[data-testid=stMain]');
    const over = window.finished > finished && app.getAttribute('data-test-script-state') === 'notRunning';
    if (over && (kind !== 'page' || location.pathname !== before) && main) {
      if (!idle) idle = performance.now() - began;
      const stale = main.querySelector('[data-stale=true]');
      const charts = [...main.querySelectorAll('[data-testid=stVegaLiteChart]')];
      if (!stale && charts.every(drawn) && pictures().every(image => image.complete)) break;
    }
    if (performance.now() - began > 120000) throw new Error('not painted after 120 s: ' + name);
    await frame();
  }
  await frame(); await frame();
  const main = document.querySelector('[data-testid=stMain]');
  return {
    painted: performance.now() - began, idle,
    charts: main.querySelectorAll('[data-testid=stVegaLiteChart]').length,
    wrong: main.querySelectorAll('[data-testid=stException]').length,
  };
}
"""


@dataclass
class Measured:
    """The clicks on one page or view, in ms."""

    painted: list[float] = field(default_factory=list)  # the first click first
    cpu: list[float] = field(default_factory=list)
    charts: int = 0

    @property
    def warm(self) -> list[float]:
        return sorted(self.painted[1:])

    def row(self, name: str) -> str:
        middle = statistics.median(self.warm)
        return (
            f"| {name} | {middle:.0f} | {self.warm[-1]:.0f} | {self.painted[0]:.0f} | "
            f"{statistics.mean(self.cpu[1:]):.0f} | {self.charts or ''} |"
        )


class Clicker:
    """Clicks in a page and keeps what each click took."""

    def __init__(self, page: Any, server: psutil.Process) -> None:
        self.page, self.server = page, server
        self.found: dict[str, Measured] = {}
        self.wrong: set[str] = set()  # pages that showed an error

    def cpu_ms(self) -> float:
        used = [one.cpu_times() for one in (self.server, *self.server.children(recursive=True))]
        return 1000 * sum(times.user + times.system for times in used)

    def click(self, kind: str, text: str, name: str = "") -> None:
        """Click and wait until it is painted; ``name``: what it is listed as, the text unless told."""
        before = self.cpu_ms()
        told = self.page.evaluate(CLICK_AND_WAIT, [kind, text])
        if told["wrong"]:
            self.wrong.add(name or text)
        own = self.found.setdefault(name or text, Measured())
        own.painted.append(told["painted"])
        own.cpu.append(self.cpu_ms() - before)
        own.charts = told["charts"]
        self.page.wait_for_timeout(SETTLE_MS)

    def has_page(self, name: str) -> bool:
        links = self.page.get_by_test_id("stSidebarNavLink").filter(has_text=name)
        return bool(links.count())

    def views(self) -> list[str]:
        """The choices of the page's first segmented control."""
        group = self.page.get_by_test_id("stMain").get_by_test_id("stButtonGroup").first
        return [text.strip() for text in group.get_by_role("radio").all_inner_texts()]


def one_round(at: Clicker, wanted: Callable[[str], bool]) -> None:
    """Every page once, and every view of those that have several."""
    for name in (*SIDEBAR, *LATER):
        if not wanted(name) or not at.has_page(name):
            continue
        at.click("page", name)
        if name == "Queue":
            at.click("button", "Open the run", "Run")
        if name in ("Charts", "People", "Gallery"):
            first, *others = at.views()  # the page comes up again with the view that it was left with
            for view in (*others, first):
                at.click("button", view, f"{name}: {view}")


def measure(home: Path, clicks: int, browser_path: Path, wanted: Callable[[str], bool]) -> dict[str, Measured]:
    """The first click on everything in a fresh app, and so many after it."""
    from playwright.sync_api import sync_playwright

    port = free_port()
    process = start(home, port)
    process.stdout.readline()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(**launch_options(browser_path))
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.set_default_timeout(60_000)
            page.add_init_script(COUNT_FINISHED)
            page.goto(f"http://127.0.0.1:{port}/made_elsewhere")
            page.get_by_test_id("stSidebarNavLink").first.wait_for()
            page.wait_for_timeout(3000)
            at = Clicker(page, psutil.Process(process.pid))
            for _ in range(clicks + 1):
                one_round(at, wanted)
            browser.close()
        if at.wrong:
            print(f"NOT TO BE COUNTED, an error was shown on: {', '.join(sorted(at.wrong))}")
    finally:
        process.stdin.close()
        process.wait(20)
    return at.found


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--clicks", type=int, default=CLICKS)
    asked.add_argument("--home", type=Path, help="an existing workspace to measure in place of a made one")
    asked.add_argument("--only", default="", help="pages, with commas between them")
    asked.add_argument("--json", type=Path, help="keep every click in this file")
    args = asked.parse_args()
    browser_path = find_browser()
    if browser_path is None:
        sys.exit(NO_BROWSER)
    only = {name for name in args.only.split(",") if name}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        home = args.home or Path(scratch)
        if args.home is None:
            began = time.monotonic()
            made = fill_sweep(home)
            print(f"{made.db['previews'].count:,} previews made in {time.monotonic() - began:.0f} s")
            made.db.close()
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
        found = measure(home, args.clicks, browser_path, lambda name: not only or name in only)
    print(f"load at the start {load:.1f}; {args.clicks} warm clicks on each; ms")
    print("| page | median | slowest | first click | CPU, mean | charts |\n|---|---|---|---|---|---|")
    for name, one in found.items():
        print(one.row(name))
    slow = [name for name, one in found.items() if statistics.median(one.warm) > GOAL_MS]
    print(f"over {GOAL_MS} ms: {', '.join(slow) or 'none'}")
    if args.json:
        args.json.write_text(json.dumps({name: vars(one) for name, one in found.items()}), encoding="utf-8")


if __name__ == "__main__":
    main()
