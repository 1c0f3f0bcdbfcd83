"""Node-RED with node-red-contrib-influxdb: mqtt in -> a function that collects a thousand points or half a
second's -> influxdb batch. Installed into the cache by npm, with fixed versions."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import servers

from bench.results import PROJECT

VERSIONS = {"node-red": "4.1.15", "node-red-contrib-influxdb": "0.7.0"}
CACHE = PROJECT / ".cache" / "bench" / "node-red"

COLLECT = """
const { node: name, t, ...fields } = msg.payload;
let waiting = context.get("waiting");
if (!waiting) {
    waiting = [];
    context.set("waiting", waiting);
    context.set("timer", setInterval(() => {
        if (waiting.length) node.send({ payload: waiting.splice(0) });
    }, 500));
}
waiting.push({
    measurement: "water_quality", fields, timestamp: new Date(t),
    tags: { node: name, site: "bench", district: "d1" },
});
if (waiting.length >= 1000) return { payload: waiting.splice(0) };
"""


def install() -> Path:
    """Return Node-RED's program."""
    found = CACHE / "node_modules" / ".bin" / "node-red"
    if not found.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        wanted = [f"{name}@{version}" for name, version in VERSIONS.items()]
        quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run([servers.program("npm"), "install", *quiet, "--prefix", CACHE, *wanted], check=True)
    return found


def start(folder: Path, broker_port: int, store_port: int) -> subprocess.Popen[bytes]:
    """Start it with its flow; return when it is connected to the broker."""
    program = install()
    folder.mkdir()
    (folder / "node_modules").symlink_to(CACHE / "node_modules")
    (folder / "flows.json").write_text(json.dumps(_flow(broker_port, store_port)))
    words = [program, "--userDir", folder, "--port", str(servers.free_port()), "flows.json"]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "NODE_ENV": "production"}
    )
    assert process.stdout is not None
    for line in process.stdout:
        if b"Connected to broker" in line:
            return process
    raise SystemExit("Node-RED does not connect")


def _flow(broker_port: int, store_port: int) -> list[dict[str, object]]:
    broker: dict[str, object] = {
        "id": "broker", "type": "mqtt-broker", "broker": "127.0.0.1", "port": str(broker_port),
        "clientid": "nr", "cleansession": False, "keepalive": "60", "protocolVersion": "4", "autoConnect": True,
    }  # fmt: skip
    store: dict[str, object] = {
        "id": "store", "type": "influxdb", "hostname": "127.0.0.1", "port": str(store_port), "protocol": "http",
        "database": "city", "usetls": False, "influxdbVersion": "1.x",
    }  # fmt: skip
    return [
        {"id": "tab", "type": "tab", "label": "bench"},
        broker,
        store,
        {
            "id": "in", "type": "mqtt in", "z": "tab", "topic": "city/+/reading", "qos": "1",
            "datatype": "json", "broker": "broker", "wires": [["collect"]],
        },
        {
            "id": "collect", "type": "function", "z": "tab", "func": COLLECT, "outputs": 1,
            "finalize": 'clearInterval(context.get("timer"));', "wires": [["out"]],
        },
        {
            "id": "out", "type": "influxdb batch", "z": "tab", "influxdb": "store", "precision": "",
            "retentionPolicy": "", "wires": [],
        },
    ]  # fmt: skip
