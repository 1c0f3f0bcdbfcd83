"""The account asked while a damaged journal lies there and its gateway is down: no phantom, no lie."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from faults.on_machines import flip
from gateway_rig import Rig, birth, data

from gateway.database import JournalError
from gateway.statement import ledger_document, read_accounts

NODES = [f"ys-{number:02}" for number in range(8)]
SEEDS = 1_000


async def _work(rig: Rig, boot: int) -> None:
    """Leave readings that wait, readings that are quarantined, and gaps."""
    await rig.take(*(birth(name, boot=boot) for name in NODES))
    for seq in range(0, 40, 4):
        rows: list[list[int | None]] = [[row * 1000, seq + row, 371] for row in range(3)]
        await rig.take(*(data(name, seq, *rows, boot=boot) for name in NODES))
    await rig.take(*(data(name, 40, [0, 1, 2, 3], boot=boot) for name in NODES))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the journal of a gateway that was killed at work: one half in the file, one in its log."""
    folder, found = tmp_path_factory.mktemp("gateway"), tmp_path_factory.mktemp("killed")
    rig = asyncio.run(_begun(folder))
    asyncio.run(_work(rig, 1))
    with contextlib.closing(sqlite3.connect(folder / "journal.db")) as db:
        db.execute("PRAGMA wal_checkpoint(RESTART)")
    asyncio.run(_work(rig, 2))
    for path in folder.iterdir():  # while it is open: closing it would tidy up
        shutil.copy(path, found / path.name)
    rig.journal.close()
    return found


async def _begun(folder: Path) -> Rig:
    return Rig(folder, *NODES)


def test_the_account_of_a_sound_journal_knows_all(killed: Path) -> None:
    nodes = ledger_document(read_accounts(killed / "journal.db"))["nodes"]
    assert [row["node"] for row in nodes] == NODES
    assert all(row["queued"] >= 60 and row["quarantined"] and row["balanced"] for row in nodes)


def test_whatever_bytes_are_flipped_the_account_balances_or_is_refused(killed: Path, tmp_path: Path) -> None:
    told = 0
    for seed in range(SEEDS):
        chance = random.Random(seed)
        for path in killed.iterdir():
            shutil.copy(path, tmp_path / path.name)
        flip(tmp_path / "journal.db", chance, chance.random())
        try:
            document = ledger_document(read_accounts(tmp_path / "journal.db"))
        except JournalError:
            continue
        told += 1
        wrong = [row for row in document["nodes"] if not row["balanced"] or row["node"] not in NODES]
        assert not wrong, f"seed {seed}: {wrong}"
        assert document["total"]["balanced"], f"seed {seed}"
    assert told > SEEDS / 10  # or nothing was looked at
