"""The event loop of the tests: what the machine stood still for does not use up anybody's time.

On a busy machine a test may stop for a second, with all peers that it plays. Each limit of time that they set
one another has then passed at once, and what they do about that is not what the test is about.
"""

from __future__ import annotations

import asyncio
import selectors
import time

MOST_S = 0.02  # what one wait, or one turn of work, counts at most, however long it took


class _Selector(selectors.DefaultSelector):
    """Waits in pieces, so that a time of any length can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._counted_s = self._since_s = time.monotonic()

    @property
    def now_s(self) -> float:
        return self._counted_s + min(time.monotonic() - self._since_s, MOST_S)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._count()
        found = super().select(MOST_S if timeout is None else min(timeout, MOST_S))
        self._count()
        return found

    def _count(self) -> None:
        self._counted_s, self._since_s = self.now_s, time.monotonic()


class UnhurriedLoop(asyncio.SelectorEventLoop):
    """Its time is the machine's, less what it stood still for."""

    def __init__(self) -> None:
        self._unhurried = _Selector()
        super().__init__(self._unhurried)

    def time(self) -> float:
        return self._unhurried.now_s
