"""All of it as files: what Grafana reads from provisioning/alerting, in either mode."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from itertools import groupby

from dashboards.alerting.alert import Alert
from dashboards.alerting.hours import mute_timings
from dashboards.alerting.routes import contact_points, policies
from dashboards.alerting.said import say
from dashboards.alerting.table import table
from dashboards.alerting.templates import templates
from dashboards.alerting.watchers import own_alerts
from dashboards.panels import Json
from edge.rules.load import load_rules
from edge.rules.rule import Rule

FOLDER = "City Neuron alerts"
"""A folder of their own: alerts are read before boards, whose folder has a uid that must still be free."""
HEAD = "# Generated from the rules (cityneuron dashboards build). JSON, which is YAML too: see README.md.\n"


class Mode(StrEnum):
    """Who tells people: the stack itself, watched by Grafana; or Grafana, all that can be said in it."""

    WATCHERS = "watchers"
    ALL_GRAFANA = "all-grafana"


def alerts(mode: Mode, rules: Iterable[Rule] | None = None) -> tuple[Alert, ...]:
    """Return the alerts of a mode; `rules` are the shipped ones by default."""
    said = say(load_rules() if rules is None else rules)
    found = own_alerts() + tuple(alert for one in said for alert in one.alerts)
    return tuple(alert for alert in found if mode is Mode.ALL_GRAFANA or alert.source == "watchers")


def files(mode: Mode | str = Mode.WATCHERS, rules: Iterable[Rule] | None = None) -> dict[str, Json]:
    """Return each file by name. What the other mode has beyond this one is deleted, since Grafana keeps it."""
    rules = load_rules() if rules is None else tuple(rules)
    mode = Mode(mode)
    found, duty = alerts(mode, rules), mode is Mode.ALL_GRAFANA
    hours = {alert.hours for alert in found if alert.hours}
    judged = {alert.rule for alert in found if alert.hours}
    schedules = [rule.schedule for rule in rules if rule.name in judged and rule.schedule is not None]
    left = {alert.uid for alert in alerts(Mode.ALL_GRAFANA, rules)} - {alert.uid for alert in found}
    gone = {"deleteRules": [{"orgId": 1, "uid": uid} for uid in sorted(left)]} if left else {}
    contents = {
        "rules.yaml": {"groups": _groups(found), **gone},
        "contact-points.yaml": {"contactPoints": contact_points(duty=duty)},
        "policies.yaml": {"policies": policies(hours, duty=duty)},
        "mute-timings.yaml": {"muteTimes": mute_timings(schedules)},
        "templates.yaml": {"templates": templates()},
    }
    return {name: {"apiVersion": 1, **content} for name, content in contents.items()}


def rendered() -> dict[str, str]:
    """Return the bytes of every file of both modes, and the table of what can be said, by relative path."""
    found = {
        f"{mode}/{name}": HEAD + _laid_out(content) + "\n"
        for mode in Mode
        for name, content in files(mode).items()
    }
    return {**found, "rules.md": table(say(load_rules()), own_alerts())}


def _laid_out(content: Json) -> str:
    """Return JSON with a line for each rule, so that a change shows as the rule that changed."""
    lines: dict[str, str] = {}
    marked = {**content}
    if "groups" in content:
        marked["groups"] = []
        for group in content["groups"]:
            keys = [f"{group['name']}/{number}" for number in range(len(group["rules"]))]
            lines |= {
                f'"{key}"': json.dumps(rule, ensure_ascii=False)
                for key, rule in zip(keys, group["rules"], strict=True)
            }
            marked["groups"].append({**group, "rules": keys})
    text = json.dumps(marked, ensure_ascii=False, indent=1)
    for key, line in lines.items():
        text = text.replace(key, line, 1)
    return text


def _groups(found: Iterable[Alert]) -> list[Json]:
    """A group a system; of the watchers another, and one for those that are asked more often."""

    def group(alert: Alert) -> tuple[str, int]:
        return ("watchers" if alert.source == "watchers" else alert.system), alert.interval_s

    return [
        {
            "orgId": 1,
            "name": name if interval_s == 60 else f"{name} ({interval_s} s)",
            "folder": FOLDER,
            "interval": f"{interval_s}s",
            "rules": [alert.to_dict() for alert in members],
        }
        for (name, interval_s), members in groupby(sorted(found, key=group), key=group)
    ]
