"""Numbers that begin anew with an event: energy of a session, Leq of a day or night; and differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10
from typing import Any

from edge.model.errors import ConfigError
from edge.model.quantities import QUANTITIES
from edge.model.quantities import Form as Nature
from edge.rules.peers import Peers
from edge.rules.rule import Derive
from edge.rules.schedule import Schedule, read_schedule
from edge.rules.source import Bound, Source, known_keys, read_text

HOURS = {"day": ("06:00", "22:00"), "night": ("22:00", "06:00")}  # GB 3096-2008, 3.4 and 3.5


class Energy:
    """What a counter counted, or a gauge amounted to over its hours, since the event began."""

    shown: float | None = None
    note: Mapping[str, float] | None = None

    def __init__(self, bound: Bound) -> None:
        self.index, self.event = bound.index, bound.index_of(bound.derive.other)
        self.at_least = float(bound.derive.extra["at_least"])
        self.counter = QUANTITIES[bound.rule.quantity].form is Nature.COUNTER
        self.gap_ms = bound.gap_ms
        self.last: tuple[int, float] | None = None
        self.run = 0.0

    def take(self, t_ms: int, values: Sequence[float | None], flags: Sequence[int], worst: int) -> float | None:
        """Return the energy so far, 0 while no event lasts."""
        value, event = values[self.index], values[self.event]
        if value is None or event is None or flags[self.index] > worst or flags[self.event] > worst:
            return None
        if event < self.at_least:
            self.last, self.run = None, 0.0
            return 0.0
        if self.last is not None:
            before_ms, before = self.last
            if self.counter:
                self.run += value - before if value >= before else value
            elif t_ms - before_ms <= self.gap_ms:
                self.run += (value + before) / 2 * (t_ms - before_ms) / 3_600_000
        self.last = (t_ms, value)
        return self.run

    def dump(self) -> Any:
        """Return what has run so far."""
        return None if self.last is None else [self.last, self.run]

    def load(self, state: Any) -> None:
        """Go on from a dump."""
        self.last, self.run = (state[0][0], state[0][1]), state[1]


class EnergyForm:
    """derive = { energy = "charging", at_least = 1 }: while `charging` is at least 1."""

    keys = ("energy", "at_least")

    def read(self, table: Mapping[str, Any], zone: str, place: str) -> Derive:
        """Read the quantity that says whether an event lasts."""
        known_keys(table, self.keys, place)
        other = read_text(table["energy"], f"{place}.energy")
        if other not in QUANTITIES:
            raise ConfigError(f"{place}.energy: the catalogue has no {other!r}")
        at_least = table.get("at_least", 1)
        if isinstance(at_least, bool) or not isinstance(at_least, int | float):
            raise ConfigError(f"{place}.at_least: {at_least!r} is no number")
        return Derive(form="energy", other=other, extra={"at_least": float(at_least)})

    def unit(self, own: str) -> str:
        """Return Wh for W; a counter keeps its own."""
        return {"W": "Wh", "m3/h": "m3", "mm/h": "mm"}.get(own, own)

    def make(self, bound: Bound) -> Source | None:
        """Return the source, where the node measures both."""
        both = bound.index >= 0 and bound.index_of(bound.derive.other) >= 0
        return Energy(bound) if both else None


class Leq:
    """The equivalent level of the day (06-22) or night (22-06) so far, by GB 3096-2008: a mean of energies."""

    shown: float | None = None
    note: Mapping[str, float] | None = None

    def __init__(self, bound: Bound) -> None:
        self.index = bound.index
        self.schedule = leq_hours(bound.derive)
        self.enough = bound.enough(3_600_000)
        self.edge_ms, self.active = 0, False
        self.sum, self.count = 0.0, 0

    def take(self, t_ms: int, values: Sequence[float | None], flags: Sequence[int], worst: int) -> float | None:
        """Return the level; None before three quarters of an hour are known."""
        if t_ms >= self.edge_ms:
            self.active, self.edge_ms = self.schedule.span(t_ms)
            self.sum, self.count = 0.0, 0
        value = values[self.index]
        if value is None or flags[self.index] > worst or not self.active:
            return None
        self.sum += 10.0 ** (value / 10)
        self.count += 1
        return 10 * log10(self.sum / self.count) if self.count >= self.enough else None

    def dump(self) -> Any:
        """Return the energy of the period so far."""
        return [self.edge_ms, self.active, self.sum, self.count] if self.count else None

    def load(self, state: Any) -> None:
        """Go on from a dump."""
        self.edge_ms, self.active, self.sum, self.count = state


class LeqForm:
    """derive = { leq = "night" }."""

    keys = ("leq",)

    def read(self, table: Mapping[str, Any], zone: str, place: str) -> Derive:
        """Read which of the two."""
        known_keys(table, self.keys, place)
        if table["leq"] not in HOURS:
            raise ConfigError(f"{place}.leq: {table['leq']!r} is not known", remedy='use "day" or "night"')
        return Derive(form="leq", other=str(table["leq"]), extra={"zone": zone})

    def unit(self, own: str) -> str:
        """Return decibels."""
        return own

    def make(self, bound: Bound) -> Source | None:
        """Return the source, where the node measures the quantity."""
        return None if bound.index < 0 else Leq(bound)


def leq_hours(derive: Derive) -> Schedule:
    """Return when a Leq's period is."""
    begin, end = HOURS[derive.other]
    return read_schedule({"from": begin, "until": end}, str(derive.extra["zone"]), "leq")


