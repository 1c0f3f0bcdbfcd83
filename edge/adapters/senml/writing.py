"""SenML packs written: base fields where they save room, in JSON and CBOR."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import cbor2

from edge.adapters.senml.pack import LABELS, SECONDARY_UNITS, VERSION, Record
from edge.adapters.senml.units import is_secondary

JSON, CBOR = "application/senml+json", "application/senml+cbor"


def encode(records: Sequence[Record], form: str = JSON) -> bytes:
    """Return a pack. `base` of the first record is its base name, its time the base time."""
    rows = _rows(records)
    if form == CBOR:
        return cbor2.dumps([{LABELS[field]: value for field, value in row.items()} for row in rows])
    for row in rows:
        if "vd" in row:
            row["vd"] = base64.urlsafe_b64encode(row["vd"]).rstrip(b"=").decode()
    return json.dumps(rows, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _rows(records: Sequence[Record]) -> list[dict[str, Any]]:
    first = records[0]
    bases: dict[str, Any] = {}
    if any(is_secondary(record.unit) for record in records):
        bases["bver"] = VERSION + SECONDARY_UNITS
    if first.base:
        bases["bn"] = first.base
    if first.time_s:
        bases["bt"] = first.time_s
    return [
        {**(bases if record is first else {}), **_row(record, first.base, first.time_s)} for record in records
    ]


def _row(record: Record, base: str, base_s: float) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if record.name != base or not base:
        if not record.name.startswith(base):
            raise ValueError(f"{record.name!r} does not begin with {base!r}")
        row["n"] = record.name[len(base) :]
    rest: Mapping[str, Any] = {
        "u": record.unit or None,
        "v": record.number,
        "vs": record.text,
        "vb": record.truth,
        "vd": record.data,
        "s": record.total,
        "t": record.time_s - base_s or None,
        "ut": record.update_s,
    }
    return row | {field: value for field, value in rest.items() if value is not None}
