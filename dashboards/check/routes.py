"""Contact points and policies: whoever is to be told exists, and no route is out of reach."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dashboards.check.durations import milliseconds
from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, Json
from dashboards.check.influxql import grouped_by
from dashboards.check.walk import as_dict, as_dicts, policies, rules, steps

_OF_GRAFANA = frozenset({"grafana-default-email"})
"""The contact point that every Grafana brings."""

_NEEDED = {
    "email": ("addresses",),
    "webhook": ("url",),
    "dingding": ("url",),
    "wecom": (),  # url or secret
    "slack": (),  # url or token
    "telegram": ("bottoken", "chatid"),
    "teams": ("url",),
    "discord": ("url",),
    "googlechat": ("url",),
    "prometheus-alertmanager": ("url",),
    "pagerduty": ("integrationKey",),
    "opsgenie": ("apiKey",),
    "pushover": ("apiToken", "userKey"),
    "kafka": ("kafkaRestProxy", "kafkaTopic"),
    "mqtt": ("brokerUrl", "topic"),
    "line": ("token",),
    "threema": ("gateway_id", "recipient_id", "api_secret"),
    "victorops": ("url",),
    "sns": (),
    "webex": ("room_id", "bot_token"),
    "oncall": ("url",),
    "jira": (),
}
"""Type of receiver -> the settings that it cannot do without."""

_TAKEN = {
    "email": {"addresses", "singleEmail", "message", "subject"},
    "dingding": {"url", "msgType", "title", "message"},
    "wecom": {"url", "secret", "agent_id", "corp_id", "endpoint_url", "msgtype", "title", "message", "touser"},
    "telegram": {"bottoken", "chatid", "message_thread_id", "message", "parse_mode"}
    | {"disable_web_page_preview", "protect_content", "disable_notifications"},
}
"""Type of receiver -> all of its settings, where they are few."""

_MATCHER = re.compile(r"\s*\"?([A-Za-z_]\w*)\"?\s*(=~|!~|!=|=)\s*(.*)")
_OPERATORS = ("=", "!=", "=~", "!~")
_TIMES = ("group_wait", "group_interval", "repeat_interval")


def check(files: Files) -> Faults:
    """Look at contact points, policies, and rules that choose a contact point themselves."""
    yield from _contact_points(files)
    receivers = {str(point.get("name")) for _, point in files.entries("contactPoints")} | _OF_GRAFANA
    mutes = {str(timing.get("name")) for _, timing in files.entries("muteTimes")}
    given = _labels(files)
    for name, where, policy, depth in policies(files):
        for what, remedy in (*_tells(policy, receivers, mutes), *_matches(policy, depth)):
            yield Fault(file=name, where=where, what=what, remedy=remedy)
        for number, what, remedy in _unreached(as_dicts(policy.get("routes"))):
            yield Fault(file=name, where=f"{where} / route {number}", what=what, remedy=remedy)
        for what, remedy in _unmet(policy, given):
            yield Fault(file=name, where=where, what=what, remedy=remedy)
    for name, where, rule, _ in rules(files):
        if settings := as_dict(rule.get("notification_settings")):
            for what, remedy in _tells(settings, receivers, mutes):
                yield Fault(file=name, where=where, what=what, remedy=remedy)
    roots = [(name, root.get("orgId", 1)) for name, root in files.entries("policies")]
    for name, org in roots:
        if [other for _, other in roots].count(org) > 1:
            yield Fault(
                file=name,
                where="root policy",
                what=f"is one of several for organisation {org}; the last one read wins",
                remedy="keep one tree of policies",
            )


def _unreached(routes: list[Json]) -> Iterator[tuple[int, str, str]]:
    """Routes that nothing comes to, since one before them takes all that they would."""
    for number, route in enumerate(routes):
        for before in routes[:number]:
            if not before.get("continue") and {*matchers(before)} <= {*matchers(route)}:
                earlier = routes.index(before) + 1
                yield (
                    number + 1,
                    f"is never reached: route {earlier} takes all that it would",
                    "give that one matchers, let it continue, or put this one before it",
                )
                break


def _labels(files: Files) -> dict[str, set[str] | None]:
    """Return the labels that the rules' alerts have, with their values; None where a query gives these."""
    given: dict[str, set[str] | None] = dict.fromkeys(("alertname", "grafana_folder", "..."))
    for _, _, rule, _ in rules(files):
        for label, value in as_dict(rule.get("labels")).items():
            known = given.setdefault(label, set())
            if "{{" in str(value) or known is None:
                given[label] = None
            else:
                known.add(str(value))
        for step in steps(rule):
            given |= dict.fromkeys(grouped_by(str(as_dict(step.get("model")).get("query") or "")))
    return given


