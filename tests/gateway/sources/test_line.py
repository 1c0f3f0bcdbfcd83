"""A line of devices that are asked, with dead, late, refusing and noisy ones among them; its hours are skipped.

The devices speak a protocol made for this: `?ID N` asks, `=ID N VALUE` answers, `!ID N` refuses; a line each.
Some answer `=ID ? VALUE`, which does not tell to what. An answer that begins with # was damaged on its way.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from skipping import run_skipping
from wire import Wire

from edge.adapters.adapter import Adapter, Exchange, NoOptions
from edge.adapters.frame import FrameError, Refusal
from edge.adapters.report import Value, Word
from edge.protocol.wire import decode_pack
from gateway.arrival import Arrival, Inbox
from gateway.sources import line as line_module
from gateway.sources.config import Device, SourceConfig
from gateway.sources.desk import Desk
from gateway.sources.line import Line

TIMEOUT_S = 0.5
WORDS = {"a": Word("level_m"), "b": Word("water_temperature_c")}
Answer = Callable[[str, str, int], list[tuple[float, str]]]
"""What a device does with a question (its id, key, how often it was asked): texts, each after some seconds."""


class Asker:
    """The poller of the protocol: a device has two values, each asked for by itself."""

    def __init__(self, device: str, _options: Any) -> None:
        self._device = device
        self._number = 0

    def exchanges(self) -> Sequence[Exchange]:
        return [self._exchange(key) for key in ("a", "b")]

    def _exchange(self, key: str) -> Exchange:
        self._number += 1
        head = f"{self._device} {key}{self._number}"
        return Exchange(request=f"?{head}\n".encode(), read=partial(_read, head, key), timeout_s=TIMEOUT_S)


def _read(head: str, key: str, came: bytes) -> tuple[Value, ...] | None:
    *lines, _ = came.decode().split("\n")
    for said in lines:
        if said[0] == "#":
            raise FrameError("checksum", said)
        if said[0] not in "=!?":
            raise FrameError("format", said)
        if said.startswith(f"!{head} "):
            raise Refusal("refused", "no")
        if said.startswith((f"={head} ", f"={head.split()[0]} ? ")):
            return (Value(key, float(said.split()[2])),)
    return None


def good(device: str, question: str, _times: int) -> list[tuple[float, str]]:
    return [(0.03, f"={device} {question} {int(device)}\n")]


def dead(_device: str, _question: str, _times: int) -> list[tuple[float, str]]:
    return []


@dataclass
class Bus(Wire):
    """The far end of a line: questions to devices, answers back when they are due."""

    devices: dict[str, Answer]
    asked: list[tuple[float, str, str]] = field(default_factory=list)
    opened: int = 0
    broken: bool = False
    _times: Counter[str] = field(default_factory=Counter)

    async def open(self, _: SourceConfig) -> Bus:
        self.opened += 1
        if self.broken:
            raise OSError("no such port")
        return self

    async def write(self, data: bytes) -> None:
        if self.broken:
            raise OSError("unplugged")
        loop = asyncio.get_running_loop()
        device, question = data.decode()[1:].split()
        self.asked.append((loop.time(), device, question))
        self._times[device] += 1
        for after_s, text in self.devices[device](device, question, self._times[device]):
            loop.call_later(after_s, self.say, text.encode())


@dataclass
class Watched:
    """What came of some hours on a line."""

    bus: Bus
    line: Line
    desk: Desk
    arrivals: list[Arrival]

    def readings(self, device: str) -> list[tuple[float, list[Any]]]:
        """The readings of a device: when it was asked (s), its values as sent, by column."""
        packs = [decode_pack(each.payload) for each in self.arrivals
                 if each.topic.endswith("/data") and f"/node-{device}/" in each.topic]  # fmt: skip
        return [(pack.t0_ms / 1000, pack.rows[0][1:]) for pack in packs]

    def questions(self, device: str) -> list[float]:
        return [at_s for at_s, ident, _ in self.bus.asked if ident == device]


def watched(
    monkeypatch: pytest.MonkeyPatch,
    devices: dict[str, Answer],
    for_s: float,
    *,
    period_s: float = 60.0,
    meanwhile: Callable[[Bus, Line], Coroutine[Any, Any, None]] | None = None,
) -> Watched:
    """Let a line be asked for some time."""

    async def main() -> Watched:
        bus = Bus(devices)
        monkeypatch.setattr(line_module, "open_pipe", bus.open)
        adapter = Adapter(decoder=lambda: lambda _: {}, words=WORDS, poller=Asker)
        tables = tuple(
            Device(id=name, node=f"node-{name}", kind="water_level", series="", period_s=period_s, words=WORDS,
                   own={}, options=NoOptions())
            for name in devices
        )  # fmt: skip
        source = SourceConfig(
            name="line", protocol="toy", adapter=adapter, transport="serial", address="/dev/x", devices=tables
        )
        inbox = Inbox(10_000_000, now=asyncio.get_running_loop().time)
        desk, line = Desk(source, inbox, {}), Line(source)
        line.sit(desk)
        tasks = [asyncio.create_task(line.run())]
        if meanwhile is not None:
            tasks.append(asyncio.create_task(meanwhile(bus, line)))
        await asyncio.wait(tasks, timeout=for_s)
        for task in tasks:
            assert not task.done() or task.exception() is None
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        arrivals = await inbox.take(10_000_000) if len(inbox) else []
        return Watched(bus, line, desk, arrivals)

    return run_skipping(main())


def test_three_dead_devices_cost_the_others_on_their_line_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = {str(each): dead if each in (4, 11, 12) else good for each in range(1, 31)}
    hour = watched(monkeypatch, devices, 3600, period_s=60)
    for name, answer in devices.items():
        if answer is good:
            times = [at_s for at_s, _ in hour.readings(name)]
            assert len(times) == 60
            assert all(45 < later - before < 75 for before, later in pairwise(times))
            assert {tuple(values) for _, values in hour.readings(name)[1:]} == {
                (int(name) * 1000, int(name) * 100)
            }
        else:
            assert len(hour.questions(name)) < 20
    assert hour.line.late == 0
    assert hour.line.silent == ["node-4", "node-11", "node-12"]


def test_a_device_that_comes_back_is_noticed_within_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(device: str, question: str, times: int) -> list[tuple[float, str]]:
        hour_is_over = asyncio.get_running_loop().time() > 3600
        return good(device, question, times) if hour_is_over else []

    hours = watched(monkeypatch, {"1": good, "2": away}, 7200)
    first_s = hours.readings("2")[0][0]
    assert 3600 < first_s <= 4201
    assert hours.line.silent == []
    assert len(hours.readings("2")) >= (7200 - 4201) // 60


def test_an_answer_that_comes_too_late_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(device: str, question: str, times: int) -> list[tuple[float, str]]:
        return [(2.4 * TIMEOUT_S, text) for _, text in good(device, question, times)]

    hour = watched(monkeypatch, {"1": late, "2": good, "3": good}, 3600)
    assert hour.readings("1") == []
    for name in ("2", "3"):
        assert len(hour.readings(name)) == 60
        assert all(values[0] == int(name) * 1000 for _, values in hour.readings(name))


def test_an_answer_that_comes_late_is_not_taken_for_that_to_the_next_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def late(device: str, question: str, times: int) -> list[tuple[float, str]]:
        after_s = (1.2 if times % 3 == 1 else 0.6) * TIMEOUT_S
        return [(after_s, f"={device} ? {1 if question.startswith('a') else 2}\n")]

    hour = watched(monkeypatch, {"1": late}, 3600)
    assert len(hour.readings("1")) == 60
    assert {tuple(values) for _, values in hour.readings("1")} == {(1000, 200)}


def test_a_slow_device_that_was_missed_for_a_while_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(device: str, question: str, times: int) -> list[tuple[float, str]]:
        away = asyncio.get_running_loop().time() < 600
        return [] if away else [(1.6 * TIMEOUT_S, text) for _, text in good(device, question, times)]

    hour = watched(monkeypatch, {"1": slow, "2": good}, 7200)
    assert hour.line.silent == []
    assert len(hour.readings("1")) > 90 and len(hour.readings("2")) == 120


def test_what_a_device_refuses_is_not_asked_twice_and_costs_its_other_values_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def choosy(device: str, question: str, times: int) -> list[tuple[float, str]]:
        refusal = [(0.03, f"!{device} {question} no\n")]
        return refusal if question.startswith("b") else good(device, question, times)

    hour = watched(monkeypatch, {"7": choosy}, 3600)
    assert [values for _, values in hour.readings("7")] == [[7000]] * 60
    assert len(hour.questions("7")) == 120
    assert hour.line.silent == [] and hour.desk.faults == {}


def test_an_adapter_that_echoes_what_it_sends_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def echoing(device: str, question: str, times: int) -> list[tuple[float, str]]:
        return [(0.0, f"?{device} {question}\n"), *good(device, question, times)]

    hour = watched(monkeypatch, {"5": echoing}, 3600)
    assert len(hour.readings("5")) == 60 and hour.desk.faults == {}


def test_rubbish_is_kept_and_the_question_asked_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def noisy(device: str, question: str, times: int) -> list[tuple[float, str]]:
        return [(0.01, "*&%\n")] if times % 2 else good(device, question, times)

    hour = watched(monkeypatch, {"5": noisy}, 3600)
    assert len(hour.readings("5")) == 60
    assert hour.desk.faults == {"format": 120}
    kept = [each for each in hour.arrivals if each.foreign is not None and each.foreign.fault]
    assert {(each.payload, each.foreign.node) for each in kept if each.foreign} == {(b"*&%\n", "node-5")}


def test_an_answer_that_was_damaged_costs_a_line_that_is_full_no_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def damaged(device: str, question: str, times: int) -> list[tuple[float, str]]:
        return [(0.03, f"#{device}\n")] if times % 2 else good(device, question, times)

    devices = {str(each): damaged if each == 5 else good for each in range(1, 10)}
    hour = watched(monkeypatch, devices, 600, period_s=1.2)  # 20 questions of some 50 ms each: a second
    assert hour.line.late == 0
    assert {len(hour.readings(name)) for name in devices} == {500}


def test_half_an_answer_is_kept_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def half(device: str, question: str, _times: int) -> list[tuple[float, str]]:
        return [(0.01, f"={device} {question} 1")]

    hour = watched(monkeypatch, {"5": half}, 120)
    assert hour.readings("5") == []
    assert set(hour.desk.faults) == {"timeout"}


def test_a_line_that_is_unplugged_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    troubles: list[str] = []

    async def unplug(bus: Bus, line: Line) -> None:
        await asyncio.sleep(600)
        bus.broken = True
        await asyncio.sleep(300)
        troubles.append(line.trouble)
        bus.broken = False

    hour = watched(monkeypatch, {"1": good, "2": good}, 3600, meanwhile=unplug)
    assert troubles == ["/dev/x: no such port"] and hour.line.trouble == ""
    assert hour.bus.opened < 20
    for name in ("1", "2"):
        times = [at_s for at_s, _ in hour.readings(name)]
        assert max(later - before for before, later in pairwise(times)) < 300 + 2 * 60 + 60
        assert times[-1] > 3500


def test_a_line_that_is_too_slow_for_its_periods_says_so_and_treats_all_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hour = watched(monkeypatch, {str(each): good for each in range(1, 41)}, 200, period_s=2)
    assert hour.line.late > 0
    counts = [len(hour.readings(str(each))) for each in range(1, 41)]
    assert max(counts) - min(counts) <= 2
