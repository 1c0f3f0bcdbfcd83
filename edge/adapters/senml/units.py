"""Units as SenML names them, turned into the units of the catalogue and back."""

from __future__ import annotations

from collections.abc import Mapping
from math import degrees
from typing import NamedTuple

from edge.adapters.frame import FrameError
from edge.model.quantities import QUANTITIES
from edge.model.units import UNITS, Origin


class Scale(NamedTuple):
    """What a unit is in a base unit: `value * factor + offset`."""

    base: str
    factor: float = 1.0
    offset: float = 0.0


_MORE: Mapping[str, Scale] = {
    "g": Scale("kg", 1e-3), "K": Scale("Cel", 1.0, -273.15), "rad": Scale("deg", degrees(1)),
    "l": Scale("m3", 1e-3), "l/s": Scale("m3/s", 1e-3), "%": Scale("/", 1e-2), "count": Scale("/"),
    "%EL": Scale("/", 1e-2), "EL": Scale("s"), "1/min": Scale("1/s", 1 / 60), "beat/min": Scale("1/s", 1 / 60),
    "Hz": Scale("Hz"), "1/s": Scale("1/s"), "MHz": Scale("Hz", 1e6), "kVA": Scale("VA", 1e3),
    "kvar": Scale("var", 1e3), "Ah": Scale("C", 3600.0),
    "kvarh": Scale("vars", 3.6e6), "kVAh": Scale("VAs", 3.6e6), "Wh/km": Scale("J/m", 3.6),
    "m/h": Scale("m/s", 1 / 3600),
    "KiB": Scale("B", 1024.0), "GB": Scale("B", 1e9), "Mbit/s": Scale("bit/s", 1e6), "B/s": Scale("bit/s", 8.0),
    "MB/s": Scale("bit/s", 8e6), "kWs": Scale("J", 1e3),
}  # fmt: skip
"""What RFC 8428 and RFC 8798 register besides the catalogue's units, and which of them are plain ratios."""

SCALES: Mapping[str, Scale] = {
    **{name: Scale(unit.base or name, unit.factor, unit.offset) for name, unit in UNITS.items()},
    **_MORE,
}
"""Unit -> its scale; one that is not here has no other unit."""

_OF_SUM: Mapping[str, str] = {
    "W": "J", "kW": "kWs", "A": "C", "m3/s": "m3", "l/s": "l", "m/s": "m", "VA": "VAs", "var": "vars",
}  # fmt: skip
"""Unit of a value -> unit of its sum over seconds."""


def sum_unit(unit: str) -> str:
    """Return the unit of an integral over time."""
    return _OF_SUM.get(unit, f"{unit}.s" if unit else "")


def to_quantity(number: float, unit: str, quantity: str) -> float:
    """Return a number in the unit of a quantity; without one it is so already. Raises FrameError `unit`."""
    wanted = QUANTITIES[quantity].unit
    if unit in ("", wanted):
        return number
    given, own = SCALES.get(unit, Scale(unit)), SCALES.get(wanted, Scale(wanted))
    if given.base != own.base:
        raise FrameError("unit", f"{unit[:20]!r} is no unit of {quantity}, which is in {wanted}")
    converted = (number * given.factor + given.offset - own.offset) / own.factor
    return float(f"{converted:.12g}")


def registered(number: float, unit: str) -> tuple[float, str]:
    """Return a number in a registered unit; one that has none goes out without a unit."""
    known = UNITS.get(unit)
    if known is None or known.origin is not Origin.OWN:
        return number, unit
    if not known.base:
        return number, ""
    return float(f"{number * known.factor + known.offset:.12g}"), known.base


def is_secondary(unit: str) -> bool:
    """Tell whether a unit needs the version that allows secondary units (RFC 9100)."""
    return unit in UNITS and UNITS[unit].origin is Origin.RFC8798_SECONDARY
