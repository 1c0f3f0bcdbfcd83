"""`cityneuron decode`: a line that is no case is answered as such, and the lines behind it are decoded."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from edge.adapters.cli import case_of, decode
from edge.adapters.frame import FrameError

QUESTION = {"frame": "68AAAAAAAAAAAA68110433343435B116", "encoding": "hex"}
FRONT = typer.Typer()
FRONT.command()(decode)


def answers(protocol: str, *lines: bytes) -> list[dict[str, Any]]:
    said = CliRunner().invoke(FRONT, [protocol], input=b"\n".join(lines) + b"\n", catch_exceptions=False)
    assert said.exit_code == 0
    return [json.loads(line) for line in said.stdout.splitlines()]


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (b"frame", "the line is no JSON"),
        (b"[" * 100_000, "the line is no JSON"),
        (b"\xff\xfe", "the line is no JSON"),
        (b"1" * 5_000, "the line is no JSON"),
        (b"null", "the line is no object with frame and encoding"),
        (b'["01"]', "the line is no object with frame and encoding"),
        (b'{"frame": "01"}', "encoding None is none of hex, ascii, json, base64"),
        (b'{"frame": "01", "encoding": ["hex"]}', "encoding ['hex'] is none of"),
        (b'{"encoding": "hex"}', "frame is missing"),
        (b'{"frame": 1, "encoding": "hex"}', "frame is no text"),
        (b'{"frame": "0g", "encoding": "hex"}', "the frame is no hex"),
        (b'{"frame": "qg=", "encoding": "base64"}', "the frame is no base64"),
        (b'{"frame": "\\ud800", "encoding": "ascii"}', "the frame is no ascii"),
        (b'{"frame": "\xff", "encoding": "ascii"}', "the frame is no ascii"),
        (b'{"frame": "01", "encoding": "hex", "request": "0"}', "the request is no hex"),
        (b'{"frame": "01", "encoding": "hex", "device": ["jxbs"]}', "device is a list, no text"),
        (b'{"frame": "01", "encoding": "hex", "topic": 5}', "topic is a int, no text"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_case_costs_the_next_nothing(line: bytes, detail: str) -> None:
    refused, asked = answers("dlt645", line, json.dumps(QUESTION).encode())
    assert refused["error"] == "input" and detail in refused["detail"]
    assert asked["address"] == "AAAAAAAAAAAA"


def test_a_frame_may_stand_in_any_of_four_encodings() -> None:
    raw = bytes.fromhex(QUESTION["frame"])
    for frame, encoding in (
        (raw.hex(" "), "hex"),
        (raw.hex().upper(), "hex"),
        (base64.b64encode(raw).decode(), "base64"),
    ):
        assert case_of(json.dumps({"frame": frame, "encoding": encoding})).raw == raw
    for encoding in ("ascii", "json"):
        assert case_of(json.dumps({"frame": "##水", "encoding": encoding})).raw == "##水".encode()
    marked = b"\xef\xbb\xbf" + json.dumps(QUESTION).encode()  # as some editors begin a file
    assert "error" in answers("dlt645", marked)[0] and answers("dlt645", marked)[0]["error"] is False


def test_what_is_beside_the_frame_may_be_null_or_left_out() -> None:
    case = case_of('{"frame": "01", "encoding": "hex", "device": null, "request": null}')
    assert (case.device, case.request, case.topic, case.group, case.profile) == ("", b"", "", "", "")
    with pytest.raises(FrameError, match="group is a dict"):
        case_of('{"frame": "01", "encoding": "hex", "group": {}}')
