"""The account balances whenever it is drawn up: between any two turns of the loop, whatever is under way."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from gateway_rig import Rig, birth, data, registered

from edge.tasks import end
from gateway import journal
from gateway.account import Counts
from gateway.database import JournalError
from gateway.forward import ForwardConfig, Forwarder
from gateway.shed import BacklogConfig, Shedder
from gateway.sinks import SinkRejected
from gateway.statement import mark_for_retry


@asynccontextmanager
async def watched(rig: Rig) -> AsyncIterator[None]:
    """Draw up the account in every turn of the loop; fail where one did not balance."""
    loop, wrong, looks = asyncio.get_running_loop(), list[Counts](), 0

    def look() -> None:
        nonlocal watch, looks
        looks += 1
        counts = rig.accounts.total()
        if not counts.balanced:
            wrong.append(counts)
        watch = loop.call_soon(look)

    watch = loop.call_soon(look)
    yield
    watch.cancel()
    assert not wrong and looks > 10, (wrong[0] if wrong else None, len(wrong), looks)


class Picky:
    """A store that refuses one value."""

    async def write(self, body: bytes) -> None:
        if b"level_m=0.666" in body:
            raise SinkRejected("400: no")

    async def close(self) -> None:
        """Nothing is open."""


async def test_while_readings_are_committed_forwarded_refused_and_tried_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07", "ys-08")
    forwarder = Forwarder(rig.journal, rig.ledger, Picky(), ForwardConfig())
    shedder = Shedder(rig.journal, rig.ledger, BacklogConfig(quarantine_mb=1e-6), rig.committer.lock)
    async with watched(rig):
        moving = asyncio.create_task(forwarder.run())
        for number in range(10):
            rows = [[0, 3000, 371], [60_000, 666, 371]]
            await rig.take(birth("ys-07"), data("ys-07", 2 * number, *rows), data("ys-09", number, rows[0]))
        await rig.journal.drained.wait()
        assert rig.counts("ys-07") == Counts(produced=20, stored=10, quarantined=10)
        assert rig.counts("ys-09") == Counts(produced=10, quarantined=10)
        rig.roster.replace([registered("ys-07"), registered("ys-09")])
        mark_for_retry(rig.journal.path, ids=[], node="ys-09")
        await rig.take(birth("ys-09"))
        assert await rig.committer.retake(100) == 10
        await rig.journal.drained.wait()
        await shedder.keep_limits()
        await end(moving)
    assert rig.counts("ys-09") == Counts(produced=10, stored=10)
    assert rig.counts("ys-07").dropped == 10


async def test_while_a_backlog_is_thinned_out_and_let_go(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "ys-07")
    shedder = Shedder(rig.journal, rig.ledger, BacklogConfig(most_mb=1e-6), rig.committer.lock)
    async with watched(rig):
        for number in range(5):
            await rig.take(birth(), data("ys-07", 50 * number, *([at, 3000, 371] for at in range(50))))
        await shedder.keep_limits()
    counts = rig.counts("ys-07")
    assert counts == Counts(produced=250, dropped=250, reasons=counts.reasons)
    assert set(counts.reasons) == {"dropped_thinned", "dropped_no_room"}


async def test_while_the_disk_refuses_and_while_the_committer_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, "ys-07")
    await rig.take(birth())
    async with watched(rig):
        with monkeypatch.context() as patched:
            patched.setattr(journal, "_write", full)
            with pytest.raises(JournalError):
                await rig.take(data("ys-07", 0, [0, 3000, 371]))
        taking = asyncio.create_task(rig.take(data("ys-07", 0, [0, 3000, 371])))
        await asyncio.sleep(0)
        taking.cancel()
        await asyncio.wait([taking])
    assert taking.cancelled()
    assert rig.counts("ys-07") == Counts(produced=1, queued=1)


def full(*_: object) -> None:
    """Be a disk without room."""
    raise sqlite3.OperationalError("database or disk is full")
