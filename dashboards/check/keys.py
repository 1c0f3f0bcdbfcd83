"""Keys: alert files say only what Grafana reads. A key that it does not know it ignores, without a word."""

from __future__ import annotations

from typing import Any

from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, Json

Shape = dict[str, Any]

# key -> its type; "!" marks what may not be absent; a text names another shape, a list holds many of its entry.
# From Grafana's provisioning/alerting (rules_types, contact_point_types, mute_times_types...) and its Route.
SHAPES: dict[str, Shape] = {
    "file": {
        "apiVersion!": int,
        "groups": ["group"],
        "deleteRules": ["by uid"],
        "contactPoints": ["contact point"],
        "deleteContactPoints": ["by uid"],
        "policies": ["root policy"],
        "resetPolicies": [int],
        "muteTimes": ["mute timing"],
        "deleteMuteTimes": ["by name"],
        "templates": ["template"],
        "deleteTemplates": ["by name"],
    },
    "by uid": {"orgId": int, "uid!": str},
    "by name": {"orgId": int, "name!": str},
    "group": {"orgId": int, "name!": str, "folder!": str, "interval!": str, "rules!": ["rule"]},
    "rule": {
        "uid!": str,
        "title!": str,
        "condition!": str,
        "data!": ["step"],
        "dashboardUid": str,
        "panelId": int,
        "noDataState!": str,
        "execErrState!": str,
        "for!": str,
        "keepFiringFor": str,
        "missing_series_evals_to_resolve": int,
        "annotations": dict,
        "labels": dict,
        "isPaused": bool,
        "notification_settings": "notification settings",
    },
    "step": {
        "refId!": str,
        "queryType": str,
        "relativeTimeRange": "range",
        "datasourceUid!": str,
        "model!": dict,
    },
    "range": {"from!": int, "to!": int},
    "notification settings": {
        "receiver!": str,
        "group_by": [str],
        "group_wait": str,
        "group_interval": str,
        "repeat_interval": str,
        "mute_time_intervals": [str],
        "active_time_intervals": [str],
    },
    "contact point": {"orgId": int, "name!": str, "receivers!": ["receiver"]},
    "receiver": {"uid!": str, "type!": str, "settings!": dict, "disableResolveMessage": bool},
    "policy": {
        "receiver": str,
        "group_by": [str],
        "matchers": [str],
        "object_matchers": [list],
        "mute_time_intervals": [str],
        "active_time_intervals": [str],
        "continue": bool,
        "routes": ["policy"],
        "group_wait": str,
        "group_interval": str,
        "repeat_interval": str,
    },
    "root policy": {
        "orgId": int,
        "receiver!": str,
        "group_by": [str],
        "routes": ["policy"],
        "group_wait": str,
        "group_interval": str,
        "repeat_interval": str,
    },
    "mute timing": {"orgId": int, "name!": str, "time_intervals!": ["interval"]},
    "interval": {
        "times": ["times"],
        "weekdays": [str],
        "days_of_month": [str],
        "months": [str],
        "years": [str],
        "location": str,
    },
    "times": {"start_time!": str, "end_time!": str},
    "template": {"orgId": int, "name!": str, "template!": str},
}


def check(files: Files) -> Faults:
    """Hold every alert file against the table."""
    for name, content in files.alerting.items():
        for where, what, remedy in _shape(content, "file", ""):
            yield Fault(file=name, where=where or "file", what=what, remedy=remedy)
        if content.get("apiVersion") != 1:
            yield Fault(
                file=name,
                where="file",
                what=f"says apiVersion {content.get('apiVersion')!r}",
                remedy="set it to 1",
            )


def _shape(value: Json, shape: str, where: str) -> list[tuple[str, str, str]]:
    known = {key.rstrip("!"): wanted for key, wanted in SHAPES[shape].items()}
    found = []
    for key in sorted(value.keys() - known.keys(), key=str):
        meant = next(
            (other for other in known if other.lower().replace("_", "") == key.lower().replace("_", "")), ""
        )
        remedy = f"write {meant}" if meant else f"a {shape} has {', '.join(known)}"
        found.append((where, f"{shape} has the key {key!r}, which Grafana ignores", remedy))
    for key in SHAPES[shape]:
        if key.endswith("!") and value.get(key[:-1]) in (None, ""):
            found.append((where, f"{shape} lacks {key[:-1]}", f"give the {shape} a {key[:-1]}"))
    for key, inner in value.items():
        if key in known and inner is not None:
            found += _value(inner, known[key], _name(where, key, inner))
    return found


def _value(value: Any, wanted: Any, where: str) -> list[tuple[str, str, str]]:
    if isinstance(wanted, list):
        if not isinstance(value, list):
            return [(where, f"is {_said(value)} where a list belongs", "write a list")]
        return [
            fault
            for number, entry in enumerate(value, 1)
            for fault in _value(entry, wanted[0], _name(where, str(number), entry))
        ]
    if isinstance(wanted, str):
        if not isinstance(value, dict):
            return [(where, f"is {_said(value)} where a {wanted} belongs", "write its keys and values")]
        return _shape(value, wanted, where)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        remedy = "put it in quotes" if wanted is str else f"write a value of the type {wanted.__name__}"
        return [(where, f"is {_said(value)} where a {wanted.__name__} belongs", remedy)]
    return []


def _name(where: str, key: str, entry: Any) -> str:
    """The place below: an entry of a list by its own name, if it has one."""
    own = (
        next((entry[k] for k in ("title", "name", "uid", "refId") if entry.get(k)), "")
        if isinstance(entry, dict)
        else ""
    )
    if own and key.isdigit():
        key = f"“{own}”"
    return f"{where} / {key}" if where else key


def _said(value: Any) -> str:
    return f"the {type(value).__name__} {value!r}"[:60]
