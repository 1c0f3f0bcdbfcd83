"""Numbers over a window of time: means, sums, rates. A window is kept in bins: its cost and size are fixed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from math import log10
from typing import Any

from edge.model.quantities import QUANTITIES, Form, Mean
from edge.rules.rule import Derive
from edge.rules.slope import HOUR_MS, fit
from edge.rules.source import Bound, Source, known_keys, read_over

BINS = 24


class Bins:
    """Sum and count of the values of the last `over_ms`, true to one part in BINS of it."""

    __slots__ = ("_count", "_sum", "bins", "count", "slot", "sum", "width_ms")

    def __init__(self, over_ms: int) -> None:
        self.width_ms = max(1, over_ms // BINS)
        self.bins: deque[tuple[int, float, int]] = deque()
        self.slot = 0
        self.sum, self.count = 0.0, 0  # of the bin that is being filled
        self._sum, self._count = 0.0, 0  # of those that are full

    def add(self, t_ms: int, value: float) -> None:
        """Take a value that is newer than all before."""
        slot = t_ms // self.width_ms
        if slot != self.slot:
            self._roll(slot)
        self.sum += value
        self.count += 1

    def _roll(self, slot: int) -> None:
        bins = self.bins
        if self.count:
            bins.append((self.slot, self.sum, self.count))
            self._sum += self.sum
            self._count += self.count
        while bins and bins[0][0] <= slot - BINS:
            _, gone, count = bins.popleft()
            self._sum -= gone
            self._count -= count
        if slot // BINS != self.slot // BINS:
            self._sum = sum([one[1] for one in bins])  # anew each time round: differences drift
        self.slot, self.sum, self.count = slot, 0.0, 0

    def until(self, t_ms: int) -> None:
        """Let old values go although no new one came."""
        slot = t_ms // self.width_ms
        if slot != self.slot:
            self._roll(slot)

    def total(self) -> float:
        """Return the sum over the window."""
        return self._sum + self.sum

    def number(self) -> int:
        """Return how many values are in the window."""
        return self._count + self.count

    def dump(self) -> list[Any]:
        """Return the bins as JSON can hold them."""
        return [self.slot, self.sum, self.count, [list(one) for one in self.bins]]

    def load(self, state: list[Any]) -> None:
        """Go on from a dump."""
        self.slot, self.sum, self.count = state[:3]
        self.bins = deque((slot, total, count) for slot, total, count in state[3])
        self._sum = sum([one[1] for one in self.bins])
        self._count = sum([one[2] for one in self.bins])


class _Window:
    """What the sources over a window share."""

    shown: float | None = None
    note: Mapping[str, float] | None = None

    def __init__(self, bound: Bound) -> None:
        over_ms = bound.derive.over_ms
        self.index = bound.index
        self.bins = Bins(over_ms)
        self.enough = bound.enough(over_ms - self.bins.width_ms)
        self.energy = bound.rule.quantity in QUANTITIES and (
            QUANTITIES[bound.rule.quantity].mean is Mean.ENERGY
        )

    def _add(self, t_ms: int, values: Sequence[float | None], flags: Sequence[int], worst: int) -> bool:
        value = values[self.index]
        if value is None or flags[self.index] > worst:
            return False
        self.bins.add(t_ms, 10.0 ** (value / 10) if self.energy else value)
        return True

    def dump(self) -> Any:
        return self.bins.dump() if self.bins.slot else None

    def load(self, state: Any) -> None:
        self.bins.load(state)


class MeanOver(_Window):
    """The mean of the last hour, or of any time; decibels as energies."""

    def take(self, t_ms: int, values: Sequence[float | None], flags: Sequence[int], worst: int) -> float | None:
        """Return the mean; None while less than three quarters of the window are known."""
        if not self._add(t_ms, values, flags, worst):
            return None
        count = self.bins.number()
        if count < self.enough:
            return None
        mean = self.bins.total() / count
        return 10 * log10(mean) if self.energy else mean


class SumOver(_Window):
    """The sum of the last hour, or of any time, such as rain; what is missing counts as nothing."""

    def take(self, t_ms: int, values: Sequence[float | None], flags: Sequence[int], worst: int) -> float | None:
        """Return the sum."""
        return self.bins.total() if self._add(t_ms, values, flags, worst) else None


class RateOver:
    """How fast a value changes, an hour, over a window; a counter's fresh start is no fall.

    What looks like much is fitted by the median of slopes, so that a sensor lifted out of the water and put
    back is no rise; that takes six values at least in the window.
    """

    shown: float | None = None
    note: Mapping[str, float] | None = None

    def __init__(self, bound: Bound) -> None:
        self.index, self.over_ms = bound.index, bound.derive.over_ms
        self.width_ms = max(1, self.over_ms // BINS)
        self.sign = -1.0 if bound.rule.below else 1.0
        limits = [step.leave.at(bound.node.stages, bound.period_s) or 0.0 for step in bound.rule.steps]
        self.look = min(self.sign * limit for limit in limits)  # from here on it is worth a closer look
        self.counter = QUANTITIES[bound.rule.quantity].form is Form.COUNTER
        self.points: deque[tuple[int, float]] = deque()
        self.last, self.run = None if self.counter else 0.0, 0.0

    def take(self, t_ms: int, values: Sequence[float | None], flags: Sequence[int], worst: int) -> float | None:
        """Return the rate, after each new point; None while less than half of the window is known."""
        value = values[self.index]
        if value is None or flags[self.index] > worst:
            return None
        if self.counter:
            if self.last is not None:
                self.run += value - self.last if value >= self.last else value
            self.last, value = value, self.run
        points = self.points
        if points and t_ms - points[-1][0] < self.width_ms:
            return None
        points.append((t_ms, value))
        while points[0][0] < t_ms - self.over_ms:
            points.popleft()
        begin_ms, begin = points[0]
        if 2 * (t_ms - begin_ms) < self.over_ms:
            return None
        rate = (value - begin) / (t_ms - begin_ms) * HOUR_MS
        if self.counter or self.sign * rate < self.look:
            return rate
        slope = fit(tuple(points))
        return None if slope is None else slope.middle

    def dump(self) -> Any:
        """Return the points, and how far a counter has run."""
        return [self.last, self.run, list(self.points)] if self.points else None

    def load(self, state: Any) -> None:
        """Go on from a dump."""
        self.last, self.run = state[0], state[1]
        self.points = deque((t_ms, value) for t_ms, value in state[2])


class OverForm:
    """derive = { mean = "1h" }, and its like."""

    def __init__(self, key: str, source: type[MeanOver] | type[SumOver] | type[RateOver], suffix: str) -> None:
        self.keys = (key,)
        self._key, self._source, self._suffix = key, source, suffix

    def read(self, table: Mapping[str, Any], zone: str, place: str) -> Derive:
        """Read the window's length."""
        known_keys(table, self.keys, place)
        return Derive(form=self._key, over_ms=read_over(table[self._key], f"{place}.{self._key}"))

    def unit(self, own: str) -> str:
        """Return the unit of the mean, sum or rate."""
        return own + self._suffix

    def make(self, bound: Bound) -> Source | None:
        """Return the source, where the node measures the quantity."""
        return None if bound.index < 0 else self._source(bound)
