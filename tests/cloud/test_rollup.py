"""Roll-ups: hours and days of every form of quantity, the same whatever order the readings came in."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import servers
from hypothesis import given, settings
from hypothesis import strategies as st
from rollup_rig import MIDNIGHT_MS, City, Rolled, at, embedded, influxql, reading, rolling

from cloud.errors import StoreUnavailable
from cloud.levels import KeepConfig, Level
from cloud.stores.protocol import Span, Store
from edge.protocol.lines import Point

HOURS, DAYS = Level.HOURS, Level.DAYS


@pytest.fixture(params=["embedded", "influxql"])
async def city(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[City]:
    """A city whose readings are in files, and one whose readings are in an InfluxDB."""
    make = embedded(tmp_path)
    if request.param == "influxql":
        influxdb = request.getfixturevalue("influxdb")
        for level in (HOURS, DAYS):
            influxdb.query("", f"CREATE DATABASE city{level.suffix}")
        make = influxql(influxdb.url)
    async with rolling(tmp_path, make) as city:
        yield city


async def test_an_hour_and_a_day_stand_for_their_readings(city: City) -> None:
    await city.write(
        *(reading("water_level", "water-1", minutes, level_m=minutes / 60) for minutes in (0, 30, 90))
    )
    await city.pass_to(24)
    assert await city.of(HOURS, "water_level", "water-1", 0) == {
        "level_m_min": 0.0, "level_m_max": 0.5, "level_m_mean": 0.25, "level_m_count": 2.0,
    }  # fmt: skip
    assert await city.of(HOURS, "water_level", "water-1", 1) == {
        "level_m_min": 1.5, "level_m_max": 1.5, "level_m_mean": 1.5, "level_m_count": 1.0,
    }  # fmt: skip
    day = await city.of(DAYS, "water_level", "water-1", 0)
    assert (day["level_m_min"], day["level_m_max"], day["level_m_count"]) == (0.0, 1.5, 3.0)
    assert day["level_m_mean"] == pytest.approx(2 / 3)
    assert await city.of(HOURS, "water_level", "water-1", 2) == {}


async def test_each_quantity_is_rolled_up_its_own_way(city: City) -> None:
    levels = [50.0, 70.0, 60.0]
    for minute, level_db in enumerate(levels):
        await city.write(
            reading("noise", "noise-1", minute, noise_laeq_db=level_db, noise_lamax_db=level_db + 10),
            reading("rain_gauge", "rain-1", minute, rain_mm=0.5),
            reading("parking_bay", "bay-1", minute, occupied=float(minute > 0)),
            reading("power_meter", "power-1", minute, energy_wh=[900.0, 1_000.0, 30.0][minute]),
        )
    await city.pass_to(2)
    noise = await city.of(HOURS, "noise", "noise-1", 0)
    assert noise["noise_laeq_db_leq"] == pytest.approx(10 * math.log10((1e5 + 1e7 + 1e6) / 3))
    assert "noise_laeq_db_mean" not in noise
    assert [noise[f"noise_laeq_db_p{share}"] for share in (50, 90, 98)] == [60.0, 70.0, 70.0]
    assert noise["noise_lamax_db_max"] == 80.0
    assert (await city.of(HOURS, "rain_gauge", "rain-1", 0))["rain_mm_sum"] == 1.5
    bay = await city.of(HOURS, "parking_bay", "bay-1", 0)
    assert (bay["occupied_share"], bay["occupied_last"]) == (pytest.approx(2 / 3), 1.0)
    power = await city.of(HOURS, "power_meter", "power-1", 0)
    assert (power["energy_wh_grown"], power["energy_wh_last"]) == (130.0, 30.0)  # it began anew at nought


async def test_a_counter_grows_across_the_turn_of_the_hour(city: City) -> None:
    await city.write(
        *(reading("water_meter", "m-1", minutes, water_volume_m3=float(minutes)) for minutes in (45, 60, 75))
    )
    await city.pass_to(24)
    grown = [(await city.of(HOURS, "water_meter", "m-1", hour))["water_volume_m3_grown"] for hour in (0, 1)]
    assert grown == [0.0, 30.0]
    assert (await city.of(DAYS, "water_meter", "m-1", 0))["water_volume_m3_grown"] == 30.0


async def test_what_was_rejected_takes_no_part(city: City) -> None:
    await city.write(
        reading("water_level", "water-1", 1, level_m=2.0),
        reading("water_level", "water-1", 2, level_m_rejected=99.0, level_m_qc=4),
    )
    await city.pass_to(1)
    found = await city.of(HOURS, "water_level", "water-1", 0)
    assert set(found) == {"level_m_min", "level_m_mean", "level_m_max", "level_m_count"}
    assert (found["level_m_max"], found["level_m_count"]) == (2.0, 1.0)


async def test_an_hour_of_all_nodes_stands_beside_those_of_each(city: City) -> None:
    await city.write(
        reading("water_level", "water-1", 1, level_m=1.0),
        reading("water_level", "water-1", 2, level_m=2.0),
        reading("water_level", "water-2", 1, level_m=6.0),
    )
    await city.pass_to(1)
    found = await city.rolled(HOURS, ["city_water_level"])
    assert found == {
        ("city_water_level", (), at(0)): {
            "level_m_min": 1.0, "level_m_max": 6.0, "level_m_mean": 3.0, "level_m_count": 3.0,
        }
    }  # fmt: skip


async def test_late_data_corrects_the_hour_and_the_day(city: City) -> None:
    await city.write(reading("water_level", "water-1", 1, level_m=1.0), noted=False)
    await city.pass_to(30)
    await city.write(reading("water_level", "water-1", 2, level_m=3.0), noted=False)
    await city.pass_to(30.5)
    assert (await city.of(HOURS, "water_level", "water-1", 0))["level_m_mean"] == 1.0  # not looked at yet
    await city.pass_to(48)  # a new day looks back as far as the bound
    for level in (HOURS, DAYS):
        assert (await city.of(level, "water_level", "water-1", 0))["level_m_mean"] == 2.0


async def test_late_counters_correct_what_follows_them(city: City) -> None:
    await city.write(
        *(reading("water_meter", "m-1", minutes, water_volume_m3=float(minutes)) for minutes in (10, 70))
    )
    await city.pass_to(3)
    await city.write(reading("water_meter", "m-1", 50, water_volume_m3=50.0), noted=False)
    await city.pass_to(4)
    grown = [(await city.of(HOURS, "water_meter", "m-1", hour))["water_volume_m3_grown"] for hour in (0, 1)]
    assert grown == [40.0, 20.0]


async def test_what_the_cloud_takes_in_corrects_beyond_the_bound(city: City) -> None:
    await city.pass_to(24 * 20)
    await city.write(reading("water_level", "water-1", 1, level_m=1.0))
    await city.pass_to(24 * 20 + 1)
    assert (await city.of(HOURS, "water_level", "water-1", 0))["level_m_mean"] == 1.0
    assert (await city.of(DAYS, "water_level", "water-1", 0))["level_m_count"] == 1.0


class Dying:
    """The stores of the levels as a process has them that is killed after so many writes."""

    def __init__(self, stores: dict[Level, Store], writes: int) -> None:
        self.left = writes
        self.stores = {level: Mortal(store, self) for level, store in stores.items()}


class Mortal:
    """One of them: the last write reaches the disk, and nothing comes after it."""

    def __init__(self, store: Store, life: Dying) -> None:
        self._store, self._life = store, life

    async def write(self, points: list[Point]) -> None:
        self._life.left -= 1
        await self._store.write(points)
        if self._life.left == 0:
            raise StoreUnavailable("killed")


@pytest.mark.parametrize("writes", range(1, 5))
async def test_an_end_in_the_middle_is_repeated_harmlessly(city: City, writes: int) -> None:
    points = [reading("power_meter", "p-1", minutes, energy_wh=float(minutes)) for minutes in range(0, 180, 7)]
    await city.write(*points)
    whole = dict(city.stores)
    city.stores = Dying(whole, writes).stores  # type: ignore[assignment]
    city.begin()
    with pytest.raises(StoreUnavailable):
        await city.pass_to(24)
    city.stores = whole
    city.begin()
    await city.roller.open()
    await city.pass_to(24)
    total = [(await city.of(HOURS, "power_meter", "p-1", hour))["energy_wh_grown"] for hour in range(3)]
    assert sum(total) == 175.0
    assert (await city.of(DAYS, "power_meter", "p-1", 0))["energy_wh_grown"] == 175.0
    await city.pass_to(48)
    assert await city.roller.owed() == 0


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from rollup_rig import reading, rolling
async def main(folder, writes):
    async with rolling(folder) as city:
        await city.write(*(reading("power_meter", "p-1", m, energy_wh=float(m)) for m in range(0, 180, 7)))
        for store in city.stores.values():
            async def write(points, whole=store.write):
                global left
                await whole(points)
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            store.write = write
        await city.pass_to(24)
left = int(sys.argv[2])
asyncio.run(main(Path(sys.argv[1]), left))
"""


