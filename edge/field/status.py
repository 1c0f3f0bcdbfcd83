"""What a node says of itself, at its console (`status --json`) or in the reply to the command `status`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One of a node's last errors, in its own words."""

    stage: str
    text: str
    remedy: str = ""
    time_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor as the node sees it; `values` are the texts of its last reading, by quantity."""

    name: str
    ok: bool
    error: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeStatus:
    """A node's own state. None: it did not say."""

    node: str = ""
    boot: int | None = None
    version: str = ""
    slot: str = ""
    trial: str = ""
    clock: str = "unknown"
    time_ms: int | None = None
    net: str = ""
    broker: str = ""
    stage: str = ""
    produced: int | None = None
    acknowledged: int | None = None
    held: int | None = None
    dropped: int | None = None
    last_ack_ms: int | None = None
    heap_free: int | None = None
    flash_free: int | None = None
    rssi_dbm: int | None = None
    uptime_s: int | None = None
    battery_mv: int | None = None
    errors: tuple[Fault, ...] = ()
    sensors: tuple[Sensor, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)


_NUMBERS = (
    "boot", "time_ms", "produced", "acknowledged", "held", "dropped", "last_ack_ms", "heap_free", "flash_free",
    "rssi_dbm", "uptime_s", "battery_mv",
)  # fmt: skip
_TEXTS = ("node", "version", "slot", "trial", "clock", "net", "broker", "stage")


def read_status(row: Mapping[str, Any]) -> NodeStatus:
    """Return what is to be had of a status: an older or newer node may say less, or more."""
    numbers: dict[str, Any] = {name: row[name] for name in _NUMBERS if type(row.get(name)) is int}
    texts: dict[str, Any] = {name: str(row[name]) for name in _TEXTS if isinstance(row.get(name), str | bool)}
    return NodeStatus(
        **numbers,
        **texts,
        errors=tuple(_fault(each) for each in _list(row, "errors")),
        sensors=tuple(_sensor(each) for each in _list(row, "sensors") if isinstance(each, Mapping)),
        raw=dict(row),
    )


def status_in_line(line: str) -> NodeStatus | None:
    """Return the status that a line of the console holds, None when it holds none (a log line, an echo)."""
    start = line.find("{")
    if start < 0:
        return None
    try:
        row = json.loads(line[start:])
    except ValueError:
        return None
    return read_status(row) if isinstance(row, dict) and "node" in row and "boot" in row else None


def _list(row: Mapping[str, Any], name: str) -> list[Any]:
    value = row.get(name)
    return value if isinstance(value, list) else []


def _fault(row: Any) -> Fault:
    if not isinstance(row, Mapping):
        return Fault("", str(row))
    time_ms = row["ms"] if type(row.get("ms")) is int else None
    stage, text, remedy = (str(row.get(name) or "") for name in ("stage", "text", "remedy"))
    return Fault(stage, text, remedy, time_ms)


def _sensor(row: Mapping[str, Any]) -> Sensor:
    values = row.get("values")
    return Sensor(
        name=str(row.get("name") or "?"),
        ok=bool(row.get("ok")),
        error=str(row.get("error") or ""),
        values={str(k): str(v) for k, v in values.items() if v is not None}
        if isinstance(values, Mapping)
        else {},
    )
