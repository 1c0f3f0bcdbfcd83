"""What it costs to hand a reading on, and how fast a backlog goes to a real Mosquitto on loopback.

Run: make bench BENCH=north. Readings of six quantities of 100 nodes; costs are medians of five runs.
"""

from __future__ import annotations

import asyncio
import os
import platform
import tempfile
import time
from pathlib import Path

import servers

from bench.codec import ROUNDS, RUNS, median_us
from edge.model.kinds import KINDS
from edge.model.quality import Clock, Flag
from edge.protocol.series import SeriesWriter, series_head
from edge.tasks import end
from gateway.journal import Change, Journal
from gateway.ledger import Ledger
from gateway.north.config import Form, NorthConfig
from gateway.north.distributor import Distributor
from gateway.north.formats import FORMATS
from gateway.north.queues import Queues
from gateway.north.reading import read_line

KIND = KINDS["water_quality"]
T_NS = 1_790_000_000_000_000_000
VALUES = [12.31, 377.2, 8.42, 11.81, 1.65, 0.12]
NODES, COMMITS = 100, 200
FORMS: tuple[Form, ...] = ("senml-json", "senml-cbor", "sparkplug")


def line(node: int, number: int) -> str:
    """Return the line of a reading."""
    head = series_head(KIND.name, {"node": f"node-{node:03}", "site": "s", "district": "d"})
    return SeriesWriter(KIND.quantities).line(
        head, VALUES, [Flag.PASS] * len(VALUES), T_NS + number * 10**9, Clock.SYNCED
    )


def costs() -> None:
    """Print microseconds and bytes of a reading, alone and of thirty together."""
    lines = iter([line(0, number) for number in range(ROUNDS * RUNS)])
    print(f"{'read the line back':30} {median_us(lambda: read_line(next(lines)), 1):8.1f} us a reading")
    origin, reading = read_line(line(0, 0))
    for form in FORMS:
        for count in (1, 30):
            words = FORMATS[form](NorthConfig(name="n", url="", format=form), "gw-01", 0)
            words.encode(origin, [reading], 0)
            many = [reading] * count
            us = median_us(lambda words=words, many=many: words.encode(origin, many, 0), count)
            size = sum(len(message.payload) for message in words.encode(origin, many, 0)) / count
            print(f"{form + f', {count} in a message':30} {us:8.1f} us a reading {size:8.0f} bytes a reading")


async def backlog(form: Form, url: str, folder: Path, *, at_once: int) -> None:
    """Print how fast what waits is handed on, when every message is of one reading and when of many."""
    for rows in (1, 30):
        journal = Journal(folder / f"{form}-{rows}.db")
        journal.load(Ledger())
        config = NorthConfig(name="n", url=url, format=form, at_once=at_once)
        queues = Queues([config], journal)
        for at in range(COMMITS * 10 if rows == 1 else COMMITS):  # of few nodes in a commit, or of one
            nodes = range(NODES // 10) if rows == 1 else [at % NODES] * 30
            lines = [line(node, at * 30 + number) for number, node in enumerate(nodes)]
            await journal.commit(Change(lines=lines, manifest=[]))
        tally = queues.active[0].tally
        waiting, began_cpu = tally.waiting, time.process_time()
        began = time.perf_counter()
        task = asyncio.create_task(Distributor(queues.active[0], "gw-01").run())
        while tally.waiting:  # noqa: ASYNC110 (a tally has no event; asking costs it nothing)
            await asyncio.sleep(0.01)
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
        await end(task)
        journal.close()
        print(
            f"{form}, backlog of {waiting:,}, commits of {len(lines)}: {waiting / wall_s:,.0f} readings/s,"
            f" {cpu_s / waiting * 1e6:.0f} us of one core a reading"
        )


def main() -> None:
    """Print everything."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")
    costs()
    with tempfile.TemporaryDirectory() as folder:
        broker = servers.Mosquitto(Path(folder) / "broker")
        broker.start()
        try:
            for form in FORMS:
                asyncio.run(backlog(form, broker.url, Path(folder), at_once=100))
        finally:
            broker.kill()


if __name__ == "__main__":
    main()