@pytest.mark.parametrize("writes", [2, 4])
async def test_a_kill_in_the_middle_is_repeated_harmlessly(tmp_path: Path, writes: int) -> None:
    python = [sys.executable, "-c", KILLED, str(tmp_path), str(writes)]
    paths = os.pathsep.join((str(servers.PROJECT), str(servers.PROJECT / "tests")))
    process = await asyncio.create_subprocess_exec(*python, env={**os.environ, "PYTHONPATH": paths})
    assert await process.wait() == -signal.SIGKILL
    async with rolling(tmp_path) as city:
        await city.pass_to(24)
        rows = (await city.rolled(HOURS, ["power_meter"])).values()
        assert [row["energy_wh_grown"] for row in rows] == [56.0, 63.0, 56.0]
        (day,) = (await city.rolled(DAYS, ["power_meter"])).values()
        assert (day["energy_wh_grown"], day["energy_wh_count"]) == (175.0, 26.0)


async def test_levels_forget_what_they_keep_no_longer(tmp_path: Path) -> None:
    keep = KeepConfig(raw_days=10, hours_days=20)
    async with rolling(tmp_path, keep=keep) as city:
        await city.write(reading("water_level", "water-1", 1, level_m=1.0))
        await city.pass_to(24)
        await city.pass_to(24 * 11)
        assert await city.raw.rows("water_level", Span(start_ms=0, end_ms=at(1_000))) == []
        assert await city.of(HOURS, "water_level", "water-1", 0)
        await city.pass_to(24 * 21)
        assert await city.of(HOURS, "water_level", "water-1", 0) == {}
        assert (await city.of(DAYS, "water_level", "water-1", 0))["level_m_count"] == 1.0


