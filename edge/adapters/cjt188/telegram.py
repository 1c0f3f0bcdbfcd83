"""CJ/T 188-2004 frames: what one says, and the two questions that leave a meter as it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from edge.adapters.envelope import FROM_METER, START, WAKE_UP, Envelope, Spoken, spelt, wire
from edge.adapters.frame import FrameError

ENVELOPE = Envelope(head=11, marks=(0,))
EVERYBODY = "AA" * 7
ANY_TYPE = "AA"

_FUNCTION = 0x3F
_TOTALS = ("901F", "1F90")  # the identifier of the present totals, as meters send it
_ADDRESS = "810A"
_PLAIN = 22  # bytes of a water or gas meter's answer; a heat meter's is longer, and is not taken apart


class Asking(IntEnum):
    """All that this project ever says to a meter: 04 moves valves, 15 and 16 change its address and count."""

    READ = 0x01
    ADDRESS = 0x03


_NAMED = frozenset((Asking.READ, Asking.ADDRESS, 0x04, 0x09, 0x15, 0x16))
"""Functions whose data begin with an identifier and a serial number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Telegram(Spoken):
    """A frame that was found right."""

    meter_type: int

    @property
    def named(self) -> bool:
        """Whether the data begin with an identifier and a serial number."""
        return self.control & _FUNCTION in _NAMED and not self.error and len(self.data) >= 3

    @property
    def di(self) -> str:
        """The identifier's bytes in their order on the wire, which is not the same for all meters."""
        return self.data[:2].hex().upper() if self.named else ""

    @property
    def tells_totals(self) -> bool:
        """Whether this answers the question for the present totals."""
        return self.control == FROM_METER | Asking.READ and self.di in _TOTALS

    @property
    def plain(self) -> bool:
        """Whether this is a water or gas meter's answer with its totals."""
        return self.tells_totals and len(self.data) == _PLAIN


def telegram(raw: bytes) -> Telegram:
    """Return what one frame says, wake-up bytes before it or not. Raises FrameError."""
    frame = ENVELOPE.checked(raw)
    found = Telegram(meter_type=frame[1], address=spelt(frame[2:9]), control=frame[9], data=frame[11:-2])
    if found.control & _FUNCTION == Asking.READ and not found.error and not found.named:
        raise FrameError("length", f"{len(found.data)} bytes have no identifier and serial number")
    return found


def read_request(meter_type: str, address: str, di: str, serial: int, *, wake_up: int = 4) -> bytes:
    """Return the question for an identifier, its bytes in the order in which they are to be sent."""
    return _request(Asking.READ, meter_type, address, bytes((*bytes.fromhex(di), serial)), wake_up)


def address_request(*, wake_up: int = 4) -> bytes:
    """Return the question for the address of the only meter on a line."""
    return _request(Asking.ADDRESS, ANY_TYPE, EVERYBODY, bytes((*bytes.fromhex(_ADDRESS), 0)), wake_up)


def _request(asking: Asking, meter_type: str, address: str, data: bytes, wake_up: int) -> bytes:
    head = bytes((START, int(meter_type, 16), *wire(address), Asking(asking)))
    return bytes((WAKE_UP,)) * wake_up + ENVELOPE.sealed(head, data)
