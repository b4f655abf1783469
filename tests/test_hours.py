"""When the queue may work: by hand, by the clock, by the disk."""

from datetime import datetime, time

import pytest

from db import meta
from workbench.running import hours
from workbench.running.hours import HoursError, Window
from workbench.workspace import Workspace


@pytest.fixture
def db(tmp_path):
    return Workspace(tmp_path).open()


def at(clock):
    return datetime.fromisoformat(f"2026-05-01 {clock}")


NIGHT, DAY = Window(time(22), time(7)), Window(time(9, 30), time(17))
MOMENTS = [
    (NIGHT, "21:59:59", False),
    (NIGHT, "22:00:00", True),
    (NIGHT, "23:59:59", True),
    (NIGHT, "00:00:00", True),
    (NIGHT, "06:59:59", True),
    (NIGHT, "07:00:00", False),
    (DAY, "09:29:59", False),
    (DAY, "09:30:00", True),
    (DAY, "16:59:59", True),
    (DAY, "17:00:00", False),
    (DAY, "00:00:00", False),
]


@pytest.mark.parametrize(("window", "clock", "is_open"), MOMENTS)
def test_a_window_is_open_from_its_first_minute_to_before_its_last(window, clock, is_open):
    assert window.is_open(at(clock)) is is_open


def test_a_window_opens_later_today_or_tomorrow():
    assert NIGHT.opens(at("12:00")) == at("22:00")
    assert DAY.opens(at("17:00")) == datetime.fromisoformat("2026-05-02 09:30")


@pytest.mark.parametrize("text", ["22:00-07:00", " 22:00 – 7:00 ", "22:00 to 07:00"])
def test_a_window_is_read_as_people_write_it(text):
    assert hours.parse_window(text) == NIGHT


@pytest.mark.parametrize("text", ["", "at night", "22-7", "25:00-07:00", "22:60-07:00", "07:00-07:00", "22:00-07:00 x"])
def test_what_is_no_window_is_explained(text):
    with pytest.raises(HoursError, match=r"Write|Hours go|Choose another"):
        hours.parse_window(text)


def test_a_stored_window_comes_back_and_can_be_taken_away(db):
    assert hours.window(db) is None and hours.halt(db, at("12:00")) is None
    hours.set_window(db, NIGHT)
    assert hours.window(db) == NIGHT
    halt = hours.halt(db, at("12:00"))
    assert halt.code == "outside_window" and "(22:00-07:00)" in halt.sentence and "at 22:00" in halt.sentence
    assert hours.halt(db, at("23:00")) is None
    hours.set_window(db, None)
    assert hours.halt(db, at("12:00")) is None


def test_a_pause_comes_before_all_other_reasons_and_ends_when_it_is_resumed(db):
    meta.put(db, hours.LOW_DISK, '{"free_gb": 0.4, "needed_gb": 1.9}')
    assert "0.4 GB are free and 1.9 GB are needed" in hours.halt(db).sentence
    hours.set_window(db, NIGHT)
    assert hours.halt(db, at("12:00")).code == "outside_window"
    hours.pause(db)
    hours.pause(db)
    assert hours.halt(db, at("12:00")).code == "paused" and "until it is resumed" in hours.halt(db).sentence
    hours.resume(db)
    assert hours.halt(db, at("23:00")).code == "low_disk"
