"""The MQTT source on a real Mosquitto: nothing is acknowledged before its commit, and all comes again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiomqtt
import pytest
from servers import Mosquitto

from edge.protocol.topics import Leaf, topic
from gateway.arrival import Arrival, Inbox
from gateway.sources.mqtt import MqttConfig, MqttSource


@asynccontextmanager
async def connected(
    broker: Mosquitto, inbox: Inbox, gateway: str = "gw-01", nodes: set[str] | None = None
) -> AsyncIterator[MqttSource]:
    """A source that stands, ended at the end; with `nodes`, one that asks for these alone."""
    config = MqttConfig(url=broker.url, subscribe="all" if nodes is None else "registered")
    source = MqttSource(config, gateway, inbox, registered=lambda: nodes or ())
    job = asyncio.create_task(source.run())
    try:
        async with asyncio.timeout(20):
            await source.subscribed.wait()
        yield source
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)


async def publish(broker: Mosquitto, *payloads: bytes) -> None:
    """Publish as a node does."""
    async with aiomqtt.Client(broker.host, broker.port) as client:
        for payload in payloads:
            await client.publish(topic("ys-07", Leaf.DATA), payload, qos=1)


async def take(inbox: Inbox, count: int) -> list[bytes]:
    """Wait for `count` messages and return their payloads."""
    found: list[bytes] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += [arrival.payload for arrival in await inbox.take(1000)]
    return found


async def settle(broker: Mosquitto, source: MqttSource, arrivals: list[Arrival]) -> None:
    """Settle and wait until the broker knows: what it has not read when a connection ends comes again."""
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe(topic("ys-07", Leaf.ACK))
        source.settle(arrivals)
        source.send(topic("ys-07", Leaf.ACK), b"behind the acknowledgements")
        async with asyncio.timeout(20):
            await anext(aiter(client.messages))


@pytest.mark.real
async def test_what_was_not_settled_comes_again_after_a_crash(mosquitto: Mosquitto) -> None:
    sent = [b"%d" % i for i in range(50)]
    inbox = Inbox(1000)
    async with connected(mosquitto, inbox) as source:
        await publish(mosquitto, *sent)
        async with asyncio.timeout(20):
            first = await inbox.take(10)
        await settle(mosquitto, source, first)
        settled = [arrival.payload for arrival in first]
    again = Inbox(1000)
    async with connected(mosquitto, again):
        await publish(mosquitto, b"end")
        expected = [payload for payload in [*sent, b"end"] if payload not in settled]
        assert sorted(await take(again, len(expected))) == sorted(expected)


@pytest.mark.real
async def test_a_mark_of_an_earlier_connection_acknowledges_nothing(mosquitto: Mosquitto) -> None:
    inbox = Inbox(1000)
    async with connected(mosquitto, inbox) as source:
        await publish(mosquitto, b"old")
        async with asyncio.timeout(20):
            (old,) = await inbox.take(1)
        source.subscribed.clear()
        mosquitto.stop()
        mosquitto.start()
        async with asyncio.timeout(20):
            await source.subscribed.wait()
        assert await take(inbox, 1) == [b"old"]
        source.settle([old])
    again = Inbox(1000)
    async with connected(mosquitto, again):
        assert await take(again, 1) == [b"old"]


@pytest.mark.real
async def test_a_full_inbox_stops_reading_and_loses_nothing(mosquitto: Mosquitto) -> None:
    inbox = Inbox(5)
    async with connected(mosquitto, inbox) as source:
        sent = [b"%d" % i for i in range(200)]
        await publish(mosquitto, *sent)
        found: list[bytes] = []
        async with asyncio.timeout(30):
            while len(found) < len(sent):
                batch = await inbox.take(1000)
                assert len(batch) < 50
                found += [arrival.payload for arrival in batch]
                source.settle(batch)
        assert found == sent


@pytest.mark.real
async def test_it_waits_for_a_broker_that_is_not_there_yet(mosquitto: Mosquitto) -> None:
    mosquitto.stop()
    inbox = Inbox(10)
    source = MqttSource(MqttConfig(url=mosquitto.url), "gw-01", inbox)
    job = asyncio.create_task(source.run())
    async with asyncio.timeout(30):
        await source.failed.wait()
        assert "cannot reach the broker" in source.trouble
        mosquitto.start()
        await source.subscribed.wait()
    assert source.trouble == ""
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)


async def tell(broker: Mosquitto, *nodes: str) -> None:
    """Publish a message of each node, its name."""
    async with aiomqtt.Client(broker.host, broker.port) as client:
        for node in nodes:
            await client.publish(topic(node, Leaf.DATA), node.encode(), qos=1)


@pytest.mark.real
async def test_gateways_share_a_broker_without_sharing_a_node(mosquitto: Mosquitto) -> None:
    many = {f"lamp-{number:04d}" for number in range(1200)}
    one, other = Inbox(10_000), Inbox(10_000)
    async with (
        connected(mosquitto, one, "gw-01", {"ys-07", *many}),
        connected(mosquitto, other, "gw-02", {"ys-08"}),
    ):
        await tell(mosquitto, *sorted(many), "ys-08", "ys-07", "stranger", "ys-08")
        assert set(await take(one, 1201)) == {name.encode() for name in (*many, "ys-07")}
        assert await take(other, 2) == [b"ys-08", b"ys-08"]


@pytest.mark.real
async def test_a_node_that_is_given_to_another_gateway_leaves_the_first(mosquitto: Mosquitto) -> None:
    nodes, inbox = {"ys-07", "ys-08"}, Inbox(100)
    async with connected(mosquitto, inbox, nodes=nodes) as source:
        await tell(mosquitto, "ys-07", "ys-08")
        assert await take(inbox, 2) == [b"ys-07", b"ys-08"]
        nodes.remove("ys-07")
        nodes.add("ys-09")
        source.subscribed.clear()
        source.roster_changed()
        async with asyncio.timeout(20):
            await source.subscribed.wait()
        await tell(mosquitto, "ys-07", "ys-08", "ys-09")
        assert await take(inbox, 2) == [b"ys-08", b"ys-09"]


@pytest.mark.real
async def test_a_node_that_was_registered_is_heard_at_once(mosquitto: Mosquitto) -> None:
    nodes, inbox = {"ys-07"}, Inbox(100)
    async with connected(mosquitto, inbox, nodes=nodes) as source:
        nodes.add("ys-08")
        source.subscribed.clear()
        source.roster_changed()
        async with asyncio.timeout(20):
            await source.subscribed.wait()
        await tell(mosquitto, "ys-08")
        assert await take(inbox, 1) == [b"ys-08"]
