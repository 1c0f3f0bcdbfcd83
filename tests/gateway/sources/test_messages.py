"""Radio devices and third-party messages through a real gateway into a real store, over MQTT and HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import aiohttp
import aiomqtt
import cbor2
import pytest
import servers
from source_rig import WITHIN_S, Street

from edge.adapters.sparkplug.messages import EdgeNode
from edge.adapters.sparkplug.payload import DataType, Metric
from gateway.app import Gateway
from gateway.sources.messages import HttpMessages

EUI = "70b3d57ed0000007"
UPLINKS = f"application/app/device/{EUI}/event"
START_S = int(time.time()) // 60 * 60 - 3_600
SOURCES = """
[[source]]
name = "lora"
protocol = "lorawan-uplinks"
transport = "mqtt"
address = "{mqtt}"
topics = ["application/+/device/+/event/+"]
[[source.device]]
id = "70B3D57ED0000007"
node = "manhole-7"
kind = "manhole"
payload = "cayenne-lpp"
words = {{ distance_1 = "level_m" }}

[[source]]
name = "posted"
protocol = "senml"
transport = "http"
address = "127.0.0.1:0"
[[source.device]]
id = "urn:dev:mac:0024befffe804ff1"
node = "stage-1"
kind = "water_level"
period_s = 60
names = {{ t1 = "water_temperature_c" }}

[[source]]
name = "plant"
protocol = "sparkplug"
transport = "mqtt"
address = "{mqtt}"
topics = ["spBv1.0/#"]
[[source.device]]
id = "plant/line-1/tank"
node = "tank-1"
kind = "water_level"

