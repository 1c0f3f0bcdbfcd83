"""Rules over recorded series: the clock is the event time, a year passes in seconds.

Values without a flag pass through the quality checks first, reading by reading as at a gateway.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from edge.model.alert import Episode
from edge.model.kinds import KINDS
from edge.model.node import Node, NodeId
from edge.model.quality import Flag
from edge.quality.checks import Checks, profile
from edge.quality.limits import NO_OVERRIDES, Overrides
from edge.rules.rule import Rule, Scope, rules_of
from edge.rules.watch import Watch


@dataclass(slots=True)
class Recorded:
    """The series of one node: at each time a value and a flag a quantity; a flag may be unknown (None)."""

    node: Node
    quantities: list[str] = field(default_factory=list)
    readings: dict[int, dict[str, tuple[float | None, int | None]]] = field(default_factory=dict)

    def add(self, t_ms: int, quantity: str, value: float | None, flag: int | None) -> None:
        """Take a value; the first of a time and quantity counts."""
        if quantity not in self.quantities:
            self.quantities.append(quantity)
        self.readings.setdefault(t_ms, {}).setdefault(quantity, (value, flag))

    @property
    def period_s(self) -> float:
        """How often it usually speaks."""
        times = sorted(self.readings)
        if len(times) < 2:
            return 60.0
        return median(later - early for early, later in pairwise(times)) / 1000


@dataclass(frozen=True, slots=True)
class Judged:
    """A reading with its flags."""

    t_ms: int
    node: str
    values: list[float | None]
    flags: list[int]


class Known:
    """What nodes ask of one another: all values up to now that passed."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], tuple[list[int], list[float]]] = {}

    def add(self, reading: Judged, quantities: Sequence[str]) -> None:
        """Take a reading."""
        for quantity, value, flag in zip(quantities, reading.values, reading.flags, strict=True):
            if value is not None and flag <= Flag.NOT_EVALUATED:
                times, values = self._series.setdefault((reading.node, quantity), ([], []))
                times.append(reading.t_ms)
                values.append(value)

    def latest(self, node: str, quantity: str) -> tuple[int, float] | None:
        """Return the newest value and its time."""
        times, values = self._series.get((node, quantity), ([], []))
        return (times[-1], values[-1]) if times else None

    def series(self, node: str, quantity: str, since_ms: int) -> Sequence[tuple[int, float]]:
        """Return times and values from a time on."""
        times, values = self._series.get((node, quantity), ([], []))
        begin = bisect_left(times, since_ms)
        return list(zip(times[begin:], values[begin:], strict=True))


def backtest(
    rules: Sequence[Rule],
    recorded: Mapping[str, Recorded],
    *,
    checks: Overrides | None = NO_OVERRIDES,
) -> list[Episode]:
    """Return the episodes that the rules find, by their start; None for `checks` leaves the values unchecked.

    Silence counts from a node's first reading to the end of the whole recording.
    """
    readings = judged(recorded, checks)
    known = Known()
    watches = {
        name: Watch(one.node, one.quantities, _covering(rules, one.node), known, period_s=one.period_s)
        for name, one in recorded.items()
    }
    begun: dict[str, int] = {}
    found: dict[tuple[str, str, int], Episode] = {}

    def note(changed: Iterable[Episode]) -> None:
        for episode in changed:
            found[episode.key] = episode

    for reading in readings:
        watch, t_ms = watches[reading.node], reading.t_ms
        begin = begun.setdefault(reading.node, t_ms)
        note(watch.tick(t_ms - 1, begin))
        watch.heard(t_ms)
        known.add(reading, recorded[reading.node].quantities)
        note(watch.take(t_ms, reading.values, reading.flags))
        note(watch.tick(t_ms, begin))
    if readings:
        for name, watch in watches.items():
            note(watch.tick(readings[-1].t_ms, begun.get(name, 0)))
    return sorted(found.values(), key=lambda one: (one.start_ms, one.node, one.rule))


def judged(recorded: Mapping[str, Recorded], checks: Overrides | None) -> list[Judged]:
    """Return all readings in the order of time, each value with a flag."""
    found: list[Judged] = []
    for name, one in recorded.items():
        judge = None
        if checks is not None and any(
            flag is None for row in one.readings.values() for _, flag in row.values()
        ):
            judge = Checks(profile(one.quantities, checks, name, one.period_s))
        for t_ms in sorted(one.readings):
            row = one.readings[t_ms]
            values = [row[quantity][0] if quantity in row else None for quantity in one.quantities]
            given = [row[quantity][1] if quantity in row else None for quantity in one.quantities]
            flags = [Flag.MISSING if value is None else Flag.PASS for value in values]
            if judge is not None:
                verdict = judge.take(t_ms, values)
                values, flags = verdict.values, verdict.flags
            mixed = [int(flag if own is None else own) for own, flag in zip(given, flags, strict=True)]
            found.append(Judged(t_ms, name, values, mixed))
    found.sort(key=lambda reading: reading.t_ms)
    return found


def _covering(rules: Sequence[Rule], node: Node) -> list[Rule]:
    return [rule for scope in Scope for rule in rules_of(rules, node, scope)]


def likely_node(name: str, quantities: Iterable[str], rules: Sequence[Rule]) -> Node:
    """Return a node for a series of which nothing else is known: of the kind that measures most of it.

    Kinds that the rules name come first: who tests a rule for manholes has the series of a manhole.
    """
    measured = set(quantities)
    named = {kind for rule in rules for kind in rule.kinds if rule.quantity in measured}
    kinds = [kind for kind in KINDS.values() if not named or kind.name in named]
    best = max(kinds, key=lambda kind: (len(measured & {*kind.quantities}), -len(kind.quantities)))
    return Node(id=NodeId(name), kind=best.name, label_en=name, label_zh=name, site=name, district="city")


def without_thresholds(rules: Sequence[Rule], node: Node) -> list[str]:
    """Return the names of rules that cover the node but ask for stages that it does not have."""
    found = []
    for rule in _covering(rules, node):
        if all(step.enter.at(node.stages, 60.0) is None for step in rule.steps):
            found.append(rule.name)
        elif rule.derive is not None and rule.derive.form == "forecast":
            stage = str(rule.derive.extra["name"])
            if stage and stage not in node.stages:
                found.append(rule.name)
    return found
