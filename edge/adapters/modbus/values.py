"""Registers -> values: what the rows of a profile make of the numbers on the wire."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence

from edge.adapters.frame import FrameError
from edge.adapters.modbus.profile import Profile, Row

Number = int | float | bool | None
_MOST_DECIMALS = 9


def values(profile: Profile, rows: Iterable[Row], start: int, registers: Sequence[int]) -> dict[str, Number]:
    """Return the values that lie wholly in what was read from `start`. Raises FrameError `value`.

    Whole units are integers; None is what the device marks as missing, or a float that is no number.
    """
    return {
        row.key: _value(profile, row, registers, start)
        for row in rows
        if start <= row.register and row.register + row.words <= start + len(registers)
    }


def _value(profile: Profile, row: Row, registers: Sequence[int], start: int) -> Number:
    words = list(registers[row.register - start : row.register - start + row.words])
    if (row.word_order or profile.word_order) == "low_first":
        words.reverse()
    raw = 0
    for word in words:
        raw = raw << 16 | word
    if raw == row.missing:
        return None
    if row.type == "flag":
        return raw != 0
    decimals = row.decimals
    if row.decimals_from is not None and start <= row.decimals_from < start + len(registers):
        decimals = registers[row.decimals_from - start]
        if decimals > _MOST_DECIMALS:
            raise FrameError("value", f"{row.key} cannot have {decimals} decimals")
    number = _float(raw) if row.type == "f32" else _signed(row, raw)
    if number is None:
        return None
    return scaled(number, row.factor, decimals)


def scaled(number: int | float, factor: int, decimals: int) -> int | float:
    """Return number * factor / 10^decimals, as the nearest decimal fraction; an integer stays one."""
    return number * factor / int(10**decimals) if decimals else number * factor


def _signed(row: Row, raw: int) -> int:
    top = 1 << (16 * row.words - 1)
    if row.type == "signed_magnitude":
        return -(raw - top) if raw >= top else raw
    return raw - 2 * top if row.type in ("i16", "i32") and raw >= top else raw


def _float(raw: int) -> float | None:
    """Return a 32-bit float to the 7 digits that it is good for: 230.2, not 230.20001220703125."""
    (found,) = struct.unpack(">f", raw.to_bytes(4, "big"))
    return float(f"{found:.7g}") if math.isfinite(found) else None
