"""The store that needs no server: SQLite in the cloud's own process, for a district or a demonstration.

One thread writes, others read (WAL): the event loop never waits for the disk. A write returns after the
fsync of its transaction, so an acknowledged point survives a kill and a power cut.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar
from zoneinfo import ZoneInfo

from cloud.errors import StoreFull, StoreRejected, StoreUnavailable
from cloud.stores import embedded_rows
from cloud.stores.protocol import (
    MS_PER_S,
    NS_PER_MS,
    RAW_LIMIT,
    Aggregate,
    Latest,
    Series,
    Span,
    Step,
    Values,
    latest_of,
    newest,
)
from cloud.stores.series_db import Catalog, create_tables
from cloud.stores.windows import EnergyMean, first_window_ms
from edge.protocol.lines import Point, Tags
from edge.protocol.series import FieldValue

_T = TypeVar("_T")
_READERS = 2
_EXPRESSIONS = {
    Aggregate.MEAN: "avg({0})",
    Aggregate.ENERGY: "energy_mean({0})",
    Aggregate.MIN: "min({0})",
    Aggregate.MAX: "max({0})",
    Aggregate.SUM: "sum({0})",
    Aggregate.COUNT: "count({0})",
    Aggregate.LAST: "{0}, max(time)",  # SQLite: a bare column comes from the row of max()
}


class EmbeddedStore:
    """Store (see protocol.py) in one SQLite file."""

    kind: ClassVar[str] = "embedded"

    def __init__(self, path: Path, *, timezone: ZoneInfo) -> None:
        self._path, self._timezone = path, timezone
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._db: sqlite3.Connection | None = None
        self._catalog: Catalog | None = None

    async def open(self) -> None:
        """Create or open the file."""
        await self._in(self._writer, self._open_writer)

    async def close(self) -> None:
        """Wait for what is running, then close the file."""
        for pool in (self._readers, self._writer):
            await asyncio.to_thread(pool.shutdown)
        for db in self._open:
            db.close()

    async def check(self) -> bool:
        """Return whether the file can be read."""
        try:
            await self._read(lambda db: db.execute("SELECT count(*) FROM measurement").fetchone())
        except StoreUnavailable:
            return False
        return True

    async def write(self, points: Sequence[Point]) -> None:
        """Store all points in one transaction, or none."""
        if points:
            await self._in(self._writer, lambda: self._write(points))

    async def latest(
        self, kinds: Collection[str] | None = None, node: str | None = None, since_ms: int | None = None
    ) -> list[Latest]:
        """Return the newest row of each node."""
        found = await self._read(lambda db: _latest(db, kinds, node))
        return [reading for reading in found if since_ms is None or reading.time_ms >= since_ms]

    async def readings(
        self, kind: str, node: str, quantity: str, span: Span, step: Step | None = None
    ) -> Values:
        """Return a node's values, or one a window."""
        return await self._read(lambda db: self._select(db, kind, node, quantity, span, step))

    async def summary(self, kind: str, quantity: str, span: Span, step: Step) -> Values:
        """Return one value a window over all nodes of a kind."""
        return await self._read(lambda db: self._select(db, kind, None, quantity, span, step))

    async def count(self, kind: str, quantity: str, span: Span) -> int:
        """Return the number of values."""
        days = Step(step_s=86_400, aggregate=Aggregate.COUNT)
        return int(sum(value for _, value in await self.summary(kind, quantity, span, days)))

    async def rows(self, kind: str, span: Span) -> list[Series]:
        """Return all that was written of a kind."""
        return await self._read(lambda db: embedded_rows.rows(db, kind, span))

    async def amounts(self, kind: str, span: Span, step_s: int) -> dict[int, int]:
        """Return how many fields there are, window by window."""
        first_ms = first_window_ms(span, Step(step_s=step_s), self._timezone)
        return await self._read(lambda db: embedded_rows.amounts(db, kind, span, first_ms, step_s * MS_PER_S))

    async def before(self, kind: str, quantity: str, span: Span) -> dict[Tags, float]:
        """Return the last value of each series."""
        return await self._read(lambda db: embedded_rows.before(db, kind, quantity, span))

    async def prune(self, before_ms: int) -> None:
        """Forget what is older, a measurement at a time: writes go between."""
        for (measurement,) in await self._read(lambda db: db.execute("SELECT id FROM measurement").fetchall()):
            await self._in(self._writer, partial(self._prune, measurement, before_ms))

    # In a thread of their own

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    async def _read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        def run() -> _T:
            with _translated(self._path):
                return work(self._reader())

        return await self._in(self._readers, run)

    def _reader(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = self._connect()
            db.execute("PRAGMA query_only = 1")
            db.create_aggregate("energy_mean", 1, EnergyMean)  # type: ignore[arg-type]  # it may return None
        return db

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
        self._open.append(db)
        db.execute("PRAGMA cache_size = -65536")
        return db

    def _open_writer(self) -> None:
        with _translated(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._connect()
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA wal_autocheckpoint = 4000")
            create_tables(self._db)
            self._catalog = Catalog(self._db)

    def _write(self, points: Sequence[Point]) -> None:
        if self._db is None:
            raise StoreUnavailable(f"the store {self._path} is not open")
        with _translated(self._path):
            if self._catalog is None:
                self._catalog = Catalog(self._db)
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._catalog.write(points)
                self._db.execute("COMMIT")
            except BaseException:
                self._catalog = None  # it may know tables that the rollback took away
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _prune(self, measurement: int, before_ms: int) -> None:
        if self._db is None:
            raise StoreUnavailable(f"the store {self._path} is not open")
        with _translated(self._path):
            embedded_rows.prune(self._db, measurement, before_ms)

    def _select(
        self,
        db: sqlite3.Connection,
        kind: str,
        node: str | None,
        quantity: str,
        span: Span,
        step: Step | None,
    ) -> Values:
        found = db.execute(
            "SELECT m.id, f.id, f.type FROM measurement m JOIN field f ON f.measurement = m.id "
            "WHERE m.name = ? AND f.name = ?",
            (kind, quantity),
        ).fetchone()
        if found is None:
            return []
        measurement, column = found[0], f"f{found[1]}"
        if found[2] == "str":
            raise StoreRejected(f"{quantity!r} of {kind} holds text, not numbers")
        source = (
            f"FROM points_{measurement} WHERE series IN (SELECT id FROM series WHERE measurement = ?"
            f"{'' if node is None else ' AND node = ?'}) AND time >= ? AND time < ? AND {column} IS NOT NULL"
        )
        bounds = (span.start_ms * NS_PER_MS, span.end_ms * NS_PER_MS)
        chosen: tuple[str | int, ...] = (measurement,) if node is None else (measurement, node)
        if step is None:
            rows = db.execute(
                f"SELECT time, {column} {source} ORDER BY time LIMIT {RAW_LIMIT + 1}", (*chosen, *bounds)
            ).fetchall()
            return [(time // NS_PER_MS, value) for time, value in rows]
        first_ms = first_window_ms(span, step, self._timezone)
        rows = db.execute(
            f"SELECT (time - ?) / ? AS n, {_EXPRESSIONS[step.aggregate].format(column)} {source} "
            "GROUP BY n ORDER BY n",
            (first_ms * NS_PER_MS, step.step_s * 1_000 * NS_PER_MS, *chosen, *bounds),
        ).fetchall()
        return [(first_ms + row[0] * step.step_s * 1_000, row[1]) for row in rows]


def _latest(db: sqlite3.Connection, kinds: Collection[str] | None, node: str | None) -> list[Latest]:
    found: list[Latest] = []
    for measurement, kind in db.execute("SELECT id, name FROM measurement").fetchall():
        if kinds is not None and kind not in kinds:
            continue
        fields = db.execute("SELECT id, name, type FROM field WHERE measurement = ?", (measurement,)).fetchall()
        columns = "".join(f", p.f{number}" for number, _, _ in fields)
        rows = db.execute(
            f"SELECT s.node, p.time{columns} FROM series s JOIN points_{measurement} p ON p.series = s.id "
            f"AND p.time = (SELECT max(time) FROM points_{measurement} WHERE series = s.id) "
            "WHERE s.measurement = ? AND s.node != ''" + ("" if node is None else " AND s.node = ?"),
            (measurement,) if node is None else (measurement, node),
        )
        for name, time_ns, *values in rows:
            present: dict[str, FieldValue] = {
                field: bool(value) if type_name == "bool" else value
                for (_, field, type_name), value in zip(fields, values, strict=True)
                if value is not None
            }
            found.append(latest_of(name, kind, time_ns, present))
    return newest(found)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into the store's."""
    try:
        yield
    except OverflowError as error:
        raise StoreRejected("a value does not fit a signed 64-bit integer") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise StoreFull(
                f"the disk under {path} is full; nothing was stored", remedy="free some space; then write again"
            ) from error
        raise StoreUnavailable(
            f"the store {path}: {error}", remedy="check the disk and the file's owner"
        ) from error
    except OSError as error:
        raise StoreUnavailable(
            f"the store {path}: {error.strerror}", remedy="check the folder's owner"
        ) from error
