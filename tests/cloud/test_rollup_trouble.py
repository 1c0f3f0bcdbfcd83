"""Roll-ups under trouble: clocks that jump, refused windows, readings that are gone, odd time zones."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import servers
from rollup_rig import City, at, embedded, influxql, reading, rolling

from cloud.levels import HOUR_MS, Level
from cloud.stores.protocol import Aggregate, Span, Step
from edge.protocol.lines import Point

HOURS, DAYS = Level.HOURS, Level.DAYS


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    async with rolling(tmp_path) as city:
        yield city


async def test_a_clock_that_ran_ahead_and_was_set_right_stops_nothing(
    city: City, caplog: pytest.LogCaptureFixture
) -> None:
    await city.pass_to(1)
    await city.pass_to(24 * 365)  # a year ahead, for a moment
    await city.write(reading("water_level", "water-1", 70, level_m=2.0), noted=False)
    with caplog.at_level(logging.WARNING):
        await city.pass_to(2)
        await city.pass_to(3)
    assert "the clock went back" in caplog.text
    assert (await city.of(HOURS, "water_level", "water-1", 1))["level_m_mean"] == 2.0
    covered = city.roller.covered(HOURS)
    assert covered is not None and covered.end_ms == at(3)
    city.begin()
    await city.roller.open()
    await city.pass_to(24)
    assert (await city.of(DAYS, "water_level", "water-1", 0))["level_m_count"] == 1.0


async def test_a_clock_that_is_not_set_yet_begins_nothing(city: City) -> None:
    city.now_ms = 86_400_000
    await city.roller.tick()
    assert city.roller.covered(HOURS) is None
    await city.write(reading("water_level", "water-1", 1, level_m=2.0))
    await city.pass_to(1)
    assert (await city.of(HOURS, "water_level", "water-1", 0))["level_m_mean"] == 2.0


async def test_a_window_that_is_refused_keeps_no_other_out(
    city: City, caplog: pytest.LogCaptureFixture
) -> None:
    tags = reading("noise", "noise-1", 0).tags
    spoilt = Point("noise", tags, (("noise_laeq_db_leq", "a text"),), at(0) * 1_000_000)
    await city.stores[HOURS].write([spoilt])  # somebody wrote a text where a number belongs
    await city.write(
        reading("noise", "noise-1", 1, noise_laeq_db=60.0), reading("noise", "noise-2", 1, noise_lamax_db=70.0),
        reading("water_level", "water-1", 1, level_m=2.0),
    )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        await city.pass_to(24)
    assert "noise_laeq_db_leq" in caplog.text
    assert (await city.of(HOURS, "noise", "noise-2", 0))["noise_lamax_db_max"] == 70.0
    assert (await city.of(HOURS, "water_level", "water-1", 0))["level_m_mean"] == 2.0
    assert (await city.of(DAYS, "noise", "noise-1", 0))["noise_laeq_db_leq"] == pytest.approx(60.0)


@pytest.mark.real
async def test_hours_that_their_database_keeps_no_longer_hold_up_no_others(
    influxdb: servers.InfluxDB, tmp_path: Path
) -> None:
    influxdb.query("", "CREATE DATABASE city_hours WITH DURATION 7d")
    influxdb.query("", "CREATE DATABASE city_days")
    async with rolling(tmp_path, influxql(influxdb.url)) as city:
        await city.write(reading("water_level", "water-1", 1, level_m=2.0))  # months ago, by the server's clock
        await city.pass_to(24)
        assert await city.of(HOURS, "water_level", "water-1", 0) == {}
        assert (await city.of(DAYS, "water_level", "water-1", 0))["level_m_mean"] == 2.0
        assert await city.roller.owed() == 0


async def test_a_day_of_which_readings_are_gone_stays_as_it_was(city: City) -> None:
    await city.write(*(reading("water_level", "water-1", 60 * hour, level_m=float(hour)) for hour in range(24)))
    await city.pass_to(30)
    await city.raw.prune(at(6))  # the database's own retention
    await city.write(reading("water_level", "water-1", 60 * 20 + 1, level_m=100.0))
    await city.pass_to(31)
    assert (await city.of(HOURS, "water_level", "water-1", 20))["level_m_max"] == 100.0
    day = await city.of(DAYS, "water_level", "water-1", 0)
    assert (day["level_m_count"], day["level_m_min"]) == (24.0, 0.0)


async def test_late_data_finds_its_hour_where_hours_begin_at_the_half(tmp_path: Path) -> None:
    zone = ZoneInfo("Asia/Kolkata")  # UTC+5:30
    async with rolling(tmp_path, embedded(tmp_path, zone), zone=zone) as city:
        await city.pass_to(24 * 20)
        await city.write(*(reading("water_level", "water-1", minutes, level_m=1.0) for minutes in (29, 31)))
        await city.pass_to(24 * 20 + 1)
        found = await city.rolled(HOURS, ["water_level"])
        assert sorted(time_ms for _, _, time_ms in found) == [at(-0.5), at(0.5)]


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)], ids=["clocks forward", "clocks back"]
)
async def test_a_day_on_which_clocks_are_changed_has_all_of_its_readings(
    tmp_path: Path, day: str, hours: int
) -> None:

    zone = ZoneInfo("Europe/Berlin")
    start_ms = round(datetime.fromisoformat(day).replace(tzinfo=zone).timestamp() * 1_000)
    first = (start_ms - at(0)) / 60_000
    async with rolling(tmp_path, embedded(tmp_path, zone), zone=zone) as city:
        city.now_ms = start_ms
        await city.roller.tick()
        await city.write(*(reading("rain_gauge", "r-1", first + 60 * n + 30, rain_mm=1.0) for n in range(26)))
        city.now_ms = start_ms + 49 * HOUR_MS
        await city.roller.tick()
        days = {
            series.times_ms[index]: series.fields["rain_mm_count"][index]
            for span in [Span(start_ms=start_ms, end_ms=start_ms + 49 * HOUR_MS)]
            for series in await city.stores[DAYS].rows("rain_gauge", span)
            for index in range(len(series.times_ms))
        }
        assert days[start_ms] == hours
        assert days[start_ms + hours * HOUR_MS] == 26 - hours


async def test_a_window_that_appears_between_two_questions_is_left_for_the_next(city: City) -> None:
    await city.write(reading("water_level", "water-1", 1, level_m=2.0))
    await city.pass_to(24)
    hours = city.stores[HOURS]
    ask = hours.readings

    async def readings(kind: str, node: str, field: str, span: Span) -> list[tuple[int, float]]:
        found = await ask(kind, node, field, span)
        if field == "level_m_mean":  # late data is rolled up just now
            row = (("level_m_mean", 4.0), ("level_m_count", 1))
            await hours.write([Point(kind, reading(kind, node, 0).tags, row, at(3) * 1_000_000)])
        return found

    hours.readings = readings  # type: ignore[method-assign, assignment]
    span, step = Span(start_ms=at(0), end_ms=at(24)), Step(step_s=3_600, aggregate=Aggregate.MEAN)
    answer = await city.reader.read("water_level", "water-1", "level_m", span, step, HOURS)
    assert answer.values == [(at(0), 2.0)]
