"""SL 651-2014: the vectors, what is cut or bent, and what the centre answers byte for byte."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import conformance
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.adapters import adapter
from edge.adapters.adapter import Case, Heard
from edge.adapters.cli import decoded
from edge.adapters.frame import FrameError
from edge.adapters.report import Report
from edge.adapters.sl651 import ADAPTER, Station
from edge.adapters.sl651.frame import ETB, ETX, STX, SYN, Frame, build
from edge.adapters.sl651.link import Link
from edge.model.errors import ConfigError
from edge.model.quality import Flag
from edge.model.quantities import QUANTITIES

SHANGHAI = ZoneInfo("Asia/Shanghai")
STATION = "0011223344"
NOW_MS = round(datetime(2017, 7, 18, 11, 0, 16, tzinfo=SHANGHAI).timestamp() * 1000)
TIMED = bytes.fromhex(
    "7E7E05001122334403E832002B020034170718110016F1F1001122334448F0F0170718110020190000402619000040"
    "3923000104903812109903A421"
)
HOURLY = bytes.fromhex(
    "7E7E05001122334403E8340068020033170718110014F1F1001122334448F0F01707181005F4600500000014FFFFFFFFFF0000"
    "F0F017071811002619000040F0F01707181005F5C0000C000C001C00310031FFFFFFFFFFFFFFFFFFFF00310031"
    "F0F0170718110039230001049020190000403812109903F502"
)
PERIOD = bytes.fromhex(
    "7E7E05001122334403E838002A020035170718110128F1F1001122334448F0F0170718100504180000"
    "05F4600500000014FFFFFFFFFF000003E8AB"
)


def at(text: str) -> int:
    return round(datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI).timestamp() * 1000)


def link(now_ms: int = NOW_MS, **options: Any) -> Link:
    return Link({STATION: Station(**options)}, lambda: now_ms)


def up(function: int, body: bytes, **more: Any) -> bytes:
    head: dict[str, Any] = {"direction": "up", "center": 5, "station": STATION, "password": "03E8", "end": ETX}
    return build(Frame(**{**head, "function": function, "body": body, **more}))


def body(elements: str, function_head: str = "0034170718110016F1F1001122334448F0F01707181100") -> bytes:
    return bytes.fromhex(function_head + elements)


def said(raw: bytes, **more: Any) -> dict[str, Any]:
    return adapter("sl651").decoder()(Case(raw=raw, **more))


def elements(raw: bytes, **more: Any) -> Any:
    return said(raw, **more)["elements"]


def only(heard: Sequence[Heard]) -> Heard:
    assert len(heard) == 1
    return heard[0]


def numbers(report: Report) -> dict[str, float | None]:
    return {value.key: value.number for value in report.values}


def sound(shared_data: Path) -> list[bytes]:
    cases = conformance.lines(shared_data, "sl651")
    return [bytes.fromhex(case["frame"]) for case in cases if "expect" in case]


def test_every_vector_decodes_as_expected(shared_data: Path) -> None:
    assert list(conformance.wrong(shared_data, "sl651")) == []


def test_every_word_is_a_quantity_of_the_catalogue() -> None:
    assert {word.quantity for word in ADAPTER.words.values()} <= QUANTITIES.keys()


def test_packets_in_order_are_shown_at_once_and_joined_at_the_last(shared_data: Path) -> None:
    cases = [case for case in conformance.lines(shared_data, "sl651") if case.get("group")]
    cases.sort(key=lambda case: int(case["expect"]["packet_seq"]))
    read = adapter("sl651").decoder()
    answers = [next(decoded([json.dumps(case)], read)) for case in cases]
    assert "picture_bytes" not in answers[0]
    assert answers[-1]["picture_bytes"] == 3313 and answers[-1]["tail_hex"] == "00B7"


def test_a_group_that_stays_incomplete_is_shown_without_what_is_joined(shared_data: Path) -> None:
    cases = [case for case in conformance.lines(shared_data, "sl651") if case.get("group")][:3]
    answers = list(decoded(map(json.dumps, cases), adapter("sl651").decoder()))
    assert [answer["packet_seq"] for answer in answers] == [13, 2, 3]
    assert "joined_body_bytes" not in answers[0]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("392300010490", 10.49),
        ("3923FFFFFFFF", None),
        ("3923AAAAAAAA", None),
        ("3923FF000172", -0.172),
        ("391A001049", 10.49),
        ("2708FF", None),
        ("FF072301234567", 1234.567),
    ],
)
def test_a_number_is_read_by_its_definition_byte(data: str, value: float | None) -> None:
    assert elements(up(0x32, body(data)))[0]["value"] == value


def test_a_row_of_nines_is_missing_only_by_profile() -> None:
    raw = up(0x32, body("392399999999"))
    assert elements(raw)[0]["value"] == 99999.999
    assert elements(raw, profile="missing")[0]["value"] is None


def test_a_period_has_its_values_to_the_end_and_blocks_repeat() -> None:
    found = elements(up(0x38, body("0418000100" + "3923000104900001048000010470")))
    assert found[0]["step"] == {"day": 0, "hour": 1, "minute": 0}
    assert found[1]["values"] == [10.49, 10.48, 10.47] and found[1]["length"] == 4
    blocks = elements(up(0x31, body("0418000000" + "F460" + "00" * 11 + "05" + "01" * 12)))
    assert len(blocks[1]["values"]) == 24 and blocks[1]["values"][11:13] == [0.5, 0.1]


def test_text_by_hand_status_and_commands_are_shown() -> None:
    by_hand = elements(up(0x35, body("F2F2" + b"TB 16".hex())))
    assert by_hand == [{"id": "F2", "observed_at": "1707181100", "text": "TB 16"}]
    assert elements(up(0x32, body("452000000081")))[0]["raw_hex"] == "00000081"
    query = build(
        Frame(
            direction="down", center=5, station=STATION, password="03E8", function=0x37, end=0x05,
            body=bytes.fromhex("000017071811001617071810"),
        )
    )  # fmt: skip
    assert said(query)["params_hex"] == "17071810" and said(query)["end"] == "ENQ"


@pytest.mark.parametrize(
    ("data", "reason"),
    [("39", "truncated"), ("3900", "format"), ("04100001", "format"), ("F0F01707", "truncated"),
     ("F001", "format"), ("F0F0170718AA00", "bcd"), ("F5081234", "format")],
)  # fmt: skip
def test_an_element_that_breaks_the_rules_is_refused(data: str, reason: str) -> None:
    with pytest.raises(FrameError) as refused:
        said(up(0x32, body(data)))
    assert refused.value.reason == reason


def test_the_ascii_coding_says_the_same() -> None:
    words = b"0034170718110016ST 0011223344 H TT 1707181100 PJ 4.0 Z 10.490 VT 10.99 "
    found = said(up(0x32, words, text=True))
    assert (found["serial"], found["sent_at"], found["body_station"]) == (0x34, "170718110016", STATION)
    assert found["station_class"] == "H" and found["observed_at"] == "1707181100"
    assert [(e["id"], e["name"], e["value"]) for e in found["elements"]] == [
        ("20", "PJ", 4.0), ("39", "Z", 10.49), ("38", "VT", 10.99)
    ]  # fmt: skip
    uniform = b"0034170718110016ST 0011223344 H TT 1707181000 DRN30 Z 10.49 M 10.5 VT 12.1 "
    series = elements(up(0x31, uniform, text=True))
    assert series[0]["step"]["minute"] == 30 and series[1]["values"] == [10.49, None, 10.5]
    rain = elements(
        up(0x34, b"0034170718110016ST 0011223344 P TT 1707181005 DRP 0500000014FFFFFFFFFF0000 ", text=True)
    )
    assert rain[0]["values"][:5] == [0.5, 0.0, 0.0, 0.0, 2.0] and rain[0]["values"][5] is None


def test_ascii_reports_are_answered_in_ascii() -> None:
    words = b"0034170718110016ST 0011223344 H TT 1707181100 Z 10.490 "
    heard = only(link().feed(up(0x32, words, text=True)))
    assert numbers(heard.reports[0]) == {"39": 10.49}
    assert heard.answer.startswith(b"\x01" + b"0011223344" + b"05" + b"03E8" + b"32" + b"8010" + b"\x02")
    assert said(heard.answer)["serial"] == 0x34 and said(heard.answer)["end"] == "ESC"


def test_a_report_is_acknowledged_byte_for_byte() -> None:
    heard = only(link().feed(TIMED))
    assert heard.answer.hex().upper() == "7E7E00112233440503E83280080200341707181100161BE5D4"
    report = only_report(heard)
    assert report.series == "timed" and report.time_ms == at("2017-07-18 11:00")
    assert numbers(report) == {"20": 4.0, "26": 4.0, "39": 10.49, "38": 10.99}
    hung_up = only(link(stay=False).feed(TIMED))
    assert said(hung_up.answer)["end"] == "EOT"


def only_report(heard: Heard) -> Report:
    assert len(heard.reports) == 1
    return heard.reports[0]


def test_an_hour_is_twelve_readings_beside_the_hourly_one() -> None:
    found = only(link(base_m=10.0).feed(HOURLY)).reports
    hourly = [report for report in found if report.series == "hourly"]
    blocks = [report for report in found if report.series == "5min"]
    assert [numbers(report) for report in hourly] == [{"26": 4.0, "39": 10.49, "20": 4.0, "38": 10.99}]
    assert [report.time_ms for report in blocks] == [
        at("2017-07-18 10:05") + index * 300_000 for index in range(12)
    ]
    assert numbers(blocks[2]) == {"F4": 0.0, "F5": 0.28, "F5-stage": 10.28}
    assert blocks[5].values[0].flag is Flag.MISSING
    ends = only(link(block_time="last").feed(HOURLY)).reports
    assert max(report.time_ms or 0 for report in ends if report.series == "5min") == at("2017-07-18 10:05")


@pytest.mark.parametrize("again", ["", "F460"])
def test_blocks_that_repeat_tell_of_the_hours_that_follow(again: str) -> None:
    told = "0418000000" + "F460" + "00" * 12 + again + "01" * 12
    found = only(link().feed(up(0x38, body(told, "0035170718110128F1F1001122334448F0F01707181005")))).reports
    assert [report.time_ms for report in found] == [
        at("2017-07-18 10:05") + index * 300_000 for index in range(24)
    ]
    assert [report.values[0].number for report in found] == [0.0] * 12 + [0.1] * 12


def test_tests_and_keep_alives_never_become_readings() -> None:
    test = only(link().feed(up(0x30, TIMED[14:-3])))
    assert test.reports == () and said(test.answer)["function"] == "30"
    alive = only(link().feed(up(0x2F, bytes.fromhex("0003170718110016"))))
    assert (alive.reports, alive.answer, alive.fault, alive.device) == ((), b"", None, STATION)


def test_strangers_and_wrong_passwords_are_told_apart_and_not_answered() -> None:
    for options, reason in (
        ({"FFFFFFFFFF": Station()}, "station"),
        ({STATION: Station(password="1234")}, "password"),
    ):
        heard = only(Link(options, lambda: NOW_MS).feed(TIMED))
        assert heard.fault is not None and heard.fault.reason == reason
        assert (heard.answer, heard.reports, heard.device) == (b"", (), STATION)
    assert only(link(password="03e8").feed(TIMED)).reports


def test_what_the_station_doubts_is_marked() -> None:
    gauge = only_report(only(link().feed(up(0x32, body("392300010490" + "4520000000C0")))))
    flags = {value.key: value.flag for value in gauge.values}
    assert flags["39"] is Flag.FAIL and flags["45-door"] is Flag.NOT_EVALUATED
    assert numbers(gauge)["45-door"] == 0.0 and numbers(gauge)["45-gauge_fault"] == 1.0
    bent = only_report(only(link().feed(up(0x32, body("3923001B0490" + "38121099")))))
    assert [(value.number, value.flag) for value in bent.values] == [
        (None, Flag.FAIL), (10.99, Flag.NOT_EVALUATED)
    ]  # fmt: skip
    nines = only_report(only(link(missing=("99999.999",)).feed(up(0x32, body("392399999999")))))
    assert [(value.number, value.flag) for value in nines.values] == [(None, Flag.MISSING)]


def test_a_report_in_packets_is_one_and_a_missing_packet_is_named() -> None:
    whole = TIMED[14:-3]
    parts = [whole[:30], whole[30:38], whole[38:]]
    frames = [
        up(0x32, part, start=SYN, total=3, number=number, end=ETX if number == 3 else ETB)
        for number, part in enumerate(parts, 1)
    ]
    talk = link()
    heard = [only(talk.feed(frame)) for frame in frames]
    assert [item.answer for item in heard[:2]] == [b"", b""]
    assert numbers(only_report(heard[2]))["39"] == 10.49 and said(heard[2].answer)["end"] == "EOT"

    gap = link()
    gap.feed(frames[0])
    refused = said(only(gap.feed(frames[2])).answer)
    assert (refused["end"], refused["packet_total"], refused["packet_seq"]) == ("NAK", 3, 2)
    assert only_report(only(gap.feed(frames[1]))) == only_report(heard[2])


def test_a_picture_is_answered_and_is_no_reading(shared_data: Path) -> None:
    cases = [case for case in conformance.lines(shared_data, "sl651") if case.get("group")]
    cases.sort(key=lambda case: int(case["expect"]["packet_seq"]))
    talk = Link({"0012345678": Station()}, lambda: NOW_MS)
    heard = [only(talk.feed(bytes.fromhex(case["frame"]))) for case in cases]
    assert all(item.fault is None and item.reports == () for item in heard)
    assert [bool(item.answer) for item in heard] == [False] * 12 + [True]
    assert said(heard[-1].answer)["serial"] == 5 and said(heard[-1].answer)["end"] == "EOT"


def test_missing_hours_are_asked_for_one_element_after_another_and_come_as_one_reading_each() -> None:
    talk = link(history=("39", "26", "F4"))
    assert talk.ask(STATION, "hourly", at("2017-07-18 08:30"), at("2017-07-18 10:00")) == b""
    talk.feed(TIMED)
    first = said(talk.ask(STATION, "hourly", at("2017-07-18 08:30"), at("2017-07-18 10:00")))
    assert (first["function"], first["end"], first["serial"]) == ("38", "ENQ", 0)
    assert first["params_hex"] == "1707180817071810" + "0418000100" + "3923"
    assert talk.ask(STATION, "hourly", at("2017-07-18 08:30"), at("2017-07-18 10:00")) == b""

    head = "0035170718110128F1F1001122334448F0F017071809000418000100"
    stage = only(talk.feed(up(0x38, body("39230001049000010480", head))))
    assert stage.reports == ()
    ended, asked = stage.answer[:25], stage.answer[25:]
    assert said(ended)["end"] == "ESC" and said(asked)["params_hex"].endswith("2619")
    rain = only(talk.feed(up(0x38, body("2619000040000041", head))))
    assert said(rain.answer)["end"] == "EOT"
    assert [(report.series, report.time_ms, numbers(report)) for report in rain.reports] == [
        ("hourly", at("2017-07-18 09:00"), {"39": 10.49, "26": 4.0}),
        ("hourly", at("2017-07-18 10:00"), {"39": 10.48, "26": 4.1}),
    ]


def test_missing_five_minutes_are_asked_for_in_blocks() -> None:
    talk = link(history=("39", "F4"))
    talk.feed(TIMED)
    query = said(talk.ask(STATION, "5min", at("2017-07-18 10:05"), at("2017-07-18 11:00")))
    assert query["params_hex"] == "1707181017071811" + "0418000000" + "F460"
    assert {report.series for report in only(talk.feed(PERIOD)).reports} == {"5min"}
    often = link(history=("3922",), pace_min=15)
    often.feed(TIMED)
    timed = said(often.ask(STATION, "timed", at("2017-07-18 10:05"), at("2017-07-18 11:00")))
    assert timed["params_hex"] == "1707181017071811" + "0418000015" + "3922"
    assert talk.ask(STATION, "extra", 0, NOW_MS) == b""


def test_a_query_without_an_answer_gives_way_after_half_a_minute() -> None:
    now = [NOW_MS]
    talk = Link({STATION: Station(history=("39",))}, lambda: now[0])
    talk.feed(TIMED)
    assert talk.ask(STATION, "hourly", at("2017-07-18 08:00"), at("2017-07-18 09:00"))
    assert talk.ask(STATION, "hourly", at("2017-07-18 09:00"), at("2017-07-18 10:00")) == b""
    now[0] += 30_000
    later = said(talk.ask(STATION, "hourly", at("2017-07-18 09:00"), at("2017-07-18 10:00")))
    assert later["params_hex"].startswith("1707180917071810")


def test_a_clock_is_set_only_where_that_is_allowed_and_once_an_hour() -> None:
    wrong_ms = NOW_MS + 60_000
    assert len(only(link(wrong_ms).feed(TIMED)).answer) == 25
    talk = link(wrong_ms, set_clock=True)
    command = said(only(talk.feed(TIMED)).answer[25:])
    assert (command["function"], command["sent_at"], command["end"]) == ("4A", "170718110116", "ENQ")
    assert len(only(talk.feed(TIMED)).answer) == 25
    assert len(only(link(set_clock=True).feed(TIMED)).answer) == 25


def test_a_frame_cut_at_every_byte_is_the_same(shared_data: Path) -> None:
    for raw in (TIMED, HOURLY, up(0x32, b"0034170718110016ST 0011223344 H TT 1707181100 Z 1.0 ", text=True)):
        whole = only(link().feed(raw))
        for cut in range(1, len(raw)):
            talk = link()
            assert talk.feed(raw[:cut]) == []
            assert only(talk.feed(raw[cut:])) == whole
    talk = Link({}, lambda: NOW_MS)
    frames = sound(shared_data)
    stream = b"".join(frames)
    assert [heard.frame for i in range(len(stream)) for heard in talk.feed(stream[i : i + 1])] == frames


def test_rubbish_before_and_between_frames_is_skipped_and_kept_where_it_is_long() -> None:
    short = link().feed(b"\r\n\x7e" + TIMED + b"\x00\x7e\x01" + TIMED)
    assert [heard.frame for heard in short] == [TIMED, TIMED]
    long = link().feed(b"hello, this is a modem" + TIMED)
    assert [heard.fault.reason if heard.fault else "" for heard in long] == ["header", ""]


def test_a_damaged_length_costs_no_other_frame() -> None:
    bent = TIMED[:11] + b"\x0f\xff" + TIMED[13:]
    heard = link().feed(bent + TIMED)
    assert [item.fault.reason if item.fault else "" for item in heard] == ["truncated", ""]
    assert heard[0].device == STATION and heard[0].answer == b""
    short = TIMED[:11] + b"\x00\x20" + TIMED[13:]
    assert [item.frame for item in link().feed(short + TIMED) if not item.fault] == [TIMED]


def test_a_bad_crc_is_a_fault_without_an_answer_and_the_repeat_is_taken() -> None:
    bent = TIMED[:30] + b"\xff" + TIMED[31:]
    bad, good = link().feed(bent + TIMED)
    assert bad.fault is not None and bad.fault.reason == "crc" and bad.answer == b""
    assert good.reports


@pytest.mark.parametrize("options", [
    {"password": "12"}, {"zone": "Mars/Olympus"}, {"missing": ("none",)}, {"history": ("stage",)},
    {"pace_min": 0},
])  # fmt: skip
def test_an_option_that_cannot_be_meant_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Station(**options)


BENT = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6)


@settings(max_examples=300)
@given(raw=st.sampled_from([TIMED, HOURLY, PERIOD]), changes=BENT, cut=st.integers(0, 120), mend=st.booleans())
def test_bent_frames_are_refused_or_read_and_nothing_else(
    raw: bytes, changes: list[tuple[int, int]], cut: int, mend: bool
) -> None:
    bent = bytearray(raw)
    for place, value in changes:
        bent[place % len(bent)] = value
    data = bytes(bent)
    if mend:  # damage that the CRC does not show
        data = up(data[10], data[14:-3])
    with contextlib.suppress(FrameError):
        said(data)
    talk = link(set_clock=True)
    heard = talk.feed(data[:cut]) + talk.feed(data[cut:] + b"\x00" * 4200 + TIMED)
    assert [item for item in heard if item.frame == TIMED and item.reports]


@settings(max_examples=150)
@given(
    words=st.text(alphabet="ZPJSTMDRHN0123456789. -", max_size=60), function=st.sampled_from([0x31, 0x32, 0x45])
)
def test_bent_words_are_refused_or_read(words: str, function: int) -> None:
    raw = up(function, f"0034170718110016ST 0011223344 H TT 1707181100 {words}".encode(), text=True, start=STX)
    try:
        said(raw)
    except FrameError as error:
        assert error.reason in ("format", "truncated", "bcd")
    assert len(link().feed(raw)) == 1


def test_a_block_of_one_byte_before_the_end_is_read_to_the_end() -> None:
    """Found by a million bent frames: the last byte cannot begin an element."""
    frame = bytes.fromhex(
        "7e7e05001122334403e838002b020035170718110120f1f1001122334448f0f017071810050418000005f40c60050000"
        "0014ffffffffff000003cf58"
    )
    found = adapter("sl651").decoder()(Case(raw=frame))
    assert found["elements"][-1]["id"] == "F4"
