"""Sparkplug B: the gateway is an edge node, its nodes are devices, their quantities metrics with a Quality.

Births come before data, `seq` counts every message of a connection from the NBIRTH's 0, `bdSeq` ties the will
to its birth and counts connections. Custody asks for more than Sparkplug in one point: what it sends at QoS 0
goes out at QoS 1 here, since only a PUBACK tells that the broker has it. Readings whose connection broke before
it are said anew in the next one, after its births, as historical.

Quality is good or bad (192, 0); which mark of QARTOD it was stands beside it as a metric `<quantity>_qc`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge.adapters.sparkplug.messages import REBIRTH, EdgeNode
from edge.adapters.sparkplug.payload import DataType, Metric, decode
from edge.adapters.sparkplug.topic import Topic, Type
from edge.model.quality import Flag
from gateway.north.config import NorthConfig
from gateway.north.formats.format import Message
from gateway.north.reading import Origin, Reading, qualms

_GOOD, _BAD = 192, 0
_NS_A_MS = 1_000_000


class SparkplugFormat:
    """One edge node's session."""

    def __init__(self, config: NorthConfig, gateway: str, session: int) -> None:
        edge_node = config.edge_node or gateway
        self._node = EdgeNode(config.group, edge_node, session)
        self._commands = str(Topic(Type.NCMD, config.group, edge_node))
        self._born: dict[
            str, dict[str, int]
        ] = {}  # device -> the metrics that its birth named, and their types

    def filters(self) -> list[str]:
        """Commands to this edge node."""
        return [self._commands]

    def will(self, now_ms: int) -> Message | None:
        """NDEATH, of this connection's birth."""
        return Message(*self._node.will(now_ms))

    def begin(self, now_ms: int) -> list[Message]:
        """NBIRTH; of devices nothing is known yet."""
        return [Message(*self._node.birth(now_ms))]

    def end(self, now_ms: int) -> list[Message]:
        """NDEATH: who says good-bye has no will."""
        return [Message(*self._node.will(now_ms))]

    def hear(self, topic: str, payload: bytes, now_ms: int) -> list[Message]:
        """Be born again when a host asks for it, with all devices. Raises FrameError for what is no command."""
        asked = topic == self._commands and any(
            metric.name == REBIRTH and metric.value for metric in decode(payload).metrics
        )
        if not asked:
            return []
        births = self.begin(now_ms)
        return births + [self._birth(device, metrics, now_ms) for device, metrics in self._born.items()]

    def encode(self, origin: Origin, readings: Sequence[Reading], now_ms: int) -> list[Message]:
        """DDATA, after a DBIRTH where the device or one of its metrics was not born yet."""
        metrics = [metric for reading in readings for metric in _metrics(reading)]
        names = {metric.name: metric.datatype or DataType.DOUBLE for metric in metrics}
        messages: list[Message] = []
        known = self._born.get(origin.node)
        if known is None or not names.keys() <= known.keys():
            self._born[origin.node] = born = {**(known or {}), **names}
            messages.append(self._birth(origin.node, born, now_ms))
        return [*messages, Message(*self._node.data(origin.node, now_ms, metrics))]

    def _birth(self, device: str, names: dict[str, int], now_ms: int) -> Message:
        """Say which metrics a device has. Their values are null: each reading is said once, as data."""
        metrics = [Metric(name=name, time_ms=now_ms, datatype=kind, null=True) for name, kind in names.items()]
        return Message(*self._node.device_birth(device, now_ms, metrics))


def _metrics(reading: Reading) -> Iterator[Metric]:
    time_ms = reading.time_ns // _NS_A_MS
    for quantity, value, flag in reading.samples:
        yield Metric(
            name=quantity,
            time_ms=time_ms,
            datatype=DataType.DOUBLE,
            value=value,
            null=value is None,
            historical=reading.waited,
            quality=None if flag is Flag.PASS else _BAD if flag in (Flag.FAIL, Flag.MISSING) else _GOOD,
        )
    for name, mark in qualms(reading):
        yield Metric(name=name, time_ms=time_ms, datatype=DataType.INT32, value=mark, historical=reading.waited)
    for name, number in reading.more:
        yield Metric(
            name=name, time_ms=time_ms, datatype=DataType.DOUBLE, value=number, historical=reading.waited
        )
