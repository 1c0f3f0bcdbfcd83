"""An answer in the bytes that came since a request: found behind echo and rubbish, and held to what was asked.

pymodbus takes an echo for a broken answer, drops what follows it, and does not hold lengths to the request.
"""

from __future__ import annotations

import struct

from edge.adapters.frame import FrameError, Refusal
from edge.adapters.modbus.request import (
    BITS,
    READS,
    WRITE_COIL,
    WRITE_REGISTER,
    WRITES,
    Framing,
    Request,
    crc_right,
)

ERROR = 0x80
"""Set in the function of an answer that is an exception."""
MAX_FRAME = 256
"""The longest frame of a serial line (Modbus over Serial Line 1.02, 2.5.1)."""
_MAX_BUFFER = 4 * MAX_FRAME
_MBAP = struct.Struct(">HHHB")
_EXCEPTIONS = {
    1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "device failure",
    5: "acknowledge", 6: "device busy", 7: "negative acknowledge", 8: "memory parity error",
    10: "no path from the gateway", 11: "no answer behind the gateway",
}  # fmt: skip
_FINAL = frozenset((1, 2, 3))


def answer(request: Request, sent: bytes, data: bytes, framing: Framing) -> tuple[int, ...] | None:
    """Return the registers (or bits) of the answer, () of a write, None while more must come.

    Raises Refusal for exceptions 1 to 3, FrameError crc, length, header, unit, function, echo or exception.
    """
    pdu = (_serial if framing is Framing.RTU else _network)(request, sent, data)
    return None if pdu is None else content(request, pdu)


def content(request: Request, pdu: bytes) -> tuple[int, ...]:
    """Return what function and data of an answer hold. Raises Refusal, FrameError."""
    function, data = pdu[0], pdu[1:]
    if function == request.function | ERROR:
        raise _exception(request, data)
    if function != request.function:
        raise FrameError("function", f"asked with {request.function}, answered with {function}")
    if function in WRITES:
        return _written(request, data)
    if not data or len(data) != 1 + data[0] or data[0] != request.answer_bytes():
        raise FrameError("length", f"{len(data) - 1} bytes, {request.answer_bytes()} were asked")
    if function in BITS:
        return tuple(data[1 + bit // 8] >> bit % 8 & 1 for bit in range(request.count))
    return struct.unpack(f">{data[0] // 2}H", data[1:])


def size_of(frame: bytes) -> int | None:
    """Return how long an answer of a serial line is by its first bytes; 0 while unknown, None if it is none."""
    if len(frame) < 2:
        return 0
    function = frame[1]
    if function & ERROR:
        return 5
    if function in WRITES:
        return 8
    if function in READS:
        return 5 + frame[2] if len(frame) > 2 else 0
    return None


def _exception(request: Request, data: bytes) -> FrameError:
    if len(data) != 1:
        return FrameError("length", f"an exception of {len(data)} bytes")
    text = f"exception {data[0]} ({_EXCEPTIONS.get(data[0], 'unknown')}) at {request.start:#06x}"
    return Refusal("exception", text) if data[0] in _FINAL else FrameError("exception", text)


def _written(request: Request, data: bytes) -> tuple[int, ...]:
    if request.function in (WRITE_COIL, WRITE_REGISTER):
        expected = request.pdu().encode()
    else:
        expected = struct.pack(">HH", request.start, len(request.values))
    if len(data) != len(expected):
        raise FrameError("length", f"{len(data)} bytes confirm a write, not {len(expected)}")
    if data != expected:
        raise FrameError("value", f"{data.hex()} confirms another write than {expected.hex()}")
    return ()


def _serial(request: Request, sent: bytes, data: bytes) -> bytes | None:
    """Return function and data of our unit's answer; late answers of others and rubbish are passed over."""
    if len(data) > _MAX_BUFFER:
        raise FrameError("length", f"{len(data)} bytes and no answer among them")
    single_write = request.function in (WRITE_COIL, WRITE_REGISTER)  # its answer is the request itself
    rest = data.removeprefix(sent) if not single_write else data
    if len(rest) < len(sent) and sent.startswith(rest):
        return None
    if _incomplete(request, rest):
        return None
    at = 0
    while at < len(rest):
        size = size_of(rest[at : at + 3])
        frame = rest[at : at + size] if size else b""
        if not size or len(frame) < size or not crc_right(frame):
            at += 1
            continue
        if request.answered_by(frame[0]) and frame[1] & ~ERROR == request.function:
            return frame[1:-2]
        at += size
    if _ours(request, rest) and len(rest) >= (size_of(rest) or 0):
        raise FrameError("crc", f"the answer {rest[:MAX_FRAME].hex()} has a wrong CRC")
    return None


def _ours(request: Request, rest: bytes) -> bool:
    """Return whether this begins as the answer does."""
    return len(rest) > 2 and request.answered_by(rest[0]) and rest[1] & ~ERROR == request.function


def _incomplete(request: Request, rest: bytes) -> bool:
    return _ours(request, rest) and len(rest) < (size_of(rest) or 0)


def _network(request: Request, sent: bytes, data: bytes) -> bytes | None:
    """Return function and data of the answer to our transaction; late answers to others are passed over."""
    (transaction,) = struct.unpack_from(">H", sent)
    at = 0
    while len(data) - at >= _MBAP.size:
        number, protocol, length, unit = _MBAP.unpack_from(data, at)
        if protocol or not 3 <= length <= MAX_FRAME - 2:
            raise FrameError("header", f"{data[at : at + 7].hex()} is no header of Modbus TCP")
        end = at + 6 + length
        if len(data) < end:
            return None
        if number == transaction:
            if not request.answered_by(unit):
                raise FrameError("unit", f"unit {request.unit} was asked, {unit} answered")
            return data[at + _MBAP.size : end]
        at = end
    return None
