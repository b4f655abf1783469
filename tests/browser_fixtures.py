"""pytest plugin: a real browser for the tests marked `browser`; without one they are skipped loudly."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from browser import NO_BROWSER, find_browser, launch_options

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

REQUIRED = "WORKBENCH_REQUIRE_BROWSER"  # "1": no browser is an error, not a reason to skip
SKIPPED = "no browser found"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("browser")]
    if not marked or find_browser():
        return
    if os.environ.get(REQUIRED) == "1":
        raise pytest.UsageError(NO_BROWSER)
    for item in marked:
        item.add_marker(pytest.mark.skip(reason=SKIPPED))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if SKIPPED in str(r.longrepr)]
    if skipped:
        terminalreporter.section("BROWSER TESTS SKIPPED", sep="!", red=True)
        terminalreporter.line(f"{len(skipped)} skipped. {NO_BROWSER}", red=True)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """One browser for all tests."""
    from playwright.sync_api import sync_playwright

    path = find_browser()
    if path is None:
        pytest.fail(f"{NO_BROWSER} (Mark this test with `browser`.)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options(path))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    """An empty page with cookies of its own; an error in the page's scripts fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(30_000)  # ms; the first page of a cold app takes seconds
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, f"scripts in the page failed: {errors}"
