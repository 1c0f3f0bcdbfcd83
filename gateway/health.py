"""The gateway's own health, as readings like any other: they take the same way and are accounted for too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edge.model.kinds import KINDS
from edge.model.quality import Clock
from edge.model.quantities import QUANTITIES
from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import Birth, Column, Pack, encode_birth, encode_pack
from gateway.arrival import Arrival, Inbox

KIND = KINDS["gateway"]
COLUMNS = tuple(Column(name, QUANTITIES[name].decimals) for name in KIND.quantities)

Health = dict[str, float]


class HealthSampler:
    """Puts the gateway's birth and then a reading every period into its own inbox."""

    def __init__(self, gateway: str, boot: int, version: str, inbox: Inbox) -> None:
        self._gateway = gateway
        self._boot = boot
        self._version = version
        self._inbox = inbox
        self._seq = 0

    def announce(self) -> None:
        """Say what this gateway is, in the form of a birth."""
        birth = Birth(
            node=self._gateway,
            kind=KIND.name,
            firmware=self._version,
            hardware="gateway",
            boot=self._boot,
            schema=KIND.schema,
            columns=COLUMNS,
            period_s=KIND.period_s,
            oldest=(self._boot, 0),
            next_seq=0,
            clock=Clock.SYNCED,
        )
        self._put(Leaf.BIRTH, encode_birth(birth))

    def sample(self, health: Health) -> None:
        """Take one reading: a value for each quantity of the kind, None where it is not known."""
        row: list[int | None] = [0]
        for column in COLUMNS:
            value = health.get(column.quantity)
            row.append(None if value is None else round(value * 10**column.decimals))
        now_ms = self._inbox.now_ms()
        self._put(Leaf.DATA, encode_pack(Pack(KIND.schema, self._boot, self._seq, now_ms, Clock.SYNCED, [row])))
        self._seq += 1

    async def run(self, measure: Callable[[], Health]) -> None:
        """Sample every period until cancelled."""
        self.announce()
        while True:
            self.sample(measure())
            await asyncio.sleep(KIND.period_s)

    def _put(self, leaf: Leaf, payload: bytes) -> None:
        self._inbox.put(Arrival(topic(self._gateway, leaf), payload, self._inbox.now_ms()))
