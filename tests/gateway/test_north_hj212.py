"""Our stations at an environmental platform: a reading is answered for, waits, or was given up."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import city_rig
import pytest
from city_rig import Crowd, GatewayProcess
from gateway_rig import NOW_MS, Rig, data, registered
from platform_rig import PASSWORD, Platform
from servers import Mosquitto

from edge.config import read_table
from edge.model.errors import ConfigError
from edge.model.quality import Clock
from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import Birth, Column, encode_birth
from edge.tasks import end
from gateway.arrival import Arrival
from gateway.north.config import NorthConfig, by_station, check_norths
from gateway.north.queues import Queues
from gateway.north.reporter import Reporter
from gateway.north.stations import StationConfig
from gateway.statement import read_norths

MN = "010000A8900016F000169DC0"
COLUMNS = (Column("pm2_5_ug_m3", 0), Column("battery_v", 2))
WITHIN_S = 20.0


def beijing(ms: int) -> str:
    return (datetime.fromtimestamp(ms // 1000, UTC) + timedelta(hours=8)).strftime("%Y%m%d%H%M%S")


def born(name: str, columns: tuple[Column, ...] = COLUMNS) -> Arrival:
    said = Birth(
        node=name, kind="air_quality", firmware="1", hardware="test", boot=1, schema=1, columns=columns,
        period_s=60, oldest=(1, 0), next_seq=0, clock=Clock.SYNCED,
    )  # fmt: skip
    return Arrival(topic(name, Leaf.BIRTH), encode_birth(said), NOW_MS)


class Scene:
    """A gateway's journal with one station upward."""

    def __init__(self, folder: Path, url: str, *, at_once: int = 100, password: str = PASSWORD) -> None:
        station = StationConfig(node="air-1", mn=MN, password=password, timeout_s=1, repeats=1)
        north = NorthConfig(
            name="bureau", url=url, format="hj212", station=(station,), at_once=at_once,
            retry_delay_s=0.01, longest_delay_s=0.02,
        )  # fmt: skip
        self.rig = Rig(folder, registered("air-1", "air_quality"), registered("air-2", "air_quality"))
        (self.queue,) = Queues(by_station((north,)), self.rig.journal).active
        self.reporter = Reporter(self.queue)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.reporter.run())
        try:
            async with asyncio.timeout(WITHIN_S):
                yield
        finally:
            await end(task)
            assert self.queue.tally.balanced
            assert read_norths(self.rig.journal.path)["bureau/air-1"] == self.queue.tally
            self.rig.journal.close()

    async def until(self, *, waiting: int) -> None:
        """Wait until so many readings wait: settling is heard by nobody, so it is looked for."""
        while self.queue.tally.waiting != waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    async def troubled(self, words: str) -> None:
        while words not in self.reporter.trouble:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def rows(first: int, count: int) -> list[list[int | None]]:
    return [[at * 60_000, 30 + at, 371] for at in range(first, first + count)]


async def test_each_reading_of_a_station_is_reported_at_its_own_time_and_no_other_node_is(
    tmp_path: Path,
) -> None:
    async with Platform().running() as platform:
        scene = Scene(tmp_path, platform.url)
        await scene.rig.take(born("air-1"), born("air-2"), data("air-1", 0, *rows(0, 3)))
        await scene.rig.take(data("air-2", 0, *rows(0, 3)))
        async with scene.running():
            await scene.until(waiting=0)
    assert platform.reports() == Counter((MN, beijing(NOW_MS + at * 60_000)) for at in range(3))
    first = platform.took[0]
    assert (first["CN"], first["ST"], first["Flag"]) == ("2011", "22", "5")
    assert (first["a34004-Rtd"], first["a34004-Flag"]) == ("30", "N")
    assert (scene.queue.tally.taken, scene.queue.tally.delivered) == (3, 3)


async def test_a_reading_without_a_coded_quantity_is_given_up_and_counted(tmp_path: Path) -> None:
    async with Platform().running() as platform:
        scene = Scene(tmp_path, platform.url)
        await scene.rig.take(born("air-1", COLUMNS[1:]), data("air-1", 0, [0, 371], [60_000, 370]))
        async with scene.running():
            await scene.until(waiting=0)
    assert (dict(scene.queue.tally.given_up), platform.heard) == ({"not_encoded": 2}, [])


