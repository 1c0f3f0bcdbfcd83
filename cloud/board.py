"""The newest reading of every node, in memory: what the wall asks for every second costs no disk."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from cloud.stores.protocol import Latest, latest_of
from edge.protocol.lines import Point


class Board:
    """Newest readings by node. Readings may come in any order; an older one never replaces a newer one."""

    def __init__(self) -> None:
        self._newest: dict[str, Latest] = {}

    def of(self, node: str) -> Latest | None:
        """Return a node's newest reading, None if it was never heard."""
        return self._newest.get(node)

    def all(self, kinds: Collection[str] | None = None) -> list[Latest]:
        """Return the newest readings, of these kinds only if any are given."""
        return [reading for reading in self._newest.values() if kinds is None or reading.kind in kinds]

    def offer(self, readings: Iterable[Latest]) -> list[Latest]:
        """Take readings; return those that are news, one a node."""
        news: dict[str, Latest] = {}
        for reading in readings:
            known = self._newest.get(reading.node)
            if known is not None and reading.time_ns < known.time_ns:
                continue
            if known is not None and reading.time_ns == known.time_ns:
                merged = _merged(known, reading)
                if merged == known:
                    continue
                reading = merged
            self._newest[reading.node] = news[reading.node] = reading
        return list(news.values())

    def offer_points(self, points: Iterable[Point]) -> list[Latest]:
        """Take points as they were written; those without a node tag are nobody's reading."""
        newest: dict[str, list[Point]] = {}
        for point in points:
            node = dict(point.tags).get("node")
            if node is None or point.time_ns is None:
                continue
            known = newest.get(node)
            if known is None or point.time_ns > (known[0].time_ns or 0):
                newest[node] = [point]
            elif point.time_ns == known[0].time_ns:
                known.append(point)
        return self.offer(
            latest_of(node, point.measurement, point.time_ns or 0, dict(point.fields))
            for node, same in newest.items()
            for point in same
        )


def _merged(known: Latest, more: Latest) -> Latest:
    return replace(
        known,
        values={**known.values, **more.values},
        qc={**known.qc, **more.qc},
        rejected={**known.rejected, **more.rejected},
    )
