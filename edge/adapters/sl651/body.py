"""What a station says: serial, times, and its elements, in the order of the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from edge.adapters.frame import FrameError

KEEP_ALIVE, UNIFORM, PICTURE, PERIOD = 0x2F, 0x31, 0x36, 0x38
VERSION, STATE, PUMP = 0x45, 0x46, 0x44

TOLD_WITHOUT_ELEMENTS = frozenset((*range(0x40, 0x44), *range(0x47, 0x52), *range(0xE0, 0x100)))
"""Functions whose answers are settings, records and bare confirmations, not elements."""


class Step(NamedTuple):
    """How far apart the values of a period are."""

    day: int
    hour: int
    minute: int


class BadDigits(NamedTuple):
    """Stands for a value whose bytes are no BCD."""

    text: str


Number = float | BadDigits | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One element. `id` is its identifier in hex, or its code where the table has none for it.

    `observed_at` is YYMMDDhhmm as the station wrote it, "" before the first. `many`: `values` is a series, of a
    period or of an hour block. `raw` is what is no number: a status word, a picture, a text. `nines` tells
    which values are a vendor's row of nines.
    """

    id: str
    observed_at: str
    number: int | None = None
    values: tuple[Number, ...] = ()
    nines: frozenset[int] = frozenset()
    many: bool = False
    length: int | None = None
    decimals: int | None = None
    step: Step | None = None
    raw: bytes = b""


@dataclass(kw_only=True, slots=True)
class Body:
    """A body that is whole. `rest` is what the function has besides elements."""

    serial: int
    sent_at: str
    station: str = ""
    station_class: str = ""
    times: list[str] = field(default_factory=list)
    elements: list[Said] = field(default_factory=list)
    rest: bytes = b""

    @property
    def observed_at(self) -> str:
        """The first observation time, "" where there is none."""
        return self.times[0] if self.times else ""


def digits(data: bytes, what: str) -> str:
    """Return BCD bytes as text. Raises FrameError `bcd`."""
    found = data.hex().upper()
    if not found.isdecimal():
        raise FrameError("bcd", f"{what} {found} is not in decimal digits")
    return found


def number_of(data: bytes, decimals: int) -> Number:
    """Return the number in BCD bytes, None for a missing one (all F, with some vendors all A)."""
    found = data.hex().upper()
    if not found.strip("F") or not found.strip("A"):
        return None
    sign, text = (-1, found[2:]) if data[0] == 0xFF else (1, found)
    return sign * int(text) / 10**decimals if text.isdecimal() else BadDigits(found)


