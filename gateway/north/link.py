"""One connection to a northbound broker: messages of QoS 1, so many at once; who is told that they arrived."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from edge.broker import BrokerAddress
from gateway.north.connection import TICK_S, Connection, LinkLost
from gateway.sources.packets import Publish
from gateway.sources.session import Closed, Delivered, Event, Login, Patience, Session, State

EVENTS_AT_ONCE = 1_000


class Link(Connection):
    """A connection. `on_message` hears what the broker sends us, `on_lost` that it is over."""

    def __init__(
        self,
        at_once: int,
        patience: Patience,
        on_message: Callable[[Publish], None],
        on_lost: Callable[[], None],
    ) -> None:
        super().__init__(on_lost)
        self._session = Session(patience)
        self._patience = patience
        self._at_once = at_once
        self._on_message = on_message
        self._acked_s = 0.0
        self._flushing = False

    async def open(self, broker: BrokerAddress, tls: ssl.SSLContext | None) -> None:
        """Reach the broker's port. Raises LinkLost."""
        try:
            async with asyncio.timeout(self._patience.answer_within_s):
                await self._loop.create_connection(lambda: self, broker.host, broker.port, ssl=tls)
        except OSError as error:  # what TLS refuses and what takes too long are OSErrors too
            raise LinkLost(f"cannot reach the broker {broker}: {str(error) or 'no answer'}") from None
        self._tick()

    async def greet(self, login: Login) -> None:
        """Sign in. Raises LinkLost."""
        self._session.connect(login, self._loop.time())
        self._flush()
        await self._until(lambda: self._session.state is State.OPEN)

    def subscribe(self, filters: list[str]) -> None:
        """Ask for topics."""
        self._session.subscribe(filters, self._loop.time())
        self._flush_soon()

    def deliver(self, topic: str, payload: bytes, then: Callable[[], None]) -> None:
        """Send a message at QoS 1; `then` is called when the broker has it. Raises PacketError."""
        if self._session.state is not State.OPEN:
            raise LinkLost(self.lost or "the connection is closed")
        if not self._waiting:
            self._acked_s = self._loop.time()
        self._waiting[self._session.deliver(topic, payload)] = then
        self._flush_soon()

    async def room(self) -> None:
        """Wait until a message more may be under way. Raises LinkLost."""
        await self._room(self._at_once)

    async def close(self, *, good_bye: bool) -> None:
        """Close; without a good-bye the broker says our will. A peer that does not read the rest is cut off."""
        if good_bye and self._transport is not None:
            self._session.disconnect()
            self._flush()
        await self._close()

    # called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()
        self._lose(f"the broker is gone: {exc or 'it closed the connection'}")

    def data_received(self, data: bytes) -> None:
        self._session.receive(data, self._loop.time())
        while events := self._session.events(EVENTS_AT_ONCE):
            for event in events:
                self._hear(event)

    def _hear(self, event: Event) -> None:
        if isinstance(event, Delivered):
            self._acked_s = self._loop.time()
            self._waiting.pop(event.mid)()
        elif isinstance(event, Publish):
            if event.mid:
                self._session.ack([event.mid])
                self._flush_soon()
            self._on_message(event)
        elif isinstance(event, Closed):
            self._lose(("the broker refuses us: " if event.refused else "the broker is left: ") + event.reason)
        self._changed.set()

    def _tick(self) -> None:
        now_s = self._loop.time()
        closed = self._session.tick(now_s, reading=True)
        if closed is not None:
            self._hear(closed)
        elif self._waiting and now_s - self._acked_s > self._patience.answer_within_s:
            self._lose(f"no PUBACK within {self._patience.answer_within_s:g} s")
        self._flush()
        self._ticking = None if self.lost else self._loop.call_later(TICK_S, self._tick)

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        data = self._session.to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
