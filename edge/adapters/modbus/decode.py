"""One frame for a person: what it asks, says or writes, and its values where device and request are known."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from edge.adapters.adapter import Case
from edge.adapters.frame import FrameError
from edge.adapters.modbus.answer import ERROR, MAX_FRAME
from edge.adapters.modbus.profile import Profile, profile, shipped
from edge.adapters.modbus.request import (
    BITS,
    LAST_UNIT,
    READS,
    WRITE_COIL,
    WRITE_REGISTER,
    WRITES,
    crc_right,
)
from edge.adapters.modbus.values import values
from edge.model.errors import ConfigError

_FIXED_BYTES = 8
"""A read's request and most writes: unit, function, two numbers, CRC."""
_RESET_ENERGY = 0x42
"""Of the PZEM: no data, the answer is the same."""
_TCP = "tcp"
"""The profile of a case whose frames have an MBAP header instead of a CRC."""
Fields = dict[str, Any]


def decoder() -> Callable[[Case], Fields]:
    """Return what decodes the frames of modbus-devices; nothing is remembered between them."""
    return decode


def decode(case: Case) -> Fields:
    """Return what a frame says. Raises FrameError."""
    if case.profile == _TCP:
        return _network(case)
    raw, request = case.raw, case.request
    own = _echo(raw, request)
    if own:
        raw, request = raw[len(own) :], own
    if raw == request and raw[1:2] and raw[1] in READS:
        raise FrameError("truncated", "the own request came back, and nothing after it")
    if request and not (crc_right(request) and len(request) >= _FIXED_BYTES):
        raise FrameError("request", f"{request.hex()} is no frame with its CRC")
    pdu = _unframed(raw, is_answer=bool(request))
    found = {"unit": raw[0], **_answered(case.device, raw[0], pdu, request[:-2])}
    return {**found, "echo_skipped": True} if own else found


def _network(case: Case) -> Fields:
    """Return what a frame with an MBAP header says."""
    transaction, unit, pdu = _mbap(case.raw)
    asked = b""
    if case.request:
        number, asked_unit, asked_pdu = _mbap(case.request)
        if number != transaction:
            raise FrameError("transaction", f"{number} was asked, {transaction} answered")
        asked = bytes((asked_unit,)) + asked_pdu
    return {"transaction": transaction, "unit": unit, **_answered(case.device, unit, pdu, asked)}


def _mbap(frame: bytes) -> tuple[int, int, bytes]:
    if len(frame) < _FIXED_BYTES:
        raise FrameError("truncated", f"{len(frame)} bytes, a header and a function are 8")
    transaction, protocol, length, unit = struct.unpack_from(">HHHB", frame)
    if protocol or not 2 <= length <= MAX_FRAME - 2:
        raise FrameError("header", f"{frame[:7].hex()} is no header of Modbus TCP")
    if len(frame) != 6 + length:
        raise FrameError(
            "truncated" if len(frame) < 6 + length else "length", f"{len(frame)} bytes, not {6 + length}"
        )
    return transaction, unit, frame[7:]


def _echo(raw: bytes, request: bytes) -> bytes:
    """Return the own request before an answer: as given, or recognised by its CRC and the answer's."""
    if request and len(raw) > len(request) and raw.startswith(request):
        return request
    head, tail = raw[:_FIXED_BYTES], raw[_FIXED_BYTES:]
    if request or not tail or not crc_right(head) or not crc_right(tail) or len(tail) < 5:
        return b""
    return head if tail[0] == head[0] and tail[1] & ~ERROR == head[1] else b""


def _unframed(raw: bytes, *, is_answer: bool) -> bytes:
    """Return function and data of a frame of a serial line, whose length and CRC are right."""
    if len(raw) < 4:
        raise FrameError("truncated", f"{len(raw)} bytes are no frame")
    sizes = _sizes(raw, is_answer=is_answer)
    if crc_right(raw) and (not sizes or len(raw) in sizes):
        return raw[1:-2]
    if not sizes:
        raise FrameError("crc", f"the CRC of {raw.hex()} is wrong")
    size = _likely(raw, sizes)
    if len(raw) == size:
        raise FrameError("crc", f"the CRC of {raw.hex()} is wrong")
    reason = "truncated" if len(raw) < size else "length"
    raise FrameError(reason, f"{len(raw)} bytes, not {size}")


def _sizes(raw: bytes, *, is_answer: bool) -> list[int]:
    """Return how long the frame may be by its function and counts, the likeliest last; [] for no idea."""
    function, third = raw[1], raw[2]
    if function & ERROR:
        return [5]
    if function in READS:
        sane = third and (function in BITS or third % 2 == 0)
        return [_FIXED_BYTES] * (not is_answer) + [5 + third] * bool(sane or is_answer)
    if function in (WRITE_COIL, WRITE_REGISTER):
        return [_FIXED_BYTES]
    if function in WRITES:
        return [_FIXED_BYTES] + ([9 + raw[6]] if len(raw) > 8 and not is_answer else [])
    return [4] if function == _RESET_ENERGY else []


