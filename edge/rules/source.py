"""What a form of derived number has to offer: its table in TOML, its unit, and its state at a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge.model.errors import ConfigError
from edge.model.node import Node
from edge.rules.notation import read_duration
from edge.rules.peers import Peers
from edge.rules.rule import Derive, Rule


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a source is made: the rule, the node and its quantities, its neighbours, its period."""

    rule: Rule
    node: Node
    quantities: Sequence[str]
    peers: Peers
    period_s: float

    @property
    def derive(self) -> Derive:
        """The rule's own."""
        assert self.rule.derive is not None
        return self.rule.derive

    @property
    def index(self) -> int:
        """Where the rule's quantity stands in a reading, -1 where it does not."""
        return self.index_of(self.rule.quantity)

    @property
    def gap_ms(self) -> int:
        """Values further apart than this do not belong together."""
        return round(1000 * (self.rule.gap.at(self.node.stages, self.period_s) or 0))

    def index_of(self, quantity: str) -> int:
        """Return where a quantity stands in a reading, or -1."""
        return self.quantities.index(quantity) if quantity in self.quantities else -1

    def enough(self, over_ms: int) -> float:
        """Return how many values a mean over this time must stand on: three quarters (GB 3095-2012, 6.4)."""
        return max(1.0, 0.75 * over_ms / 1000 / self.period_s)


class Source(Protocol):
    """Makes one number of each reading; `shown` and `note` are what people are told of it."""

    shown: float | None
    note: Mapping[str, float] | None

    def take(self, t_ms: int, values: Sequence[float | None], flags: Sequence[int], worst: int) -> float | None:
        """Return the number after this reading; None while it cannot be told."""
        ...

    def dump(self) -> Any:
        """Return the state as JSON can hold it, None where there is none."""
        ...

    def load(self, state: Any) -> None:
        """Go on from a dump."""
        ...


class Form(Protocol):
    """A sort of derived number."""

    def read(self, table: Mapping[str, Any], zone: str, place: str) -> Derive:
        """Read derive = {...}, or raise ConfigError; `zone` is the city's time zone."""
        ...

    def unit(self, own: str) -> str:
        """Return the unit, given that of the quantity."""
        ...

    def make(self, bound: Bound) -> Source | None:
        """Return the source for a node; None where it lacks what is needed."""
        ...


def known_keys(table: Mapping[str, Any], keys: tuple[str, ...], place: str) -> None:
    """Refuse what a form does not know."""
    for key in table:
        if key not in keys:
            raise ConfigError(f"{place}: unknown key {key!r}", remedy=f"known: {', '.join(keys)}")


def read_over(value: Any, place: str) -> int:
    """Read the length of a window."""
    over_ms = read_duration(value, place)
    if not 1000 <= over_ms <= 31 * 86_400_000:
        raise ConfigError(f"{place}: a window lasts from 1 s to 31 d", remedy='write it like "1h"')
    return over_ms


def read_text(value: Any, place: str) -> str:
    """Read a name."""
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{place}: {value!r} is no name")
    return value
