"""Live updates: coalesced, bounded, and never held up by a page that does not read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from cloud.live import Live, Subscriber
from cloud.stores.protocol import Latest


def reading(node: str, value: float) -> Latest:
    return Latest(node=node, kind="water_level", time_ns=1, values={"level_m": value})


def parsed(event: bytes | None) -> tuple[str, Any]:
    assert event is not None
    name, data = event.decode().strip().split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    hub = Live(coalesce_s=0, queue_events=3)
    task = asyncio.create_task(hub.run())
    yield hub
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_many_readings_become_one_event_with_the_newest_of_each_node(live: Live) -> None:
    page = live.subscribe()
    live.readings([reading("a", 1), reading("b", 2)])
    live.readings([reading("a", 3)])
    async with asyncio.timeout(20):
        name, data = parsed(await page.next())
    assert name == "readings"
    assert [(row["node"], row["values"]["level_m"]) for row in data["readings"]] == [("a", 3), ("b", 2)]


async def test_nodes_and_network_are_told_to_every_page(live: Live) -> None:
    pages = [live.subscribe(), live.subscribe()]
    live.nodes([{"id": "a", "state": "late"}])
    live.network({"quarantined": 1})
    for page in pages:
        async with asyncio.timeout(20):
            assert parsed(await page.next()) == ("nodes", {"nodes": [{"id": "a", "state": "late"}]})
            assert parsed(await page.next()) == ("network", {"quarantined": 1})


async def test_a_new_page_begins_with_the_state_of_the_network(live: Live) -> None:
    first = live.subscribe()
    live.network({"quarantined": 1})
    async with asyncio.timeout(20):
        await first.next()
        assert parsed(await live.subscribe().next()) == ("network", {"quarantined": 1})


async def test_a_page_that_does_not_read_is_resynced_and_let_go(live: Live) -> None:
    slow, quick = live.subscribe(), live.subscribe()
    for number in range(4):
        live.network({"n": number})
        async with asyncio.timeout(20):
            assert parsed(await quick.next()) == ("network", {"n": number})
    assert live.subscribers == 1
    assert parsed(await slow.next())[0] == "resync"
    assert await slow.next() is None


async def test_the_end_closes_every_page_and_new_ones_at_once() -> None:
    live = Live()
    page = live.subscribe()
    live.close()
    assert await page.next() is None
    assert await live.subscribe().next() is None


async def test_a_queue_holds_no_more_than_its_limit() -> None:
    page = Subscriber(2)
    for _ in range(1_000):
        page.put(b"x")
    events = [await page.next(), await page.next()]
    assert events[0] is not None
    assert events[0].startswith(b"event: resync")
    assert events[1] is None


async def _first(reply: Any, event: str, member: str) -> Any:
    """Return the data of the first such event whose member is not empty."""
    buffer = b""
    async for chunk in reply.content.iter_any():
        *events, buffer = (buffer + chunk).split(b"\n\n")
        for text in events:
            if text.startswith(f"event: {event}\n".encode()):
                data = parsed(text)[1]
                if data[member]:
                    return data
    raise AssertionError(f"the page ended without {event}")


async def test_what_is_written_appears_on_an_open_page(client: Any) -> None:
    await client.register({"id": "water-1", "kind": "water_level"})
    async with client.session.get(f"{client.cloud.url}/api/v1/live") as reply:
        assert reply.headers["Content-Type"].startswith("text/event-stream")
        first = await reply.content.readline()
        assert first == b"retry: 2000\n"
        await client.write("water_level,node=water-1 level_m=2.5 1000")
        async with asyncio.timeout(20):
            data = await _first(reply, "readings", "readings")
    assert data == {
        "readings": [{"node": "water-1", "time_ms": 1000, "values": {"level_m": 2.5}, "qc": {}, "rejected": {}}]
    }


async def test_a_report_appears_on_an_open_page(client: Any) -> None:
    counts = dict.fromkeys(("produced", "stored", "queued", "dropped", "quarantined", "missing"), 3)
    async with client.session.get(f"{client.cloud.url}/api/v1/live") as reply:
        report = {"time_ms": 1, "ledger": {"total": counts}, "health": {"connected": True}}
        await client.ask("PUT", "/api/v1/gateways/gw-1/report", json=report)
        async with asyncio.timeout(20):
            data = await _first(reply, "network", "gateways")
    assert data["ledger"] == counts
    assert data["gateways"][0]["state"] == "silent"  # its report is of 1970


async def test_a_closed_page_is_forgotten(client: Any) -> None:
    live = client.cloud.services.live
    reply = await client.session.get(f"{client.cloud.url}/api/v1/live")
    await reply.content.readline()
    assert live.subscribers == 1
    reply.close()
    async with asyncio.timeout(20):
        while live.subscribers:
            live.network({})
            await asyncio.sleep(0)


async def test_a_cloud_ends_with_pages_open(run_cloud_in: Any, tmp_path: Any) -> None:
    async with asyncio.timeout(20), run_cloud_in(tmp_path) as client:
        reply = await client.session.get(f"{client.cloud.url}/api/v1/live")
        await reply.content.readline()


async def test_a_page_about_one_node_hears_of_no_other(live: Live) -> None:
    whole, one = live.subscribe(), live.subscribe("a")
    live.nodes([{"id": "b"}, {"id": "a"}])
    live.readings([reading("b", 1), reading("a", 2)])
    live.network({"quarantined": 1})
    async with asyncio.timeout(20):
        assert len(parsed(await whole.next())[1]["nodes"]) == 2
        assert parsed(await one.next()) == ("nodes", {"nodes": [{"id": "a"}]})
        name, data = parsed(await one.next())
        assert (name, [row["node"] for row in data["readings"]]) == ("readings", ["a"])
        live.close()
        assert await one.next() is None, "nothing else was told"
