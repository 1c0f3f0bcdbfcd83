"""Reading a journal from outside, while its gateway runs or lies dead: the account, and what is quarantined."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gateway.account import Accounts, Counts
from gateway.books import read_books
from gateway.database import FORMAT, OLDEST_FORMAT, JournalError, Transaction
from gateway.onward import read
from gateway.salvage import lossy
from gateway.tally import Tally, mended

NO_NORTHS: Mapping[str, Tally] = MappingProxyType({})


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.exists():
        raise JournalError(f"no journal at {path}", remedy="name the data folder with --data")
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
        db.text_factory = lossy
    except sqlite3.Error as error:
        raise JournalError(f"cannot open {path}: {error}") from None
    try:
        db.execute("BEGIN")  # one consistent view, however many questions
        if not db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
            raise JournalError(f"the journal {path} is being made", remedy="ask again in a moment")
        (found,) = db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        if found > FORMAT:
            raise JournalError(f"{path} was written by a newer version", remedy="update City Neuron")
        if OLDEST_FORMAT <= found < FORMAT:
            raise JournalError(f"{path} is of an older version", remedy="start its gateway once to update it")
        yield db
    except sqlite3.Error as error:
        raise JournalError(f"cannot read {path}: {error}") from None
    except (ValueError, TypeError) as error:  # a manifest with a flipped bit is no JSON any more
        raise JournalError(f"{path} is damaged: {error}", remedy="its gateway mends it at its start") from None
    finally:
        db.close()


def read_accounts(path: Path) -> dict[str, Counts]:
    """Return the account of every node in the journal at `path`.

    A journal that was damaged is reckoned as its gateway will when it starts: what cannot be read any more is
    awaited again.
    """
    with _reading(path) as db:
        books = read_books(db)
    return Accounts(books.ledger, books.queued).nodes()


def read_norths(path: Path) -> dict[str, Tally]:
    """Return the account of every [[north]] in the journal at `path`."""
    with _reading(path) as db:
        return {name: account if account.balanced else mended(account) for name, account in read(db).items()}


def ledger_document(accounts: dict[str, Counts], norths: Mapping[str, Tally] = NO_NORTHS) -> dict[str, Any]:
    """Return the account as `ledger --json` prints it: `total`, `nodes` and, where there are any, `north`."""
    total = sum(accounts.values(), Counts())
    return {
        "total": _row(total),
        "nodes": [{"node": node, **_row(counts)} for node, counts in sorted(accounts.items())],
        **({"north": [{"name": name, **norths[name].to_dict()} for name in sorted(norths)]} if norths else {}),
    }


def _row(counts: Counts) -> dict[str, Any]:
    return {**counts.to_dict(), "reasons": dict(counts.reasons), "balanced": counts.balanced}


def read_quarantine(path: Path, most: int, node: str | None = None) -> tuple[int, list[dict[str, Any]]]:
    """Return how many entries are kept, and the latest of them (of one node, if given), newest first."""
    where, values = ("WHERE node = ?", [node]) if node else ("", [])
    with _reading(path) as db:
        (count,) = db.execute(f"SELECT COUNT(*) FROM quarantine {where}", values).fetchone()
        cursor = db.execute(
            "SELECT id, time_ms, node, reason, detail, topic, payload, boot, seq, readings FROM quarantine"
            f" {where} ORDER BY id DESC LIMIT ?",
            [*values, most],
        )
        names = [column[0] for column in cursor.description]
        return count, [dict(zip(names, row, strict=True)) for row in cursor]


def mark_for_retry(
    path: Path,
    *,
    ids: list[int],
    node: str | None = None,
    reason: str | None = None,
    payload: bytes | None = None,
) -> int:
    """Mark quarantined entries to be tried again by the gateway, now or when it starts; return how many.

    Without ids all entries are meant, of one node or reason if given. `payload` replaces that of a single one.
    """
    if not path.exists():
        raise JournalError(f"no journal at {path}", remedy="name the data folder with --data")
    conditions, values = ["1"], list[object]()
    if ids:
        conditions.append(f"id IN ({','.join('?' * len(ids))})")
        values += ids
    for column, value in (("node", node), ("reason", reason)):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as db, Transaction(db):
            if payload is not None:
                db.execute("UPDATE quarantine SET payload = ? WHERE id = ?", (payload, ids[0]))
            chosen = f"SELECT id FROM quarantine WHERE {' AND '.join(conditions)}"
            return db.execute(f"INSERT OR IGNORE INTO retry {chosen}", values).rowcount
    except sqlite3.Error as error:
        raise JournalError(f"cannot mark entries in {path}: {error}") from None
