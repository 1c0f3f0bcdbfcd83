"""What is wrong with a frame: a short, countable reason, and the detail for people."""

from __future__ import annotations

from edge.model.errors import CityError


class FrameError(CityError):
    """Bytes that are no frame of their protocol, or say what it does not allow.

    `reason` is one of the protocol's few words: header, truncated, length, crc, checksum, format, bcd, json...
    """

    def __init__(self, reason: str, detail: str, *, remedy: str = "") -> None:
        super().__init__(f"{reason}: {detail}", remedy=remedy)
        self.reason = reason
        self.detail = detail


class Refusal(FrameError):
    """The device answered, and said no: asking again changes nothing."""
