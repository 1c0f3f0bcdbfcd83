"""Power that goes at any write of a board's life, and comes back: the gateway's ledger explains every number.

All is real but the board: the firmware's image on MicroPython, Mosquitto, the gateway, InfluxDB. The judge is
the sensor, which knows what it was asked (watched.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiomqtt
import pytest
import servers
from field_city import until
from firmware.watched import MOST_IN_RAM, PERIOD_MS, WITHIN_S, WatchedBoard, judge

from edge.boot import start_of
from edge.protocol.command import Command, Reply, Status, decode_reply, encode_command
from edge.protocol.topics import Leaf, parse_topic, subscription, topic
from edge.protocol.wire import decode_birth
from edge.tasks import end
from gateway.app import JOURNAL, Gateway
from gateway.statement import read_accounts
from simulators.virtual.requests import Why

if TYPE_CHECKING:
    from conftest import PlaceBoard

BOARDS = 3
WRITES_OF_A_LIFE = 97  # a prime: multiples of a number visit each of 1 to 96 once
STRIDE = 37
OUTBOX_KB = 32  # eight segments, and each start that samples begins one: the oldest soon have to go
LATER_MS = 4_000_000_000_000
CALM_MS = 86_400_000


class Operator:
    """Gives each start of a node a command, the last one again while it has no last word; keeps the replies."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.boots: dict[str, int] = {}
        self._last: dict[str, Command] = {}
        self.words: dict[tuple[str, int], list[Reply]] = {}
        self._replied = asyncio.Condition()

    async def listen(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            name, leaf = parse_topic(str(message.topic))
            if leaf is Leaf.BIRTH:
                boot = decode_birth(message.payload).boot
                if boot != self.boots.get(name):
                    self.boots[name] = boot
                    await self._go_on(name)
                continue
            reply = decode_reply(message.payload)
            if reply.status is not Status.ACCEPTED:
                async with self._replied:
                    self.words.setdefault((name, reply.id), []).append(reply)
                    self._replied.notify_all()

    async def ask(self, name: str, command: str, **arguments: int) -> Reply:
        """Give a command and return its last word."""
        await self._tell(name, command, arguments)
        return await self.last_word(name)

    async def last_word(self, name: str) -> Reply:
        """Return the last word on the last command."""
        async with asyncio.timeout(WITHIN_S), self._replied:
            await self._replied.wait_for(lambda: (name, self._last[name].id) in self.words)
        return self.words[name, self._last[name].id][-1]

    async def _go_on(self, name: str) -> None:
        last = self._last.get(name)
        if last is None or (name, last.id) in self.words:
            await self._tell(name, "set", {"period_ms": PERIOD_MS})
        else:
            await self._send(name, last)

    async def _tell(self, name: str, command: str, arguments: dict[str, int]) -> None:
        ident = self._last[name].id + 1 if name in self._last else 1
        self._last[name] = Command(ident, command, arguments, LATER_MS)
        await self._send(name, self._last[name])

    async def _send(self, name: str, command: Command) -> None:
        await self._client.publish(topic(name, Leaf.CMD), encode_command(command), qos=1)


@asynccontextmanager
async def operator(mosquitto: servers.Mosquitto) -> AsyncIterator[Operator]:
    """Somebody who gives commands while the block lasts."""
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
        await client.subscribe([(subscription(leaf), 1) for leaf in (Leaf.BIRTH, Leaf.REPLY)])
        found = Operator(client)
        listening = asyncio.create_task(found.listen())
        yield found
        await end(listening)


async def suffer(board: WatchedBoard, cuts: list[int]) -> tuple[set[tuple[int, int]], set[str]]:
    """Cut the power within the n-th write of life after life.

    Returns the readings that lay on flash at an end, and the files of which a new version was begun and not
    yet in its place.
    """
    kept: set[tuple[int, int]] = set()
    begun: set[str] = set()
    for cut in cuts:
        ends = len(board.node.ends)
        await board.node.start(cut_after_writes=cut, again=False)
        await board.node.until(lambda before=ends: len(board.node.ends) > before and not board.node.running)
        kept |= board.on_flash()
        begun |= {name.removesuffix(".new") for name in board.files() if name.endswith(".new")}
    return kept, begun


async def come_to_rest(board: WatchedBoard, people: Operator, gateway: Gateway) -> dict[str, Any]:
    """Let a board that has power measure no more and deliver all that it has; return what it says of itself."""
    await until(lambda: board.boot is not None and people.boots.get(board.name) == board.boot)
    await people.last_word(board.name)
    await people.ask(board.name, "set", period_ms=CALM_MS)
    status = (await people.ask(board.name, "status")).detail
    while status["held"]:
        status = (await people.ask(board.name, "status")).detail
    streams = gateway.ledger.streams
    await until(lambda: not any(streams[key].awaited() for key in streams if key[0] == board.name))
    return dict(status)


@pytest.mark.timeout(300)
async def test_power_that_goes_at_any_write_costs_only_what_no_flash_held(
    place_board: PlaceBoard,
    gateway: Gateway,
    mosquitto: servers.Mosquitto,
    influxdb: servers.InfluxDB,
    tmp_path: Path,
) -> None:
    boards = [place_board(f"lamp-{number}", outbox_kb=OUTBOX_KB) for number in range(BOARDS)]
    cuts = [STRIDE * number % WRITES_OF_A_LIFE for number in range(1, WRITES_OF_A_LIFE)]
    for board in boards:
        board.warns_when_connected = True
    async with operator(mosquitto) as people:
        suffered = await asyncio.gather(*(suffer(board, cuts[i::BOARDS]) for i, board in enumerate(boards)))
        for board in boards:
            await board.node.start()
        told = await asyncio.gather(*(come_to_rest(board, people, gateway) for board in boards))
    for board in boards:
        await board.node.stop()
    async with asyncio.timeout(WITHIN_S):
        await gateway.journal.drained.wait()

    accounts = read_accounts(tmp_path / JOURNAL)
    for board, (kept, begun), status in zip(boards, suffered, told, strict=True):
        verdict, account = judge(board, gateway.ledger, influxdb), accounts[board.name]
        lost = verdict.missing | verdict.untold
        print(f"{board.name}: {account}, {len(verdict.untold)} untold, cut within {sorted(begun)} and others")
        assert {end.why for end in board.node.ends} == {Why.CUT}  # a flash that cannot be mounted is a crash
        assert kept <= verdict.stored
        assert all(sum(boot == one for one, _ in lost) <= MOST_IN_RAM for boot in board.made())
        assert (account.stored, account.missing) == (len(verdict.stored), len(verdict.missing))
        assert sum(account.reasons.values()) == account.reasons.get("missing_restarted", 0) == account.missing
        assert status["produced"] == status["acknowledged"] and status["dropped"] == status["held"] == 0
        assert len(board.made()[status["boot"]]) == sum(boot == status["boot"] for boot, _ in verdict.stored)
        assert [start_of(boot) for boot in board.made()] == sorted(start_of(boot) for boot in board.made())
        files = board.files()
        assert "data/time" in files and "data/outbox/00000000.seg" not in files
    begun = set().union(*(some for _, some in suffered))
    assert {"data/marks", "data/changed.json"} <= begun and any("commands" in name for name in begun)
    for words in people.words.values():
        assert len(set(map(repr, words))) == 1 and words[0].status in (Status.DONE, Status.FAILED)


async def test_what_gave_way_to_newer_readings_and_what_the_power_took_are_told_apart(
    place_board: PlaceBoard,
    gateway: Gateway,
    mosquitto: servers.Mosquitto,
    influxdb: servers.InfluxDB,
    tmp_path: Path,
) -> None:
    board = place_board("lamp-9", outbox_kb=0)
    await board.node.start()
    await until(lambda: board.boot is not None and gateway.ledger.top(board.name, board.boot) > 0)
    first = board.boot
    mosquitto.kill()
    measured = board.measured
    await until(lambda: board.measured >= measured + 4 * MOST_IN_RAM)
    mosquitto.start()
    await until(lambda: gateway.ledger.top(board.name, first or 0) > measured + 4 * MOST_IN_RAM)
    streams, key = gateway.ledger.streams, (board.name, first or 0)
    await until(lambda: streams[key].overwritten > measured + 2 * MOST_IN_RAM and not streams[key].awaited())
    await board.node.power_cut()
    await until(lambda: board.boot != first and gateway.ledger.top(board.name, board.boot or 0) > 0)
    async with operator(mosquitto) as people:
        await come_to_rest(board, people, gateway)
    await board.node.stop()
    async with asyncio.timeout(WITHIN_S):
        await gateway.journal.drained.wait()

    verdict, account = judge(board, gateway.ledger, influxdb), read_accounts(tmp_path / JOURNAL)[board.name]
    gone = sorted(seq for _, seq in verdict.missing)
    print(account, gone, verdict.untold)
    assert {boot for boot, _ in verdict.missing | verdict.untold} == {first}
    assert account.reasons["missing_overwritten"] >= 3 * MOST_IN_RAM
    assert len(verdict.untold) + account.reasons.get("missing_restarted", 0) <= MOST_IN_RAM
    assert sum(account.reasons.values()) == account.missing == len(gone)
