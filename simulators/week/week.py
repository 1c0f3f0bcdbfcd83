"""The whole week, made at once, and the lines of line protocol that a store would hold of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from edge.model.kinds import KINDS
from edge.model.node import Node
from edge.protocol.series import NS_PER_MS, SeriesWriter, encode_point, reading_time_ns, series_head
from simulators.week.episodes import Episode, episodes
from simulators.week.plan import SEED, week_city
from simulators.week.readings import Fate, Reading, gateway_readings, sensed
from simulators.week.status import Status, statuses


@dataclass(frozen=True, kw_only=True, slots=True)
class Week:
    """Sixty-four nodes, by id: all that they produced, what the cloud knew of them, what happened."""

    nodes: Mapping[str, Node]
    readings: Mapping[str, Sequence[Reading]]
    statuses: Sequence[Status]
    episodes: Sequence[Episode]

    def stored(self, kind: str) -> Iterator[Reading]:
        """Return the readings of a kind that reached the store, node by node, in order of time."""
        for rows in self.readings.values():
            if rows and rows[0].node.kind == kind:
                yield from (row for row in rows if row.fate is Fate.STORED)

    def lines(self) -> Iterator[str]:
        """Return the lines of all series."""
        for node in self.nodes.values():
            yield from _reading_lines(node, self.readings[node.id])
        for _, rows in groupby(self.statuses, key=lambda status: status.node.id):
            yield from _status_lines(list(rows))
        for episode in self.episodes:  # written when it opened, and again when it ended: the second stays
            fields, time_ns = episode.fields(), episode.start_ms * NS_PER_MS
            opened = fields | {"firing": 1, "end_ms": 0, "level": 1, "acknowledged": 0}
            yield encode_point("episode", episode.tags(), opened, time_ns)
            yield encode_point("episode", episode.tags(), fields, time_ns)


def make_week(seed: int = SEED) -> Week:
    """Make the week of a seed."""
    city = week_city(seed)
    nodes: dict[str, Node] = {node.id: node for node in city.nodes}
    readings: dict[str, Sequence[Reading]] = {
        node.id: sensed(city, node) for node in city.nodes if node.kind != "gateway"
    }
    for node in city.of_kind("gateway"):
        behind = [row for rows in readings.values() for row in rows if row.node.gateway == node.id]
        readings[node.id] = gateway_readings(node, behind)
    happened = episodes(nodes, readings)
    return Week(
        nodes=nodes,
        readings=readings,
        statuses=tuple(status for node in city.nodes for status in statuses(node, readings[node.id])),
        episodes=happened,
    )


def _reading_lines(node: Node, rows: Sequence[Reading]) -> Iterator[str]:
    head = series_head(node.kind, {"district": node.district, "node": node.id, "site": node.site})
    writer = SeriesWriter(KINDS[node.kind].quantities)
    for row in rows:
        if row.fate is Fate.STORED:
            yield writer.line(
                head, row.values, row.flags, reading_time_ns(row.t_ms, 1, row.seq, row.clock), row.clock
            )


def _status_lines(rows: Sequence[Status]) -> Iterator[str]:
    """The lines of one node: what never changes about it is escaped once."""
    first = rows[0]
    head = series_head("node_status", first.tags())
    steady = encode_point("x", {}, first.steady(), None).removeprefix("x ")
    for row in rows:
        age = "" if row.age_s is None else f"age_s={row.age_s!r},"
        account = f"produced={row.produced}i,stored={row.stored}i,queued={row.queued}i,dropped={row.dropped}i"
        ends = f"quarantined={row.quarantined}i,missing={row.missing}i"
        yield f"{head} state={row.state:d}i,{age}{account},{ends},{steady} {row.t_ms * NS_PER_MS}"
