"""A gateway's inner parts without a network: what the tests of tests/gateway stand on."""

from __future__ import annotations

from pathlib import Path

from edge.model.node import Node, node_id
from edge.model.quality import Clock
from edge.protocol.topics import Leaf, parse_topic, topic
from edge.protocol.wire import Ack, Birth, Column, Pack, decode_ack, encode_birth, encode_pack
from edge.rules import read_rules
from gateway.account import Accounts, Counts
from gateway.arrival import Arrival
from gateway.block import Block, Kept
from gateway.commit import QUALITY, Committer
from gateway.episodes import Episodes
from gateway.journal import Journal
from gateway.ledger import Ledger
from gateway.roster import Roster
from gateway.stages.states import QualityStates
from gateway.watchers import PART, Watchers

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

    def __init__(self, folder: Path, *nodes: str | Node, rules: str = "") -> None:
        self.now_s = NOW_S
        self.journal = Journal(folder / "journal.db", lambda: self.now_s)
        self.ledger = Ledger()
        self.journal.load(self.ledger)
        self.accounts = Accounts(self.ledger, self.journal.queued)
        self.roster = Roster(registered(each) if isinstance(each, str) else each for each in nodes)
        self.episodes = Episodes("gw-01")
        self.episodes.load(self.journal.episodes(), round(NOW_S * 1000))
        self.watchers = Watchers(read_rules(rules), self.journal.states(PART))
        self.quality = QualityStates()
        self.quality.load(self.journal.states(QUALITY).items())
        self.committer = Committer(
            self.journal,
            self.ledger,
            self.roster,
            self.episodes,
            self.watchers,
            self.quality,
            now=lambda: self.now_s,
        )
        self.source = FakeSource()

    async def take(self, *arrivals: Arrival) -> None:
        await self.committer.take(list(arrivals), self.source)

    def counts(self, node: str) -> Counts:
        return self.accounts.nodes().get(node, Counts())

    async def lines(self) -> list[str]:
        blocks = await self.lend(10**6)
        self.journal.give_back(blocks)
        return [line.decode() for block in blocks for line in block.lines]

    async def marked(self) -> list[Kept]:
        """Return what is marked to be tried again."""
        return await self.journal.marked(1000)

    async def lend(self, most_lines: int) -> list[Block]:
        """Lend the oldest blocks at once; none when none waits."""
        return await self.journal.run(lambda _: self.journal._lending.lend(False, most_lines, 10**9))


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
