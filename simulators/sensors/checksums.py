"""Checksums of serial sensors, reckoned bit by bit from their definitions, apart from the firmware's own."""

from __future__ import annotations


def crc(data: bytes, *, polynomial: int, start: int, bits: int = 8, reflected: bool = False) -> int:
    """Return a CRC of 8 or 16 bits; `polynomial` in its normal notation."""
    register, top, mask = start, 1 << (bits - 1), (1 << bits) - 1
    for byte in data:
        for place in range(8):
            bit = byte >> (place if reflected else 7 - place) & 1
            carry = bool(register & top) != bool(bit)
            register = (register << 1 & mask) ^ (polynomial if carry else 0)
    return int(f"{register:0{bits}b}"[::-1], 2) if reflected else register


def modbus(frame: bytes) -> bytes:
    """Return a Modbus RTU frame with its CRC, low byte first."""
    return frame + crc(frame, polynomial=0x8005, start=0xFFFF, bits=16, reflected=True).to_bytes(2, "little")


def maxim(frame: bytes) -> bytes:
    """Return a 1-Wire frame with its CRC."""
    return frame + bytes((crc(frame, polynomial=0x31, start=0, reflected=True),))


def sensirion(words: list[int]) -> bytes:
    """Return words of 16 bits, each with its CRC."""
    pairs = [word.to_bytes(2, "big") for word in words]
    return b"".join(pair + bytes((crc(pair, polynomial=0x31, start=0xFF),)) for pair in pairs)
