"""The simulated hydrological station: bytes as in published frames, manners as M2 and M4 have them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from simulators.stations import sl651_frames as frames
from simulators.stations.sl651 import HydroStation, Pace
from simulators.stations.sl651_frames import Address, Sample

ADDRESS = Address(station=bytes.fromhex("0011223344"), centre=5, password=0x03E8)
NOON = datetime(2024, 7, 18, 12, 0)
MINUTE = timedelta(minutes=1)


def rising(at: datetime) -> Sample:
    """A millimetre of rain every five minutes, and a centimetre of stage every minute."""
    minutes = (at - NOON) // MINUTE
    return Sample(4.0, 100.0 + minutes // 5, 10.0 + minutes / 100, 12.5)


class Centre:
    """A centre that hears frames and answers as it is told: ESC, EOT or nothing."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.ends: list[int | None] = []
        self._writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        while True:
            try:
                head = await reader.readexactly(14)
                rest = await reader.readexactly((head[11] & 0x0F) << 8 | head[12])
                tail = await reader.readexactly(3)
            except asyncio.IncompleteReadError:
                break
            frame = head + rest + tail
            assert frames.crc(frame[:-2]) == int.from_bytes(frame[-2:], "big")
            self.heard.put_nowait(frame)
            end = self.ends.pop(0) if self.ends else frames.ESC
            if frame[10] != frames.HEARTBEAT and end is not None:
                self.send(frame[10], frame[14:22], end)
        writer.close()

    def send(self, function: int, body: bytes, end: int, spoil: int = 0) -> None:
        assert self._writer is not None
        address = ADDRESS.station + bytes((ADDRESS.centre,)) + ADDRESS.password.to_bytes(2, "big")
        length = (0x8000 | len(body)).to_bytes(2, "big")
        framed = b"\x7e\x7e" + address + bytes((function,)) + length + b"\x02" + body + bytes((end,))
        self._writer.write(b"rubbish~" + framed + (frames.crc(framed) ^ spoil).to_bytes(2, "big"))

    async def hear(self) -> bytes:
        async with asyncio.timeout(20):
            return await self.heard.get()


@contextlib.asynccontextmanager
async def called(pace: Pace) -> AsyncIterator[tuple[HydroStation, Centre]]:
    centre, station = Centre(), HydroStation(ADDRESS, rising, pace)
    server = await asyncio.start_server(centre.serve, "127.0.0.1", 0)
    async with server:
        await station.connect("127.0.0.1", server.sockets[0].getsockname()[1])
        try:
            yield station, centre
        finally:
            await station.close()


QUIET = Pace(timed_min=0, hourly=False)


def test_a_heartbeat_is_the_published_one() -> None:
    address = Address(station=bytes.fromhex("0012345678"), centre=1, password=0x1234)
    frame = frames.up(address, frames.HEARTBEAT, frames.head(3, datetime(2059, 10, 11, 15, 51, 11)))
    assert frame.hex().upper() == "7E7E01001234567812342F0008020003591011155111036BCA"


def test_a_timed_report_is_the_published_one() -> None:
    at = datetime(2017, 7, 18, 11, 0)
    body = frames.head(0x34, at.replace(second=16)) + frames.who(ADDRESS) + frames.observed_at(at)
    for identifier, value in zip((0x20, 0x26, 0x39, 0x38), (4.0, 4.0, 10.49, 10.99), strict=True):
        body += frames.element(identifier, value)
    assert frames.up(ADDRESS, frames.TIMED, body).hex().upper() == (
        "7E7E05001122334403E832002B020034170718110016F1F1001122334448F0F0170718110020190000402619000040"
        "3923000104903812109903A421"
    )


def test_an_hours_blocks_are_the_published_ones() -> None:
    rain = frames.hour_of_rain([0.5, 0, 0, 0, 2, *[None] * 5, 0, 0])
    stages = frames.hour_of_stages([0.12, 0.12, 0.28, 0.49, 0.49, *[None] * 5, 0.49, 0.49], 0.0)
    assert rain.hex().upper() == "F4600500000014FFFFFFFFFF0000"
    assert stages.hex().upper() == "F5C0000C000C001C00310031FFFFFFFFFFFFFFFFFFFF00310031"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((10.49,), "392300010490"),
        ((-1.72,), "392BFF00001720"),
        ((None,), "3923FFFFFFFF"),
        ((1, None), "392300001000FFFFFFFF"),
        ((1, -1, None), "392B0000001000FF00001000FFFFFFFFFF"),
    ],
)
def test_values_are_packed_digits(values: tuple[float | None, ...], expected: str) -> None:
    assert frames.element(frames.STAGE, *values).hex().upper() == expected


async def test_a_quiet_minute_is_a_heartbeat_that_nobody_answers() -> None:
    async with called(QUIET) as (station, centre):
        await station.minute(NOON)
        assert (await centre.hear())[10:22].hex() == "2f0008020001240718120000"
        assert station.answered == station.unanswered == []


