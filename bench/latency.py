"""How old is a reading when the store has it, while half of what is possible goes through?

    make bench BENCH=latency

10,000 nodes send readings of six quantities at 50 % of the rate that bench/throughput.py found; 200 more a
second carry the moment at which they were sent, and the store is asked every 10 ms which of those it has.
"""

from __future__ import annotations

import argparse
import time

from bench.fleet import Course, Fleet
from bench.live import FLEET, Live
from bench.load import Load, Order
from bench.results import Run, load, medians, options, percentile, save
from bench.rigs import GatewayProcess, Rig, end_in_order, wait_for
from bench.throughput import NODES, QUICK, ours
from bench.usage import Meter

SHARE = 0.5
PROBES_PER_S = 200.0
SETTLE_S = 3.0


def maximal_rate(quick: bool) -> float:
    """Return the messages a second that the gateway was measured at; measure it if nobody did."""
    found = load("throughput", quick=quick)
    if found and "ours 1x6" in found["runs"]:
        return medians(found["runs"]["ours 1x6"])["messages_per_s"]
    return float(ours(QUICK, 1)["messages_per_s"])


def paced(rig: Rig, rate: float, for_s: float) -> tuple[GatewayProcess, Load, Course, Live]:
    """Start a gateway, a paced load of true event times and the probes; return when all births are known."""
    fleet = Fleet(count=NODES)
    gateway = rig.gateway("gw1", [fleet, FLEET])
    probes = Live(rig, PROBES_PER_S)
    start_s = time.time() + 12.0
    warm = Course(fleet=fleet, rounds=1, rows=1, start_ms=int(start_s * 1000) - 3_600_000)
    course = Course(
        fleet=fleet, rounds=max(1, round(for_s * rate / NODES)), rows=1, seq0=1, start_ms=int(start_s * 1000),
        period_ms=round(1000 * NODES / rate), stagger_ms=1000 / rate,
    )  # fmt: skip
    generator = rig.load(
        Load(Order(port=rig.broker.port, births=fleet, courses=(warm, course), pace=rate, start_s=start_s))
    )
    generator.births()
    wait_for(lambda: gateway.knows(NODES + FLEET.count), "every birth is in the ledger", 0.25)
    return gateway, generator, course, probes


def measure(rate: float, for_s: float) -> Run:
    """Return the percentiles of one run, in milliseconds."""
    with Rig() as rig:
        gateway, generator, course, probes = paced(rig, rate, for_s)
        generator.go()
        generator.done()
        generator.go()
        probes.start()
        time.sleep(SETTLE_S)
        from_ms, meter = time.time_ns() // 1_000_000, Meter({"gateway": gateway.pid})
        begun = time.monotonic()
        generator.done()
        to_ms, busy = time.time_ns() // 1_000_000, meter.read()["gateway"] / (time.monotonic() - begun)
        probes.stop()
        rig.until_stored(NODES + course.readings + len(probes.sent))
        ages_ms = [age_s * 1000 for age_s in probes.ages(from_ms, to_ms)]
    return {
        "rate_per_s": rate + PROBES_PER_S,
        "probes": len(ages_ms),
        "p50_ms": percentile(ages_ms, 0.5),
        "p99_ms": percentile(ages_ms, 0.99),
        "p999_ms": percentile(ages_ms, 0.999),
        "gateway_cores": busy,
    }


def main() -> None:
    """Measure and keep."""
    chosen = options(argparse.ArgumentParser(description=__doc__)).parse_args()
    end_in_order()
    rate = SHARE * maximal_rate(chosen.quick)
    times, for_s = (1, 12.0) if chosen.quick else (chosen.runs, 25.0)
    save("latency", chosen, {"ours": [measure(rate, for_s) for _ in range(times)]}, share=SHARE)


if __name__ == "__main__":
    main()
