"""When will the water reach a stage: the recent slope carried on, an honest band, and rain on its way.

A rising river slows down more often than not, so the slow tenth of the slopes (edge/rules/slope.py) says best
when; the median of the slopes would be a third too early. EARLIER and LATER widen the band until five of six
crossings on the Logan fall between its ends (make bench BENCH=forecast).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from edge.model.errors import ConfigError
from edge.model.quantities import QUANTITIES
from edge.rules.notation import read_duration, read_threshold
from edge.rules.peers import Peers
from edge.rules.rule import Derive, Threshold
from edge.rules.slope import HOUR_MS, POINTS, fit
from edge.rules.source import Bound, Source, known_keys, read_over, read_text

EARLIER, LATER = 0.6, 3.0
QUIET_MS = 86_400_000  # after the stage stood, it is not forecast: the water swings about it


class Forecast:
    """Minutes until the node's stage is reached; infinite while it is not in sight."""

    def __init__(self, bound: Bound, stage: float) -> None:
        extra = bound.derive.extra
        self.index, self.stage, self.over_ms = bound.index, stage, bound.derive.over_ms
        self.width_ms = max(1, self.over_ms // POINTS)
        self.points: deque[tuple[int, float]] = deque()
        self.peers: Peers = bound.peers
        self.rain_node, _, self.rain = str(extra.get("rain", "")).rpartition("/")
        self.lead_ms = int(extra.get("lead_ms", 0))
        self.rise_per_mm = float(extra.get("rise_m_per_mm", 0.0))
        self.furthest_min = max(step.leave.offset for step in bound.rule.steps) * 2
        self.reached_ms = -QUIET_MS
        self.shown: float | None = None
        self.note: Mapping[str, float] | None = None

    def take(self, t_ms: int, values: Sequence[float | None], flags: Sequence[int], worst: int) -> float | None:
        """Return the minutes, after each new point of the window; None in between."""
        value = values[self.index]
        if value is None or flags[self.index] > worst:
            return None
        points = self.points
        if points and t_ms - points[-1][0] < self.width_ms:
            return None
        points.append((t_ms, value))
        while points[0][0] < t_ms - self.over_ms:
            points.popleft()
        self.shown, self.note = value, None
        if value >= self.stage and len(points) > 1 and points[-2][1] >= self.stage:
            self.reached_ms = t_ms  # one value alone may be a splash
        if t_ms - self.reached_ms < QUIET_MS:
            return inf  # it is there, or was lately: no longer a forecast
        if value >= self.stage:
            return None
        return self._minutes(t_ms, value)

    def _minutes(self, t_ms: int, value: float) -> float | None:
        points = self.points
        if 2 * (t_ms - points[0][0]) < self.over_ms:
            return None
        coming = self._rain(t_ms)
        rough = (value - points[0][1]) / (t_ms - points[0][0]) * HOUR_MS + coming
        if rough <= 0 or (self.stage - value) / rough * 60 > 2 * self.furthest_min:
            return inf  # far from it: not worth a fit
        slope = fit(tuple(points))
        if slope is None:
            return None
        room = max(0.0, self.stage - max(slope.now, value))
        slow, quick = slope.slow + coming, slope.quick + coming
        if slow <= 0:
            return inf  # part of the window fell: no rise to rely on
        minutes = room / slow * 60
        self.note = {
            "reaches_min": round(minutes, 1),
            "earliest_min": round(EARLIER * room / quick * 60, 1),
            "latest_min": round(LATER * minutes, 1),
            "stage_m": self.stage,
        }
        return minutes

    def _rain(self, t_ms: int) -> float:
        """Return the rise an hour that rain upstream will add until all of it has arrived."""
        if not self.rain:
            return 0.0
        fallen = self.peers.series(self.rain_node, self.rain, t_ms - self.lead_ms)
        return sum(mm for _, mm in fallen) * self.rise_per_mm / (self.lead_ms / HOUR_MS)

    def dump(self) -> Any:
        """Return the points of the window."""
        return [self.reached_ms, list(self.points)] if self.points else None

    def load(self, state: Any) -> None:
        """Go on from a dump."""
        self.reached_ms = state[0]
        self.points = deque((t_ms, value) for t_ms, value in state[1])


class ForecastForm:
    """derive = { forecast = "warning_m", over = "2h" }, and `rain`, `rain_lead`, `rain_rise_m_per_mm`."""

    keys = ("forecast", "over", "rain", "rain_lead", "rain_rise_m_per_mm")

    def read(self, table: Mapping[str, Any], zone: str, place: str) -> Derive:
        """Read which stage, from how much past, and which rain counts."""
        known_keys(table, self.keys, place)
        stage = read_threshold(table["forecast"], {}, f"{place}.forecast")
        extra: dict[str, float | str] = {"factor": stage.factor, "offset": stage.offset, "name": stage.name}
        rain = [key for key in self.keys[2:] if key in table]
        if rain and len(rain) < 3:
            raise ConfigError(f"{place}: rain upstream needs all of {', '.join(self.keys[2:])}")
        if rain:
            gauge = read_text(table["rain"], f"{place}.rain")
            if "/" not in gauge or gauge.rpartition("/")[2] not in QUANTITIES:
                raise ConfigError(f"{place}.rain: {gauge!r} names no gauge", remedy='write "rg-01/rain_mm"')
            rise = table["rain_rise_m_per_mm"]
            if isinstance(rise, bool) or not isinstance(rise, int | float) or rise < 0:
                raise ConfigError(f"{place}.rain_rise_m_per_mm: {rise!r} is no number from 0 on")
            extra |= {"rain": gauge, "rise_m_per_mm": float(rise)}
            extra["lead_ms"] = max(1, read_duration(table["rain_lead"], f"{place}.rain_lead"))
        over_ms = read_over(table.get("over", "2h"), f"{place}.over")
        return Derive(form="forecast", over_ms=over_ms, other=str(stage), extra=extra)

    def unit(self, own: str) -> str:
        """Thresholds are minutes."""
        return "min"

    def make(self, bound: Bound) -> Source | None:
        """Return the source, where the node has this stage."""
        extra = bound.derive.extra
        threshold = Threshold(float(extra["offset"]), float(extra["factor"]), str(extra["name"]))
        stage = threshold.at(bound.node.stages, bound.period_s)
        return None if bound.index < 0 or stage is None else Forecast(bound, stage)
