"""A running cloud on a free port, for tests of the API; and one with a wall that a real browser looks at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from playwright.async_api import Browser
from wall_rig import City, Wall, chromium

from cloud.app import Cloud
from cloud.config import CloudConfig, StoreConfig
from cloud.services import epoch_ms

TOKEN = "a-test-token"
AUTHORIZED = {"Authorization": f"Token {TOKEN}"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back: status, headers, and the body as text."""

    status: int
    headers: Any
    text: str
    json: Any


class Client:
    """A cloud that runs, and a way to talk to it."""

    def __init__(self, cloud: Cloud, session: aiohttp.ClientSession) -> None:
        self.cloud, self.session = cloud, session

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """Send a request; the token goes along unless headers are given."""
        options.setdefault("headers", AUTHORIZED)
        async with self.session.request(method, self.cloud.url + path, **options) as reply:
            text = await reply.text()
            is_json = reply.content_type == "application/json" and text
            return Answer(
                status=reply.status,
                headers=reply.headers,
                text=text,
                json=await reply.json() if is_json else None,
            )

    async def get(self, path: str, **params: object) -> Any:
        """Return the JSON of a GET that must succeed."""
        answer = await self.ask("GET", path, params={name: str(value) for name, value in params.items()})
        assert answer.status == 200, answer.text
        return answer.json

    async def register(self, *nodes: dict[str, object]) -> None:
        """Register nodes."""
        answer = await self.ask("POST", "/api/v1/nodes", json={"nodes": list(nodes)})
        assert answer.status == 200, answer.text

    async def write(self, lines: str, precision: str = "ms") -> None:
        """Write line protocol that must be taken."""
        answer = await self.ask(
            "POST", f"/api/v2/write?org=o&bucket=b&precision={precision}", data=lines.encode()
        )
        assert answer.status == 204, answer.text


@asynccontextmanager
async def running(
    data_dir: Path,
    store: StoreConfig | None = None,
    now_ms: Callable[[], int] = epoch_ms,
    **options: Any,
) -> AsyncIterator[Client]:
    """Run a cloud, and end it."""
    config = CloudConfig(port=0, data_dir=data_dir, token=TOKEN, store=store or StoreConfig(), **options)
    cloud, started = Cloud(config, now_ms=now_ms), asyncio.Event()
    serving = asyncio.create_task(cloud.run(started))
    ready = asyncio.create_task(started.wait())
    await asyncio.wait((serving, ready), return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if serving.done():
        await serving
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
            yield Client(cloud, session)
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


@pytest.fixture
def run_cloud_in() -> Callable[..., Any]:
    """Run a cloud over a folder: `async with run_cloud_in(path) as client`."""
    return running


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    """A running cloud with the embedded store and nothing in it."""
    async with running(tmp_path / "data") as client:
        yield client


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    """A running cloud without nodes."""
    city = City(tmp_path)
    await city.start()
    yield city
    await city.stop()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def wall(city: City, browser: Browser) -> AsyncIterator[Wall]:
    """An English page that must end without a complaint and without having asked another host."""
    page = await browser.new_page(viewport={"width": 1920, "height": 1080}, locale="en-GB")
    wall = Wall(page, city)
    yield wall
    await page.unroute_all(behavior="wait")  # what a test answers in the cloud's place may be under way
    await page.close()
    assert wall.complaints == []
    assert wall.hosts == {urlsplit(city.url).netloc}


@pytest.fixture
async def phone(city: City, browser: Browser) -> AsyncIterator[Wall]:
    """A phone in an officer's hand: nobody has signed in on it."""
    context = await browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, locale="en-GB"
    )
    yield Wall(await context.new_page(), city)
    await context.close()
