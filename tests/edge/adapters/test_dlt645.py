"""DL/T 645-2007: the vectors, every form of value, questions byte for byte, a meter that is asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import conformance
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.adapters import adapter
from edge.adapters.adapter import Case, Exchange
from edge.adapters.dlt645 import roll, telegram
from edge.adapters.dlt645.decode import decode
from edge.adapters.dlt645.items import WORDS, item
from edge.adapters.dlt645.poller import Dlt645Options, Dlt645Poller
from edge.adapters.dlt645.telegram import ENVELOPE, Asking, follow_request, read_request
from edge.adapters.envelope import wire
from edge.adapters.frame import FrameError, Refusal
from edge.adapters.report import Value
from edge.model.errors import ConfigError
from edge.model.quality import Flag
from edge.model.quantities import QUANTITIES

METER = "000000000161"
OTHER = "000000000162"


def said(control: int, data: bytes, address: str = METER) -> bytes:
    """A meter's frame, `data` as it is before the offset of 33h."""
    head = bytes((0x68, *wire(address), 0x68, control))
    return ENVELOPE.sealed(head, bytes((byte + 0x33) & 0xFF for byte in data))


def answer(di: str, value: str, address: str = METER, *, control: int = 0x91) -> bytes:
    """A meter's answer; `value` in hex as on the wire, lowest byte first."""
    return said(control, wire(di) + bytes.fromhex(value), address)


def read(raw: bytes) -> dict[str, Any]:
    return decode(Case(raw=raw))


def reason(raw: bytes) -> str:
    with pytest.raises(FrameError) as caught:
        read(raw)
    return caught.value.reason


def test_every_vector_is_decoded_as_expected(shared_data: Path) -> None:
    assert list(conformance.wrong(shared_data, "dlt645")) == []


@pytest.mark.parametrize(
    ("di", "value", "number", "unit"),
    [
        ("00000000", "64027500", 7502.64, "kWh"),
        ("00000000", "81210080", -21.81, "kWh"),
        ("00020000", "01000000", 0.01, "kWh"),
        ("00010400", "00010000", 1.0, "kWh"),
        ("00010001", "99999999", 999999.99, "kWh"),
        ("00030000", "00010080", -1.0, "kvarh"),
        ("00090000", "00010000", 1.0, "kVAh"),
        ("00150000", "00010000", 1.0, "kWh"),
        ("01010000", "3456123008050624", 12.5634, "kW"),
        ("02010200", "0523", 230.5, "V"),
        ("02020300", "994980", -4.999, "A"),
        ("02030100", "122580", -0.2512, "kW"),
        ("02060000", "0185", -0.501, None),
        ("02070100", "0012", 120.0, "deg"),
        ("02080100", "2503", 3.25, "%"),
        ("020A0203", "2503", 3.25, "%"),
        ("02800007", "5380", -5.3, "Cel"),
        ("02800008", "6403", 3.64, "V"),
        ("0280000A", "78563412", 12345678, "min"),
        ("03110000", "120000", 12, None),
        ("04000409", "003200", 3200, "imp/kWh"),
        ("04000101", "03221126", "26112203", None),
        ("04000401", "610100000000", "000000000161", None),
        ("04000404", "202056303232", "220V", None),
        ("04000501", "0180", "8001", None),
        ("05060101", "00010000" * 5, [1.0] * 5, "kWh"),
        ("0001FF00", "0001000000020000000300000004000000050000", [1.0, 2.0, 3.0, 4.0, 5.0], "kWh"),
        ("0201FF00", "052306230723", [230.5, 230.6, 230.7], "V"),
        ("0203FF00", "122500" * 4, [0.2512] * 4, "kW"),
        ("0201FF00", "0523FFFFFFFF", [230.5, None, None], "V"),
        ("02010100", "FFFF", None, "V"),
    ],
)
def test_each_form_of_value_is_read(di: str, value: str, number: Any, unit: str | None) -> None:
    found = read(answer(di, value))
    assert found["di"] == di
    assert found["value"] == (pytest.approx(number, abs=1e-12) if isinstance(number, float) else number)
    assert found.get("unit") == unit


def test_zero_in_reverse_is_zero() -> None:
    assert str(read(answer("02020100", "000080"))["value"]) == "0.0"


def test_digits_that_are_none_are_refused_though_the_sum_fits() -> None:
    assert reason(answer("02010100", "0E10")) == "bcd"
    assert reason(answer("02030000", "12F500")) == "bcd"
    assert reason(said(0x93, bytes.fromhex("6101000000AB"))) == "bcd"


def test_a_value_of_another_size_than_its_identifier_has_is_refused() -> None:
    assert reason(answer("02010100", "012300")) == "length"
    assert reason(answer("0201FF00", "0123012301230123")) == "length"
    assert reason(answer("00010000", "")) == "length"
    assert reason(said(0x91, b"\x00\x00\x01")) == "length"
    assert reason(said(0x93, bytes(5))) == "length"
    assert reason(said(0xD1, b"")) == "length"


