"""Northbound custody end to end, on real brokers and a real store: outages delay readings and lose none."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from city_rig import T0_MS, Crowd, GatewayProcess
from north_rig import Host, Said, SparkplugReader, read_senml
from servers import InfluxDB, Mosquitto

from gateway.account import Counts
from gateway.database import JournalError
from gateway.statement import read_norths
from gateway.tally import Tally

pytestmark = pytest.mark.real

NODES = 10


class Scene:
    """A broker of nodes, a store, a gateway, and two brokers in the north: one for SenML, one for Sparkplug."""

    def __init__(self, folder: Path, mosquitto: Mosquitto, influxdb: InfluxDB) -> None:
        self.influxdb = influxdb
        self.crowd = Crowd(mosquitto, NODES)
        self.gateway = GatewayProcess(
            folder / "gw", mosquitto, f'url = "{influxdb.url}"\napi = "v1"', self.crowd.nodes
        )
        self.norths = [Mosquitto(folder / name) for name in ("senml", "sparkplug")]
        self.plain = self.gateway.config.read_text()
        self.configure()

    def configure(self, senml: str = "", sparkplug: str = "") -> None:
        """Write the configuration, with more lines for each north."""
        text = self.plain
        for north, form, more in zip(self.norths, ("senml-json", "sparkplug"), (senml, sparkplug), strict=True):
            text += (
                f'[[north]]\nname = "{north.folder.name}"\nformat = "{form}"\nurl = "{north.url}"\n'
                f'kinds = ["water_level"]\nretry_delay_s = 0.1\nlongest_delay_s = 0.3\n{more}\n'
            )
        self.gateway.config.write_text(text)

    def tallies(self) -> dict[str, Tally]:
        try:
            return read_norths(self.gateway.journal)
        except JournalError:  # not made yet
            return {}

    async def until(self, holds: Callable[[dict[str, Tally]], bool]) -> dict[str, Tally]:
        """Wait for a state of the norths' books, which balance at every look."""

        def look(_: dict[str, Counts]) -> bool:
            tallies = self.tallies()
            assert all(tally.balanced for tally in tallies.values()), tallies
            return bool(tallies) and holds(tallies)

        await self.gateway.until(look)
        return self.tallies()

    async def stored(self, readings: int) -> None:
        """Wait until the store has so many readings of the nodes."""
        await self.gateway.until(lambda accounts: of_nodes(accounts).stored == readings)

    def made(self) -> Counter[tuple[str, int]]:
        """Return every reading that a node made: node and time."""
        return Counter(
            (str(agent.node.id), T0_MS + seq * 1000)
            for agent in self.crowd.agents
            for seq in range(agent.outbox.next_seq)
        )


def of_nodes(accounts: dict[str, Counts]) -> Counts:
    return sum((counts for node, counts in accounts.items() if node.startswith("node-")), Counts())


@pytest.fixture
def scene(tmp_path: Path, mosquitto: Mosquitto, influxdb: InfluxDB) -> Iterator[Scene]:
    found = Scene(tmp_path, mosquitto, influxdb)
    try:
        for north in found.norths:
            north.start()
        yield found
    finally:
        found.gateway.kill()
        for north in found.norths:
            north.kill()


async def test_two_brokers_get_every_reading_once_each_in_its_own_words(scene: Scene) -> None:
    reader = SparkplugReader()
    senml, sparkplug = Host(scene.norths[0], read_senml), Host(scene.norths[1], reader)
    async with senml.listening(), sparkplug.listening(), scene.crowd.talking():
        scene.gateway.start()
        await scene.crowd.record(50)
        await scene.crowd.drained()
        tallies = await scene.until(lambda found: all(one.delivered == 500 for one in found.values()))
        await senml.until(lambda: len(senml.readings()) == 500)
        await sparkplug.until(lambda: len(sparkplug.readings()) == 500)
        await scene.stored(500)
        assert scene.gateway.stop() == 0
        await sparkplug.until(lambda: sparkplug.messages[-1][0] == "spBv1.0/city/NDEATH/gw-01")
    assert senml.readings() == sparkplug.readings() == scene.made()
    assert set(tallies) == {"senml", "sparkplug"} and not any(one.given_up for one in tallies.values())
    seventh = [said for said in senml.said if (said.device, said.time_ms) == ("node-003", T0_MS + 7000)]
    assert Said("node-003", "level_m", T0_MS + 7000, 0.010) in seventh
    document = scene.gateway.ledger_command()
    assert document["north"] == [{"name": name, **tallies[name].to_dict()} for name in ("senml", "sparkplug")]


