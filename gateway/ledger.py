"""The ledger: which readings of which node exist, and where each of them is. Pure, in memory.

A stream is one (node, boot); its readings are numbered from 0. `seen` are those that arrived here, `top` is
one past the highest that the node is known to have made, and below `floor` the node has nothing left to send.
So what was not seen is *missing* below the floor and *awaited* above it, where it is still being asked for.
What is missing below `overwritten` gave way to newer readings while the node lived; the rest went when it
restarted.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto

StreamKey = tuple[str, int]
Span = tuple[int, int]  # first, one past the last


class Spans:
    """A set of integers as sorted half-open spans that do not touch one another."""

    __slots__ = ("edges",)

    def __init__(self, edges: Iterable[int] = ()) -> None:
        self.edges: list[int] = list(edges)  # first0, end0, first1, end1, ...

    def __iter__(self) -> Iterator[Span]:
        return zip(self.edges[::2], self.edges[1::2], strict=True)

    @classmethod
    def parse(cls, text: str) -> Spans:
        """Read what `str` wrote."""
        return cls(int(edge) for edge in text.split(",") if edge)

    def __str__(self) -> str:
        edges = self.edges
        if len(edges) == 2:  # the usual case: no gap
            return f"{edges[0]},{edges[1]}"
        return ",".join(map(str, edges))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spans) and self.edges == other.edges

    __hash__ = None  # type: ignore[assignment]  # a mutable value

    def count(self, low: int = 0, high: int | None = None) -> int:
        """Return how many members lie in [low, high)."""
        if len(self.edges) == 2 and high is None and low <= self.edges[0]:
            return self.edges[1] - self.edges[0]
        return sum(max(0, (end if high is None else min(end, high)) - max(first, low)) for first, end in self)

    def add(self, first: int, end: int) -> list[Span]:
        """Add [first, end) and return the parts of it that were not members before."""
        edges = self.edges
        if first == end:
            return []
        if edges and edges[-1] == first:  # the usual case: the next reading
            edges[-1] = end
            return [(first, end)]
        fresh = self.holes(first, end)
        left = bisect_right(edges, first - 1)
        right = bisect_right(edges, end)
        edges[left:right] = ([first] if left % 2 == 0 else []) + ([end] if right % 2 == 0 else [])
        return fresh

    def remove(self, first: int, end: int) -> None:
        """Take [first, end) out."""
        left = bisect_left(self.edges, first)
        right = bisect_right(self.edges, end)
        self.edges[left:right] = ([first] if left % 2 else []) + ([end] if right % 2 else [])

    def holes(self, low: int, high: int) -> list[Span]:
        """Return the spans within [low, high) that are not members."""
        found: list[Span] = []
        at = low
        index = bisect_right(self.edges, low)
        if index % 2:  # low lies within a span
            at = self.edges[index]
            index += 1
        while at < high:
            following = self.edges[index] if index < len(self.edges) else high
            if at < min(following, high):
                found.append((at, min(following, high)))
            if index >= len(self.edges):
                break
            at = self.edges[index + 1]
            index += 2
        return found


class Drop(StrEnum):
    """Why the gateway let go of a reading that it had."""

    THINNED = "thinned"
    TOO_OLD = "too_old"
    NO_ROOM = "no_room"
    QUARANTINE_FULL = "quarantine_full"


@dataclass(slots=True)
class Stream:
    """What is known of one boot of one node: which readings arrived and which of them the store has.

    quarantined counts readings, and so does drops, by reason.
    """

    top: int = 0
    floor: int = 0
    overwritten: int = 0
    seen: Spans = field(default_factory=Spans)
    stored: Spans = field(default_factory=Spans)
    quarantined: int = 0
    drops: dict[str, int] | None = None

    def dropped(self) -> int:
        """Return how many readings the gateway let go."""
        return sum(self.drops.values()) if self.drops else 0

    def upto(self) -> int:
        """Return the number below which every reading is settled: seen, or gone for good."""
        holes = self.awaited()
        return holes[0][0] if holes else max(self.top, self.floor)

    def awaited(self) -> list[Span]:
        """Return what the node is known to have made and may still send."""
        edges = self.seen.edges
        if len(edges) == 2 and edges[0] <= self.floor and edges[1] >= self.top:  # the usual case: no gap
            return []
        return self.seen.holes(self.floor, self.top)

    def missing(self) -> int:
        """Return how many readings are gone: never seen, and no longer held by the node."""
        return self._unseen_below(self.floor)

    def missing_overwritten(self) -> int:
        """Return how many of those that are missing gave way to newer ones in the node's memory."""
        return self._unseen_below(self.overwritten)

    def _unseen_below(self, limit: int) -> int:
        low = min(limit, self.top)
        return low - self.seen.count(0, low) if low else 0


class Others(Enum):
    """What a birth says of boots that its node does not hold any more."""

    EARLIER_GONE = auto()
    """Boots before its oldest are gone; of higher ones nothing is known."""
    ALL_GONE = auto()
    """One device speaks for the node: whatever it does not hold is gone, though its counter began again."""
    UNTOLD = auto()
    """Two devices use the name: neither speaks for the other."""