KINDS = ("power_meter", "noise", "rain_gauge", "parking_bay")
FIELDS = {
    "power_meter": "energy_wh",
    "noise": "noise_laeq_db",
    "rain_gauge": "rain_mm",
    "parking_bay": "occupied",
}
READING = st.tuples(
    st.sampled_from(KINDS),
    st.sampled_from(("n-1", "n-2")),
    st.integers(0, 2 * 24 * 60 - 1),
    st.integers(0, 100),
)


def point(kind: str, node: str, minutes: int, value: int) -> Point:
    """Return a reading of one of the kinds."""
    return reading(kind, node, minutes, **{FIELDS[kind]: float(value % 2 if kind == "parking_bay" else value)})


async def rolled_up(batches: list[list[Point]], *, noted: bool) -> tuple[Rolled, Rolled]:
    """Write batch after batch, hours apart, and roll up meanwhile; return hours and days at the end."""
    with tempfile.TemporaryDirectory() as name:
        async with rolling(Path(name)) as city:
            await city.pass_to(1)
            for number, batch in enumerate(batches):
                await city.write(*batch, noted=noted)
                await city.pass_to(10 + 13 * number)
            await city.pass_to(24 * 6)
            names = [*KINDS, *(f"city_{kind}" for kind in KINDS)]
            return await city.rolled(HOURS, names), await city.rolled(DAYS, names)


@settings(max_examples=25)
@given(readings=st.lists(READING, min_size=1, max_size=40, unique_by=lambda row: row[:3]), data=st.data())
async def test_any_order_of_arrival_gives_what_all_at_once_gives(
    readings: list[Any], data: st.DataObject
) -> None:
    points = [point(*row) for row in readings]
    shuffled = data.draw(st.permutations(points))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(points)), max_size=5)))
    batches = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(points)], strict=True)]
    noted = data.draw(st.booleans())
    for found, wanted in zip(
        await rolled_up(batches, noted=noted), await rolled_up([points], noted=False), strict=True
    ):
        assert found.keys() == wanted.keys()
        for key, row in wanted.items():
            assert found[key] == pytest.approx(row), key


def test_the_rig_begins_at_midnight() -> None:
    assert at(0) == MIDNIGHT_MS
