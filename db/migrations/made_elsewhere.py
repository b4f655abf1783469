"""Migration 3: pictures and LoRAs made elsewhere, and more of what judges see."""

from sqlite_utils import Database

from db.migrations.registry import migrations, statements

MADE_ELSEWHERE = """
alter table projects add column second_face_judge text not null default 'none';  -- beside the first; never mixed

alter table patterns add column origin text;  -- null = asked for here; lora, pictures = made elsewhere
alter table patterns add column unknown text not null default '{}';  -- JSON: unknown setting -> what is said of it

alter table runs add column origin text;  -- null = trained here; lora, pictures
alter table runs add column session text;  -- what names this training elsewhere (ss_session_id, a file's stem)
alter table runs add column saw_references text not null default 'no'
    check (saw_references in ('no', 'unknown', 'yes'));  -- whether the reference photos were trained on
create index runs_by_session on runs (project_id, session);

alter table checkpoints add column name text;  -- what it is called elsewhere; null = saved here

alter table previews add column saturation real;  -- see workbench/scores/finish.py; null = not measured
alter table previews add column clipping real;
alter table previews add column sharpness real;
alter table previews add column in_fp32 text;  -- status when a broken half precision picture was drawn again in fp32
alter table previews add column original text;  -- name of the file that it was imported from

alter table calibrations add column threshold real;  -- cosine from which on a face is recognisably the person
alter table calibrations add column detail text not null default '{}';  -- JSON: what the ends were measured from

create table vectors (  -- what a judge sees in a preview, as a unit vector: float16, little-endian
    preview_id integer not null references previews (id),
    judge_id integer not null references judges (id),
    vector blob not null,
    primary key (preview_id, judge_id)
) strict, without rowid;

create table imports (  -- append-only: what was brought in from elsewhere, and how it was read
    id integer primary key,
    project_id integer not null references projects (id),
    kind text not null check (kind in ('pictures', 'loras')),
    source text not null,  -- the folder's or archive's own name, without the path to it
    detail text not null,  -- JSON: scheme, counts, what was skipped and why
    created_at real not null
) strict;
"""

ELSEWHERE_EVENTS = {  # more of what moves the revision, by the name of its trigger
    "revision_imports": "insert on imports",
    "revision_thresholds": "update of threshold on calibrations",
    "revision_finish": "update of saturation on previews",
    "revision_values": "update of value on scores",
}


@migrations()
def made_elsewhere(db: Database) -> None:
    """Imports, a second face judge, thresholds, picture statistics, vectors."""
    for statement in statements(MADE_ELSEWHERE):
        db.conn.execute(statement)
    for name, event in ELSEWHERE_EVENTS.items():
        db.conn.execute(
            f"create trigger {name} after {event} begin update meta set value = value + 1 where key = 'revision'; end"
        )
