"""JSON schemas: boards and panels against the vendored ones of Grafana (dashboards/schemas/SOURCE.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboards.build import DashboardError
from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, Json
from dashboards.check.walk import as_dict, as_dicts, place

if TYPE_CHECKING:
    from jsonschema_rs import Draft7Validator

FOLDER = Path(__file__).resolve().parents[1] / "schemas"

_OPEN = (("DynamicConfigValue", "value"), ("MatcherConfig", "options"))
"""Both may be anything in Grafana; the schema's generator wrote `object`."""

_LINKS = {"type": "array", "items": {"type": "object", "required": ["title", "url"]}}
"""Links of panels and fields are less than a board's links, which the schema takes them for."""

_FILES = {
    "timeseries": "timeseries",
    "stat": "stat",
    "gauge": "gauge",
    "state-timeline": "statetimeline",
    "table": "table",
    "geomap": "geomap",
}
_MOST_LETTERS = 160


@cache
def validator(name: str, part: str) -> Draft7Validator | None:
    """Return the judge of a part of a schema; None where the schema has no such part."""
    try:
        from jsonschema_rs import Draft7Validator
    except ImportError as error:
        raise DashboardError(
            f"{error.name} is not installed", remedy="pip install 'cityneuron[check]'"
        ) from None
    schema = json.loads((FOLDER / f"{name}.jsonschema.json").read_text(encoding="utf-8"))
    definitions = schema["definitions"]
    if part not in definitions:
        return None
    for definition, key in _OPEN:
        if definition in definitions:
            definitions[definition]["properties"][key] = {}
    for definition in ("Panel", "FieldConfig"):
        if name == "dashboard":
            definitions[definition]["properties"]["links"] = _LINKS
    return Draft7Validator({**schema, "$ref": f"#/definitions/{part}"})


@cache
def custom_keys(kind: str) -> frozenset[str]:
    """Return what a panel type reads of `custom`; nothing where no schema says."""
    if kind not in _FILES:
        return frozenset()
    content = (FOLDER / f"{_FILES[kind]}.jsonschema.json").read_text(encoding="utf-8")
    definitions = json.loads(content)["definitions"]
    shape = definitions.get("FieldConfig", {})
    if "$ref" in shape:
        shape = definitions[shape["$ref"].rpartition("/")[2]]
    return frozenset(shape.get("properties", ()))


def check(files: Files) -> Faults:
    """Judge each board without its panels, then each panel by itself, so that a fault names the panel."""
    for name, board in files.boards.items():
        for what in _judge(validator("dashboard", "Dashboard"), {**board, "panels": []}):
            yield _fault(name, "board", what)
        for item in as_dicts(board.get("panels")):
            if item.get("type") == "row":
                for what in _judge(validator("dashboard", "RowPanel"), {**item, "panels": []}):
                    yield _fault(name, place(item), what)
            else:
                yield from _panel(name, item)
            for panel in as_dicts(item.get("panels")):
                yield from _panel(name, panel)


def _panel(name: str, panel: Json) -> Faults:
    parts: list[tuple[Draft7Validator | None, Any, str]] = [(validator("dashboard", "Panel"), panel, "")]
    if schema := _FILES.get(str(panel.get("type"))):
        custom = as_dict(as_dict(panel.get("fieldConfig")).get("defaults")).get("custom", {})
        parts.append((validator(schema, "Options"), panel.get("options", {}), "options"))
        parts.append((validator(schema, "FieldConfig"), custom, "fieldConfig.defaults.custom"))
    for judge, part, path in parts:
        for what in _judge(judge, part, path):
            yield _fault(name, place(panel), what)


def _judge(judge: Draft7Validator | None, part: Any, path: str = "") -> Iterator[str]:
    if judge is None:
        return
    for error in judge.iter_errors(part):
        at = ".".join([path, *map(str, error.instance_path)] if path else map(str, error.instance_path))
        message = error.message if len(error.message) <= _MOST_LETTERS else f"{error.message[:_MOST_LETTERS]}…"
        yield f"is not as Grafana's schema says{f', at {at}' if at else ''}: {message}"


def _fault(name: str, where: str, what: str) -> Fault:
    return Fault(file=name, where=where, what=what, remedy="compare with dashboards/schemas")
