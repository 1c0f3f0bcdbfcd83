"""What spans gateways: stations of two of them are compared in the cloud, across restarts and late data."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from alerts_rig import NOON_MS, CityAlerts, city_alerts, node
from sqlalchemy import delete, func, select

from cloud.alerts.config import AlertsConfig
from cloud.board import Board
from cloud.config import StoreConfig
from cloud.errors import CloudError
from cloud.registry.alert_tables import WatchRow
from cloud.rules import CityRules
from cloud.services import epoch_ms
from cloud.stores.protocol import Latest
from edge.model.alert import Episode
from edge.protocol.lines import parse_lines
from edge.rules import Rule, read_rules

FALL = """
[rule.river_blocked]
label = { en = "River blocked", zh = "河道阻塞" }
nodes = ["upper"]
quantity = "level_m"
derive = { difference = "lower/level_m" }
levels.yellow = { enter = 1.0, leave = 0.8 }
levels.orange = { enter = 2.0, leave = 1.8 }
scope = "city"
"""
SILENT = """
[rule.key_station_silent]
nodes = ["upper"]
quantity = "silence_s"
scope = "city"
levels.red = 300
"""
HIGH = """
[rule.key_station_high]
nodes = ["upper"]
quantity = "level_m"
scope = "city"
levels.red = 2
"""
MINUTE_MS = 60_000


class TwoGateways:
    """Two stations of one river behind two gateways, and the rules over both; a minute passes in `minute`."""

    def __init__(self, alerts: CityAlerts, rules: tuple[Rule, ...]) -> None:
        self.alerts, self.rules = alerts, rules
        self.board = Board()
        self.city: CityRules

    async def start(self) -> None:
        self.city = CityRules(
            self.rules, self.alerts.desk, self.alerts.registry, self.board, now_ms=lambda: self.alerts.now_ms
        )
        await self.city.open()

    async def restart(self, *, away_s: float = 0.0) -> None:
        """End as a killed process does; the board is read from the store again."""
        await self.alerts.restart(away_s=away_s)
        await self.start()

    async def write(self, *lines: str) -> None:
        """Write lines as gateways do."""
        points = parse_lines("\n".join(lines).encode(), precision="ms")
        self.board.offer_points(points)
        await self.city.take_points(points)

    async def minute(self, upper: float, lower: float = 1.0) -> None:
        """Let a minute pass, at the end of which both are sensed and written, each by its gateway."""
        self.alerts.now_ms += MINUTE_MS
        await self.write(f"water_level,node=lower level_m={lower} {self.alerts.now_ms}")
        await self.write(f"water_level,node=upper level_m={upper} {self.alerts.now_ms}")

    async def found(self) -> list[dict[str, Any]]:
        return sorted(await self.alerts.alerts(), key=lambda row: row["start_ms"])

    async def states(self) -> int:
        count = select(func.count()).select_from(WatchRow)
        return await self.alerts.registry.transact(lambda session: session.scalar(count) or 0)

    async def revision(self) -> int:
        (row,) = await self.found()
        return (await self.alerts.desk.alerts([row["id"]]))[row["id"]].episode.revision


@pytest.fixture
async def alerts(tmp_path: Path) -> AsyncIterator[CityAlerts]:
    async with city_alerts(tmp_path) as alerts:
        await alerts.register(node("upper", gateway="gw-1"), node("lower", gateway="gw-2"))
        yield alerts


@pytest.fixture
async def river(alerts: CityAlerts) -> TwoGateways:
    river = TwoGateways(alerts, read_rules(FALL, defaults=True))
    await river.start()
    return river


async def test_a_difference_between_stations_of_two_gateways_is_one_alert_that_ends(river: TwoGateways) -> None:
    for upper in (1.2, 2.1, 2.5, 2.3):
        await river.minute(upper)
    (row,) = await river.found()
    assert (row["rule"], row["node"], row["level"]) == ("river_blocked", "upper", "yellow")
    assert (row["start_ms"], row["end_ms"]) == (NOON_MS + 2 * MINUTE_MS, None)
    assert row["value"] == pytest.approx(1.1)
    await river.minute(1.3)
    await river.minute(1.2)
    (row,) = await river.found()
    assert (row["state"], row["end_ms"]) == ("resolved", NOON_MS + 5 * MINUTE_MS)
    assert row["peak"] == pytest.approx(1.5)
    alert = (await river.alerts.desk.alerts([row["id"]]))[row["id"]]
    assert alert.episode.gateway == ""  # it is the city's, not that of a gateway


async def test_all_points_of_a_write_count_in_the_order_of_time(river: TwoGateways) -> None:
    at = NOON_MS - 50_000
    await river.write(
        f"water_level,node=upper level_m=1 {at + 30_000}",
        f"water_level,node=upper level_m=2.5 {at + 10_000}",
        f"water_level,node=lower level_m=1 {at}",
        f"water_level,node=upper level_m=2.2 {at + 20_000}",
    )
    (row,) = await river.found()
    assert (row["start_ms"], row["end_ms"]) == (at + 10_000, at + 30_000)


async def test_a_write_that_is_repeated_changes_nothing(river: TwoGateways) -> None:
    await river.minute(2.5)
    await river.minute(1.0)
    before = await river.found()
    for step, upper in ((1, 2.5), (2, 1.0)):
        at = NOON_MS + step * MINUTE_MS
        await river.write(f"water_level,node=upper level_m={upper} {at}")
    river.alerts.now_ms += MINUTE_MS
    await river.city.tick()
    assert await river.found() == before


@pytest.mark.parametrize("state", ["kept", "lost"])
async def test_after_a_restart_an_episode_goes_on_under_its_key(river: TwoGateways, state: str) -> None:
    await river.minute(2.5)
    await river.minute(2.6)
    before = await river.revision()
    if state == "lost":
        await river.alerts.registry.transact(lambda session: session.execute(delete(WatchRow)))
    await river.restart(away_s=20)
    await river.minute(3.5)
    (row,) = await river.found()
    assert (row["start_ms"], row["level"]) == (NOON_MS + MINUTE_MS, "orange")
    assert await river.revision() > before
    await river.restart()
    await river.minute(1.0)
    (row,) = await river.found()
    assert row["end_ms"] == NOON_MS + 4 * MINUTE_MS + 20_000


async def test_what_was_kept_but_not_told_is_told_after_a_restart(
    river: TwoGateways, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_episodes: list[Episode]) -> None:
        raise CloudError("the power is about to be cut")

    await river.minute(2.5)
    monkeypatch.setattr(river.alerts.desk, "take", broken)
    await river.minute(1.0)
    assert (await river.found())[0]["end_ms"] is None
    await river.restart()
    (row,) = await river.found()
    assert row["end_ms"] == NOON_MS + 2 * MINUTE_MS


async def test_what_a_desk_in_trouble_did_not_take_it_gets_with_the_next_tick(
    river: TwoGateways, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_episodes: list[Episode]) -> None:
        raise CloudError("the disk is full")

    with monkeypatch.context() as trouble:
        trouble.setattr(river.alerts.desk, "take", broken)
        await river.minute(2.5)
        assert await river.found() == []
    await river.city.tick()
    assert len(await river.found()) == 1


async def test_data_that_comes_hours_late_is_history(river: TwoGateways) -> None:
    at = NOON_MS - 7_200_000
    await river.write(f"water_level,node=lower level_m=1 {at}", f"water_level,node=upper level_m=4 {at}")
    (row,) = await river.found()
    assert (row["live"], row["level"]) == (False, "orange")
    await river.alerts.wait(60)
    assert river.alerts.channels["duty"].messages == []


async def test_values_that_failed_their_checks_do_not_count(river: TwoGateways) -> None:
    at = NOON_MS
    await river.write(f"water_level,node=lower level_m=1 {at}")
    await river.write(f"water_level,node=upper level_m=9,level_m_qc=3i {at}")
    await river.write(f"water_level,node=upper level_m_rejected=99,level_m_qc=4i {at + 1_000}")
    await river.write(f"water_level,node=lower level_m=-9,level_m_qc=4i {at + 2_000}")
    await river.write(f"water_level,node=upper level_m=1,level_m_qc=1i {at + 3_000}")
    assert await river.found() == []


async def test_a_clock_far_ahead_does_not_make_all_that_follows_late(river: TwoGateways) -> None:
    await river.write(f"water_level,node=upper level_m=9 {NOON_MS + 86_400_000}")
    await river.minute(2.5)
    (row,) = await river.found()
    assert row["start_ms"] == NOON_MS + MINUTE_MS


async def test_what_was_asked_for_instead_of_sent_counts_as_well(river: TwoGateways) -> None:
    def newest(name: str, level_m: float) -> Latest:
        return Latest(
            node=name, kind="water_level", time_ns=river.alerts.now_ms * 10**6, values={"level_m": level_m}
        )

    for upper in (2.5, 1.0):
        river.alerts.now_ms += MINUTE_MS
        await river.city.take(river.board.offer([newest("upper", upper), newest("lower", 1.0)]))
        await river.city.take(river.board.offer([newest("upper", upper), newest("lower", 1.0)]))
    (row,) = await river.found()
    assert (row["start_ms"], row["end_ms"]) == (NOON_MS + MINUTE_MS, NOON_MS + 2 * MINUTE_MS)


async def test_a_station_that_is_registered_later_is_covered(alerts: CityAlerts) -> None:
    river = TwoGateways(alerts, read_rules(FALL.replace('"upper"', '"third"')))
    await river.start()
    await alerts.register(node("third", gateway="gw-3"))
    await river.write(f"water_level,node=lower level_m=1 {NOON_MS}")
    await river.write(f"water_level,node=third level_m=3 {NOON_MS}")
    assert [row["node"] for row in await river.found()] == ["third"]


async def test_silence_is_told_once_and_neither_a_restart_nor_a_store_that_was_away_is_silence(
    alerts: CityAlerts,
) -> None:
    river = TwoGateways(alerts, read_rules(SILENT))
    await river.start()
    await river.minute(1.0)
    for _ in range(4):
        alerts.now_ms += MINUTE_MS
        await river.city.tick()
    river.city.deaf()
    alerts.now_ms += 2 * MINUTE_MS
    await river.city.tick()
    assert await river.found() == []
    alerts.now_ms += 4 * MINUTE_MS
    await river.city.tick()
    assert len(await river.found()) == 1
    await river.restart(away_s=600)
    await river.city.tick()
    (row,) = await river.found()
    assert row["end_ms"] is None
    await river.minute(1.0)
    await river.city.tick()
    (row,) = await river.found()
    assert row["end_ms"] is not None


async def test_without_rules_of_the_city_nothing_is_done_or_kept(alerts: CityAlerts) -> None:
    river = TwoGateways(alerts, read_rules("", defaults=True))  # gateway_lost is the watch's over gateways
    await river.start()
    assert not river.city.active
    await river.minute(9.0)
    await river.city.run()  # ends at once
    await river.city.close()
    assert await river.found() == []
    assert await river.states() == 0


async def test_the_state_of_a_calm_city_is_not_written(alerts: CityAlerts) -> None:
    river = TwoGateways(alerts, read_rules(HIGH))
    await river.start()
    for _ in range(5):
        await river.minute(1.0)
        await river.city.tick()
    assert await river.states() == 0
    await river.minute(2.5)
    assert await river.states() == 1


async def next_alert(stream: aiohttp.StreamReader) -> dict[str, Any]:
    """Return the next alert that a running cloud tells its pages of."""
    async with asyncio.timeout(20):
        while not (line := await stream.readline()).startswith(b'data: {"alerts"'):
            pass
    (row,) = json.loads(line.removeprefix(b"data: "))["alerts"]
    assert row["rule"] == "river_blocked"
    return dict(row)


async def test_a_cloud_evaluates_the_rules_files_of_its_configuration(
    run_cloud_in: Any, tmp_path: Path
) -> None:
    rules = tmp_path / "city.toml"
    rules.write_text(FALL)
    config, now_ms = AlertsConfig(rules_files=(rules,)), epoch_ms()
    async with run_cloud_in(tmp_path, alerts=config) as client:
        await client.register(*({"id": name, "kind": "water_level"} for name in ("upper", "lower")))
        await client.write(f"water_level,node=lower level_m=1 {now_ms - 2_000}")
        await client.write(f"water_level,node=upper level_m=3 {now_ms - 1_000}")
        opened = (await client.get("/api/v1/alerts"))["alerts"][0]
    async with run_cloud_in(tmp_path, alerts=config) as client:
        await client.write(f"water_level,node=upper level_m=1 {now_ms}")
        (ended,) = (await client.get("/api/v1/alerts", state="all"))["alerts"]
    assert (opened["start_ms"], opened["end_ms"]) == (now_ms - 1_000, None)
    assert (ended["id"], ended["end_ms"]) == (opened["id"], now_ms)


async def test_a_cloud_over_an_influxdb_judges_what_others_wrote(
    run_cloud_in: Any, tmp_path: Path, influxdb: Any
) -> None:
    rules = tmp_path / "city.toml"
    rules.write_text(FALL)
    store = StoreConfig(kind="influxql", url=influxdb.url, database="city", poll_s=0.05)
    async with run_cloud_in(tmp_path, store, alerts=AlertsConfig(rules_files=(rules,))) as client:
        await client.register(*({"id": name, "kind": "water_level"} for name in ("upper", "lower")))

        async def write(upper: float) -> None:
            lines = [
                f"water_level,node={name} level_m={m} {epoch_ms()}"
                for name, m in (("lower", 1), ("upper", upper))
            ]
            url = f"{influxdb.url}/write?db=city&precision=ms"
            async with client.session.post(url, data="\n".join(lines).encode()) as reply:
                assert reply.status == 204, await reply.text()

        async with client.session.get(f"{client.cloud.url}/api/v1/live") as reply:
            await write(3.0)
            opened = await next_alert(reply.content)
            await write(1.0)
            ended = await next_alert(reply.content)
    assert (opened["node"], opened["end_ms"]) == ("upper", None)
    assert ended["id"] == opened["id"]
    assert ended["end_ms"] > opened["start_ms"]
