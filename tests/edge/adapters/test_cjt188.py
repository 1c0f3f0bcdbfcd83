"""CJ/T 188-2004: the vectors, both orders of the identifier, units, questions, a meter that is asked."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import conformance
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.adapters.adapter import Case
from edge.adapters.cjt188 import roll, telegram
from edge.adapters.cjt188.decode import decode
from edge.adapters.cjt188.poller import Cjt188Options, Cjt188Poller
from edge.adapters.cjt188.telegram import ENVELOPE, Asking, read_request
from edge.adapters.cjt188.values import WORDS
from edge.adapters.envelope import wire
from edge.adapters.frame import FrameError, Refusal
from edge.adapters.report import Value
from edge.model.errors import ConfigError
from edge.model.quality import Flag
from edge.model.quantities import QUANTITIES

METER = "78330011223344"
OTHER = "78330011223345"


def said(control: int, data: str, address: str = METER, meter_type: int = 0x10) -> bytes:
    """A meter's frame."""
    return ENVELOPE.sealed(bytes((0x68, meter_type, *wire(address), control)), bytes.fromhex(data))


def answer(totals: str, *, di: str = "901F", ser: str = "00", address: str = METER, kind: int = 0x10) -> bytes:
    return said(0x81, di + ser + totals, address, kind)


def totals(current: str, unit: str, *, settlement: str = "00000000", status: str = "0000") -> str:
    return current + unit + settlement + unit + "00" * 7 + status


def read(raw: bytes) -> dict[str, Any]:
    return decode(Case(raw=raw))


def poll(raw: bytes, **options: Any) -> tuple[Value, ...] | None:
    return Cjt188Poller(METER, Cjt188Options(**options)).exchanges()[0].read(raw)


def numbers(raw: bytes) -> dict[str, float | None]:
    found = poll(raw)
    assert found is not None
    return {value.key: value.number for value in found}


def test_every_vector_is_decoded_as_expected(shared_data: Path) -> None:
    assert list(conformance.wrong(shared_data, "cjt188")) == []


@pytest.mark.parametrize("di", ["901F", "1F90"])
def test_both_orders_of_the_identifier_are_answers(di: str) -> None:
    raw = answer(totals("01234500", "2C"), di=di)
    assert read(raw)["di_bytes"] == di and read(raw)["current_total"] == 4523.01
    assert numbers(raw)["water_m3"] == 4523.01


@pytest.mark.parametrize(
    ("kind", "unit", "key", "number"),
    [
        (0x10, "2C", "water_m3", 1234.56), (0x11, "29", "water_m3", 1.23456), (0x12, "2C", "water_m3", 1234.56),
        (0x13, "2C", "water_m3", 1234.56), (0x30, "2C", "gas_m3", 1234.56),
        (0x40, "05", "electricity_kwh", 1234.56),
        (0x40, "02", "electricity_kwh", 1.23456), (0x20, "08", "heat_kwh", 1_234_560.0),
        (0x20, "11", "heat_kwh", 342_933.3333333), (0x21, "17", "cold_kw", 1234.56),
        (0x10, "35", "water_m3_h", 1234.56), (0x10, "32", "water_m3_h", 1.23456),
        (0x10, "7E", "water_unit_7E", 1234.56), (0x55, "2C", "other_m3", 1234.56),
    ],
)  # fmt: skip
def test_totals_come_in_the_catalogues_units(kind: int, unit: str, key: str, number: float) -> None:
    assert numbers(answer(totals("56341200", unit), kind=kind))[key] == pytest.approx(number)


def test_ff_is_missing_and_never_a_number() -> None:
    found = poll(answer(totals("56341200", "2C", settlement="FFFFFFFF")))
    assert found is not None and found[1] == Value("settlement_water_m3", None, Flag.MISSING)
    assert read(answer(totals("FFFFFFFF", "2C")))["current_total"] is None


def test_digits_that_are_none_are_refused() -> None:
    for look in (read, poll):
        with pytest.raises(FrameError, match="bcd"):
            look(answer(totals("5634120E", "2C")))


def test_the_meters_clock_is_shown_to_people_and_taken_for_nothing() -> None:
    raw = answer(totals("00776655", "2C")[:-18] + "31012211052015" + "2184")
    assert read(raw)["clock_raw"] == "15200511220131"
    assert [value.key for value in poll(raw) or ()] == [
        "water_m3",
        "settlement_water_m3",
        "valve",
        "battery_low",
    ]


@pytest.mark.parametrize(
    ("status", "valve", "battery_low"), [("0000", 0, 0), ("0184", 1, 0), ("0300", 3, 0), ("0400", 0, 1)]
)
def test_the_first_status_byte_tells_valve_and_battery(status: str, valve: int, battery_low: int) -> None:
    found = numbers(answer(totals("00000000", "2C", status=status)))
    assert (found["valve"], found["battery_low"]) == (valve, battery_low)


