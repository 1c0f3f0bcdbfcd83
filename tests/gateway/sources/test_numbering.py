"""Numbers by time: whatever the order, a moment has one number, and what is missing can be told by its time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.sources.numbering import BOOT, LATE_BOOT, MOST_RUNS, Numbering

MINUTE_MS = 60_000
START_MS = 1_790_000_000_000


def at(minute: float) -> int:
    return START_MS + round(minute * MINUTE_MS)


def test_what_comes_on_time_is_numbered_without_gaps() -> None:
    numbering = Numbering(MINUTE_MS)
    assert [numbering.take(at(minute)) for minute in range(4)] == [(BOOT, number) for number in range(4)]


def test_a_minute_left_out_leaves_a_number_free_and_the_reading_gets_it_when_it_comes_late() -> None:
    numbering = Numbering(MINUTE_MS)
    assert [numbering.take(at(minute))[1] for minute in (0, 1, 4)] == [0, 1, 4]
    assert numbering.times(2, 4) == [(at(1) + 1, at(4))]
    assert numbering.take(at(3)) == (BOOT, 3)
    assert numbering.take(at(2)) == (BOOT, 2)
    assert str(numbering) == f"0;0,{START_MS},{MINUTE_MS},5"


def test_a_reading_that_comes_twice_has_one_number_also_after_a_restart() -> None:
    numbering = Numbering(MINUTE_MS)
    for minute in (0, 1, 2, 5.1, 6):
        numbering.take(at(minute))
    again = Numbering(MINUTE_MS, str(numbering))
    assert [again.take(at(minute))[1] for minute in (1, 5.1, 6, 0)] == [1, 5, 6, 0]
    assert again.next_seq == 7


def test_a_device_that_reports_when_it_likes_has_no_gaps() -> None:
    numbering = Numbering(0)
    assert [numbering.take(at(minute))[1] for minute in (0, 7, 7.5, 90)] == [0, 1, 2, 3]


def test_what_lies_before_all_that_is_known_is_numbered_apart() -> None:
    numbering = Numbering(MINUTE_MS)
    numbering.take(at(10))
    assert [numbering.take(at(minute)) for minute in (3, 4)] == [(LATE_BOOT, 0), (LATE_BOOT, 1)]


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=40, unique=True).flatmap(st.permutations),
    st.floats(-0.2, 0.2),
)
def test_in_whatever_order_minutes_come_each_has_its_own_number(minutes: list[int], shift: float) -> None:
    numbering = Numbering(MINUTE_MS)
    numbering.take(at(0))
    numbering.take(at(41))
    numbers = {minute: numbering.take(at(minute + shift)) for minute in minutes}
    assert numbers == {minute: (BOOT, minute) for minute in minutes}
    assert [numbering.take(at(minute + shift)) for minute in minutes] == list(numbers.values())


@given(st.lists(st.integers(0, 3 * 10**7), max_size=300))
def test_no_two_moments_share_a_number_and_the_memory_stays_small(times_ms: list[int]) -> None:
    numbering = Numbering(MINUTE_MS)
    newest = [numbering.take(START_MS + t_ms) for t_ms in sorted(set(times_ms))]
    assert len(set(newest)) == len(newest)
    numbers = [numbering.take(START_MS + t_ms) for t_ms in times_ms]
    late = [number for number in numbers if number[0] == LATE_BOOT]
    assert len(set(late)) == len(late)
    assert len(str(numbering).split(";")) <= MOST_RUNS + 1
