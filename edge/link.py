"""One MQTT connection that carries one node, or the nodes behind a concentrator; it comes back by itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

import aiomqtt

from edge.broker import BrokerAddress
from edge.model.errors import IdentityError
from edge.model.node import Node, NodeId
from edge.outbox import Counts
from edge.protocol.topics import Leaf, parse_topic, topic
from edge.tasks import end

log = logging.getLogger(__name__)
_mqtt_log = logging.getLogger(f"{__name__}.mqtt")
_mqtt_log.setLevel(logging.CRITICAL)  # the link itself reports what happens to it, once


@dataclass(frozen=True, slots=True)
class Message:
    """What a node wants published, at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False


class Speaker(Protocol):
    """What a link carries: a node's agent. All methods are quick and hold no lock."""

    node: Node
    changed: Callable[[], None]

    @property
    def counts(self) -> Counts:
        """The node's own ledger."""

    def connected(self, now_s: float) -> None:
        """Called after each connection, before anything is published."""

    def next_message(self, now_s: float, *, flush: bool = False) -> Message | None:
        """Called until it returns None; what it returned counts as sent."""

    def due_s(self, now_s: float) -> float:
        """Called to learn how long the link may sleep."""

    def acknowledged(self, payload: bytes, now_s: float) -> int:
        """Called with each `ack`; returns how many readings it newly covers."""

    def death(self) -> Message:
        """Called before connecting (the last will) and at a stop (the goodbye)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkConfig:
    """How a link keeps its connection."""

    keepalive_s: int = 30
    timeout_s: float = 10.0
    retry_first_s: float = 0.5
    retry_limit_s: float = 30.0
    log_level: int = logging.WARNING
    """How loudly the first failure of an outage is told; where links are many, less."""


def client_id(node: str, serial: str) -> str:
    """Return the MQTT client id of a device: two of one node id do not throw each other off the broker."""
    return f"{node}.{sha256(serial.encode()).hexdigest()[:8]}" if serial else node


class Link:
    """Connects, subscribes, announces, sends and receives until stopped; no failure of the broker ends it.

    on_command: takes the payload of `cmd`, returns that of `reply` or None. For the one node of the link.
    """

    def __init__(
        self,
        speakers: Sequence[Speaker],
        broker: BrokerAddress,
        *,
        client_id: str,
        config: LinkConfig | None = None,
        gate: Callable[[], Awaitable[None]] | None = None,
        on_command: Callable[[bytes], bytes | None] | None = None,
    ) -> None:
        self._speakers = {speaker.node.id: speaker for speaker in speakers}
        self._broker = broker
        self._client_id = client_id
        self._config = config or LinkConfig()
        self._gate = gate
        self._on_command = on_command
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._flushing = False
        self._acknowledged = asyncio.Condition()
        self._jitter = random.Random(client_id)
        self.met = asyncio.Event()
        """Set once the broker was reached for the first time."""
        self.connections = 0
        """How often the link came to stand."""
        for speaker in speakers:
            speaker.changed = self._wake.set

    @property
    def counts(self) -> Counts:
        """The ledger of all nodes of this link."""
        return sum((speaker.counts for speaker in self._speakers.values()), Counts())

    def stop(self) -> None:
        """Let `run` say goodbye and return."""
        self._stopping.set()
        self._wake.set()

    async def drain(self, timeout_s: float | None) -> None:
        """Send all that is unsent and return when all is acknowledged; TimeoutError when it takes longer."""
        self._flushing = True
        self._wake.set()
        try:
            async with asyncio.timeout(timeout_s):
                await self.until(lambda: self.counts.held == 0)
        finally:
            self._flushing = False

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds; it is asked again after each acknowledgement."""
        async with self._acknowledged:
            await self._acknowledged.wait_for(condition)

    async def run(self) -> None:
        """Keep the link until `stop` or cancellation."""
        failures = 0
        while not self._stopping.is_set():
            before = self.connections
            try:
                if self._gate:
                    await self._gate()
                await self._connect_once()
            except* (aiomqtt.MqttError, OSError) as group:
                failures = 0 if self.connections > before else failures + 1
                level = self._config.log_level if failures <= 1 else logging.DEBUG
                log.log(level, "%s: link to %s: %s", self._client_id, self._broker, _reason(group))
            await self._pause(failures)

    async def _pause(self, failures: int) -> None:
        """Wait before the next attempt: doubling, with jitter, so that a city does not come back as one."""
        longest_s = min(self._config.retry_limit_s, self._config.retry_first_s * 2 ** min(failures, 16))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_s * self._jitter.uniform(0.5, 1.0)):
                await self._stopping.wait()

    async def _connect_once(self) -> None:
        client = self._client()
        hear_out(client)
        try:
            await self._talk(client)
        finally:
            hear_out(client)

    async def _talk(self, client: aiomqtt.Client) -> None:
        async with client, asyncio.TaskGroup() as tasks:
            await client.subscribe([(topic(node, leaf), 1) for node in self._speakers for leaf in _DOWN])
            self.connections += 1
            self.met.set()
            now_s = asyncio.get_running_loop().time()
            for speaker in self._speakers.values():
                speaker.connected(now_s)
            receiving = tasks.create_task(self._receive(client), name=f"receive {self._client_id}")
            await self._send(client)
            await end(receiving)

    def _client(self) -> aiomqtt.Client:
        own = len(self._speakers) == 1
        will = next(iter(self._speakers.values())).death() if own else None
        return aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            username=self._broker.username,
            password=self._broker.password,
            identifier=self._client_id,
            clean_session=False,
            will=aiomqtt.Will(will.topic, will.payload, qos=1) if will else None,
            tls_context=ssl.create_default_context() if self._broker.tls else None,
            keepalive=self._config.keepalive_s,
            timeout=self._config.timeout_s,
            logger=_mqtt_log,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )

    async def _send(self, client: aiomqtt.Client) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            for speaker in self._speakers.values():
                while message := speaker.next_message(loop.time(), flush=self._flushing):
                    await client.publish(message.topic, message.payload, qos=1, retain=message.retain)
            if self._stopping.is_set():
                for speaker in self._speakers.values():
                    goodbye = speaker.death()
                    await client.publish(goodbye.topic, goodbye.payload, qos=1)
                return
            wait_s = min((speaker.due_s(loop.time()) for speaker in self._speakers.values()), default=math.inf)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if wait_s == math.inf else wait_s):
                    await self._wake.wait()

    async def _receive(self, client: aiomqtt.Client) -> None:
        loop = asyncio.get_running_loop()
        async for message in client.messages:
            try:
                node, leaf = parse_topic(str(message.topic))
            except IdentityError as error:
                log.warning("%s: message ignored: %s", self._client_id, error)
                continue
            speaker = self._speakers.get(node)
            if speaker is None or not isinstance(message.payload, bytes | bytearray):
                log.debug("%s: %s ignored", self._client_id, message.topic)
                continue
            if leaf is Leaf.CMD:
                await self._answer(client, node, bytes(message.payload))
                continue
            speaker.acknowledged(bytes(message.payload), loop.time())
            self._wake.set()
            async with self._acknowledged:
                self._acknowledged.notify_all()

    async def _answer(self, client: aiomqtt.Client, node: NodeId, payload: bytes) -> None:
        reply = self._on_command(payload) if self._on_command else None
        if reply is not None:
            await client.publish(topic(node, Leaf.REPLY), reply, qos=1)


_DOWN = (Leaf.ACK, Leaf.CMD)


def hear_out(client: aiomqtt.Client) -> None:
    """Look at how the connection ends, now or later: aiomqtt leaves it in a future, which has to be read.

    Called before and after a connection, since connecting may put another future in the place of the first.
    """
    ended = client._disconnected
    if ended.done():
        _look_at(ended)
    else:
        ended.add_done_callback(_look_at)


def _look_at(ended: asyncio.Future[None]) -> None:
    if not ended.cancelled():
        ended.exception()


def _reason(group: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
