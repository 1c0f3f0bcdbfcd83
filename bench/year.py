"""How long does a question about a year take, where 10,000 nodes have a point for each day?

    make bench BENCH=year
    make bench BENCH=year ARGS="--nodes 2000"

Days of all nodes, hours of one, in the embedded store and in InfluxDB, by the cloud's own stores as
the roll-ups write them; then the API's questions, each as the wall asks it, on files that were just opened.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import servers

from bench.results import Run, options, save
from bench.rigs import end_in_order
from cloud.levels import DAY_MS, HOUR_MS, ROLLED, WINDOW_S, Level
from cloud.rollup.reader import Reader
from cloud.stores.embedded import EmbeddedStore
from cloud.stores.influxql import InfluxQLStore
from cloud.stores.protocol import Aggregate, Span, Step, Store
from edge.protocol.lines import Point, Tags

ZONE = ZoneInfo("Asia/Shanghai")
START_MS = round(datetime(2025, 1, 1, tzinfo=ZONE).timestamp() * 1_000)
DAYS, KIND, QUANTITY = 365, "water_level", "level_m"
YEAR = Span(start_ms=START_MS, end_ms=START_MS + DAYS * DAY_MS)
POINTS_A_WRITE = 5_000
DAYS_AT_ONCE = 30  # day by day, as they are made, filling takes longer
SHARDS = {Level.HOURS: "52w", Level.DAYS: "520w"}


def point(kind: str, tags: Tags, time_ms: int) -> Point:
    """Return a window's point: two quantities of a stage station."""
    mean = 2.0 + math.sin(time_ms / 7e9)
    fields = []
    for name in (QUANTITY, "water_temperature_c"):
        fields += [(f"{name}_min", mean - 1), (f"{name}_mean", mean), (f"{name}_max", mean + 1)]
        fields += [(f"{name}_count", 1_440)]
    return Point(kind, tags, tuple(fields), time_ms * 1_000_000)


def days_of(nodes: int) -> Iterator[Point]:
    """Yield the points of all days, some weeks of all nodes at a time, and those of all nodes together."""
    heads = [(("district", "yangpu"), ("node", f"node-{number:05d}"), ("site", "a")) for number in range(nodes)]
    for first in range(0, DAYS, DAYS_AT_ONCE):
        times_ms = [START_MS + day * DAY_MS for day in range(first, min(first + DAYS_AT_ONCE, DAYS))]
        for tags in heads:
            for time_ms in times_ms:
                yield point(KIND, tags, time_ms)
        for time_ms in times_ms:
            yield point(f"city_{KIND}", (), time_ms)


def hours_of() -> Iterator[Point]:
    """Yield the hours of one node, and of all."""
    tags = (("district", "yangpu"), ("node", "node-00000"), ("site", "a"))
    for hour in range(DAYS * 24):
        yield point(KIND, tags, START_MS + hour * HOUR_MS)
        yield point(f"city_{KIND}", (), START_MS + hour * HOUR_MS)


async def fill(store: Store, points: Iterator[Point]) -> tuple[int, float]:
    """Write all points; return how many, and how long it took."""
    begun, count, batch = time.monotonic(), 0, []
    for one in points:
        batch.append(one)
        if len(batch) == POINTS_A_WRITE:
            await store.write(batch)
            count, batch = count + len(batch), []
    await store.write(batch)
    return count + len(batch), time.monotonic() - begun


async def ask(reader: Reader, node: str | None, level: Level) -> float:
    """Return how many milliseconds a question about the year takes."""
    begun = time.monotonic()
    step = Step(step_s=WINDOW_S[level], aggregate=Aggregate.MEAN)
    found = await reader.read(KIND, node, QUANTITY, YEAR, step, level)
    took_ms = (time.monotonic() - begun) * 1_000
    assert len(found.values) == YEAR_WINDOWS[level], len(found.values)
    return took_ms


YEAR_WINDOWS = {level: DAYS * DAY_MS // (WINDOW_S[level] * 1_000) for level in ROLLED}


async def measure(make: dict[Level, Store], raw: Store, nodes: int, runs: int) -> list[Run]:
    """Fill the levels; return what each round of questions took, the first one on files just written."""
    filled: dict[str, float] = {}
    for level, points in ((Level.DAYS, days_of(nodes)), (Level.HOURS, hours_of())):
        await make[level].open()
        count, took_s = await fill(make[level], points)
        filled |= {f"{level}_points": count, f"fill_{level}_s": took_s}
    reader = Reader(raw, make, lambda _level: YEAR, ZONE)
    found: list[Run] = []
    for number in range(runs):
        found.append({
            "node_days_ms": await ask(reader, f"node-{number * 7 % nodes:05d}", Level.DAYS),
            "node_hours_ms": await ask(reader, "node-00000", Level.HOURS),
            "city_days_ms": await ask(reader, None, Level.DAYS),
            "city_hours_ms": await ask(reader, None, Level.HOURS),
            "every_node_ms": await every_node(make[Level.DAYS], nodes),
            **filled,
        })  # fmt: skip
    for store in make.values():
        await store.close()
    return found


async def every_node(store: Store, nodes: int) -> float:
    """Return how many milliseconds the newest day of every node takes: the map as it was on a day."""
    begun = time.monotonic()
    day = Span(start_ms=YEAR.end_ms - DAY_MS, end_ms=YEAR.end_ms)
    found = await store.before(KIND, f"{QUANTITY}_mean", day)
    assert len(found) == nodes, len(found)
    return (time.monotonic() - begun) * 1_000


def embedded(nodes: int, runs: int) -> list[Run]:
    """Measure the embedded store."""
    with tempfile.TemporaryDirectory() as name:
        stores: dict[Level, Store] = {
            level: EmbeddedStore(Path(name) / f"{level}.db", timezone=ZONE) for level in ROLLED
        }
        found = asyncio.run(measure(stores, stores[Level.DAYS], nodes, runs))
        size_mb = sum(path.stat().st_size for path in Path(name).iterdir()) / 1e6
        return [{**run, "disk_mb": size_mb} for run in found]


def influxdb(nodes: int, runs: int) -> list[Run]:
    """Measure InfluxDB, its databases made as docs/rollups.md says."""
    with tempfile.TemporaryDirectory() as name:
        server = servers.InfluxDB(Path(name))
        server.start()
        try:
            for level in ROLLED:
                shard = SHARDS[level]
                server.query("", f"CREATE DATABASE city_{level} WITH DURATION INF SHARD DURATION {shard}")
            stores: dict[Level, Store] = {
                level: InfluxQLStore(server.url, f"city_{level}", timezone=ZONE) for level in ROLLED
            }
            return asyncio.run(measure(stores, stores[Level.DAYS], nodes, runs))
        finally:
            server.kill()


def main() -> None:
    """Measure both, and keep."""
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--nodes", type=int, help="how many have days")
    chosen = parser.parse_args()
    end_in_order()
    nodes = chosen.nodes or (500 if chosen.quick else 10_000)
    runs = 1 if chosen.quick else max(chosen.runs, 3)
    found = {
        "embedded": embedded(nodes, runs),
        "InfluxDB": influxdb(nodes, runs),
    }
    save("year", chosen, {name: [{"nodes": nodes, **run} for run in each] for name, each in found.items()})


if __name__ == "__main__":
    main()
