"""Migration 5: the pattern that somebody uses for every new person, and what is tried against it."""

from sqlite_utils import Database

from db.migrations.registry import migrations, statements

RECIPES = """
create table defaults (  -- append-only: the newest row is the default now
    id integer primary key,
    pattern_id integer references patterns (id),  -- null = there is none any more
    project_id integer references projects (id),  -- where it was chosen
    label text not null,  -- as it was called there
    why text not null default '',  -- what was known when it was chosen
    created_at real not null
) strict;

create table challenges (  -- append-only: what became of a challenger
    id integer primary key,
    event text not null check (event in ('begin', 'undo', 'stop', 'resume')),
    default_id integer not null references patterns (id),
    challenger_id integer not null references patterns (id),
    project_id integer references projects (id),  -- null = for every person (stop, resume)
    undoes integer references challenges (id),
    runs text not null default '[]',  -- JSON: ids of the runs that were queued, or cancelled
    created_at real not null,
    check ((event = 'undo') = (undoes is not null))
) strict;
create index challenges_by_pattern on challenges (default_id, challenger_id);

create trigger defaults_never_change before update on defaults
    begin select raise(abort, 'defaults are append-only: choose another'); end;
create trigger defaults_never_go before delete on defaults
    begin select raise(abort, 'defaults are append-only: choose another'); end;
create trigger challenges_never_change before update on challenges
    begin select raise(abort, 'challenges are append-only: write another event'); end;
create trigger challenges_never_go before delete on challenges
    begin select raise(abort, 'challenges are append-only: write another event'); end;
"""


@migrations()
def recipes(db: Database) -> None:
    """Defaults and challenges."""
    for statement in statements(RECIPES):
        db.conn.execute(statement)
