"""The tables of the embedded store: one wide table a measurement, a row a reading, a column a field.

Names that come from outside never become SQL: tables are `points_<id>`, columns `f<id>`, and the catalogue
tables say what they mean. A row is found by (series, time), which makes a rewrite a merge.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from cloud.errors import StoreRejected
from edge.protocol.lines import Point, Tags
from edge.protocol.series import FieldValue, UInt

FORMAT = 1
TYPE_NAMES: dict[type, str] = {float: "float", int: "int", UInt: "uint", bool: "bool", str: "str"}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS measurement (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS field (
    id INTEGER PRIMARY KEY, measurement INTEGER NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
    UNIQUE (measurement, name));
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, measurement INTEGER NOT NULL, node TEXT NOT NULL, tags TEXT NOT NULL,
    UNIQUE (measurement, tags));
CREATE INDEX IF NOT EXISTS series_of_node ON series (measurement, node);
"""


def create_tables(db: sqlite3.Connection) -> None:
    """Create what is missing; raise StoreRejected if a newer version wrote this file."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > FORMAT:
        raise StoreRejected(
            f"the store has format {version}; this version knows {FORMAT}", remedy="update City Neuron"
        )
    db.executescript(_SCHEMA)
    db.execute(f"PRAGMA user_version = {FORMAT}")


@dataclass(frozen=True, slots=True)
class Shape:
    """The insert statement for points of one measurement with the same fields and types."""

    measurement: int
    statement: str


@dataclass(slots=True)
class Batch:
    """Rows by statement, in the order of the points where the order matters."""

    rows: dict[str, list[tuple[FieldValue, ...]]] = field(default_factory=dict)
    _last: dict[tuple[int, int], str] = field(default_factory=dict)

    def add(
        self, db: sqlite3.Connection, shape: Shape, key: tuple[int, int], values: tuple[FieldValue, ...]
    ) -> None:
        """Add a row; a key that comes again in another shape makes what is waiting go first."""
        if self._last.setdefault(key, shape.statement) != shape.statement:
            self.flush(db)
            self._last[key] = shape.statement
        self.rows.setdefault(shape.statement, []).append(key + values)

    def flush(self, db: sqlite3.Connection) -> None:
        """Execute what is waiting; rows in the order of their keys touch each page once."""
        for statement, rows in self.rows.items():
            rows.sort(key=_key)
            db.executemany(statement, rows)
        self.rows.clear()
        self._last.clear()


def _key(row: tuple[FieldValue, ...]) -> tuple[FieldValue, FieldValue]:
    return row[0], row[1]


class Catalog:
    """The ids of measurements, fields and series as the writer knows them; read again after a rollback."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._shapes: dict[tuple[str, tuple[str, ...], tuple[type, ...]], Shape] = {}
        self._measurements = dict[str, int](db.execute("SELECT name, id FROM measurement"))
        self._fields: dict[tuple[int, str], tuple[int, str]] = {
            (row[0], row[1]): (row[2], row[3])
            for row in db.execute("SELECT measurement, name, id, type FROM field")
        }
        names = {number: name for name, number in self._measurements.items()}
        self._series: dict[tuple[str, Tags], int] = {
            (names[row[0]], _tags(row[1])): row[2]
            for row in db.execute("SELECT measurement, tags, id FROM series")
        }

    def write(self, points: Iterable[Point]) -> None:
        """Insert or merge the points, within the caller's transaction; raise StoreRejected for a bad one."""
        batch = Batch()
        for index, point in enumerate(points):
            names, values = zip(*point.fields, strict=True)
            shape = self._shapes.get((point.measurement, names, tuple(map(type, values))))
            if shape is None:
                unique = dict(point.fields)
                names, values = tuple(unique), tuple(unique.values())
                shape = self._shape(index, point, names, values)
            series = self._series.get((point.measurement, point.tags)) or self._new_series(shape, point)
            if point.time_ns is None:
                raise StoreRejected(f"point {index + 1} ({point.measurement}) has no time")
            batch.add(self._db, shape, (series, point.time_ns), values)
        batch.flush(self._db)

    def _shape(self, index: int, point: Point, names: tuple[str, ...], values: tuple[FieldValue, ...]) -> Shape:
        types = tuple(map(type, values))
        measurement = self._measurement(point.measurement)
        columns = [
            self._column(index, point, measurement, name, kind) for name, kind in zip(names, types, strict=True)
        ]
        marks = ", ".join("?" * (len(columns) + 2))
        merge = ", ".join(f"{column} = excluded.{column}" for column in columns)
        shape = Shape(
            measurement,
            f"INSERT INTO points_{measurement} (series, time, {', '.join(columns)}) VALUES ({marks}) "
            f"ON CONFLICT (series, time) DO UPDATE SET {merge}",
        )
        self._shapes[(point.measurement, names, types)] = shape
        return shape

    def _measurement(self, name: str) -> int:
        known = self._measurements.get(name)
        if known is None:
            known = _inserted(self._db.execute("INSERT INTO measurement (name) VALUES (?)", (name,)))
            self._db.execute(
                f"CREATE TABLE points_{known} (series INTEGER NOT NULL, time INTEGER NOT NULL, "
                "PRIMARY KEY (series, time)) WITHOUT ROWID"
            )
            self._measurements[name] = known
        return known

    def _column(self, index: int, point: Point, measurement: int, name: str, kind: type) -> str:
        type_name = TYPE_NAMES[kind]
        known = self._fields.get((measurement, name))
        if known is None:
            number = _inserted(
                self._db.execute(
                    "INSERT INTO field (measurement, name, type) VALUES (?, ?, ?)",
                    (measurement, name, type_name),
                )
            )
            self._db.execute(f"ALTER TABLE points_{measurement} ADD COLUMN f{number}")
            known = self._fields[(measurement, name)] = (number, type_name)
        if known[1] != type_name:
            raise StoreRejected(
                f"point {index + 1}: field {name!r} of {_title(point)} is {type_name}, stored as {known[1]}",
                remedy=f"write {name!r} as {known[1]}, or under another name; nothing of this batch was stored",
            )
        return f"f{known[0]}"

    def _new_series(self, shape: Shape, point: Point) -> int:
        tags = json.dumps(point.tags, ensure_ascii=False, separators=(",", ":"))
        node = dict(point.tags).get("node", "")
        number = _inserted(
            self._db.execute(
                "INSERT INTO series (measurement, node, tags) VALUES (?, ?, ?)", (shape.measurement, node, tags)
            )
        )
        self._series[(point.measurement, point.tags)] = number
        return number


def _tags(text: str) -> Tags:
    return tuple((key, value) for key, value in json.loads(text))


def _inserted(cursor: sqlite3.Cursor) -> int:
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _title(point: Point) -> str:
    return ",".join([point.measurement, *(f"{key}={value}" for key, value in point.tags)])
