"""The built-in broker: amqtt in this process, for a city that has no Mosquitto. Custody does not rest on it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from amqtt.broker import Broker
from amqtt.errors import AMQTTError

from edge.model.errors import CityError

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 2_000


class BrokerError(CityError):
    """The built-in broker cannot be started."""


class _Subscriptions(dict[str, Any]):
    """Subscriptions that may change while they are walked through.

    amqtt 0.12 awaits within a loop over them when a client connects; a second client that subscribes
    meanwhile would break the first one's connection.
    """

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.keys()))


@asynccontextmanager
async def built_in_broker() -> AsyncIterator[str]:
    """Run a broker on a free loopback port, open to this machine only; yield its URL."""
    listener = {"type": "tcp", "bind": "127.0.0.1:0", "max_connections": MOST_CONNECTIONS}
    anonymous = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    broker = Broker({"listeners": {"default": listener}, "plugins": anonymous})
    broker._subscriptions = _Subscriptions()
    try:
        await broker.start()
    except AMQTTError as error:
        raise BrokerError(f"the built-in broker does not start: {error}", remedy="give --broker URL") from None
    try:
        yield f"mqtt://127.0.0.1:{_port(broker)}"
    finally:
        try:
            await broker.shutdown()
        except Exception:  # what went through it is with the nodes, or on the gateway's disk
            log.warning("the built-in broker did not end as it should", exc_info=True)


def _port(broker: Broker) -> int:
    server = broker._servers["default"].instance  # the library tells the port nowhere else
    return int(server.sockets[0].getsockname()[1])
