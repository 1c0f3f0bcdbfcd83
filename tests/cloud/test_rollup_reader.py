"""Questions over time find the level that answers them, and get what raw values would have said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path

import pytest
from rollup_rig import City, at, reading, rolling

from cloud.errors import InvalidRequest
from cloud.levels import DAY_MS, Level
from cloud.rollup.reader import choose
from cloud.stores.protocol import Aggregate, Span, Step, Values

HOUR, DAY = Step(step_s=3_600), Step(step_s=86_400)
MONTHS, WEEKS, WEEK = (Span(start_ms=at(0), end_ms=at(24 * days)) for days in (90, 21, 7))


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    """Ten days and a half of readings each half hour, of which ten days and ten hours are rolled up."""
    async with rolling(tmp_path) as city:
        points = [
            reading("noise", node, half * 30, noise_laeq_db=40.0 + (half * 7 + number) % 31, rssi_dbm=-70.0)
            for number, node in enumerate(("noise-1", "noise-2"))
            for half in range(2 * 252)
        ]
        await city.write(*points)
        await city.pass_to(1)
        city.now_ms = at(252)
        await city.pass_to(250)
        yield city


@pytest.mark.parametrize(
    ("span", "step", "level"),
    [
        (MONTHS, DAY, Level.DAYS), (MONTHS, HOUR, Level.HOURS), (MONTHS, None, Level.RAW),
        (WEEKS, DAY, Level.HOURS), (WEEKS, Step(step_s=7_200), Level.HOURS),
        (WEEKS, Step(step_s=5_400), Level.RAW),
        (WEEK, HOUR, Level.RAW), (WEEK, Step(step_s=60), Level.RAW),
    ],
)  # fmt: skip
def test_months_are_read_from_days_and_weeks_from_hours(span: Span, step: Step | None, level: Level) -> None:
    assert choose(span, step) is level


async def test_a_level_says_what_raw_values_say(city: City) -> None:
    span = Span(start_ms=at(1.25), end_ms=at(251.75))
    ways = (Aggregate.ENERGY, Aggregate.MIN, Aggregate.MAX, Aggregate.COUNT)
    for node, aggregate, hours in product(("noise-1", None), ways, (1, 6, 24)):
        step = Step(step_s=3_600 * hours, aggregate=aggregate)
        wanted = await city.reader.read("noise", node, "noise_laeq_db", span, step, Level.RAW)
        found = await city.reader.read("noise", node, "noise_laeq_db", span, step, None)
        assert (wanted.level, found.level) == (Level.RAW, Level.HOURS)
        assert near(found.values) == near(wanted.values), (node, step)


async def test_means_are_weighed_by_how_many_they_are_made_of(tmp_path: Path) -> None:
    async with rolling(tmp_path) as city:
        await city.write(*(reading("water_level", "w-1", minutes, level_m=1.0) for minutes in range(60)))
        await city.write(reading("water_level", "w-1", 90, level_m=62.0))
        await city.pass_to(24)
        day = Span(start_ms=at(0), end_ms=at(24))
        found = await city.reader.read("water_level", "w-1", "level_m", day, Step(step_s=7_200), Level.HOURS)
        assert found.values == [(at(0), 2.0)]
        found = await city.reader.read("water_level", None, "level_m", day, DAY, Level.DAYS)
        assert found.values == [(at(0), 2.0)]


async def test_what_a_level_does_not_keep_is_read_from_the_raw_values(city: City) -> None:
    span, step = Span(start_ms=at(0), end_ms=at(250)), Step(step_s=3_600, aggregate=Aggregate.LAST)
    found = await city.reader.read("noise", "noise-1", "rssi_dbm", span, step, None)
    assert (found.level, len(found.values)) == (Level.RAW, 250)


async def test_a_level_that_is_asked_for_and_cannot_answer_says_why(city: City) -> None:
    span = Span(start_ms=at(0), end_ms=at(250))
    for step in (Step(step_s=60), Step(step_s=3_600, aggregate=Aggregate.LAST)):
        with pytest.raises(InvalidRequest):
            await city.reader.read("noise", "noise-1", "rssi_dbm", span, step, Level.HOURS)


async def test_what_came_before_the_first_roll_up_is_read_as_it_was_sensed(tmp_path: Path) -> None:
    async with rolling(tmp_path) as city:
        hours = [reading("water_level", "w-1", 60.0 * hour, level_m=float(hour)) for hour in range(480)]
        await city.write(*hours)
        await city.pass_to(480)  # the first look rolls up three days
        span = Span(start_ms=at(0), end_ms=at(480))
        found = await city.reader.read("water_level", "w-1", "level_m", span, DAY, None)
        assert found.level is Level.HOURS
        assert found.values == [(at(24 * day), 24.0 * day + 11.5) for day in range(20)]
        assert (await city.reader.read("water_level", "w-1", "level_m", span, DAY, Level.DAYS)).values == [
            (at(24 * day), 24.0 * day + 11.5) for day in range(17, 20)
        ]


def near(values: Values) -> Values:
    """Return values without the last digits of their sums."""
    return [(time_ms, round(value, 6)) for time_ms, value in values]


def test_the_rig_knows_how_long_a_day_is() -> None:
    assert at(24) - at(0) == DAY_MS
