"""Who is told: contact points, and the policies by which alerts find them.

Addresses come from the environment of Grafana's server. A mute timing holds nothing back for good: what still
lasts when it ends is told then.
"""

from __future__ import annotations

from collections.abc import Iterable

from dashboards.alerting.hours import QUIET_HOURS, outside
from dashboards.panels import Json

OPERATIONS, DUTY = "City Neuron operations", "City Neuron duty"
"""Those who keep the network itself running; those who are called for what it measures."""

URGENT = ("pipeline_silent", "cloud_silent", "gateway_lost")


def contact_points(*, duty: bool) -> list[Json]:
    """Return the contact points; `duty` only where Grafana judges the city too."""
    points = [_mail(OPERATIONS, "city-neuron-operations", "$GRAFANA_OPERATIONS_EMAIL")]
    return [*points, _mail(DUTY, "city-neuron-duty", "$GRAFANA_DUTY_EMAIL")] if duty else points


def policies(hours: Iterable[str], *, duty: bool) -> list[Json]:
    """Return the one tree of policies; `hours` are those of rules that are not always in force."""
    routes = [
        _route(OPERATIONS, [["rule", "=~", "|".join(URGENT)]], ("10s", "1m", "1h")),
        _route(OPERATIONS, [["rule", "=", "node_silent"]], ("2m", "15m", "1d"), QUIET_HOURS),
    ]
    if duty:
        city = ["source", "=", "city"]
        routes += [
            _route(DUTY, [city, ["hours", "=", span]], ("1m", "5m", "12h"), outside(span))
            for span in sorted(set(hours))
        ]
        routes += [
            _route(DUTY, [city, ["level", "=~", "red|orange"]], ("10s", "1m", "1h")),
            _route(DUTY, [city, ["level", "=", "yellow"]], ("1m", "5m", "4h")),
            _route(DUTY, [city, ["level", "=", "blue"]], ("1m", "5m", "12h"), QUIET_HOURS),
        ]
    root = {"receiver": OPERATIONS, "group_by": ["rule", "district"], **_waits("30s", "5m", "4h")}
    return [{"orgId": 1, **root, "routes": routes}]


def _route(receiver: str, matchers: list[list[str]], waits: tuple[str, str, str], muted: str = "") -> Json:
    route: Json = {"receiver": receiver, "object_matchers": matchers, **_waits(*waits)}
    return {**route, "mute_time_intervals": [muted]} if muted else route


def _waits(first: str, more: str, again: str) -> Json:
    return {"group_wait": first, "group_interval": more, "repeat_interval": again}


def _mail(name: str, uid: str, addresses: str) -> Json:
    settings = {
        "addresses": addresses,
        "singleEmail": True,
        "subject": '{{ template "city.subject" . }}',
        "message": '{{ template "city.message" . }}',
    }
    receiver = {"uid": uid, "type": "email", "settings": settings, "disableResolveMessage": False}
    return {"orgId": 1, "name": name, "receivers": [receiver]}
