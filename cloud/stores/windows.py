"""How values fall into windows of time: where windows begin, and the mean of decibels."""

from datetime import datetime
from math import log10
from zoneinfo import ZoneInfo

from cloud.stores.protocol import MS_PER_S, Span, Step


def first_window_ms(span: Span, step: Step, timezone: ZoneInfo) -> int:
    """Return where the window holding the span's start begins.

    Windows are counted from the epoch in local time, so that a step of a day is a day of the city. The
    offset from UTC is that at the span's start: across a change to summer time windows keep their length.
    """
    offset = datetime.fromtimestamp(span.start_ms / MS_PER_S, timezone).utcoffset()
    offset_ms = int(offset.total_seconds() * MS_PER_S) if offset else 0
    return span.start_ms - (span.start_ms + offset_ms) % (step.step_s * MS_PER_S)


class EnergyMean:
    """The mean of levels in decibels, 10 lg(mean of 10^(L/10)), as an aggregate that SQLite calls."""

    def __init__(self) -> None:
        self._energy, self._count = 0.0, 0

    def step(self, level_db: float) -> None:
        """Take one level."""
        self._energy += 10.0 ** (level_db / 10.0)
        self._count += 1

    def finalize(self) -> float | None:
        """Return the mean level, None of nothing."""
        return 10.0 * log10(self._energy / self._count) if self._count else None
