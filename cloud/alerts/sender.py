"""The sender: what stands in the outbox goes out, one task a channel, within the channel's limit.

What the limit leaves no room for goes into one digest: nothing is lost, the last message of a minute says all
that is left. A message is noted as sent after the channel took it. A crash in that very instant sends it
again, under the same key, by which a receiver can tell.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from cloud.alerts.alert import CITY, Step
from cloud.alerts.desk import Desk
from cloud.alerts.notice import Notice, Reason
from cloud.alerts.wording import Wording
from cloud.errors import CloudError
from edge.channels import Channel, ChannelError

RETRY_S = 2.0
RETRY_AT_MOST_S = 300.0
REMEMBER_MS = 600_000
"""So much of what was sent before a restart counts for the limits."""
_log = logging.getLogger(__name__)


def next_batch(pending: Sequence[Notice], room: int | None) -> Sequence[Notice]:
    """Return what goes out next as one message: the most urgent, or all when there is room for one only.

    A digest that was begun before a crash goes first, as it was.
    """
    begun = next((notice.digest for notice in pending if notice.digest is not None), None)
    if begun is not None:
        return [notice for notice in pending if notice.digest == begun]
    if room == 1 and len(pending) > 1:
        return pending
    return [min(pending, key=lambda notice: (notice.reason is Reason.RESOLVED, -notice.level, notice.id))]


class Sender:
    """Sends for all channels; `run` until cancelled."""

    def __init__(
        self,
        desk: Desk,
        channels: Collection[Channel],
        wording: Wording,
        *,
        now_ms: Callable[[], int],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk, self._wording = desk, wording
        self._channels = {channel.name: channel for channel in channels}
        self._now_ms, self._now_s = now_ms, now_s
        self._limiters = {name: channel.limiter() for name, channel in self._channels.items()}
        self._failures: Counter[str] = Counter()
        self._not_before_s: dict[str, float] = {}
        self._wake = {name: asyncio.Event() for name in self._channels}

    async def open(self) -> None:
        """Count what was sent just before, and hand on what was meant for channels that are no more."""
        now_ms, now_s = self._now_ms(), self._now_s()
        for name, time_ms in sorted(
            await self._desk.records.sent_since(now_ms - REMEMBER_MS), key=lambda sent: sent[1]
        ):
            if name in self._limiters:
                self._limiters[name].sent(now_s - (now_ms - time_ms) / 1_000)
        for name in {notice.channel for notice in self._desk.to_send().values()} - self._channels.keys():
            await self._give_up(self._pending(name), f"there is no channel {name} any more")

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for name in self._channels:
                    tasks.create_task(self._serve(name), name=f"channel {name}")
                while True:
                    await self._desk.news.wait()
                    self._desk.news.clear()
                    for event in self._wake.values():
                        event.set()
        finally:
            for channel in self._channels.values():
                await channel.close()

    async def step(self, name: str) -> float:
        """Send one message of a channel, if one may go; return in how many seconds to look again."""
        pending, now_s = self._pending(name), self._now_s()
        if not pending:
            return float("inf")
        limiter = self._limiters[name]
        wait_s = max(limiter.wait_s(now_s), self._not_before_s.get(name, now_s) - now_s)
        if wait_s > 0:
            return wait_s
        batch = next_batch(pending, limiter.room(now_s))
        if len(batch) > 1:
            batch = await self._together(batch)
        alerts = await self._desk.alerts({ident for notice in batch for ident in notice.alerts})
        channel = self._channels[name]
        message = self._wording.message(batch, alerts, channel.language, self._now_ms())
        limiter.sent(now_s)
        try:
            await channel.send(message)
        except ChannelError as error:
            return await self._failed(name, batch, error)
        self._failures.pop(name, None)
        await self._desk.sent(batch, self._steps(batch, "notified", name))
        return 0.0

    async def _serve(self, name: str) -> None:
        """Send for one channel; what goes wrong with one does not hold up the others."""
        wake = self._wake[name]
        while True:
            wake.clear()
            try:
                wait_s = await self.step(name)
            except CloudError as error:
                _log.error("channel %s: %s", name, error)
                wait_s = RETRY_S
            if wait_s > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if wait_s == float("inf") else wait_s):
                        await wake.wait()

    def _pending(self, name: str) -> list[Notice]:
        return [notice for notice in self._desk.to_send().values() if notice.channel == name]

    async def _together(self, batch: Sequence[Notice]) -> Sequence[Notice]:
        """Note that these go out as one digest, before they do: after a crash it is the same digest."""
        number = min(notice.id for notice in batch)
        if batch[0].digest is None:
            await self._desk.records.digest([notice.id for notice in batch], number)
            batch = [replace(notice, digest=number) for notice in batch]
            self._desk.together(batch)
        return batch

    async def _failed(self, name: str, batch: Sequence[Notice], error: ChannelError) -> float:
        if not error.retry:
            _log.error("%s will not take a message: %s", name, error)
            await self._give_up(batch, str(error))
            return 0.0
        self._failures[name] += 1
        wait_s = error.after_s or min(RETRY_S * 2 ** (self._failures[name] - 1), RETRY_AT_MOST_S)
        _log.warning("%s takes no message, tried again in %.0f s: %s", name, wait_s, error)
        self._not_before_s[name] = self._now_s() + wait_s
        return wait_s

    async def _give_up(self, batch: Sequence[Notice], trouble: str) -> None:
        await self._desk.sent(batch, self._steps(batch, "failed", f"{batch[0].channel}: {trouble}"), trouble)

    def _steps(self, batch: Sequence[Notice], step: str, text: str) -> list[Step]:
        idents = dict.fromkeys(ident for notice in batch for ident in notice.alerts)
        return [Step(ident, self._now_ms(), CITY, step, text) for ident in idents]
