"""What does a gateway need for a thousand, ten thousand, a hundred thousand nodes of six quantities?

    make bench BENCH=memory
    make bench BENCH=memory ARGS="--nodes 1000,10000"

Memory of the gateway's process after every registered node was born and sent three packs, and all is stored.
"""

from __future__ import annotations

import argparse
import time

from bench.fleet import Course, Fleet
from bench.load import Load, Order
from bench.results import Run, options, save
from bench.rigs import Rig, end_in_order, wait_for
from bench.usage import cpu_s, memory_mb

PACKS = 3


def measure(nodes: int) -> Run:
    """Return megabytes with so many nodes."""
    fleet = Fleet(count=nodes)
    course = Course(fleet=fleet, rounds=PACKS, rows=1, start_ms=int(time.time() - 3_600) * 1000)
    with Rig() as rig:
        gateway = rig.gateway("gw1", [fleet])
        fresh = memory_mb(gateway.pid)
        generator = rig.load(Load(Order(port=rig.broker.port, births=fleet, courses=(course,))))
        begun = time.monotonic()
        generator.births()
        wait_for(lambda: gateway.knows(nodes), "every birth is in the ledger", 1.0)
        births_s = time.monotonic() - begun
        generator.go()
        generator.done()
        rig.until_stored(course.readings)
        used = memory_mb(gateway.pid)
        return {
            "nodes": nodes,
            "rss_mb": used["rss"],
            "pss_mb": used["pss"],
            "roster_rss_mb": fresh["rss"],
            "births_s": births_s,
            "cpu_s": cpu_s(gateway.pid),
        }


def main() -> None:
    """Measure each size in turns, and keep."""
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--nodes", help="sizes, with commas between")
    chosen = parser.parse_args()
    end_in_order()
    words = chosen.nodes or ("1000,10000" if chosen.quick else "1000,10000,100000")
    sizes = [int(word) for word in words.split(",")]
    runs: dict[str, list[Run]] = {str(size): [] for size in sizes}
    for _ in range(1 if chosen.quick else chosen.runs):
        for size in sizes:
            runs[str(size)].append(measure(size))
    save("memory", chosen, runs)


if __name__ == "__main__":
    main()
