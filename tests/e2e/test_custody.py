"""Custody end to end, on real Mosquitto and InfluxDB: kills and outages delay readings and lose none."""

import asyncio
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import pytest
from city_rig import T0_MS, Crowd, GatewayProcess, registered
from servers import InfluxDB, Mosquitto

from edge.protocol.topics import Leaf, topic
from gateway.account import Counts
from gateway.statement import read_quarantine

pytestmark = pytest.mark.real

Accounts = dict[str, Counts]


@pytest.fixture
def gateway(tmp_path: Path, mosquitto: Mosquitto, influxdb: InfluxDB) -> Iterator[GatewayProcess]:
    """A gateway between the real broker and the real store."""
    nodes = [registered(f"node-{index:03}") for index in range(40)]
    found = GatewayProcess(tmp_path / "gw", mosquitto, f'url = "{influxdb.url}"\napi = "v1"', nodes)
    try:
        yield found
    finally:
        found.kill()


def stored(influxdb: InfluxDB) -> dict[str, tuple[int, float]]:
    """Return count and sum of level_m of each node, as the store has them."""
    rows = influxdb.rows("SELECT COUNT(level_m) AS n, SUM(level_m) AS s FROM water_level GROUP BY node")
    return {row["node"]: (row["n"], pytest.approx(row["s"])) for row in rows}


def of_crowd(accounts: Accounts) -> Counts:
    """Return the account of the nodes of a crowd together."""
    return sum((counts for node, counts in accounts.items() if node.startswith("node-")), Counts())


def all_there(crowd: Crowd, gateway: GatewayProcess, influxdb: InfluxDB) -> None:
    """Assert that every reading is stored exactly once, and that the ledger says so."""
    expected = crowd.expected()
    assert stored(influxdb) == expected
    times = influxdb.rows("SELECT FIRST(level_m), LAST(level_m) FROM water_level GROUP BY node")
    assert len(times) == len(expected)
    document = gateway.ledger_command()
    by_node = {row["node"]: row for row in document["nodes"]}  # type: ignore[attr-defined]
    for node, (count, _) in expected.items():
        assert by_node[node] == {
            "node": node, "produced": count, "stored": count, "queued": 0, "dropped": 0, "quarantined": 0,
            "missing": 0, "reasons": {}, "balanced": True,
        }  # fmt: skip
    assert document["total"]["balanced"] is True  # type: ignore[index]


async def test_killed_in_the_middle_a_gateway_loses_and_doubles_nothing(
    mosquitto: Mosquitto, influxdb: InfluxDB, gateway: GatewayProcess
) -> None:
    crowd = Crowd(mosquitto, 40)
    gateway.start()
    async with crowd.talking():
        for _ in range(3):
            before = of_crowd(gateway.accounts()).stored
            producing = asyncio.create_task(crowd.record(200))
            await gateway.until(lambda accounts, before=before: of_crowd(accounts).stored > before + 2000)
            gateway.kill()
            await producing
            gateway.start()
        await crowd.drained()
        await gateway.until(lambda accounts: of_crowd(accounts).stored == 40 * 600)
    all_there(crowd, gateway, influxdb)


async def test_a_store_that_is_away_delays_readings_and_loses_none(
    mosquitto: Mosquitto, influxdb: InfluxDB, gateway: GatewayProcess
) -> None:
    crowd = Crowd(mosquitto, 40)
    gateway.start()
    async with crowd.talking():
        await crowd.record(100)
        await gateway.until(lambda accounts: of_crowd(accounts).stored > 1000)
        influxdb.stop()
        await crowd.record(100)
        await crowd.drained()  # nodes are relieved while the store is away
        waiting = of_crowd(await gateway.until(lambda accounts: of_crowd(accounts).produced == 40 * 200))
        assert waiting.queued > 0 and waiting.balanced and waiting.stored + waiting.queued == 40 * 200
        assert gateway.stop() == 0
        gateway.start()  # the backlog outlives a restart
        influxdb.start()
        await gateway.until(lambda accounts: of_crowd(accounts).stored == 40 * 200)
    all_there(crowd, gateway, influxdb)


