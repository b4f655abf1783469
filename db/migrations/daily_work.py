"""Migration 2: the bin, retention, final and continued runs, what is measured per checkpoint, marks from elsewhere."""

from sqlite_utils import Database

from db.migrations.registry import migrations, statements

DAILY_WORK = """
alter table projects add column deleted_at real;  -- in the bin since; null = in use
alter table projects add column emptied_at real;  -- its files are gone for good
alter table projects add column retention text not null default '{}';  -- which LoRA files and states are kept
alter table pattern_labels add column deleted_at real;
alter table runs add column deleted_at real;
alter table runs add column emptied_at real;  -- its files are gone for good
alter table runs add column final integer not null default 0;  -- trained on all photos, references too: not comparable
alter table runs add column continues integer references runs (id);  -- goes on from that run's last state
alter table datasets add column traits text not null default '[]';  -- phrases for captions = traits_left_out (JSON)
alter table photos add column sharpness real;  -- see workbench/dataset/sharpness.py; null = not measured
alter table photos add column face_cut real;  -- share of the face outside the square, 0-1; null = not known
alter table photos add column faces integer;  -- how many there are in the square; null = not counted
alter table previews add column same_as integer references previews (id);  -- whose picture it shows: an earlier plan's
alter table checkpoints add column seconds real;  -- of training until here
alter table checkpoints add column memory_bytes integer;  -- the most that was in use on the device until here
alter table checkpoints add column loss_train real;  -- at fixed noise, on training photos
alter table checkpoints add column loss_reference real;  -- at the same noise, on reference photos
alter table checkpoints add column weight_change text;  -- JSON: block -> |scale BA| / |W|
alter table checkpoints add column removed_at real;  -- its file was removed by a retention rule; null = it is there

create table marks (  -- what somebody said of a whole pattern elsewhere: no preview of ours was looked at
    id integer primary key,
    project_id integer not null references projects (id),
    label text not null,  -- as it is called there
    pattern_id integer references patterns (id),  -- null = its settings are not known
    rater text not null,
    value real check (value between 0 and 100),  -- null = no number was given
    words text not null default '',  -- what was said instead
    source text not null,
    created_at real not null,
    unique (project_id, rater, label)
) strict;

create table base_places (  -- where a base model lies on this machine, when not where its patterns say
    location text primary key,
    place text not null
) strict;

drop index one_active_run;
create unique index one_active_run on runs (project_id, pattern_id, dataset_id, seed, final)
    where status in ('queued', 'running') and deleted_at is null;

drop view pattern_names;
create view pattern_names as  -- one row per project and pattern, its labels joined in the order they were given
    select project_id, pattern_id, group_concat(label, ' = ') as label, max(note) as note,
           min(position) as position
    from (select * from pattern_labels where deleted_at is null order by project_id, position)
    group by project_id, pattern_id;
"""

DAILY_EVENTS = {  # more of what moves the revision, by the name of its trigger
    "revision_deleted_runs": "update of deleted_at on runs",
    "revision_deleted_labels": "update of deleted_at on pattern_labels",
    "revision_marks": "insert on marks",
    "revision_removed_files": "update of removed_at on checkpoints",
}


@migrations()
def daily_work(db: Database) -> None:
    """The bin, retention, final and continued runs, what is measured per checkpoint, marks from elsewhere."""
    for statement in statements(DAILY_WORK):
        db.conn.execute(statement)
    for name, event in DAILY_EVENTS.items():
        db.conn.execute(
            f"create trigger {name} after {event} begin update meta set value = value + 1 where key = 'revision'; end"
        )
