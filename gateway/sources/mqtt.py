"""The MQTT source: a persistent session whose messages are acknowledged only after their commit.

paho with `manual_ack` on the event loop's own reader and writer, without a thread. A broker keeps what is not
acknowledged and delivers it again after a reconnect; a mark (connection, message id) keeps an acknowledgement
from reaching a later connection, where the same id may name another message.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.broker import BrokerAddress
from edge.config import read_secret
from edge.protocol.topics import UP_LEAVES, subscription
from gateway.arrival import Arrival, Inbox

log = logging.getLogger(__name__)

KEEPALIVE_S = 30
LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class MqttConfig:
    """The [mqtt] table of gateway.toml."""

    url: str = "mqtt://127.0.0.1:1883"
    client_id: str = ""
    username: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


class MqttSource:
    """Keeps a session with the broker and puts what comes into the inbox.

    `trouble` says what is wrong, empty when all is well; `subscribed` and `failed` are set at each event.
    """

    def __init__(self, config: MqttConfig, gateway: str, inbox: Inbox) -> None:
        self._broker = BrokerAddress.parse(config.url)
        self._inbox = inbox
        self._connection = 0
        self._paused = False
        self._socket: socket.socket | None = None
        self._down = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.connected = False
        self.subscribed = asyncio.Event()
        self.failed = asyncio.Event()
        self.trouble = "not yet connected"
        self._client = self._make_client(config, config.client_id or f"cn-{gateway}")

    def _make_client(self, config: MqttConfig, client_id: str) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False, manual_ack=True
        )
        client.max_inflight_messages_set(0)
        username = config.username or self._broker.username
        if username:
            client.username_pw_set(username, read_secret(config.password_file) or self._broker.password)
        if self._broker.tls:
            context = ssl.create_default_context(cafile=config.ca_file)
            if config.cert_file:
                context.load_cert_chain(config.cert_file, config.key_file)
            client.tls_set_context(context)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_want_write
        client.on_socket_unregister_write = self._on_no_write
        return client

    async def run(self) -> None:
        """Stay connected until cancelled, with back-off and jitter between attempts."""
        wait_s = 0.25
        try:
            while True:
                self._down.clear()
                try:
                    await self._connect()
                except (OSError, ssl.SSLError) as error:
                    self.trouble = f"cannot reach the broker {self._broker}: {error}"
                    self.failed.set()
                    log.warning("%s; next try in %.1f s", self.trouble, wait_s)
                else:
                    began = time.monotonic()
                    await self._serve()
                    if time.monotonic() - began > LONGEST_WAIT_S:
                        wait_s = 0.25
                    log.warning("the broker is gone (%s); next try in %.1f s", self.trouble, wait_s)
                await asyncio.sleep(wait_s * random.uniform(0.7, 1.3))
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
        finally:
            self._client.disconnect()
            self._client.loop_write()
            self._forget_socket()

    async def _connect(self) -> None:
        self._connection += 1
        broker = self._broker
        await self._loop.run_in_executor(None, self._client.connect, broker.host, broker.port, KEEPALIVE_S)

    async def _serve(self) -> None:
        while not self._down.is_set():
            try:
                async with asyncio.timeout(0.5):
                    await self._down.wait()
            except TimeoutError:
                self._client.loop_misc()
            self._set_paused(self._inbox.full)

    def settle(self, arrivals: list[Arrival]) -> None:
        """Acknowledge to the broker what came by this connection; the rest comes again."""
        if not self.connected:
            return
        for arrival in arrivals:
            if arrival.mark and arrival.mark[0] == self._connection:
                self._client.ack(arrival.mark[1], 1)
        self._set_paused(self._inbox.full)

    def send(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0: an acknowledgement that gets lost is said again."""
        if self.connected:
            self._client.publish(topic, payload, qos=0)

    # paho's callbacks

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self.trouble = f"the broker {self._broker} refuses the gateway: {code}"
            self.failed.set()
            return
        self.connected = True
        self.trouble = ""
        client.subscribe([(subscription(leaf), 1) for leaf in UP_LEAVES])
        log.info("connected to %s", self._broker)

    def _on_subscribe(self, client: paho.Client, data: Any, mid: int, codes: Any, properties: Any) -> None:
        self.subscribed.set()

    def _on_disconnect(self, client: paho.Client, data: Any, flags: Any, code: Any, properties: Any) -> None:
        self.connected = False
        self.trouble = self.trouble or str(code)
        self._loop.call_soon_threadsafe(self._down.set)

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "?"
        mark = (self._connection, message.mid) if message.qos else None
        self._inbox.put(Arrival(topic, bytes(message.payload), time.time_ns() // 1_000_000, mark))
        if self._inbox.full:
            self._set_paused(True)

    def _on_socket_open(self, client: paho.Client, data: Any, sock: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # many small packets, each waited for
        self._loop.call_soon_threadsafe(self._watch, sock)

    def _on_socket_close(self, client: paho.Client, data: Any, sock: Any) -> None:
        self._forget_socket()

    def _on_want_write(self, client: paho.Client, data: Any, sock: Any) -> None:
        self._loop.call_soon_threadsafe(self._watch_writes)

    def _on_no_write(self, client: paho.Client, data: Any, sock: Any) -> None:
        if self._socket is not None:
            self._loop.remove_writer(self._socket)

    # the event loop's side of the socket

    def _watch(self, sock: socket.socket) -> None:
        self._socket = sock
        self._paused = False
        self._loop.add_reader(sock, self._on_readable)
        self._watch_writes()

    def _on_readable(self) -> None:
        self._client.loop_read()
        while isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            self._client.loop_read()  # decrypted already: the event loop would not see it

    def _watch_writes(self) -> None:
        if self._socket is not None and self._client.want_write():
            self._loop.add_writer(self._socket, self._client.loop_write)

    def _forget_socket(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket = None

    def _set_paused(self, paused: bool) -> None:
        if self._socket is None or paused == self._paused:
            return
        self._paused = paused
        if paused:
            self._loop.remove_reader(self._socket)
        else:
            self._loop.add_reader(self._socket, self._on_readable)
