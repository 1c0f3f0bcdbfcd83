"""Readings that come as messages: posted over HTTP and published over MQTT, confirmed after the commit alone.

The messages are of a protocol made for this: the topic or path ends in a device's id, the payload is
`MINUTE LEVEL`, in lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tomllib
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import aiomqtt
import pytest
import servers
from source_rig import Street

from edge import adapters
from edge.adapters.adapter import Adapter, Clock, Hear
from edge.adapters.frame import FrameError
from edge.adapters.report import Report, Value, Word
from edge.protocol.wire import decode_pack
from gateway.arrival import Inbox
from gateway.sources import messages
from gateway.sources.config import SourceConfig, read_sources
from gateway.sources.desk import Desk
from gateway.sources.messages import HttpMessages, MqttMessages

MINUTE_MS = 60_000
START_MS = 1_780_000_020_000
WITHIN_S = 20.0
DEVICE = """
[[source.device]]
id = "a"
node = "stage-a"
kind = "water_level"
period_s = 60
"""
HTTP = """
[[source]]
name = "posts"
protocol = "said"
transport = "http"
address = "127.0.0.1:0"
"""
MQTT = """
[[source]]
name = "radio"
protocol = "said"
transport = "mqtt"
address = "{url}"
topics = ["up/#"]
"""


def _hear(_known: Mapping[str, Any], _now_ms: Clock) -> Hear:
    def heard(topic: str, payload: bytes) -> Sequence[Report]:
        device = topic.rpartition("/")[2]
        try:
            pairs = [line.split() for line in payload.decode().splitlines()]
            return [Report(device=device, time_ms=START_MS + int(minute) * MINUTE_MS,
                           values=(Value("level", float(level)),)) for minute, level in pairs]  # fmt: skip
        except ValueError as error:
            raise FrameError("format", str(error)) from None

    return heard


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The protocol, among the others."""
    module = ModuleType("said")
    module.ADAPTER = Adapter(decoder=lambda: lambda _: {}, words={"level": Word("level_m")}, hear=_hear)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "said", module)
    monkeypatch.setitem(adapters.PROTOCOLS, "said", "said")


def source_of(text: str) -> SourceConfig:
    (source,) = read_sources(tomllib.loads(text)["source"], "here")
    return source


@contextlib.asynccontextmanager
async def serving(source: SourceConfig, inbox: Inbox) -> AsyncIterator[str]:
    """A source of posts without a gateway; its URL."""
    posts = HttpMessages(source)
    posts.sit(Desk(source, inbox, {}))
    task = asyncio.create_task(posts.run())
    try:
        async with asyncio.timeout(WITHIN_S):
            await posts.listening.wait()
        yield f"http://127.0.0.1:{posts.port}"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def post(url: str, text: str, login: str = "") -> tuple[int, str]:
    headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} if login else {}
    async with aiohttp.ClientSession() as client, client.post(url, data=text, headers=headers) as answer:
        return answer.status, await answer.text()


async def commit(inbox: Inbox, readings: int) -> list[float]:
    """Take readings as a commit does, and tell their source; their levels."""
    levels: list[float] = []
    async with asyncio.timeout(WITHIN_S):
        while len(levels) < readings:
            for arrival in await inbox.take(100):
                if arrival.topic.endswith("/data"):
                    levels.append(decode_pack(arrival.payload).rows[0][1] / 1000)
                if arrival.foreign is not None and arrival.foreign.done is not None:
                    arrival.foreign.done()
    return levels


async def test_a_post_is_stored_once_and_rubbish_is_kept(
    tmp_path: Path, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB
) -> None:
    street = Street(tmp_path, mosquitto, influxdb, HTTP + DEVICE)
    async with street.gateway() as gateway:
        posts = gateway.foreign.transports["posts"]
        assert isinstance(posts, HttpMessages)
        url = f"http://127.0.0.1:{posts.port}/any/path"
        assert await post(f"{url}/a", "0 1.5\n1 1.6") == (204, "")
        assert await post(f"{url}/a", "1 1.6\n2 1.7") == (204, "")
        status, text = await post(f"{url}/a", "3 high")
        assert status == 400 and "could not convert" in text
        assert await post(f"{url}/stranger", "0 1.0") == (204, "")
        account = await street.until("stage-a", lambda counts: counts.stored == 3)
        await street.until("-", lambda counts: counts.quarantined == 1)
        status_of = gateway.foreign.status()["posts"]
    assert account.balanced and account.missing == 0
    assert [row["level_m"] for row in street.rows("water_level", "stage-a")] == [1.5, 1.6, 1.7]
    assert status_of == {"state": "ok", "faults": {"format": 1}, "unknown_devices": ["stranger"]}


