"""The engine: plain thresholds, `for`, keep-firing, quality, gaps, lateness, silence, and restarts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import pytest

from edge.model.alert import Episode, Level
from edge.model.node import Node, node_id
from edge.rules import Watch, read_rules

MIN = 60_000
T0 = 1_560_000_000_000 // MIN * MIN
NODE = Node(
    id=node_id("wl-01"), kind="water_level", label_en="", label_zh="", site="s", district="d",
    stages={"warning_m": 3.0, "guaranteed_m": 4.0},
)  # fmt: skip
FLOOD = """
[rule.flood]
quantity = "level_m"
levels.yellow = { enter = "warning_m", leave = "warning_m - 0.2" }
levels.orange = { enter = "guaranteed_m", leave = "guaranteed_m - 0.2" }
levels.red = "record_m"
for = "2min"
keep_firing = "3min"
"""


def watch_of(text: str, quantities: Sequence[str] = ("level_m",), node: Node = NODE) -> Watch:
    return Watch(node, quantities, read_rules(text))


def feed(watch: Watch, values: Iterable[float | None], *, begin: int = 0, **more: bool) -> list[Episode]:
    """Give one value a minute."""
    found: list[Episode] = []
    for minute, value in enumerate(values, begin):
        found += watch.take(T0 + minute * MIN, [value], [9 if value is None else 1], **more)
    return found


def minutes(time_ms: int | None) -> float | None:
    return None if time_ms is None else (time_ms - T0) / MIN


def test_an_episode_begins_where_the_condition_began_and_ends_after_keep_firing() -> None:
    opened, ended = feed(watch_of(FLOOD), [2.9, 3.0, 3.1, 3.2, 2.9, 2.7, 2.7, 2.7, 2.7, 2.7])
    assert opened.is_open and minutes(opened.start_ms) == 1 and minutes(opened.updated_ms) == 3
    assert (opened.level, opened.threshold, opened.value) == (Level.YELLOW, 3.0, 3.2)
    assert minutes(ended.end_ms) == 8 and ended.key == opened.key and ended.revision == 2
    assert (ended.peak, minutes(ended.peak_ms)) == (3.2, 3)


def test_a_break_within_for_begins_it_anew() -> None:
    assert feed(watch_of(FLOOD), [3.1, 3.1, 2.9, 3.1, 3.1]) == []


def test_a_level_rises_after_for_and_falls_after_keep_firing() -> None:
    told = feed(watch_of(FLOOD), [3.1] * 3 + [4.1] * 3 + [3.5] * 4)
    assert [episode.level for episode in told] == [Level.YELLOW, Level.ORANGE, Level.YELLOW]
    assert [minutes(episode.updated_ms) for episode in told] == [2, 5, 9]
    assert [episode.revision for episode in told] == [1, 2, 3]
    assert told[-1].highest is Level.ORANGE and told[-1].threshold == 3.0


def test_hysteresis_keeps_a_daily_wave_one_episode() -> None:
    told = feed(watch_of(FLOOD), [3.1, 3.1, 3.1, 2.9, 2.85, 2.81, 2.9, 3.1, 2.81] * 3)
    assert len({episode.key for episode in told}) == 1 and told[-1].is_open


def test_two_low_samples_do_not_end_a_standing_episode() -> None:
    told = feed(watch_of(FLOOD), [3.1, 3.1, 3.1, 0.3, 0.3, 3.1, 3.1, 3.1])
    assert told[-1].is_open


@pytest.mark.parametrize(("flag", "value"), [(3, 0.0), (4, 0.0), (9, None)])
def test_what_is_not_trusted_neither_opens_nor_clears(flag: int, value: float | None) -> None:
    watch = watch_of(FLOOD)
    for minute in range(10):
        assert not watch.take(T0 + minute * MIN, [9.9], [flag])
    opened = feed(watch, [3.1] * 3, begin=10)
    for minute in range(13, 100):
        assert not watch.take(T0 + minute * MIN, [value], [flag])
    assert opened[0].is_open and minutes(opened[0].start_ms) == 10


def test_a_gap_does_not_clear_and_does_not_count_towards_for() -> None:
    watch = watch_of(FLOOD)
    feed(watch, [3.1])
    assert feed(watch, [3.1], begin=300) == []
    assert minutes(feed(watch, [3.1, 3.1], begin=301)[0].start_ms) == 300
    assert feed(watch, [3.1], begin=900)[-1].is_open


def test_low_values_can_be_the_bad_ones() -> None:
    rule = 'rule.low = { quantity = "level_m", direction = "below", levels = { blue = 1, red = 0.5 } }'
    told = feed(watch_of(rule), [1.2, 0.9, 0.4, 0.7, 1.1])
    assert [episode.level for episode in told[:2]] == [Level.BLUE, Level.RED]
    assert (told[-1].peak, minutes(told[-1].end_ms)) == (0.4, 4)


def test_a_rule_over_stages_does_not_apply_where_there_are_none() -> None:
    bare = Node(id=node_id("wl-02"), kind="water_level", label_en="", label_zh="", site="s", district="d")
    assert watch_of(FLOOD, node=bare).empty
    assert [level.word for level in watch_of(FLOOD).lines.values[0].track.terms.levels] == ["yellow", "orange"]


def test_calm_says_when_the_call_can_be_left_out() -> None:
    watch = watch_of(FLOOD, ("level_m", "battery_v"))
    assert watch.calm == ((float("-inf"), 3.0), (float("-inf"), float("inf")))
    assert not watch.busy
    watch.take(T0, [3.5, 3.6], [1, 1])
    assert watch.busy
    watch.take(T0 + MIN, [1.0, 3.6], [1, 1])
    assert not watch.busy


def test_late_data_opens_history_and_wakes_nobody_until_the_present_confirms_it() -> None:
    watch = watch_of(FLOOD)
    (past,) = feed(watch, [3.1] * 4, late=True)
    assert not past.live
    (present,) = feed(watch, [3.1], begin=4)
    assert present.live and present.key == past.key and present.revision == past.revision + 1


def test_late_data_does_not_raise_a_live_episode_but_the_next_live_value_does() -> None:
    watch = watch_of(FLOOD)
    feed(watch, [3.1] * 4)
    late = feed(watch, [4.5] * 12, begin=4, late=True)
    assert {episode.level for episode in late} == {Level.YELLOW}
    assert feed(watch, [4.5], begin=16)[-1].level is Level.ORANGE


def test_a_backlog_that_comes_after_live_data_completes_history() -> None:
    watch = watch_of(FLOOD)
    feed(watch, [1.0] * 10, begin=100)
    assert feed(watch, [1.0, 3.1, 3.1, 3.1, 3.3, 1.0, 1.0, 1.0, 1.0, 1.0], begin=20)[-1].live is False
    watch = watch_of(FLOOD)
    feed(watch, [3.5] * 10, begin=40)
    assert feed(watch, [3.1] * 10, begin=30) == []
    watch.tick(T0 + 60 * MIN, T0)
    (history,) = watch.tick(T0 + 61 * MIN, T0)
    assert (minutes(history.start_ms), minutes(history.end_ms), history.live) == (30, 39, False)


def test_a_late_reading_inside_an_open_episode_changes_only_its_peak() -> None:
    watch = watch_of(FLOOD)
    feed(watch, [3.1] * 3 + [3.2] * 3)
    (changed,) = watch.take(T0 + 4 * MIN, [3.9], [1])
    assert (changed.peak, minutes(changed.peak_ms), changed.level, changed.revision) == (
        3.9,
        4,
        Level.YELLOW,
        2,
    )


SILENCE = """
[rule.dead]
quantity = "silence_s"
levels.yellow = "5 periods"
levels.orange = "60 periods"
"""


def test_silence_counts_from_the_last_message_or_from_when_somebody_listened() -> None:
    watch = watch_of(SILENCE)
    assert not watch.tick(T0 + 4 * MIN, T0)
    watch.heard(T0 + 4 * MIN)
    assert not watch.tick(T0 + 8 * MIN, T0)
    assert not watch.tick(T0 + 20 * MIN, T0 + 18 * MIN)  # the broker was away
    (opened,) = watch.tick(T0 + 24 * MIN, T0 + 18 * MIN)
    assert minutes(opened.start_ms) == 23 and opened.value == 360
    (worse,) = [e for m in range(25, 100) for e in watch.tick(T0 + m * MIN, T0 + 18 * MIN) if e.level > 2]
    assert worse.level is Level.ORANGE
    watch.heard(T0 + 100 * MIN)
    (ended,) = watch.tick(T0 + 101 * MIN, T0 + 18 * MIN)
    assert minutes(ended.end_ms) == 100


def test_a_restart_does_not_make_a_silent_node_speak() -> None:
    watch = watch_of(SILENCE)
    watch.heard(T0)
    (opened,) = watch.tick(T0 + 10 * MIN, T0)
    again = watch_of(SILENCE)
    again.load(json.loads(json.dumps(watch.dump())))
    assert all(e.is_open for m in range(11, 60) for e in again.tick(T0 + m * MIN, T0 + 11 * MIN))
    again.heard(T0 + 60 * MIN)
    (ended,) = again.tick(T0 + 60 * MIN, T0 + 11 * MIN)
    assert ended.key == opened.key


def test_a_clock_in_trouble_is_a_signal() -> None:
    watch = watch_of('rule.clock = { quantity = "clock_qc", levels = { blue = 2 } }')
    watch.heard(T0, 0)
    assert not watch.tick(T0, T0)
    watch.heard(T0 + MIN, 2)
    (opened,) = watch.tick(T0 + 2 * MIN, T0)
    watch.heard(T0 + 3 * MIN, 0)
    assert opened.value == 2 and not watch.tick(T0 + 4 * MIN, T0)[0].is_open


def test_doubt_lasts_from_the_first_value_that_does_not_pass() -> None:
    watch = watch_of('rule.stale = { quantity = "doubt_s", levels = { blue = 300 } }')
    found = [e for m in range(3, 9) for e in watch.take(T0 + m * MIN, [None], [9])]
    assert [minutes(e.start_ms) for e in found] == [8] and watch.busy
    assert not watch.take(T0 + 9 * MIN, [1.0], [1])[0].is_open and not watch.busy


def test_no_data_may_end_an_episode_or_be_one() -> None:
    end = FLOOD + 'no_data = "end"\nno_data_after = "10min"'
    watch = watch_of(end)
    feed(watch, [3.1] * 4)
    assert not watch.tick(T0 + 13 * MIN, T0)
    (ended,) = watch.tick(T0 + 14 * MIN, T0)
    assert minutes(ended.end_ms) == 13
    alarm = watch_of(FLOOD + 'no_data = "alarm"\nno_data_after = "10min"')
    feed(alarm, [1.0])
    (opened,) = alarm.tick(T0 + 11 * MIN, T0)
    assert opened.value is None and minutes(opened.start_ms) == 10
    (over,) = feed(alarm, [1.0], begin=20)
    assert minutes(over.end_ms) == 20


def test_a_rule_holds_only_on_its_schedule_and_an_episode_ends_with_it() -> None:
    hours = 'schedule = { from = "22:00", until = "06:00" }'
    watch = watch_of(f'rule.night = {{ quantity = "level_m", levels = {{ blue = 1 }}, {hours} }}')
    hour = 3_600_000
    midnight = 1_559_923_200_000  # 2019-06-08 00:00 in Shanghai
    assert not watch.take(midnight - 3 * hour, [2.0], [1])
    (opened,) = watch.take(midnight - 1 * hour, [2.0], [1])
    ended, again = watch.take(midnight + 23 * hour, [2.0], [1])
    assert (opened.start_ms, ended.end_ms) == (midnight - hour, midnight + 6 * hour)
    assert again.start_ms == midnight + 23 * hour


def test_a_watch_at_rest_dumps_to_next_to_nothing() -> None:
    watch = watch_of(FLOOD + SILENCE)
    feed(watch, [1.0] * 5)
    watch.heard(T0)
    assert not watch.changed and watch.dump() == {"t": T0 + 4 * MIN}
    feed(watch, [3.1], begin=5)
    assert watch.changed and len(json.dumps(watch.dump())) > 100 and not watch.changed
