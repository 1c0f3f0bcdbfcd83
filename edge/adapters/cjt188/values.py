"""The bytes of a meter's totals as values: media, units, status."""

from __future__ import annotations

from typing import NamedTuple

from edge.adapters.cjt188.telegram import Telegram
from edge.adapters.envelope import bcd
from edge.adapters.frame import FrameError
from edge.adapters.report import Value, Word
from edge.model.quality import Flag


class Unit(NamedTuple):
    """A unit on the wire: its name, the unit of our keys, and how many of ours one is."""

    name: str
    ours: str
    factor: float


UNITS: dict[int, Unit] = {
    0x01: Unit("J", "kwh", 1 / 3.6e6),
    0x02: Unit("Wh", "kwh", 1e-3),
    0x05: Unit("kWh", "kwh", 1.0),
    0x08: Unit("MWh", "kwh", 1e3),
    0x0A: Unit("100 MWh", "kwh", 1e5),
    0x0B: Unit("kJ", "kwh", 1 / 3600),
    0x0E: Unit("MJ", "kwh", 1 / 3.6),
    0x11: Unit("GJ", "kwh", 1e3 / 3.6),
    0x13: Unit("100 GJ", "kwh", 1e5 / 3.6),
    0x14: Unit("W", "kw", 1e-3),
    0x17: Unit("kW", "kw", 1.0),
    0x1A: Unit("MW", "kw", 1e3),
    0x29: Unit("l", "m3", 1e-3),
    0x2C: Unit("m3", "m3", 1.0),
    0x32: Unit("l/h", "m3_h", 1e-3),
    0x35: Unit("m3/h", "m3_h", 1.0),
}
"""By their code."""

_MEDIA = {
    0x10: "water",
    0x11: "water",
    0x12: "water",
    0x13: "water",
    0x20: "heat",
    0x21: "cold",
    0x30: "gas",
    0x40: "electricity",
}

WORDS: dict[str, Word] = {
    "water_m3": Word("water_volume_m3"),
    "gas_m3": Word("gas_volume_m3"),
    "electricity_kwh": Word("energy_wh", 1000.0),
}
"""What the catalogue has: it knows neither heat nor valves nor what stood on a settlement day."""

_VALVE = 0x03
_BATTERY_LOW = 0x04


def total(raw: bytes) -> float | None:
    """Return a total in its own unit; None where the meter fills it with FF, having none. Raises FrameError."""
    return bcd(raw) / 100 if raw.strip(b"\xff") else None


def values(answer: Telegram) -> tuple[Value, ...]:
    """Return what a water or gas meter says, in m3, kWh, kW or m3/h. Raises FrameError.

    `valve` is 0 open, 1 closed, 3 faulty; `battery_low` is 0 or 1. The clock is left out: it is often zero, and
    some meters send it in another order, so it never is the time of a measurement.
    """
    if not answer.plain:
        remedy = "a heat meter's longer answer is not taken apart"
        raise FrameError("layout", f"{len(answer.data)} bytes are no water meter's answer", remedy=remedy)
    data, medium = answer.data, _MEDIA.get(answer.meter_type, "other")
    return (
        _value(medium, data[3:7], data[7]),
        _value(f"settlement_{medium}", data[8:12], data[12]),
        Value("valve", float(data[20] & _VALVE)),
        Value("battery_low", float(bool(data[20] & _BATTERY_LOW))),
    )


def _value(name: str, raw: bytes, code: int) -> Value:
    unit = UNITS.get(code, Unit("", f"unit_{code:02X}", 1.0))
    number = total(raw)
    if number is None:
        return Value(f"{name}_{unit.ours}", None, Flag.MISSING)
    return Value(f"{name}_{unit.ours}", number * unit.factor)
