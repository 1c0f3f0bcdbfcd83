"""What does the gateway's MQTT client cost? CPU a QoS 1 message, ours beside paho, on a real Mosquitto.

    make bench BENCH=mqtt ARGS="--messages 40000 --runs 3"

Each client runs in a process of its own and settles after batches, as the gateway does after its commits; a
generator in a third process publishes ready-made packets and waits for nothing but the broker's window. The
figure is the CPU time of the client's process (user and system), from its subscription to its last settled
message.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import platform
import signal
import socket
import ssl
import statistics
import struct
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import servers
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.table import Table

from edge.protocol.topics import UP_LEAVES, Leaf, subscription, topic
from gateway.arrival import Arrival, Inbox
from gateway.sources.mqtt import MqttConfig, MqttSource

NODES = 1_000
PAYLOAD_BYTES = 34
WINDOW = 500  # messages of the generator under way
INBOX, MOST = 20_000, 5_000
COMMIT_S = 0.002  # what the disk takes for a commit; the client reads on meanwhile
WITHIN_S = 120.0


class PahoSource:
    """paho with `manual_ack` on the event loop's reader and writer: the least that custody needs of it."""

    def __init__(self, config: MqttConfig, gateway: str, inbox: Inbox) -> None:
        self._host, port = config.url.removeprefix("mqtt://").split(":")
        self._port, self._inbox, self._loop = int(port), inbox, asyncio.get_running_loop()
        self._socket: socket.socket | ssl.SSLSocket | None = None
        self.subscribed = asyncio.Event()
        client = self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"cn-{gateway}", clean_session=False, manual_ack=True
        )
        client.max_inflight_messages_set(0)
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self.subscribed.set()
        client.on_message = self._on_message
        client.on_socket_open = self._on_socket_open
        client.on_socket_register_write = lambda c, _, sock: self._loop.add_writer(sock, c.loop_write)
        client.on_socket_unregister_write = lambda c, _, sock: self._loop.remove_writer(sock)

    async def run(self) -> None:
        """Stay connected until cancelled."""
        self._client.connect(self._host, self._port)
        try:
            while True:
                await asyncio.sleep(0.5)
                self._client.loop_misc()
        finally:
            if self._socket is not None:
                self._loop.remove_reader(self._socket)
            self._client.disconnect()

    def settle(self, arrivals: list[Arrival]) -> None:
        """Acknowledge to the broker."""
        for arrival in arrivals:
            if arrival.mark:
                self._client.ack(arrival.mark[1], 1)

    def _on_socket_open(self, client: paho.Client, data: Any, sock: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._loop.add_reader(sock, client.loop_read)

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        client.subscribe([(subscription(leaf), 1) for leaf in UP_LEAVES])

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        mark = (1, message.mid) if message.qos else None
        self._inbox.put(Arrival(message.topic, bytes(message.payload), time.time_ns() // 1_000_000, mark))


SOURCES: dict[str, type[MqttSource] | type[PahoSource]] = {"ours": MqttSource, "paho": PahoSource}


def client(name: str, url: str, count: int, ready: Any, found: Any) -> None:
    """Take `count` messages with one of the clients; report CPU and wall seconds and the batches."""

    async def take() -> None:
        inbox = Inbox(INBOX)
        source = SOURCES[name](MqttConfig(url=url), f"bench-{name}", inbox)
        job = asyncio.create_task(source.run())
        await source.subscribed.wait()
        ready.set()
        taken = batches = 0
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        async with asyncio.timeout(WITHIN_S):
            while taken < count:
                batch = await inbox.take(MOST)
                await asyncio.sleep(COMMIT_S)
                source.settle(batch)
                taken += len(batch)
                batches += 1
        await asyncio.sleep(0)  # the last acknowledgements leave
        found.put((time.process_time() - cpu_s, time.perf_counter() - wall_s, batches))
        job.cancel()
        await asyncio.wait([job])

    asyncio.run(take())


def generate(host: str, port: int, count: int) -> None:
    """Publish `count` messages at QoS 1 as fast as the broker acknowledges them."""
    names = [topic(f"bench-{node:05d}", Leaf.DATA).encode() for node in range(NODES)]
    bodies = [struct.pack(">H", len(name)) + name for name in names]
    with socket.create_connection((host, port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03gen")
        heard = sock.makefile("rb")
        if heard.read(4) != b"\x20\x02\x00\x00":
            raise SystemExit("the broker refuses the generator")
        for first in range(0, count, WINDOW):
            numbers = range(first, min(first + WINDOW, count))
            packets = [_packet(bodies[n % NODES], n % 65_535 + 1, b"%034d" % n) for n in numbers]
            sock.sendall(b"".join(packets))
            heard.read(4 * len(packets))
        sock.sendall(b"\xe0\x00")


def _packet(name: bytes, mid: int, payload: bytes) -> bytes:
    body = name + mid.to_bytes(2, "big") + payload
    return bytes([0x32, len(body)]) + body


def measure(name: str, broker: servers.Mosquitto, count: int) -> dict[str, float]:
    """Return the figures of one run."""
    context = multiprocessing.get_context("spawn")
    ready, found = context.Event(), context.Queue()
    taking = context.Process(target=client, args=(name, broker.url, count, ready, found), daemon=True)
    taking.start()
    if not ready.wait(WITHIN_S):
        raise SystemExit(f"{name} does not subscribe")
    giving = context.Process(target=generate, args=(broker.host, broker.port, count), daemon=True)
    giving.start()
    cpu_s, wall_s, batches = found.get(timeout=WITHIN_S)
    giving.join()
    taking.join()
    return {
        "cpu_us_per_message": cpu_s / count * 1e6,
        "messages_per_s": count / wall_s,
        "messages_per_batch": count / batches,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=40_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the broker must not outlive us
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in SOURCES}
    for _ in range(options.runs):
        for name, figures in runs.items():  # in turns: a busy minute then weighs on both
            with tempfile.TemporaryDirectory(prefix="cityneuron-bench-") as folder:
                broker = servers.Mosquitto(Path(folder))  # a new one: no session waits for the other client
                broker.start()
                try:
                    figures.append(measure(name, broker, options.messages))
                finally:
                    broker.kill()
    medians = {
        name: {key: statistics.median(run[key] for run in figures) for key in figures[0]}
        for name, figures in runs.items()
    }
    if options.json:
        print(json.dumps({"messages": options.messages, "runs": runs, "medians": medians}))
    else:
        _show(options.messages, options.runs, runs, medians)


def _show(
    count: int, times: int, runs: dict[str, list[dict[str, float]]], medians: dict[str, dict[str, float]]
) -> None:
    title = f"{count} messages of {PAYLOAD_BYTES} bytes at QoS 1, medians of {times}"
    table = Table("client", "CPU us a message", "runs", "messages/s", "messages a batch", title=title)
    for name, figures in medians.items():
        each = ", ".join(f"{run['cpu_us_per_message']:.1f}" for run in runs[name])
        cpu_us, rate, batch = figures.values()
        table.add_row(name, f"{cpu_us:.1f}", each, f"{rate:,.0f}", f"{batch:,.0f}")
    console = Console(width=100)
    console.print(table)
    ratio = medians["paho"]["cpu_us_per_message"] / medians["ours"]["cpu_us_per_message"]
    console.print(f"paho costs {ratio:.1f} times as much as ours.")
    console.print(f"Python {platform.python_version()}, paho {version('paho-mqtt')}, {platform.machine()}")


if __name__ == "__main__":
    main()