def test_an_identifier_that_nobody_knows_has_no_value_and_is_no_error() -> None:
    found = read(answer("0F0E0D0C", "AABBCC"))
    assert found["di"] == "0F0E0D0C" and "value" not in found


def test_the_edition_of_1997_is_refused_as_such() -> None:
    assert reason(said(0x81, bytes.fromhex("109000000100"))) == "edition"
    assert reason(said(0x01, bytes.fromhex("1090"))) == "edition"
    assert reason(said(0xC1, b"\x02")) == "edition"


def test_questions_are_what_the_standard_says_byte_for_byte() -> None:
    assert read_request(METER, "02010100", wake_up=0).hex(" ") == (
        "68 61 01 00 00 00 00 68 11 04 33 34 34 35 17 16"
    )
    assert telegram.address_request().hex().upper() == "FEFEFEFE68AAAAAAAAAAAA681300DF16"
    assert read(follow_request(METER, "0001FF00", 2))["data_hex"] == "00FF010002"
    assert read(follow_request(METER, "0001FF00", 2))["control"] == "12"


def test_no_byte_that_changes_a_meter_can_be_built() -> None:
    """Every function that makes bytes for a meter, with anything given to it, asks and does no more."""
    assert {asking.value for asking in Asking} == {0x11, 0x12, 0x13}
    for control in set(range(256)) - {0x11, 0x12, 0x13}:
        with pytest.raises(ValueError, match="is not a valid Asking"):
            telegram._request(control, METER, b"", 0)  # type: ignore[arg-type]
    builders = [name for name, made in inspect.getmembers(telegram, inspect.isfunction) if "request" in name]
    assert sorted(builders) == ["_request", "address_request", "follow_request", "read_request"]
    poller = Dlt645Poller(METER, Dlt645Options())
    asked = [exchange.request for exchange in poller.exchanges()] + [roll.question(), roll.question("61")]
    assert {read(request)["control"] for request in asked} == {"11", "13"}


@given(
    address=st.text("0123456789", min_size=12, max_size=12),
    di=st.binary(min_size=4, max_size=4),
    part=st.integers(0, 255),
)
def test_whatever_is_asked_only_asks(address: str, di: bytes, part: int) -> None:
    for request in (read_request(address, di.hex()), follow_request(address, di.hex(), part)):
        assert request[:5] == b"\xfe\xfe\xfe\xfe\x68" and request[12] in (0x11, 0x12)
        assert read(request)["address"] == address


def test_words_are_of_known_items_and_of_quantities_that_exist() -> None:
    for di, word in WORDS.items():
        assert item(di) is not None and word.quantity in QUANTITIES
    assert adapter("dlt645").words is WORDS


def ask(*items: str) -> Callable[[bytes], tuple[Value, ...] | None]:
    """Return how the answer to the first of a meter's questions is read."""
    return asked(*items)[0].read


def asked(*items: str) -> list[Exchange]:
    return list(Dlt645Poller(METER, Dlt645Options(items=items)).exchanges())


def test_an_answer_cut_at_any_byte_is_read_once_it_is_whole() -> None:
    frame = b"\xfe\xfe" + answer("02010100", "0523")
    for end in range(len(frame)):
        assert ask("02010100")(frame[:end]) is None
    assert ask("02010100")(frame) == (Value("02010100", 230.5),)


def test_echo_rubbish_other_meters_and_other_identifiers_are_passed_over() -> None:
    request = asked("02010100")[0].request
    noise = request + b"\x00\x68\xff" + answer("02010100", "1111", OTHER) + answer("02010200", "2222")
    assert ask("02010100")(noise) is None
    assert ask("02010100")(noise + answer("02010100", "0523") + answer("02010100", "0999")) == (
        Value("02010100", 230.5),
    )


def test_a_block_gives_its_elements_their_own_names_and_ff_is_missing() -> None:
    assert ask("0201FF00")(answer("0201FF00", "0523FFFF0723")) == (
        Value("02010100", 230.5), Value("02010200", None, Flag.MISSING), Value("02010300", 230.7),
    )  # fmt: skip


def test_a_damaged_answer_is_called_so_at_once() -> None:
    frame = bytearray(answer("02010100", "0523"))
    frame[-2] ^= 4
    with pytest.raises(FrameError, match="checksum"):
        ask("02010100")(bytes(frame))


