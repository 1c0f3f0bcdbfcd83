"""The gateway's rules as Grafana's: a rule becomes an alert a level, or a reason why it cannot be said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dashboards.alerting.alert import Alert, Ask, Missing
from dashboards.alerting.ask import Unsayable, ask, stage
from dashboards.alerting.hours import hours_of
from dashboards.alerting.words import summary, title
from edge.model.kinds import KINDS
from edge.rules.rule import SIGNALS, NoData, Rule, Step, Threshold

WATCHERS = (
    "gateway_lost",
    "backlog_old",
    "quarantine_grows",
    "readings_dropped",
    "readings_unaccounted",
    "node_silent",
)
"""Rules that Grafana judges in either mode: who watches cannot watch himself."""

STATUS_STAGES = ("near_m", "warning_m", "guaranteed_m", "record_m")
"""Stages that the cloud writes with the state of each stage station (`node_status`)."""

_MISSING = {NoData.KEEP: Missing.KEEP, NoData.END: Missing.END, NoData.ALARM: Missing.ALARM}


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What became of a rule: its alerts, or the reason why there are none."""

    rule: Rule
    alerts: tuple[Alert, ...] = ()
    why_not_en: str = ""
    why_not_zh: str = ""


def say(rules: Iterable[Rule]) -> tuple[Said, ...]:
    """Say each rule in Grafana, or why not."""
    return tuple(_say(rule) for rule in rules)


def _say(rule: Rule) -> Said:
    try:
        return Said(rule=rule, alerts=tuple(_alerts(rule)))
    except Unsayable as why:
        return Said(rule=rule, why_not_en=why.english, why_not_zh=why.chinese)


def _alerts(rule: Rule) -> Iterator[Alert]:
    if rule.schedule is not None and rule.keep_ms:
        raise Unsayable(
            "hours of the day and keep firing: what fired outside the hours would be told within them",
            "限定时段且须延时保持：时段外触发的告警会在时段内误报",
        )
    hours = hours_of(rule.schedule) if rule.schedule is not None else ""
    classes = _by_period(rule)
    if not classes:
        raise Unsayable("no kind measures it", "没有节点类型观测该量")
    for period_s, kinds in classes.items():
        asked = ask(rule, kinds, period_s)
        for step in rule.steps:
            alert = _alert(rule, step, kinds, period_s, asked, hours)
            yield alert.titled(f"({period_s:g} s)") if len(classes) > 1 else alert


def _alert(rule: Rule, step: Step, kinds: tuple[str, ...], period_s: float, asked: Ask, hours: str) -> Alert:
    limit, factor, enter, leave = _limits(step, kinds, period_s)
    heartbeats = rule.quantity == "silence_s" and kinds == ("gateway",)
    zh, en = summary(rule, step, kinds, enter, limit is not None)
    return Alert(
        rule=rule.name,
        level=step.level,
        system=_system(rule, kinds),
        source="watchers" if rule.name in WATCHERS else "city",
        title=title(rule, step.level),
        summary_zh=zh,
        summary_en=en,
        ask=asked,
        enter=0.0 if heartbeats else enter,
        leave=0.0 if heartbeats else leave,
        below=rule.below or heartbeats,
        limit=limit,
        limit_factor=factor,
        for_ms=_until_sure_ms(rule, enter) if heartbeats else rule.for_ms,
        keep_ms=rule.keep_ms,
        no_data=_MISSING[rule.no_data],
        interval_s=30 if heartbeats else 60,
        hours=hours,
        variant=f"{period_s:g}s" if len(_by_period(rule)) > 1 else "",
    )


def _until_sure_ms(rule: Rule, enter_s: float) -> int:
    """Return for how long no heartbeat is counted: a stretch of time that has only just begun has none yet."""
    first_s = min(step.enter.offset for step in rule.steps)
    return round(1000 * (60 + enter_s - first_s))


def _limits(step: Step, kinds: tuple[str, ...], period_s: float) -> tuple[Ask | None, float, float, float]:
    """Return the query for the limit of each node, its factor, and what to enter and leave at, from it."""
    enter, leave = (limit.at({}, period_s) for limit in (step.enter, step.leave))
    if enter is not None and leave is not None:
        return None, 1.0, round(enter, 9), round(leave, 9)
    name = step.enter.name
    known = kinds == ("water_level",) and name in STATUS_STAGES
    if not known or step.leave.name != name or step.enter.factor != step.leave.factor:
        raise Unsayable(
            f"the limit {name} is each node's own, and not in the store", f"限值 {name} 逐节点设定，库中没有"
        )
    return stage(name), step.enter.factor, step.enter.offset, step.leave.offset


def _by_period(rule: Rule) -> Mapping[float, tuple[str, ...]]:
    """Return the kinds that a rule is about, by how often they report: limits and gaps are in periods."""
    found: dict[float, tuple[str, ...]] = {}
    for kind in KINDS.values():
        meant = kind.name in rule.kinds if rule.kinds else kind.name != "gateway"
        if meant and (rule.quantity in SIGNALS or rule.quantity in kind.quantities or rule.derive is not None):
            found[kind.period_s] = (*found.get(kind.period_s, ()), kind.name)
    return found


def _system(rule: Rule, kinds: tuple[str, ...]) -> str:
    systems = {KINDS[kind].system for kind in kinds}
    return systems.pop() if len(systems) == 1 and rule.kinds else "network"


def own_limit(rule: Rule) -> str:
    """Return the name of a constant that a node may have otherwise, which Grafana cannot know; "" if none."""
    limits: tuple[Threshold, ...] = tuple(limit for step in rule.steps for limit in (step.enter, step.leave))
    return next((limit.name for limit in limits if limit.default is not None), "")
