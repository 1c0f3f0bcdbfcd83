"""DL/T 645-2007 frames: what one says, and the three questions that leave a meter as it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from edge.adapters.envelope import START, WAKE_UP, Envelope, Spoken, bcd, spelt, wire
from edge.adapters.frame import FrameError

ENVELOPE = Envelope(head=10, marks=(0, 7))
EVERYBODY = "AAAAAAAAAAAA"
NO_SUCH_DATA = 0x02

_MORE = 0x20
_FUNCTION = 0x1F
_OFFSET = 0x33
_EDITION_1997 = frozenset((0x01, 0x02, 0x04, 0x0A, 0x0C, 0x0F))
"""Functions that only the edition of 1997 has: its identifiers are of two bytes."""


class Asking(IntEnum):
    """All that this project ever says to a meter; other functions change it: write, freeze, clear, switch."""

    READ = 0x11
    FOLLOW = 0x12
    ADDRESS = 0x13


ERROR_WORDS = {
    0x01: "other error",
    NO_SUCH_DATA: "no such data",
    0x04: "wrong password, or no right",
    0x08: "the baud rate cannot be changed",
    0x10: "too many yearly zones",
    0x20: "too many daily slots",
    0x40: "too many tariffs",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Telegram(Spoken):
    """A frame that was found right; `data` is without the offset of 33h."""

    @property
    def more(self) -> bool:
        """Whether further frames can be asked for."""
        return bool(self.control & _MORE)

    @property
    def function(self) -> int:
        """What is asked or answered."""
        return self.control & _FUNCTION

    @property
    def di(self) -> str:
        """The identifier as it is written; empty where the frame has none."""
        names_data = self.function in (Asking.READ, Asking.FOLLOW, 0x14, 0x18)
        return spelt(self.data[:4]) if names_data and not self.error and len(self.data) >= 4 else ""


def telegram(raw: bytes) -> Telegram:
    """Return what one frame says, wake-up bytes before it or not. Raises FrameError."""
    frame = ENVELOPE.checked(raw)
    data = bytes((byte - _OFFSET) & 0xFF for byte in frame[10:-2])
    found = Telegram(address=spelt(frame[1:7]), control=frame[8], data=data)
    if found.function in _EDITION_1997:
        remedy = "the meter has identifiers of two bytes; that edition is not read"
        raise FrameError("edition", f"control {found.control:02X} is DL/T 645-1997, not 2007", remedy=remedy)
    if found.error and found.from_meter and not data:
        raise FrameError("length", "an error answer without its error word")
    if found.function in (Asking.READ, Asking.FOLLOW) and not found.error and len(data) < 4:
        raise FrameError("length", f"{len(data)} bytes of data have no identifier")
    if found.function == Asking.ADDRESS and found.from_meter and not found.error and len(data) != 6:
        raise FrameError("length", f"{len(data)} bytes are no address")
    return found


def reported_address(found: Telegram) -> str:
    """Return the address that an answer to "read address" tells. Raises FrameError."""
    bcd(found.data)
    return spelt(found.data)


def error_text(word: int) -> str:
    """Return what a meter means by an error word: its bits."""
    return ", ".join(text for bit, text in ERROR_WORDS.items() if word & bit) or f"error {word:02X}"


def read_request(address: str, di: str, *, which: bytes = b"", wake_up: int = 4) -> bytes:
    """Return the question for an identifier; of records it says `which`."""
    return _request(Asking.READ, address, wire(di) + which, wake_up)


def follow_request(address: str, di: str, part: int, *, wake_up: int = 4) -> bytes:
    """Return the question for a further part (1 to 255) of what an answer was too short for."""
    return _request(Asking.FOLLOW, address, wire(di) + bytes((part,)), wake_up)


def address_request(*, wake_up: int = 4) -> bytes:
    """Return the question for the address of the only meter on a line."""
    return _request(Asking.ADDRESS, EVERYBODY, b"", wake_up)


def _request(asking: Asking, address: str, data: bytes, wake_up: int) -> bytes:
    head = bytes((START, *wire(address), START, Asking(asking)))
    offset = bytes((byte + _OFFSET) & 0xFF for byte in data)
    return bytes((WAKE_UP,)) * wake_up + ENVELOPE.sealed(head, offset)
