"""Frames out of a stream: bytes come cut anywhere, with rubbish between them and damage within."""

from __future__ import annotations

import re
from typing import NamedTuple

from edge.adapters.frame import FrameError
from edge.adapters.sl651.frame import HEAD_BYTES, TAIL_BYTES, TEXT_HEAD_BYTES, parse, size

_MAY_START = re.compile(rb"(?=\x7e\x7e|\x7e\Z|\x01)")
_SHORTEST = HEAD_BYTES + TAIL_BYTES
_MOST_SKIPPED = 4096


class Piece(NamedTuple):
    """A sound frame, or bytes that are none and why."""

    raw: bytes
    fault: FrameError | None = None


class Stream:
    """Holds less than one longest frame (4 KB), and as much of what it skipped."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skipped = bytearray()
        self._unsound: set[int] = set()

    def feed(self, data: bytes) -> list[Piece]:
        """Take bytes; return what is whole by now. Fewer skipped bytes than a frame has are line noise."""
        self._buffer += data
        found: list[Piece] = []
        while (piece := self._next()) is not None:
            if len(self._skipped) >= _SHORTEST:
                found.append(
                    Piece(bytes(self._skipped), FrameError("header", "no frame starts in these bytes"))
                )
            self._skipped.clear()
            if piece.raw:
                found.append(piece)
        return found

    def _next(self) -> Piece | None:
        self._skip(self._start(0))
        if len(self._skipped) >= _MOST_SKIPPED:
            return Piece(b"")
        expected = size(self._head(0))
        if not self._buffer or not expected:
            return None
        if len(self._buffer) < expected:
            sound = self._sound()
            return self._cut(sound, FrameError("truncated", f"{sound} of {expected} bytes")) if sound else None
        try:
            parse(bytes(self._buffer[:expected]))
        except FrameError as error:
            inner = self._start(1)
            if inner < expected:
                return self._cut(inner, FrameError("truncated", f"{inner} of {expected} bytes"))
            return self._cut(expected, error)
        return self._cut(expected, None)

    def _head(self, at: int) -> bytes:
        return bytes(self._buffer[at : at + TEXT_HEAD_BYTES])

    def _start(self, first: int) -> int:
        """Return where the next frame may start, the end of what there is if nowhere."""
        for match in _MAY_START.finditer(self._buffer, first):
            if size(self._head(match.start())) != 0:
                return match.start()
        return len(self._buffer)

    def _sound(self) -> int:
        """Return where a sound frame stands behind one that is not all there; 0 for nowhere."""
        for match in _MAY_START.finditer(self._buffer, 1):
            at = match.start()
            expected = size(self._head(at))
            if not expected or at + expected > len(self._buffer) or at in self._unsound:
                continue
            try:
                parse(bytes(self._buffer[at : at + expected]))
            except FrameError:
                self._unsound.add(at)
            else:
                return at
        return 0

    def _cut(self, count: int, fault: FrameError | None) -> Piece:
        raw = bytes(self._buffer[:count])
        self._drop(count)
        return Piece(raw, fault)

    def _skip(self, count: int) -> None:
        if count:
            self._skipped += self._buffer[:count]
            self._drop(count)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._unsound.clear()
