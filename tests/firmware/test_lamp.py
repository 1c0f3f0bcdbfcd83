"""The lamp and the sun on a real MicroPython; the sun beside astral's, over a year."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import astral
import astral.sun
import pytest

if TYPE_CHECKING:
    from conftest import MicroPython

BEGIN = date(2026, 1, 1)
DAYS = 366
WITHIN_S = 120
PLACES = {
    "Shanghai": (31_295_000, 121_525_000),
    "Chongqing": (29_563_000, 106_551_000),
    "Harbin": (45_803_000, 126_535_000),
    "Singapore": (1_352_000, 103_820_000),
    "Sydney": (-33_869_000, 151_209_000),
    "Honolulu": (21_307_000, -157_858_000),
    "Helsinki": (60_170_000, 24_938_000),
}


def by_astral(latitude: int, longitude: int, day: date) -> tuple[float, float]:
    """Sunrise and sunset around the noon of a solar day."""
    zone = timedelta(seconds=longitude * 240 / 1e6)
    place = astral.Observer(latitude / 1e6, longitude / 1e6)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) - zone
    events = []
    for event in (astral.sun.sunrise, astral.sun.sunset):
        near = [event(place, day + timedelta(days=shift)).timestamp() for shift in (-1, 0, 1)]
        events.append(min(near, key=lambda time_s: abs(time_s - noon.timestamp())))
    return events[0], events[1]


@pytest.mark.parametrize("place", PLACES)
def test_the_sun_rises_and_sets_within_two_minutes_of_astral_through_a_year(
    micropython: MicroPython, place: str
) -> None:
    latitude, longitude = PLACES[place]
    first = (BEGIN - date(1970, 1, 1)).days

    lines = micropython.run("print_sun.py", first, DAYS, latitude, longitude)

    assert len(lines) == DAYS
    worst = 0.0
    for number, line in enumerate(lines):
        ours = [int(word) for word in line.split()]
        theirs = by_astral(latitude, longitude, BEGIN + timedelta(days=number))
        assert ours[0] < ours[1]
        worst = max(worst, *(abs(a - b) for a, b in zip(ours, theirs, strict=True)))
    print(f"{place}: {worst:.0f} s at most")
    assert worst < WITHIN_S


def test_beyond_the_polar_circle_the_sun_stays_up_and_stays_down(micropython: MicroPython) -> None:
    first = (BEGIN - date(1970, 1, 1)).days

    lines = micropython.run("print_sun.py", first, DAYS, 69_649_000, 18_956_000)

    missing = [BEGIN + timedelta(days=number) for number, line in enumerate(lines) if line == "- -"]
    polar_night = [day for day in missing if day.month in (11, 12, 1)]
    polar_day = [day for day in missing if day.month in (5, 6, 7)]
    assert len(polar_night) + len(polar_day) == len(missing)
    assert 45 <= len(polar_night) <= 55 and 60 <= len(polar_day) <= 72  # Tromsø's own figures: 49 and 69


def test_the_lamp_is_lit_when_in_doubt_and_on_time_otherwise(micropython: MicroPython, tmp_path: Path) -> None:
    lines = micropython.run("check_lamp.py", tmp_path / "lamp.json")

    assert len(lines) >= 18 and all(line.startswith("ok ") for line in lines)
