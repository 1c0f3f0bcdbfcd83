"""A meter's load records (负荷记录): the question for that of one minute, and what the bytes of one say.

A record is A0 A0, a length, the time, six groups of values with AA behind each, a sum, E5. The length counts
from the time to the last AA, the sum from the first A0. A group that the meter is told to leave out is nothing
before its AA.
"""

from __future__ import annotations

from typing import NamedTuple

from edge.adapters.dlt645.freeze import frozen_at
from edge.adapters.dlt645.items import item
from edge.adapters.dlt645.values import number
from edge.adapters.envelope import wire
from edge.adapters.frame import FrameError

AT_A_TIME = "06000001"
"""The identifier of records from a given minute on, all groups."""

_BEGIN, _WRONG, _END = b"\xa0\xa0", b"\xe0\xe0", 0xE5
_HEAD, _TIME = 3, 5  # bytes
_SEPARATOR = b"\xaa"
_GROUPS = (
    ("02010100", "02010200", "02010300", "02020100", "02020200", "02020300", "02800002"),
    ("02030000", "02030100", "02030200", "02030300", "02040000", "02040100", "02040200", "02040300"),
    ("02060000", "02060100", "02060200", "02060300"),
    ("00010000", "00020000", "00030000", "00040000"),
    ("00050000", "00060000", "00070000", "00080000"),
    ("02800004", "02800005"),
)


class LoadRecord(NamedTuple):
    """One record: YYMMDDhhmm of the meter's clock, and its values by identifier; None where it has none."""

    time: str
    values: dict[str, float | None]


def minute(digits: str) -> bytes:
    """Return what follows the identifier in the question for the one record of a minute (YYMMDDhhmm)."""
    return b"\x01" + wire(digits)


def load_records(data: bytes) -> list[LoadRecord]:
    """Return the records in an answer, without those that the meter calls wrong. Raises FrameError."""
    found: list[LoadRecord] = []
    while data:
        end = _HEAD + data[2] if len(data) > _HEAD else len(data)
        if data[:2] not in (_BEGIN, _WRONG) or len(data) < end + 2 or data[end + 1] != _END:
            raise FrameError("length", f"{len(data)} bytes are no load record")
        if (total := sum(data[:end]) & 0xFF) != data[end]:
            raise FrameError("checksum", f"the sum of a load record is {total:02X}, not {data[end]:02X}")
        if data[:2] == _BEGIN:
            found.append(_record(data[_HEAD:end]))
        data = data[end + 2 :]
    return found


def _record(body: bytes) -> LoadRecord:
    time, rest = body[:_TIME], body[_TIME:]
    values: dict[str, float | None] = {}
    for keys in _GROUPS:
        group, rest = _group(keys, rest)
        values |= group
    if len(time) != _TIME or rest:
        raise FrameError("length", f"{len(body)} bytes are no values of a load record")
    return LoadRecord(frozen_at(time), values)


def _group(keys: tuple[str, ...], rest: bytes) -> tuple[dict[str, float | None], bytes]:
    """Return the values of a group at the head of `rest`, and what follows its AA; all may end before it."""
    values: dict[str, float | None] = {}
    for key in keys if rest[:1] not in (b"", _SEPARATOR) else ():
        known = item(key)
        assert known is not None
        if len(rest) <= known.size:
            raise FrameError("length", "a load record ends within its values")
        values[key], rest = number(known, rest[: known.size]), rest[known.size :]
    if rest and rest[:1] != _SEPARATOR:
        raise FrameError("length", "the groups of a load record have other lengths")
    return values, rest[1:]
