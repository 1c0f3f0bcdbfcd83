"""A device as people ask for it, and the words for what stands in the way of giving it an identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloud.errors import Conflict
from cloud.registry.device_tables import CertificateRow, DeviceRow, NodeStepRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Born:
    """What a birth says of the device, as a gateway reports it."""

    node: str
    firmware: str
    hardware: str
    serial: str
    boot: int
    trial: bool
    time_ms: int

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Born:
        """Read a row of a report, which was checked."""
        return cls(
            node=row["node"],
            firmware=row["firmware"],
            hardware=row["hardware"],
            serial=row["serial"],
            boot=int(row["boot"]),
            trial=row["trial"],
            time_ms=int(row["time_ms"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """A certificate that a node was given, and how many of its older ones were revoked for it."""

    certificate: str
    ca: str
    revoked: int


def serial_key(serial: str) -> str:
    """Return what a serial number is compared by: people write 24:6F:28:AA, boards say 246f28aa."""
    return "".join(char for char in serial.casefold() if char.isalnum())


def told(
    device: DeviceRow | None,
    certificate: CertificateRow | None,
    notes: list[NodeStepRow],
    gateway: str | None,
    rollout: Mapping[str, object] | None,
) -> dict[str, object]:
    """Return a device as the API tells it; `born_serial` stands there only if another device was born."""
    row = device or DeviceRow(trial=False)
    answer: dict[str, object] = {
        "serial": row.serial or row.born_serial or None,
        "firmware": row.firmware,
        "hardware": row.hardware,
        "trial": bool(row.trial),
        "boot": row.boot,
        "born_ms": row.born_ms,
        "certificate": None
        if certificate is None
        else {"fingerprint": certificate.fingerprint, "not_after_ms": certificate.not_after_ms},
        "provisioned_ms": row.provisioned_ms,
        "gateway": gateway or row.heard_by,
        "notes": [{"time_ms": note.time_ms, "who": note.who, "text": note.text} for note in notes],
    }
    if is_stranger(row):
        answer["born_serial"] = row.born_serial
    if rollout is not None:
        answer["rollout"] = dict(rollout)
    return answer


def is_stranger(row: DeviceRow) -> bool:
    """Tell whether another device than the provisioned one speaks under the node's name."""
    return bool(row.serial_key and row.born_serial and serial_key(row.born_serial) != row.serial_key)


def taken(node: str, serial: str) -> Conflict:
    """The id belongs to another device."""
    return Conflict(
        f"{node} is the device {serial}",
        remedy=f"for a new device in its place: cityneuron node replace {node}; else choose another id",
    )


def named_already(serial: str, node: str) -> Conflict:
    """The device is another node."""
    return Conflict(
        f"the device {serial} is node {node} already",
        remedy=f"leave the id out, or provision it as {node}; to replace another, take a board that is no node",
    )


def barred(serial: str, node: str) -> Conflict:
    """The device was replaced."""
    return Conflict(
        f"the device {serial} was replaced at {node} and is barred",
        remedy=f"if it was repaired: cityneuron cloud ca admit {serial}",
    )
