"""Units as Grafana draws them: SenML unit -> Grafana unit, in one table."""

from __future__ import annotations

from edge.model.units import UNITS

# Grafana scales these by itself (1500 W becomes 1.5 kW). All others are written as they are, after the number.
_SCALED = {
    "m": "lengthm",
    "mm": "lengthmm",
    "W": "watt",
    "Wh": "watth",
    "VA": "voltamp",
    "var": "voltampreact",
    "V": "volt",
    "A": "amp",
    "Hz": "hertz",
    "s": "s",
    "ms": "ms",
    "Cel": "celsius",
    "hPa": "pressurehpa",
    "/100": "percent",
    "%EL": "percent",
    "deg": "degree",
    "lx": "lux",
    "dB": "dB",
    "dBm": "dBm",
    "count": "short",
    "/": "none",
    "pH": "none",
}

_HOURLY = {"Wh": "watt", "varh": "voltampreact"}  # a Wh an hour is a watt


def grafana_unit(unit: str, *, per_hour: bool = False) -> str:
    """Return Grafana's id of a SenML unit; `per_hour` for the growth of a counter."""
    shown = UNITS[unit].display
    if per_hour:
        return _HOURLY.get(unit) or f"suffix:{shown}/h"
    return _SCALED.get(unit) or f"suffix:{shown}"
