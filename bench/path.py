"""How fast is the whole path, and what does an outage cost? Mosquitto -> gateway -> InfluxDB, all real.

    make bench ARGS="--nodes 200 --packs 100 --rows 10"

Three runs: packs one after another (latency until the gateway's acknowledgement, which follows its fsync),
packs as fast as the broker takes them (throughput into the store), and the same with the store away (what the
gateway takes in meanwhile, and how fast the backlog drains afterwards). A reading is a row of four values.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Any

import paho.mqtt.client as mqtt
import servers
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.table import Table

from edge.model.kinds import KINDS
from edge.model.quality import Clock
from edge.model.quantities import QUANTITIES
from edge.protocol.topics import Leaf, parse_topic, topic
from edge.protocol.wire import Birth, Column, Pack, decode_ack, encode_birth, encode_pack

KIND = KINDS["water_level"]
WITHIN_S = 120.0
ONE_BY_ONE = 200
BOOT = 1


class Fleet:
    """Publishes packs of many nodes over one connection and keeps what the gateway acknowledged."""

    def __init__(self, broker: servers.Mosquitto, nodes: int) -> None:
        self.nodes = [f"bench-{number:05d}" for number in range(nodes)]
        self.next_seq = dict.fromkeys(self.nodes, 0)
        self.upto: dict[str, int] = {}
        self.changed = threading.Condition()
        self._start_ms = (int(time.time()) - 86_400) * 1000
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bench")
        self._client.max_inflight_messages_set(2000)
        self._client.max_queued_messages_set(0)
        self._client.on_message = self._on_message
        # a node does not wait for company (Nagle), which would add 40 ms to what is measured
        self._client.on_socket_open = self._on_socket_open
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        self._client.subscribe("cn/v1/+/ack", qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def announce(self) -> None:
        """Publish every birth; return when the gateway has acknowledged them all."""
        columns = tuple(Column(name, QUANTITIES[name].decimals) for name in KIND.quantities)
        for node in self.nodes:
            birth = Birth(
                node=node, kind=KIND.name, firmware="bench", hardware="bench", boot=BOOT, schema=KIND.schema,
                columns=columns, period_s=60, oldest=(BOOT, 0), next_seq=0, clock=Clock.SYNCED,
            )  # fmt: skip
            self._client.publish(topic(node, Leaf.BIRTH), encode_birth(birth), qos=1, retain=True)
        self.wait_until_acknowledged()

    def send(self, node: str, rows: int) -> None:
        """Publish one pack: a reading a second, the first of all a day ago."""
        seq0 = self.next_seq[node]
        values = [[1000 * i, 1500 + i % 50, 2000, 370, -71] for i in range(rows)]
        start_ms = self._start_ms + seq0 * 1000
        pack = Pack(KIND.schema, BOOT, seq0, start_ms, Clock.SYNCED, values)
        self.next_seq[node] = seq0 + rows
        self._client.publish(topic(node, Leaf.DATA), encode_pack(pack), qos=1)

    def wait_until_acknowledged(self) -> None:
        """Return when every reading that was sent is on the gateway's disk."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.upto == self.next_seq, WITHIN_S):
                raise SystemExit("the gateway did not acknowledge everything")

    def _on_socket_open(self, _client: mqtt.Client, _data: object, sock: Any) -> None:
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        node, _ = parse_topic(message.topic)
        ack = decode_ack(bytes(message.payload))
        if node not in self.next_seq:
            return  # the gateway's own readings
        with self.changed:
            self.upto[node] = max(self.upto.get(node, 0), ack.upto)
            self.changed.notify_all()


