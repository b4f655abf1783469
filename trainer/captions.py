"""Captions as a run is trained on them: as written, without the subject's permanent traits, or the trigger alone."""

import re
from collections.abc import Sequence

AS_WRITTEN, TRAITS_LEFT_OUT, TRIGGER_ONLY = MODES = ("as_written", "traits_left_out", "trigger_only")

GAP = "\ue000"  # stands where a trait was; a private character, so no caption has it
IN_WORD = r"[\w'’-]"  # "v-neck" and "woman's" are one word each
LEADS_IN = "with|having|has|have|wearing|in|of|and|or|her|his|their|its|a|an|the"  # dangle when nothing follows
GOES_ON = (  # begins something new after a trait, so what led in to the trait leads nowhere
    "in|at|on|with|by|under|near|behind|beside|against|before|while|who|that|is|are|"
    "wearing|looking|standing|sitting|smiling|holding|facing"
)


def caption_as(mode: str, caption: str, trigger: str, class_noun: str, traits: Sequence[str]) -> str:
    """The caption that a photo is trained with. ``mode``: a value of the setting ``captions``.

    ``traits``: phrases that ``traits_left_out`` removes; see :func:`without_traits`. The trigger word stays, or
    is put back in front. Raises ValueError for another mode.

    >>> caption = "photo of zwx woman with long wavy red hair, smiling"
    >>> caption_as("traits_left_out", caption, "zwx", "woman", ["long * red hair"])
    'photo of zwx woman, smiling'
    >>> caption_as("trigger_only", "photo of zwx woman, smiling", "zwx", "woman", [])
    'zwx woman'
    """
    if mode not in MODES:
        raise ValueError(f"captions is '{mode}' but must be one of {', '.join(MODES)}.")
    name = " ".join(f"{trigger} {class_noun}".split())
    if mode == AS_WRITTEN:
        return caption
    if mode == TRIGGER_ONLY:
        return name or caption
    left = without_traits(caption, traits)
    if not trigger or trait_pattern(trigger.replace("*", "")).search(left):
        return left
    return ", ".join(part for part in (name, left) if part)


def without_traits(caption: str, traits: Sequence[str]) -> str:
    """A caption without these phrases, and tidy: no "with" or "and" that leads nowhere, no comma too many.

    Phrases match in any case, as whole words, the longest first; ``*`` stands for one word. A caption that none
    of them is in comes back as it is.

    >>> without_traits("a woman with red hair and glasses at the beach", ["red hair"])
    'a woman with glasses at the beach'
    """
    text = caption
    for trait in sorted({t for t in traits if t.strip()}, key=lambda t: (-len(t.split()), -len(t), t)):
        text = trait_pattern(trait).sub(GAP, text)
    return tidied(text) if text != caption else caption


def trait_pattern(trait: str) -> re.Pattern[str]:
    """What a phrase matches: its words with any white space between, none of them within a longer word."""
    words = [f"{IN_WORD}+" if word == "*" else re.escape(word).replace(r"\*", f"{IN_WORD}*") for word in trait.split()]
    return re.compile(rf"(?<!{IN_WORD})" + r"\s+".join(words) + rf"(?!{IN_WORD})", re.IGNORECASE)


def tidied(text: str) -> str:
    """A text without its gaps and without the words and commas that only belonged to them."""
    joined = re.compile(rf"{GAP}(?:\s*,)?(?:\s+(?:and|or|with))?\s*{GAP}", re.IGNORECASE)
    while joined.search(text):  # "red hair and blue eyes", both gone, are one gap
        text = joined.sub(GAP, text)
    text = re.sub(rf"{GAP}\s+(?:and|or)\s+(?=\w)", "", text, flags=re.IGNORECASE)  # with [..] and glasses
    text = re.sub(rf"{GAP}\s*,\s*(?:and|or)\s+(?=\w)", f"{GAP}, ", text, flags=re.IGNORECASE)
    dangling = rf"(?<!{IN_WORD})(?:(?:{LEADS_IN})\s+)+{GAP}(?=\s*(?:[,.;:!?)]|$)|\s+(?:{GOES_ON})\b)"
    text = re.sub(dangling, "", text, flags=re.IGNORECASE).replace(GAP, "")
    text = re.sub(r",(?:\s*,)+", ",", " ".join(text.split()))
    text = re.sub(r",\s*(?:and|or)\s*(?=,|$)", "", text, flags=re.IGNORECASE)
    text = re.sub(r"\s+([,.;:!?])", r"\1", text)
    text = re.sub(r",+(?=[.;:!?])", "", text)
    text = re.sub(r"\(\s*\)|(?<=[.;:!?])[,.;:]+", "", text)
    text = " ".join(text.split()).replace(" ,", ",")
    return text.strip(" ,;:")
