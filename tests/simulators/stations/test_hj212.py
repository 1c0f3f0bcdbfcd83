"""The simulated HJ 212 logger: its bytes as the standard prints them, its patience, its memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from simulators.stations.hj212 import HOUR, MINUTE, REAL_TIME, Logger, LoggerConfig, Segments, items, packet

START_MS = 1_652_430_360_000  # 2022-05-13 16:26:00 in Beijing
MN = "JLYP01_AIR01_0001"
ANNEX_A = (
    "QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&"
)


def sense(cn: str, _start_ms: int) -> Mapping[str, Mapping[str, str]]:
    name = "Rtd" if cn == REAL_TIME else "Avg"
    return {"a34004": {name: "14", "Flag": "N"}, "a21005": {name: "0.427", "Flag": "N"}}


def logger(**options: object) -> Logger:
    config: dict[str, object] = {"mn": MN, "wait_s": 5.0}
    return Logger(LoggerConfig(**{**config, **options}), sense, lambda: START_MS)  # type: ignore[arg-type]


class Platform:
    """Hears packets, answers those that it is told to answer, and asks."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self.answers: Callable[[int], bool] = lambda _: True
        self.port = 0
        self._count = 0
        self._writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer, segments = writer, Segments()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                for segment in segments.feed(data):
                    self._hear(items(segment))
        writer.close()

    def _hear(self, said: dict[str, str]) -> None:
        self._count += 1
        self.heard.put_nowait(said)
        if int(said.get("Flag", "0")) & 1 and self.answers(self._count):
            self.say(f"QN={said['QN']};ST=91;CN=9014;PW=123456;MN={MN};Flag=4;CP=&&&&")

    def say(self, segment: str) -> None:
        assert self._writer is not None
        self._writer.write(packet(segment))

    def ask(self, cn: str, parameters: str, pw: str = "123456") -> None:
        self.say(f"QN=20220513170000000;ST=22;CN={cn};PW={pw};MN={MN};Flag=5;CP=&&{parameters}&&")

    async def next(self) -> dict[str, str]:
        async with asyncio.timeout(20):
            return await self.heard.get()


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    found = Platform()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found


def test_the_example_of_annex_a_comes_out_byte_for_byte() -> None:
    assert packet(ANNEX_A) == f"##0101{ANNEX_A}1C80\r\n".encode()


def test_a_minute_is_written_as_the_standard_writes_it() -> None:
    device = logger()
    (data,) = device.packets(MINUTE, START_MS, device.measure(MINUTE, START_MS), "20220513162608370")
    text = data.decode()
    segment = (
        f"QN=20220513162608370;ST=22;CN=2051;PW=123456;MN={MN};Flag=5;"
        "CP=&&DataTime=20220513162600;a34004-Avg=14,a34004-Flag=N;a21005-Avg=0.427,a21005-Flag=N&&"
    )
    assert text[:6] == f"##{len(segment):04d}" and text[6:-6] == segment and text[-2:] == "\r\n"


def test_the_2005_shape_has_neither_qn_nor_flag() -> None:
    device = logger(edition="2005")
    (data,) = device.packets(REAL_TIME, START_MS, "01-Rtd=1.5", "1")
    assert data[6:-6].decode() == f"ST=22;CN=2011;PW=123456;MN={MN};CP=&&DataTime=20220513162600;01-Rtd=1.5&&"


def test_long_parameters_are_split_between_factors_and_counted() -> None:
    device = logger(split_bytes=30)
    parts = device.packets(MINUTE, START_MS, device.measure(MINUTE, START_MS), "1")
    said = [items(part[6:-6].decode()) for part in parts]
    assert [(part["Flag"], part["PNUM"], part["PNO"]) for part in said] == [("7", "2", "1"), ("7", "2", "2")]
    assert "a34004-Avg" in said[0] and "a21005-Avg" in said[1]


async def test_reports_are_acknowledged_by_their_number(platform: Platform) -> None:
    device = logger(split_bytes=30)
    async with device.online("127.0.0.1", platform.port):
        assert await device.report(REAL_TIME, START_MS)
        assert await device.report(HOUR, START_MS)
    assert [(await platform.next())["PNO"] for _ in range(4)] == ["1", "2", "1", "2"]
    assert device.acknowledged == {(REAL_TIME, START_MS), (HOUR, START_MS)} and device.sends == 4


async def test_what_is_not_answered_is_repeated_three_times(platform: Platform) -> None:
    platform.answers = lambda count: count == 4
    device = logger(wait_s=0.1)
    async with device.online("127.0.0.1", platform.port):
        assert await device.report(MINUTE, START_MS)
        heard = [await platform.next() for _ in range(4)]
        assert all(said == heard[0] for said in heard)
        platform.answers = lambda _: False
        assert not await device.report(MINUTE, START_MS + 60_000)
    assert device.sends == 8 and device.acknowledged == {(MINUTE, START_MS)}


async def test_what_it_measured_while_cut_off_is_told_when_asked_for(platform: Platform) -> None:
    device = logger()
    async with device.online("127.0.0.1", platform.port):
        device.cut()
        for minute in range(3):
            assert not await device.report(MINUTE, START_MS + minute * 60_000)
    async with device.online("127.0.0.1", platform.port):
        assert await device.report(MINUTE, START_MS + 180_000)
        assert (await platform.next())["DataTime"] == "20220513162900"
        platform.ask(MINUTE, "BeginTime=20220513162600,EndTime=20220513162700")
        told = [await platform.next() for _ in range(4)]
    assert [said["CN"] for said in told] == ["9011", "2051", "2051", "9012"]
    assert told[0]["QnRtn"] == "1" and told[3]["ExeRtn"] == "1"
    assert told[0]["QN"] == told[3]["QN"] == "20220513170000000" != told[1]["QN"]
    assert [said["DataTime"] for said in told[1:3]] == ["20220513162600", "20220513162700"]


@pytest.mark.parametrize(
    ("cn", "parameters", "pw", "answers"),
    [
        (
            MINUTE,
            "BeginTime=20220101000000,EndTime=20220101010000",
            "123456",
            [("QnRtn", "1"), ("ExeRtn", "100")],
        ),
        (MINUTE, "BeginTime=20220101000000,EndTime=20220101010000", "000000", [("QnRtn", "3")]),
        ("3011", "PolId=a34004", "123456", [("QnRtn", "8")]),
        ("1011", "", "123456", [("QnRtn", "1"), ("SystemTime", "20220513162600"), ("ExeRtn", "1")]),
    ],
)
async def test_a_request_is_answered_by_whether_it_can_be_done(
    platform: Platform, cn: str, parameters: str, pw: str, answers: list[tuple[str, str]]
) -> None:
    device = logger()
    async with device.online("127.0.0.1", platform.port):
        assert await device.report(REAL_TIME, START_MS)
        await platform.next()
        platform.ask(cn, parameters, pw)
        for key, text in answers:
            assert (await platform.next())[key] == text


def test_a_stream_is_taken_apart_wherever_it_is_cut() -> None:
    good, bad = packet(ANNEX_A), packet(ANNEX_A).replace(b"=30", b"=60")
    stream = b"noise#" + bad + good + b"##12" + good
    segments = Segments()
    found = [segment for i in range(len(stream)) for segment in segments.feed(stream[i : i + 1])]
    assert found == [ANNEX_A, ANNEX_A]
