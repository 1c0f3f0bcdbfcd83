"""What holds whatever the series: no overlap, order of arrival, restarts, revisions, and the quick path."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from rules_rig import node

from edge.model.alert import Episode
from edge.rules import Watch, read_rules

MIN = 60_000
T0 = 1_560_000_000_000 // MIN * MIN
RULES = read_rules(
    """
[rule.flood]
quantity = "level_m"
levels.blue = { enter = 2, leave = 1 }
levels.yellow = { enter = 4, leave = 3 }
levels.red = { enter = 6, leave = 5 }
for = "2min"
keep_firing = "3min"
no_data_after = "8min"

[rule.at_once]
quantity = "level_m"
levels.orange = 5

[rule.dry]
quantity = "level_m"
direction = "below"
levels.blue = { enter = 0, leave = 1 }
schedule = { from = "06:00", until = "22:00" }

[rule.stale]
quantity = "doubt_s"
levels.blue = 240

[rule.rising]
quantity = "level_m"
derive = { rate = "12min" }
levels.blue = { enter = 10, leave = 5 }

[rule.mean]
quantity = "level_m"
derive = { mean = "24min" }
levels.yellow = { enter = 4, leave = 3 }

[rule.expected]
quantity = "level_m"
derive = { forecast = "warning_m", over = "12min" }
levels.blue = { enter = 30, leave = 60 }
"""
)
PLAIN = [rule for rule in RULES if rule.derive is None]
Sample = tuple[int, float | None, int]

samples = st.lists(
    st.tuples(
        st.integers(1, 12),  # minutes since the one before
        st.integers(-1, 7).map(float),
        st.sampled_from([1, 1, 1, 1, 2, 3, 4, 9]),
    ),
    max_size=120,
)


def timed(rows: Sequence[tuple[int, float, int]]) -> list[Sample]:
    found: list[Sample] = []
    at = T0
    for minutes, value, flag in rows:
        at += minutes * MIN
        found.append((at, None if flag == 9 else value, flag))
    return found


def new(rules=RULES) -> Watch:  # type: ignore[no-untyped-def]
    return Watch(node("wl-01", "water_level", warning_m=6.0), ["level_m"], rules, period_s=60)


def play(watch: Watch, rows: Sequence[Sample], ticks: bool = False) -> list[Episode]:
    found: list[Episode] = []
    for t_ms, value, flag in rows:
        found += watch.take(t_ms, [value], [flag])
        if ticks:
            found += watch.tick(t_ms, T0)
    return found


def last(told: Sequence[Episode]) -> list[Episode]:
    return list({one.key: one for one in told}.values())


@given(samples, st.randoms(use_true_random=False))
def test_episodes_of_a_rule_and_a_node_never_overlap(rows, chance) -> None:  # type: ignore[no-untyped-def]
    shuffled = timed(rows)
    for _ in range(len(shuffled) // 3):  # a third comes late
        shuffled.append(shuffled.pop(chance.randrange(len(shuffled))))
    watch = new()
    told = play(watch, shuffled, ticks=True)
    for _ in range(3):
        told += watch.tick(shuffled[-1][0] + 10**9 if shuffled else T0, T0)
    spans: dict[str, list[tuple[int, float]]] = {}
    for one in last(told):
        assert one.end_ms is None or one.end_ms >= one.start_ms
        spans.setdefault(one.rule, []).append((one.start_ms, one.end_ms or float("inf")))
    for found in spans.values():
        found.sort()
        assert all(early[1] <= later[0] for early, later in pairwise(found))


@given(samples, st.data())
def test_late_and_doubled_readings_leave_the_live_episodes_as_they_are(rows, data) -> None:  # type: ignore[no-untyped-def]
    ordered = timed(rows)
    disturbed: list[Sample] = []
    for k, row in enumerate(ordered):
        disturbed.append(row)
        if k and data.draw(st.booleans()):
            back = ordered[data.draw(st.integers(0, k))]
            disturbed.append((back[0] - data.draw(st.sampled_from([0, 0, 30_000])), back[1], back[2]))

    def live(told: Sequence[Episode]) -> list[tuple[object, ...]]:
        return [(one.key, one.level, one.highest, one.end_ms) for one in last(told) if one.live]

    assert live(play(new(), disturbed)) == live(play(new(), ordered))


@given(samples, st.data())
def test_a_restart_at_any_point_changes_nothing(rows, data) -> None:  # type: ignore[no-untyped-def]
    ordered = timed(rows)
    cut = data.draw(st.integers(0, len(ordered)))
    whole = play(new(), ordered)
    watch = new()
    told = play(watch, ordered[:cut])
    again = new()
    again.load(json.loads(json.dumps(watch.dump())))
    assert told + play(again, ordered[cut:]) == whole


@given(samples)
def test_the_revision_grows_with_each_change(rows) -> None:  # type: ignore[no-untyped-def]
    newest: dict[object, int] = {}
    for one in play(new(), timed(rows), ticks=True):
        assert one.revision == newest.get(one.key, 0) + 1
        newest[one.key] = one.revision


@given(samples)
def test_leaving_out_the_call_while_all_is_calm_changes_nothing(rows) -> None:  # type: ignore[no-untyped-def]
    ordered = timed(rows)
    watch = new(PLAIN)
    assert watch.calm is not None
    ((low, high),) = watch.calm
    told: list[Episode] = []
    for t_ms, value, flag in ordered:
        if not watch.busy and flag == 1 and value is not None and low < value < high:
            watch.newest_ms = t_ms
        else:
            told += watch.take(t_ms, [value], [flag])
    assert told == play(new(PLAIN), ordered)


@given(samples)
def test_what_changed_says_when_a_dump_is_due(rows) -> None:  # type: ignore[no-untyped-def]
    """Dumps written only when `changed` says so lose nothing that an episode stands on."""
    watch = new(PLAIN)
    kept = watch.dump()
    for t_ms, value, flag in timed(rows):
        before = [one.key for one in watch.open_episodes()]
        watch.take(t_ms, [value], [flag])
        if before != [one.key for one in watch.open_episodes()]:
            assert watch.changed
        if watch.changed:
            kept = watch.dump()
        again = new(PLAIN)
        again.load(json.loads(json.dumps(kept)))
        assert [one.key for one in again.open_episodes()] == [one.key for one in watch.open_episodes()]
        assert again.busy == watch.busy
