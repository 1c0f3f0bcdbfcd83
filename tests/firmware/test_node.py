"""A whole node at a heap of 128 KB, on a real Mosquitto: what the gateway was not given, the node still has."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiomqtt
import pytest
import servers
from peer import Peer

from edge.boot import start_of
from edge.protocol.command import Command, Status, decode_reply, encode_command
from edge.protocol.topics import Leaf, parse_topic, topic
from edge.protocol.wire import Ack, encode_ack

if TYPE_CHECKING:
    from conftest import Node, TlsMosquitto

    StartNode = Callable[..., Awaitable[Node]]

HEAP_BYTES = 128 * 1024
LIVE_HEAP_BYTES = 96 * 1024
MOST_HEAP_KB = 96
LATER_MS = 4_000_000_000_000


async def test_a_node_announces_itself_and_its_outbox_empties(start_node: StartNode, peer: Peer) -> None:
    node = await start_node("stage-0001")
    await node.until(lambda: node.acknowledged >= 30 and node.held == 0)

    birth = peer.births["stage-0001"]
    assert [(column.quantity, column.decimals) for column in birth.columns] == [
        ("level_m", 3),
        ("water_temperature_c", 2),
    ]
    assert (birth.kind, birth.hardware, birth.period_s) == ("water_level", "unix", 0.05)
    assert (start_of(birth.boot), birth.serial) == (1, "e661640843325d2b")
    assert peer.numbers("stage-0001")[:30] == [(birth.boot, seq) for seq in range(30)]
    assert peer.faults == [] and node.dropped == 0
    for t_ms, clock, (level_mm, water_centidegrees) in peer.rows.values():
        assert clock in (0, 1) and t_ms > 1_763_683_200_000
        assert 1_900 <= level_mm <= 4_000 and 1_800 <= water_centidegrees < 1_900


async def test_a_broker_outage_delays_readings_but_loses_none(
    start_node: StartNode, peer: Peer, mosquitto: servers.Mosquitto
) -> None:
    node = await start_node("stage-0002", "heap")
    await node.until(lambda: node.acknowledged >= 20)

    mosquitto.stop()
    produced_at_stop = node.produced
    await node.until(lambda: node.held >= 60)
    mosquitto.start()
    await node.until(lambda: node.acknowledged >= produced_at_stop + 100 and node.held == 0)

    numbers = [seq for _, seq in peer.numbers("stage-0002")]
    assert numbers == list(range(len(numbers))) and len(numbers) >= node.acknowledged
    assert node.dropped == 0 and "replay" in peer.leaves["stage-0002"]
    print(f"heap with the code loaded, at its peak: {node.heap_bytes} of {HEAP_BYTES} bytes")
    assert 0 < node.heap_bytes < LIVE_HEAP_BYTES


async def test_a_broker_killed_in_the_middle_loses_none_either(
    start_node: StartNode, peer: Peer, mosquitto: servers.Mosquitto
) -> None:
    node = await start_node("stage-0003", period_ms=20, ack_timeout_s=1)
    for acknowledged in (10, 60, 120):
        await node.until(lambda least=acknowledged: node.acknowledged >= least)
        mosquitto.kill()
        mosquitto.start()
    produced = node.produced
    await node.until(lambda: node.acknowledged > produced)

    numbers = [seq for _, seq in peer.numbers("stage-0003")]
    assert numbers[:produced] == list(range(produced))


async def test_without_the_gateways_word_readings_are_kept_and_sent_again(
    start_node: StartNode, peer: Peer
) -> None:
    peer.deaf = True
    node = await start_node("stage-0004", ack_timeout_s=1)
    await peer.until(lambda: peer.copies >= 10)
    assert node.acknowledged == 0 and node.held == node.produced

    peer.deaf = False
    await node.until(lambda: node.acknowledged >= 30 and node.held == 0)
    assert node.dropped == 0


async def test_exactly_the_readings_asked_for_again_are_sent_again(
    start_node: StartNode, peer: Peer, mosquitto: servers.Mosquitto
) -> None:
    node = await start_node("stage-0010")
    await node.until(lambda: node.acknowledged >= 12)
    before = peer.copies

    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
        again = Ack(peer.births["stage-0010"].boot, 0, ((3, 5), (8, 8)))
        await client.publish(topic("stage-0010", Leaf.ACK), encode_ack(again), qos=1)
    await peer.until(lambda: peer.copies >= before + 4)
    produced = node.produced
    await node.until(lambda: node.acknowledged > produced)

    assert peer.copies == before + 4 and "replay" in peer.leaves["stage-0010"]


async def test_a_full_outbox_drops_the_oldest_and_says_so(
    start_node: StartNode, peer: Peer, mosquitto: servers.Mosquitto
) -> None:
    mosquitto.stop()
    node = await start_node("stage-0005", capacity_rows=8, outbox_kb=0)
    await node.until(lambda: node.dropped >= 20)
    mosquitto.start()
    await peer.until(lambda: "stage-0005" in peer.births and len(peer.numbers("stage-0005")) >= 10)

    boot, oldest = peer.births["stage-0005"].oldest
    assert start_of(boot) == 1 and oldest >= 20
    assert peer.numbers("stage-0005")[0][1] >= 20


async def test_a_power_cut_speaks_the_will_and_begins_a_new_boot(start_node: StartNode, peer: Peer) -> None:
    node = await start_node("stage-0006")
    await node.until(lambda: node.acknowledged >= 5)
    first = peer.births["stage-0006"].boot
    node.cut_power()
    await peer.until(lambda: ("stage-0006", first) in peer.deaths)

    again = await start_node("stage-0006")
    await again.until(lambda: again.acknowledged >= 5)
    second = peer.births["stage-0006"].boot
    assert (start_of(first), start_of(second)) == (1, 2)
    assert (second, 0) in peer.numbers("stage-0006")


async def test_damaged_counts_of_starts_do_not_keep_a_node_from_working(
    start_node: StartNode, peer: Peer, tmp_path: Path
) -> None:
    (tmp_path / "stage-0011" / "data").mkdir(parents=True)
    for name in ("boot", "boot.2"):
        (tmp_path / "stage-0011" / "data" / name).write_bytes(b"\xff\x00")
    node = await start_node("stage-0011")
    await node.until(lambda: node.acknowledged >= 5)
    assert start_of(peer.births["stage-0011"].boot) == 1
    assert sum("holds no count of starts" in line for line in node.lines) == 2


async def test_two_devices_of_one_node_id_are_both_heard_and_kept_apart(
    start_node: StartNode, peer: Peer
) -> None:
    twins = [await start_node("stage-0012", serial=serial, home=serial) for serial in ("twin-a", "twin-b")]
    for twin in twins:
        await twin.until(lambda twin=twin: twin.acknowledged >= 20)
    boots = {boot for boot, _ in peer.numbers("stage-0012")}
    assert len(boots) == 2
    assert not [line for twin in twins for line in twin.lines if "hung up" in line]


async def test_six_quantities_of_a_mains_meter_arrive(start_node: StartNode, peer: Peer) -> None:
    node = await start_node("lamp-0001", kind="power_meter", sensors=[{"driver": "pzem004t", "bus": "pzem"}])
    await node.until(lambda: node.acknowledged >= 5)

    t_ms_clock_values = peer.rows["lamp-0001", peer.births["lamp-0001"].boot, 0]
    assert t_ms_clock_values[2][1:] == (500, 1140, 2, 500, 99)
    assert len(peer.columns("lamp-0001")) == 6


async def test_settings_that_cannot_work_are_named_with_a_remedy(start_node: StartNode) -> None:
    node = await start_node("stage-0007", period_ms="often")
    await node.process.wait()

    assert any("period_ms is often, not within" in line for line in node.lines), json.dumps(node.lines)


ORDERS: list[tuple[str, dict[str, Any]]] = [
    ("status", {}), ("settings", {}), ("set", {"period_ms": 100}), ("sample", {}),
    ("identify", {"seconds": 1}), ("lamp", {"level_pct": 5}), ("status", {}),
]  # fmt: skip


async def command_all(broker: TlsMosquitto, first: int) -> list[bool]:
    """Give a node all ORDERS one after another, numbered from `first`; return which were done."""
    topics, words = set(), {}
    async with aiomqtt.Client(broker.host, broker.port, tls_params=broker.tls("node")) as client:
        await client.subscribe("cn/v1/stage-0008/+", qos=1)
        async for message in client.messages:
            _, leaf = parse_topic(str(message.topic))
            topics.add(leaf)
            if leaf is Leaf.REPLY and isinstance(message.payload, bytes):
                reply = decode_reply(message.payload)
                words[reply.id] = reply.status is Status.DONE
            if {Leaf.BIRTH, Leaf.DATA} <= topics and len(words) < len(ORDERS) and leaf is not Leaf.CMD:
                order = Command(first + len(words), *ORDERS[len(words)], LATER_MS)
                await client.publish(topic("stage-0008", Leaf.CMD), encode_command(order), qos=1)
            elif len(words) == len(ORDERS):
                break
    return [words[ident] for ident in sorted(words)]


@pytest.mark.parametrize("looked_at", [True, False])
async def test_a_node_with_a_certificate_obeys_within_a_heap_of_96_kb(
    looked_at: bool, start_node: StartNode, tls_mosquitto: TlsMosquitto, tmp_path: Path
) -> None:
    tls_mosquitto.issue("node", "stage-0008")
    (tmp_path / "stage-0008").mkdir()
    tls_mosquitto.der("node", tmp_path / "stage-0008")
    arguments = ["heap"] if looked_at else []

    tls = {"broker_port": tls_mosquitto.port, "broker_tls": True}
    node = await start_node("stage-0008", *arguments, heap_kw=MOST_HEAP_KB, ack_timeout_s=1, **tls)
    for connection in (1, 2):
        done = await command_all(tls_mosquitto, 100 * connection)
        assert done == [True, True, True, True, True, False, True], node.lines
        tls_mosquitto.stop()
        tls_mosquitto.start()

    if looked_at:
        print(f"heap with TLS and commands, at its peak: {node.heap_bytes} of {MOST_HEAP_KB * 1024} bytes")
    assert node.process.returncode is None and not [line for line in node.lines if "MemoryError" in line]


async def test_a_node_without_a_certificate_of_ours_stays_out(
    start_node: StartNode, tls_mosquitto: TlsMosquitto, tmp_path: Path
) -> None:
    stranger = type(tls_mosquitto)(tmp_path / "stranger")
    stranger.issue("node", "stage-0009")
    (tmp_path / "stage-0009").mkdir()
    stranger.der("node", tmp_path / "stage-0009")

    node = await start_node("stage-0009", broker_port=tls_mosquitto.port, broker_tls=True)
    await node.until(
        lambda: any(line.startswith("no TLS: The certificate is not correctly") for line in node.lines)
    )

    assert not any(line.startswith("connected") for line in node.lines) and node.held == node.produced


async def test_the_brokers_certificate_is_not_taken_before_its_time_and_taken_then(
    start_node: StartNode, tls_mosquitto: TlsMosquitto, tmp_path: Path
) -> None:
    tls_mosquitto.stop()
    tls_mosquitto.issue_later("server", "server", delay_s=5)
    tls_mosquitto.start()
    tls_mosquitto.issue("node", "stage-0013")
    (tmp_path / "stage-0013").mkdir()
    tls_mosquitto.der("node", tmp_path / "stage-0013")

    node = await start_node("stage-0013", broker_port=tls_mosquitto.port, broker_tls=True)
    await node.until(lambda: any("validity starts in the future" in line for line in node.lines))
    assert not any(line.startswith("connected") for line in node.lines)
    await node.until(lambda: any(line.startswith("connected") for line in node.lines))


async def test_what_was_not_delivered_before_a_power_cut_is_delivered_after_it(
    start_node: StartNode, peer: Peer
) -> None:
    peer.deaf = True
    node = await start_node("stage-0014", capacity_rows=16)
    await node.until(lambda: node.produced >= 60)
    node.cut_power()
    first = peer.births["stage-0014"].boot
    peer.rows.clear()

    peer.deaf = False
    again = await start_node("stage-0014", capacity_rows=16)
    await again.until(lambda: again.acknowledged >= 60 and again.held == 0)
    assert peer.births["stage-0014"].boot != first
    earlier = {seq for boot, seq in peer.numbers("stage-0014") if boot == first}
    assert earlier >= set(range(60 - 16))  # the ring had room for 16: what is older was on flash
    assert again.dropped == 0 and peer.leaves["stage-0014"] == {"data", "replay"}


async def test_readings_of_an_earlier_boot_are_sent_again_to_a_gateway_that_lost_its_disk(
    start_node: StartNode, peer: Peer, mosquitto: servers.Mosquitto
) -> None:
    node = await start_node("stage-0015", capacity_rows=16)
    await node.until(lambda: node.acknowledged >= 40)
    node.cut_power()
    first = peer.births["stage-0015"].boot
    again = await start_node("stage-0015", capacity_rows=16)
    await again.until(lambda: again.acknowledged >= 10 and again.held == 0)

    wanted = [(first, 3), (first, 4), (first, 20)]
    for boot, seq in wanted:
        del peer.rows["stage-0015", boot, seq]
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
        lost = Ack(first, 3, ((3, 4), (20, 20)))
        await client.publish(topic("stage-0015", Leaf.ACK), encode_ack(lost), qos=1)
    await peer.until(lambda: set(wanted) <= set(peer.numbers("stage-0015")))


async def test_commands_are_handed_on_and_their_replies_published(
    start_node: StartNode, peer: Peer, mosquitto: servers.Mosquitto
) -> None:
    node = await start_node("stage-0016", "echo")
    await node.until(lambda: node.acknowledged >= 3)
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
        await client.subscribe(topic("stage-0016", Leaf.REPLY), qos=1)
        replies = []
        for number in (1, 2):
            await client.publish(topic("stage-0016", Leaf.CMD), bytes((7, 0, 40 + number)), qos=1)
            replies.append((await anext(aiter(client.messages))).payload)

    assert replies == [bytes((7, 1, 41)), bytes((7, 2, 42))]
    acknowledged = node.acknowledged
    await node.until(lambda: node.acknowledged > acknowledged)


async def test_a_node_that_sleeps_goes_on_with_its_numbers_and_leaves_without_a_will(
    start_node: StartNode, peer: Peer, tmp_path: Path
) -> None:
    begun = tmp_path / "stage-0017" / "begun"
    begun.parent.mkdir()
    begun.write_text("1")
    for wake in range(3):
        node = await start_node("stage-0017", sleep=True, period_ms=60_000)
        await node.process.wait()
        assert node.process.returncode == 0, node.lines
        assert any(line.startswith("asleep 5") for line in node.lines), node.lines
        await peer.until(lambda wake=wake: len(peer.numbers("stage-0017")) == wake + 1)

    boot = peer.births["stage-0017"].boot
    assert peer.numbers("stage-0017") == [(boot, 0), (boot, 1), (boot, 2)]
    assert not begun.exists()  # a wake that ends with a sleep is no failed start
    assert peer.deaths == []
    assert [clock for _, clock, _ in peer.rows.values()] == [1, 1, 1]


async def test_a_node_that_speaks_at_every_third_wake_delivers_what_it_kept(
    start_node: StartNode, peer: Peer
) -> None:
    for _ in range(4):
        node = await start_node("stage-0018", sleep=True, report_every=3, period_ms=60_000)
        await node.process.wait()
    await peer.until(lambda: len(peer.numbers("stage-0018")) == 4)

    boots = {boot for boot, _ in peer.numbers("stage-0018")}
    assert len(boots) == 1 and peer.connections == 1
