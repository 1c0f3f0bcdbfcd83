"""Words of a rule: what labels and annotations show is given by its query, in a way that Grafana expands."""

from __future__ import annotations

import re

from dashboards.check.files import Json
from dashboards.check.influxql import grouped_by
from dashboards.check.walk import as_dict, steps

_LABEL = re.compile(r"[A-Za-z_]\w*")
_SHOWN_LABEL = re.compile(r"\$labels\.(\w+)")
_SHOWN_VALUE = re.compile(r"\$values\.(\w+)")
_OF_GRAFANA = frozenset({"alertname", "grafana_folder", "__alert_rule_uid__"})

_ACTION = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`')
_VARIABLE = re.compile(r"\$+([A-Za-z_]\w*)")
_SET = re.compile(r"\$([A-Za-z_]\w*)\s*(?::=|,)")
_WORD = re.compile(r"(?<![\w$.])([A-Za-z_]\w*)")
_FUNCTIONS = frozenset(
    {"if", "else", "end", "range", "with", "and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len"}
    | {"index", "print", "printf", "println", "html", "js", "urlquery", "slice", "template", "define", "block"}
    | {"nil", "true", "false", "humanize", "humanize1024", "humanizeDuration", "humanizePercentage"}
    | {"humanizeTimestamp", "title", "toUpper", "toLower", "match", "reReplaceAll", "graphLink", "tableLink"}
    | {"externalURL", "pathPrefix", "args", "safeHtml", "first", "label", "value", "strvalue", "sortByLabel"}
    | {"toTime", "parseDuration", "stripPort", "stripDomain", "query"}
)
"""What the texts of Grafana's rules may call (its reference of alert rule templates)."""
_FUNCTIONS_LISTED = f"it has {', '.join(sorted(_FUNCTIONS))}"

Words = list[tuple[str, str]]


def faults(rule: Json) -> Words:
    """Say what of a rule's labels and annotations nobody gives, or Grafana would not expand."""
    found = []
    labels, annotations = as_dict(rule.get("labels")), as_dict(rule.get("annotations"))
    if not annotations.get("summary"):
        found.append(("has no summary", "set annotations.summary: it is what people read first"))
    tags = {
        tag for step in steps(rule) for tag in grouped_by(str(as_dict(step.get("model")).get("query") or ""))
    }
    letters = {step.get("refId") for step in steps(rule)}
    for key, text in [*labels.items(), *annotations.items()]:
        if not isinstance(text, str):
            found.append((f"{key} is {text!r}", "put it in quotes: labels and annotations are texts"))
            continue
        found += [(f"{key} {what}", remedy) for what, remedy in _shown(text)]
        for label in set(_SHOWN_LABEL.findall(text)) - tags - labels.keys() - _OF_GRAFANA:
            if "*" not in tags:
                found.append(
                    (f"{key} shows the label {label}, which no query gives", f'add GROUP BY "{label}"')
                )
        for letter in set(_SHOWN_VALUE.findall(text)) - letters:
            found.append((f"{key} shows the value of {letter}, which no step gives", "name a step"))
    for key, text in labels.items():
        if not _LABEL.fullmatch(key):
            found.append((f"has the label {key!r}", "use letters, digits and _"))
        if re.search(r"(?<!\$)\$(?!\$)", str(text)):
            found.append(
                (f"label {key} says {text!r}, and Grafana takes $ for a setting", "write $$ in labels")
            )
    for key, text in annotations.items():
        if "$$" in str(text):
            found.append((f"annotation {key} says $$, which is shown as it stands", "write $ in annotations"))
    return found


def _shown(text: str) -> Words:
    """What stands between braces: variables and functions that Grafana has for rules."""
    if text.count("{{") != text.count("}}"):
        return [("opens {{ without }}", "close it")]
    found: Words = []
    for action in _ACTION.findall(text):
        bare = _QUOTED.sub("", action)
        own = set(_SET.findall(bare))
        for name in sorted(set(_VARIABLE.findall(bare)) - {"labels", "values", "value"} - own):
            found.append((f"shows ${name}, which Grafana does not have", "it has $labels, $values and $value"))
        for name in sorted(set(_WORD.findall(bare)) - _FUNCTIONS):
            found.append((f"calls {name}, which Grafana does not have", _FUNCTIONS_LISTED))
        if "$value." in bare:
            found.append(("shows a part of $value, which is a text", "write $values.B.Value"))
    return found
