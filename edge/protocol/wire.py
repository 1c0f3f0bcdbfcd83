"""Native payloads: CBOR, positional, integers; the version is the first element.

A pack of one reading with six quantities is about 34 bytes, where SenML JSON takes 246. Values travel as
integers; the birth tells how many decimals each column has, so that `value = integer / 10 ** decimals` is
the nearest double to the decimal number that the sensor gave.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import cbor2

from edge.model.errors import WireError
from edge.model.quality import Clock, Flag

VERSION = 1
MAX_PAYLOAD_BYTES = 256 * 1024
MAX_ROWS = 1_000
MAX_COLUMNS = 64
MAX_SEQ = 2**32 - 1
MAX_BOOT = 2**53
BOOT_STEP = 10_000
"""A boot number is the count of starts times this, plus a random part: start 12 may be boot 120417."""
MAX_VALUE = 2**53
MAX_DECIMALS = 9
MAX_TEXT = 64

DOUBTS = (Flag.SUSPECT, Flag.FAIL)
"""What a device may say itself of a value that it sends."""

Row = list[int | list[int] | None]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a schema: a catalogue quantity, sent as integer = value * 10 ** decimals."""

    quantity: str
    decimals: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Birth:
    """What a node says of itself whenever it connects. Retained.

    `oldest` is (boot, seq) of the oldest reading that it can still send; what lies before is gone.
    `next_seq` is the number that its next reading of this boot will get. `serial` is the hardware's own number,
    which tells two devices of one node id apart; empty when it has none. `trial`: the firmware is new to the
    node, which returns to the one before unless a reading of its own is acknowledged.
    """

    node: str
    kind: str
    firmware: str
    hardware: str
    boot: int
    schema: int
    columns: tuple[Column, ...]
    period_s: float
    oldest: tuple[int, int]
    next_seq: int
    clock: Clock
    serial: str = ""
    trial: bool = False


@dataclass(slots=True)
class Pack:
    """Consecutive readings of one boot: row i has number `seq0 + i` and time `t0_ms + row[0]`.

    A row is [dt_ms, value, ...] with a value or None for each column of the schema, or [value, flag] where
    the device itself doubts it. Rows are checked one by one by who reads them: a bad row must not take its
    neighbours along.
    """

    schema: int
    boot: int
    seq0: int
    t0_ms: int
    clock: Clock
    rows: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Ack:
    """Readings of `boot` below `upto` are on the gateway's disk; ranges `again` (first, last) are wanted."""

    boot: int
    upto: int
    again: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Death:
    """The last will: the link of this boot broke."""

    boot: int


def encode_pack(pack: Pack) -> bytes:
    """Return the payload of `data` and `replay`."""
    return cbor2.dumps(
        [VERSION, pack.schema, pack.boot, pack.seq0, pack.t0_ms, int(pack.clock), list(pack.rows)]
    )


def decode_pack(payload: bytes) -> Pack:
    """Read the payload of `data` and `replay`; its rows are not yet checked. Raises WireError."""
    body = array_of(payload, "data", 7)
    _, schema, boot, seq0, t0_ms, clock, rows = body
    if type(rows) is not list or not rows:
        raise WireError("bad_type", "rows are not a list with at least one row")
    if len(rows) > MAX_ROWS:
        raise WireError("too_long", f"{len(rows)} rows, at most {MAX_ROWS}")
    pack = Pack(
        integer_of(schema, "schema", 0, MAX_SEQ),
        integer_of(boot, "boot", 0, MAX_BOOT),
        integer_of(seq0, "seq0", 0, MAX_SEQ),
        integer_of(t0_ms, "t0", -MAX_VALUE, MAX_VALUE),
        Clock(integer_of(clock, "clock", 0, 2)),
        rows,
    )
    if pack.seq0 + len(rows) > MAX_SEQ:
        raise WireError("bad_value", f"sequence {pack.seq0} + {len(rows)} rows passes 32 bits")
    return pack


