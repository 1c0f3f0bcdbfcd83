"""Who listens at northbound brokers in tests; reads SenML and Sparkplug without the code that wrote them."""

from __future__ import annotations

import asyncio
import json
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiomqtt
import cbor2
from servers import Mosquitto

from edge.tasks import end

WITHIN_S = 60.0
_CBOR_LABELS = {-3: "bt", -2: "bn", -1: "bver", 0: "n", 1: "u", 2: "v", 6: "t"}


class Said(NamedTuple):
    """A value as a host takes it: whose, what, when, and how good (Sparkplug's Quality, None where unsaid)."""

    device: str
    name: str
    time_ms: int
    value: float | None
    quality: int | None = None
    historical: bool = False


class Host:
    """Somebody behind a northbound broker, whose session outlives the broker's restarts."""

    def __init__(self, broker: Mosquitto, read: Callable[[str, bytes], list[Said]]) -> None:
        self._broker = broker
        self._read = read
        self._changed = asyncio.Event()
        self._client: aiomqtt.Client | None = None
        self.here = asyncio.Event()
        self.messages: list[tuple[str, bytes]] = []
        self.said: list[Said] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen, and stop at the end."""
        task = asyncio.create_task(self._listen())
        try:
            async with asyncio.timeout(WITHIN_S):
                await self.here.wait()
            yield
        finally:
            (ended,) = await end(task)
            if not isinstance(ended, asyncio.CancelledError):
                raise ended

    async def tell(self, topic: str, payload: bytes) -> None:
        """Publish a command."""
        assert self._client is not None
        await self._client.publish(topic, payload, qos=1)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until what was said fulfils a condition."""
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def readings(self, name: str = "level_m") -> Counter[tuple[str, int]]:
        """Return how often each reading came: by device and time."""
        return Counter((said.device, said.time_ms) for said in self.said if said.name == name)

    async def _listen(self) -> None:
        while True:
            try:
                async with aiomqtt.Client(
                    self._broker.host, self._broker.port, identifier="host", clean_session=False
                ) as self._client:
                    await self._client.subscribe("#", qos=1)
                    self.here.set()
                    async for message in self._client.messages:
                        payload = bytes(message.payload)  # type: ignore[arg-type]
                        self.messages.append((str(message.topic), payload))
                        self.said += self._read(str(message.topic), payload)
                        self._changed.set()
            except aiomqtt.MqttError:
                await asyncio.sleep(0.05)


def read_senml(topic: str, payload: bytes) -> list[Said]:
    """Resolve a pack as RFC 8428, 4.6 says."""
    if payload[:1] == b"[":
        pack: list[dict[str, Any]] = json.loads(payload)
    else:
        pack = [{_CBOR_LABELS[key]: value for key, value in row.items()} for row in cbor2.loads(payload)]
    base, base_s, found = "", 0.0, []
    for record in pack:
        base, base_s = record.get("bn", base), record.get("bt", base_s)
        device, _, name = f"{base}{record['n']}".partition("/")
        assert topic.endswith(f"/{device}")
        found.append(Said(device, name, round((base_s + record.get("t", 0.0)) * 1000), record["v"]))
    return found


class SparkplugReader:
    """Holds an edge node to the rules: births before data, `seq` without a gap, metrics that were born."""

    def __init__(self) -> None:
        self.births = 0
        self.bd_seqs: list[int] = []
        self._next_seq = 0
        self._heard: set[tuple[str, bytes]] = set()
        self._known: dict[tuple[str, int], str] = {}

    def __call__(self, topic: str, payload: bytes) -> list[Said]:
        prefix, _, verb, _, *rest = topic.split("/")
        assert prefix == "spBv1.0"
        if verb == "NCMD" or (topic, payload) in self._heard:
            return []
        self._heard.add((topic, payload))  # with seq and times in it, the same bytes are a broker's second try
        fields = list(protobuf(payload))
        metrics = [_metric(value) for number, value in fields if number == 2]
        if verb == "NDEATH":
            assert all(number != 3 for number, _ in fields)
            return []
        (seq,) = (value for number, value in fields if number == 3)
        if verb == "NBIRTH":
            self._next_seq = 0
            self._known = {}
            self.births += 1
            self.bd_seqs.append(next(metric["number"] for metric in metrics if metric["name"] == "bdSeq"))
        assert seq == self._next_seq, (topic, seq, self._next_seq)
        self._next_seq = (seq + 1) % 256
        if verb == "DBIRTH":
            self._known |= {(rest[0], metric["alias"]): metric["name"] for metric in metrics}
        if verb != "DDATA":
            return []
        return [  # a KeyError: data of a metric that was never born
            Said(
                rest[0],
                self._known[rest[0], one["alias"]],
                one["time_ms"],
                one.get("number"),
                one.get("Quality"),
                one["historical"],
            )
            for one in metrics
        ]


def protobuf(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (field number, value): an int, 8 bytes as a double, or bytes."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        elif tag & 7 == 1:
            at += 8
            yield tag >> 3, struct.unpack("<d", data[at - 8 : at])[0]
        else:
            assert tag & 7 == 2
            length = varint()
            at += length
            yield tag >> 3, data[at - length : at]


def _metric(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {"historical": False}
    for number, value in protobuf(data):
        if number == 1:
            found["name"] = value.decode()
        elif number in (2, 3):
            found["alias" if number == 2 else "time_ms"] = value
        elif number == 5:
            found["historical"] = bool(value)
        elif number == 9:
            found |= _properties(value)
        elif number in (10, 11, 13):
            found["number"] = value
    return found


def _properties(data: bytes) -> dict[str, Any]:
    keys = [value.decode() for number, value in protobuf(data) if number == 1]
    values = [dict(protobuf(value)) for number, value in protobuf(data) if number == 2]
    return {key: value.get(3, value.get(8)) for key, value in zip(keys, values, strict=True)}
