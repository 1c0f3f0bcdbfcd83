"""Commands to devices that are asked: done once, between two questions, and proved by reading back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import servers
from source_rig import Street

from edge.model.node import Node
from edge.protocol.command import Command, Reply, Status, encode_command
from edge.protocol.topics import Leaf, topic
from gateway.app import Gateway
from gateway.relay import Answer, waiting

LATER_MS = 4_000_000_000_000
SOURCE = """
[[source]]
name = "dimmers"
protocol = "modbus-devices"
transport = "tcp-client"
address = "127.0.0.1:{port}"
[[source.device]]
id = "1"
node = "lamp-1"
kind = "streetlight"
period_s = 60
profile = "dimmer-0-10v-8ch"
lamp = "way_3"
"""


def crc(data: bytes) -> bytes:
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
    return register.to_bytes(2, "little")


class Dimmer:
    """Eight registers behind a TCP serial server. `stuck`: it confirms a write, and does nothing."""

    def __init__(self) -> None:
        self.registers = [0] * 8
        self.writes: list[tuple[int, int]] = []
        self.stuck = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while frame := await reader.read(8):
            assert crc(frame[:-2]) == frame[-2:]
            register, number = int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big")
            answer = frame[:-2]
            if frame[1] == 6:
                self.writes.append((register, number))
                if not self.stuck:
                    self.registers[register] = number
            else:
                values = self.registers[register : register + number]
                answer = frame[:2] + bytes((2 * number,)) + b"".join(each.to_bytes(2, "big") for each in values)
            writer.write(answer + crc(answer))
        writer.close()


@asynccontextmanager
async def dimmer_on(port: int) -> AsyncIterator[Dimmer]:
    dimmer = Dimmer()
    server = await asyncio.start_server(dimmer.serve, "127.0.0.1", port)
    async with server:
        yield dimmer


async def replies(gateway: Gateway, count: int) -> list[Reply]:
    """Return the replies that wait for the cloud, once there are as many."""
    found: list[Answer] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            await asyncio.sleep(0.05)
            found = await gateway.journal.run(lambda db: waiting(db, 10))
    assert {answer.node for answer in found} == {"lamp-1"}
    return [answer.reply for answer in found]


def tell(gateway: Gateway, ident: int, name: str, **arguments: int) -> None:
    payload = encode_command(Command(ident, name, arguments, LATER_MS))
    gateway.ears.send(topic("lamp-1", Leaf.CMD), payload)


@pytest.fixture
def street(tmp_path: Path, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB, free_port: int) -> Street:
    node = Node(id="lamp-1", kind="streetlight", label_en="Lamp 1", label_zh="1 号灯", site="s1", district="d1")
    (tmp_path / "nodes.json").write_text(json.dumps({"nodes": [node.to_dict()]}), encoding="utf-8")
    sources = f'file = "{tmp_path / "nodes.json"}"\n' + SOURCE.format(port=free_port)
    return Street(tmp_path, mosquitto, influxdb, sources)


async def test_a_lamp_is_dimmed_once_and_says_so_itself(street: Street, free_port: int) -> None:
    async with dimmer_on(free_port) as dimmer, street.gateway() as gateway:
        for _ in range(2):
            tell(gateway, 7, "lamp", level_pct=40)
        (reply,) = await replies(gateway, 1)
    assert (reply.id, reply.status, reply.detail) == (7, Status.DONE, {"level_pct": 40})
    assert dimmer.registers[3] == 102 and dimmer.writes == [(3, 102)]


async def test_a_lamp_that_confirms_and_does_nothing_has_failed(street: Street, free_port: int) -> None:
    async with dimmer_on(free_port) as dimmer, street.gateway() as gateway:
        dimmer.stuck = True
        tell(gateway, 8, "lamp", level_pct=100)
        (reply,) = await replies(gateway, 1)
    assert reply.status is Status.FAILED and "is 0 after 255 was written" in reply.detail["error"]


async def test_what_a_device_cannot_do_is_refused_with_the_reason(street: Street, free_port: int) -> None:
    async with dimmer_on(free_port) as dimmer, street.gateway() as gateway:
        tell(gateway, 9, "lamp", level_pct=40, minutes=5)
        tell(gateway, 10, "reboot")
        refused = await replies(gateway, 2)
    assert [reply.status for reply in refused] == [Status.REFUSED, Status.REFUSED]
    assert "keeps no time" in refused[0].detail["error"] and "cannot do reboot" in refused[1].detail["error"]
    assert dimmer.writes == []
