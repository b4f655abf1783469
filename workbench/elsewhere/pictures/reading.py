"""A person's own way of naming pictures, as a pattern: ``{lora}_{epoch}_{strength}_{seed}_{any}``."""

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from workbench.elsewhere.names import LARGEST_SEED, NameProblem, whole
from workbench.elsewhere.pictures.infotext import TextProblem, strength

WORDS = {  # what stands for what in a name; a slash in the pattern stands for a folder
    "lora": r"[^/]+?",
    "epoch": r"\d+",
    "updates": r"\d+",
    "strength": r"-?\d+(?:[.,]\d+)?",
    "seed": r"\d+",
    "prompt": r"\d+",
    "text": r"[^/]+?",
    "any": r"[^/]*?",
}
WIDE = ("lora", "text", "any")  # each can match anything: with more than three the search takes too long
MOST_WIDE = 3
LONGEST_NAME = 400


class PatternProblem(ValueError):
    """A pattern that can't be used: says what is wrong with it."""


@dataclass(frozen=True)
class NamePattern:
    """A checked pattern. ``words``: what it reads, without ``any``."""

    written: str
    words: tuple[str, ...]
    expression: re.Pattern[str] = field(repr=False)
    folders: int = 0  # how many folders above the file it reads

    def read(self, name: str) -> dict[str, str] | None:
        """What the name of a picture (from the folder that was given) says by this pattern; None = it doesn't fit."""
        path = PurePosixPath(name)
        parts = [*path.parent.parts, path.stem]
        if len(name) > LONGEST_NAME or len(parts) <= self.folders:
            return None
        found = self.expression.fullmatch("/".join(parts[len(parts) - self.folders - 1 :]))
        return found.groupdict() if found else None


def name_pattern(written: str) -> NamePattern:
    """Check a pattern. Raises PatternProblem for words that are unknown, repeated, too many, or say the same twice."""
    text = re.sub(r"\.(png|jpe?g|webp)$", "", written.strip().replace("\\", "/"), flags=re.IGNORECASE).strip("/")
    words = re.findall(r"\{([^{}]*)\}", text)
    unknown = [word for word in words if word not in WORDS]
    if unknown or "{" in re.sub(r"\{[^{}]*\}", "", text):
        known = ", ".join(f"{{{word}}}" for word in WORDS)
        raise PatternProblem(f"The pattern '{written}' may hold {known}; the rest is taken as it stands.")
    told = [word for word in words if word != "any"]
    if not told or len(set(told)) < len(told):
        raise PatternProblem(f"The pattern '{written}' needs at least one word such as {{epoch}}, and each only once.")
    if {"epoch", "updates"} <= set(told):
        raise PatternProblem(f"The pattern '{written}' counts epochs or updates: take one, and {{any}} for the other.")
    if sum(word in WIDE for word in words) > MOST_WIDE:
        raise PatternProblem(f"The pattern '{written}' has more than {MOST_WIDE} of {{lora}}, {{text}} and {{any}}.")
    parts = re.split(r"(\{[^{}]*\})", text)
    expression = "".join(_expression(part[1:-1]) if part.startswith("{") else re.escape(part) for part in parts)
    return NamePattern(written, tuple(told), re.compile(expression), text.count("/"))


def _expression(word: str) -> str:
    return f"(?:{WORDS[word]})" if word == "any" else f"(?P<{word}>{WORDS[word]})"


@dataclass(frozen=True)
class Values:
    """What words of a pattern, or the axes of a grid, say of one picture; None = they don't."""

    lora: str | None = None
    epoch: int | None = None
    updates: int | None = None
    strength: float | None = None
    seed: int | None = None
    prompt: int | None = None  # from 0
    text: str | None = None


def values(words: dict[str, str]) -> Values:
    """Words as numbers. Raises NameProblem for one that is out of range."""
    try:
        strong = strength(words["strength"].replace(",", "."), "strength") if "strength" in words else None
    except TextProblem as error:
        raise NameProblem(str(error)) from None
    return Values(
        lora=words.get("lora"),
        epoch=whole(words["epoch"], "epoch") if "epoch" in words else None,
        updates=whole(words["updates"], "updates") if "updates" in words else None,
        strength=strong,
        seed=whole(words["seed"], "seed", LARGEST_SEED) if "seed" in words else None,
        prompt=whole(words["prompt"], "prompt number", 9999) if "prompt" in words else None,
        text=words.get("text"),
    )
