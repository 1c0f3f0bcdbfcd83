"""What the tasks of all [[north]] have in common: a lost connection is begun anew, and the books are kept."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from edge.model.errors import CityError
from gateway.database import JournalDamaged, JournalError
from gateway.north.batch import Batch
from gateway.north.queues import Queue

log = logging.getLogger(__name__)

LEAVE_WITHIN_S = 3.0
STOOD_S = 5.0  # a connection that held so long was a good one: the next wait is short again


class Custodian(ABC):
    """Hands readings on to one north. `trouble` is what keeps it, empty when all is well."""

    def __init__(self, queue: Queue, now: Callable[[], float] = time.time) -> None:
        self.queue = queue
        self.trouble = ""
        self._config = queue.config
        self._now = now

    @property
    def status(self) -> dict[str, Any]:
        """its state and its tally, for people."""
        return {"state": self.trouble or "ok", **self.queue.tally.to_dict()}

    async def run(self) -> None:
        """Hand on until cancelled."""
        delay_s = self._config.retry_delay_s
        while True:
            began_s = time.monotonic()
            try:
                await self._connection()
            except JournalDamaged:
                raise
            except CityError as error:
                if not self.trouble:
                    log.warning("north %s: %s; readings wait in the journal", self._config.name, error)
                self.trouble = error.message
            if time.monotonic() - began_s > STOOD_S:
                delay_s = self._config.retry_delay_s
            await asyncio.sleep(delay_s * random.uniform(0.8, 1.2))
            delay_s = min(delay_s * 2, self._config.longest_delay_s)

    @abstractmethod
    async def _connection(self) -> None:
        """Hand on by one connection until it is lost: raises CityError."""

    async def _settle(self, batch: Batch, *, once: bool) -> None:
        """Let go of what arrived, waiting out a disk that takes nothing: no reason to send it twice."""
        trouble = self.trouble
        while True:
            try:
                await self.queue.settle(batch.rows, batch.settlement())
            except JournalDamaged:
                raise
            except JournalError as error:
                log.error("%s; what north %s has stays in the journal", error, self._config.name)
                self.trouble = error.message
                if once:
                    return
                await asyncio.sleep(self._config.retry_delay_s)
            else:
                self.trouble = trouble
                return

    async def _last_answers(self, all_arrived: Awaitable[None]) -> None:
        """The gateway ends: wait for what is yet to be acknowledged, so that nothing is sent twice."""
        try:
            async with asyncio.timeout(LEAVE_WITHIN_S):
                await all_arrived
        except (TimeoutError, CityError) as error:
            log.info("north %s: it ends before all was acknowledged: %s", self._config.name, error)

    def _well(self) -> None:
        if self.trouble:
            log.info("north %s takes readings again", self._config.name)
        self.trouble = ""

    def _now_ms(self) -> int:
        return round(self._now() * 1000)
