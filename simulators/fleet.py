"""The district's nodes, alive: each with its outbox, on links as they would be in the street."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from edge.agent import (
    AgentConfig,
    NodeAgent,
    Sampled,
    SystemTime,
    TimeSource,
    default_columns,
    sample_forever,
    scale,
)
from edge.broker import BrokerAddress
from edge.link import Link, LinkConfig, client_id
from edge.model.kinds import KINDS
from edge.model.node import Node, NodeId
from edge.outbox import Counts, OutboxConfig
from edge.protocol.wire import Column
from edge.tasks import end
from simulators.city import City
from simulators.physics import sense
from simulators.physics.chance import unit
from simulators.physics.scene import Scene
from simulators.sensor_faults import FaultConfig, is_silent, with_sentinel

log = logging.getLogger(__name__)

GOODBYE_S = 2.0
"""At the end, the links have so long to say that their nodes leave."""
CONCENTRATED = frozenset({"streetlight", "manhole", "power_meter", "water_meter", "gas_meter", "parking_bay"})
"""Kinds that reach the network through a feeder pillar or a meter concentrator, which has no last will."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetConfig:
    """How the district is run."""

    period_scale: float = 1.0
    """Every period of the catalogue is multiplied by this: 0.1 makes a lively demonstration."""
    nodes_per_link: int = 20
    """How many nodes of a CONCENTRATED kind share a connection."""
    connects_per_s: float = 40.0
    first_within_s: float = 5.0
    """Every node makes its first reading within so many seconds, and then keeps its own grid."""
    faults: FaultConfig = field(default_factory=FaultConfig)
    agent: AgentConfig = field(
        default_factory=lambda: AgentConfig(
            flush_s=0.05,
            firmware="cityneuron-sim",
            hardware="simulated",
            outbox=OutboxConfig(capacity_rows=1_200, window_rows=600),
        )
    )
    link: LinkConfig = field(default_factory=lambda: LinkConfig(log_level=logging.INFO))


class VirtualSensor:
    """What a simulated node's sensors say: physics, seldom a fault."""

    def __init__(self, city: City, node: Node, period_s: float, faults: FaultConfig) -> None:
        self.columns: tuple[Column, ...] = default_columns(node.kind)
        self._city = city
        self._node = node
        self._period_s = period_s
        self._faults = faults
        self._traits = city.traits.get(node.id, {})

    def sample(self, now_ms: int) -> tuple[float, ...] | None:
        """Return the values of this moment, or None while the node is silent."""
        seed, node, t_s = self._city.seed, self._node, now_ms / 1000
        if is_silent(self._faults, seed, node.id, t_s):
            return None
        values = sense(Scene(seed, node, self._traits, t_s, self._period_s))
        return with_sentinel(self._faults, seed, node.id, t_s, values)


def _serial(node: Node) -> str:
    return f"sim-{node.id}"


class _Gate:
    """Lets one connection through at a time, so many a second: a city does not switch on all at once."""

    def __init__(self, per_s: float) -> None:
        self._step_s = 1 / per_s
        self._next_s = 0.0

    async def __call__(self) -> None:
        now_s = asyncio.get_running_loop().time()
        self._next_s = max(now_s, self._next_s + self._step_s)
        await asyncio.sleep(self._next_s - now_s)


