"""The gross range test: a value that the sensor cannot report is a fault, not a reading.

Source: QARTOD, Manual for Real-Time Quality Control of Water Level Data, test 4 (gross range).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.model.quality import Flag
from edge.model.quantities import QUANTITIES

Stage = Callable[[Sequence[float | None]], list[Flag]]


def gross_range(quantities: Sequence[str]) -> Stage:
    """Return the test for readings with these quantities: one flag a value, MISSING for None."""
    limits = [(QUANTITIES[name].low, QUANTITIES[name].high) for name in quantities]

    def check(values: Sequence[float | None]) -> list[Flag]:
        return [
            Flag.MISSING if value is None else Flag.PASS if low <= value <= high else Flag.FAIL
            for value, (low, high) in zip(values, limits, strict=True)
        ]

    return check
