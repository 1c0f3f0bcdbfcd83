"""What the cloud writes for whoever draws from the store alone: how nodes do, and what happened."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cloud.errors import StoreRejected, StoreUnavailable
from cloud.levels import SeriesConfig
from cloud.series.status import IN_TROUBLE, LATE, NEVER_HEARD, OK, SILENT
from cloud.stores.embedded import EmbeddedStore
from cloud.stores.protocol import Span
from edge.protocol.lines import Point

NOW_MS = 1_780_000_020_000
ALL = Span(start_ms=0, end_ms=2**42)
WATER = {
    "id": "water-1", "kind": "water_level", "district": "yangpu", "lat": 31.2, "lon": 121.5,
    "label": {"en": "Bridge", "zh": "大桥"}, "stages": {"warning_m": 3.3, "record_m": 5.0, "own_m": 1.0},
}  # fmt: skip


def told(points: list[Point], measurement: str) -> list[dict[str, Any]]:
    """Return the points of a measurement, tags and fields together."""
    return [{**dict(p.tags), **dict(p.fields)} for p in points if p.measurement == measurement]


class Kept:
    """A store that keeps what it is given, in its order; `away` and `refuses` say what it does instead."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.away, self.refuses = False, ""

    async def write(self, points: list[Point]) -> None:
        if self.away:
            raise StoreUnavailable("away")
        if self.refuses and any(dict(point.tags).get("node") == self.refuses for point in points):
            raise StoreRejected("not this one")
        self.points += points


@pytest.fixture
def now() -> SimpleNamespace:
    return SimpleNamespace(ms=NOW_MS)


@pytest.fixture
async def rig(tmp_path: Path, run_cloud_in: Any, now: SimpleNamespace) -> Any:
    """A running cloud whose series go to a store of their own, by hand."""
    async with run_cloud_in(
        tmp_path / "data", now_ms=lambda: now.ms, series=SeriesConfig(enabled=False)
    ) as client:
        kept = Kept()
        client.cloud.series._store = kept
        yield SimpleNamespace(client=client, kept=kept, tick=client.cloud.series.tick, now=now)


def episode(**more: Any) -> dict[str, Any]:
    """Return an episode as a gateway tells it."""
    return {
        "rule": "flood", "node": "water-1", "start_ms": NOW_MS - 60_000, "quantity": "level_m",
        "level": "yellow", "highest": "yellow", "value": 3.4, "peak": 3.4, "peak_ms": NOW_MS - 60_000,
        "updated_ms": NOW_MS - 60_000, "gateway": "gw-1", **more,
    }  # fmt: skip


async def tell(rig: Any, **more: Any) -> None:
    answer = await rig.client.ask("PUT", "/api/v1/gateways/gw-1/episodes", json={"episodes": [episode(**more)]})
    assert answer.status == 200, answer.text


async def test_a_node_that_was_never_heard_has_a_status_too(rig: Any) -> None:
    await rig.client.register(WATER)
    await rig.tick()
    assert told(rig.kept.points, "node_status") == [
        {
            "node": "water-1", "kind": "water_level", "system": "water", "district": "yangpu",
            "state": NEVER_HEARD, "trial": 0, "label_en": "Bridge", "label_zh": "大桥", "lat": 31.2,
            "lon": 121.5, "warning_m": 3.3, "record_m": 5.0,
        }
    ]  # fmt: skip


async def test_a_status_is_written_each_minute_and_at_each_change(rig: Any) -> None:
    await rig.client.register(WATER)
    await rig.client.write(f"water_level,node=water-1 level_m=2.3 {NOW_MS - 5_000}")
    states = []
    for later_s in (0, 2, 60, 170, 180, 182, 1_200, 1_260):
        rig.now.ms = NOW_MS + later_s * 1_000
        before = len(rig.kept.points)
        await rig.tick()
        states.append([row["state"] for row in told(rig.kept.points[before:], "node_status")])
    assert states == [[OK], [], [OK], [OK], [LATE], [], [SILENT], [SILENT]]
    ages = [row["age_s"] for row in told(rig.kept.points, "node_status")]
    assert ages[:2] == [5.0, 65.0]


