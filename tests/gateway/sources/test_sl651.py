"""A simulated hydrological station, of the standard's page alone, through a real gateway into a real store."""

from __future__ import annotations

import asyncio
import contextlib
import re
import tomllib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import servers
from source_rig import Street

from gateway.sources.config import read_sources
from simulators.stations import sl651_frames as sl651
from simulators.stations.sl651 import HydroStation, Pace
from simulators.stations.sl651_frames import Address, Sample

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE = timedelta(minutes=1)
START = datetime.now(SHANGHAI).replace(minute=0, second=0, microsecond=0, tzinfo=None) - timedelta(hours=8)
STATION = Address(station=bytes.fromhex("0011223344"), centre=5, password=0x03E8)
OWN = """
password = "03E8"
base_m = 2.0
history = ["39", "38", "F4", "F5"]
pace_min = 5
"""
SOURCE = f"""
[[source]]
name = "hydrology"
protocol = "sl651"
transport = "tcp-server"
address = "127.0.0.1:0"
[[source.device]]
id = "0011223344"
node = "stage-timed"
kind = "water_level"
series = "timed"
period_s = 300
{OWN}
[[source.device]]
id = "0011223344"
node = "stage-hourly"
kind = "water_level"
series = "hourly"
period_s = 3600
{OWN}
[[source.device]]
id = "0011223344"
node = "rain-5min"
kind = "rain_gauge"
series = "5min"
period_s = 300
words = {{ F4 = "rain_mm" }}
{OWN}
"""


def stage_m(at: datetime) -> float:
    return 3.0 + at.minute / 100 + at.hour / 10


