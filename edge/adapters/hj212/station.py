"""One of our stations as an environmental platform knows it, and what the platform may read and set of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

_RTD_INTERVAL_S = range(30, 3601)
_MIN_INTERVALS_MIN = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)
_TIMEOUT_S = range(1, 301)
_REPEATS = range(11)


@dataclass(frozen=True, kw_only=True, slots=True)
class Station:
    """Who we are at the platform (MN, PW, ST), our pace, and how long we wait for it."""

    mn: str
    password: str
    system: str = "22"
    time_zone: str = "Asia/Shanghai"
    timeout_s: int = 10
    repeats: int = 3
    rtd_interval_s: int = 60
    min_interval_min: int = 10


TOLD: dict[str, Callable[[Station, str], str]] = {
    "1011": lambda station, now: f"SystemTime={now}",
    "1061": lambda station, now: f"RtdInterval={station.rtd_interval_s}",
    "1063": lambda station, now: f"MinInterval={station.min_interval_min}",
}
"""What a platform may ask -> the CP that tells it."""

SET: dict[str, Mapping[str, tuple[str, range | tuple[int, ...]]]] = {
    "1000": {"OverTime": ("timeout_s", _TIMEOUT_S), "ReCount": ("repeats", _REPEATS)},
    "1062": {"RtdInterval": ("rtd_interval_s", _RTD_INTERVAL_S)},
    "1064": {"MinInterval": ("min_interval_min", _MIN_INTERVALS_MIN)},
}
"""What a platform may set -> the fields of CP, ours, and what is allowed."""


def changed(station: Station, cn: str, fields: Mapping[str, str]) -> Station | None:
    """Return the station as the platform wants it; None where it asks for what is not allowed."""
    values: dict[str, int] = {}
    for key, (name, allowed) in SET[cn].items():
        said = fields.get(key, "")
        if not (said.isascii() and said.isdigit() and len(said) < 6 and int(said) in allowed):
            return None
        values[name] = int(said)
    return replace(station, **values)  # type: ignore[arg-type]  # every name is that of an integer
