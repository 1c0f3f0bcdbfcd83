"""TCP payloads of a capture (classic pcap, Ethernet, IPv4): what each side sent, packet by packet."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_TCP = 6


class Sent(NamedTuple):
    """What one packet carried."""

    from_port: int
    to_port: int
    data: bytes


def payloads(path: Path) -> Iterator[Sent]:
    """Yield the packets that carry data, as they were sent."""
    capture = path.read_bytes()
    assert capture[:4] == bytes.fromhex("d4c3b2a1"), "a capture in little-endian microseconds"
    at = 24
    while at < len(capture):
        (length,) = struct.unpack_from("<I", capture, at + 8)
        packet, at = capture[at + 16 : at + 16 + length][14:], at + 16 + length
        if packet[9] != _TCP:
            continue
        (total,) = struct.unpack_from(">H", packet, 2)
        segment = packet[(packet[0] & 15) * 4 : total]
        if data := segment[(segment[12] >> 4) * 4 :]:
            yield Sent(*struct.unpack_from(">HH", segment), data)
