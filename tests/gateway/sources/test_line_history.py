"""Meters on a line that are asked for their own record of what was missed: a real ledger, skipped hours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from skipping import run_skipping
from wire import Wire

from edge.adapters import adapter
from edge.adapters.dlt645.poller import Dlt645Options
from edge.protocol.topics import Leaf, parse_topic
from edge.protocol.wire import decode_birth, decode_pack
from gateway.acknowledge import Acknowledger
from gateway.arrival import Arrival, Inbox
from gateway.ledger import Ledger, Stream
from gateway.sources import line as line_module
from gateway.sources.config import Device, SourceConfig
from gateway.sources.desk import Desk
from gateway.sources.line import Line
from gateway.sources.numbering import BOOT
from simulators.stations import dlt645
from simulators.stations.dlt645 import Hour, Meter

BEGIN = datetime(2026, 11, 22, 8, 20, tzinfo=UTC)
HOUR_S = 3600.0
NOW = 50_000_000
"""What a meter tells of this moment, as it is sent: in tenths of Wh."""
PAST = range(0x05040000, 0x06000002)  # freezes, and load records, which none of these meters has


def at(loop_s: float) -> datetime:
    return BEGIN + timedelta(seconds=loop_s)


class Frozen(Sequence[Hour]):
    """What a meter has frozen by now: at 9 o'clock 9 kWh, at 10 o'clock 10 kWh; in Shanghai's time."""

    def __len__(self) -> int:
        return 254

    def __getitem__(self, index: Any) -> Any:
        hour = at(asyncio.get_running_loop().time()).replace(minute=0) - timedelta(hours=index)
        local = hour + timedelta(hours=8)
        return Hour(
            local.strftime("%y%m%d%H%M"), (hour - BEGIN.replace(hour=0, minute=0)).total_seconds() / HOUR_S
        )


def meter(number: int, **more: Any) -> Meter:
    found = Meter(address=f"{number:012d}", readings={dlt645.ENERGY: 5000.0}, preamble=0, keeps=254, **more)
    found.hours = Frozen()
    return found


@dataclass
class Bus(Wire):
    """A line of simulated meters; answers take 50 ms."""

    meters: dlt645.Line
    asked: list[tuple[float, int, int]] = field(default_factory=list)

    async def open(self, _: SourceConfig) -> Bus:
        return self

    async def write(self, data: bytes) -> None:
        loop, bare = asyncio.get_running_loop(), data.lstrip(b"\xfe")
        identifier = int.from_bytes(bytes(byte - 0x33 & 0xFF for byte in bare[10:14]), "little")
        self.asked.append((loop.time(), int(bare[6:0:-1].hex()), identifier))
        for answer in self.meters.feed(data):
            loop.call_later(0.05, self.say, answer.data)


class Books:
    """What a gateway does with arrivals, without a disk: it claims, acknowledges, and asks for gaps again."""

    def __init__(self, inbox: Inbox, desk: Desk, before: Books | None) -> None:
        self.ledger = before.ledger if before else Ledger()
        self.rows: dict[str, list[tuple[datetime, Any]]] = before.rows if before else {}
        self.states: dict[str, bytes] = before.states if before else {}
        self._inbox, self._desk = inbox, desk
        self._acknowledger = Acknowledger(self.ledger, asyncio.get_running_loop().time)

    def send(self, topic: str, payload: bytes) -> None:
        self._desk.acknowledged(parse_topic(topic)[0], payload)

    def settle(self, arrivals: list[Arrival]) -> None:
        pass

    async def keep(self) -> None:
        while True:
            heard = set()
            for arrival in await self._inbox.take(1_000) if len(self._inbox) else []:
                node, leaf = parse_topic(arrival.topic)
                heard.add((node, self._book(node, leaf, arrival)))
            self._acknowledger.acknowledge(sorted(heard | set(self._acknowledger.gaps())), self)
            await asyncio.sleep(1)

    def _book(self, node: str, leaf: Leaf, arrival: Arrival) -> int:
        if arrival.foreign is not None and arrival.foreign.state:
            self.states[node] = arrival.foreign.state
        if leaf is Leaf.BIRTH:
            birth = decode_birth(arrival.payload)
            self.ledger.announce(node, birth.boot, birth.next_seq, birth.oldest)
            return birth.boot
        pack = decode_pack(arrival.payload)
        if self.ledger.claim(node, pack.boot, pack.seq0, 1):
            moment = datetime.fromtimestamp(pack.t0_ms / 1000, UTC)
            self.rows.setdefault(node, []).append((moment, pack.rows[0][1]))
        return pack.boot

    def stream(self, number: int, boot: int = BOOT) -> Stream:
        return self.ledger.streams[f"meter-{number}", boot]

    def hours(self, number: int) -> list[tuple[str, float]]:
        """What was filled in: the time, kWh."""
        rows = sorted(self.rows[f"meter-{number}"])
        return [(f"{moment:%d %H:%M:%S}", value / 10_000) for moment, value in rows if value != NOW]


def source(meters: list[Meter], period_s: float, **options: Any) -> SourceConfig:
    protocol = adapter("dlt645")
    own = Dlt645Options(items=("00010000",), **options)
    devices = tuple(
        Device(id=each.address, node=f"meter-{int(each.address)}", kind="power_meter", series="", options=own,
               period_s=period_s, words=protocol.words, own={})
        for each in meters
    )  # fmt: skip
    return SourceConfig(
        name="line", protocol="dlt645", adapter=protocol, transport="serial", address="/dev/x", devices=devices
    )


