"""Who is on a line of electricity meters: questions to everybody, and to all whose address ends alike.

One question suffices for a single meter. Several answer at once and spoil each other's answer: then all whose
address ends in 00, in 01 ... 99 are asked, and those again that clash: the addresses grow from their end.
Two answers at once can also look like a third that is right, so who was heard is asked again by the whole
address; one that does not answer to it was a clash.
"""

from __future__ import annotations

from edge.adapters.dlt645.telegram import (
    ENVELOPE,
    EVERYBODY,
    Asking,
    address_request,
    read_request,
    reported_address,
    telegram,
)
from edge.adapters.envelope import FROM_METER, RollCall, spelt
from edge.adapters.frame import FrameError

_ENERGY = "00010000"


def question(tail: str = "") -> bytes:
    """Return the question to all meters whose address ends in `tail` (an even number of digits; none: all)."""
    return read_request(EVERYBODY[len(tail) :] + tail, _ENERGY) if tail else address_request()


def heard(data: bytes) -> RollCall:
    """Return whose answers are in the bytes that came since the question, an echo of it included."""
    found = ENVELOPE.search(data)
    told = [address for frame in found.frames if (address := _sender(frame))]
    addresses = tuple(dict.fromkeys(told))
    return RollCall(addresses, clash=found.noise > 0 or len(addresses) > 1)


def narrower(tail: str) -> tuple[str, ...]:
    """Return the tails to ask for after a clash; none where the address is complete."""
    return tuple(f"{pair:02d}{tail}" for pair in range(100)) if len(tail) < len(EVERYBODY) else ()


def _sender(frame: bytes) -> str:
    """Return the address of the meter that sent a frame; empty for a master's, and one of another edition."""
    try:
        found = telegram(frame)
        if not found.from_meter:
            return ""
        told = found.function == Asking.ADDRESS and not found.error
        return reported_address(found) if told else found.address
    except FrameError:
        return spelt(frame[1:7]) if frame[8] & FROM_METER else ""
