"""What outfalls, building sites and main meters say is in the store under the quantities of their kind."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import servers
from source_rig import Street

from edge.adapters import adapter
from edge.adapters.dlt645.items import THREE_PHASES
from edge.adapters.dlt645.poller import Dlt645Options
from edge.model.kinds import KINDS
from gateway.app import Gateway
from gateway.sources.config import Device, read_device
from simulators.stations import dlt645, hj212
from simulators.stations.hj212 import Logger, LoggerConfig
from simulators.stations.wire import behind_tcp

MN = "31010000000000000000WS01"
OUTFALL = f"""
[[source]]
name = "loggers"
protocol = "hj212"
transport = "tcp-server"
address = "127.0.0.1:0"
[[source.device]]
id = "{MN}"
series = "2051"
node = "outfall-7"
kind = "outfall"
period_s = 600
password = "123456"
"""
TOLD = {
    "w01018": "23.45", "w01001": "7.12", "w21003": "1.234", "w21011": "0.215", "w21001": "9.876",
    "w01012": "6.5", "w01010": "21.37", "w00000": "5.30",
}  # fmt: skip
METERED: Mapping[int, float] = {
    dlt645.ENERGY: 1234.56, dlt645.REVERSE_ENERGY: 12.34, 0x00030000: 88.01,
    0x02010100: 229.9, 0x02010200: 230.4, 0x02010300: 231.2,
    0x02020100: 10.001, 0x02020200: -3.2, 0x02020300: 0.015,
    0x02030000: 1.5653, 0x02030100: 2.2991, 0x02030200: -0.7373, 0x02030300: 0.0035,
    dlt645.REACTIVE_POWER: 0.25, dlt645.APPARENT_POWER: 1.5852, dlt645.POWER_FACTOR: 0.98,
    dlt645.FREQUENCY: 50.01,
}  # fmt: skip

REQUIRED: Mapping[str, Mapping[str, str]] = {
    "hj212": {"password": "123456"},
    "modbus-devices": {"profile": "eastron-sdm630"},
}


def device(protocol: str, kind: str, **more: Any) -> Device:
    return read_device(adapter(protocol), {"id": "1", "node": "abc", "kind": kind, **more}, "here")


def port(gateway: Gateway) -> int:
    transport = gateway.foreign.transports["loggers"]
    assert hasattr(transport, "port")
    found: int = transport.port
    return found


async def test_an_outfalls_report_is_stored_whole(
    tmp_path: Path, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB
) -> None:
    start_ms = round(time.time()) // 600 * 600_000 - 600_000
    logger = Logger(
        LoggerConfig(mn=MN, st="32", wait_s=60.0),
        lambda _cn, _start_ms: {code: {"Avg": text, "Flag": "N"} for code, text in TOLD.items()},
        lambda: round(time.time() * 1000),
    )
    street = Street(tmp_path, mosquitto, influxdb, OUTFALL)
    async with street.gateway() as gateway, logger.online("127.0.0.1", port(gateway)):
        assert await logger.report(hj212.MINUTE, start_ms)
        account = await street.until("outfall-7", lambda counts: counts.stored == 1)
        unknown = gateway.foreign.status()["loggers"]["faults"]

    (row,) = street.rows("outfall", "outfall-7")
    assert account.balanced and not unknown
    assert (row["cod_mg_l"], row["ph"], row["ammonia_mg_l"]) == (23.45, 7.12, 1.234)
    assert (row["total_phosphorus_mg_l"], row["total_nitrogen_mg_l"]) == (0.215, 9.876)
    assert (row["suspended_solids_mg_l"], row["water_temperature_c"]) == (6.5, 21.37)
    assert row["effluent_m3_h"] == 19.08  # of 5.30 l/s
    assert set(KINDS["outfall"].quantities) <= set(row)


async def test_a_three_phase_meter_is_asked_for_all_its_kind_measures(
    tmp_path: Path, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB
) -> None:
    line = dlt645.Line([dlt645.Meter(address="000000000161", readings=METERED)])
    async with behind_tcp(line) as address:
        street = Street(tmp_path, mosquitto, influxdb, f"""
