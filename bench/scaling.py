"""Do two gateways on one broker take more than one? Each subscribes to its own nodes' topics.

    make bench BENCH=scaling

The same 10,000 nodes and the same packs, once through one gateway, once through two that have half of the nodes
each (`[nodes] file` and `[mqtt] subscribe = "registered"`).
"""

from __future__ import annotations

import argparse
from functools import partial

from bench.fleet import Fleet
from bench.load import Load, Order
from bench.results import Run, options, save
from bench.rigs import Rig, end_in_order, wait_for
from bench.throughput import QUICK, Size, courses, timed

PARTITION = 'subscribe = "registered"'


def measure(size: Size, rows: int, gateways: int) -> Run:
    """Return the figures with so many gateways."""
    warm, course = courses(size, rows)
    each = size.nodes // gateways
    parts = [Fleet(count=each, first=index * each) for index in range(gateways)]
    with Rig() as rig:
        started = [rig.gateway(f"gw{index}", [part], mqtt=PARTITION) for index, part in enumerate(parts)]
        load = rig.load(Load(Order(port=rig.broker.port, births=course.fleet, courses=(warm, course))))
        load.births()
        for gateway in started:
            wait_for(partial(gateway.knows, each), "every birth is in a ledger", 0.25)
        load.go()
        load.done()
        rig.until_stored(warm.readings)
        pids = {f"gateway{index}": gateway.pid for index, gateway in enumerate(started)}
        found = timed(rig, load, course, pids, warm.readings + course.readings)
    used_s = sum(found[f"cpu_{name}_s"] for name in pids)
    return {**found, "gateways_us_per_reading": used_s / course.readings * 1e6}


def main() -> None:
    """Run in turns."""
    chosen = options(argparse.ArgumentParser(description=__doc__)).parse_args()
    end_in_order()
    times = 1 if chosen.quick else chosen.runs
    runs: dict[str, list[Run]] = {}
    for _ in range(times):
        for rows in (1, 30):
            for gateways in (1, 2):
                runs.setdefault(f"{gateways} at {rows}x6", []).append(measure(QUICK, rows, gateways))
    save("scaling", chosen, runs)


if __name__ == "__main__":
    main()
