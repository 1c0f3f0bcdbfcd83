"""Alert rules: A asks, B reduces, C decides by one threshold."""

from __future__ import annotations

import re
from typing import Any

from dashboards.check import words
from dashboards.check.boards import UID
from dashboards.check.catalogue import measurements
from dashboards.check.durations import milliseconds
from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, Json, generated
from dashboards.check.walk import EXPRESSION, as_dict, as_dicts, panels, rules, steps
from edge.model.kinds import KINDS

_NO_DATA = ("NoData", "OK", "Alerting", "KeepLast")
_ERROR = ("Error", "OK", "Alerting", "KeepLast")
_REDUCERS = frozenset({"last", "mean", "min", "max", "sum", "count", "median"})
_EXPRESSIONS = frozenset({"reduce", "math", "resample", "threshold"})
_PARAMETERS = {"gt": 1, "lt": 1, "gte": 1, "lte": 1, "eq": 1, "ne": 1} | dict.fromkeys(
    ("within_range", "outside_range", "within_range_included", "outside_range_included"), 2
)
_BASE_MS = 10_000  # Grafana's scheduler beats every ten seconds
Words = list[tuple[str, str]]


def check(files: Files) -> Faults:
    """Look at every rule and every group."""
    there = generated() | {str(board.get("uid")): board for board in files.boards.values()}
    uids: dict[Any, str] = {}
    titles: set[tuple[Any, Any]] = set()
    for name, where, rule, group in rules(files):
        found = [*_states(rule), *_steps(rule), *_condition(rule), *words.faults(rule), *_board(rule, there)]
        uid, title = rule.get("uid"), (group.get("folder"), rule.get("title"))
        if uid in uids:
            found.append((f"has the uid {uid}, as has {uids[uid]}", "give each rule its own uid"))
        if title in titles:
            found.append(("has the title of another rule in its folder", "Grafana takes a title once a folder"))
        uids[uid], titles = where, titles | {title}
        for what, remedy in found:
            yield Fault(file=name, where=where, what=what, remedy=remedy)
    for name, gone in files.entries("deleteRules"):
        if gone.get("uid") in uids:
            yield Fault(
                file=name,
                where=f"deleteRules {gone['uid']}",
                what="deletes a rule that the files make",
                remedy="remove one of the two",
            )
    for name, group in files.entries("groups"):
        interval_ms = milliseconds(group.get("interval"))
        if not interval_ms or interval_ms % _BASE_MS:
            yield Fault(
                file=name,
                where=f"group {group.get('name', '?')}",
                what=f"is evaluated every {group.get('interval')!r}",
                remedy="Grafana beats every ten seconds: use a multiple, such as 1m",
            )


def _states(rule: Json) -> Words:
    found = []
    if not UID.fullmatch(str(rule.get("uid") or "")):
        found.append((f"has no usable uid: {rule.get('uid')!r}", "use at most 40 letters, digits, - and _"))
    for key, allowed in (("noDataState", _NO_DATA), ("execErrState", _ERROR)):
        if rule.get(key) not in allowed:
            found.append(
                (f"says {key} {rule.get(key)!r}", f"say one of {', '.join(allowed)}, whatever the default")
            )
    for key in ("for", "keepFiringFor"):
        if rule.get(key) is not None and milliseconds(rule[key]) is None:
            found.append((f"says {key}: {rule[key]!r}, which is no duration", "write 5m, 1h30m or 0s"))
    return found


def _steps(rule: Json) -> Words:
    found: Words = []
    letters = [step.get("refId") for step in steps(rule)]
    if len(set(letters)) != len(letters):
        found.append((f"gives the refIds {letters}", "give each step a letter of its own"))
    asking = {str(step.get("refId")) for step in steps(rule) if step.get("datasourceUid") != EXPRESSION}
    reached = _reached(rule, asking)
    for step in steps(rule):
        letter, model = step.get("refId"), as_dict(step.get("model"))
        if model.get("refId", letter) != letter:
            found.append((f"{letter}: its model says refId {model['refId']!r}", "give both the same letter"))
        if step.get("datasourceUid") != EXPRESSION:
            found += [(f"{letter}: {what}", remedy) for what, remedy in _asking(step, model)]
            continue
        kind = model.get("type")
        if kind not in _EXPRESSIONS:
            found.append((f"{letter}: is the expression {kind!r}", f"use {', '.join(sorted(_EXPRESSIONS))}"))
        read = model.get("expression")
        if not _read(model) <= reached:
            found.append((f"{letter}: reads {read!r}, which no step gives", "name one that does not need it"))
        if kind in ("threshold", "math") and _read(model) & asking:
            found.append((f"{letter}: reads {read!r}, which is a series, no number", "reduce it first"))
        if kind == "reduce":
            found += [(f"{letter}: {what}", remedy) for what, remedy in _reducing(model)]
        if kind == "threshold":
            found += [(f"{letter}: {what}", remedy) for what, remedy in _deciding(model)]
    return found