def row_fault(row: Any, columns: int) -> str | None:
    """Return why a row cannot be a reading, or None if it can."""
    if type(row) is not list:
        return "row is not a list"
    if len(row) != columns + 1:
        return f"row has {len(row) - 1} values, the schema has {columns}"
    if type(row[0]) is not int or not -MAX_VALUE < row[0] < MAX_VALUE:
        return "dt is not an integer"
    for index, cell in enumerate(row[1:]):
        is_doubted = type(cell) is list and len(cell) == 2 and type(cell[1]) is int and cell[1] in DOUBTS
        value = cell[0] if is_doubted else cell
        if value is None and not is_doubted:
            continue
        if type(value) is not int or not -MAX_VALUE < value < MAX_VALUE:
            return f"value {index} is no integer of 53 bits: {str(value)[:40]!r}"
    return None


def encode_birth(birth: Birth) -> bytes:
    """Return the payload of `birth`."""
    body = {
        "v": VERSION,
        "node": birth.node,
        "kind": birth.kind,
        "fw": birth.firmware,
        "hw": birth.hardware,
        "boot": birth.boot,
        "schema": birth.schema,
        "cols": [[column.quantity, column.decimals] for column in birth.columns],
        "period_ms": round(birth.period_s * 1000),
        "oldest": list(birth.oldest),
        "next": birth.next_seq,
        "clock": int(birth.clock),
    }
    if birth.serial:
        body["sn"] = birth.serial
    if birth.trial:
        body["trial"] = 1
    return cbor2.dumps(body)


def decode_birth(payload: bytes) -> Birth:
    """Read the payload of `birth`. Raises WireError."""
    body = _load(payload)
    if type(body) is not dict:
        raise WireError("bad_type", "birth is not a map")
    _version(body.get("v"))
    columns = body.get("cols")
    if type(columns) is not list or not 1 <= len(columns) <= MAX_COLUMNS:
        raise WireError("bad_type", f"cols is not a list of 1 to {MAX_COLUMNS} columns")
    oldest = body.get("oldest")
    if type(oldest) is not list or len(oldest) != 2:
        raise WireError("bad_type", "oldest is not [boot, seq]")
    names = tuple(_column(column) for column in columns)
    if len({column.quantity for column in names}) != len(names):
        raise WireError("bad_value", "a quantity stands twice in cols")
    return Birth(
        node=sys.intern(text_of(body.get("node"), "node")),  # a city has many nodes, and few words for them
        kind=sys.intern(text_of(body.get("kind"), "kind")),
        firmware=sys.intern(text_of(body.get("fw"), "fw")),
        hardware=sys.intern(text_of(body.get("hw"), "hw")),
        boot=integer_of(body.get("boot"), "boot", 0, MAX_BOOT),
        schema=integer_of(body.get("schema"), "schema", 0, MAX_SEQ),
        columns=names,
        period_s=integer_of(body.get("period_ms"), "period_ms", 0, MAX_SEQ) / 1000,
        oldest=(
            integer_of(oldest[0], "oldest boot", 0, MAX_BOOT),
            integer_of(oldest[1], "oldest seq", 0, MAX_SEQ),
        ),
        next_seq=integer_of(body.get("next"), "next", 0, MAX_SEQ),
        clock=Clock(integer_of(body.get("clock"), "clock", 0, 2)),
        serial=text_of(body.get("sn", ""), "sn", least=0),
        trial=bool(integer_of(body.get("trial", 0), "trial", 0, 1)),
    )


def encode_ack(ack: Ack) -> bytes:
    """Return the payload of `ack`: [version, boot, upto, [[first, last], ...]]."""
    if not ack.again:  # the usual one, said for every pack
        return b"\x84\x01" + _unsigned(ack.boot) + _unsigned(ack.upto) + b"\x80"
    return cbor2.dumps([VERSION, ack.boot, ack.upto, [list(pair) for pair in ack.again]])


