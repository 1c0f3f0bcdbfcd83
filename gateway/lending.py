"""Which blocks go to the store next, and who has them: news by one lane, the oldest by another, none twice."""

from __future__ import annotations

import asyncio
import sqlite3
import zlib
from collections.abc import Callable

from gateway.block import Block, manifest_from
from gateway.books import block_crc

LIVE_MS = 10_000  # a block that waits no longer than this is news
MOST_RECENT_LINES = 200_000  # so many lines are kept in memory beside the disk


class Lending:
    """Lends blocks. `lend` and `lend_to_shed` run in the journal's thread, the rest in the event loop's."""

    def __init__(self, db: sqlite3.Connection, now: Callable[[], float]) -> None:
        self._db = db
        self._now = now
        self._lent: dict[int, int] = {}  # block -> readings
        self._recent: dict[int, Block] = {}
        self._recent_lines = 0
        self._spoilt: dict[int, Block] = {}
        self._heard = {True: asyncio.Event(), False: asyncio.Event()}

    # in the event loop

    def arrived(self, block: Block) -> None:
        """A block is on the disk; while it is young it is read from memory."""
        if self._recent_lines < MOST_RECENT_LINES:
            self._recent[block.id] = block
            self._recent_lines += block.readings
        for heard in self._heard.values():
            heard.set()

    def end(self, blocks: list[Block]) -> None:
        """Blocks are lent no longer: they are gone, or can be lent again."""
        for block in blocks:
            self._lent.pop(block.id, None)
            self._spoilt.pop(block.id, None)
            if (recent := self._recent.pop(block.id, None)) is not None:
                self._recent_lines -= recent.readings
        for heard in self._heard.values():
            heard.set()

    @property
    def lent_readings(self) -> int:
        """How many readings are in blocks that are lent."""
        return sum(self._lent.values())

    def listen(self, news: bool) -> asyncio.Event:
        """Return an event that is set when something arrives from now on."""
        heard = self._heard[news]
        heard.clear()
        return heard

    async def wait(self, heard: asyncio.Event, news: bool) -> None:
        """Wait for an arrival; the backlog's lane also looks again when news may have grown old."""
        try:
            async with asyncio.timeout(None if news else LIVE_MS / 1000):
                await heard.wait()
        except TimeoutError:
            pass

    def spoilt(self) -> list[Block]:
        """Return blocks whose lines are not what was written. They stay lent until they are given up."""
        return list(self._spoilt.values())

    # in the journal's thread

    def lend(self, news: bool, most_lines: int, waiting: int) -> list[Block]:
        """Lend news (the latest) or backlog (the oldest); `waiting` readings are in blocks that are not lent.

        The backlog's lane helps with news only when there is more of it than one request takes.
        """
        fresh_ms = round(self._now() * 1000) - LIVE_MS
        help_out = waiting > most_lines
        order = "DESC" if news else "ASC"
        chosen: list[tuple[int, int, int]] = []
        left = most_lines
        for row in self._db.execute(f"SELECT id, oldest_ms, readings FROM block ORDER BY id {order}"):
            block_id, oldest_ms, readings = row
            if block_id in self._lent:
                continue
            is_old = oldest_ms < fresh_ms
            if (news and is_old) or not (news or is_old or help_out) or (chosen and readings > left):
                break
            chosen.append(row)
            left -= readings
        return self._blocks(sorted(chosen))

    def lend_to_shed(self, after_id: int, most_bytes: int, condition: str, value: int) -> list[Block]:
        """Lend the oldest blocks after one that fulfil a condition."""
        chosen: list[tuple[int, int, int]] = []
        left = most_bytes
        for block_id, oldest_ms, readings, size in self._db.execute(
            "SELECT id, oldest_ms, readings, length(lines) FROM block"
            f" WHERE id > ? AND {condition} ORDER BY id",
            (after_id, value),
        ):
            if block_id in self._lent:
                continue
            if chosen and size > left:
                break
            chosen.append((block_id, oldest_ms, readings))
            left -= size
        return self._blocks(chosen)

    def _blocks(self, rows: list[tuple[int, int, int]]) -> list[Block]:
        self._lent.update((block_id, readings) for block_id, _, readings in rows)
        return [block for row in rows if (block := self._block(row[0], row[1])) is not None]

    def _block(self, block_id: int, oldest_ms: int) -> Block | None:
        if (recent := self._recent.get(block_id)) is not None:
            return recent
        manifest, body, crc, manifest_crc = self._db.execute(
            "SELECT manifest, lines, crc, manifest_crc FROM block WHERE id = ?", (block_id,)
        ).fetchone()
        if not isinstance(manifest, bytes) or zlib.crc32(manifest) != manifest_crc:
            damage = sqlite3.DatabaseError(f"the manifest of block {block_id} is not what was written")
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage
        entries = manifest_from(manifest)
        if not isinstance(body, bytes) or block_crc(manifest_crc, body) != crc:
            self._spoilt[block_id] = Block(id=block_id, body=b"", manifest=entries, oldest_ms=oldest_ms)
            return None
        return Block(id=block_id, body=body, manifest=entries, oldest_ms=oldest_ms)
