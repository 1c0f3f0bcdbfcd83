"""The checks over recorded data: rows of a table in, the same rows with flag and tests out, in their order.

The spike test judges a value only when the next one is known, and a check between quantities when the other
is: a row waits until then, at most until the next of its series, behind it all others, but never more than
MOST_WAITING.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import nan
from statistics import median

from edge.model.errors import CityError
from edge.model.quality import Flag
from edge.model.quantities import QUANTITIES
from edge.quality.calibration import valid_at
from edge.quality.cross import CROSSES, Pair, cross_marks, pairs
from edge.quality.limits import Limits, Overrides
from edge.quality.marks import MISSING, meaning, suspect, unsure
from edge.quality.track import NO_VALUE, Track, alone, judge

COLUMNS = ("time", "node", "quantity", "value")
ADDED = ("qc", "tests")
MOST_WAITING = 50_000
_MOST_MOMENTS = 100_000
_INTERVALS = 11
_GAP_INTERVALS = 3
_EPOCH_MS_FROM = 1e11
_FOR_NEXT, _FOR_OTHER = 1, 2
_GAP, _ORDER, _WARM_UP = unsure("gap"), unsure("order"), suspect("warm_up")


class TableError(CityError):
    """A row that cannot be read; the message names its line."""


@dataclass(slots=True)
class Row:
    """A row under way: its cells, what was found about its value, and for which others it waits."""

    cells: Sequence[str]
    marks: int = 0
    waits: int = 0


class Series:
    """One quantity of one node: its track, and how often it usually speaks."""

    __slots__ = ("intervals", "limits", "newest", "started_ms", "t_ms", "track")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.track: Track | None = None
        self.t_ms: int | None = None
        self.intervals: deque[int] = deque(maxlen=_INTERVALS)
        self.newest: Row | None = None
        self.started_ms: int | None = None

    def timing(self, t_ms: int) -> int:
        """Take the time of a row that has a later one than all before; return what it says."""
        before, self.t_ms = self.t_ms, t_ms
        if before is None:
            return 0
        interval_ms = t_ms - before
        found = _GAP if interval_ms > self._gap_ms() else 0
        self.intervals.append(interval_ms)
        off = self.limits.off_after_s
        if off is not None and interval_ms >= off * 1000:
            self.started_ms = t_ms
        return found

    def warming(self, t_ms: int) -> bool:
        """Tell whether the sensor was switched on so lately that it is not to be trusted."""
        return self.started_ms is not None and t_ms < self.started_ms + self.limits.warm_up_s * 1000

    def _gap_ms(self) -> float:
        if self.limits.gap_s is not None:
            return self.limits.gap_s * 1000
        if len(self.intervals) < _INTERVALS // 2:
            return float("inf")
        return _GAP_INTERVALS * median(self.intervals)


class History:
    """Judges rows in the order in which they come. `unknown` are quantities that nobody defined, by name."""

    def __init__(self, overrides: Overrides, header: Sequence[str]) -> None:
        self._overrides = overrides
        self._parts: dict[str, set[str]] = {}
        for name in {*QUANTITIES, *overrides.quantities}:
            limits = overrides.limits(name)
            if limits is not None and limits.at_most is not None:
                self._parts.setdefault(limits.at_most, set()).add(name)
        self._at = _places(header)
        self._series: dict[tuple[str, str], Series] = {}
        self._pairs: dict[tuple[str, str], list[tuple[str, Pair]]] = {}
        self._moments: dict[tuple[str, int], dict[str, tuple[float, Row]]] = {}
        self._waiting: deque[Row] = deque()
        self.unknown: set[str] = set()

    def judge(self, rows: Iterable[tuple[int, Sequence[str]]]) -> Iterator[tuple[Sequence[str], Flag, str]]:
        """Yield (cells, flag, tests) of each (line number, cells). Raises TableError."""
        for number, cells in rows:
            self._waiting.append(self._take(number, cells))
            while self._waiting and (not self._waiting[0].waits or len(self._waiting) > MOST_WAITING):
                yield _told(self._waiting.popleft())
        while self._waiting:
            yield _told(self._waiting.popleft())

    def _take(self, number: int, cells: Sequence[str]) -> Row:
        try:
            time, node, quantity, text = (cells[place].strip() for place in self._at)
        except IndexError:
            raise TableError(
                f"line {number}: {len(cells)} columns, too few", remedy="see the header line"
            ) from None
        t_ms = moment_ms(time, number)
        series = self._series.get((node, quantity))
        if series is None:
            series = self._series[node, quantity] = self._begin(node, quantity)
        row = Row(cells)
        order = _ORDER if series.t_ms is not None and t_ms <= series.t_ms else series.timing(t_ms)
        value, row.marks = _value(text, series.limits, t_ms)
        if row.marks & NO_VALUE:
            return row
        row.marks |= order
        if order is not _ORDER:
            self._in_time(series, t_ms, value, row)
        self._cross(node, quantity, t_ms, value, row)
        return row

    def _in_time(self, series: Series, t_ms: int, value: float, row: Row) -> None:
        if series.warming(t_ms):
            row.marks |= _WARM_UP
        series.track, row.marks, revised = judge(series.track, series.limits, t_ms, value, row.marks)
        if series.newest is not None:
            series.newest.marks |= revised
            series.newest.waits = 0
        if series.limits.spike is not None or series.limits.spike_fail is not None:
            row.waits = _FOR_NEXT
        series.newest = row

    def _begin(self, node: str, quantity: str) -> Series:
        limits = self._overrides.limits(quantity, node)
        if limits is None:
            self.unknown.add(quantity)
            limits = Limits()
        series = Series(limits)
        others = {row.left for row in CROSSES if row.right == quantity}
        others |= {row.right for row in CROSSES if row.left == quantity}
        others |= {limits.at_most} if limits.at_most else self._parts.get(quantity, set())
        found: list[tuple[str, Pair]] = []
        for other in sorted(others):
            both = (limits, self._overrides.limits(other, node) or Limits())
            found += [(other, pair) for pair in pairs((quantity, other), both)]
        if found:
            self._pairs[node, quantity] = found
        return series

    def _cross(self, node: str, quantity: str, t_ms: int, value: float, row: Row) -> None:
        """Hold a value against others of its node and time, where they stand near by in the table."""
        found = self._pairs.get((node, quantity))
        if found is None:
            return
        moment = self._moments.get((node, t_ms))
        if moment is None:
            moment = self._moments[node, t_ms] = {}
            if len(self._moments) > _MOST_MOMENTS:
                del self._moments[next(iter(self._moments))]
        for name, pair in found:
            if name not in moment:
                row.waits |= _FOR_OTHER if row is self._series[node, quantity].newest else 0
            else:
                other, other_row = moment[name]
                other_row.waits &= ~_FOR_OTHER
                for index, marks in cross_marks([pair], (value, other), (True, True)).items():
                    (row, other_row)[index].marks |= marks
        moment[quantity] = (value, row)


def moment_ms(text: str, number: int) -> int:
    """Return the epoch ms of an ISO 8601 time (UTC where it names no zone) or of epoch seconds or ms."""
    try:
        return round(_epoch_s(text) * 1000)
    except (ValueError, OverflowError):
        raise TableError(
            f"line {number}: {text[:40]!r} is no time", remedy="write 2026-03-01T12:00:00Z or epoch seconds"
        ) from None


def _epoch_s(text: str) -> float:
    if "-" not in text[1:]:
        seconds = float(text)
        if not abs(seconds) < 1e15:
            raise ValueError(text)
        return seconds / 1000 if abs(seconds) >= _EPOCH_MS_FROM else seconds
    when = datetime.fromisoformat(text)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _value(text: str, limits: Limits, t_ms: int) -> tuple[float, int]:
    """Return a value as calibrated, and what the tests of single values find about it."""
    if not text:
        return nan, MISSING
    try:
        raw = float(text)
    except ValueError:
        raw = nan
    calibration = valid_at(limits.calibration, t_ms)
    if calibration is None or raw in limits.sentinels:
        return raw, alone(raw, limits)
    value = calibration.apply(raw)
    return value, alone(value, limits)


def _places(header: Sequence[str]) -> list[int]:
    names = [name.strip().lower() for name in header]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise TableError(
            f"line 1: no column {', '.join(missing)}", remedy=f"the header line names {', '.join(COLUMNS)}"
        )
    return [names.index(name) for name in COLUMNS]


def _told(row: Row) -> tuple[Sequence[str], Flag, str]:
    flag, names = meaning(row.marks)
    return row.cells, flag, "+".join(names)
