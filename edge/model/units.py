"""Units of measurement, by their SenML names, so that a number is never without its meaning.

Sources: the SenML units registry as founded by RFC 8428 section 12.1 and extended by RFC 8798 (section 2,
primary units; section 3, secondary units). What the registry lacks is declared here as our own, and nowhere
else, each with what it is in registered units.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Where a unit's name is registered."""

    RFC8428 = "RFC 8428"
    RFC8798_PRIMARY = "RFC 8798 section 2"
    RFC8798_SECONDARY = "RFC 8798 section 3"
    OWN = "declared by this project"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: its SenML name, what people see, and its value in `base` = value * factor + offset."""

    symbol: str
    display: str
    origin: Origin
    base: str = ""
    factor: float = 1.0
    offset: float = 0.0


_REGISTERED = {
    "m": "m", "kg": "kg", "s": "s", "A": "A", "Hz": "Hz", "W": "W", "V": "V", "J": "J", "Cel": "°C", "lx": "lx",
    "m3": "m³", "m/s": "m/s", "m/s2": "m/s²", "m3/s": "m³/s", "W/m2": "W/m²", "pH": "pH", "dB": "dB",
    "count": "", "/": "", "%RH": "%RH", "%EL": "%",
}  # fmt: skip

_PRIMARY = {"deg": "°", "kg/m3": "kg/m³", "VA": "VA", "var": "var", "B": "B"}

_SECONDARY: dict[str, tuple[str, str, float] | tuple[str, str, float, float]] = {
    "ms": ("ms", "s", 1e-3), "min": ("min", "s", 60.0), "h": ("h", "s", 3600.0), "kW": ("kW", "W", 1e3),
    "Wh": ("Wh", "J", 3600.0), "kWh": ("kWh", "J", 3.6e6), "varh": ("varh", "vars", 3600.0),
    "mV": ("mV", "V", 1e-3), "mA": ("mA", "A", 1e-3),
    "dBm": ("dBm", "dBW", 1.0, -30.0), "ug/m3": ("µg/m³", "kg/m3", 1e-9), "mm/h": ("mm/h", "m/s", 1e-3 / 3600),
    "ppm": ("ppm", "/", 1e-6), "/100": ("%", "/", 1e-2), "/1000": ("‰", "/", 1e-3), "hPa": ("hPa", "Pa", 1e2),
    "mm": ("mm", "m", 1e-3), "cm": ("cm", "m", 1e-2), "km": ("km", "m", 1e3), "km/h": ("km/h", "m/s", 1 / 3.6),
}  # fmt: skip

_OWN = {
    "NTU": ("NTU", "", 1.0),  # ISO 7027-1 turbidity has no SI form
    "mg/l": ("mg/L", "kg/m3", 1e-3),  # GB 3838-2002 states limits in mg/L
    "mg/m3": ("mg/m³", "kg/m3", 1e-6),  # HJ 633 states CO in mg/m3
    "uS/cm": ("µS/cm", "S/m", 1e-4),  # what every conductivity probe reports
    "um/m": ("µε", "/", 1e-6),  # strain
    "nSv/h": ("nSv/h", "Sv", 1e-9),  # ambient dose equivalent an hour
    "mm/s": ("mm/s", "m/s", 1e-3),  # vibration velocity, ISO 10816
    "kPa": ("kPa", "Pa", 1e3),  # pressure in pipes; SL 651 has it
    "%LEL": ("%LEL", "/", 1e-2),  # of the lower explosive limit
    "m3/h": ("m³/h", "m3/s", 1 / 3600),  # meter flow
}

UNITS: dict[str, Unit] = {
    **{name: Unit(name, shown, Origin.RFC8428) for name, shown in _REGISTERED.items()},
    **{name: Unit(name, shown, Origin.RFC8798_PRIMARY) for name, shown in _PRIMARY.items()},
    **{name: Unit(name, row[0], Origin.RFC8798_SECONDARY, *row[1:]) for name, row in _SECONDARY.items()},
    **{name: Unit(name, row[0], Origin.OWN, *row[1:]) for name, row in _OWN.items()},
}
"""Every unit that the catalogue may use, by SenML name."""
