"""Live updates: what changed goes to every open page as server-sent events, a few times a second.

Changes are coalesced, so that a page gets one message a moment however many readings arrive. A page that
cannot keep up is told to start again and let go; it never makes the cloud wait or grow.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

from cloud.stores.protocol import Latest

COALESCE_S = 0.25
QUEUE_EVENTS = 64
HEARTBEAT_S = 10.0
RETRY_MS = 2_000
_RESYNC = b'event: resync\ndata: {"reason":"this page could not keep up"}\n\n'


def server_sent(event: str, data: object) -> bytes:
    """Return one server-sent event."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"event: {event}\ndata: {text}\n\n".encode()


class Subscriber:
    """One open page: a bounded queue of events, closed by the hub or because the page fell behind.

    `node`: the page is about this node, and hears of no other.
    """

    def __init__(self, limit: int, node: str | None = None) -> None:
        self.node = node
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(limit + 1)  # the end always fits
        self._limit = limit
        self.closed = asyncio.Event()

    def put(self, event: bytes) -> None:
        """Queue an event; a full queue becomes a resync and the end."""
        if self.closed.is_set():
            return
        if self._queue.qsize() < self._limit:
            self._queue.put_nowait(event)
            return
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(_RESYNC)
        self.end()

    def end(self) -> None:
        """Let the page go after what is queued."""
        if not self.closed.is_set():
            self.closed.set()
            self._queue.put_nowait(None)

    async def next(self) -> bytes | None:
        """Return the next event, None at the end."""
        return await self._queue.get()


class Live:
    """The hub between what changes and the pages that show it."""

    def __init__(self, *, coalesce_s: float = COALESCE_S, queue_events: int = QUEUE_EVENTS) -> None:
        self._coalesce_s, self._queue_events = coalesce_s, queue_events
        self._subscribers: set[Subscriber] = set()
        self._readings: dict[str, Latest] = {}
        self._nodes: dict[str, Mapping[str, object]] = {}
        self._alerts: dict[int, Mapping[str, object]] = {}
        self._network: Mapping[str, object] | None = None
        self._last_network: bytes | None = None
        self._changed = asyncio.Event()
        self._over = False

    @property
    def subscribers(self) -> int:
        """How many pages are open."""
        return len(self._subscribers)

    def subscribe(self, node: str | None = None) -> Subscriber:
        """Open a page; it begins with the newest state of the network, if that is known.

        A page about one node hears of its readings and its state only.
        """
        subscriber = Subscriber(self._queue_events, node)
        if self._last_network is not None and node is None:
            subscriber.put(self._last_network)
        if self._over:
            subscriber.end()
        else:
            self._subscribers.add(subscriber)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Forget a page that was closed."""
        self._subscribers.discard(subscriber)

    def readings(self, readings: Iterable[Latest]) -> None:
        """Tell of newer readings."""
        for reading in readings:
            self._readings[reading.node] = reading
        self._changed.set()

    def nodes(self, nodes: Iterable[Mapping[str, object]]) -> None:
        """Tell of nodes that are new, corrected, or in another state."""
        for node in nodes:
            self._nodes[str(node["id"])] = node
        self._changed.set()

    def alerts(self, alerts: Iterable[Mapping[str, Any]]) -> None:
        """Tell of alerts that are new or changed."""
        self._alerts.update((alert["id"], alert) for alert in alerts)
        self._changed.set()

    def network(self, network: Mapping[str, object]) -> None:
        """Tell how the network itself is."""
        self._network = network
        self._changed.set()

    def close(self) -> None:
        """End all pages; new ones end at once."""
        self._over = True
        for subscriber in self._subscribers:
            subscriber.end()
        self._subscribers.clear()

    async def run(self) -> None:
        """Send what changed until cancelled, then end all pages."""
        try:
            while True:
                await self._changed.wait()
                await asyncio.sleep(self._coalesce_s)
                self._changed.clear()
                self._send()
        finally:
            self.close()

    def _send(self) -> None:
        self._send_to_nodes()
        if self._nodes:
            self._broadcast(server_sent("nodes", {"nodes": list(self._nodes.values())}))
            self._nodes = {}
        if self._readings:
            rows = [reading.to_dict() for reading in self._readings.values()]
            self._broadcast(server_sent("readings", {"readings": rows}))
            self._readings = {}
        if self._alerts:
            self._broadcast(server_sent("alerts", {"alerts": list(self._alerts.values())}))
            self._alerts = {}
        if self._network is not None:
            self._last_network = server_sent("network", self._network)
            self._broadcast(self._last_network)
            self._network = None

    def _send_to_nodes(self) -> None:
        """Tell the pages about one node what is news of it."""
        for subscriber in [*self._subscribers]:
            if subscriber.node is None:
                continue
            node, reading = self._nodes.get(subscriber.node), self._readings.get(subscriber.node)
            if node is not None:
                self._put(subscriber, server_sent("nodes", {"nodes": [node]}))
            if reading is not None:
                self._put(subscriber, server_sent("readings", {"readings": [reading.to_dict()]}))

    def _broadcast(self, event: bytes) -> None:
        for subscriber in [*self._subscribers]:
            if subscriber.node is None:
                self._put(subscriber, event)

    def _put(self, subscriber: Subscriber, event: bytes) -> None:
        subscriber.put(event)
        if subscriber.closed.is_set():
            self._subscribers.discard(subscriber)
