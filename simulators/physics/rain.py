"""Rain: storm cells that come by chance, cross the district and leave water in gauges and channels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from simulators.physics.chance import draw, key

SLOT_S = 6 * 3600.0
_M_PER_DEGREE = 111_320.0
_TIP_MM = 0.1
# storm cells in six hours, by month: plum rain in June and July, typhoon season after, dry winters
_CELLS = (0.15, 0.18, 0.25, 0.25, 0.27, 0.55, 0.45, 0.5, 0.38, 0.2, 0.18, 0.13)


@dataclass(frozen=True, slots=True)
class Cell:
    """A storm cell: it swells and fades over `duration_s`, strongest at its centre."""

    start_s: float
    duration_s: float
    peak_mm_h: float
    lat: float
    lon: float
    radius_m: float

    def weight(self, lat: float, lon: float) -> float:
        """Return which share of the cell's rain falls at a place."""
        north = (lat - self.lat) * _M_PER_DEGREE
        east = (lon - self.lon) * _M_PER_DEGREE * math.cos(math.radians(lat))
        return math.exp(-(north * north + east * east) / (2 * self.radius_m**2))

    def rate_mm_h(self, t_s: float) -> float:
        """Return the intensity at the centre."""
        phase = (t_s - self.start_s) / self.duration_s
        return self.peak_mm_h * math.sin(math.pi * phase) ** 2 if 0 < phase < 1 else 0.0

    def fallen_mm(self, t_s: float) -> float:
        """Return what has fallen at the centre until `t_s`."""
        phase = min(1.0, max(0.0, (t_s - self.start_s) / self.duration_s))
        return (
            self.peak_mm_h
            * self.duration_s
            / 3600
            * (phase / 2 - math.sin(2 * math.pi * phase) / (4 * math.pi))
        )


@lru_cache(maxsize=256)
def cells(seed: int, slot: int) -> tuple[Cell, ...]:
    """Return the cells that begin in a slot of six hours (a Poisson process, its rate by month)."""
    base = key(seed, "rain", slot)
    start_s = slot * SLOT_S
    month = int((start_s / 86400 % 365.2425) / 30.44) % 12
    born, left = 0, draw(base, 0)
    threshold = math.exp(-_CELLS[month])
    while left > threshold and born < 8:
        born += 1
        left *= draw(base, born)
    return tuple(_cell(key(seed, "cell", slot, number), start_s) for number in range(born))


def _cell(base: int, slot_start_s: float) -> Cell:
    return Cell(
        start_s=slot_start_s + draw(base, 0) * SLOT_S,
        duration_s=1200 + 9000 * draw(base, 1) ** 2,
        peak_mm_h=min(90.0, 1.0 - 7.0 * math.log(1 - draw(base, 2))),
        lat=31.24 + 0.12 * draw(base, 3),
        lon=121.46 + 0.14 * draw(base, 4),
        radius_m=2500 + 6000 * draw(base, 5),
    )


def _near(seed: int, from_s: float, to_s: float) -> Iterator[Cell]:
    for slot in range(math.floor(from_s / SLOT_S) - 1, math.floor(to_s / SLOT_S) + 1):
        yield from cells(seed, slot)


def rain_rate_mm_h(seed: int, lat: float, lon: float, t_s: float) -> float:
    """Return the intensity at a place."""
    return sum(rate * cell.weight(lat, lon) for cell in _near(seed, t_s, t_s) if (rate := cell.rate_mm_h(t_s)))


def rain_mm(seed: int, lat: float, lon: float, t_s: float, period_s: float) -> float:
    """Return what a gauge that tips at 0.1 mm counted in the period up to `t_s`."""
    before_s = t_s - period_s
    near = list(_near(seed, before_s, t_s))

    def tips(until_s: float) -> int:
        return math.floor(sum(cell.fallen_mm(until_s) * cell.weight(lat, lon) for cell in near) / _TIP_MM)

    return max(0, tips(t_s) - tips(before_s)) * _TIP_MM


@lru_cache(maxsize=65_536)
def _rate_on_grid(seed: int, lat: float, lon: float, step: int) -> float:
    """The rain at a ten-minute step: every later step of some hours asks for it again."""
    return rain_rate_mm_h(seed, lat, lon, step * 600.0)


@lru_cache(maxsize=65_536)
def _wetness_on_grid(seed: int, lat: float, lon: float, step: int, memory_s: float) -> float:
    """Millimetres still on their way at a ten-minute step: each fades with the time constant `memory_s`."""
    total = 0.0
    for back in range(int(4 * memory_s / 600)):
        total += _rate_on_grid(seed, lat, lon, step - back) / 6 * math.exp(-back * 600 / memory_s)
    return total


def wetness_mm(seed: int, lat: float, lon: float, t_s: float, memory_s: float = 10_800.0) -> float:
    """Return how much rain of the last hours is still in the channel or ground, millimetres."""
    step = math.floor(t_s / 600)
    part = t_s / 600 - step
    a = _wetness_on_grid(seed, round(lat, 2), round(lon, 2), step, memory_s)
    b = _wetness_on_grid(seed, round(lat, 2), round(lon, 2), step + 1, memory_s)
    return a + (b - a) * part