async def test_what_gets_no_answer_is_repeated_and_then_the_line_is_given_up_not_the_reading(
    tmp_path: Path,
) -> None:
    async with Platform(lambda heard: heard not in (2, 3)).running() as platform:
        scene = Scene(tmp_path, platform.url, at_once=1)
        await scene.rig.take(born("air-1"), data("air-1", 0, *rows(0, 2)))
        async with scene.running():
            await scene.until(waiting=0)
    assert platform.connections == 2
    times = [each["DataTime"] for each in platform.heard]
    assert times == [beijing(NOW_MS)] + [beijing(NOW_MS + 60_000)] * 3
    assert platform.heard[1] == platform.heard[2]  # the repeat is the same packet
    assert scene.queue.tally.delivered == 2


async def test_with_a_wrong_password_all_waits_and_the_trouble_is_named(tmp_path: Path) -> None:
    async with Platform().running() as platform:
        scene = Scene(tmp_path, platform.url, password="654321")
        await scene.rig.take(born("air-1"), data("air-1", 0, *rows(0, 2)))
        async with scene.running():
            await scene.troubled("no answer (9014) from the platform to what was sent 2 times")
            assert scene.queue.tally.waiting == 2
        scene = Scene(tmp_path, platform.url)
        async with scene.running():
            await scene.until(waiting=0)
    assert scene.queue.tally.delivered == 2


async def test_a_cut_connection_delays_readings_and_loses_none(tmp_path: Path) -> None:
    async with Platform(lambda heard: heard != 3).running() as platform:
        scene = Scene(tmp_path, platform.url, at_once=2)
        await scene.rig.take(born("air-1"), data("air-1", 0, *rows(0, 9)))
        async with scene.running():
            await platform.until(lambda: len(platform.heard) >= 3)
            platform.cut()
            await scene.until(waiting=0)
            assert platform.connections == 2 and scene.queue.tally.delivered == 9
    assert set(platform.reports()) == {(MN, beijing(NOW_MS + at * 60_000)) for at in range(9)}


async def test_a_platform_that_is_away_gets_what_waited_later(tmp_path: Path) -> None:
    platform = Platform()
    async with platform.running():
        pass
    scene = Scene(tmp_path, platform.url)
    async with scene.running():
        await scene.rig.take(born("air-1"), data("air-1", 0, *rows(0, 5)))
        await scene.troubled("cannot reach the platform")
        async with platform.running():
            await scene.until(waiting=0)
    assert set(platform.reports().values()) == {1} and len(platform.reports()) == 5


async def test_an_end_in_order_leaves_nothing_to_be_said_twice(tmp_path: Path) -> None:
    async with Platform().running() as platform:
        for start in range(2):
            scene = Scene(tmp_path, platform.url, at_once=3)
            if not start:
                await scene.rig.take(born("air-1"), data("air-1", 0, *rows(0, 200)))
            async with scene.running():
                await platform.until(lambda least=start: len(platform.took) > 10 or least)  # type: ignore[misc]
                if start:
                    await scene.until(waiting=0)
    assert set(platform.reports().values()) == {1} and len(platform.reports()) == 200


async def test_a_platform_that_asks_is_answered_and_what_it_pauses_waits(tmp_path: Path) -> None:
    async with Platform().running() as platform:
        scene = Scene(tmp_path, platform.url)
        await scene.rig.take(born("air-1"))
        async with scene.running():
            await platform.until(lambda: platform.connections == 1)
            platform.ask("1061", mn=MN)
            await platform.until(lambda: len(platform.told("9012")) == 1)
            assert platform.told("1061")[0]["RtdInterval"] == "60"
            platform.ask("2051", "BeginTime=20260101000000,EndTime=20260102000000", mn=MN)
            await platform.until(lambda: len(platform.told("9012")) == 2)
            assert platform.told("9012")[1]["ExeRtn"] == "100"  # no data: what was answered has left us
            platform.ask("1061", mn=MN, pw="654321")
            await platform.until(lambda: platform.heard[-1].get("QnRtn") == "3")
            platform.ask("2012", mn=MN)
            await platform.until(lambda: len(platform.told("9013")) == 1)
            await scene.rig.take(data("air-1", 0, *rows(0, 4)))
            await scene.troubled("no real-time data for now (2012)")
            assert (scene.queue.tally.waiting, platform.took) == (4, [])
            platform.ask("2011", mn=MN)
            await scene.until(waiting=0)
            assert scene.reporter.status["state"] == "ok"
    assert len(platform.reports()) == 4


