"""What a field engineer meets: a city behind TLS, a board that is not there, and the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import servers
from city_rig import CITYNEURON
from firmware.rom import FakeRom

from cloud.app import Cloud
from cloud.config import CloudConfig, StoreConfig
from cloud.provision.config import ProvisionConfig
from edge.field.image import FILE_SYSTEMS, read_image
from gateway.app import Gateway
from gateway.config import GatewayConfig, GatewayIdentity
from gateway.sinks.line_http import StoreConfig as SinkConfig
from gateway.sources.mqtt import MqttConfig
from gateway.uplink import CloudConfig as UplinkConfig
from simulators.virtual.node import VirtualNode
from simulators.virtual.wiring import SAMPLES, wire

TOKEN = "a token of the test"
REGION = FILE_SYSTEMS["esp32"]
WITHIN_S = 60.0
ASK_AGAIN_S = 0.2
GATEWAY = "gw-01"


async def command(*words: object, within_s: float = 240.0, status: int | None = 0) -> str:
    """Run `cityneuron` and return what it printed; fail with its words where it ended otherwise."""
    process = await asyncio.create_subprocess_exec(
        str(CITYNEURON),
        *map(str, words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(within_s):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    told = output.decode()
    assert status is None or process.returncode == status, told
    return told


async def until(condition: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Return when the condition holds, which nobody announces; fail when that takes too long."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 (a store announces nothing)
            await asyncio.sleep(ASK_AGAIN_S)


class FieldCity:
    """Authority, broker, gateway, cloud and a real InfluxDB, all on loopback."""

    def __init__(
        self, folder: Path, influxdb: servers.InfluxDB, ntp: str, update_keys: tuple[str, ...]
    ) -> None:
        self.folder = folder
        self.influxdb = influxdb
        self.ntp = ntp
        self.token_file = folder / "token"
        self._update_keys = update_keys
        self.cloud_url = ""
        self.data = folder / "city"
        self._cloud_port = 0
        self._cloud: asyncio.Task[None] | None = None
        self.broker: servers.TlsMosquitto
        self.gateway: Gateway

    @asynccontextmanager
    async def living(self) -> AsyncIterator[FieldCity]:
        """Make the authority and start everything, until the end."""
        data, tls, own = self.data, self.folder / "tls", self.folder / "gateway-key"
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(TOKEN)
        await command("cloud", "ca", "init", "--data", data)
        await command("cloud", "ca", "issue-server", servers.HOST, "--to", tls, "--data", data)
        await command("cloud", "ca", "issue-gateway", "--to", own, "--data", data)
        self.broker = servers.TlsMosquitto(
            self.folder / "broker", tls, passwords={"nobody": "a password of the test"}
        )
        self.broker.start()
        await self.start_cloud()
        serving: asyncio.Task[None] | None = None
        try:
            config = GatewayConfig(
                gateway=GatewayIdentity(id=GATEWAY, data_dir=self.folder / "gateway", district="yangpu"),
                mqtt=MqttConfig(
                    url=f"mqtts://{servers.HOST}:{self.broker.port}",
                    ca_file=own / "ca.crt",
                    cert_file=own / "gateway.crt",
                    key_file=own / "gateway.key",
                ),
                store=SinkConfig(url=self.influxdb.url, api="v1"),
                cloud=UplinkConfig(
                    url=self.cloud_url, token_file=self.token_file, report_period_s=0.5, roster_period_s=0.5
                ),
            )
            self.gateway = Gateway(config)
            serving = asyncio.create_task(self.gateway.run(), name="gateway")
            async with asyncio.timeout(30):
                await self.gateway.source.subscribed.wait()
            yield self
        finally:
            if serving is not None:
                serving.cancel()
                await asyncio.wait([serving])
            await self.stop_cloud()
            self.broker.kill()

    async def start_cloud(self) -> None:
        """Start the cloud, again at the same address and with the same data."""
        provision = ProvisionConfig(
            broker_host=servers.HOST,
            broker_port=self.broker.port,
            ntp_hosts=(self.ntp,),
            update_keys=self._update_keys,
        )
        store = StoreConfig.parse(f"{self.influxdb.url}/?db=city")
        cloud = Cloud(
            CloudConfig(
                port=self._cloud_port, data_dir=self.data, token=TOKEN, store=store, provision=provision
            )
        )
        started = asyncio.Event()
        self._cloud = asyncio.create_task(cloud.run(started), name="cloud")
        await started.wait()
        self._cloud_port, self.cloud_url = cloud.port, cloud.url

    async def stop_cloud(self) -> None:
        """End the cloud: from here on there is no link to it."""
        if self._cloud is not None:
            self._cloud.cancel()
            await asyncio.wait([self._cloud])
            self._cloud = None

    async def node(self, *words: object, status: int | None = 0, json_out: bool = False) -> Any:
        """Run `cityneuron node ...` against this city."""
        config = self.folder / "field.toml"
        config.write_text(f"update_keys = {list(self._update_keys)}\n", encoding="utf-8")
        options: list[object] = ["--cloud", self.cloud_url, "--token-file", self.token_file, "--config", config]
        told = await command("node", *words, *options, status=status)
        return json.loads(told) if json_out else told

    def stored(self, node: str) -> tuple[int, float]:
        """Return how many levels of a node the store has, and their mean."""
        rows = self.influxdb.rows(
            f"SELECT COUNT(level_m) AS n, MEAN(level_m) AS mean FROM water_level WHERE node = '{node}'"
        )
        return (int(rows[0]["n"]), float(rows[0]["mean"])) if rows else (0, 0.0)


class Bench:
    """A board on the engineer's bench: a chip's ROM to flash, and what was flashed as a node that runs."""

    def __init__(self, folder: Path, micropython: str, mac: str, kind: str = "water_level") -> None:
        folder.mkdir(parents=True)
        self.serial = mac.replace(":", "")
        self.rom = FakeRom(mac=mac)
        self.port = folder / "port"
        self._flash = folder / "node.img"
        self._micropython = micropython
        self.models = wire(SAMPLES[kind])
        self.virtual = VirtualNode(
            self._flash, micropython, serial=self.serial, sensors=self.models, link=self.port
        )

    async def boot_when_flashed(self) -> None:
        """Start the node once the file system was written and verified."""
        await until(lambda: REGION.offset in self.rom.verified, 180)
        self._flash.write_bytes(self.rom.region(REGION.offset, REGION.size))
        await self.virtual.start()

    def files(self) -> dict[str, bytes]:
        """Return what lies on the node's flash now."""
        return read_image(self._flash.read_bytes())
