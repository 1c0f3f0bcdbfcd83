"""SenML (RFC 8428), as JSON or CBOR: a pack a node, a record a value, under the names that the store has.

SenML has no flag for quality. So a doubtful value has a record of its own beside it, `<quantity>_qc`, and a
value that failed a check is called `<quantity>_rejected`: who knows nothing of it reads values that are good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from edge.adapters.senml.pack import Record
from edge.adapters.senml.writing import CBOR, JSON, encode
from edge.model.quality import Flag
from edge.model.quantities import QUANTITIES
from gateway.north.config import NorthConfig
from gateway.north.formats.format import Message
from gateway.north.reading import Origin, Reading, qualms

_NO_TOPIC = re.compile(r"[+#/\x00-\x1f]")
_NS = 1_000_000_000


class SenmlFormat:
    """Knows nothing from one message to the next."""

    def __init__(self, config: NorthConfig, gateway: str, _session: int) -> None:
        self._pattern = config.topic
        self._gateway = gateway
        self._form = CBOR if config.format == "senml-cbor" else JSON

    def filters(self) -> list[str]:
        """Nothing is heard."""
        return []

    def will(self, now_ms: int) -> Message | None:
        """Nothing is said."""
        return None

    def begin(self, now_ms: int) -> list[Message]:
        """Nothing comes first."""
        return []

    def end(self, now_ms: int) -> list[Message]:
        """Nothing comes last."""
        return []

    def hear(self, topic: str, payload: bytes, now_ms: int) -> list[Message]:
        """Nothing is answered."""
        return []

    def encode(self, origin: Origin, readings: Sequence[Reading], now_ms: int) -> list[Message]:
        """Return one pack."""
        words = {name: _NO_TOPIC.sub("_", text) for name, text in origin._asdict().items()}
        topic = self._pattern.format(gateway=self._gateway, **words)
        records = [record for reading in readings for record in _records(f"{origin.node}/", reading)]
        return [Message(topic, encode(records, self._form))]


def _records(base: str, reading: Reading) -> Iterator[Record]:
    time_s = reading.time_ns / _NS
    for quantity, value, flag in reading.samples:
        if value is not None:
            name = f"{quantity}_rejected" if flag is Flag.FAIL else quantity
            yield Record(name=base + name, base=base, unit=_unit(quantity), time_s=time_s, number=value)
    for name, mark in qualms(reading):
        yield Record(name=base + name, base=base, time_s=time_s, number=mark)
    for name, value in reading.more:
        unit = _unit(name.removesuffix("_raw"))
        yield Record(name=base + name, base=base, unit=unit, time_s=time_s, number=value)


def _unit(quantity: str) -> str:
    found = QUANTITIES.get(quantity)
    return found.unit if found is not None else ""
