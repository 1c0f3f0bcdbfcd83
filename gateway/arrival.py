"""What comes in: one message, with what its source needs to acknowledge it later."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Arrival:
    """A message as it came, its time of arrival and the source's own mark (for MQTT: connection and id).

    `retained`: the broker had kept it; who said it may be gone since.
    """

    topic: str
    payload: bytes
    time_ms: int
    mark: tuple[int, int] | None = None
    retained: bool = False
    foreign: Foreign | None = None


@dataclass(slots=True)
class Foreign:
    """What the message of a foreign device has besides: it was made here from what the device said.

    `state` is what its source must know of the device after a restart, on disk with the reading. What has a
    `fault` (reason, detail) is no message but what the device sent, to be kept. `done` is called when it is on
    disk.
    """

    node: str
    state: bytes = b""
    fault: tuple[str, str] | None = None
    done: Callable[[], None] | None = None


class Source(Protocol):
    """Where messages come from. `settle` is called after their commit is on disk, never before."""

    def settle(self, arrivals: list[Arrival]) -> None:
        """Acknowledge the messages to the transport."""

    def send(self, topic: str, payload: bytes) -> None:
        """Send a message down, best effort: what gets lost is said again at the next occasion."""


class Inbox:
    """Messages waiting for the next commit; what arrives during one commit shares the next."""

    def __init__(self, limit: int, now: Callable[[], float] = time.time) -> None:
        self.limit = limit
        self._now = now
        self._waiting: deque[Arrival] = deque()
        self._filled = asyncio.Event()
        self._taken = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Tell whether sources should stop reading for a while."""
        return len(self._waiting) >= self.limit

    def now_ms(self) -> int:
        """Return the time that a message arriving now gets, epoch milliseconds."""
        return round(self._now() * 1000)

    def put(self, arrival: Arrival) -> None:
        """Take a message."""
        self._waiting.append(arrival)
        self._filled.set()

    async def gather(self, enough: int, within_s: float) -> None:
        """Wait for the first message, and a while longer for others, unless there are enough."""
        await self._filled.wait()
        if within_s and len(self._waiting) < min(enough, self.limit):
            await asyncio.sleep(within_s)

    async def take(self, most: int, most_bytes: int = 2**62) -> list[Arrival]:
        """Wait for the first message and return up to `most` of them, of about `most_bytes` in all."""
        await self._filled.wait()
        waiting = self._waiting
        batch: list[Arrival] = []
        while waiting and len(batch) < most and most_bytes > 0:
            arrival = waiting.popleft()
            batch.append(arrival)
            most_bytes -= len(arrival.payload)
        if not waiting:
            self._filled.clear()
        self._taken.set()
        return batch

    async def room(self) -> None:
        """Wait until there is room for more."""
        while self.full:
            self._taken.clear()
            await self._taken.wait()

    def put_back(self, batch: list[Arrival]) -> None:
        """Return a batch whose commit failed to the head of the queue."""
        self._waiting.extendleft(reversed(batch))
        self._filled.set()
