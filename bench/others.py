"""How much do Node-RED and ThingsBoard's gateway take of the same messages? With `make bench ARGS=--peers`.

    make bench BENCH=others

Each gets JSON, one reading of six values a message, from the generator of bench/throughput.py, after a round of
warm-up. Node-RED writes to InfluxDB and is timed as the others are. ThingsBoard's gateway sends to ThingsBoard;
it is timed until a stand-in for that has been given every reading. It registers devices one by one, some 25 a
second, so it gets the same messages from a hundred nodes.
"""

from __future__ import annotations

import argparse
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import replace

import servers

from bench.fleet import Course
from bench.load import Load, Order
from bench.peers import node_red, thingsboard
from bench.results import Run, options, save
from bench.rigs import Rig, end_in_order, wait_for
from bench.throughput import FULL, QUICK, Size, courses, figures, timed
from bench.usage import Meter

FEW_NODES = 100


def small(size: Size, nodes: int, share: float) -> tuple[Course, Course]:
    """Return warm-up and course, a share of what faster contenders get."""
    rounds = round(size.rounds_1 * share * size.nodes / nodes)
    return courses(replace(size, nodes=nodes, rounds_1=rounds), 1, "reading")


def measure_node_red(size: Size) -> Run:
    """Time Node-RED until InfluxDB has everything."""
    warm, course = small(size, size.nodes, 0.5)
    with Rig() as rig:
        peer = node_red.start(rig.folder / "node-red", rig.broker.port, rig.store.port)
        try:
            assert peer.stdout is not None
            threading.Thread(target=peer.stdout.read, daemon=True).start()  # a full pipe would stop it
            load = rig.load(Load(Order(port=rig.broker.port, courses=(warm, course))))
            load.go()
            load.done()
            rig.until_stored(warm.readings)
            return timed(rig, load, course, {"peer": peer.pid}, warm.readings + course.readings)
        finally:
            _end(peer)


def measure_thingsboard(size: Size) -> Run:
    """Time ThingsBoard's gateway until the stand-in for ThingsBoard has everything."""
    warm, course = small(size, FEW_NODES, 0.1)
    with Rig() as rig:
        upstream = servers.Mosquitto(rig.folder / "upstream")
        upstream.start()
        cloud = thingsboard.Cloud(upstream.port)
        peer = thingsboard.start(rig.folder / "tb", rig.broker.port, upstream.port)
        try:
            load = rig.load(Load(Order(port=rig.broker.port, courses=(warm, course))))
            load.go()
            load.done()
            wait_for(lambda: cloud.readings >= warm.readings, "the warm-up has arrived")
            meter = Meter({"peer": peer.pid, "broker": rig.broker.pid, "generator": load.pid})
            begun = time.monotonic()
            load.go()
            load.done()
            wait_for(lambda: cloud.readings >= warm.readings + course.readings, "every reading has arrived")
            found = figures(course, time.monotonic() - begun)
            return found | {f"cpu_{name}_s": used for name, used in meter.read().items()}
        finally:
            _end(peer)
            cloud.close()
            upstream.kill()


def _end(peer: subprocess.Popen[bytes]) -> None:
    peer.terminate()
    with suppress(subprocess.TimeoutExpired):
        peer.wait(5)
    peer.kill()
    peer.wait()


def main() -> None:
    """Run both in turns."""
    chosen = options(argparse.ArgumentParser(description=__doc__)).parse_args()
    end_in_order()
    size, times = (QUICK, 1) if chosen.quick else (FULL, chosen.runs)
    runs: dict[str, list[Run]] = {"Node-RED": [], "ThingsBoard gateway": []}
    for _ in range(times):
        runs["Node-RED"].append(measure_node_red(size))
        runs["ThingsBoard gateway"].append(measure_thingsboard(size))
    save("others", chosen, runs, installed={**node_red.VERSIONS, "thingsboard-gateway": thingsboard.VERSION})


if __name__ == "__main__":
    main()
