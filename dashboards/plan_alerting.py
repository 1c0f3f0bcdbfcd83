"""What pushing would change of a Grafana's alerting: provisioning files -> the objects of its HTTP API."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from dashboards.build import DashboardError
from dashboards.check.durations import milliseconds
from dashboards.check.files import Files
from dashboards.check.walk import as_dict, as_dicts, lost
from dashboards.grafana import Grafana, Json
from dashboards.plan import FOLDER_UID, Step, Verdict

_ROOT = ("v1", "provisioning")
_SETTING = re.compile(r"\$\$|\$\{(\w+)\}|\$(\w+)")
_UNTOUCHED = frozenset({"grafana-default-email", "empty"})
"""The contact points of a Grafana whose policies nobody has touched."""

_SPANS = (".for", ".keep_firing_for", "group_wait", "group_interval", "repeat_interval")

_RENAMED = {
    "keepFiringFor": "keep_firing_for",
    "missing_series_evals_to_resolve": "missingSeriesEvalsToResolve",
    "dashboardUid": None,  # an annotation in the API
    "panelId": None,
}


def alerting(grafana: Grafana, files: Files, folder_title: str, *, force: bool) -> Iterator[Step]:
    """A step an object, in the order in which they need one another. Raises DashboardError, then before any."""
    receivers = _receivers(files)
    for _, template in files.entries("templates"):
        name = str(template["name"])
        body = {"name": name, "template": str(template["template"])}
        found = grafana.get(*_ROOT, "templates", name)
        yield _step("template", name, body, found, partial(grafana.put, *_ROOT, "templates", name), force=force)
    for _, timing in files.entries("muteTimes"):
        name = str(timing["name"])
        body = {"name": name, "time_intervals": timing["time_intervals"]}
        found = grafana.get(*_ROOT, "mute-timings", name)
        write = partial(grafana.post, *_ROOT, "mute-timings")
        if found is not None:
            write = partial(grafana.put, *_ROOT, "mute-timings", name)
        yield _step("mute timing", name, body, found, write, force=force)
    yield from _contact_points(grafana, receivers, force=force)
    for _, tree in files.entries("policies"):
        body = {key: value for key, value in tree.items() if key != "orgId"}
        found = grafana.get(*_ROOT, "policies")
        if found and found.get("receiver") in _UNTOUCHED and not found.get("routes"):
            found = None
        yield _step("policies", "the tree", body, found, partial(grafana.put, *_ROOT, "policies"), force=force)
    yield from _groups(grafana, files, folder_title, force=force)
    yield from _deleted(grafana, files, force=force)


def _receivers(files: Files) -> list[Json]:
    """Return the receivers of all contact points as the API takes them, their settings filled in."""
    return [
        {
            "uid": str(receiver["uid"]),
            "name": str(point["name"]),
            "type": receiver["type"],
            "settings": filled(receiver["settings"]),
            "disableResolveMessage": bool(receiver.get("disableResolveMessage")),
        }
        for _, point in files.entries("contactPoints")
        for receiver in as_dicts(point.get("receivers"))
    ]


def _contact_points(grafana: Grafana, receivers: list[Json], *, force: bool) -> Iterator[Step]:
    there = {point.get("uid"): point for point in as_dicts(grafana.get(*_ROOT, "contact-points"))}
    for body in receivers:
        uid = body["uid"]
        write = partial(grafana.post, *_ROOT, "contact-points")
        if uid in there:
            write = partial(grafana.put, *_ROOT, "contact-points", uid)
        yield _step("contact point", f"{body['name']} ({uid})", body, there.get(uid), write, force=force)


def _groups(grafana: Grafana, files: Files, folder_title: str, *, force: bool) -> Iterator[Step]:
    for _, group in files.entries("groups"):
        title, name = str(group["folder"]), str(group["name"])
        uid = folder_uid(title, folder_title)
        body: Json = {
            "title": name,
            "folderUid": uid,
            "interval": (milliseconds(group["interval"]) or 0) // 1000,
            "rules": [as_api(rule, uid, name) for rule in as_dicts(group.get("rules"))],
        }
        found = grafana.get(*_ROOT, "folder", uid, "rule-groups", name)
        if found is not None:
            kept = {rule.get("provenance", "") for rule in as_dicts(found.get("rules"))}
            found = {**found, "provenance": next(iter(kept)) if len(kept) == 1 else ""}
        write = partial(grafana.put, *_ROOT, "folder", uid, "rule-groups", name)
        yield _step("rule group", f"{title} / {name}", body, found, write, force=force)


def _deleted(grafana: Grafana, files: Files, *, force: bool) -> Iterator[Step]:
    """Rules of the mode that was left: who goes back to the watchers is not told of everything twice."""
    gone = {str(entry.get("uid")) for _, entry in files.entries("deleteRules")}
    for rule in as_dicts(grafana.get(*_ROOT, "alert-rules")) if gone else ():
        uid, provenance = str(rule.get("uid")), rule.get("provenance", "")
        if uid not in gone:
            continue
        verdict, note, take = Verdict.GONE, "", partial(grafana.delete, *_ROOT, "alert-rules", uid)
        if provenance == "file":
            verdict, note = Verdict.FILE, "Grafana reads it from a file"
        elif provenance != "api" and not force:
            verdict, note = Verdict.KEPT, "made or changed by people in Grafana; --force removes it"
        yield Step(
            kind="rule",
            name=str(rule.get("title") or uid),
            verdict=verdict,
            note=note,
            take=take if verdict is Verdict.GONE else None,
        )


def folders(files: Files, folder_title: str) -> dict[str, str]:
    """Return the folders that rules stand in: uid -> title."""
    titles = {str(group.get("folder")) for _, group in files.entries("groups")}
    return {folder_uid(title, folder_title): title for title in sorted(titles)}


def folder_uid(title: str, ours: str) -> str:
    """Return the uid of a folder of rules: the boards' own, or one made of its title."""
    return FOLDER_UID if title == ours else f"{FOLDER_UID}-{hashlib.sha256(title.encode()).hexdigest()[:8]}"


