"""Meters through a real gateway into a real store, over a serial line and behind a serial server.

On each line are several meters: one is dead, one answers late, one lacks something; the adapter echoes, and
rubbish comes before every answer. What a meter told is in the store, under its own node.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import tomllib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import servers
from source_rig import WITHIN_S, Street

from edge.adapters.cjt188 import roll as cjt188_roll
from edge.adapters.dlt645 import roll as dlt645_roll
from gateway.sources.config import read_sources
from simulators.stations import cjt188, dlt645
from simulators.stations.wire import Answer, Devices, behind_tcp, on_port

RUBBISH = b"\x00\x68\xff\x16"
TRANSPORTS = pytest.mark.parametrize("transport", ["serial", "tcp-client"])
StreetOf = Callable[[str], Street]


class Rough:
    """A line on which nothing goes smoothly: it echoes, and rubbish comes before every answer.

    Every third answer of the meter `spoils` has a bit wrong; `spoilt` counts them.
    """

    def __init__(self, devices: Devices, spoils: bytes = b"") -> None:
        self._devices = devices
        self._spoils = spoils
        self._told = 0
        self.spoilt = 0

    def feed(self, data: bytes) -> list[Answer]:
        """Return the echo, and answers with rubbish before them."""
        answers = [Answer(RUBBISH + self._bent(each.data), each.after_s) for each in self._devices.feed(data)]
        return [Answer(data), *answers]

    def _bent(self, data: bytes) -> bytes:
        if not self._spoils or self._spoils not in data:
            return data
        self._told += 1
        if self._told % 3:
            return data
        self.spoilt += 1
        return data[:-2] + bytes((data[-2] ^ 0x10, data[-1]))


class Register(dict[int, float | None]):
    """What an electricity meter reads. Its energy rises by 0.01 kWh with every answer: `told` has them all.

    `missed` has what it was asked for and lacks.
    """

    def __init__(self, figures: dict[int, float]) -> None:
        super().__init__({dlt645.ENERGY: 0.0, **figures})
        self.told: list[float] = []
        self.missed: list[int] = []

    def __getitem__(self, identifier: int) -> float | None:
        if identifier != dlt645.ENERGY:
            return super().__getitem__(identifier)
        self.told.append(round(len(self.told) * 10.0 + 10.0, 1))  # in Wh
        return self.told[-1] / 1000

    def __contains__(self, identifier: object) -> bool:
        if not super().__contains__(identifier):
            assert isinstance(identifier, int)
            self.missed.append(identifier)
        return super().__contains__(identifier)


class Rising(cjt188.Meter):
    """A meter that counts 0.01 with every answer."""

    def answer(self, control: int, data: bytes) -> bytes:
        """Return the frame, with a total that was not told before."""
        self.total = round((self.total or 0.0) + 0.01, 2)
        return super().answer(control, data)


@pytest.fixture
def street_of(tmp_path: Path, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB) -> StreetOf:
    """A gateway with the [[source]] tables that are given."""
    return lambda sources: Street(tmp_path, mosquitto, influxdb, sources)


@contextlib.asynccontextmanager
async def cable(folder: Path) -> AsyncIterator[tuple[Path, Path]]:
    """Two pseudo terminals that are wired to one another."""
    near, far = folder / "near", folder / "far"
    ends = [f"pty,raw,echo=0,link={end}" for end in (near, far)]
    socat = await asyncio.create_subprocess_exec("socat", "-d", "-d", *ends, stderr=asyncio.subprocess.PIPE)
    try:
        assert socat.stderr is not None
        async with asyncio.timeout(WITHIN_S):
            while b"starting data transfer loop" not in (said := await socat.stderr.readline()):
                assert said, "socat ended"
        yield near, far
    finally:
        socat.terminate()
        await socat.wait()


@contextlib.asynccontextmanager
async def line(transport: str, devices: Devices, folder: Path) -> AsyncIterator[str]:
    """Put devices on a line; yield the address under which a gateway reaches it."""
    if transport == "tcp-client":
        async with behind_tcp(devices) as port:
            yield f"127.0.0.1:{port}"
    else:
        async with cable(folder) as (near, far), on_port(devices, far, 2400):
            yield str(near)


def source(protocol: str, transport: str, address: str, *devices: str) -> str:
    """The tables of a source; a device is `id node kind` and further keys."""
    tables = [
        f"""
