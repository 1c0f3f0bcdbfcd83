"""How fast a channel may be used: a service that is overrun shuts its sender out, so the limit is kept here."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple


class Window(NamedTuple):
    """At most `most` messages within any `seconds`."""

    most: int
    seconds: float


class Limiter:
    """Tells when the next message may go. Pure: every call is given a monotonic `now_s`.

    A sliding window, not a bucket: services count what came within the last minute, and a bucket that refills
    meanwhile would let through up to twice as many.
    """

    def __init__(self, windows: Sequence[Window]) -> None:
        self.windows = tuple(windows)
        most = max((window.most for window in self.windows), default=0)
        self._sent_s: deque[float] = deque(maxlen=most)
        self._shut_until_s = float("-inf")

    def wait_s(self, now_s: float) -> float:
        """How long until a message may be sent: 0.0 means now."""
        free_s = max((self._free_s(window) for window in self.windows), default=now_s)
        return max(0.0, free_s - now_s, self._shut_until_s - now_s)

    def room(self, now_s: float) -> int | None:
        """How many messages may go at once now; None: any number."""
        if self._shut_until_s > now_s:
            return 0
        rooms = (window.most - self._within(window, now_s) for window in self.windows)
        return min(rooms, default=None)

    def sent(self, now_s: float) -> None:
        """Count a message that was handed over (or may have been: an attempt without an answer counts too)."""
        self._sent_s.append(now_s)

    def shut(self, now_s: float, after_s: float) -> None:
        """Send nothing for so long: the service said so."""
        self._shut_until_s = max(self._shut_until_s, now_s + after_s)

    def _free_s(self, window: Window) -> float:
        if len(self._sent_s) < window.most:
            return float("-inf")
        return self._sent_s[-window.most] + window.seconds

    def _within(self, window: Window, now_s: float) -> int:
        return sum(now_s - sent_s < window.seconds for sent_s in self._sent_s)
