"""Who is alone on a line of CJ/T 188 meters: one question to everybody.

Several meters answer at once and spoil each other's answer; the standard has no question to some of them, so
their addresses are read from their plates. Two answers at once can also look like a third that is right, so
who was heard is asked again by the whole address.
"""

from __future__ import annotations

from edge.adapters.cjt188.telegram import ANY_TYPE, ENVELOPE, address_request, read_request
from edge.adapters.envelope import FROM_METER, RollCall, spelt


def question(tail: str = "") -> bytes:
    """Return the question to all meters, or to the one whose whole address is given."""
    return read_request(ANY_TYPE, tail, "901F", 0) if tail else address_request()


def heard(data: bytes) -> RollCall:
    """Return whose answers are in the bytes that came since the question, an echo of it included."""
    found = ENVELOPE.search(data)
    senders = (spelt(frame[2:9]) for frame in found.frames if frame[9] & FROM_METER)
    addresses = tuple(dict.fromkeys(senders))
    return RollCall(addresses, clash=found.noise > 0 or len(addresses) > 1)


def narrower(tail: str) -> tuple[str, ...]:
    """Return the tails to ask for after a clash: none, see above."""
    return ()