[[source]]
name = "plugs"
protocol = "json"
transport = "mqtt"
address = "{mqtt}"
topics = ["tele/+/+", "yard/#"]
[[source.device]]
id = "plug-7"
node = "plug-7"
kind = "power_meter"
period_s = 60
timezone = "UTC"
[[source.device]]
id = "mast"
node = "mast-1"
kind = "weather"
period_s = 60
"""


@pytest.fixture
def street(tmp_path: Path, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB) -> Street:
    """A gateway that takes in LoRaWAN, SenML, Sparkplug B and Tasmota."""
    return Street(tmp_path, mosquitto, influxdb, SOURCES.format(mqtt=mosquitto.url))


async def publish(mosquitto: servers.Mosquitto, *messages: tuple[str, bytes]) -> None:
    """Publish to the broker of all sources."""
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
        for topic, payload in messages:
            await client.publish(topic, payload, qos=1)


def uplink(counter: int, *, receivers: int = 1, address: str = "01dbce85", **more: Any) -> tuple[str, bytes]:
    """What ChirpStack says of the uplink of a manhole, whose level is its counter in centimetres."""
    lpp = bytes((1, 0x82)) + (10 * counter).to_bytes(4, "big")
    body = {
        "deduplicationId": f"{address}-{counter}",
        "time": time.strftime("%Y-%m-%dT%H:%M:%S.5+00:00", time.gmtime(START_S + counter)),
        "deviceInfo": {"devEui": EUI, "applicationId": "app"},
        "devAddr": address,
        "fCnt": counter,
        "fPort": 2,
        "data": b64encode(lpp).decode(),
        "rxInfo": [{"rssi": -100 - 5 * index, "snr": 3} for index in range(receivers)],
    }
    return f"{UPLINKS}/up", json.dumps({**body, **more}).encode()


async def post(gateway: Gateway, body: bytes) -> tuple[int, str]:
    """Post a pack, and return how it was answered."""
    transport = gateway.foreign.transports["posted"]
    assert isinstance(transport, HttpMessages)
    url = f"http://127.0.0.1:{transport.port}/senml"
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:
        return answer.status, await answer.text()


def reasons(gateway: Gateway) -> list[tuple[str, str]]:
    """Return why payloads are in quarantine, and from where they came."""
    rows = gateway.journal._db.execute("SELECT reason, topic FROM quarantine ORDER BY id")
    return [(reason, topic) for reason, topic in rows]


async def test_uplinks_are_readings_once_and_a_lost_one_is_missing_in_the_ledger(
    street: Street, mosquitto: servers.Mosquitto
) -> None:
    async with street.gateway():
        heard = [uplink(40, receivers=3), uplink(41), uplink(41), uplink(44), uplink(45), uplink(40)]
        await publish(mosquitto, *heard)
        account = await street.until("manhole-7", lambda counts: counts.stored == 4)
        assert (account.produced, account.missing, account.balanced) == (6, 2, True)

        joined = (
            f"{UPLINKS}/join",
            json.dumps({"deviceInfo": {"devEui": EUI}, "devAddr": "00aa11bb"}).encode(),
        )
        again = [uplink(number, address="00aa11bb", time=_stamp(100 + number)) for number in (0, 1, 3)]
        await publish(mosquitto, joined, *again)
        account = await street.until("manhole-7", lambda counts: counts.stored == 7)
        assert (account.produced, account.missing, account.balanced) == (10, 3, True)

    rows = street.rows("manhole", "manhole-7")
    assert [row["level_m"] for row in rows] == [0.4, 0.41, 0.44, 0.45, 0.0, 0.01, 0.03]
    assert rows[0]["rssi_dbm"] == -100
    assert [row["time"] for row in rows[:2]] == [START_S * 1000 + 40_500, START_S * 1000 + 41_500]


def _stamp(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.5+00:00", time.gmtime(START_S + second))


async def test_a_redelivery_to_a_gateway_that_was_started_anew_is_no_new_reading(
    street: Street, mosquitto: servers.Mosquitto
) -> None:
    for last in (41, 42):
        async with street.gateway():
            await publish(mosquitto, uplink(40), uplink(41), uplink(last))
            account = await street.until("manhole-7", lambda counts: counts.stored == last - 39)  # noqa: B023
    assert (account.produced, account.missing, account.balanced) == (3, 0, True)
    assert len(street.rows("manhole", "manhole-7")) == 3


async def test_what_cannot_be_read_is_kept_with_its_reason_and_costs_nothing_else(
    street: Street, mosquitto: servers.Mosquitto
) -> None:
    async with street.gateway() as gateway:
        bad = [
            (f"{UPLINKS}/up", b'{"deviceInfo":'),
            uplink(50, data="qg="),
            (f"{UPLINKS}/up", b'{"devEUI":"AAAAAAAAAAE="}'),
            uplink(51, data=b64encode(b"\x01\x82\x00").decode()),
        ]
        status, text = await post(gateway, b'[{"n":"a","v":1,"danger_":2}]')
        await publish(mosquitto, *bad, uplink(52))
        await street.until("manhole-7", lambda counts: counts.stored == 1)
        found = reasons(gateway)
    assert (status, "danger_" in text) == (400, True)
    assert sorted(reason for reason, _ in found) == [
        "foreign_base64", "foreign_field", "foreign_format", "foreign_json", "foreign_truncated"
    ]  # fmt: skip
    assert {topic.rpartition("/")[2] for _, topic in found} == {"up", "senml"}


async def test_posted_packs_are_answered_when_on_disk_and_stored_in_the_units_of_the_catalogue(
    street: Street,
) -> None:
    pack = [
        {"bn": "urn:dev:mac:0024befffe804ff1:", "bt": START_S, "n": "level_m", "u": "cm", "v": 123.4},
        {"n": "t1", "u": "K", "v": 288.15},
        {"n": "level_m", "u": "cm", "v": 125.0, "t": 60},
        {"n": "t1", "u": "K", "v": 289.15, "t": 60},
    ]
    labels = {"bn": -2, "bt": -3, "n": 0, "u": 1, "v": 2, "t": 6}
    binary = [{labels[key]: value for key, value in record.items()} for record in pack]
    async with street.gateway() as gateway:
        for body in (json.dumps(pack).encode(), cbor2.dumps(binary)):
            assert await post(gateway, body) == (204, "")
        pack[0]["bt"] = START_S + 240
        assert await post(gateway, json.dumps(pack).encode()) == (204, "")
        account = await street.until("stage-1", lambda counts: counts.stored == 4)
    assert (account.produced, account.missing, account.balanced) == (6, 2, True)  # two minutes are not there
    rows = street.rows("water_level", "stage-1")
    assert [(row["time"] // 1000 - START_S, row["level_m"], row["water_temperature_c"]) for row in rows] == [
        (0, 1.234, 15.0), (60, 1.25, 16.0), (240, 1.234, 15.0), (300, 1.25, 16.0)
    ]  # fmt: skip


async def test_an_industrial_site_is_heard_by_its_aliases_and_lost_messages_are_missing(
    street: Street, mosquitto: servers.Mosquitto
) -> None:
    node = EdgeNode("plant", "line-1", bd_seq=0)

    def level(second: int) -> list[Metric]:
        return [Metric(name="level_m", datatype=DataType.DOUBLE, value=second / 1000)]

    def data(second: int) -> tuple[str, bytes]:
        return node.data("tank", 1000 * (START_S + second), level(second))

    mode = Metric(name="Mode", datatype=DataType.INT32, value=7)  # no table translates it
    born = [node.birth(1000 * START_S), node.device_birth("tank", 1000 * START_S, [*level(0), mode])]
    said = []
    for second in range(1, 301):
        said.append(data(second))
        if second % 50 == 49:
            said.append(node.data("tank", 1000 * (START_S + second) + 500, [mode]))
    async with street.gateway():
        await publish(mosquitto, *born, *said[:102], *said[112:])
        account = await street.until("tank-1", lambda counts: counts.stored == 291)
    assert (account.produced, account.missing, account.balanced) == (301, 10, True)
    assert [row["level_m"] for row in street.rows("water_level", "tank-1")][99:102] == [0.099, 0.1, 0.111]


async def test_a_site_whose_births_were_missed_is_asked_for_them(
    street: Street, mosquitto: servers.Mosquitto
) -> None:
    node = EdgeNode("plant", "line-1", bd_seq=0)
    level = [Metric(name="level_m", datatype=DataType.DOUBLE, value=1.5)]
    node.birth(1000 * START_S)  # which nobody hears
    node.device_birth("tank", 1000 * START_S, level)
    async with street.gateway() as gateway, aiomqtt.Client(mosquitto.host, mosquitto.port) as site:
        await site.subscribe("spBv1.0/plant/NCMD/line-1")
        await publish(mosquitto, node.data("tank", 1000 * START_S + 1000, level))
        async with asyncio.timeout(WITHIN_S):
            command = await anext(site.messages)
        assert b"Node Control/Rebirth" in bytes(command.payload)
        births = [node.birth(1000 * START_S + 2000), node.device_birth("tank", 1000 * START_S + 2000, level)]
        await publish(mosquitto, *births, node.data("tank", 1000 * START_S + 3000, level))
        account = await street.until("tank-1", lambda counts: counts.stored == 2)
        assert [reason for reason, _ in reasons(gateway)] == ["foreign_birth"]
    assert (account.produced, account.missing, account.balanced) == (2, 0, True)


async def test_a_plug_of_tasmota_is_a_power_meter(street: Street, mosquitto: servers.Mosquitto) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(START_S))
    sensor = {"Time": stamp, "ENERGY": {"Total": 3.185, "Power": 86, "Voltage": 229}}
    async with street.gateway():
        await publish(
            mosquitto,
            ("tele/plug-7/LWT", b"Online"),
            ("tele/plug-7/SENSOR", json.dumps(sensor).encode()),
        )
        await street.until("plug-7", lambda counts: counts.stored == 1)
    (row,) = street.rows("power_meter", "plug-7")
    assert (row["time"], row["energy_wh"], row["power_w"]) == (START_S * 1000, 3185.0, 86.0)


async def test_topics_of_one_device_lose_nothing_to_one_another(
    street: Street, mosquitto: servers.Mosquitto
) -> None:
    said = [
        (f"yard/mast/{name}", json.dumps({name: 21.5, "time": START_S + 60 * minute}).encode())
        for minute in (0, 1, 5)
        for name in ("temperature", "humidity", "temperature")
    ]
    async with street.gateway():
        await publish(mosquitto, *said)
        account = await street.until("mast-1", lambda counts: counts.stored == 6)
    assert (account.produced, account.missing, account.balanced) == (6, 0, True)
    rows = street.rows("weather", "mast-1")
    assert [(row["temperature_c"], row["humidity_pct"]) for row in rows] == [(21.5, 21.5)] * 3
