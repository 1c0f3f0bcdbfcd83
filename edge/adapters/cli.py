"""`cityneuron decode PROTOCOL`: frames as JSON lines in, what they say as JSON lines out."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from edge.adapters import adapter
from edge.adapters.adapter import Case, Decode, Unfinished
from edge.adapters.frame import FrameError

_ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "hex": bytes.fromhex,
    "ascii": str.encode,
    "json": str.encode,
    "base64": lambda text: base64.b64decode(text, validate=True),
}
_BESIDE = ("device", "topic", "group", "profile")


def decode(
    protocol: Annotated[str, typer.Argument(help="hj212, sl651, dlt645, cjt188, modbus-devices ...")],
) -> None:
    """Read frames from standard input and print what each says.

    A line is {"frame": "7E7E...", "encoding": "hex"}; "ascii" takes the frame as text, "json" as a message,
    "base64" as LoRaWAN servers show payloads.
    Where they matter there may also be device, request, topic, group and profile. A frame that is refused gives
    {"error": reason, "detail": ...}.
    """
    read = adapter(protocol).decoder()
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "backslashreplace")):
        if isinstance(stream, TextIOWrapper):  # JSON is UTF-8, whatever the terminal is
            stream.reconfigure(encoding="utf-8", errors=errors)
    for found in decoded(sys.stdin, read):
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def decoded(lines: Iterable[str], read: Decode) -> Iterator[dict[str, Any]]:
    """Yield an object for each line that is not empty; one that its group completes waits for it."""
    held: list[dict[str, Any]] = []
    group = ""
    for line in filter(str.strip, lines):
        case, found = _answered(line, read)
        if case.group != group:
            yield from held
            held, group = [], case.group
        held.append(found)
        if not (isinstance(held[0], Unfinished) and not held[0].whole):
            yield from held
            held = []
    yield from held


def _answered(line: str, read: Decode) -> tuple[Case, dict[str, Any]]:
    case = Case(raw=b"")
    try:
        case = case_of(line)
        return case, read(case)
    except FrameError as error:
        return case, {"error": error.reason, "detail": error.detail}


def case_of(line: str) -> Case:
    """Return the case of a JSON line. Raises FrameError `input`."""
    try:
        given = json.loads(line.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise FrameError("input", f"the line is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise FrameError("input", "the line is no object with frame and encoding")
    encoding = given.get("encoding")
    if not isinstance(encoding, str) or encoding not in _ENCODINGS:
        raise FrameError("input", f"encoding {encoding!r} is none of {', '.join(_ENCODINGS)}")
    beside = {key: _text(given, key) for key in _BESIDE}
    return Case(
        raw=_bytes(given.get("frame"), "frame", encoding),
        request=_bytes(_text(given, "request"), "request", "hex"),
        **beside,
    )


def _text(given: dict[str, Any], key: str) -> str:
    found = given.get(key)
    if found is not None and not isinstance(found, str):
        raise FrameError("input", f"{key} is a {type(found).__name__}, no text")
    return found or ""


def _bytes(text: Any, key: str, encoding: str) -> bytes:
    if not isinstance(text, str):
        raise FrameError("input", f"{key} is missing" if text is None else f"{key} is no text")
    try:
        return _ENCODINGS[encoding](text)
    except ValueError:
        raise FrameError("input", f"the {key} is no {encoding}") from None