[[source]]
name = "mains"
protocol = "dlt645"
transport = "tcp-client"
address = "127.0.0.1:{address}"
[[source.device]]
id = "161"
node = "feed-7"
kind = "three_phase_meter"
timeout_s = 60.0
""")  # fmt: skip
        async with street.gateway():
            await street.until("feed-7", lambda counts: counts.stored >= 1)

    row = street.rows("three_phase_meter", "feed-7")[0]
    assert [row[f"voltage_{phase}_v"] for phase in "abc"] == [229.9, 230.4, 231.2]
    assert [row[f"current_{phase}_a"] for phase in "abc"] == [10.001, -3.2, 0.015]
    assert [row[f"power_{phase}_w"] for phase in "abc"] == [2299.1, -737.3, 3.5]
    assert (row["power_w"], row["reactive_power_var"], row["apparent_power_va"]) == (1565.3, 250, 1585.2)
    assert (row["energy_wh"], row["reverse_energy_wh"], row["reactive_energy_varh"]) == (1234560, 12340, 88010)
    assert (row["power_factor"], row["frequency_hz"]) == (0.98, 50.01)
    assert set(KINDS["three_phase_meter"].quantities) <= set(row)


def test_a_meters_only_phase_is_its_voltage_and_the_first_of_three_is_phase_a() -> None:
    single, three = device("dlt645", "power_meter"), device("dlt645", "three_phase_meter")
    assert (single.words["02010100"].quantity, single.options) == ("voltage_v", Dlt645Options())
    assert (three.words["02010100"].quantity, three.options.items) == ("voltage_a_v", THREE_PHASES)


def test_a_devices_own_table_comes_before_what_its_kind_begins_with() -> None:
    own = device(
        "dlt645", "three_phase_meter", items=["00010000"], words={"02010100": "voltage_v"}, timeout_s=2.0
    )
    assert (own.options.items, own.options.timeout_s) == (("00010000",), 2.0)
    assert own.words["02010100"].quantity == "voltage_v"


@pytest.mark.parametrize(
    ("protocol", "kind", "said"),
    [
        ("hj212", "dust", "a34001-Rtd a34002-Rtd a34004-Rtd Leq-Rtd a01001-Rtd a01007-Rtd a01008-Rtd"),
        ("hj212", "air_quality", "a21002-Avg a21003-Avg a34001-Avg a01006-Avg"),
        ("hj212", "water_quality", "w01019-Rtd w01018-Rtd w21011-Rtd w21001-Rtd"),
        ("hj212", "noise", "LMn-Data L10-Data L50-Data L90-Data"),
        ("sl651", "groundwater", "0F 03 38"),
        ("sl651", "water_level", "39 27 37"),
        ("sl651", "rain_gauge", "F4 26"),
        ("sl651", "soil", "10 11 13"),
        ("sl651", "water_quality", "46 4A 4B 4D 4E"),
        ("sl651", "three_phase_meter", "70 71 72 73 74 75"),
        ("dlt645", "power_meter", "00020000 00010100 00010200 00010300 00010400 00030000 02040000 02050000"),
        ("modbus-devices", "three_phase_meter", "voltage_l1_v current_l2_a power_l3_w export_energy_kwh"),
        ("modbus-devices", "power_meter", "apparent_power_va reactive_power_var tariff_1_energy_kwh"),
        ("modbus-devices", "weather", "radiation_w_m2 rain_total_mm"),
        ("json", "three_phase_meter", "ENERGY.Voltage.0 ENERGY.Current.1 ENERGY.Power.2 ENERGY.ApparentPower"),
        ("json", "hazmat", "battery contact"),
        ("lorawan-uplinks", "manhole", "snr_db rssi_dbm"),
    ],
)
def test_what_devices_of_a_kind_commonly_say_is_a_part_of_it(protocol: str, kind: str, said: str) -> None:
    words = device(protocol, kind, **REQUIRED.get(protocol, {})).words
    assert {words[key].quantity for key in said.split()} <= set(KINDS[kind].known)
