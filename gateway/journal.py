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
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from edge.model.alert import Episode
from gateway import episodes, onward, quarantine, relay
from gateway.block import Block, Entry, Kept, Quarantined, manifest_bytes
from gateway.books import block_crc, drops_text, read_books, seen_row, stored_row, write_mended
from gateway.database import JournalDamaged, JournalError, Transaction, open_database, suspect
from gateway.ledger import Ledger, Spans, Stream, StreamKey
from gateway.lending import Lending
from gateway.onward import Copier, Copy
from gateway.salvage import is_damage
from gateway.tally import Tally

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Change:
    """All that one batch changes.

    resolved: quarantined entries that are tried again, and leave. What lay in quarantine can be tried again for
    `awaited`, nodes whose births came, and for `settled`: boots of a node whose device has the name for itself
    now, and since when they were kept apart. `spoilt` are blocks that are given up. `states` are what checks
    and rules know of a node now: (node, part, value). `taken` are episodes that the cloud has, `answers` what
    nodes replied to commands. `retold` are the indexes of lines that were committed before, and refused by the
    store: norths have had them. `copies` are what norths want of the rest.
    """

    lines: list[str] = field(default_factory=list)
    manifest: list[Entry] = field(default_factory=list)
    times_ms: list[int] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    resolved: list[Kept] = field(default_factory=list)
    births: list[tuple[str, int, bytes]] = field(default_factory=list)
    awaited: list[str] = field(default_factory=list)
    settled: list[tuple[str, list[int], int]] = field(default_factory=list)
    streams: list[tuple[StreamKey, Stream]] = field(default_factory=list)
    spoilt: list[Block] = field(default_factory=list)
    states: list[tuple[str, str, bytes]] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    taken: list[Episode] = field(default_factory=list)
    answers: list[relay.Answer] = field(default_factory=list)
    oldest_ms: int = 0
    retold: set[int] = field(default_factory=set)
    copies: list[Copy] = field(default_factory=list)

    def enter(self, node: str, boot: int, first: int, end: int) -> None:
        """Note lines of the readings [first, end), joined with the entry before where they follow it."""
        if first == end:
            return
        last = self.manifest[-1] if self.manifest else None
        if last and last.boot == boot and last.first + last.readings == first and last.node == node:
            self.manifest[-1] = Entry(node, boot, last.first, last.readings + end - first)
        else:
            self.manifest.append(Entry(node, boot, first, end - first))


@dataclass(slots=True)
class Outcome:
    """What became of blocks: what the store now has of each stream, and the lines that it refused."""

    stored: dict[StreamKey, Spans] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)


