"""The native codec: contract messages as CBOR, written into one buffer that is allocated once.

It is the twin of edge/protocol/wire.py; tests/vectors/native.json pins both. Only what the contract uses is
spoken: integers, text, arrays, maps and null. Floats never travel: single floats of an ESP32 would bend them.
"""

from struct import pack_into

from micropython import const

from cityneuron.errors import PackError

VERSION = const(1)
_UNSIGNED = const(0x00)
_NEGATIVE = const(0x20)
_TEXT = const(0x60)
_ARRAY = const(0x80)
_MAP = const(0xA0)
_NULL = const(0xF6)
_DEEPEST = const(6)
_LARGEST_BOOT = const(1 << 53)


class Writer:
    """Writes CBOR into a buffer that it keeps; `payload()` is a view of it, valid until the next `clear()`."""

    def __init__(self, size_bytes):
        self._buffer = bytearray(size_bytes)
        self._view = memoryview(self._buffer)
        self.length = 0

    def clear(self):
        self.length = 0

    def cut(self, length):
        """Take back what was written after `length`."""
        self.length = length

    def room(self):
        return len(self._buffer) - self.length

    def payload(self):
        return self._view[: self.length]

    def integer(self, value):
        if value < 0:
            self._head(_NEGATIVE, -1 - value)
        else:
            self._head(_UNSIGNED, value)

    def null(self):
        self._byte(_NULL)

    def array(self, items):
        self._head(_ARRAY, items)

    def map(self, pairs):
        self._head(_MAP, pairs)

    def text(self, value):
        encoded = value.encode()
        self._head(_TEXT, len(encoded))
        end = self.length + len(encoded)
        self._need(len(encoded))
        self._buffer[self.length : end] = encoded
        self.length = end

    def _byte(self, value):
        self._need(1)
        self._buffer[self.length] = value
        self.length += 1

    def _need(self, size):
        if self.length + size > len(self._buffer):
            raise PackError("message is larger than %d bytes" % len(self._buffer), "send fewer rows in a pack")

    def _head(self, major, value):
        if value < 24:
            self._byte(major | value)
        elif value < 0x100:
            self._byte(major | 24)
            self._byte(value)
        elif value < 0x10000:
            self._byte(major | 25)
            self._byte(value >> 8)
            self._byte(value & 0xFF)
        elif value <= 0xFFFFFFFF:
            self._long(major | 26, ">I", 4, value)
        elif value >> 64 == 0:
            self._long(major | 27, ">Q", 8, value)
        else:
            raise PackError("integer does not fit 64 bits", "check the sensor's scale")

    def _long(self, first, layout, size, value):
        self._byte(first)
        self._need(size)
        pack_into(layout, self._buffer, self.length, value)
        self.length += size


def write_data_head(writer, schema, boot, seq0, t0_ms, clock, rows):
    """Begin `[1, schema, boot, seq0, t0, clock, rows]`; exactly `rows` calls of write_row must follow."""
    writer.clear()
    writer.array(7)
    writer.integer(VERSION)
    writer.integer(schema)
    writer.integer(boot)
    writer.integer(seq0)
    writer.integer(t0_ms)
    writer.integer(clock)
    writer.array(rows)


def write_row(writer, dt_ms, values):
    """Write one row: `[dt, value or null, ...]`."""
    writer.array(len(values) + 1)
    writer.integer(dt_ms)
    for value in values:
        if value is None:
            writer.null()
        else:
            writer.integer(value)


def write_death(writer, boot):
    """Write `[1, boot]`."""
    writer.clear()
    writer.array(2)
    writer.integer(VERSION)
    writer.integer(boot)


def read_ack(payload):
    """Return (boot, upto, again) of an acknowledgement, or raise PackError."""
    body = _versioned(payload, 4)
    again = body[3]
    if type(again) is not list:
        raise PackError("ranges are not an array")
    for pair in again:
        if type(pair) is not list or len(pair) != 2 or not _number(pair[0]) or not _number(pair[1]):
            raise PackError("a range is not [first, last]")
        if pair[1] < pair[0]:
            raise PackError("a range ends before it begins")
    if not _number(body[1], _LARGEST_BOOT) or not _number(body[2]):
        raise PackError("boot is no number of 53 bits, or upto none of 32")
    return body[1], body[2], again


def decode(payload):
    """Return the one CBOR item that `payload` is; refuses what the contract does not use."""
    value, end = _item(memoryview(payload), 0, 0)
    if end != len(payload):
        raise PackError("%d bytes follow the message" % (len(payload) - end))
    return value


def _versioned(payload, length):
    body = decode(payload)
    if type(body) is not list or len(body) != length:
        raise PackError("not an array of %d" % length)
    if type(body[0]) is not int or body[0] != VERSION:
        raise PackError("version %s, this node speaks %d" % (str(body[0])[:20], VERSION), "update the node")
    return body


def _number(value, largest=0xFFFFFFFF):
    return type(value) is int and 0 <= value <= largest


def _item(data, at, depth):
    if depth > _DEEPEST:
        raise PackError("nested deeper than %d" % _DEEPEST)
    _need(data, at, 1)
    first = data[at]
    if first == _NULL:
        return None, at + 1
    major = first & 0xE0
    value, at = _argument(data, at)
    if major == _UNSIGNED:
        return value, at
    if major == _NEGATIVE:
        return -1 - value, at
    if major == _TEXT:
        return _read_text(data, at, value)
    if major == _ARRAY:
        return _read_array(data, at, value, depth)
    if major == _MAP:
        return _read_map(data, at, value, depth)
    raise PackError("CBOR type 0x%02x is not in the contract" % first)


def _need(data, at, size):
    if size > len(data) - at:
        raise PackError("message is cut short")


def _argument(data, at):
    """Return the number in a head, and where the next byte is."""
    short = data[at] & 0x1F
    at += 1
    if short < 24:
        return short, at
    if short > 27:
        raise PackError("indefinite lengths are not in the contract")
    size = 1 << (short - 24)
    _need(data, at, size)
    value = 0
    for index in range(at, at + size):
        value = value << 8 | data[index]
    return value, at + size


def _read_text(data, at, length):
    _need(data, at, length)
    try:
        return str(bytes(data[at : at + length]), "utf-8"), at + length
    except UnicodeError:
        raise PackError("text is not UTF-8")


def _read_array(data, at, length, depth):
    _need(data, at, length)  # an item takes a byte at least: a lying head must not eat the heap
    items = []
    for _ in range(length):
        item, at = _item(data, at, depth + 1)
        items.append(item)
    return items, at


def _read_map(data, at, length, depth):
    _need(data, at, 2 * length)
    pairs = {}
    for _ in range(length):
        key, at = _item(data, at, depth + 1)
        if type(key) is not str:
            raise PackError("a map's key is no text")
        pairs[key], at = _item(data, at, depth + 1)
    return pairs, at
