"""Episodes on their way: to the cloud at once, to people by the gateway itself while the cloud is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web
from gateway_rig import NOW_S, Rig

from edge.model.alert import Episode, Level, Told
from edge.model.errors import CityError
from gateway.herald import AlertsConfig, Herald
from gateway.journal import Change
from gateway.uplink import CloudConfig

NOW_MS = round(NOW_S * 1000)


def flood(level: Level = Level.ORANGE, revision: int = 1, start_ms: int = NOW_MS, **more: Any) -> Episode:
    return Episode(
        rule="flood",
        node="ys-07",
        start_ms=start_ms,
        quantity="level_m",
        level=level,
        highest=level,
        value=3.12,
        peak=3.12,
        peak_ms=NOW_MS,
        updated_ms=NOW_MS,
        revision=revision,
        **more,
    )


class Cloud:
    """Takes episodes over HTTP as the cloud does, and can be out of order."""

    def __init__(self) -> None:
        self.taken: list[Episode] = []
        self.status = 200
        self.asked = asyncio.Condition()
        self.requests = 0

    async def take(self, request: web.Request) -> web.Response:
        rows = (await request.json())["episodes"]
        async with self.asked:
            self.requests += 1
            if self.status == 200:
                self.taken += [Episode.from_dict(row) for row in rows]
            self.asked.notify_all()
        return web.json_response({"taken": len(rows)}, status=self.status)

    async def until_requests(self, count: int) -> None:
        async with asyncio.timeout(20), self.asked:
            await self.asked.wait_for(lambda: self.requests >= count)


class Phone:
    """A channel that notes what it was given."""

    name = "duty-phone"

    def __init__(self) -> None:
        self.told: list[tuple[str, str, bool]] = []
        self.rang = asyncio.Condition()
        self.broken = False

    async def tell(self, episodes: Sequence[Episode]) -> None:
        if self.broken:
            raise CityError("no dial tone")
        async with self.rang:
            self.told += [(episode.rule, episode.highest.word, episode.is_open) for episode in episodes]
            self.rang.notify_all()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20), self.rang:
            await self.rang.wait_for(lambda: len(self.told) >= count)


@asynccontextmanager
async def at_work(rig: Rig, cloud: Cloud | None, phone: Phone) -> AsyncIterator[Herald]:
    """Run a herald over the rig's episodes."""
    url = ""
    runner = None
    if cloud is not None:
        app = web.Application()
        app.router.add_put("/api/v1/gateways/gw-01/episodes", cloud.take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    config = AlertsConfig(local_after_s=120, retry_s=0.01)
    herald = Herald(
        config, CloudConfig(url=url), "gw-01", rig.episodes, local=[phone],
        told=rig.committer.note_told, now=lambda: rig.now_s,
    )  # fmt: skip
    task = asyncio.create_task(herald.run())
    try:
        yield herald
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if runner is not None:
            await runner.cleanup()


async def found(rig: Rig, *episodes: Episode) -> None:
    """Let rules find episodes, and a commit write them."""
    rig.episodes.take(episodes, round(rig.now_s * 1000))
    await rig.committer._commit(Change())


def kept(rig: Rig) -> list[Episode]:
    """Return the episodes that the journal holds."""
    again = type(rig.episodes)("gw-01")
    again.load(rig.journal.episodes(), NOW_MS)
    return [item.episode for item in again._kept.values()]


async def test_an_episode_reaches_the_cloud_as_soon_as_it_is_on_the_disk(tmp_path: Path) -> None:
    rig, cloud, phone = Rig(tmp_path, "ys-07"), Cloud(), Phone()
    async with at_work(rig, cloud, phone):
        rig.episodes.take([flood()], NOW_MS)
        assert rig.episodes.untaken(10) == [], "not before its commit"
        await rig.committer._commit(Change())
        await cloud.until_requests(1)
    assert cloud.taken == [flood(gateway="gw-01")]
    assert phone.told == []


async def test_while_the_cloud_is_away_people_hear_of_it_once_after_the_configured_time(
    tmp_path: Path,
) -> None:
    rig, cloud, phone = Rig(tmp_path, "ys-07"), Cloud(), Phone()
    cloud.status = 503
    async with at_work(rig, cloud, phone):
        await found(rig, flood())
        await cloud.until_requests(2)
        assert phone.told == []
        rig.now_s += 121
        await phone.until(1)
        await cloud.until_requests(cloud.requests + 3)
        assert phone.told == [("flood", "orange", True)]
        (mark,) = kept(rig)[0].told
        assert (mark.channel, mark.level) == ("duty-phone", "orange"), "and it is marked on the disk"
        cloud.status = 200
        async with asyncio.timeout(20):
            while not cloud.taken:
                await cloud.until_requests(cloud.requests + 1)
    assert cloud.taken[-1].told == (mark,)


async def test_a_higher_level_is_told_again_and_the_end_in_one_more_message(tmp_path: Path) -> None:
    rig, cloud, phone = Rig(tmp_path, "ys-07"), Cloud(), Phone()
    cloud.status = 503
    async with at_work(rig, cloud, phone):
        await found(rig, flood(Level.YELLOW))
        rig.now_s += 121
        await phone.until(1)
        await found(rig, flood(Level.RED, revision=5))
        await phone.until(2)
        await found(rig, replace(flood(Level.RED, revision=9), end_ms=NOW_MS + 60_000))
        await phone.until(3)
    assert phone.told == [("flood", "yellow", True), ("flood", "red", True), ("flood", "red", False)]


async def test_who_told_of_the_beginning_tells_of_the_end_though_the_cloud_is_back(tmp_path: Path) -> None:
    rig, cloud, phone = Rig(tmp_path, "ys-07"), Cloud(), Phone()
    cloud.status = 503
    async with at_work(rig, cloud, phone):
        await found(rig, flood())
        rig.now_s += 121
        await phone.until(1)
        cloud.status = 200
        await cloud.until_requests(cloud.requests + 1)
        await found(rig, replace(flood(revision=9), end_ms=NOW_MS + 60_000))
        await phone.until(2)
        await cloud.until_requests(cloud.requests + 1)
        await found(
            rig,
            flood(Level.RED, start_ms=NOW_MS + 1),
            replace(flood(Level.RED, start_ms=NOW_MS + 1), end_ms=NOW_MS + 2, revision=2),
        )
        await cloud.until_requests(cloud.requests + 1)
    assert phone.told == [("flood", "orange", True), ("flood", "orange", False)]
    assert [mark.level for mark in kept(rig)[0].told] == ["orange", "over"]


async def test_an_end_that_follows_a_mark_is_not_taken_for_an_older_state(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await found(rig, flood(revision=1))
    (episode,) = rig.episodes.open()
    await rig.committer.note_told([], [(episode, Told("duty-phone", NOW_MS, "orange"))])
    await found(rig, flood(revision=2, end_ms=NOW_MS + 1))
    (after,) = kept(rig)
    assert (after.end_ms, after.revision, len(after.told)) == (NOW_MS + 1, 3, 1)


async def test_what_the_cloud_has_told_is_not_told_again_when_only_its_value_moves(tmp_path: Path) -> None:
    rig, cloud, phone = Rig(tmp_path, "ys-07"), Cloud(), Phone()
    async with at_work(rig, cloud, phone):
        await found(rig, flood())
        await cloud.until_requests(1)
        cloud.status = 503
        await found(rig, replace(flood(revision=2), value=3.2, peak=3.2))
        rig.now_s += 121
        await cloud.until_requests(cloud.requests + 3)
    assert phone.told == []


async def test_history_and_low_levels_wake_nobody(tmp_path: Path) -> None:
    rig, cloud, phone = Rig(tmp_path, "ys-07"), Cloud(), Phone()
    cloud.status = 503
    async with at_work(rig, cloud, phone):
        await found(rig, flood(live=False), replace(flood(Level.BLUE), rule="near"))
        rig.now_s += 121
        await cloud.until_requests(4)
    assert phone.told == []


async def test_a_gateway_without_a_cloud_tells_at_once(tmp_path: Path) -> None:
    rig, phone = Rig(tmp_path, "ys-07"), Phone()
    async with at_work(rig, None, phone):
        await found(rig, flood())
        await phone.until(1)
    assert phone.told == [("flood", "orange", True)]


async def test_a_channel_that_fails_is_tried_again(tmp_path: Path) -> None:
    rig, cloud, phone = Rig(tmp_path, "ys-07"), Cloud(), Phone()
    cloud.status, phone.broken = 503, True
    async with at_work(rig, cloud, phone):
        await found(rig, flood())
        rig.now_s += 121
        await cloud.until_requests(3)
        phone.broken = False
        await phone.until(1)
    assert len(phone.told) == 1


async def test_an_episode_survives_a_crash_before_the_cloud_heard_of_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    await found(rig, flood())
    rig.journal.close()
    rig, cloud = Rig(tmp_path, "ys-07"), Cloud()
    async with at_work(rig, cloud, Phone()):
        await cloud.until_requests(1)
    assert cloud.taken == [flood(gateway="gw-01")]


async def test_episodes_of_long_ago_are_forgotten_but_not_before_the_cloud_has_them(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path, "ys-07")
    past = flood(end_ms=NOW_MS)
    await found(rig, past)
    assert rig.episodes.prune(NOW_MS + 30 * 86_400_000) == []
    await rig.committer.note_told([past], [])
    assert rig.episodes.prune(NOW_MS + 30 * 86_400_000) == [past.key]
