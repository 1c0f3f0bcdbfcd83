"""What a node has sensed and must not forget: numbered readings, kept until the gateway has them on its disk.

Pure: the caller brings the time and carries the packs. Acknowledged readings stay until their room is
needed, so that a gateway that lost its disk can ask for them again.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edge.model.quality import Clock
from edge.protocol.wire import MAX_ROWS, MAX_SEQ, Ack, Pack

RESEND_LIMIT_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxConfig:
    """How much an outbox keeps, and how patiently it waits for an acknowledgement."""

    capacity_rows: int = 10_000
    window_rows: int = 4_000
    """At most so many rows are under way unacknowledged: a dead gateway must not flood its broker."""
    resend_s: float = 15.0
    """The first wait; it doubles with each resend of the same rows, up to RESEND_LIMIT_S."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """The node's own ledger: produced = acknowledged + held + dropped, always."""

    produced: int = 0
    acknowledged: int = 0
    held: int = 0
    dropped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            produced=self.produced + other.produced,
            acknowledged=self.acknowledged + other.acknowledged,
            held=self.held + other.held,
            dropped=self.dropped + other.dropped,
        )


@dataclass(slots=True)
class _Reading:
    t_ms: int
    clock: Clock
    values: tuple[int | None, ...]


@dataclass(frozen=True, order=True, slots=True)
class _Flight:
    """Rows [first, end) that were sent and are not yet acknowledged; the first due stands first in the heap."""

    due_s: float
    first: int
    end: int
    attempt: int


@dataclass(slots=True)
class _Shelf:
    """One boot's readings: [base, end) are kept, below `upto` acknowledged, from `unsent` on never sent."""

    boot: int
    readings: dict[int, _Reading] = field(default_factory=dict)
    base: int = 0
    end: int = 0
    upto: int = 0
    unsent: int = 0
    acknowledged: int = 0
    dropped: int = 0
    flights: list[_Flight] = field(default_factory=list)
    wanted: deque[tuple[int, int]] = field(default_factory=deque)

    @property
    def held(self) -> int:
        return self.end - max(self.base, self.upto)

    @property
    def under_way(self) -> int:
        return max(0, self.unsent - max(self.base, self.upto))

    def drop_oldest(self) -> None:
        del self.readings[self.base]
        if self.base >= self.upto:
            self.dropped += 1
        self.base += 1
        self.unsent = max(self.unsent, self.base)

    def acknowledge(self, upto: int, again: Sequence[tuple[int, int]]) -> int:
        upto = min(upto, self.end)
        fresh = max(0, upto - max(self.base, self.upto))
        self.upto = max(self.upto, upto)
        self.unsent = max(self.unsent, self.upto)
        self.acknowledged += fresh
        while self.flights and self.flights[0].end <= self.upto:
            heapq.heappop(self.flights)
        for first, last in again:
            if (first, last + 1) not in self.wanted:
                self.wanted.append((first, last + 1))
        return fresh

    def asked(self) -> tuple[int, int] | None:
        """Take the next rows asked for again; what is gone is passed over, the birth tells of it."""
        while self.wanted:
            first, end = self.wanted.popleft()
            first, end = max(first, self.base), min(end, self.end)
            if first < end:
                return first, end
        return None

    def overdue(self, now_s: float) -> _Flight | None:
        """Take the flight that has waited too long; parts that were acknowledged or dropped fall off."""
        while self.flights and self.flights[0].due_s <= now_s:
            flight = heapq.heappop(self.flights)
            first = max(flight.first, self.base, self.upto)
            if first < flight.end:
                return _Flight(flight.due_s, first, flight.end, flight.attempt)
        return None

    def hasten(self, due_s: float) -> None:
        """Let no flight wait beyond `due_s`, as if sent for the first time."""
        self.flights = [_Flight(min(due_s, f.due_s), f.first, f.end, 0) for f in self.flights]
        heapq.heapify(self.flights)

    def cut(self, first: int, end: int, max_rows: int) -> int:
        """Return the end of a pack that begins at `first`: so many rows, of one clock state."""
        clock = self.readings[first].clock
        last = min(end, first + max_rows)
        return next((seq for seq in range(first + 1, last) if self.readings[seq].clock is not clock), last)


