"""Payloads of Sparkplug B 3.0: metrics with their types, read and written.

Source: Sparkplug specification 3.0, chapter 6.4, with the field numbers of its Protocol Buffers schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from edge.adapters.frame import FrameError
from edge.adapters.sparkplug import wire
from edge.adapters.sparkplug.wire import Raw

MAX_PAYLOAD_BYTES = 1024 * 1024
MAX_METRICS = 10_000


class DataType(IntEnum):
    """Types of metrics. Those that are not here hold no number."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATE_TIME = 13


BITS: Mapping[int, int] = {
    DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64,
    DataType.UINT8: 8, DataType.UINT16: 16, DataType.UINT32: 32, DataType.UINT64: 64, DataType.DATE_TIME: 64,
}  # fmt: skip
SIGNED = frozenset((DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64))
_LONG = frozenset((DataType.INT64, DataType.UINT64, DataType.DATE_TIME))

_NAME, _ALIAS, _TIMESTAMP, _DATATYPE, _HISTORICAL, _TRANSIENT, _NULL, _PROPERTIES = 1, 2, 3, 4, 5, 6, 7, 9
_INT, _LONG_INT, _FLOAT, _DOUBLE, _BOOLEAN, _STRING, _BYTES = 10, 11, 12, 13, 14, 15, 16
_OPAQUE = (17, 18, 19)  # data sets, templates, extensions

