"""The intake: the compiled and the careful way say the same, and what the checks know of a node survives."""

from __future__ import annotations

from typing import Any

import pytest
from gateway_rig import NOW_MS, registered
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.model.quality import Clock, Flag
from edge.protocol.wire import Birth, Column, Pack
from edge.quality import load_limits
from gateway.intake import Intake, Seen
from gateway.stages.states import QualityStates

COLUMNS = (Column("level_m", 3), Column("battery_v", 2))
DUST = (Column("pm2_5_ug_m3", 1), Column("pm10_ug_m3", 1), Column("energy_wh", 0))
PERIOD_MS = 60_000
BEGIN_MS = NOW_MS - 86_400_000


def intake(
    states: QualityStates | None = None, columns: tuple[Column, ...] = COLUMNS, careful: bool = False
) -> Intake:
    born = Birth(
        node="ys-07", kind="water_level", firmware="1", hardware="test", boot=1, schema=1, columns=columns,
        period_s=60, oldest=(1, 0), next_seq=0, clock=Clock.SYNCED,
    )  # fmt: skip
    made = Intake(registered("ys-07"), born, states)
    if careful:
        made._steady = made._late = lambda rows, at, *rest: at
    return made


def pack(rows: list[list[Any]], seq: int = 0, boot: int = 1, clock: Clock = Clock.SYNCED) -> Pack:
    return Pack(1, boot, seq, BEGIN_MS, clock, rows)


def fields(line: str) -> dict[str, str]:
    return dict(item.split("=") for item in line.split(" ")[1].split(","))


def minutes(*levels: int | None, start: int = 0) -> list[list[int | None]]:
    """Rows of a level in mm, one a minute."""
    return [[(start + i) * PERIOD_MS, level, 371] for i, level in enumerate(levels)]


wild = st.none() | st.integers(-(10**7), 10**7) | st.text(max_size=2) | st.floats()
tame = st.integers(3000, 3010) | st.integers(2000, 4000) | st.sampled_from([-9_999_000, 3000, 9999, 20_000])
times = st.integers(-2, 40).map(lambda n: n * PERIOD_MS // 2) | st.integers(0, 9).map(
    lambda n: n * 4 * PERIOD_MS
)
two = st.tuples(times, tame, st.integers(360, 380) | tame).map(list)
three = st.tuples(times, tame, tame, st.integers(0, 5) | tame).map(list)
anything = st.lists(wild, max_size=4)


@settings(max_examples=150)
@given(st.lists(two | two | two | anything, max_size=30), st.sampled_from(Clock), st.integers(0, 30))
def test_the_compiled_way_and_the_careful_way_say_the_same(
    rows: list[list[Any]], clock: Clock, cut: int
) -> None:
    same(COLUMNS, rows, clock, cut)


@settings(max_examples=80)
@given(st.lists(three, max_size=30), st.integers(0, 30))
def test_so_they_do_where_quantities_are_checked_against_one_another(rows: list[list[Any]], cut: int) -> None:
    same(DUST, rows, Clock.SYNCED, cut)


def test_what_a_reading_says_of_the_one_before_stands_there_though_nonsense_lay_between() -> None:
    rows = [[0, 3000, 360], [0, 3000, 360], [30_000, 3000, 360], [], [60_000, 3000, 3000]]
    same(COLUMNS, rows, Clock.SYNCED, 0)
    same(COLUMNS, rows, Clock.SYNCED, 4)


def same(columns: tuple[Column, ...], rows: list[list[Any]], clock: Clock, cut: int) -> None:
    """Take rows in two packs, quickly and carefully: lines, flags and state must be equal."""
    found = []
    for careful in (False, True):
        states = QualityStates()
        taker, seen = intake(states, columns, careful), []
        told = []
        for part in (pack(rows[:cut]), pack(rows[cut:], seq=cut)):
            part.clock = clock
            told.append(taker.read(part, part.seq0, part.seq0 + len(part.rows), NOW_MS, seen))
        flat = [(t_ms, list(values), list(flags), late) for t_ms, values, flags, late in seen]
        found.append((told, flat, states.dirty()))
    assert found[0] == found[1]


