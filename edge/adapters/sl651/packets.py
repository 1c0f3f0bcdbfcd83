"""A report in many packets (SYN): which are there, which is missing, and what they are together."""

from __future__ import annotations

from edge.adapters.frame import FrameError
from edge.adapters.sl651.body import PICTURE
from edge.adapters.sl651.frame import Frame

_MOST_BYTES = 256 * 1024


class Packets:
    """The packets of one report. Of a picture only the first is held: pictures are no readings."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.ended = False
        self._bodies: dict[int, bytes] = {}
        self._bytes = 0

    def add(self, frame: Frame, last: bool) -> None:
        """Take a packet. Raises FrameError where the report grows beyond all measure."""
        self.ended = self.ended or last
        body = frame.body if frame.function != PICTURE or frame.number == 1 else b""
        self._bytes += len(body) - len(self._bodies.get(frame.number, b""))
        if self._bytes > _MOST_BYTES:
            raise FrameError("length", f"{frame.total} packets with more than {_MOST_BYTES} bytes")
        self._bodies[frame.number] = body

    def missing(self) -> int:
        """Return the first packet that is not here, 0 for none."""
        return next((number for number in range(1, self.total + 1) if number not in self._bodies), 0)

    def serial(self) -> int:
        """Return the serial, which only the first packet has; 0 while that is away."""
        return int.from_bytes(self._bodies.get(1, b"")[:2], "big")

    def body(self) -> bytes:
        """Return the bodies, one behind the other."""
        return b"".join(self._bodies[number] for number in sorted(self._bodies))
