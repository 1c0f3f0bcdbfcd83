"""What a station is still to be asked: one query at a time, as a station answers one at a time."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import NamedTuple

from edge.adapters.adapter import Clock
from edge.adapters.report import Report

_PATIENCE_MS = 30_000
_MOST_WAITING = 64


class Query(NamedTuple):
    """A question for one element of a period, and the series that its answer belongs to."""

    series: str
    period: str
    params: bytes


class Queries:
    """The queries of one station; one that stays without an answer gives way to the next.

    Answers for several elements of a period are held until all are here: a moment's values are one reading. If
    the connection ends before, the gap is still there, and is asked for again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[Query] = deque(maxlen=_MOST_WAITING)
        self._asked: Query | None = None
        self._asked_ms = 0
        self._held: dict[tuple[str, int | None], Report] = {}

    @property
    def series(self) -> str:
        """The series that is being asked for."""
        return self._asked.series if self._asked else ""

    def add(self, query: Query) -> None:
        """Ask this too, unless it is to be asked already."""
        if query not in self._waiting and (query != self._asked or self._late()):
            self._waiting.append(query)

    def answered(self, reports: tuple[Report, ...]) -> tuple[Report, ...]:
        """Take an answer to its end; return what is known of its period once all of it was asked."""
        for report in reports:
            key = report.series, report.time_ms
            held = self._held.get(key)
            self._held[key] = replace(held, values=held.values + report.values) if held else report
        asked, self._asked = self._asked, None
        if asked and self._waiting and self._waiting[0][:2] == asked[:2]:
            return ()
        found, self._held = tuple(self._held.values()), {}
        return found

    def next(self) -> Query | None:
        """Return what to ask now; None while an answer is awaited, and when there is nothing left."""
        if not self._waiting or (self._asked is not None and not self._late()):
            return None
        self._asked, self._asked_ms = self._waiting.popleft(), self._clock()
        return self._asked

    def _late(self) -> bool:
        return self._clock() - self._asked_ms >= _PATIENCE_MS
