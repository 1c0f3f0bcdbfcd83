"""How long from a reading to the message about it, at 1,000 readings a second?

    make bench BENCH=alerts

Mosquitto, the gateway, the cloud and InfluxDB run as users run them; 1,000 nodes send 1,000 readings of six
quantities a second. Beside them EVENTS stores of hazardous goods, each in a district of its own, report gas at
half of the lower explosive limit, one after another. The clock of each runs from the moment at which the
reading was sensed to the moment at which a webhook, behind the cloud's outbox and limits, has the message.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import threading
import time
import urllib.request
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import servers

from bench.fleet import BOOT, Course, Fleet
from bench.load import Load, Order, connect, packet
from bench.results import Run, options, percentile, save
from bench.rigs import CITYNEURON, Rig, end_in_order, wait_for
from edge.model.kinds import KINDS
from edge.model.node import Node, node_id
from edge.model.quality import Clock
from edge.model.quantities import QUANTITIES
from edge.protocol.topics import Leaf, topic
from edge.protocol.wire import Birth, Column, Pack, encode_birth, encode_pack

KIND = KINDS["hazmat"]
COLUMNS = tuple(Column(name, QUANTITIES[name].decimals) for name in KIND.quantities)
CALM, GAS = (0.0, 18.0, 0.0, 3.7), (55.0, 18.0, 0.0, 3.7)
EVENTS, EVENTS_PER_S = 300, 5.0
QUICK = 50
RATE = 1_000.0
SETTLE_S = 2.0
TOKEN = "a token of the bench"


class Receiver:
    """A webhook's other end: when the first message about each node came."""

    def __init__(self) -> None:
        self.heard_s: dict[str, float] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                now_s = time.time()
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                episodes = body["facts"].get("episodes") or [body["facts"]]
                for facts in episodes:
                    receiver.heard_s.setdefault(facts["episode"]["node"], now_s)
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer((servers.HOST, 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://{servers.HOST}:{self._server.server_address[1]}/hook"

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()


def stores(count: int) -> list[Node]:
    """Return the nodes at which something will happen, each in a district of its own."""
    return [
        Node(
            id=node_id(f"hazmat-{index:03}"), kind=KIND.name, site="bench", district=f"d-{index:03}",
            label_en=f"Store {index}", label_zh=f"仓库 {index}",
        )
        for index in range(count)
    ]  # fmt: skip


def start_cloud(rig: Rig, receiver: Receiver) -> tuple[subprocess.Popen[bytes], str]:
    """Start `cityneuron cloud run` with one channel; return it with its address."""
    port = servers.free_port()
    for name, text in (("token", TOKEN), ("hook-url", receiver.url), ("hook-secret", "a secret")):
        path = rig.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
    (rig.folder / "channels.toml").write_text(
        '[[channel]]\nname = "hook"\ntype = "webhook"\nallow_http = true\n'
        'url_file = "hook-url"\nsecret_file = "hook-secret"\n'
    )
    (rig.folder / "cloud.toml").write_text(
        f'port = {port}\ndata_dir = "cloud"\ntoken_file = "token"\nstore = "{rig.store.url}/?db=city"\n'
        '[alerts]\nchannels_file = "channels.toml"\n[[alerts.route]]\nchannels = ["hook"]\nrules = ["gas"]\n'
    )
    command = [str(CITYNEURON), "cloud", "run", "--config", str(rig.folder / "cloud.toml")]
    with (rig.folder / "cloud.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    url = f"http://{servers.HOST}:{port}"
    wait_for(lambda: "The wall" in (rig.folder / "cloud.log").read_text(), "the cloud answers", within_s=60)
    return process, url


def register(url: str, nodes: list[Node]) -> None:
    """Tell the registry of nodes."""
    body = json.dumps({"nodes": [node.to_dict() for node in nodes]}).encode()
    headers = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(urllib.request.Request(f"{url}/api/v1/nodes", body, headers), timeout=60).read()


def happen(port: int, nodes: list[Node], per_s: float) -> dict[str, float]:
    """Let a reading of every store show gas, one after another; return when each was sensed."""
    sock = connect(port, "events")
    birth = Birth(
        node="", kind=KIND.name, firmware="1", hardware="bench", boot=BOOT, schema=KIND.schema, columns=COLUMNS,
        period_s=60.0, oldest=(BOOT, 0), next_seq=0, clock=Clock.SYNCED,
    )  # fmt: skip
    mid = 0
    for node in nodes:
        mid += 1
        body = encode_birth(replace(birth, node=node.id, serial=f"sn-{node.id}"))
        sock.sendall(packet((topic(node.id, Leaf.BIRTH), body), mid, retain=True))
    began_ms = time.time_ns() // 1_000_000 - 60_000 * 3
    for seq in range(3):
        for node in nodes:
            mid += 1
            sock.sendall(packet(_reading(node, seq, began_ms + seq * 60_000, CALM), mid))
    sock.recv(4 * mid, socket.MSG_WAITALL)
    time.sleep(SETTLE_S)  # what went before is behind the gateway
    sensed_s, begun = {}, time.monotonic()
    for number, node in enumerate(nodes):
        time.sleep(max(0.0, begun + number / per_s - time.monotonic()))
        now_ms = time.time_ns() // 1_000_000
        sensed_s[str(node.id)] = now_ms / 1000
        mid += 1
        sock.sendall(packet(_reading(node, 3, now_ms, GAS), mid))
    sock.recv(4 * len(nodes), socket.MSG_WAITALL)
    sock.close()
    return sensed_s


def _reading(node: Node, seq: int, t_ms: int, values: tuple[float, ...]) -> tuple[str, bytes]:
    row = [0, *(round(value * 10**column.decimals) for value, column in zip(values, COLUMNS, strict=True))]
    return topic(node.id, Leaf.DATA), encode_pack(Pack(KIND.schema, BOOT, seq, t_ms, Clock.SYNCED, [row]))


def measure(events: int) -> Run:
    """Return the percentiles of one run, in milliseconds."""
    receiver, fleet, nodes = Receiver(), Fleet(count=int(RATE)), stores(events)
    with Rig() as rig:
        cloud, url = start_cloud(rig, receiver)
        try:
            register(url, nodes)
            link = f'[cloud]\nurl = "{url}"\ntoken_file = "{rig.folder / "token"}"\n'
            gateway = rig.gateway("gw1", [fleet], link)
            lasts_s = events / EVENTS_PER_S + 8
            start_s = time.time() + 6
            course = Course(
                fleet=fleet,
                rounds=round(lasts_s),
                rows=1,
                start_ms=int(start_s * 1000),
                period_ms=1000,
                stagger_ms=1,
            )
            order = Order(port=rig.broker.port, births=fleet, courses=(course,), pace=RATE, start_s=start_s)
            load = rig.load(Load(order))
            load.births()
            wait_for(lambda: gateway.knows(fleet.count), "every birth is in the ledger", 0.25)
            load.go()
            sensed_s = happen(rig.broker.port, nodes, EVENTS_PER_S)
            wait_for(lambda: len(receiver.heard_s) >= events, "every event was told", within_s=120)
            load.done()
        finally:
            cloud.terminate()
            cloud.wait(60)
            receiver.close()
    ages_ms = [(receiver.heard_s[name] - at_s) * 1000 for name, at_s in sensed_s.items()]
    return {
        "events": events, "rate_per_s": RATE, "p50_ms": percentile(ages_ms, 0.5),
        "p99_ms": percentile(ages_ms, 0.99), "most_ms": max(ages_ms),
    }  # fmt: skip


def main() -> None:
    """Measure."""
    chosen = options(argparse.ArgumentParser(description=__doc__)).parse_args()
    end_in_order()
    runs = [measure(QUICK if chosen.quick else EVENTS) for _ in range(1 if chosen.quick else chosen.runs)]
    save("alerts", chosen, {"City Neuron": runs})


if __name__ == "__main__":
    main()
