"""A city that lives faster than ours, for storms: hundreds of nodes, and phones that note all they get."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from edge.agent import AgentConfig, NodeAgent
from edge.broker import BrokerAddress
from edge.link import Link, LinkConfig
from edge.model.kinds import KINDS
from edge.model.node import Node, node_id
from edge.model.quality import Clock
from edge.model.quantities import QUANTITIES
from edge.outbox import OutboxConfig
from edge.protocol.wire import Column

SPEED = 60.0
"""A minute of the city is a second of ours."""
NODES_A_LINK = 25
STAGES = {"near_m": 2.8, "warning_m": 3.0, "guaranteed_m": 3.5, "record_m": 4.5}
CALM: dict[str, dict[str, float]] = {
    "water_level": {"level_m": 2.0, "water_temperature_c": 16, "battery_v": 3.7, "rssi_dbm": -70},
    "hazmat": {"gas_lel_pct": 0, "temperature_c": 18, "door_open": 0, "battery_v": 3.7},
    "tunnel": {"co_mg_m3": 4, "co2_ppm": 500, "no2_ug_m3": 40, "fan_on": 1, "level_m": 0, "illuminance_lx": 80},
    "streetlight": {
        "lamp_on": 0, "dim_pct": 0, "voltage_v": 225, "current_a": 0, "power_w": 0, "energy_wh": 1000,
        "lamp_temperature_c": 20,
    },
    "parking_bay": {"occupied": 0, "battery_v": 3.7, "rssi_dbm": -70},
}  # fmt: skip
"""What nodes measure while nothing happens."""


class FastClock:
    """The city's time: it begins at a given moment and runs SPEED times as fast as the loop's."""

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self._time = asyncio.get_running_loop().time
        self._zero = self._time()

    def now(self) -> float:
        """Return the city's time, epoch seconds."""
        return self.began_s + (self._time() - self._zero) * SPEED

    # what a node's clock can do (edge.agent.TimeSource)

    @property
    def state(self) -> Clock:
        """It is right."""
        return Clock.SYNCED

    def now_ms(self) -> int:
        """Return the city's time, epoch milliseconds."""
        return round(self.now() * 1000)

    async def sleep_until(self, t_ms: int) -> None:
        """Return about when the city's time reaches `t_ms`."""
        await asyncio.sleep(max(0.0, t_ms / 1000 - self.now()) / SPEED)

    @property
    def minute(self) -> float:
        """How many minutes of the city have passed."""
        return (self.now() - self.began_s) / 60

    async def until(self, minute: float) -> None:
        """Return when so many minutes of the city have passed."""
        await asyncio.sleep(max(0.0, (minute - self.minute) * 60 / SPEED))


@dataclass
class Phones:
    """A receiver of webhooks: what each of its addresses was told, in the order of arrival."""

    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)
    url: str = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Phones]:
        """Take messages at {url}/NAME until the end."""
        app = web.Application()
        app.router.add_post("/{name}", self._take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        async with self.came:
            self.told.append((request.match_info["name"], await request.json()))
            self.came.notify_all()
        return web.Response()

    async def until(self, count: int, within_s: float) -> None:
        """Return when so many messages have come."""
        async with asyncio.timeout(within_s), self.came:
            await self.came.wait_for(lambda: len(self.told) >= count)

    def channels_file(self, folder: Path, name: str) -> Path:
        """Write a channels file with one webhook to this receiver."""
        for part, text in (("url", f"{self.url}/{name}"), ("secret", "a secret of the test")):
            path = folder / f"{name}-{part}"
            path.touch(mode=0o600)
            path.write_text(text)
        path = folder / f"{name}.toml"
        path.write_text(
            f'[[channel]]\nname = "{name}"\ntype = "webhook"\nlanguage = "en"\nallow_http = true\n'
            f'url_file = "{folder}/{name}-url"\nsecret_file = "{folder}/{name}-secret"\n'
        )
        return path


class StormCity:
    """Nodes of several kinds, each with an outbox of its own; `events` say what they measure when."""

    def __init__(
        self, counts: Mapping[str, int], clock: FastClock, broker_url: str, gateway: str,
        events: Mapping[tuple[str, str], Callable[[float], float | None]],
    ) -> None:  # fmt: skip
        self.clock = clock
        self.events = dict(events)
        self.nodes = [
            Node(
                id=node_id(f"{kind.replace('_', '-')}-{index:03}"), kind=kind, label_en=f"{kind} {index}",
                label_zh=f"{kind} {index}", site=f"site-{index % 20}", district="yangpu", gateway=gateway,
                stages=STAGES if kind == "water_level" else {},
            )
            for kind, count in counts.items()
            for index in range(count)
        ]  # fmt: skip
        config = AgentConfig(flush_s=0.02, pack_rows=20, outbox=OutboxConfig(resend_s=5.0))
        self._agents = [
            NodeAgent(node, _columns(node.kind), 10_001, clock, period_s=60, config=config)
            for node in self.nodes
        ]
        fast = LinkConfig(retry_first_s=0.1, retry_limit_s=0.3)
        address = BrokerAddress.parse(broker_url)
        self._links = [
            Link(self._agents[at : at + NODES_A_LINK], address, client_id=f"storm-{at}", config=fast)
            for at in range(0, len(self._agents), NODES_A_LINK)
        ]

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """Connect all nodes and let each sense once a minute of the city, until the end."""
        async with asyncio.TaskGroup() as tasks:
            links = [tasks.create_task(link.run()) for link in self._links]
            senses = tasks.create_task(self._sense())
            try:
                yield
            finally:
                senses.cancel()
                for link in self._links:
                    link.stop()
                await asyncio.wait(links, timeout=10)

    async def _sense(self) -> None:
        """Each node senses at a moment of its own within every minute."""
        minute, loop = 0, asyncio.get_running_loop()
        while True:
            for index, agent in enumerate(self._agents):
                at = minute + index / len(self._agents)
                if self.clock.minute < at:
                    await self.clock.until(at)
                t_ms = round((self.clock.began_s + at * 60) * 1000)
                agent.record(t_ms, Clock.SYNCED, self._values(agent, at), loop.time())
            minute += 1

    def _values(self, agent: NodeAgent, minute: float) -> tuple[int | None, ...]:
        values: list[int | None] = []
        for column in agent.columns:
            calm = CALM[agent.node.kind][column.quantity]
            resolution = QUANTITIES[column.quantity].resolution
            said = self.events.get((agent.node.id, column.quantity), lambda _: None)(minute)
            value = calm + resolution * (round(minute) % 2) * (calm != 0) if said is None else said
            values.append(math.floor(value * 10**column.decimals + 0.5))
        return tuple(values)


def _columns(kind: str) -> tuple[Column, ...]:
    return tuple(Column(name, QUANTITIES[name].decimals) for name in KINDS[kind].quantities)