async def test_a_doubtful_reading_is_trouble_and_the_account_goes_along(rig: Any) -> None:
    await rig.client.register(WATER)
    await rig.client.write(f"water_level,node=water-1 level_m=2.3,level_m_qc=3i {NOW_MS - 5_000}")
    counts = {"produced": 7, "stored": 4, "queued": 2, "dropped": 0, "quarantined": 1, "missing": 0}
    report = {"time_ms": NOW_MS, "ledger": {"total": counts, "nodes": [{"node": "water-1", **counts}]}}
    assert (await rig.client.ask("PUT", "/api/v1/gateways/gw-1/report", json=report)).status == 200
    await rig.tick()
    (row,) = told(rig.kept.points, "node_status")
    assert row["state"] == IN_TROUBLE
    assert {name: row[name] for name in counts} == counts


async def test_an_episode_is_one_point_through_its_whole_life(rig: Any, tmp_path: Path) -> None:
    await rig.client.register(WATER)
    await tell(rig)
    await rig.tick()
    await tell(rig, level="red", highest="red", value=5.2, peak=5.2, updated_ms=NOW_MS, revision=2)
    await rig.tick()
    (alert,) = (await rig.client.get("/api/v1/alerts"))["alerts"]
    acknowledge = f"/api/v1/alerts/{alert['id']}/acknowledge"
    assert (await rig.client.ask("POST", acknowledge, json={"who": "Li", "text": ""})).status == 200
    await rig.tick()
    await tell(rig, level="red", highest="red", value=3.0, peak=5.2, end_ms=NOW_MS + 9, updated_ms=NOW_MS + 9,
               revision=3)  # fmt: skip
    await rig.tick()
    rows = told(rig.kept.points, "episode")
    shown = [(row["level"], row["firing"], row["acknowledged"], row["end_ms"]) for row in rows]
    assert shown == [(2, 1, 0, 0), (4, 1, 0, 0), (4, 1, 1, 0), (4, 0, 1, NOW_MS + 9)]
    assert rows[-1]["value"] == 5.2
    assert (rows[0]["title_en"], rows[0]["title_zh"]) == ("Flood stage: Bridge", "大桥：洪水")
    assert (rows[0]["unit"], rows[0]["system"], rows[0]["district"]) == ("m", "water", "yangpu")
    store = EmbeddedStore(tmp_path / "again.db", timezone=rig.client.cloud.config.timezone)
    await store.open()
    await store.write([point for point in rig.kept.points if point.measurement == "episode"])
    (series,) = await store.rows("episode", ALL)
    assert list(series.times_ms) == [NOW_MS - 60_000]
    await store.close()


async def test_a_store_that_was_away_gets_the_episodes_it_missed(rig: Any) -> None:
    await rig.client.register(WATER)
    rig.kept.away = True
    await tell(rig)
    with pytest.raises(StoreUnavailable):
        await rig.tick()
    await tell(rig, rule="rain", start_ms=NOW_MS - 30_000)
    await tell(rig, end_ms=NOW_MS, updated_ms=NOW_MS, revision=2)
    rig.kept.away = False
    await rig.tick()
    rows = {row["rule"]: row["firing"] for row in told(rig.kept.points, "episode")}
    assert rows == {"flood": 0, "rain": 1}
    before = len(rig.kept.points)
    await rig.tick()
    assert len(rig.kept.points) == before


async def test_a_point_that_is_refused_does_not_keep_others_out(rig: Any) -> None:
    await rig.client.register(WATER, {**WATER, "id": "water-2"}, {**WATER, "id": "water-3"})
    rig.kept.refuses = "water-2"
    await rig.tick()
    assert {row["node"] for row in told(rig.kept.points, "node_status")} == {"water-1", "water-3"}


async def test_a_cloud_writes_its_series_by_itself_and_they_are_nobodys_reading(
    tmp_path: Path, run_cloud_in: Any
) -> None:
    async with run_cloud_in(tmp_path / "data") as client:
        await client.register(WATER)
        for _ in range(2):
            await client.cloud.series.tick()
        assert await client.cloud.services.store.rows("node_status", ALL)
    async with run_cloud_in(tmp_path / "data") as client:
        assert (await client.get("/api/v1/latest"))["latest"] == []
        (node,) = (await client.get("/api/v1/nodes"))["nodes"]
        assert node["state"] == "silent"
