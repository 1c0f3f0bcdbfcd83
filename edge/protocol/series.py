"""Readings and points -> InfluxDB line protocol, such that nothing hostile can break or forge a line.

Tags and names may hold anything but control characters and a backslash at the end (line protocol cannot
write that); an empty tag, a number that is not finite and a point without fields are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from edge.model.errors import SeriesError
from edge.model.quality import Clock, Flag
from edge.protocol.wire import BOOT_STEP

NS_PER_MS = 1_000_000
_START_STEP = 381_966  # 999,999 / phi^2: successive starts lie far apart
_INT64 = range(-(2**63), 2**63)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_MEASUREMENT_ESCAPES = str.maketrans({",": "\\,", " ": "\\ "})
_KEY_ESCAPES = str.maketrans({",": "\\,", " ": "\\ ", "=": "\\="})
_STRING_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\"})

FieldValue = float | int | bool | str


class UInt(int):
    """An integer field written as unsigned (`5u`); 1.x servers do not take it by default."""


def escape_measurement(name: str) -> str:
    """Return a measurement name as it stands in a line, or raise SeriesError."""
    if name.startswith("#"):
        raise SeriesError(f"a measurement cannot begin with '#': {name[:40]!r}")
    return _plain(name, "measurement").translate(_MEASUREMENT_ESCAPES)


def escape_key(text: str, what: str = "tag") -> str:
    """Return a tag key, tag value or field key as it stands in a line, or raise SeriesError."""
    return _plain(text, what).translate(_KEY_ESCAPES)


def encode_point(
    measurement: str, tags: Mapping[str, str], fields: Mapping[str, FieldValue], time_ns: int | None
) -> str:
    """Return one point as a line without a line end; tags are sorted by key. Raises SeriesError."""
    if not fields:
        raise SeriesError(f"a point of {measurement[:40]!r} has no field")
    head = escape_measurement(measurement)
    for key in sorted(tags):
        head += f",{escape_key(key, 'tag key')}={escape_key(tags[key], f'value of tag {key[:40]}')}"
    body = ",".join(f"{escape_key(key, 'field key')}={_field(key, value)}" for key, value in fields.items())
    if time_ns is None:
        return f"{head} {body}"
    if time_ns not in _INT64:
        raise SeriesError(f"time {time_ns} is no 64-bit integer")
    return f"{head} {body} {time_ns}"


def reading_time_ns(t_ms: int, boot: int, seq: int, clock: Clock) -> int:
    """Return the time at which a reading is stored, in ns.

    A reading of a trusted clock has its exact millisecond. Any other clock may have shown one millisecond
    twice, within a boot or at every boot, and the store would merge the two: its readings carry a number
    below the millisecond that boot and seq give. It depends on the reading alone: writing again is harmless.
    """
    if clock is Clock.SYNCED:
        return t_ms * NS_PER_MS
    start, random_part = divmod(boot, BOOT_STEP) if boot >= BOOT_STEP else (boot, 0)
    return t_ms * NS_PER_MS + 1 + (start * _START_STEP + random_part // 10 + seq) % 999_999


def series_head(measurement: str, tags: Mapping[str, str]) -> str:
    """Return what every line of a series begins with: measurement and tags, escaped. Raises SeriesError."""
    return escape_measurement(measurement) + "".join(
        f",{escape_key(key)}={escape_key(tags[key])}" for key in sorted(tags)
    )


class SeriesWriter:
    """Writes readings of one schema."""

    __slots__ = ("_fail", "_pass", "_qc")

    def __init__(self, quantities: Sequence[str]) -> None:
        names = [escape_key(name, "quantity") for name in quantities]
        self._pass = [f"{name}=" for name in names]
        self._fail = [f"{name}_rejected=" for name in names]
        self._qc = [f"{name}_qc=" for name in names]

    def line(
        self,
        head: str,
        values: Sequence[float | None],
        flags: Sequence[Flag],
        time_ns: int,
        clock: Clock = Clock.SYNCED,
        more: Sequence[str] = (),
    ) -> str:
        """Return the line of a reading of the series that begins with `head`.

        Failed values go to `<q>_rejected`, flags other than PASS to `<q>_qc`. `more` are fields as they stand.
        """
        fields: list[str] = []
        for index, value in enumerate(values):
            flag = flags[index]
            if value is None:
                fields.append(f"{self._qc[index]}9i")
            elif flag is Flag.PASS:
                fields.append(f"{self._pass[index]}{value!r}")
            elif flag is Flag.FAIL:
                fields.append(f"{self._fail[index]}{value!r},{self._qc[index]}4i")
            else:
                fields.append(f"{self._pass[index]}{value!r},{self._qc[index]}{flag:d}i")
        if clock is not Clock.SYNCED:
            fields.append(f"clock_qc={3 if clock is Clock.ESTIMATED else 2}i")
        fields += more
        return f"{head} {','.join(fields)} {time_ns}"


def _plain(text: str, what: str) -> str:
    if not text:
        raise SeriesError(f"{what} is empty", remedy="leave it out or give it a value")
    if _CONTROL.search(text):
        raise SeriesError(f"{what} holds a control character: {text[:40]!r}", remedy="remove it")
    if text.endswith("\\"):
        raise SeriesError(
            f"{what} ends with a backslash: {text[-40:]!r}", remedy="line protocol cannot write it"
        )
    return text


def _field(key: str, value: FieldValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, UInt):
        if not 0 <= value < 2**64:
            raise SeriesError(f"field {key[:40]!r}: {value} is no unsigned 64-bit integer")
        return f"{value:d}u"
    if isinstance(value, int):
        if value not in _INT64:
            raise SeriesError(f"field {key[:40]!r}: {value} is no 64-bit integer")
        return f"{value:d}i"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise SeriesError(f"field {key[:40]!r} is {value}", remedy="a store takes finite numbers only")
        return repr(value)
    if re.search(r"[\x00\ud800-\udfff]", value):
        raise SeriesError(f"field {key[:40]!r} holds NUL or half a surrogate pair", remedy="remove it")
    return f'"{value.translate(_STRING_ESCAPES)}"'
