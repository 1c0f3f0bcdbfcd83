"""Loggers of HJ 212 through a real gateway into a real store: whatever breaks, every reading is accounted for.

The logger is written from the standard's page and shares no code with the adapter.
"""

from __future__ import annotations

import asyncio
import re
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import servers
from source_rig import Street

from edge.adapters.hj212.options import Options
from gateway.app import Gateway
from gateway.sources.config import read_sources
from simulators.stations import hj212
from simulators.stations.hj212 import Logger, LoggerConfig

MN = "010000A8900016F000169DC0"
MINUTES_MS = 600_000
START_MS = round(time.time()) * 1000 // MINUTES_MS * MINUTES_MS - 40 * MINUTES_MS
SOURCE = f"""
[[source]]
name = "loggers"
protocol = "hj212"
transport = "tcp-server"
address = "127.0.0.1:0"
[[source.device]]
id = "{MN}"
series = "2051"
node = "air-7"
kind = "air_quality"
period_s = 600
password = "123456"
dust = "mg/m3"
[[source.device]]
id = "{MN}"
series = "2011"
node = "air-7-now"
kind = "air_quality"
period_s = 600
password = "123456"
dust = "mg/m3"
"""


def index(start_ms: int) -> int:
    return (start_ms - START_MS) // MINUTES_MS


def start(number: int) -> int:
    return START_MS + number * MINUTES_MS


def sense(cn: str, start_ms: int) -> Mapping[str, Mapping[str, str]]:
    """Dust in mg/m3, ozone in ug/m3; what the station doubts every tenth time."""
    number = index(start_ms)
    suffix = "Rtd" if cn == hj212.REAL_TIME else "Avg"
    mark = "D" if number % 10 == 9 else "N"
    return {
        "a34004": {suffix: f"0.0{10 + number}", "Flag": mark},
        "a05024": {suffix: f"{60 + number}.5", "Flag": "N"},
        "a01001": {suffix: "-1.5", "Flag": "N"},
        "a99999": {suffix: "7", "Flag": "N"},
    }


@pytest.fixture
def street(tmp_path: Path, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB) -> Street:
    """A gateway that awaits one station."""
    return Street(tmp_path, mosquitto, influxdb, SOURCE)


def station(**more: Any) -> Logger:
    config = LoggerConfig(**{"mn": MN, "wait_s": 5.0, **more})
    return Logger(config, sense, lambda: round(time.time() * 1000))


def port(gateway: Gateway) -> int:
    transport = gateway.foreign.transports["loggers"]
    assert hasattr(transport, "port")
    found: int = transport.port
    return found


async def faults(gateway: Gateway, reason: str, times: int) -> None:
    """Wait until the gateway has refused so many packets for this reason."""
    async with asyncio.timeout(20):
        while True:
            if gateway.foreign.status()["loggers"]["faults"].get(reason, 0) >= times:
                return
            await asyncio.sleep(0.02)


def told(street: Street, node: str = "air-7") -> dict[int, Any]:
    """Return what the store has of the station's dust, by the number of its period."""
    rows = street.rows("air_quality", node)
    return {index(row["time"]): row["pm2_5_ug_m3"] for row in rows}


def numbers(first: int, end: int) -> dict[int, float | None]:
    return {number: None if number % 10 == 9 else float(10 + number) for number in range(first, end)}


async def test_reports_are_answered_and_stored_in_the_citys_units_each_pace_for_itself(street: Street) -> None:
    logger = station()
    async with street.gateway() as gateway, logger.online("127.0.0.1", port(gateway)):
        for number in range(10):
            assert await logger.report(hj212.MINUTE, start(number))
            assert await logger.report(hj212.REAL_TIME, start(number))
        account = await street.until("air-7", lambda counts: counts.stored == 10)
        await street.until("air-7-now", lambda counts: counts.stored == 10)
        quarantined = gateway.foreign.status()["loggers"]["faults"]

    assert (account.balanced, account.missing, quarantined) == (True, 0, {})
    assert told(street) == told(street, "air-7-now") == numbers(0, 10)
    last = street.rows("air_quality", "air-7")[-1]
    assert (last["o3_ug_m3"], last["temperature_c"]) == (69.5, -1.5)
    assert (last["pm2_5_ug_m3_rejected"], last["pm2_5_ug_m3_qc"]) == (19.0, 4)


