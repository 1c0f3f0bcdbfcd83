"""Live messages of nodes, decoded: what goes over the broker, in words."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt

from edge.broker import BrokerAddress
from edge.field.diagnosis import Symptom, diagnose
from edge.model.errors import CityError, IdentityError
from edge.model.quality import Clock
from edge.model.quantities import QUANTITIES
from edge.model.units import UNITS
from edge.protocol.command import decode_command, decode_reply
from edge.protocol.topics import ROOT, Leaf, parse_topic
from edge.protocol.wire import Birth, Column, decode_ack, decode_birth, decode_death, decode_pack, row_fault


@dataclass(frozen=True, kw_only=True, slots=True)
class Tapped:
    """One message: who, what, in a few words; `values` are those of its newest row."""

    node: str
    leaf: str
    text: str
    good: bool = True
    values: dict[str, float | None] = field(default_factory=dict)
    bytes: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the message as `--json` prints it."""
        return {
            "node": self.node, "leaf": self.leaf, "text": self.text, "good": self.good,
            "values": self.values, "bytes": self.bytes,
        }  # fmt: skip


class Decoder:
    """Turns messages into words; births tell it what a node's columns are."""

    def __init__(self) -> None:
        self._columns: dict[tuple[str, int], tuple[Column, ...]] = {}

    def read(self, topic: str, payload: bytes) -> Tapped:
        """Return a message in words; what is not well formed is told as such."""
        try:
            node, leaf = parse_topic(topic)
        except IdentityError as error:
            return Tapped(node=topic, leaf="?", text=error.message, good=False, bytes=len(payload))
        readers: dict[Leaf, Callable[[str, bytes], tuple[str, dict[str, float | None]]]] = {
            Leaf.BIRTH: self._birth, Leaf.DATA: self._pack, Leaf.REPLAY: self._pack, Leaf.ACK: _ack,
            Leaf.DEATH: _death, Leaf.CMD: _command, Leaf.REPLY: _reply,
        }  # fmt: skip
        try:
            text, values = readers[leaf](node, payload) if payload else ("(cleared)", {})
        except CityError as error:
            return Tapped(node=node, leaf=leaf.value, text=error.message, good=False, bytes=len(payload))
        return Tapped(node=node, leaf=leaf.value, text=text, values=values, bytes=len(payload))

    def _birth(self, node: str, payload: bytes) -> tuple[str, dict[str, float | None]]:
        birth: Birth = decode_birth(payload)
        self._columns[node, birth.schema] = birth.columns
        trial = " on trial" if birth.trial else ""
        text = f"{birth.kind}, {birth.hardware}, firmware {birth.firmware}{trial}, boot {birth.boot}, "
        return text + f"every {birth.period_s:g} s{_clock(birth.clock)}", {}

    def _pack(self, node: str, payload: bytes) -> tuple[str, dict[str, float | None]]:
        pack = decode_pack(payload)
        columns = self._columns.get((node, pack.schema))
        last = pack.seq0 + len(pack.rows) - 1
        span = f"#{pack.seq0}" if last == pack.seq0 else f"#{pack.seq0}..{last}"
        clock = _clock(pack.clock)
        if columns is None:
            return f"{span}{clock}, {len(pack.rows)} rows (columns come with the next birth)", {}
        row = pack.rows[-1]
        fault = row_fault(row, len(columns))
        if fault is not None:
            return f"{span}{clock}: {fault}", {}
        values = {
            column.quantity: None if value is None else value / 10**column.decimals
            for column, value in zip(columns, row[1:], strict=True)
        }
        return f"{span}{clock}  {words(values)}", values


def words(values: dict[str, float | None]) -> str:
    """Return values as people read them: name, number, unit."""
    said = []
    for name, value in values.items():
        row = QUANTITIES.get(name)
        if value is None:
            said.append(f"{name} –")
        elif row is None:
            said.append(f"{name} {value:g}")
        else:
            said.append(f"{row.label_en} {value:.{row.decimals}f} {UNITS[row.unit].display}".strip())
    return "   ".join(said)


def _clock(state: Clock) -> str:
    return "" if state is Clock.SYNCED else f", clock {state.name.lower()}"


def _ack(_node: str, payload: bytes) -> tuple[str, dict[str, float | None]]:
    ack = decode_ack(payload)
    again = f", wants {', '.join(f'{a}..{b}' for a, b in ack.again)} again" if ack.again else ""
    return f"has all below #{ack.upto} of boot {ack.boot}{again}", {}


def _death(_node: str, payload: bytes) -> tuple[str, dict[str, float | None]]:
    return f"the link of boot {decode_death(payload).boot} broke", {}


def _command(_node: str, payload: bytes) -> tuple[str, dict[str, float | None]]:
    command = decode_command(payload)
    said = " ".join(f"{name}={value}" for name, value in command.arguments.items())
    return f"{command.name} {said}".strip() + f"  (command {command.id})", {}


def _reply(_node: str, payload: bytes) -> tuple[str, dict[str, float | None]]:
    reply = decode_reply(payload)
    detail = "" if reply.detail is None else f": {reply.detail}"
    return f"command {reply.id} {reply.status.name.lower()}{detail}", {}


async def tap(
    broker: BrokerAddress,
    node: str | None = None,
    *,
    ca_file: Path | None = None,
    ready: asyncio.Event | None = None,
) -> AsyncIterator[Tapped]:
    """Yield the messages of one node or of all, from now on; births first: they are retained.

    Raises FieldError when the broker cannot be reached or refuses.
    """
    decoder = Decoder()
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None) if broker.tls else None
        async with aiomqtt.Client(
            broker.host, broker.port, username=broker.username, password=broker.password, tls_context=context
        ) as client:
            await client.subscribe(f"{ROOT}/{node or '+'}/+", qos=0)
            if ready is not None:
                ready.set()
            async for message in client.messages:
                payload = message.payload if isinstance(message.payload, bytes) else b""
                told = decoder.read(str(message.topic), payload)
                if node in (None, told.node):  # amqtt sends births that nobody asked for
                    yield told
    except (aiomqtt.MqttError, OSError) as error:
        raise diagnose(Symptom.TAP_REFUSED, broker=str(broker), said=error) from None
