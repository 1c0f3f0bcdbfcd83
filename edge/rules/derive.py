"""Numbers that rules watch beside plain values, each made from the readings of a node (and of its peers).

A plug-in point: a form is a row of FORMS; it reads its table, says its unit, and makes its source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from edge.model.errors import ConfigError
from edge.model.node import Node
from edge.rules.peers import Peers
from edge.rules.rule import Derive, Rule


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

    def read(self, table: Mapping[str, Any], place: str) -> Derive:
        """Read derive = {...}, or raise ConfigError."""
        ...

    def unit(self, own: str) -> str:
        """Return the unit, given that of the quantity."""
        ...

    def make(
        self, rule: Rule, node: Node, quantities: Sequence[str], peers: Peers, period_s: float
    ) -> Source | None:
        """Return the source for a node; None where it lacks what is needed."""
        ...


FORMS: dict[str, Form] = {}


def read_derive(table: Any, place: str) -> Derive:
    """Read derive = { FORM = ..., ... }: the key that names a form says which."""
    if isinstance(table, Mapping):
        forms = [key for key in table if key in FORMS]
        if len(forms) == 1:
            return FORMS[forms[0]].read(table, place)
    raise ConfigError(f"{place}: {table!r} names no form", remedy=f"use one of {', '.join(FORMS) or 'none'}")
