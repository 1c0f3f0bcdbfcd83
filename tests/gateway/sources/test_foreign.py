"""Foreign devices through a real gateway into a real store: numbered, answered, asked again, accounted for.

The devices speak a protocol of a line a reading, made for this: `ID MINUTE VALUE[?]`, where ? says that the
device doubts it. It is answered `ok MINUTE` when it is on disk; `want ID FROM TO` asks for minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import servers
from source_rig import Street

from edge import adapters
from edge.adapters.adapter import Adapter, Clock, Heard
from edge.adapters.frame import FrameError
from edge.adapters.report import Report, Value, Word
from edge.model.quality import Flag
from gateway.sources.tcp import MOST_FAULTS

MINUTE_MS = 60_000
START_MS = round(time.time()) * 1000 // MINUTE_MS * MINUTE_MS - 7_200_000
SOURCE = """
[[source]]
name = "toys"
protocol = "toy"
transport = "tcp-server"
address = "127.0.0.1:0"
[[source.device]]
id = "A"
node = "stage-a"
kind = "water_level"
period_s = 60
[[source.device]]
id = "B"
node = "stage-b"
kind = "water_level"
period_s = 60
words = { level = { quantity = "level_m", factor = 0.001 } }
"""


class ToyTalk:
    """The gateway's side of the protocol."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self._known = known
        self._rest = b""

    def feed(self, data: bytes) -> list[Heard]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [self._heard(line) for line in lines]

    def ask(self, device: str, _series: str, first_ms: int, end_ms: int) -> bytes:
        first, end = ((ms - START_MS + MINUTE_MS - 1) // MINUTE_MS for ms in (first_ms, end_ms))
        return f"want {device} {first} {end}\n".encode()

    def _heard(self, line: bytes) -> Heard:
        try:
            device, minute, value = line.decode().split()
            flag = Flag.FAIL if value.endswith("?") else Flag.NOT_EVALUATED
            number = float(value.rstrip("?"))
            t_ms = START_MS + int(minute) * MINUTE_MS
            report = Report(device=device, time_ms=t_ms, values=(Value("level", number, flag),))
        except ValueError as error:
            return Heard(frame=line, fault=FrameError("format", str(error)))
        return Heard(frame=line, device=device, reports=(report,), answer=f"ok {minute}\n".encode())


def _talk(known: Mapping[str, Any], _now_ms: Clock) -> ToyTalk:
    return ToyTalk(known)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The protocol, among the others."""
    module = ModuleType("toy")
    module.ADAPTER = Adapter(decoder=lambda: lambda _: {}, words={"level": Word("level_m")}, talk=_talk)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy", module)
    monkeypatch.setitem(adapters.PROTOCOLS, "toy", "toy")


@pytest.fixture
def street(tmp_path: Path, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB) -> Street:
    """A gateway with two devices of the protocol."""
    return Street(tmp_path, mosquitto, influxdb, SOURCE)


class Toy:
    """A device: it says what it is told to, and hears what it is asked."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, text: str) -> str:
        """Send a line and return the answer."""
        self._writer.write(text.encode() + b"\n")
        return await self.hear()

    async def hear(self, begin: str = "") -> str:
        """Return the next line that begins so."""
        async with asyncio.timeout(20):
            while True:
                line = (await self._reader.readline()).decode().strip()
                if line.startswith(begin):
                    return line

    def send(self, text: str) -> None:
        """Send a line whose answer is not awaited."""
        self._writer.write(text.encode() + b"\n")


@contextlib.asynccontextmanager
async def toy_on(gateway: Any) -> AsyncIterator[Toy]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.foreign.transports["toys"].port)
    try:
        yield Toy(reader, writer)
    finally:
        writer.close()


async def test_readings_are_answered_when_on_disk_and_stored_under_their_own_time(
    street: Street,
) -> None:
    async with street.gateway() as gateway, toy_on(gateway) as toy:
        for minute in range(3):
            assert await toy.say(f"A {minute} {1.5 + minute / 1000}") == f"ok {minute}"
        assert await toy.say("B 0 2345") == "ok 0"
        account = await street.until("stage-a", lambda counts: counts.stored == 3)
        await street.until("stage-b", lambda counts: counts.stored == 1)

    assert account.balanced and account.missing == 0
    rows = street.rows("water_level", "stage-a")
    assert [row["level_m"] for row in rows] == [1.5, 1.501, 1.502]
    assert [row["time"] // MINUTE_MS for row in rows] == [START_MS // MINUTE_MS + minute for minute in range(3)]
    assert [row["level_m"] for row in street.rows("water_level", "stage-b")] == [2.345]


async def test_what_comes_twice_also_over_a_restart_is_answered_twice_and_stored_once(street: Street) -> None:
    for _ in range(2):
        async with street.gateway() as gateway, toy_on(gateway) as toy:
            for minute in (0, 1, 1):
                assert await toy.say(f"A {minute} 1.5") == f"ok {minute}"
            await street.until("stage-a", lambda counts: counts.stored == 2)
    assert len(street.rows("water_level", "stage-a")) == 2


async def test_a_gap_is_seen_asked_for_and_closed(street: Street) -> None:
    async with street.gateway() as gateway, toy_on(gateway) as toy:
        for minute in (0, 1, 5):
            await toy.say(f"A {minute} 1.5")
        assert await toy.hear("want") == "want A 2 5"
        assert gateway.accounts()[1]["stage-a"].produced == 6
        for minute in (3, 2, 4):
            assert await toy.say(f"A {minute} 1.5") == f"ok {minute}"
        account = await street.until("stage-a", lambda counts: counts.stored == 6)
    assert account.balanced and account.missing == 0
    assert len(street.rows("water_level", "stage-a")) == 6


async def test_what_the_device_doubts_is_stored_as_bad_and_rubbish_is_kept(street: Street) -> None:
    async with street.gateway() as gateway, toy_on(gateway) as toy:
        toy.send("what is this")
        assert await toy.say("A 0 1.5?") == "ok 0"
        assert await toy.say("A 1 1.6") == "ok 1"
        await street.until("stage-a", lambda counts: counts.stored == 2)
        faults = gateway.foreign.status()["toys"]["faults"]
        reasons = [reason for (reason,) in gateway.journal._db.execute("SELECT reason FROM quarantine")]
    rows = street.rows("water_level", "stage-a")
    assert [(row["level_m"], row["level_m_rejected"], row["level_m_qc"]) for row in rows] == [
        (None, 1.5, 4), (1.6, None, None)
    ]  # fmt: skip
    assert faults == {"format": 1} and reasons == ["foreign_format"]


async def test_who_sends_nothing_but_rubbish_is_hung_up_on(street: Street) -> None:
    async with street.gateway() as gateway, toy_on(gateway) as toy:
        toy.send("\n".join(["rubbish"] * (MOST_FAULTS + 20)))
        assert await toy.hear() == ""
        async with toy_on(gateway) as another:
            assert await another.say("A 0 1.5") == "ok 0"
    assert gateway.foreign.status()["toys"]["faults"] == {"format": MOST_FAULTS + 1}
