"""The journal: one SQLite file with all that the gateway must not forget. One commit, one fsync.

What a batch changes goes into one transaction: streams of the ledger, the block of lines, quarantine, births.
Only after it are messages acknowledged. A block leaves when the store has confirmed it, in one transaction
with the counts of its readings. SQLite runs in one thread of its own, so that an fsync never holds up the
event loop, and while it lasts the next batch gathers.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gateway.block import Block, Entry, Kept, Quarantined, manifest_bytes, manifest_from
from gateway.database import JournalError, Transaction, open_database, read_streams
from gateway.ledger import Ledger, Spans, Stream, StreamKey
from gateway.salvage import block_crc, intact_blocks, reconcile, stored_crc, stream_crc

T = TypeVar("T")
log = logging.getLogger(__name__)

LIVE_MS = 10_000  # a block that waits no longer than this is news
_RETRY = (
    "INSERT OR IGNORE INTO retry SELECT id FROM quarantine WHERE reason IN"
    " ('unregistered', 'unknown_schema', 'bad_registration')"
)


@dataclass(slots=True)
class Change:
    """All that one batch changes.

    resolved: quarantined entries that are tried again, and leave. awaited: nodes whose births came, so that
    what lay in quarantine for want of them can be tried again.
    """

    lines: list[str] = field(default_factory=list)
    manifest: list[Entry] = field(default_factory=list)
    times_ms: list[int] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    resolved: list[Kept] = field(default_factory=list)
    births: list[tuple[str, int, bytes]] = field(default_factory=list)
    awaited: list[str] = field(default_factory=list)
    streams: list[tuple[StreamKey, Stream]] = field(default_factory=list)
    oldest_ms: int = 0

    def enter(self, node: str, boot: int, first: int, end: int) -> None:
        """Note lines of the readings [first, end), joined with the entry before where they follow it."""
        if first == end:
            return
        last = self.manifest[-1] if self.manifest else None
        if last and last.boot == boot and last.first + last.count == first and last.node == node:
            self.manifest[-1] = Entry(node, boot, last.first, last.count + end - first)
        else:
            self.manifest.append(Entry(node, boot, first, end - first))


@dataclass(slots=True)
class Outcome:
    """What became of blocks: what the store now has of each stream, and the lines that it refused."""

    stored: dict[StreamKey, Spans] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)


class Journal:
    """The gateway's disk. `queued` counts readings in blocks, by node; `quarantined` counts kept entries.

    `drained` is set while no block waits.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self._now = now
        self.queued: dict[str, int] = {}
        self.quarantined = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._recent: dict[int, Block] = {}
        self._arrived = asyncio.Event()
        self.drained = asyncio.Event()
        self.drained.set()
        self._db = open_database(path)

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise JournalError(
                f"cannot use the journal {self.path}: {error}", remedy="see that its disk is sound and has room"
            ) from error

    def load(self, ledger: Ledger) -> None:
        """Fill the ledger and the counts from the disk. Called once, at the start."""
        for key, stream in read_streams(self._db):
            ledger.load(key, stream)
        ledger.strays.update(self._db.execute("SELECT node, count FROM stray"))
        manifests, broken = intact_blocks(self._db)
        self._mend(ledger, manifests, broken)
        for manifest in manifests:
            self._count(manifest, 1)
        (self.quarantined,) = self._db.execute("SELECT COUNT(*) FROM quarantine").fetchone()
        if self.queued:
            self._arrived.set()

    def _mend(self, ledger: Ledger, manifests: list[list[Entry]], broken: list[int]) -> None:
        """Bring the ledger in line with where readings are, if damage to the file made them differ."""
        kept = self._db.execute(
            "SELECT node, boot, seq, readings FROM quarantine WHERE typeof(boot) = 'integer'"
            " AND typeof(seq) = 'integer' AND typeof(readings) = 'integer'"
        )
        changed = reconcile(ledger, manifests, kept.fetchall())
        if not changed and not broken:
            return
        with Transaction(self._db) as db:
            db.executemany("DELETE FROM block WHERE id = ?", [(block_id,) for block_id in broken])
            for key in changed:
                stream = ledger.streams[key]
                db.execute("DELETE FROM stream WHERE node = ? AND boot = ?", key)
                db.execute(
                    "INSERT INTO stream VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *key,
                        stream.top,
                        stream.floor,
                        str(stream.seen),
                        str(stream.stored),
                        stream.quarantined,
                        stream.dropped,
                        stream_crc(key, stream),
                        stored_crc(key, stream.stored),
                    ),
                )
        log.error("the journal was damaged: %d readings are awaited again", sum(changed.values()))

    def births(self) -> list[bytes]:
        """Return the last birth of every (node, schema)."""
        return [row[0] for row in self._db.execute("SELECT payload FROM birth")]

    def roster(self) -> list[str]:
        """Return the registered nodes as last told by the cloud, a JSON text each."""
        return [row[0] for row in self._db.execute("SELECT record FROM roster")]

    async def save_roster(self, records: dict[str, str]) -> None:
        """Replace the registered nodes."""

        def write() -> None:
            with Transaction(self._db) as db:
                db.execute("DELETE FROM roster")
                db.executemany("INSERT INTO roster VALUES (?, ?)", records.items())

        await self._run(write)

    async def next_boot(self) -> int:
        """Return the number of this start of the gateway: one more than last time, on disk."""

        def write() -> int:
            with Transaction(self._db) as db:
                db.execute("INSERT OR IGNORE INTO meta VALUES ('boot', 0)")
                db.execute("UPDATE meta SET value = value + 1 WHERE key = 'boot'")
                return int(db.execute("SELECT value FROM meta WHERE key = 'boot'").fetchone()[0])

        return await self._run(write)

    async def commit(self, change: Change) -> None:
        """Write a batch, durably, or raise JournalError with nothing written."""
        block_id = await self._run(lambda: self._write(change))
        self.quarantined += len(change.quarantined) - len(change.resolved)
        if block_id is not None:
            self._count(change.manifest, 1)
            if len(self._recent) < 64:
                self._recent[block_id] = Block(
                    id=block_id,
                    lines=change.lines,
                    manifest=change.manifest,
                    oldest_ms=change.oldest_ms,
                    times_ms=change.times_ms,
                )
            self._arrived.set()

    async def peek(self, most_lines: int) -> list[Block]:
        """Wait for blocks; return news and the oldest ones, about `most_lines` lines, at least one block."""
        while True:
            await self._arrived.wait()
            blocks = await self._run(lambda: self._read(most_lines))
            if blocks:
                return blocks
            self._arrived.clear()

    async def release(self, blocks: list[Block], outcome: Outcome) -> None:
        """The store has these blocks, but for what is quarantined: count them and let them go, durably."""

        def write() -> None:
            with Transaction(self._db) as db:
                db.executemany("DELETE FROM block WHERE id = ?", [(block.id,) for block in blocks])
                db.executemany(
                    "UPDATE stream SET stored = ?, stored_crc = ? WHERE node = ? AND boot = ?",
                    [(str(spans), stored_crc(key, spans), *key) for key, spans in outcome.stored.items()],
                )
                self._quarantine(db, outcome.quarantined)

        await self._run(write)
        self.quarantined += len(outcome.quarantined)
        for block in blocks:
            self._recent.pop(block.id, None)
            self._count(block.manifest, -1)

    async def quarantine_after(self, last_id: int, most: int) -> list[dict[str, Any]]:
        """Return up to `most` kept entries younger than `last_id`, oldest first."""

        def read() -> list[dict[str, Any]]:
            cursor = self._db.execute(
                "SELECT id, time_ms, node, reason, detail, topic, payload, readings FROM quarantine"
                " WHERE id > ? ORDER BY id LIMIT ?",
                (last_id, most),
            )
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

        return await self._run(read)

    async def retry_registered(self, is_registered: Callable[[str], bool]) -> None:
        """Mark what was set aside for want of a registration, where the node is registered now."""

        def write() -> None:
            with Transaction(self._db) as db:
                nodes = db.execute(
                    "SELECT DISTINCT node FROM quarantine WHERE reason = 'unregistered'"
                ).fetchall()
                db.executemany(f"{_RETRY} AND node = ?", [row for row in nodes if is_registered(row[0])])

        await self._run(write)

    async def to_retry(self, most: int) -> list[Kept]:
        """Return the oldest entries that are marked to be tried again."""

        def read() -> list[Kept]:
            cursor = self._db.execute(
                "SELECT q.id, time_ms, node, reason, detail, topic, payload, boot, seq, readings"
                " FROM retry JOIN quarantine q USING (id) ORDER BY q.id LIMIT ?",
                (most,),
            )
            names = [column[0] for column in cursor.description]
            return [Kept(**dict(zip(names, row, strict=True))) for row in cursor]

        return await self._run(read)

    async def oldest_ms(self) -> int | None:
        """Return when the oldest waiting block arrived, None when nothing waits."""

        def read() -> int | None:
            row = self._db.execute("SELECT oldest_ms FROM block ORDER BY id LIMIT 1").fetchone()
            return None if row is None else int(row[0])

        return await self._run(read)

    def close(self) -> None:
        """End the thread and close the file."""
        self._thread.shutdown(wait=True)
        self._db.close()

    def _write(self, change: Change) -> int | None:
        with Transaction(self._db) as db:
            db.executemany(
                "INSERT INTO stream (node, boot, top, floor, seen, seen_crc) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET top = excluded.top, floor = excluded.floor, seen = excluded.seen,"
                " seen_crc = excluded.seen_crc",
                [
                    (*key, stream.top, stream.floor, str(stream.seen), stream_crc(key, stream))
                    for key, stream in change.streams
                ],
            )
            self._resolve(db, change.resolved)
            self._quarantine(db, change.quarantined)
            db.executemany("INSERT OR REPLACE INTO birth VALUES (?, ?, ?)", change.births)
            db.executemany(f"{_RETRY} AND node = ?", [(node,) for node in change.awaited])
            if not change.lines:
                return None
            manifest, lines = manifest_bytes(change.manifest), "\n".join(change.lines).encode()
            cursor = db.execute(
                "INSERT INTO block (oldest_ms, readings, manifest, lines, crc) VALUES (?, ?, ?, ?, ?)",
                (change.oldest_ms, len(change.lines), manifest, lines, block_crc(manifest, lines)),
            )
            return cursor.lastrowid

    @staticmethod
    def _resolve(db: sqlite3.Connection, entries: Iterable[Kept]) -> None:
        for entry in entries:
            db.execute("DELETE FROM quarantine WHERE id = ?", (entry.id,))
            db.execute("DELETE FROM retry WHERE id = ?", (entry.id,))
            if entry.boot is None:
                db.execute("UPDATE stray SET count = count - 1 WHERE node = ?", (entry.node,))
            else:
                db.execute(
                    "UPDATE stream SET quarantined = quarantined - ? WHERE node = ? AND boot = ?",
                    (entry.readings, entry.node, entry.boot),
                )

    @staticmethod
    def _quarantine(db: sqlite3.Connection, entries: Iterable[Quarantined]) -> None:
        for entry in entries:
            db.execute(
                "INSERT INTO quarantine (time_ms, node, reason, detail, topic, payload, boot, seq, readings)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    entry.time_ms,
                    entry.node,
                    entry.reason,
                    entry.detail,
                    entry.topic,
                    entry.payload,
                    entry.boot,
                    entry.seq,
                    entry.readings,
                ),
            )
            if entry.boot is None:
                db.execute(
                    "INSERT INTO stray VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1", (entry.node,)
                )
            else:
                db.execute(
                    "UPDATE stream SET quarantined = quarantined + ? WHERE node = ? AND boot = ?",
                    (entry.readings, entry.node, entry.boot),
                )

    def _read(self, most_lines: int) -> list[Block]:
        """Read what has just arrived, up to half of the lines, then the oldest: no backlog holds up news."""
        chosen: list[tuple[int, int]] = []
        left = most_lines // 2
        fresh_ms = round(self._now() * 1000) - LIVE_MS
        columns = "SELECT id, oldest_ms, readings FROM block"
        for block_id, oldest_ms, readings in self._db.execute(f"{columns} ORDER BY id DESC"):
            if oldest_ms < fresh_ms or (chosen and readings > left):
                break
            chosen.append((block_id, oldest_ms))
            left -= readings
        left += most_lines - most_lines // 2
        first_news = chosen[-1][0] if chosen else 2**62
        for block_id, oldest_ms, readings in self._db.execute(f"{columns} WHERE id < {first_news} ORDER BY id"):
            if chosen and readings > left:
                break
            chosen.append((block_id, oldest_ms))
            left -= readings
        return [self._block(block_id, oldest_ms) for block_id, oldest_ms in sorted(chosen)]

    def _block(self, block_id: int, oldest_ms: int) -> Block:
        if block_id in self._recent:
            return self._recent[block_id]
        manifest, body = self._db.execute(
            "SELECT manifest, lines FROM block WHERE id = ?", (block_id,)
        ).fetchone()
        return Block(
            id=block_id,
            lines=body.decode().split("\n"),
            manifest=manifest_from(manifest),
            oldest_ms=oldest_ms,
        )

    def _count(self, manifest: list[Entry], sign: int) -> None:
        for entry in manifest:
            left = self.queued.get(entry.node, 0) + sign * entry.count
            if left:
                self.queued[entry.node] = left
            else:
                self.queued.pop(entry.node, None)
        if self.queued:
            self.drained.clear()
        else:
            self.drained.set()
