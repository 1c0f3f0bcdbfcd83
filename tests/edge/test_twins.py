"""Two devices of one node id, on the broker as deployed: both are heard, and neither loses a reading."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import servers
from peer import Peer

from edge.agent import AgentConfig, NodeAgent, SystemTime
from edge.broker import BrokerAddress
from edge.link import Link, LinkConfig, client_id
from edge.model.node import Node, node_id
from edge.model.quality import Clock
from edge.outbox import OutboxConfig
from edge.protocol.wire import Column

FAST_LINK = LinkConfig(retry_first_s=0.05, retry_limit_s=0.2)
ROUNDS = 20


@pytest.fixture
async def closed_broker(tmp_path: Path) -> AsyncIterator[servers.Mosquitto]:
    """Mosquitto as deployed, with accounts and acl.conf; the gateway's is on it as well."""
    broker = servers.Mosquitto(tmp_path / "mosquitto", passwords={"gateway_account": "g", "ys-07": "n"})
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


def device(serial: str, boot: int) -> NodeAgent:
    node = Node(
        id=node_id("ys-07"), kind="water_level", label_en="", label_zh="", site="canal", district="yangpu"
    )
    config = AgentConfig(flush_s=0.01, serial=serial, outbox=OutboxConfig(resend_s=0.5))
    return NodeAgent(node, (Column("level_m", 3),), boot, SystemTime(), config=config)


def test_a_client_id_tells_devices_of_one_node_apart_and_is_the_nodes_own_without_a_serial() -> None:
    first, second = client_id("ys-07", "10000000c4a1f2b7"), client_id("ys-07", "10000000c4a1f2b8")
    assert first != second
    assert re.fullmatch(r"ys-07\.[0-9a-f]{8}", first)
    assert client_id("ys-07", "") == "ys-07"


async def test_twins_do_not_throw_each_other_off_and_lose_nothing(closed_broker: servers.Mosquitto) -> None:
    twins = [device("sn-a", 120_417), device("sn-b", 123_188)]
    address = BrokerAddress.parse(f"mqtt://ys-07:n@{closed_broker.host}:{closed_broker.port}")
    links = [
        Link([twin], address, client_id=client_id("ys-07", serial), config=FAST_LINK)
        for twin, serial in zip(twins, ("sn-a", "sn-b"), strict=True)
    ]
    async with (
        Peer(closed_broker.host, closed_broker.port, username="gateway_account", password="g") as peer,
        asyncio.TaskGroup() as tasks,
    ):
        for link in links:
            tasks.create_task(link.run())
        for seq in range(ROUNDS):
            for twin in twins:
                now_s = asyncio.get_running_loop().time()
                twin.record(SystemTime().now_ms(), Clock.SYNCED, (seq,), now_s)
            await asyncio.gather(*(link.drain(20) for link in links))
        for link in links:
            link.stop()
    assert [link.connections for link in links] == [1, 1]
    assert peer.numbers("ys-07") == [(boot, seq) for boot in (120_417, 123_188) for seq in range(ROUNDS)]
    assert peer.births["ys-07"].serial in {"sn-a", "sn-b"}
