"""The air quality index by HJ 633-2026: of each pollutant the sub-index (IAQI), of these the highest.

The real-time index: PM2.5 and PM10 by the mean of the last hour, SO2, NO2 and CO of the last 24 hours, O3 of
the last 8 hours, each against its row of the standard's table 1.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from edge.model.errors import ConfigError
from edge.rules.rule import Derive
from edge.rules.source import Bound, Source, known_keys
from edge.rules.windows import Bins

HOUR_MS = 3_600_000
IAQI = (0, 50, 100, 150, 200, 300, 400, 500)
# quantity: hours of its mean, concentrations at which the sub-index is IAQI
TABLE: dict[str, tuple[int, tuple[float, ...]]] = {
    "pm2_5_ug_m3": (1, (0, 35, 60, 115, 150, 250, 350, 500)),
    "pm10_ug_m3": (1, (0, 50, 120, 250, 350, 420, 500, 600)),
    "so2_ug_m3": (24, (0, 50, 150, 475, 800, 1600, 2100, 2620)),
    "no2_ug_m3": (24, (0, 40, 80, 180, 280, 565, 750, 940)),
    "co_mg_m3": (24, (0, 2, 4, 14, 24, 36, 48, 60)),
    "o3_ug_m3": (8, (0, 100, 160, 215, 265, 800)),
}
STEP_MS = 600_000  # the index is drawn up this often
ROWS_AT_ONCE = 64


def _pieces(points: Sequence[float]) -> list[tuple[float, float]]:
    """Return the straight lines between a row's points: sub-index = first + second * mean."""
    found = []
    for k in range(1, len(points)):
        slope = (IAQI[k] - IAQI[k - 1]) / (points[k] - points[k - 1])
        found.append((IAQI[k - 1] - slope * points[k - 1], slope))
    return [*found, (float(IAQI[len(points) - 1]), 0.0)]  # beyond the table: its end


Row = tuple[tuple[float, ...], list[tuple[float, float]]]
ROWS: dict[str, Row] = {quantity: (points[1:], _pieces(points)) for quantity, (_, points) in TABLE.items()}


def _between(row: Row, mean: float) -> float:
    points, pieces = row
    base, slope = pieces[bisect_left(points, mean)]
    return base + slope * mean


def iaqi(quantity: str, mean: float) -> int:
    """Return the sub-index of a pollutant's mean, rounded up (HJ 633, 4.3.2); beyond the table, its end."""
    return ceil(round(_between(ROWS[quantity], max(mean, 0.0)), 6))


class Aqi:
    """The index of one air station; its note names the pollutant that decides it, with its mean."""

    shown: float | None = None
    note: Mapping[str, float] | None = None

    def __init__(self, bound: Bound) -> None:
        self.parts: list[tuple[str, int, Bins, float]] = []
        for quantity, (hours, _) in TABLE.items():
            index = bound.index_of(quantity)
            if index >= 0:
                bins = Bins(hours * HOUR_MS)
                self.parts.append((quantity, index, bins, bound.enough(hours * HOUR_MS - bins.width_ms)))
        self.next_ms = 0
        self._rows: list[tuple[Sequence[float | None], Sequence[int]]] = []
        self._worst = 0
        self._good: list[int] = []  # flags that were found to be good: mostly they are the same

    def take(self, t_ms: int, values: Sequence[float | None], flags: Sequence[int], worst: int) -> float | None:
        """Return the index, every ten minutes; None in between, and while no pollutant has its mean."""
        self._rows.append((values, flags))
        self._worst = worst
        if t_ms < self.next_ms:
            if len(self._rows) >= ROWS_AT_ONCE:
                self._gather()
            return None
        self.next_ms = t_ms - t_ms % STEP_MS + STEP_MS
        for _, _, bins, _ in self.parts:
            bins.until(t_ms)
        self._gather()
        return self._index()

    def _gather(self) -> None:
        """Add up the rows: whole ones by columns, which is quick, the others value by value."""
        whole: list[Sequence[float]] = []
        for values, flags in self._rows:
            if None not in values and (flags == self._good or self._is_good(flags)):
                whole.append(values)  # type: ignore[arg-type]  # no None is in it
                continue
            for _, index, bins, _ in self.parts:
                value = values[index]
                if flags[index] <= self._worst and value is not None:
                    bins.sum += value
                    bins.count += 1
        self._rows.clear()
        if whole:
            columns, count = list(zip(*whole, strict=True)), len(whole)
            for _, index, bins, _ in self.parts:
                bins.sum += sum(columns[index])
                bins.count += count

    def _is_good(self, flags: Sequence[int]) -> bool:
        if max(flags) > self._worst:
            return False
        self._good = list(flags)
        return True

    def _index(self) -> float | None:
        highest, decides = -1.0, ("", 0.0)
        for quantity, _, bins, enough in self.parts:
            count = bins.number()
            if count >= enough:
                mean = bins.total() / count
                found = _between(ROWS[quantity], mean if mean > 0 else 0.0)
                if found > highest:
                    highest, decides = found, (quantity, mean)
        if highest < 0:
            return None
        self.note = {decides[0]: round(decides[1], 3)}
        return float(ceil(round(highest, 6)))

    def dump(self) -> Any:
        """Return the bins of every pollutant."""
        self._gather()
        kept = {quantity: bins.dump() for quantity, _, bins, _ in self.parts if bins.count or bins.bins}
        return [self.next_ms, kept] if kept else None

    def load(self, state: Any) -> None:
        """Go on from a dump."""
        self._rows.clear()
        self.next_ms = state[0]
        for quantity, _, bins, _ in self.parts:
            if quantity in state[1]:
                bins.load(state[1][quantity])


class AqiForm:
    """derive = { aqi = "realtime" }."""

    keys = ("aqi",)

    def read(self, table: Mapping[str, Any], zone: str, place: str) -> Derive:
        """There is one sort so far."""
        known_keys(table, self.keys, place)
        if table["aqi"] != "realtime":
            raise ConfigError(f"{place}.aqi: {table['aqi']!r} is not known", remedy='write "realtime"')
        return Derive(form="aqi")

    def unit(self, own: str) -> str:
        """An index has no unit."""
        return ""

    def make(self, bound: Bound) -> Source | None:
        """Return the source, where the node measures a pollutant at least."""
        source = Aqi(bound)
        return source if source.parts else None
