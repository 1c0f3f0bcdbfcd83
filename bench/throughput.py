"""How much goes from broker to store, and who was the limit? Ours, a script, mosquitto_sub, a bare writer.

    make bench BENCH=throughput
    make bench BENCH=throughput ARGS="--only ours,script"

Every contender gets the same from the same generator, on a fresh broker and store, in turns. The clock starts
with the first message and stops when InfluxDB counts exactly what was sent. One round of messages goes before,
so that every node is known and every series exists.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.bare import Bare
from bench.fleet import COLUMNS, KIND, Course, Fleet
from bench.load import Load, Order
from bench.peers.sub import Subscriber
from bench.results import Run, options, save
from bench.rigs import Rig, end_in_order, wait_for
from bench.usage import Meter

DATA = "cn/v1/+/data"
NODES = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is sent: rounds of packs of one reading, rounds of packs of thirty."""

    nodes: int
    rounds_1: int
    rounds_30: int


WARM_ROUNDS = 4
FULL = Size(nodes=NODES, rounds_1=18, rounds_30=5)
QUICK = Size(nodes=NODES, rounds_1=12, rounds_30=3)


def courses(size: Size, rows: int, form: str = "native") -> tuple[Course, Course]:
    """Return the warm-up, after which every node is known with its past, and the course that is timed."""
    fleet = Fleet(count=size.nodes)
    start_ms = int(time.time() - 86_400) * 1000
    rounds = size.rounds_30 if rows == 30 else size.rounds_1
    if form == "value":
        rounds = max(1, rounds // len(COLUMNS))
    after = WARM_ROUNDS * rows
    timed = Course(
        fleet=fleet, rounds=rounds, rows=rows, start_ms=start_ms + after * 1000, seq0=after, form=form
    )
    return Course(fleet=fleet, rounds=WARM_ROUNDS, rows=rows, start_ms=start_ms, form=form), timed


def figures(course: Course, wall_s: float) -> Run:
    """Return the rates of a course."""
    return {
        "wall_s": wall_s,
        "messages": course.messages,
        "messages_per_s": course.messages / wall_s,
        "readings_per_s": course.readings / wall_s,
        "values_per_s": course.readings * len(COLUMNS) / wall_s,
    }


def ours(size: Size, rows: int) -> Run:
    """Measure the gateway with all that it does: custody, ledger, quality."""
    warm, course = courses(size, rows)
    with Rig() as rig:
        gateway = rig.gateway("gw1", [course.fleet])
        load = rig.load(Load(Order(port=rig.broker.port, births=course.fleet, courses=(warm, course))))
        load.births()
        wait_for(lambda: gateway.knows(size.nodes), "every birth is in the ledger", 0.25)
        load.go()
        load.done()
        rig.until_stored(warm.readings)
        found = timed(rig, load, course, {"gateway": gateway.pid}, warm.readings + course.readings)
    found["gateway_us_per_message"] = found["cpu_gateway_s"] / course.messages * 1e6
    found["gateway_us_per_reading"] = found["cpu_gateway_s"] / course.readings * 1e6
    return found


def script(size: Size, form: str) -> Run:
    """Measure the script; `form` is one reading or one value a message."""
    warm, course = courses(size, 1, form)
    with Rig() as rig:
        words = [sys.executable, "-m", "bench.peers.script", str(rig.broker.port), rig.store.url, "city/#"]
        peer = subprocess.Popen(words, stdout=subprocess.PIPE)
        try:
            assert peer.stdout is not None and peer.stdout.readline() == b"ready\n"
            load = rig.load(Load(Order(port=rig.broker.port, courses=(warm, course))))
            load.go()
            load.done()
            rig.until_stored(warm.readings, warm.messages)
            points = warm.messages + course.messages
            found = timed(rig, load, course, {"script": peer.pid}, warm.readings + course.readings, points)
        finally:
            peer.kill()
            peer.wait()
    found["script_us_per_message"] = found["cpu_script_s"] / course.messages * 1e6
    return found


def timed(rig: Rig, load: Load, course: Course, pids: dict[str, int], readings: int, points: int = 0) -> Run:
    """Send a course; return its figures once the store has so many readings in all (given as `points`)."""
    meter = Meter({**pids, "broker": rig.broker.pid, "store": rig.store.pid, "generator": load.pid})
    begun = time.monotonic()
    load.go()
    generated = load.done()
    found = figures(course, rig.until_stored(readings, points or None) - begun)
    found |= {f"cpu_{name}_s": used for name, used in meter.read().items()}
    found["generator_s"] = generated["wall_s"]
    return found


def sub(size: Size, rows: int) -> Run:
    """Measure how fast mosquitto_sub takes the same messages."""
    _, course = courses(size, rows)
    with Rig() as rig:
        load = rig.load(Load(Order(port=rig.broker.port, courses=(course,))))
        subscriber = Subscriber(rig.broker.port, DATA, course.messages, rig.folder)
        meter = Meter({"broker": rig.broker.pid, "generator": load.pid})
        begun = time.monotonic()
        load.go()
        used_s = subscriber.wait()
        found = figures(course, time.monotonic() - begun)
        found["generator_s"] = load.done()["wall_s"]
        found |= {f"cpu_{name}_s": used for name, used in meter.read().items()}
    found["cpu_rest_s"] = max(0.0, found["cpu_rest_s"] - used_s)
    return {**found, "cpu_mosquitto_sub_s": used_s}


def nobody(size: Size, rows: int) -> Run:
    """Measure the generator and the broker alone: no one subscribes."""
    _, course = courses(size, rows)
    with Rig() as rig:
        load = rig.load(Load(Order(port=rig.broker.port, courses=(course,))))
        meter = Meter({"broker": rig.broker.pid, "generator": load.pid})
        load.go()
        found = figures(course, load.done()["wall_s"])
        return found | {f"cpu_{name}_s": used for name, used in meter.read().items()}


def bare(size: Size, writers: int) -> Run:
    """Measure what the store takes of the same lines."""
    warm, course = courses(size, 30)
    with Rig() as rig:
        writer = Bare(rig.store.url, course, writers, warm)
        meter = Meter({"store": rig.store.pid})
        wall_s, used_s = writer.run()
        found = figures(course, wall_s)
        found |= {f"cpu_{name}_s": used for name, used in meter.read().items()}
        rig.until_stored(warm.readings + course.readings)
    found["cpu_rest_s"] = max(0.0, found["cpu_rest_s"] - used_s)
    return {**found, "cpu_writer_s": used_s, "writers": writers}


CONTENDERS: dict[str, Callable[[Size], Run]] = {
    "ours 1x6": lambda size: ours(size, 1),
    "script reading": lambda size: script(size, "reading"),
    "script value": lambda size: script(size, "value"),
    "sub 1x6": lambda size: sub(size, 1),
    "nobody 1x6": lambda size: nobody(size, 1),
    "ours 30x6": lambda size: ours(size, 30),
    "sub 30x6": lambda size: sub(size, 30),
    "nobody 30x6": lambda size: nobody(size, 30),
    "bare 1": lambda size: bare(size, 1),
    "bare 2": lambda size: bare(size, 2),
    "bare 4": lambda size: bare(size, 4),
}


def main() -> None:
    """Run every contender in turns."""
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--only", default="", help="contenders whose names begin so, with commas between")
    chosen = parser.parse_args()
    end_in_order()
    size, times = (QUICK, 1) if chosen.quick else (FULL, chosen.runs)
    begins = tuple(chosen.only.split(","))
    names = [name for name in CONTENDERS if name.startswith(begins)]
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for turn in range(times):
        for name in names:
            runs[name].append(CONTENDERS[name](size))
            print(
                f"  {turn + 1}/{times} {name}: {runs[name][-1]['messages_per_s']:,.0f} messages/s", flush=True
            )
    save("throughput", chosen, runs, nodes=size.nodes, kind=KIND.name)


if __name__ == "__main__":
    main()
