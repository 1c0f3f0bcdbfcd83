"""The air quality sub-index as InfluxQL: HJ 633's broken line, written with abs() for want of a CASE."""

from __future__ import annotations

from edge.rules.aqi import IAQI, TABLE

CLASSES: tuple[tuple[int, str, str, str], ...] = (
    (0, "green", "good", "优"),
    (51, "yellow", "fair", "良"),
    (101, "orange", "lightly polluted", "轻度污染"),
    (151, "red", "moderately polluted", "中度污染"),
    (201, "purple", "heavily polluted", "重度污染"),
    (301, "dark-red", "severely polluted", "严重污染"),
)
"""Index from which a class begins, the colour that HJ 633 gives it, and its name."""


def iaqi_of(quantity: str) -> str:
    """Return an expression of the field `quantity` (a mean) that is its sub-index; beyond the table, its end.

    A broken line is a sum of hinges: at each point the slope changes by d, and d * max(0, x - p) is
    d / 2 * (|x - p| + x - p).
    """
    points = TABLE[quantity][1]
    slopes = [(IAQI[k + 1] - IAQI[k]) / (points[k + 1] - points[k]) for k in range(len(points) - 1)]
    changes = [new - old for old, new in zip([0.0, *slopes], [*slopes, 0.0], strict=True)]
    x = f'"{quantity}"'
    line = " + ".join(
        f"{change / 2:.15g} * (abs({x} - {point:g}) + {x} - {point:g})"
        for point, change in zip(points, changes, strict=True)
        if abs(change) > _NOTHING
    )
    return f"ceil({line.replace('+ -', '- ')} - {_NOTHING:f})"  # rounded up (4.3.2), but 100 stays 100


_NOTHING = 1e-6
