"""A small JSON Schema: the same tables check what comes in and stand in the OpenAPI document."""

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from cloud.errors import InvalidRequest

Schema = Mapping[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def obj(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """Return the schema of an object with these members and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def mapping(names: Schema, values: Schema) -> Schema:
    """Return the schema of an object whose members' names are not known before."""
    return {"type": "object", "propertyNames": names, "additionalProperties": values}


def array(items: Schema, *, max_items: int | None = None) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items, **({} if max_items is None else {"maxItems": max_items})}


def text(*, max_length: int = 200, min_length: int = 0, pattern: str | None = None) -> Schema:
    """Return the schema of a text without control characters, or of a pattern."""
    schema = {"type": "string", "maxLength": max_length, "minLength": min_length}
    return {**schema, "pattern": pattern or r"^[^\x00-\x1f\x7f]*$"}


def integer(low: int, high: int) -> Schema:
    """Return the schema of an integer in a range, both ends included."""
    return {"type": "integer", "minimum": low, "maximum": high}


def number(low: float, high: float) -> Schema:
    """Return the schema of a number in a range, both ends included."""
    return {"type": "number", "minimum": low, "maximum": high}


def nullable(schema: Schema) -> Schema:
    """Return the schema that takes null as well."""
    return {**schema, "type": [schema["type"], "null"]}


def check(value: object, schema: Schema, place: str = "body") -> None:
    """Raise InvalidRequest naming the place, if the value is not what the schema says."""
    expected = schema.get("type")
    if expected is not None:
        names = [expected] if isinstance(expected, str) else list(expected)
        if not any(_is(value, name) for name in names):
            raise _wrong(place, f"must be {' or '.join(names)}, not {_named(value)}")
    if "enum" in schema and value not in schema["enum"]:
        raise _wrong(place, f"must be one of {', '.join(map(str, schema['enum']))}")
    if isinstance(value, dict):
        _check_object(value, schema, place)
    elif isinstance(value, list):
        _check_array(value, schema, place)
    elif isinstance(value, str):
        _check_text(value, schema, place)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(value, schema, place)
    if "anyOf" in schema:
        _check_any(value, schema["anyOf"], place)


def _check_any(value: object, options: Sequence[Schema], place: str) -> None:
    problems: list[InvalidRequest] = []
    for option in options:
        try:
            return check(value, option, place)
        except InvalidRequest as problem:
            problems.append(problem)
    raise max(problems, key=lambda problem: problem.message.count("["))  # the one that got furthest


def _check_object(value: Mapping[str, object], schema: Schema, place: str) -> None:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            raise _wrong(f"{place}.{name}", "is missing")
    others = schema.get("additionalProperties")
    for name, member in value.items():
        if "propertyNames" in schema:
            check(name, schema["propertyNames"], f"{place}: the name {name[:40]!r}")
        if isinstance(others, Mapping) and name not in properties:
            check(member, others, f"{place}.{name[:40]}")
        if name in properties:
            check(member, properties[name], f"{place}.{name}")
        elif others is False:
            raise _wrong(
                f"{place}.{name[:40]}", "is not known here", f"known are: {', '.join(sorted(properties))}"
            )


def _check_array(value: Sequence[object], schema: Schema, place: str) -> None:
    if len(value) > schema.get("maxItems", len(value)):
        raise _wrong(place, f"has {len(value)} items", f"send at most {schema['maxItems']} at once")
    if len(value) < schema.get("minItems", 0):
        raise _wrong(place, f"has {len(value)} items", f"send at least {schema['minItems']}")
    if "items" in schema:
        for index, item in enumerate(value):
            check(item, schema["items"], f"{place}[{index}]")


def _check_text(value: str, schema: Schema, place: str) -> None:
    if len(value) > schema.get("maxLength", len(value)):
        raise _wrong(place, f"has {len(value)} characters", f"use at most {schema['maxLength']}")
    if len(value) < schema.get("minLength", 0):
        raise _wrong(place, "is too short", f"use at least {schema['minLength']} characters")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        raise _wrong(place, f"is not well formed: {value[:40]!r}", f"it must match {schema['pattern']}")


def _check_number(value: float, schema: Schema, place: str) -> None:
    if not isfinite(value):
        raise _wrong(place, "must be a finite number")
    low, high = schema.get("minimum", value), schema.get("maximum", value)
    if not low <= value <= high:
        raise _wrong(place, f"is {value}", f"use {low} to {high}")


def _is(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[name])


def _named(value: object) -> str:
    for name, types in _TYPES.items():
        if isinstance(value, types) and not (isinstance(value, bool) and name != "boolean"):
            return name
    return type(value).__name__


def _wrong(place: str, problem: str, remedy: str = "see /openapi.json") -> InvalidRequest:
    return InvalidRequest(f"{place} {problem}", remedy=remedy)
