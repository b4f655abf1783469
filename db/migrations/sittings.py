"""Migration 4: sittings of a rater, what each asks, answers of more kinds than marks, and what was seen beforehand."""

from sqlite_utils import Database

from db.migrations.registry import migrations, statements

SITTINGS = """
create table sittings (  -- one go at rating: who, how, how long. What it asks is fixed when it begins
    id integer primary key,
    token text not null unique,  -- opaque: names it to the browser
    project_id integer not null references projects (id),
    plan_id integer not null references plans (id),
    rater text not null,
    mode text not null check (mode in ('single', 'deck', 'sheet', 'pair', 'best_worst')),
    minutes real not null,  -- that the rater has
    foretold text not null default '{}',  -- JSON: what was said that will be known afterwards
    protocol text not null,
    created_at real not null,
    ended_at real  -- stopped, or all was answered; null = it can go on
) strict;
create index sittings_by_rater on sittings (project_id, rater);

create table rating_items (  -- what a sitting asks, in its order; never changes
    id integer primary key,
    token text not null unique,  -- opaque
    sitting_id integer not null references sittings (id),
    position integer not null,  -- from 0
    part text not null check (part in ('warm_up', 'first', 'repeat')),  -- a warm-up doesn't count
    repeats integer references rating_items (id),  -- the first time of a repeat
    previews text not null,  -- JSON: ids in the order shown, from the left
    unique (sitting_id, position),
    check ((part = 'repeat') = (repeats is not null))
) strict;

create table reveals (  -- append-only: pictures that a rater saw by name before rating them: not blind any more
    preview_id integer not null references previews (id),
    rater text not null,
    revealed_at real not null,
    primary key (preview_id, rater)
) strict, without rowid;

drop trigger ratings_never_change;
drop trigger ratings_never_go;
drop trigger revision_ratings;
drop index ratings_by_preview;
alter table ratings rename to ratings_before;

create table ratings (  -- append-only: one event each, never changed
    id integer primary key,
    item_id integer references rating_items (id),  -- what was asked; null = one picture, before there were sittings
    preview_id integer references previews (id),  -- the picture it is about; null = all of what was asked
    rater text not null,
    session text not null,
    event text not null check (event in ('rate', 'choose', 'flag', 'skip', 'undo')),
    axis text check (axis in ('likeness', 'quality', 'prompt')),
    value real check (value between 0 and 100),
    said text,  -- choose: left, right, same, bad, best, worst; flag: broken, not_the_person, copy_of_a_photo
    undoes integer references ratings (id),
    is_repeat integer not null default 0,
    position integer not null,  -- how many answers this rater had given before in the session
    shown_at real not null,
    answered_at real not null,
    protocol text not null,
    check ((event = 'rate') = (axis is not null and value is not null)),
    check ((event in ('choose', 'flag')) = (said is not null)),
    check ((event = 'undo') = (undoes is not null)),
    check (item_id is not null or preview_id is not null)
) strict;

insert into ratings (id, preview_id, rater, session, event, axis, value, undoes, is_repeat, position, shown_at,
                     answered_at, protocol)
    select id, preview_id, rater, session, event, axis, value, undoes, is_repeat, position, shown_at,
           answered_at, protocol
    from ratings_before order by id;
drop table ratings_before;

create index ratings_by_preview on ratings (preview_id);
create index ratings_by_item on ratings (item_id);
create index previews_by_picture on previews (same_as) where same_as is not null;
create index ratings_by_rater on ratings (rater, session);
create index ratings_by_undone on ratings (undoes) where undoes is not null;

create trigger ratings_never_change before update on ratings
    begin select raise(abort, 'ratings are append-only: write an undo event'); end;
create trigger ratings_never_go before delete on ratings
    begin select raise(abort, 'ratings are append-only: write an undo event'); end;
create trigger revision_ratings after insert on ratings
    begin update meta set value = value + 1 where key = 'revision'; end;
create trigger items_never_change before update on rating_items
    begin select raise(abort, 'what a sitting asks is fixed when it begins'); end;
create trigger items_never_go before delete on rating_items
    begin select raise(abort, 'what a sitting asks is fixed when it begins'); end;
"""


@migrations()
def sittings(db: Database) -> None:
    """Sittings, what they ask, choices and flags beside marks."""
    for statement in statements(SITTINGS):
        db.conn.execute(statement)
