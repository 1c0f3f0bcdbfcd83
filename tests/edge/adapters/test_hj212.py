"""HJ 212 loggers: every vector, streams cut and spoilt anywhere, marks, times, answers byte for byte."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import conformance
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.adapters import adapter
from edge.adapters.adapter import Case, Heard
from edge.adapters.cli import decoded
from edge.adapters.frame import FrameError, Refusal
from edge.adapters.hj212 import crc
from edge.adapters.hj212.factors import WORDS
from edge.adapters.hj212.options import Options
from edge.adapters.hj212.packet import read, written
from edge.adapters.hj212.stream import LONGEST
from edge.adapters.hj212.talk import LoggerTalk
from edge.adapters.report import Value
from edge.config import read_table
from edge.model.errors import ConfigError
from edge.model.quality import Flag
from edge.model.quantities import QUANTITIES

MN = "010000A8900016F000169DC0"
NOW_MS = 1_700_000_000_123
ANNEX_A = (
    b"##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;"
    b"CP=&&RtdInterval=30&&1C80\r\n"
)


def shanghai(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000) - 8 * 3_600_000  # type: ignore[arg-type, misc]


def packet(cp: str, cn: str = "2011", flag: int = 5, **more: object) -> bytes:
    told = {"qn": "20240501100000123", "st": "22", "mn": MN, "pw": "100000", **more}
    return written(cn=cn, flag=flag, cp=cp, **told)  # type: ignore[arg-type]


def talk(**options: str) -> LoggerTalk:
    return LoggerTalk({MN: Options(password="100000", **options)}, lambda: NOW_MS)  # type: ignore[arg-type]


def one(data: bytes, **options: str) -> Heard:
    heard = talk(**options).feed(data)
    assert len(heard) == 1
    return heard[0]


def seen(heard: list[Heard]) -> list[tuple[object, ...]]:
    return [(one.frame, one.device, one.reports, one.answer, one.fault and one.fault.reason) for one in heard]


def values(heard: Heard) -> dict[str, Value]:
    assert heard.fault is None
    return {value.key: value for report in heard.reports for value in report.values}


def test_every_vector_decodes_as_expected(shared_data: Path) -> None:
    assert list(conformance.wrong(shared_data, "hj212")) == []


def test_the_error_classes_are_those_of_the_vectors(shared_data: Path) -> None:
    cases = [case for case in conformance.lines(shared_data, "hj212") if "expect_error" in case]
    plain = [json.dumps({**case, "profile": ""}) for case in cases]
    answers = decoded(plain, adapter("hj212").decoder())
    assert [answer["error"] for answer in answers] == [case["expect_error"] for case in cases]


@pytest.mark.parametrize(
    ("segment", "printed", "profile"),
    [
        (ANNEX_A[6:-6], b"1C80", ""),
        (b"123456789", b"4B37", "crc16-modbus"),
        (b"123456789", b"374B", "crc16-modbus-low-first"),
    ],
)
def test_checksums_are_those_of_the_standard_and_of_modbus(
    segment: bytes, printed: bytes, profile: str
) -> None:
    assert crc.printed(segment, profile) == printed


def test_there_are_only_256_checksums() -> None:
    found = {crc.standard(bytes((first, second))) for first in range(256) for second in range(256)}
    assert len(found) == 256
    assert {value & 0xFF for value in found} == {0x00, 0x01, 0x40, 0x41, 0x80, 0x81, 0xC0, 0xC1}


@pytest.mark.parametrize(
    ("cp", "fields", "factors"),
    [
        ("", {}, {}),
        ("DataTime=20240501100000; LA-Rtd = 50.1 ", {"DataTime": "20240501100000"}, {"LA": {"Rtd": "50.1"}}),
        ("a01001-Rtd=1;Flag=N", {"Flag": "N"}, {"a01001": {"Rtd": "1"}}),
        ("i11001-Info=//工作正常//;;,", {}, {"i11001": {"Info": "//工作正常//"}}),
        ("SB1-RS=1,SB1-RT=23.5", {}, {"SB1": {"RS": "1", "RT": "23.5"}}),
        ("Note=a=b&c", {"Note": "a=b&c"}, {}),
    ],
)
def test_parameters_are_read_tolerantly(
    cp: str, fields: dict[str, str], factors: dict[str, dict[str, str]]
) -> None:
    found = read(packet(cp))
    assert (found.fields, found.factors) == (fields, factors)


def test_a_missing_semicolon_before_cp_is_the_standards_own_slip() -> None:
    segment = f"ST=22;CN=2011;PW=1;MN={MN};Flag=4CP=&&&&".encode()
    found = read(b"##%04d%s%s\r\n" % (len(segment), segment, crc.printed(segment)))
    assert (found.flag, found.items) == (4, ())


def test_chinese_text_may_be_gb_18030() -> None:
    segment = "ST=22;CN=3020;CP=&&i11001-Info=维护&&".encode("gb18030")
    frame = b"##%04d%s%s\r\n" % (len(segment), segment, crc.printed(segment))
    assert read(frame).factors == {"i11001": {"Info": "维护"}}


def test_a_split_packet_says_which_it_is() -> None:
    found = read(packet("", flag=7, part=(3, 2)))
    assert (found.numbered, found.pnum, found.pno) == (True, 3, 2)


@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        (b"QN=1;ST=22", "format"),
        (b"QN=1;CP=&&", "format"),
        (b"QN=1;CP=&&a=1&", "format"),
        (b"Flag=x;CP=&&&&", "format"),
        (b"Flag=256;CP=&&&&", "format"),
        (b"Flag=7;PNUM=two;PNO=1;CP=&&&&", "format"),
        (b"", "format"),
    ],
)
def test_a_segment_that_is_none_is_refused(segment: bytes, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        read(b"##%04d%s%s\r\n" % (len(segment), segment, crc.printed(segment)))
    assert caught.value.reason == reason


def test_what_follows_a_packet_is_refused_where_one_is_asked_for() -> None:
    with pytest.raises(FrameError, match="follow"):
        read(ANNEX_A + b"x")


# streams

GOOD = packet("DataTime=20240501100000;a34004-Rtd=14,a34004-Flag=N")


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (GOOD, [None]),
        (GOOD + GOOD, [None, None]),
        (b"\r\n" + GOOD + b"\r\n\r\n" + GOOD, [None, None]),
        (b"rubbish" + GOOD, ["header", None]),
        (b"rubbish\r\n\0\0" + GOOD, ["header", None]),
        (b"#" + GOOD, ["length", None]),
        (b"##" + GOOD, ["length", None]),
        (GOOD[:60] + GOOD, ["length", None]),
        (GOOD[:-3] + GOOD, ["length", None]),
        (GOOD.replace(b"=14", b"=15") + GOOD, ["crc", None]),
        (b"##9999" + GOOD[6:] + GOOD, ["truncated", None]),
        (b"##0050" + GOOD[6:] + GOOD, ["truncated", None]),
        (b"##00x0" + GOOD[6:] + GOOD, ["length", None]),
        (b"x" * 5000 + GOOD, ["header"] * 3 + [None]),
        (b"##0010" + GOOD, ["truncated", None]),
    ],
)
def test_a_stream_reads_the_same_wherever_it_is_cut(stream: bytes, expected: list[str | None]) -> None:
    whole = talk().feed(stream)
    assert [heard.fault and heard.fault.reason for heard in whole] == expected
    for cut in range(1, len(stream), max(1, len(stream) // 400)):
        parted = talk()
        again = parted.feed(stream[:cut]) + parted.feed(stream[cut:])
        assert [(h.frame, h.reports, h.answer) for h in again] == [
            (h.frame, h.reports, h.answer) for h in whole
        ]


def test_a_stream_that_comes_byte_by_byte_is_read() -> None:
    parted = talk()
    heard = [found for byte in GOOD * 2 for found in parted.feed(bytes((byte,)))]
    assert [found.fault for found in heard] == [None, None]


@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, len(GOOD)),
    st.binary(max_size=30),
)
def test_no_mutant_breaks_the_decoder_or_the_stream(
    changes: list[tuple[int, int]], cut: int, rubbish: bytes
) -> None:
    mutant = bytearray(GOOD)
    for at, byte in changes:
        mutant[at] = byte
    frame = bytes(mutant[:cut]) + rubbish + bytes(mutant[cut:])
    try:
        adapter("hj212").decoder()(Case(raw=frame))
    except FrameError as error:
        assert error.reason in {"header", "truncated", "length", "crc", "format"}
    last = talk().feed(frame + b"\r\n" + GOOD)[-1]
    assert (last.frame, last.fault) == (GOOD, None)


@given(st.binary(max_size=80))
def test_a_segment_of_any_bytes_breaks_nothing(segment: bytes) -> None:
    body = b"QN=1;ST=22;CN=2051;PW=100000;MN=%s;Flag=7;%s;CP=&&%s&&" % (MN.encode(), segment, segment)
    for heard in talk().feed(b"##%04d%s%s\r\n" % (len(body), body, crc.printed(body))):
        assert heard.fault is None or isinstance(heard.fault, FrameError)


def test_a_flood_of_openings_is_held_within_bounds() -> None:
    hostile = talk()
    for _ in range(10):
        hostile.feed(b"##9999" * 1000)
    assert len(hostile._splitter._rest) < LONGEST
    assert hostile.feed(b"\r\n" + GOOD)[-1].fault is None


# reports


def test_a_real_time_report_is_of_the_moment_that_it_names() -> None:
    heard = one(packet("DataTime=20240501100000;a34004-Rtd=14.5,a34004-Flag=N;a01006-Rtd=101.3"))
    (report,) = heard.reports
    assert (report.device, report.series, report.time_ms) == (MN, "2011", shanghai(2024, 5, 1, 10))
    assert report.values == (Value("a34004-Rtd", 14.5), Value("a01006-Rtd", 101.3))


@pytest.mark.parametrize("cn", ["2051", "2061", "2031", "2041"])
def test_a_period_is_told_by_its_start(cn: str) -> None:
    (report,) = one(packet("DataTime=20240501230000;a34004-Avg=3,a34004-Min=1,a34004-Max=9", cn)).reports
    assert (report.series, report.time_ms) == (cn, shanghai(2024, 5, 1, 23))
    assert [value.key for value in report.values] == ["a34004-Avg", "a34004-Min", "a34004-Max"]


def test_a_station_elsewhere_has_its_own_time() -> None:
    (report,) = one(packet("DataTime=20240501100000;LA-Rtd=50"), time_zone="Asia/Urumqi").reports
    assert report.time_ms == shanghai(2024, 5, 1, 12)


def test_a_time_of_2005_has_milliseconds() -> None:
    (report,) = one(packet("DataTime=20210305003817250;060-Rtd=1")).reports
    assert report.time_ms == shanghai(2021, 3, 5, 0, 38, 17) + 250


@pytest.mark.parametrize("time", ["20240230100000", "2024050110", "20240501250000", "now", "２" * 14])
def test_a_time_that_is_none_is_a_fault_and_gets_no_answer(time: str) -> None:
    heard = one(packet(f"DataTime={time};a34004-Rtd=14"))
    assert heard.fault is not None
    assert (heard.fault.reason, heard.reports, heard.answer) == ("time", (), b"")


def test_a_moment_without_a_time_is_that_of_receipt_but_a_period_is_a_fault() -> None:
    assert one(packet("a34004-Rtd=14")).reports[0].time_ms is None
    fault = one(packet("a34004-Avg=14", "2051")).fault
    assert fault is not None
    assert fault.reason == "time"


@pytest.mark.parametrize(
    ("mark", "flag"),
    [
        ("N", 2),
        ("n", 2),
        ("F", 4),
        ("M", 4),
        ("S", 3),
        ("D", 4),
        ("C", 4),
        ("T", 3),
        ("B", 4),
        ("x", 3),
        ("", 3),
    ],
)
def test_only_n_is_a_measurement(mark: str, flag: int) -> None:
    heard = one(packet(f"DataTime=20240501100000;w21003-Rtd=0.5,w21003-Flag={mark}"))
    assert values(heard)["w21003-Rtd"] == Value("w21003-Rtd", 0.5, Flag(flag))


@pytest.mark.parametrize("cp", ["w01001-Rtd=7;Flag=D;w21003-Rtd=1", "w01001-Rtd=7,Flag=D;w21003-Rtd=1"])
def test_a_mark_that_stands_alone_is_that_of_the_factor_before_it(cp: str) -> None:
    found = values(one(packet("DataTime=20240501100000;" + cp)))
    assert found["w01001-Rtd"].flag == Flag.FAIL
    assert found["w21003-Rtd"].flag == Flag.NOT_EVALUATED


@pytest.mark.parametrize("raw", ["", "--", "nan", "inf", "1e999", "1_0", "0x1F", "٣"])
def test_what_is_no_number_is_missing(raw: str) -> None:
    found = values(one(packet(f"DataTime=20240501100000;w01001-Rtd={raw},w01001-Flag=N")))
    assert found["w01001-Rtd"] == Value("w01001-Rtd", None, Flag.MISSING)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (14, 6, 0.4, 3)),
        ({"dust": "mg/m3"}, (14000, 6, 0.4, 3)),
        ({"gases": "mg/m3"}, (14, 6000, 0.4, 3)),
        ({"carbon_monoxide": "ug/m3"}, (14, 6, 0.0004, 3)),
    ],
)
def test_units_are_those_of_the_station(options: dict[str, str], expected: tuple[float, ...]) -> None:
    cp = "DataTime=20240501100000;a34004-Rtd=14;a21026-Rtd=6;a21005-Rtd=0.4;a34001-Cou=3"
    found = one(packet(cp), **options).reports[0].values
    assert [value.number for value in found] == pytest.approx(expected)


def test_every_word_is_a_quantity() -> None:
    assert {word.quantity for word in WORDS.values()} <= QUANTITIES.keys()
    assert (WORDS["02-Rtd"], WORDS["060-Avg"]) == (WORDS["a21026-Rtd"], WORDS["w21003-Avg"])


def part(number: int, cp: str = "a34002-Avg=2", time: str = "", qn: str = "1") -> bytes:
    told = f"DataTime={time};{cp}" if time else cp
    return packet(told, "2051", 7, qn=qn, part=(3, number))


TEN = "20240501101000"
SPOILT = part(1, time="20240501102000").replace(b"Avg=2", b"Avg=3")


def test_a_split_report_is_read_and_answered_packet_by_packet_at_its_one_time() -> None:
    for stream in (
        part(1, time=TEN) + part(2) + part(2) + part(3),
        part(1, time=TEN) + part(2, time=TEN) + part(2, time=TEN) + part(3, time=TEN),
    ):
        heard = talk().feed(stream)
        assert [one.reports[0].series for one in heard] == ["2051", "2051/2", "2051/2", "2051/3"]
        assert {one.reports[0].time_ms for one in heard} == {shanghai(2024, 5, 1, 10, 10)}
        assert all(read(one.answer).cn == "9014" for one in heard)


@pytest.mark.parametrize(
    "before",
    [
        b"",
        part(1, time=TEN, qn="0"),
        b"".join((part(1, time=TEN, qn="0"), part(2, qn="0"), part(3, qn="0"), SPOILT)),
    ],
)
def test_a_packet_without_a_time_takes_none_from_another_report(before: bytes) -> None:
    heard = talk().feed(before + part(3))[-1]
    assert heard.fault is not None
    assert (heard.fault.reason, heard.reports, heard.answer) == ("time", (), b"")


# answers, passwords, requests


def test_a_report_is_answered_when_it_asks_for_it() -> None:
    assert one(GOOD).answer == (
        b"##0087QN=20240501100000123;ST=91;CN=9014;PW=100000;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&%s\r\n"
        % crc.printed(one(GOOD).answer[6:-6])
    )
    assert one(packet("DataTime=20240501100000;a34004-Rtd=14", flag=4)).answer == b""


def test_the_answer_follows_the_editions_of_its_asker() -> None:
    assert read(one(packet("", flag=9)).answer).flag == 8
    assert read(one(packet("", flag=1, qn="")).answer).qn is None


def test_a_report_that_comes_again_is_reported_and_answered_again() -> None:
    first, again = talk().feed(GOOD + GOOD)
    assert first == again
    assert first.answer


def test_a_spoilt_packet_gets_no_answer_but_keeps_its_name() -> None:
    heard = one(GOOD.replace(b"=14", b"=15"))
    assert (heard.device, heard.reports, heard.answer) == (MN, (), b"")


@pytest.mark.parametrize(
    ("more", "reason"), [({"pw": "000000"}, "password"), ({"pw": ""}, "password"), ({"mn": "88888"}, "unknown")]
)
def test_a_stranger_or_a_wrong_password_is_neither_read_nor_answered(more: dict[str, str], reason: str) -> None:
    heard = one(packet("DataTime=20240501100000;a34004-Rtd=14", **more))
    assert heard.fault is not None
    assert (heard.fault.reason, heard.reports, heard.answer) == (reason, (), b"")


def test_a_mistaken_checksum_is_taken_and_given_only_where_the_station_is_allowed_it() -> None:
    for profile in ("crc16-modbus", "crc16-modbus-low-first"):
        frame = packet("DataTime=20240501100000;a34004-Rtd=14", profile=profile)
        fault = one(frame).fault
        assert fault is not None
        assert (fault.reason, fault.remedy) == ("crc", f'allow the device crc = "{profile}"')
        heard = one(frame, crc=profile)
        assert (heard.fault, heard.answer[-6:-2]) == (None, crc.printed(heard.answer[6:-6], profile))
        assert one(GOOD, crc=profile).fault is None


def test_a_logger_that_asks_for_the_time_is_told_it() -> None:
    answer = one(packet("PolId=w01018", "1013")).answer
    first, second, _ = answer.split(b"\r\n")
    assert (read(first + b"\r\n").cn, read(first + b"\r\n").qn) == ("9013", "20240501100000123")
    told = read(second + b"\r\n")
    assert (told.cn, told.st, told.fields) == (
        "1012",
        "22",
        {"PolId": "w01018", "SystemTime": "20231115061320"},
    )


@pytest.mark.parametrize("cn", ["2081", "3019", "3020", "9021"])
def test_what_bears_no_reading_is_answered_all_the_same(cn: str) -> None:
    heard = one(packet("DataTime=20240501100000;i11001-Info=//ok//", cn))
    assert (heard.fault, heard.reports) == (None, ())
    assert read(heard.answer).cn == "9014"


@pytest.mark.parametrize("cn", ["2051", "2061", "2031", "2041"])
def test_history_is_asked_for_in_the_stations_time(cn: str) -> None:
    line = talk()
    line.feed(GOOD)
    asked = read(line.ask(MN, cn, shanghai(2024, 5, 1, 8), shanghai(2024, 5, 1, 9)))
    assert (asked.qn, asked.st, asked.cn, asked.pw, asked.mn, asked.flag) == (
        "20231115061320123",
        "22",
        cn,
        "100000",
        MN,
        5,
    )
    assert asked.fields == {"BeginTime": "20240501080000", "EndTime": "20240501090000"}
    assert read(line.ask(MN, cn, 0, 1)).qn == "20231115061320124"


def test_what_cannot_be_asked_is_not_asked() -> None:
    line = talk()
    assert line.ask(MN, "2051", 0, 1) == b""  # it was not heard on this connection
    line.feed(GOOD)
    assert line.ask(MN, "2011", 0, 1) == b""
    assert line.ask("88888", "2051", 0, 1) == b""


def test_yes_is_silent_and_no_is_a_refusal() -> None:
    for cp in ("QnRtn=1", "ExeRtn=1"):
        assert one(packet(cp, "9011")) == Heard(frame=packet(cp, "9011"), device=MN)
    for cp, why in (("QnRtn=3", "wrong PW"), ("ExeRtn=100", "no data"), ("ExeRtn=77", "not in the standard")):
        fault = one(packet(cp, "9012")).fault
        assert isinstance(fault, Refusal)
        assert why in fault.detail


def test_a_table_of_a_station_is_read_and_its_mistakes_are_named() -> None:
    table = {"password": "123456", "dust": "mg/m3", "crc": "crc16-modbus"}
    assert read_table(Options, table, "device") == Options(password="123456", dust="mg/m3", crc="crc16-modbus")
    for bad in ({}, {"password": "1", "crc": "any"}, {"password": "1", "time_zone": "Mars/Base"}):
        with pytest.raises(ConfigError):
            read_table(Options, bad, "device")
