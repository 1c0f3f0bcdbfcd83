"""CJ/T 188 frames explained to people: `cityneuron decode cjt188`."""

from __future__ import annotations

from typing import Any

from edge.adapters.adapter import Case
from edge.adapters.cjt188.telegram import Telegram, telegram
from edge.adapters.cjt188.values import total
from edge.adapters.envelope import WAKE_UP, spelt


def decode(case: Case) -> dict[str, Any]:
    """Return what a frame says. Raises FrameError."""
    found = telegram(case.raw)
    told: dict[str, Any] = {
        "preamble": len(case.raw) - len(case.raw.lstrip(bytes((WAKE_UP,)))),
        "meter_type": f"{found.meter_type:02X}",
        "address": found.address,
        "control": f"{found.control:02X}",
        "direction": "slave" if found.from_meter else "master",
        "error": found.error,
        "length": len(found.data),
        "data_hex": found.data.hex().upper(),
    }
    if found.named:
        told |= {"di_bytes": found.di, "ser": found.data[2]}
    return told | (_totals(found) if found.plain else {})


def _totals(found: Telegram) -> dict[str, Any]:
    data = found.data
    return {
        "current_total": total(data[3:7]),
        "current_unit_code": f"{data[7]:02X}",
        "settlement_total": total(data[8:12]),
        "settlement_unit_code": f"{data[12]:02X}",
        "clock_raw": spelt(data[13:20]),
        "status_hex": data[20:22].hex().upper(),
    }