def lived(
    monkeypatch: pytest.MonkeyPatch,
    meters: list[Meter],
    *lives: tuple[float, float],
    period_s: float = HOUR_S,
    dead: tuple[float, float] = (0, 0),
    **options: Any,
) -> tuple[Bus, Line, Books]:
    """Let a line be asked in the lives of a gateway: hours from .. to. The first meter is dead meanwhile."""

    async def live(before: Books | None, until_s: float) -> tuple[Line, Books]:
        loop = asyncio.get_running_loop()
        table = source(meters, period_s, **options)
        inbox, line = Inbox(10_000, now=lambda: at(loop.time()).timestamp()), Line(table)
        desk = Desk(table, inbox, before.states if before else {}, line.ask, line.obey, line.forgetful)
        line.sit(desk)
        books = Books(inbox, desk, before)
        tasks = [asyncio.create_task(line.run()), asyncio.create_task(books.keep())]
        await asyncio.wait(tasks, timeout=until_s - loop.time())
        for task in tasks:
            assert not task.done(), task.exception()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return line, books

    async def main() -> tuple[Bus, Line, Books]:
        bus, books = Bus(dlt645.Line(meters)), None
        monkeypatch.setattr(line_module, "open_pipe", bus.open)
        loop = asyncio.get_running_loop()
        for hour, is_dead in zip(dead, (any(dead), False), strict=True):
            loop.call_later(hour * HOUR_S, setattr, meters[0], "dead", is_dead)
        for begin, end in lives:
            await asyncio.sleep(begin * HOUR_S - loop.time())
            line, books = await live(books, end * HOUR_S)
        assert books is not None
        return bus, line, books

    return run_skipping(main())


def asked_back(bus: Bus, number: int) -> list[int]:
    return [di for _, meter, di in bus.asked if meter == number and di in PAST]


def test_the_hours_that_a_meter_was_silent_are_filled_from_its_own_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bus, _, books = lived(monkeypatch, [meter(1), meter(2)], (0, 8), dead=(0.5, 3.7))
    assert books.hours(1) == [("22 09:00:00", 9.0), ("22 10:00:00", 10.0), ("22 11:00:00", 11.0)]
    stream = books.stream(1)
    assert (stream.awaited(), stream.missing()) == ([], 0) and stream.seen.edges == [0, stream.top]
    assert len(asked_back(bus, 1)) == 7 and asked_back(bus, 2) == []


@pytest.mark.parametrize("second_life_s", [2, 3.5, 30])
def test_hours_that_pass_while_the_gateway_is_away_are_filled_though_it_starts_twice(
    monkeypatch: pytest.MonkeyPatch, second_life_s: float
) -> None:
    lives = (0, 0.01), (4, 4 + second_life_s / HOUR_S), (5, 5.1)
    _, _, books = lived(monkeypatch, [meter(1)], *lives)
    assert [time for time, _ in books.hours(1)] == ["22 09:00:00", "22 10:00:00", "22 11:00:00"]
    assert (books.stream(1).awaited(), books.stream(1).missing()) == ([], 0)


def test_of_minutes_the_full_hours_come_back_and_the_rest_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    bus, _, books = lived(monkeypatch, [meter(1)], (0, 8), period_s=60, dead=(1, 4))
    assert [time for time, _ in books.hours(1)] == ["22 10:00:00", "22 11:00:00", "22 12:00:00"]
    stream = books.stream(1)
    gap = stream.top - stream.seen.count(0, stream.top)
    assert stream.awaited() == [] and stream.missing() == gap and 175 < gap < 200
    assert len(asked_back(bus, 1)) < 10


def test_what_a_meter_does_not_have_is_missing_soon_and_it_is_asked_no_second_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lacking = meter(1)
    lacking.keeps = 0
    bus, _, books = lived(monkeypatch, [lacking], (0, 4), (8, 12), (20, 24), dead=(0.5, 2), period_s=900)
    assert asked_back(bus, 1) == 3 * [0x0504FF01, 0x05040001]  # in each life
    assert books.stream(1).awaited() == [] and books.stream(1).missing() > 10 and books.hours(1) == []


def test_a_meter_whose_history_is_off_is_asked_nothing_of_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    bus, line, books = lived(monkeypatch, [meter(1)], (0, 8), dead=(0.5, 3.7), history=False)
    assert asked_back(bus, 1) == [] and line.forgetful == ["meter-1"]
    assert books.stream(1).awaited() == [] and books.stream(1).missing() == 3


def test_on_a_line_without_idle_time_the_past_comes_bit_by_bit_and_costs_nobody_a_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    never_idle = {"period_s": 60, "timeout_s": 31.0}  # an answer might take longer than a period
    bus, line, books = lived(monkeypatch, [meter(1), meter(2)], (0, 1), (11, 12), **never_idle)
    for number in (1, 2):
        assert len(books.hours(number)) == 10 and books.stream(number).awaited() == []
        assert sum(asked == number and di not in PAST for _, asked, di in bus.asked) == 120
    for begins_s, ends_s in pairwise(at_s for at_s, _, di in bus.asked if di not in PAST):
        assert sum(begins_s < at_s < ends_s for at_s, _, di in bus.asked if di in PAST) <= 2
    assert line.late == 0
