"""Who is alone on a line of CJ/T 188 meters: one question to everybody.

Several meters answer at once and spoil each other's answer; the standard has no question to some of them, so
their addresses are read from their plates.
"""

from __future__ import annotations

from edge.adapters.cjt188.telegram import ENVELOPE, address_request
from edge.adapters.envelope import FROM_METER, RollCall, spelt


def question(tail: str = "") -> bytes:
    """Return the question to all meters; `tail` is always empty here."""
    assert not tail
    return address_request()


def heard(data: bytes) -> RollCall:
    """Return whose answers are in the bytes that came since the question, an echo of it included."""
    found = ENVELOPE.search(data)
    senders = (spelt(frame[2:9]) for frame in found.frames if frame[9] & FROM_METER)
    addresses = tuple(dict.fromkeys(senders))
    return RollCall(addresses, clash=found.noise > 0 or len(addresses) > 1)


def narrower(tail: str) -> tuple[str, ...]:
    """Return the tails to ask for after a clash: none, see above."""
    return ()
