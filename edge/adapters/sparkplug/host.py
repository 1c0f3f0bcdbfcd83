"""A host of Sparkplug B: what births announced, and what is missing between the messages of an edge node."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from edge.adapters.adapter import Clock
from edge.adapters.frame import FrameError
from edge.adapters.report import Report, Value
from edge.adapters.sparkplug.messages import BD_SEQ, rebirth
from edge.adapters.sparkplug.payload import Metric, Payload, decode, number
from edge.adapters.sparkplug.topic import NOT_HEARD, Topic, Type, parse
from edge.model.quality import Flag

MAX_NODES = 10_000
MAX_ANNOUNCED = 50_000
REBIRTH_EVERY_MS = 60_000
LATE = 16
"""A sequence number this far back, or less, is of a message that was overtaken."""
HISTORICAL = "historical"
_NOT_VALUES = (BD_SEQ, "Node Control/", "Device Control/")
_BAD, _GOOD = 0, 192
"""Codes of the property "Quality"; 500 is stale."""


@dataclass(frozen=True, slots=True)
class _Announced:
    """A metric as its birth had it."""

    reporter: str
    name: str
    datatype: int | None


@dataclass(slots=True)
class _Node:
    """An edge node since its birth; before one was heard it has neither session nor seq."""

    session: int | None = None
    bd_seq: float | None = None
    seq: int | None = None
    time_ms: int | None = None
    aliases: dict[int, _Announced] = field(default_factory=dict)
    datatypes: dict[tuple[str, str], int | None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


class Host:
    """Reads the messages of all edge nodes. Call it with (topic, payload); see `wanted` for what it would say.

    A message that is lost is missing from the readings of who is heard next of the edge node: the sequence
    number is the edge node's, and does not tell whose message it was.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._nodes: dict[str, _Node] = {}
        self._asked_ms: dict[str, int] = {}
        self._wanted: list[tuple[str, bytes]] = []

    def __call__(self, topic: str, payload: bytes) -> Sequence[Report]:
        """Return what a message reports. Raises FrameError: topic, truncated, protobuf, type, birth..."""
        where = parse(topic)
        if where.type in NOT_HEARD:
            return ()
        said = decode(payload)
        if said.body and not said.metrics:
            raise FrameError("compressed", f"a body of {len(said.body)} bytes, and no metrics")
        if where.type is Type.NDEATH:
            self._dies(where, said)
            return ()
        node = self._born(where, said) if where.type is Type.NBIRTH else self._known(where)
        if not self._counts(node, where, said):
            return ()
        if where.type in (Type.NBIRTH, Type.DBIRTH):
            _announce(node, where.reporter, said)
        if where.type is Type.DDEATH:
            return ()
        try:
            return _reports(node, where.reporter, said)
        except FrameError as error:
            if error.reason == "birth":
                self._ask(where)
            raise

    def wanted(self) -> list[tuple[str, bytes]]:
        """Return messages to publish: requests for births that were missed. Each is returned once."""
        found, self._wanted = self._wanted, []
        return found

    def _known(self, where: Topic) -> _Node:
        if where.node not in self._nodes and len(self._nodes) >= MAX_NODES:
            del self._nodes[next(iter(self._nodes))]
        return self._nodes.setdefault(where.node, _Node())

    def _born(self, where: Topic, said: Payload) -> _Node:
        bd_seq = _bd_seq(said)
        name = f"{where.node} {bd_seq} {said.time_ms}"
        session = int.from_bytes(blake2b(name.encode(), digest_size=6).digest(), "big")
        known = self._nodes.get(where.node)
        if known is None or known.session != session:  # else it comes again
            self._nodes.pop(where.node, None)
            known = self._known(where)
            known.session, known.bd_seq = session, bd_seq
        return known

    def _dies(self, where: Topic, said: Payload) -> None:
        """Forget a node, unless the last will is of an earlier connection."""
        node = self._nodes.get(where.node)
        bd_seq = _bd_seq(said)
        if node is not None and node.bd_seq == bd_seq:
            del self._nodes[where.node]

    def _counts(self, node: _Node, where: Topic, said: Payload) -> bool:
        """Take in the sequence number; False for a message that comes again."""
        if said.seq is None:
            return True
        if said.seq > 255:
            raise FrameError("seq", f"{said.seq} is over 255")
        if node.seq == said.seq and node.time_ms == said.time_ms:
            return False
        if node.seq is not None and node.session is not None:
            missing = (said.seq - node.seq - 1) % 256
            if missing > 255 - LATE:
                return True
            node.counts[where.reporter] = node.counts.get(where.reporter, 0) + missing
        node.seq, node.time_ms = said.seq, said.time_ms
        return True

    def _ask(self, where: Topic) -> None:
        now_ms = self._clock()
        if now_ms - self._asked_ms.get(where.node, -REBIRTH_EVERY_MS) >= REBIRTH_EVERY_MS:
            if len(self._asked_ms) >= MAX_NODES:
                self._asked_ms.clear()
            self._asked_ms[where.node] = now_ms
            self._wanted.append(rebirth(where.group, where.edge, now_ms))