async def test_a_broker_that_is_away_holds_back_neither_the_store_nor_the_other(scene: Scene) -> None:
    senml, sparkplug = Host(scene.norths[0], read_senml), Host(scene.norths[1], SparkplugReader())
    async with senml.listening(), sparkplug.listening(), scene.crowd.talking():
        scene.gateway.start()
        await scene.crowd.record(20)
        await sparkplug.until(lambda: len(sparkplug.readings()) == 200)
        await scene.until(lambda found: all(one.delivered == 200 for one in found.values()))
        scene.norths[1].stop()
        await scene.crowd.record(30)
        tallies = await scene.until(lambda found: found["senml"].delivered == 500)
        await scene.stored(500)
        assert (tallies["sparkplug"].delivered, tallies["sparkplug"].waiting) == (200, 300)
        scene.norths[1].start()
        await scene.until(lambda found: found["sparkplug"].delivered == 500)
        await sparkplug.until(lambda: len(sparkplug.readings()) == 500)
    assert senml.readings() == sparkplug.readings() == scene.made()
    late = {said.time_ms for said in sparkplug.said if said.historical}
    assert late == {T0_MS + seq * 1000 for seq in range(20, 50)}  # what had waited says so


async def test_a_store_that_is_away_does_not_hold_back_the_north(scene: Scene) -> None:
    senml = Host(scene.norths[0], read_senml)
    scene.influxdb.stop()
    async with senml.listening(), scene.crowd.talking():
        scene.gateway.start()
        await scene.crowd.record(30)
        await scene.until(lambda found: all(one.delivered == 300 for one in found.values()))
        await senml.until(lambda: len(senml.readings()) == 300)
        queued = of_nodes(await scene.gateway.until(lambda accounts: of_nodes(accounts).produced == 300))
        assert (queued.stored, queued.queued) == (0, 300)
        scene.influxdb.start()
        await scene.stored(300)
    assert senml.readings() == scene.made()


async def test_killed_in_the_middle_a_gateway_hands_on_each_reading_at_least_once(scene: Scene) -> None:
    reader = SparkplugReader()
    senml, sparkplug = Host(scene.norths[0], read_senml), Host(scene.norths[1], reader)
    async with senml.listening(), sparkplug.listening(), scene.crowd.talking():
        for kill in range(3):
            scene.gateway.start()
            producing = asyncio.create_task(scene.crowd.record(150))
            await scene.until(lambda found, least=kill * 1500 + 100: found["sparkplug"].delivered > least)
            scene.gateway.kill()
            await producing
        scene.gateway.start()
        await scene.crowd.drained()
        await scene.until(lambda found: all(one.delivered == 4500 for one in found.values()))
        await scene.stored(4500)
        for host in (senml, sparkplug):
            await host.until(lambda host=host: len(host.readings()) == 4500)
    for host in (senml, sparkplug):
        assert set(host.readings()) == set(scene.made())
    assert reader.bd_seqs == list(range(reader.births)) and reader.births >= 3


async def test_what_there_is_no_room_for_is_given_up_and_counted(scene: Scene) -> None:
    scene.configure(senml="most_mb = 0.02")
    senml = Host(scene.norths[0], read_senml)
    async with senml.listening(), scene.crowd.talking():
        scene.norths[0].stop()
        scene.gateway.start()
        await scene.crowd.record(100)
        await scene.crowd.drained()
        tallies = await scene.until(
            lambda found: found["senml"].taken == 1000 and found["senml"].waiting_bytes <= 0.02 * 1024 * 1024
        )
        waiting, given_up = tallies["senml"].waiting, tallies["senml"].given_up
        assert waiting > 0 and given_up == {"no_room": 1000 - waiting}
        await scene.stored(1000)
        scene.norths[0].start()
        await scene.until(lambda found: found["senml"].delivered == waiting)
        await senml.until(lambda: len(senml.readings()) == waiting)
    assert senml.readings() <= scene.made()
    told = scene.gateway.ledger_command()["north"]
    assert told[0]["reasons"] == {"no_room": 1000 - waiting} and told[0]["balanced"]  # type: ignore[index]


async def test_a_host_that_asks_for_it_hears_all_births_again(scene: Scene) -> None:
    reader = SparkplugReader()
    sparkplug = Host(scene.norths[1], reader)
    async with sparkplug.listening(), scene.crowd.talking():
        scene.gateway.start()
        await scene.crowd.record(5)
        await sparkplug.until(lambda: len(sparkplug.readings()) == 50)
        await sparkplug.tell("spBv1.0/city/NCMD/gw-01", REBIRTH)
        await sparkplug.until(lambda: reader.births == 2)
        await scene.crowd.record(5)
        await sparkplug.until(lambda: len(sparkplug.readings()) == 100)
    assert reader.bd_seqs == [0, 0]  # the connection is the same, and so is its will


NAME = b"Node Control/Rebirth"
_METRIC = b"\x0a" + bytes([len(NAME)]) + NAME + b"\x20\x0b\x70\x01"  # a true boolean
REBIRTH = b"\x08\x01\x12" + bytes([len(_METRIC)]) + _METRIC
