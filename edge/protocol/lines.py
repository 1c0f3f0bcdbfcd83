"""Read line protocol, strictly: the text InfluxDB takes becomes points, or an error that names the place.

The grammar is that of InfluxDB's reference decoder (influxdata/line-protocol, version 2): a backslash
escapes only the characters that would end its token, strings may span lines, `#` begins a comment line,
tag keys are unique, numbers are finite and in range.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from math import isinf
from typing import NamedTuple

from edge.model.errors import SeriesError
from edge.protocol.series import FieldValue, UInt

PRECISIONS = {"ns": 1, "us": 1_000, "u": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
"""Nanoseconds in one unit of each time precision."""

_INT_LOW, _INT_HIGH, _UINT_HIGH = -(2**63), 2**63 - 1, 2**64 - 1


Tags = tuple[tuple[str, str], ...]


class Point(NamedTuple):
    """One line: a measurement, its tags sorted by key, its fields in order, and its time if it has one."""

    measurement: str
    tags: Tags
    fields: tuple[tuple[str, FieldValue], ...]
    time_ns: int | None


class LineError(SeriesError):
    """A line that is not line protocol; `line` and `column` count characters from 1."""

    def __init__(self, line: int, column: int, problem: str) -> None:
        super().__init__(
            f"line {line}, column {column}: {problem}",
            remedy="Correct or remove this line and send the batch again; nothing of it was stored.",
        )
        self.line, self.column, self.problem = line, column, problem


_CONTROL = r"\x00-\x1f\x7f"
_MEASUREMENT = re.compile(rf"(?:\\[ ,]|[^ ,{_CONTROL}])+")
_KEY = re.compile(rf"(?:\\[ ,=]|[^ ,={_CONTROL}])+")
_STRING = re.compile(r'"((?:\\["\\]|[^"])*+)"')
_BARE = re.compile(r"[^, \r\n]+")
_STAMP = re.compile(r"[-0-9]*")
_COMMENT = re.compile(r"#[^\x00-\x1f\x7f]*(?:\r?\n|\r?\Z)")
_INT = re.compile(r"-?[0-9]+")
_FLOAT = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_ESCAPED = {
    "measurement": re.compile(r"\\([ ,])"),
    "key": re.compile(r"\\([ ,=])"),
    "string": re.compile(r'\\(["\\])'),
}
_BOOLS = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False),
}


class _Problem(Exception):
    """A problem at an offset of the text, before line and column are worked out."""

    def __init__(self, offset: int, text: str) -> None:
        super().__init__(text)
        self.offset, self.text = offset, text


def parse_lines(data: bytes | str, *, precision: str = "ns") -> list[Point]:
    """Return the points of a body; raise LineError at the first line that is wrong.

    Times are multiplied to nanoseconds from `precision` (a key of PRECISIONS); a line without a time
    keeps None, so that the caller decides what its arrival means.
    """
    return list(iter_lines(data, precision=precision))


def iter_lines(data: bytes | str, *, precision: str = "ns") -> Iterator[Point]:
    """Yield the points of a body one by one; see parse_lines."""
    factor = PRECISIONS[precision]
    text = data if isinstance(data, str) else _decode(data)
    position, length = 0, len(text)
    while position < length:
        end = text.find("\n", position)
        line = text[position : end if end >= 0 else length]
        point = _fast(line, factor)
        if point is not None:
            position = end + 1 if end >= 0 else length
        else:
            try:
                point, position = _record(text, position, factor)
            except _Problem as problem:
                raise _located(text, problem) from None
        if point is not None:
            yield point


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        raise _located(before, _Problem(len(before), "not valid UTF-8")) from None


def _located(text: str, problem: _Problem) -> LineError:
    line = text.count("\n", 0, problem.offset) + 1
    column = problem.offset - (text.rfind("\n", 0, problem.offset) + 1) + 1
    return LineError(line, column, problem.text)


# The fast path: one space between the sections, no escape, no string. None means "read it slowly".


def _fast(line: str, factor: int) -> Point | None:
    if "\\" in line or '"' in line:
        return None
    sections = line.split(" ")
    if len(sections) != 3 or (head := _plain_head(sections[0])) is None:
        return None
    fields = []
    for item in sections[1].split(","):
        key, _, text = item.partition("=")
        if not _plain_key(key) or (value := _fast_value(text)) is None:
            return None
        fields.append((key, value))
    stamp = sections[2]
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 20):
        return None
    time_ns = int(stamp) * factor
    return Point(*head, tuple(fields), time_ns) if time_ns <= _INT_HIGH else None


def _fast_value(text: str) -> FieldValue | None:
    try:
        if text[-1] == "i":
            number = int(text[:-1])
            return (
                number if _INT.fullmatch(text, 0, len(text) - 1) and _INT_LOW <= number <= _INT_HIGH else None
            )
        return float(text) if _FLOAT.fullmatch(text) and not isinf(float(text)) else None
    except (ValueError, IndexError):
        return None


@lru_cache(maxsize=65_536)
def _plain_head(head: str) -> tuple[str, Tags] | None:
    if head.startswith("#") or len(head) > 1_024:
        return None
    try:
        measurement, tags, end = _head(f"{head} ", 0)
    except _Problem:
        return None
    return (measurement, tags) if end == len(head) + 1 else None


@lru_cache(maxsize=4_096)
def _plain_key(key: str) -> bool:
    return _KEY.fullmatch(key) is not None


# The slow path: the whole grammar, and the place of every error.


def _record(text: str, position: int, factor: int) -> tuple[Point | None, int]:
    """Return the point that begins at `position`, or None for an empty or comment line, and what follows."""
    while text.startswith(" ", position):
        position += 1
    if (after := _line_end(text, position)) is not None:
        return None, after
    if text.startswith("#", position):
        comment = _COMMENT.match(text, position)
        if comment is None:
            raise _Problem(position, "a control character in a comment")
        return None, comment.end()
    measurement, tags, position = _head(text, position)
    fields, position = _fields(text, position)
    if (after := _line_end(text, position)) is not None:
        return Point(measurement, tags, fields, None), after
    time_ns, position = _time(text, position, factor)
    return Point(measurement, tags, fields, time_ns), position


def _head(text: str, position: int) -> tuple[str, Tags, int]:
    match = _MEASUREMENT.match(text, position)
    if match is None:
        raise _Problem(position, f"expected a measurement, found {_seen(text, position)}")
    measurement = _ESCAPED["measurement"].sub(r"\1", match.group())
    tags: dict[str, str] = {}
    position = match.end()
    while not text.startswith(" ", position):
        if not text.startswith(",", position):
            raise _Problem(
                position, f"expected a tag or a space before the fields, found {_seen(text, position)}"
            )
        start = position + 1
        key, position = _key(text, start, "a tag key")
        if key in tags:
            raise _Problem(start, f"tag key {key!r} stands twice")
        match = _KEY.match(text, position)
        if match is None:
            raise _Problem(position, f"expected a value of tag {key!r}, found {_seen(text, position)}")
        tags[key] = _ESCAPED["key"].sub(r"\1", match.group())
        position = match.end()
    while text.startswith(" ", position):
        position += 1
    return measurement, tuple(sorted(tags.items())), position


def _key(text: str, position: int, what: str) -> tuple[str, int]:
    match = _KEY.match(text, position)
    if match is None:
        raise _Problem(position, f"expected {what}, found {_seen(text, position)}")
    if not text.startswith("=", match.end()):
        raise _Problem(match.end(), f"expected '=' after {what}, found {_seen(text, match.end())}")
    return _ESCAPED["key"].sub(r"\1", match.group()), match.end() + 1


def _fields(text: str, position: int) -> tuple[tuple[tuple[str, FieldValue], ...], int]:
    fields: list[tuple[str, FieldValue]] = []
    while True:
        key, position = _key(text, position, "a field key")
        value, position = _value(text, position)
        fields.append((key, value))
        if text.startswith(",", position):
            position += 1
            continue
        if position < len(text) and text[position] not in " \r\n":
            raise _Problem(position, f"expected ',' or a space after a field, found {_seen(text, position)}")
        while text.startswith(" ", position):
            position += 1
        return tuple(fields), position


def _value(text: str, position: int) -> tuple[FieldValue, int]:
    if text.startswith('"', position):
        match = _STRING.match(text, position)
        if match is None:
            raise _Problem(position, "this string is never closed")
        return _ESCAPED["string"].sub(r"\1", match.group(1)), match.end()
    match = _BARE.match(text, position)
    if match is None:
        raise _Problem(position, f"expected a field value, found {_seen(text, position)}")
    return _bare(match.group(), position), match.end()


def _bare(token: str, position: int) -> FieldValue:
    if token in _BOOLS:
        return _BOOLS[token]
    kind, digits = token[-1], token[:-1]
    if kind in "iu" and _INT.fullmatch(digits):
        if len(digits.lstrip("-0")) > 20:
            raise _Problem(position, f"{token[:24]}... is out of range")
        number = int(digits)
        if kind == "i" and _INT_LOW <= number <= _INT_HIGH:
            return number
        if kind == "u" and 0 <= number <= _UINT_HIGH and not digits.startswith("-"):
            return UInt(number)
        raise _Problem(position, f"{token} is out of range")
    if _FLOAT.fullmatch(token):
        real = float(token)
        if isinf(real):
            raise _Problem(position, f"{token[:24]} is out of range")
        return real
    raise _Problem(position, f"{token[:40]!r} is no number, boolean or quoted string")


def _time(text: str, position: int, factor: int) -> tuple[int | None, int]:
    match = _STAMP.match(text, position)
    stamp, end = (match.group(), match.end()) if match else ("", position)
    if end < len(text) and text[end] not in " \r\n":
        raise _Problem(end, f"expected a time in digits, found {_seen(text, end)}")
    time_ns = None
    if stamp:
        if not _INT.fullmatch(stamp) or len(stamp.lstrip("-0")) > 20:
            raise _Problem(position, f"{stamp[:24]!r} is no time")
        time_ns = int(stamp) * factor
        if not _INT_LOW <= time_ns <= _INT_HIGH:
            raise _Problem(position, f"time {stamp} is out of range: it does not fit 64 bits of nanoseconds")
    while text.startswith(" ", end):
        end += 1
    after = _line_end(text, end)
    if after is None:
        raise _Problem(end, f"expected the end of the line after the time, found {_seen(text, end)}")
    return time_ns, after


def _line_end(text: str, position: int) -> int | None:
    """Return where the next line begins if this one ends at `position`; a lone CR ends only the last line."""
    if position == len(text):
        return position
    if text.startswith("\n", position):
        return position + 1
    if text.startswith("\r\n", position):
        return position + 2
    return position + 1 if text[position] == "\r" and position + 1 == len(text) else None


def _seen(text: str, position: int) -> str:
    return repr(text[position]) if position < len(text) else "the end of the text"
