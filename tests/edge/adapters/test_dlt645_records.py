"""What hourly freezes and load records say, byte for byte, good and damaged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.adapters.adapter import Case
from edge.adapters.dlt645.decode import decode
from edge.adapters.frame import FrameError
from simulators.stations import dlt645

ADDRESS = "000000000161"


def read(di: str, data: str) -> dict[str, Any]:
    return decode(Case(raw=dlt645.frame(ADDRESS, 0x91, bytes.fromhex(di)[::-1] + bytes.fromhex(data))))


@pytest.mark.parametrize(
    ("di", "data", "value"),
    [
        ("05040001", "0009221126", "2611220900"),
        ("05040101", "56341200", 1234.56),
        ("050402FE", "56341200", 1234.56),
        ("0504FF01", "0009221126 AA 56341200 AA 00010000 AA", ["2611220900", 1234.56, 1.0]),
        ("0504FF02", "0009221126 AA 56341200 AA AA", ["2611220900", 1234.56, None]),
        ("0504FF03", "0009221126 56341200 00010000", ["2611220900", 1234.56, 1.0]),
        ("0504FF03", "0009221126 56341200", ["2611220900", 1234.56, None]),
        ("0504FF04", "0000000000 AA 00000000 AA 00000000 AA", [None, 0.0, 0.0]),
        ("0504FFFE", "FFFFFFFFFF AA FFFFFFFF AA FFFFFFFF AA", [None, None, None]),
    ],
)
def test_a_freeze_is_shown_as_it_was_written(di: str, data: str, value: Any) -> None:
    found = read(di, data)
    assert found["value"] == value and found.get("unit") == (None if di[4:6] == "00" else "kWh")


@pytest.mark.parametrize(
    ("data", "reason"),
    [("00092211", "length"), ("0009221126 AA 563412", "length"), ("000922112A AA 56341200 AA", "bcd"),
     ("0009221126 AA 5634120F AA", "bcd"), ("0009221126 AA 56341200 AA 00010000 AA 00010000", "length")],
)  # fmt: skip
def test_a_block_that_is_none_is_refused(data: str, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        read("0504FF01", data)
    assert caught.value.reason == reason


RECORD = (  # 22 November 2026, 9:00; 230.5 V, 4.999 A in reverse, 50.03 Hz, 0.501, 1234.56 kWh, 1 kWh
    "A0A0 34 0009221126 0523 0000 0000 994980 000000 000000 0350 AA AA 0105 0000 0000 0000 AA"
    "56341200 00010000 00000000 00000000 AA AA AA 52 E5"
)


def test_a_load_record_is_shown_as_it_was_written() -> None:
    ((time, values),) = read("06000001", RECORD)["value"]
    assert time == "2611220900" and len(values) == 7 + 4 + 4
    shown = [values[key] for key in ("02010100", "02020100", "02800002", "02060000", "00010000", "00020000")]
    assert shown == [230.5, -4.999, 50.03, 0.501, 1234.56, 1.0] and "02030000" not in values
    wrong = bytearray.fromhex(RECORD)
    wrong[:2], wrong[-2] = b"\xe0\xe0", (wrong[-2] + 0x80) & 0xFF
    assert len(read("06000001", 2 * RECORD)["value"]) == 2
    assert read("06000001", wrong.hex() + RECORD)["value"] == [["2611220900", values]]
    assert read("06000001", "")["value"] == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [("52 E5", "53 E5", "checksum"), (" E5", "", "length"), ("A0A0 34", "A0A0 33", "length"),
     ("A0A0", "A0", "length"), ("0523 0000", "0523 000A", "checksum")],
)  # fmt: skip
def test_a_load_record_that_is_none_is_refused(old: str, new: str, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        read("06000001", RECORD.replace(old, new, 1))
    assert caught.value.reason == reason


@given(data=st.data())
def test_a_load_record_cut_short_or_bent_and_sealed_anew_raises_frame_errors_alone(data: st.DataObject) -> None:
    body = bytearray.fromhex(RECORD)[3:-2]
    del body[data.draw(st.integers(0, len(body))) :]
    for at in data.draw(st.lists(st.integers(0, max(0, len(body) - 1)), max_size=3)):
        body[at : at + 1] = data.draw(st.binary(max_size=2))
    record = bytes((0xA0, 0xA0, len(body), *body))
    try:
        read("06000001", (record + bytes((sum(record) & 0xFF, 0xE5))).hex())
    except FrameError as error:
        assert error.reason in ("length", "bcd")
