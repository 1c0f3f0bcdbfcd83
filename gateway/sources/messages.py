"""Devices whose readings come as messages: over MQTT from any broker, or posted over HTTP."""

from __future__ import annotations

import asyncio
import hmac
import logging
from base64 import b64encode
from collections.abc import Callable
from functools import partial

from aiohttp import web

from edge.adapters.adapter import Asking, Hear
from edge.adapters.frame import FrameError
from edge.config import read_secret
from edge.model.errors import ConfigError
from gateway.arrival import Arrival, Inbox
from gateway.sources.config import SourceConfig
from gateway.sources.desk import Desk
from gateway.sources.mqtt import MqttConfig, MqttSource
from gateway.sources.tcp import address

log = logging.getLogger(__name__)

COMMIT_WITHIN_S = 30.0
MOST_BYTES = 256 * 1024


def _hear(source: SourceConfig, desk: Desk) -> Hear:
    assert source.adapter.hear is not None
    return source.adapter.hear({device.id: device.options for device in source.devices}, desk.inbox.now_ms)


class _Ear(Inbox):
    """Stands where a source of nodes has its inbox: hears each message, and passes on what it reports."""

    def __init__(
        self,
        desk: Desk,
        hear: Hear,
        settle: Callable[[Arrival], None],
        say: Callable[[str, bytes], None],
    ) -> None:
        super().__init__(desk.inbox.limit)
        self._desk = desk
        self._hear = hear
        self._settle = settle
        self._say = say
        self._asking = hear if isinstance(hear, Asking) else None

    def __len__(self) -> int:
        return len(self._desk.inbox)

    @property
    def full(self) -> bool:
        """Tell whether the gateway's inbox is."""
        return self._desk.inbox.full

    def put(self, arrival: Arrival) -> None:
        """Hear a message; it is acknowledged when its readings are on disk."""
        settle = partial(self._settle, arrival)
        try:
            reports = self._hear(arrival.topic, arrival.payload)
        except FrameError as error:
            self._desk.refuse(arrival.payload, arrival.topic, error, settle)
        else:
            self._desk.take(reports, settle)
        if self._asking is not None:
            for topic, payload in self._asking.wanted():
                self._say(topic, payload)


class MqttMessages:
    """A source of messages over MQTT, acknowledged to the broker after their commit."""

    def __init__(self, source: SourceConfig, gateway: str) -> None:
        self._source = source
        self._config = MqttConfig(
            url=source.address, client_id=f"cn-{gateway}-{source.name}", username=source.username,
            password_file=source.password_file, ca_file=source.ca_file, cert_file=source.cert_file,
            key_file=source.key_file,
        )  # fmt: skip
        self._gateway = gateway
        self._mqtt: MqttSource | None = None
        self.listening = asyncio.Event()

    def sit(self, desk: Desk) -> None:
        """Take the desk to which reports go."""
        ear = _Ear(desk, _hear(self._source, desk), self._settle, self._say)
        self._mqtt = MqttSource(self._config, self._gateway, ear, topics=self._source.topics)
        self.listening = self._mqtt.subscribed

    @property
    def trouble(self) -> str:
        """What is wrong; empty when all is well."""
        return self._mqtt.trouble if self._mqtt else "not yet connected"

    async def run(self) -> None:
        """Stay connected until cancelled."""
        assert self._mqtt is not None
        await self._mqtt.run()

    def _say(self, topic: str, payload: bytes) -> None:
        assert self._mqtt is not None
        self._mqtt.send(topic, payload)

    def _settle(self, arrival: Arrival) -> None:
        assert self._mqtt is not None
        asyncio.get_running_loop().call_soon(self._mqtt.settle, [arrival])  # it may still be reading


class HttpMessages:
    """A source of messages by POST, to any path; the answer 204 comes when their readings are on disk.

    400 says what is wrong with a message (which is kept), 401 that name or password is, 503 to try again.
    """

    def __init__(self, source: SourceConfig) -> None:
        self._source = source
        self._desk: Desk | None = None
        self._hear: Hear | None = None
        password = read_secret(source.password_file) or ""
        basic = b64encode(f"{source.username}:{password}".encode()).decode()
        self._login = f"Basic {basic}" if source.username else ""
        self.listening = asyncio.Event()
        self.port = 0
        self.trouble = "not yet listening"

    def sit(self, desk: Desk) -> None:
        """Take the desk to which reports go."""
        self._desk = desk
        self._hear = _hear(self._source, desk)

    async def run(self) -> None:
        """Serve until cancelled."""
        app = web.Application(client_max_size=MOST_BYTES)
        app.router.add_post("/{path:.*}", self._post)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        host, port = address(self._source.address, f"source {self._source.name}")
        try:
            site = web.TCPSite(runner, host or None, port)
            await site.start()
            self.port, self.trouble = runner.addresses[0][1], ""
            self.listening.set()
            await asyncio.Event().wait()
        except OSError as error:
            raise ConfigError(
                f"source {self._source.name} cannot listen on {host}:{port}: {error.strerror or error}",
                remedy="is the port taken? see [[source]] address",
            ) from None
        finally:
            await runner.cleanup()

    async def _post(self, request: web.Request) -> web.Response:
        assert self._desk is not None and self._hear is not None
        given = request.headers.get("Authorization", "")
        if self._login and not hmac.compare_digest(
            given.encode(errors="surrogateescape"), self._login.encode()
        ):
            headers = {"WWW-Authenticate": "Basic"}
            return web.Response(status=401, headers=headers, text="name or password is wrong\n")
        if self._desk.inbox.full:
            return _later("the gateway is full", 5)
        payload = await request.read()
        on_disk = asyncio.Event()
        try:
            self._desk.take(self._hear(request.path, payload), on_disk.set)
        except FrameError as error:
            self._desk.refuse(payload, request.path, error)
            return web.Response(status=400, text=f"{error}\n")
        try:
            async with asyncio.timeout(COMMIT_WITHIN_S):
                await on_disk.wait()
        except TimeoutError:
            return _later("it is not on disk yet", 30)
        return web.Response(status=204)


def _later(why: str, seconds: int) -> web.Response:
    return web.Response(status=503, headers={"Retry-After": str(seconds)}, text=f"{why}: try again\n")
