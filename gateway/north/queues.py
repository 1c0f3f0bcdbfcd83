"""The backlogs of all norths: what each commit adds, what is under way, and what the limits let go."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import islice

from gateway import onward
from gateway.journal import Journal
from gateway.north.config import NorthConfig
from gateway.north.reading import Choice
from gateway.onward import Copy, Row, Settlement
from gateway.tally import Tally, beyond_limits

log = logging.getLogger(__name__)

MB = 1024 * 1024
DAY_MS = 86_400_000
ROW_LINES = 1_000  # a row is read and taken apart in one go
STEP_ROWS = 2_000  # what one transaction gives up at most


class Queue:
    """What waits for one north, oldest first. `arrived` is set when there is more."""

    def __init__(self, config: NorthConfig, tally: Tally, journal: Journal) -> None:
        self.config = config
        self.tally = tally
        self.arrived = asyncio.Event()
        self._journal = journal
        self._choice = Choice(config.kinds, config.districts, config.nodes)
        self._under_way: set[int] = set()  # changed in the journal's thread alone

    def copies(self, lines: list[str], body: bytes | None, now_ms: int) -> Iterator[Copy]:
        """Yield what of a commit's lines is wanted; `body` is all of them as they are stored."""
        wanted = self._choice.of(lines)
        if body is not None and 0 < len(wanted) == len(lines) <= ROW_LINES:  # the usual case: as it stands
            yield Copy(self.config.name, now_ms, len(wanted), body)
            return
        for start in range(0, len(wanted), ROW_LINES):
            some = wanted[start : start + ROW_LINES]
            yield Copy(self.config.name, now_ms, len(some), "\n".join(some).encode())

    def add(self, copy: Copy) -> None:
        """Lines are on the disk."""
        self.tally.taken += copy.readings
        self.tally.waiting += copy.readings
        self.tally.waiting_bytes += copy.size
        self.arrived.set()

    async def session(self) -> int:
        """Return the number of this connection, from 0, on the disk. Raises JournalError."""
        return await self._journal.write(lambda db: onward.next_session(db, self.config.name))

    async def take(self, most_readings: int) -> list[Row]:
        """Return the oldest rows, none when none waits; they are left alone until they are settled."""

        def lend(db: sqlite3.Connection) -> list[Row]:
            rows = onward.oldest(db, self.config.name, most_readings)
            self._under_way.update(row.id for row in rows)
            return rows

        self.arrived.clear()
        return await self._journal.run(lend)

    async def settle(self, rows: Sequence[Row], settlement: Settlement) -> None:
        """Rows are under way no more; what was delivered or given up leaves, durably. Raises JournalError."""
        await self._journal.write(lambda db: onward.settle(db, self.config.name, settlement))
        await self._journal.run(lambda _: self._under_way.difference_update([row.id for row in rows]))
        self._count(settlement)

    async def give_up(self, *, most_bytes: float, before_ms: int) -> Counter[str]:
        """Let go of what is too old, then of what there is no room for; return how many readings, by reason.

        What is under way is left alone.
        """
        lost: Counter[str] = Counter()

        def step(db: sqlite3.Connection) -> Settlement:
            rows = islice(onward.held(db, self.config.name, self._under_way), STEP_ROWS)
            found = beyond_limits(
                rows, waiting_bytes=self.tally.waiting_bytes, most_bytes=most_bytes, before_ms=before_ms
            )
            given_up: Counter[str] = Counter()
            for row, reason in found:
                given_up[reason] += row.readings
            freed_bytes = sum(row.size for row, _ in found)
            settlement = Settlement([row.id for row, _ in found], [], 0, given_up, freed_bytes)
            if found:
                onward.settle(db, self.config.name, settlement)
            return settlement

        while self.tally.waiting:
            settlement = await self._journal.write(step)
            if not settlement.gone:
                break
            self._count(settlement)
            lost.update(settlement.given_up)
        return lost

    def _count(self, settlement: Settlement) -> None:
        tally = self.tally
        tally.delivered += settlement.delivered
        tally.waiting -= settlement.delivered + sum(settlement.given_up.values())
        tally.waiting_bytes -= settlement.freed_bytes
        tally.given_up.update(settlement.given_up)


class Queues:
    """All of them. Of a north that is no longer configured, what waits stays for the default `keep_days`."""

    def __init__(
        self, norths: Sequence[NorthConfig], journal: Journal, now: Callable[[], float] = time.time
    ) -> None:
        self._now = now
        tallies = journal.begin_norths([north.name for north in norths])
        self.active = [Queue(north, tallies.pop(north.name), journal) for north in norths]
        self._left = [
            Queue(NorthConfig(name=name, url=""), tally, journal)
            for name, tally in tallies.items()
            if tally.waiting
        ]
        for queue in self._left:
            log.warning(
                "%d readings wait for the north %s, which is not configured; they stay for %g days",
                queue.tally.waiting, queue.config.name, queue.config.keep_days,
            )  # fmt: skip
        if self.active:
            journal.copier = self

    def copies(self, lines: list[str], body: bytes, retold: Set[int]) -> list[Copy]:
        """Return what of a commit's lines is to wait, for whom; those at `retold` were had before."""
        now_ms = round(self._now() * 1000)
        fresh = [line for index, line in enumerate(lines) if index not in retold] if retold else lines
        whole = None if retold else body
        return [copy for queue in self.active for copy in queue.copies(fresh, whole, now_ms)]

    def arrived(self, copies: Sequence[Copy]) -> None:
        """They are on the disk."""
        by_name = {queue.config.name: queue for queue in self.active}
        for copy in copies:
            by_name[copy.north].add(copy)

    @property
    def waiting_bytes(self) -> int:
        """How much of the journal is theirs."""
        return sum(queue.tally.waiting_bytes for queue in (*self.active, *self._left))

    async def keep_limits(self) -> None:
        """Let each keep to its most_mb and keep_days."""
        for queue in (*self.active, *self._left):
            config = queue.config
            before_ms = round(self._now() * 1000 - config.keep_days * DAY_MS)
            lost = await queue.give_up(most_bytes=config.most_mb * MB, before_ms=before_ms)
            if lost:
                said = ", ".join(f"{count} {reason}" for reason, count in lost.items())
                log.warning("north %s takes too little: readings given up: %s", config.name, said)

    async def give_way(self, excess_bytes: float) -> bool:
        """The disk runs short: let the oldest of the largest backlog go; tell whether anything went."""
        for queue in sorted((*self.active, *self._left), key=lambda each: -each.tally.waiting_bytes):
            most_bytes = max(0.0, queue.tally.waiting_bytes - excess_bytes)
            lost = await queue.give_up(most_bytes=most_bytes, before_ms=0)
            if lost:
                log.warning(
                    "the disk runs short: %d readings for the north %s given up",
                    lost.total(), queue.config.name,
                )  # fmt: skip
                return True
        return False
