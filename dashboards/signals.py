"""Signals: what can be asked of the store about a quantity of a kind, in the InfluxQL that 1.x to 3.x share."""

from __future__ import annotations

from dataclasses import dataclass

from edge.model.kinds import Kind
from edge.model.quantities import QUANTITIES, Form, Mean, Quantity

SHOWN = '$timeFilter AND "district" =~ /^${district:regex}$/'
"""What a board shows: its time range and the districts chosen. Alert rules must do without the variable."""

BY_DISTRICT = frozenset({"streetlight", "parking_bay"})
"""Kinds that stand by the hundred: one line a node says nothing, so they are drawn one line a district."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """A quantity as nodes of a kind report it; every query takes its own condition on time and place."""

    kind: Kind
    quantity: Quantity

    @property
    def by(self) -> str:
        """The tag that a trend is drawn by."""
        return "district" if self.kind.name in BY_DISTRICT else "node"

    @property
    def is_share(self) -> bool:
        """Whether the trend is the share of nodes whose state is on, in percent."""
        return self.quantity.form is Form.STATE and self.by == "district"

    @property
    def is_rate(self) -> bool:
        """Whether the trend is the growth of a counter an hour."""
        return self.quantity.form is Form.COUNTER

    def trend(self, where: str = SHOWN) -> str:
        """The course over time: averaged as the quantity demands, a counter as its growth an hour."""
        source, value = f'FROM "{self.kind.name}" WHERE {where}', f'"{self.quantity.name}"'
        if self.is_rate:
            return self._rate(where)
        if self.quantity.mean is Mean.ENERGY:  # decibels: 10 lg of the mean of the energies
            value = '10 * log10(mean("energy"))'
            source = (
                f'FROM (SELECT pow(10, "{self.quantity.name}" / 10) AS "energy" {source} GROUP BY "{self.by}")'
                " WHERE $timeFilter"
            )
        elif self.is_share:
            value = f"mean({value}) * 100"
        elif self.quantity.mean is Mean.SUM:
            value = f"sum({value})"
        elif self.quantity.mean is Mean.LAST and self.by == "node":
            value = f"last({value})"
        else:
            value = f"mean({value})"
        return f'SELECT {value} AS "value" {source} GROUP BY time($__interval), "{self.by}" fill(none)'

    def latest(self, where: str = SHOWN) -> str:
        """The newest value of each node, with its own time: a single last() keeps it."""
        return (
            f'SELECT last("{self.quantity.name}") AS "value" FROM "{self.kind.name}" WHERE {where}'
            ' GROUP BY "node", "district"'
        )

    def heard(self, where: str = SHOWN) -> str:
        """How many nodes reported at all in the time shown."""
        return (
            f'SELECT count("value") AS "nodes" FROM (SELECT last("{self.quantity.name}") AS "value"'
            f' FROM "{self.kind.name}" WHERE {where} GROUP BY "node") WHERE $timeFilter'
        )

    def _rate(self, where: str) -> str:
        """A counter's growth an hour, node by node; a counter that starts anew is no negative growth."""
        name = self.quantity.name
        grown = (
            f'SELECT non_negative_derivative(last("{name}"), 1h) AS "value" FROM "{self.kind.name}"'
            f" WHERE {where} GROUP BY time($__interval), "
        )
        if self.by == "node":
            return f'{grown}"node" fill(none)'
        return (
            f'SELECT sum("value") AS "value" FROM ({grown}"node", "{self.by}" fill(none)) WHERE $timeFilter'
            f' GROUP BY time($__interval), "{self.by}" fill(none)'
        )


def signals(kind: Kind) -> tuple[Signal, ...]:
    """Return the signals of a kind, the headline first."""
    others = (name for name in kind.quantities if name != kind.headline)
    return tuple(Signal(kind=kind, quantity=QUANTITIES[name]) for name in (kind.headline, *others))


def flagged(kind: Kind, names: dict[str, str], where: str = SHOWN) -> str:
    """Count, by quantity, the values that did not pass a check; `names` maps quantity to column title."""
    columns = ", ".join(f'count("{name}_qc") AS "{names[name]}"' for name in kind.quantities)
    return f'SELECT {columns} FROM "{kind.name}" WHERE {where} GROUP BY time($__interval) fill(none)'
