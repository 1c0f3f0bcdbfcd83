"""Nodes in a process of their own, so that their power can be cut: RAM is lost, the boot number is not.

`python -m faults.producer '{...}'`. A node makes the readings that it is ordered to make, no more: how many
there are is the plan's affair, not the clock's. Every reading is noted in a file before the outbox has it,
and every acknowledgement and every overwritten reading once it came to that, so that the audit rests on
nothing that the gateway says. Orders come by standard input, a JSON object a line, one after the other;
each is answered by a line.
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
from dataclasses import replace
from pathlib import Path
from typing import Any

from city_rig import registered
from faults.readings import COLUMNS, serial_of, values

from edge.agent import AgentConfig, NodeAgent, Trust
from edge.boot import next_boot, start_of
from edge.broker import BrokerAddress
from edge.link import Link, LinkConfig, Message, client_id
from edge.model.errors import WireError
from edge.model.quality import Clock
from edge.outbox import Counts, OutboxConfig
from edge.protocol.topics import Leaf, parse_topic
from edge.protocol.wire import BOOT_STEP, decode_ack

AGENT = AgentConfig(
    flush_s=0.1, pack_rows=20, outbox=OutboxConfig(resend_s=1.0, capacity_rows=1_000_000, window_rows=4_000)
)
GRID_MS = 50
"""Nodes sense on one grid, so that the times of different nodes and boots meet."""
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
            if ack.boot == self.agent.outbox.boot:  # of an earlier one it says what is gone, too
                self._note(f"A {self.node.id} {ack.boot} {ack.upto}")
        return self.agent.acknowledged(payload, now_s)

    def death(self) -> Message:
        return self.agent.death()


class Producer:
    """Some nodes, their links and their notes."""

    def __init__(self, order: dict[str, Any]) -> None:
        folder = Path(order["folder"])
        self.boot = start_of(next_boot(folder / "boot")) * BOOT_STEP + order["digits"]
        self._file = os.open(folder / "produced", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.clock = SetClock()
        if order.get("wakes_ms") is not None:  # no battery: the clock begins at one date at every boot
            self.clock = SetClock(order["wakes_ms"] - time.time_ns() // 1_000_000, Clock.UNKNOWN)
        self.device = order["name"]
        self.period_s = 1 / order["readings_per_s"]
        names = [name for name, _ in order["nodes"]]
        small = {names[-1]: order["small_outbox_rows"]} if order["small_outbox_rows"] else {}
        self.nodes = {
            name: self._node(name, kind, small.get(name)) for name, kind in [*order["nodes"], *order["guests"]]
        }
        self.speaking = [self.nodes[name] for name in names]
        self.trust = {name: Trust(self.clock.now_ms()) for name in self.nodes}
        broker = BrokerAddress.parse(f"mqtt://127.0.0.1:{order['port']}")
        first, *rest = self.nodes.values()
        self.links = [
            Link(
                [first],
                broker,
                client_id=client_id(first.node.id, serial_of(first.node.id, self.device)),
                config=LINK,
            )
        ]
        if rest:
            self.links.append(Link(rest, broker, client_id=f"{self.device}-rest", config=LINK))
        self._flowing: asyncio.Task[None] | None = None

    def _node(self, name: str, kind: str, capacity_rows: int | None) -> Noted:
        outbox = replace(AGENT.outbox, capacity_rows=capacity_rows) if capacity_rows else AGENT.outbox
        agent = NodeAgent(
            registered(name, kind), COLUMNS, self.boot, self.clock,
            period_s=self.period_s, config=replace(AGENT, outbox=outbox, serial=serial_of(name, self.device)),
        )  # fmt: skip
        return Noted(agent, self._note)

    def _note(self, line: str) -> None:
        os.write(self._file, line.encode() + b"\n")

    def record(self, node: Noted, t_ms: int) -> None:
        """Make one reading: noted first, then in the outbox."""
        name, outbox = node.node.id, node.agent.outbox
        boot, seq, dropped = outbox.boot, outbox.next_seq, node.counts.dropped
        state = self.trust[name].state(t_ms, self.clock.state)
        self._note(f"R {name} {boot} {seq} {t_ms} {time.time_ns() // 1_000_000}")
        node.agent.record(t_ms, state, values(name, boot, seq), asyncio.get_running_loop().time())
        if node.counts.dropped > dropped:  # and nobody had acknowledged it
            self._note(f"O {name} {boot} {outbox.oldest[1] - 1}")

    async def make(self, count: int, within_s: float) -> None:
        """Let every node that is no guest make so many readings, evenly."""
        for _ in range(count):
            await asyncio.sleep(within_s / count)
            t_ms = self.clock.now_ms() // GRID_MS * GRID_MS
            for node in self.speaking:
                self.record(node, t_ms)

    async def burst(self, node: Noted, count: int) -> None:
        """Let one node make so many readings at once, of the milliseconds before now."""
        begin_ms = self.clock.now_ms() - count
        for index in range(count):
            self.record(node, begin_ms + index)
            if index % 50 == 0:
                await asyncio.sleep(0)

    async def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order and return the answer."""
        match order["do"]:
            case "make":
                await self.make(order["count"], order["within_s"])
            case "flow":  # until the power goes
                self._flowing = asyncio.create_task(self.make(order["count"], order["within_s"]))
            case "burst":
                await self.burst(self.nodes[order["node"]], order["count"])
            case "clock":
                self.clock.offset_ms, self.clock.state = order["offset_ms"], Clock(order["state"])
            case "disorder":
                for node in self.nodes.values():
                    node.disorder = random.Random(order["seed"]) if order["on"] else None
                    node.changed()
            case "meet":
                for link in self.links:
                    await link.met.wait()
            case "drain":
                with contextlib.suppress(TimeoutError):  # what is still held tells
                    for link in self.links:
                        await link.drain(order["within_s"])
        held = {name: node.counts.held for name, node in self.nodes.items() if node.counts.held}
        made = {name: node.agent.outbox.next_seq for name, node in self.nodes.items()}
        return {
            "time_ms": time.time_ns() // 1_000_000, "boot": self.boot, "held": held, "made": made,
            "links": [link.connections for link in self.links],
        }  # fmt: skip

    async def run(self) -> None:
        """Work until standard input ends."""
        async with asyncio.TaskGroup() as tasks:
            for link in self.links:
                tasks.create_task(link.run())
            reader = asyncio.StreamReader()
            await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
            )
            while line := await reader.readline():
                print(json.dumps(await self.obey(json.loads(line))), flush=True)
            for link in self.links:
                link.stop()


if __name__ == "__main__":
    asyncio.run(Producer(json.loads(sys.argv[1])).run())
