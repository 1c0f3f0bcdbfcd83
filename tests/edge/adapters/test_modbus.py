"""Frames of Modbus devices: the vectors, what is cut, bent or repeated, and answers that are none."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import conformance
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.adapters import adapter
from edge.adapters.adapter import Case
from edge.adapters.cli import decoded
from edge.adapters.frame import FrameError, Refusal
from edge.adapters.modbus.answer import answer
from edge.adapters.modbus.decode import decode
from edge.adapters.modbus.request import Framing, Request
from edge.model.errors import ConfigError
from simulators.sensors.checksums import modbus as with_crc

METER = Request(unit=1, function=4, start=0, count=10)
METER_ASKED = bytes.fromhex("01040000000A700D")
METER_SAID = bytes.fromhex("01041408D1006C000000F400000026000001F4006400005134")
REGISTERS = (2257, 108, 0, 244, 0, 38, 0, 500, 100, 0)


def frame(text: str) -> bytes:
    """Return a frame of a serial line, its CRC reckoned apart from the adapter."""
    return with_crc(bytes.fromhex(text))


def said(line: str, **more: str) -> dict[str, Any]:
    """Return what `cityneuron decode` prints for a frame."""
    asked = {"frame": line, "encoding": "hex", **more}
    (found,) = decoded([json.dumps(asked)], adapter("modbus-devices").decoder())
    return found


def heard(data: bytes, request: Request = METER) -> tuple[int, ...] | None:
    """Return the registers of an answer over a serial line."""
    return answer(request, request.sent(), data, Framing.RTU)


def reason(data: bytes, request: Request = METER) -> str:
    """Return why this is no answer."""
    with pytest.raises(FrameError) as caught:
        heard(data, request)
    return caught.value.reason


def test_every_vector_decodes_as_expected(shared_data: Path) -> None:
    assert list(conformance.wrong(shared_data, "modbus-devices")) == []


def test_an_echo_before_the_answer_is_skipped_and_said() -> None:
    asked = "010301FB000375C6"
    found = said(asked + "0103060005000F03FB9C05", device="renke-weather-500", request=asked)
    assert found["values"] == {"pm2_5_ug_m3": 5, "pm10_ug_m3": 15, "pressure_kpa": 101.9}
    assert found["echo_skipped"] is True
    assert said(asked, request=asked)["error"] == "truncated"


def test_registers_that_number_values_have_their_own_width() -> None:
    asked = frame("01 04 0016 0001").hex()
    found = said(frame("01 04 04 0001E240").hex(), request=asked, device="edpbox-eb1")
    assert found["values"] == {"import_energy_kwh": 123.456}
    assert said(frame("01 04 02 E240").hex(), request=asked, device="edpbox-eb1")["error"] == "length"


def test_a_profile_of_ones_own_is_tried_out(tmp_path: Path) -> None:
    file = tmp_path / "pump.toml"
    asked, answered = frame("01 03 0010 0001").hex(), frame("01 03 02 FFF6").hex()
    file.write_text('title = "Pump"\n[[value]]\nkey = "level_m"\nregister = 16\ntype = "i16"\ndecimals = 2\n')
    assert said(answered, request=asked, device=str(file))["values"] == {"level_m": -0.1}
    file.write_text("title = 5\n")
    refused = said(answered, request=asked, device=str(file))
    assert refused == {"error": "profile", "detail": "pump.toml.title: 5 is not str"}


def test_a_request_that_is_none_is_said_rather_than_passed_over() -> None:
    for request in ("01040000000A", "01040000000A7000"):
        assert said(METER_SAID.hex(), request=request, device="pzem-004t-v3")["error"] == "request"


def test_an_exception_is_told_and_is_no_value() -> None:
    found = said(frame("018402").hex(), request=METER_ASKED.hex(), device="pzem-004t-v3")
    assert found == {"unit": 1, "function": 4, "kind": "response", "exception": 2}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("02 04 02 0001", "unit"),
        ("01 03 14" + "00" * 20, "function"),
        ("01 04 02 0001", "length"),
        ("02 84 02", "unit"),
    ],
)
def test_an_answer_is_held_to_its_request(text: str, reason: str) -> None:
    assert said(frame(text).hex(), request=METER_ASKED.hex())["error"] == reason


def test_a_float_has_the_digits_that_it_is_good_for() -> None:
    asked = frame("01 04 0048 0002").hex()
    found = said(frame("01 04 04 4640E6B7").hex(), request=asked, device="eastron-sdm120")
    assert found["values"] == {"import_energy_kwh": 12345.68}
    nothing = said(frame("01 04 04 7FC00000").hex(), request=asked, device="eastron-sdm120")
    assert nothing["values"] == {"import_energy_kwh": None}


def test_a_level_below_zero_has_its_sign_in_the_top_bit() -> None:
    found = said(frame("01 03 02 8010").hex(), request="010300000001840A", device="ceyeko-ludp")
    assert found["values"] == {"level_m": -0.16}


def test_a_probe_asked_at_0_answers_from_its_own_address() -> None:
    found = said("02030434C300C5F76C", request="000300040002841B", device="qdy30a")
    assert found["values"] == {"level_m": 1.3507, "temperature_c": 19.7}


def test_writes_of_several_are_read_both_ways() -> None:
    asked = said(frame("01 10 0003 0002 04 000A 0102").hex())
    assert asked == {"unit": 1, "function": 16, "kind": "write", "start": 3, "count": 2, "registers": [10, 258]}
    assert said(frame("01 10 0003 0002").hex())["kind"] == "write"
    assert said(frame("01 10 0003 0002 02 000A").hex())["error"] == "length"


def test_an_answer_cut_anywhere_is_waited_for_and_then_the_same() -> None:
    for came in (METER_SAID, METER_ASKED + METER_SAID):
        for cut in range(len(came)):
            assert heard(came[:cut]) is None
        assert heard(came) == REGISTERS


def test_rubbish_and_late_answers_of_others_come_before_an_answer() -> None:
    other = frame("02 04 02 0777")
    for before in (b"\x00", b"\xff\xfe", other, b"\x00" + other + other, METER_ASKED + other):
        assert heard(before + METER_SAID) == REGISTERS
    assert heard(other) is None


@pytest.mark.parametrize(
    ("came", "wrong"),
    [
        (METER_SAID[:-1] + b"\x35", "crc"),
        (METER_SAID[:-2] + METER_SAID[:-3:-1], "crc"),
        (frame("01 04 02 0001"), "length"),
        (frame("01 04 15" + "00" * 21), "length"),
        (b"\x55" * 2000, "length"),
        (frame("01 84 06"), "exception"),
        (METER_ASKED + frame("01 84 0B"), "exception"),
    ],
)
def test_what_is_no_answer_is_refused(came: bytes, wrong: str) -> None:
    assert reason(came) == wrong


@pytest.mark.parametrize("code", [1, 2, 3])
def test_a_device_that_lacks_it_says_so_for_good(code: int) -> None:
    with pytest.raises(Refusal):
        heard(frame(f"01 84 {code:02x}"))


def test_a_write_is_confirmed_by_itself_alone() -> None:
    write = Request(unit=1, function=6, start=3, values=(65,))
    assert write.sent() == bytes.fromhex("010600030041B9FA")
    assert heard(write.sent(), write) == ()
    assert heard(write.sent()[:7], write) is None
    assert reason(frame("01 06 0003 0042"), write) == "value"
    several = Request(unit=1, function=16, start=3, values=(10, 258))
    assert heard(several.sent() + frame("01 10 0003 0002"), several) == ()
    assert reason(frame("01 10 0003 0001"), several) == "value"
    lamp = Request(unit=1, function=5, start=0, values=(1,))
    assert lamp.sent() == frame("01 05 0000 FF00")


def test_what_modbus_does_not_allow_is_never_sent() -> None:
    for request in (
        Request(unit=1, function=4, start=0, count=126),
        Request(unit=1, function=4, start=70000),
        Request(unit=1, function=6, start=0, values=(70000,)),
    ):
        with pytest.raises(ConfigError):
            request.sent()


def test_over_tcp_an_answer_belongs_to_its_transaction_and_unit() -> None:
    sent = METER.sent(Framing.TCP, 7)
    assert sent == bytes.fromhex("000700000006 01 04 0000 000A")
    right = bytes.fromhex("000700000017 01") + METER_SAID[1:-2]
    late = bytes.fromhex("000600000017 01") + bytes(22)
    for cut in range(len(late + right)):
        assert answer(METER, sent, (late + right)[:cut], Framing.TCP) is None
    assert answer(METER, sent, late + right, Framing.TCP) == REGISTERS
    for wrong, why in (
        ("000700000017 02" + METER_SAID[1:-2].hex(), "unit"),
        ("000700010017 01" + METER_SAID[1:-2].hex(), "header"),
        ("00070000FFFF 01" + METER_SAID[1:-2].hex(), "header"),
        ("000700000005 01 04 02 0001", "length"),
        ("000700000007 01 04 14 08D1 0000", "length"),
        ("000700000005 01 03 02 0001", "function"),
        ("000700000003 01 84 06", "exception"),
    ):
        with pytest.raises(FrameError) as caught:
            answer(METER, sent, bytes.fromhex(wrong), Framing.TCP)
        assert caught.value.reason == why


@given(bends=st.lists(st.tuples(st.integers(0, 32), st.integers(0, 255)), max_size=4), cut=st.integers(0, 33))
def test_a_bent_frame_says_what_was_said_or_is_refused(bends: list[tuple[int, int]], cut: int) -> None:
    came = bytearray(METER_ASKED + METER_SAID)
    for at, byte in bends:
        came[at] = byte
    try:
        found = heard(bytes(came[:cut]))
    except FrameError:
        found = None
    assert found in (None, REGISTERS)
    for device in ("pzem-004t-v3", ""):
        for request in (METER_ASKED, b""):
            try:
                decode(Case(raw=bytes(came[:cut]), device=device, request=request))
            except FrameError as error:
                assert error.reason


@given(raw=st.binary(max_size=300), request=st.binary(max_size=12), profile=st.sampled_from(["", "tcp"]))
def test_no_bytes_at_all_do_harm(raw: bytes, request: bytes, profile: str) -> None:
    for framed in (raw, with_crc(raw)):
        try:
            found = decode(
                Case(raw=framed, request=with_crc(request), profile=profile, device="renke-weather-500")
            )
        except FrameError:
            continue
        json.dumps(found)


def test_a_frame_cut_short_is_truncated() -> None:
    for short, longer in pairwise(METER_SAID[:size] for size in range(len(METER_SAID))):
        assert said(short.hex(), request=METER_ASKED.hex())["error"] == "truncated", longer
