"""The node agent over a real broker: nothing is lost, whatever happens to the link."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import aiomqtt
import pytest
import servers
from peer import Peer

from edge.agent import (
    AgentConfig,
    NodeAgent,
    Sampled,
    SystemTime,
    Trust,
    sample_forever,
    scale,
)
from edge.broker import BrokerAddress
from edge.computer import run_agent
from edge.link import Link, LinkConfig, hear_out
from edge.model.errors import ConfigError
from edge.model.node import Node, node_id
from edge.model.quality import Clock
from edge.outbox import Counts, OutboxConfig
from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import Ack, Column, decode_birth, decode_pack, encode_ack

COLUMNS = (Column("level_m", 3), Column("water_temperature_c", 2))
FAST = AgentConfig(flush_s=0.02, outbox=OutboxConfig(resend_s=0.3))
FAST_LINK = LinkConfig(retry_first_s=0.05, retry_limit_s=0.2)


def stage_station(name: str = "ys-07") -> Node:
    return Node(
        id=node_id(name), kind="water_level", label_en=name, label_zh=name, site="canal", district="yangpu"
    )


class Ramp:
    """Senses 0, 1, 2, ... so that a missing or repeated reading shows."""

    columns = COLUMNS

    def __init__(self) -> None:
        self._sensed = 0
        self._goal = 0
        self._reached = asyncio.Event()

    def sample(self, now_ms: int) -> tuple[float | None, ...]:
        self._sensed += 1
        if self._sensed >= self._goal:
            self._reached.set()
        return self._sensed - 1, None

    async def reaches(self, readings: int) -> None:
        self._goal = readings
        self._reached.clear()
        await self._reached.wait()


def agent_with(readings: int, *, t_ms: int | None = None, config: AgentConfig = FAST) -> NodeAgent:
    agent = NodeAgent(stage_station(), COLUMNS, 3, SystemTime(), config=config)
    t_ms = SystemTime().now_ms() if t_ms is None else t_ms
    for number in range(readings):
        agent.record(t_ms, Clock.SYNCED, (number, None), 0.0)
    return agent


@pytest.fixture
async def peer(mosquitto: servers.Mosquitto) -> AsyncIterator[Peer]:
    async with Peer(mosquitto.host, mosquitto.port) as peer:
        yield peer


def test_values_become_the_nearest_integers_and_what_is_no_number_becomes_none() -> None:
    assert scale(COLUMNS, (3.12, 18.249)) == (3120, 1825)
    assert scale(COLUMNS, (float("nan"), float("inf"))) == (None, None)
    assert scale(COLUMNS, (1e300, None)) == (None, None)


def test_a_sampler_with_the_wrong_number_of_values_is_told_so() -> None:
    with pytest.raises(ConfigError, match="1 values for 2 columns"):
        scale(COLUMNS, (3.12,))


def test_an_agent_speaks_first_of_itself_then_of_its_readings() -> None:
    agent = agent_with(2)
    birth = agent.next_message(0.0)
    assert birth is not None
    assert birth.retain
    assert birth.topic == topic("ys-07", Leaf.BIRTH)
    announced = decode_birth(birth.payload)
    assert (announced.boot, announced.oldest, announced.next_seq, announced.columns) == (3, (3, 0), 2, COLUMNS)
    data = agent.next_message(1.0)
    assert data is not None
    assert data.topic == topic("ys-07", Leaf.DATA)
    assert not data.retain
    assert [row[1] for row in decode_pack(data.payload).rows] == [0, 1]
    assert agent.next_message(1.0) is None


def test_readings_wait_for_company_but_not_longer_than_the_flush_time() -> None:
    agent = agent_with(1, config=AgentConfig(flush_s=5, pack_rows=3))
    agent.next_message(0.0)
    assert agent.due_s(0.0) == 5
    assert agent.next_message(4.9) is None
    agent.record(0, Clock.SYNCED, (1, None), 4.9)
    agent.record(0, Clock.SYNCED, (2, None), 4.9)
    assert agent.due_s(4.9) == 0
    assert agent.next_message(4.9) is not None


def test_old_readings_go_to_replay() -> None:
    agent = agent_with(1, t_ms=SystemTime().now_ms() - 3_600_000)
    agent.next_message(9.0)
    message = agent.next_message(9.0)
    assert message is not None
    assert message.topic == topic("ys-07", Leaf.REPLAY)


def test_an_agent_that_is_asked_for_what_it_dropped_says_again_what_it_has() -> None:
    agent = agent_with(5, config=AgentConfig(outbox=OutboxConfig(capacity_rows=2, resend_s=1)))
    while agent.next_message(9.0, flush=True):
        pass
    agent.acknowledged(encode_ack(Ack(3, 0, ((0, 2),))), 20.0)
    message = agent.next_message(20.0)
    assert message is not None
    assert decode_birth(message.payload).oldest == (3, 3)


def test_a_malformed_acknowledgement_changes_nothing() -> None:
    agent = agent_with(1)
    assert agent.acknowledged(b"\xff", 0.0) == 0
    assert agent.counts == Counts(produced=1, held=1)


def test_an_agent_whose_window_is_full_sleeps_until_the_resend() -> None:
    agent = agent_with(5, config=AgentConfig(flush_s=0, outbox=OutboxConfig(window_rows=2, resend_s=7)))
    while agent.next_message(0.0):
        pass
    assert agent.due_s(0.0) == 7


async def test_an_agent_delivers_what_it_senses_and_says_goodbye(
    mosquitto: servers.Mosquitto, peer: Peer
) -> None:
    stop = asyncio.Event()
    run = asyncio.create_task(
        run_agent(
            stage_station(),
            Ramp(),
            BrokerAddress.parse(mosquitto.url),
            boot=1,
            stop=stop,
            period_s=0.02,
            config=FAST,
        )
    )
    await peer.until(lambda: len(peer.rows) >= 20)
    stop.set()
    counts = await run
    assert counts.held == counts.dropped == 0
    assert [values[2][0] for _, values in sorted(peer.rows.items())] == [
        n * 1000 for n in range(counts.produced)
    ]
    await peer.until(lambda: peer.deaths == [("ys-07", 1)])
    assert peer.births["ys-07"].period_s == 0.02


async def test_a_broker_that_goes_away_delays_readings_but_loses_none(
    mosquitto: servers.Mosquitto, peer: Peer
) -> None:
    sampler = Ramp()
    agent = NodeAgent(stage_station(), COLUMNS, 1, SystemTime(), period_s=0.005, config=FAST)
    link = Link([agent], BrokerAddress.parse(mosquitto.url), client_id="ys-07", config=FAST_LINK)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(link.run())
        sampling = tasks.create_task(sample_forever([Sampled(agent, sampler)], SystemTime()))
        await peer.until(lambda: len(peer.rows) >= 50)
        for outage in (mosquitto.stop, mosquitto.kill):
            await asyncio.to_thread(outage)
            await sampler.reaches(agent.counts.produced + 40)
            await asyncio.to_thread(mosquitto.start)
            seen = len(peer.rows)
            await peer.until(lambda seen=seen: len(peer.rows) > seen + 50)
        sampling.cancel()
        await link.drain(30)
        link.stop()
    counts = agent.counts
    assert counts.produced == counts.acknowledged > 120
    assert peer.numbers("ys-07") == [(1, seq) for seq in range(counts.produced)]
    assert [peer.rows["ys-07", 1, seq][2][0] for seq in range(counts.produced)] == [
        seq * 1000 for seq in range(counts.produced)
    ]
    assert link.connections >= 3


async def test_readings_that_nobody_acknowledges_are_sent_again_until_somebody_does(
    mosquitto: servers.Mosquitto, peer: Peer
) -> None:
    peer.deaf = True
    agent = agent_with(10)
    link = Link([agent], BrokerAddress.parse(mosquitto.url), client_id="ys-07", config=FAST_LINK)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(link.run())
        await peer.until(lambda: peer.copies >= 10)
        assert agent.counts.held == 10
        peer.deaf = False
        await link.drain(20)
        link.stop()
    assert agent.counts == Counts(produced=10, acknowledged=10)


async def test_a_concentrator_carries_many_nodes_on_one_connection(
    mosquitto: servers.Mosquitto, peer: Peer
) -> None:
    agents = [NodeAgent(stage_station(f"ys-{n:02}"), COLUMNS, 1, SystemTime(), config=FAST) for n in range(20)]
    for agent in agents:
        agent.record(SystemTime().now_ms(), Clock.SYNCED, (1, 2), 0.0)
    link = Link(agents, BrokerAddress.parse(mosquitto.url), client_id="pillar-1", config=FAST_LINK)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(link.run())
        await link.drain(20)
        link.stop()
    assert link.counts == Counts(produced=20, acknowledged=20)
    assert len(peer.births) == len(peer.rows) == 20


async def test_the_last_will_speaks_for_a_node_that_vanishes_and_names_its_boot(
    mosquitto: servers.Mosquitto, peer: Peer
) -> None:
    agent = agent_with(1)
    link = Link([agent], BrokerAddress.parse(mosquitto.url), client_id="ys-07", config=FAST_LINK)
    run = asyncio.create_task(link.run())
    await link.drain(20)
    async with aiomqtt.Client(mosquitto.host, mosquitto.port, identifier="ys-07"):
        await peer.until(lambda: ("ys-07", 3) in peer.deaths)
    link.stop()
    await run


async def test_a_link_without_a_broker_keeps_trying_and_can_be_cancelled(free_port: int) -> None:
    agent = agent_with(1)
    link = Link([agent], BrokerAddress.parse(f"mqtt://127.0.0.1:{free_port}"), client_id="x", config=FAST_LINK)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await link.run()
    assert agent.counts.held == 1


def test_a_clock_that_shows_a_time_again_is_not_believed_until_it_has_passed_it() -> None:
    trust = Trust(began_ms=1_000)
    times = (1_000, 1_200, 1_400, 400, 600, 1_400, 1_600)
    synced, estimated = Clock.SYNCED, Clock.ESTIMATED
    assert [trust.state(t_ms, synced) for t_ms in times] == [
        estimated, synced, synced, estimated, estimated, estimated, synced,
    ]  # fmt: skip
    assert trust.state(1_600, Clock.UNKNOWN) is Clock.UNKNOWN


async def test_readings_after_a_clock_was_set_back_are_stamped_as_estimated() -> None:
    class SetBack:
        """Shows 0.2 s more at each sleep, and falls back by 1 s once."""

        state = Clock.SYNCED

        def __init__(self) -> None:
            self.shows_ms = 1_760_000_000_000
            self.sleeps = 0

        def now_ms(self) -> int:
            return self.shows_ms

        async def sleep_until(self, t_ms: int) -> None:
            await asyncio.sleep(0)
            self.sleeps += 1
            self.shows_ms = t_ms - 2_000 if self.sleeps == 4 else t_ms

    agent = agent_with(0)
    agent.period_s = 0.2
    sampler = Ramp()
    sampling = asyncio.create_task(sample_forever([Sampled(agent, sampler)], SetBack()))
    async with asyncio.timeout(20):
        await sampler.reaches(20)
    sampling.cancel()
    packs = []
    while pack := agent.outbox.next_pack(0.0, 60):
        packs.append((pack.clock, len(pack.rows)))
    assert [clock for clock, _ in packs] == [Clock.SYNCED, Clock.ESTIMATED, Clock.SYNCED]
    assert packs[0][1] == 3 and packs[1][1] == 10


async def test_the_end_of_a_connection_that_comes_late_is_still_looked_at() -> None:
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["message"]))
    client = aiomqtt.Client(servers.HOST, servers.free_port())
    hear_out(client)
    client._disconnected.set_exception(aiomqtt.MqttError("gone"))
    await asyncio.sleep(0)
    del client
    gc.collect()
    assert told == []
