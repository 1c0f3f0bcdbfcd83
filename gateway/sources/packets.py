"""MQTT 3.1.1 on the wire: what a client says as bytes, and what it hears, read strictly; no I/O here.

Clauses in brackets are those of the OASIS standard MQTT 3.1.1. Only packets that a broker may send to a client
of QoS 0 and 1 are read; any other first byte ends the reading, before the rest of its packet is waited for.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import NamedTuple

from edge.model.errors import CityError

LARGEST_PACKET_BYTES = 16 * 1024 * 1024  # bounds what a broker can make us hold; deployed brokers allow 1 MiB
MOST_KNOWN_TOPICS = 65_536
_LARGEST_REMAINING = 268_435_455  # 2.2.3
_LARGEST_STRING = 65_535  # 1.5.3

# [MQTT-1.5.3-2] forbids U+0000; 1.5.3 lets a receiver close on control codes and non-characters too, and a
# topic that holds one can only be a mistake or an attack.
_NONCHARACTERS = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_FORBIDDEN = re.compile(f"[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef{_NONCHARACTERS}]")
_WILDCARD = re.compile("[+#]")

PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"


class PacketError(CityError):
    """Bytes that MQTT 3.1.1 does not allow here; `clause` is the place in the standard."""

    def __init__(self, message: str, clause: str) -> None:
        super().__init__(f"{message} [{clause}]")
        self.clause = clause


# What is heard. Tuples: one is made for every message, and a frozen dataclass costs several times as much.


class ConnAck(NamedTuple):
    """3.2: the answer to CONNECT. `code` 0 is a welcome, 1 to 5 a refusal."""

    session_present: bool
    code: int


class Publish(NamedTuple):
    """3.3: a message. `mid` is its packet identifier, 0 at QoS 0."""

    topic: str
    payload: bytes
    mid: int
    flags: int

    @property
    def qos(self) -> int:
        """The quality of service: 0, 1 or 2."""
        return self.flags >> 1 & 3

    @property
    def retain(self) -> bool:
        """Whether it is the topic's retained message."""
        return bool(self.flags & 1)

    @property
    def dup(self) -> bool:
        """Whether it may have been delivered before."""
        return bool(self.flags & 8)


class PubAck(NamedTuple):
    """3.4: the answer to a PUBLISH of QoS 1."""

    mid: int


class SubAck(NamedTuple):
    """3.9: the answer to SUBSCRIBE, a code for each filter: the QoS granted, or 128 for a refusal."""

    mid: int
    codes: tuple[int, ...]


class PingResp(NamedTuple):
    """3.13: the answer to PINGREQ."""


Packet = ConnAck | Publish | PubAck | SubAck | PingResp

