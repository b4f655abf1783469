"""Permanent traits of a subject: which phrases its captions repeat, and what is left of a caption without them."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trainer.captions import AS_WRITTEN, TRAITS_LEFT_OUT, TRIGGER_ONLY, caption_as, trait_pattern
from workbench.dataset.captions import one_line

Row = dict[str, str]

SHARE = 2 / 3  # of the captions that a phrase must be in to be suggested
NEARLY = 0.9  # a longer phrase stands for a shorter one that is in hardly more captions
MOST_WORDS = 5
SMALL_WORDS = """
    a an the of and or with in on at by to from for her his their its she he they it is are as has have having
    wearing photo photograph picture portrait image
"""
SMALL = frozenset(SMALL_WORDS.split())  # a phrase neither begins nor ends with one


class TraitsError(ValueError):
    """A word list that can't be used. The text says why."""


def checked_traits(traits: Sequence[str], trigger: str, class_noun: str) -> list[str]:
    """A word list as it is stored: one line each, none twice. Raises TraitsError."""
    found: dict[str, str] = {}
    for trait in map(one_line, traits):
        words = trait.lower().split()
        if not words:
            continue
        if trigger.lower() in words or words == [class_noun.lower()]:
            raise TraitsError(f"'{trait}' can't be left out: the trigger word and the class noun name the subject.")
        if set(words) == {"*"}:
            raise TraitsError("A phrase needs a word beside *, which stands for any one word.")
        found.setdefault(" ".join(words), trait)
    return list(found.values())


def suggested_traits(captions: Sequence[str], trigger: str, class_noun: str) -> list[str]:
    """Phrases that two thirds of the captions or more have in common, the most frequent first.

    One word within a phrase may differ: it is written ``*``. What always stands in the captions is what is always
    true of the subject, or of the photos: a person decides.

    >>> suggested_traits(["zwx woman with long wavy hair, smiling", "zwx woman with long red hair"], "zwx", "woman")
    ['long * hair']
    """
    counts: Counter[tuple[str, ...]] = Counter()
    for caption in captions:
        counts.update(set(phrases(caption, trigger, class_noun)))
    least = max(2, SHARE * len(captions))
    frequent = {phrase: n for phrase, n in counts.items() if n >= least}
    kept = [p for p in frequent if not any(stands_for(q, p, frequent) for q in frequent if q != p)]
    return [" ".join(phrase) for phrase in sorted(kept, key=lambda p: (-frequent[p], -len(p), p))]


def phrases(caption: str, trigger: str, class_noun: str) -> Iterator[tuple[str, ...]]:
    """Phrases of a caption that stand for themselves, also with one word within left open.

    They begin after a small word, the name of the subject or a comma, and end before one: "red hair" does in "with
    red hair", but not in "with long red hair", which would leave "long".
    """
    for clause in re.split(r"[,.;:!?()]", caption.lower()):
        words = clause.split()
        small = [word in SMALL or word in (trigger.lower(), class_noun.lower()) for word in words]
        for start in range(len(words)):
            if small[start] or (start > 0 and not small[start - 1]):
                continue
            for end in range(start + 1, min(start + MOST_WORDS, len(words)) + 1):
                phrase = tuple(words[start:end])
                if trigger.lower() in phrase or class_noun.lower() in phrase:
                    break
                if not small[end - 1] and (end == len(words) or small[end]):
                    yield phrase
                    yield from ((*phrase[:i], "*", *phrase[i + 1 :]) for i in range(1, len(phrase) - 1))


def stands_for(longer: tuple[str, ...], phrase: tuple[str, ...], counts: dict[tuple[str, ...], int]) -> bool:
    """Whether a suggestion makes another one needless: it covers it, in nearly as many captions or in more."""
    if len(longer) == len(phrase):
        wider = all(a in ("*", b) for a, b in zip(longer, phrase, strict=True))
        return (wider and counts[longer] > counts[phrase]) or (not wider and narrower_twin(longer, phrase, counts))
    inside = any(covers(longer[i : i + len(phrase)], phrase) for i in range(len(longer) - len(phrase) + 1))
    return len(longer) > len(phrase) and inside and counts[longer] >= NEARLY * counts[phrase]


def narrower_twin(narrow: tuple[str, ...], wide: tuple[str, ...], counts: dict[tuple[str, ...], int]) -> bool:
    """Whether a phrase with ``*`` says no more than the one without: it is in no more captions."""
    return all(b in ("*", a) for a, b in zip(narrow, wide, strict=True)) and counts[narrow] >= counts[wide]


def covers(words: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    """Whether words of a longer phrase are those of a shorter one, an open place fitting any word."""
    pairs = list(zip(words, phrase, strict=True))
    return all(a == b or "*" in (a, b) for a, b in pairs) and any(a == b != "*" for a, b in pairs)


def found_in(trait: str, captions: Sequence[str]) -> int:
    """How many captions a phrase of the word list is in."""
    pattern = trait_pattern(trait)
    return sum(bool(pattern.search(caption)) for caption in captions)


def caption_rows(
    photos: Sequence[Mapping[str, Any]], trigger: str, class_noun: str, traits: Sequence[str]
) -> list[Row]:
    """Every photo's caption in the three ways in which a pattern can train it, as a table shows them."""
    named = {"as written": AS_WRITTEN, "traits left out": TRAITS_LEFT_OUT, "trigger and class only": TRIGGER_ONLY}
    return [
        {what: caption_as(mode, photo["caption"], trigger, class_noun, traits) for what, mode in named.items()}
        for photo in photos
    ]
