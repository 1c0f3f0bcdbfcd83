"""Grafana's judgement of a provisioned rule, A -> B -> C and state by state, on a real InfluxDB.

After Grafana 12's own sources (pkg/expr: reduce, math, threshold, hysteresis; pkg/services/ngalert/state): a
series is an instance, known by its tags. Written for tests alone: Grafana itself cannot be had here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import servers

Json = dict[str, Any]
Labels = frozenset[tuple[str, str]]
Numbers = dict[Labels, float | None]

STALE_EVALUATIONS = 2
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class RuleError(AssertionError):
    """Grafana would refuse the rule, or could not evaluate it."""


@dataclass(slots=True)
class Instance:
    """One series of a rule: Normal, Pending, Alerting or Recovering, and since when."""

    state: str = "Normal"
    since_s: int = 0
    seen_s: int = 0
    reason: str = ""

    @property
    def fires(self) -> bool:
        """Whether people are told."""
        return self.state in ("Alerting", "Recovering")


@dataclass(slots=True)
class Evaluator:
    """A rule in Grafana's hands; `at` is called with the time of each evaluation, in order."""

    rule: Json
    interval_s: int
    store: servers.InfluxDB
    db: str = "city"
    instances: dict[Labels, Instance] = field(default_factory=dict)

    def at(self, now_s: int) -> dict[str, str]:
        """Evaluate once; return the state of each instance by its node ("" where there is none)."""
        try:
            values = self._values(now_s)
        except (servers.ServerError, OSError) as error:
            if ": 400 " in str(error):
                raise RuleError(str(error)) from None
            self._nothing(now_s, self.rule["execErrState"], "Error")
        else:
            if values:
                self._results(now_s, values)
            else:
                self._nothing(now_s, self.rule["noDataState"], "NoData")
        return {dict(labels).get("node", ""): one.state for labels, one in self.instances.items()}

    def through(self, *times_s: int) -> dict[str, str]:
        """Evaluate at each time; return the last answer."""
        return [self.at(now_s) for now_s in times_s][-1]

    def _values(self, now_s: int) -> dict[Labels, bool | None]:
        """Return, for each instance, whether the condition holds; None where its value is null."""
        found: dict[str, Any] = {}
        for step in self.rule["data"]:
            model = step["model"]
            if step["datasourceUid"] != "__expr__":
                found[step["refId"]] = self._query(step, now_s)
            elif model["type"] == "reduce":
                found[step["refId"]] = _reduced(model, found)
            elif model["type"] == "math":
                found[step["refId"]] = _math(model["expression"], found)
            else:
                found[step["refId"]] = self._threshold(model, found)
        condition: dict[Labels, bool | None] = found[self.rule["condition"]]
        return condition

    def _query(self, step: Json, now_s: int) -> dict[Labels, list[float | None]]:
        model, span = step["model"], step["relativeTimeRange"]
        assert model["rawQuery"] is True
        assert model["resultFormat"] == "time_series"
        begin_ms, end_ms = (now_s - span["from"]) * 1000, (now_s - span["to"]) * 1000
        text = model["query"].replace("$timeFilter", f"time >= {begin_ms}ms and time <= {end_ms}ms")
        if re.search(r"\$[\w{]", text):
            raise RuleError(f"Grafana fills in no variable here: {text}")
        answer = self.store.query(self.db, text)["results"][0]
        if "error" in answer:
            raise RuleError(answer["error"])
        found: dict[Labels, list[float | None]] = {}
        for series in answer.get("series", ()):
            if len(series["columns"]) != 2:
                raise RuleError(f"one value a series, not {series['columns']}")
            labels = frozenset(series.get("tags", {}).items())
            if labels in found:
                raise RuleError(f"two series with the labels {dict(labels)}")
            found[labels] = [row[1] for row in series["values"]]
        return found

    def _threshold(self, model: Json, found: Json) -> dict[Labels, bool | None]:
        if len(model["conditions"]) != 1:
            raise RuleError("a threshold has exactly one condition")
        (condition,) = model["conditions"]
        leave = condition.get("unloadEvaluator")
        held: dict[Labels, bool | None] = {}
        for labels, value in found[model["expression"]].items():
            one = self.instances.get(labels)
            loaded = one is not None and one.state in ("Alerting", "Pending") and not one.reason
            if value is None:
                held[labels] = None
            elif loaded and leave is not None:
                held[labels] = not _holds(leave, value)
            else:
                held[labels] = _holds(condition["evaluator"], value)
        return held

    def _results(self, now_s: int, values: dict[Labels, bool | None]) -> None:
        for labels, holds in values.items():
            one = self.instances.setdefault(labels, Instance(since_s=now_s))
            one.seen_s, one.reason = now_s, ""
            if holds is None:
                self._missing(one, now_s, self.rule["noDataState"], "NoData")
            else:
                self._judge(one, now_s, holds)
        for labels, one in list(self.instances.items()):
            if labels not in values and now_s - one.seen_s >= STALE_EVALUATIONS * self.interval_s:
                del self.instances[labels]  # resolved, says Grafana: MissingSeries

    def _nothing(self, now_s: int, becomes: str, reason: str) -> None:
        """No series at all, or no answer: the same is true of every instance; there is one at least."""
        if not self.instances:
            self.instances[frozenset()] = Instance(since_s=now_s)
        for one in self.instances.values():
            one.seen_s = now_s
            self._missing(one, now_s, becomes, reason)

    def _missing(self, one: Instance, now_s: int, becomes: str, reason: str) -> None:
        one.reason = f"{reason}, {becomes}"
        if becomes == "Alerting":
            self._judge(one, now_s, True)
        elif becomes == "OK":
            self._judge(one, now_s, False)
        elif becomes != "KeepLast":
            raise RuleError(f"unexpected state: {becomes}")
        elif one.state == "Pending":
            self._judge(one, now_s, True)

    def _judge(self, one: Instance, now_s: int, holds: bool) -> None:
        if holds:
            if one.state == "Normal":
                one.state, one.since_s = "Pending", now_s
            if one.state == "Recovering" or (
                one.state == "Pending" and now_s - one.since_s >= seconds(self.rule["for"])
            ):
                one.state, one.since_s = "Alerting", now_s
        elif one.state == "Pending":
            one.state, one.since_s = "Normal", now_s
        elif one.state == "Alerting":
            keeps = seconds(self.rule["keepFiringFor"]) > 0
            one.state, one.since_s = ("Recovering" if keeps else "Normal"), now_s
        elif one.state == "Recovering" and now_s - one.since_s >= seconds(self.rule["keepFiringFor"]):
            one.state, one.since_s = "Normal", now_s


