"""The reader: what answers and is no store is a store that is away, and half an answer is none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import servers
from aiohttp import web
from stores_peers.place import serve

from cloud.errors import StoreUnavailable
from cloud.stores.influxql import InfluxQLStore
from cloud.stores.protocol import Span, Step
from edge.protocol.lines import Point

ZONE = ZoneInfo("Asia/Shanghai")
HOUR = Span(start_ms=0, end_ms=3_600_000)
POINT = Point("water_level", (("node", "ys-01"),), (("level_m", 3.0),), 1_000_000)

NO_STORE = {
    "a page for people": "<html>Sign in</html>",
    "nothing": "",
    "an answer cut in the middle": '{"results":[{"statement_id":0,"ser',
    "JSON of something else": '{"status":"ok"}',
    "a list": "[]",
    "a number": "42",
    "no result": '{"results":[]}',
    "a result that is none": '{"results":[7]}',
    "only an error": '{"error":"overloaded"}',
}
ASKED: dict[str, Callable[[InfluxQLStore], Awaitable[object]]] = {
    "latest": lambda store: store.latest(),
    "readings": lambda store: store.readings("water_level", "ys-01", "level_m", HOUR),
    "summary": lambda store: store.summary("water_level", "level_m", HOUR, Step(step_s=60)),
    "count": lambda store: store.count("water_level", "level_m", HOUR),
    "rows": lambda store: store.rows("water_level", HOUR),
    "amounts": lambda store: store.amounts("water_level", HOUR, 3_600),
    "before": lambda store: store.before("power_meter", "energy_wh", HOUR),
    "write": lambda store: store.write([POINT]),
}


def answering(body: str, status: int = 200) -> web.Application:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, status=status, content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


async def opened(stack: AsyncExitStack, url: str) -> InfluxQLStore:
    store = InfluxQLStore(url, "city", timezone=ZONE)
    await store.open()
    stack.push_async_callback(store.close)
    return store


@pytest.mark.parametrize("body", NO_STORE)
async def test_whatever_says_200_and_is_no_store_is_a_store_that_is_away(body: str) -> None:
    async with AsyncExitStack() as stack:
        store = await opened(stack, await serve(stack, answering(NO_STORE[body])))
        for asked in ASKED.values():
            with pytest.raises(StoreUnavailable) as caught:
                await asked(store)
            assert "proxy" in caught.value.remedy
        assert not await store.check()


@pytest.mark.real
async def test_an_answer_of_a_part_only_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUXDB_HTTP_MAX_ROW_LIMIT", "10")
    server = servers.InfluxDB(tmp_path / "influxdb")
    try:
        server.start()
        server.write("\n".join(f"water_level,node=ys-01 level_m={n} {n}" for n in range(11)))
        async with AsyncExitStack() as stack:
            store = await opened(stack, server.url)
            with pytest.raises(StoreUnavailable, match="in part only") as caught:
                await store.rows("water_level", HOUR)
            assert "max-row-limit" in caught.value.remedy
            assert await store.count("water_level", "level_m", HOUR) == 11
    finally:
        server.kill()
