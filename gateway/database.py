"""The journal's file: its tables, how it is opened, and transactions that hold or leave no trace."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from edge.model.errors import CityError
from gateway.ledger import Spans, Stream, StreamKey
from gateway.salvage import copy_intact, is_damage, is_sound, lossy, set_aside, stored_crc, stream_crc

log = logging.getLogger(__name__)

FORMAT = 3
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT OR IGNORE INTO meta VALUES ('format', {FORMAT});
CREATE TABLE IF NOT EXISTS stream (
  node TEXT NOT NULL, boot INTEGER NOT NULL, top INTEGER NOT NULL, floor INTEGER NOT NULL, seen TEXT NOT NULL,
  stored TEXT NOT NULL DEFAULT '', quarantined INTEGER NOT NULL DEFAULT 0,
  dropped INTEGER NOT NULL DEFAULT 0, seen_crc INTEGER NOT NULL, stored_crc INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (node, boot)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stray (node TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS birth (
  node TEXT NOT NULL, schema INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (node, schema)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS block (
  id INTEGER PRIMARY KEY AUTOINCREMENT, oldest_ms INTEGER NOT NULL, readings INTEGER NOT NULL,
  manifest BLOB NOT NULL, lines BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS quarantine (
  id INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL, node TEXT NOT NULL, reason TEXT NOT NULL,
  detail TEXT NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL, boot INTEGER, seq INTEGER,
  readings INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS quarantine_node ON quarantine (node);
CREATE TABLE IF NOT EXISTS retry (id INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS roster (node TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
"""


class JournalError(CityError):
    """The journal cannot be opened or written; nothing that was acknowledged is in danger."""


def open_database(path: Path) -> sqlite3.Connection:
    """Open or make the journal's file; raise JournalError where it cannot be used.

    A damaged file is set aside and what is intact of it goes into a new one.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _opened(path)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if not is_damage(error):
                raise
        aside = set_aside(path)
        log.error("the journal was damaged and is kept as %s; what is intact is taken over", aside)
        db = _opened(path)
        with Transaction(db):
            copy_intact(aside, db)
        return db
    except (sqlite3.Error, OSError) as error:
        raise JournalError(
            f"cannot open the journal {path}: {error}", remedy="check the folder and the disk's room"
        ) from None


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5)
    db.text_factory = lossy
    try:
        found = _format(db)
        if found > FORMAT:
            raise JournalError(
                f"the journal {path} was written by a newer version (format {found}, not {FORMAT})",
                remedy="update City Neuron",
            )
        if 0 < found < FORMAT:
            raise JournalError(
                f"the journal {path} is of format {found}, which was never released",
                remedy="name another folder with --data",
            )
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")
        if not is_sound(db):
            damage = sqlite3.DatabaseError("quick_check found damage")
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage
    except BaseException:
        db.close()
        raise
    return db


def read_streams(db: sqlite3.Connection) -> Iterator[tuple[StreamKey, Stream]]:
    """Yield the ledger as it is on disk; what does not match its checksum is taken for nothing."""
    columns = "node, boot, top, floor, seen, stored, quarantined, dropped, seen_crc, stored_crc"
    rows = db.execute(f"SELECT {columns} FROM stream WHERE typeof(boot) = 'integer'")
    for node, boot, top, floor, seen, stored, quarantined, dropped, seen_crc, its_crc in rows:
        key = (node, boot)
        try:
            stream = Stream(top, floor, Spans.parse(seen), Spans(), quarantined, dropped)
            if stream_crc(key, stream) != seen_crc:
                raise ValueError("checksum")
        except (ValueError, TypeError, AttributeError):
            stream = Stream(quarantined=quarantined if type(quarantined) is int else 0)
        try:
            known = Spans.parse(stored)
            if not stored or stored_crc(key, known) == its_crc:
                stream.stored = known
        except (ValueError, TypeError, AttributeError):
            pass  # the store is asked to merge these readings once more
        yield key, stream


def _format(db: sqlite3.Connection) -> int:
    """Return the format of a journal, 0 for one that is yet to be made."""
    if not db.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0]:
        return 0
    return int(db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()[0])


class Transaction:
    """BEGIN IMMEDIATE ... COMMIT, or ROLLBACK on any error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            try:
                self._db.execute("COMMIT")
                return
            except sqlite3.Error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        elif self._db.in_transaction:
            self._db.execute("ROLLBACK")