def seconds(text: str) -> int:
    """Read a duration as Prometheus and Grafana write it."""
    parts = re.fullmatch(r"(?:\d+[smhd])+", text) and re.findall(r"(\d+)([smhd])", text)
    if not parts:
        raise RuleError(f"no duration: {text!r}")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def _reduced(model: Json, found: Json) -> Numbers:
    if model["reducer"] != "last" or model["settings"]["mode"] != "dropNN":
        raise RuleError(f"not reduced by last and dropNN: {model}")
    series: dict[Labels, list[float | None]] = found[model["expression"]]
    kept = {labels: [value for value in values if value is not None] for labels, values in series.items()}
    return {labels: values[-1] if values else None for labels, values in kept.items()}


def _math(expression: str, found: Json) -> Numbers:
    """`$B - 2 * $N`: the instances that both have."""
    match = re.fullmatch(r"\$(\w+) - (?:([\d.]+) \* )?\$(\w+)", expression)
    if match is None:
        raise RuleError(f"more than these tests know: {expression}")
    left, factor, right = found[match[1]], float(match[2] or 1), found[match[3]]
    both = left.keys() & right.keys()
    return {
        labels: None if left[labels] is None or right[labels] is None else left[labels] - factor * right[labels]
        for labels in both
    }


def _holds(evaluator: Json, value: float) -> bool:
    (limit,) = evaluator["params"]
    answers = {"gt": value > limit, "lt": value < limit, "gte": value >= limit, "lte": value <= limit}
    if evaluator["type"] not in answers:
        raise RuleError(f"unknown evaluator: {evaluator}")
    return answers[evaluator["type"]]
