"""Durations as Prometheus writes them (1h30m), which Grafana's alert files take, and time zones."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_UNITS_MS = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_WHOLE = re.compile("".join(rf"(?:(\d+){unit})?" for unit in _UNITS_MS))


def milliseconds(text: Any) -> int | None:
    """Return how long it is; None if it is no duration."""
    if text == "0":
        return 0
    match = _WHOLE.fullmatch(text) if isinstance(text, str) and text else None
    if match is None:
        return None
    return sum(int(count) * ms for count, ms in zip(match.groups(), _UNITS_MS.values(), strict=True) if count)


def is_zone(name: str) -> bool:
    """Return whether it names a time zone; case matters, as it does to a server."""
    try:
        return ZoneInfo(name).key == name
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
