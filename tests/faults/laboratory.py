"""The laboratory: real servers, the real gateway, nodes in processes, and lines that can go bad."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt
from city_rig import registered
from faults.audit import Boot, Loss
from faults.processes import ConfinedGateway, ProducerProcess
from faults.proxy import Proxy
from faults.readings import GUEST_KINDS, KIND, guest, nodes_of
from servers import InfluxDB, Mosquitto

from edge.link import hear_out
from edge.model.errors import WireError
from edge.protocol.wire import decode_pack
from edge.tasks import end
from simulators.faults import Fault, Scenario

_quiet = logging.getLogger(f"{__name__}.mqtt")
_quiet.setLevel(logging.CRITICAL + 1)  # a stranger's broken lines are meant
LOOK_EVERY_S = 1.0
DRAIN_WITHIN_S = 120.0
FIRST_READINGS = 3
_WITH_GUESTS = {"store_type_conflict", "backlog_limit", "disk_nearly_full"}
CATCH_UP = 3
"""So much faster than the plan has it does a node make readings that a fault held up."""
Inject = Callable[["Laboratory", Fault], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Guest:
    """A node that speaks only when a fault is about it."""

    producer: int
    name: str
    kind: str


class Laboratory:
    """Start it with `async with running(...)`, let things go wrong with `carry_out`, then `heal` and audit."""

    def __init__(self, folder: Path, scenario: Scenario, seed: int, tell: Callable[[str], None]) -> None:
        load = scenario.load
        self.folder = folder
        self.load = load
        self.tell = tell
        self._seed = f"{scenario.name}/{seed}"
        self.backlog = scenario.backlog
        kinds = GUEST_KINDS if _WITH_GUESTS & set(scenario.sorts) else ()
        self._guests = [Guest(index % load.producers, guest(kind), kind) for index, kind in enumerate(kinds)]
        self.guests = iter(self._guests)
        """Those that no fault was about yet."""
        self.broker = Mosquitto(folder / "broker")
        self.store = InfluxDB(folder / "store")
        self.wan = Proxy(self.store.port)
        self.gateway_line = Proxy(self.broker.port)
        self.node_lines = [Proxy(self.broker.port) for _ in range(load.producers)]
        self.gateway: ConfinedGateway
        self.producers: list[ProducerProcess] = []
        self.intruders: list[ProducerProcess] = []
        """Nodes that should not be."""
        self.locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """One a thing that can be broken: a thing has one fault at a time.

        What a fault does to a producer is part of the ledger, so it asks for that lock first, before it waits
        for anything: then each producer meets its faults, and makes its readings, in the order of the plan.
        """
        self.heard: deque[tuple[str, bytes]] = deque(maxlen=400)
        """Packs that went by, for those who say things twice."""
        self.short_of_room = False
        """Whether the gateway had too little room at any time, so that it may let go of readings."""
        self.planned: list[Loss] = []
        """What has to be lost, reading by reading, and nothing else."""
        self.mid_flow: set[Boot] = set()
        """Boots that ended where nobody planned it: what is lost there follows from the audit alone."""
        self.begun: list[tuple[int, str]] = []
        """When (ms since 1970) which sort of fault began."""
        self._looking = asyncio.Lock()
        self.looks = 0
        self.troubles: list[str] = []
        """What must never be seen, whatever goes wrong."""

    async def start(self) -> None:
        """Start all; return when the first readings of every node are stored."""
        for server in (self.broker, self.store):
            await asyncio.to_thread(server.start)
        for line in (self.wan, self.gateway_line, *self.node_lines):
            await line.start()
        listed = [(name, KIND) for index in range(self.load.producers) for name in self.nodes_of(index)]
        nodes = [registered(name, kind) for name, kind in [*listed, *((g.name, g.kind) for g in self._guests)]]
        self.gateway = ConfinedGateway(
            self.folder / "gateway", self.gateway_line.port, self.wan.port, nodes, self.backlog
        )
        self.gateway.start()
        self.producers = [self._producer(index) for index in range(self.load.producers)]
        await asyncio.gather(*(producer.start() for producer in self.producers))
        await asyncio.gather(*(self.make(index, FIRST_READINGS, 0.5) for index in range(self.load.producers)))
        await self.until(
            lambda account: sum(row["stored"] > 0 for row in account["nodes"]) > len(listed), within_s=60.0
        )  # the gateway is a node too

    def _producer(self, index: int) -> ProducerProcess:
        return ProducerProcess(
            self.folder / f"producer-{index}",
            index,
            self.load,
            self.node_lines[index].port,
            random.Random(f"{self._seed}/producer {index}"),
            nodes=[(name, KIND) for name in self.nodes_of(index)],
            guests=[(guest.name, guest.kind) for guest in self._guests if guest.producer == index],
        )

    def intrude(self, producer: ProducerProcess, node: str) -> ProducerProcess:
        """Return a second device with the id of a node, which begins to speak when it is started."""
        number = len(self.intruders)
        chance = random.Random(f"{self._seed}/intruder {number}")
        intruder = ProducerProcess(
            self.folder / f"intruder-{number}", producer.index, self.load, self.node_lines[producer.index].port,
            chance, nodes=[(node, KIND)],
        )  # fmt: skip
        self.intruders.append(intruder)
        return intruder

    def guest(self, kind: str) -> Guest:
        """Return the guest of a kind."""
        return next(guest for guest in self._guests if guest.kind == kind)

    @property
    def everybody(self) -> list[ProducerProcess]:
        """All that make readings."""
        return [*self.producers, *self.intruders]

    def nodes_of(self, producer: int) -> list[str]:
        """Return the names of a producer's nodes that are no guests."""
        return nodes_of(producer, self.load.nodes_per_producer)

    def readings_in(self, seconds: float) -> int:
        """Return how many readings a node makes in that time: at least one."""
        return max(1, round(seconds * self.load.readings_per_s))

    async def make(self, producer: int, count: int, within_s: float) -> None:
        """Let the nodes of a producer make so many readings, once what is wrong with them is over."""
        asked_s = time.monotonic()
        async with self.locks[f"producer {producer}"]:
            late = time.monotonic() - asked_s > within_s / 2
            within_s = within_s / CATCH_UP if late else within_s
            await self.producers[producer].order("make", count=count, within_s=within_s)

    async def carry_out(self, plan: list[Fault], sorts: dict[str, Inject], at_once: int) -> None:
        """Let everything of the plan go wrong, at most so much at once."""
        free = asyncio.Semaphore(at_once)

        async def one(fault: Fault) -> None:
            try:
                self.begun.append((time.time_ns() // 1_000_000, fault.sort))
                self.tell(f"fault {len(self.begun)} of {len(plan)}: {fault.sort} for {fault.lasts_s:.1f} s")
                await sorts[fault.sort](self, fault)
            finally:
                free.release()

        async with asyncio.TaskGroup() as tasks:
            for fault in plan:
                for index in range(self.load.producers):
                    tasks.create_task(self.make(index, fault.readings, fault.after_s))
                await asyncio.sleep(fault.after_s)
                await free.acquire()  # not further ahead than things go wrong
                tasks.create_task(one(fault), name=f"fault {fault.number} {fault.sort}")

    async def look(self) -> dict[str, Any]:
        """Ask for the account; an equation that does not hold, at any moment, is a trouble."""
        async with self._looking:
            account = await asyncio.to_thread(self.gateway.look)
        self.looks += 1
        for row in account["nodes"]:
            if not row["balanced"]:
                self.troubles.append(f"the account does not balance: {row}")
        if self.gateway.ended and not self.locks["gateway"].locked():
            self.troubles.append(f"the gateway ended by itself:\n{self.gateway.log()[-2000:]}")
            self.gateway.start()
        return account

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def listen(self) -> None:
        """Hear the packs that go by, for ever."""
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with self.stranger("tap") as client:
                    for leaf in ("data", "replay"):
                        await client.subscribe(f"cn/v1/+/{leaf}", 1)
                    async for message in client.messages:
                        payload = bytes(message.payload) if isinstance(message.payload, bytes) else b""
                        with contextlib.suppress(WireError):
                            decode_pack(payload)
                            self.heard.append((str(message.topic), payload))
            await asyncio.sleep(0.2)

    @asynccontextmanager
    async def stranger(self, name: str) -> AsyncIterator[aiomqtt.Client]:
        """A client that is no node."""
        client = aiomqtt.Client(
            self.broker.host, self.broker.port, identifier=name, timeout=20.0, logger=_quiet
        )
        hear_out(client)
        try:
            async with client:
                yield client
        finally:
            hear_out(client)

    async def heal(self) -> bool:
        """All is sound again: deliver what is left; return whether all came to rest."""
        for line in (self.wan, self.gateway_line, *self.node_lines):
            line.heal()
        self.tell("all is sound again: nodes deliver what they hold")
        answers = await asyncio.gather(
            *(producer.order("drain", within_s=DRAIN_WITHIN_S) for producer in self.producers)
        )
        held = {node: count for answer in answers for node, count in answer["held"].items()}
        if held:
            self.troubles.append(f"nodes could not hand over their readings: {held}")
        try:
            await self.until(
                lambda account: (
                    bool(account["nodes"])
                    and all(row["queued"] == 0 for row in account["nodes"] if row["node"] != "gw-01")
                )
            )
        except TimeoutError:
            waiting = [row for row in (await self.look())["nodes"] if row["queued"]]
            self.troubles.append(f"readings still wait: {waiting}")
            return False
        return not held

    async def until(self, holds: Callable[[dict[str, Any]], bool], within_s: float = DRAIN_WITHIN_S) -> None:
        """Return when the account is so, or raise TimeoutError."""
        async with asyncio.timeout(within_s):
            while not holds(await self.look()):  # noqa: ASYNC110 (another process: no event to wait for)
                await asyncio.sleep(0.1)

    async def until_node(self, node: str, **counts: int) -> None:
        """Return when these counts of a node's account are so; a trouble when they never are."""
        try:
            await self.until(
                lambda account: any(
                    row["node"] == node and counts.items() <= row.items() for row in account["nodes"]
                )
            )
        except TimeoutError:
            rows = [row for row in (await self.look())["nodes"] if row["node"] == node]
            self.troubles.append(f"it never came to {counts}: {rows}")

    async def close(self) -> None:
        """End everything."""
        await asyncio.gather(*(producer.close() for producer in self.everybody))
        self.gateway.close()
        for line in (self.wan, self.gateway_line, *self.node_lines):
            await line.close()
        self.store.kill()
        self.broker.kill()


@asynccontextmanager
async def running(
    folder: Path, scenario: Scenario, seed: int, tell: Callable[[str], None]
) -> AsyncIterator[Laboratory]:
    """A laboratory at work, with somebody who looks at its account and somebody who listens."""
    laboratory = Laboratory(folder, scenario, seed, tell)
    try:
        await laboratory.start()
        watching = [asyncio.create_task(laboratory.watch()), asyncio.create_task(laboratory.listen())]
        try:
            yield laboratory
        finally:
            results = await end(*watching)
        for result in results:
            if isinstance(result, Exception):
                raise result
    finally:
        await laboratory.close()
