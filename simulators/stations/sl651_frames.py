"""The bytes of SL 651-2014 as a station writes and reads them (HEX coding), from the standard's page alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

HEARTBEAT, TEST, UNIFORM, TIMED, EXTRA, HOURLY, QUERY_NOW, QUERY_PERIOD = (
    *(0x2F, 0x30, 0x31, 0x32, 0x33, 0x34),
    *(0x37, 0x38),
)
STX, ETX, ENQ, ACK, EOT, NAK, ETB, ESC = 0x02, 0x03, 0x05, 0x06, 0x04, 0x15, 0x17, 0x1B
RAIN_TODAY, RAIN_TOTAL, VOLTAGE, STAGE = 0x20, 0x26, 0x38, 0x39
HOUR_OF_RAIN, HOUR_OF_STAGES, STEP = 0xF4, 0xF5, 0x04

_SIZES = {RAIN_TODAY: (3, 1), RAIN_TOTAL: (3, 1), VOLTAGE: (2, 2), STAGE: (4, 3)}  # bytes, decimals
_HEAD, _TAIL = 14, 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Who the station is (5 bytes), whom it calls, its password and its class (48h is a river)."""

    station: bytes
    centre: int
    password: int
    station_class: int = 0x48


class Sample(NamedTuple):
    """What the station measured at one minute; None where an instrument gave nothing."""

    rain_today_mm: float | None
    rain_total_mm: float | None
    stage_m: float | None
    voltage_v: float | None


class Down(NamedTuple):
    """A frame of the centre."""

    station: bytes
    centre: int
    password: int
    function: int
    body: bytes
    end: int

    @property
    def serial(self) -> int:
        """Which frame of ours it is about."""
        return int.from_bytes(self.body[:2], "big")


def crc(data: bytes) -> int:
    """Return the checksum: x16 + x15 + x2 + 1, bits shifted right, from FFFFh."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
    return register


def up(address: Address, function: int, body: bytes, end: int = ETX) -> bytes:
    """Return a frame to the centre: it comes first, the checksum goes high byte first."""
    head = b"\x7e\x7e" + bytes((address.centre,)) + address.station + address.password.to_bytes(2, "big")
    framed = head + bytes((function,)) + len(body).to_bytes(2, "big") + bytes((STX,)) + body + bytes((end,))
    return framed + crc(framed).to_bytes(2, "big")


def downs(data: bytes) -> tuple[list[Down], bytes]:
    """Return the centre's frames in a stream, and the bytes of one that is not whole; all else is skipped."""
    found: list[Down] = []
    while (start := data.find(b"\x7e\x7e")) >= 0:
        data = data[start:]
        if len(data) < _HEAD:
            return found, data
        length = int.from_bytes(data[11:13], "big")
        whole = _HEAD + (length & 0x0FFF) + _TAIL
        if length >> 12 != 8 or data[13] != STX:
            data = data[1:]
        elif len(data) < whole:
            return found, data
        elif crc(data[: whole - 2]) != int.from_bytes(data[whole - 2 : whole], "big"):
            data = data[1:]
        else:
            body, end = data[_HEAD : whole - _TAIL], data[whole - _TAIL]
            password = int.from_bytes(data[8:10], "big")
            found.append(Down(data[2:7], data[7], password, data[10], body, end))
            data = data[whole:]
    return found, data[-1:] if data.endswith(b"\x7e") else b""


def bcd(digits: str) -> bytes:
    """Return digits packed two a byte."""
    return bytes.fromhex(digits)


def sent_at(moment: datetime) -> bytes:
    """Return a time of sending, YYMMDDhhmmss."""
    return bcd(moment.strftime("%y%m%d%H%M%S"))


def observed_at(moment: datetime) -> bytes:
    """Return the group that says when what follows was measured."""
    return b"\xf0\xf0" + bcd(moment.strftime("%y%m%d%H%M"))


def element(identifier: int, *values: float | None) -> bytes:
    """Return an element, or in a uniform report many values behind one identifier.

    All F stands where there is none. Where one is negative all have one byte more, and FF leads that one.
    """
    size, decimals = _SIZES[identifier]
    sign = any(value is not None and value < 0 for value in values)
    data = b"".join(_digits(value, size, decimals, sign) for value in values)
    return bytes((identifier, size + sign << 3 | decimals)) + data


def step(minutes: int) -> bytes:
    """Return the time step between values: days, hours, minutes."""
    hours, minutes = divmod(minutes, 60)
    return bytes((STEP, 0x18)) + bcd(f"{hours // 24:02d}{hours % 24:02d}{minutes:02d}")


def hour_of_rain(falls_mm: Sequence[float | None]) -> bytes:
    """Return the rain of each five minutes of an hour, a byte each, in 0.1 mm."""
    return bytes((HOUR_OF_RAIN, 0x60, *(0xFF if fall is None else round(fall * 10) for fall in falls_mm)))


def hour_of_stages(stages_m: Sequence[float | None], base_m: float) -> bytes:
    """Return the stage at each five minutes of an hour, two bytes each, in 0.01 m above the base."""
    raw = (0xFFFF if stage is None else round((stage - base_m) * 100) for stage in stages_m)
    return bytes((HOUR_OF_STAGES, 0xC0)) + b"".join(value.to_bytes(2, "big") for value in raw)


def head(serial: int, now: datetime) -> bytes:
    """Return what every body begins with; it is all of a heartbeat's."""
    return serial.to_bytes(2, "big") + sent_at(now)


def who(address: Address) -> bytes:
    """Return the group that says whose values follow."""
    return b"\xf1\xf1" + address.station + bytes((address.station_class,))


def _digits(value: float | None, size: int, decimals: int, sign: bool) -> bytes:
    if value is None:
        return b"\xff" * (size + sign)
    packed = bcd(f"{round(abs(value) * 10**decimals):0{2 * size}d}")
    return (b"\xff" if value < 0 else b"\x00") + packed if sign else packed