async def test_a_post_is_answered_when_its_readings_are_on_disk_and_not_before() -> None:
    inbox = Inbox(100)
    async with serving(source_of(HTTP + DEVICE), inbox) as url:
        waiting = asyncio.create_task(post(f"{url}/a", "0 1.5\n1 1.6"))
        first = await inbox.take(100)
        assert [each.foreign.done is not None for each in first if each.foreign] == [False, True, True]
        assert not waiting.done()
        for arrival in first:
            if arrival.foreign is not None and arrival.foreign.done is not None:
                assert not waiting.done()
                arrival.foreign.done()
        async with asyncio.timeout(WITHIN_S):
            assert await waiting == (204, "")


async def test_a_post_that_does_not_get_to_the_disk_is_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "COMMIT_WITHIN_S", 0.0)
    async with serving(source_of(HTTP + DEVICE), Inbox(100)) as url:
        assert await post(f"{url}/a", "0 1.5") == (503, "it is not on disk yet: try again\n")


async def test_a_gateway_that_is_full_takes_no_post() -> None:
    inbox = Inbox(0)
    async with serving(source_of(HTTP + DEVICE), inbox) as url:
        assert await post(f"{url}/a", "0 1.5") == (503, "the gateway is full: try again\n")
    assert len(inbox) == 0


async def test_who_has_not_the_password_may_not_post(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("pass:word\n")
    secret.chmod(0o600)
    inbox = Inbox(100)
    login = f'username = "field"\npassword_file = "{secret}"\n'
    async with serving(source_of(HTTP + login + DEVICE), inbox) as url:
        for wrong in ("", "field:wrong", "other:pass:word"):
            assert await post(f"{url}/a", "0 1.5", wrong) == (401, "name or password is wrong\n")
        assert len(inbox) == 0
        right = asyncio.create_task(post(f"{url}/a", "0 1.5", "field:pass:word"))
        assert await commit(inbox, 1) == [1.5]
        assert await right == (204, "")


async def test_what_is_published_is_stored_and_rubbish_is_kept_under_its_topic(
    tmp_path: Path, mosquitto: servers.Mosquitto, influxdb: servers.InfluxDB
) -> None:
    street = Street(tmp_path, mosquitto, influxdb, MQTT.format(url=mosquitto.url) + DEVICE)
    async with street.gateway() as gateway:
        await _subscribed(gateway.foreign.transports["radio"])
        async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
            await client.publish("up/a", "0 1.5", qos=1)
            await client.publish("up/a", "one", qos=1)
            await client.publish("up/a", "1 1.6", qos=1)
        await street.until("stage-a", lambda counts: counts.stored == 2)
        await street.until("-", lambda counts: counts.quarantined == 1)
        kept = list(gateway.journal._db.execute("SELECT topic, reason FROM quarantine"))
    assert [row["level_m"] for row in street.rows("water_level", "stage-a")] == [1.5, 1.6]
    assert kept == [("foreign/radio/up/a", "foreign_format")]


async def test_the_broker_keeps_a_message_until_its_readings_are_on_disk(mosquitto: servers.Mosquitto) -> None:
    source = source_of(MQTT.format(url=mosquitto.url) + DEVICE)

    @contextlib.asynccontextmanager
    async def listening(inbox: Inbox) -> AsyncIterator[None]:
        radio = MqttMessages(source, "gw-test")
        radio.sit(Desk(source, inbox, {}))
        task = asyncio.create_task(radio.run())
        try:
            await _subscribed(radio)
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def say(text: str) -> None:
        async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
            await client.publish("up/a", text, qos=1)

    async with asyncio.timeout(WITHIN_S):
        inbox = Inbox(100)
        async with listening(inbox):
            await say("0 1.5")
            await inbox.take(100)  # and the gateway dies before the commit
        inbox = Inbox(100)
        async with listening(inbox):
            assert await commit(inbox, 1) == [1.5]  # it comes again, and gets to the disk
            await say("1 1.6")
            assert await commit(inbox, 1) == [1.6]
        inbox = Inbox(100)
        async with listening(inbox):
            await say("2 1.7")
            assert await commit(inbox, 1) == [1.7]  # nothing else came


async def _subscribed(transport: Any) -> None:
    """Wait until the broker has taken the subscription."""
    assert isinstance(transport, MqttMessages)
    async with asyncio.timeout(WITHIN_S):
        await transport.listening.wait()
