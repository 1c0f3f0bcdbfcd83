"""The district over a real broker: all nodes speak, every reading is counted, a restart goes on."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import servers
from peer import Peer

from edge.agent import scale
from edge.boot import start_of
from edge.broker import BrokerAddress
from edge.model.errors import ConfigError
from edge.model.kinds import KINDS
from edge.outbox import Counts
from simulators.city import City, load_city
from simulators.clock import SimulatedTime
from simulators.fleet import CONCENTRATED, Fleet, FleetConfig, VirtualSensor, run_fleet
from simulators.sensor_faults import NO_FAULTS, FaultConfig

LIVELY = FleetConfig(period_scale=0.02, connects_per_s=200, first_within_s=1.0, faults=NO_FAULTS)


@pytest.fixture(scope="module")
def city() -> City:
    return load_city(1, lamps=40)


@pytest.fixture
async def peer(mosquitto: servers.Mosquitto) -> AsyncIterator[Peer]:
    async with Peer(mosquitto.host, mosquitto.port) as peer:
        yield peer


async def test_every_node_is_born_and_every_reading_is_acknowledged(
    city: City, mosquitto: servers.Mosquitto, peer: Peer
) -> None:
    async with Fleet(city, BrokerAddress.parse(mosquitto.url), boot=4, config=LIVELY) as fleet:
        fleet.start_producing()
        await peer.until(lambda: {node for node, _, _ in peer.rows} == {node.id for node in city.nodes})
        fleet.stop_producing()
        assert await fleet.drain(20)
        totals = fleet.totals()
    assert set(peer.births) == {node.id for node in city.nodes}
    assert {birth.boot for birth in peer.births.values()} == {4}
    for node, counts in totals.items():
        assert counts == Counts(produced=counts.produced, acknowledged=counts.produced)
        assert peer.numbers(node) == [(4, seq) for seq in range(counts.produced)]
    assert not peer.faults
    await peer.until(lambda: len(peer.deaths) == len(city.nodes))


async def test_values_on_the_wire_are_those_of_the_physics(
    city: City, mosquitto: servers.Mosquitto, peer: Peer
) -> None:
    stop = asyncio.Event()
    run = asyncio.create_task(
        run_fleet(city, BrokerAddress.parse(mosquitto.url), boot=1, stop=stop, config=LIVELY)
    )
    await peer.until(lambda: len(peer.rows) > 300)
    stop.set()
    ledger = await run
    assert sum(counts.held for counts in ledger.values()) == 0
    by_id = {node.id: node for node in city.nodes}
    for (node_id, _, _), (t_ms, _, integers) in peer.rows.items():
        node = by_id[node_id]
        sensor = VirtualSensor(city, node, KINDS[node.kind].period_s * LIVELY.period_scale, NO_FAULTS)
        sensed = sensor.sample(t_ms)
        assert sensed is not None
        assert scale(peer.columns(node_id), sensed) == integers


async def test_a_past_can_be_remembered_and_goes_to_replay(
    city: City, mosquitto: servers.Mosquitto, peer: Peer
) -> None:
    async with Fleet(city, BrokerAddress.parse(mosquitto.url), boot=1, config=LIVELY) as fleet:
        await fleet.remember(span_s=6 * 3600, step_s=900)
        assert await fleet.drain(30)
        counts = fleet.totals()[city.nodes[0].id]
    assert 23 <= counts.produced <= 25
    assert peer.leaves[city.nodes[0].id] == {"replay"}


def test_lamps_share_links_and_stations_have_their_own(city: City) -> None:
    address = BrokerAddress.parse("mqtt://127.0.0.1")
    own = sum(node.kind not in CONCENTRATED for node in city.nodes)
    shared = len(city.nodes) - own
    assert Fleet(city, address, boot=1).links == own + -(-shared // 20)
    assert Fleet(city, address, boot=1, config=FleetConfig(nodes_per_link=1)).links == len(city.nodes)


def test_thousands_of_nodes_fit_under_the_limit_of_a_small_broker() -> None:
    many = load_city(1, lamps=6_000)
    fleet = Fleet(many, BrokerAddress.parse("mqtt://127.0.0.1"), boot=1)
    assert len(many.nodes) > 6_000
    assert fleet.links < 450


async def test_a_fleet_without_a_broker_keeps_its_readings_and_ends_cleanly(city: City, free_port: int) -> None:
    address = BrokerAddress.parse(f"mqtt://127.0.0.1:{free_port}")
    async with Fleet(city, address, boot=1, config=LIVELY) as fleet:
        await fleet.remember(span_s=3600, step_s=600)
        fleet.stop_producing()
        assert not await fleet.drain(0.2)
        counts = fleet.counts
    assert counts.held == counts.produced >= 5 * len(city.nodes)
    assert len(asyncio.all_tasks()) == 1


def test_a_silent_node_makes_no_reading(city: City) -> None:
    sensor = VirtualSensor(city, city.nodes[0], 60, FaultConfig(silent_share=1.0))
    assert sensor.sample(1_790_000_000_000) is None


async def test_simulated_time_runs_as_fast_as_told() -> None:
    before_s = time.monotonic()
    clock = SimulatedTime(speed=1_000, start_ms=1_000_000)
    begun_s = time.monotonic()
    await clock.sleep_until(1_060_000)
    asked_s = time.monotonic()
    passed_ms = clock.now_ms() - 1_000_000
    assert passed_ms >= 59_000
    assert (asked_s - begun_s) * 1e6 - 1 <= passed_ms <= (time.monotonic() - before_s) * 1e6 + 1


def test_time_does_not_stand_still() -> None:
    with pytest.raises(ConfigError, match="speed 0"):
        SimulatedTime(speed=0)


async def test_the_command_runs_the_district_for_a_while_and_accounts_for_it(
    mosquitto: servers.Mosquitto, peer: Peer, tmp_path: Path
) -> None:
    words = [
        "fleet",
        "--broker",
        mosquitto.url,
        "--data",
        str(tmp_path),
        "--lamps",
        "5",
        "--for",
        "4",
        "--json",
    ]
    front_door = "import typer; from simulators import cli; app = typer.Typer()\n" + "".join(
        f"app.command()(cli.{command})\n" for command in ("fleet", "replay")
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"{front_door}app()", *words, stdout=asyncio.subprocess.PIPE
    )
    told = json.loads((await child.communicate())[0])
    assert child.returncode == 0
    assert told["produced"] == told["acknowledged"] == len(peer.rows) > 0
    assert (start_of(told["boot"]), told["held"], told["dropped"]) == (1, 0, 0)
