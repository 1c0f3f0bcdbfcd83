"""Commands and replies on the wire."""

from __future__ import annotations

import json
from pathlib import Path

import cbor2
import pytest
import servers

from edge.model.errors import WireError
from edge.protocol.command import (
    MOST_BYTES,
    Command,
    Reply,
    Status,
    decode_command,
    decode_reply,
    encode_command,
    encode_reply,
)


def test_a_command_and_its_reply_come_back_as_they_were_said() -> None:
    command = Command(7, "set", {"period_ms": 5_000}, 1_790_000_000_000)
    reply = Reply(7, Status.FAILED, {"error": "no bus", "remedy": "look at the plug"})
    assert decode_command(encode_command(command)) == command
    assert decode_reply(encode_reply(reply)) == reply


VECTORS = Path(servers.PROJECT, "tests", "vectors", "commands.json")


def test_the_bytes_are_those_that_the_firmware_reads_and_writes() -> None:
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))
    for vector in vectors:
        value, raw = vector["value"], bytes.fromhex(vector["hex"])
        if vector["message"] == "cmd":
            command = Command(value["id"], value["name"], value["arguments"], value["expires_ms"])
            assert encode_command(command) == raw and decode_command(raw) == command, vector["name"]
        else:
            reply = Reply(value["id"], Status(value["status"]), value["detail"])
            assert encode_reply(reply) == raw and decode_reply(raw) == reply, vector["name"]
    assert {vector["message"] for vector in vectors} == {"cmd", "reply"}


def test_bytes_are_those_of_the_contract() -> None:
    assert encode_command(Command(1, "reboot", {}, 24)).hex() == "850101667265626f6f74a01818"
    assert encode_reply(Reply(1, Status.DONE)).hex() == "84010100f6"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not_cbor"),
        (cbor2.dumps([2, 1, "reboot", {}, 1]), "bad_version"),
        (cbor2.dumps([1, 1, "reboot", {}]), "bad_type"),
        (cbor2.dumps([1, 1, "reboot", {1: 2}, 1]), "not_cbor"),
        (cbor2.dumps([1, 1, "reboot", [], 1]), "bad_type"),
        (cbor2.dumps([1, 1, "reboot", {}, 0]), "bad_value"),
        (cbor2.dumps([1, 0, "reboot", {}, 1]), "bad_value"),
        (cbor2.dumps([1, 1, "re\nboot", {}, 1]), "bad_type"),
    ],
)
def test_a_command_that_is_none_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        decode_command(payload)
    assert caught.value.reason == reason


def test_a_status_that_nobody_knows_is_refused() -> None:
    with pytest.raises(WireError):
        decode_reply(cbor2.dumps([1, 1, 9, None]))


def test_a_command_that_is_more_than_a_node_can_take_is_not_sent() -> None:
    with pytest.raises(WireError) as caught:
        encode_command(Command(1, "schedule", {"table": "x" * MOST_BYTES}, 1))
    assert caught.value.reason == "too_long"
