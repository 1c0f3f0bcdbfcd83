"""What cannot be stored, as quarantine keeps it: whole messages, and parts of packs to be taken in later."""

from __future__ import annotations

import cbor2

from edge.protocol.wire import Pack, encode_pack
from gateway.arrival import Arrival
from gateway.block import Kept, Quarantined


def stray(arrival: Arrival, node: str, reason: str, detail: str) -> Quarantined:
    """Keep a whole message of which it is not known what it holds."""
    return Quarantined(
        time_ms=arrival.time_ms,
        node=node,
        reason=reason,
        detail=detail,
        topic=arrival.topic,
        payload=arrival.payload,
    )


def part(
    arrival: Arrival, node: str, pack: Pack, first: int, end: int, reason: str, detail: str
) -> Quarantined:
    """Keep the readings [first, end) of a pack as a pack of their own, so that they can be taken in later."""
    rows = pack.rows[first - pack.seq0 : end - pack.seq0]
    try:
        payload = encode_pack(Pack(pack.schema, pack.boot, first, pack.t0_ms, pack.clock, rows))
    except (cbor2.CBORError, ValueError, TypeError):  # what came cannot be said again: keep it whole
        payload = arrival.payload
    return Quarantined(
        time_ms=arrival.time_ms,
        node=node,
        reason=reason,
        detail=detail,
        topic=arrival.topic,
        payload=payload,
        boot=pack.boot,
        seq=first,
        readings=end - first,
    )


def again(entry: Kept, reason: str, detail: str) -> Quarantined:
    """Keep an entry that was tried again and failed again."""
    return Quarantined(
        time_ms=entry.time_ms,
        node=entry.node,
        reason=reason,
        detail=detail,
        topic=entry.topic,
        payload=entry.payload,
        boot=entry.boot,
        seq=entry.seq,
        readings=entry.readings,
    )
