"""Signals: what a panel asks of the store, as data, and the InfluxQL that 1.x to 3.x share for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from dashboards.iaqi import iaqi_of
from edge.model.kinds import Kind
from edge.model.quantities import QUANTITIES, Form, Mean

RAW, HOURS, DAYS = "cityneuron", "cityneuron-hours", "cityneuron-days"
"""Data sources: readings as they came, and their roll-ups."""

STATUS, EPISODE = "node_status", "episode"
"""What the cloud writes beside the kinds' own series: how each node is, and what rules found."""

BY_DISTRICT = frozenset({"streetlight", "parking_bay"})
"""Kinds that stand by the hundred: one line a node says nothing, so they are drawn one line a district."""


class Ask(StrEnum):
    """The form of a question. `q` is the signal's quantity, an interval is the panel's $__interval."""

    TREND = "trend"  # q over time, one line a tag: mean an interval, as the quantity's `mean` demands
    RATE = "rate"  # growth of counter q an hour, by node; by district: the sum over the nodes' growths
    SHARE = "share"  # 100 * mean of state q (0, 1) an interval, by district
    TOTAL = "total"  # sum over nodes of each node's mean of q in the interval
    LATEST = "latest"  # the newest q of each node, with its own time
    HEARD = "heard"  # number of nodes with any q in the time shown
    FLAGGED = "flagged"  # number of `<q>_qc` an interval, a column a field: values that did not pass
    IAQI = "iaqi"  # sub-index (HJ 633) of each field's mean over the time shown, a column a field, by tags
    STATUS = "status"  # the newest of each field, a row a group of tags (several last(): its time says nothing)
    COVERAGE = "coverage"  # 100 * share of status points with state 0, 1 or 3 (heard) among all
    COUNTED = "counted"  # number of nodes whose newest q equals `equals`
    PERCENTILE = "percentile"  # the `rank`th percentile of q over all points of the time shown (or interval)
    SUMMED = "summed"  # sum over nodes of the newest q of each
    EPISODES = "episodes"  # episodes begun in the time shown, the newest first: the fields as they stand
    EPISODE_COUNT = "episode_count"  # number of episodes begun in the time shown (or a day)
    ROLLED = "rolled"  # of a roll-up: least, mean and greatest of q over all nodes, by the quantity's mean


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """One question: `kind` is the measurement, `by` the tags it is answered for.

    fields: further (or, where a form asks for several, all) fields, each with its column's name.
    place: (tag, dashboard variable) that narrows it; only: what tags (text) or fields (number) must equal;
    positive: a field that must be over 0.
    over: "" the whole time shown, "interval" the panel's, or "1d": days of the city.
    """

    form: Ask
    kind: str
    quantity: str = ""
    by: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    place: tuple[tuple[str, str], ...] = (("district", "district"),)
    only: tuple[tuple[str, str | int], ...] = ()
    positive: str = ""
    over: str = ""
    equals: int = 0
    rank: int = 0
    source: str = RAW

    @property
    def query(self) -> str:
        """The question in InfluxQL, with Grafana's variables in it."""
        return _QUERIES[self.form](self)

    @property
    def where(self) -> str:
        """The condition on time, place and what must hold."""
        parts = ["$timeFilter"]
        parts += [f'"{tag}" =~ /^${{{variable}:regex}}$/' for tag, variable in self.place]
        parts += [
            f"\"{name}\" = '{value}'" if isinstance(value, str) else f'"{name}" = {value}'
            for name, value in self.only
        ]
        parts += [f'"{self.positive}" > 0'] if self.positive else []
        return " AND ".join(parts)


def course(kind: Kind, quantity: str, by: str = "") -> Signal:
    """Return how a quantity goes over time: one line a node, or a district where nodes stand by the hundred."""
    by = by or ("district" if kind.name in BY_DISTRICT else "node")
    form = QUANTITIES[quantity].form
    ask = Ask.TREND
    if form is Form.COUNTER:
        ask = Ask.RATE
    elif form is Form.STATE and by == "district":
        ask = Ask.SHARE
    return Signal(form=ask, kind=kind.name, quantity=quantity, by=(by,), over="interval")