class Fleet:
    """Virtual nodes of a city: `async with` keeps their links, `start_producing` lets them sense."""

    def __init__(
        self,
        city: City,
        broker: BrokerAddress,
        *,
        boot: int,
        config: FleetConfig | None = None,
        time_source: TimeSource | None = None,
    ) -> None:
        self.city = city
        self._config = config or FleetConfig()
        self._time = time_source or SystemTime()
        self._sampled = [self._virtual(node, boot) for node in city.nodes]
        self._agents: dict[NodeId, NodeAgent] = {row.agent.node.id: row.agent for row in self._sampled}
        gate = _Gate(self._config.connects_per_s)
        self._links = [
            Link(
                agents,
                broker,
                client_id=f"{city.district}-{city.seed}-{agents[0].node.id}"
                if len(agents) > 1
                else client_id(agents[0].node.id, _serial(agents[0].node)),
                config=self._config.link,
                gate=gate,
            )
            for agents in self._groups()
        ]
        self._sampling: asyncio.Task[None] | None = None
        self._running: list[asyncio.Task[None]] = []

    @property
    def links(self) -> int:
        """How many MQTT connections the fleet keeps."""
        return len(self._links)

    @property
    def counts(self) -> Counts:
        """The ledger of all nodes together."""
        return sum((agent.counts for agent in self._agents.values()), Counts())

    def totals(self) -> Mapping[NodeId, Counts]:
        """Return each node's own ledger: produced = acknowledged + held + dropped."""
        return {node: agent.counts for node, agent in self._agents.items()}

    async def __aenter__(self) -> Fleet:
        self._running = [asyncio.create_task(link.run(), name="fleet link") for link in self._links]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.stop_producing()
        for link in self._links:
            link.stop()
        await asyncio.wait(self._running, timeout=GOODBYE_S)
        await end(*self._running)

    async def wait(self) -> None:
        """Return only when something in the fleet fails, by raising it."""
        tasks = [*self._running, *([self._sampling] if self._sampling else [])]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled():
                task.result()

    async def connected(self, timeout_s: float) -> None:
        """Return when every link has reached the broker once, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                for link in self._links:
                    await link.met.wait()

    async def remember(self, span_s: float, step_s: float) -> None:
        """Give every node the readings that it would have made in the past `span_s`, one each `step_s`."""
        now_ms, step_ms = self._time.now_ms(), round(step_s * 1000)
        first_ms = now_ms - round(span_s * 1000)
        now_s = asyncio.get_running_loop().time()
        for row in self._sampled:
            offset_ms = row.phase_ms % step_ms
            for t_ms in range(first_ms - first_ms % step_ms + offset_ms, now_ms - step_ms // 2, step_ms):
                values = row.sampler.sample(t_ms)
                if values is not None:
                    row.agent.record(t_ms, self._time.state, scale(row.agent.columns, values), now_s)
            await asyncio.sleep(0)

    def start_producing(self) -> None:
        """Let every node sample from now on."""
        self._sampling = asyncio.create_task(sample_forever(self._sampled, self._time), name="fleet sampling")

    def stop_producing(self) -> None:
        """Make no more readings; what was made is still delivered."""
        if self._sampling:
            self._sampling.cancel()

    async def drain(self, timeout_s: float) -> bool:
        """Deliver what is left; return whether all was acknowledged in time."""
        results = await asyncio.gather(*(link.drain(timeout_s) for link in self._links), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, TimeoutError):
                raise result
        return self.counts.held == 0

    def _virtual(self, node: Node, boot: int) -> Sampled:
        period_s = KINDS[node.kind].period_s * self._config.period_scale
        sensor = VirtualSensor(self.city, node, period_s, self._config.faults)
        config = replace(self._config.agent, serial=_serial(node))
        agent = NodeAgent(node, sensor.columns, boot, self._time, period_s=period_s, config=config)
        place = unit(self.city.seed, node.id, "phase")
        return Sampled(
            agent,
            sensor,
            phase_ms=round(place * period_s * 1000),
            first_after_ms=round(place * min(period_s, self._config.first_within_s) * 1000),
        )

    def _groups(self) -> Iterator[list[NodeAgent]]:
        shared: list[NodeAgent] = []
        for agent in self._agents.values():
            if agent.node.kind in CONCENTRATED and self._config.nodes_per_link > 1:
                shared.append(agent)
            else:
                yield [agent]
        for start in range(0, len(shared), self._config.nodes_per_link):
            yield shared[start : start + self._config.nodes_per_link]


async def run_fleet(
    city: City,
    broker: BrokerAddress,
    *,
    boot: int,
    stop: asyncio.Event,
    config: FleetConfig | None = None,
    time_source: TimeSource | None = None,
    drain_s: float = 10.0,
) -> Mapping[NodeId, Counts]:
    """Run the district until `stop` is set, deliver what is left within `drain_s`, return the ledger."""
    async with Fleet(city, broker, boot=boot, config=config, time_source=time_source) as fleet:
        fleet.start_producing()
        stopped = asyncio.create_task(stop.wait())
        failed = asyncio.create_task(fleet.wait())
        try:
            await asyncio.wait((stopped, failed), return_when=asyncio.FIRST_COMPLETED)
            if failed.done():
                failed.result()
            fleet.stop_producing()
            await fleet.drain(drain_s)
        finally:
            stopped.cancel()
            failed.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await failed
        return fleet.totals()
