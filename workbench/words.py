"""Words for file names and for people."""

import re
import unicodedata
from collections.abc import Sequence


def slug(text: str) -> str:
    """A short file name part: lower-case ASCII letters, digits and dashes; 'x' when nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:40] or "x"


def counted(number: int, what: str) -> str:
    """1 run, 2 runs."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def few(names: Sequence[str], most: int = 4) -> str:
    """Names as a list that stays short.

    >>> few(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    rest = len(names) - most
    return ", ".join(names) if rest <= 0 else f"{', '.join(names[:most])} and {rest} more"


def between(least: int, more: int) -> str:
    """A count that is known from below: ``more`` may come on top.

    >>> between(1000, 500), between(1000, 0)
    ('between 1,000 and 1,500', '1,000')
    """
    return f"between {least:,} and {least + more:,}" if more else f"{least:,}"


def megabytes(size: int) -> str:
    """How much room, for people: 45 MB, 3.2 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB" if size >= 1e7 else f"{size / 1e6:.1f} MB"


def duration(seconds: float) -> str:
    """How long, for people: 45 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