_CONNACK, _PUBACK, _SUBACK, _PINGRESP = 0x20, 0x40, 0x90, 0xD0
_NAMES = [
    *("reserved type 0", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP"),
    *(
        "SUBSCRIBE",
        "SUBACK",
        "UNSUBSCRIBE",
        "UNSUBACK",
        "PINGREQ",
        "PINGRESP",
        "DISCONNECT",
        "reserved type 15",
    ),
]
_PUBLISH_FIRST = [0x30 | flags for flags in range(16) if flags & 6 != 6]
_LEGAL_FIRST = frozenset([_CONNACK, _PUBACK, _SUBACK, _PINGRESP, *_PUBLISH_FIRST])


def check_text(text: str, what: str) -> None:
    """Raise PacketError for a character that 1.5.3 forbids or lets a receiver refuse."""
    found = _FORBIDDEN.search(text)
    if found:
        clause = "MQTT-1.5.3-2" if found[0] == "\0" else "1.5.3"
        raise PacketError(f"{what} holds U+{ord(found[0]):04X}: {text[:96]!r}", clause)


def check_topic(text: str) -> None:
    """Raise PacketError unless `text` may name the topic of a message."""
    if not text:
        raise PacketError("PUBLISH with an empty topic", "MQTT-4.7.3-1")
    if _WILDCARD.search(text):
        raise PacketError(f"PUBLISH to a topic with a wildcard: {text[:96]!r}", "MQTT-3.3.2-2")
    check_text(text, "the topic of a PUBLISH")


class Decoder:
    """Bytes in, packets out, however the bytes were cut. After an error it stays at that error."""

    def __init__(self, largest_bytes: int = LARGEST_PACKET_BYTES) -> None:
        self._largest = largest_bytes
        self._data = b""
        self._at = 0  # where in _data the next packet begins
        self._later: list[bytes] = []  # came after _data
        self._held = 0  # bytes not read yet, in both
        self._wanted = 2  # bytes without which the next packet cannot be read
        self._topics: dict[bytes, str] = {}  # checked already: the same nodes speak again and again

    @property
    def held_bytes(self) -> int:
        """How much was fed and not taken."""
        return self._held

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        self._later.append(data)
        self._held += len(data)

    def take(self, packets: list[Packet], most: int) -> None:
        """Append up to `most` packets. PacketError follows when what stood before the bad one is appended."""
        if self._later and (self._held >= self._wanted or self._held < 2):
            self._data = b"".join((self._data[self._at :], *self._later))
            self._at = 0
            self._later.clear()
        data, at, end = self._data, self._at, len(self._data)
        try:
            while most > 0 and at < end:
                start, stop = self._frame(data, at, end)
                if stop > end:
                    self._wanted = stop - at
                    break
                first = data[at]
                if first & 0xF0 == 0x30:
                    packets.append(self._publish(data, first, start, stop))
                else:
                    packets.append(_answer(first, data[start:stop]))
                self._wanted = 2
                at = stop
                most -= 1
        finally:
            self._held -= at - self._at
            self._data, self._at = (data, at) if at < end else (b"", 0)

    def _frame(self, data: bytes, at: int, end: int) -> tuple[int, int]:
        """Return where a packet's body begins and ends; while bytes are missing, it ends beyond `end`."""
        first = data[at]
        if first not in _LEGAL_FIRST:
            raise _bad_first(first)
        start = at + 2
        if start > end:
            return start, start
        length = data[at + 1]
        if length < 128:
            return start, start + length
        length &= 127
        for shift in (7, 14, 21):
            if start == end:
                return start, start + 1
            byte = data[start]
            start += 1
            length |= (byte & 127) << shift
            if byte < 128:
                break
        else:
            raise PacketError(f"{_NAMES[first >> 4]} with a length of more than four bytes", "2.2.3")
        if length > self._largest:
            raise PacketError(f"{_NAMES[first >> 4]} of {length} bytes, more than are taken", "2.2.3")
        return start, start + length

    def _publish(self, data: bytes, first: int, start: int, stop: int) -> Publish:
        body = start + 2
        if body > stop:
            raise PacketError("PUBLISH without a topic", "3.3.2.1")
        name_end = body + (data[start] << 8 | data[start + 1])
        if name_end > stop:
            raise PacketError("the topic of a PUBLISH is longer than the packet", "3.3.2.1")
        name = data[body:name_end]
        topic = self._topics.get(name) or self._learn(name)
        if first & 6 == 0:
            return Publish(topic, data[name_end:stop], 0, first & 15)
        body = name_end + 2
        if body > stop:
            raise PacketError("PUBLISH without a packet identifier", "MQTT-2.3.1-1")
        mid = data[name_end] << 8 | data[name_end + 1]
        if mid == 0:
            raise PacketError("PUBLISH with the packet identifier 0", "MQTT-2.3.1-1")
        return Publish(topic, data[body:stop], mid, first & 15)

    def _learn(self, name: bytes) -> str:
        try:
            topic = name.decode("utf-8")
        except UnicodeDecodeError:
            raise PacketError("the topic of a PUBLISH is not UTF-8", "MQTT-1.5.3-1") from None
        check_topic(topic)
        if len(name) <= 256:
            if len(self._topics) >= MOST_KNOWN_TOPICS:
                self._topics.clear()
            self._topics[name] = topic
        return topic


def _bad_first(first: int) -> PacketError:
    kind, name = first >> 4, _NAMES[first >> 4]
    if kind == 3:
        return PacketError("PUBLISH of QoS 3", "MQTT-3.3.1-4")
    if kind in (0, 15):
        return PacketError(name, "2.2.1")
    if kind << 4 in _LEGAL_FIRST:
        return PacketError(f"{name} with the flags {first & 15}", "MQTT-2.2.2-2")
    return PacketError(f"{name}, which nothing of ours asks for", "2.2.1")


def _answer(first: int, body: bytes) -> Packet:
    """Read what a broker answers; `body` is what follows the fixed header."""
    if first == _PINGRESP:
        if body:
            raise PacketError("PINGRESP with a body", "3.13")
        return PingResp()
    if first == _SUBACK:
        if len(body) < 3:
            raise PacketError("SUBACK without a code", "3.9.3")
        if not {0, 1, 2, 128}.issuperset(body[2:]):
            raise PacketError("SUBACK with a reserved code", "MQTT-3.9.3-2")
        return SubAck(_answered(body, "SUBACK"), tuple(body[2:]))
    if len(body) != 2:
        raise PacketError(f"{_NAMES[first >> 4]} of {len(body)} bytes instead of 2", f"3.{first >> 4}.1")
    if first == _PUBACK:
        return PubAck(_answered(body, "PUBACK"))
    if body[0] > 1:
        raise PacketError("CONNACK with reserved flags", "3.2.2.1")
    if body[1] > 5:
        raise PacketError(f"CONNACK with the reserved code {body[1]}", "3.2.2.3")
    if body[0] and body[1]:
        raise PacketError("CONNACK that refuses, yet keeps a session", "MQTT-3.2.2-4")
    return ConnAck(bool(body[0]), body[1])


def _answered(body: bytes, name: str) -> int:
    mid = body[0] << 8 | body[1]
    if mid == 0:
        raise PacketError(f"{name} for the packet identifier 0", "MQTT-2.3.1-1")
    return mid


# What is said.


def _text(text: str | bytes, what: str) -> bytes:
    """Return a string or binary field with its length; text is held to the rules that we hold others to."""
    if isinstance(text, str):
        check_text(text, what)
        try:
            text = text.encode("utf-8")
        except UnicodeEncodeError:
            raise PacketError(f"{what} cannot be written as UTF-8", "MQTT-1.5.3-1") from None
    if len(text) > _LARGEST_STRING:
        raise PacketError(f"{what} of {len(text)} bytes", "1.5.3")
    return len(text).to_bytes(2, "big") + text


def _packet(first: int, body: bytes) -> bytes:
    length = len(body)
    if length > _LARGEST_REMAINING:
        raise PacketError(f"a packet of {length} bytes", "2.2.3")
    head = bytearray([first])
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    head.append(length)
    return bytes(head) + body


def connect(
    client_id: str,
    keepalive_s: int,
    *,
    clean: bool = False,
    username: str = "",
    password: str = "",
    will: tuple[str, bytes] | None = None,
) -> bytes:
    """Return CONNECT (3.1); a will is of QoS 1. A password needs a username [MQTT-3.1.2-22]."""
    flags = 0x02 if clean else 0
    fields = _text(client_id, "the client id")
    if will is not None:
        flags |= 0x0C
        check_topic(will[0])
        fields += _text(will[0], "the topic of the will") + _text(will[1], "the will")
    if username:
        flags |= 0x80
        fields += _text(username, "the username")
        if password:
            flags |= 0x40
            fields += _text(password.encode(), "the password")
    elif password:
        raise PacketError("CONNECT with a password and no username", "MQTT-3.1.2-22")
    return _packet(0x10, b"\x00\x04MQTT\x04" + struct.pack(">BH", flags, keepalive_s) + fields)


def subscribe(mid: int, filters: Iterable[str], qos: int) -> bytes:
    """Return SUBSCRIBE (3.8) for filters of one QoS."""
    fields = b"".join(_text(text, "a topic filter") + bytes([qos]) for text in filters)
    if not fields:
        raise PacketError("SUBSCRIBE to nothing", "MQTT-3.8.3-3")
    return _packet(0x82, mid.to_bytes(2, "big") + fields)


def publish(topic: str, payload: bytes, mid: int = 0) -> bytes:
    """Return PUBLISH (3.3), at QoS 1 with a packet identifier, at QoS 0 without."""
    check_topic(topic)
    name = _text(topic, "the topic of a PUBLISH")
    return _packet(0x32, name + mid.to_bytes(2, "big") + payload) if mid else _packet(0x30, name + payload)


def pubacks(mids: list[int]) -> bytes:
    """Return a PUBACK (3.4) for each message, in that order [MQTT-4.6.0-2]; each is four bytes: one number."""
    return struct.pack(f">{len(mids)}I", *[0x40020000 | mid for mid in mids])
