"""The schema, one function per change. A function that has been released is never edited: add another."""

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("workbench")

TABLES = """
create table meta (
    key text primary key,
    value any
) strict;

create table plans (  -- immutable: prompts x seeds x strengths + sampler settings
    id integer primary key,
    hash text not null unique,
    config text not null,
    created_at real not null
) strict;

create table projects (  -- one question about one subject
    id integer primary key,
    name text not null unique,
    trigger_word text not null,
    class_noun text not null,
    base_model text not null,
    face_judge text not null,  -- how to find the judge: embedded, a pack, a folder, none
    clip_judge text not null,
    strangers text,  -- folder with other people's faces, for the zero of the likeness scale
    dataset_id integer references datasets (id),  -- the version that new runs use
    plan_id integer references plans (id),
    created_at real not null
) strict;

create table datasets (  -- a version of the photos of one subject
    id integer primary key,
    project_id integer not null references projects (id),
    version integer not null,
    hash text not null,
    trigger_word text not null,
    class_noun text not null,
    size_px integer,  -- side of the prepared squares; null = as large as each photo allows
    created_at real not null,
    unique (project_id, hash),
    unique (project_id, version)
) strict;

create table photos (
    id integer primary key,
    dataset_id integer not null references datasets (id),
    position integer not null,
    name text not null,  -- as it was called when it was imported
    file text not null,  -- the prepared square, relative to the workspace
    sha256 text not null,  -- of the prepared file
    caption text not null,
    side text not null check (side in ('train', 'reference')),
    width integer not null,  -- px, of the original after EXIF rotation
    height integer not null,
    crop text not null,  -- how the square was cut: face, centre, none
    face_px real,  -- side of the face box in the prepared square; null = no face found
    duplicate_group integer,  -- near-duplicates share a number and a side
    unique (dataset_id, position)
) strict;

create table patterns (  -- an immutable set of requested settings
    id integer primary key,
    hash text not null unique,
    config text not null,
    created_at real not null
) strict;

create table pattern_labels (  -- several labels may mean one pattern
    id integer primary key,
    project_id integer not null references projects (id),
    pattern_id integer not null references patterns (id),
    label text not null,
    note text not null default '',
    position integer not null,
    created_at real not null,
    unique (project_id, label)
) strict;

create view pattern_names as  -- one row per project and pattern, its labels joined in the order they were given
    select project_id, pattern_id, group_concat(label, ' = ') as label, max(note) as note,
           min(position) as position
    from (select * from pattern_labels order by project_id, position)
    group by project_id, pattern_id;

create table workers (
    id text primary key,
    pid integer not null,
    device text not null default '',
    state text not null,  -- starting, idle, training, previews, scores, stopped
    run_id integer,
    started_at real not null,
    seen_at real not null
) strict;

create table runs (  -- project x pattern x seed: the queue and the history are the same rows
    id integer primary key,
    project_id integer not null references projects (id),
    pattern_id integer not null references patterns (id),
    dataset_id integer not null references datasets (id),
    seed integer not null,
    status text not null check (status in ('queued', 'running', 'done', 'failed', 'cancelled', 'stopped_early')),
    reason text,  -- a code; its sentence is in workbench/sentences.py
    reason_params text not null default '{}',
    effective text,  -- settings in force on this machine, written when the run starts
    device text,
    priority integer not null default 0,
    attempt integer not null default 0,
    worker text references workers (id),
    cancel_requested integer not null default 0,
    step integer not null default 0,  -- updates done
    total_steps integer,
    loss real,
    train_seconds real not null default 0,
    queued_at real not null,
    started_at real,
    seen_at real,  -- proof of life
    finished_at real
) strict;

create unique index one_active_run on runs (project_id, pattern_id, dataset_id, seed)
    where status in ('queued', 'running');  -- a double click queues once
create index runs_by_status on runs (status, priority, id);

create table checkpoints (
    id integer primary key,
    run_id integer not null references runs (id),
    updates integer not null,
    images_seen integer not null,
    epoch real not null,
    file text not null,
    sha256 text not null,
    bytes integer not null,
    proof text not null,  -- what was compared after the file was read back
    is_last integer not null,
    created_at real not null,
    unique (run_id, updates)
) strict;

create table previews (  -- one cell: (checkpoint or none) x (prompt, seed, strength)
    id integer primary key,
    token text not null unique,  -- opaque: all that a browser sees of a preview before it is rated
    plan_id integer not null references plans (id),
    checkpoint_id integer references checkpoints (id),  -- null = the base row
    base_model text not null,
    clip_skip integer not null,
    prompt integer not null,  -- its number in the plan
    seed integer not null,
    strength real not null,
    project_id integer not null references projects (id),  -- whose trigger word the prompt was filled with
    text text not null,  -- the prompt as rendered
    file text not null,
    thumb text not null,
    size_px integer,  -- longer side of the picture
    status text not null check (status in ('ok', 'black', 'flat', 'non_finite')),
    seconds real not null,
    created_at real not null
) strict;

create unique index one_preview_per_cell on previews
    (plan_id, project_id, ifnull(checkpoint_id, 0), base_model, clip_skip, prompt, seed, strength);
create index previews_by_checkpoint on previews (checkpoint_id);

create table judges (
    id integer primary key,
    key text not null unique,  -- name, version and file hash: another file is another judge
    kind text not null check (kind in ('face', 'clip')),
    name text not null,
    version text not null,
    licence text not null,
    world text not null,  -- what pictures it is valid for
    created_at real not null
) strict;

create table calibrations (  -- the ends of a subject's likeness scale, as one judge sees them
    id integer primary key,
    judge_id integer not null references judges (id),
    dataset_id integer not null references datasets (id),
    size_px integer not null,  -- photos are scaled to the size of the previews first
    estimator text not null,
    real real not null,  -- mean cosine train x reference faces: 100 on the scale
    strangers real,  -- mean cosine other people's x reference faces: 0 on the scale
    strangers_key text not null default '',  -- which photos of other people
    counts text not null,  -- faces found among train, reference, strangers
    created_at real not null,
    unique (judge_id, dataset_id, size_px, estimator, strangers_key)
) strict;

create table scores (  -- one measurement of one preview by one judge: a value, or the reason why there is none
    id integer primary key,
    preview_id integer not null references previews (id),
    judge_id integer references judges (id),
    calibration_id integer references calibrations (id),
    metric text not null,  -- likeness, clip_t
    value real,
    status text not null,
    detail text not null default '{}',
    created_at real not null,
    check (value is not null or status <> 'ok')
) strict;

create unique index one_score on scores (preview_id, metric, ifnull(judge_id, 0), ifnull(calibration_id, 0));

create table ratings (  -- append-only: one event each, never changed
    id integer primary key,
    preview_id integer not null references previews (id),
    rater text not null,
    session text not null,
    event text not null check (event in ('rate', 'skip', 'undo')),
    axis text check (axis in ('likeness', 'quality', 'prompt')),
    value real check (value between 0 and 100),
    undoes integer references ratings (id),
    is_repeat integer not null default 0,
    position integer not null,  -- how many pictures this rater had judged before in the session
    shown_at real not null,
    answered_at real not null,
    protocol text not null,
    check ((event = 'rate') = (axis is not null and value is not null)),
    check ((event = 'undo') = (undoes is not null))
) strict;

create index ratings_by_preview on ratings (preview_id);

create trigger ratings_never_change before update on ratings
    begin select raise(abort, 'ratings are append-only: write an undo event'); end;
create trigger ratings_never_go before delete on ratings
    begin select raise(abort, 'ratings are append-only: write an undo event'); end;

insert into meta (key, value) values ('revision', 0);
"""

