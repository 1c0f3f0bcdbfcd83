"""The sun over the district: when lamps burn, and how bright the day is."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

import astral
import astral.sun

CITY = astral.Observer(latitude=31.295, longitude=121.525)
LOCAL = timezone(timedelta(hours=8))
COMMISSIONED = date(2025, 1, 1)
"""When the lamps' energy counters stood at zero."""
DIM_FROM_H, DIM_UNTIL_H, DIM_LEVEL = 24.0, 29.0, 0.5
"""From midnight to five, hours after the local midnight before the evening, at half the power."""


@lru_cache(maxsize=4096)
def night(day: int) -> tuple[float, float]:
    """Return (sunset, next sunrise), epoch seconds, of the evening `day` days after COMMISSIONED."""
    evening = COMMISSIONED + timedelta(days=day)
    sunset = astral.sun.sunset(CITY, evening, tzinfo=LOCAL)
    sunrise = astral.sun.sunrise(CITY, evening + timedelta(days=1), tzinfo=LOCAL)
    return sunset.timestamp(), sunrise.timestamp()


def day_of(t_s: float) -> int:
    """Return the number of the night that `t_s` belongs to: from noon to noon, local time."""
    noon = datetime(COMMISSIONED.year, COMMISSIONED.month, COMMISSIONED.day, 12, tzinfo=LOCAL)
    return math.floor((t_s - noon.timestamp()) / 86400)


def burnt_s(day: int, on_s: float, until_s: float) -> float:
    """Return for how long, in seconds of full power, a lamp has burnt from `on_s` to `until_s` in a night."""
    midnight = datetime.combine(COMMISSIONED + timedelta(days=day), datetime.min.time(), LOCAL).timestamp()
    dim_from, dim_until = midnight + DIM_FROM_H * 3600, midnight + DIM_UNTIL_H * 3600
    dimmed = max(0.0, min(until_s, dim_until) - max(on_s, dim_from))
    return max(0.0, until_s - on_s) - dimmed * (1 - DIM_LEVEL)


_full_nights: list[float] = [0.0]


def burnt_before_s(day: int) -> float:
    """Return the seconds of full power of all nights before `day`, sunset to sunrise, since COMMISSIONED."""
    while len(_full_nights) <= day:
        number = len(_full_nights) - 1
        _full_nights.append(_full_nights[-1] + burnt_s(number, *night(number)))
    return _full_nights[day] if day > 0 else 0.0


def is_dimmed(t_s: float) -> bool:
    """Return whether the lamps are at half power by the clock."""
    hour = (t_s / 3600 + 8) % 24
    return DIM_FROM_H - 24 <= hour < DIM_UNTIL_H - 24


@lru_cache(maxsize=4096)
def _elevations(step: int) -> tuple[float, float]:
    at = datetime.fromtimestamp(step * 600, UTC)
    return astral.sun.elevation(CITY, at), astral.sun.elevation(CITY, at + timedelta(seconds=600))


def elevation_deg(t_s: float) -> float:
    """Return how high the sun stands, degrees (ten-minute steps, straight lines between)."""
    step = math.floor(t_s / 600)
    a, b = _elevations(step)
    return float(a + (b - a) * (t_s / 600 - step))


def daylight_lx(t_s: float, cloud: float) -> float:
    """Return the light under a sky with `cloud` from 0 to 1, lux; some tenths of a lux at night."""
    height = math.sin(math.radians(elevation_deg(t_s)))
    if height <= 0:
        twilight = max(0.0, 1 + height / math.sin(math.radians(6)))
        return 0.2 + 400 * twilight**3
    return 400 + 105_000 * math.pow(height, 1.15) * (1 - 0.75 * cloud)