[[source]]
name = "meters"
protocol = "{protocol}"
transport = "{transport}"
address = "{address}"
baud = 2400
parity = "E"
"""
    ]
    for device in devices:
        ident, node, kind, *further = device.split(" ", 3)
        tables.append(f'[[source.device]]\nid = "{ident}"\nnode = "{node}"\nkind = "{kind}"\nperiod_s = 1\n')
        tables += [keys.replace("; ", "\n") + "\n" for keys in further]
    return "".join(tables)


async def until_silent(gateway: Any, node: str) -> None:
    """Wait until the gateway calls a node silent."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            if gateway.foreign.transports["meters"].silent == [node]:
                return
            await asyncio.sleep(0.05)


@TRANSPORTS
async def test_electricity_meters_of_a_rough_line_are_read_and_every_reading_is_accounted_for(
    transport: str, street_of: StreetOf, tmp_path: Path
) -> None:
    whole = Register({
        dlt645.VOLTAGE_A: 230.5, dlt645.CURRENT_A: 4.999, dlt645.POWER: -0.2512, dlt645.POWER_FACTOR: -0.501,
        dlt645.FREQUENCY: 50.03,
    })  # fmt: skip
    lacking, late, spoilt = (
        Register({dlt645.VOLTAGE_A: 231.5}),
        Register({}),
        Register({dlt645.VOLTAGE_A: 233.5}),
    )
    meters = dlt645.Line([
        dlt645.Meter(address="000000000161", readings=whole),
        dlt645.Meter(address="000000000162", readings=lacking),
        dlt645.Meter(address="000000000163", readings=Register({}), dead=True),
        dlt645.Meter(address="000000000164", readings=late, late_s=0.3),
        dlt645.Meter(address="171118445100", readings=spoilt),
    ])  # fmt: skip
    rough = Rough(meters, bytes.fromhex("005144181117"))
    async with line(transport, rough, tmp_path) as address:
        street = street_of(source(
            "dlt645", transport, address,
            "161 whole power_meter timeout_s = 5.0",
            '000000000162 lacking power_meter items = ["00010000", "02060000", "02010100"]; timeout_s = 5.0',
            '000000000163 dead power_meter items = ["00010000"]; timeout_s = 0.2',
            '000000000164 late power_meter items = ["00010000"]; timeout_s = 0.2',
            '171118445100 spoilt power_meter items = ["00010000", "02010100"]',
        ))  # fmt: skip
        async with street.gateway() as gateway:
            for node in ("whole", "lacking", "late", "spoilt"):
                await street.until(node, lambda counts: counts.stored >= 3)
            await until_silent(gateway, "dead")

    rows = {node: street.rows("power_meter", node) for node in ("whole", "lacking", "dead", "late", "spoilt")}
    accounts = street.accounts()
    for node, found in rows.items():
        assert node not in accounts or (accounts[node].balanced and accounts[node].stored <= len(found))
    energies = {node: [row["energy_wh"] for row in found if row["energy_wh"]] for node, found in rows.items()}
    assert energies["whole"] == whole.told[: len(energies["whole"])] and len(energies["whole"]) >= 3
    assert energies["lacking"] == lacking.told[: len(energies["lacking"])]
    assert energies["late"] and set(energies["late"]) <= set(late.told)
    assert energies["spoilt"] == sorted(set(energies["spoilt"]) & set(spoilt.told))
    one = rows["whole"][0]
    measured = [one[name] for name in ("voltage_v", "current_a", "power_w", "power_factor", "frequency_hz")]
    assert measured == [230.5, 4.999, -251.2, -0.5, 50.03]
    assert {row["voltage_v"] for row in rows["lacking"]} == {231.5}

    assert lacking.missed == [dlt645.POWER_FACTOR]
    assert rows["dead"] == []
    assert 1 <= accounts["spoilt"].quarantined <= rough.spoilt
    assert {control for _, control in meters.heard} == {0x11}
    assert all(meter.refused == [] for meter in meters.meters)


