"""MQTT 3.1.1 packets: as the standard writes them, whatever the bytes and however they were cut."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sources import packets
from gateway.sources.packets import ConnAck, Decoder, Packet, PacketError, PingResp, PubAck, Publish, SubAck

MESSAGE = b"\x32\x0d\x00\x05topic\x04\xd2word"
SPOKEN = MESSAGE + b"\x40\x02\x00\x07\x90\x03\x00\x01\x01\xd0\x00\x30\x0a\x00\x05topicold\x20\x02\x01\x00"
HEARD = [
    Publish("topic", b"word", 1234, 2),
    PubAck(7),
    SubAck(1, (1,)),
    PingResp(),
    Publish("topic", b"old", 0, 0),
    ConnAck(True, 0),
]

topics = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="+#"), min_size=1, max_size=300
)
mids = st.integers(1, 65_535)
codes = st.lists(st.sampled_from([0, 1, 2, 128]), min_size=1, max_size=5).map(tuple)
heard = st.one_of(
    st.builds(ConnAck, st.just(False), st.integers(0, 5)),
    st.builds(Publish, topics, st.binary(max_size=400), st.just(0), st.sampled_from([0, 1, 8, 9])),
    st.builds(Publish, topics, st.binary(max_size=400), mids, st.sampled_from([2, 3, 4, 5, 10, 11, 12, 13])),
    st.builds(PubAck, mids),
    st.builds(SubAck, mids, codes),
    st.just(PingResp()),
)


def decode(*chunks: bytes, most: int = 1_000_000) -> tuple[list[Packet], str]:
    """Return what was read, and the error that ended it."""
    decoder, found = Decoder(), list[Packet]()
    for chunk in chunks:
        decoder.feed(chunk)
        before = -1
        while len(found) > before:
            before = len(found)
            try:
                decoder.take(found, most)
            except PacketError as error:
                return found, str(error)
    return found, ""


def spoken(packet: Packet) -> bytes:
    """Write what a broker says, which the gateway itself never has to."""
    match packet:
        case Publish(topic, payload, mid, flags):
            name = topic.encode()
            body = struct.pack(">H", len(name)) + name + (struct.pack(">H", mid) if mid else b"") + payload
            return framed(0x30 | flags, body)
        case ConnAck(present, code):
            return framed(0x20, bytes([present, code]))
        case PubAck(mid):
            return framed(0x40, struct.pack(">H", mid))
        case SubAck(mid, answers):
            return framed(0x90, struct.pack(">H", mid) + bytes(answers))
        case _:
            return framed(0xD0, b"")


def framed(first: int, body: bytes) -> bytes:
    """Put the fixed header before a body."""
    length, head = len(body), [first]
    while length > 127:
        head.append(length % 128 + 128)
        length //= 128
    return bytes([*head, length]) + body


def test_a_stream_is_read_packet_by_packet() -> None:
    assert decode(SPOKEN) == (HEARD, "")


def test_a_message_tells_its_qos_and_flags() -> None:
    message = Publish("topic", b"", 1, 0b1011)
    assert (message.qos, message.dup, message.retain) == (1, True, True)
    assert Publish("topic", b"", 1, 0b0100).qos == 2


def test_connect_is_written_as_the_standard_says() -> None:
    assert packets.connect("cn-gw", 30) == b"\x10\x11\x00\x04MQTT\x04\x00\x00\x1e\x00\x05cn-gw"
    known = packets.connect("p", 10, clean=True, username="u", password="w")
    assert known == b"\x10\x13\x00\x04MQTT\x04\xc2\x00\x0a\x00\x01p\x00\x01u\x00\x01w"


def test_a_will_is_written_before_the_username() -> None:
    packet = packets.connect("p", 10, clean=True, username="u", will=("t/w", b"gone"))
    assert packet == b"\x10\x1b\x00\x04MQTT\x04\x8e\x00\x0a\x00\x01p\x00\x03t/w\x00\x04gone\x00\x01u"


def test_a_message_with_an_identifier_is_of_qos_1() -> None:
    packet = packets.publish("a/b", b"xy", 0x1234)
    assert packet == b"\x32\x09\x00\x03a/b\x12\x34xy"
    assert decode(packet) == ([Publish("a/b", b"xy", 0x1234, 2)], "")


def test_subscribe_publish_and_acknowledgements_are_written_as_the_standard_says() -> None:
    assert packets.subscribe(10, ["a/b", "c/d"], 1) == b"\x82\x0e\x00\x0a\x00\x03a/b\x01\x00\x03c/d\x01"
    assert packets.publish("a/b", b"xy") == b"\x30\x07\x00\x03a/bxy"
    assert packets.pubacks([1234, 1]) == b"\x40\x02\x04\xd2\x40\x02\x00\x01"


@pytest.mark.parametrize(("length", "head"), [(127, "7f"), (128, "8001"), (16_383, "ff7f"), (16_384, "808001")])
def test_the_remaining_length_grows_by_seven_bits_a_byte(length: int, head: str) -> None:
    packet = packets.publish("t", bytes(length - 3))
    assert packet[1:].hex().startswith(head + "000174")
    assert decode(packet) == ([Publish("t", bytes(length - 3), 0, 0)], "")


@pytest.mark.parametrize(
    ("data", "clause"),
    [
        ("00", "2.2.1"),
        ("f0", "2.2.1"),
        ("10", "2.2.1"),
        ("62", "2.2.1"),
        ("41", "MQTT-2.2.2-2"),
        ("d1", "MQTT-2.2.2-2"),
        ("36", "MQTT-3.3.1-4"),
        ("3080808080", "2.2.3"),
        ("30ffffff7f", "2.2.3"),
        ("3000", "3.3.2.1"),
        ("3003000274", "3.3.2.1"),
        ("30020000", "MQTT-4.7.3-1"),
        ("300300012b", "MQTT-3.3.2-2"),
        ("300700057461002374", "MQTT-3.3.2-2"),
        ("3003000100", "MQTT-1.5.3-2"),
        ("3003000101", "1.5.3"),
        ("30050003efbfbf", "1.5.3"),
        ("30050003eda080", "MQTT-1.5.3-1"),
        ("30040002c080", "MQTT-1.5.3-1"),
        ("3203000174", "MQTT-2.3.1-1"),
        ("32050001740000", "MQTT-2.3.1-1"),
        ("40020000", "MQTT-2.3.1-1"),
        ("4003000100", "3.4.1"),
        ("20020200", "3.2.2.1"),
        ("20020006", "3.2.2.3"),
        ("20020101", "MQTT-3.2.2-4"),
        ("90020001", "3.9.3"),
        ("9003000103", "MQTT-3.9.3-2"),
        ("d00100", "3.13"),
    ],
)
def test_what_the_standard_forbids_is_refused_by_its_clause(data: str, clause: str) -> None:
    found, error = decode(MESSAGE + bytes.fromhex(data))
    assert found == HEARD[:1]
    assert f"[{clause}]" in error


def test_a_byte_order_mark_stays_a_character() -> None:
    assert decode(bytes.fromhex("30050003efbbbf")) == ([Publish("\ufeff", b"", 0, 0)], "")  # [MQTT-1.5.3-3]


@pytest.mark.parametrize("topic", ["", "a/+/b", "#", "a\0b", "a\x1fb", "\ud800", "t" * 65_536])
def test_nothing_is_sent_under_a_name_that_is_no_topic(topic: str) -> None:
    with pytest.raises(PacketError):
        packets.publish(topic, b"")


def test_a_password_without_a_username_is_refused() -> None:
    with pytest.raises(PacketError, match=r"MQTT-3\.1\.2-22"):
        packets.connect("p", 10, password="w")


def test_an_error_stays_and_what_follows_is_not_read() -> None:
    decoder, found = Decoder(), list[Packet]()
    decoder.feed(MESSAGE + b"\xff\x00" + MESSAGE)
    for _ in range(3):
        with pytest.raises(PacketError):
            decoder.take(found, 10)
        decoder.feed(MESSAGE)
    assert found == HEARD[:1]


def test_what_is_not_taken_stays() -> None:
    decoder, found = Decoder(), list[Packet]()
    decoder.feed(SPOKEN)
    for count in (2, 3, 4):
        decoder.take(found, count - len(found))
        assert found == HEARD[:count]
    assert decoder.held_bytes == len(SPOKEN) - len(MESSAGE) - 4 - 5 - 2


@pytest.mark.parametrize("at", range(1, len(SPOKEN)))
def test_a_stream_cut_at_any_byte_reads_the_same(at: int) -> None:
    assert decode(SPOKEN[:at], SPOKEN[at:]) == (HEARD, "")


def test_a_stream_that_drips_reads_the_same() -> None:
    assert decode(*[SPOKEN[i : i + 1] for i in range(len(SPOKEN))]) == (HEARD, "")


@given(st.lists(heard, max_size=6))
def test_what_a_broker_says_is_what_is_heard(said: list[Packet]) -> None:
    assert decode(b"".join(map(spoken, said))) == (said, "")


@given(topics, st.binary(max_size=20_000))
def test_what_is_sent_can_be_read(topic: str, payload: bytes) -> None:
    assert decode(packets.publish(topic, payload)) == ([Publish(topic, payload, 0, 0)], "")


@given(st.binary(max_size=200))
def test_any_bytes_are_packets_or_an_error(data: bytes) -> None:
    decode(data)


@given(
    st.lists(st.one_of(heard.map(spoken), st.binary(max_size=8)), max_size=6).map(b"".join),
    st.lists(st.integers(0, 2_000), max_size=8),
    st.integers(1, 3),
)
def test_cuts_and_portions_change_nothing(data: bytes, cuts: list[int], most: int) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert decode(*[data[a:b] for a, b in pairwise(edges)], most=most) == decode(data)
