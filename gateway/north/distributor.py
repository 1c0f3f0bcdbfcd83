"""The task of one [[north]]: rows leave its backlog when the broker has acknowledged every message of them."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable

from edge.adapters.frame import FrameError
from edge.broker import BrokerAddress
from edge.config import read_secret
from edge.model.errors import CityError, ConfigError
from gateway.north.batch import Batch, Parcel
from gateway.north.config import NorthConfig
from gateway.north.connection import LinkLost
from gateway.north.custodian import Custodian
from gateway.north.formats import FORMATS
from gateway.north.formats.format import Format, Message
from gateway.north.link import Link
from gateway.north.queues import Queue
from gateway.sources.session import Login, Patience
from gateway.sources.session import Message as Heard
from gateway.tally import GivenUp

log = logging.getLogger(__name__)

TAKE_READINGS = 1_000


class Distributor(Custodian):
    """Hands readings on to one broker."""

    def __init__(self, queue: Queue, gateway: str, now: Callable[[], float] = time.time) -> None:
        super().__init__(queue, now)
        config = queue.config
        self._gateway = gateway
        self._broker = BrokerAddress.parse(config.url)
        self._login = _login(config, self._broker, gateway)
        self._tls = _tls(config) if self._broker.tls else None

    async def _connection(self) -> None:
        """Hand on by one connection until it is lost: raises LinkLost, JournalError."""
        config, queue = self._config, self.queue
        patience = Patience(answer_within_s=config.answer_within_s)
        words: Format | None = None

        def heard(message: Heard) -> None:
            try:
                if words is not None:
                    self._say(link, words.hear(message.topic, message.payload, self._now_ms()))
            except FrameError as error:
                log.warning("north %s: a command cannot be read: %s", config.name, error)

        link = Link(config.at_once, patience, heard, queue.arrived.set)
        good_bye = False
        try:
            await link.open(self._broker, self._tls)
            words = FORMATS[config.format](config, self._gateway, await queue.session())
            await link.greet(self._with_will(words))
            if filters := words.filters():
                link.subscribe(filters)
            self._say(link, words.begin(self._now_ms()))
            await link.all_arrived()
            self._well()
            await self._hand_on(link, words, self._now_ms())
        except asyncio.CancelledError:
            good_bye = True
            raise
        finally:
            await link.close(good_bye=good_bye)

    async def _hand_on(self, link: Link, words: Format, since_ms: int) -> None:
        under_way: Batch | None = None
        ends = False
        try:
            while True:
                if link.lost:
                    raise LinkLost(link.lost)
                rows = await self.queue.take(TAKE_READINGS)
                if not rows:
                    await self.queue.arrived.wait()
                    continue
                under_way = batch = Batch(rows, since_ms)
                for parcel in batch.parcels:
                    await self._send(link, words, batch, parcel)
                await link.all_arrived()
                under_way = None
                await self._settle(batch, once=False)
        except asyncio.CancelledError:
            ends = True
            self._say(link, words.end(self._now_ms()))
            await self._last_answers(link.all_arrived())
            raise
        finally:
            if under_way is not None:
                await self._settle(under_way, once=ends)

    async def _send(self, link: Link, words: Format, batch: Batch, parcel: Parcel) -> None:
        """Say a parcel; nothing comes between encoding and leaving, since a format may count its messages."""
        await link.room()
        try:
            messages = words.encode(parcel.origin, parcel.readings, self._now_ms())
        except CityError as error:
            if len(parcel.readings) == 1:
                log.warning("north %s: a reading cannot be said: %s", self._config.name, error)
                batch.give_up(parcel, GivenUp.NOT_ENCODED)
                return
            for single in parcel.singles():
                await self._send(link, words, batch, single)
            return
        left = len(messages)

        def arrived() -> None:
            nonlocal left
            left -= 1
            if not left:
                batch.deliver(parcel)

        for message in messages:
            link.deliver(message.topic, message.payload, arrived)

    def _say(self, link: Link, messages: list[Message]) -> None:
        if not link.lost:
            for message in messages:
                link.deliver(message.topic, message.payload, _nothing)

    def _with_will(self, words: Format) -> Login:
        will = words.will(self._now_ms())
        login = self._login
        return Login(
            client_id=login.client_id, username=login.username, password=login.password, clean=True, will=will
        )


def _nothing() -> None:
    """A birth has arrived: nothing hangs on it."""


def _login(config: NorthConfig, broker: BrokerAddress, gateway: str) -> Login:
    username = config.username or broker.username or ""
    password = (read_secret(config.password_file) or broker.password or "") if username else ""
    client_id = config.client_id or f"cn-{gateway}-{config.name}"
    return Login(client_id=client_id, username=username, password=password, clean=True)


def _tls(config: NorthConfig) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
        if config.cert_file:
            context.load_cert_chain(config.cert_file, config.key_file)
    except OSError as error:
        raise ConfigError(f"north {config.name}: its certificates cannot be used: {error}") from None
    return context
