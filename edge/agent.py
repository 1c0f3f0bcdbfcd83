"""A node's voice without a socket: what it announces, sends and answers; and the loop that samples for it."""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edge.link import Message
from edge.model.errors import ConfigError, WireError
from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.model.quality import Clock
from edge.model.quantities import QUANTITIES
from edge.outbox import Counts, Outbox, OutboxConfig
from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import (
    MAX_VALUE,
    Ack,
    Birth,
    Column,
    Death,
    decode_ack,
    encode_birth,
    encode_death,
    encode_pack,
)

log = logging.getLogger(__name__)

GRID_TOLERANCE_MS = 1_000
"""A reading made this close to its grid time carries the grid time, else the true one."""

Values = Sequence[float | None]


class Sampler(Protocol):
    """What reads the sensors. Called once a period, from one task; it must not block."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The quantities in the order of the values, with their decimals on the wire."""

    def sample(self, now_ms: int) -> Values | None:
        """Return a value or None for each column, or None in all when there is no reading to make."""


class TimeSource(Protocol):
    """The clock that stamps readings, and how far it can be trusted now."""

    @property
    def state(self) -> Clock:
        """What the readings of this moment say of their clock."""

    def now_ms(self) -> int:
        """Return the time of day, epoch milliseconds."""

    async def sleep_until(self, t_ms: int) -> None:
        """Return about when the time of day reaches `t_ms`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentConfig:
    """How a node batches, and what it says of itself."""

    flush_s: float = 1.0
    """A reading waits at most so long for company in its pack."""
    pack_rows: int = 60
    live_periods: float = 3.0
    """A pack whose newest reading is older than so many periods is history: it goes to `replay`."""
    firmware: str = "cityneuron-agent"
    hardware: str = "linux"
    serial: str = ""
    """The hardware's own number, at most 64 characters: it tells two devices of one node id apart."""
    drain_s: float = 10.0
    """At a stop, wait at most so long for the last acknowledgements."""
    outbox: OutboxConfig = field(default_factory=OutboxConfig)


def default_columns(kind: str) -> tuple[Column, ...]:
    """Return the columns of a kind's default schema, as the catalogue has them."""
    return tuple(Column(name, QUANTITIES[name].decimals) for name in KINDS[kind].quantities)


def scale(columns: Sequence[Column], values: Values) -> tuple[int | None, ...]:
    """Return values as the wire has them: integers; what is no finite number of 53 bits becomes None."""
    if len(values) != len(columns):
        raise ConfigError(f"{len(values)} values for {len(columns)} columns", remedy="return one a column")
    return tuple(_scaled(value, column.decimals) for value, column in zip(values, columns, strict=True))


def _scaled(value: float | None, decimals: int) -> int | None:
    if value is None or not math.isfinite(value):
        return None
    number = round(value * 10**decimals)
    return number if -MAX_VALUE < number < MAX_VALUE else None


class NodeAgent:
    """One node: numbers its readings, packs them, answers the gateway. Holds no connection and no task."""

    def __init__(
        self,
        node: Node,
        columns: Sequence[Column],
        boot: int,
        time_source: TimeSource,
        *,
        period_s: float | None = None,
        schema: int | None = None,
        config: AgentConfig | None = None,
    ) -> None:
        kind = KINDS.get(node.kind)
        if kind is None:
            raise ConfigError(
                f"node {node.id}: unknown kind {node.kind!r}", remedy=f"one of {', '.join(KINDS)}"
            )
        self.node = node
        self.columns = tuple(columns)
        self.period_s = kind.period_s if period_s is None else period_s
        self.outbox = Outbox(
            boot, (config or AgentConfig()).outbox, schema=kind.schema if schema is None else schema
        )
        self.changed: Callable[[], None] = lambda: None
        """Called when there may be something to send; the link sets it."""
        self._config = config or AgentConfig()
        self._time = time_source
        self._announce = True
        self._announced_s = -math.inf
        self._unsent_since_s: float | None = None

    @property
    def counts(self) -> Counts:
        """The node's own ledger."""
        return self.outbox.counts

    @property
    def firmware(self) -> str:
        """What runs this node."""
        return self._config.firmware

    def record(self, t_ms: int, clock: Clock, integers: Sequence[int | None], now_s: float) -> int:
        """Take a reading as the wire has it (see `scale`) and return its number."""
        seq = self.outbox.append(t_ms, clock, integers)
        if self._unsent_since_s is None:
            self._unsent_since_s = now_s
            self.changed()
        elif self.outbox.unsent == self._config.pack_rows:
            self.changed()
        return seq

    def set_period(self, period_s: float) -> None:
        """Sample at another period, and say so; who runs the sampling begins it anew."""
        self.period_s = period_s
        self._announce = True
        self.changed()

    def connected(self, now_s: float) -> None:
        """A link stands: say who is here, and soon send again what may have been lost with the old link."""
        self._announce = True
        self.outbox.hasten(now_s + self._config.flush_s)

    def next_message(self, now_s: float, *, flush: bool = False) -> Message | None:
        """Return what to publish now, or None; `flush` sends without waiting for company."""
        if self._announce:
            self._announce, self._announced_s = False, now_s
            return Message(topic(self.node.id, Leaf.BIRTH), self.birth(), retain=True)
        pack = self.outbox.next_pack(now_s, self._config.pack_rows, fresh=flush or self._pack_is_ripe(now_s))
        if self.outbox.unsent == 0:
            self._unsent_since_s = None
        if pack is None:
            return None
        age_s = (self._time.now_ms() - pack.t0_ms - pack.rows[-1][0]) / 1000
        leaf = Leaf.DATA if age_s <= self._config.live_periods * self.period_s else Leaf.REPLAY
        return Message(topic(self.node.id, leaf), encode_pack(pack))

    def due_s(self, now_s: float) -> float:
        """Return in how many seconds `next_message` may have something; infinity if nothing is pending."""
        if self._announce or self._pack_is_ripe(now_s):
            return 0.0
        resend = self.outbox.due_s(now_s)
        waits = [] if resend is None else [resend]
        if self._unsent_since_s is not None and self.outbox.sendable:
            waits.append(self._unsent_since_s + self._config.flush_s - now_s)
        return max(0.0, min(waits, default=math.inf))

    def acknowledged(self, payload: bytes, now_s: float) -> int:
        """Take an `ack`; return how many readings it newly covers. A malformed one is logged and ignored."""
        try:
            ack = decode_ack(payload)
        except WireError as error:
            log.warning("%s: ack ignored: %s", self.node.id, error)
            return 0
        fresh = self.outbox.acknowledge(ack)
        if self._asks_for_what_is_gone(ack) and now_s - self._announced_s >= self._config.outbox.resend_s:
            self._announce = True
        return fresh

    def birth(self) -> bytes:
        """Return the announcement of this moment."""
        return encode_birth(
            Birth(
                node=self.node.id,
                kind=self.node.kind,
                firmware=self._config.firmware,
                hardware=self._config.hardware,
                boot=self.outbox.boot,
                schema=self.outbox.schema,
                columns=self.columns,
                period_s=self.period_s,
                oldest=self.outbox.oldest,
                next_seq=self.outbox.next_seq,
                clock=self._time.state,
                serial=self._config.serial,
            )
        )

    def death(self) -> Message:
        """Return the last will of this boot."""
        return Message(topic(self.node.id, Leaf.DEATH), encode_death(Death(self.outbox.boot)))

    def _pack_is_ripe(self, now_s: float) -> bool:
        if self._unsent_since_s is None or not self.outbox.sendable:
            return False
        full = self.outbox.unsent >= self._config.pack_rows
        return full or now_s - self._unsent_since_s >= self._config.flush_s

    def _asks_for_what_is_gone(self, ack: Ack) -> bool:
        return any((ack.boot, first) < self.outbox.oldest for first, _ in ack.again)


