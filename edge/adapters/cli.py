"""`cityneuron decode PROTOCOL`: frames as JSON lines in, what they say as JSON lines out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from edge.adapters import adapter
from edge.adapters.adapter import Case, Decode
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
    """Yield an object for each line that is not empty."""
    for line in lines:
        if line.strip():
            try:
                yield read(case_of(line))
            except FrameError as error:
                yield {"error": error.reason, "detail": error.detail}


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
