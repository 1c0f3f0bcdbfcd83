"""Our stations at an environmental platform: delivered only when it says so, and civil when it asks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from edge.adapters.frame import FrameError
from edge.adapters.hj212.client import (
    Changed,
    Client,
    Delivered,
    Event,
    HistoryAsked,
    RealTimeAsked,
    Spoilt,
    Undelivered,
)
from edge.adapters.hj212.factors import CODES
from edge.adapters.hj212.figures import Figure
from edge.adapters.hj212.options import Options
from edge.adapters.hj212.packet import Packet, check, read, written
from edge.adapters.hj212.station import Station
from edge.adapters.hj212.stream import Splitter
from edge.adapters.hj212.talk import LoggerTalk
from edge.model.quality import Flag
from edge.model.quantities import QUANTITIES

MN = "310110A8900016F000169DC0"
NOW_MS = int(datetime(2024, 5, 1, 2, 0, tzinfo=UTC).timestamp() * 1000)  # 10:00 in Shanghai
AIR = {
    "pm2_5_ug_m3": Figure(values={"Avg": 14.25, "Min": 12, "Max": 16.5}),
    "pressure_hpa": Figure(values={"Avg": 1013.2}, flag=Flag.FAIL),
    "co_mg_m3": Figure(values={}, flag=Flag.MISSING),
}


def client(**more: int) -> Client:
    return Client(station=Station(mn=MN, password="654321", **more))  # type: ignore[arg-type]


def packets(sent: bytes) -> list[Packet]:
    pieces = Splitter(check).feed(sent)
    assert [piece.fault for piece in pieces] == [None] * len(pieces)
    return [read(piece.raw) for piece in pieces]


def answer(to: Packet, **more: str) -> bytes:
    told = {"mn": MN, "pw": "654321", "qn": to.qn or "", **more}
    return written(cn="9014", st="91", flag=4, **told)  # type: ignore[arg-type]


def request(cn: str, cp: str = "", flag: int = 5, **more: str) -> bytes:
    told = {"st": "22", "mn": MN, "pw": "654321", "qn": "20240501095959000", **more}
    return written(cn=cn, flag=flag, cp=cp, **told)  # type: ignore[arg-type]


def asked(cn: str, cp: str = "", flag: int = 5, **more: str) -> tuple[list[Event], list[tuple[str, str]]]:
    station = client()
    events = station.feed(request(cn, cp, flag, **more), NOW_MS)
    return events, [(sent.cn or "", ",".join(_pairs(sent))) for sent in packets(station.take())]


def _pairs(sent: Packet) -> list[str]:
    return [f"{key}={value}" for item in sent.items for key, value in item]


def test_a_report_is_written_as_the_standard_has_it() -> None:
    station = client()
    station.report("2051", NOW_MS - 600_000, AIR, NOW_MS)
    sent = station.take()
    assert sent[6:-6] == (
        b"QN=20240501100000000;ST=22;CN=2051;PW=654321;MN=310110A8900016F000169DC0;Flag=5;"
        b"CP=&&DataTime=20240501095000;a34004-Avg=14.25,a34004-Min=12,a34004-Max=16.5,a34004-Flag=N;"
        b"a01006-Avg=101.32,a01006-Flag=D;a21005-Flag=B&&"
    )
    assert station.take() == b""


def test_a_report_is_delivered_when_the_platform_says_so() -> None:
    station = client()
    ticket = station.report("2051", NOW_MS, AIR, NOW_MS)
    (sent,) = packets(station.take())
    assert station.feed(answer(sent, mn="88888"), NOW_MS) == []
    assert station.feed(answer(sent, qn="20240501100000999"), NOW_MS) == []
    assert station.feed(answer(sent)[:50], NOW_MS) == []
    assert station.feed(answer(sent)[50:], NOW_MS) == [Delivered(ticket)]
    assert station.feed(answer(sent), NOW_MS) == []  # an answer to a repeat
    assert station.due_ms() is None


def test_silence_is_met_with_three_repeats_and_then_the_report_is_ours_again() -> None:
    station = client()
    ticket = station.report("2011", NOW_MS, AIR, NOW_MS)
    first, now = station.take(), NOW_MS
    for _ in range(3):
        assert station.tick(now + 9_999) == []
        assert station.take() == b""
        now += 10_000
        assert station.due_ms() == now
        assert station.tick(now) == []
        assert station.take() == first
    assert station.tick(now + 10_000) == [Undelivered(ticket)]
    assert (station.take(), station.due_ms()) == (b"", None)


def test_a_new_connection_sends_again_what_has_no_answer() -> None:
    station = client()
    ticket = station.report("2051", NOW_MS, AIR, NOW_MS)
    sent = station.take()
    station.feed(b"##0100 half a packet", NOW_MS)
    station.connected(NOW_MS + 60_000)
    assert station.take() == sent
    assert station.feed(answer(packets(sent)[0]), NOW_MS + 60_000) == [Delivered(ticket)]


def test_a_long_report_is_split_and_delivered_when_every_packet_is() -> None:
    station = client()
    figures = {
        name: Figure(values=dict.fromkeys(("Avg", "Min", "Max", "Cou"), QUANTITIES[name].high))
        for name in list(CODES)[:22]
    }
    ticket = station.report("2061", NOW_MS, figures, NOW_MS)
    sent = packets(station.take())
    assert [(one.flag, one.pnum, one.pno) for one in sent] == [(7, 2, 1), (7, 2, 2)]
    assert {one.fields["DataTime"] for one in sent} == {"20240501100000"}
    assert sum(len(one.factors) for one in sent) == len(figures)
    assert all(len(",".join(_pairs(one))) <= 950 for one in sent)
    assert station.feed(answer(sent[1]), NOW_MS) == []
    assert station.feed(answer(sent[0]), NOW_MS) == [Delivered(ticket)]


def test_what_we_send_a_logger_talk_reads_back() -> None:
    station = client()
    station.report("2051", NOW_MS, AIR, NOW_MS)
    (heard,) = LoggerTalk({MN: Options(password="654321")}, lambda: NOW_MS).feed(station.take())
    assert heard.reports[0].time_ms == NOW_MS
    assert [value.number for value in heard.reports[0].values] == [14.25, 12, 16.5, 101.32]
    assert station.feed(heard.answer, NOW_MS) == [Delivered(1)]


@pytest.mark.parametrize(
    ("cn", "cp", "answers"),
    [
        ("1011", "", [("9011", "QnRtn=1"), ("1011", "SystemTime=20240501100000"), ("9012", "ExeRtn=1")]),
        (
            "1011",
            "PolId=a01001",
            [
                ("9011", "QnRtn=1"),
                ("1011", "PolId=a01001,SystemTime=20240501100000"),
                ("9012", "ExeRtn=1"),
            ],
        ),
        ("1061", "", [("9011", "QnRtn=1"), ("1061", "RtdInterval=60"), ("9012", "ExeRtn=1")]),
        ("1063", "", [("9011", "QnRtn=1"), ("1063", "MinInterval=10"), ("9012", "ExeRtn=1")]),
        ("1062", "RtdInterval=29", [("9011", "QnRtn=1"), ("9012", "ExeRtn=3")]),
        ("1064", "MinInterval=7", [("9011", "QnRtn=1"), ("9012", "ExeRtn=3")]),
        ("1000", "OverTime=5", [("9011", "QnRtn=1"), ("9012", "ExeRtn=3")]),
        ("1012", "SystemTime=20240501100000", [("9011", "QnRtn=2")]),
        ("1072", "NewPW=1", [("9011", "QnRtn=2")]),
        ("3012", "PolId=a01001", [("9011", "QnRtn=8")]),
    ],
)
def test_requests_are_answered(cn: str, cp: str, answers: list[tuple[str, str]]) -> None:
    assert asked(cn, cp) == ([], answers)


@pytest.mark.parametrize(
    ("cn", "cp", "setting"),
    [
        ("1062", "RtdInterval=30", {"rtd_interval_s": 30}),
        ("1064", "MinInterval=5", {"min_interval_min": 5}),
        ("1000", "OverTime=5,ReCount=2", {"timeout_s": 5, "repeats": 2}),
    ],
)
def test_a_setting_is_taken_and_told(cn: str, cp: str, setting: dict[str, int]) -> None:
    events, answers = asked(cn, cp)
    assert events == [Changed(client(**setting).station)]
    assert answers == [("9011", "QnRtn=1"), ("9012", "ExeRtn=1")]


@pytest.mark.parametrize(
    ("more", "code"), [({"mn": "88888"}, 4), ({"pw": "000000"}, 3), ({"st": "32"}, 5), ({"qn": ""}, 7)]
)
def test_a_request_that_is_not_for_us_is_refused_and_learns_nothing(more: dict[str, str], code: int) -> None:
    station = client()
    assert station.feed(request("1061", **more), NOW_MS) == []
    sent = station.take()
    assert [one.fields for one in packets(sent)] == [{"QnRtn": str(code)}]
    assert "pw" not in more or b"654321" not in sent


def test_real_time_data_are_asked_for_and_stopped() -> None:
    assert asked("2011") == ([RealTimeAsked(True)], [("9011", "QnRtn=1")])
    assert asked("2012") == ([RealTimeAsked(False)], [("9013", "")])
    assert asked("2012", flag=4) == ([RealTimeAsked(False)], [])


def test_history_is_sent_and_closed() -> None:
    station = client()
    cp = "BeginTime=20240501080000,EndTime=20240501090000"
    (event,) = station.feed(request("2061", cp), NOW_MS)
    assert isinstance(event, HistoryAsked)
    assert (event.begin_ms, event.end_ms) == (NOW_MS - 7_200_000, NOW_MS - 3_600_000)
    tickets = station.history(event, [(event.begin_ms, AIR), (event.end_ms, AIR)], NOW_MS)
    sent = packets(station.take())
    assert [one.cn for one in sent] == ["9011", "2061", "2061", "9012"]
    assert (sent[3].qn, sent[3].fields) == ("20240501095959000", {"ExeRtn": "1"})
    assert [station.feed(answer(one), NOW_MS) for one in sent[1:3]] == [[Delivered(n)] for n in tickets]


def test_history_that_we_do_not_have_or_cannot_read_is_said_so() -> None:
    station = client()
    (event,) = station.feed(request("2051", "BeginTime=20240501080000,EndTime=20240501090000"), NOW_MS)
    assert isinstance(event, HistoryAsked)
    station.history(event, [], NOW_MS)
    assert packets(station.take())[-1].fields == {"ExeRtn": "100"}
    (spoilt,) = station.feed(request("2051", "BeginTime=yesterday"), NOW_MS)
    assert isinstance(spoilt, Spoilt)
    assert packets(station.take())[-1].fields == {"ExeRtn": "3"}


def test_a_spoilt_packet_is_told_and_not_answered() -> None:
    station = client()
    (event,) = station.feed(request("1061").replace(b"Flag=5", b"Flag=7"), NOW_MS)
    assert isinstance(event, Spoilt)
    assert isinstance(event.fault, FrameError)
    assert station.take() == b""
