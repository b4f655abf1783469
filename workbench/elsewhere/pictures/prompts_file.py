"""The file of sample prompts that kohya's scripts were given: which prompt a picture's number means."""

import json
import re
import tomllib
from pathlib import Path

NAMES = re.compile(r"(?:.*[_-])?(?:sample[_-]?)?prompts?(?:[_-].*)?\.(?:txt|toml|json)", re.IGNORECASE)
LARGEST_BYTES = 1_000_000
MOST = 1000
LONGEST = 20_000  # characters of one prompt


class PromptsProblem(ValueError):
    """A file of prompts that can't be read. The text is the rest of a sentence that begins with its name."""


def is_prompts_file(name: str) -> bool:
    """Whether a file's name is one that sample prompts usually have: sample_prompts.txt, prompts.toml."""
    return NAMES.fullmatch(Path(name).name) is not None


def read_prompts(file: Path) -> tuple[str, ...]:
    """The prompts in order, as sd-scripts' library/train_util.py load_prompts reads them. Raises PromptsProblem."""
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise PromptsProblem("is too large for a file of prompts.")
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PromptsProblem("isn't UTF-8 text: save it as UTF-8.") from None
    except OSError as error:
        raise PromptsProblem(f"can't be opened ({error.strerror or error}).") from None
    found = {".toml": _toml, ".json": _json}.get(file.suffix.lower(), _lines)(text)
    if not found:
        raise PromptsProblem("names no prompt.")
    if len(found) > MOST or max(map(len, found)) > LONGEST:
        raise PromptsProblem(f"holds more than {MOST} prompts, or one of more than {LONGEST} characters.")
    return tuple(found)


def _lines(text: str) -> list[str]:
    """One prompt a line, with options behind: ``photo of zwx woman --n blurry --w 512 --d 42``."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [line.split(" --")[0].strip() for line in lines]


def _toml(text: str) -> list[str]:
    """``[prompt]`` with what all have in common and ``[[prompt.subset]]`` for each."""
    try:
        prompt = tomllib.loads(text).get("prompt")
    except tomllib.TOMLDecodeError as error:
        raise PromptsProblem(f"is no TOML ({error}).") from None
    if not isinstance(prompt, dict) or not isinstance(prompt.get("subset"), list):
        raise PromptsProblem("has no [[prompt.subset]].")
    return [_text(each, prompt.get("prompt")) for each in prompt["subset"]]


def _json(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise PromptsProblem("is no JSON.") from None
    if not isinstance(found, list):
        raise PromptsProblem("holds no list of prompts.")
    return [_text(each, None) for each in found]


def _text(each: object, common: object) -> str:
    text = each.get("prompt", common) if isinstance(each, dict) else each
    if not isinstance(text, str):
        raise PromptsProblem("has an entry without 'prompt'.")
    return text.strip()
