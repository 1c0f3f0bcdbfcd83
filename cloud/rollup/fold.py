"""From readings to what stands for a window of them: one tally for each series and quantity. Pure.

Values come in the order of time, in as many parts as the caller likes; the result does not depend on the parts
but in the last digit of a sum. Rejected values and flags are no quantities, so they take no part.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, fsum, log10

from cloud.stores.protocol import NS_PER_MS, Series
from edge.model.quantities import QUANTITIES, Form, Mean, Quantity
from edge.protocol.lines import Point, Tags
from edge.protocol.series import FieldValue

PERCENTILES = (50, 90, 98)
CITY = "city_"
"""What the measurement begins with that holds a kind's windows over all of its nodes."""
Before = Mapping[tuple[Tags, str], float]
"""The last value before the window, by series and quantity: where the growth of counters begins."""


class Tally:
    """What is known of one quantity of one series within a window."""

    __slots__ = ("count", "grown", "high", "last", "low", "total", "values", "what")

    def __init__(self, what: Quantity, before: float | None = None) -> None:
        self.what, self.last = what, before
        self.count, self.total, self.grown = 0, 0.0, 0.0
        self.low, self.high = float("inf"), float("-inf")
        self.values = array("d") if what.percentiles else None

    def add(self, values: Sequence[float]) -> None:
        """Take values in the order of time; there is at least one."""
        if self.what.form is Form.COUNTER:
            self._grow(values)
        elif self.what.mean is Mean.ENERGY:
            self.total += fsum(10.0 ** (value / 10.0) for value in values)
        else:
            self.total += fsum(values)
        self.count += len(values)
        self.low, self.high = min(self.low, min(values)), max(self.high, max(values))
        self.last = values[-1]
        if self.values is not None:
            self.values.extend(values)

    def _grow(self, values: Sequence[float]) -> None:
        """Add what a counter grew by; one that fell began anew at nought."""
        before = values[0] if self.last is None else self.last
        for value in values:
            self.grown += value - before if value >= before else value
            before = value

    def merge(self, other: Tally) -> None:
        """Take in the tally of another series; which value was the last means nothing then."""
        self.count += other.count
        self.total += other.total
        self.grown += other.grown
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        if self.values is not None and other.values is not None:
            self.values.extend(other.values)

    def fields(self, *, of_one: bool) -> dict[str, FieldValue]:
        """Return the fields of the window's point; `of_one`: of one series, so that there is a last value."""
        name, what = self.what.name, self.what
        found: dict[str, FieldValue] = {f"{name}_count": self.count}
        if what.form is Form.COUNTER:
            found[f"{name}_grown"] = self.grown
        elif what.form is Form.STATE:
            found[f"{name}_share"] = self.total / self.count
        else:
            found[f"{name}_min"], found[f"{name}_max"] = self.low, self.high
            if what.mean is Mean.ARITHMETIC:
                found[f"{name}_mean"] = self.total / self.count
            elif what.mean is Mean.ENERGY:
                found[f"{name}_leq"] = 10.0 * log10(self.total / self.count)
            elif what.mean is Mean.SUM:
                found[f"{name}_sum"] = self.total
        if of_one and what.mean is Mean.LAST and self.last is not None:
            found[f"{name}_last"] = self.last
        if self.values is not None:
            ranked = sorted(self.values)
            for share in PERCENTILES:
                found[f"{name}_p{share}"] = ranked[max(0, ceil(len(ranked) * share / 100) - 1)]
        return found


class Fold:
    """The tallies of one kind and one window."""

    def __init__(self, kind: str, before: Before) -> None:
        self._kind, self._before = kind, before
        self._tallies: dict[Tags, dict[str, Tally]] = {}

    def add(self, found: Iterable[Series]) -> None:
        """Take rows; later parts hold later times."""
        for series in found:
            tallies = self._tallies.setdefault(series.tags, {})
            for name, column in series.fields.items():
                what = QUANTITIES.get(name)
                if what is None:
                    continue
                values = [float(value) for value in column if isinstance(value, float | int)]
                if values:
                    tally = tallies.get(name)
                    if tally is None:
                        tally = tallies[name] = Tally(what, self._before.get((series.tags, name)))
                    tally.add(values)

    def points(self, start_ms: int) -> list[Point]:
        """Return the window's points: one a series, and one for all of them."""
        time_ns = start_ms * NS_PER_MS
        city: dict[str, Tally] = {}
        points: list[Point] = []
        for tags, tallies in sorted(self._tallies.items()):
            fields: dict[str, FieldValue] = {}
            for name, tally in tallies.items():
                fields |= tally.fields(of_one=True)
                city.setdefault(name, Tally(tally.what)).merge(tally)
            if fields:
                points.append(Point(self._kind, tags, tuple(fields.items()), time_ns))
        whole = {key: value for tally in city.values() for key, value in tally.fields(of_one=False).items()}
        if whole:
            points.append(Point(CITY + self._kind, (), tuple(whole.items()), time_ns))
        return points


def counters(fields: Iterable[str]) -> list[str]:
    """Return those of the names that are counters."""
    return [name for name in fields if name in QUANTITIES and QUANTITIES[name].form is Form.COUNTER]
