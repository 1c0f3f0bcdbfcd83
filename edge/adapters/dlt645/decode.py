"""DL/T 645 frames explained to people: `cityneuron decode dlt645`."""

from __future__ import annotations

from typing import Any

from edge.adapters.adapter import Case
from edge.adapters.dlt645.freeze import freeze, is_block
from edge.adapters.dlt645.items import item
from edge.adapters.dlt645.load import AT_A_TIME, load_records
from edge.adapters.dlt645.telegram import Asking, Telegram, reported_address, telegram
from edge.adapters.dlt645.values import elements, said
from edge.adapters.envelope import WAKE_UP
from edge.adapters.frame import FrameError


def decode(case: Case) -> dict[str, Any]:
    """Return what a frame says. Raises FrameError."""
    found = telegram(case.raw)
    told: dict[str, Any] = {
        "preamble": len(case.raw) - len(case.raw.lstrip(bytes((WAKE_UP,)))),
        "address": found.address,
        "control": f"{found.control:02X}",
        "direction": "slave" if found.from_meter else "master",
        "error": found.error,
        "more": found.more,
        "function": f"{found.function:02X}",
        "length": len(found.data),
        "data_hex": found.data.hex().upper(),
    }
    if found.di:
        told["di"] = found.di
    return told | (_answer(found) if found.from_meter else {})


def _answer(found: Telegram) -> dict[str, Any]:
    if found.error:
        return {"error_word": found.data[:1].hex().upper()}
    if found.function == Asking.ADDRESS:
        return {"reported_address": reported_address(found)}
    if found.function == Asking.READ and is_block(found.di) and not found.more:
        hour = freeze(found.data[4:])
        return {"value": [hour.time or None, hour.forward, hour.reverse], "unit": "kWh"}
    if found.function == Asking.READ and found.di == AT_A_TIME and not found.more:
        return {"value": [[record.time or None, record.values] for record in load_records(found.data[4:])]}
    if found.function != Asking.READ or (known := item(found.di)) is None:
        return {}  # what follows upon an earlier frame cannot be read without it
    try:
        parts = elements(known, found.data[4:])
    except FrameError:
        if found.more or not known.numeric:
            return {}
        raise
    values = [said(known, part) for part in parts]
    value = {"value": values[0] if len(known.keys) == 1 else values}
    return value | ({"unit": known.unit} if known.unit else {})
