"""When room runs short: what waits for the store is thinned out, then let go, and every reading of it counted.

The oldest of the lowest priority goes first. Readings that are under way to the store are left alone. A disk
that is full to the last byte is another matter: then nothing is taken in, and the nodes keep what they have.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from edge.model.kinds import Priority
from gateway import quarantine
from gateway.block import Block, Kept
from gateway.journal import Journal
from gateway.ledger import Drop, Ledger, StreamKey
from gateway.thin import STAGES, between, cut, of_priority

log = logging.getLogger(__name__)

MB = 1024 * 1024
STEP_BYTES = 4 * MB  # what one transaction reduces: it needs room itself
STEP_ENTRIES = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class BacklogConfig:
    """The [backlog] table of gateway.toml."""

    most_mb: float = 0.0
    keep_free_mb: float = 256.0
    thin_to_s: float = 300.0
    low_most_days: float = 0.0
    normal_most_days: float = 0.0
    high_most_days: float = 0.0
    quarantine_mb: float = 256.0

    def most_days(self, priority: Priority) -> float:
        """Return how long readings of a priority may wait, 0 for ever."""
        return (self.low_most_days, self.normal_most_days, self.high_most_days)[priority - 1]


class Disk(NamedTuple):
    """The disk that the journal is on."""

    free_bytes: int
    size_bytes: int


class Others(Protocol):
    """What else waits in the journal, and goes before the store's readings do when the disk runs short."""

    @property
    def waiting_bytes(self) -> int:
        """How much of the journal is theirs; it has limits of its own."""

    async def give_way(self, excess_bytes: float) -> bool:
        """Let go of about so much; tell whether anything went."""


class Shedder:
    """Keeps the journal within its limits. `lock` is held while entries leave quarantine."""

    def __init__(
        self,
        journal: Journal,
        ledger: Ledger,
        config: BacklogConfig,
        lock: asyncio.Lock,
        *,
        now: Callable[[], float] = time.time,
        disk: Callable[[Path], Disk] | None = None,
        others: Others | None = None,
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._config = config
        self._lock = lock
        self._now = now
        self._disk = disk or _disk
        self._others = others
        self._looked_at = dict.fromkeys(range(1, len(STAGES) + 1), 0)  # the last block tried, by stage
        self._aged = dict.fromkeys(Priority, 0)
        self.trouble = ""

    async def keep_limits(self) -> None:
        """Let go of what is too old, then of what there is no room for."""
        for priority in Priority:
            await self._let_age(priority)
        await self._limit_quarantine()
        while self._others is not None and (short := await self._short_bytes()) > 0:
            if not await self._others.give_way(short):
                break
        began = Counter[str]()
        while (excess := await self._excess_bytes()) > 0:
            lost = await self._step(excess)
            if lost is None:
                self.trouble = "no room on the gateway's disk, and nothing left to let go"
                break
            began += lost
        else:
            self.trouble = ""
        if began:
            said = ", ".join(f"{count} {reason}" for reason, count in began.items())
            log.warning("room runs short while the store does not take the backlog: readings let go: %s", said)

    async def _excess_bytes(self) -> float:
        """Return by how much what is in the journal for the store is too large for its limit or its disk."""
        short = await self._short_bytes()
        if not self._config.most_mb:
            return max(0.0, short)
        used, _ = await self._journal.run(lambda _: self._journal.size_bytes())
        theirs = self._others.waiting_bytes if self._others is not None else 0
        return max(used - theirs - self._config.most_mb * MB, short)

    async def _short_bytes(self) -> float:
        """Return how much room the disk lacks."""
        _, spare = await self._journal.run(lambda _: self._journal.size_bytes())
        disk = self._disk(self._journal.path)
        keep_bytes = min(self._config.keep_free_mb * MB, disk.size_bytes / 10)
        return keep_bytes - disk.free_bytes - spare

    async def _step(self, excess: float) -> Counter[str] | None:
        """Reduce some blocks by the first stage that still has any; None when there is nothing left."""
        for number, stage in enumerate(STAGES, 1):
            most_bytes = round(min(STEP_BYTES, max(excess, MB / 16)))
            blocks = await self._journal.lend_to_shed(number, self._looked_at[number], most_bytes)
            if not blocks:
                continue
            self._looked_at[number] = blocks[-1].id
            lines = [line for block in blocks for line in block.lines]
            if stage.reason is Drop.THINNED:
                gone = between(lines, stage.priority, self._config.thin_to_s)
            else:
                gone = of_priority(lines, stage.priority)
            return Counter({stage.reason.value: await self._reduce(number, blocks, gone, stage.reason)})
        return None

    async def _let_age(self, priority: Priority) -> None:
        """Let go of readings that have waited longer than their priority may."""
        days = self._config.most_days(priority)
        if not days:
            return
        before_ms = round((self._now() - days * 86_400) * 1000)
        while True:
            blocks = await self._journal.lend_older(before_ms, self._aged[priority], STEP_BYTES)
            if not blocks:
                return
            self._aged[priority] = blocks[-1].id
            lines = [line for block in blocks for line in block.lines]
            lost = await self._reduce(None, blocks, of_priority(lines, priority), Drop.TOO_OLD)
            if lost:
                log.warning("%d readings waited for more than %g days and are let go", lost, days)

    async def _reduce(self, stage: int | None, blocks: list[Block], gone: set[int], reason: Drop) -> int:
        """Take lines out of blocks, by their index over all of them; return how many readings that were."""
        pairs: list[tuple[Block, Block]] = []
        lost: Counter[StreamKey] = Counter()
        at = 0
        for block in blocks:
            end = at + block.readings
            after, its = cut(block, {index - at for index in range(at, end) if index in gone})
            pairs.append((block, after))
            lost += its
            at = end
        drops = {}
        for key, count in lost.items():
            known = self._ledger.streams[key].drops or {}
            drops[key] = {**known, reason: known.get(reason, 0) + count}
        try:
            await self._journal.reduce(stage, pairs, drops)
        except BaseException:
            self._journal.give_back(blocks)
            raise
        for (node, boot), count in lost.items():
            self._ledger.count_dropped(node, boot, reason, count)
        return lost.total()

    async def _limit_quarantine(self) -> None:
        """Let go of the oldest quarantined entries when they take too much room."""
        limit = self._config.quarantine_mb * MB
        while limit and await self._journal.run(quarantine.size_bytes) > limit:
            async with self._lock:
                entries = await self._journal.run(lambda db: quarantine.oldest(db, STEP_ENTRIES))
                await self._journal.let_go(entries, self._drops_of(entries))
                for entry in entries:
                    self._ledger.count_quarantined(entry.node, entry.boot, -entry.readings)
                    self._ledger.count_dropped(entry.node, entry.boot, Drop.QUARANTINE_FULL, entry.readings)
            log.warning("quarantine is full: its %d oldest entries are let go", len(entries))

    def _drops_of(self, entries: list[Kept]) -> dict[StreamKey, dict[str, int]]:
        drops: dict[StreamKey, dict[str, int]] = {}
        for entry in entries:
            if entry.boot is not None:
                key = (entry.node, entry.boot)
                counts = drops.setdefault(key, dict(self._ledger.streams[key].drops or {}))
                counts[Drop.QUARANTINE_FULL] = counts.get(Drop.QUARANTINE_FULL, 0) + entry.readings
        return drops


def _disk(path: Path) -> Disk:
    stat = os.statvfs(path.parent)
    return Disk(stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize)