def test_an_identifier_that_the_meter_lacks_is_dropped_and_the_others_stay() -> None:
    poller = Dlt645Poller(METER, Dlt645Options(items=("00010000", "02060000")))
    first, second = poller.exchanges()
    assert first.read(answer("00010000", "01000000")) == (Value("00010000", 0.01),)
    with pytest.raises(Refusal, match="no such data"):
        second.read(said(0xD1, b"\x02"))
    assert [exchange.request for exchange in poller.exchanges()] == [first.request]


def test_another_refusal_drops_nothing() -> None:
    poller = Dlt645Poller(METER, Dlt645Options(items=("00010000",)))
    with pytest.raises(Refusal, match="no right"):
        poller.exchanges()[0].read(said(0xD1, b"\x04"))
    assert len(poller.exchanges()) == 1


def test_a_refusal_that_may_be_the_late_answer_to_the_question_before_drops_nothing() -> None:
    poller = Dlt645Poller(METER, Dlt645Options(items=("00010000", "02060000")))
    _, second = poller.exchanges()  # nothing came to the first
    with pytest.raises(Refusal):
        second.read(said(0xD1, b"\x02"))
    first, second = poller.exchanges()
    assert first.read(answer("00010000", "01000000")) is not None
    with pytest.raises(Refusal):
        second.read(said(0xD1, b"\x02"))
    assert len(poller.exchanges()) == 1


def test_what_does_not_fit_one_answer_is_asked_for_part_by_part() -> None:
    poller = Dlt645Poller(METER, Dlt645Options(items=("0001FF00",)))
    long = answer("0001FF00", "00010000" + "0002", control=0xB1)
    assert poller.exchanges()[0].read(long) == (Value("00010000", 1.0),)
    for _ in range(2):
        first, more = poller.exchanges()
        assert read(more.request)["data_hex"] == "00FF010001"
        assert first.read(long) == (Value("00010000", 1.0),)
        assert more.read(long) is None  # late: the first answer once more
        assert more.read(answer("0001FF00", "0000" + "00030000" + "01", control=0x92)) == (
            Value("00010100", 2.0), Value("00010200", 3.0),
        )  # fmt: skip
    first, more = poller.exchanges()
    with pytest.raises(FrameError, match="sequence"):
        more.read(answer("0001FF00", "0000" + "00030000" + "01", control=0x92))
    assert first.read(answer("0001FF00", "00010000")) == (Value("00010000", 1.0),)
    assert len(poller.exchanges()) == 1


def test_a_meter_alone_on_its_line_needs_no_address() -> None:
    poller = Dlt645Poller("AAAAAAAAAAAA", Dlt645Options(items=("02010100",)))
    assert poller.exchanges()[0].read(answer("02010100", "0523", OTHER)) == (Value("02010100", 230.5),)


def test_leading_zeros_of_an_address_may_be_left_out() -> None:
    assert Dlt645Poller("161", Dlt645Options()).exchanges()[0].request[4:11].hex() == "68610100000000"


@pytest.mark.parametrize(
    "wrong", [{"items": ("0201",)}, {"items": ("0F0E0D0C",)}, {"items": ("04000401",)}, {"wake_up": 99},
              {"timeout_s": 0.0}],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Dlt645Options(**wrong)


@pytest.mark.parametrize("device", ["", "12345678901x", "1234567890123", "AAAAAA000161"])
def test_addresses_that_cannot_be_are_refused(device: str) -> None:
    if device:
        with pytest.raises(ConfigError):
            Dlt645Poller(device, Dlt645Options())


def test_meters_are_found_from_the_end_of_their_address() -> None:
    assert roll.heard(roll.question() + said(0x93, bytes.fromhex("610100000000"))) == (("000000000161",), False)
    assert roll.heard(roll.question()) == ((), False)
    one, two = said(0x93, wire(METER)), said(0x93, wire(OTHER), OTHER)
    assert roll.heard(bytes(a | b for a, b in zip(one, two, strict=True))).clash
    assert roll.heard(one + two) == ((METER, OTHER), True)
    assert "000000000161" in {f"0000000001{tail}" for tail in roll.narrower("")}
    assert read(roll.question("0161"))["address"] == "AAAAAAAA0161"
    assert roll.heard(said(0xD1, b"\x02")).addresses == (METER,)
    assert roll.heard(said(0x81, bytes(6))).addresses == (METER,)
    assert roll.narrower("000000000161") == ()


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
    for look in (lambda: read(raw), lambda: ask("02010100")(raw), lambda: ask("0001FF00")(raw + raw)):
        try:
            look()
        except FrameError as error:
            assert error.reason
    roll.heard(raw)


FRAMES = [
    answer("02010100", "0523"), answer("0001FF00", "00010000" * 5), answer("04000404", "202056303232"),
    answer("01010000", "3456120805062425"), said(0xD1, b"\x02"), said(0x93, wire(METER)),
    answer("0001FF00", "0001000001", control=0x92), read_request(METER, "02010100", wake_up=0),
]  # fmt: skip