def _group(signal: Signal) -> str:
    parts = {"": [], "interval": ["time($__interval)"]}.get(signal.over, [f"time({signal.over})"])
    parts += [f'"{tag}"' for tag in signal.by]
    end = " fill(none)" if signal.over else ""
    if signal.over == "1d" or (signal.over and signal.form is Ask.ROLLED):
        end += " tz('Asia/Shanghai')"  # days of the city
    return (f" GROUP BY {', '.join(parts)}" if parts else "") + end


def _from(signal: Signal) -> str:
    return f'FROM "{signal.kind}" WHERE {signal.where}'


def _inner(signal: Signal, select: str, *tags: str) -> str:
    kept = ", ".join(f'"{tag}"' for tag in tags)
    return f"FROM (SELECT {select} {_from(signal)}{f' GROUP BY {kept}' if kept else ''}) WHERE $timeFilter"


def _trend(signal: Signal) -> str:
    name = signal.quantity
    mean = QUANTITIES[name].mean if name in QUANTITIES else Mean.LAST
    if mean is Mean.ENERGY:  # decibels: 10 lg of the mean of the energies
        return _energy(signal, name)
    how = {Mean.SUM: "sum", Mean.LAST: "last" if "district" not in signal.by else "mean"}.get(mean, "mean")
    return f'SELECT {how}("{name}") AS "value" {_from(signal)}{_group(signal)}'


def _energy(signal: Signal, name: str) -> str:
    source = _inner(signal, f'pow(10.0, "{name}" / 10.0) AS "energy"', *signal.by)
    return f'SELECT 10 * log10(mean("energy")) AS "value" {source}{_group(signal)}'


def _rate(signal: Signal) -> str:
    """A counter's growth an hour, node by node; a counter that starts anew is no negative growth."""
    grown = f'SELECT non_negative_derivative(last("{signal.quantity}"), 1h) AS "value" {_from(signal)}'
    if signal.by == ("node",):
        return grown + _group(signal)
    inner = grown + _group(replace(signal, by=("node", *signal.by)))
    return f'SELECT sum("value") AS "value" FROM ({inner}) WHERE $timeFilter{_group(signal)}'


def _share(signal: Signal) -> str:
    return f'SELECT mean("{signal.quantity}") * 100 AS "value" {_from(signal)}{_group(signal)}'


def _total(signal: Signal) -> str:
    nodes = replace(signal, by=("node", *signal.by))
    inner = f'SELECT mean("{signal.quantity}") AS "value" {_from(signal)}{_group(nodes)}'
    return f'SELECT sum("value") AS "value" FROM ({inner}) WHERE $timeFilter{_group(signal)}'


def _latest(signal: Signal) -> str:
    return f'SELECT last("{signal.quantity}") AS "value" {_from(signal)}{_group(signal)}'


def _last_of_nodes(signal: Signal, outer: str, condition: str = "") -> str:
    inner = f'SELECT last("{signal.quantity}") AS "value" {_from(signal)} GROUP BY "node"'
    inner += "".join(f', "{tag}"' for tag in signal.by)
    return f"SELECT {outer} FROM ({inner}) WHERE $timeFilter{condition}{_group(signal)}"


def _heard(signal: Signal) -> str:
    return _last_of_nodes(signal, 'count("value") AS "nodes"')


def _counted(signal: Signal) -> str:
    return _last_of_nodes(signal, 'count("value") AS "nodes"', f' AND "value" = {signal.equals}')


def _summed(signal: Signal) -> str:
    return _last_of_nodes(signal, 'sum("value") AS "value"')


