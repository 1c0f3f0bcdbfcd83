"""The table of what Grafana can judge and what it cannot, for people who choose between the two modes."""

from __future__ import annotations

from collections.abc import Iterable

from dashboards.alerting.alert import Alert
from dashboards.alerting.said import Said, own_limit

_HEAD = """\
# Which rules Grafana can judge

Generated from the rules (`cityneuron dashboards build`). What else Grafana does otherwise than a gateway:
[dashboards/alerting/README.md](../../alerting/README.md).

| rule 规则 | | levels 等级 | in Grafana | why not, or what is lost 原因 |
|---|---|---|---|---|
"""


def table(said: Iterable[Said], own: Iterable[Alert]) -> str:
    """Return the table as Markdown, a row a rule."""
    watchers = [
        f"| `{alert.rule}` | {alert.title.rpartition(' (')[0]} | {alert.level.word} | always |"
        " only an outsider can tell 唯有旁观者可知 |"
        for alert in own
    ]
    return _HEAD + "\n".join([*watchers, *(_row(one) for one in said)]) + "\n"


def _row(one: Said) -> str:
    rule = one.rule
    levels = ", ".join(step.level.word for step in rule.steps)
    if one.why_not_en:
        how, why = "no", f"{one.why_not_en} {one.why_not_zh}"
    else:
        watches = any(alert.source == "watchers" for alert in one.alerts)
        how, why = ("always" if watches else "all-grafana"), "; ".join(_lost(one))
    return f"| `{rule.name}` | {rule.label_zh} {rule.label_en} | {levels} | {how} | {why} |"


def _lost(one: Said) -> list[str]:
    found = []
    if name := own_limit(one.rule):
        found.append(f"a node's own {name} is not known 节点自设的 {name} 不生效")
    if one.rule.schedule is not None:
        found.append("judged all day, told within its hours 全天判定，仅在时段内通知")
    if one.rule.derive is not None and one.rule.derive.form == "mean":
        found.append("told from the first values on 数据不足窗长 3/4 时也判定")
    if any(alert.limit is not None for alert in one.alerts):
        found.append("needs the cloud's `node_status` 依赖云端写入的 `node_status`")
    return found
