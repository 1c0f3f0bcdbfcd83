"""The second store: it gets what the first one has, is never waited for, and its losses are told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
import servers
from gateway_rig import Rig, birth, data
from stores_peers.gate import Fault, Gate, until
from stores_peers.place import serve

from gateway.app import Gateway
from gateway.arrival import Arrival
from gateway.config import GatewayConfig, GatewayIdentity
from gateway.forward import ForwardConfig, Forwarder
from gateway.mirror import Mirror, MirrorConfig
from gateway.sinks import SinkRejected
from gateway.sinks.victoria import growth, in_words, read_drops

START_MS = round(time.time()) * 1000 - 3_600_000


class FirstStore:
    """A store that refuses lines that hold a word."""

    async def write(self, body: bytes) -> None:
        if b"level_m=0.666" in body:
            raise SinkRejected("400: no")

    async def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def running(mirror: Mirror) -> AsyncIterator[None]:
    job = asyncio.create_task(mirror.run())
    try:
        yield
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job


def lines(first: int, count: int) -> bytes:
    return "\n".join(f"m,node=a x={i} {START_MS + i}000000" for i in range(first, first + count)).encode()


@pytest.mark.real
async def test_the_mirror_gets_what_the_store_has_and_nothing_that_it_refused(
    victoria_metrics: servers.VictoriaMetrics, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, "ys-07")
    rig.now_s = time.time()
    mirror = Mirror(MirrorConfig(url=victoria_metrics.url, api="v1"))
    forwarder = Forwarder(
        rig.journal, rig.ledger, FirstStore(), ForwardConfig(retry_delay_s=0.0), time.time, mirror.offer
    )
    rows: list[list[int | None]] = [[i * 1000, level, None] for i, level in enumerate((1, 666, 2))]
    for message in (birth(), data("ys-07", 0, *rows, t0_ms=START_MS)):
        await rig.take(Arrival(message.topic, message.payload, round(time.time() * 1000)))
    job = asyncio.create_task(forwarder.run())
    async with running(mirror), asyncio.timeout(20):
        await rig.journal.drained.wait()
        await until(lambda: victoria_metrics.export("water_level_level_m"))
        await mirror.idle.wait()
    job.cancel()
    stored = victoria_metrics.export("water_level_level_m")
    assert stored == [(START_MS, 0.001), (START_MS + 2000, 0.002)]
    assert mirror.status == "ok"


@pytest.mark.real
async def test_what_it_drops_without_a_word_is_seen_in_its_counters(
    victoria_metrics: servers.VictoriaMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    mirror = Mirror(MirrorConfig(url=victoria_metrics.url, api="v1", watch_period_s=0.05))
    async with running(mirror), asyncio.timeout(20):
        await until(lambda: mirror.watching)
        mirror.offer(lines(0, 3) + b"\nno line\nm,node=a x=1 1000000000000000000")
        await until(lambda: len(mirror.drops) == 2)
    assert mirror.lost_lines == {}, "it answered 204"
    assert mirror.status == (
        "dropped without a word: 1 lines that are not line protocol, 1 values older than it keeps"
    )
    assert any("dropped without a word" in record.message for record in caplog.records)


async def test_a_mirror_that_is_away_is_not_waited_for_and_what_it_missed_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = Gate("http://127.0.0.1:9")
    gate.fault = Fault(status=503)
    async with AsyncExitStack() as stack:
        url = await serve(stack, gate.app)
        mirror = Mirror(MirrorConfig(url=url, api="v1", most_mb=0.001), retry_s=0.01)
        async with running(mirror), asyncio.timeout(20):
            for first in range(0, 100, 10):
                mirror.offer(lines(first, 10))
            await gate.troubled.wait()
            await until(lambda: mirror.trouble)
            lost = mirror.lost_lines["no_room"]
            assert 60 <= lost <= 80, "about a kilobyte waits"
            assert "503" in mirror.status and f"{lost} lines lost (no_room)" in mirror.status
            gate.fault, gate.bodies = Fault(status=204), []
            await mirror.idle.wait()
    assert sum(body.count(b"\n") + 1 for body in gate.bodies) == 100 - lost
    assert b"\n".join(gate.bodies).endswith(lines(99, 1)), "the newest is there"
    assert caplog.record_tuples.count(("gateway.mirror", logging.WARNING, caplog.messages[0])) == 1


async def test_what_is_too_large_for_the_mirror_is_divided_for_it_too() -> None:
    gate = Gate("http://127.0.0.1:9")
    gate.fault, gate.too_large, gate.most_lines = Fault(status=204), Fault(status=413), 1
    async with AsyncExitStack() as stack:
        mirror = Mirror(MirrorConfig(url=await serve(stack, gate.app), api="v2"))
        async with running(mirror), asyncio.timeout(20):
            mirror.offer(lines(0, 5))
            await mirror.idle.wait()
    assert mirror.status == "ok"


async def test_a_gateway_with_a_mirror_tells_how_it_is(tmp_path: Path) -> None:
    alone = GatewayConfig(gateway=GatewayIdentity(id="gw-01", data_dir=tmp_path / "alone"))
    both = GatewayConfig(
        gateway=GatewayIdentity(id="gw-02", data_dir=tmp_path / "both"),
        mirror=MirrorConfig(url="http://127.0.0.1:9", api="v1"),
    )
    assert "mirror" not in Gateway(alone).status()
    gateway = Gateway(both)
    assert gateway.status()["mirror"] == "ok"
    assert gateway.mirror is not None
    gateway.mirror.lost_lines["no_room"] = 1_200
    assert gateway.status()["mirror"] == "1,200 lines lost (no_room)"


METRICS = """vm_rows_invalid_total{type="influx"} 2
vm_rows_invalid_total{type="graphite"} 7
vm_rows_ignored_total{reason="small_timestamp"} 1e+06
vm_rows_inserted_total{type="influx"} 3
go_threads 9
"""


def test_counters_are_read_and_their_growth_is_put_in_words() -> None:
    before = read_drops(METRICS)
    assert before == {
        'vm_rows_invalid_total{type="influx"}': 2,
        'vm_rows_ignored_total{reason="small_timestamp"}': 1_000_000,
    }
    after = read_drops(METRICS.replace('influx"} 2', 'influx"} 5'))
    assert after is not None
    grown = growth(before, after)
    assert in_words(grown) == "3 lines that are not line protocol"
    assert growth(before, before) == {}
    restarted = growth(after, {'vm_rows_invalid_total{type="influx"}': 1})
    assert restarted == {'vm_rows_invalid_total{type="influx"}': 1}


def test_the_metrics_of_another_server_say_nothing() -> None:
    assert read_drops("go_threads 9\nhttp_requests_total 3\n") is None
