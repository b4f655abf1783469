"""The caption of a photo: from its text file, else from the words of its file name, else from a template."""

import re
from pathlib import Path

TEMPLATE = "photo of {trigger} {class_noun}"

# What cameras, phones and messengers put into file names: not words about the picture.
CAMERA_WORDS = """
    img image images pic pics picture photo photos dsc dscf dscn dcim pxl mvimg pano gopr scan screenshot
    screen shot burst cover portrait whatsapp whats app wa signal telegram instagram facebook fb snapchat
    received hdr raw copy edited edit final untitled unnamed file frame video train reference jpg jpeg png
    kopie copie
""".split()  # noqa: SIM905 (a list of fifty strings reads worse)


def caption_for(name: str, text: str | None, template: str, trigger: str, class_noun: str) -> str:
    """Caption of the photo called ``name`` whose text file holds ``text`` (None: it has none).

    >>> caption_for("red_dress 02.jpg", None, TEMPLATE, "zwx", "woman")
    'zwx woman, red dress'
    """
    caption = one_line(text or "") or words_of(name)
    if not caption:
        caption = one_line(template.replace("{trigger}", trigger).replace("{class_noun}", class_noun))
    return with_trigger(caption, trigger, class_noun)


def with_trigger(caption: str, trigger: str, class_noun: str) -> str:
    """Put the trigger word in if it is missing: before the class noun if that is there, else at the front.

    >>> with_trigger("a woman on a bench", "zwx", "woman")
    'a zwx woman on a bench'
    """
    if not trigger or has_word(caption, trigger):
        return caption
    noun = word_pattern(class_noun).search(caption) if class_noun else None
    if noun:
        return f"{caption[: noun.start()]}{trigger} {caption[noun.start() :]}"
    return ", ".join(part for part in (one_line(f"{trigger} {class_noun}"), caption) if part)


def words_of(name: str) -> str:
    """The words in a file name; empty if there are none but camera names, numbers, dates and ids.

    >>> words_of("IMG_1234.jpg"), words_of("smiling-at-the_beach2.png")
    ('', 'smiling at the beach')
    """
    stem = re.sub(r"\.\w{1,5}$", "", name)
    stem = re.sub(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])", " ", stem)  # RedDress -> Red Dress
    tokens = [re.sub(r"(?<=[^\W\d_]{3})\d{1,3}$", "", token) for token in re.split(r"[\W_]+", stem)]
    words = [token for token in tokens if token.isalpha() and token.lower() not in CAMERA_WORDS]
    return " ".join(words) if any(is_real_word(word) for word in words) else ""


def is_real_word(word: str) -> bool:
    """Three letters with a vowel among them, or anything in another script."""
    return not word.isascii() or (len(word) >= 3 and bool(re.search("[aeiouy]", word.lower())))


def has_word(text: str, word: str) -> bool:
    """Whether ``word`` stands in ``text`` as a word of its own; case doesn't matter to a text encoder."""
    return bool(word_pattern(word).search(text))


def word_pattern(word: str) -> re.Pattern[str]:
    """A pattern for ``word`` as a word of its own."""
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)


def one_line(text: str) -> str:
    """Text with every run of white space as one space."""
    return " ".join(text.split())


def read_text(photo: Path) -> str | None:
    """The text file beside a photo, or None: ``.txt``, else ``.caption``, which sd-scripts looks for."""
    for suffix in (".txt", ".caption"):
        if (path := photo.with_suffix(suffix)).is_file():
            return decoded(path.read_bytes())
    return None


def decoded(data: bytes) -> str:
    """The text of a file. Windows' older editors write other encodings than UTF-8."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