Scalar = int | float | bool | str | bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One metric. Data names it by `name` or by the `alias` of its birth, and may leave out the `datatype`.

    `value` is as it was on the wire: integers without their sign, which `number` gives them. None: a value of a
    kind that holds no number, or none at all. `quality` is the code of the property "Quality", if it has one.
    """

    name: str = ""
    alias: int | None = None
    time_ms: int | None = None
    datatype: int | None = None
    value: Scalar | None = None
    historical: bool = False
    transient: bool = False
    null: bool = False
    quality: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Payload:
    """What a message of an edge node or a device holds."""

    time_ms: int | None = None
    seq: int | None = None
    metrics: tuple[Metric, ...] = ()
    uuid: str = ""
    body: bytes = field(default=b"")


def number(metric: Metric, datatype: int | None) -> float | None:
    """Return the number of a metric, None where its type holds none. Raises FrameError `type`."""
    value = metric.value
    if isinstance(value, (str, bytes)) or value is None:
        return None
    if isinstance(value, bool):
        if datatype not in (DataType.BOOLEAN, None):
            raise FrameError(
                "type", f"{metric.name or metric.alias!r} is true or false, its type is {datatype}"
            )
        return float(value)
    if isinstance(value, float):
        if datatype not in (DataType.FLOAT, DataType.DOUBLE, None):
            raise FrameError("type", f"{metric.name or metric.alias!r} is a float, its type is {datatype}")
        return value
    if datatype is None or datatype not in BITS:
        raise FrameError("type", f"{metric.name or metric.alias!r} is an integer, its type is {datatype}")
    bits = BITS[datatype]
    value &= (1 << bits) - 1
    if datatype in SIGNED and value >> (bits - 1):
        value -= 1 << bits
    return value


def decode(data: bytes) -> Payload:
    """Read a payload. Raises FrameError: truncated, protobuf, length."""
    if len(data) > MAX_PAYLOAD_BYTES:
        raise FrameError("length", f"{len(data)} bytes, at most {MAX_PAYLOAD_BYTES}")
    time_ms = seq = None
    uuid, body = "", b""
    metrics: list[Metric] = []
    for key, _, raw in wire.fields(data):
        if key == 1:
            time_ms = wire.count(raw)
        elif key == 2:
            metrics.append(_metric(wire.message(raw)))
            if len(metrics) > MAX_METRICS:
                raise FrameError("length", f"more than {MAX_METRICS} metrics")
        elif key == 3:
            seq = wire.count(raw)
        elif key == 4:
            uuid = wire.text(raw)
        elif key == 5:
            body = wire.message(raw)
    return Payload(time_ms=time_ms, seq=seq, metrics=tuple(metrics), uuid=uuid, body=body)


def _metric(data: bytes) -> Metric:
    found: dict[int, Raw] = {}
    value: Scalar | None = None
    for key, _, raw in wire.fields(data):
        if _INT <= key <= _BYTES:
            value = _value(key, raw)
        elif key in _OPAQUE:
            value = None
        else:
            found[key] = raw
    return Metric(
        name=wire.text(found.get(_NAME, b"")),
        alias=_optional(found, _ALIAS),
        time_ms=_optional(found, _TIMESTAMP),
        datatype=_optional(found, _DATATYPE),
        value=value,
        historical=bool(_optional(found, _HISTORICAL)),
        transient=bool(_optional(found, _TRANSIENT)),
        null=bool(_optional(found, _NULL)),
        quality=_quality(wire.message(found.get(_PROPERTIES, b""))),
    )


def _optional(found: Mapping[int, Raw], key: int) -> int | None:
    return wire.count(found[key]) if key in found else None


def _value(key: int, raw: Raw) -> Scalar:
    if key in (_INT, _LONG_INT):
        return wire.count(raw)
    if key in (_FLOAT, _DOUBLE):
        return wire.floating(raw, 4 if key == _FLOAT else 8)
    if key == _BOOLEAN:
        return bool(wire.count(raw))
    return wire.text(raw) if key == _STRING else wire.message(raw)


def _quality(properties: bytes) -> int | None:
    """Return the property "Quality": keys and values stand in two lists."""
    keys: list[str] = []
    values: list[int | None] = []
    for key, _, raw in wire.fields(properties):
        if key == 1:
            keys.append(wire.text(raw))
        elif key == 2:
            numbers = [
                wire.count(value) for inner, _, value in wire.fields(wire.message(raw)) if inner in (3, 4)
            ]
            values.append(numbers[-1] if numbers else None)
    return next((value for key, value in zip(keys, values, strict=False) if key == "Quality"), None)


def encode(payload: Payload) -> bytes:
    """Return the bytes of a payload."""
    out = b"" if payload.time_ms is None else wire.put_count(1, payload.time_ms)
    out += b"".join(wire.put_bytes(2, _encode_metric(metric)) for metric in payload.metrics)
    if payload.seq is not None:
        out += wire.put_count(3, payload.seq)
    if payload.uuid:
        out += wire.put_bytes(4, payload.uuid.encode())
    return out + (wire.put_bytes(5, payload.body) if payload.body else b"")


def _encode_metric(metric: Metric) -> bytes:
    out = bytearray()
    if metric.name:
        out += wire.put_bytes(_NAME, metric.name.encode())
    numbers = ((_ALIAS, metric.alias), (_TIMESTAMP, metric.time_ms), (_DATATYPE, metric.datatype))
    flags = ((_HISTORICAL, metric.historical), (_TRANSIENT, metric.transient), (_NULL, metric.null))
    for key, value in (*numbers, *((key, 1 if set_ else None) for key, set_ in flags)):
        if value is not None:
            out += wire.put_count(key, value)
    if metric.quality is not None:
        code = wire.put_count(1, DataType.INT32) + wire.put_count(3, metric.quality)
        out += wire.put_bytes(_PROPERTIES, wire.put_bytes(1, b"Quality") + wire.put_bytes(2, code))
    if metric.value is not None and not metric.null:
        out += _encode_value(metric.value, metric.datatype)
    return bytes(out)


def _encode_value(value: Scalar, datatype: int | None) -> bytes:
    if isinstance(value, bool):
        return wire.put_count(_BOOLEAN, int(value))
    if isinstance(value, str):
        return wire.put_bytes(_STRING, value.encode())
    if isinstance(value, bytes):
        return wire.put_bytes(_BYTES, value)
    if datatype == DataType.FLOAT:
        return wire.put_float(_FLOAT, value, 4)
    if datatype == DataType.DOUBLE or isinstance(value, float):
        return wire.put_float(_DOUBLE, value, 8)
    if datatype in _LONG:
        return wire.put_count(_LONG_INT, value & 0xFFFF_FFFF_FFFF_FFFF)
    return wire.put_count(_INT, value & 0xFFFF_FFFF)
