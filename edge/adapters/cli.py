"""`cityneuron decode PROTOCOL`: frames as JSON lines in, what they say as JSON lines out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from edge.adapters import adapter
from edge.adapters.adapter import Case, Decode, Unfinished
from edge.adapters.frame import FrameError

_ENCODINGS = ("hex", "ascii", "json")


def decode(
    protocol: Annotated[str, typer.Argument(help="hj212, sl651, dlt645, cjt188, modbus-devices ...")],
) -> None:
    """Read frames from standard input and print what each says.

    A line is {"frame": "7E7E...", "encoding": "hex"}; "ascii" takes the frame as text, "json" as a message.
    Where they matter there may also be device, request, topic, group and profile. A frame that is refused gives
    {"error": reason, "detail": ...}.
    """
    for found in decoded(sys.stdin, adapter(protocol).decoder()):
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
        given = json.loads(line)
        frame, encoding = given["frame"], given["encoding"]
        texts = {key: given.get(key) or "" for key in ("device", "topic", "group", "profile")}
        request = bytes.fromhex(given.get("request") or "")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FrameError("input", f"the line is no case: {error!r}") from None
    if encoding not in _ENCODINGS or not isinstance(frame, str):
        raise FrameError("input", f"encoding {encoding!r} is none of {', '.join(_ENCODINGS)}")
    try:
        raw = bytes.fromhex(frame) if encoding == "hex" else frame.encode()
    except ValueError:
        raise FrameError("input", "the frame is no hex") from None
    return Case(raw=raw, request=request, **texts)
