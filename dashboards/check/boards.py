"""Boards and panels: what a reader needs (titles, descriptions, units) and what identifies them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, Json
from dashboards.check.walk import as_dict, as_dicts, panels

UNITS = Path(__file__).resolve().parents[1] / "schemas" / "units.txt"
UID = re.compile(r"[A-Za-z0-9_-]{1,40}")

WITHOUT_DATA = frozenset({"text", "dashlist", "alertlist", "annolist", "news", "welcome"})
"""Panels that ask no store."""
WITHOUT_UNIT = WITHOUT_DATA | {"logs", "nodeGraph", "traces"}

TYPES = WITHOUT_UNIT | frozenset(
    {
        "timeseries",
        "stat",
        "gauge",
        "bargauge",
        "table",
        "state-timeline",
        "status-history",
        "geomap",
        "piechart",
    }
    | {
        "barchart",
        "histogram",
        "heatmap",
        "xychart",
        "trend",
        "canvas",
        "candlestick",
        "datagrid",
        "flamegraph",
    }
)
"""Panels that every Grafana 12 has; others are plug-ins that somebody would have to install."""

TARGET_KEYS = frozenset(
    {"refId", "datasource", "hide", "key", "queryType", "intervalMs", "maxDataPoints", "query", "rawQuery"}
    | {"resultFormat", "alias", "measurement", "policy", "select", "groupBy", "tags", "orderByTime", "limit"}
    | {"slimit", "tz", "adhocFilters", "rawSql", "textEditor", "fromAnnotations", "name"}
)
"""What a target of Grafana's InfluxDB data source may say; a key beside these is a slip of the pen."""

FEWEST_LETTERS = 20
MOST_DECIMALS = 9
_FORMATS = ("time_series", "table", "logs")


@cache
def units() -> frozenset[str]:
    """Return the ids of the units that Grafana knows."""
    return frozenset(UNITS.read_text(encoding="utf-8").split())


def is_unit(unit: Any) -> bool:
    """Return whether Grafana draws the unit: one of its own, or a text before or after the number."""
    if not isinstance(unit, str):
        return False
    kind, _, shown = unit.partition(":")
    if kind in ("suffix", "prefix", "time", "si", "count", "currency") and shown:
        return True
    return unit in units()


def check(files: Files) -> Faults:
    """Look at every board and every panel."""
    uids: dict[str, str] = {}
    for name, board in files.boards.items():
        uid = board.get("uid")
        if not isinstance(uid, str) or not UID.fullmatch(uid):
            yield _board(name, f"has no usable uid: {uid!r}", "set uid: at most 40 letters, digits, - and _")
        elif uid in uids:
            yield _board(name, f"has the uid {uid}, as has {uids[uid]}", "give each board its own uid")
        else:
            uids[uid] = name
        if not board.get("title"):
            yield _board(name, "has no title", "set title")
        if len(str(board.get("description") or "")) < FEWEST_LETTERS:
            yield _board(name, "has no description", "say in a sentence what the board is for")
        if not isinstance(board.get("schemaVersion"), int):
            yield _board(name, "has no schemaVersion", "set it to that of Grafana 12, 41")
        for where, panel in panels(board):
            for what, remedy in (*_words(panel), *_numbers(panel), *_targets(panel)):
                yield Fault(file=name, where=where, what=what, remedy=remedy)


def _board(name: str, what: str, remedy: str) -> Fault:
    return Fault(file=name, where="board", what=what, remedy=remedy)


def _words(panel: Json) -> list[tuple[str, str]]:
    found = []
    if not panel.get("title"):
        found.append(("has no title", "set title"))
    if len(str(panel.get("description") or "").strip()) < FEWEST_LETTERS:
        found.append(("has no description", "say what it shows, in which unit, how it was averaged"))
    if panel.get("type") not in TYPES:
        found.append(
            (f"is of the type {panel.get('type')!r}, which Grafana does not have", "choose another type")
        )
    return found


def _numbers(panel: Json) -> list[tuple[str, str]]:
    """Units, decimals and thresholds, in the defaults and in the overrides."""
    found = []
    config = as_dict(panel.get("fieldConfig"))
    properties = [
        prop for override in as_dicts(config.get("overrides")) for prop in as_dicts(override.get("properties"))
    ]
    said = [(key, value) for key, value in as_dict(config.get("defaults")).items()]
    said += [(str(prop.get("id")), prop.get("value")) for prop in properties]
    if panel.get("type") not in WITHOUT_UNIT and not any(key == "unit" and value for key, value in said):
        found.append(("has no unit", "set fieldConfig.defaults.unit; `none` where there is none"))
    for key, value in said:
        if key == "unit" and value and not is_unit(value):
            found.append((f"has the unit {value!r}, which Grafana does not know", "see dashboards/units.py"))
        if key == "decimals" and not (type(value) is int and 0 <= value <= MOST_DECIMALS):
            found.append((f"has {value!r} decimals", f"set a whole number from 0 to {MOST_DECIMALS}"))
        if key == "thresholds":
            found += _thresholds(as_dict(value))
    return found


def _thresholds(thresholds: Json) -> list[tuple[str, str]]:
    values = [step.get("value") for step in as_dicts(thresholds.get("steps"))]
    if not values or values[0] is not None:
        return [("has thresholds without a base", "begin the steps with the value null")]
    rest = values[1:]
    numbers = [value for value in rest if isinstance(value, int | float)]
    if rest != numbers or numbers != sorted(set(numbers)):
        return [(f"has thresholds out of order: {rest}", "let the steps rise")]
    return []


def _targets(panel: Json) -> list[tuple[str, str]]:
    """What a panel asks: something, once under each letter, in a form that Grafana reads."""
    if panel.get("type") in WITHOUT_DATA:
        return []
    targets = as_dicts(panel.get("targets"))
    if not targets:
        return [("asks nothing", "give it a target, or make it a text panel")]
    found = []
    letters = [target.get("refId") for target in targets]
    if not all(letters) or len(set(letters)) != len(letters):
        found.append((f"gives the refIds {letters}", "give each target a letter of its own"))
    for target in targets:
        if target.get("resultFormat", "time_series") not in _FORMATS:
            found.append(
                (f"asks for the format {target['resultFormat']!r}", f"use one of {', '.join(_FORMATS)}")
            )
        if "query" in target and target.get("rawQuery") is not True:
            found.append(("has a query that Grafana ignores: rawQuery is not true", "set rawQuery"))
        for key in sorted(target.keys() - TARGET_KEYS):
            found.append(
                (f"has the key {key!r} in a target, which Grafana does not read", "remove or rename it")
            )
    return found
