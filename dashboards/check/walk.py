"""Ways through a board and an alert file: every panel, text and query, each with the name of its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dashboards.check.files import Files, Json

EXPRESSION = "__expr__"
"""The data source uid of reduce, threshold and math steps in rules."""

STORE = "influxdb"


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A query where it stands: in a panel, a variable, an annotation or a rule."""

    file: str
    where: str
    text: str
    source: str
    """The uid of its data source."""
    in_rule: bool = False
    target: Json


def panels(board: Json) -> Iterator[tuple[str, Json]]:
    """Every panel but rows, in closed rows too."""
    for item in as_dicts(board.get("panels")):
        if item.get("type") != "row":
            yield place(item), item
        for panel in as_dicts(item.get("panels")):
            yield place(panel), panel


def place(panel: Json) -> str:
    """Name a panel as a reader finds it."""
    kind = "row" if panel.get("type") == "row" else "panel"
    return f"{kind} {panel.get('id', '?')} “{panel.get('title', '')}”"


def data_links(panel: Json) -> Iterator[Json]:
    """The panel's own links, then those of its fields."""
    yield from as_dicts(panel.get("links"))
    config = as_dict(panel.get("fieldConfig"))
    yield from as_dicts(as_dict(config.get("defaults")).get("links"))
    for override in as_dicts(config.get("overrides")):
        for prop in as_dicts(override.get("properties")):
            if prop.get("id") == "links":
                yield from as_dicts(prop.get("value"))


def variables(board: Json) -> list[Json]:
    """Return a board's variables."""
    return as_dicts(as_dict(board.get("templating")).get("list"))


def annotation_queries(board: Json) -> list[Json]:
    """Return a board's annotation queries."""
    return as_dicts(as_dict(board.get("annotations")).get("list"))


def rules(files: Files) -> Iterator[tuple[str, str, Json, Json]]:
    """Every alert rule: file, place, rule, group."""
    for name, group in files.entries("groups"):
        for rule in as_dicts(group.get("rules")):
            yield name, f"rule “{rule.get('title', rule.get('uid', '?'))}”", rule, group


def steps(rule: Json) -> list[Json]:
    """Return a rule's queries and expressions."""
    return as_dicts(rule.get("data"))


def policies(files: Files) -> Iterator[tuple[str, str, Json, int]]:
    """Every notification policy, parents first: file, place, policy, depth (0 is the root)."""
    for name, root in files.entries("policies"):
        yield from _below(name, "root policy", root, 0)


def _below(name: str, where: str, policy: Json, depth: int) -> Iterator[tuple[str, str, Json, int]]:
    yield name, where, policy, depth
    for number, child in enumerate(as_dicts(policy.get("routes")), 1):
        yield from _below(name, f"{where} / route {number}", child, depth + 1)


def queries(files: Files) -> Iterator[Query]:
    """Every query that goes to the store."""
    for name, board in files.boards.items():
        for where, panel in panels(board):
            for target in as_dicts(panel.get("targets")):
                found = target.get("datasource") or panel.get("datasource")
                yield from _query(name, f"{where} {target.get('refId', '')}".rstrip(), target, found)
        for variable in variables(board):
            if variable.get("type") == "query":
                asked = variable.get("query")
                target = asked if isinstance(asked, dict) else {"query": asked}
                where = f"variable {variable.get('name', '?')}"
                yield from _query(name, where, target, variable.get("datasource"))
        for annotation in annotation_queries(board):
            if annotation.get("query") or annotation.get("target"):
                target = as_dict(annotation.get("target")) or annotation
                where = f"annotation “{annotation.get('name', '?')}”"
                yield from _query(name, where, target, annotation.get("datasource"))
    for name, where, rule, _ in rules(files):
        for step in steps(rule):
            if step.get("datasourceUid") != EXPRESSION:
                target = as_dict(step.get("model"))
                uid = str(step.get("datasourceUid", ""))
                where_in = f"{where} {step.get('refId', '')}".rstrip()
                yield Query(
                    file=name,
                    where=where_in,
                    text=str(target.get("query", "")),
                    source=uid,
                    target=target,
                    in_rule=True,
                )


def _query(name: str, where: str, target: Json, source: Any) -> Iterator[Query]:
    source = as_dict(source)
    if source.get("type", STORE) == STORE:
        text = target.get("query")
        uid = str(source.get("uid", ""))
        yield Query(
            file=name, where=where, text=text if isinstance(text, str) else "", source=uid, target=target
        )


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value, with the path to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from texts(inner, f"{path}[{number}]")


def lost(ours: Any, theirs: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """What of ours is not in theirs: path, ours, theirs (None where absent); what theirs adds is no loss."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            inner = f"{path}.{key}" if path else str(key)
            if key in theirs:
                yield from lost(value, theirs[key], inner)
            elif value not in (None, [], {}, ""):
                yield inner, value, None
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from lost(one, other, f"{path}[{number}]")
    elif ours != theirs:
        yield path, ours, theirs


def as_dict(value: Any) -> Json:
    """Return a table, an empty one for anything else: what is of the wrong type the key lists tell."""
    return value if isinstance(value, dict) else {}


def as_dicts(value: Any) -> list[Json]:
    """Return the tables of a list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
