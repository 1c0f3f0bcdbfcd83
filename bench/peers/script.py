"""The script that everybody writes: paho takes a message, influxdb-client batches the point. It has no custody.

Run as `python -m bench.peers.script PORT URL FILTER`. It says `ready` once it is subscribed. influxdb-client
knows only /api/v2/write, which InfluxDB 1.6.7 lacks: the path is changed to /write, nothing else.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import paho.mqtt.client as mqtt
from influxdb_client import InfluxDBClient, Point, WriteOptions
from paho.mqtt.enums import CallbackAPIVersion

BATCH = WriteOptions(batch_size=5_000, flush_interval=1_000, jitter_interval=0)


def writer(url: str) -> Any:
    """Return influxdb-client's batching writer, for InfluxDB 1.6.7."""
    client = InfluxDBClient(url=url, token="", org="city", enable_gzip=False)
    call = client.api_client.call_api

    def on_v1(path: str, method: str, path_params: Any, query: list[Any], *rest: Any, **more: Any) -> Any:
        return call("/write", method, path_params, [*query, ("db", "city")], *rest, **more)

    client.api_client.call_api = on_v1
    return client.write_api(write_options=BATCH)


def main() -> None:
    port, url, topics = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    write_api = writer(url)

    def on_connect(client: mqtt.Client, *_: Any) -> None:
        client.subscribe(topics, qos=1)

    def on_message(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        body = json.loads(message.payload)
        quantity = message.topic.rpartition("/")[2]
        point = Point("water_quality").tag("node", body["node"]).tag("site", "bench").tag("district", "d1")
        if quantity == "reading":
            for name, value in body.items():
                if name not in ("node", "t"):
                    point.field(name, value)
        else:
            point.field(quantity, body["value"])
        write_api.write(bucket="city", record=point.time(body["t"] * 1_000_000))

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="script", clean_session=False)
    client.max_inflight_messages_set(0)
    client.on_connect, client.on_message = on_connect, on_message
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.connect("127.0.0.1", port)
    client.loop_forever()


if __name__ == "__main__":
    main()