def test_a_heat_meters_long_answer_is_shown_and_not_taken_apart() -> None:
    raw = answer("00" * 43, kind=0x20)
    assert read(raw)["length"] == 46 and read(raw)["di_bytes"] == "901F"
    assert "current_total" not in read(raw)
    with pytest.raises(FrameError, match="layout"):
        poll(raw)


def test_questions_are_what_the_standard_says_byte_for_byte() -> None:
    assert read_request("10", METER, "1F90", 0).hex().upper() == "FEFEFEFE68104433221100337801031F90008016"
    assert telegram.address_request(wake_up=0).hex().upper() == "68AAAAAAAAAAAAAAAA0303810A004916"
    poller = Cjt188Poller("201510270588", Cjt188Options(wake_up=0))
    asked = [poller.exchanges()[0].request.hex().upper() for _ in range(2)]
    assert asked[1] == "6810880527101520000103901F012516"


def test_no_byte_that_changes_a_meter_can_be_built() -> None:
    """Every function that makes bytes for a meter, with anything given to it, asks and does no more."""
    assert {asking.value for asking in Asking} == {0x01, 0x03}
    for control in set(range(256)) - {0x01, 0x03}:
        with pytest.raises(ValueError, match="is not a valid Asking"):
            telegram._request(control, "10", METER, b"", 0)  # type: ignore[arg-type]
    builders = [name for name, made in inspect.getmembers(telegram, inspect.isfunction) if "request" in name]
    assert sorted(builders) == ["_request", "address_request", "read_request"]
    poller = Cjt188Poller(METER, Cjt188Options())
    asked = [poller.exchanges()[0].request for _ in range(300)] + [roll.question()]
    assert {read(request)["control"] for request in asked} == {"01", "03"}


def test_words_are_of_quantities_that_exist() -> None:
    assert all(word.quantity in QUANTITIES for word in WORDS.values())


def test_an_answer_cut_at_any_byte_is_read_once_it_is_whole() -> None:
    frame = b"\xfe\xfe\xfe" + answer(totals("56341200", "2C"))
    for end in range(len(frame)):
        assert poll(frame[:end]) is None
    assert numbers(frame)["water_m3"] == 1234.56


def test_echo_rubbish_and_other_meters_are_passed_over() -> None:
    request = Cjt188Poller(METER, Cjt188Options()).exchanges()[0].request
    noise = request + b"\x00\x68\xff" + answer(totals("11111111", "2C"), address=OTHER)
    assert poll(noise) is None
    assert numbers(noise + answer(totals("56341200", "2C")))["water_m3"] == 1234.56


def test_the_late_answer_of_the_round_before_is_passed_over() -> None:
    poller = Cjt188Poller(METER, Cjt188Options())
    poller.exchanges()
    (second,) = poller.exchanges()
    late, now = answer(totals("11111111", "2C"), ser="00"), answer(totals("56341200", "2C"), ser="01")
    assert second.read(late) is None
    found = second.read(late + now)
    assert found is not None and found[0] == Value("water_m3", 1234.56)


def test_a_meter_that_says_no_refuses_and_a_damaged_answer_is_called_so() -> None:
    with pytest.raises(Refusal):
        poll(said(0xC1, "000100"))
    with pytest.raises(FrameError, match="checksum"):
        poll(answer(totals("56341200", "2C"))[:-2] + b"\x00\x16")


def test_a_line_with_one_meter_tells_its_address() -> None:
    alone = said(0x83, "810A00")
    assert roll.heard(roll.question() + alone) == ((METER,), False)
    assert roll.heard(alone + said(0x83, "0A8100", OTHER)) == ((METER, OTHER), True)
    assert roll.heard(roll.question()) == ((), False) and roll.narrower("") == ()


@pytest.mark.parametrize("wrong", [{"wake_up": -1}, {"timeout_s": 0.0}])
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Cjt188Options(**wrong)


@pytest.mark.parametrize("device", ["7833001122334x", "783300112233441"])
def test_addresses_that_cannot_be_are_refused(device: str) -> None:
    with pytest.raises(ConfigError):
        Cjt188Poller(device, Cjt188Options())


@settings(max_examples=400)
@given(data=st.data())
def test_bent_frames_raise_frame_errors_alone(data: st.DataObject) -> None:
    frame = bytearray(data.draw(st.sampled_from(FRAMES)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame) - 1))
        frame[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        frame[-2] = sum(frame[:-2]) & 0xFF
    raw = bytes(frame)
    for look in (lambda: read(raw), lambda: poll(raw), lambda: poll(raw + raw)):
        try:
            look()
        except FrameError as error:
            assert error.reason
    roll.heard(raw)


FRAMES = [
    answer(totals("56341200", "2C")), answer("00" * 43, kind=0x20), said(0xC1, "000100"), said(0x83, "810A00"),
    read_request("10", METER, "901F", 0, wake_up=0),
]  # fmt: skip
