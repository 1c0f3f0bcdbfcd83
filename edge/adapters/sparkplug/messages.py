"""Messages of Sparkplug B as an edge node or a host publishes them: (topic, payload)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from edge.adapters.sparkplug.payload import DataType, Metric, Payload, encode
from edge.adapters.sparkplug.topic import Topic, Type

BD_SEQ = "bdSeq"
REBIRTH = "Node Control/Rebirth"

Message = tuple[str, bytes]


class EdgeNode:
    """An edge node that publishes: it counts its messages, and leaves out in data what its births have said.

    Metrics of births need a name and a datatype, and get their alias here; those of data need the name. Order
    of a connection: `will` before it, then `birth`, then `device_birth` of each device, then data.
    """

    def __init__(self, group: str, edge: str, bd_seq: int) -> None:
        self.group, self.edge = group, edge
        self.bd_seq = bd_seq % 256
        self._seq = 0
        self._aliases: dict[tuple[str, str], int] = {}

    def will(self, now_ms: int) -> Message:
        """Return the last will, NDEATH. It has no sequence number."""
        return self._message(Type.NDEATH, "", Payload(time_ms=now_ms, metrics=(self._bd_seq(now_ms),)))

    def birth(self, now_ms: int, metrics: Iterable[Metric] = ()) -> Message:
        """Return NBIRTH, which begins the sequence anew."""
        self._seq = 0
        self._aliases.clear()
        control = Metric(name=REBIRTH, time_ms=now_ms, datatype=DataType.BOOLEAN, value=False)
        own = (self._bd_seq(now_ms), control, *self._announced("", metrics))
        return self._counted(Type.NBIRTH, "", now_ms, own)

    def device_birth(self, device: str, now_ms: int, metrics: Iterable[Metric]) -> Message:
        """Return DBIRTH."""
        return self._counted(Type.DBIRTH, device, now_ms, self._announced(device, metrics))

    def device_death(self, device: str, now_ms: int) -> Message:
        """Return DDEATH."""
        return self._counted(Type.DDEATH, device, now_ms, ())

    def data(self, device: str, now_ms: int, metrics: Iterable[Metric]) -> Message:
        """Return DDATA, or NDATA where the device is empty. Raises KeyError for what no birth announced."""
        short = (replace(metric, name="", alias=self._aliases[device, metric.name]) for metric in metrics)
        return self._counted(Type.DDATA if device else Type.NDATA, device, now_ms, short)

    def _announced(self, device: str, metrics: Iterable[Metric]) -> list[Metric]:
        return [
            replace(metric, alias=self._aliases.setdefault((device, metric.name), len(self._aliases)))
            for metric in metrics
        ]

    def _bd_seq(self, now_ms: int) -> Metric:
        return Metric(name=BD_SEQ, time_ms=now_ms, datatype=DataType.INT64, value=self.bd_seq)

    def _counted(self, kind: Type, device: str, now_ms: int, metrics: Iterable[Metric]) -> Message:
        payload = Payload(time_ms=now_ms, metrics=tuple(metrics), seq=self._seq)
        self._seq = (self._seq + 1) % 256
        return self._message(kind, device, payload)

    def _message(self, kind: Type, device: str, payload: Payload) -> Message:
        return str(Topic(kind, self.group, self.edge, device)), encode(payload)


def rebirth(group: str, edge: str, now_ms: int) -> Message:
    """Return the command that asks an edge node for its births."""
    metric = Metric(name=REBIRTH, time_ms=now_ms, datatype=DataType.BOOLEAN, value=True)
    return str(Topic(Type.NCMD, group, edge)), encode(Payload(time_ms=now_ms, metrics=(metric,)))
