"""The browser finder, and the browser that it found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from browser import find_browser, launch_options

HERE = Path(__file__).parent


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    path.chmod(0o755)
    return path


def test_windows_finds_edge_and_prefers_chrome(tmp_path):
    environment = {"PROGRAMFILES(X86)": str(tmp_path / "x86"), "LOCALAPPDATA": str(tmp_path / "me")}
    assert find_browser("win32", environment) is None

    edge = program(tmp_path / "x86" / "Microsoft" / "Edge" / "Application" / "msedge.exe")
    assert find_browser("win32", environment) == edge

    chrome = program(tmp_path / "me" / "Google" / "Chrome" / "Application" / "chrome.exe")
    assert find_browser("win32", environment) == chrome


def test_macos_looks_in_the_applications_of_all_and_of_the_user(tmp_path):
    environment = {"HOME": str(tmp_path / "me")}
    assert find_browser("darwin", environment, tmp_path) is None

    place = Path("Applications") / "Chromium.app" / "Contents" / "MacOS" / "Chromium"
    mine = program(tmp_path / "me" / place)
    assert find_browser("darwin", environment, tmp_path) == mine

    for_all = program(tmp_path / place)
    assert find_browser("darwin", environment, tmp_path) == for_all


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX search path")
def test_linux_looks_along_the_search_path(tmp_path):
    assert find_browser("linux", {"PATH": str(tmp_path)}) is None
    chromium = program(tmp_path / "chromium")
    assert find_browser("linux", {"PATH": str(tmp_path)}) == chromium


def test_a_chosen_browser_wins_and_a_missing_one_is_not_replaced(tmp_path):
    chosen = program(tmp_path / "my browser.exe")
    assert find_browser(environment={**os.environ, "WORKBENCH_BROWSER": str(chosen)}) == chosen
    assert find_browser(environment={**os.environ, "WORKBENCH_BROWSER": str(tmp_path / "none")}) is None


def test_only_root_runs_without_the_sandbox(monkeypatch):
    monkeypatch.setattr("browser.is_root", lambda: False)
    assert launch_options(Path("chromium"))["chromium_sandbox"] is True
    monkeypatch.setattr("browser.is_root", lambda: True)
    assert launch_options(Path("chromium"))["chromium_sandbox"] is False


def run_marked_test(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on one test with the mark, in a folder of its own, with no browser to be found."""
    (folder / "test_marked.py").write_text(
        "import pytest\n\n@pytest.mark.browser\ndef test_page(page):\n    pass\n", encoding="utf-8"
    )
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = browser: x\n", encoding="utf-8")
    nowhere = {"PYTHONPATH": str(HERE), "PYTEST_ADDOPTS": "", "WORKBENCH_BROWSER": str(folder / "none")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "browser_fixtures", "-p", "no:cacheprovider", str(folder)],
        cwd=folder,
        env={**os.environ, **nowhere, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def test_a_missing_browser_skips_the_test_loudly(tmp_path):
    outcome = run_marked_test(tmp_path, WORKBENCH_REQUIRE_BROWSER="")
    assert outcome.returncode == 0
    assert "1 skipped" in outcome.stdout
    assert "NO BROWSER FOUND" in outcome.stdout


def test_a_required_browser_that_is_missing_fails_the_run(tmp_path):
    outcome = run_marked_test(tmp_path, WORKBENCH_REQUIRE_BROWSER="1")
    assert outcome.returncode != 0
    assert "NO BROWSER FOUND" in outcome.stderr + outcome.stdout


@pytest.mark.browser
def test_the_browser_shows_a_page(page):
    page.set_content("<button onclick=\"document.title = 'pressed'\">Press</button>")
    page.get_by_role("button", name="Press").click()
    assert page.title() == "pressed"
