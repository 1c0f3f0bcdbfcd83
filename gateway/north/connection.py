"""What connections northward have in common: who is told that one is over, and how it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edge.model.errors import CityError

TICK_S = 0.5
CLOSE_WITHIN_S = 1.0


class LinkLost(CityError):
    """The other side is gone, or says no."""


class Connection(asyncio.Protocol):
    """A connection; `lost` says why it is over, and `on_lost` is told. `_waiting` is what is under way."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        self.lost = ""
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._gone = asyncio.Event()
        self._changed = asyncio.Event()
        self._waiting: dict[int, Callable[[], None]] = {}  # by message, what is done when it arrived
        self._ticking: asyncio.TimerHandle | None = None

    async def all_arrived(self) -> None:
        """Wait until the other side has everything. Raises LinkLost."""
        await self._until(lambda: not self._waiting)

    async def _room(self, at_once: int) -> None:
        await asyncio.sleep(0)  # others have their turn, however fast the other side is
        await self._until(lambda: len(self._waiting) < at_once)

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true() or self.lost:
            if self.lost:
                raise LinkLost(self.lost)
            self._changed.clear()
            await self._changed.wait()

    def _lose(self, why: str) -> None:
        if not self.lost:
            self.lost = why
            self._on_lost()
        self._changed.set()

    async def _close(self) -> None:
        """Close. Whoever does not read the rest is cut off."""
        if self._ticking is not None:
            self._ticking.cancel()
        if self._transport is None:
            return
        self._transport.close()
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._gone.wait()
        except TimeoutError:
            self._transport.abort()
