"""Find an installed Chrome, Edge or Chromium for the tests; the standard library is all that this needs.

`python tests/browser.py` prints the browser's path, or exits with 1 where there is none.
"""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

CHOSEN = "WORKBENCH_BROWSER"  # the path of a browser to use in place of those found
COMMANDS = (
    "google-chrome",
    "google-chrome-stable",
    "chromium",
    "microsoft-edge",
    "microsoft-edge-stable",
    "chromium-browser",
)
WINDOWS_PLACES = ("Google/Chrome/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe")
MAC_NAMES = ("Google Chrome", "Chromium", "Microsoft Edge")
NO_BROWSER = (
    f"NO BROWSER FOUND: install Chrome, Edge or Chromium, or set {CHOSEN} to the path of one. "
    "Without it nothing tests the app as a person sees it."
)


def find_browser(
    system: str = sys.platform, environment: Mapping[str, str] = os.environ, mac_root: Path = Path("/")
) -> Path | None:
    """The first installed Chrome, Chromium or Edge; None when there is none.

    `system` is a value of sys.platform; `mac_root` is where the folder Applications lies.
    """
    chosen = environment.get(CHOSEN)
    if chosen:
        return Path(chosen) if Path(chosen).is_file() else None
    for place in candidates(system, environment, mac_root):
        if place.is_file():
            return place
    return None


def candidates(system: str, environment: Mapping[str, str], mac_root: Path) -> Iterator[Path]:
    if system == "win32":
        roots = [environment.get(name) for name in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")]
        yield from (Path(root) / place for place in WINDOWS_PLACES for root in roots if root)
    elif system == "darwin":
        roots = [str(mac_root), environment.get("HOME", "")]
        yield from (
            Path(root) / "Applications" / f"{name}.app" / "Contents" / "MacOS" / name
            for name in MAC_NAMES
            for root in roots
            if root
        )
    else:
        found = (shutil.which(command, path=environment.get("PATH", "")) for command in COMMANDS)
        yield from (Path(command) for command in found if command)


def launch_options(browser: Path, headless: bool = True) -> dict[str, Any]:
    """Arguments of Playwright's `chromium.launch`: this browser, and no calls home by itself."""
    quiet = ["quic", "background-networking", "component-update", "sync"]
    return {
        "executable_path": str(browser),
        "headless": headless,
        "chromium_sandbox": not is_root(),  # Chromium's sandbox refuses to run as root
        "args": [*(f"--disable-{what}" for what in quiet), "--no-first-run"],
    }


def is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


if __name__ == "__main__":
    found = find_browser()
    print(found or NO_BROWSER)
    sys.exit(0 if found else 1)