# Pages cache what they computed under this number: it moves when anything that a chart shows has changed,
# not with every heartbeat.
REVISION_EVENTS = {
    "previews": "insert",
    "scores": "insert",
    "ratings": "insert",
    "checkpoints": "insert",
    "calibrations": "insert",
    "pattern_labels": "insert",
    "projects": "update",
    "runs": "update of status",
}


@migrations()
def first_schema(db: Database) -> None:
    for statement in statements(TABLES):
        db.conn.execute(statement)
    for table, event in REVISION_EVENTS.items():
        db.conn.execute(
            f"create trigger revision_{table} after {event} on {table} "
            "begin update meta set value = value + 1 where key = 'revision'; end"
        )


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
alter table photos add column sharpness real;  -- see workbench/sharpness.py; null = not measured
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


def statements(script: str) -> list[str]:
    """Split a script at the semicolons that end a statement (a trigger's inner ones don't end a line with 'end;').

    ``executescript`` would commit, and a migration must be able to roll back.
    """
    parts, current = [], ""
    for line in script.splitlines():
        code = line.split("  --")[0].rstrip()
        current += code + "\n"
        in_trigger = "create trigger" in current
        if code.endswith("end;") or (code.endswith(";") and not in_trigger):
            parts.append(current.strip().rstrip(";") + (";" if in_trigger else ""))
            current = ""
    return parts
