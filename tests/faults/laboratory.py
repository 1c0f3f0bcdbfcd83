"""The laboratory: real servers, the real gateway, nodes in processes, and lines that can go bad."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
from city_rig import registered
from faults.processes import ConfinedGateway, ProducerProcess
from faults.proxy import Proxy
from faults.readings import KIND, nodes_of
from servers import InfluxDB, Mosquitto

from edge.link import hear_out
from edge.model.errors import WireError
from edge.protocol.wire import decode_pack
from simulators.faults import Fault, Load

_quiet = logging.getLogger(f"{__name__}.mqtt")
_quiet.setLevel(logging.CRITICAL + 1)  # a stranger's broken lines are meant
LOOK_EVERY_S = 1.0
DRAIN_WITHIN_S = 120.0
Inject = Callable[["Laboratory", Fault], Awaitable[None]]


class Laboratory:
    """Start it with `async with running(...)`, let things go wrong with `carry_out`, then `heal` and audit."""

    def __init__(self, folder: Path, load: Load, tell: Callable[[str], None]) -> None:
        self.folder = folder
        self.load = load
        self.tell = tell
        self.broker = Mosquitto(folder / "broker")
        self.store = InfluxDB(folder / "store")
        self.wan = Proxy(self.store.port)
        self.gateway_line = Proxy(self.broker.port)
        self.node_lines = [Proxy(self.broker.port) for _ in range(load.producers)]
        self.gateway: ConfinedGateway
        self.producers: list[ProducerProcess] = []
        self.locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """One a thing that can be broken: a thing has one fault at a time."""
        self.heard: deque[tuple[str, bytes]] = deque(maxlen=400)
        """Packs that went by, for those who say things twice."""
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
        names = [name for index in range(self.load.producers) for name in self.nodes_of(index)]
        nodes = [registered(name, KIND) for name in names]
        self.gateway = ConfinedGateway(self.folder / "gateway", self.gateway_line.port, self.wan.port, nodes)
        self.gateway.start()
        for index, line in enumerate(self.node_lines):
            self.producers.append(
                ProducerProcess(self.folder / f"producer-{index}", index, self.load, line.port)
            )
        await asyncio.gather(*(producer.start() for producer in self.producers))
        await self.until(
            lambda account: sum(row["stored"] > 0 for row in account["nodes"]) > len(names), within_s=60.0
        )  # the gateway is a node too

    def nodes_of(self, producer: int) -> list[str]:
        """Return the names of a producer's nodes."""
        return nodes_of(producer, self.load.nodes_per_producer)

    async def carry_out(self, plan: list[Fault], sorts: dict[str, Inject], at_once: int) -> None:
        """Let everything of the plan go wrong, at most so much at once."""
        free = asyncio.Semaphore(at_once)

        async def one(fault: Fault) -> None:
            async with free:
                self.begun.append((time.time_ns() // 1_000_000, fault.sort))
                self.tell(f"fault {len(self.begun)} of {len(plan)}: {fault.sort} for {fault.lasts_s:.1f} s")
                await sorts[fault.sort](self, fault)

        async with asyncio.TaskGroup() as tasks:
            for fault in plan:
                await asyncio.sleep(fault.after_s)
                async with free:  # not further ahead than things go wrong
                    pass
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
        client = aiomqtt.Client(self.broker.host, self.broker.port, identifier=name, timeout=2.0, logger=_quiet)
        hear_out(client)
        try:
            async with client:
                yield client
        finally:
            hear_out(client)

    async def heal(self) -> bool:
        """All is sound again: produce no more, deliver what is left; return whether all came to rest."""
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

    async def close(self) -> None:
        """End everything."""
        await asyncio.gather(*(producer.close() for producer in self.producers))
        self.gateway.close()
        for line in (self.wan, self.gateway_line, *self.node_lines):
            await line.close()
        self.store.kill()
        self.broker.kill()


@asynccontextmanager
async def running(folder: Path, load: Load, tell: Callable[[str], None]) -> AsyncIterator[Laboratory]:
    """A laboratory at work, with somebody who looks at its account and somebody who listens."""
    laboratory = Laboratory(folder, load, tell)
    try:
        await laboratory.start()
        watching = [asyncio.create_task(laboratory.watch()), asyncio.create_task(laboratory.listen())]
        try:
            yield laboratory
        finally:
            for task in watching:
                task.cancel()
            results = await asyncio.gather(*watching, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
    finally:
        await laboratory.close()
