"""The broker of a city that has none of its own: it serves, and its end harms nobody."""

from __future__ import annotations

import aiomqtt
import pytest
from amqtt.broker import Broker

from edge.broker import BrokerAddress
from gateway.broker import built_in_broker


async def test_it_hands_on_what_is_published() -> None:
    async with built_in_broker() as url:
        address = BrokerAddress.parse(url)
        async with aiomqtt.Client(address.host, address.port, identifier="here") as client:
            await client.subscribe("cn/v1/+/data", 1)
            await client.publish("cn/v1/ys-07/data", b"\x01", 1)
            message = await anext(aiter(client.messages))
    assert (str(message.topic), message.payload) == ("cn/v1/ys-07/data", b"\x01")


async def test_a_broker_that_does_not_end_well_is_told_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ended = Broker.shutdown

    async def ends_badly(broker: Broker) -> None:
        await ended(broker)
        raise RuntimeError("a session is in no state to be closed")

    monkeypatch.setattr(Broker, "shutdown", ends_badly)
    async with built_in_broker():
        pass
    assert "did not end as it should" in caplog.text and "in no state" in caplog.text
