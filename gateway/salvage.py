"""A damaged journal: what is intact moves to a new file; what is lost is known by number and asked for again.

Every reading that ever arrived is stored, waits in a block, or lies in quarantine. So when a block is gone,
what a stream has seen is made anew from those three: the rest is awaited again, and the node, which keeps
acknowledged readings until it needs their room, sends it once more.
"""

from __future__ import annotations

import logging
import sqlite3
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from gateway.block import Entry, manifest_from
from gateway.ledger import Ledger, Spans, Stream, StreamKey

log = logging.getLogger(__name__)

TABLES = ("meta", "stream", "stray", "birth", "block", "quarantine", "retry", "roster")
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


def copy_intact(aside: Path, db: sqlite3.Connection) -> None:
    """Copy every row that can still be read from a damaged journal into a new one."""
    old = sqlite3.connect(aside)
    old.text_factory = lossy
    try:
        for table in TABLES:
            rows = list(_readable(old, table))
            for row in rows:
                marks = ",".join("?" * len(row))
                try:
                    db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)
                except sqlite3.Error as error:
                    log.warning("a row of %s is left behind: %s", table, error)
    finally:
        old.close()
    # a boot number must never come twice: where it may be gone, the time stands for it
    db.execute("INSERT OR IGNORE INTO meta VALUES ('boot', ?)", (int(time.time()),))


def _readable(old: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a table from both ends, up to where the damage begins."""
    for order in ("ASC", "DESC"):
        try:
            yield from old.execute(f"SELECT * FROM {table} ORDER BY 1 {order}")
        except (sqlite3.Error, UnicodeDecodeError) as error:
            log.warning("table %s is damaged (%s)", table, error)
        else:
            return


def block_crc(manifest: bytes, lines: bytes) -> int:
    """Return the checksum of a block: CRC-32 of manifest and lines."""
    return zlib.crc32(lines, zlib.crc32(manifest))


def stream_crc(key: StreamKey, stream: Stream) -> int:
    """Return the checksum of what a stream has seen."""
    return zlib.crc32(f"{key[0]},{key[1]},{stream.top},{stream.floor};{stream.seen}".encode())


def stored_crc(key: StreamKey, stored: Spans) -> int:
    """Return the checksum of what the store has of a stream."""
    return zlib.crc32(f"{key[0]},{key[1]};{stored}".encode())


def intact_blocks(db: sqlite3.Connection) -> tuple[list[list[Entry]], list[int]]:
    """Return the manifests of all blocks that are whole, and the ids of those that are not."""
    whole: list[list[Entry]] = []
    broken: list[int] = []
    for block_id, manifest, lines, crc in db.execute("SELECT id, manifest, lines, crc FROM block"):
        if isinstance(manifest, bytes) and isinstance(lines, bytes) and block_crc(manifest, lines) == crc:
            whole.append(manifest_from(manifest))
        else:
            broken.append(block_id)
    return whole, broken


def reconcile(
    ledger: Ledger, manifests: list[list[Entry]], quarantined: list[tuple[str, int, int, int]]
) -> dict[StreamKey, int]:
    """Make what streams have seen agree with where readings are; return how many are awaited again, by stream.

    `quarantined` are (node, boot, seq, readings). Only streams that do not add up are looked at closer.
    """
    waiting: dict[StreamKey, int] = {}
    for manifest in manifests:
        for entry in manifest:
            key = (entry.node, entry.boot)
            waiting[key] = waiting.get(key, 0) + entry.count
    kept: dict[StreamKey, list[tuple[int, int]]] = {}
    for node, boot, seq, readings in quarantined:
        kept.setdefault((node, boot), []).append((seq, readings))
    changed: dict[StreamKey, int] = {}
    for key in {*ledger.streams, *waiting, *kept}:
        stream = ledger.streams.get(key) or Stream()
        set_apart = sum(count for _, count in kept.get(key, ()))
        known = stream.stored.count() + set_apart + stream.dropped + waiting.get(key, 0)
        if key in ledger.streams and stream.seen.count() == known and stream.quarantined == set_apart:
            continue
        before = stream.seen.count()
        seen = Spans(stream.stored.edges)
        spans = [(e.first, e.first + e.count) for m in manifests for e in m if (e.node, e.boot) == key]
        spans += [(seq, seq + count) for seq, count in kept.get(key, ())]
        for first, end in spans:
            seen.add(first, end)
        stream.seen, stream.quarantined = seen, set_apart
        stream.top = max([stream.top, *seen.edges[-1:]])
        ledger.load(key, stream)
        changed[key] = max(0, before - seen.count())
    return changed
