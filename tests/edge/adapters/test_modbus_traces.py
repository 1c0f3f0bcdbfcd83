"""Recorded Modbus TCP traffic, read as the events beside it say."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

from pcap import Sent, payloads

from edge.adapters.adapter import Case
from edge.adapters.modbus.answer import answer
from edge.adapters.modbus.decode import decode
from edge.adapters.modbus.request import COILS, Framing, Request

_EVENT = re.compile(
    r"1 modbus_(?P<name>read_coils|write_multiple_coils)_(?P<way>request|response), .*?orig_p=(?P<port>\d+)/"
    r".*?\[tid=(?P<tid>\d+), .*?uid=(?P<uid>\d+), function_code=(?P<function>\d+), .*?\], (?P<rest>.*)"
)


def told(packet: Sent, said: dict[str, Any]) -> dict[str, str]:
    """Return what a decoded packet says, in the words of an event."""
    asks = packet.to_port == 502
    bits = "[" + ", ".join("FT"[bit] for bit in said["bits"]) + "]" if "bits" in said else ""
    numbers = [str(said[key]) for key in ("start", "count") if key in said]
    return {
        "name": "read_coils" if said["function"] == COILS else "write_multiple_coils",
        "way": "request" if asks else "response",
        "port": str(packet.from_port if asks else packet.to_port),
        "tid": str(said["transaction"]),
        "uid": str(said["unit"]),
        "function": str(said["function"]),
        "rest": ", ".join([*(numbers[:1] if numbers and bits else numbers), *([bits] if bits else [])]),
    }


def test_recorded_coils_are_read_as_their_events_say(shared_data: Path) -> None:
    text = (shared_data / "wire-traces" / "modbusSmall.expected.txt").read_text("utf-8")
    expected = [match.groupdict() for line in text.splitlines() if (match := _EVENT.fullmatch(line))]
    found, asked = [], b""
    for packet in payloads(shared_data / "wire-traces" / "modbusSmall.pcap"):
        if packet.to_port == 502:
            found.append(told(packet, decode(Case(raw=packet.data, profile="tcp"))))
            asked = packet.data
        elif packet.from_port == 502:
            found.append(told(packet, decode(Case(raw=packet.data, profile="tcp", request=asked))))
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert len(expected) == 32


def test_an_answer_of_the_capture_is_one_to_its_own_request_alone(shared_data: Path) -> None:
    packets = payloads(shared_data / "wire-traces" / "modbusSmall.pcap")
    answers = [each.data for each in packets if each.from_port == 502 and each.data[7] == COILS]
    request = Request(unit=1, function=COILS, start=0, count=3)
    sent = request.sent(Framing.TCP, 1)
    assert [answer(request, sent, data, Framing.TCP) for data in answers] == list(product((0, 1), repeat=3))
    assert answer(request, request.sent(Framing.TCP, 2), answers[0], Framing.TCP) is None


def test_a_recorded_exception_is_a_fault_and_no_value(shared_data: Path) -> None:
    asked, said, asked_other, refused = (
        packet.data for packet in payloads(shared_data / "wire-traces" / "exceptions.pcap")
    )
    assert decode(Case(raw=asked, profile="tcp"))["function"] == 43
    assert decode(Case(raw=said, profile="tcp", request=asked))["kind"] == "response"
    assert decode(Case(raw=refused, profile="tcp", request=asked_other)) == {
        "transaction": 0, "unit": 255, "function": 43, "kind": "response", "exception": 4,
    }  # fmt: skip
