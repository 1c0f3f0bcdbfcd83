"""Columns: what overrides, orders, maps, links and annotations name is a column that the queries return."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dashboards.check import influxql
from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, Json
from dashboards.check.walk import annotation_queries, as_dict, as_dicts, data_links, panels

_UNDERSTOOD = frozenset({"joinByField", "calculateField", "organize", "sortBy", "limit"})
"""Transformations after which the columns are known; after any other, nothing is said of the panel."""

_NUMBERED = re.compile(r" \d+$")
"""What a join puts behind a name that came twice."""
_FIELD = re.compile(r"__data\.fields\.(\w+)|__data\.fields\[\"?'?([^\"'\]]+)")
_LABEL = re.compile(r"__field\.labels\.(\w+)")
_OF_ANNOTATIONS = {
    "textColumn": "the text",
    "tagsColumn": "tags",
    "timeEndColumn": "the end",
    "titleColumn": "the title",
}
_KEYS_OF_ANNOTATIONS = frozenset(
    {
        "refId",
        "name",
        "query",
        "queryType",
        "fromAnnotations",
        "rawQuery",
        "resultFormat",
        "datasource",
        "alias",
    }
    | {"limit", "matchAny", "tags", "type", "textEditor", *_OF_ANNOTATIONS}
)


def check(files: Files) -> Faults:
    """Look at every panel and every annotation."""
    for name, board in files.boards.items():
        for where, panel in panels(board):
            columns = returned(panel)
            for what in [] if columns is None else _panel(panel, columns):
                yield Fault(
                    file=name, where=where, what=what, remedy=f"the columns are {_listed(columns or ())}"
                )
            for what, remedy in _links(panel, columns):
                yield Fault(file=name, where=where, what=what, remedy=remedy)
        for annotation in annotation_queries(board):
            where = f"annotation “{annotation.get('name', '?')}”"
            for what, remedy in _annotation(as_dict(annotation.get("target"))):
                yield Fault(file=name, where=where, what=what, remedy=remedy)


def of_query(query: str) -> set[str]:
    """Return the columns of the table that a query returns; an unreadable one has none."""
    try:
        cut = influxql.tokens(query)
    except influxql.Unreadable:
        return set()
    found, depth, end = {"Time", "time", *influxql.grouped_by(query)}, 0, influxql.Token(kind="end", text="")
    for before, token, after in zip([end, *cut], cut, [*cut[1:], end], strict=False):
        depth += (token.text == "(") - (token.text == ")") if token.kind == "op" else 0
        if depth == 0 and token.upper == "FROM":
            break
        called = before.upper == "AS" or (token.kind == "ident" and after.upper != "AS")
        if depth == 0 and (called or (token.kind == "word" and after.text == "(")):
            found.add(token.text.strip('"'))  # without AS a field, or a function, names the column
    return found


def returned(panel: Json) -> set[str] | None:
    """Return by which names a panel's columns may be called; None where that is not known."""
    found: set[str] = set()
    for target in as_dicts(panel.get("targets")):
        alias, query = str(target.get("alias") or ""), str(target.get("query") or "")
        if target.get("resultFormat") == "table":
            found |= of_query(query)
        elif not alias or "$tag" in alias or "[[tag" in alias or "$" in alias.replace("$col", ""):
            return None
        else:
            found |= {"Time", "Value", "value", *([alias] if "$col" not in alias else of_query(query))}
    for step in as_dicts(panel.get("transformations")):
        if step.get("id") not in _UNDERSTOOD:
            return None
        options = as_dict(step.get("options"))
        found |= {str(options["alias"])} if options.get("alias") else set()
        found |= {str(name) for name in as_dict(options.get("renameByName")).values()}
    return found | {
        str(prop["value"])
        for override in _overrides(panel)
        for prop in as_dicts(override.get("properties"))
        if prop.get("id") == "displayName"
    }


def _overrides(panel: Json) -> list[Json]:
    return as_dicts(as_dict(panel.get("fieldConfig")).get("overrides"))


def _panel(panel: Json, columns: set[str]) -> Iterator[str]:
    """Say which names of a panel are no column of its."""
    named = [
        ("has an override of", matcher.get("options"))
        for matcher in (as_dict(override.get("matcher")) for override in _overrides(panel))
        if matcher.get("id") == "byName"
    ]
    options = as_dict(panel.get("options"))
    named += [("is ordered by", order.get("displayName")) for order in as_dicts(options.get("sortBy"))]
    for layer in as_dicts(options.get("layers")):
        place, style = as_dict(layer.get("location")), as_dict(as_dict(layer.get("config")).get("style"))
        named += [("places its marks by", place.get(key)) for key in ("latitude", "longitude")]
        named += [
            (f"draws the {key} of its marks by", as_dict(style.get(key)).get("field"))
            for key in ("color", "size")
        ]
    named += [
        (f"calculates ({step.get('id')}) with", one)
        for step in as_dicts(panel.get("transformations"))
        for one in _inputs(as_dict(step.get("options")))
    ]
    for what, one in named:
        if one and one not in columns and _NUMBERED.sub("", str(one)) not in columns:
            yield f"{what} {one!r}, which is no column"


def _inputs(options: Json) -> Iterator[Any]:
    """The columns that a transformation reads."""
    yield options.get("byField")
    yield from as_dict(options.get("reduce")).get("include") or ()
    for side in ("left", "right"):
        yield as_dict(as_dict(as_dict(options.get("binary")).get(side)).get("matcher")).get("options")
    yield from as_dict(options.get("excludeByName"))
    yield from as_dict(options.get("renameByName"))


def _links(panel: Json, columns: set[str] | None) -> Iterator[tuple[str, str]]:
    """A link that names an absent column leads to nowhere; one that names a mapped column leads to its word."""
    tags = {
        tag
        for target in as_dicts(panel.get("targets"))
        for tag in influxql.grouped_by(str(target.get("query") or ""))
    }
    mapped = {
        as_dict(override.get("matcher")).get("options")
        for override in _overrides(panel)
        if any(prop.get("id") == "mappings" for prop in as_dicts(override.get("properties")))
    }
    for link in data_links(panel):
        url = str(link.get("url") or "")
        for field in {next(filter(None, found)) for found in _FIELD.findall(url)}:
            if columns is not None and field not in columns and not field.isdigit():
                yield f"links by the column {field!r}, which is none", f"the columns are {_listed(columns)}"
            if field in mapped:
                yield (
                    f"links by {field!r}, whose values are mapped: the link gets the words",
                    "show the words in a column of their own, and hide this one",
                )
        for label in set(_LABEL.findall(url)) - tags:
            yield f"links by the label {label!r}, which no query groups by", f'add GROUP BY "{label}"'


def _annotation(target: Json) -> Iterator[tuple[str, str]]:
    for key in sorted(target.keys() - _KEYS_OF_ANNOTATIONS):
        yield f"has the key {key!r}, which Grafana does not read", f"it reads {_listed(_KEYS_OF_ANNOTATIONS)}"
    columns = of_query(str(target.get("query") or ""))
    for key, what in _OF_ANNOTATIONS.items():
        for column in filter(None, str(target.get(key) or "").split(",")):
            if column.strip() not in columns:
                yield (
                    f"takes {what} from {column.strip()!r}, which is no column",
                    f"use one of {_listed(columns)}",
                )
    if target and not target.get("textColumn"):
        yield "shows no text", "set textColumn"


def _listed(names: Any) -> str:
    return ", ".join(sorted(map(str, names)))
