"""What a frame says, shown to people: the objects of `cityneuron decode sl651`."""

from __future__ import annotations

import hashlib
from typing import Any

from edge.adapters.adapter import Case, Unfinished
from edge.adapters.frame import FrameError
from edge.adapters.sl651.body import VERSION, BadDigits, Body, Reader, Said
from edge.adapters.sl651.elements import ELEMENTS
from edge.adapters.sl651.frame import ETX, NAMES, SYN, Frame, parse
from edge.adapters.sl651.text import TextReader

MISSING_PROFILE = "missing"
"""The profile of stations that send nines where they have no value."""

_PICTURE, _TEXT = "F3", "F2"


class Decoder:
    """Decodes frame by frame; remembers the packets of one group until they are whole."""

    def __init__(self) -> None:
        self._group = ""
        self._packets: dict[int, bytes] = {}
        self._last: Unfinished | None = None

    def __call__(self, case: Case) -> dict[str, Any]:
        """Return what a frame says. Raises FrameError."""
        frame = parse(case.raw)
        found = shown(frame, case.profile)
        return self._join(case.group, frame, found) if case.group and frame.start == SYN else found

    def _join(self, group: str, frame: Frame, found: dict[str, Any]) -> dict[str, Any]:
        if group != self._group:
            self._group, self._packets, self._last = group, {}, None
        self._packets[frame.number] = frame.body
        if frame.end == ETX:
            found = self._last = Unfinished(found)
        if len(self._packets) == frame.total and self._last is not None:
            body = b"".join(self._packets[number] for number in sorted(self._packets))
            self._last.update(_joined(frame.function, body))
            self._last.whole = True
            self._group = ""
        return found


def read_body(frame: Frame, data: bytes, *, cut: bool = False) -> Body:
    """Return what the body of an up frame says. Raises FrameError."""
    return (
        TextReader(frame.function, data).body() if frame.text else Reader(frame.function, data, cut=cut).body()
    )


def shown(frame: Frame, profile: str = "") -> dict[str, Any]:
    """Return a frame in JSON's types. Raises FrameError where its body is damaged."""
    found: dict[str, Any] = {
        "direction": frame.direction,
        "center": frame.center,
        "station": frame.station,
        "password": frame.password,
        "function": f"{frame.function:02X}",
        "length": frame.length,
        "start": NAMES[frame.start],
        "end": NAMES[frame.end],
        "crc": frame.crc,
    }
    if frame.start == SYN:
        found |= {"packet_total": frame.total, "packet_seq": frame.number}
        if frame.number > 1:
            return found | {"body_hex": frame.body.hex().upper()}
    if frame.direction == "down":
        return found | _command(frame)
    body = read_body(frame, frame.body, cut=frame.start == SYN and frame.total > 1)
    return found | _body(frame.function, body, profile)


def _command(frame: Frame) -> dict[str, Any]:
    head = 16 if frame.text else 8
    body = (
        Reader(VERSION, frame.body[:8]).body()
        if not frame.text
        else TextReader(VERSION, frame.body[:16]).body()
    )
    found: dict[str, Any] = {"serial": body.serial, "sent_at": body.sent_at}
    if len(frame.body) > head:
        found["params_hex"] = frame.body[head:].hex().upper()
    return found


def _body(function: int, body: Body, profile: str) -> dict[str, Any]:
    found: dict[str, Any] = {"serial": body.serial, "sent_at": body.sent_at}
    if body.station:
        found["body_station"] = body.station
    if body.station_class:
        found["station_class"] = body.station_class
    if body.observed_at:
        found["observed_at"] = body.observed_at
    if function == VERSION:
        found["version_text"] = _version(body.rest)
    elif body.rest:
        found["params_hex"] = body.rest.hex().upper()
    found["elements"] = [_element(said, profile) for said in body.elements]
    return found


def _version(rest: bytes) -> str:
    counted = rest[1:] if rest and rest[0] == len(rest) - 1 else rest
    return _text(counted)


def _text(raw: bytes) -> str:
    """Return text by hand: the standard says GB codes, and ASCII is a part of them."""
    return raw.decode("gb18030", "replace").strip("\x00 ")


def _element(said: Said, profile: str) -> dict[str, Any]:
    found: dict[str, Any] = {"id": said.id}
    known = ELEMENTS.get(said.number) if said.number is not None else None
    if known is not None:
        found["name"] = known.code
        if known.unit:
            found["unit"] = known.unit
    found["observed_at"] = said.observed_at or None
    if said.id == "04" and said.step is not None:
        return found | {"step": said.step._asdict()}
    if said.raw or not said.values:
        return found | _raw(said)
    numbers = [_number(said, index, profile) for index in range(len(said.values))]
    found |= {"values": numbers} if said.many else {"value": numbers[0]}
    if said.length is not None:
        found["length"] = said.length
    if said.decimals is not None:
        found["decimals"] = said.decimals
    return found


def _raw(said: Said) -> dict[str, Any]:
    if said.id == _PICTURE:
        return {"bytes": len(said.raw), "head_hex": said.raw[:4].hex().upper()}
    if said.id == _TEXT:
        return {"text": _text(said.raw)}
    return {"raw_hex": said.raw.hex().upper()}


def _number(said: Said, index: int, profile: str) -> float | None:
    value = said.values[index]
    if isinstance(value, BadDigits):
        raise FrameError("bcd", f"element {said.id} says {value.text}")
    return None if profile == MISSING_PROFILE and index in said.nines else value


def _joined(function: int, body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {"joined_body_bytes": len(body)}
    try:
        whole = Reader(function, body).body()
        picture = next((said.raw for said in whole.elements if said.id == _PICTURE), None)
        if picture is None:
            return found | _body(function, whole, "")
    except FrameError as error:
        return found | {"joined_error": error.reason}
    return found | {
        "picture_bytes": len(picture),
        "picture_sha256": hashlib.sha256(picture).hexdigest(),
        "head_hex": picture[:4].hex().upper(),
        "tail_hex": picture[-2:].hex().upper(),
    }
