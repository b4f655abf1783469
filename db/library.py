"""Projects, datasets, photos, patterns and their labels: what there is to train."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from db.connect import immediate, now

Row = dict[str, Any]


def one(db: Database, sql: str, params: Mapping[str, Any]) -> Row | None:
    """The first row of a query, or None."""
    return next(iter(db.query(sql, dict(params))), None)


def inserted(db: Database, table: str, row: Mapping[str, Any]) -> int:
    """Insert a row and return its id."""
    key = db.table(table).insert(dict(row)).last_pk
    assert isinstance(key, int)  # every table that this is used for has an integer id
    return key


# projects


def add_project(db: Database, **columns: Any) -> int:
    """Insert a project (name, trigger_word, class_noun, base_model, face_judge, clip_judge) and return its id."""
    return inserted(db, "projects", {**columns, "created_at": now()})


def project(db: Database, project_id: int) -> Row | None:
    """A project by its id, also one in the bin (``deleted_at`` says so): its rows go on referring to it."""
    return one(db, "select * from projects where id = :id", {"id": project_id})


def project_named(db: Database, name: str) -> Row | None:
    """The project of that name, also one in the bin: its name is taken until the bin is emptied."""
    return one(db, "select * from projects where name = :name", {"name": name})


def projects(db: Database) -> list[Row]:
    return list(db.query("select * from projects where deleted_at is null order by id"))


def update_project(db: Database, project_id: int, **columns: Any) -> None:
    db.table("projects").update(project_id, columns)


# datasets and photos


def add_dataset(
    db: Database,
    project_id: int,
    *,
    hash: str,
    trigger_word: str,
    class_noun: str,
    size_px: int | None,
    photos: Iterable[Mapping[str, Any]],
    traits: Sequence[str] = (),
) -> int:
    """Store a dataset version with its photos, make it the project's current one and return its id.

    The same content again is the same dataset: its id comes back and nothing is written twice.
    ``photos``: rows with the columns of table photos, without id and dataset_id. ``traits``: phrases that captions
    leave out under ``captions = traits_left_out``.
    """
    with immediate(db):
        known = one(
            db,
            "select id from datasets where project_id = :project and hash = :hash",
            {"project": project_id, "hash": hash},
        )
        dataset_id = known["id"] if known else None
        if dataset_id is None:
            version = one(
                db,
                "select ifnull(max(version), 0) + 1 as next from datasets where project_id = :project",
                {"project": project_id},
            )
            row = {
                "project_id": project_id,
                "version": version["next"] if version else 1,
                "hash": hash,
                "trigger_word": trigger_word,
                "class_noun": class_noun,
                "size_px": size_px,
                "traits": json.dumps(list(traits)),
                "created_at": now(),
            }
            dataset_id = inserted(db, "datasets", row)
            db.table("photos").insert_all({**photo, "dataset_id": dataset_id} for photo in photos)
        update_project(db, project_id, dataset_id=dataset_id)
    return int(dataset_id)


def dataset(db: Database, dataset_id: int) -> Row | None:
    return one(db, "select * from datasets where id = :id", {"id": dataset_id})


def datasets(db: Database, project_id: int) -> list[Row]:
    return list(db.query("select * from datasets where project_id = :id order by version", {"id": project_id}))


def photos(db: Database, dataset_id: int, side: str | None = None) -> list[Row]:
    """Photos of a dataset in order; ``side``: only 'train' or only 'reference'."""
    return list(
        db.query(
            """
            select * from photos
            where dataset_id = :dataset and (:side is null or side = :side)
            order by position
            """,
            {"dataset": dataset_id, "side": side},
        )
    )


# patterns


def add_pattern(
    db: Database,
    hash: str,
    config: Mapping[str, Any],
    *,
    origin: str | None = None,
    unknown: Mapping[str, str] = {},
) -> int:
    """Store a pattern unless these settings are already stored; return its id either way.

    ``origin``: 'lora' or 'pictures' for one that was trained elsewhere, with the settings that are ``unknown`` and what
    is said of each in its place, "" = nothing.
    """
    db.execute(
        """
        insert into patterns (hash, config, created_at, origin, unknown)
        values (:hash, :config, :now, :origin, :unknown)
        on conflict (hash) do nothing
        """,
        {
            "hash": hash,
            "config": json.dumps(config, sort_keys=True),
            "now": now(),
            "origin": origin,
            "unknown": json.dumps(unknown),
        },
    )
    row = one(db, "select id from patterns where hash = :hash", {"hash": hash})
    assert row is not None  # just inserted, or there before
    return int(row["id"])


def pattern(db: Database, pattern_id: int) -> Row | None:
    return one(db, "select * from patterns where id = :id", {"id": pattern_id})


def add_label(db: Database, project_id: int, pattern_id: int, label: str, note: str = "") -> int:
    """Name a pattern within a project. One pattern may have several labels, a label means one pattern."""
    row = {
        "project_id": project_id,
        "pattern_id": pattern_id,
        "label": label,
        "note": note,
        "created_at": now(),
    }
    free_label(db, project_id, label)
    cursor = db.execute(
        """
        insert into pattern_labels (project_id, pattern_id, label, note, created_at, position)
        values (:project_id, :pattern_id, :label, :note, :created_at,
                (select ifnull(max(position), 0) + 1 from pattern_labels where project_id = :project_id))
        """,
        row,
    )
    return int(cursor.lastrowid or 0)


def free_label(db: Database, project_id: int, name: str) -> None:
    """A label in the bin makes way for a new one of the same name."""
    db.execute(
        """
        update pattern_labels set label = label || ' (deleted ' || id || ')'
        where project_id = :project and label = :label and deleted_at is not null
        """,
        {"project": project_id, "label": name},
    )


def label(db: Database, project_id: int, name: str) -> Row | None:
    return one(
        db,
        "select * from pattern_labels where project_id = :project and label = :label and deleted_at is null",
        {"project": project_id, "label": name},
    )


def labels(db: Database, project_id: int) -> list[Row]:
    """Every label of a project with its pattern: label, note, pattern_id, config (JSON), in the order of adding."""
    return list(
        db.query(
            """
            select l.label, l.note, l.pattern_id, p.config
            from pattern_labels l join patterns p on p.id = l.pattern_id
            where l.project_id = :project and l.deleted_at is null order by l.position
            """,
            {"project": project_id},
        )
    )


def patterns(db: Database, project_id: int) -> list[Row]:
    """A project's patterns in the order in which they were added.

    Columns: pattern_id, hash, config (JSON), origin, unknown (JSON), label (several are joined with ' = '), note,
    position.
    """
    return list(
        db.query(
            """
            select p.id as pattern_id, p.hash, p.config, p.origin, p.unknown, n.position, n.label, n.note
            from pattern_names n join patterns p on p.id = n.pattern_id
            where n.project_id = :project order by n.position
            """,
            {"project": project_id},
        )
    )


def revision(db: Database) -> int:
    """A number that moves when anything that a chart shows has changed: the key for caches."""
    row = one(db, "select value from meta where key = 'revision'", {})
    return int(row["value"]) if row else 0
