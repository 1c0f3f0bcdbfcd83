"""SenML (RFC 8428, units of RFC 8798) from third-party devices, in JSON or CBOR, over MQTT or HTTP POST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge.adapters.adapter import Adapter, Case, Clock, Decode, Hear
from edge.adapters.frame import FrameError
from edge.adapters.report import Report, Value, Word
from edge.adapters.senml.pack import Record, absolute_s, read
from edge.adapters.senml.units import sum_unit, to_quantity
from edge.adapters.topic import known_in
from edge.model.errors import ConfigError
from edge.model.quantities import QUANTITIES

_NAMES: Mapping[str, str] = {
    "temperature": "temperature_c",
    "temp": "temperature_c",
    "humidity": "humidity_pct",
    "pressure": "pressure_hpa",
    "illuminance": "illuminance_lx",
    "voltage": "voltage_v",
    "current": "current_a",
    "power": "power_w",
    "energy": "energy_wh",
    "battery": "battery_v",
    "rssi": "rssi_dbm",
}
"""Usual names -> quantities; the catalogue's own names need no table."""
_LEVEL = ("battery", ("%EL", "%", "/100"), "battery_pct")
"""A battery's name is of its voltage, unless its unit says that it is a level."""

_JOINTS = ":/._-"
"""What may stand between the name of a device and the name of what it measures. Sources: RFC 8428, RFC 9039."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SenmlOptions:
    """What must be known of a device: its own `names` for quantities, `{"t1": "water_temperature_c"}`.

    A number under such a name is turned from the pack's unit into the quantity's. A device whose names end with
    the device uses the unit as the name: `{"%RH": "humidity_pct"}`.
    """

    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, quantity in self.names.items():
            if quantity not in QUANTITIES:
                raise ConfigError(f"{name} is to be {quantity!r}", remedy="see edge/model/quantities.py")


def hear(options: Mapping[str, Any], clock: Clock) -> Hear:
    """Return the reader of packs: a reading for every device and time in a pack."""

    default = SenmlOptions()

    def heard(topic: str, payload: bytes) -> Sequence[Report]:
        now_ms = clock()
        found: dict[tuple[str, int | None], dict[str, Value]] = {}
        for record in read(payload):
            device, name = _owner(record, topic, options)
            time_ms = round(absolute_s(record, now_ms / 1000) * 1000) if record.time_s else None
            values = found.setdefault((device, time_ms), {})
            for value in _values(record, name, options.get(device, default)):
                if value.key in values:
                    raise FrameError("format", f"{record.name} stands twice at one time")
                values[value.key] = value
        return [
            Report(device=device, time_ms=time_ms, values=tuple(values.values()))
            for (device, time_ms), values in found.items()
            if values
        ]

    return heard


def _owner(record: Record, topic: str, known: Mapping[str, Any]) -> tuple[str, str]:
    """Return the device of a record, and its name for what it measures.

    A known device whose name the record's begins with; else one that the topic names; else the base name.
    """
    name = record.name
    for end in range(len(name), 0, -1):
        if name[:end] in known and (end == len(name) or name[end] in _JOINTS or name[end - 1] in _JOINTS):
            return name[:end], name[end:].lstrip(_JOINTS)
    if (named := known_in(topic, known)) is not None:
        return named[0], name
    base = record.base or name
    return base.rstrip(_JOINTS) or base, name[len(base) :].lstrip(_JOINTS)


def _values(record: Record, name: str, options: SenmlOptions) -> list[Value]:
    key = name or record.unit or "value"
    found: list[Value] = []
    if record.number is not None:
        found.append(_value(key, record.number, record.unit, options))
    elif record.truth is not None:
        found.append(_value(key, float(record.truth), "", options))
    if record.total is not None:
        found.append(_value(f"{key}.sum", record.total, sum_unit(record.unit), options))
    return found


def _value(key: str, number: float, unit: str, options: SenmlOptions) -> Value:
    quantity = options.names.get(key) or _usual(key, unit)
    if quantity not in QUANTITIES:
        return Value(key, number)
    return Value(quantity, to_quantity(number, unit, quantity))


def _usual(key: str, unit: str) -> str:
    name, units, level = _LEVEL
    return level if key == name and unit in units else _NAMES.get(key, key)


_KEYS = {
    "n": "name", "u": "unit", "t": "time_s", "v": "number", "vs": "text", "vb": "truth", "s": "total",
    "ut": "update_s",
}  # fmt: skip


def _decode(case: Case) -> dict[str, Any]:
    """Return the records, resolved; times below 2**28 stay as they are: nobody knows when the pack came."""
    records = []
    for record in read(case.raw):
        row = {
            key: getattr(record, name) for key, name in _KEYS.items() if getattr(record, name) not in (None, "")
        }
        if record.data is not None:
            row["vd_hex"] = record.data.hex().upper()
        records.append(row)
    return {"records": records}


def decoder() -> Decode:
    """Return the decoder of `cityneuron decode senml`."""
    return _decode


ADAPTER = Adapter(
    decoder=decoder,
    words={name: Word(name) for name in QUANTITIES},
    options=SenmlOptions,
    hear=hear,
    series=frozenset(),
)
