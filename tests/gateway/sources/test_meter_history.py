"""Meters that were not heard for hours, through a real gateway into a real store: the hours come back."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import servers
from source_rig import Street

from gateway.arrival import Inbox
from simulators.stations import dlt645
from simulators.stations.dlt645 import Hour, Meter
from simulators.stations.wire import behind_tcp

HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
NOON = datetime.now(ZoneInfo("Asia/Shanghai")).replace(minute=0, second=0, microsecond=0) - 3 * HOUR
"""A full hour some hours ago: noon for these tests."""
SOURCE = """
[[source]]
name = "meters"
protocol = "dlt645"
transport = "tcp-client"
address = "127.0.0.1:{port}"
"""
DEVICE = """
[[source.device]]
id = "{id}"
node = "{node}"
kind = "power_meter"
period_s = {period_s}
timeout_s = 5.0
items = ["00010000", "02010100"]
"""


def meter(number: int, **more: Any) -> Meter:
    return Meter(address=f"{number:012d}", readings={dlt645.ENERGY: 500.0}, **more)


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


async def test_hours_that_pass_while_the_gateway_is_away_come_from_the_meters_own_record(
    tmp_path: Path, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway is away from 8:15 to 12:15, and starts anew at 13:15, perhaps before it has asked."""
    hourly = {"whole": meter(1, keeps=96), "parts": meter(2, keeps=96, in_blocks=False), "lacking": meter(3)}
    hourly["records"] = meter(5, keeps=96)
    meters = {**hourly, "minutes": meter(4, keeps=96)}
    line, began_s = dlt645.Line(meters.values()), time.monotonic()

    def it_is(moment: datetime) -> None:
        """Set the gateway's clock; let the meters have frozen each hour before: 112 kWh at 12 o'clock."""
        monkeypatch.setattr(Inbox, "now_ms", lambda _: ms(moment) + round((time.monotonic() - began_s) * 1000))
        last = moment.replace(minute=0)
        for each in meters.values():
            each.hours = [
                Hour(f"{last - ago * HOUR:%y%m%d%H%M}", 112.0 + (last - NOON) / HOUR - ago) for ago in range(96)
            ]
        hours = hourly["records"].hours
        hourly["records"].loads = {
            each.time: {dlt645.ENERGY: each.forward, dlt645.VOLTAGE_A: 231.5} for each in hours
        }

    async with behind_tcp(line) as port:
        tables = [
            DEVICE.format(id=each.address, node=node, period_s=60 if node == "minutes" else 3600)
            for node, each in meters.items()
        ]
        street = Street(tmp_path, mosquitto, influxdb, SOURCE.format(port=port) + "".join(tables))
        for number, moment in enumerate((NOON - 4 * HOUR, NOON, NOON + HOUR)):
            it_is(moment + QUARTER)
            async with street.gateway():
                for node in meters:
                    await street.until(node, lambda counts, least=number + 1: counts.stored >= least)  # type: ignore[misc]
                for node in meters if number == 2 else ():
                    await street.until(node, lambda counts: counts.queued == 0)

    accounts = {node: account for node, account in street.accounts().items() if node in meters}
    assert all(account.balanced and account.queued == 0 for account in accounts.values())
    counts = {node: (accounts[node].produced, accounts[node].stored, accounts[node].missing) for node in hourly}
    assert counts == {"whole": (6, 6, 0), "parts": (6, 6, 0), "lacking": (6, 3, 3), "records": (6, 6, 0)}

    def filled(node: str) -> dict[int, float]:
        rows = street.rows("power_meter", node)
        return {
            (row["time"] - ms(NOON)) // 3_600_000 + 12: row["energy_wh"]
            for row in rows
            if row["energy_wh"] < 5e5
        }

    kept = {hour: (100.0 + hour) * 1000 for hour in range(9, 14)}
    assert filled("whole") == filled("parts") == filled("records") == {hour: kept[hour] for hour in (9, 10, 11)}
    assert filled("minutes") == kept and filled("lacking") == {}
    assert all(
        row["time"] % 3_600_000 == 0 for row in street.rows("power_meter", "whole") if row["energy_wh"] < 5e5
    )
    assert [row["voltage_v"] for row in street.rows("power_meter", "records")] == [
        None,
        *3 * [231.5],
        None,
        None,
    ]
    assert {control for _, control in line.heard} == {0x11}
