"""The MQTT source: a persistent session whose messages are acknowledged only after their commit.

The rim around session.py: sockets, TLS, the clock, and when to try again. A broker keeps what is not
acknowledged and delivers it again after a reconnect; a mark (connection, message id) keeps an acknowledgement
from reaching a later connection, where the same id may name another message.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from edge.broker import BrokerAddress
from edge.config import read_secret
from edge.protocol.topics import UP_LEAVES, subscription, topic
from gateway.arrival import Arrival, Inbox
from gateway.sources.session import Closed, Connected, Event, Login, Message, Patience, Session, State

log = logging.getLogger(__name__)

STOOD_S = 5.0  # a connection that held so long was a good one: the next wait is short again
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 30.0
TICK_S = 0.5
CLOSE_WITHIN_S = 1.0
NODES_A_SUBSCRIBE = 500
MOST_UNSENT_BYTES = 1024 * 1024  # a broker that does not read: then we do not read either


@dataclass(frozen=True, kw_only=True, slots=True)
class MqttConfig:
    """The [mqtt] table of gateway.toml."""

    url: str = "mqtt://127.0.0.1:1883"
    subscribe: Literal["all", "registered"] = "all"
    client_id: str = ""
    username: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


class _Link(asyncio.Protocol):
    """One connection: bytes between its transport and a session, messages into the inbox."""

    def __init__(
        self, number: int, session: Session, inbox: Inbox, hear: Callable[[_Link, Event], None]
    ) -> None:
        self.session = session
        self.over = asyncio.Event()  # the session is closed or the connection lost
        self.error: Exception | None = None
        self._number = number
        self._inbox = inbox
        self._hear = hear
        self._lost = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._blocked = False
        self._flushing = False

    # called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport.set_write_buffer_limits(MOST_UNSENT_BYTES)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        self._lost.set()
        self.over.set()

    def pause_writing(self) -> None:
        self._blocked = True
        self._pause_or_resume()

    def resume_writing(self) -> None:
        self._blocked = False
        self.read()

    def data_received(self, data: bytes) -> None:
        self.session.receive(data, self._loop.time())
        self.read()

    # called by the source

    def read(self) -> None:
        """Put messages into the inbox up to its limit; the rest waits in the session and the socket."""
        session, inbox = self.session, self._inbox
        time_ms = inbox.now_ms()
        while session.held_bytes and (session.state is State.CONNECTING or not inbox.full):
            held = session.held_bytes
            for event in session.events(max(1, inbox.limit - len(inbox))):
                if type(event) is Message:
                    mark = (self._number, event.mid) if event.mid else None
                    inbox.put(Arrival(event.topic, event.payload, time_ms, mark, event.flags & 1 == 1))
                else:
                    self._hear(self, event)
            if session.held_bytes == held or session.state is State.CLOSED:
                break
        self._pause_or_resume()

    def ack(self, mids: list[int]) -> None:
        """Acknowledge messages of this connection."""
        self.session.ack(mids)
        self.flush_soon()

    def send(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0, unless the broker takes nothing more."""
        if not self._blocked:
            self.session.publish(topic, payload)
            self.flush_soon()

    async def stand(self) -> None:
        """Keep the session alive until it is over."""
        while not self.over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self.over.wait()
            closed = self.session.tick(self._loop.time(), reading=not self._inbox.full)
            if closed is not None:
                self._hear(self, closed)
            self.read()
            self._flush()

    async def end(self) -> None:
        """Say good-bye and close; a peer that does not read what is left is cut off."""
        if self._transport is None:
            return
        self.session.disconnect()
        self._flush()
        self._transport.close()
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._lost.wait()
        except TimeoutError:
            self._transport.abort()

    def flush_soon(self) -> None:
        """Send at the end of this turn: what one commit says leaves in one write."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        data = self.session.to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _pause_or_resume(self) -> None:
        paused = self._blocked or self._inbox.full or self.session.state is State.CLOSED
        if self.session.state is State.CONNECTING:
            paused = False
        if self._transport is None or paused == self._paused:
            return
        self._paused = paused
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()


class MqttSource:
    """Keeps a session with the broker and puts what comes into the inbox.

    `trouble` says what is wrong, empty when all is well; `subscribed` and `failed` are set at each event.
    `pause` waits between attempts. `topics` are subscribed to instead of those of nodes.
    """

    def __init__(
        self,
        config: MqttConfig,
        gateway: str,
        inbox: Inbox,
        *,
        registered: Callable[[], Iterable[str]] = tuple,
        topics: tuple[str, ...] = (),
        patience: Patience | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._broker = BrokerAddress.parse(config.url)
        self._inbox = inbox
        self._patience = patience or Patience()
        self._pause = pause
        self._login = _login(config, self._broker, gateway)
        self._registered = registered if config.subscribe == "registered" else None
        self._topics = list(topics) or [subscription(leaf) for leaf in UP_LEAVES]
        self._nodes: set[str] = set()
        self._tls = _tls(config) if self._broker.tls else None
        self._loop = asyncio.get_running_loop()
        self._connection = 0
        self._link: _Link | None = None
        self._since_s: float | None = None
        self.connected = False
        self.subscribed = asyncio.Event()
        self.failed = asyncio.Event()
        self.trouble = "not yet connected"

    async def run(self) -> None:
        """Stay connected until cancelled, with back-off and jitter between attempts."""
        wait_s = FIRST_WAIT_S
        while True:
            await self._visit()
            if self._since_s is not None and self._loop.time() - self._since_s > STOOD_S:
                wait_s = FIRST_WAIT_S
            log.warning("%s; next try in %.1f s", self.trouble, wait_s)
            await self._pause(wait_s * random.uniform(0.7, 1.3))
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    async def _visit(self) -> None:
        """Connect and serve one connection until it is over."""
        self._connection += 1
        self._since_s = None
        session = Session(self._patience)
        session.connect(self._login, self._loop.time())
        self._login = replace(self._login, clean=False)
        link = self._link = _Link(self._connection, session, self._inbox, self._hear)
        try:
            await self._connect(link)
            await link.stand()
            if link.session.state is not State.CLOSED and not self._login.clean:
                lost = link.error or "it closed the connection"
                self.trouble = f"the broker {self._broker} is gone: {lost}"
        except OSError as error:  # what TLS refuses and what takes too long are OSErrors too
            self.trouble = f"cannot reach the broker {self._broker}: {str(error) or 'no answer'}"
            self.failed.set()
        finally:
            self.connected = False
            self._link = None
            await link.end()

    async def _connect(self, link: _Link) -> None:
        broker = self._broker
        async with asyncio.timeout(self._patience.answer_within_s):
            await self._loop.create_connection(lambda: link, broker.host, broker.port, ssl=self._tls)

    def settle(self, arrivals: list[Arrival]) -> None:
        """Acknowledge to the broker what came by this connection; the rest comes again."""
        link, number = self._link, self._connection
        if link is None or not self.connected:
            return
        mids = [arrival.mark[1] for arrival in arrivals if arrival.mark and arrival.mark[0] == number]
        if mids:
            link.ack(mids)
        link.read()

    def send(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0: an acknowledgement that gets lost is said again."""
        if self._link is not None and self.connected:
            self._link.send(topic, payload)

    def roster_changed(self) -> None:
        """Subscribe to nodes that were registered since; when one left, begin the session anew."""
        link = self._link
        if self._registered is None or link is None or not self.connected:
            return
        wanted = set(self._registered())
        if self._nodes - wanted:
            self._login = replace(self._login, clean=True)
            self.trouble = "the broker is asked anew: nodes went to another gateway"
            link.over.set()
            return
        fresh = sorted(wanted - self._nodes)
        for start in range(0, len(fresh), NODES_A_SUBSCRIBE):
            nodes = fresh[start : start + NODES_A_SUBSCRIBE]
            link.session.subscribe(
                [topic(node, leaf) for node in nodes for leaf in UP_LEAVES], self._loop.time()
            )
        self._nodes = wanted
        link.flush_soon()

    def _hear(self, link: _Link, event: Event) -> None:
        if isinstance(event, Connected):
            self.connected = True
            self.trouble = ""
            self._since_s = self._loop.time()
            self._nodes = set()
            if self._registered is None:
                link.session.subscribe(self._topics, self._since_s)
                link.flush_soon()
            else:
                self.roster_changed()
            log.info("connected to %s", self._broker)
        elif isinstance(event, Closed):
            self.connected = False
            verb = "refuses the gateway" if event.refused else "is left"
            self.trouble = f"the broker {self._broker} {verb}: {event.reason}"
            self.failed.set()
            link.over.set()
        else:
            self.subscribed.set()


def _login(config: MqttConfig, broker: BrokerAddress, gateway: str) -> Login:
    """Return who we are; raise PacketError for what MQTT cannot say."""
    username = config.username or broker.username or ""
    password = (read_secret(config.password_file) or broker.password or "") if username else ""
    login = Login(client_id=config.client_id or f"cn-{gateway}", username=username, password=password)
    Session().connect(login, 0.0)
    return login


def _tls(config: MqttConfig) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=config.ca_file)
    if config.cert_file:
        context.load_cert_chain(config.cert_file, config.key_file)
    return context
