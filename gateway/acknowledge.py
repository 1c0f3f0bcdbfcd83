"""What nodes are told: up to where their readings are safe here, and which of them are wanted again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import Ack, encode_ack
from gateway.arrival import Source
from gateway.ledger import Ledger, Span, StreamKey

ASK_AFTER_S = 3.0
ASK_AT_LEAST_EVERY_S = 600.0
ASK_AT_MOST = 64


class Acknowledger:
    """Acknowledges by stream; asks for gaps in exact ranges, not at once and ever less often."""

    def __init__(self, ledger: Ledger, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._now = now
        self._asking: dict[StreamKey, tuple[float, float]] = {}  # when to ask (again), and the wait before

    def acknowledge(self, streams: Iterable[StreamKey], source: Source) -> None:
        """Tell nodes up to where their readings are safe here, and which are wanted again."""
        now_s = self._now()
        for key in streams:
            stream = self._ledger.streams[key]
            holes = stream.awaited()
            if holes:
                ack = Ack(key[1], holes[0][0], self._wanted(key, holes, now_s))
            else:
                self._asking.pop(key, None)
                ack = Ack(key[1], max(stream.top, stream.floor))
            source.send(topic(key[0], Leaf.ACK), encode_ack(ack))

    def gaps(self) -> list[StreamKey]:
        """Return the streams with a gap that has lasted long enough to be asked for (again)."""
        now_s = self._now()
        return [key for key, (due_s, _) in self._asking.items() if now_s >= due_s]

    def _wanted(self, key: StreamKey, holes: list[Span], now_s: float) -> tuple[tuple[int, int], ...]:
        """Return the ranges to ask for: not at once, since packs overtake one another, and ever less often."""
        due_s, wait_s = self._asking.setdefault(key, (now_s + ASK_AFTER_S, ASK_AFTER_S))
        if now_s < due_s:
            return ()
        self._asking[key] = (now_s + wait_s, min(wait_s * 2, ASK_AT_LEAST_EVERY_S))
        return tuple((first, end - 1) for first, end in holes[:ASK_AT_MOST])
