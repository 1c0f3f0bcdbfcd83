"""The ledger: which readings of which node exist, and where each of them is. Pure, in memory.

A stream is one (node, boot); its readings are numbered from 0. `seen` are those that arrived here, `top` is
one past the highest that the node is known to have made, and below `floor` the node has nothing left to send.
So what was not seen is *missing* below the floor and *awaited* above it, where it is still being asked for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

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
        return ",".join(map(str, self.edges))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spans) and self.edges == other.edges

    __hash__ = None  # type: ignore[assignment]  # a mutable value

    def count(self, low: int = 0, high: int | None = None) -> int:
        """Return how many members lie in [low, high)."""
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


@dataclass(slots=True)
class Stream:
    """What is known of one boot of one node: which readings arrived and which of them the store has.

    quarantined and dropped are counts of readings.
    """

    top: int = 0
    floor: int = 0
    seen: Spans = field(default_factory=Spans)
    stored: Spans = field(default_factory=Spans)
    quarantined: int = 0
    dropped: int = 0

    def copy(self) -> Stream:
        """Return an independent copy."""
        return Stream(self.top, self.floor, Spans(self.seen.edges), self.stored, self.quarantined, self.dropped)

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
        low = min(self.floor, self.top)
        return low - self.seen.count(0, low)


@dataclass(frozen=True, slots=True)
class Counts:
    """The account of a node or of all: produced = stored + queued + dropped + quarantined + missing."""

    produced: int = 0
    stored: int = 0
    queued: int = 0
    dropped: int = 0
    quarantined: int = 0
    missing: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def balanced(self) -> bool:
        """Tell whether the equation holds."""
        return self.produced == self.stored + self.queued + self.dropped + self.quarantined + self.missing

    def to_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {name: getattr(self, name) for name in self.__slots__}


class Ledger:
    """All streams, with the possibility to take back what a failed commit changed."""

    def __init__(self) -> None:
        self.streams: dict[StreamKey, Stream] = {}
        self.strays: dict[str, int] = {}
        self._boots: dict[str, set[int]] = {}
        self._before: dict[StreamKey, tuple[int, int, Spans] | None] = {}

    def claim(self, node: str, boot: int, first: int, count: int) -> list[Span]:
        """Note that [first, first + count) arrived; return the spans that had not arrived before."""
        stream = self._touch((node, boot))
        end = first + count
        if end > stream.top:
            stream.top = end
        return stream.seen.add(first, end)

    def announce(self, node: str, boot: int, next_seq: int, oldest: tuple[int, int]) -> None:
        """Take in a birth: `next_seq` readings exist in this boot, none before `oldest` can be sent."""
        stream = self._touch((node, boot))
        stream.top = max(stream.top, next_seq)
        for known_boot in self._boots[node]:
            known = self.streams[node, known_boot]
            floor = known.top if known_boot < oldest[0] else oldest[1] if known_boot == oldest[0] else 0
            if floor > known.floor:
                self._touch((node, known_boot)).floor = floor

    def load(self, key: StreamKey, stream: Stream) -> None:
        """Put a stream in place as it was read from the disk."""
        self.streams[key] = stream
        self._boots.setdefault(key[0], set()).add(key[1])

    def top(self, node: str, boot: int) -> int:
        """Return how many readings the node is known to have made in this boot."""
        stream = self.streams.get((node, boot))
        return stream.top if stream else 0

    def stored_with(self, key: StreamKey, spans: Iterable[Span]) -> Spans:
        """Return what the store has of a stream, once it has these spans too; the stream is left as it is."""
        found = Spans(self.streams[key].stored.edges)
        for first, end in spans:
            found.add(first, end)
        return found

    def settle_stored(self, key: StreamKey, stored: Spans) -> None:
        """The release is on disk: this is what the store has of a stream."""
        self.streams[key].stored = stored

    def count_quarantined(self, node: str, boot: int | None, readings: int) -> None:
        """Readings went to quarantine, on disk; without a boot it is a stray message."""
        if boot is None:
            self.strays[node] = self.strays.get(node, 0) + readings
        else:
            self.streams[node, boot].quarantined += readings

    def committed(self) -> Iterator[tuple[StreamKey, Stream]]:
        """Yield the streams as they are on disk, without what a commit under way has claimed."""
        for key, stream in self.streams.items():
            if key not in self._before:
                yield key, stream
            elif before := self._before[key]:
                yield key, Stream(*before, stream.stored, stream.quarantined, stream.dropped)

    def dirty(self) -> list[tuple[StreamKey, Stream]]:
        """Return the streams that changed since `settle` or `rollback`."""
        return [(key, self.streams[key]) for key in self._before]

    def settle(self) -> None:
        """The commit is on disk: forget how things were before."""
        self._before.clear()

    def rollback(self) -> None:
        """The commit failed: put every stream back."""
        for key, before in self._before.items():
            if before is None:
                del self.streams[key]
                self._boots[key[0]].discard(key[1])
            else:  # the counts are left alone: a release may have moved them meanwhile
                stream = self.streams[key]
                stream.top, stream.floor, stream.seen = before
        self._before.clear()

    def _touch(self, key: StreamKey) -> Stream:
        stream = self.streams.get(key)
        if key not in self._before:
            self._before[key] = (stream.top, stream.floor, Spans(stream.seen.edges)) if stream else None
        if stream is None:
            stream = Stream()
            self.load(key, stream)
        return stream


def account(
    streams: Iterable[tuple[StreamKey, Stream]], strays: dict[str, int], in_journal: dict[str, int]
) -> dict[str, Counts]:
    """Return the account of every node. A stray is a message that could not be read far enough to number it.

    `in_journal` is how many readings of each node wait in the journal, counted there and not derived, so that
    the equation is a check that can fail.
    """
    found: dict[str, Counts] = {}
    for (node, _), stream in streams:
        awaited = sum(end - first for first, end in stream.awaited())
        found[node] = found.get(node, Counts()) + Counts(
            produced=stream.top,
            stored=stream.stored.count(),
            queued=awaited,
            dropped=stream.dropped,
            quarantined=stream.quarantined,
            missing=stream.missing(),
        )
    for node, count in strays.items():
        found[node] = found.get(node, Counts()) + Counts(produced=count, quarantined=count)
    for node, count in in_journal.items():
        found[node] = found.get(node, Counts()) + Counts(queued=count)
    return found
