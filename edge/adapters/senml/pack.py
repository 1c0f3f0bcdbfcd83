"""SenML packs (RFC 8428): records in JSON or CBOR, and what each says once the base fields are applied."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from typing import Any

import cbor2

from edge.adapters.frame import FrameError
from edge.adapters.message import MAX_PAYLOAD_BYTES
from edge.adapters.message import read as read_json

VERSION = 10
SECONDARY_UNITS = 16
"""Feature 4 of RFC 9100, which is added to the version 10: units of RFC 8798, section 3."""

LABELS: Mapping[str, int] = {
    "bs": -6, "bv": -5, "bu": -4, "bt": -3, "bn": -2, "bver": -1,
    "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "s": 5, "t": 6, "ut": 7, "vd": 8,
}  # fmt: skip
"""Field -> its label in CBOR. Source: RFC 8428, table 4."""

_FIELDS = {label: field for field, label in LABELS.items()}
_BASES = ("bver", "bn", "bt", "bu", "bv", "bs")
_NUMBERS = ("bt", "bv", "bs", "v", "s", "t", "ut")
_TEXTS = ("bn", "bu", "n", "u", "vs")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")
MAX_RECORDS = 5_000
MAX_NAME = 256
RELATIVE_BELOW_S = 2**28
"""A time below this is counted from now. Source: RFC 8428, section 4.5.3."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One record, resolved: it needs no base field. `base` is the base name that its name begins with.

    `time_s` below 2**28 is counted from the moment of receipt, 0 being that moment. One of number, text, truth
    and data is there, or only the `total` (s), the integral of the value over time.
    """

    name: str
    base: str = ""
    unit: str = ""
    time_s: float = 0.0
    number: float | None = None
    text: str | None = None
    truth: bool | None = None
    data: bytes | None = None
    total: float | None = None
    update_s: float | None = None


def read(payload: bytes) -> list[Record]:
    """Return the records of a pack in JSON or CBOR.

    Raises FrameError: json, cbor, format, version, field, name.
    """
    if payload.lstrip()[:1] in (b"[", b"{"):
        rows = read_json(payload)
        binary = False
    else:
        rows = _read_cbor(payload)
        binary = True
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FrameError("format", "a pack is an array of maps")
    if not 0 < len(rows) <= MAX_RECORDS:
        raise FrameError("format", f"{len(rows)} records, 1 to {MAX_RECORDS} are taken")
    return _resolved([_fields(row, binary) for row in rows])


class _FewTags(dict[int, Any]):
    """Decoders of CBOR tags: decimal fractions; all others are refused, numbers of a million bits above all."""

    def __missing__(self, tag: int) -> Any:
        raise ValueError(f"tag {tag} is not in SenML")


def _decimal(pair: Any, *_: Any) -> float:
    exponent, mantissa = pair
    if type(exponent) is not int or type(mantissa) is not int:
        raise ValueError("a decimal fraction is [exponent, mantissa]")
    return float(Decimal(mantissa).scaleb(exponent))


_TAGS = _FewTags({4: _decimal})


def _read_cbor(payload: bytes) -> Any:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise FrameError("cbor", f"{len(payload)} bytes, at most {MAX_PAYLOAD_BYTES}")
    stream = BytesIO(payload)
    try:
        body = cbor2.CBORDecoder(
            stream,
            max_depth=8,
            allow_duplicate_keys=False,
            semantic_decoders=_TAGS,
        ).decode()
    except (cbor2.CBORError, ValueError, TypeError, ArithmeticError) as error:
        raise FrameError("cbor", f"{type(error).__name__}: {str(error)[:120]}") from None
    if stream.tell() != len(payload):
        raise FrameError("cbor", f"{len(payload) - stream.tell()} bytes follow the pack's end")
    return body


def _fields(row: Mapping[Any, Any], binary: bool) -> dict[str, Any]:
    """Return the fields of a row that are known, of the right types. Raises FrameError `field`, `format`."""
    found: dict[str, Any] = {}
    for key, value in row.items():
        field = _FIELDS.get(key) if binary and type(key) is int else None if binary else key
        if isinstance(field, str) and field in LABELS:
            found[field] = _typed(field, value, binary)
        elif isinstance(key, str) and key.endswith("_"):
            raise FrameError("field", f"{key[:40]!r} must be understood, and is not")
    values = found.keys() & {"v", "vs", "vb", "vd"}
    if len(values) > 1:
        raise FrameError("format", f"a record has one value, not {' and '.join(sorted(values))}")
    if not values and "s" not in found and not any(base in found for base in _BASES):
        found["empty"] = True
    return found


def _typed(field: str, value: Any, binary: bool) -> Any:
    if field == "vd" and not binary and isinstance(value, str):
        return _data(value)
    if field in _NUMBERS:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300
    elif field in _TEXTS:
        fits = isinstance(value, str)
    elif field == "bver":
        fits = type(value) is int and value > 0
    else:
        fits = isinstance(value, bool if field == "vb" else bytes)
    if not fits:
        raise FrameError("format", f"{field} is {str(value)[:40]!r}")
    return value


def _data(value: str) -> bytes:
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise FrameError("format", f"vd is no base64url: {error}") from None


def _resolved(rows: list[dict[str, Any]]) -> list[Record]:
    versions = {row["bver"] for row in rows if "bver" in row}
    if len(versions) > 1:
        raise FrameError("version", f"one pack, versions {sorted(versions)}")
    if any(version > VERSION and version != VERSION + SECONDARY_UNITS for version in versions):
        raise FrameError(
            "version", f"version {versions.pop()}, {VERSION} and {VERSION + SECONDARY_UNITS} are read"
        )
    base: dict[str, Any] = {}
    records: list[Record] = []
    for row in rows:
        base |= {field: row[field] for field in _BASES if field in row}
        if row.get("empty") and "bv" not in base and "bs" not in base:
            raise FrameError("format", "a record has neither a value nor a sum")
        if row.keys() & {"v", "vs", "vb", "vd", "s", "empty"}:
            records.append(_record(row, base))
    return records


def _record(row: Mapping[str, Any], base: Mapping[str, Any]) -> Record:
    base_name = base.get("bn", "")
    name = base_name + row.get("n", "")
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise FrameError("name", f"{name[:60]!r} is no name")
    textual = bool(row.keys() & {"vs", "vb", "vd"})
    number = None if textual or not ("v" in row or "bv" in base) else row.get("v", 0) + base.get("bv", 0)
    total = row.get("s", 0) + base.get("bs", 0) if "s" in row or "bs" in base else None
    return Record(
        name=name,
        base=base_name,
        unit=row.get("u", base.get("bu", "")),
        time_s=row.get("t", 0) + base.get("bt", 0),
        number=number,
        text=row.get("vs"),
        truth=row.get("vb"),
        data=row.get("vd"),
        total=total,
        update_s=row.get("ut"),
    )


def absolute_s(record: Record, now_s: float) -> float:
    """Return when a record was sensed, epoch seconds; a time below 2**28 is counted from now."""
    if math.isfinite(record.time_s) and record.time_s >= RELATIVE_BELOW_S:
        return record.time_s
    return now_s + record.time_s