async def test_an_hour_is_reported_at_its_pace() -> None:
    async with called(Pace(timed_min=30, uniform_min=60, alarm_m=10.2)) as (station, centre):
        for minute in range(61):
            await station.minute(NOON + minute * MINUTE)
        functions = [frame[10] for frame in station.sent]
        assert [function for function in functions if function != frames.HEARTBEAT] == [
            *(0x32, 0x34, 0x31),  # noon
            *(0x33, 0x32),  # the alarm, half past
            *(0x32, 0x34, 0x31),  # one o'clock
        ]
        assert [serial for _, serial in station.answered] == list(range(1, 9))
        heard = [await centre.hear() for _ in station.sent]
    assert heard == station.sent
    assert heard[-2][30:-3].hex() == (
        "f0f02407181205f4600a0a0a0a0a0a0a0a0a0a0a0a"
        "f0f02407181300261900" + "1120"
        "f0f02407181205f5c0" + "".join(f"{1000 + 5 * index:04x}" for index in range(1, 13)) + "f0f02407181300"
        "392300010600201900004038121250"
    )
    assert heard[-1][30:-3].hex() == "f0f024071812050418000005" + "3923" + "".join(
        f"{10000 + 50 * index:08d}" for index in range(1, 13)
    )


async def test_silence_is_met_with_two_repeats() -> None:
    async with called(Pace(timed_min=1, hourly=False, answer_s=0.02)) as (station, centre):
        centre.ends = [None] * 3
        await station.minute(NOON + MINUTE)
        assert len(set(station.sent)) == 1
        assert (len(station.sent), station.unanswered) == (3, [(frames.TIMED, 1)])
        centre.ends = [None]
        assert not station.answered


async def test_a_repeat_that_is_answered_is_enough() -> None:
    async with called(Pace(timed_min=1, hourly=False, answer_s=0.5)) as (station, centre):
        centre.ends = [None]
        await station.minute(NOON + MINUTE)
        assert (len(station.sent), station.answered) == (2, [(frames.TIMED, 1)])


async def test_a_centre_that_ends_the_call_is_obeyed() -> None:
    async with called(Pace(timed_min=1, hourly=False)) as (station, centre):
        centre.ends = [frames.EOT]
        await station.minute(NOON + MINUTE)
        assert (station.answered, station.connected) == ([(frames.TIMED, 1)], False)
        await station.minute(NOON + 2 * MINUTE)
        assert station.unanswered == [(frames.TIMED, 2)]
        assert NOON + 2 * MINUTE in station.history


def query(begin: str, end: str, step: str, element: str) -> bytes:
    return bytes.fromhex("0000" + "240718130000" + begin + end + "0418" + step + element)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            query("24071812", "24071812", "000005", "3923"),
            "f0f02407181200" + "0418000005" + "3923" + "00010000",
        ),
        (
            query("24071811", "24071813", "000100", "3923"),
            "f0f02407181100" + "0418000100" + "3923" + "ffffffff" + "00010000" + "00010600",
        ),
        (
            query("24071812", "24071813", "000000", "F460"),
            "f0f02407181205" + "0418000000" + "f460" + "0a" * 12,
        ),
    ],
)
async def test_the_past_can_be_asked_for(body: bytes, expected: str) -> None:
    async with called(QUIET) as (station, centre):
        for minute in range(61):
            await station.minute(NOON + minute * MINUTE)
            await centre.hear()
        centre.send(frames.QUERY_PERIOD, body, frames.ENQ)
        answer = await centre.hear()
        assert (answer[10], answer[30:-3].hex()) == (frames.QUERY_PERIOD, expected)
        assert [down.function for down in station.asked] == [frames.QUERY_PERIOD]


async def test_the_present_can_be_asked_for() -> None:
    async with called(QUIET) as (station, centre):
        await station.minute(NOON)
        await centre.hear()
        centre.send(frames.QUERY_NOW, query("", "", "", "")[:8], frames.ENQ)
        assert (await centre.hear())[
            30:-3
        ].hex() == "f0f02407181200" + "2019000040261900100039230001000038121250"


async def test_what_is_spoilt_or_not_understood_is_not_answered() -> None:
    async with called(QUIET) as (station, centre):
        await station.minute(NOON)
        await centre.hear()
        centre.send(frames.QUERY_NOW, bytes(8), frames.ENQ, spoil=1)
        centre.send(frames.QUERY_PERIOD, bytes(9), frames.ENQ)
        centre.send(frames.QUERY_PERIOD, query("24071812", "24071813", "000005", "7623"), frames.ENQ)
        centre.send(0x49, bytes(8), frames.ENQ)
        centre.send(frames.QUERY_NOW, bytes(8), frames.ENQ)
        assert (await centre.hear())[10] == frames.QUERY_NOW
        assert len(station.asked) == 1
