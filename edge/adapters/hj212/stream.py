"""Where packets begin and end in a stream of bytes that may be cut, joined or spoilt anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from edge.adapters.frame import FrameError

HEAD, CRC, TAIL = 6, 4, 2
LONGEST = HEAD + 9999 + CRC + TAIL
_RUBBISH = 2048  # what is no packet is passed on in pieces of this many bytes
_START = re.compile(rb"##[0-9]{4}")
_HEX = frozenset(b"0123456789abcdefABCDEF")


class Piece(NamedTuple):
    """A packet with its frame, or bytes that are none and why."""

    raw: bytes
    fault: FrameError | None = None


def length(data: bytes, at: int = 0) -> int | None:
    """Return how long the packet at `at` is with its frame, None while more must come.

    Raises FrameError for what cannot become one: header, length, truncated.
    """
    lead = data[at : at + 2]
    if lead != b"##"[: len(lead)]:
        raise FrameError("header", "a packet begins with ##")
    digits = data[at + 2 : at + HEAD]
    if len(digits) < HEAD - 2:
        return None
    if not digits.isdigit():
        raise FrameError("length", f"{digits!r} is no decimal length")
    end = at + HEAD + int(digits)
    line_end = data.find(b"\r", at + HEAD, end + CRC)  # one byte is looked for far faster than two
    if line_end >= 0 and data.find(b"\r\n", line_end, end + CRC) >= 0:
        raise FrameError("truncated", f"the line ends before the {int(digits)} bytes that it promises")
    if len(data) < end + CRC + TAIL:
        return None
    if not _HEX.issuperset(data[end : end + CRC]):
        raise FrameError("length", f"no CRC follows after {int(digits)} bytes")
    if data[end + CRC : end + CRC + TAIL] != b"\r\n":
        raise FrameError("truncated", "no CR LF follows the CRC")
    return end + CRC + TAIL - at


class Splitter:
    """Cuts a stream into packets; holds no more than one of the longest packets.

    `check` says what is wrong with a packet that is whole (its CRC): then another may begin within it.
    """

    def __init__(self, check: Callable[[bytes], FrameError | None]) -> None:
        self._check = check
        self._rest = b""

    def feed(self, data: bytes) -> list[Piece]:
        """Return what is whole by now, in order; the same however the stream was cut."""
        data = self._rest + data
        at = 0
        found: list[Piece] = []
        while at < len(data):
            try:
                size, fault = length(data, at), None
            except FrameError as error:
                size, fault = _bad(data, at), error
            if size is None:
                break
            piece = data[at : at + size]
            if fault is None and (fault := self._check(piece)) and (start := _START.search(piece, 1)):
                piece = piece[: start.start()]
            at += len(piece)
            if fault is None or piece.strip(b"\r\n \0"):  # blank lines are how some modems keep a link open
                found.append(Piece(piece, fault))
        self._rest = data[at:]
        return found


def _bad(data: bytes, at: int) -> int | None:
    """Return how many bytes at `at` are no packet: up to the next start or the end of the line."""
    limit = at + _RUBBISH
    start = _START.search(data, at + 1, limit + HEAD)
    line = data.find(b"\r\n", at, limit)
    ends = [start.start()] if start else []
    if line >= 0:
        ends.append(line + 2)
    if not ends and len(data) < limit + HEAD:
        return None
    return min([*ends, limit]) - at
