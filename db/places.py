"""Where base models lie on this machine, when they don't lie where patterns and projects say."""

from sqlite_utils import Database

from db.library import one


def place_of(db: Database, location: str) -> str | None:
    """Where the base model of that location lies; None = where its location says."""
    row = one(db, "select place from base_places where location = :location", {"location": location})
    return str(row["place"]) if row else None


def places(db: Database) -> dict[str, str]:
    """Location -> place, of every base model that lies elsewhere."""
    return {row["location"]: row["place"] for row in db.query("select * from base_places order by location")}


def set_place(db: Database, location: str, place: str | None) -> None:
    """Say where a base model lies; None = where its location says, as before."""
    with db.atomic():
        db.execute("delete from base_places where location = :location", {"location": location})
        if place is not None:
            db.table("base_places").insert({"location": location, "place": place})


def locations(db: Database) -> list[str]:
    """Every base model that a project, or a pattern of one, asks for; in order of name."""
    rows = db.query(
        """
        select base_model as location from projects where deleted_at is null
        union
        select json_extract(p.config, '$.base_model') from pattern_labels l join patterns p on p.id = l.pattern_id
        where l.deleted_at is null and json_extract(p.config, '$.base_model') is not null
        order by 1
        """
    )
    return [row["location"] for row in rows]