async def test_what_a_platform_has_set_holds_on_the_next_connection(tmp_path: Path) -> None:
    async with Platform().running() as platform:
        scene = Scene(tmp_path, platform.url)
        async with scene.running():
            await platform.until(lambda: platform.connections == 1)
            platform.ask("1062", "RtdInterval=120", mn=MN)
            await platform.until(lambda: len(platform.told("9012")) == 1)
            platform.cut()
            await platform.until(lambda: platform.connections == 2)
            platform.ask("1061", mn=MN)
            await platform.until(lambda: len(platform.told("9012")) == 2)
    assert platform.told("1061")[0]["RtdInterval"] == "120"


@pytest.mark.real
async def test_killed_in_the_middle_a_gateway_reports_each_reading_at_least_once(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(city_rig, "COLUMNS", COLUMNS)
    crowd = Crowd(mosquitto, 2)
    gateway = GatewayProcess(tmp_path, mosquitto, 'url = "http://127.0.0.1:9"', crowd.nodes)
    async with Platform().running() as platform, crowd.talking():
        text = f'[[north]]\nname = "bureau"\nformat = "hj212"\nurl = "{platform.url}"\nretry_delay_s = 0.1\n'
        for number in range(2):
            text += (
                f'[[north.station]]\nnode = "node-00{number}"\nmn = "MN-{number}"\npassword = "{PASSWORD}"\n'
            )
        gateway.config.write_text(gateway.config.read_text() + text)
        try:
            gateway.start()
            recording = asyncio.create_task(crowd.record(200))
            await platform.until(lambda: len(platform.took) > 50)
            gateway.kill()
            await recording
            gateway.start()
            await crowd.drained()
            await platform.until(lambda: len(platform.reports()) == 400)
            await gateway.until(
                lambda _: all(one.delivered == 200 for one in read_norths(gateway.journal).values())
            )
        finally:
            gateway.kill()
    assert set(read_norths(gateway.journal)) == {"bureau/node-000", "bureau/node-001"}
    made = {(f"MN-{number}", beijing(city_rig.T0_MS + seq * 1000)) for number in range(2) for seq in range(200)}
    assert set(platform.reports()) == made


STATION = {"node": "air-1", "mn": MN, "password": "123456"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "mqtt://here:1883"}, "not the URL of an HJ 212 platform"),
        ({"url": "hj212://here"}, "not the URL of an HJ 212 platform"),
        ({"station": []}, r"north\[0\].station: there is none"),
        ({"station": [STATION, STATION | {"mn": "other"}]}, "node 'air-1' stands twice"),
        ({"station": [STATION, STATION | {"node": "air-2"}]}, f"mn '{MN}' stands twice"),
        ({"station": [STATION | {"password": "a;b"}]}, r"station\[0\].password"),
        ({"station": [STATION | {"system": "air"}]}, "'air' is no ST"),
        ({"station": [STATION | {"time_zone": "Mars"}]}, "no time zone 'Mars'"),
        ({"station": [STATION | {"series": "2021"}]}, "'2021' is none of"),
        ({"station": [STATION | {"repeats": 99}]}, "repeats 0 to 10"),
        ({"nodes": ["air-1"]}, "the station tables name the nodes"),
        ({"format": "sparkplug", "url": "mqtt://here:1883"}, "only hj212 has stations"),
    ],
)
def test_a_mistake_is_named(change: dict[str, object], words: str) -> None:
    table = {"name": "bureau", "format": "hj212", "url": "hj212://here:9212", "station": [STATION]} | change
    with pytest.raises(ConfigError, match=words):
        check_norths((read_table(NorthConfig, table, "gateway.toml.north[0]"),), "gateway.toml")
