"""What the laboratory's nodes say: a stored point tells which reading it is, and whether it is whole."""

from __future__ import annotations

from zlib import crc32

from edge.model.kinds import KINDS
from edge.protocol.wire import Column

KIND = "power_meter"
GUEST_KINDS = tuple(kind for kind in KINDS if kind not in (KIND, "gateway"))
"""Kinds of nodes that speak only when a fault is about them: each has a measurement of its own."""
COLUMNS = (Column("energy_wh", 0), Column("power_w", 0), Column("illuminance_lx", 0))
"""The number, the boot, and a digest of node, boot and number."""
NAMES = tuple(column.quantity for column in COLUMNS)


def values(node: str, boot: int, seq: int) -> tuple[int, int, int]:
    """Return the values of a reading: they follow from who made it."""
    return seq, boot, crc32(f"{node}/{boot}/{seq}".encode()) % 100_000


def nodes_of(producer: int, count: int) -> list[str]:
    """Return the names of a producer's nodes."""
    return [f"p{producer:02}-node-{index:02}" for index in range(count)]


def guest(kind: str) -> str:
    """Return the name of the guest of a kind."""
    return f"guest-{kind.replace('_', '-')}"


def serial_of(node: str, device: str) -> str:
    """Return the serial number of a piece of hardware that calls itself `node`."""
    return f"sn-{node}-{device}"
