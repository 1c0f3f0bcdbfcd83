"""A street lamp as it is shipped, on a virtual board: lit, dark and dimmed at its PWM pin."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiomqtt
import pytest
import servers
from peer import Peer
from time_servers import Chrony

from edge.field.image import Layout, build_image
from edge.protocol.command import Command, Status, decode_reply, encode_command
from simulators.virtual.node import VirtualNode
from simulators.virtual.wiring import pins, wire

if TYPE_CHECKING:
    from conftest import MicroPython

    Launch = Callable[..., Awaitable[VirtualNode]]

NAME = "lamp-0001"
FLASH_BYTES = 1 << 20
WITHIN_S = 90.0
PIN = pins("esp32")["pwm1"]
LIT, DARK = 0, 65_535  # the wiring fails lit: a pin that does nothing leaves the lamp burning
SENSORS = [{"driver": "pzem004t", "bus": "uart1"}]


def duty(level_pct: int) -> int:
    """Return the duty cycle of a level, inverted."""
    return 65_535 - 65_535 * level_pct // 100


def where_it_is(hour: float) -> dict[str, Any]:
    """Return the setting `lamp` of a place on the equator where the sun's clock now shows `hour`."""
    east_h = (hour - time.time() / 3600 + 12) % 24 - 12
    return {
        "output": "pwm",
        "bus": "pwm1",
        "lat_udeg": 0,
        "lon_udeg": round(east_h * 15e6),
        "utc_offset_min": round(east_h * 60),
    }


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Chrony]:
    """A real time server."""
    server = Chrony(tmp_path / "chrony")
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def launch(micropython: MicroPython, clock: Chrony, tmp_path: Path) -> AsyncIterator[Launch]:
    """Call with the hour at the lamp's place to start it."""
    nodes: list[VirtualNode] = []

    async def start(hour: float, port: int = 0, **changes: Any) -> VirtualNode:
        settings = {
            "node": NAME,
            "kind": "streetlight",
            "period_ms": 500,
            "broker_host": "127.0.0.1",
            "broker_port": port or servers.free_port(),
            "broker_tls": False,
            "wifi_ssid": "city-iot",
            "wifi_password": "right",
            "ntp_hosts": [f"{clock.host}:{clock.port}"],
            "sensors": SENSORS,
            "lamp": where_it_is(hour),
            **changes,
        }
        image = tmp_path / f"{NAME}.img"
        image.write_bytes(build_image(Layout(board="esp32", settings=settings), FLASH_BYTES))
        nodes.append(VirtualNode(image, micropython.executable, sensors=wire(SENSORS)))
        await nodes[-1].start()
        return nodes[-1]

    yield start
    for node in nodes:
        await node.stop()


def burns(node: VirtualNode, level_pct: int) -> Callable[[], bool]:
    """Return whether the pin shows a level."""
    return lambda: node.buses.duties.get(PIN) == duty(level_pct)


async def test_by_day_a_lamp_is_lit_until_it_knows_the_time_and_then_goes_out(launch: Launch) -> None:
    node = await launch(hour=12)

    await node.until(burns(node, 100), WITHIN_S)
    await node.until(burns(node, 0), WITHIN_S)


async def test_without_the_time_a_lamp_stays_lit(launch: Launch, clock: Chrony) -> None:
    clock.kill()
    node = await launch(hour=12)

    await node.until(lambda: sum("no time" in line for line in node.lines) > 2, WITHIN_S)

    assert burns(node, 100)()


async def test_a_lamp_reports_itself_obeys_and_remembers(launch: Launch, mosquitto: servers.Mosquitto) -> None:
    async with (
        Peer(mosquitto.host, mosquitto.port) as peer,
        aiomqtt.Client(mosquitto.host, mosquitto.port) as desk,
    ):
        await desk.subscribe(f"cn/v1/{NAME}/reply", qos=1)

        async def say(ident: int, name: str, **arguments: Any) -> Any:
            """Give a command as a gateway does; return what the node says to it."""
            expires_ms = round(time.time() * 1000) + 600_000
            command = encode_command(Command(ident, name, arguments, expires_ms))
            await desk.publish(f"cn/v1/{NAME}/cmd", command, qos=1)
            async with asyncio.timeout(WITHIN_S):
                message = await anext(aiter(desk.messages))
            reply = decode_reply(bytes(message.payload))  # type: ignore[arg-type]
            assert (reply.id, reply.status) == (ident, Status.DONE), reply
            return reply.detail

        node = await launch(hour=12, port=mosquitto.port)
        await peer.until(lambda: len(peer.numbers(NAME)) > 2, WITHIN_S)
        columns = [column.quantity for column in peer.columns(NAME)]
        assert columns[-2:] == ["lamp_on", "dim_pct"] and "power_w" in columns
        await node.until(burns(node, 0), WITHIN_S)

        assert await say(1, "lamp", level_pct=30) == {"level_pct": 30}
        await node.until(burns(node, 30), WITHIN_S)
        await peer.until(lambda: list(peer.rows.values())[-1][2][-2:] == (1, 30), WITHIN_S)

        table = [["00:00", 70]]
        assert await say(2, "schedule", table=table) == {"table": table}
        assert await say(3, "lamp") == {"level_pct": 70}
        await node.until(burns(node, 70), WITHIN_S)

        await node.power_cut()
        await node.until(burns(node, 100), WITHIN_S)
        await node.until(burns(node, 70), WITHIN_S)
