"""Quarantine on the disk: what cannot be stored, kept with its reason, to be repaired and tried again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

from gateway.block import Kept, Quarantined

TWINS = "two_nodes_one_id"
_MARK = "INSERT OR IGNORE INTO retry SELECT id FROM quarantine WHERE"
_WANTING = "('unregistered', 'unknown_schema', 'bad_registration')"


def add(db: sqlite3.Connection, entries: Iterable[Quarantined]) -> None:
    """Keep entries and count their readings."""
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
                "INSERT INTO stray (node, count) VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1",
                (entry.node,),
            )
        else:
            db.execute(
                "UPDATE stream SET quarantined = quarantined + ? WHERE node = ? AND boot = ?",
                (entry.readings, entry.node, entry.boot),
            )


def remove(db: sqlite3.Connection, entries: Iterable[Kept]) -> None:
    """Let entries go and take their readings off the count."""
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


def count_stray_drops(db: sqlite3.Connection, entries: Iterable[Kept]) -> None:
    """Count the strays among entries that were let go."""
    for entry in entries:
        if entry.boot is None:
            db.execute("UPDATE stray SET dropped = dropped + 1 WHERE node = ?", (entry.node,))


def size_bytes(db: sqlite3.Connection) -> int:
    """Return about how much room the entries take."""
    return int(db.execute("SELECT coalesce(sum(length(payload) + 200), 0) FROM quarantine").fetchone()[0])


def mark_awaited(db: sqlite3.Connection, nodes: Iterable[str]) -> None:
    """Mark what was set aside for want of a node's birth or registration, to be tried again."""
    db.executemany(f"{_MARK} reason IN {_WANTING} AND node = ?", [(node,) for node in nodes])


def mark_registered(db: sqlite3.Connection, is_registered: Callable[[str], bool]) -> None:
    """Mark what was set aside for want of a registration, where the node is registered now."""
    nodes = db.execute("SELECT DISTINCT node FROM quarantine WHERE reason = 'unregistered'").fetchall()
    mark_awaited(db, [node for (node,) in nodes if is_registered(node)])


def mark_kept_apart(db: sqlite3.Connection, node: str, boots: Iterable[int], since_ms: int) -> None:
    """Mark what was kept apart of these boots since a time: it is clear now that they are the node's own.

    What was kept apart before, in another dispute, is for people to judge.
    """
    db.executemany(
        f"{_MARK} node = ? AND reason = ? AND boot = ? AND time_ms >= ?",
        [(node, TWINS, boot, since_ms) for boot in boots],
    )


def marked(db: sqlite3.Connection, most: int) -> list[Kept]:
    """Return the oldest entries that are marked to be tried again."""
    return _entries(db, "FROM retry JOIN quarantine q USING (id) ORDER BY q.id LIMIT ?", most)


def oldest(db: sqlite3.Connection, most: int) -> list[Kept]:
    """Return the oldest entries."""
    return _entries(db, "FROM quarantine q ORDER BY q.id LIMIT ?", most)


def after(db: sqlite3.Connection, last_id: int, most: int) -> list[dict[str, Any]]:
    """Return up to `most` entries younger than `last_id`, oldest first."""
    cursor = db.execute(
        "SELECT id, time_ms, node, reason, detail, topic, payload, readings FROM quarantine"
        " WHERE id > ? ORDER BY id LIMIT ?",
        (last_id, most),
    )
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _entries(db: sqlite3.Connection, where: str, most: int) -> list[Kept]:
    cursor = db.execute(
        f"SELECT q.id, time_ms, node, reason, detail, topic, payload, boot, seq, readings {where}", (most,)
    )
    names = [column[0] for column in cursor.description]
    return [Kept(**dict(zip(names, row, strict=True))) for row in cursor]
