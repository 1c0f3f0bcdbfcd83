"""Rules and checks in the one commit: what they know survives crashes, and a failed commit costs no event."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from gateway_rig import NOW_MS, NOW_S, Rig, birth, data, registered

from edge.model.alert import Level
from edge.model.errors import CityError
from gateway import journal
from gateway.arrival import Arrival
from gateway.journal import Change

FLOOD = """
[rule.flood]
label = { en = "Flood", zh = "洪水" }
kinds = ["water_level"]
quantity = "level_m"
for = "2min"
levels.orange = { enter = "guaranteed_m", leave = "guaranteed_m - 0.1" }

[rule.silent]
label = { en = "Silent", zh = "失联" }
quantity = "silence_s"
levels.blue = 600
"""
STATION = replace(registered("ys-07"), stages={"guaranteed_m": 3.0})


def rig_in(folder: Path, rules: str = FLOOD) -> Rig:
    return Rig(folder, STATION, rules=rules)


def reading(minute: int, level_mm: int) -> Arrival:
    """Return the reading of a minute; it arrives at once."""
    t_ms = NOW_MS + minute * 60_000
    said = data("ys-07", minute, [0, level_mm, 1500 + minute % 2], t0_ms=t_ms)
    return Arrival(said.topic, said.payload, t_ms)


async def rise(rig: Rig, minutes: range, level_mm: int) -> None:
    """Let the station say one level for some minutes, a commit each."""
    for minute in minutes:
        rig.now_s = NOW_S + minute * 60
        await rig.take(reading(minute, level_mm))


def told(rig: Rig) -> list[tuple[str, Level, bool]]:
    """Return what stands in the journal."""
    again = type(rig.episodes)("gw-01")
    again.load(rig.journal.episodes(), NOW_MS)
    return [(kept.episode.rule, kept.episode.highest, kept.episode.is_open) for kept in again._kept.values()]


async def test_a_flood_is_an_episode_in_the_commit_of_the_reading_that_shows_it(tmp_path: Path) -> None:
    rig = rig_in(tmp_path)
    await rig.take(birth())
    await rise(rig, range(3), 2_900)
    await rise(rig, range(3, 5), 3_100)
    assert told(rig) == []
    await rise(rig, range(5, 6), 3_100)
    assert told(rig) == [("flood", Level.ORANGE, True)]


async def test_an_episode_goes_on_where_it_was_after_a_crash(tmp_path: Path) -> None:
    rig = rig_in(tmp_path)
    await rig.take(birth())
    await rise(rig, range(7), 3_100)
    rig.journal.close()
    rig = rig_in(tmp_path)
    await rise(rig, range(7, 9), 3_200)
    assert told(rig) == [("flood", Level.ORANGE, True)]
    await rise(rig, range(9, 14), 2_800)
    assert told(rig) == [("flood", Level.ORANGE, False)]


async def test_time_that_a_condition_has_lasted_counts_across_a_crash(tmp_path: Path) -> None:
    rig = rig_in(tmp_path)
    await rig.take(birth())
    await rise(rig, range(2), 3_100)
    rig.journal.close()
    rig = rig_in(tmp_path)
    await rise(rig, range(2, 3), 3_100)
    assert told(rig) == [("flood", Level.ORANGE, True)]


async def test_a_failed_commit_costs_no_event_and_makes_none_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = rig_in(tmp_path)
    await rig.take(birth())
    await rise(rig, range(2), 3_100)

    def full(db: sqlite3.Connection, change: Change, body: bytes) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_write", full)
        with pytest.raises(CityError, match="full"):
            await rise(rig, range(2, 3), 3_100)
    assert told(rig) == []
    await rise(rig, range(2, 5), 3_100)
    assert told(rig) == [("flood", Level.ORANGE, True)]


async def test_what_the_checks_know_survives_a_crash(tmp_path: Path) -> None:
    rig = rig_in(tmp_path, "")
    await rig.take(birth())
    await rise(rig, range(5), 2_000)
    rig.journal.close()
    rig = rig_in(tmp_path, "")
    await rise(rig, range(5, 6), 9_000)  # seven metres within a minute
    assert "level_m_qc=" in (await rig.lines())[-1]


async def test_a_batch_that_is_taken_again_is_judged_as_the_first_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = rig_in(tmp_path, "")
    await rig.take(birth())
    await rise(rig, range(5), 2_000)

    def full(db: sqlite3.Connection, change: Change, body: bytes) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_write", full)
        with pytest.raises(CityError, match="full"):
            await rise(rig, range(5, 6), 9_000)
    await rise(rig, range(5, 6), 9_000)
    assert "level_m_qc=" in (await rig.lines())[-1]


async def test_a_node_of_the_last_run_that_says_nothing_more_is_silent(tmp_path: Path) -> None:
    rig = rig_in(tmp_path)
    await rig.take(birth())
    await rise(rig, range(2), 2_000)
    rig.journal.close()
    rig = rig_in(tmp_path)
    rig.now_s = NOW_S + 86_400
    await rig.committer.tick(round(rig.now_s * 1000))
    assert told(rig) == [], "nobody has listened for long"
    since_ms = round(rig.now_s * 1000)
    rig.now_s += 700
    await rig.committer.tick(since_ms)
    assert told(rig) == [("silent", Level.BLUE, True)]
    rig.now_s += 10
    said = reading(1_500, 2_000)
    await rig.take(Arrival(said.topic, said.payload, round(rig.now_s * 1000)))
    await rig.committer.tick(since_ms)
    assert told(rig) == [("silent", Level.BLUE, False)]


async def test_a_backlog_is_history_and_wakes_nobody(tmp_path: Path) -> None:
    rig = rig_in(tmp_path)
    await rig.take(birth())
    rig.now_s = NOW_S + 86_400
    late = [reading(minute, 3_100) for minute in range(10)]
    await rig.take(*(Arrival(each.topic, each.payload, round(rig.now_s * 1000)) for each in late))
    (episode,) = rig.episodes.open()
    assert not episode.live


async def test_a_station_may_be_judged_by_its_neighbour(tmp_path: Path) -> None:
    rules = """
[rule.steep]
label = { en = "Steep", zh = "落差" }
nodes = ["ys-07"]
quantity = "level_m"
derive = { difference = "ys-08/level_m" }
levels.yellow = { enter = 1, leave = 0.8 }
"""
    rig = Rig(tmp_path, STATION, registered("ys-08"), rules=rules)
    await rig.take(birth(), birth("ys-08"))
    for minute in range(4):
        t_ms = NOW_MS + minute * 60_000
        for node, level in (("ys-08", 1_000), (STATION.id, 2_500)):
            said = data(node, minute, [0, level, 1500 + minute % 2], t0_ms=t_ms)
            await rig.take(Arrival(said.topic, said.payload, t_ms))
    assert told(rig) == [("steep", Level.YELLOW, True)]
