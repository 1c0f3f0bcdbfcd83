"""Which InfluxQL tells what a rule watches, or why none does."""

from __future__ import annotations

from collections.abc import Callable

from dashboards.alerting.alert import Ask
from edge.model.errors import CityError
from edge.model.kinds import KINDS
from edge.model.quantities import QUANTITIES, Form, Mean
from edge.rules.rule import Derive, Rule

BY = '"node", "district"'
STATUS_S = 600
"""How far back the newest line of `node_status`, written once a minute, is looked for."""

HEARTBEATS_S = 6 * 3600
"""How long a gateway that fell silent is still known: then its series is gone, and with it the alert."""


class Unsayable(CityError):
    """Why a rule cannot be said in Grafana, in English and in Chinese."""

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(f"cannot be said in Grafana: {english}")
        self.english, self.chinese = english, chinese


def ask(rule: Rule, kinds: tuple[str, ...], period_s: float) -> Ask:
    """Return the query for kinds of one period; raise Unsayable."""
    if rule.quantity in _SIGNALS:
        return _SIGNALS[rule.quantity](rule, kinds, period_s)
    source = f"FROM {_from(kinds)} WHERE {_where(rule)}"
    if rule.derive is not None:
        if rule.derive.form not in _DERIVED:
            raise Unsayable(*_WHY_NOT.get(rule.derive.form, ("more than a query can tell", "查询无法推算")))
        return _DERIVED[rule.derive.form](rule, rule.derive, source)
    text = f'SELECT last("{rule.quantity}") AS "value" {source} GROUP BY {BY}'
    return Ask(text=text, window_s=gap_s(rule, period_s))


def stage(name: str) -> Ask:
    """Return the query for a stage of each node, as the cloud writes it with the state of the nodes."""
    text = f'SELECT last("{name}") AS "value" FROM "node_status" WHERE $timeFilter GROUP BY {BY}'
    return Ask(text=text, window_s=STATUS_S)


def gap_s(rule: Rule, period_s: float) -> int:
    """Return how old a value may be to count: the rule's own gap, ten periods as shipped."""
    return round(rule.gap.at({}, period_s) or 10 * period_s)


def _from(kinds: tuple[str, ...]) -> str:
    return ", ".join(f'"{kind}"' for kind in kinds)


def _where(rule: Rule) -> str:
    parts = ["$timeFilter"]
    if rule.given is not None:
        name = rule.given.quantity
        parts += [f'"{name}" >= {rule.given.low:g}'] if rule.given.low > float("-inf") else []
        parts += [f'"{name}" <= {rule.given.high:g}'] if rule.given.high < float("inf") else []
    return " AND ".join([*parts, *_nodes(rule)])


def _nodes(rule: Rule) -> list[str]:
    if not rule.nodes:
        return []
    patterns = "|".join(pattern.replace("*", ".*").replace("?", ".") for pattern in rule.nodes)
    return [f'"node" =~ /^({patterns})$/']


def _mean(rule: Rule, derive: Derive, source: str) -> Ask:
    text = f'SELECT mean("{rule.quantity}") AS "value" {source} GROUP BY {BY}'
    if QUANTITIES[rule.quantity].mean is Mean.ENERGY:
        energies = f'SELECT pow(10.0, "{rule.quantity}" / 10.0) AS "energy" {source} GROUP BY {BY}'
        text = f'SELECT 10 * log10(mean("energy")) AS "value" FROM ({energies}) WHERE $timeFilter GROUP BY {BY}'
    return Ask(text=text, window_s=derive.over_ms // 1000)


def _sum(rule: Rule, derive: Derive, source: str) -> Ask:
    text = f'SELECT sum("{rule.quantity}") AS "value" {source} GROUP BY {BY}'
    return Ask(text=text, window_s=derive.over_ms // 1000)


def _rate(rule: Rule, derive: Derive, source: str) -> Ask:
    """Growth an hour, minute by minute, so that a fresh start is no fall; then its mean."""
    row = QUANTITIES[rule.quantity]
    if row.form is not Form.COUNTER and row.unit != "count":
        raise Unsayable(
            "a rate by the median of slopes: from first and last value alone a sensor lifted out would alarm",
            "变化率取各斜率的中位数；仅凭首末两值，传感器被提起也会误报",
        )
    grown = f'SELECT non_negative_derivative(last("{rule.quantity}"), 1h) AS "rate" {source}'
    text = (
        f'SELECT mean("rate") AS "value" FROM ({grown} GROUP BY time(1m), {BY} fill(none))'
        f" WHERE $timeFilter GROUP BY {BY}"
    )
    return Ask(text=text, window_s=derive.over_ms // 1000)


def _difference(rule: Rule, derive: Derive, source: str) -> Ask:
    if "/" in derive.other or derive.extra["absolute"]:
        raise Unsayable("compares two nodes", "需比较两个节点")
    both = f'SELECT "{rule.quantity}" - "{derive.other}" AS "apart" {source} GROUP BY {BY}'
    text = f'SELECT last("apart") AS "value" FROM ({both}) WHERE $timeFilter GROUP BY {BY}'
    return Ask(text=text, window_s=gap_s(rule, KINDS[rule.kinds[0]].period_s))


_DERIVED: dict[str, Callable[[Rule, Derive, str], Ask]] = {
    "mean": _mean,
    "sum": _sum,
    "rate": _rate,
    "difference": _difference,
}

_WHY_NOT = {
    "forecast": ("a forecast, from the slopes between all points", "预报：须由各点间的斜率推算"),
    "aqi": (
        "an index over several windows and six pollutants, by table (HJ 633)",
        "空气质量指数：须按 HJ 633 分指数表，综合六项污染物、多个时段",
    ),
    "leq": (
        "a mean since 06:00 or 22:00: a query of Grafana looks back a fixed time",
        "自 06:00 或 22:00 起累计的等效声级：Grafana 查询的时段长度固定",
    ),
    "energy": ("counts since an event began", "须自事件开始累计"),
}


def _silence(rule: Rule, kinds: tuple[str, ...], period_s: float) -> Ask:
    """The age of the newest reading; of gateways, which watch the nodes, by their heartbeats alone."""
    if kinds == ("gateway",):
        span_s = round(min(step.enter.at({}, period_s) or 60 for step in rule.steps))
        name = KINDS["gateway"].headline
        text = (
            f'SELECT count("{name}") AS "value" FROM "gateway" WHERE {_where(rule)}'
            f" GROUP BY time({span_s}s), {BY} fill(0)"
        )
        return Ask(text=text, window_s=HEARTBEATS_S)
    chosen = " AND ".join(["$timeFilter", f'"kind" =~ /^({"|".join(kinds)})$/', *_nodes(rule)])
    text = f'SELECT last("age_s") AS "value" FROM "node_status" WHERE {chosen} GROUP BY {BY}'
    return Ask(text=text, window_s=STATUS_S)


def _clock(rule: Rule, kinds: tuple[str, ...], period_s: float) -> Ask:
    text = f'SELECT last("clock_qc") AS "value" FROM {_from(kinds)} WHERE {_where(rule)} GROUP BY {BY}'
    return Ask(text=text, window_s=gap_s(rule, period_s))


def _doubt(rule: Rule, kinds: tuple[str, ...], period_s: float) -> Ask:
    raise Unsayable(
        "how long nothing has passed: the store holds no such time", "须知持续未通过质控的时长，库中没有"
    )


_SIGNALS: dict[str, Callable[[Rule, tuple[str, ...], float], Ask]] = {
    "silence_s": _silence,
    "clock_qc": _clock,
    "doubt_s": _doubt,
}
