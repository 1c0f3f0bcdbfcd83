"""Modbus devices that others wrote, through a real gateway into a real store; lamps that prove what they do."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path

import pytest
import servers
from modbus_peers import libmodbus_tcp, pymodbus_serial, pymodbus_tcp, register_of, serial_line, sim_device
from source_rig import WITHIN_S, Street

from edge.adapters import adapter
from edge.adapters.adapter import Exchange
from edge.adapters.frame import FrameError, Refusal
from edge.adapters.modbus.lamp import write
from edge.adapters.modbus.profile import profile, shipped
from edge.adapters.modbus.request import Framing
from edge.adapters.modbus.scan import questions
from edge.adapters.report import Value
from gateway.sources.config import SourceConfig, read_sources
from gateway.sources.line import Line, Unanswered, converse
from gateway.sources.pipe import Pipe, open_pipe

PZEM = dict(enumerate((2257, 108, 0, 244, 0, 38, 0, 500, 100, 0)))
OTHER_PZEM = {**PZEM, 0: 2301}
DIMMER = profile("dimmer-0-10v-8ch")
TCP = """
[[source]]
name = "{name}"
protocol = "modbus-devices"
transport = "tcp-client"
address = "127.0.0.1:{port}"
[[source.device]]
id = "1"
node = "{name}-1"
kind = "{kind}"
period_s = 0.5
framing = "tcp"
"""
SERIAL = """
[[source]]
name = "line"
protocol = "modbus-devices"
transport = "serial"
address = "{port}"
"""
ON_LINE = """
[[source.device]]
id = "{unit}"
node = "meter-{unit}"
kind = "power_meter"
period_s = 0.5
profile = "pzem-004t-v3"
timeout_s = {timeout_s}
"""


def pipe_to(transport: str, address: str) -> SourceConfig:
    """Return the source of a line on which nothing is polled."""
    assert transport in ("tcp-client", "serial")
    return SourceConfig(
        name="line", protocol="modbus-devices", adapter=adapter("modbus-devices"),
        transport="serial" if transport == "serial" else "tcp-client", address=address, devices=(),
    )  # fmt: skip


async def asked(pipe: Pipe, exchange: Exchange) -> tuple[Value, ...]:
    """Return what is answered, within a time that no test should need."""
    async with asyncio.timeout(WITHIN_S):
        return await converse(pipe, exchange)


async def test_what_pymodbus_and_libmodbus_say_over_tcp_is_stored(
    tmp_path: Path, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB
) -> None:
    """The box lacks its pressure sensor: what it refuses costs the others nothing."""
    air = [451, 65536 - 54, 518]
    async with pymodbus_tcp(sim_device(1, inputs=PZEM)) as port:
        with libmodbus_tcp(504, air) as box:
            tables = TCP.format(name="meter", port=port, kind="power_meter") + 'profile = "pzem-004t-v3"\n'
            tables += TCP.format(name="box", port=box.port, kind="weather") + (
                'profile = "dfrobot-sen0658"\nfitted = ["humidity_pct", "temperature_c", "pressure_kpa"]\n'
            )
            street = Street(tmp_path, mosquitto, influxdb, tables)
            async with street.gateway() as gateway:
                await street.until("meter-1", lambda counts: counts.stored >= 2)
                await street.until("box-1", lambda counts: counts.stored >= 2)
                assert [source["state"] for source in gateway.foreign.status().values()] == ["ok", "ok"]
                assert [source["faults"] for source in gateway.foreign.status().values()] == [{}, {}]
    meter = street.rows("power_meter", "meter-1")[0]
    assert (meter["voltage_v"], meter["current_a"], meter["power_w"]) == (225.7, 0.108, 24.4)
    assert (meter["energy_wh"], meter["frequency_hz"], meter["power_factor"]) == (38, 50.0, 1.0)
    weather = street.rows("weather", "box-1")[0]
    assert (weather["humidity_pct"], weather["temperature_c"]) == (45.1, -5.4)
    assert weather.get("pressure_hpa") is None


async def test_on_a_serial_line_a_dead_device_does_not_delay_the_others(
    tmp_path: Path, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB
) -> None:
    async with serial_line(tmp_path) as (ours, theirs):
        devices = sim_device(1, inputs=PZEM), sim_device(2, inputs=OTHER_PZEM)
        tables = SERIAL.format(port=ours) + "".join(
            ON_LINE.format(unit=unit, timeout_s=0.1 if unit == 9 else 2.0) for unit in (9, 1, 2)
        )
        street = Street(tmp_path, mosquitto, influxdb, tables)
        async with pymodbus_serial(theirs, *devices), street.gateway() as gateway:
            line = gateway.foreign.transports["line"]
            assert isinstance(line, Line)
            await street.until("meter-1", lambda counts: counts.stored >= 5)
            await street.until("meter-2", lambda counts: counts.stored >= 5)
            assert line.silent == ["meter-9"]
            assert gateway.foreign.status()["line"]["faults"] == {}
    for node, volts in (("meter-1", 225.7), ("meter-2", 230.1)):
        assert {row["voltage_v"] for row in street.rows("power_meter", node)} == {volts}
    assert "meter-9" not in street.accounts()


async def test_a_lamp_of_libmodbus_is_set_and_says_so() -> None:
    with libmodbus_tcp(0, [0] * 8) as lamp:
        pipe = await open_pipe(pipe_to("tcp-client", f"127.0.0.1:{lamp.port}"))
        order = write(DIMMER, 1, "way_3", 65, framing=Framing.TCP)
        assert await asked(pipe, order.write) == ()
        assert await asked(pipe, order.read_back) == (Value("way_3", 65.0),)
        assert [lamp.register(index) for index in range(8)] == [0, 0, 0, 65, 0, 0, 0, 0]
        pipe.close()


async def test_a_lamp_of_pymodbus_is_set_and_one_that_refuses_is_not() -> None:
    lamps = sim_device(1, holding=dict.fromkeys(range(8), 0)), sim_device(2, holding={0: 0})
    async with pymodbus_tcp(*lamps) as port:
        pipe = await open_pipe(pipe_to("tcp-client", f"127.0.0.1:{port}"))
        order = write(DIMMER, 1, "way_7", 254, framing=Framing.TCP)
        assert await asked(pipe, order.write) == ()
        assert await asked(pipe, order.read_back) == (Value("way_7", 254.0),)
        assert await register_of(port, 1, 7) == 254
        with pytest.raises(Refusal):
            await asked(pipe, write(DIMMER, 2, "way_7", 254, framing=Framing.TCP).write)
        pipe.close()


async def test_a_lamp_that_took_another_value_has_not_taken_the_order() -> None:
    with libmodbus_tcp(0, [0] * 8) as lamp:
        pipe = await open_pipe(pipe_to("tcp-client", f"127.0.0.1:{lamp.port}"))
        await asked(pipe, write(DIMMER, 1, "way_0", 10, framing=Framing.TCP).write)
        with pytest.raises(Unanswered) as caught:
            await asked(pipe, write(DIMMER, 1, "way_0", 11, framing=Framing.TCP).read_back)
        assert isinstance(caught.value.fault, FrameError) and caught.value.fault.reason == "read_back"
        pipe.close()


def test_the_sample_of_the_page_is_a_right_configuration() -> None:
    page = (servers.PROJECT / "docs" / "protocols" / "modbus.md").read_text("utf-8")
    samples = [block.split("```")[0] for block in page.split("```toml\n")[1:]]
    line, direct = read_sources(tomllib.loads(samples[0])["source"], "source")
    assert [device.node for device in line.devices] == ["meter-hall-1", "rain-roof", "lamps-north"]
    for source in (line, direct):
        for device in source.devices:
            assert source.adapter.poller is not None
            assert source.adapter.poller(device.id, device.options).exchanges()


def test_the_profile_of_the_page_is_a_right_profile(tmp_path: Path) -> None:
    page = (servers.PROJECT / "docs" / "protocols" / "modbus.md").read_text("utf-8")
    own = tmp_path / "pump.toml"
    own.write_text(page.split("```toml\n")[2].split("```")[0], encoding="utf-8")
    assert [row.key for row in profile(str(own)).polled] == ["level_m", "energy_wh", "fault", "speed_pct"]


def test_the_page_names_every_profile() -> None:
    page = (servers.PROJECT / "docs" / "protocols" / "modbus.md").read_text("utf-8")
    assert [name for name in shipped() if f"`{name}`" not in page] == []


async def test_a_scan_finds_who_is_on_a_serial_line(tmp_path: Path) -> None:
    devices = sim_device(2, inputs=PZEM), sim_device(4, holding={7: 1})
    found = set()
    async with serial_line(tmp_path) as (ours, theirs), pymodbus_serial(theirs, *devices):
        pipe = await open_pipe(pipe_to("serial", str(ours)))
        for unit, question in questions(range(2, 5), timeout_s=1.0):
            try:
                found |= {value.number for value in await asked(pipe, question)}
            except Unanswered as silence:
                assert silence.fault.reason == "timeout", unit
        pipe.close()
    assert found == {2, 4}
