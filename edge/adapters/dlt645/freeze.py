"""What a meter froze on a full hour (整点冻结): the bytes of the block, and the moment that its digits mean.

Meters write the block `0504FFnn` in two ways: with AA behind the time and behind each energy, or bare. An
energy that a meter is told to leave out is nothing between two AA. AA is no decimal digits, so the two ways
cannot be confused.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from edge.adapters.dlt645.items import Item, item
from edge.adapters.dlt645.values import number
from edge.adapters.envelope import bcd, spelt
from edge.adapters.frame import FrameError

_BLOCK = "0504FF"
_TIME, _ENERGY = 5, 4  # bytes
_SEPARATOR = b"\xaa"


class Freeze(NamedTuple):
    """One freeze: YYMMDDhhmm of the meter's clock (empty for one that was never made), energies in kWh."""

    time: str
    forward: float | None
    reverse: float | None


def is_block(di: str) -> bool:
    """Whether an identifier is that of an hour's time and energies in one."""
    return di.startswith(_BLOCK) and di not in (f"{_BLOCK}00", f"{_BLOCK}FF")


def freeze(data: bytes) -> Freeze:
    """Return what a block says. Raises FrameError `length` or `bcd`."""
    time, *energies = _parts(data)
    if len(time) != _TIME or len(energies) > 2 or any(len(each) not in (0, _ENERGY) for each in energies):
        raise FrameError("length", f"{len(data)} bytes are no block of an hour")
    found = [number(_item(), each) if each else None for each in (*energies, b"", b"")]
    return Freeze(frozen_at(time), found[0], found[1])


def frozen_at(raw: bytes) -> str:
    """Return the digits of a freeze's time; empty where the meter has none: zeros or FF. Raises FrameError."""
    if not raw.strip(b"\xff") or not bcd(raw):
        return ""
    return spelt(raw)


def moment_ms(told: str, zone: ZoneInfo) -> int:
    """Return YYMMDDhhmm as epoch milliseconds. Raises FrameError `time`."""
    year, month, day, hour, minute = (int(told[at : at + 2]) for at in range(0, 10, 2))
    try:
        moment = datetime(2000 + year, month, day, hour, minute, tzinfo=zone)
    except ValueError:
        raise FrameError("time", f"{told} is no time") from None
    return round(moment.timestamp() * 1000)


def digits(at_ms: int, zone: ZoneInfo) -> str:
    """Return a moment as YYMMDDhhmm."""
    return f"{datetime.fromtimestamp(at_ms / 1000, zone):%y%m%d%H%M}"


def _parts(data: bytes) -> list[bytes]:
    if data[_TIME : _TIME + 1] == _SEPARATOR:
        return data.removesuffix(_SEPARATOR).split(_SEPARATOR)
    return [data[:_TIME], *(data[at : at + _ENERGY] for at in range(_TIME, len(data), _ENERGY))]


def _item() -> Item:
    found = item("05040101")
    assert found is not None
    return found
