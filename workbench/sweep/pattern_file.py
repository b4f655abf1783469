"""Patterns in and out of a spreadsheet (CSV) or JSON: one row per label, a blank cell is the default."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from db import library
from trainer.config import DEFAULTS, ConfigError, TrainConfig, parse_config
from workbench.sweep.patterns import Asked, PatternError
from workbench.sweep.settings import field, groups, typed, value_text

LABEL, NOTE = "label", "note"
DELIMITERS = ",;\t"  # what spreadsheets write, by country
MOST_ROWS = 1000


class PatternFileError(PatternError):
    """A file of patterns that can't be read: all that is wrong, with rows and columns."""


# out


def labelled(db: Database, project_id: int) -> list[Asked]:
    """A project's patterns, once for each label."""
    return [Asked(row["label"], parse_config(row["config"]), row["note"]) for row in library.labels(db, project_id)]


def to_csv(asked: Iterable[Asked]) -> str:
    """Patterns as CSV with every setting as a column; a setting at its default is left blank, the base never."""
    names = [each.name for fields in groups().values() for each in fields]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([LABEL, NOTE, *names])
    for each in asked:
        values = {**each.config.model_dump(exclude_defaults=True), "base_model": each.config.base_model}
        writer.writerow([each.label, each.note, *(exact(values.get(name)) for name in names)])
    return out.getvalue()


def exact(value: Any) -> str:
    """A value as text that reads back as the same number."""
    return repr(value) if isinstance(value, float) else value_text(value)


def to_json(asked: Iterable[Asked]) -> str:
    """Patterns as JSON: the settings that are not at their defaults, and the base."""
    rows = [
        {
            LABEL: each.label,
            NOTE: each.note,
            "settings": {
                "base_model": each.config.base_model,
                **each.config.model_dump(mode="json", exclude_defaults=True),
            },
        }
        for each in asked
    ]
    return json.dumps({"patterns": rows}, indent=1)


# in


def read_bytes(data: bytes, base_model: str) -> list[Asked]:
    """:func:`read` of a file's content, which must be UTF-8."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PatternFileError("The file is not UTF-8. Save it as 'CSV UTF-8' and try again.") from error
    return read(text, base_model)


def read(text: str, base_model: str = DEFAULTS["base_model"]) -> list[Asked]:
    """Patterns from CSV or JSON, whichever the text is. All or none: PatternFileError names every row and column.

    ``base_model``: what a blank one means.
    """
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise PatternFileError("The file is empty.")
    asked = from_json(text, base_model) if text.lstrip()[:1] in "[{" else from_csv(text, base_model)
    if not asked:
        raise PatternFileError("The file has no pattern: a head and at least one row are needed.")
    if len(asked) > MOST_ROWS:
        raise PatternFileError(f"The file has {len(asked)} patterns; {MOST_ROWS} are the most at once.")
    return asked


def from_csv(text: str, base_model: str) -> list[Asked]:
    """Rows below a head with `label`, perhaps `note`, and settings, by name or as the form calls them."""
    first = text.splitlines()[0]
    delimiter = max(DELIMITERS, key=first.count)
    lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    columns, wrong = head(lines[0])
    rows = []
    for number, cells in enumerate(lines[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        extra = [cell for cell in cells[len(columns) :] if cell.strip()]
        if extra:
            wrong.append(f"Row {number}: {len(cells)} cells, but the head has {len(columns)}.")
        pairs = zip(columns, cells, strict=False)
        rows.append((f"Row {number}", {name: cell.strip() for name, cell in pairs if name and cell.strip()}))
    return checked(
        [(where, row.pop(LABEL, ""), row.pop(NOTE, ""), {n: typed(v) for n, v in row.items()}) for where, row in rows],
        base_model,
        wrong,
    )


def head(cells: Sequence[str]) -> tuple[list[str], list[str]]:
    """The column names as settings, and what is wrong with them."""
    known = {LABEL: LABEL, NOTE: NOTE}
    for name in TrainConfig.model_fields:
        about = field(name)
        known |= {text.lower(): name for text in (name, about.label, about.title)}
    columns = [known.get(cell.strip().lower(), cell.strip()) for cell in cells]
    wrong = [f"Column {n}: {problem}" for n, name in enumerate(columns, 1) if (problem := column_problem(name))]
    wrong += [f"Column '{name}' is there {n} times." for name, n in Counter(columns).items() if name and n > 1]
    if LABEL not in columns:
        wrong.append("There is no column 'label': it names each pattern.")
    return columns, wrong


def column_problem(name: str) -> str:
    if not name or name in (LABEL, NOTE) or name in TrainConfig.model_fields:
        return ""
    try:
        parse_config({name: ""})
    except ConfigError as error:
        return str(error)
    return ""


def from_json(text: str, base_model: str) -> list[Asked]:
    """A list of objects with `label`, perhaps `note`, and `settings`; or {"patterns": that list}."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise PatternFileError(f"The file is not JSON: {error}.") from error
    rows = data.get("patterns") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise PatternFileError('The file holds no list of patterns: {"patterns": [{"label": ..., "settings": {}}]}.')
    found, wrong = [], []
    for number, row in enumerate(rows, 1):
        where = f"Pattern {number}"
        if not isinstance(row, dict) or not isinstance(row.get("settings", {}), dict):
            wrong.append(f'{where}: must be an object such as {{"label": "...", "settings": {{"dim": 16}}}}.')
            continue
        strange = [name for name in row if name not in (LABEL, NOTE, "settings")]
        if strange:
            wrong.append(f"{where}: there is no '{strange[0]}' beside label, note and settings.")
        found.append((where, str(row.get(LABEL) or ""), str(row.get(NOTE) or ""), dict(row.get("settings", {}))))
    return checked(found, base_model, wrong)


def checked(
    rows: Sequence[tuple[str, str, str, Mapping[str, Any]]], base_model: str, wrong: Sequence[str]
) -> list[Asked]:
    """Rows (where, label, note, settings) as patterns; raises with all that is wrong with any of them."""
    problems, asked = list(wrong), list[Asked]()
    places: dict[str, str] = {}
    bad_columns = bool(wrong)
    for where, label, note, values in rows:
        label = label.strip()
        if not label:
            problems.append(f"{where}: label is empty.")
        elif label in places:
            problems.append(f"{where}: label '{label}' is that of {places[label].lower()} too.")
        places.setdefault(label, where)
        known = {n: v for n, v in values.items() if not bad_columns or n in TrainConfig.model_fields}
        try:
            config = parse_config({"base_model": base_model, **known})
        except ConfigError as error:
            problems.append(f"{where}: {error}")
        else:
            asked.append(Asked(label, config, note))
    if problems:
        raise PatternFileError(" ".join(problems))
    return asked
