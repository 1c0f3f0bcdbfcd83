"""The journal's file over the years: it is updated with what it holds, and looked through when in doubt."""

import sqlite3
import threading
import zlib
from pathlib import Path

import pytest
from gateway_rig import Rig, birth, data

from gateway import database
from gateway.account import Counts
from gateway.block import Entry, manifest_bytes
from gateway.books import seen_row, stored_row
from gateway.database import JournalDamaged, JournalError, inspect
from gateway.ledger import Spans, Stream
from gateway.statement import read_accounts

FORMAT_3 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO meta VALUES ('format', 3), ('boot', 7);
CREATE TABLE stream (
  node TEXT NOT NULL, boot INTEGER NOT NULL, top INTEGER NOT NULL, floor INTEGER NOT NULL, seen TEXT NOT NULL,
  stored TEXT NOT NULL DEFAULT '', quarantined INTEGER NOT NULL DEFAULT 0,
  dropped INTEGER NOT NULL DEFAULT 0, seen_crc INTEGER NOT NULL, stored_crc INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (node, boot)) WITHOUT ROWID;
CREATE TABLE stray (node TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO stray VALUES ('-', 2);
CREATE TABLE birth (
  node TEXT NOT NULL, schema INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (node, schema)) WITHOUT ROWID;
CREATE TABLE block (
  id INTEGER PRIMARY KEY AUTOINCREMENT, oldest_ms INTEGER NOT NULL, readings INTEGER NOT NULL,
  manifest BLOB NOT NULL, lines BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL, node TEXT NOT NULL, reason TEXT NOT NULL,
  detail TEXT NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL, boot INTEGER, seq INTEGER,
  readings INTEGER NOT NULL);
CREATE INDEX quarantine_node ON quarantine (node);
CREATE TABLE retry (id INTEGER PRIMARY KEY);
CREATE TABLE roster (node TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
"""


def older(path: Path) -> None:
    """Make a journal as format 3 wrote it: ten readings seen, four stored, six in a block."""
    key, seen, stored = ("ys-07", 3), Spans([0, 10]), Spans([0, 4])
    manifest, lines = manifest_bytes([Entry("ys-07", 3, 4, 6)]), b"\n".join([b"water_level level_m=1 1"] * 6)
    db = sqlite3.connect(path)
    db.executescript(FORMAT_3)
    db.execute(
        "INSERT INTO stream VALUES (?, ?, 10, 0, ?, ?, 0, 0, ?, ?)",
        (*key, str(seen), str(stored), seen_row(key, Stream(10, 0, 0, seen))[-1], stored_row(key, stored)[1]),
    )
    crc = zlib.crc32(lines, zlib.crc32(manifest))
    db.execute("INSERT INTO block VALUES (1, 0, 6, ?, ?, ?)", (manifest, lines, crc))
    db.commit()
    db.close()


async def test_an_update_keeps_the_backlog_and_the_account(tmp_path: Path) -> None:
    older(tmp_path / "journal.db")
    with pytest.raises(JournalError, match="older version"):
        read_accounts(tmp_path / "journal.db")
    rig = Rig(tmp_path, "ys-07")
    assert rig.counts("ys-07") == Counts(produced=10, stored=4, queued=6)
    assert await rig.lines() == ["water_level level_m=1 1"] * 6
    assert await rig.journal.next_boot() == 8
    rig.journal.close()
    accounts = read_accounts(tmp_path / "journal.db")
    assert accounts == {
        "-": Counts(produced=2, quarantined=2),
        "ys-07": Counts(produced=10, stored=4, queued=6),
    }


async def test_an_update_that_fails_leaves_the_old_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older(tmp_path / "journal.db")
    with monkeypatch.context() as patch:
        patch.setitem(database._UPDATES, 3, database._UPDATES[3] + "INSERT INTO nowhere VALUES (1);")
        with pytest.raises(JournalError, match="no such table"):
            Rig(tmp_path, "ys-07")
    assert Rig(tmp_path, "ys-07").counts("ys-07") == Counts(produced=10, stored=4, queued=6)


async def filled(folder: Path) -> Path:
    """Leave a journal with three hundred blocks: most of its pages are theirs."""
    rig = Rig(folder, "ys-07")
    await rig.take(birth())
    for seq in range(300):
        await rig.take(data("ys-07", seq, *[[i, 1, 2] for i in range(20)]))
    await rig.journal.run(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    rig.journal.close()
    return folder / "journal.db"


def break_pages(path: Path) -> None:
    """Write garbage over the middle third of the file."""
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(size // 3)
        file.write(bytes(range(256)) * (size // 3 // 256))


def set_aside(folder: Path) -> list[Path]:
    """Return the damaged journals that were kept."""
    return list(folder.glob("journal.db.damaged-*"))


async def test_a_large_journal_is_looked_through_while_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHECK_AT_ONCE_BYTES", 0)
    path = await filled(tmp_path)
    inspect(path, threading.Event())
    break_pages(path)
    with pytest.raises(JournalDamaged):
        inspect(path, threading.Event())
    Rig(tmp_path, "ys-07").journal.close()
    assert set_aside(tmp_path), "when it was opened the next time"
    inspect(path, threading.Event())


async def test_damage_that_is_met_in_use_is_mended_at_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHECK_AT_ONCE_BYTES", 0)
    path = await filled(tmp_path)
    rig = Rig(tmp_path, "ys-07")
    break_pages(path)
    rig.journal._db.execute("PRAGMA shrink_memory")
    with pytest.raises(JournalDamaged):
        while blocks := await rig.lend(100):
            assert blocks
    rig.journal.close()
    rig = Rig(tmp_path, "ys-07")
    assert set_aside(tmp_path)
    counts = rig.counts("ys-07")
    assert counts.balanced
    assert counts.produced >= 100


async def test_damage_that_is_met_at_the_start_is_mended_at_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHECK_AT_ONCE_BYTES", 0)
    break_pages(await filled(tmp_path))
    with pytest.raises(JournalDamaged):
        Rig(tmp_path, "ys-07")
    assert Rig(tmp_path, "ys-07").counts("ys-07").balanced
    assert set_aside(tmp_path)


async def test_the_account_of_a_damaged_journal_is_what_its_gateway_will_say(tmp_path: Path) -> None:
    path = await filled(tmp_path)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE block SET manifest = replace(manifest, 'ys-07', 'ysB07') WHERE id = 5")
    told = read_accounts(path)
    assert list(told) == ["ys-07"]
    assert told["ys-07"].balanced
    assert told["ys-07"] == Rig(tmp_path, "ys-07").counts("ys-07")
