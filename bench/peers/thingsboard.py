"""ThingsBoard's IoT gateway: its MQTT connector takes JSON, it queues in memory, and sends to ThingsBoard.

ThingsBoard itself is played by a second Mosquitto and a subscriber that counts the readings which arrive there:
nothing is stored. Installed into the cache by pip, with a fixed version and an environment of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bench.fleet import COLUMNS
from bench.results import PROJECT

VERSION = "3.8.5"
CACHE = PROJECT / ".cache" / "bench" / "tb"
NO_LIMITS = ("rateLimits", "dpRateLimits", "messagesRateLimits", "deviceMessagesRateLimits", "deviceRateLimits",
             "deviceDpRateLimits")  # fmt: skip


LIMITS = {
    "maxPayloadSize": 65536, "maxInflightMessages": 1000, "rateLimits": {"messages": "0:0,"},
    "gatewayRateLimits": {"messages": "0:0,"},
}  # fmt: skip


def install() -> Path:
    """Return the gateway's program."""
    found = CACHE / "bin" / "thingsboard-gateway"
    if not found.exists():
        subprocess.run([sys.executable, "-m", "venv", CACHE], check=True)
        wanted = f"thingsboard-gateway=={VERSION}"
        subprocess.run([CACHE / "bin" / "pip", "install", "--quiet", wanted], check=True)
    return found


class Cloud:
    """What stands for ThingsBoard: takes telemetry and counts its readings."""

    def __init__(self, port: int) -> None:
        self._port, self.readings = port, 0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="cloud")
        self._client.on_message = self._on_message
        ready = threading.Event()
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe([("v1/gateway/telemetry", 1), ("v1/devices/me/rpc/request/+", 1)])
        self._client.loop_start()
        ready.wait(10)

    def _on_message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.topic.startswith("v1/devices/me/rpc/request/"):  # it asks for its limits before it sends
            answer = message.topic.replace("request", "response")
            client.publish(answer, json.dumps(LIMITS), qos=1)
        else:
            self.readings += message.payload.count(b'"ts"')

    def close(self) -> None:
        """End it."""
        self._client.disconnect()
        self._client.loop_stop()


def start(folder: Path, broker_port: int, cloud_port: int) -> subprocess.Popen[bytes]:
    """Start it; return when its connector has subscribed."""
    program = install()
    configs = folder / "config"
    configs.mkdir(parents=True)
    (folder / "logs").mkdir()
    shipped = next(CACHE.glob("lib/python*/site-packages/thingsboard_gateway/config"))
    main = json.loads((shipped / "tb_gateway.json").read_text())
    main["thingsboard"] |= {
        "host": "127.0.0.1", "port": cloud_port, "remoteConfiguration": False,
        "statistics": {"enable": False}, **dict.fromkeys(NO_LIMITS, "0:0,"),
    }  # fmt: skip
    main["connectors"] = [{"name": "in", "type": "mqtt", "configuration": "mqtt.json"}]
    (configs / "tb_gateway.json").write_text(json.dumps(main))
    (configs / "mqtt.json").write_text(json.dumps(_connector(broker_port)))
    shutil.copy(shipped / "logs.json", configs)
    process = subprocess.Popen(
        [program], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "TB_GW_CONFIG_DIR": f"{configs}/", "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if b"subscription success to topic city/+/reading" in line:
            threading.Thread(target=process.stdout.read, daemon=True).start()  # a full pipe would stop it
            return process
    raise SystemExit("ThingsBoard's gateway does not subscribe")


def _connector(port: int) -> dict[str, Any]:
    values = [{"type": "double", "key": row.quantity, "value": f"${{{row.quantity}}}"} for row in COLUMNS]
    device = {
        "deviceNameExpressionSource": "message", "deviceNameExpression": "${node}",
        "deviceProfileExpressionSource": "constant", "deviceProfileExpression": "water_quality",
    }  # fmt: skip
    return {
        "broker": {
            "host": "127.0.0.1", "port": port, "clientId": "tb", "version": 5, "maxMessageNumberPerWorker": 10,
            "maxNumberOfWorkers": 100, "cleanSession": False, "security": {"type": "anonymous"},
        },
        "mapping": [{
            "topicFilter": "city/+/reading", "subscriptionQos": 1,
            "converter": {
                "type": "json", "deviceInfo": device, "sendDataOnlyOnChange": False, "timeout": 60000,
                "attributes": [], "timeseries": values,
            },
        }],
        "connectRequests": [], "disconnectRequests": [], "attributeRequests": [], "attributeUpdates": [],
        "serverSideRpc": [],
    }  # fmt: skip
