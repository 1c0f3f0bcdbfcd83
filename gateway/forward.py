"""Forwarding: blocks leave the journal when the store has them; a line it refuses is found and set aside."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from gateway.bisection import bisect
from gateway.block import Block, Entry, Quarantined
from gateway.database import JournalDamaged, JournalError
from gateway.journal import Journal, Outcome
from gateway.ledger import Ledger, Spans
from gateway.sinks import Sink, SinkUnavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ForwardConfig:
    """The [forward] table of gateway.toml."""

    batch_lines: int = 5_000
    backlog_lanes: int = 2
    retry_delay_s: float = 1.0
    longest_delay_s: float = 30.0
    retention_days: float = 0.0


class Forwarder:
    """Moves blocks from the journal to the sink. `trouble` is what keeps it, empty when all is well.

    `stored` is told the lines that the sink has and the journal has let go.
    """

    def __init__(
        self,
        journal: Journal,
        ledger: Ledger,
        sink: Sink,
        config: ForwardConfig,
        now: Callable[[], float] = time.time,
        stored: Callable[[bytes], None] | None = None,
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._sink = sink
        self._config = config
        self._now = now
        self._stored = stored
        self.trouble = ""
        self._releasing = asyncio.Lock()
        self.latencies_s: deque[float] = deque(maxlen=100_000)

    async def run(self) -> None:
        """Move blocks until cancelled: news in one lane, beside it what has waited in others."""
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._lane(self._journal.news), name="news")
            for _ in range(max(1, self._config.backlog_lanes)):
                lanes.create_task(self._lane(self._journal.backlog), name="backlog")

    async def _lane(self, lend: Callable[[int], Awaitable[list[Block]]]) -> None:
        while True:
            try:
                blocks = await lend(self._config.batch_lines)
            except JournalDamaged:
                raise
            except JournalError as error:
                log.error("%s; tried again every %g s", error, self._config.retry_delay_s)
                await asyncio.sleep(self._config.retry_delay_s)
            else:
                await self.deliver(blocks)

    async def deliver(self, blocks: list[Block]) -> None:
        """Bring blocks to the store, set aside what it refuses, and let them go.

        The release follows the write: a crash repeats, never loses.
        """
        body = b"\n".join([block.body for block in blocks])
        refused = self._aged(body)
        if refused:
            lines = body.split(b"\n")
            kept = [index for index in range(len(lines)) if index not in refused]
            body = b"\n".join([lines[index] for index in kept])
        else:
            kept = []
        for index, words in (await self._write(body) if body else {}).items():
            refused[kept[index] if kept else index] = ("store_rejected", words)
        async with self._releasing:  # both lanes may have readings of one stream
            outcome = self._outcome(blocks, refused)
            await self._release(blocks, outcome)
            self._count(blocks, outcome)
        if self._stored is not None and (body := _without(refused, blocks)):
            self._stored(body)

    def _aged(self, body: bytes) -> dict[int, tuple[str, str]]:
        """Return the lines that lie before the store's retention: it would answer 204 and drop them unseen."""
        if not self._config.retention_days:
            return {}
        limit_ns = round((self._now() - self._config.retention_days * 86_400) * 1e9)
        words = f"older than the {self._config.retention_days:g} days that the store keeps"
        return {
            index: ("beyond_retention", words)
            for index, line in enumerate(body.split(b"\n"))
            if int(line[line.rindex(b" ") + 1 :]) < limit_ns
        }

    async def _write(self, body: bytes) -> dict[int, str]:
        """Write all lines, waiting out the store's absence; return the refused ones with the store's words."""
        delay_s = self._config.retry_delay_s
        while True:
            try:
                refused = await bisect(self._sink, body)
            except SinkUnavailable as error:
                if not self.trouble:
                    log.warning("%s; readings wait in the journal", error)
                self.trouble = error.message
                if error.retry_after_s:  # what the store asks for is the least
                    await asyncio.sleep(error.retry_after_s * random.uniform(1.0, 1.2))
                    continue
                await asyncio.sleep(delay_s * random.uniform(0.8, 1.2))
                delay_s = min(delay_s * 2, self._config.longest_delay_s)
            else:
                if self.trouble:
                    log.info("the store takes readings again")
                self.trouble = ""
                return refused

    async def _release(self, blocks: list[Block], outcome: Outcome) -> None:
        """Let stored blocks go, waiting out a disk that takes nothing: that is no reason to send twice."""
        while True:
            try:
                await self._journal.release(blocks, outcome)
            except JournalDamaged:
                raise
            except JournalError as error:
                log.error("%s; stored blocks stay in the journal until it can be written", error)
                self.trouble = error.message
                await asyncio.sleep(self._config.retry_delay_s)
            else:
                self.trouble = ""
                return

    def _outcome(self, blocks: list[Block], refused: dict[int, tuple[str, str]]) -> Outcome:
        outcome = Outcome()
        at = 0
        for block in blocks:
            block_start, lines = at, block.lines if refused else []
            for entry in block.manifest:
                key = (entry.node, entry.boot)
                stored = outcome.stored.get(key)
                if stored is None:
                    stored = outcome.stored[key] = Spans(self._ledger.streams[key].stored.edges)
                start, end = entry.first, entry.first + entry.readings
                for seq in range(start, end) if refused else ():
                    index = at + seq - entry.first
                    if index in refused:
                        stored.add(start, seq)
                        start = seq + 1
                        line = lines[index - block_start]
                        outcome.quarantined.append(self._refusal(entry, seq, line, *refused[index]))
                stored.add(start, end)
                at += entry.readings
        return outcome

    def _refusal(self, entry: Entry, seq: int, line: bytes, reason: str, detail: str) -> Quarantined:
        return Quarantined(
            time_ms=round(self._now() * 1000),
            node=entry.node,
            reason=reason,
            detail=detail,
            topic="",
            payload=line,
            boot=entry.boot,
            seq=seq,
        )

    def _count(self, blocks: list[Block], outcome: Outcome) -> None:
        for key, stored in outcome.stored.items():
            self._ledger.settle_stored(key, stored)
        for entry in outcome.quarantined:
            self._ledger.count_quarantined(entry.node, entry.boot, entry.readings)
        now_s = self._now()
        for block in blocks:
            self.latencies_s.extend(now_s - t_ms / 1000 for t_ms in block.times_ms if t_ms)


def _without(refused: Collection[int], blocks: list[Block]) -> bytes:
    """Return the lines of blocks but for those at these indices."""
    body = b"\n".join([block.body for block in blocks])
    if not refused:
        return body
    return b"\n".join([line for index, line in enumerate(body.split(b"\n")) if index not in refused])