@TRANSPORTS
async def test_water_and_gas_meters_of_a_rough_line_are_read_and_every_reading_is_accounted_for(
    transport: str, street_of: StreetOf, tmp_path: Path
) -> None:
    water = Rising(address="78330011223344", total=1000.0, clock=None, settled=None)
    meters = cjt188.Line([
        water,
        cjt188.Meter(address="78330011223345", total=23.45, swapped=True, clock="20150511220131"),
        cjt188.Meter(address="78330011223346", dead=True),
        cjt188.Meter(address="78330011223347", total=34.56, late_s=0.3),
        cjt188.Meter(address="00201510270588", type=cjt188.GAS, unit=0x29, total=1234.0),
        cjt188.Meter(address="00201510270589", total=45.67),
    ])  # fmt: skip
    rough = Rough(meters, bytes.fromhex("89052710152000"))
    async with line(transport, rough, tmp_path) as address:
        street = street_of(source(
            "cjt188", transport, address,
            "78330011223344 water water_meter timeout_s = 5.0",
            '78330011223345 swapped water_meter order = "1F90"',
            "78330011223346 dead water_meter timeout_s = 0.2",
            "78330011223347 late water_meter timeout_s = 0.2",
            '00201510270588 gas gas_meter meter_type = "30"',
            "00201510270589 spoilt water_meter",
        ))  # fmt: skip
        async with street.gateway() as gateway:
            for node in ("water", "swapped", "late", "gas", "spoilt"):
                await street.until(node, lambda counts: counts.stored >= 3)
            await until_silent(gateway, "dead")

    volumes = {
        node: [row["water_volume_m3"] for row in street.rows("water_meter", node)]
        for node in ("water", "swapped", "dead", "late", "spoilt")
    }
    counted = len(volumes["water"])
    assert volumes["water"] == [round(1000.01 + 0.01 * number, 2) for number in range(counted)] and counted >= 3
    assert set(volumes["swapped"]) == {23.45} and set(volumes["late"]) == {34.56}
    assert set(volumes["spoilt"]) == {45.67} and volumes["dead"] == []
    assert {row["gas_volume_m3"] for row in street.rows("gas_meter", "gas")} == {1.234}
    accounts = street.accounts()
    assert all(account.balanced for account in accounts.values())
    assert 1 <= accounts["spoilt"].quarantined <= rough.spoilt
    assert {control for _, control in meters.heard} == {0x01}
    assert all(meter.refused == [] for meter in meters.meters)


def test_the_samples_on_the_protocols_pages_work() -> None:
    for protocol in ("dlt645", "cjt188"):
        page = (servers.PROJECT / "docs" / "protocols" / f"{protocol}.md").read_text(encoding="utf-8")
        (sample,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
        (found,) = read_sources(tomllib.loads(sample)["source"], "source")
        for device in found.devices:
            assert found.adapter.poller is not None
            assert found.adapter.poller(device.id, device.options).exchanges()


def test_electricity_meters_that_clash_are_found_one_by_one() -> None:
    addresses = ["000000000161", "000000000261", "123456789012", "123456789013"]
    meters = dlt645.Line([dlt645.Meter(address=each, readings={dlt645.ENERGY: 1.0}) for each in addresses])

    def called(tail: str) -> tuple[tuple[str, ...], bool]:
        return dlt645_roll.heard(b"".join(said.data for said in meters.feed(dlt645_roll.question(tail))))

    found: list[str] = []
    tails = [""]
    while tails:
        tail = tails.pop()
        heard, clash = called(tail)
        right = [address for address in heard if called(address) == ((address,), False)]
        found += [] if clash else right
        if clash or list(heard) != right:
            tails += dlt645_roll.narrower(tail)
    assert sorted(found) == addresses
    assert {control for _, control in meters.heard} == {0x11, 0x13}


def test_a_water_meter_alone_on_its_line_is_found() -> None:
    meters = cjt188.Line([cjt188.Meter(address="78330011223344", type=0x12)])
    (answer,) = meters.feed(cjt188_roll.question())
    assert cjt188_roll.heard(answer.data) == (("78330011223344",), False)
    (again,) = meters.feed(cjt188_roll.question("78330011223344"))
    assert cjt188_roll.heard(again.data) == (("78330011223344",), False)
