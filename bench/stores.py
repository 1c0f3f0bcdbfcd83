"""Which database should the embedded store use? Measure the wall's questions on SQLite and on DuckDB.

    python bench/stores.py --points 10000000

A point is one line of line protocol: one reading with four fields. Each database runs in a process of its
own. DuckDB is no dependency of the project: `pip install duckdb numpy` first, or `--only sqlite`.
"""

import argparse
import asyncio
import multiprocessing
import os
import platform
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cloud.stores.embedded import EmbeddedStore
from cloud.stores.protocol import Aggregate, Span, Step
from edge.protocol.lines import Point

NODES, KINDS, PERIOD_S, BATCH, RUNS = 1_000, 10, 60, 5_000, 3
START_MS = 1_767_225_600_000
ZONE = ZoneInfo("Asia/Shanghai")
DAY_S = 86_400
FIELDS = ("level_m", "water_temperature_c", "battery_v", "rssi_dbm")


def series(number: int) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the measurement and the tags of a node."""
    return f"kind_{number % KINDS}", (
        ("district", "yangpu"),
        ("node", f"node-{number:04d}"),
        ("site", f"s-{number // 10}"),
    )


def batches(first: int, count: int) -> Iterator[list[Point]]:
    """Yield points in the order in which a city sends them: all nodes, then the next minute."""
    heads = [series(number) for number in range(NODES)]
    for start in range(first, first + count, BATCH):
        batch = []
        for index in range(start, min(start + BATCH, first + count)):
            measurement, tags = heads[index % NODES]
            tick = index // NODES
            values = (
                round(2 + (index * 7919 % 1000) / 1000, 3),
                12.5 + tick % 50 / 10,
                3.7,
                -60.0 - index % 30,
            )
            time_ns = (START_MS + tick * PERIOD_S * 1_000) * 1_000_000
            batch.append(Point(measurement, tags, tuple(zip(FIELDS, values, strict=True)), time_ns))
        yield batch


class DuckStore:
    """The same questions on DuckDB: one table a kind, primary key (node, time), batches by numpy."""

    def __init__(self, path: Path) -> None:
        try:
            import duckdb  # type: ignore[import-not-found,unused-ignore]
            import numpy  # type: ignore[import-not-found,unused-ignore]
        except ImportError as error:
            raise SystemExit(
                "this bench needs duckdb and numpy: pip install duckdb numpy, or --only sqlite"
            ) from error
        self._numpy = numpy
        self._db = duckdb.connect(str(path))
        self._nodes: dict[str, int] = {}

    async def open(self) -> None:
        """Create the tables."""
        columns = ", ".join(f"{name} DOUBLE" for name in FIELDS)
        for kind in range(KINDS):
            self._db.execute(
                f"CREATE TABLE kind_{kind} (node INTEGER, time BIGINT, {columns}, PRIMARY KEY (node, time))"
            )

    async def close(self) -> None:
        """Write everything into the file."""
        self._db.execute("CHECKPOINT")
        self._db.close()

    async def write(self, points: list[Point]) -> None:
        """Insert or merge in one transaction."""
        by_kind: dict[str, list[tuple[Any, ...]]] = {}
        for point in points:
            node = self._nodes.setdefault(dict(point.tags)["node"], len(self._nodes))
            row = (node, point.time_ns, *(value for _, value in point.fields))
            by_kind.setdefault(point.measurement, []).append(row)
        merge = ", ".join(f"{name} = excluded.{name}" for name in FIELDS)
        self._db.begin()
        for kind, rows in by_kind.items():
            columns = list(zip(*rows, strict=True))
            batch = {
                f"c{index}": self._numpy.array(column, dtype="int64" if index < 2 else "float64")
                for index, column in enumerate(columns)
            }
            self._db.register("batch", batch)
            self._db.execute(f"INSERT INTO {kind} SELECT * FROM batch ON CONFLICT DO UPDATE SET {merge}")
            self._db.unregister("batch")
        self._db.commit()

    async def latest(self) -> list[Any]:
        """Return the newest row of each node."""
        found: list[Any] = []
        for kind in range(KINDS):
            names = ", ".join(f"arg_max({name}, time)" for name in FIELDS)
            found += self._db.execute(
                f"SELECT node, max(time), {names} FROM kind_{kind} GROUP BY node"
            ).fetchall()
        return found

    async def readings(self, kind: str, node: str, quantity: str, span: Span, step: Step) -> list[Any]:
        """Return one value a window of a node."""
        return self._windows(kind, f"AND node = {self._nodes[node]}", quantity, span, step)

    async def summary(self, kind: str, quantity: str, span: Span, step: Step) -> list[Any]:
        """Return one value a window of a kind."""
        return self._windows(kind, "", quantity, span, step)

    def _windows(self, kind: str, where: str, quantity: str, span: Span, step: Step) -> list[Any]:
        query = (
            f"SELECT (time - ?) // ? AS n, avg({quantity}) FROM {kind} WHERE time >= ? AND time < ? {where} "
            "GROUP BY n ORDER BY n"
        )
        first_ns, last_ns = span.start_ms * 1_000_000, span.end_ms * 1_000_000
        found: list[Any] = self._db.execute(
            query, (first_ns, step.step_s * 1_000_000_000, first_ns, last_ns)
        ).fetchall()
        return found

    async def count(self, kind: str, quantity: str, span: Span) -> int:
        """Return the number of values of a kind."""
        found = self._db.execute(f"SELECT count({quantity}) FROM {kind}").fetchone()
        return int(found[0]) if found else 0


async def timed(work: Callable[[], Awaitable[Any]], runs: int = RUNS) -> tuple[float, Any]:
    """Return the median time in milliseconds, and the last answer."""
    times, answer = [], None
    for _ in range(runs):
        begin = time.perf_counter()
        answer = await work()
        times.append((time.perf_counter() - begin) * 1_000)
    return statistics.median(times), answer


async def measure(store: Any, points: int) -> dict[str, float]:
    """Fill a store and ask it what the wall asks."""
    await store.open()
    spent, rates = 0.0, []
    for number, batch in enumerate(batches(0, points)):
        begin = time.perf_counter()
        await store.write(batch)
        once = time.perf_counter() - begin
        spent += once
        rates.append(once)
        if number % 200 == 0:
            print(f"  {number * BATCH:,} points, {spent:.0f} s", file=sys.stderr)
    found = {
        "ingest, points/s": points / spent,
        "last tenth, points/s": BATCH / statistics.mean(rates[-len(rates) // 10 :]),
    }
    ticks = points // NODES
    end_ms = START_MS + ticks * PERIOD_S * 1_000
    day = Span(start_ms=end_ms - DAY_S * 1_000, end_ms=end_ms)
    everything = Span(start_ms=START_MS, end_ms=end_ms)
    before = await store.count("kind_3", "level_m", everything)
    again = points - 50 * BATCH
    begin = time.perf_counter()
    for batch in batches(max(0, again), min(points, 50 * BATCH)):
        await store.write(batch)
    found["the same again, points/s"] = min(points, 50 * BATCH) / (time.perf_counter() - begin)
    assert await store.count("kind_3", "level_m", everything) == before, "a rewrite added points"
    latest_ms, latest = await timed(store.latest)
    assert len(latest) == NODES
    found["latest of 1,000 nodes, ms"] = latest_ms
    step = Step(step_s=300, aggregate=Aggregate.MEAN)
    found["one node's day at 300 s, ms"], _ = await timed(
        lambda: store.readings("kind_3", "node-0013", "level_m", day, step)
    )
    quarter = Step(step_s=900, aggregate=Aggregate.MEAN)
    found["a kind's day (144,000 readings) at 900 s, ms"], _ = await timed(
        lambda: store.summary("kind_3", "level_m", day, quarter)
    )
    small = next(batches(points, 100))
    found["a write of 100 points, ms"], _ = await timed(lambda: store.write(small), runs=31)
    await store.close()
    return found


def run(name: str, points: int, folder: str) -> dict[str, float]:
    """Measure one database in this process."""
    path = Path(folder) / f"{name}.db"
    store = EmbeddedStore(path, timezone=ZONE) if name == "sqlite" else DuckStore(path)
    found = asyncio.run(measure(store, points))
    size = sum(file.stat().st_size for file in Path(folder).glob(f"{name}.db*"))
    found["on disk, bytes a point"] = size / points
    found["memory at most, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    return found


def machine() -> str:
    """Return what the figures were measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return f"{os.cpu_count()} cores, {model}; {platform.platform()}; Python {platform.python_version()}"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--only", choices=("sqlite", "duckdb"))
    parser.add_argument(
        "--folder", type=Path, help="where the databases are written; a temporary one if left out"
    )
    options = parser.parse_args()
    names = [options.only] if options.only else ["sqlite", "duckdb"]
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name in names:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                results[name] = pool.apply(run, (name, options.points, folder))
    table = Table(
        "", *names, title=f"{options.points:,} points, {NODES} nodes, {KINDS} kinds, medians of {RUNS}"
    )
    for row in results[names[0]]:
        table.add_row(row, *(f"{results[name][row]:,.1f}" for name in names))
    console = Console(width=110)
    console.print(table)
    console.print(machine())
    console.print(", ".join(_version(name) for name in names))


def _version(name: str) -> str:
    if name == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    import duckdb

    return f"DuckDB {duckdb.__version__}"


if __name__ == "__main__":
    main()