class SystemTime:
    """The computer's own clock, taken to be right."""

    @property
    def state(self) -> Clock:
        """What readings say of this clock."""
        return Clock.SYNCED

    def now_ms(self) -> int:
        """Return the time of day, epoch milliseconds."""
        return time.time_ns() // 1_000_000

    async def sleep_until(self, t_ms: int) -> None:
        """Return about when the time of day reaches `t_ms`."""
        await asyncio.sleep(max(0, t_ms - self.now_ms()) / 1000)


class Trust:
    """How far a node may trust what its clock shows, having seen what it showed before.

    A clock that is set back shows the same times twice. Two readings of one trusted millisecond are one and
    the same to a store, so until the newest time is passed again nothing is called synced. What was before
    `began_ms`, the time of the boot, may be an earlier boot's.
    """

    __slots__ = ("_newest_ms",)

    def __init__(self, began_ms: int) -> None:
        self._newest_ms = began_ms

    def state(self, t_ms: int, said: Clock) -> Clock:
        """Return the clock state of a reading made at `t_ms` by a clock that says `said` of itself."""
        if t_ms > self._newest_ms:
            self._newest_ms = t_ms
            return said
        return Clock.ESTIMATED if said is Clock.SYNCED else said


@dataclass(frozen=True, slots=True)
class Sampled:
    """An agent with its sampler and the offset of its sampling grid, milliseconds.

    `first_after_ms`, when given, makes one reading so soon after the start, before the grid begins. `trust` is
    what was seen of the clock before this start, if there is any.
    """

    agent: NodeAgent
    sampler: Sampler
    phase_ms: int = 0
    first_after_ms: int | None = None
    trust: Trust | None = None


async def sample_forever(sampled: Sequence[Sampled], time_source: TimeSource) -> None:
    """Sample each node on its own grid (multiples of its period since 1970, plus the phase) until cancelled.

    What was missed (the process slept, the clock was set) is not made up: a sensor cannot sense the past.
    """
    loop = asyncio.get_running_loop()
    begin_ms = time_source.now_ms()
    due = [
        (
            _next_on_grid(row, begin_ms) if row.first_after_ms is None else begin_ms + row.first_after_ms,
            index,
        )
        for index, row in enumerate(sampled)
    ]
    heapq.heapify(due)
    trust = [row.trust or Trust(begin_ms - 1) for row in sampled]
    while due:
        t_ms, index = due[0]
        await time_source.sleep_until(t_ms)
        row = sampled[index]
        now_ms = time_source.now_ms()
        if abs(now_ms - t_ms) > GRID_TOLERANCE_MS:
            t_ms = now_ms
        values = row.sampler.sample(t_ms)
        if values is not None:
            agent = row.agent
            clock = trust[index].state(t_ms, time_source.state)
            agent.record(t_ms, clock, scale(agent.columns, values), loop.time())
        heapq.heapreplace(due, (_next_on_grid(row, t_ms), index))


def _next_on_grid(row: Sampled, after_ms: int) -> int:
    period_ms = max(1, round(row.agent.period_s * 1000))
    return after_ms + period_ms - (after_ms - row.phase_ms) % period_ms
