"""Protocol Buffers as far as Sparkplug B needs them: fields of four wire types, read within bounds, and made.

The whole format that one message type needs is these few lines; the protobuf package would bring generated code
and a compiled library to every gateway for it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from edge.adapters.frame import FrameError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_WIDTHS = {FIXED64: 8, FIXED32: 4}
MAX_VARINT_BYTES = 10

Raw = int | bytes


def fields(data: bytes) -> Iterator[tuple[int, int, Raw]]:
    """Yield (number, wire type, value) of each field. Raises FrameError `truncated`, `protobuf`."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise FrameError("protobuf", "a field has number 0")
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, at = _varint(data, at)
        elif kind in _WIDTHS:
            length = _WIDTHS[kind]
        else:
            raise FrameError("protobuf", f"wire type {kind} in field {number}")
        if at + length > len(data):
            raise FrameError("truncated", f"field {number} has {len(data) - at} of {length} bytes")
        yield number, kind, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(MAX_VARINT_BYTES):
        if at + index >= len(data):
            raise FrameError("truncated", "a number is cut off")
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + index + 1
    raise FrameError("protobuf", f"a number of more than {MAX_VARINT_BYTES} bytes")


def text(raw: Raw) -> str:
    """Return a text. Raises FrameError `protobuf`."""
    try:
        return message(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise FrameError("protobuf", "a text is no UTF-8") from None


def message(raw: Raw) -> bytes:
    """Return the bytes of a field that must be bytes. Raises FrameError `protobuf`."""
    if not isinstance(raw, bytes):
        raise FrameError("protobuf", "a number where bytes belong")
    return raw


def count(raw: Raw) -> int:
    """Return the number of a field that must be one. Raises FrameError `protobuf`."""
    if not isinstance(raw, int):
        raise FrameError("protobuf", "bytes where a number belongs")
    return raw


def floating(raw: Raw, width: int) -> float:
    """Return a float of 4 or 8 bytes. Raises FrameError `protobuf`."""
    data = message(raw)
    if len(data) != width:
        raise FrameError("protobuf", f"a float of {len(data)} bytes, not {width}")
    return float(struct.unpack("<f" if width == 4 else "<d", data)[0])


def put_count(number: int, value: int) -> bytes:
    """Return a field that is a number >= 0."""
    return _put(number << 3 | VARINT) + _put(value)


def put_bytes(number: int, value: bytes) -> bytes:
    """Return a field of bytes, text or a message."""
    return _put(number << 3 | BYTES) + _put(len(value)) + value


def put_float(number: int, value: float, width: int) -> bytes:
    """Return a field that is a float of 4 or 8 bytes."""
    kind, form = (FIXED32, "<f") if width == 4 else (FIXED64, "<d")
    return _put(number << 3 | kind) + struct.pack(form, value)


def _put(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
