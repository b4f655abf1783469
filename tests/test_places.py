"""Where base models lie on this machine."""

import pytest

from db import library, open_db, places


@pytest.fixture
def db(tmp_path):
    return open_db(tmp_path / "workbench.db")


def project(db, name, base):
    return library.add_project(
        db,
        name=name,
        trigger_word="zwx",
        class_noun="woman",
        base_model=base,
        face_judge="none",
        clip_judge="none",
    )


def test_a_base_lies_where_its_location_says_until_it_is_said_to_lie_elsewhere(db):
    assert places.place_of(db, "/a") is None and places.places(db) == {}
    places.set_place(db, "/a", "/b")
    places.set_place(db, "/a", "/c")
    places.set_place(db, "/x", "/y")
    assert places.place_of(db, "/a") == "/c"
    assert places.places(db) == {"/a": "/c", "/x": "/y"}
    places.set_place(db, "/a", None)
    assert places.places(db) == {"/x": "/y"}


def test_the_locations_are_those_of_projects_and_of_patterns_in_use(db):
    first = project(db, "one", "/a")
    gone = project(db, "two", "/gone")
    library.update_project(db, gone, deleted_at=1.0)
    pattern = library.add_pattern(db, "h", {"base_model": "/b", "dim": 4})
    library.add_pattern(db, "nobody's", {"base_model": "/nobody"})
    library.add_label(db, first, pattern, "b")
    assert places.locations(db) == ["/a", "/b"]
