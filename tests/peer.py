"""A small gateway for tests of the node side: takes packs over MQTT, remembers them, acknowledges."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

import aiomqtt

from edge.protocol.topics import Leaf, parse_topic, subscription, topic
from edge.protocol.wire import (
    Ack,
    Birth,
    Column,
    decode_birth,
    decode_death,
    decode_pack,
    encode_ack,
    row_fault,
)
from edge.tasks import end

Key = tuple[str, int, int]


class Peer:
    """Acknowledges what it stored, cumulatively, and asks again for gaps; `deaf` keeps it from doing so."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        client_id: str = "peer",
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        self._username, self._password = username, password
        self._host, self._port, self._client_id = host, port, client_id
        self.births: dict[str, Birth] = {}
        self.deaths: list[tuple[str, int]] = []
        self.rows: dict[Key, tuple[int, int, tuple[int | None, ...]]] = {}
        """(node, boot, seq) -> (t_ms, clock, integers)."""
        self.copies = 0
        self.leaves: dict[str, set[str]] = {}
        self.faults: list[str] = []
        self.deaf = False
        self.connections = 0
        self._upto: dict[tuple[str, int], int] = {}
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Peer:
        self._task = asyncio.create_task(self._run())
        await self.until(lambda: self.connections > 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        await end(self._task)

    async def until(self, condition: Callable[[], bool], timeout_s: float = 30) -> None:
        """Return when the condition holds."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(condition)

    def columns(self, node: str) -> tuple[Column, ...]:
        """The columns a node announced."""
        return self.births[node].columns

    def numbers(self, node: str) -> list[tuple[int, int]]:
        """(boot, seq) of all rows of a node, sorted."""
        return sorted((boot, seq) for name, boot, seq in self.rows if name == node)

    async def _run(self) -> None:
        while True:
            try:
                async with self._client() as client, asyncio.TaskGroup() as answers:
                    leaves = (Leaf.BIRTH, Leaf.DATA, Leaf.REPLAY, Leaf.DEATH)
                    await client.subscribe([(subscription(leaf), 1) for leaf in leaves])
                    async with self._changed:
                        self.connections += 1
                        self._changed.notify_all()
                    async for message in client.messages:
                        if ack := await self._take(str(message.topic), bytes(message.payload)):
                            answers.create_task(client.publish(*ack))  # at QoS 0, as the gateway does
            except* aiomqtt.MqttError:
                await asyncio.sleep(0.05)

    def _client(self) -> aiomqtt.Client:
        return aiomqtt.Client(
            self._host,
            self._port,
            username=self._username,
            password=self._password,
            identifier=self._client_id,
            clean_session=False,
            timeout=20,
        )

    async def _take(self, name: str, payload: bytes) -> tuple[str, bytes] | None:
        """Keep what came; return the acknowledgement that is due for it."""
        node, leaf = parse_topic(name)
        async with self._changed:
            if leaf is Leaf.BIRTH:
                self.births[node] = decode_birth(payload)
            elif leaf is Leaf.DEATH:
                self.deaths.append((node, decode_death(payload).boot))
            else:
                self._store(node, leaf, payload)
            self._changed.notify_all()
        if leaf not in (Leaf.DATA, Leaf.REPLAY) or self.deaf:
            return None
        return topic(node, Leaf.ACK), encode_ack(self._ack(node, decode_pack(payload).boot))

    def _store(self, node: str, leaf: Leaf, payload: bytes) -> None:
        pack = decode_pack(payload)
        self.leaves.setdefault(node, set()).add(leaf.value)
        for index, row in enumerate(pack.rows):
            fault = row_fault(row, len(self.columns(node)))
            if fault:
                self.faults.append(fault)
                continue
            key = (node, pack.boot, pack.seq0 + index)
            value = (pack.t0_ms + row[0], int(pack.clock), tuple(row[1:]))
            self.copies += key in self.rows
            assert self.rows.setdefault(key, value) == value, f"{key} came twice, with different contents"

    def _ack(self, node: str, boot: int) -> Ack:
        upto = self._upto.get((node, boot), 0)
        while (node, boot, upto) in self.rows:
            upto += 1
        self._upto[node, boot] = upto
        seen = [seq for name, b, seq in self.rows if name == node and b == boot and seq > upto]
        again = ((upto, min(seen) - 1),) if seen else ()
        return Ack(boot, upto, again)
