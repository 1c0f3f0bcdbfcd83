"""A real cloud with a small city in it, and a real Chromium looking at its wall."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser, ConsoleMessage, Page, Request, Response, async_playwright

from cloud.app import Cloud
from cloud.config import CloudConfig
from edge.model.alert import Episode, Level
from edge.model.kinds import KINDS
from edge.protocol.series import encode_point

TOKEN = "wall-test-token"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
CENTER = (31.27, 121.52)
HOSTILE_LABEL = "<img src=x onerror=\"document.title='owned'\">"
SIZES = """selector => [...document.querySelectorAll(selector)].filter(each => each.checkVisibility())
  .map(each => [each.innerText, each.offsetWidth, each.offsetHeight])"""
_KINDS = ("water_level", "streetlight", "air_quality", "noise", "power_meter")
NODES = [
    {
        "id": f"{kind.replace('_', '-')}-{number}",
        "kind": kind,
        "label": {"en": f"{KINDS[kind].label_en} {number}", "zh": f"{KINDS[kind].label_zh}{number}号"},
        "site": "east",
        "district": "yangpu",
        "lat": CENTER[0] + 0.012 * (row - 2),
        "lon": CENTER[1] + 0.012 * (number - 2.5),
        "gateway": None,
    }
    for row, kind in enumerate(_KINDS)
    for number in range(1, 5)
]
ONE_OF_EACH_KIND = [
    {**NODES[0], "id": f"one-{kind.replace('_', '-')}", "kind": kind, "label": {"en": kind, "zh": kind}}
    for kind in KINDS
]
MAP = {
    "name": {"en": "Test district", "zh": "测试区"},
    "center": list(CENTER),
    "zoom": 14,
    "features": {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"layer": layer, "name": {"en": name, "zh": name}},
                "geometry": {"type": "LineString", "coordinates": line},
            }
            for layer, name, line in (
                ("river", "Huangpu", [[121.49, 31.24], [121.52, 31.26], [121.56, 31.30]]),
                ("street", "Siping Road", [[121.49, 31.27], [121.55, 31.27]]),
            )
        ],
    },
}
COUNTS = {"produced": 100, "stored": 96, "queued": 1, "dropped": 0, "quarantined": 2, "missing": 1}


def now_ms() -> int:
    """Return the time in epoch ms."""
    return time.time_ns() // 1_000_000


def episode(node: str, level: str = "yellow", *, minutes_ago: float = 30, **known: Any) -> Episode:
    """Return an open episode of a stage over its threshold; `known` says what is different."""
    start_ms = now_ms() - int(minutes_ago * 60_000)
    facts: dict[str, Any] = {
        "rule": "flood", "node": node, "start_ms": start_ms, "quantity": "level_m", "level": Level.of(level),
        "highest": Level.of(level), "value": 3.42, "threshold": 3.3, "peak": 3.42, "peak_ms": start_ms,
        "updated_ms": now_ms(), "rate_per_h": 0.24, "gateway": "gw-1",
    }  # fmt: skip
    return Episode(**{**facts, **known})


class City:
    """A running cloud that can be stopped and started again on the same port and data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = 0
        self._task: asyncio.Task[None] | None = None
        self.url = ""

    async def start(self) -> None:
        """Serve; return once requests are answered."""
        cloud = Cloud(CloudConfig(port=self._port, data_dir=self._folder, token=TOKEN))
        started = asyncio.Event()
        self._task = asyncio.create_task(cloud.run(started), name="cloud")
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait({self._task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done():
            self._task.result()
        self._port, self.url = cloud.port, cloud.url

    async def stop(self) -> None:
        """End the service, as a crash of the machine would look from the wall."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def send(self, method: str, path: str, **body: Any) -> None:
        """Send a request that changes something; fail on any other answer than success."""
        headers = {"Authorization": f"Token {TOKEN}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.request(method, f"{self.url}{path}", **body) as answer,
        ):
            assert answer.status < 300, await answer.text()

    async def write(self, node: str, time_ms: int | None = None, **fields: float) -> None:
        """Write one reading of a node by line protocol."""
        await self.write_many([(node, time_ms or now_ms(), fields)])

    async def write_many(self, rows: list[tuple[str, int, dict[str, float]]]) -> None:
        """Write readings [(node, time_ms, fields)] in one batch."""
        kinds = {str(node["id"]): str(node["kind"]) for node in NODES}
        lines = [
            encode_point(kinds[node], {"node": node, "site": "east", "district": "yangpu"}, fields, time_ms)
            for node, time_ms, fields in rows
        ]
        await self.send(
            "POST", "/api/v2/write", params={"bucket": "city", "precision": "ms"}, data="\n".join(lines)
        )

    async def populate(self) -> None:
        """Register the map and 20 nodes, and let each say its headline for the last hour."""
        await self.send("PUT", "/api/v1/map", json=MAP)
        await self.send("POST", "/api/v1/nodes", json={"nodes": NODES})
        end = now_ms()
        await self.write_many(
            [
                (
                    str(node["id"]),
                    end - minute * 60_000,
                    {KINDS[str(node["kind"])].headline: 3 + minute % 7 / 10},
                )
                for node in NODES
                for minute in range(60)
            ]
        )

    async def tell(self, *episodes: Episode) -> None:
        """Tell of episodes as the gateway gw-1."""
        rows = [episode.to_dict() for episode in episodes]
        await self.send("PUT", "/api/v1/gateways/gw-1/episodes", json={"episodes": rows})

    async def alerts(self, **query: object) -> list[dict[str, Any]]:
        """Return the alerts as the API tells them."""
        asked = {name: str(value) for name, value in query.items()}
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.url}/api/v1/alerts", params=asked) as answer,
        ):
            return list((await answer.json())["alerts"])

    async def report(self, *entries: dict[str, object], counts: dict[str, int] | None = None) -> None:
        """Report as the gateway gw-1: a ledger and quarantine entries."""
        counts = counts or COUNTS
        await self.send(
            "PUT", "/api/v1/gateways/gw-1/report",
            json={
                "time_ms": now_ms(),
                "ledger": {"total": counts, "nodes": [{"node": "water-level-1", **counts}]},
                "quarantine": list(entries),
                "health": {"queue_blocks": 0, "connected": True},
            },
        )  # fmt: skip


def quarantined(
    number: int, reason: str, payload: bytes, *, node: str | None = "water-level-1"
) -> dict[str, object]:
    """Return a quarantine entry as a gateway reports it."""
    return {
        "id": number,
        "time_ms": now_ms(),
        "node": node,
        "reason": reason,
        "detail": f"<b>{reason}</b>",
        "topic": "cn/v1/water-level-1/data",
        "payload_base64": base64.b64encode(payload).decode(),
        "readings": 1,
    }


class Wall:
    """One open page and all that went wrong in it."""

    def __init__(self, page: Page, city: City) -> None:
        self.page, self.city = page, city
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._response)
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console {message.type}: {message.text}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # what a page still asks for when it is left ends with it
            self.complaints.append(f"failed {request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")

    async def open(self, query: str = "") -> None:
        """Open the wall and wait until it shows the city, live."""
        await self.page.goto(f"{self.city.url}/{query}")
        await self.page.wait_for_selector('html[data-phase="ready"][data-link="open"]')

    async def until(self, condition: str) -> None:
        """Wait, frame by frame, until a JavaScript condition holds."""
        frames = f"async () => {{ while (!({condition})) await new Promise(requestAnimationFrame); }}"
        async with asyncio.timeout(30):
            await self.page.evaluate(frames)

    async def sees(self, selector: str, text: str) -> None:
        """Wait until an element that matches shows the text."""
        await self.page.locator(selector, has_text=text).first.wait_for(timeout=30_000)

    async def places(self, box: str) -> list[str]:
        """Return the places of a list of alerts, from the top."""
        return await self.page.locator(f"{box} .alert .place").all_inner_texts()

    async def sizes(self, selector: str) -> list[tuple[str, int, int]]:
        """Return (text, width, height in CSS px) of what is seen of it, all at one moment of the page."""
        return [tuple(each) for each in await self.page.evaluate(SIZES, selector)]

    async def sign_in(self, token: str = TOKEN) -> None:
        """Answer the question who acts."""
        await self.page.locator("dialog input[name=who]").fill("Wang")
        await self.page.locator("dialog input[name=token]").fill(token)
        await self.page.locator("dialog .primary").click()

    async def click_node(self, node: str) -> None:
        """Click where the map draws the node."""
        at = await self.page.evaluate("id => cityWall.pointOf(id)", node)
        await self.page.mouse.click(at["x"], at["y"])


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run Debian's Chromium, without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()
