"""What the cloud asks of a store of readings, whatever database is behind it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol

from edge.protocol.lines import Point, Tags
from edge.protocol.series import FieldValue

NS_PER_MS = 1_000_000
MS_PER_S = 1_000
RAW_LIMIT = 200_000
"""The most values one question may bring back; longer ranges are asked for at a step."""


class Aggregate(StrEnum):
    """How the values within one step become one; ENERGY is the mean of levels in decibels."""

    MEAN = "mean"
    ENERGY = "energy"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    COUNT = "count"
    LAST = "last"


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A range of event time, epoch milliseconds: from `start_ms`, up to and not including `end_ms`."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Windows of `step_s` seconds, counted from local midnight; a window's time is its start."""

    step_s: int
    aggregate: Aggregate = Aggregate.MEAN


@dataclass(frozen=True, kw_only=True, slots=True)
class Latest:
    """The newest reading of a node: one row, so that no value borrows the time of another."""

    node: str
    kind: str
    time_ns: int
    values: Mapping[str, FieldValue]
    qc: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, FieldValue] = field(default_factory=dict)

    @property
    def time_ms(self) -> int:
        """The time at which it was sensed, epoch milliseconds."""
        return self.time_ns // NS_PER_MS

    def to_dict(self) -> dict[str, object]:
        """Return the reading as the HTTP API writes it."""
        return {
            "node": self.node,
            "time_ms": self.time_ms,
            "values": dict(self.values),
            "qc": dict(self.qc),
            "rejected": dict(self.rejected),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """Rows of one series in the order of time: a column a field, None where a row has no such field."""

    tags: Tags
    times_ms: Sequence[int]
    fields: Mapping[str, Sequence[FieldValue | None]]


SERIES_TAGS = ("district", "node", "site")
"""What tells the series of a kind apart."""

Values = list[tuple[int, float]]
"""(time in epoch milliseconds, value), in the order of time."""


class Store(Protocol):
    """Keeps points, merges a rewrite of the same series and time, and answers the wall's questions.

    Every method may raise StoreUnavailable; `write` also StoreRejected and StoreFull.
    """

    kind: ClassVar[str]

    async def open(self) -> None:
        """Make ready; called once, before anything else."""

    async def close(self) -> None:
        """Let go of files and connections; called once, at the end."""

    async def check(self) -> bool:
        """Return whether the store would answer now; never raises."""

    async def write(self, points: Sequence[Point]) -> None:
        """Return once all points are on disk. If one is refused none is stored, where the database can."""

    async def latest(
        self, kinds: Collection[str] | None = None, node: str | None = None, since_ms: int | None = None
    ) -> list[Latest]:
        """Return the newest reading of each node (of these kinds, of this node), if not older than that."""

    async def readings(
        self, kind: str, node: str, quantity: str, span: Span, step: Step | None = None
    ) -> Values:
        """Return one quantity of a node: as it was sensed, or one value a window that has any."""

    async def summary(self, kind: str, quantity: str, span: Span, step: Step) -> Values:
        """Return one value a window over all nodes of a kind."""

    async def count(self, kind: str, quantity: str, span: Span) -> int:
        """Return how many values of a quantity all nodes of a kind have in the span."""

    async def rows(self, kind: str, span: Span) -> list[Series]:
        """Return all that was written of a kind, series by series; the caller keeps the span short."""

    async def amounts(self, kind: str, span: Span, step_s: int) -> dict[int, int]:
        """Return how many fields the rows of a kind have in each window that has any, by its start."""

    async def before(self, kind: str, quantity: str, span: Span) -> dict[Tags, float]:
        """Return the last value of each series in the span, of those that have any."""

    async def prune(self, before_ms: int) -> None:
        """Forget what is older, where the store does not do so by itself (a database has its retention)."""


def series_tags(tags: Mapping[str, str]) -> Tags:
    """Return those tags that tell series apart, without empty ones."""
    return tuple((key, tags[key]) for key in SERIES_TAGS if tags.get(key))


def latest_of(node: str, kind: str, time_ns: int, fields: Mapping[str, FieldValue]) -> Latest:
    """Sort the fields of a row into values, quality flags (`<q>_qc`) and rejected values (`<q>_rejected`)."""
    values: dict[str, FieldValue] = {}
    qc: dict[str, int] = {}
    rejected: dict[str, FieldValue] = {}
    for name, value in fields.items():
        if name.endswith("_qc"):
            qc[name.removesuffix("_qc")] = int(value)
        elif name.endswith("_rejected"):
            rejected[name.removesuffix("_rejected")] = value
        else:
            values[name] = value
    return Latest(node=node, kind=kind, time_ns=time_ns, values=values, qc=qc, rejected=rejected)


def newest(found: Sequence[Latest]) -> list[Latest]:
    """Return one reading a node, the newest (a node that was moved has more than one series)."""
    best: dict[str, Latest] = {}
    for reading in found:
        known = best.get(reading.node)
        if known is None or reading.time_ns >= known.time_ns:
            best[reading.node] = reading
    return list(best.values())