class Difference:
    """This value less another of the same node, or of another node whose value is recent."""

    shown: float | None = None
    note: Mapping[str, float] | None = None

    def __init__(self, bound: Bound) -> None:
        self.index = bound.index
        self.node, _, self.quantity = bound.derive.other.rpartition("/")
        self.other = -1 if self.node else bound.index_of(self.quantity)
        self.peers: Peers = bound.peers
        self.gap_ms = bound.gap_ms
        self.absolute = bool(bound.derive.extra["absolute"])

    def take(self, t_ms: int, values: Sequence[float | None], flags: Sequence[int], worst: int) -> float | None:
        """Return the difference; None while the other value is unknown, or too old."""
        value = values[self.index]
        if value is None or flags[self.index] > worst:
            return None
        if self.other >= 0:
            other = values[self.other]
            if other is None or flags[self.other] > worst:
                return None
        else:
            found = self.peers.latest(self.node, self.quantity)
            if found is None or abs(t_ms - found[0]) > self.gap_ms:
                return None
            other = found[1]
        return abs(value - other) if self.absolute else value - other

    def dump(self) -> Any:
        """There is no state."""
        return None

    def load(self, state: Any) -> None:
        """There is no state."""


class DifferenceForm:
    """derive = { difference = "wl-02/level_m" }, or the name of another quantity of the same node."""

    keys = ("difference", "absolute")

    def read(self, table: Mapping[str, Any], zone: str, place: str) -> Derive:
        """Read what is subtracted."""
        known_keys(table, self.keys, place)
        other = read_text(table["difference"], f"{place}.difference")
        if other.rpartition("/")[2] not in QUANTITIES:
            raise ConfigError(
                f"{place}.difference: {other!r} names no quantity",
                remedy='write "level_down_m" or "wl-02/level_m"',
            )
        absolute = table.get("absolute", False)
        if not isinstance(absolute, bool):
            raise ConfigError(f"{place}.absolute: {absolute!r} is neither true nor false")
        return Derive(form="difference", other=other, extra={"absolute": float(absolute)})

    def unit(self, own: str) -> str:
        """Return the quantity's own."""
        return own

    def make(self, bound: Bound) -> Source | None:
        """Return the source; None where the node lacks one of the two."""
        own = "/" not in bound.derive.other
        if bound.index < 0 or (own and bound.index_of(bound.derive.other) < 0):
            return None
        return Difference(bound)
