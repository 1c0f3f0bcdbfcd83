"""What meters' frames have in common (DL/T 645, CJ/T 188): FE.. 68 address control length data sum 16; BCD."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from edge.adapters.frame import FrameError

WAKE_UP = 0xFE
START = 0x68
END = 0x16
FROM_METER = 0x80
ERROR = 0x40


class Found(NamedTuple):
    """What there is in a stretch of bytes: whole frames, what looks like one with a wrong sum, and the rest.

    `noise` counts the bytes that belong to no frame and are no wake-up; a frame still under way is noise.
    """

    frames: tuple[bytes, ...]
    broken: tuple[bytes, ...]
    noise: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Spoken:
    """What the frames of both protocols say."""

    address: str
    control: int
    data: bytes

    @property
    def from_meter(self) -> bool:
        """Whether a meter says it; an echo of the own question is not."""
        return bool(self.control & FROM_METER)

    @property
    def error(self) -> bool:
        """Whether the meter says no."""
        return bool(self.control & ERROR)


class RollCall(NamedTuple):
    """Who answered to a question to everybody; `clash`: several did at once, or the line is disturbed."""

    addresses: tuple[str, ...]
    clash: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """A protocol's frame: `head` bytes before the data, the last of them their length; 68 stands at `marks`."""

    head: int
    marks: tuple[int, ...]

    def sealed(self, head: bytes, data: bytes) -> bytes:
        """Return the frame of a head (without its length byte) and data."""
        frame = bytes((*head, len(data), *data))
        return bytes((*frame, sum(frame) & 0xFF, END))

    def checked(self, raw: bytes) -> bytes:
        """Return the one frame that `raw` is, without its wake-up bytes. Raises FrameError."""
        frame = raw.lstrip(bytes((WAKE_UP,)))
        for mark in self.marks:
            if mark < len(frame) and frame[mark] != START:
                raise FrameError("header", f"byte {mark} is {frame[mark]:02X}, not 68")
        if len(frame) < self.head or len(frame) < self._end(frame, 0):
            raise FrameError("truncated", f"the frame ends after {len(frame)} bytes")
        if len(frame) > self._end(frame, 0):
            raise FrameError("length", f"{len(frame)} bytes, by its length it has {self._end(frame, 0)}")
        if frame[-1] != END:
            raise FrameError("end", f"the last byte is {frame[-1]:02X}, not 16")
        if (total := sum(frame[:-2]) & 0xFF) != frame[-2]:
            raise FrameError("checksum", f"the sum is {total:02X}, not {frame[-2]:02X}")
        return frame

    def search(self, data: bytes) -> Found:
        """Return the frames in bytes as they came from a line, whatever stands before, between and after."""
        frames: list[bytes] = []
        broken: list[bytes] = []
        at = noise = 0
        for start in self._starts(data):
            if start < at:
                continue  # inside a frame
            stretch = data[start : self._end(data, start)]
            if stretch[-1] == END and sum(stretch[:-2]) & 0xFF == stretch[-2]:
                noise += _not_wake_up(data[at:start])
                frames.append(stretch)
                at = start + len(stretch)
            else:
                broken.append(stretch)
        return Found(tuple(frames), tuple(broken), noise + _not_wake_up(data[at:]))

    def _starts(self, data: bytes) -> Iterator[int]:
        """Yield where a frame may start that is whole by now."""
        start = data.find(START)
        while start >= 0 and start + self.head <= len(data):
            marked = all(data[start + mark] == START for mark in self.marks)
            if marked and self._end(data, start) <= len(data):
                yield start
            start = data.find(START, start + 1)

    def _end(self, data: bytes, start: int) -> int:
        return start + self.head + data[start + self.head - 1] + 2


def bcd(raw: bytes) -> int:
    """Return the number of BCD bytes, lowest first. Raises FrameError `bcd`."""
    if not (digits := raw[::-1].hex()).isdecimal():
        raise FrameError("bcd", f"{digits.upper()} is no decimal number")
    return int(digits)


def spelt(raw: bytes) -> str:
    """Return bytes, lowest first, as people write them: highest first, in hex."""
    return raw[::-1].hex().upper()


def wire(digits: str) -> bytes:
    """Return an address or identifier, written as people do, lowest byte first."""
    return bytes.fromhex(digits)[::-1]


def same_meter(asked: str, answered: str) -> bool:
    """Whether an answer's address is the one that was asked; AA in the question stands for any byte."""
    bytes_of = [slice(at, at + 2) for at in range(0, len(asked), 2)]
    return all(asked[one] in (answered[one], "AA") for one in bytes_of)


def _not_wake_up(data: bytes) -> int:
    return len(data) - data.count(WAKE_UP)