class Ledger:
    """All streams, with the possibility to take back what a failed commit changed."""

    def __init__(self) -> None:
        self.streams: dict[StreamKey, Stream] = {}
        self.strays: dict[str, int] = {}
        self.stray_drops: dict[str, int] = {}
        self.changed: set[str] = set()
        """Nodes whose account is not what it was when this set was last emptied."""
        self._boots: dict[str, tuple[int, ...]] = {}
        self._before: dict[StreamKey, tuple[int, int, int, Spans] | None] = {}

    def claim(self, node: str, boot: int, first: int, count: int) -> list[Span]:
        """Note that [first, first + count) arrived; return the spans that had not arrived before.

        A boot that was taken for past because another one spoke, and sends something new, is not past.
        """
        stream = self._touch((node, boot))
        end = first + count
        if end > stream.top:
            stream.top = end
        fresh = stream.seen.add(first, end)
        if fresh and stream.floor > stream.overwritten:
            stream.floor = stream.overwritten
        return fresh

    def announce(
        self, node: str, boot: int, next_seq: int, oldest: tuple[int, int], others: Others = Others.EARLIER_GONE
    ) -> None:
        """Take in a birth: `next_seq` readings exist in this boot; from `oldest` on all can still be sent."""
        stream = self._touch((node, boot))
        stream.top = max(stream.top, next_seq)
        for known_boot in self._boots[node]:
            known = self.streams[node, known_boot]
            own = oldest[0] <= known_boot <= boot
            if own:
                floor = oldest[1] if known_boot == oldest[0] else 0
            elif others is Others.ALL_GONE or (others is Others.EARLIER_GONE and known_boot < oldest[0]):
                floor = max(known.floor, known.top)
            else:
                continue
            went_with_the_power = known_boot < boot and floor == known.top  # none of it is left
            overwritten = floor if own and not went_with_the_power else min(floor, known.overwritten)
            if (floor, overwritten) != (known.floor, known.overwritten):
                touched = self._touch((node, known_boot))
                touched.floor, touched.overwritten = floor, overwritten

    def awaiting(self, node: str) -> list[StreamKey]:
        """Return the streams of a node of which readings are awaited."""
        return [(node, boot) for boot in self._boots.get(node, ()) if self.streams[node, boot].awaited()]

    def unclaim(self, node: str, boot: int, spans: Iterable[Span]) -> None:
        """Readings that had arrived are gone before the store had them: they are awaited again."""
        stream = self._touch((node, boot))
        for first, end in spans:
            stream.seen.remove(first, end)
            stream.floor = min(stream.floor, first)
            stream.overwritten = min(stream.overwritten, first)

    def load(self, key: StreamKey, stream: Stream) -> None:
        """Put a stream in place as it was read from the disk."""
        if key not in self.streams:
            self._boots[key[0]] = (*self._boots.get(key[0], ()), key[1])
        self.streams[key] = stream
        self.changed.add(key[0])

    def top(self, node: str, boot: int) -> int:
        """Return how many readings the node is known to have made in this boot."""
        stream = self.streams.get((node, boot))
        return stream.top if stream else 0

    def settle_stored(self, key: StreamKey, stored: Spans) -> None:
        """The release is on disk: this is what the store has of a stream."""
        self.streams[key].stored = stored
        self.changed.add(key[0])

    def count_quarantined(self, node: str, boot: int | None, readings: int) -> None:
        """Readings went to quarantine, on disk; without a boot it is a stray message."""
        if boot is None:
            self.strays[node] = self.strays.get(node, 0) + readings
        else:
            self.streams[node, boot].quarantined += readings
        self.changed.add(node)

    def count_dropped(self, node: str, boot: int | None, reason: Drop, readings: int) -> None:
        """The gateway let go of readings, on disk; without a boot they were stray messages."""
        if boot is None:
            self.stray_drops[node] = self.stray_drops.get(node, 0) + readings
        else:
            stream = self.streams[node, boot]
            drops = stream.drops or {}
            stream.drops = {**drops, reason: drops.get(reason, 0) + readings}
        self.changed.add(node)

    def nodes(self) -> set[str]:
        """Return the nodes that have an account."""
        return {*self._boots, *self.strays, *self.stray_drops}

    def committed(self, node: str) -> Iterator[Stream]:
        """Yield the streams of a node as they are on disk, without what a commit under way has claimed."""
        for boot in self._boots.get(node, ()):
            key = (node, boot)
            stream = self.streams[key]
            if key not in self._before:
                yield stream
            elif before := self._before[key]:
                yield Stream(*before, stream.stored, stream.quarantined, stream.drops)

    def dirty(self) -> list[tuple[StreamKey, Stream]]:
        """Return the streams that changed since `settle` or `rollback`."""
        return [(key, self.streams[key]) for key in self._before]

    def settle(self) -> None:
        """The commit is on disk: forget how things were before."""
        self.changed.update(node for node, _ in self._before)
        self._before.clear()

    def rollback(self) -> None:
        """The commit failed: put every stream back."""
        for key, before in self._before.items():
            if before is None:
                del self.streams[key]
                self._boots[key[0]] = tuple(boot for boot in self._boots[key[0]] if boot != key[1])
            else:  # the counts are left alone: a release may have moved them meanwhile
                stream = self.streams[key]
                stream.top, stream.floor, stream.overwritten, stream.seen = before
        self.changed.update(node for node, _ in self._before)
        self._before.clear()

    def _touch(self, key: StreamKey) -> Stream:
        stream = self.streams.get(key)
        if key not in self._before:
            self._before[key] = (
                (stream.top, stream.floor, stream.overwritten, Spans(stream.seen.edges)) if stream else None
            )
        if stream is None:
            stream = Stream()
            self.load(key, stream)
        return stream
