"""A slope that a few wrong values do not turn: the median of the slopes between all pairs (Theil and Sen)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

POINTS = 24  # of a window: 276 slopes
FEWEST = 6
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Slope:
    """A rise in units an hour: its median, its slow and its quick tenth; and where the line stands now."""

    middle: float
    slow: float
    quick: float
    now: float


def fit(points: Sequence[tuple[int, float]]) -> Slope | None:
    """Return the slope through the points, the oldest first; None for too few."""
    if len(points) < FEWEST:
        return None
    slopes = sorted(
        (later[1] - early[1]) / (later[0] - early[0]) * HOUR_MS
        for k, later in enumerate(points)
        for early in points[:k]
        if 3 * (later[0] - early[0]) >= points[-1][0] - points[0][0]  # short pairs say noise
    )
    middle, tenth = median(slopes), len(slopes) // 10
    end_ms = points[-1][0]
    now = median([value + middle * (end_ms - t_ms) / HOUR_MS for t_ms, value in points[-FEWEST:]])
    return Slope(middle, slopes[tenth], slopes[-1 - tenth], now)