@settings(max_examples=80)
@given(st.lists(two, max_size=20), st.integers(0, 20))
def test_a_restart_between_two_readings_changes_nothing(rows: list[list[Any]], cut: int) -> None:
    states = QualityStates()
    taker = intake(states)
    through = [taker.read(pack(part, seq=seq), seq, seq + len(part), NOW_MS)
               for part, seq in ((rows[:cut], 0), (rows[cut:], len(rows[:cut])))]  # fmt: skip
    first = QualityStates()
    before = intake(first).read(pack(rows[:cut]), 0, len(rows[:cut]), NOW_MS)
    second = QualityStates()
    second.load(first.dirty())
    seq = len(rows[:cut])
    after = intake(second).read(pack(rows[cut:], seq=seq), seq, seq + len(rows[cut:]), NOW_MS)
    assert [before, after] == through


@settings(max_examples=50)
@given(st.lists(two, max_size=10), st.lists(two, max_size=10))
def test_a_batch_whose_commit_failed_is_judged_again_as_if_for_the_first_time(
    kept: list[list[Any]], failed: list[list[Any]]
) -> None:
    states = QualityStates()
    taker = intake(states)
    taker.read(pack(kept), 0, len(kept), NOW_MS)
    states.dirty()
    states.settle()
    part = pack(failed, seq=len(kept))
    once = taker.read(part, part.seq0, part.seq0 + len(failed), NOW_MS)
    states.dirty()
    states.rollback()
    assert taker.read(part, part.seq0, part.seq0 + len(failed), NOW_MS) == once


def test_a_spike_within_a_pack_is_marked_in_its_own_line() -> None:
    lines, _ = intake().read(pack(minutes(3000, 3001, 4200, 3002, 3001)), 0, 5, NOW_MS)
    assert [fields(line).get("level_m_qc") for line in lines] == [None, "3i", "3i", "3i", None]
    assert all("level_m" in fields(line) for line in lines)


def test_a_spike_that_shows_only_in_a_later_commit_is_told_in_the_line_that_shows_it() -> None:
    taker = intake()
    taker.read(pack(minutes(3000, 3001, 4200)), 0, 3, NOW_MS)
    (line,), _ = taker.read(pack(minutes(3002, start=3), seq=3), 3, 4, NOW_MS)
    assert fields(line)["level_m_prior_qc"] == "3i"


def test_what_a_device_doubts_itself_keeps_its_mark_and_what_it_calls_wrong_is_no_neighbour() -> None:
    rows = [*minutes(3000, 3001), [2 * PERIOD_MS, [4200, 4], 371], [3 * PERIOD_MS, [3002, 3], 371]]
    lines, bad = intake().read(pack([*rows, *minutes(3003, start=4)]), 0, 5, NOW_MS)
    told = [(fields(line).get("level_m"), fields(line).get("level_m_rejected")) for line in lines]
    assert told == [("3.0", None), ("3.001", None), (None, "4.2"), ("3.002", None), ("3.003", None)]
    assert [fields(line).get("level_m_qc") for line in lines] == [None, None, "4i", "3i", None] and not bad


def test_rules_see_values_and_flags_as_they_stand_in_the_lines() -> None:
    seen: list[Seen] = []
    intake().read(pack([*minutes(3000, -9_999_000, None, 3001), [30_000, 3000, 371]]), 0, 5, NOW_MS, seen)
    assert [(each[1][0], each[2][0], each[3]) for each in seen] == [
        (3.0, Flag.PASS, False),
        (-9999.0, Flag.FAIL, False),
        (None, Flag.MISSING, False),
        (3.001, Flag.PASS, False),
        (3.0, Flag.PASS, True),
    ]


