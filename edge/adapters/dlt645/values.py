"""The bytes of an item as numbers, times, digits and texts."""

from __future__ import annotations

from edge.adapters.dlt645.items import Form, Item
from edge.adapters.envelope import bcd, spelt
from edge.adapters.frame import FrameError

_NUMBER_OF_DEMAND = 3  # bytes; those behind it are the time of its occurrence
_SIGN = 0x80
_SCALES = (1, 10, 100, 1_000, 10_000)


def elements(found: Item, data: bytes) -> list[bytes]:
    """Return the elements of an item's data; a block may have fewer than it could. Raises FrameError."""
    count, odd = divmod(len(data), found.size)
    if odd or not 1 <= count <= len(found.keys):
        raise FrameError("length", f"{len(data)} bytes are no {found.name} of {found.size} bytes each")
    return [data[at : at + found.size] for at in range(0, len(data), found.size)]


def number(found: Item, raw: bytes) -> float | None:
    """Return the number of an element; None where the meter filled it with FF. Raises FrameError."""
    digits = raw[:_NUMBER_OF_DEMAND] if found.form is Form.DEMAND else raw
    if not digits.strip(b"\xff"):
        return None
    if not found.signed:
        return bcd(digits) / _SCALES[found.decimals]
    size = bcd(bytes((*digits[:-1], digits[-1] & ~_SIGN))) / _SCALES[found.decimals]
    return -size if size and digits[-1] & _SIGN else size


def said(found: Item, raw: bytes) -> float | str | None:
    """Return an element for people. Raises FrameError."""
    if found.numeric:
        return number(found, raw)
    if not raw.strip(b"\xff"):
        return None
    if found.form is Form.TEXT:
        return raw[::-1].decode("ascii", "replace").strip("\0 ")
    if found.form is Form.BITS:
        return spelt(raw)
    bcd(raw)
    return spelt(raw)
