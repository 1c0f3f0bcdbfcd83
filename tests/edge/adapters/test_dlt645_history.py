"""What a meter froze on full hours: its bytes, the search for an hour, and what is asked of which meter.

The meter is the simulated one, which shares no code with the adapter.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.adapters.adapter import Case, Memory
from edge.adapters.dlt645.decode import decode
from edge.adapters.dlt645.hours import HOUR_MS, fitting
from edge.adapters.dlt645.poller import Dlt645Options, Dlt645Poller
from edge.adapters.frame import FrameError, Refusal
from edge.adapters.report import Value
from edge.model.errors import ConfigError
from simulators.stations import dlt645
from simulators.stations.dlt645 import Hour, Meter

ADDRESS = "000000000161"
NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)  # in Shanghai
MINUTE_MS = 60_000
EVER_S = 1e9
RECORDS = 0x06000001


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def hour(ago: float, forward: float | None = None) -> Hour:
    """The freeze of so many hours before noon; its energy says how many."""
    local = NOON + timedelta(hours=8 - ago)
    return Hour(local.strftime("%y%m%d%H%M"), 1000.0 - ago if forward is None else forward, 5.0)


def hours(agos: Iterable[float]) -> list[Hour]:
    return [hour(ago) for ago in agos]


def meter(agos: Iterable[float] = range(254), keeps: int = 254, **more: Any) -> Meter:
    return Meter(address=ADDRESS, hours=hours(agos), keeps=keeps, preamble=0, **more)


def memory(**options: Any) -> Memory:
    found = Dlt645Poller(ADDRESS, Dlt645Options(**options)).memory
    assert found is not None
    return found


def ask(remembers: Memory, of: Meter, now_ms: int) -> list[int] | None:
    """Ask what is to be asked now; return the identifiers, None when nothing is."""
    line, asked = dlt645.Line([of]), []
    exchanges = remembers.recall(now_ms, EVER_S)
    for exchange in exchanges:
        data = decode(Case(raw=exchange.request))
        assert data["control"] == "11"
        asked.append(int(data["di"], 16))
        try:
            said = exchange.read(b"".join(answer.data for answer in line.feed(exchange.request)))
        except Refusal:
            continue
        if said is None:
            remembers.missed()
            break
    return asked if exchanges else None


def recalled(
    remembers: Memory, of: Meter, first_ms: int, end_ms: int, *, every_ms: int = HOUR_MS, now_ms: int = ms(NOON)
) -> tuple[dict[float, tuple[Value, ...]], list[int]]:
    """Want a span, ask until there is nothing to be asked: values by hours before noon, identifiers asked."""
    asked: list[int] = []
    remembers.want(first_ms, end_ms, every_ms, now_ms)
    found: dict[float, tuple[Value, ...]] = {}
    while (dis := ask(remembers, of, now_ms)) is not None:
        asked += dis
        assert len(asked) < 700
        found |= {(ms(NOON) - time_ms) / HOUR_MS: values for time_ms, values in remembers.recalled()}
    assert not remembers.want(first_ms, end_ms, every_ms, now_ms)
    return found, asked


def span(oldest: float, newest: float) -> tuple[int, int]:
    """A gap whose readings were due from so many to so many hours before noon, every hour."""
    return ms(NOON - timedelta(hours=oldest + 1)) + 1, ms(NOON - timedelta(hours=newest - 1))


def energies(agos: Iterable[float]) -> dict[float, tuple[Value, ...]]:
    return {ago: (Value("00010000", 1000.0 - ago),) for ago in agos}


def test_the_hours_of_a_gap_are_asked_for_one_by_one_and_found() -> None:
    found, asked = recalled(memory(), meter(), *span(5, 3))
    assert found == energies((5, 4, 3))
    assert asked == [0x0504FF01, *3 * [RECORDS], 0x0504FF06, 0x0504FF05, 0x0504FF04]


def test_reverse_energy_is_told_where_the_meter_is_asked_for_it() -> None:
    found, _ = recalled(memory(items=("00010000", "00020000")), meter(), *span(3, 3))
    assert found == {3: (Value("00010000", 997.0), Value("00020000", 5.0))}


def test_a_meter_without_the_block_is_asked_for_its_parts_and_the_time_once_more() -> None:
    found, asked = recalled(memory(), meter(in_blocks=False), *span(4, 3))
    assert found == energies((4, 3))
    twice = [[0x05040000 + ago, 0x05040100 + ago, 0x05040000 + ago] for ago in (5, 4)]
    assert asked == [0x0504FF01, 0x05040001, RECORDS, RECORDS, *twice[0], *twice[1]]


@pytest.mark.parametrize("in_blocks", [True, False])
def test_an_hour_that_ends_while_its_meter_is_asked_spoils_no_value(in_blocks: bool) -> None:
    """All that a meter is asked for, an hour ends after each question in turn."""
    for ends_after in range(12):
        of, remembers = meter(in_blocks=in_blocks), memory()
        remembers.want(*span(5, 3), HOUR_MS, ms(NOON))
        found: dict[float, tuple[Value, ...]] = {}
        line, questions = dlt645.Line([of]), 0
        while exchanges := remembers.recall(ms(NOON), EVER_S):
            for exchange in exchanges:
                if questions == ends_after:
                    of.hours = hours(range(-1, 253))
                said = b"".join(answer.data for answer in line.feed(exchange.request))
                questions += 1
                try:
                    exchange.read(said)
                except Refusal:
                    continue
            found |= {(ms(NOON) - at_ms) / HOUR_MS: values for at_ms, values in remembers.recalled()}
            if questions > ends_after + 1:  # our clock says so too
                remembers.want(*span(5, 3), HOUR_MS, ms(NOON))
        assert {ago: found[ago] for ago in found} == energies(found)
        assert questions < 40


def test_hours_without_power_are_looked_for_between_their_neighbours_and_given_up() -> None:
    lit = [*range(20), *range(43, 150)]
    found, asked = recalled(memory(), meter(lit, keeps=96), *span(100, 15))
    assert found == energies([*range(15, 20), *range(43, 96 + 23)][: 5 + 58])
    assert set(found) == {ago for ago in lit if 15 <= ago <= 100}
    assert len(asked) < 90


def test_what_lies_further_back_than_the_meter_keeps_is_given_up_after_a_few_questions() -> None:
    found, asked = recalled(memory(), meter(keeps=96), *span(200, 94))
    assert set(found) == {94, 95} and len(asked) < 15


def test_a_freeze_that_was_never_made_is_none() -> None:
    found, asked = recalled(memory(), meter(range(10)), *span(30, 8))
    assert set(found) == {8, 9} and len(asked) < 15
    assert recalled(memory(), meter(()), *span(3, 3))[1] == [0x0504FF01]


def test_meters_that_freeze_every_half_hour_have_their_full_hours_found() -> None:
    found, asked = recalled(memory(), meter([half / 2 for half in range(96)], keeps=96), *span(20, 10))
    assert found == energies(range(10, 21)) and len(asked) < 25


def test_a_meter_without_freezes_is_not_asked_again() -> None:
    remembers, of = memory(), meter(keeps=0)
    assert recalled(remembers, of, *span(3, 2)) == ({}, [0x0504FF01, 0x05040001])
    assert recalled(remembers, of, *span(9, 2)) == ({}, [])


def test_a_meter_that_keeps_silent_about_its_past_is_asked_three_times_for_a_gap() -> None:
    remembers, of = memory(), meter(dead=True)
    assert recalled(remembers, of, *span(3, 2)) == ({}, [0x0504FF01] * 3)
    assert recalled(remembers, of, *span(3, 2)) == ({}, [])


def test_a_refusal_of_another_kind_is_no_reason_to_go_on_for_ever() -> None:
    remembers = memory()
    assert remembers.want(*span(3, 2), HOUR_MS, ms(NOON))
    asked = 0
    while exchanges := remembers.recall(ms(NOON), EVER_S):
        with pytest.raises(Refusal, match="no right"):
            exchanges[0].read(dlt645.frame(ADDRESS, 0xD1, b"\x04"))
        asked += 1
    assert asked == 3


@pytest.mark.parametrize("ahead", [2.0, -2.0, -30.0])
def test_a_meter_whose_clock_is_wrong_is_not_believed(ahead: float) -> None:
    """Its newest freeze is in the future, or older than an hour. It is asked again later, then given up."""
    remembers, of = memory(), meter([ago - ahead for ago in range(254)])
    remembers.want(*span(5, 3), HOUR_MS, ms(NOON))
    asked, now_ms = 0, ms(NOON)
    for _ in range(400):
        now_ms += MINUTE_MS
        of.hours = hours([ago - ahead - (now_ms - ms(NOON)) // HOUR_MS for ago in range(254)])
        asked += ask(remembers, of, now_ms) is not None
    assert asked == 3 and list(remembers.recalled()) == []
    assert not remembers.want(*span(5, 3), HOUR_MS, now_ms)


def test_what_was_frozen_far_from_a_full_hour_takes_no_place() -> None:
    found, asked = recalled(memory(), meter([ago + 0.2 for ago in range(254)]), *span(5, 3))
    assert found == {} and len(asked) < 10
    near, _ = recalled(memory(), meter([ago - 0.05 for ago in range(254)]), *span(5, 5))
    assert [round(ago, 2) for ago in near] == [4.95]


def test_a_meter_that_had_no_power_until_now_is_asked_again_when_its_next_hour_is_over() -> None:
    remembers, now_ms = memory(), ms(NOON) + 10 * MINUTE_MS
    remembers.want(*span(5, 3), HOUR_MS, now_ms)
    assert ask(remembers, meter(range(3, 100)), now_ms) == [0x0504FF01]
    assert ask(remembers, meter(range(3, 100)), now_ms) is None and remembers.want(*span(5, 3), HOUR_MS, now_ms)
    later_ms = now_ms + HOUR_MS
    found, _ = recalled(remembers, meter([-1, *range(3, 100)]), *span(5, 3), now_ms=later_ms)
    assert found == energies((3, 4, 5))


def test_a_time_that_is_none_is_no_answer() -> None:
    remembers = memory()
    remembers.want(*span(3, 3), HOUR_MS, ms(NOON))
    (exchange,) = remembers.recall(ms(NOON), EVER_S)
    of = Meter(address=ADDRESS, hours=[Hour("2613322500", 1.0)], keeps=1)
    with pytest.raises(FrameError, match="time"):
        exchange.read(dlt645.Line([of]).feed(exchange.request)[0].data)


def test_questions_that_may_take_longer_than_there_is_time_are_not_asked() -> None:
    remembers = memory(timeout_s=1.5)
    remembers.want(*span(3, 3), HOUR_MS, ms(NOON))
    assert remembers.recall(ms(NOON), 1.4) == [] and len(remembers.recall(ms(NOON), 1.6)) == 1


def energy_of(values: tuple[Value, ...]) -> float | None:
    return next(value.number for value in values if value.key == "00010000")


def loads(agos: Iterable[float], values: dict[int, float]) -> dict[str, dict[int, float]]:
    return {hour(ago).time: values | {dlt645.ENERGY: 1000.0 - ago} for ago in agos}


def test_a_load_record_fills_an_hour_with_all_that_the_meter_is_asked_for() -> None:
    told = loads(
        range(90), {dlt645.VOLTAGE_A: 230.5, dlt645.POWER: -0.25, 0x02030100: -0.25, dlt645.FREQUENCY: 50.03}
    )
    found, asked = recalled(memory(), meter(loads=told), *span(5, 0))
    assert {ago: energy_of(values) for ago, values in found.items()} == {ago: 1000.0 - ago for ago in range(6)}
    row = {"02010100": 230.5, "02020100": 0.0, "02800002": 50.03, "02030000": -0.25, "00010000": 997.0}
    assert {value.key: value.number for value in found[3]} == row
    assert asked == [0x0504FF01, *6 * [RECORDS]]


def test_what_is_asked_for_a_record_is_one_of_that_minute() -> None:
    remembers = memory()
    remembers.want(*span(3, 3), HOUR_MS, ms(NOON))
    assert ask(remembers, meter(), ms(NOON)) == [0x0504FF01]
    (exchange,) = remembers.recall(ms(NOON), EVER_S)
    assert decode(Case(raw=exchange.request))["data_hex"] == "01000006" + "01" + "0009221126"


def test_hours_that_no_record_tells_come_from_their_freezes() -> None:
    told = loads([5, 3], {dlt645.VOLTAGE_A: 230.5})
    found, _ = recalled(memory(items=("00010000", "02010100")), meter(loads=told), *span(5, 3))
    assert [sorted(value.key for value in found[ago]) for ago in (5, 4, 3)] == [
        ["00010000", "02010100"], ["00010000"], ["00010000", "02010100"],
    ]  # fmt: skip


def test_a_record_without_energies_is_completed_by_the_freeze_of_its_hour() -> None:
    told = {hour(ago).time: {dlt645.VOLTAGE_A: 230.0 + ago} for ago in range(9)}
    found, _ = recalled(memory(items=("00010000", "02010100")), meter(loads=told), *span(5, 3))
    assert found == {
        ago: (Value("02010100", 230.0 + ago), Value("00010000", 1000.0 - ago)) for ago in (5, 4, 3)
    }


def test_a_meter_without_load_records_is_asked_for_three_and_in_the_next_gap_for_none() -> None:
    remembers, of = memory(), meter()
    assert recalled(remembers, of, *span(20, 12))[1].count(RECORDS) == 3
    found, asked = recalled(remembers, of, *span(9, 2))
    assert found == energies(range(2, 10)) and RECORDS not in asked


def test_a_meter_that_keeps_silent_about_records_is_asked_for_three_and_then_for_freezes() -> None:
    class Shy(Meter):
        def answer(self, control: int, data: bytes) -> bytes:
            return b"" if data[3:4] == b"\x06" else super().answer(control, data)

    found, asked = recalled(memory(), Shy(address=ADDRESS, hours=hours(range(99)), keeps=96), *span(9, 2))
    assert found == energies(range(2, 10)) and asked.count(RECORDS) == 3


@pytest.mark.parametrize("options", [{"history": False}, {"items": ("02030000", "00000000")}])
def test_who_is_not_to_be_asked_or_has_no_energy_that_is_frozen_has_no_memory(options: dict[str, Any]) -> None:
    assert Dlt645Poller(ADDRESS, Dlt645Options(**options)).memory is None


def test_the_time_zone_is_that_of_the_meters_clock() -> None:
    with pytest.raises(ConfigError, match="no time zone"):
        Dlt645Options(time_zone="Asia/Yangpu")
    remembers = memory(time_zone="UTC")
    found, _ = recalled(remembers, meter([ago - 8 + 16 for ago in range(90)]), *span(3, 3))
    assert found == {3: (Value("00010000", 1000.0 - 11),)}


@pytest.mark.parametrize(
    ("every_min", "first_min", "readings", "fit"),
    [
        (60, 17, 3, [0, 60, 120]),  # the hours before and after the readings belong to those that came
        (60, 43, 3, [60, 120, 180]),
        (60, 30, 2, [0, 60]),
        (15, 7, 8, [0, 60]),
        (1, 0, 240, [0, 60, 120, 180]),
        (1, 1, 58, []),
        (1440, 100, 2, [120, 1560]),
    ],
)
def test_an_hour_takes_the_place_of_a_reading_that_was_due_near_it(
    every_min: int, first_min: int, readings: int, fit: list[int]
) -> None:
    """Minutes after noon: readings were due every so often from the first on."""
    first_ms = ms(NOON) + (first_min - every_min) * MINUTE_MS + 1
    end_ms = ms(NOON) + (first_min + readings * every_min) * MINUTE_MS
    found = fitting(first_ms, end_ms, every_min * MINUTE_MS, 0)
    assert sorted((each - ms(NOON)) // MINUTE_MS for each in found) == fit


@settings(max_examples=60, deadline=None)
@given(lit=st.sets(st.integers(1, 300), max_size=200), keeps=st.integers(1, 254), wanted=st.integers(1, 120),
       oldest=st.integers(0, 200), in_blocks=st.booleans())  # fmt: skip
def test_whatever_hours_a_meter_has_those_that_it_keeps_are_found_and_no_others(
    lit: set[int], keeps: int, wanted: int, oldest: int, in_blocks: bool
) -> None:
    agos = [0, *sorted(lit)]
    first, last = oldest + wanted, oldest + 1
    found, _ = recalled(memory(), meter(agos, keeps, in_blocks=in_blocks), *span(first, last))
    assert found == energies(ago for ago in agos[:keeps] if last <= ago <= first)