def gateway_process(
    folder: Path, broker: servers.Mosquitto, store: servers.InfluxDB
) -> subprocess.Popen[bytes]:
    """Start the gateway as users do, from a configuration file."""
    config = folder / "gateway.toml"
    config.write_text(
        f'[gateway]\nid = "gw-bench"\ndata_dir = "{folder / "gateway"}"\n[mqtt]\nurl = "{broker.url}"\n'
        f'[store]\nurl = "{store.url}"\napi = "v1"\n'
        "[nodes]\nadmit_any = true\n[forward]\nlongest_delay_s = 1.0\n"
    )
    command = [str(Path(sys.executable).with_name("cityneuron")), "gateway", "run", "--config", str(config)]
    with (folder / "gateway.log").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


def stored(store: servers.InfluxDB) -> int:
    """How many readings the store has."""
    rows = store.rows(f'SELECT count("{KIND.headline}") FROM "{KIND.name}"')
    return int(rows[0]["count"]) if rows else 0


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"gave up waiting until {what}")
        time.sleep(0.02)


def acknowledgements_ms(fleet: Fleet) -> list[float]:
    """One pack after another: how long each waits for the gateway's disk, sorted."""
    delays_ms = []
    for number in range(ONE_BY_ONE):
        begun = time.perf_counter()
        fleet.send(fleet.nodes[number % len(fleet.nodes)], 1)
        fleet.wait_until_acknowledged()
        delays_ms.append((time.perf_counter() - begun) * 1000)
    return sorted(delays_ms)


def burst(fleet: Fleet, packs: int, rows: int) -> float:
    """Packs as fast as they go: seconds until the gateway's disk has them all."""
    begun = time.perf_counter()
    for _ in range(packs):
        for node in fleet.nodes:
            fleet.send(node, rows)
    fleet.wait_until_acknowledged()
    return time.perf_counter() - begun


def until_stored(fleet: Fleet, store: servers.InfluxDB) -> float:
    """Seconds until the store has every reading that was sent."""
    begun = time.perf_counter()
    wait_for(lambda: stored(store) == sum(fleet.next_seq.values()), "the store has everything")
    return time.perf_counter() - begun


def measure(nodes: int, packs: int, rows: int, folder: Path) -> dict[str, float]:
    """Run the three measurements; return the figures by name."""
    broker, store = servers.Mosquitto(folder / "mosquitto"), servers.InfluxDB(folder / "influxdb")
    gateway = None
    count = nodes * packs * rows
    try:
        broker.start()
        store.start()
        gateway = gateway_process(folder, broker, store)
        fleet = Fleet(broker, nodes)
        fleet.announce()
        delays_ms = acknowledgements_ms(fleet)
        until_stored(fleet, store)
        kept_s = burst(fleet, packs, rows)
        stored_s = kept_s + until_stored(fleet, store)
        store.stop()
        outage_s = burst(fleet, packs, rows)
        store.start()
        drain_s = until_stored(fleet, store)
        fleet.close()
        return {
            "acknowledgement, one pack at a time, p50 ms": statistics.median(delays_ms),
            "acknowledgement, one pack at a time, p99 ms": delays_ms[math.ceil(len(delays_ms) * 0.99) - 1],
            "packs a second, until acknowledged": nodes * packs / kept_s,
            "readings a second, until acknowledged": count / kept_s,
            "readings a second, until stored": count / stored_s,
            "readings a second taken in with the store away": count / outage_s,
            "readings a second drained afterwards": count / drain_s,
            "readings sent": float(sum(fleet.next_seq.values())),
            "readings lost": float(sum(fleet.next_seq.values()) - stored(store)),
        }
    finally:
        if gateway is not None:
            gateway.terminate()
            gateway.wait(30)
        broker.kill()
        store.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--packs", type=int, default=50, help="a node")
    parser.add_argument("--rows", type=int, default=10, help="readings a pack")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers must not outlive us
    with tempfile.TemporaryDirectory(prefix="cityneuron-bench-") as folder:
        figures = measure(options.nodes, options.packs, options.rows, Path(folder))
    if options.json:
        print(json.dumps(figures))
        return
    table = Table(title=f"{options.nodes} nodes, {options.packs} packs of {options.rows} readings each")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.1f}" if 0 < value < 100 else f"{value:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
