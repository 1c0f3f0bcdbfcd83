"""Commands to a computer that is a node: done once, answered again, refused where its owner does not allow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import servers
from peer import Peer

from edge.agent import AgentConfig
from edge.broker import BrokerAddress
from edge.commands import KEPT, Commands, RefusedError
from edge.computer import Obedience, run_agent
from edge.model.errors import CityError
from edge.model.node import Node, node_id
from edge.model.quality import Clock
from edge.outbox import OutboxConfig
from edge.protocol.command import Command, Reply, Status, decode_reply, encode_command
from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import Column

LATER_MS = 4_000_000_000_000
NOW_MS = 1_790_000_000_000
FAST = AgentConfig(flush_s=0.02, outbox=OutboxConfig(resend_s=0.3))


class Doings:
    """Counts what it is told to do."""

    def __init__(self, path: Path) -> None:
        self.done: list[str] = []
        self.clock = Clock.SYNCED
        self._path = path

    def start(self) -> Commands:
        return Commands(
            {"sample": self._do, "settings": self._fail, "update": self._refuse, "reboot": self._do},
            self._path,
            now_ms=lambda: NOW_MS,
            clock=lambda: self.clock,
        )

    def _do(self, arguments: Mapping[str, Any]) -> dict[str, int]:
        self.done.append("done")
        return {"seq": len(self.done)}

    def _fail(self, arguments: Mapping[str, Any]) -> None:
        raise CityError("no settings", remedy="provision the node")

    def _refuse(self, arguments: Mapping[str, Any]) -> None:
        raise RefusedError("never")


def told(commands: Commands, ident: int, name: str, expires_ms: int = LATER_MS, **arguments: Any) -> Reply:
    reply = commands.take(encode_command(Command(ident, name, arguments, expires_ms)))
    assert reply is not None
    return decode_reply(reply)


@pytest.fixture
def doings(tmp_path: Path) -> Doings:
    return Doings(tmp_path / "node.commands.json")


def test_a_command_is_done_once_and_answered_again_also_after_a_restart(doings: Doings) -> None:
    commands = doings.start()
    first = told(commands, 7, "sample")
    assert first == Reply(7, Status.DONE, {"seq": 1})
    assert told(commands, 7, "sample") == told(doings.start(), 7, "sample") == first
    assert len(doings.done) == 1


def test_a_command_that_a_restart_cut_off_is_not_done_again(doings: Doings, tmp_path: Path) -> None:
    (tmp_path / "node.commands.json").write_text('[[7, 1, {"name": "sample"}], [8, 1, {"name": "reboot"}]]')
    commands = doings.start()
    assert told(commands, 7, "sample").status is Status.FAILED
    assert told(commands, 8, "reboot").status is Status.DONE
    assert doings.done == []


def test_what_is_late_unknown_or_senseless_is_not_done(doings: Doings) -> None:
    commands = doings.start()
    assert told(commands, 1, "sample", expires_ms=NOW_MS - 1).status is Status.EXPIRED
    for ident, name, arguments in ((2, "dance", {}), (3, "lamp", {"level_pct": 3}), (4, "sample", {"x": 1})):
        assert told(commands, ident, name, **arguments).status is Status.REFUSED
    assert told(commands, 5, "update").status is Status.REFUSED
    assert told(commands, 6, "settings") == Reply(
        6, Status.FAILED, {"error": "no settings", "remedy": "provision the node"}
    )
    assert commands.take(b"\xff") is None and doings.done == []
    doings.clock = Clock.UNKNOWN
    assert told(commands, 7, "sample", expires_ms=NOW_MS - 1).status is Status.DONE


def test_a_reboot_is_accepted_first_and_done_after_the_restart(doings: Doings) -> None:
    assert told(doings.start(), 9, "reboot") == Reply(9, Status.ACCEPTED, {"name": "reboot"})
    assert told(doings.start(), 9, "reboot") == Reply(9, Status.DONE)


def test_the_last_sixteen_are_remembered(doings: Doings) -> None:
    commands = doings.start()
    for ident in range(1, KEPT + 3):
        told(commands, ident, "sample")
    for ident in range(3, KEPT + 3):
        told(doings.start(), ident, "sample")
    assert len(doings.done) == KEPT + 2
    told(commands, 1, "sample")
    assert len(doings.done) == KEPT + 3


def test_a_disk_that_takes_nothing_lets_nothing_be_done(doings: Doings, tmp_path: Path) -> None:
    commands = doings.start()
    (tmp_path / "node.commands.json.new").mkdir()
    assert told(commands, 1, "reboot").status is Status.FAILED
    assert doings.done == []


def test_a_damaged_file_forgets_and_says_so(
    doings: Doings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "node.commands.json").write_text("[[1, 99, null], 5, [2, 0, null]]")
    assert told(doings.start(), 2, "sample") == Reply(2, Status.DONE)
    (tmp_path / "node.commands.json").write_text("[")
    told(doings.start(), 2, "sample")
    assert len(doings.done) == 1 and len(caplog.records) == 3


class Station:
    """A Linux node at work on a real broker, and what it replies."""

    columns = (Column("level_m", 3),)

    def __init__(self, client: aiomqtt.Client, peer: Peer) -> None:
        self.peer = peer
        self.rebooted = asyncio.Event()
        self._client = client
        self._ident = 0

    def sample(self, now_ms: int) -> tuple[float]:
        return (3.12,)

    async def tell(self, name: str, **arguments: Any) -> Reply:
        """Send a command and return its reply."""
        self._ident += 1
        command = Command(self._ident, name, arguments, LATER_MS)
        await self._client.publish(topic("ys-07", Leaf.CMD), encode_command(command), qos=1)
        async with asyncio.timeout(20):
            async for message in self._client.messages:
                assert isinstance(message.payload, bytes)
                reply = decode_reply(message.payload)
                if reply.id == self._ident:
                    return reply
        raise AssertionError("the client ended")


@asynccontextmanager
async def station(
    broker: servers.Mosquitto, peer: Peer, folder: Path, may_reboot: bool
) -> AsyncIterator[Station]:
    node = Node(
        id=node_id("ys-07"), kind="water_level", label_en="7", label_zh="7", site="canal", district="yangpu"
    )
    stop = asyncio.Event()
    async with aiomqtt.Client(broker.host, broker.port) as client, asyncio.TaskGroup() as tasks:
        await client.subscribe(topic("ys-07", Leaf.REPLY), qos=1)
        found = Station(client, peer)
        may = Obedience(
            folder=folder, settings={"kind": "water_level"}, reboot=found.rebooted.set if may_reboot else None
        )
        tasks.create_task(
            run_agent(
                node,
                found,
                BrokerAddress.parse(broker.url),
                boot=1,
                stop=stop,
                period_s=3_600,
                config=FAST,
                may=may,
            )
        )
        await peer.until(lambda: "ys-07" in peer.births)
        yield found
        stop.set()


@pytest.fixture
async def peer(mosquitto: servers.Mosquitto) -> AsyncIterator[Peer]:
    async with Peer(mosquitto.host, mosquitto.port) as peer:
        yield peer


async def test_a_computer_senses_and_changes_its_period_when_told(
    mosquitto: servers.Mosquitto, peer: Peer, tmp_path: Path
) -> None:
    async with station(mosquitto, peer, tmp_path, may_reboot=False) as node:
        assert (await node.tell("sample")).status is Status.DONE
        await peer.until(lambda: len(peer.rows) == 1)
        assert (await node.tell("set", period_ms=50)) == Reply(2, Status.DONE)
        await peer.until(lambda: peer.births["ys-07"].period_s == 0.05 and len(peer.rows) >= 5)
        status = (await node.tell("status")).detail
        assert status["node"] == "ys-07" and status["produced"] >= 5 and status["boot"] == 1
        assert (await node.tell("settings")).detail == {"kind": "water_level", "period_ms": 50}
        assert (await node.tell("set", period_ms=1)).status is Status.REFUSED
        assert (await node.tell("set")).status is Status.REFUSED

    peer.births.clear()
    async with station(mosquitto, peer, tmp_path, may_reboot=False):
        assert peer.births["ys-07"].period_s == 0.05  # it outlives the restart


async def test_a_computer_is_not_restarted_nor_updated_unless_its_owner_allows_it(
    mosquitto: servers.Mosquitto, peer: Peer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with station(mosquitto, peer, tmp_path / "one", may_reboot=False) as node:
        for name, arguments in (("reboot", {}), ("update", {"url": "http://x/y"}), ("reset", {})):
            assert (await node.tell(name, **arguments)).status is Status.REFUSED
        assert (await node.tell("identify", seconds=3)).status is Status.DONE
        assert "here I am" in caplog.text

    peer.births.clear()
    async with station(mosquitto, peer, tmp_path / "two", may_reboot=True) as node:
        assert (await node.tell("reboot")).status is Status.ACCEPTED
        assert node.rebooted.is_set()