async def test_another_store_and_other_settings_find_the_backlog_where_it_was(
    mosquitto: Mosquitto, influxdb: InfluxDB, gateway: GatewayProcess
) -> None:
    crowd = Crowd(mosquitto, 20)
    settings = gateway.config.read_text()
    gateway.config.write_text(settings.replace("[store]", '[store]\ndatabase = "nowhere"'))
    gateway.start()
    async with crowd.talking():
        await crowd.record(100)
        await crowd.drained()
        waiting = of_crowd(await gateway.until(lambda accounts: of_crowd(accounts).produced == 20 * 100))
        assert waiting.queued == 20 * 100
        assert gateway.stop() == 0
        gateway.config.write_text(
            settings.replace("[forward]", "[commit]\nmost_messages = 7\n[forward]\nbatch_lines = 90")
        )
        gateway.start()
        await gateway.until(lambda accounts: of_crowd(accounts).stored == 20 * 100)
    all_there(crowd, gateway, influxdb)


async def test_a_broker_that_dies_loses_no_reading(
    mosquitto: Mosquitto, influxdb: InfluxDB, gateway: GatewayProcess
) -> None:
    crowd = Crowd(mosquitto, 20)
    gateway.start()
    async with crowd.talking():
        await crowd.record(50)
        await gateway.until(lambda accounts: of_crowd(accounts).stored > 300)
        mosquitto.kill()
        await crowd.record(50)
        mosquitto.start()
        await crowd.record(50)
        await crowd.drained()
        await gateway.until(lambda accounts: of_crowd(accounts).stored == 20 * 150)
    all_there(crowd, gateway, influxdb)


def hostile(shared_data: Path) -> list[bytes]:
    """Return every hostile payload: JSON cases, malformed CBOR, naughty strings."""
    with zipfile.ZipFile(shared_data / "json-hostile/cases.zip") as cases:
        payloads = [cases.read(name) for name in cases.namelist()]
    malformed = json.loads((shared_data / "cbor-vectors/malformed.json").read_text(encoding="utf-8"))
    payloads += [bytes.fromhex(text) for text in malformed]
    strings = json.loads((shared_data / "naughty-strings/strings.json").read_text(encoding="utf-8"))
    return payloads + [text.encode("utf-8", "surrogatepass") for text in strings]


async def test_hostile_input_is_quarantined_to_the_last_and_harms_no_neighbour(
    mosquitto: Mosquitto, influxdb: InfluxDB, gateway: GatewayProcess, shared_data: Path
) -> None:
    payloads = hostile(shared_data)
    assert len(payloads) == 160 + 284 + 258
    crowd = Crowd(mosquitto, 20)
    gateway.start()
    async with crowd.talking(), aiomqtt.Client(mosquitto.host, mosquitto.port, identifier="mallory") as mallory:
        await crowd.record(20)
        await gateway.until(lambda accounts: of_crowd(accounts).stored > 0)
        producing = asyncio.create_task(crowd.record(150))
        for index, payload in enumerate(payloads):
            await mallory.publish(topic(f"node-{index % 20:03}", Leaf.DATA), payload, qos=1)
        await producing
        await crowd.drained()
        accounts = await gateway.until(
            lambda accounts: of_crowd(accounts) == of_crowd(accounts) and of_crowd(accounts).stored == 20 * 170
            and of_crowd(accounts).quarantined == len(payloads)
        )  # fmt: skip
    count, entries = read_quarantine(gateway.journal, 1000)
    assert count == len(payloads)
    assert {bytes(entry["payload"]) for entry in entries} == set(payloads)
    assert all(entry["reason"] and entry["node"] and entry["time_ms"] > T0_MS for entry in entries)
    total = of_crowd(accounts)
    assert total.balanced and total.produced == 20 * 170 + len(payloads)
    assert stored(influxdb) == crowd.expected()
