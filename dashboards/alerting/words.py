"""What alerts say, in Chinese and in English: titles, and summaries that Grafana fills in."""

from __future__ import annotations

from edge.channels.derived import derived_name
from edge.channels.words import STAGES, STATES, amount, digits, label, pick, plain
from edge.model.alert import Level
from edge.model.quantities import QUANTITIES
from edge.model.units import UNITS
from edge.rules.rule import Rule, Step

PLACE = ("{{ $labels.node }}（{{ $labels.district }}）", "{{ $labels.node }} ({{ $labels.district }})")
_VALUE = "$values.B.Value"

_SIGNALS = {
    "silence_s": ("已 {value} 没有数据", "nothing heard for {value}"),
    "clock_qc": ("时钟不可信", "its clock is not to be trusted"),
}


def title(rule: Rule, level: Level) -> str:
    """Return a title in both languages, which no other alert has."""
    names = f"{rule.label_zh} {rule.label_en}" if rule.label_zh != rule.label_en else rule.label_en
    return f"{_text(names)} ({level.label_zh} {level.word})"


def summary(rule: Rule, step: Step, kinds: tuple[str, ...], enter: float, staged: bool) -> tuple[str, str]:
    """Return the sentence about a node, in Chinese and in English."""
    zh, en = (_what(rule, step, kinds, enter, staged, is_zh) for is_zh in (True, False))
    return (
        f"{_text(rule.label_zh)}（{step.level.label_zh}色）：{PLACE[0]}{zh}",
        f"{_text(rule.label_en)} ({step.level.word}): {PLACE[1]}: {en}",
    )


def _what(rule: Rule, step: Step, kinds: tuple[str, ...], enter: float, staged: bool, zh: bool) -> str:
    if rule.quantity == "silence_s" and kinds == ("gateway",):
        return pick(("心跳中断", "no heartbeat"), zh)
    if rule.quantity in _SIGNALS:
        return pick(_SIGNALS[rule.quantity], zh).format(value=f"{{{{ humanizeDuration {_VALUE} }}}}")
    if rule.quantity in STATES and rule.derive is None:
        return pick(STATES[rule.quantity][0 if rule.below else 1], zh)
    name = derived_name(rule, zh) or label(QUANTITIES[rule.quantity], zh)
    value = f"{name} {_value(rule, enter)}"
    if staged:
        if step.enter.name not in STAGES:  # near_m, before the first that has a name
            return pick((f"{value}，接近警戒水位", f"{value}, close to the warning stage"), zh)
        stage = pick(STAGES[step.enter.name], zh)
        return pick((f"{value}，已达{stage}", f"{value}, at or over {stage}"), zh)
    unit = rule.unit if rule.derive else ""
    limit = amount(enter, rule.quantity, unit, zh=zh, exact=True)
    how = pick(("不高于", "at or under") if rule.below else ("不低于", "at or over"), zh)
    return pick((f"{value}，{how}限值 {limit}", f"{value}, {how} the limit of {limit}"), zh)


def _value(rule: Rule, enter: float) -> str:
    """The value with its unit, to as many digits as are worth reading beside the limit."""
    row = QUANTITIES[rule.quantity]
    if row.unit == "s":
        return f"{{{{ humanizeDuration {_VALUE} }}}}"
    places = digits(enter, row.unit, row.decimals)
    base, slash, per = rule.unit.rpartition("/")
    unit = UNITS[rule.unit].display if rule.unit in UNITS else f"{UNITS[base].display}{slash}{per}"
    if unit == "pH":
        unit = ""
    gap = "" if unit in ("%", "°", "‰", "") else " "
    return f'{{{{ printf "%.{places}f" {_VALUE} }}}}{gap}{unit}'


def _text(name: str) -> str:
    """A name from a rules file as it may stand in a template."""
    return plain(name).replace("{{", "{").replace("}}", "}")
