"""Durations and thresholds as people write them: "90 s", "1h", "warning_m - 0.3", "1.1 grid_v"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

from edge.model.errors import ConfigError
from edge.rules.rule import Threshold

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)\Z")
_MS = {"ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_NUMBER = r"\d+(?:\.\d+)?"
_THRESHOLD = re.compile(
    rf"(?:(?P<factor>-?{_NUMBER})\s*\*?\s*)?(?P<name>[a-z][a-z0-9_]*)(?:\s*(?P<sign>[+-])\s*(?P<offset>{_NUMBER}))?\Z"
)


def read_duration(value: Any, place: str) -> int:
    """Return milliseconds of "90 s", "5min", "1h", "2d"; a plain number is not enough, for it has no unit."""
    match = _DURATION.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        if value == 0 and not isinstance(value, bool):
            return 0
        raise ConfigError(f"{place}: {value!r} is no duration", remedy='write "90s", "5min", "1h" or "2d"')
    return round(float(match[1]) * _MS[match[2]])


def read_threshold(value: Any, constants: Mapping[str, float], place: str, quantity: str = "") -> Threshold:
    """Read a number, a name with factor and offset, or a name of [constant], which a node may have otherwise.

    A stage of the node must end in the unit as the quantity does (`warning_m` for `level_m`).
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return Threshold(float(value))
    match = _THRESHOLD.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ConfigError(
            f"{place}: {value!r} is no threshold",
            remedy='write a number, a stage ("warning_m - 0.3"), a constant ("1.1 grid_v") or "10 periods"',
        )
    factor = float(match["factor"] or 1)
    offset = float((match["sign"] or "") + (match["offset"] or "0"))
    name = "periods" if match["name"] == "period" else match["name"]
    if name in constants:
        return Threshold(offset, factor, name, constants[name])
    unit = quantity.rpartition("_")[2]
    if name != "periods" and unit and not name.endswith(f"_{unit}"):
        known = ", ".join(sorted(constants)) or "none"
        raise ConfigError(
            f"{place}: nothing is called {name!r}",
            remedy=f"stages of a node end in _{unit} here; constants of [constant]: {known}",
        )
    return Threshold(offset, factor, name)
