"""What start.py is made of: standard library only, written so that Python 3.8 can still read it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 11), (3, 13)  # Python versions that the workbench is tested with


class StartError(Exception):
    """What keeps the workbench from starting, and what to do about it."""


def say(text: str) -> None:
    print(text, flush=True)


def took(seconds: float) -> str:
    """A time in words: 2.5 s, 42 s, 3 min 7 s."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
