"""The firmware as it is shipped, on a virtual node with simulated sensors, beside a real broker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import servers
from peer import Peer
from time_servers import Chrony

from edge.boot import start_of
from edge.field.image import Layout, build_image, read_image
from edge.model.errors import ConfigError
from edge.model.kinds import KINDS
from edge.model.quantities import QUANTITIES
from simulators.sensors import Fault
from simulators.virtual.buses import Radio
from simulators.virtual.cli import find_city_again, find_micropython
from simulators.virtual.node import VirtualNode
from simulators.virtual.requests import Why
from simulators.virtual.wiring import SAMPLES, bus_of, pins, wire

if TYPE_CHECKING:
    from conftest import MicroPython

    Launch = Callable[..., Awaitable[VirtualNode]]

FLASH_BYTES = 1 << 20
WITHIN_S = 90.0
WRITES_OF_A_START = 2  # what a start surely writes before it samples
SERIAL = "a0b765112233"


@pytest.fixture
async def launch(
    micropython: MicroPython, mosquitto: servers.Mosquitto, tmp_path: Path
) -> AsyncIterator[Launch]:
    """Call with a node id and a kind to start a node of it; it ends with the test."""
    clock = Chrony(tmp_path / "chrony")
    clock.start()
    nodes: list[VirtualNode] = []

    async def start(name: str, kind: str = "water_level", radio: Radio | None = None) -> VirtualNode:
        settings: dict[str, Any] = {
            "node": name,
            "kind": kind,
            "period_ms": 200,
            "broker_host": mosquitto.host,
            "broker_port": mosquitto.port,
            "broker_tls": False,
            "wifi_ssid": "city-iot",
            "wifi_password": "right",
            "ntp_hosts": [f"{clock.host}:{clock.port}"],
            "sensors": list(SAMPLES[kind]),
        }
        image = tmp_path / f"{name}.img"
        image.write_bytes(build_image(Layout(board="esp32", settings=settings), FLASH_BYTES))
        sensors = wire(settings["sensors"])
        nodes.append(VirtualNode(image, micropython.executable, serial=SERIAL, sensors=sensors, radio=radio))
        await nodes[-1].start()
        return nodes[-1]

    yield start
    for node in nodes:
        await node.stop()
    clock.kill()


@pytest.fixture
async def peer(mosquitto: servers.Mosquitto) -> AsyncIterator[Peer]:
    """A small gateway on the same broker."""
    async with Peer(mosquitto.host, mosquitto.port) as gateway:
        yield gateway


async def heard(peer: Peer, name: str, rows: int) -> None:
    """Wait until the gateway has so many readings of a node."""
    async with asyncio.timeout(WITHIN_S):
        await peer.until(lambda: len(peer.numbers(name)) >= rows)


def test_every_sample_has_its_sensors_on_wires_of_a_board() -> None:
    assert set(SAMPLES) <= set(KINDS)
    for kind, entries in SAMPLES.items():
        models = [model for several in wire(entries).values() for model in several]
        assert len(models) == len(entries), kind
    assert bus_of("pico_w", "uart2") == "uart0" and bus_of("esp32", "adc1") == "adc34"
    assert {"uart1", "i2c", "onewire"} <= set(pins("esp32c3")) & set(pins("esp32s3"))
    with pytest.raises(ConfigError, match="no bus 'uart2' on a esp32c3"):
        bus_of("esp32c3", "uart2")


@pytest.mark.parametrize("kind", sorted(SAMPLES))
async def test_a_node_of_every_sample_reports_what_its_sensors_sense(
    launch: Launch, peer: Peer, kind: str
) -> None:
    node = await launch(f"virtual-{kind.replace('_', '-')}", kind)
    name = f"virtual-{kind.replace('_', '-')}"
    await heard(peer, name, 2)

    birth = peer.births[name]
    assert (birth.kind, birth.hardware, birth.serial) == (kind, "esp32", SERIAL)
    assert {column.quantity for column in birth.columns} <= set(QUANTITIES)
    assert any(value is not None for _, _, values in peer.rows.values() for value in values)
    assert peer.faults == [] and node.ends == []
    print(kind, [values for _, _, values in list(peer.rows.values())[-1:]])


async def test_readings_go_on_after_the_power_came_back_and_none_is_lost(launch: Launch, peer: Peer) -> None:
    node = await launch("stage-0201")
    await heard(peer, "stage-0201", 2)
    first = peer.births["stage-0201"].boot
    await node.power_cut()
    await peer.until(lambda: peer.births["stage-0201"].boot != first)
    await heard(peer, "stage-0201", 6)

    assert (start_of(first), start_of(peer.births["stage-0201"].boot)) == (1, 2)


async def test_a_power_cut_within_any_write_of_a_start_is_survived(launch: Launch, peer: Peer) -> None:
    node = await launch("stage-0204")
    await heard(peer, "stage-0204", 1)
    boots = {boot for boot, _ in peer.numbers("stage-0204")}
    for cut in range(1, WRITES_OF_A_START + 1):
        await node.power_cut(again=False)
        ends = len(node.ends)
        await node.start(cut_after_writes=cut)
        await node.until(lambda before=ends: len(node.ends) > before, WITHIN_S)
    async with asyncio.timeout(WITHIN_S):
        await peer.until(lambda: peer.births["stage-0204"].boot not in boots and len(peer.rows) > 2)

    assert {end.why for end in node.ends} == {Why.CUT} and peer.faults == []
    assert start_of(peer.births["stage-0204"].boot) > 1


async def test_a_wrong_wifi_password_is_named_and_cured(launch: Launch, peer: Peer) -> None:
    radio = Radio(ssid="city-iot", password="another")
    node = await launch("stage-0202", radio=radio)
    await node.until(lambda: any("wrong password" in line for line in node.lines), WITHIN_S)

    radio.password = "right"
    await heard(peer, "stage-0202", 3)


async def test_a_silent_sensor_leaves_its_column_empty_until_it_speaks(launch: Launch, peer: Peer) -> None:
    node = await launch("stage-0203")
    await heard(peer, "stage-0203", 2)
    (model,) = node.buses.sensors["uart1"]
    model.switch(Fault.SILENT)
    async with asyncio.timeout(WITHIN_S):
        await peer.until(lambda: list(peer.rows.values())[-1][2][0] is None)
    model.switch(Fault.NONE)
    async with asyncio.timeout(WITHIN_S):
        await peer.until(lambda: list(peer.rows.values())[-1][2][0] is not None)


async def test_the_command_runs_a_node_that_reports_until_it_is_stopped(
    micropython: MicroPython, mosquitto: servers.Mosquitto, peer: Peer, tmp_path: Path
) -> None:
    name = f"virtual-{os.getpid()}"  # its time server's port is made of it: another may run here already
    words = ("node", "virtual", "--data", str(tmp_path), "--broker", mosquitto.url, "--period", "0.2")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cityneuron", *words, "--id", name, "--port", str(tmp_path / "port")),
        cwd=servers.PROJECT,
        env={**os.environ, "MICROPYTHON": micropython.executable},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await heard(peer, name, 3)
        assert (tmp_path / "port").is_symlink()
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = await process.communicate()

    assert process.returncode == 0 and b"connected" in output and not (tmp_path / "port").exists()
    assert {clock for _, clock, _ in peer.rows.values()} <= {0, 1}  # synced, or dated when the time came


def test_a_node_of_yesterday_is_told_where_todays_broker_is(tmp_path: Path) -> None:
    image = tmp_path / "node.img"
    before = {"node": "virtual-1", "broker_host": "127.0.0.1", "broker_port": 1, "period_ms": 500}
    image.write_bytes(build_image(Layout(board="esp32", settings=before), 1 << 20))
    held = read_image(image.read_bytes())

    find_city_again(image, before | {"broker_port": 2, "period_ms": 10_000})
    found = read_image(image.read_bytes())
    find_city_again(image, before | {"node": "another", "broker_port": 3})

    assert json.loads(found.pop("settings.json")) == before | {"broker_port": 2}
    assert found == {path: content for path, content in held.items() if path != "settings.json"}
    assert json.loads(read_image(image.read_bytes())["settings.json"])["broker_port"] == 2


def test_without_a_micropython_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MICROPYTHON", "/opt/mine")
    assert find_micropython() == "/opt/mine"
