"""All foreign sources of a gateway: made from its configuration, run beside one another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from edge.protocol.topics import Leaf, parse_topic
from gateway.arrival import Arrival, Inbox, Source
from gateway.sources.config import SourceConfig
from gateway.sources.desk import Desk
from gateway.sources.line import Line
from gateway.sources.messages import HttpMessages, MqttMessages
from gateway.sources.tcp import Stream

Transport = Stream | Line | MqttMessages | HttpMessages


class ForeignSources:
    """The [[source]] tables at work. `transports` and `desks` are by the names of the sources."""

    def __init__(self, sources: tuple[SourceConfig, ...], gateway: str, inbox: Inbox) -> None:
        self._sources = sources
        self._inbox = inbox
        self.transports = {source.name: _transport(source, gateway) for source in sources}
        self.desks: dict[str, Desk] = {}
        self._nodes: dict[str, Desk] = {}

    def begin(self, states: Mapping[str, bytes]) -> None:
        """Take what the disk knows of foreign devices."""
        for source in self._sources:
            transport = self.transports[source.name]
            line = transport if isinstance(transport, Line) else None
            ask = transport.ask if isinstance(transport, Stream | Line) else None
            obey, forgetful = (line.obey, line.forgetful) if line else (None, ())
            desk = self.desks[source.name] = Desk(source, self._inbox, states, ask, obey, forgetful)
            transport.sit(desk)
            self._nodes |= dict.fromkeys((device.node for device in source.devices), desk)

    async def run(self) -> None:
        """Serve all until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, transport in self.transports.items():
                tasks.create_task(transport.run(), name=f"source {name}")

    def desk_of(self, node: str) -> Desk | None:
        """Return the desk of a foreign node."""
        return self._nodes.get(node)

    def status(self) -> dict[str, Any]:
        """Return, by source, what is wrong with it, and what it hears that it cannot use."""
        found: dict[str, Any] = {}
        for name, transport in self.transports.items():
            desk = self.desks[name]
            found[name] = {
                "state": transport.trouble or "ok",
                **({"connected": transport.connected} if isinstance(transport, Stream) else {}),
                **({"silent": transport.silent, "late": transport.late} if isinstance(transport, Line) else {}),
                "faults": dict(desk.faults),
                "unknown_devices": [device for device, _ in desk.unseated],
            }
        return found


class Ears(Source):
    """Where the gateway's messages come from: nodes over MQTT, and foreign devices."""

    def __init__(self, nodes: Source, foreign: ForeignSources) -> None:
        self._nodes = nodes
        self._foreign = foreign

    def settle(self, arrivals: list[Arrival]) -> None:
        """Tell each source what is on disk."""
        self._nodes.settle(arrivals)
        for arrival in arrivals:
            if arrival.foreign is not None and arrival.foreign.done is not None:
                arrival.foreign.done()

    def send(self, topic: str, payload: bytes) -> None:
        """Send to a node; what is for a foreign device goes to its desk."""
        node, leaf = parse_topic(topic)
        desk = self._foreign.desk_of(node)
        if desk is None:
            self._nodes.send(topic, payload)
        elif leaf is Leaf.ACK:
            desk.acknowledged(node, payload)
        elif leaf is Leaf.CMD:
            desk.command(node, payload)


def _transport(source: SourceConfig, gateway: str) -> Transport:
    if source.transport == "mqtt":
        return MqttMessages(source, gateway)
    if source.transport == "http":
        return HttpMessages(source)
    if source.transport == "tcp-server" or source.adapter.poller is None:
        return Stream(source)
    return Line(source)