def test_a_reading_from_the_future_does_not_make_all_that_follow_late() -> None:
    taker, seen = intake(), []
    ahead = NOW_MS - BEGIN_MS + 3_600_000
    taker.read(pack([*minutes(3000), [ahead, 3000, 371], *minutes(3001, start=1)]), 0, 3, NOW_MS, seen)
    assert [each[3] for each in seen] == [False, False, False]


def test_after_a_gap_a_value_was_not_compared_with_its_past() -> None:
    lines, _ = intake().read(pack(minutes(3000, 3001) + minutes(3002, 3003, start=60)), 0, 4, NOW_MS)
    assert [fields(line).get("level_m_qc") for line in lines] == [None, None, "2i", None]


@pytest.mark.parametrize(("minutes_away", "flag"), [(60, "3i"), (1, None)])
def test_a_node_that_was_switched_off_warms_up_when_it_starts(minutes_away: int, flag: str | None) -> None:
    taker = intake()
    taker.read(pack(minutes(3000, 3001)), 0, 2, NOW_MS)
    (line,), _ = taker.read(pack(minutes(3002, start=1 + minutes_away), boot=2), 0, 1, NOW_MS)
    assert fields(line).get("level_m_qc") == flag


@pytest.mark.parametrize("row", [{}, {0: 1}, [], ["soon", 3000, 371], [10**15, 3000, 371], None])
def test_a_start_whose_first_row_is_no_reading_is_noted_by_the_next_that_is_one(row: Any) -> None:
    one = intake()
    one.read(pack(minutes(3000, 3001)), 0, 2, NOW_MS)
    lines, bad = one.read(pack([row, *minutes(3002, start=2)], boot=20_001), 0, 2, NOW_MS)
    assert [each.seq for each in bad] == [0] and len(lines) == 1
    assert "level_m_qc" not in fields(lines[0])


def test_a_calibration_keeps_the_raw_value_beside_the_true_one() -> None:
    limits = load_limits(
        {"node": {"ys-07": {"level_m": {"calibration": [{"offset": 0.5, "gain": 2.0}]}}}}, "gateway.toml"
    )
    lines, _ = intake(QualityStates(limits)).read(pack(minutes(3000, -9_999_000)), 0, 2, NOW_MS)
    assert fields(lines[0]) == {"level_m": "6.5", "battery_v": "3.71", "level_m_raw": "3.0"}
    assert fields(lines[1])["level_m_rejected"] == "-9999.0"


def test_another_schema_of_a_node_goes_on_from_what_is_known_of_it() -> None:
    states = QualityStates()
    intake(states).read(pack(minutes(3000, 3001)), 0, 2, NOW_MS)
    (line,), _ = intake(states, COLUMNS[:1]).read(pack([[2 * PERIOD_MS, 9000]], seq=2), 2, 3, NOW_MS)
    assert fields(line)["level_m_qc"] == "3i"


def test_the_state_of_a_calm_node_is_written_once_a_minute_and_all_states_at_the_end() -> None:
    states = QualityStates()
    checks = states.of("n-1", ["ph"], 1.0)
    written = []
    for second in range(150):
        checks.take(NOW_MS + second * 1_000, [7.0 + second % 2 / 100])
        states.touched.add(checks)
        written.append(len(states.dirty()))
        states.settle()
    assert sum(written[3:]) == 2
    states.all()
    assert [node for node, _ in states.dirty()] == ["n-1"]


def test_the_state_of_a_node_in_doubt_is_written_every_time() -> None:
    states = QualityStates()
    checks = states.of("n-1", ["ph"], 1.0)
    for second, value in enumerate([7.0, 7.01, 7.0, 13.9, 7.0]):
        checks.take(NOW_MS + second * 1_000, [value])
        states.touched.add(checks)
        last = len(states.dirty())
        states.settle()
    assert last == 1
