"""Migration 1: projects, photos, patterns, runs, checkpoints, previews, judges, scores, ratings."""

from sqlite_utils import Database

from db.migrations.registry import migrations, statements

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
