"""The time that simulated nodes live in: the real one, or one that runs faster."""

from __future__ import annotations

import asyncio
import time

from edge.model.errors import ConfigError
from edge.model.quality import Clock


class SimulatedTime:
    """Runs `speed` times as fast as the real time, from `start_ms` (now, when not given)."""

    state = Clock.SYNCED

    def __init__(self, *, speed: float = 1.0, start_ms: int | None = None) -> None:
        if not speed > 0:
            raise ConfigError(f"a clock cannot run at speed {speed}", remedy="give a speed above 0")
        self._speed = speed
        self._real_start_s = time.monotonic()
        self._start_ms = time.time_ns() // 1_000_000 if start_ms is None else start_ms

    def now_ms(self) -> int:
        """Return the simulated time of day, epoch milliseconds."""
        return self._start_ms + round((time.monotonic() - self._real_start_s) * 1000 * self._speed)

    async def sleep_until(self, t_ms: int) -> None:
        """Return about when the simulated time reaches `t_ms`."""
        await asyncio.sleep(max(0, t_ms - self.now_ms()) / 1000 / self._speed)