def as_api(rule: Json, folder: str, group: str) -> Json:
    """Return a rule of a provisioning file as the HTTP API takes it."""
    made: Json = {"orgID": 1, "folderUID": folder, "ruleGroup": group}
    for key, value in rule.items():
        if (renamed := _RENAMED.get(key, key)) is not None:
            made[renamed] = value
    # in files a label's $ is doubled, since Grafana fills in settings there; the API takes texts as they are
    made["labels"] = {key: str(value).replace("$$", "$") for key, value in as_dict(rule.get("labels")).items()}
    annotations = dict(as_dict(rule.get("annotations")))
    if rule.get("dashboardUid"):
        annotations["__dashboardUid__"] = str(rule["dashboardUid"])
        annotations["__panelId__"] = str(rule.get("panelId", ""))
    made["annotations"] = annotations
    return made


def filled(value: Any) -> Any:
    """Fill settings from the environment, as Grafana does with files ($NAME, ${NAME}; $$ is a dollar)."""
    if isinstance(value, dict):
        return {key: filled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner) for inner in value]
    return _SETTING.sub(_fill, value) if isinstance(value, str) and "{{" not in value else value


def _fill(match: re.Match[str]) -> str:
    if match[0] == "$$":
        return "$"
    name = match[1] or match[2]
    if name not in os.environ:
        raise DashboardError(
            f"a contact point needs ${name}", remedy=f"export {name}=..., or push without --alerting"
        )
    return os.environ[name]


def _step(kind: str, name: str, body: Json, found: Any, write: Any, *, force: bool) -> Step:
    """Compare: what Grafana adds does not count; a secret that it does not show counts as the same."""
    if found is None:
        return Step(kind=kind, name=name, verdict=Verdict.NEW, take=partial(write, body=body))
    differing = tuple(
        f"{path}: differs" for path, ours, theirs in lost(body, found) if not _equal(path, ours, theirs)
    )
    if not differing:
        return Step(kind=kind, name=name, verdict=Verdict.SAME)
    provenance = found.get("provenance", "")
    if provenance == "file":
        note = "Grafana reads it from a file"
        return Step(kind=kind, name=name, verdict=Verdict.FILE, note=note, differences=differing)
    if provenance != "api" and not force:
        note = "made or changed by people in Grafana; --force overwrites it"
        return Step(kind=kind, name=name, verdict=Verdict.KEPT, note=note, differences=differing)
    note = "" if provenance == "api" else "overwrites what people made"
    return Step(
        kind=kind,
        name=name,
        verdict=Verdict.CHANGED,
        note=note,
        differences=differing,
        take=partial(write, body=body),
    )


def _equal(path: str, ours: Any, theirs: Any) -> bool:
    """What Grafana writes in its own way: secrets, whose rule it is, spans of time (60s comes back as 1m)."""
    if theirs == "[REDACTED]" or path.endswith((".orgID", ".folderUID", ".ruleGroup")):
        return True
    spans = (milliseconds(ours), milliseconds(theirs))
    return path.endswith(_SPANS) and spans[0] is not None and spans[0] == spans[1]
