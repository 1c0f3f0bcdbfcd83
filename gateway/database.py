"""The journal's file: its tables, how it is opened, and transactions that hold or leave no trace."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import zlib
from pathlib import Path

from edge.model.errors import CityError
from gateway import onward
from gateway.salvage import copy_intact, is_damage, is_sound, lossy, set_aside

log = logging.getLogger(__name__)

FORMAT = 7
OLDEST_FORMAT = 3
CHECK_AT_ONCE_BYTES = 64 * 1024 * 1024
"""A larger file is looked through while the gateway works (inspection.py): a start must not take minutes."""
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT OR IGNORE INTO meta VALUES ('format', {FORMAT});
CREATE TABLE IF NOT EXISTS stream (
  node TEXT NOT NULL, boot INTEGER NOT NULL, top INTEGER NOT NULL, floor INTEGER NOT NULL,
  overwritten INTEGER NOT NULL DEFAULT 0, seen TEXT NOT NULL, seen_crc INTEGER NOT NULL,
  stored TEXT NOT NULL DEFAULT '', stored_crc INTEGER NOT NULL DEFAULT 0,
  quarantined INTEGER NOT NULL DEFAULT 0, drops TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (node, boot)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stray (
  node TEXT PRIMARY KEY, count INTEGER NOT NULL, dropped INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS birth (
  node TEXT NOT NULL, schema INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (node, schema)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS block (
  id INTEGER PRIMARY KEY AUTOINCREMENT, oldest_ms INTEGER NOT NULL, readings INTEGER NOT NULL,
  shed INTEGER NOT NULL DEFAULT 0, crc INTEGER NOT NULL, manifest_crc INTEGER NOT NULL,
  manifest BLOB NOT NULL, lines BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS quarantine (
  id INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL, node TEXT NOT NULL, reason TEXT NOT NULL,
  detail TEXT NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL, boot INTEGER, seq INTEGER,
  readings INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS quarantine_node ON quarantine (node);
CREATE TABLE IF NOT EXISTS retry (id INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS roster (node TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (
  node TEXT NOT NULL, part TEXT NOT NULL, value BLOB NOT NULL, crc INTEGER NOT NULL,
  PRIMARY KEY (node, part)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS episode (
  rule TEXT NOT NULL, node TEXT NOT NULL, start_ms INTEGER NOT NULL, revision INTEGER NOT NULL,
  taken INTEGER NOT NULL DEFAULT 0, taken_level INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL,
  PRIMARY KEY (rule, node, start_ms)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reply (
  node TEXT NOT NULL, id INTEGER NOT NULL, status INTEGER NOT NULL, detail TEXT NOT NULL,
  time_ms INTEGER NOT NULL, PRIMARY KEY (node, id)) WITHOUT ROWID;
{onward.SCHEMA}"""

# What brings a journal of an older format to the next one. Columns are added at the end, so an updated file
# has them in another order than a new one: every statement names its columns.
_UPDATES: dict[int, str] = {
    3: """
ALTER TABLE stream ADD COLUMN overwritten INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stream ADD COLUMN drops TEXT NOT NULL DEFAULT '';
ALTER TABLE stream DROP COLUMN dropped;
ALTER TABLE stray ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE block ADD COLUMN shed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE block ADD COLUMN manifest_crc INTEGER NOT NULL DEFAULT 0;
UPDATE block SET manifest_crc = crc32(manifest);
""",
    4: "",  # new tables alone
    5: "",
    6: "",
}


class JournalError(CityError):
    """The journal cannot be opened or written; nothing that was acknowledged is in danger."""


class JournalDamaged(JournalError):
    """The journal's file is not what was written: opened anew, what is intact of it is taken over."""


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
        finally:
            _suspect(path).unlink(missing_ok=True)
        aside = set_aside(path)
        log.error("the journal was damaged and is kept as %s; what is intact is taken over", aside)
        db = _opened(path)
        with Transaction(db):
            copy_intact(aside, db, FORMAT)
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
        if 0 < found < OLDEST_FORMAT:
            raise JournalError(
                f"the journal {path} is of format {found}, which was never released",
                remedy="name another folder with --data",
            )
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        _update(db, found)
        db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")
        at_once = path.stat().st_size <= CHECK_AT_ONCE_BYTES or _suspect(path).exists()
        if at_once and not is_sound(db):
            damage = sqlite3.DatabaseError("quick_check found damage")
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage
    except BaseException:
        db.close()
        raise
    return db


def _suspect(path: Path) -> Path:
    """Return the mark that a journal is to be looked through before it is used again."""
    return path.with_name(f"{path.name}.suspect")


def suspect(path: Path) -> None:
    """Let the journal be looked through when it is opened next, however large it is."""
    _suspect(path).touch()


def inspect(path: Path, stop: threading.Event) -> None:
    """Look through a journal in use; raise JournalDamaged where its structure does not hold together."""
    if path.stat().st_size <= CHECK_AT_ONCE_BYTES:
        return  # that was done when it was opened
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        db.set_progress_handler(stop.is_set, 100_000)
        try:
            sound = is_sound(db)
        except sqlite3.Error as error:
            sound = not is_damage(error)
        if not sound and not stop.is_set():
            suspect(path)
            raise JournalDamaged(f"the journal {path} is damaged")


def _format(db: sqlite3.Connection) -> int:
    """Return the format of a journal, 0 for one that is yet to be made."""
    if not db.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0]:
        return 0
    return int(db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()[0])


def _update(db: sqlite3.Connection, found: int) -> None:
    """Bring an older journal to this format, in one transaction: a crash leaves the old one."""
    if not 0 < found < FORMAT:
        return
    log.info("the journal is brought from format %d to %d", found, FORMAT)
    db.create_function("crc32", 1, zlib.crc32, deterministic=True)
    steps = "".join(_UPDATES[step] for step in range(found, FORMAT))
    db.executescript(f"BEGIN IMMEDIATE;{steps}UPDATE meta SET value = {FORMAT} WHERE key = 'format';COMMIT;")


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