def _likely(raw: bytes, sizes: list[int]) -> int:
    """Return which length was meant: where the CRC is right, else a sensible request, else the last."""
    for size in sizes:
        if len(raw) > size and crc_right(raw[:size]):
            return size
    if _FIXED_BYTES in sizes and raw[1] in READS:
        count = int.from_bytes(raw[4:6], "big")
        if 1 <= count <= (2000 if raw[1] in BITS else 125) and len(raw) in (_FIXED_BYTES, _FIXED_BYTES + 1):
            return _FIXED_BYTES
    return sizes[-1]


def _answered(device: str, unit: int, pdu: bytes, asked: bytes) -> Fields:
    """Return what function and data say; `asked` is the unit, function and data of the request, if known."""
    found = _said(pdu, asked[1:])
    if not asked:
        return found
    known = _known(device)
    _hold(unit, pdu, asked, known)
    return found | (_measured(known, found, asked) if known else {})


def _known(device: str) -> Profile | None:
    """Return a device's profile, shipped or in a .toml file of one's own; None where there is none."""
    if device not in shipped() and not device.endswith(".toml"):
        return None
    try:
        return profile(device)
    except ConfigError as error:
        raise FrameError("profile", error.message, remedy=error.remedy) from None


def _hold(unit: int, pdu: bytes, asked: bytes, known: Profile | None) -> None:
    """Hold an answer to what was asked. Raises FrameError unit, function, length."""
    if unit != asked[0] and 0 < asked[0] <= LAST_UNIT:
        raise FrameError("unit", f"unit {asked[0]} was asked, {unit} answered")
    if pdu[0] & ~ERROR != asked[1]:
        raise FrameError("function", f"asked with {asked[1]}, answered with {pdu[0] & ~ERROR}")
    if pdu[0] in READS:
        count = int.from_bytes(asked[4:6], "big")
        wanted = (count + 7) // 8 if pdu[0] in BITS else count * _width_bytes(known, asked)
        if pdu[1] != wanted:
            raise FrameError("length", f"{pdu[1]} bytes, {wanted} were asked")


def _width_bytes(known: Profile | None, asked: bytes) -> int:
    """Return what one register takes in the answer: more than 2 bytes where registers number values."""
    if known is None or not known.registers_are_values:
        return 2
    start = int.from_bytes(asked[2:4], "big")
    return next((2 * row.words for row in known.rows if row.register == start), 2)


def _said(pdu: bytes, asked: bytes) -> Fields:
    function, data = pdu[0], pdu[1:]
    if function & ERROR:
        if len(data) != 1:
            raise FrameError("length", f"an exception of {len(data)} bytes")
        return {"function": function & ~ERROR, "kind": "response", "exception": data[0]}
    found: Fields = {"function": function}
    if function in WRITES:
        return found | {"kind": "write"} | _write(function, data)
    if function not in READS:
        return found | {"kind": "response" if asked else "request"}
    if len(data) == 4 and (not asked or data[0] != 3):
        start, count = struct.unpack(">HH", data)
        return found | {"kind": "request", "start": start, "count": count}
    if not data or len(data) != 1 + data[0] or (function not in BITS and data[0] % 2):
        raise FrameError("length", f"{len(data)} bytes of data are neither a request nor an answer")
    if function in BITS:
        return found | {"kind": "response", "bits": [byte >> bit & 1 for byte in data[1:] for bit in range(8)]}
    return found | {"kind": "response", "registers": list(struct.unpack(f">{data[0] // 2}H", data[1:]))}


def _write(function: int, data: bytes) -> Fields:
    if len(data) < 4:
        raise FrameError("truncated", f"{len(data)} bytes of data are no write")
    first, second = struct.unpack_from(">HH", data)
    if function in (WRITE_COIL, WRITE_REGISTER):
        if len(data) != 4:
            raise FrameError("length", f"{len(data)} bytes of data, not 4")
        return {"register": first, "value": second}
    found: Fields = {"start": first, "count": second}
    if len(data) == 4:
        return found
    body, wanted = data[5:], 2 * second if function == max(WRITES) else (second + 7) // 8
    if len(body) != data[4] or data[4] != wanted:
        raise FrameError("length", f"{len(body)} bytes for {second} values")
    if function == max(WRITES):
        return found | {"registers": list(struct.unpack(f">{second}H", body))}
    return found | {"bits": [body[bit // 8] >> bit % 8 & 1 for bit in range(second)]}


def _measured(known: Profile, found: Fields, asked: bytes) -> Fields:
    """Return the values of a known device's registers; nothing where there is none."""
    if len(asked) < 6 or "registers" not in found or found["kind"] != "response":
        return {}
    rows = [row for row in known.rows if (row.function or known.function) == found["function"]]
    start = int.from_bytes(asked[2:4], "big")
    if known.registers_are_values:
        rows = [row for row in rows if row.register == start]
    named = values(known, rows, start, found["registers"])
    return {"values": named} if named else {}
