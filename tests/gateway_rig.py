"""A gateway's inner parts without a network: what the tests of tests/gateway stand on."""

from __future__ import annotations

from pathlib import Path

from edge.model.node import Node, node_id
from edge.model.quality import Clock
from edge.protocol.topics import Leaf, parse_topic, topic
from edge.protocol.wire import Ack, Birth, Column, Pack, decode_ack, encode_birth, encode_pack
from gateway.arrival import Arrival
from gateway.commit import Committer
from gateway.journal import Journal
from gateway.ledger import Counts, Ledger, account
from gateway.roster import Roster

NOW_S = 1_790_000_000.0
NOW_MS = round(NOW_S * 1000)
COLUMNS = (Column("level_m", 3), Column("battery_v", 2))


class FakeSource:
    """Notes what is acknowledged to the transport and what is sent to nodes."""

    def __init__(self) -> None:
        self.settled: list[Arrival] = []
        self.sent: list[tuple[str, Ack]] = []

    def settle(self, arrivals: list[Arrival]) -> None:
        self.settled += arrivals

    def send(self, topic: str, payload: bytes) -> None:
        self.sent.append((parse_topic(topic)[0], decode_ack(payload)))


class Rig:
    """Committer, ledger and journal over one file; `now_s` is the clock."""

    def __init__(self, folder: Path, *nodes: str) -> None:
        self.journal = Journal(folder / "journal.db")
        self.ledger = Ledger()
        self.journal.load(self.ledger)
        self.roster = Roster(registered(name) for name in nodes)
        self.now_s = NOW_S
        self.committer = Committer(self.journal, self.ledger, self.roster, lambda: self.now_s)
        self.source = FakeSource()

    async def take(self, *arrivals: Arrival) -> None:
        await self.committer.take(list(arrivals), self.source)

    def counts(self, node: str) -> Counts:
        found = account(self.ledger.committed(), self.ledger.strays, self.journal.queued)
        return found.get(node, Counts())

    async def lines(self) -> list[str]:
        return [line for block in await self.journal.peek(10**6) for line in block.lines]


def registered(name: str, kind: str = "water_level") -> Node:
    """Return a node as the registry has it."""
    return Node(id=node_id(name), kind=kind, label_en=name, label_zh=name, site="s1", district="yangpu")


def birth(
    name: str = "ys-07", boot: int = 1, following: int = 0, oldest: tuple[int, int] | None = None
) -> Arrival:
    """Return a birth as it arrives."""
    said = Birth(
        node=name, kind="water_level", firmware="1", hardware="test", boot=boot, schema=1, columns=COLUMNS,
        period_s=60, oldest=oldest or (boot, 0), next_seq=following, clock=Clock.SYNCED,
    )  # fmt: skip
    return Arrival(topic(name, Leaf.BIRTH), encode_birth(said), NOW_MS)


def data(
    name: str, seq: int, *rows: list[int | None], boot: int = 1, schema: int = 1, t0_ms: int = NOW_MS
) -> Arrival:
    """Return a pack as it arrives."""
    pack = Pack(schema, boot, seq, t0_ms, Clock.SYNCED, list(rows))
    return Arrival(topic(name, Leaf.DATA), encode_pack(pack), NOW_MS)
