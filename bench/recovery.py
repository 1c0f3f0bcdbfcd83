"""How long is a city blind when the gateway is killed? Seconds until a new reading is in the store again.

    make bench BENCH=recovery

kill -9 under 50 % of the maximal load from 10,000 nodes; the gateway is started again at once. The time runs
from the kill to the moment at which the store shows a reading that was sensed after it. Afterwards the store
must have every reading. What a kill costs before a backlog of millions is measured by bench/drain.py.
"""

from __future__ import annotations

import argparse
import time

from bench.latency import SHARE, maximal_rate, paced
from bench.results import Run, options, save
from bench.rigs import Rig, end_in_order
from bench.throughput import NODES

EVERY_S = 8.0


def measure(rate: float, times: int) -> list[Run]:
    """Kill one gateway several times; return what each kill cost."""
    runs: list[Run] = []
    with Rig() as rig:
        gateway, generator, course, probes = paced(rig, rate, EVERY_S * (times + 1))
        generator.go()
        generator.done()
        generator.go()
        probes.start()
        for _ in range(times):
            time.sleep(EVERY_S)  # under way, not just begun
            killed_ms = time.time_ns() // 1_000_000
            gateway.kill()
            gateway.start()
            runs.append({"blind_s": probes.first_after(killed_ms), "rate_per_s": rate})
        generator.done()
        probes.stop()
        rig.until_stored(NODES + course.readings + len(probes.sent))  # or this ends with an error
    return runs


def main() -> None:
    """Measure and keep."""
    chosen = options(argparse.ArgumentParser(description=__doc__)).parse_args()
    end_in_order()
    times = 1 if chosen.quick else chosen.runs
    save("recovery", chosen, {"ours": measure(SHARE * maximal_rate(chosen.quick), times)})


if __name__ == "__main__":
    main()
