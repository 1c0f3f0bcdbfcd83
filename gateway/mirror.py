"""A second store beside the first, such as a VictoriaMetrics for long ranges: best effort, losses counted.

The custody of readings ends with the first store. What that one has is offered to the mirror from memory, and
waits there while the mirror is away, as far as `most_mb` goes; then the oldest is let go, counted and logged. A
restart forgets what waited.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from dataclasses import dataclass

import aiohttp

from gateway.bisection import bisect
from gateway.sinks import SinkUnavailable
from gateway.sinks.line_http import LineHttpSink, StoreConfig
from gateway.sinks.victoria import growth, in_words, read_drops

log = logging.getLogger(__name__)

RETRY_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class MirrorConfig(StoreConfig):
    """The [mirror] table of gateway.toml: [store]'s keys, how much may wait, how often drops are looked for."""

    url: str = ""
    most_mb: float = 64.0
    watch_period_s: float = 30.0


class Mirror:
    """Writes again what the store has. `lost_lines` counts what the mirror will never have, by reason."""

    def __init__(self, config: MirrorConfig, retry_s: float = RETRY_S) -> None:
        self._sink = LineHttpSink(config, "mirror")
        self._config = config
        self._retry_s = retry_s
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._offered = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self.trouble = ""
        self.lost_lines: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()
        self._seen: dict[str, float] | None = None

    def offer(self, body: bytes) -> None:
        """Take lines that the first store has."""
        self._waiting.append(body)
        self._waiting_bytes += len(body)
        while self._waiting_bytes > self._config.most_mb * 1e6:
            self._let_go("no_room")
        if self._waiting:
            self.idle.clear()
            self._offered.set()

    @property
    def status(self) -> str:
        """Say how the mirror is, for people: `ok`, or what it lacks."""
        parts = [self.trouble] if self.trouble else []
        parts += [f"{count:,} lines lost ({reason})" for reason, count in self.lost_lines.items()]
        if self.drops:
            parts.append(f"dropped without a word: {in_words(self.drops)}")
        return "; ".join(parts) or "ok"

    @property
    def watching(self) -> bool:
        """Whether its counters were seen."""
        return self._seen is not None

    async def run(self) -> None:
        """Write and watch until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write(), name="mirror")
                tasks.create_task(self._watch(), name="mirror-watch")
        finally:
            await self._sink.close()

    async def _write(self) -> None:
        while True:
            await self._offered.wait()
            self._offered.clear()
            while self._waiting:
                await self._bring(self._waiting[0])
            self.idle.set()

    async def _bring(self, body: bytes) -> None:
        try:
            refused = await bisect(self._sink, body)
        except SinkUnavailable as error:
            if not self.trouble:
                log.warning("mirror: %s", error)
            self.trouble = error.message
            await asyncio.sleep(error.retry_after_s or self._retry_s)
            return
        self.trouble = ""
        if refused:
            log.warning("the mirror refused %d lines: %s", len(refused), next(iter(refused.values())))
            self.lost_lines["refused"] += len(refused)
        if self._waiting and self._waiting[0] is body:  # else it was let go meanwhile
            self._waiting_bytes -= len(self._waiting.popleft())

    def _let_go(self, reason: str) -> None:
        body = self._waiting.popleft()
        self._waiting_bytes -= len(body)
        if reason not in self.lost_lines:
            log.warning("the mirror was away for too long: its oldest lines are let go from now on")
        self.lost_lines[reason] += body.count(b"\n") + 1

    async def _watch(self) -> None:
        """Look for what VictoriaMetrics dropped since the gateway's start."""
        while True:
            after = await self._counters()
            if after is not None:
                if self._seen is not None and (grown := growth(self._seen, after)):
                    log.warning("the mirror dropped without a word: %s", in_words(grown))
                    self.drops.update(grown)
                self._seen = after
            await asyncio.sleep(self._config.watch_period_s)

    async def _counters(self) -> dict[str, float] | None:
        url = self._config.url.rstrip("/") + "/metrics"
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._config.timeout_s)) as session,
                session.get(url) as answer,
            ):
                return read_drops(await answer.text(errors="replace")) if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.debug("%s does not answer: %s", url, error)  # that it is away, the writing tells
            return None