def measure(at: datetime) -> Sample:
    total_mm = float((at - START) // timedelta(minutes=5) + 100)  # a millimetre each five minutes
    return Sample(total_mm, total_mm, stage_m(at), 12.34)


def epoch_ms(at: datetime) -> int:
    return round(at.replace(tzinfo=SHANGHAI).timestamp() * 1000)


def times(rows: list[dict[str, Any]]) -> list[int]:
    return [row["time"] for row in rows]


@pytest.fixture
def street(tmp_path: Path, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB) -> Street:
    """A gateway that awaits the station."""
    return Street(tmp_path, mosquitto, influxdb, SOURCE)


@pytest.fixture
async def station() -> AsyncIterator[HydroStation]:
    """The station; it reports every five minutes and every hour."""
    found = HydroStation(STATION, measure, Pace(timed_min=5, hourly=True, base_m=2.0, answer_s=20))
    yield found
    await found.close()


async def live(station: HydroStation, first: datetime, last: datetime) -> None:
    """Let the station live through all minutes of [first, last]."""
    for minute in range((last - first) // MINUTE + 1):
        await station.minute(first + minute * MINUTE)


def port(gateway: Any) -> int:
    found: int = gateway.foreign.transports["hydrology"].port
    return found


async def test_two_hours_of_a_station_are_in_the_store_at_their_times(
    street: Street, station: HydroStation
) -> None:
    async with street.gateway() as gateway:
        await station.connect("127.0.0.1", port(gateway))
        assert await station.test(START)
        await live(station, START, START + timedelta(hours=2))
        await street.until("stage-timed", lambda counts: counts.stored == 25)
        await street.until("stage-hourly", lambda counts: counts.stored == 3)
        rain = await street.until("rain-5min", lambda counts: counts.stored == 36)

    assert station.unanswered == [] and len(station.answered) == 1 + 25 + 3
    assert all(counts.balanced and counts.missing == 0 for counts in street.accounts().values())
    timed = street.rows("water_level", "stage-timed")
    due = [START + index * timedelta(minutes=5) for index in range(25)]
    assert times(timed) == [epoch_ms(at) for at in due]
    assert [row["level_m"] for row in timed] == [round(stage_m(at), 3) for at in due]
    assert {row["battery_v"] for row in timed} == {12.34}
    rows = {row["time"]: row for row in street.rows("rain_gauge", "rain-5min")}
    assert rows[epoch_ms(START + timedelta(minutes=65))]["rain_mm"] == 1.0
    assert rows[epoch_ms(START + timedelta(minutes=65))]["level_m"] == round(stage_m(due[13]), 2)
    assert rain.produced == 36


async def test_what_fell_into_an_outage_is_asked_for_and_arrives(street: Street, station: HydroStation) -> None:
    async with street.gateway() as gateway:
        await station.connect("127.0.0.1", port(gateway))
        await live(station, START, START + timedelta(minutes=60))
        await station.close()
        await live(station, START + timedelta(minutes=61), START + timedelta(hours=4))
        assert len(station.unanswered) == 36 + 3
        await station.connect("127.0.0.1", port(gateway))
        await live(station, START + timedelta(minutes=241), START + timedelta(hours=5))
        for node, count in (("stage-timed", 61), ("stage-hourly", 6), ("rain-5min", 72)):
            account = await street.until(node, lambda counts, count=count: counts.stored == count)  # type: ignore[misc]
            assert account.balanced and account.missing == 0, node

    assert {down.function for down in station.asked} == {sl651.QUERY_PERIOD}
    timed = street.rows("water_level", "stage-timed")
    due = [START + index * timedelta(minutes=5) for index in range(61)]
    assert times(timed) == [epoch_ms(at) for at in due]
    assert [(row["level_m"], row["battery_v"]) for row in timed] == [
        (round(stage_m(at), 3), 12.34) for at in due
    ]
    rain = street.rows("rain_gauge", "rain-5min")
    assert len(rain) == 72 and all(
        row["rain_mm"] is not None and row["level_m"] is not None for row in rain[12:]
    )


async def test_a_restart_between_a_report_and_its_repeat_stores_it_once(
    street: Street, station: HydroStation
) -> None:
    async with street.gateway() as gateway:
        await station.connect("127.0.0.1", port(gateway))
        await station.minute(START)
        await street.until("stage-timed", lambda counts: counts.stored == 1)
    repeat = next(frame for frame in station.sent if frame[10] == sl651.TIMED)
    async with street.gateway() as gateway, wire(gateway) as (reader, writer):
        writer.write(repeat + repeat)
        assert [down.end for down in await answers(reader, 2)] == [sl651.ESC, sl651.ESC]
        account = await street.until("stage-timed", lambda counts: counts.stored == 1)
    assert account.balanced and account.produced == 1
    assert len(street.rows("water_level", "stage-timed")) == 1


async def test_damage_strangers_and_wrong_passwords_are_kept_and_cost_nobody_else(street: Street) -> None:
    good = timed_frame(STATION, 2)
    damaged = good[:40] + bytes((good[40] ^ 1,)) + good[41:]
    stranger = timed_frame(Address(station=bytes.fromhex("0099999999"), centre=5, password=1), 3)
    intruder = timed_frame(Address(station=STATION.station, centre=5, password=0x9999), 4)
    async with street.gateway() as gateway, wire(gateway) as (reader, writer):
        for frame in (damaged, stranger, intruder, good):
            writer.write(frame[:20])
            await writer.drain()
            writer.write(frame[20:])
        (down,) = await answers(reader, 1)
        await street.until("stage-timed", lambda counts: counts.stored == 1)
        kept = [
            reason for (reason,) in gateway.journal._db.execute("SELECT reason FROM quarantine ORDER BY id")
        ]
    assert (down.serial, down.function, down.end) == (2, sl651.TIMED, sl651.ESC)
    assert kept == ["foreign_crc", "foreign_station", "foreign_password"]


def test_the_sample_of_the_page_is_a_configuration() -> None:
    page = (servers.PROJECT / "docs" / "protocols" / "sl651.md").read_text("utf-8")
    sample = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert sample is not None
    (source,) = read_sources(tomllib.loads(sample[1])["source"], "source")
    assert [device.series for device in source.devices] == ["hourly", "5min"]
    assert source.devices[0].options == source.devices[1].options


def timed_frame(address: Address, serial: int) -> bytes:
    body = sl651.head(serial, START) + sl651.who(address) + sl651.observed_at(START)
    return sl651.up(address, sl651.TIMED, body + sl651.element(sl651.STAGE, 3.21))


@contextlib.asynccontextmanager
async def wire(gateway: Any) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection to the gateway."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port(gateway))
    try:
        yield reader, writer
    finally:
        writer.close()


async def answers(reader: asyncio.StreamReader, count: int) -> list[sl651.Down]:
    """Return the next frames of the gateway."""
    found, rest = sl651.downs(b"")
    async with asyncio.timeout(20):
        while len(found) < count:
            more, rest = sl651.downs(rest + await reader.read(4096))
            found += more
    return found