def _unsigned(value: int) -> bytes:
    """Return an unsigned integer in CBOR. Source: RFC 8949, 3.1, major type 0."""
    if value < 24:
        return bytes((value,))
    if value < 2**8:
        return b"\x18%c" % value
    if value < 2**16:
        return b"\x19" + value.to_bytes(2, "big")
    if value < 2**32:
        return b"\x1a" + value.to_bytes(4, "big")
    return b"\x1b" + value.to_bytes(8, "big")


def decode_ack(payload: bytes) -> Ack:
    """Read the payload of `ack`. Raises WireError."""
    _, boot, upto, again = array_of(payload, "ack", 4)
    if type(again) is not list or len(again) > MAX_ROWS:
        raise WireError("bad_type", "again is not a list of ranges")
    ranges: list[tuple[int, int]] = []
    for pair in again:
        if type(pair) is not list or len(pair) != 2:
            raise WireError("bad_type", "a range is not [first, last]")
        first = integer_of(pair[0], "first", 0, MAX_SEQ)
        ranges.append((first, integer_of(pair[1], "last", first, MAX_SEQ)))
    return Ack(integer_of(boot, "boot", 0, MAX_BOOT), integer_of(upto, "upto", 0, MAX_SEQ), tuple(ranges))


def encode_death(death: Death) -> bytes:
    """Return the payload of `death`: [version, boot]."""
    return cbor2.dumps([VERSION, death.boot])


def decode_death(payload: bytes) -> Death:
    """Read the payload of `death`. Raises WireError."""
    _, boot = array_of(payload, "death", 2)
    return Death(integer_of(boot, "boot", 0, MAX_BOOT))


class _NoTags(dict[int, Any]):
    """Decoders of CBOR tags, all of which refuse: numbers of a million bits, patterns, dates, loops."""

    def __missing__(self, tag: int) -> Any:
        raise ValueError(f"tag {tag} is not in the contract")


_NO_TAGS = _NoTags()


def _load(payload: bytes) -> Any:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise WireError("too_long", f"{len(payload)} bytes, at most {MAX_PAYLOAD_BYTES}")
    stream = BytesIO(payload)
    try:
        decoder = cbor2.CBORDecoder(
            stream,
            max_depth=5,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
            semantic_decoders=_NO_TAGS,
        )
        body = decoder.decode()
    except (cbor2.CBORError, ValueError, TypeError, OverflowError) as error:
        raise WireError("not_cbor", f"{type(error).__name__}: {str(error)[:120]}") from None
    if stream.tell() != len(payload):
        raise WireError("not_cbor", f"{len(payload) - stream.tell()} bytes follow the payload's end")
    return body


def array_of(payload: bytes, what: str, length: int) -> list[Any]:
    """Return the elements of a versioned array. Raises WireError."""
    body = _load(payload)
    if type(body) is not list or not body:
        raise WireError("bad_type", f"{what} is not an array")
    _version(body[0])
    if len(body) != length:
        raise WireError("bad_type", f"{what} has {len(body)} elements, not {length}")
    return body


def _version(value: Any) -> None:
    if type(value) is not int or value != VERSION:
        raise WireError("bad_version", f"version {str(value)[:40]!r}, this side speaks {VERSION}")


def integer_of(value: Any, what: str, low: int, high: int) -> int:
    """Return an integer within limits. Raises WireError."""
    if type(value) is not int:
        raise WireError("bad_type", f"{what} is {type(value).__name__}, not an integer")
    if not low <= value <= high:
        raise WireError("bad_value", f"{what} is {str(value)[:40]}, not within {low} to {high}")
    return value


def text_of(value: Any, what: str, least: int = 1) -> str:
    """Return a short printable text. Raises WireError."""
    if type(value) is not str or not least <= len(value) <= MAX_TEXT or not value.isprintable():
        raise WireError("bad_type", f"{what} is no text of {least} to {MAX_TEXT} printable characters")
    return value


def _column(value: Any) -> Column:
    if type(value) is not list or len(value) != 2:
        raise WireError("bad_type", "a column is not [quantity, decimals]")
    return Column(text_of(value[0], "quantity"), integer_of(value[1], "decimals", 0, MAX_DECIMALS))
