"""How fast does a backlog of millions leave, and do live readings wait for it?

    make bench BENCH=drain                         # ten million readings of six quantities
    make bench BENCH=drain ARGS="--readings 500000"

With the store away 10,000 nodes send packs of thirty readings until the backlog is there: what the journal
takes on disk and how fast it takes it. Then the gateway is killed (-9), started again together with the store,
and 500 live readings a second come in: seconds until the first of them is stored, readings drained a second,
and how old the live ones are when the store has them. The bare writer gives the same lines, all of them, to its
own store, over as many connections as were best for it in a first trial: a store slows down as it fills.
"""

from __future__ import annotations

import argparse
import time

from bench.bare import Bare
from bench.fleet import Course, Fleet
from bench.live import FLEET, Live
from bench.load import Load, Order
from bench.results import Run, options, percentile, save
from bench.rigs import GatewayProcess, Rig, end_in_order, wait_for
from bench.usage import Meter, memory_mb

NODES = 10_000
ROWS = 30
LIVE_PER_S = 500.0
WRITERS = (1, 2, 4)
TRIAL_READINGS = 1_200_000


def backlog(readings: int) -> Course:
    """Return what is sent while the store is away: at least so many readings."""
    fleet = Fleet(count=min(NODES, max(1, readings // ROWS)))
    rounds = -(-readings // (ROWS * fleet.count))
    start_ms = int(time.time() - 7 * 86_400) * 1000
    return Course(fleet=fleet, rounds=rounds, rows=ROWS, start_ms=start_ms)


def ours(readings: int) -> Run:
    """Build a backlog, kill the gateway before it, drain it."""
    course = backlog(readings)
    with Rig() as rig:
        gateway = rig.gateway("gw1", [course.fleet, FLEET])
        probes = Live(rig, LIVE_PER_S)
        generator = rig.load(Load(Order(port=rig.broker.port, births=course.fleet, courses=(course,))))
        generator.births()
        wait_for(lambda: gateway.knows(course.fleet.count + FLEET.count), "every birth is in the ledger", 0.25)
        rig.store.stop()
        found = _build(gateway, generator, course)
        return found | _drain(rig, gateway, probes, course)


def _build(gateway: GatewayProcess, generator: Load, course: Course) -> Run:
    before, meter, begun = gateway.disk_bytes(), Meter({"gateway": gateway.pid}), time.monotonic()
    generator.go()
    generator.done()
    wait_for(lambda: gateway.taken() >= course.readings, "the gateway has taken in everything", 1.0)
    took_s = time.monotonic() - begun
    return {
        "readings": course.readings,
        "taken_in_per_s": course.readings / took_s,
        "taken_in_us_per_reading": meter.read()["gateway"] / course.readings * 1e6,
        "disk_bytes_per_reading": (gateway.disk_bytes() - before) / course.readings,
        "rss_mb_with_backlog": memory_mb(gateway.pid)["rss"],
    }


def _drain(rig: Rig, gateway: GatewayProcess, probes: Live, course: Course) -> Run:
    gateway.kill()
    rig.store.start()
    probes.start()
    killed_ms, killed = time.time_ns() // 1_000_000, time.monotonic()
    gateway.start()
    meter = Meter({"gateway": gateway.pid, "store": rig.store.pid, "broker": rig.broker.pid})
    wait_for(lambda: rig.points_written() > 0, "the store gets the first lines")
    begun = time.monotonic()
    blind_s = probes.first_after(killed_ms)
    news_ms = killed_ms + round(blind_s * 1000)
    wait_for(
        lambda: rig.points_written() >= course.readings + len(probes.ages_s), "the backlog is drained", 0.2
    )
    end, end_ms, used = time.monotonic(), time.time_ns() // 1_000_000, meter.read()
    probes.stop()
    rig.until_stored(course.readings + len(probes.sent))
    ages_s = probes.ages(news_ms, end_ms)
    return {
        "first_lines_after_s": begun - killed,
        "blind_s": blind_s,
        "drain_s": end - begun,
        "drained_per_s": course.readings / (end - begun),
        "live_p50_s": percentile(ages_s, 0.5),
        "live_p99_s": percentile(ages_s, 0.99),
        "live_most_s": max(ages_s),
        "live_readings": len(ages_s),
        **{f"cpu_{name}_s": seconds for name, seconds in used.items()},
    }


def bare(readings: int, writers: int) -> Run:
    """Return what the store takes of the same lines when nobody else is there."""
    course = backlog(readings)
    with Rig() as rig:
        writer = Bare(rig.store.url, course, writers)
        wall_s, _ = writer.run()
        rig.until_stored(course.readings)
    return {"readings": course.readings, "writers": writers, "readings_per_s": course.readings / wall_s}


def main() -> None:
    """Measure in turns, and keep."""
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--readings", type=int, help="in the backlog; ten million by default")
    chosen = parser.parse_args()
    end_in_order()
    readings = chosen.readings or (500_000 if chosen.quick else 10_000_000)
    trials = {f"bare {writers}": [bare(min(readings, TRIAL_READINGS), writers)] for writers in WRITERS}
    best = max((found[0] for found in trials.values()), key=lambda found: float(found["readings_per_s"]))
    runs: dict[str, list[Run]] = {"ours": [], "bare": []}
    for _ in range(1 if chosen.quick else chosen.runs):
        runs["bare"].append(bare(readings, best["writers"]))
        runs["ours"].append(ours(readings))
        print("  drain:", runs["ours"][-1], flush=True)
    runs |= trials
    save("drain", chosen, runs, live_per_s=LIVE_PER_S)


if __name__ == "__main__":
    main()