class Outbox:
    """The readings of a node's boot, and of earlier boots that were not yet delivered."""

    def __init__(self, boot: int, config: OutboxConfig | None = None, *, schema: int = 1) -> None:
        self._config = config or OutboxConfig()
        if self._config.capacity_rows < 1 or self._config.window_rows < 1:
            raise ValueError("an outbox needs room for at least one reading")
        self._schema = schema
        self._shelves: dict[int, _Shelf] = {boot: _Shelf(boot)}
        self._current = self._shelves[boot]
        self._rows = 0
        self._gone = Counts()

    @property
    def boot(self) -> int:
        """The boot whose readings are being numbered."""
        return self._current.boot

    @property
    def schema(self) -> int:
        """The schema of all packs."""
        return self._schema

    @property
    def next_seq(self) -> int:
        """The number that the next reading will get."""
        return self._current.end

    @property
    def oldest(self) -> tuple[int, int]:
        """(boot, seq) of the oldest reading that can still be sent, or of the next one when there is none."""
        for shelf in self._shelves.values():
            if shelf.base < shelf.end:
                return shelf.boot, shelf.base
        return self._current.boot, self._current.end

    @property
    def unsent(self) -> int:
        """How many readings were never sent."""
        return sum(shelf.end - shelf.unsent for shelf in self._shelves.values())

    @property
    def sendable(self) -> int:
        """How many unsent readings may go now, without overfilling the window."""
        window = self._config.window_rows
        return sum(
            max(0, min(shelf.end - shelf.unsent, window - shelf.under_way)) for shelf in self._shelves.values()
        )

    @property
    def counts(self) -> Counts:
        """The node's ledger over all boots."""
        total = self._gone
        for shelf in self._shelves.values():
            total += _counts(shelf)
        return total

    def begin_boot(self, boot: int) -> None:
        """Number from 0 again, under a higher boot; undelivered readings of earlier boots stay."""
        if boot <= self._current.boot:
            raise ValueError(f"boot {boot} does not follow boot {self._current.boot}")
        self._current = self._shelves[boot] = _Shelf(boot)
        self._forget_empty()

    def append(self, t_ms: int, clock: Clock, values: Sequence[int | None]) -> int:
        """Keep a reading, dropping the oldest when there is no room, and return its number."""
        seq = self._current.end
        if seq >= MAX_SEQ:
            raise OverflowError("all numbers of this boot are used: begin a new boot")
        while self._rows >= self._config.capacity_rows:
            next(shelf for shelf in self._shelves.values() if shelf.readings).drop_oldest()
            self._rows -= 1
            self._forget_empty()
        self._current.readings[seq] = _Reading(t_ms, clock, tuple(values))
        self._current.end = seq + 1
        self._rows += 1
        return seq

    def next_pack(self, now_s: float, max_rows: int, *, fresh: bool = True) -> Pack | None:
        """Return what to send now, or None: rows asked for again, then overdue ones, then (if `fresh`) unsent.

        What is returned counts as sent at `now_s` (any monotonic clock).
        """
        max_rows = max(1, min(max_rows, MAX_ROWS))
        for shelf in self._shelves.values():
            asked = shelf.asked()
            if asked is not None:
                first, end = asked
                cut = shelf.cut(first, end, max_rows)
                if cut < end:
                    shelf.wanted.appendleft((cut, end))
                return self._send(shelf, first, cut, now_s, 0)
        for shelf in self._shelves.values():
            flight = shelf.overdue(now_s)
            if flight is not None:
                cut = shelf.cut(flight.first, flight.end, max_rows)
                if cut < flight.end:
                    heapq.heappush(shelf.flights, _Flight(flight.due_s, cut, flight.end, flight.attempt))
                return self._send(shelf, flight.first, cut, now_s, flight.attempt + 1)
            if fresh and shelf.unsent < shelf.end and shelf.under_way < self._config.window_rows:
                room = min(max_rows, self._config.window_rows - shelf.under_way)
                first = shelf.unsent
                shelf.unsent = shelf.cut(first, shelf.end, room)
                return self._send(shelf, first, shelf.unsent, now_s, 0)
        return None

    def acknowledge(self, ack: Ack) -> int:
        """Take the gateway's word: rows below `upto` are on its disk, `again` must be sent once more.

        Returns how many readings were acknowledged for the first time; words on unknown boots are ignored.
        """
        shelf = self._shelves.get(ack.boot)
        return shelf.acknowledge(ack.upto, ack.again) if shelf else 0

    def hasten(self, due_s: float) -> None:
        """Let nothing under way wait beyond `due_s`: after a broken link nobody knows what arrived."""
        for shelf in self._shelves.values():
            shelf.hasten(due_s)

    def due_s(self, now_s: float) -> float | None:
        """Return in how many seconds something sent becomes overdue (0: rows are asked for), None if never."""
        if any(shelf.wanted for shelf in self._shelves.values()):
            return 0.0
        dues = [shelf.flights[0].due_s for shelf in self._shelves.values() if shelf.flights]
        return max(0.0, min(dues) - now_s) if dues else None

    def _send(self, shelf: _Shelf, first: int, end: int, now_s: float, attempt: int) -> Pack:
        if end > shelf.upto:
            wait_s = min(self._config.resend_s * 2**attempt, RESEND_LIMIT_S)
            heapq.heappush(shelf.flights, _Flight(now_s + wait_s, first, end, attempt))
        start = shelf.readings[first]
        rows = [[reading.t_ms - start.t_ms, *reading.values] for reading in _rows(shelf, first, end)]
        return Pack(self._schema, shelf.boot, first, start.t_ms, start.clock, rows)

    def _forget_empty(self) -> None:
        for boot, shelf in list(self._shelves.items()):
            if shelf is not self._current and not shelf.readings:
                self._gone += _counts(shelf)
                del self._shelves[boot]


def _rows(shelf: _Shelf, first: int, end: int) -> Iterator[_Reading]:
    return (shelf.readings[seq] for seq in range(first, end))


def _counts(shelf: _Shelf) -> Counts:
    return Counts(produced=shelf.end, acknowledged=shelf.acknowledged, held=shelf.held, dropped=shelf.dropped)
