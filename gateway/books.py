"""The books as they lie on the disk: read, checked, and brought to agree with where readings really are.

Every reading that ever arrived is stored, waits in a block, lies in quarantine or was let go for a reason. So
when a block or a row is damaged, what a stream has seen is made anew from these: the rest is awaited again,
and the node, which keeps acknowledged readings until it needs their room, sends it once more.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.block import Entry, manifest_from
from gateway.ledger import Drop, Ledger, Spans, Stream, StreamKey


@dataclass(slots=True)
class Books:
    """A ledger that balances, and what had to be mended for it.

    queued: readings in blocks, by node. mended: how many readings are awaited again, by stream that was
    changed. broken: blocks whose manifest is not what was written.
    """

    ledger: Ledger
    queued: dict[str, int] = field(default_factory=dict)
    mended: dict[StreamKey, int] = field(default_factory=dict)
    broken: list[int] = field(default_factory=list)


def read_books(db: sqlite3.Connection, ledger: Ledger | None = None) -> Books:
    """Read all books and reconcile them; nothing is written. Fills `ledger`, or a new one."""
    books = Books(ledger if ledger is not None else Ledger())
    for key, stream in read_streams(db):
        books.ledger.load(key, stream)
    for node, count, dropped in db.execute("SELECT node, count, dropped FROM stray"):
        if isinstance(node, str) and isinstance(count, int) and isinstance(dropped, int):
            books.ledger.strays[node] = count
            if dropped:
                books.ledger.stray_drops[node] = dropped
    manifests = list(_manifests(db, books.broken))
    kept = db.execute(
        "SELECT node, boot, seq, readings FROM quarantine WHERE typeof(boot) = 'integer'"
        " AND typeof(seq) = 'integer' AND typeof(readings) = 'integer'"
    )
    books.mended = reconcile(books.ledger, manifests, kept.fetchall())
    for manifest in manifests:
        for entry in manifest:
            books.queued[entry.node] = books.queued.get(entry.node, 0) + entry.readings
    return books


def write_mended(db: sqlite3.Connection, books: Books) -> None:
    """Write what was mended, within the caller's transaction."""
    db.executemany("DELETE FROM block WHERE id = ?", [(block_id,) for block_id in books.broken])
    for key in books.mended:
        stream = books.ledger.streams[key]
        db.execute("DELETE FROM stream WHERE node = ? AND boot = ?", key)
        db.execute(
            "INSERT INTO stream (node, boot, top, floor, overwritten, seen, seen_crc, stored, stored_crc,"
            " quarantined, drops) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *seen_row(key, stream),
                *stored_row(key, stream.stored)[:2],
                stream.quarantined,
                drops_text(stream.drops),
            ),
        )


def read_streams(db: sqlite3.Connection) -> Iterator[tuple[StreamKey, Stream]]:
    """Yield the streams as they are on disk; what does not match its checksum is taken for nothing."""
    rows = db.execute(
        "SELECT node, boot, top, floor, overwritten, seen, stored, quarantined, drops, seen_crc, stored_crc"
        " FROM stream WHERE typeof(boot) = 'integer'"
    )
    for node, boot, top, floor, overwritten, seen, stored, quarantined, drops, seen_crc, its_crc in rows:
        key = (node, boot)
        try:
            stream = Stream(top, floor, overwritten, Spans.parse(seen), Spans(), quarantined, drops_from(drops))
            if _seen_crc(key, stream, seen) != seen_crc:
                raise ValueError("checksum")
        except (ValueError, TypeError, AttributeError):
            stream = Stream(quarantined=quarantined if type(quarantined) is int else 0)
        try:
            known = Spans.parse(stored)
            if not stored or _stored_crc(key, stored) == its_crc:
                stream.stored = known
        except (ValueError, TypeError, AttributeError):
            pass  # the store is asked to merge these readings once more
        yield key, stream


def _manifests(db: sqlite3.Connection, broken: list[int]) -> Iterator[list[Entry]]:
    for block_id, manifest, crc in db.execute("SELECT id, manifest, manifest_crc FROM block"):
        if isinstance(manifest, bytes) and zlib.crc32(manifest) == crc:
            yield manifest_from(manifest)
        else:
            broken.append(block_id)


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
            waiting[key] = waiting.get(key, 0) + entry.readings
    kept: dict[StreamKey, list[tuple[int, int]]] = {}
    for node, boot, seq, readings in quarantined:
        kept.setdefault((node, boot), []).append((seq, readings))
    changed: dict[StreamKey, int] = {}
    for key in {*ledger.streams, *waiting, *kept}:
        stream = ledger.streams.get(key) or Stream()
        set_apart = sum(count for _, count in kept.get(key, ()))
        known = stream.stored.count() + set_apart + stream.dropped() + waiting.get(key, 0)
        if key in ledger.streams and stream.seen.count() == known and stream.quarantined == set_apart:
            continue
        before = stream.seen.count()
        seen = Spans(stream.stored.edges)
        spans = [(e.first, e.first + e.readings) for m in manifests for e in m if (e.node, e.boot) == key]
        spans += [(seq, seq + count) for seq, count in kept.get(key, ())]
        for first, end in spans:
            seen.add(first, end)
        # what was let go is known by count only: it is awaited again, and the node says what is gone
        stream.seen, stream.quarantined, stream.drops = seen, set_apart, None
        stream.top = max([stream.top, *seen.edges[-1:]])
        ledger.load(key, stream)
        changed[key] = max(0, before - seen.count())
    return changed


def block_crc(manifest_crc: int, lines: bytes) -> int:
    """Return the checksum of a block: CRC-32 of manifest and lines."""
    return zlib.crc32(lines, manifest_crc)


def seen_row(key: StreamKey, stream: Stream) -> tuple[str, int, int, int, int, str, int]:
    """Return what a stream has seen as its row has it, the checksum last."""
    seen = str(stream.seen)
    crc = _seen_crc(key, stream, seen)
    return (*key, stream.top, stream.floor, stream.overwritten, seen, crc)


def stored_row(key: StreamKey, stored: Spans) -> tuple[str, int, str, int]:
    """Return what the store has of a stream, its checksum, and the key."""
    text = str(stored)
    return (text, _stored_crc(key, text), *key)


def _seen_crc(key: StreamKey, stream: Stream, seen: str) -> int:
    overwritten = f",{stream.overwritten}" if stream.overwritten else ""
    return zlib.crc32(f"{key[0]},{key[1]},{stream.top},{stream.floor}{overwritten};{seen}".encode())


def _stored_crc(key: StreamKey, stored: str) -> int:
    return zlib.crc32(f"{key[0]},{key[1]};{stored}".encode())


def drops_text(drops: dict[str, int] | None) -> str:
    """Return counts of readings let go, by reason, as they are stored: `thinned=5,no_room=2`."""
    return ",".join(f"{reason}={count}" for reason, count in sorted((drops or {}).items()))


def drops_from(text: str) -> dict[str, int] | None:
    """Read what `drops_text` wrote; ValueError for anything else."""
    pairs = (part.split("=") for part in text.split(",") if part)
    return {str(Drop(reason)): int(count) for reason, count in pairs} or None
