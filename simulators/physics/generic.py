"""What no model speaks for, from its catalogue row alone: a new kind is simulated as soon as it has a row."""

from __future__ import annotations

import math

from edge.model.quantities import QUANTITIES, Form
from simulators.physics.power import EPOCH_S
from simulators.physics.scene import Scene

# (usual, swing) where the middle of the sensor's range would be odd
_USUAL = {
    "battery_v": (3.55, 0.06),
    "rssi_dbm": (-82.0, 9.0),
    "co2_ppm": (460.0, 60.0),
    "flow_m3_s": (12.0, 8.0),
    "gas_lel_pct": (1.0, 1.0),
    "temperature_c": (19.0, 6.0),
    "queue_readings": (20.0, 20.0),
    "missing_readings": (0.0, 0.0),
    "backlog_age_s": (0.5, 0.5),
    "commit_ms": (6.0, 4.0),
}
_STATE_SLOT_S = 3600.0
# how often a state is 1
_SHARE = {"occupied": 0.62, "door_open": 0.02, "cover_open": 0.001}


def value(scene: Scene, quantity: str) -> float:
    """Return a plausible value of a quantity: a wandering gauge, a state by the hour, a counter that runs."""
    row = QUANTITIES[quantity]
    if row.form is Form.STATE:
        return float(scene.happens(quantity, _STATE_SLOT_S, _SHARE.get(quantity, 0.2)))
    if row.form is Form.COUNTER:
        span = min(row.high - row.low, 1e6)
        steady = scene.fixed(quantity, 0.2, 1.0) * span / 1e9
        return row.low + steady * max(0.0, scene.t_s - EPOCH_S)
    usual, swing = _USUAL.get(quantity, _from_range(row.low, row.high))
    slow = 0.8 * scene.wander(quantity, 20_000) + 0.2 * scene.noise(quantity)
    return min(row.high, max(row.low, usual + swing * slow))


def _from_range(low: float, high: float) -> tuple[float, float]:
    span = high - low
    if span <= 1000:
        return low + 0.4 * span, 0.1 * span
    near = math.sqrt(span)
    return (max(low, 0.0) + 2 * near, near)
