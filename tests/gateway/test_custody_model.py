"""Ledger, journal, commit and forwarding against a model: any order of packs, births, refusals, crashes."""

import asyncio
import re
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway_rig import NOW_S, Rig, birth, data, registered
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.forward import ForwardConfig, Forwarder
from gateway.sinks import SinkRejected, SinkUnavailable
from gateway.statement import mark_for_retry, read_accounts

NODES = ("node-a", "node-b", "stranger")
BOOTS = st.integers(1, 2)
LEVEL = re.compile(r"node=([a-z-]+).* level_m=([0-9.]+)(?:,level_m_qc=3i)?,battery_v=([0-9.]+)")


class Store:
    """A store that may be away and may refuse; it merges equal points as InfluxDB does."""

    def __init__(self) -> None:
        self.points: set[tuple[str, int, int]] = set()
        self.away = False
        self.refuses = False

    async def write(self, body: bytes) -> None:
        found = []
        for line in body.decode().split("\n"):
            match = LEVEL.search(line)
            assert match, line
            found.append((match[1], round(float(match[3]) * 100), round(float(match[2]) * 1000)))
        if self.away:
            raise SinkUnavailable("away")
        if self.refuses and any(seq % 7 == 3 for _, _, seq in found):
            raise SinkRejected("no")
        self.points.update(found)

    async def close(self) -> None:
        """Nothing is open."""


class Custody(RuleBasedStateMachine):
    """A reading of boot b and number n has the level n millimetres and the battery b hundredths of a volt."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = TemporaryDirectory()
        self.store = Store()
        self.sent: set[tuple[str, int, int]] = set()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        self.start()

    def start(self) -> None:
        async def make() -> Rig:
            rig = Rig(Path(self.folder.name), "node-a", "node-b")
            self.forwarder = Forwarder(rig.journal, rig.ledger, self.store, ForwardConfig(), lambda: NOW_S)
            return rig

        self.rig = self.do(make())

    @rule(node=st.sampled_from(NODES), boot=BOOTS, first=st.integers(0, 30), count=st.integers(1, 8))
    def pack(self, node: str, boot: int, first: int, count: int) -> None:
        rows: list[list[int | None]] = [[i, first + i, boot] for i in range(count)]
        self.do(self.rig.take(data(node, first, *rows, boot=boot)))
        self.sent |= {(node, boot, first + i) for i in range(count)}

    @rule(node=st.sampled_from(NODES), boot=BOOTS)
    def birth(self, node: str, boot: int) -> None:
        self.do(self.rig.take(birth(node, boot)))

    @rule(away=st.booleans(), refuses=st.booleans(), lines=st.integers(1, 40))
    def forward(self, away: bool, refuses: bool, lines: int) -> None:
        self.store.away, self.store.refuses = away, refuses

        async def once() -> None:
            if self.rig.journal.drained.is_set():
                return
            blocks = await self.rig.lend(lines)
            if away:
                self.rig.journal.give_back(blocks)
            else:
                await self.forwarder.deliver(blocks)

        self.do(once())

    @rule()
    def crash(self) -> None:
        self.rig.journal.close()
        self.start()

    @rule()
    def retry(self) -> None:
        mark_for_retry(self.rig.journal.path, ids=[])
        self.do(self.again())

    async def again(self) -> None:
        await self.rig.committer.retake(1000)

    @invariant()
    def every_reading_is_accounted_for(self) -> None:
        if not hasattr(self, "rig"):
            return
        on_disk = read_accounts(self.rig.journal.path)
        for node in NODES:
            counts = self.rig.counts(node)
            assert counts.balanced, (node, counts)
            assert counts == on_disk.get(node, counts)
            assert counts.dropped == 0
        assert self.store.points <= self.sent

    def teardown(self) -> None:
        """The stranger is registered, births come, the store is well: all that was ever sent must be stored."""
        if hasattr(self, "rig"):
            self.rig.roster.replace([registered(node) for node in NODES])
            self.rig.committer.forget_intakes()
            for node in NODES:
                self.birth(node, 1)
            self.retry()
            while not self.rig.journal.drained.is_set():
                self.forward(away=False, refuses=False, lines=1000)
            assert self.store.points == self.sent
            assert all(self.rig.counts(node).quarantined == 0 for node in NODES)
            self.rig.journal.close()
        self.folder.cleanup()
        self.loop.close()


Custody.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestCustody = Custody.TestCase
