"""What goes wrong with real sensors, seeded and rare: a "no value" number, a node that falls silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulators.physics.chance import draw, key

SENTINEL = -9999.0
"""What many loggers write when the sensor did not answer."""
_SILENCE_SLOT_S = 900.0


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultConfig:
    """How often something goes wrong; 0 everywhere makes a perfect city."""

    sentinel_share: float = 0.0004
    """Of all readings, those in which one value is SENTINEL."""
    silent_share: float = 0.004
    """Of all quarter-hours of a node, those in which it says nothing."""


NO_FAULTS = FaultConfig(sentinel_share=0.0, silent_share=0.0)


def is_silent(config: FaultConfig, seed: int, node: str, t_s: float) -> bool:
    """Return whether the node's sensor says nothing at `t_s`."""
    return draw(key(seed, node, "silent"), int(t_s // _SILENCE_SLOT_S)) < config.silent_share


def with_sentinel(
    config: FaultConfig, seed: int, node: str, t_s: float, values: Sequence[float]
) -> tuple[float, ...]:
    """Return the values, now and then with one of them replaced by SENTINEL."""
    base = key(seed, node, "sentinel")
    moment = round(t_s * 1000)
    if draw(base, moment) >= config.sentinel_share:
        return tuple(values)
    hit = int(draw(base + 1, moment) * len(values))
    return tuple(SENTINEL if index == hit else value for index, value in enumerate(values))