def _read(model: Json) -> set[str]:
    """Return the steps that an expression reads."""
    read = str(model.get("expression"))
    return set(re.findall(r"\$\{?(\w+)", read)) if model.get("type") == "math" else {read}


def _reached(rule: Json, asking: set[str]) -> set[str]:
    """Return the steps that can be worked out, whatever their order; those in a circle cannot."""
    reached = {*asking}
    for _ in steps(rule):
        reached |= {
            str(step.get("refId")) for step in steps(rule) if _read(as_dict(step.get("model"))) <= reached
        }
    return reached


def _asking(step: Json, model: Json) -> Words:
    found = []
    if model.get("rawQuery") is not True:
        found.append(("rawQuery is not true, so the query is ignored", "set rawQuery"))
    if model.get("resultFormat") != "time_series":
        found.append((f"asks for the format {model.get('resultFormat')!r}", "set resultFormat to time_series"))
    span = as_dict(step.get("relativeTimeRange"))
    start, end = span.get("from"), span.get("to")
    if not (isinstance(start, int) and isinstance(end, int) and start > end >= 0):
        found.append(
            (f"looks from {start!r} to {end!r} s ago", "set relativeTimeRange, from before to: 600 and 0")
        )
    else:
        periods = [
            KINDS[kind].period_s for kind in measurements(str(model.get("query") or "")) if kind in KINDS
        ]
        if periods and start - end < min(periods):
            what = f"looks {start - end} s back, and readings come every {min(periods):g} s"
            found.append((what, "look back two periods at least"))
    return found


def _reducing(model: Json) -> Words:
    found = []
    if model.get("reducer") not in _REDUCERS:
        found.append((f"reduces by {model.get('reducer')!r}", f"use one of {', '.join(sorted(_REDUCERS))}"))
    mode = as_dict(model.get("settings")).get("mode")
    if mode not in ("dropNN", "replaceNN"):
        found.append(("lets values that are no numbers through", "set settings.mode to dropNN"))
    return found


def _deciding(model: Json) -> Words:
    conditions = as_dicts(model.get("conditions"))
    if len(conditions) != 1:
        return [(f"has {len(conditions)} conditions; Grafana evaluates exactly one", "make a rule of each")]
    enter, leave = (as_dict(conditions[0].get(key)) for key in ("evaluator", "unloadEvaluator"))
    found = []
    for evaluator in filter(None, (enter, leave)) if enter else ({},):
        kind, values = evaluator.get("type"), evaluator.get("params")
        numbers = [v for v in values if isinstance(v, int | float)] if isinstance(values, list) else []
        if kind not in _PARAMETERS or len(numbers) < _PARAMETERS[kind]:
            found.append((f"compares by {kind!r} with {values!r}", "use gt, lt or a range, with its numbers"))
    if found or not leave:
        return found
    (up, high), (down, low) = ((e["type"][:2], e["params"][0]) for e in (enter, leave))
    quiet = {("gt", "lt"): low <= high, ("lt", "gt"): low >= high}.get((up, down))
    if quiet is False:
        return [(f"leaves at {low:g} before it enters at {high:g}", "put the leaving value on the quiet side")]
    if quiet is None and up in ("gt", "lt"):
        return [(f"enters by {up} and leaves by {down}", "leave in the other direction")]
    return []


def _condition(rule: Json) -> Words:
    deciding = next((step for step in steps(rule) if step.get("refId") == rule.get("condition")), None)
    if deciding is None:
        return [(f"is decided by {rule.get('condition')!r}, which no step gives", "name the threshold step")]
    if as_dict(deciding.get("model")).get("type") not in ("threshold", "math"):
        return [(f"is decided by {rule.get('condition')}, which is no threshold", "name the threshold step")]
    return []


def _board(rule: Json, there: dict[str, Json]) -> Words:
    uid, panel = rule.get("dashboardUid"), rule.get("panelId")
    if not uid:
        return [("names a panel but no board", "set dashboardUid")] if panel else []
    if uid not in there:
        return [(f"points to the board {uid}, which is not there", f"name one of {', '.join(sorted(there))}")]
    if panel and all(found.get("id") != panel for _, found in panels(there[uid])):
        return [(f"points to panel {panel} of {uid}, which is not there", "name a panel's id")]
    return []
