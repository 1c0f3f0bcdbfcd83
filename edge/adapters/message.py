"""JSON messages: read strictly, their fields fetched with their types, and laid flat under dotted paths."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from edge.adapters.frame import FrameError
from edge.adapters.report import Value

MAX_PAYLOAD_BYTES = 256 * 1024
MAX_DEPTH = 16
MAX_VALUES = 1_000
STATES: Mapping[str, float] = {"on": 1.0, "off": 0.0, "true": 1.0, "false": 0.0}
"""What words mean as a number, in lower case; a device's own come before them."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|z|[+-]\d\d:?\d\d)?", re.ASCII)


def read(payload: bytes) -> Any:
    """Return what a payload of JSON says.

    Raises FrameError `json`: cut, NaN, numbers beyond all bounds, half characters, endless nesting.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise FrameError("json", f"{len(payload)} bytes, at most {MAX_PAYLOAD_BYTES}")
    try:
        body = json.loads(payload.decode("utf-8"), parse_constant=_refused, parse_float=_finite_float)
        if b"\\u" in payload:
            json.dumps(body, ensure_ascii=False).encode("utf-8")  # a half of a pair cannot be
        return body
    except (ValueError, RecursionError) as error:
        raise FrameError("json", str(error)[:120]) from None


def _finite_float(word: str) -> float:
    found = float(word)
    if not math.isfinite(found):
        raise ValueError(f"{word[:40]} is beyond all bounds")
    return found


def _refused(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def read_object(payload: bytes) -> dict[str, Any]:
    """Return the object that a payload of JSON is. Raises FrameError `json` and `format`."""
    body = read(payload)
    if not isinstance(body, dict):
        raise FrameError("format", f"the message is a {type(body).__name__}, no object")
    return body


def part(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return an object within an object, empty where it is left out. Raises FrameError `format`."""
    found = body.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise FrameError("format", f"{key} is a {type(found).__name__}, no object")
    return found


def parts(body: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return a list of objects, empty where it is left out. Raises FrameError `format`."""
    found = body.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise FrameError("format", f"{key} is no list of objects")
    return found


def text(body: Mapping[str, Any], key: str) -> str | None:
    """Return a text, None where it is left out. Raises FrameError `format`."""
    found = body.get(key)
    if found is not None and not isinstance(found, str):
        raise FrameError("format", f"{key} is a {type(found).__name__}, no text")
    return found


def integer(body: Mapping[str, Any], key: str) -> int | None:
    """Return a number >= 0 without a fraction, also one set as text; None where it is left out."""
    found = body.get(key)
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 20:
        return int(found)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if found is not None and (type(found) is not int or not 0 <= found < 2**63):
        raise FrameError("format", f"{key} is {str(found)[:40]!r}, no whole number")
    return found


def number(body: Mapping[str, Any], key: str) -> float | None:
    """Return a number, None where it is left out. Raises FrameError `format`."""
    found = body.get(key)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not math.isfinite(found):
        raise FrameError("format", f"{key} is {str(found)[:40]!r}, no number")
    return found


def flag(body: Mapping[str, Any], key: str) -> bool:
    """Return a truth, False where it is left out. Raises FrameError `format`."""
    found = body.get(key, False)
    if not isinstance(found, bool):
        raise FrameError("format", f"{key} is {str(found)[:40]!r}, neither true nor false")
    return found


def time_ms(stamp: str, zone: tzinfo | None = None) -> int | None:
    """Return epoch milliseconds of a time as RFC 3339 writes it, to nanoseconds, rounded down.

    A time without an offset is of `zone`; None where there is none. Raises FrameError `format`.
    """
    match = _TIME.fullmatch(stamp)
    if match is None:
        raise FrameError("format", f"{stamp[:40]!r} is no time")
    day, clock, fraction, offset = match.groups()
    try:
        parsed = datetime.fromisoformat(f"{day}T{clock}{(offset or '').upper()}")
        if parsed.tzinfo is None:
            if zone is None:
                return None
            parsed = parsed.replace(tzinfo=zone)
        whole_s = round((parsed - datetime.fromtimestamp(0, UTC)).total_seconds())
    except (ValueError, OverflowError):
        raise FrameError("format", f"{stamp[:40]!r} is no time") from None
    return whole_s * 1000 + int(((fraction or "") + "000")[:3])


def flat(body: Any, states: Mapping[str, float] = STATES, *, texts: bool = False) -> Iterator[Value]:
    """Yield every number and truth of a message under its path: `a.b`, `list.0`; a number alone is `value`.

    null is a value that is not there. With `texts`, a text that is a number, or stands in `states`, is one too;
    other texts are not values. Raises FrameError `format` where there is too much.
    """
    for count, (path, found) in enumerate(_leaves(body, "", 0)):
        if count >= MAX_VALUES:
            raise FrameError("format", f"more than {MAX_VALUES} values")
        if found is None:
            yield Value(path, None)
        elif isinstance(found, (bool, int, float)):
            yield Value(path, _finite(path, found))
        elif texts and (stated := _stated(found, states)) is not None:
            yield Value(path, stated)


def _leaves(body: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > MAX_DEPTH:
        raise FrameError("format", f"nested more than {MAX_DEPTH} deep")
    if isinstance(body, dict):
        inner = body.items()
    elif isinstance(body, list):
        inner = {str(index): item for index, item in enumerate(body)}.items()
    else:
        yield path or "value", body
        return
    for key, item in inner:
        yield from _leaves(item, f"{path}.{key}" if path else key, depth + 1)


def _finite(path: str, found: float) -> float:
    try:
        as_float = float(found)
    except OverflowError:
        as_float = math.inf
    if not math.isfinite(as_float):
        raise FrameError("format", f"{path[:60]} is no number that can be kept")
    return as_float


def _stated(word: str, states: Mapping[str, float]) -> float | None:
    if word.lower() in states:
        return states[word.lower()]
    if len(word) < 40 and _NUMBER.fullmatch(word):
        found = float(word)
        return found if math.isfinite(found) else None
    return None
