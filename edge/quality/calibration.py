"""Calibration by event time: what a probe said becomes what it measured. The raw value is kept beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """value = c0 + c1 raw + c2 raw^2 ..., for readings sensed from `from_ms` on (epoch ms; None: always)."""

    coefficients: tuple[float, ...]
    from_ms: int | None = None

    def apply(self, raw: float) -> float:
        """Return the calibrated value."""
        value = 0.0
        for factor in reversed(self.coefficients):
            value = value * raw + factor
        return value


def valid_at(calibrations: Sequence[Calibration], t_ms: int) -> Calibration | None:
    """Return the calibration that holds at `t_ms`: the one that began last. `calibrations` are in order."""
    found = None
    for calibration in calibrations:
        if calibration.from_ms is None or calibration.from_ms <= t_ms:
            found = calibration
    return found
