"""From a sensor's frame to a row in the store, all real: MicroPython, Mosquitto, the gateway, InfluxDB."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import servers

from gateway.app import JOURNAL, Gateway, run_gateway
from gateway.config import load_config
from gateway.statement import read_accounts

if TYPE_CHECKING:
    from conftest import Node

CONFIG = """\
[gateway]
id = "gw-test"
data_dir = "{folder}"
[mqtt]
url = "{mqtt}"
[store]
url = "{store}"
api = "v1"
database = "city"
[nodes]
admit_any = true
"""


@contextlib.asynccontextmanager
async def running_gateway(config: Path) -> AsyncIterator[Gateway]:
    """Run the real gateway while the block lasts; the same configuration goes on with the same journal."""
    started: asyncio.Future[Gateway] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run_gateway(load_config(config), started.set_result))
    try:
        yield await started
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_every_reading_of_a_board_reaches_the_store_though_the_gateway_was_away(
    start_node: Callable[..., Awaitable[Node]],
    mosquitto: servers.Mosquitto,
    influxdb: servers.InfluxDB,
    tmp_path: Path,
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(folder=tmp_path, mqtt=mosquitto.url, store=influxdb.url), encoding="utf-8")
    node = await start_node("stage-0011", ack_timeout_s=1)
    async with running_gateway(config):
        await node.until(lambda: node.acknowledged >= 20)
    produced = node.produced
    await node.until(lambda: node.held >= 20)

    async with running_gateway(config) as gateway:
        await node.until(lambda: node.acknowledged >= produced + 40)
        node.cut_power()
        async with asyncio.timeout(20):
            await gateway.journal.drained.wait()

    account = read_accounts(tmp_path / JOURNAL)["stage-0011"]
    (stored,) = influxdb.rows('SELECT count("level_m"), min("level_m"), max("level_m") FROM "water_level"')
    assert account.balanced and account.missing == account.quarantined == account.dropped == node.dropped == 0
    assert stored["count"] >= account.stored >= node.acknowledged
    assert 1.9 <= stored["min"] <= stored["max"] <= 4.0


async def test_what_a_full_outbox_dropped_is_accounted_for_by_the_gateway(
    start_node: Callable[..., Awaitable[Node]],
    mosquitto: servers.Mosquitto,
    influxdb: servers.InfluxDB,
    tmp_path: Path,
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(folder=tmp_path, mqtt=mosquitto.url, store=influxdb.url), encoding="utf-8")
    node = await start_node("stage-0012", capacity_rows=16, outbox_kb=0, ack_timeout_s=1)
    async with running_gateway(config) as gateway:
        await node.until(lambda: node.acknowledged >= 10)
        mosquitto.stop()
        await node.until(lambda: node.dropped >= 20)
        mosquitto.start()
        dropped = node.dropped
        await node.until(lambda: node.held == 0 and node.acknowledged >= 40)
        node.cut_power()
        async with asyncio.timeout(20):
            await gateway.journal.drained.wait()

    account = read_accounts(tmp_path / JOURNAL)["stage-0012"]
    assert account.balanced and account.quarantined == 0
    assert dropped <= account.missing + account.dropped <= node.dropped
