"""A city's alerts under a clock that the test moves: a real registry, desk, sender, recording channels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cloud.alerts.build import build_alerts
from cloud.alerts.config import AlertsConfig
from cloud.alerts.desk import Desk
from cloud.alerts.records import Search
from cloud.alerts.sender import Sender
from cloud.registry import GatewayReport, Registry
from edge.channels import Channel, ChannelError, Message, Window
from edge.channels.channel import ChannelConfig
from edge.model.alert import Episode, Level, Told
from edge.model.node import Node, node_id

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON_MS = 1_790_740_800_000  # 2026-09-30 12:00 in Shanghai
STEP_S = 1.0


class Recorder(Channel):
    """A channel that keeps what it is given; `trouble` is raised instead as long as it is set."""

    def __init__(self, name: str, *, level: str = "blue", windows: tuple[Window, ...] = ()) -> None:
        config = ChannelConfig(name=name, type="test", language="en", level=level)  # type: ignore[arg-type]
        super().__init__(config, windows)
        self.messages: list[Message] = []
        self.trouble: ChannelError | None = None
        self.attempts = 0

    @property
    def titles(self) -> list[str]:
        """The first line of each message."""
        return [message.title for message in self.messages]

    async def close(self) -> None:
        """Nothing is open."""

    async def _send(self, message: Message) -> None:
        self.attempts += 1
        if self.trouble is not None:
            raise self.trouble
        self.messages.append(message)


class CityAlerts:
    """The alerts of a city. Time stands still but in `wait`; a `restart` keeps only what is on the disk."""

    def __init__(self, place: Path | str, config: AlertsConfig, channels: Iterable[Recorder]) -> None:
        self.url = place if isinstance(place, str) else f"sqlite:///{place / 'registry.db'}"
        self.config, self.channels = config, {channel.name: channel for channel in channels}
        self.now_ms = NOON_MS
        self.registry = Registry(self.url)
        self.desk: Desk
        self.sender: Sender
        self.reporting: set[str] = set()
        self.pages: list[dict[str, Any]] = []

    async def start(self) -> None:
        """Open what is on the disk."""
        self.registry = Registry(self.url)
        await self.registry.open()
        self.desk, self.sender = build_alerts(
            self.config, SHANGHAI, self.registry, now_ms=lambda: self.now_ms,
            now_s=lambda: self.now_ms / 1_000, show=self.pages.extend, channels=list(self.channels.values()),
        )  # fmt: skip
        await self.desk.open()
        await self.sender.open()

    async def stop(self) -> None:
        """Forget all that is in memory."""
        await self.registry.close()

    async def restart(self, *, away_s: float = 0.0) -> None:
        """End as a killed process does, and begin anew some time later."""
        await self.stop()
        self.now_ms += round(away_s * 1_000)
        await self.start()

    async def register(self, *nodes: Node) -> None:
        """Register nodes."""
        self.desk.know(await self.registry.upsert(nodes))

    async def report(self, *gateways: str) -> None:
        """Let gateways report now; they go on doing so while time passes."""
        self.reporting |= set(gateways)
        for gateway in gateways:
            await self.registry.report(
                GatewayReport(
                    gateway=gateway, time_ms=self.now_ms, total=None, nodes={}, quarantine=(), health=None
                )
            )
            self.desk.heard(gateway)

    async def take(self, *episodes: Episode) -> None:
        """Take episodes, and send what can be sent in this moment."""
        await self.desk.take(episodes)
        await self.send()

    async def send(self) -> None:
        """Let every channel send what it may."""
        for name in self.channels:
            while await self.sender.step(name) == 0.0:
                pass

    async def wait(self, seconds: float) -> None:
        """Let time pass; gateways report, what is due is looked at, messages go out."""
        until_ms = self.now_ms + round(seconds * 1_000)
        while self.now_ms < until_ms:
            self.now_ms = min(self.now_ms + round(STEP_S * 1_000), until_ms)
            for gateway in self.reporting:
                self.desk.heard(gateway)
            await self.desk.tick()
            await self.send()

    async def alerts(self, **asked: Any) -> list[dict[str, Any]]:
        """Return alerts as the API tells them."""
        return await self.desk.search(Search(limit=5_000, **asked))

    async def alert(self, node: str) -> dict[str, Any]:
        """Return the newest alert of a node, with its audit."""
        newest = max(row["id"] for row in await self.alerts(node=node))
        return await self.desk.one(newest)


def node(ident: str, **facts: Any) -> Node:
    """Return a water level station of Yangpu behind gw-1, unless told otherwise."""
    plain: dict[str, Any] = {
        "kind": "water_level", "label_en": ident, "label_zh": ident, "site": "dinghai", "district": "yangpu",
        "gateway": "gw-1",
    }  # fmt: skip
    return Node(id=node_id(ident), **{**plain, **facts})


def episode(ident: str, level: Level = Level.YELLOW, start_ms: int = NOON_MS, **facts: Any) -> Episode:
    """Return an episode of high water that just began."""
    plain: dict[str, Any] = {
        "rule": "flood", "quantity": "level_m", "highest": level, "value": 3.4, "peak": 3.4,
        "peak_ms": start_ms, "updated_ms": start_ms, "threshold": 3.3, "gateway": "gw-1",
    }  # fmt: skip
    return Episode(node=ident, level=level, start_ms=start_ms, **{**plain, **facts})


def silence(ident: str, start_ms: int = NOON_MS, **facts: Any) -> Episode:
    """Return the episode of a node that is not heard."""
    plain: dict[str, Any] = {
        "rule": "node_silent", "quantity": "silence_s", "value": 600.0, "peak": 600.0, "threshold": 600.0
    }  # fmt: skip
    return episode(ident, facts.pop("level", Level.BLUE), start_ms, **{**plain, **facts})


def changed(before: Episode, **facts: Any) -> Episode:
    """Return the next revision of an episode."""
    level = facts.get("level", before.level)
    plain = {"revision": before.revision + 1, "highest": max(before.highest, level)}
    return replace(before, **{**plain, **facts})


def told(before: Episode, level: str, time_ms: int) -> Episode:
    """Return an episode that its gateway told by its own channel."""
    return changed(before, told=(*before.told, Told("local", time_ms, level)))


@asynccontextmanager
async def city_alerts(
    place: Path | str, config: Mapping[str, Any] | None = None, channels: Iterable[Recorder] = ()
) -> AsyncIterator[CityAlerts]:
    """Run the alerts of a city with one channel `duty`, or these; `place` is a folder or a registry's URL."""
    city = CityAlerts(place, AlertsConfig(**(config or {})), list(channels) or [Recorder("duty")])
    await city.start()
    try:
        yield city
    finally:
        await city.stop()
