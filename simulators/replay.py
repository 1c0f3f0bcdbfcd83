"""Recorded data on the path of live data: a file's rows are sensed again, numbered, sent and acknowledged."""

from __future__ import annotations

import asyncio
import secrets
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge.agent import AgentConfig, NodeAgent, SystemTime
from edge.broker import BrokerAddress
from edge.link import Link, LinkConfig
from edge.model.errors import ConfigError
from edge.model.node import NodeId
from edge.model.quality import Clock
from edge.outbox import Counts, OutboxConfig
from edge.protocol.wire import BOOT_STEP, Column
from edge.tasks import end
from simulators.rows import Fault, Reading, Recording, Survey, Tally, scaled

HELD_ROWS = 8_000
"""At most so many rows of a link wait for their acknowledgement: a replay is as fast as its gateway."""
NODES_PER_LINK = 50
_BREATHE_ROWS = 200
_FAULTS_LISTED = 1_000
_OWN_SCHEMAS = 1_000


@dataclass(slots=True)
class Result:
    """What a replay did, told in full: read = published + skipped + untimed."""

    tally: Tally = field(default_factory=Tally)
    counts: Counts = field(default_factory=Counts)
    nodes: int = 0
    rounded: int = 0
    out_of_order: int = 0
    faults: list[Fault] = field(default_factory=list)
    faults_total: int = 0
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Return whether every published reading was acknowledged."""
        return self.counts.acknowledged == self.counts.produced == self.tally.readings

    def to_dict(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "rows_read": self.tally.read,
            "published": self.counts.produced,
            "acknowledged": self.counts.acknowledged,
            "unacknowledged": self.counts.held + self.counts.dropped,
            "skipped": self.tally.skipped,
            "nodes": self.nodes,
            "estimated_time": self.out_of_order,
            "rounded_values": self.rounded,
            "unparsable_values": self.faults_total,
            "unparsable": [fault.to_dict() for fault in self.faults],
            "untimed": len(self.tally.untimed),
            "untimed_rows": [fault.to_dict() for fault in self.tally.untimed[:_FAULTS_LISTED]],
            "seconds": round(self.seconds, 3),
        }


Progress = Callable[[Result], None]


class Replay:
    """One run of one recording against one broker."""

    def __init__(
        self,
        recording: Recording,
        survey: Survey,
        broker: BrokerAddress,
        *,
        boot: int | None = None,
        speed: float | None = None,
        link_config: LinkConfig | None = None,
    ) -> None:
        if speed is not None and not speed > 0:
            raise ConfigError(
                f"speed {speed} is not above 0", remedy="leave --speed away for as fast as possible"
            )
        self._recording = recording
        self._speed = speed
        boot = _own_boot() if boot is None else boot
        self._columns = {node: survey.columns(node) for node in survey.nodes}
        self._agents = {node: self._agent(survey, node, boot) for node in survey.nodes}
        self._last_ms: dict[NodeId, int] = {}
        self._links = self._grouped(broker, boot, link_config)
        self._link_of = {agent.node.id: link for link, agents in self._links for agent in agents}
        self.result = Result(nodes=len(self._agents))

    async def run(self, *, drain_s: float | None = None, progress: Progress | None = None) -> Result:
        """Publish all rows and wait for all acknowledgements, or give up when none comes for `drain_s`."""
        began_s = time.monotonic()
        running = [asyncio.create_task(link.run(), name="replay link") for link, _ in self._links]
        try:
            await self._patiently(self._feed(progress), drain_s, progress)
            await self._patiently(self._drain(), drain_s, progress)
        finally:
            for link, _ in self._links:
                link.stop()
            await asyncio.wait(running, timeout=2.0)
            await end(*running)
            self._account(began_s)
            if progress:
                progress(self.result)
        return self.result

    async def _patiently(self, work: Any, patience_s: float | None, progress: Progress | None) -> None:
        """Run `work` as long as acknowledgements keep coming; a second without any is a look at the clock."""
        task = asyncio.create_task(work)
        acknowledged, since_s = -1, time.monotonic()
        try:
            while not task.done():
                await asyncio.wait([task], timeout=0.25)
                self._account(None)
                if progress:
                    progress(self.result)
                now = self.result.counts
                if now.acknowledged != acknowledged or now.held == 0:
                    acknowledged, since_s = now.acknowledged, time.monotonic()
                elif patience_s is not None and time.monotonic() - since_s > patience_s:
                    return
            task.result()
        finally:
            await end(task)

    async def _feed(self, progress: Progress | None) -> None:
        loop = asyncio.get_running_loop()
        first_ms: int | None = None
        began_s = loop.time()
        for number, reading in enumerate(self._recording.readings(self.result.tally)):
            if self._speed is not None:
                first_ms = reading.t_ms if first_ms is None else first_ms
                await asyncio.sleep(began_s + (reading.t_ms - first_ms) / 1000 / self._speed - loop.time())
            self._record(reading, loop.time())
            if number % _BREATHE_ROWS == 0:
                link = self._link_of[reading.node]
                await asyncio.sleep(0)
                await link.until(lambda link=link: link.counts.held < HELD_ROWS)  # type: ignore[misc]

    def _record(self, reading: Reading, now_s: float) -> None:
        columns = self._columns[reading.node]
        integers: list[int | None] = []
        for value, column in zip(reading.values, columns, strict=True):
            integer, was_rounded = scaled(value, column)
            self.result.rounded += was_rounded
            integers.append(integer)
        self.result.faults_total += len(reading.faults)
        self.result.faults.extend(reading.faults[: max(0, _FAULTS_LISTED - len(self.result.faults))])
        last_ms = self._last_ms.get(reading.node)
        in_order = last_ms is None or reading.t_ms > last_ms
        self.result.out_of_order += not in_order
        self._last_ms[reading.node] = reading.t_ms
        clock = Clock.SYNCED if in_order else Clock.ESTIMATED
        self._agents[reading.node].record(reading.t_ms, clock, integers, now_s)

    async def _drain(self) -> None:
        await asyncio.gather(*(link.drain(None) for link, _ in self._links))

    def _account(self, began_s: float | None) -> None:
        self.result.counts = sum((agent.counts for agent in self._agents.values()), Counts())
        if began_s is not None:
            self.result.seconds = time.monotonic() - began_s

    def _agent(self, survey: Survey, node: NodeId, boot: int) -> NodeAgent:
        columns = self._columns[node]
        return NodeAgent(
            survey.nodes[node],
            columns,
            boot,
            SystemTime(),
            schema=schema_of(columns),
            config=AgentConfig(
                flush_s=0.05,
                pack_rows=250,
                firmware="cityneuron-replay",
                hardware="recording",
                outbox=OutboxConfig(capacity_rows=3 * HELD_ROWS, window_rows=HELD_ROWS, resend_s=5.0),
            ),
        )

    def _grouped(
        self, broker: BrokerAddress, boot: int, config: LinkConfig | None
    ) -> list[tuple[Link, Sequence[NodeAgent]]]:
        agents = list(self._agents.values())
        groups = [agents[start : start + NODES_PER_LINK] for start in range(0, len(agents), NODES_PER_LINK)]
        return [
            (Link(group, broker, client_id=f"replay-{group[0].node.id}-{boot}", config=config), group)
            for group in groups
        ]


def _own_boot() -> int:
    """Return a boot that no other replay has: a recording keeps no count, so the time stands for it."""
    return int(time.time()) * BOOT_STEP + secrets.randbelow(BOOT_STEP)


def schema_of(columns: Sequence[Column]) -> int:
    """Return a schema number that belongs to these columns, apart from the catalogue's own."""
    text = ",".join(f"{column.quantity}:{column.decimals}" for column in columns)
    return _OWN_SCHEMAS + zlib.crc32(text.encode()) % (2**31 - _OWN_SCHEMAS)
