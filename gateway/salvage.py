"""A damaged journal: it is set aside, and what is intact moves to a new file. books.py reckons what is lost."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

TABLES = (
    "meta", "stream", "stray", "birth", "block", "quarantine", "retry", "roster", "state", "episode", "reply",
    "north", "north_wait",
)  # fmt: skip
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def lossy(text: bytes) -> str:
    """Read a text column; bytes that are no UTF-8 any more fail their checksum, they need not fail here."""
    return text.decode(errors="replace")


def is_damage(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Tell whether an error means that the file itself is damaged, not that it is busy or its disk full."""
    if isinstance(error, UnicodeDecodeError):
        return True  # SQLite quotes a damaged schema in its complaint
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def is_sound(db: sqlite3.Connection) -> bool:
    """Tell whether the file's structure holds together."""
    return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")


def set_aside(path: Path) -> Path:
    """Rename a damaged journal and its log; return the new name."""
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def copy_intact(aside: Path, db: sqlite3.Connection, own_format: int) -> None:
    """Copy every row that can still be read from a damaged journal into a new one."""
    old = sqlite3.connect(aside)
    old.text_factory = lossy
    try:
        for table in TABLES:
            known = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
            for row in list(_readable(old, table)):
                columns = {name: value for name, value in row.items() if name in known}
                into, marks = f"{table} ({', '.join(columns)})", ",".join("?" * len(columns))
                try:
                    db.execute(f"INSERT OR REPLACE INTO {into} VALUES ({marks})", [*columns.values()])
                except sqlite3.Error as error:
                    log.warning("a row of %s is left behind: %s", table, error)
    finally:
        old.close()
    db.execute("INSERT OR REPLACE INTO meta VALUES ('format', ?)", (own_format,))
    # a boot number must never come twice: where it may be gone, the time stands for it
    db.execute("INSERT OR IGNORE INTO meta VALUES ('boot', ?)", (int(time.time()),))


def _readable(old: sqlite3.Connection, table: str) -> Iterator[dict[str, object]]:
    """Yield the rows of a table from both ends, up to where the damage begins."""
    for order in ("ASC", "DESC"):
        try:
            rows = old.execute(f"SELECT * FROM {table} ORDER BY 1 {order}")
            names = [column[0] for column in rows.description]
            for row in rows:
                yield dict(zip(names, row, strict=True))
        except (sqlite3.Error, UnicodeDecodeError) as error:
            log.warning("table %s is damaged (%s)", table, error)
        else:
            return
