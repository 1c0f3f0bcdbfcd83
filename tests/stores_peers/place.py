"""A store that a gateway writes to, behind a gate, with a way to see what is in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import servers
from aiohttp import web
from aiohttp.test_utils import TestServer
from stores_peers.contract import TOKEN, Contract, InfluxDB2, InfluxDB3
from stores_peers.gate import Gate

from cloud.app import Cloud
from cloud.config import CloudConfig
from cloud.stores.protocol import Span
from gateway.sinks.line_http import StoreConfig

Rows = list[tuple[int, float]]
INFLUXES = ("influxdb-1 v1", "influxdb-2 v2", "influxdb-2 v1", "influxdb-3 v3", "influxdb-3 v2")
"""By age and by the `api` that they are written to with."""


@dataclass(kw_only=True, slots=True)
class Place:
    """A store under test. `rows` are (time in ms, level) of all that it has; its server where it has one."""

    name: str
    config: StoreConfig
    gate: Gate
    rows: Callable[[], Awaitable[Rows]]
    influxdb: servers.InfluxDB | None = None
    contract: Contract | None = None
    words: dict[int, str] = field(default_factory=dict)

    @property
    def tells(self) -> bool:
        """Whether it says which lines it does not take."""
        return self.name != "victoria-metrics"


WORDS: dict[str, dict[int, str]] = {
    "1": {401: '{"error":"authorization failed"}', 413: '{"error":"Request Entity Too Large"}'},
    "2": {
        401: '{"code":"unauthorized","message":"unauthorized access"}',
        404: '{"code":"not found","message":"bucket \\"city\\" not found"}',
        413: '{"code":"request too large","message":"points batch is too large"}',
        429: '{"code":"too many requests","message":"rate limit exceeded"}',
        503: '{"code":"unavailable","message":"the server is busy"}',
    },
    "3": {
        401: '{"error":"the request was not authenticated","data":null}',
        413: "max request size (10485760 bytes) exceeded",
    },
}


async def serve(stack: AsyncExitStack, app: web.Application) -> str:
    """Run an application until the stack is left; return its address."""
    server = await stack.enter_async_context(TestServer(app))
    return str(server.make_url("/")).rstrip("/")


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[Cloud]:
    """Run a cloud with a store of its own."""
    cloud, started = Cloud(CloudConfig(port=0, data_dir=folder / "cloud", token=TOKEN)), asyncio.Event()
    serving = asyncio.create_task(cloud.run(started))
    try:
        async with asyncio.timeout(20):
            await started.wait()
        yield cloud
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


def influxdb_rows(influxdb: servers.InfluxDB) -> Callable[[], Awaitable[Rows]]:
    """Return a way to see what an InfluxDB has."""

    async def rows() -> Rows:
        found = await asyncio.to_thread(influxdb.rows, "SELECT level_m FROM water_level")
        return [(row["time"], row["level_m"]) for row in found]

    return rows


async def make(name: str, stack: AsyncExitStack, request: pytest.FixtureRequest, folder: Path) -> Place:
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    config = StoreConfig(token_file=token, timeout_s=5.0)
    influxdb: servers.InfluxDB | None = None
    contract: Contract | None = None
    if name == "embedded":
        cloud = await stack.enter_async_context(embedded(folder))

        async def cloud_rows() -> Rows:
            span = Span(start_ms=0, end_ms=2**42)
            return await cloud.services.store.readings("water_level", "ys-07", "level_m", span)

        upstream, rows, config, words = cloud.url, cloud_rows, replace(config, api="v2"), WORDS["2"]
    elif name == "victoria-metrics":
        victoria: servers.VictoriaMetrics = request.getfixturevalue("victoria_metrics")

        async def victoria_rows() -> Rows:
            return await asyncio.to_thread(victoria.export, "water_level_level_m")

        upstream, rows, config, words = victoria.url, victoria_rows, replace(config, api="v1"), {}
    else:
        influxdb = request.getfixturevalue("influxdb")
        assert influxdb is not None
        upstream, rows, words = influxdb.url, influxdb_rows(influxdb), WORDS[name.partition("-")[2][0]]
        api = name.rpartition(" ")[2]
        assert api in ("v1", "v2", "v3")
        config = replace(config, api=api)
        if not name.startswith("influxdb-1"):
            contract = (InfluxDB2 if name.startswith("influxdb-2") else InfluxDB3)(influxdb)
            upstream = await serve(stack, contract.app)
    gate = Gate(upstream)
    gate.url = await serve(stack, gate.app)
    return Place(
        name=name,
        config=replace(config, url=gate.url),
        gate=gate,
        rows=rows,
        influxdb=influxdb if contract is None else None,
        contract=contract,
        words=words,
    )