def _unmet(policy: Json, given: dict[str, set[str] | None]) -> Iterator[tuple[str, str]]:
    """What a policy matches and groups by that no rule's alerts have; without rules, nothing can be said."""
    if not any(values for values in given.values()):
        return
    for label, operator, value in matchers(policy):
        values = given.get(label, set())
        if operator not in ("=", "=~") or values is None or not label:
            continue
        try:
            met = any(re.fullmatch(value, one) if operator == "=~" else one == value for one in values)
        except re.error:
            continue  # told by its own checker
        if not met:
            yield (
                f"matches {label}{operator}{value}, which no rule's alerts have",
                f"the rules have {label}: {', '.join(sorted(values)) or 'not at all'}",
            )
    for label in policy.get("group_by") or ():
        if label not in given:
            yield f"groups by {label}, which no rule's alerts have", f"they have {', '.join(sorted(given))}"


def _contact_points(files: Files) -> Faults:
    names: set[str] = set()
    uids: set[str] = set()
    for name, point in files.entries("contactPoints"):
        where = f"contact point “{point.get('name', '?')}”"
        if str(point.get("name")) in names:
            yield _fault(name, where, "has a name given twice", "put the receivers under one name")
        names.add(str(point.get("name")))
        if not as_dicts(point.get("receivers")):
            yield _fault(name, where, "tells nobody", "give it a receiver")
        for receiver in as_dicts(point.get("receivers")):
            kind, uid = str(receiver.get("type")), str(receiver.get("uid"))
            if uid in uids:
                yield _fault(
                    name, where, f"has a receiver with the uid {uid} of another", "give each its own uid"
                )
            uids.add(uid)
            if kind not in _NEEDED:
                yield _fault(
                    name, where, f"has a receiver of the type {kind!r}", f"use one of {', '.join(_NEEDED)}"
                )
            settings = as_dict(receiver.get("settings"))
            for key in sorted(settings.keys() - _TAKEN.get(kind, settings.keys())):
                taken = ", ".join(sorted(_TAKEN[kind]))
                yield _fault(name, where, f"has the setting {key!r}, which {kind} ignores", f"it takes {taken}")
            for address in re.split(r"[\s,;]+", str(settings.get("addresses") or "")):
                if address and "@" not in address and "$" not in address:
                    yield _fault(name, where, f"writes to {address!r}", "write name@example.org")
            for setting in _NEEDED.get(kind, ()):
                if not settings.get(setting):
                    yield _fault(
                        name, where, f"has a {kind} receiver without {setting}", f"set settings.{setting}"
                    )


def _tells(policy: Json, receivers: set[str], mutes: set[str]) -> Iterator[tuple[str, str]]:
    receiver = policy.get("receiver")
    if receiver and receiver not in receivers:
        yield (
            f"tells “{receiver}”, which is no contact point",
            f"define it, or name one of {', '.join(sorted(receivers))}",
        )
    for key in ("mute_time_intervals", "active_time_intervals"):
        for timing in policy.get(key) or ():
            if timing not in mutes:
                yield f"names the mute timing “{timing}”, which is not there", "define it under muteTimes"
    for key in _TIMES:
        if policy.get(key) is not None and not (
            milliseconds(policy[key]) or (key == "group_wait" and policy[key] == "0s")
        ):
            yield f"says {key}: {policy[key]!r}", "write a duration such as 5m"
    group_ms, repeat_ms = (
        milliseconds(policy.get("group_interval")),
        milliseconds(policy.get("repeat_interval")),
    )
    if group_ms and repeat_ms and repeat_ms < group_ms:
        yield "repeats more often than it groups", "let repeat_interval be at least group_interval"
    groups = policy.get("group_by") or ()
    if "..." in groups and len(groups) > 1:
        yield "groups by ... and by labels", "... stands for all labels, alone"


def matchers(policy: Json) -> Iterator[tuple[str, str, str]]:
    """The conditions of a policy: label, operator, value; what cannot be read has an empty label."""
    for triple in policy.get("object_matchers") or ():
        readable = (
            isinstance(triple, list) and len(triple) == 3 and all(isinstance(part, str) for part in triple)
        )
        yield (triple[0], triple[1], triple[2]) if readable else ("", "", str(triple))
    for text in policy.get("matchers") or ():
        found = _MATCHER.fullmatch(str(text))
        yield (found[1], found[2], found[3].strip('"')) if found else ("", "", str(text))


def _matches(policy: Json, depth: int) -> Iterator[tuple[str, str]]:
    found = list(matchers(policy))
    if depth == 0 and found:
        yield "has matchers, but takes what no route took", "move them to a route"
    for label, operator, value in found:
        if not label or operator not in _OPERATORS:
            yield (
                f"has the matcher {' '.join((label, operator, value)).strip()}",
                'write ["label", "=", "value"]',
            )
        elif operator in ("=~", "!~"):
            try:
                re.compile(value)
            except re.error as error:
                yield f"has the matcher {label}{operator}{value}: {error}", "write a regular expression"


def _fault(name: str, where: str, what: str, remedy: str) -> Fault:
    return Fault(file=name, where=where, what=what, remedy=remedy)
