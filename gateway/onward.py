"""What waits for norths on the disk: rows of lines, written in the commit that takes the readings in."""

from __future__ import annotations

import sqlite3
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from typing import NamedTuple, Protocol

from gateway.tally import Held, Tally, mended, reasons_from, reasons_text

ROW_BYTES = 64
"""What a row takes beside its lines."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS north (
  name TEXT PRIMARY KEY, taken INTEGER NOT NULL DEFAULT 0, delivered INTEGER NOT NULL DEFAULT 0,
  given_up TEXT NOT NULL DEFAULT '', sessions INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS north_wait (
  id INTEGER PRIMARY KEY AUTOINCREMENT, north TEXT NOT NULL, since_ms INTEGER NOT NULL,
  readings INTEGER NOT NULL, crc INTEGER NOT NULL, lines BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS north_wait_north ON north_wait (north);
"""


# what damage made no number of counts as 0: the books are mended by the difference
_READINGS = "iif(typeof(readings) = 'integer', readings, 0)"
_SINCE = "iif(typeof(since_ms) = 'integer', since_ms, 0)"


class Copy(NamedTuple):
    """Lines of one commit that a north wants."""

    north: str
    since_ms: int
    readings: int
    body: bytes

    @property
    def size(self) -> int:
        """The room it takes."""
        return len(self.body) + ROW_BYTES


class Copier(Protocol):
    """Who says what of a commit is to wait for norths."""

    def copies(self, lines: list[str], body: bytes, retold: Set[int]) -> list[Copy]:
        """Return it; `body` is all lines as they are stored, `retold` the indexes of those told before."""

    def arrived(self, copies: Sequence[Copy]) -> None:
        """It is on the disk."""


class Row(NamedTuple):
    """What waits: lines, or None where they are not what was written."""

    id: int
    since_ms: int
    readings: int
    size: int
    lines: list[str] | None


class Settlement(NamedTuple):
    """What became of rows: those that are done with, what is left of others, how many readings went where."""

    gone: list[int]
    left: list[tuple[int, list[str]]]
    delivered: int
    given_up: Mapping[str, int]
    freed_bytes: int


def add(db: sqlite3.Connection, copies: Iterable[Copy]) -> None:
    """Let lines wait, within the caller's transaction."""
    for copy in copies:
        db.execute(
            "INSERT INTO north_wait (north, since_ms, readings, crc, lines) VALUES (?, ?, ?, ?, ?)",
            (copy.north, copy.since_ms, copy.readings, zlib.crc32(copy.body), copy.body),
        )
        db.execute("UPDATE north SET taken = taken + ? WHERE name = ?", (copy.readings, copy.north))


def oldest(db: sqlite3.Connection, north: str, most_readings: int) -> list[Row]:
    """Return the oldest rows, of about so many readings, one at least."""
    found: list[Row] = []
    left = most_readings
    for row_id, since_ms, readings, crc, body in db.execute(
        f"SELECT id, {_SINCE}, {_READINGS}, crc, lines FROM north_wait WHERE north = ? ORDER BY id", (north,)
    ):
        if found and readings > left:
            break
        sound = isinstance(body, bytes) and zlib.crc32(body) == crc
        lines = body.decode().split("\n") if sound else None
        found.append(Row(row_id, since_ms, readings, len(body) + ROW_BYTES, lines))
        left -= readings
    return found


def held(db: sqlite3.Connection, north: str, under_way: Collection[int]) -> Iterator[Held]:
    """Yield what waits and is not under way, oldest first."""
    for row in db.execute(
        f"SELECT id, {_SINCE}, {_READINGS}, length(lines) FROM north_wait WHERE north = ? ORDER BY id", (north,)
    ):
        if row[0] not in under_way:
            yield Held(row[0], row[1], row[2], row[3] + ROW_BYTES)


def settle(db: sqlite3.Connection, north: str, settlement: Settlement) -> None:
    """Let rows go and count their readings, within the caller's transaction."""
    db.executemany("DELETE FROM north_wait WHERE id = ?", [(row_id,) for row_id in settlement.gone])
    for row_id, lines in settlement.left:
        body = "\n".join(lines).encode()
        db.execute(
            "UPDATE north_wait SET readings = ?, crc = ?, lines = ? WHERE id = ?",
            (len(lines), zlib.crc32(body), body, row_id),
        )
    db.execute("UPDATE north SET delivered = delivered + ? WHERE name = ?", (settlement.delivered, north))
    if settlement.given_up:
        (text,) = db.execute("SELECT given_up FROM north WHERE name = ?", (north,)).fetchone()
        given_up = reasons_from(text) + Counter(settlement.given_up)
        db.execute("UPDATE north SET given_up = ? WHERE name = ?", (reasons_text(given_up), north))


def next_session(db: sqlite3.Connection, north: str) -> int:
    """Return the number of a north's next connection, from 0, within the caller's transaction."""
    db.execute("UPDATE north SET sessions = sessions + 1 WHERE name = ?", (north,))
    return int(db.execute("SELECT sessions FROM north WHERE name = ?", (north,)).fetchone()[0]) - 1


def read(db: sqlite3.Connection) -> dict[str, Tally]:
    """Return the tally of every north that the disk knows of, as it is written."""
    found: dict[str, Tally] = {}
    for name, taken, delivered, given_up in db.execute("SELECT name, taken, delivered, given_up FROM north"):
        try:
            found[str(name)] = Tally(int(taken), int(delivered), given_up=reasons_from(given_up))
        except (ValueError, TypeError, AttributeError):
            found[str(name)] = Tally()  # damaged
    for name, readings, size in db.execute(
        f"SELECT north, total({_READINGS}), total(length(lines) + {ROW_BYTES}) FROM north_wait GROUP BY north"
    ):
        tally = found.setdefault(str(name), Tally())
        tally.waiting, tally.waiting_bytes = int(readings), int(size)
    return found


def begin(db: sqlite3.Connection, names: Iterable[str]) -> dict[str, Tally]:
    """Return all tallies, those of new norths too; what damage did to them is mended, on the disk as well."""
    db.executemany("INSERT OR IGNORE INTO north (name) VALUES (?)", [(name,) for name in names])
    tallies = read(db)
    for name, tally in tallies.items():
        if not tally.balanced:
            tallies[name] = tally = mended(tally)
            db.execute(
                "INSERT INTO north (name, taken, delivered, given_up) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET taken = excluded.taken, delivered = excluded.delivered, given_up = excluded.given_up",
                (name, tally.taken, tally.delivered, reasons_text(tally.given_up)),
            )
    return tallies