class Reader:
    """Takes a body apart from its first byte to its last."""

    def __init__(self, function: int, data: bytes, *, cut: bool = False) -> None:
        """`cut`: the body goes on in further packets, so its last element may be incomplete."""
        self._function, self._data, self._cut = function, data, cut
        self._at = 8
        self._step: Step | None = None
        self._observed = ""

    def body(self) -> Body:
        """Return the body. Raises FrameError."""
        if len(self._data) < 8:
            raise FrameError("truncated", "the body ends before its serial and time do")
        serial = int.from_bytes(self._data[:2], "big")
        body = Body(serial=serial, sent_at=digits(self._data[2:8], "sending time"))
        if self._data[8:10] == b"\xf1\xf1":
            self._station(body)
        if self._function == VERSION or self._function in TOLD_WITHOUT_ELEMENTS:
            body.rest = self._data[self._at :]
            return body
        try:
            while self._at < len(self._data):
                self._one(body)
        except FrameError as error:
            if not self._cut or error.reason != "truncated":
                raise
        return body

    def _one(self, body: Body) -> None:
        mark = self._data[self._at : self._at + 2]
        if mark == b"\xf0\xf0":
            self._at += 2
            self._observed = digits(self._take(5, "observation time"), "observation time")
            body.times.append(self._observed)
        elif mark == b"\xf1\xf1":
            self._station(body)
        elif mark in (b"\xf2\xf2", b"\xf3\xf3") or mark[:1] == b"\xfd":
            self._at += 2
            raw = self._take(len(self._data) - self._at, "text")
            body.elements.append(self._said(mark[0], raw=raw))
        else:
            body.elements.append(self._element())

    def _station(self, body: Body) -> None:
        self._at += 2
        body.station = self._take(5, "station").hex().upper()
        follows = self._data[self._at : self._at + 3]
        classed = (self._function < 0x40 and bool(follows)) or follows[1:] == b"\xf0\xf0"
        if classed and follows[:2] != b"\xf0\xf0":
            letter = chr(follows[0])
            body.station_class = letter if letter.isalnum() and letter.isascii() else f"{follows[0]:02X}"
            self._at += 1

    def _element(self) -> Said:
        number = self._take(1, "identifier")[0]
        name = f"{number:02X}"
        if number == 0xFF:
            name += self._take(1, "identifier").hex().upper()
        definition = self._take(1, f"definition of {name}")[0]
        length, decimals = definition >> 3, definition & 0x07
        if 0xF4 <= number <= 0xFC:
            return self._block(number, length)
        if number in (0xF0, 0xF1, 0xF2, 0xF3):
            raise FrameError("format", f"{name} is followed by {definition:02X}")
        if length == 0:
            raise FrameError("format", f"element {name} has no data")
        if number == 0x04:
            return self._step_code(length)
        data = self._take(length, f"element {name}")
        if number == 0x45:
            return self._said(number, raw=data)
        parts, many = self._period(data)
        values = tuple(number_of(part, decimals) for part in parts)
        nines = frozenset(
            index for index, part in enumerate(parts) if part.hex().strip("9") == "" and len(part) > 1
        )
        return Said(
            id=name, number=number if number != 0xFF else None, observed_at=self._observed, values=values,
            nines=nines, many=many, length=length, decimals=decimals, step=self._step if many else None,
        )  # fmt: skip

    def _period(self, first: bytes) -> tuple[list[bytes], bool]:
        """Return the values that follow one identifier up to the next time, or to the end."""
        parts = [first]
        if self._step is None or self._function not in (UNIFORM, PERIOD):
            return parts, False
        end = self._data.find(b"\xf0\xf0", self._at)
        if end < 0 or (end - self._at) % len(first):
            end = len(self._data)
        left = end - self._at
        if left % len(first) and not self._cut:
            return parts, False
        for _ in range(left // len(first)):
            parts.append(self._take(len(first), "period"))
        if self._cut:
            self._at = len(self._data)
        return parts, True

    def _block(self, number: int, length: int) -> Said:
        """Return an hour's values; those of further hours may follow under the same identifier."""
        width, scale = (1, 10) if number == 0xF4 else (2, 100)
        if length == 0 or length % width:
            raise FrameError("format", f"block {number:02X} has {length} bytes")
        data = self._take(length, f"block {number:02X}")
        while self._step is not None and len(self._data) - self._at >= length and not self._heads():
            data += self._take(length, f"block {number:02X}")
        missing = (1 << 8 * width) - 1
        counts = (int.from_bytes(data[at : at + width], "big") for at in range(0, len(data), width))
        values = tuple(None if count == missing else count / scale for count in counts)
        return Said(
            id=f"{number:02X}",
            number=number,
            observed_at=self._observed,
            values=values,
            many=True,
            step=self._step,
        )

    def _heads(self) -> bool:
        """Return whether an element begins here rather than further values of the last one."""
        if len(self._data) - self._at < 2:
            return False
        first, second = self._data[self._at], self._data[self._at + 1]
        return (first == 0xF4 and second == 0x60) or (0xF5 <= first <= 0xFC and second == 0xC0) or (
            first == second and first in (0xF0, 0xF1, 0xF2, 0xF3)
        )  # fmt: skip

    def _step_code(self, length: int) -> Said:
        if length != 3:
            raise FrameError("format", f"a time step has 3 bytes, not {length}")
        found = digits(self._take(3, "time step"), "time step")
        self._step = Step(int(found[:2]), int(found[2:4]), int(found[4:]))
        return Said(id="04", number=4, observed_at=self._observed, step=self._step)

    def _said(self, number: int, raw: bytes) -> Said:
        return Said(id=f"{number:02X}", number=number, observed_at=self._observed, raw=raw)

    def _take(self, count: int, what: str) -> bytes:
        found = self._data[self._at : self._at + count]
        if len(found) < count:
            raise FrameError("truncated", f"{what} has {len(found)} of {count} bytes")
        self._at += count
        return found
