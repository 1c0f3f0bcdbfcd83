"""Nodes in a process of their own, so that their power can be cut: RAM is lost, the boot number is not.

`python -m faults.producer '{...}'`. Every reading is noted in a file before the outbox has it, and every
acknowledgement once it came, so that the audit rests on nothing that the gateway says. Orders come by
standard input, a JSON object a line; each is answered by a line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from city_rig import registered
from faults.readings import COLUMNS, KIND, nodes_of, values

from edge.agent import AgentConfig, NodeAgent, Trust
from edge.boot import next_boot
from edge.broker import BrokerAddress
from edge.link import Link, LinkConfig, Message
from edge.model.errors import WireError
from edge.model.quality import Clock
from edge.outbox import Counts, OutboxConfig
from edge.protocol.topics import Leaf, parse_topic
from edge.protocol.wire import decode_ack

AGENT = AgentConfig(
    flush_s=0.1, pack_rows=20, outbox=OutboxConfig(resend_s=1.0, capacity_rows=1_000_000, window_rows=4_000)
)
LINK = LinkConfig(keepalive_s=2, timeout_s=2.0, retry_first_s=0.1, retry_limit_s=0.5)


class SetClock:
    """A clock that can be set: `offset_ms` off the true time, in the state that the node believes in."""

    def __init__(self, offset_ms: int = 0, state: Clock = Clock.SYNCED) -> None:
        self.offset_ms = offset_ms
        self.state = state

    def now_ms(self) -> int:
        """Return what the clock shows."""
        return time.time_ns() // 1_000_000 + self.offset_ms

    async def sleep_until(self, t_ms: int) -> None:
        """Return about when the clock shows `t_ms`."""
        await asyncio.sleep(max(0, t_ms - self.now_ms()) / 1000)


class Noted:
    """A node's agent whose acknowledgements are noted, and whose packs may leave in disorder."""

    def __init__(self, agent: NodeAgent, note: Callable[[str], None]) -> None:
        self.agent = agent
        self.node = agent.node
        self.disorder: random.Random | None = None
        self._note = note
        self._held: list[Message] = []

    @property
    def changed(self) -> Callable[[], None]:
        return self.agent.changed

    @changed.setter
    def changed(self, call: Callable[[], None]) -> None:
        self.agent.changed = call

    @property
    def counts(self) -> Counts:
        return self.agent.counts

    def connected(self, now_s: float) -> None:
        self._held.clear()  # they were in the radio's buffer
        self.agent.connected(now_s)

    def next_message(self, now_s: float, *, flush: bool = False) -> Message | None:
        if self.disorder is None and not self._held:
            return self.agent.next_message(now_s, flush=flush)
        while self.disorder and (message := self.agent.next_message(now_s, flush=flush)):
            if parse_topic(message.topic)[1] is Leaf.BIRTH:
                return message
            self._held.append(message)
        if self.disorder and len(self._held) < 4 and not flush:  # wait for company to overtake
            return None
        if self.disorder:
            self.disorder.shuffle(self._held)
        return self._held.pop() if self._held else None

    def due_s(self, now_s: float) -> float:
        return 0.2 if self._held else self.agent.due_s(now_s)

    def acknowledged(self, payload: bytes, now_s: float) -> int:
        with contextlib.suppress(WireError):  # the agent deals with a forged one
            ack = decode_ack(payload)
            self._note(f"A {self.node.id} {ack.boot} {ack.upto}")
        return self.agent.acknowledged(payload, now_s)

    def death(self) -> Message:
        return self.agent.death()


class Producer:
    """Some nodes, their links and their notes."""

    def __init__(self, order: dict[str, Any]) -> None:
        folder = Path(order["folder"])
        self.boot = next_boot(folder / "boot")
        self._file = os.open(folder / "produced", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.clock = SetClock(order.get("offset_ms", 0), Clock(order.get("clock", 0)))
        fixed_ms = order.get("wakes_ms")
        if fixed_ms is not None:  # no battery: the clock begins at one date at every boot
            self.clock = SetClock(fixed_ms - time.time_ns() // 1_000_000, Clock.UNKNOWN)
        self.period_ms = round(1000 / order["readings_per_s"])
        agents = [
            NodeAgent(
                registered(name, KIND),
                COLUMNS,
                self.boot,
                self.clock,
                period_s=self.period_ms / 1000,
                config=AGENT,
            )
            for name in nodes_of(order["producer"], order["nodes"])
        ]
        self.nodes = [Noted(agent, self._note) for agent in agents]
        self.trust = {node.node.id: Trust(self.clock.now_ms()) for node in self.nodes}
        broker = BrokerAddress.parse(f"mqtt://127.0.0.1:{order['port']}")
        name = f"producer-{order['producer']}"
        self.links = [Link(self.nodes[1:], broker, client_id=f"{name}-rest", config=LINK)] if agents[1:] else []
        self.links.append(Link(self.nodes[:1], broker, client_id=f"{name}-first", config=LINK))
        self.producing = True

    def _note(self, line: str) -> None:
        os.write(self._file, line.encode() + b"\n")

    def record(self, node: Noted, t_ms: int) -> None:
        """Make one reading: noted first, then in the outbox."""
        agent = node.agent
        boot, seq = agent.outbox.boot, agent.outbox.next_seq
        state = self.trust[node.node.id].state(t_ms, self.clock.state)
        self._note(f"R {node.node.id} {boot} {seq} {t_ms} {time.time_ns() // 1_000_000}")
        agent.record(t_ms, state, values(node.node.id, boot, seq), asyncio.get_running_loop().time())

    async def sense(self) -> None:
        """Make readings on the grid of the period for ever."""
        while True:
            t_ms = self.clock.now_ms() // self.period_ms * self.period_ms + self.period_ms
            await asyncio.sleep((t_ms - self.clock.now_ms()) / 1000)
            if abs(self.clock.now_ms() - t_ms) > self.period_ms:  # it was set meanwhile
                t_ms = self.clock.now_ms()
            if self.producing:
                for node in self.nodes:
                    self.record(node, t_ms)

    async def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order and return the answer."""
        match order["do"]:
            case "clock":
                self.clock.offset_ms, self.clock.state = order["offset_ms"], Clock(order["state"])
            case "flood":
                node, count = self.nodes[order["node"] % len(self.nodes)], order["count"]
                begin_ms = self.clock.now_ms() - count
                for index in range(count):
                    self.record(node, begin_ms + index)
                    if index % 50 == 0:
                        await asyncio.sleep(0)
            case "disorder":
                for node in self.nodes:
                    node.disorder = random.Random(order["seed"]) if order["on"] else None
                    node.changed()
            case "drain":
                self.producing = False
                with contextlib.suppress(TimeoutError):  # what is still held tells
                    for link in self.links:
                        await link.drain(order["within_s"])
            case "meet":
                for link in self.links:
                    await link.met.wait()
        held = {node.node.id: node.counts.held for node in self.nodes if node.counts.held}
        return {"time_ms": time.time_ns() // 1_000_000, "boot": self.boot, "held": held}

    async def run(self) -> None:
        """Work until standard input ends."""
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(link.run()) for link in self.links]
            running.append(tasks.create_task(self.sense()))
            reader = asyncio.StreamReader()
            await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
            )
            while line := await reader.readline():
                print(json.dumps(await self.obey(json.loads(line))), flush=True)
            for link in self.links:
                link.stop()
            running[-1].cancel()


if __name__ == "__main__":
    asyncio.run(Producer(json.loads(sys.argv[1])).run())
