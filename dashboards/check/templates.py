"""Message templates: their blocks close, and what is called by name is defined somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files
from dashboards.check.influxql import grouped_by
from dashboards.check.walk import as_dict, as_dicts, rules, steps, texts

_ACTION = re.compile(r"\{\{-?\s*(?P<action>(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|[^{}\"`])*?)\s*-?\}\}")
_DEFINE = re.compile(r"(?:define|block)\s+\"([^\"]+)\"")
_CALL = re.compile(r"(?:template|block|tmpl\.Exec)\s+\"([^\"]+)\"")
_BARE_CALL = re.compile(r"template\s+\"([^\"]+)\"\s*-?\}\}")
_SHOWN = re.compile(r"\.(?:Common|Group)?(Labels|Annotations)\.(\w+)")
_OPENING = ("if", "range", "with", "define", "block")

_OF_GRAFANA = frozenset(
    {"__alertmanager", "__alertmanagerURL", "__subject", "__text_alert_list", "__text_values_list"}
    | {"__text_alert_list_markdown", "default.title", "default.message", "ng_alert_default_template"}
    | {"teams.default.message", "jira.default.summary", "jira.default.description", "discord.default.content"}
    | {"email.default.html", "email.default.subject", "slack.default.title", "slack.default.text"}
)
"""Templates that Grafana brings."""


def check(files: Files) -> Faults:
    """Look at the templates, then at the contact points that call them."""
    defined = {
        own
        for _, template in files.entries("templates")
        for own in _DEFINE.findall(str(template.get("template")))
    }
    shown = _given(files)
    names: set[str] = set()
    seen: set[str] = set()
    for name, template in files.entries("templates"):
        text = str(template.get("template"))
        where = f"template “{template.get('name', '?')}”"
        own = _DEFINE.findall(text)
        if str(template.get("name")) in names:
            yield _fault(name, where, "has a name given twice", "rename one")
        names.add(str(template.get("name")))
        for twice in sorted(seen & {*own} | {one for one in own if own.count(one) > 1}):
            yield _fault(name, where, f"defines “{twice}” again", "the last one read wins: rename one")
        seen |= {*own}
        for what in blocks(text):
            yield _fault(
                name, where, what, "close what is opened: {{ define }}, {{ if }}, {{ range }} … {{ end }}"
            )
        yield from _calls(name, where, text, defined)
        for kind, key in sorted(set(_SHOWN.findall(text))):
            if shown and key not in shown[kind]:
                what = f"shows the {kind[:-1].lower()} {key}, which no rule has"
                yield _fault(name, where, what, f"rules have {', '.join(sorted(shown[kind]))}")
    for name, point in files.entries("contactPoints"):
        for receiver in as_dicts(point.get("receivers")):
            for path, text in texts(receiver.get("settings")):
                where = f"contact point “{point.get('name', '?')}” {path}"
                for what in blocks(text):
                    yield _fault(name, where, what, "close what is opened")
                yield from _calls(name, where, text, defined)


def _given(files: Files) -> dict[str, set[str]]:
    """Return the labels and annotations that some rule has; nothing where there are no rules."""
    found: dict[str, set[str]] = {"Labels": {"alertname", "grafana_folder"}, "Annotations": set()}
    for _, _, rule, _ in rules(files):
        found["Annotations"] |= {*as_dict(rule.get("annotations"))}
        found["Labels"] |= {*as_dict(rule.get("labels"))}
        for step in steps(rule):
            found["Labels"] |= grouped_by(str(as_dict(step.get("model")).get("query") or ""))
    return found if found["Annotations"] else {}


def _calls(name: str, where: str, text: str, defined: set[str]) -> Faults:
    for called in sorted(set(_CALL.findall(text)) - defined - _OF_GRAFANA):
        yield _fault(
            name,
            where,
            f"calls the template “{called}”, which is not defined",
            "define it, or correct the name",
        )
    for called in sorted(set(_BARE_CALL.findall(text))):
        what = f"calls the template “{called}” with nothing to show"
        yield _fault(name, where, what, f'write {{{{ template "{called}" . }}}}')


def blocks(text: str) -> Iterator[str]:
    """Say what does not open or close as it should."""
    rest = _ACTION.sub("", text)
    if "{{" in rest or "}}" in rest:
        yield "has {{ or }} without its partner"
    open_blocks: list[str] = []
    for match in _ACTION.finditer(text):
        word = match["action"].split(maxsplit=1)[0] if match["action"] else ""
        if word in _OPENING:
            open_blocks.append(word)
        elif word == "end" and not open_blocks:
            yield "has an {{ end }} of nothing"
        elif word == "end":
            open_blocks.pop()
    for word in open_blocks:
        yield f"never ends its {{{{ {word} }}}}"


def _fault(name: str, where: str, what: str, remedy: str) -> Fault:
    return Fault(file=name, where=where, what=what, remedy=remedy)