def _flagged(signal: Signal) -> str:
    columns = ", ".join(f'count("{name}") AS "{title}"' for name, title in signal.fields)
    return f"SELECT {columns} {_from(signal)}{_group(signal)}"


def _iaqi(signal: Signal) -> str:
    means = ", ".join(f'mean("{name}") AS "{name}"' for name, _ in signal.fields)
    columns = ", ".join(f'{iaqi_of(name)} AS "{title}"' for name, title in signal.fields)
    inner = f"SELECT {means} {_from(signal)}{_group(signal)}"
    tags = "".join(f', "{tag}"' for tag in signal.by)[2:]
    # beside an outer time filter the inner row of a whole range stands at its start, which is within it
    return f"SELECT {columns} FROM ({inner}) WHERE $timeFilter{f' GROUP BY {tags}' if tags else ''}"


def _status(signal: Signal) -> str:
    columns = ", ".join(f'last("{name}") AS "{title}"' for name, title in signal.fields)
    return f"SELECT {columns} {_from(signal)}{_group(signal)}"


def _coverage(signal: Signal) -> str:
    # InfluxQL has no CASE: (|s-c-1| - 2|s-c| + |s-c+1|) / 2 is 1 at s = c and 0 at every other whole number;
    # here 1 less those of 2 (silent) and 4 (never heard). Literals are floats: abs() of whole numbers is wrong.
    bends = ((1, 1), (2, -2), (3, 2), (4, -2), (5, 1))
    unheard = " + ".join(f'{factor}.0 * abs("state" - {at}.0)' for at, factor in bends)
    source = _inner(signal, f'1.0 - ({unheard}) / 2.0 AS "heard"', *signal.by)
    return f'SELECT mean("heard") * 100 AS "value" {source}{_group(signal)}'


def _percentile(signal: Signal) -> str:
    return f'SELECT percentile("{signal.quantity}", {signal.rank}) AS "value" {_from(signal)}{_group(signal)}'


def _episodes(signal: Signal) -> str:
    columns = ", ".join(
        f'"{name}"' if name == title else f'"{name}" AS "{title}"' for name, title in signal.fields
    )
    return f"SELECT {columns} {_from(signal)} ORDER BY time DESC LIMIT 500"


def _episode_count(signal: Signal) -> str:
    return f'SELECT count("level") AS "episodes" {_from(signal)}{_group(signal)}'


def _rolled(signal: Signal) -> str:
    name, quantity = signal.quantity, QUANTITIES[signal.quantity]
    end = _group(signal)
    if quantity.mean is Mean.ENERGY:
        return _energy(signal, f"{name}_leq")
    if quantity.form is Form.COUNTER:
        return f'SELECT sum("{name}_grown") AS "value" {_from(signal)}{end}'
    if quantity.form is Form.STATE:
        return f'SELECT mean("{name}_share") * 100 AS "value" {_from(signal)}{end}'
    if quantity.mean is Mean.SUM:
        return f'SELECT sum("{name}_sum") AS "value" {_from(signal)}{end}'
    three = ", ".join(f'{how}("{name}_{how}") AS "{how}"' for how in ("min", "mean", "max"))
    return f"SELECT {three} {_from(signal)}{end}"


_QUERIES: dict[Ask, Callable[[Signal], str]] = {
    Ask.TREND: _trend,
    Ask.RATE: _rate,
    Ask.SHARE: _share,
    Ask.TOTAL: _total,
    Ask.LATEST: _latest,
    Ask.HEARD: _heard,
    Ask.FLAGGED: _flagged,
    Ask.IAQI: _iaqi,
    Ask.STATUS: _status,
    Ask.COVERAGE: _coverage,
    Ask.COUNTED: _counted,
    Ask.PERCENTILE: _percentile,
    Ask.SUMMED: _summed,
    Ask.EPISODES: _episodes,
    Ask.EPISODE_COUNT: _episode_count,
    Ask.ROLLED: _rolled,
}