class Journal:
    """The gateway's disk. `queued` counts readings in blocks, by node, `queued_readings` all of them.

    `quarantined` counts kept entries.
    `drained` is set while no block waits.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self.queued: dict[str, int] = {}
        self.queued_readings = 0
        self.quarantined = 0
        self.drained = asyncio.Event()
        self.drained.set()
        self._changed: set[str] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._db = open_database(path)
        self._lending = Lending(self._db, now)
        self.copier: Copier | None = None

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in the journal's thread. Raises JournalError, JournalDamaged where the file is."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._db)
        except sqlite3.Error as error:
            if is_damage(error):
                suspect(self.path)
                raise JournalDamaged(f"the journal {self.path} is damaged: {error}") from error
            raise JournalError(
                f"cannot use the journal {self.path}: {error}", remedy="see that its disk is sound and has room"
            ) from error

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in one transaction: all of it is on the disk, or nothing."""

        def whole(db: sqlite3.Connection) -> T:
            with Transaction(db):
                return work(db)

        return await self.run(whole)

    def load(self, ledger: Ledger) -> None:
        """Fill the ledger and the counts from the disk. Called once, at the start."""
        books = self._at_start(lambda db: read_books(db, ledger))
        if books.mended or books.broken:
            with Transaction(self._db) as db:
                write_mended(db, books)
            log.error("the journal was damaged: %d readings are awaited again", sum(books.mended.values()))
        self._changed = ledger.changed
        self.queued = books.queued
        self.queued_readings = sum(books.queued.values())
        (self.quarantined,) = self._db.execute("SELECT COUNT(*) FROM quarantine").fetchone()
        if self.queued:
            self.drained.clear()

    def begin_norths(self, names: list[str]) -> dict[str, Tally]:
        """Return the account of every north, of these and of those known from before. Called at the start."""
        return self._at_start(lambda db: onward.begin(db, names))

    def _at_start(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with Transaction(self._db) as db:
                return work(db)
        except sqlite3.Error as error:
            self.close()
            suspect(self.path)
            raise JournalDamaged(f"the journal {self.path} is damaged: {error}") from error

    def births(self) -> list[bytes]:
        """Return the last birth of every (node, schema)."""
        return [row[0] for row in self._db.execute("SELECT payload FROM birth")]

    def roster(self) -> list[str]:
        """Return the registered nodes as last told by the cloud, a JSON text each."""
        return [row[0] for row in self._db.execute("SELECT record FROM roster")]

    def states(self, part: str) -> dict[str, bytes]:
        """Return what checks or rules knew of each node; what is damaged is forgotten."""
        rows = self._db.execute("SELECT node, value, crc FROM state WHERE part = ?", (part,))
        return {node: value for node, value, crc in rows if crc == _state_crc(node, part, value)}

    def episodes(self) -> list[tuple[str, int, int]]:
        """Return the kept episodes as they were written, and which revision and level the cloud has."""
        return self._db.execute("SELECT body, taken, taken_level FROM episode").fetchall()

    async def save_roster(self, records: dict[str, str]) -> None:
        """Replace the registered nodes."""

        def replace(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM roster")
            db.executemany("INSERT INTO roster VALUES (?, ?)", records.items())

        await self.write(replace)

    async def next_boot(self) -> int:
        """Return the number of this start of the gateway: one more than last time, on disk."""

        def count(db: sqlite3.Connection) -> int:
            db.execute("INSERT OR IGNORE INTO meta VALUES ('boot', 0)")
            db.execute("UPDATE meta SET value = value + 1 WHERE key = 'boot'")
            return int(db.execute("SELECT value FROM meta WHERE key = 'boot'").fetchone()[0])

        return await self.write(count)

    async def commit(self, change: Change) -> None:
        """Write a batch, durably, or raise JournalError with nothing written."""
        body = "\n".join(change.lines).encode()
        if self.copier:
            change.copies = self.copier.copies(change.lines, body, change.retold)
        block_id = await self.write(lambda db: _write(db, change, body))
        self.quarantined += len(change.quarantined) - len(change.resolved)
        for block in change.spoilt:
            self._count(block.manifest, -1)
        self._lending.end(change.spoilt)
        if block_id is not None:
            self._count(change.manifest, 1)
            self._lending.arrived(
                Block(
                    id=block_id,
                    body=body,
                    manifest=change.manifest,
                    oldest_ms=change.oldest_ms,
                    times_ms=change.times_ms,
                )
            )
        if self.copier:
            self.copier.arrived(change.copies)

    async def news(self, most_lines: int) -> list[Block]:
        """Wait for blocks that have just arrived and lend about `most_lines` lines of them."""
        return await self._lend(True, most_lines)

    async def backlog(self, most_lines: int) -> list[Block]:
        """Wait for blocks that have waited, or for more than a request takes; lend the oldest."""
        return await self._lend(False, most_lines)

    async def _lend(self, news: bool, most_lines: int) -> list[Block]:
        lending = self._lending

        def lend(_db: sqlite3.Connection) -> list[Block]:
            return lending.lend(news, most_lines, self.queued_readings - lending.lent_readings)

        while True:
            heard = lending.listen(news)
            blocks = await self.run(lend)
            if blocks:
                return blocks
            await lending.wait(heard, news)

    def give_back(self, blocks: list[Block]) -> None:
        """Lent blocks stay after all."""
        self._lending.end(blocks)

    def spoilt(self) -> list[Block]:
        """Return blocks whose lines are not what was written: they are to be given up."""
        return self._lending.spoilt()

    async def release(self, blocks: list[Block], outcome: Outcome) -> None:
        """The store has these blocks, but for what is quarantined: count them and let them go, durably."""

        def let_go(db: sqlite3.Connection) -> None:
            db.executemany("DELETE FROM block WHERE id = ?", [(block.id,) for block in blocks])
            db.executemany(
                "UPDATE stream SET stored = ?, stored_crc = ? WHERE node = ? AND boot = ?",
                [stored_row(key, spans) for key, spans in outcome.stored.items()],
            )
            quarantine.add(db, outcome.quarantined)

        await self.write(let_go)
        self.quarantined += len(outcome.quarantined)
        for block in blocks:
            self._count(block.manifest, -1)
        self._lending.end(blocks)

    def size_bytes(self) -> tuple[int, int]:
        """Return how much of the file is in use and how much of it is spare; asked in the journal's thread."""
        page, count, spare = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_size", "page_count", "freelist_count")
        )
        return (count - spare) * page, spare * page

    async def lend_to_shed(self, stage: int, after_id: int, most_bytes: int) -> list[Block]:
        """Lend the oldest blocks on which this stage of shedding was not yet tried."""
        return await self.run(lambda _: self._lending.lend_to_shed(after_id, most_bytes, "shed < ?", stage))

    async def lend_older(self, before_ms: int, after_id: int, most_bytes: int) -> list[Block]:
        """Lend the oldest blocks that arrived before a time."""
        return await self.run(
            lambda _: self._lending.lend_to_shed(after_id, most_bytes, "oldest_ms < ?", before_ms)
        )

    async def let_go(self, entries: list[Kept], drops: dict[StreamKey, dict[str, int]]) -> None:
        """Let quarantined entries go; `drops` is what streams have lost by then, in all."""

        def remove(db: sqlite3.Connection) -> None:
            quarantine.remove(db, entries)
            quarantine.count_stray_drops(db, entries)
            _write_drops(db, drops)

        await self.write(remove)
        self.quarantined -= len(entries)

    async def reduce(
        self, stage: int | None, blocks: list[tuple[Block, Block]], drops: dict[StreamKey, dict[str, int]]
    ) -> None:
        """Put smaller blocks in the place of lent ones; `drops` is what streams have lost by then, in all."""

        def replace(db: sqlite3.Connection) -> None:
            for _, after in blocks:
                if not after.manifest:
                    db.execute("DELETE FROM block WHERE id = ?", (after.id,))
                    continue
                manifest, lines = manifest_bytes(after.manifest), after.body
                crc = zlib.crc32(manifest)
                db.execute(
                    "UPDATE block SET readings = ?, shed = coalesce(?, shed), manifest = ?, lines = ?,"
                    " manifest_crc = ?, crc = ? WHERE id = ?",
                    (after.readings, stage, manifest, lines, crc, block_crc(crc, lines), after.id),
                )
            _write_drops(db, drops)

        await self.write(replace)
        for before, after in blocks:
            self._count(before.manifest, -1)
            self._count(after.manifest, 1)
        self._lending.end([before for before, _ in blocks])

    async def marked(self, most: int) -> list[Kept]:
        """Return the oldest quarantined entries that are marked to be tried again."""
        return await self.run(lambda db: quarantine.marked(db, most))

    async def quarantine_after(self, last_id: int, most: int) -> list[dict[str, Any]]:
        """Return up to `most` kept entries younger than `last_id`, oldest first."""
        return await self.run(lambda db: quarantine.after(db, last_id, most))

    async def oldest_ms(self) -> int | None:
        """Return when the oldest waiting block arrived, None when nothing waits."""

        def read(db: sqlite3.Connection) -> int | None:
            row = db.execute("SELECT oldest_ms FROM block ORDER BY id LIMIT 1").fetchone()
            return None if row is None else int(row[0])

        return await self.run(read)

    def close(self) -> None:
        """End the thread and close the file."""
        self._thread.shutdown(wait=True)
        self._db.close()

    def _count(self, manifest: list[Entry], sign: int) -> None:
        for entry in manifest:
            left = self.queued.get(entry.node, 0) + sign * entry.readings
            self.queued_readings += sign * entry.readings
            self._changed.add(entry.node)
            if left:
                self.queued[entry.node] = left
            else:
                self.queued.pop(entry.node, None)
        if self.queued:
            self.drained.clear()
        else:
            self.drained.set()


def _write_drops(db: sqlite3.Connection, drops: dict[StreamKey, dict[str, int]]) -> None:
    db.executemany(
        "UPDATE stream SET drops = ? WHERE node = ? AND boot = ?",
        [(drops_text(counts), *key) for key, counts in drops.items()],
    )


def _state_crc(node: object, part: str, value: object) -> int | None:
    if not isinstance(node, str) or not isinstance(value, bytes):
        return None  # damaged
    return zlib.crc32(value, zlib.crc32(f"{node} {part}".encode("utf-8", "surrogateescape")))


def _write(db: sqlite3.Connection, change: Change, body: bytes) -> int | None:
    db.executemany(
        "INSERT INTO stream (node, boot, top, floor, overwritten, seen, seen_crc) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET top = excluded.top, floor = excluded.floor,"
        " overwritten = excluded.overwritten, seen = excluded.seen, seen_crc = excluded.seen_crc",
        [seen_row(key, stream) for key, stream in change.streams],
    )
    quarantine.remove(db, change.resolved)
    quarantine.add(db, change.quarantined)
    db.executemany("INSERT OR REPLACE INTO birth VALUES (?, ?, ?)", change.births)
    quarantine.mark_awaited(db, change.awaited)
    for node, boots, since_ms in change.settled:
        quarantine.mark_kept_apart(db, node, boots, since_ms)
    db.executemany("DELETE FROM block WHERE id = ?", [(block.id,) for block in change.spoilt])
    db.executemany(
        "INSERT INTO state VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET value = excluded.value, crc = excluded.crc",
        [(*row, _state_crc(*row)) for row in change.states],
    )
    episodes.write(db, change.episodes)
    episodes.mark_taken(db, change.taken)
    relay.write(db, change.answers)
    if not change.lines:
        return None
    onward.add(db, change.copies)
    manifest = manifest_bytes(change.manifest)
    crc = zlib.crc32(manifest)
    cursor = db.execute(
        "INSERT INTO block (oldest_ms, readings, manifest, lines, manifest_crc, crc) VALUES (?, ?, ?, ?, ?, ?)",
        (change.oldest_ms, len(change.lines), manifest, body, crc, block_crc(crc, body)),
    )
    return cursor.lastrowid
