"""What the roll-ups ask of the embedded store's tables: whole rows, how many, and what came before."""

from __future__ import annotations

import json
import sqlite3
from itertools import groupby
from operator import itemgetter

from cloud.stores.protocol import NS_PER_MS, Series, Span, series_tags
from edge.protocol.lines import Tags

_SERIES = "series IN (SELECT id FROM series WHERE measurement = ?) AND time >= ? AND time < ?"


def rows(db: sqlite3.Connection, kind: str, span: Span) -> list[Series]:
    """Return all rows of a kind in the span, series by series, in the order of time."""
    measurement = _measurement(db, kind)
    if measurement is None:
        return []
    tags = _tags(db, measurement)
    names, columns = _fields(db, measurement)
    if not names:
        return []
    found = db.execute(
        f"SELECT series, time, {', '.join(columns)} FROM points_{measurement} WHERE {_SERIES} "
        "ORDER BY series, time",
        (measurement, *_bounds(span)),
    )
    made: list[Series] = []
    for number, group in groupby(found, key=itemgetter(0)):
        _, times, *values = zip(*group, strict=True)
        made.append(
            Series(
                tags=tags[number],
                times_ms=[time_ns // NS_PER_MS for time_ns in times],
                fields=dict(zip(names, values, strict=True)),
            )
        )
    return made


def amounts(db: sqlite3.Connection, kind: str, span: Span, first_ms: int, step_ms: int) -> dict[int, int]:
    """Return how many fields the rows of a kind have, by the start of the window that they fall into."""
    measurement = _measurement(db, kind)
    if measurement is None:
        return {}
    _, columns = _fields(db, measurement)
    if not columns:
        return {}
    counted = " + ".join(f"count({column})" for column in columns)
    found = db.execute(
        f"SELECT (time - ?) / ? AS n, {counted} FROM points_{measurement} WHERE {_SERIES} GROUP BY n",
        (first_ms * NS_PER_MS, step_ms * NS_PER_MS, measurement, *_bounds(span)),
    )
    return {first_ms + n * step_ms: count for n, count in found if count}


def before(db: sqlite3.Connection, kind: str, quantity: str, span: Span) -> dict[Tags, float]:
    """Return the last value of each series in the span."""
    measurement = _measurement(db, kind)
    names, columns = _fields(db, measurement) if measurement is not None else ((), ())
    if quantity not in names:
        return {}
    column = columns[names.index(quantity)]
    found: dict[Tags, float] = {}
    for number, tags in _tags(db, measurement or 0).items():
        row = db.execute(
            f"SELECT {column} FROM points_{measurement} WHERE series = ? AND time >= ? AND time < ? "
            f"AND {column} IS NOT NULL ORDER BY time DESC LIMIT 1",
            (number, *_bounds(span)),
        ).fetchone()
        if row is not None and isinstance(row[0], float | int):
            found[tags] = float(row[0])
    return found


def prune(db: sqlite3.Connection, measurement: int, before_ms: int) -> None:
    """Delete the rows of a measurement that are older."""
    db.execute(
        f"DELETE FROM points_{measurement} WHERE series IN (SELECT id FROM series WHERE measurement = ?) "
        "AND time < ?",
        (measurement, before_ms * NS_PER_MS),
    )


def _measurement(db: sqlite3.Connection, kind: str) -> int | None:
    row = db.execute("SELECT id FROM measurement WHERE name = ?", (kind,)).fetchone()
    return None if row is None else int(row[0])


def _fields(db: sqlite3.Connection, measurement: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = db.execute("SELECT name, id FROM field WHERE measurement = ?", (measurement,)).fetchall()
    return tuple(name for name, _ in found), tuple(f"f{number}" for _, number in found)


def _tags(db: sqlite3.Connection, measurement: int) -> dict[int, Tags]:
    found = db.execute("SELECT id, tags FROM series WHERE measurement = ?", (measurement,))
    return {number: series_tags(dict(json.loads(text))) for number, text in found}


def _bounds(span: Span) -> tuple[int, int]:
    return span.start_ms * NS_PER_MS, span.end_ms * NS_PER_MS
