"""An alert rule as Grafana will judge it: what it asks, from which value on, for how long, and what it says.

A: the newest value of each node. B: that value as one number. C: the threshold, with another one to leave by.
Where each node has a limit of its own, M and N fetch it the same way, and D is the distance to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256

from dashboards.panels import SOURCE, Json
from edge.model.alert import Level

EXPRESSION = "__expr__"
_LONGEST_UID = 40


class Missing(StrEnum):
    """What an alert becomes when the query returns nothing at all, or fails."""

    KEEP = "KeepLast"
    END = "OK"
    ALARM = "Alerting"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """InfluxQL over the last `window_s` seconds, a series a node."""

    text: str
    window_s: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """One level of a rule. `enter` and `leave` count from `limit_factor` * `limit`, where there is one.

    source: "city" for what is measured, "watchers" for what watches the measuring. hours: the label of its mute
    timing, "" where it is always in force. variant: what tells it from the same level for other kinds.
    """

    rule: str
    level: Level
    system: str
    source: str
    title: str
    summary_zh: str
    summary_en: str
    ask: Ask
    enter: float
    leave: float
    below: bool = False
    limit: Ask | None = None
    limit_factor: float = 1.0
    for_ms: int = 0
    keep_ms: int = 0
    no_data: Missing = Missing.KEEP
    error: Missing = Missing.KEEP
    interval_s: int = 60
    hours: str = ""
    variant: str = ""
    by_node: bool = True

    @property
    def uid(self) -> str:
        """Its identity in Grafana, at most 40 characters."""
        full = "-".join(part for part in ("cn", self.rule, self.level.word, self.variant) if part)
        if len(full) <= _LONGEST_UID:
            return full
        return f"{full[:31]}-{sha256(full.encode()).hexdigest()[:8]}"

    def titled(self, more: str) -> Alert:
        """Return it with something added to its title: titles are unique in a folder."""
        return replace(self, title=f"{self.title} {more}")

    def to_dict(self) -> Json:
        """Return the rule as a provisioning file holds it."""
        return {
            "uid": self.uid,
            "title": self.title.replace("$", "$$"),
            "condition": "C",
            "data": self._data(),
            "for": duration(self.for_ms),
            "keepFiringFor": duration(self.keep_ms),
            "noDataState": self.no_data.value,
            "execErrState": self.error.value,
            "isPaused": False,
            "labels": self._labels(),
            "annotations": {
                "summary": f"{self.summary_zh} / {self.summary_en}",
                "summary_zh": self.summary_zh,
                "summary_en": self.summary_en,
            },
        }

    def _labels(self) -> Json:
        """Values between braces are filled in by Grafana; a dollar is doubled, or it would be a variable."""
        labels = {
            "rule": self.rule,
            "level": self.level.word,
            "system": self.system,
            "source": self.source,
            "subject": f"{self.rule}/{{{{ $$labels.node }}}}" if self.by_node else self.rule,
        }
        return {**labels, "hours": self.hours} if self.hours else labels

    def _data(self) -> list[Json]:
        steps = [_query("A", self.ask), _reduce("B", "A")]
        judged = "B"
        if self.limit is not None:
            times = "" if self.limit_factor == 1 else f"{self.limit_factor:g} * "
            distance = {"type": "math", "expression": f"$B - {times}$N"}
            steps += [_query("M", self.limit), _reduce("N", "M"), _expression("D", distance)]
            judged = "D"
        condition: Json = {"evaluator": _compare("lte" if self.below else "gte", self.enter)}
        if self.leave != self.enter:
            condition["unloadEvaluator"] = _compare("gt" if self.below else "lt", self.leave)
        return [
            *steps,
            _expression("C", {"type": "threshold", "expression": judged, "conditions": [condition]}),
        ]


def duration(span_ms: int) -> str:
    """Return a duration as Grafana reads it, in whole seconds."""
    return f"{-(-span_ms // 1000)}s"


def _compare(how: str, value: float) -> Json:
    return {"type": how, "params": [value]}


def _query(ref: str, ask: Ask) -> Json:
    return {
        "refId": ref,
        "relativeTimeRange": {"from": ask.window_s, "to": 0},
        "datasourceUid": SOURCE["uid"],
        "model": {
            "refId": ref,
            "datasource": SOURCE,
            "rawQuery": True,
            "query": ask.text,
            "resultFormat": "time_series",
            "intervalMs": 1000,
            "maxDataPoints": 43200,
        },
    }


def _reduce(ref: str, of: str) -> Json:
    return _expression(
        ref, {"type": "reduce", "expression": of, "reducer": "last", "settings": {"mode": "dropNN"}}
    )


def _expression(ref: str, model: Json) -> Json:
    source = {"type": EXPRESSION, "uid": EXPRESSION}
    return {"refId": ref, "datasourceUid": EXPRESSION, "model": {"refId": ref, "datasource": source, **model}}
