"""What takes bytes from outside, and what must hold of each whatever the bytes: one function a target.

A target returns a word or two on what became of its input, "accepted" or why it was refused. Anything that it
raises is a finding: a refusal that its decoder does not declare, or a promise that did not hold.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cbor2
from fuzz import commit, foreign

from edge.model.errors import IdentityError, SeriesError, WireError
from edge.protocol import wire
from edge.protocol.lines import LineError, parse_lines
from edge.protocol.series import encode_point
from edge.protocol.topics import parse_topic, topic
from gateway.sources.packets import Decoder, Packet, PacketError, PubAck, Publish, SubAck

ACCEPTED = "accepted"
VECTORS = Path(__file__).parent.parent / "vectors/native.json"


class Broken(Exception):
    """A promise that did not hold."""


@dataclass(frozen=True, slots=True)
class Target:
    """A decoder under test. `cbor_from` is where CBOR begins in its inputs, None where there is none."""

    name: str
    judge: Callable[[bytes], str]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()
    cbor_from: int | None = None


def expect(condition: bool, promise: str) -> None:
    """Raise Broken unless a promise held."""
    if not condition:
        raise Broken(promise)


def judge_pack(payload: bytes) -> str:
    """A pack: rows are judged alone; a pack of sound rows comes out as it went in."""
    try:
        pack = wire.decode_pack(payload)
    except WireError as error:
        return f"{error.reason}: {error.detail}"
    faults = [wire.row_fault(row, len(row) - 1 if type(row) is list and row else 2) for row in pack.rows]
    if any(faults):
        return "accepted, with rows that are none"
    expect(wire.decode_pack(wire.encode_pack(pack)) == pack, "a pack comes out as it went in")
    return ACCEPTED


def judging(decode: Callable[[bytes], Any], encode: Callable[[Any], bytes]) -> Callable[[bytes], str]:
    """Return the judge of a decoder that takes or refuses a message as a whole."""

    def judge(payload: bytes) -> str:
        try:
            found = decode(payload)
        except WireError as error:
            return f"{error.reason}: {error.detail}"
        expect(decode(encode(found)) == found, "a message comes out as it went in")
        return ACCEPTED

    return judge


def judge_topic(payload: bytes) -> str:
    """A topic: what is taken is written again letter by letter."""
    text = payload.decode("utf-8", "surrogateescape")
    try:
        node, leaf = parse_topic(text)
    except IdentityError as error:
        return error.message.partition(":")[0]
    expect(topic(node, leaf) == text, "a topic comes out as it went in")
    return ACCEPTED


def judge_lines(body: bytes) -> str:
    """Line protocol: every point that is taken can be written and read again, or cannot be written at all."""
    try:
        points = parse_lines(body)
    except LineError as error:
        expect(1 <= error.line <= body.count(b"\n") + 1, "an error names a line of the text")
        return error.problem
    for point in points:
        try:
            line = encode_point(point.measurement, dict(point.tags), dict(point.fields), point.time_ns)
        except SeriesError:
            return "accepted, cannot be written"
        expect(
            parse_lines(line) == [point._replace(fields=tuple(dict(point.fields).items()))],
            "a point comes out as it went in",
        )
    return ACCEPTED


def judge_packets(stream: bytes) -> str:
    """MQTT: however the bytes are cut, the same packets are read and the same error ends them."""
    whole, error = _packets([stream])
    chance = random.Random(stream)
    cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(3))
    pieces = [stream[start:end] for start, end in pairwise([0, *cuts, len(stream)])]
    expect(_packets(pieces) == (whole, error), "cuts change nothing")
    heard = b"".join(map(_spoken, whole))
    expect(_packets([heard]) == (whole, ""), "packets come out as they went in")
    return error or ACCEPTED


def _packets(pieces: Sequence[bytes]) -> tuple[list[Packet], str]:
    decoder, found = Decoder(), list[Packet]()
    for piece in pieces:
        decoder.feed(piece)
        try:
            decoder.take(found, 1_000_000)
        except PacketError as error:
            return found, error.message.rpartition(" [")[0]
    return found, ""


def _spoken(packet: Packet) -> bytes:
    """Write what a broker says."""
    if isinstance(packet, Publish):
        name = packet.topic.encode()
        mid = struct.pack(">H", packet.mid) if packet.mid else b""
        return _framed(0x30 | packet.flags, struct.pack(">H", len(name)) + name + mid + packet.payload)
    if isinstance(packet, PubAck):
        return _framed(0x40, struct.pack(">H", packet.mid))
    if isinstance(packet, SubAck):
        return _framed(0x90, struct.pack(">H", packet.mid) + bytes(packet.codes))
    return _framed(0x20, bytes(packet)) if packet else _framed(0xD0, b"")


def _framed(first: int, body: bytes) -> bytes:
    length, head = len(body), [first]
    while length > 127:
        head.append(length % 128 + 128)
        length //= 128
    return bytes([*head, length]) + body


def judge_commit(message: bytes) -> str:
    """The whole intake: see fuzz.commit."""
    return commit.take(message, expect)


def vectors(kind: str) -> tuple[bytes, ...]:
    """Return the shared byte vectors of one message."""
    rows = json.loads(VECTORS.read_text(encoding="utf-8"))
    return tuple(bytes.fromhex(row["hex"]) for row in rows if row["message"] == kind)


CBOR_WORDS = (
    *(
        cbor2.dumps(number)
        for number in (0, 24, 255, 65_535, 2**32 - 1, 2**32, 2**53, 2**53 + 1, 2**64 - 1, -1)
    ),
    *(b"\xf9\x7e\x00", b"\xfb\x7f\xf0" + bytes(6), b"\x9f", b"\xff", b"\xc2\x49", b"\xd8\x1c", b"\xd8\x1d\x00"),
    *(b"\x9b\x7f" + b"\xff" * 7, b"\xbb\x00\x00\x00\x01" + bytes(4), b"\x81" * 900, b"\x80" * 80),
)
LINE_WORDS = (
    *(b" ", b",", b"=", b'"', b"\\", b"\n", b"\r\n", b"\r", b"#", b"\0", b"\xff", "µ".encode(), b"\\,", b"\\ "),
    *(
        b'"a b"',
        b"1e309",
        b"-",
        b"i",
        b"u",
        b"t",
        b"9223372036854775807i",
        b"18446744073709551615u",
        b"1e",
        b".",
    ),
    *(b"1" * 5_000, b" 1790000000000000000", b"-9223372036854775808", "１２".encode(), b"0" * 30 + b"1i"),
)
LINE_SEEDS = (
    b"water_level,node=ys-07,site=s1 level_m=3.12,battery_v=12.5 1790000000000000000\n",
    b'm,a=b,c=d i=-7i,u=8u,f=-1.5e-3,t=true,s="a \\"q\\" \\\\ b" 1\nm f=1\r\n# a comment\n\nm f=.5 2\r',
    b"we\\ ird\\,m,k\\=ey=v\\ al,x=y fi\\ eld=1i,g=2 -5",
    b'a b="\n",c=F',
)
MQTT_SEEDS = (
    b"\x32\x0d\x00\x05topic\x04\xd2word\x40\x02\x00\x07\x90\x03\x00\x01\x01\xd0\x00\x30\x0a\x00\x05topicold\x20\x02\x01\x00",
    b"\x30\x84\x01\x00\x0fcn/v1/ys-07/ack" + bytes(115),
    b"\x3b\x0a\x00\x04\xe6\xb0\xb4a\x00\x01hi\x20\x02\x00\x05",
)
MQTT_WORDS = (
    *(
        b"\x30",
        b"\x32",
        b"\x34",
        b"\x40\x02",
        b"\x90\x03",
        b"\xd0\x00",
        b"\xff\xff\xff\x7f",
        b"\xff\xff\xff\xff\x01",
    ),
    *(b"\x80\x00", b"\x00\x00", b"\xff\xff", b"+", b"#", b"\xed\xa0\x80", b"\xef\xbf\xbf", b"\x00\x01a"),
)
TOPIC_WORDS = (
    *(
        b"/",
        b"cn/v1/",
        b"cn",
        b"v1",
        b"birth",
        b"data",
        b"replay",
        b"reply",
        b"death",
        b"ack",
        b"cmd",
        b"\0",
        b"\n",
    ),
    *(b"-", b"+", b"#", b"A", b"\xff", "é".encode(), b"a" * 40),
)
TARGETS = (
    Target("pack", judge_pack, vectors("pack"), CBOR_WORDS, 0),
    Target("birth", judging(wire.decode_birth, wire.encode_birth), vectors("birth"), CBOR_WORDS, 0),
    Target("ack", judging(wire.decode_ack, wire.encode_ack), vectors("ack"), CBOR_WORDS, 0),
    Target("death", judging(wire.decode_death, wire.encode_death), vectors("death"), CBOR_WORDS, 0),
    Target("commit", judge_commit, commit.seeds(), CBOR_WORDS, 1),
    Target("packets", judge_packets, MQTT_SEEDS, MQTT_WORDS),
    Target("lines", judge_lines, LINE_SEEDS, LINE_WORDS),
    Target("topic", judge_topic, (b"cn/v1/ys-07/data", b"cn/v1/lamp-0123/birth"), TOPIC_WORDS),
)
FOREIGN = tuple(
    Target(name, foreign.judge_of(name, foreign.known(name)), foreign.seeds(name))
    for name in foreign.protocols()
)
