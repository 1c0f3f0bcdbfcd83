"""A journal damaged in any way: the gateway starts, keeps what is intact, gets the rest from the nodes."""

import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from gateway_rig import NOW_S, Rig, birth, data

from gateway.account import Counts
from gateway.forward import ForwardConfig, Forwarder

NODES = ("node-a", "node-b", "node-c")
READINGS = 120


class Store:
    """Merges equal points, as InfluxDB does."""

    def __init__(self) -> None:
        self.points: set[str] = set()

    async def write(self, body: bytes) -> None:
        lines = body.decode().split("\n")
        self.points.update(line.split(" ", 1)[0] + line.split(" ")[1] for line in lines)

    async def close(self) -> None:
        """Nothing is open."""


async def forward(rig: Rig, store: Store, rounds: int = 1000) -> None:
    """Bring some of the journal, or all of it, to the store."""
    forwarder = Forwarder(rig.journal, rig.ledger, store, ForwardConfig(), lambda: NOW_S)
    for _ in range(rounds):
        if rig.journal.drained.is_set():
            return
        blocks = await rig.lend(20)
        await rig.committer.give_up(rig.journal.spoilt())
        if blocks:
            await forwarder.deliver(blocks)


async def send(rig: Rig, first: int, end: int) -> None:
    """Let every node say these readings; one in forty is no reading."""
    for seq in range(first, end):
        for node in NODES:
            row: list[int | None] = [0, seq, 1] if seq % 40 != 39 else [0, seq]
            await rig.take(data(node, seq, row))


async def worked(folder: Path, store: Store) -> None:
    """Leave a journal that has done some work: stored, waiting and quarantined readings."""
    rig = Rig(folder, *NODES)
    await rig.take(*[birth(node) for node in NODES])
    await send(rig, 0, 80)
    await forward(rig, store, rounds=6)
    await send(rig, 80, READINGS)
    before = sum((rig.counts(node) for node in NODES), Counts())
    assert before.stored and before.queued and before.quarantined and before.balanced
    rig.journal._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
    rig.journal.close()


def flip(path: Path, chance: random.Random, count: int) -> None:
    """Overwrite some bytes."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        for _ in range(count):
            file.seek(chance.randrange(size))
            file.write(chance.randbytes(1))


def cut(path: Path, chance: random.Random) -> None:
    """Let the end of the file be gone."""
    os.truncate(path, chance.randrange(path.stat().st_size))


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "one byte": lambda path, chance: flip(path, chance, 1),
    "ten bytes": lambda path, chance: flip(path, chance, 10),
    "a thousand bytes": lambda path, chance: flip(path, chance, 1000),
    "truncated": cut,
    "emptied": lambda path, chance: os.truncate(path, 0),
    "garbage": lambda path, chance: path.write_bytes(chance.randbytes(50_000)) and None,
    "deleted": lambda path, chance: path.unlink(),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("damage", DAMAGES)
async def test_whatever_befalls_the_journal_every_reading_reaches_the_store(
    tmp_path: Path, damage: str, seed: int
) -> None:
    store = Store()
    await worked(tmp_path, store)
    DAMAGES[damage](tmp_path / "journal.db", random.Random(f"{damage} {seed}"))
    rig = Rig(tmp_path, *NODES)
    counts = [rig.counts(node) for node in NODES]
    assert all(count.balanced for count in counts), counts
    await rig.take(*[birth(node, following=READINGS, oldest=(1, 0)) for node in NODES])
    await forward(rig, store)
    while asked := {node: spans for node in NODES if (spans := rig.ledger.streams[node, 1].awaited())}:
        for node, spans in asked.items():  # as nodes do when they are asked
            for first, end in spans:
                for seq in range(first, end):
                    await rig.take(data(node, seq, [0, seq, 1] if seq % 40 != 39 else [0, seq]))
        await forward(rig, store)
    good = [seq for seq in range(READINGS) if seq % 40 != 39]
    assert len(store.points) == len(NODES) * len(good)
    for node in NODES:
        found = rig.counts(node)
        assert found.balanced and found.queued == found.missing == 0, found
        assert (found.produced, found.stored) == (READINGS, len(good))
    rig.journal.close()


def kept_in(folder: Path) -> list[bytes]:
    """Return the contents of damaged files that were set aside."""
    return [path.read_bytes() for path in folder.glob("journal.db.damaged-*")]


async def test_a_damaged_file_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    await worked(tmp_path, Store())
    (tmp_path / "journal.db").write_bytes(b"this was a journal")
    Rig(tmp_path, *NODES).journal.close()
    assert kept_in(tmp_path) == [b"this was a journal"]


async def test_a_block_whose_bytes_changed_is_never_sent(tmp_path: Path) -> None:
    rig = Rig(tmp_path, *NODES)
    await rig.take(birth("node-a"), data("node-a", 0, [0, 1, 2]))
    await rig.take(data("node-a", 1, [0, 1, 2]))
    rig.journal.close()
    with sqlite3.connect(tmp_path / "journal.db") as db:
        db.execute("UPDATE block SET lines = replace(lines, 'level_m', 'level_n') WHERE id = 1")
    rig = Rig(tmp_path, *NODES)
    (block,) = await rig.lend(10)
    assert all(b"level_m" in line for line in block.lines)
    await rig.committer.give_up(rig.journal.spoilt())
    assert rig.counts("node-a") == Counts(produced=2, queued=2)
    assert rig.ledger.streams["node-a", 1].awaited() == [(0, 1)]