def _bd_seq(said: Payload) -> float | None:
    """Return the number of a connection, which its birth and its last will have in common."""
    return next((number(metric, metric.datatype) for metric in said.metrics if metric.name == BD_SEQ), None)


def _announce(node: _Node, reporter: str, said: Payload) -> None:
    if len(node.datatypes) + len(said.metrics) > MAX_ANNOUNCED:
        raise FrameError("length", f"more than {MAX_ANNOUNCED} metrics announced")
    for metric in said.metrics:
        node.datatypes[reporter, metric.name] = metric.datatype
        if metric.alias is not None:
            node.aliases[metric.alias] = _Announced(reporter, metric.name, metric.datatype)


def _reports(node: _Node, reporter: str, said: Payload) -> Sequence[Report]:
    """Return a reading for every time in a message, the historical ones apart."""
    found: dict[tuple[bool, int | None], list[Value]] = {}
    for metric in said.metrics:
        name, datatype = _announced(node, reporter, metric)
        if name.startswith(_NOT_VALUES):
            continue
        value = _value(name, metric, datatype)
        if value is not None:
            time_ms = said.time_ms if metric.time_ms is None else metric.time_ms
            found.setdefault((metric.historical, time_ms), []).append(value)
    if not found and node.session is not None:
        found[False, said.time_ms] = []  # it counts, though it holds no number
    reports = []
    for (historical, time_ms), values in found.items():
        reports.append(
            Report(
                device=reporter,
                values=tuple(values),
                time_ms=time_ms,
                series=HISTORICAL if historical else "",
                number=None if node.session is None else node.counts.get(reporter, 0),
                session=node.session or 0,
            )
        )
        node.counts[reporter] = node.counts.get(reporter, 0) + 1
    return reports


def _announced(node: _Node, reporter: str, metric: Metric) -> tuple[str, int | None]:
    """Return name and type of a metric. Raises FrameError `birth` where its birth was not heard."""
    if metric.name:
        datatype = node.datatypes.get((reporter, metric.name)) if metric.datatype is None else metric.datatype
        return metric.name, datatype
    birth = None if metric.alias is None else node.aliases.get(metric.alias)
    if birth is None or birth.reporter != reporter:
        raise FrameError("birth", f"{reporter}: no birth announced alias {metric.alias}")
    return birth.name, birth.datatype if metric.datatype is None else metric.datatype


def _value(name: str, metric: Metric, datatype: int | None) -> Value | None:
    flag = Flag.NOT_EVALUATED
    if metric.quality is not None and metric.quality != _GOOD:
        flag = Flag.FAIL if metric.quality == _BAD else Flag.SUSPECT
    if metric.null:
        return Value(name, None, flag)
    if datatype is None and isinstance(metric.value, int) and not isinstance(metric.value, bool):
        raise FrameError("birth", f"{name}: no birth announced its type")
    found = number(metric, datatype)
    if found is None:
        return None
    return Value(name, found if math.isfinite(found) else None, flag)
