"""The CRC of HJ 212 (Annex A), and the two mistaken ones that real loggers send."""

from __future__ import annotations

from typing import Literal

Profile = Literal["", "crc16-modbus", "crc16-modbus-low-first"]
"""Which mistaken CRC a device is allowed besides the standard's own; none by default."""

_POLYNOMIAL = 0xA001


def _shifted(register: int) -> int:
    for _ in range(8):
        register = register >> 1 ^ (_POLYNOMIAL if register & 1 else 0)
    return register


_TABLE = tuple(map(_shifted, range(256)))


def standard(segment: bytes) -> int:
    """Return the CRC as the standard has it: the old low byte is thrown away before each byte is taken in."""
    register = 0xFFFF
    for byte in segment:
        register = _TABLE[register >> 8 ^ byte]
    return register


def modbus(segment: bytes) -> int:
    """Return CRC-16/MODBUS."""
    register = 0xFFFF
    for byte in segment:
        register = register >> 8 ^ _TABLE[(register ^ byte) & 0xFF]
    return register


def printed(segment: bytes, profile: str = "") -> bytes:
    """Return the four hex digits that a sender of this profile puts behind a segment."""
    if profile == "crc16-modbus":
        return b"%04X" % modbus(segment)
    if profile == "crc16-modbus-low-first":
        return modbus(segment).to_bytes(2, "little").hex().upper().encode()
    return b"%04X" % standard(segment)


def fits(segment: bytes, digits: bytes, profile: str = "") -> bool:
    """Return whether four hex digits, upper or lower case, are the segment's CRC, or the profile's."""
    upper = digits.upper()
    return upper == printed(segment) or (bool(profile) and upper == printed(segment, profile))