async def test_a_connection_that_breaks_off_costs_nothing(street: Street) -> None:
    logger = station()
    async with street.gateway() as gateway:
        for number in range(0, 6, 2):
            async with logger.online("127.0.0.1", port(gateway)):
                assert await logger.report(hj212.MINUTE, start(number))
                half = asyncio.create_task(logger.report(hj212.MINUTE, start(number + 1)))
                await asyncio.sleep(0)  # it runs until it waits for the answer
                assert logger.sends == number + 2
                logger.cut()
                await half
        async with logger.online("127.0.0.1", port(gateway)):
            for _, start_ms in sorted(logger.history.keys() - logger.acknowledged):
                assert await logger.report(hj212.MINUTE, start_ms)
        account = await street.until("air-7", lambda counts: counts.stored == 6)
    assert account.balanced and account.missing == 0
    assert told(street) == numbers(0, 6)


async def test_repeats_and_a_restart_of_the_gateway_store_nothing_twice(street: Street) -> None:
    logger = station()
    for _ in range(2):
        async with street.gateway() as gateway, logger.online("127.0.0.1", port(gateway)):
            for number in (0, 1, 1, 0, 2):
                assert await logger.report(hj212.MINUTE, start(number))
            account = await street.until("air-7", lambda counts: counts.stored == 3)
    assert account.balanced and account.missing == 0
    assert told(street) == numbers(0, 3)


async def test_what_was_measured_during_an_outage_is_asked_for_and_comes(street: Street) -> None:
    logger = station()
    async with street.gateway() as gateway:
        async with logger.online("127.0.0.1", port(gateway)):
            assert await logger.report(hj212.MINUTE, start(0))
        for number in range(1, 24):
            logger.measure(hj212.MINUTE, start(number))  # nobody hears it
        async with logger.online("127.0.0.1", port(gateway)):
            assert await logger.report(hj212.MINUTE, start(24))
            account = await street.until("air-7", lambda counts: counts.stored == 25)
            assert {said["CN"] for said in logger.requests} == {hj212.MINUTE}
            assert logger.acknowledged == logger.history.keys()
    assert account.balanced and account.missing == 0
    assert told(street) == numbers(0, 25)


async def test_a_report_in_several_packets_is_whole_in_the_store(street: Street) -> None:
    logger = station(split_bytes=40)
    async with street.gateway() as gateway, logger.online("127.0.0.1", port(gateway)):
        for number in range(3):
            assert await logger.report(hj212.MINUTE, start(number))
        assert logger.sends > 6
        await street.until("air-7", lambda counts: counts.stored == 9)
    rows = street.rows("air_quality", "air-7")
    assert [(row["pm2_5_ug_m3"], row["o3_ug_m3"], row["temperature_c"]) for row in rows] == [
        (10.0, 60.5, -1.5),
        (11.0, 61.5, -1.5),
        (12.0, 62.5, -1.5),
    ]


async def test_a_logger_of_2005_is_heard_without_an_answer(street: Street) -> None:
    logger = station(edition="2005")
    async with street.gateway() as gateway, logger.online("127.0.0.1", port(gateway)):
        for number in range(3):
            assert await logger.report(hj212.MINUTE, start(number))
        await street.until("air-7", lambda counts: counts.stored == 3)
    assert told(street) == numbers(0, 3)
    assert logger.requests == []


async def test_strangers_wrong_passwords_and_spoilt_packets_are_kept_and_not_answered(street: Street) -> None:
    logger = station()
    async with street.gateway() as gateway:
        for wrong, reason in (({"pw": "654321"}, "password"), ({"mn": "0" * 24}, "unknown")):
            impostor = station(**{"wait_s": 0.2, "repeats": 1, **wrong})
            async with impostor.online("127.0.0.1", port(gateway)):
                assert not await impostor.report(hj212.MINUTE, start(0))
            await faults(gateway, reason, 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", port(gateway))
        spoilt, good = (
            logger.packets(hj212.MINUTE, start(0), "a34004-Avg=0.010", f"2024050100000000{digit}")[0]
            for digit in (1, 2)
        )
        writer.write(spoilt.replace(b"=0.010", b"=0.011") + b"rubbish" + good)
        async with asyncio.timeout(20):
            answer = await reader.readline()
        assert b"QN=20240501000000002;ST=91;CN=9014;" in answer
        writer.close()
        account = await street.until("air-7", lambda counts: counts.stored == 1)
        reasons = [row for (row,) in gateway.journal._db.execute("SELECT reason FROM quarantine")]
    assert account.balanced
    assert told(street) == {0: 10.0}
    assert sorted(set(reasons)) == [
        "foreign_crc", "foreign_header", "foreign_password", "foreign_unknown",
    ]  # fmt: skip


def test_the_sample_of_the_page_is_a_configuration() -> None:
    page = (servers.PROJECT / "docs" / "protocols" / "hj212.md").read_text("utf-8")
    (sample,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (source,) = read_sources(tomllib.loads(sample)["source"], "source")
    assert [device.series for device in source.devices] == ["2051", "2061"]
    assert source.devices[0].options == source.devices[1].options == Options(password="123456", dust="mg/m3")
