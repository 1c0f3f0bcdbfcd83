"""The embedded store takes what InfluxDB's own client library writes, and refuses as InfluxDB 2 does."""

import asyncio
from typing import Any

import pytest
from influxdb_client import InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

NODE = {
    "id": "ys-07",
    "kind": "water_level",
    "label": {"en": "Lock", "zh": "船闸"},
    "site": "s",
    "district": "yangpu",
}
START_MS = 1_790_000_000_000


def at_ns(second: int) -> int:
    """Return a time as the library wants it."""
    return (START_MS + second * 1000) * 1_000_000


def write(url: str, token: str, *records: object) -> None:
    """Write with InfluxDB's own library."""
    with InfluxDBClient(url=url, token=token, org="city") as client:
        client.write_api(write_options=SYNCHRONOUS).write(bucket="city", record=list(records))


async def test_points_of_influxdb_client_are_read_back(client: Any) -> None:
    await client.register(NODE)
    points = [
        Point("water_level").tag("node", "ys-07").field("level_m", 3 + i / 8).time(at_ns(i)) for i in range(10)
    ]
    await asyncio.to_thread(write, client.cloud.url, client.cloud.config.token, *points)
    found = await client.get(
        "/api/v1/readings", node="ys-07", quantity="level_m", start=START_MS, end=START_MS + 60_000
    )
    assert found["readings"] == [[START_MS + i * 1000, 3 + i / 8] for i in range(10)]


@pytest.mark.parametrize(("token", "line", "status"), [("wrong", "m x=1 1", 401), ("", "m x= 1", 400)])
async def test_a_refusal_reads_as_influxdb_s(client: Any, token: str, line: str, status: int) -> None:
    with pytest.raises(ApiException) as caught:
        await asyncio.to_thread(write, client.cloud.url, token or client.cloud.config.token, line)
    assert caught.value.status == status
