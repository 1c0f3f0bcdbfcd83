"""A storm: 500 nodes, an hour without the WAN and three real events in it, gateway and broker restarted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import servers
from faults.proxy import Proxy, State
from storm_rig import FastClock, Phones, StormCity

from cloud.alerts.config import AlertsConfig
from cloud.alerts.routes import Route
from cloud.app import Cloud
from cloud.config import CloudConfig
from edge.model.alert import Level
from gateway.app import Gateway
from gateway.config import GatewayConfig, GatewayIdentity
from gateway.herald import AlertsConfig as LocalConfig
from gateway.sinks.line_http import StoreConfig
from gateway.sources.mqtt import MqttConfig
from gateway.uplink import CloudConfig as UplinkConfig

BEGAN_S = 1_790_000_000.0  # a Monday of September 2026
TOKEN = "a token of the test"
COUNTS = {"streetlight": 300, "parking_bay": 120, "water_level": 60, "hazmat": 10, "tunnel": 10}
WAN_DOWN, WAN_UP, GATEWAY_RESTART, BROKER_RESTART, END = 10, 70, 80, 86, 100
LOCAL_AFTER_MIN = 2.0


def flood(minute: float) -> float | None:
    """Over the guaranteed stage (3.5 m) from minute 20, back within the hour."""
    return 3.7 if 20 <= minute < 36 else None


def gas(minute: float) -> float | None:
    """A leak that lasts until the WAN is long back."""
    return 30.0 if 30 <= minute < 76 else None


def smoke(minute: float) -> float | None:
    """A fire in a tunnel."""
    return 80.0 if 45 <= minute < 56 else None


EVENTS = {
    ("water-level-007", "level_m"): flood,
    ("hazmat-003", "gas_lel_pct"): gas,
    ("tunnel-005", "co_mg_m3"): smoke,
}


class Storm:
    """Everything between the nodes and the phones."""

    def __init__(self, folder: Path, phones: Phones) -> None:
        self.clock = FastClock(BEGAN_S)
        self.phones = phones
        self.folder = folder
        self.broker = servers.Mosquitto(folder / "broker")
        self.broker.start()
        alerts = AlertsConfig(
            channels_file=phones.channels_file(folder, "duty-room"),
            routes=(Route(channels=("duty-room",), level=Level.ORANGE),),
            lost_after_s=600.0,
            settle_s=60.0,
        )
        config = CloudConfig(port=0, data_dir=folder, token=TOKEN, alerts=alerts)
        self.cloud = Cloud(config, now_ms=lambda: round(self.clock.now() * 1000))
        self.city = StormCity(COUNTS, self.clock, self.broker.url, "gw-07", EVENTS)
        self.wan: Proxy | None = None

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[Gateway]:
        """Run a gateway over the data that the one before left."""
        assert self.wan is not None
        token = self.folder / "token"
        token.touch(mode=0o600)
        token.write_text(TOKEN)
        url = f"http://127.0.0.1:{self.wan.port}"
        config = GatewayConfig(
            gateway=GatewayIdentity(id="gw-07", data_dir=self.folder / "gateway", district="yangpu"),
            mqtt=MqttConfig(url=self.broker.url),
            store=StoreConfig(url=url, token_file=token),
            cloud=UplinkConfig(url=url, token_file=token, report_period_s=0.5),
            alerts=LocalConfig(
                channels_file=self.phones.channels_file(self.folder, "pump-station"),
                local_after_s=LOCAL_AFTER_MIN * 60,
                local_from="orange",
                retry_s=0.2,
            ),
        )
        gateway = Gateway(config, now=self.clock.now)
        task = asyncio.create_task(gateway.run())
        try:
            async with asyncio.timeout(30):
                await gateway.source.subscribed.wait()
            yield gateway
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def register(self) -> None:
        """Tell the registry of all nodes."""
        rows = [node.to_dict() for node in self.city.nodes]
        headers = {"Authorization": f"Token {TOKEN}"}
        async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as session:
            await session.post(f"{self.cloud.url}/api/v1/nodes", json={"nodes": rows})


EXPECTED = [
    ("duty-room", "group", "Gateway gw-07 is silent, 500 nodes affected"),
    ("pump-station", "opened", "water_level 7: water level 3.70 m, over the guaranteed stage of 3.50 m"),
    ("pump-station", "opened", "hazmat 3: combustible gas 30.0 %LEL, over the limit of 25 %LEL"),
    ("pump-station", "opened", "tunnel 5: 15 min mean CO"),
    ("duty-room", "resolved", "Gateway gw-07 is heard again"),
    ("pump-station", "resolved", "hazmat 3: combustible gas back to 0.0 %LEL"),
    ("pump-station", "resolved", "tunnel 5: 15 min mean CO back to 4.00 mg/m³"),
    ("pump-station", "resolved", "water_level 7: water level back to 2.00 m"),
]
"""All that people hear. The duty room learns from the cloud that the gateway is out of reach, and is back. Who
sits at the pump station learns from the gateway what happens meanwhile and, since it was told, how it ended.
Restarts of gateway and broker, 500 nodes that connect anew, the backlog of an hour: no news to anybody."""


def heard(phones: Phones) -> list[tuple[str, str, str]]:
    """Return (channel, occasion, title) of every message."""
    return [(name, body["type"].removeprefix("alert."), body["title"]) for name, body in phones.told]


def unexpected(messages: list[tuple[str, str, str]]) -> list[str]:
    """Return what was said too much or not at all."""
    left = list(EXPECTED)
    found = []
    for channel, occasion, title in messages:
        same = [row for row in left if row[:2] == (channel, occasion) and row[2] in title]
        if same:
            left.remove(same[0])
        else:
            found.append(f"too much: {channel} {occasion} {title}")
    return found + [f"not said: {row}" for row in left]


async def live_through(storm: Storm) -> None:
    """Let the storm pass."""
    clock = storm.clock
    started = asyncio.Event()
    cloud = asyncio.create_task(storm.cloud.run(started))
    await started.wait()
    await storm.register()
    storm.wan = Proxy(storm.cloud.port)
    await storm.wan.start()
    try:
        async with storm.city.living():
            async with storm.gateway():
                await clock.until(WAN_DOWN)
                storm.wan.line.state = State.CUT
                storm.wan.break_all()
                await clock.until(WAN_UP)
                storm.wan.line.state = State.SOUND
                await clock.until(GATEWAY_RESTART)
            async with storm.gateway():
                await clock.until(BROKER_RESTART)
                await asyncio.to_thread(storm.broker.stop)
                await asyncio.to_thread(storm.broker.start)
                await clock.until(END)
    finally:
        cloud.cancel()
        await asyncio.wait([cloud])
        await storm.wan.close()
        storm.broker.stop()


def minutes_to_tell(phones: Phones, rule: str) -> float:
    """Return how many minutes of the city passed between an event and the first word about it."""
    bodies = (body for _, body in phones.told if body["type"] == "alert.opened")
    (body,) = (each for each in bodies if each["facts"]["episode"]["rule"] == rule)
    return float(body["time_ms"] - body["facts"]["episode"]["start_ms"]) / 60_000


@pytest.mark.real
@pytest.mark.alone
@pytest.mark.timeout(600)
async def test_in_a_storm_people_get_one_message_for_each_event_and_none_for_a_false_one(
    tmp_path: Path,
) -> None:
    async with Phones().listening() as phones:
        await live_through(Storm(tmp_path, phones))
    assert unexpected(heard(phones)) == []
    first = [channel for channel, _, _ in heard(phones)[:4]]
    assert sorted(first) == ["duty-room", *["pump-station"] * 3], (
        "the beginnings are told while the WAN is down"
    )
    assert LOCAL_AFTER_MIN <= minutes_to_tell(phones, "gas") < LOCAL_AFTER_MIN + 8, (
        "eight seconds of ours to spare"
    )
