"""Nodes that stand already: commands and their replies, roll-outs, live messages."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import servers
from field_rig import Clock, CloudStandIn

from edge.broker import BrokerAddress
from edge.field.ask import Unanswered, ask_node, parse_arguments
from edge.field.cloud import CloudApi
from edge.field.diagnosis import FieldError, Symptom
from edge.field.rollout import headline, ring_lines, troubles
from edge.field.tap import Decoder, tap, words
from edge.model.errors import ConfigError
from edge.model.quality import Clock as ClockState
from edge.protocol.command import Command, Reply, Status, encode_command, encode_reply
from edge.protocol.wire import (
    Ack,
    Birth,
    Column,
    Death,
    Pack,
    encode_ack,
    encode_birth,
    encode_death,
    encode_pack,
)

BIRTH = Birth(
    node="stage-1", kind="water_level", firmware="0.2.0", hardware="esp32", boot=10_007, schema=1,
    columns=(Column("level_m", 3), Column("water_temperature_c", 1)), period_s=60, oldest=(10_007, 0),
    next_seq=0, clock=ClockState.SYNCED,
)  # fmt: skip


async def test_a_command_is_waited_for_until_the_node_replies(api: CloudApi, cloud: CloudStandIn) -> None:
    states = iter(("sent", "accepted", "done"))
    cloud.on_command = lambda row: row.update(state=next(states), detail={"period_ms": 30_000})
    clock, seen = Clock(), []
    row = await ask_node(
        api, "cn-1", "set", {"period_ms": 30_000}, who="wang", wait_s=60,
        changed=lambda each: seen.append(each["state"]), sleep=clock.sleep, clock=clock,
    )  # fmt: skip
    assert row["detail"] == {"period_ms": 30_000} and seen == ["queued", "sent", "accepted"]
    assert cloud.log[0][1] == {"name": "set", "args": {"period_ms": 30_000}, "expires_s": 60, "who": "wang"}


async def test_a_node_that_refuses_or_stays_silent_is_told_with_what_to_do(
    api: CloudApi, cloud: CloudStandIn
) -> None:
    clock = Clock()
    detail = {"error": "no lamp here", "remedy": "choose a lamp"}
    cloud.on_command = lambda row: row.update(state="refused", detail=detail)
    with pytest.raises(Unanswered, match="cn-1: lamp refused: no lamp here") as caught:
        await ask_node(api, "cn-1", "lamp", {}, who="w", wait_s=60, sleep=clock.sleep, clock=clock)
    assert caught.value.remedy == "choose a lamp"
    cloud.on_command = lambda row: row.update(state="sent")
    with pytest.raises(Unanswered, match="has not answered within 60 s"):
        await ask_node(api, "cn-1", "sample", {}, who="w", wait_s=60, sleep=clock.sleep, clock=clock)


async def test_a_conflict_about_anything_but_an_identity_is_told_in_the_clouds_words(
    api: CloudApi, cloud: CloudStandIn
) -> None:
    cloud.conflict = "another bundle is version 0.2.0"
    with pytest.raises(FieldError) as caught:
        await api.start_rollout({"version": "0.2.0", "board": "esp32", "who": "w"})
    assert caught.value.symptom is Symptom.CLOUD_REFUSED
    assert caught.value.cause == "the cloud refuses: another bundle is version 0.2.0"


def test_arguments_are_those_of_the_command() -> None:
    assert parse_arguments("set", ["period_ms=30000"]) == {"period_ms": 30_000}
    assert parse_arguments("update", ["url=http://a/b=c"]) == {"url": "http://a/b=c"}
    for name, word in (("dance", ""), ("set", "colour=1"), ("set", "period_ms")):
        with pytest.raises(ConfigError):
            parse_arguments(name, [word] if word else [])


def test_a_roll_out_is_told_by_its_rings_and_by_who_went_wrong() -> None:
    row: dict[str, Any] = {
        "id": 7, "version": "0.3.0", "board": "esp32", "state": "stopped", "rings": [1, 10, 100], "ring": 1,
        "total": 5, "counts": {"done": 2, "trial": 1, "returned": 1, "waiting": 1},
        "nodes": [
            {"node": "a", "ring": 0, "state": "done"}, {"node": "b", "ring": 1, "state": "done"},
            {"node": "c", "ring": 1, "state": "returned", "why": "no reading acknowledged"},
            {"node": "d", "ring": 2, "state": "waiting"}, {"node": "e", "ring": 1, "state": "trial"},
        ],
    }  # fmt: skip
    assert headline(row) == "roll-out 7: 0.3.0 for esp32, stopped, 2 of 5 nodes, 1 on trial, 1 went wrong"
    assert ring_lines(row) == [
        ("1 %", 1.0, "1 of 1"), ("10 %", 1 / 3, "1 of 3, 1 on trial, 1 returned"), ("100 %", 0.0, "not begun")
    ]  # fmt: skip
    assert troubles(row) == [("c", "returned", "no reading acknowledged")]


def test_messages_are_told_in_words_with_units() -> None:
    decoder = Decoder()
    pack = encode_pack(Pack(1, 10_007, 41, 1_700_000_000_000, ClockState.SYNCED, [[0, 2143, None]]))
    assert decoder.read("cn/v1/stage-1/data", pack).text.startswith("#41, 1 rows (columns come")
    birth = decoder.read("cn/v1/stage-1/birth", encode_birth(BIRTH))
    assert birth.text == "water_level, esp32, firmware 0.2.0, boot 10007, every 60 s"
    data = decoder.read("cn/v1/stage-1/data", pack)
    assert data.values == {"level_m": 2.143, "water_temperature_c": None} and "2.143 m" in data.text
    for leaf, payload, said in (
        ("ack", encode_ack(Ack(10_007, 42, ((3, 5),))), "has all below #42 of boot 10007, wants 3..5 again"),
        ("death", encode_death(Death(10_007)), "the link of boot 10007 broke"),
        ("cmd", encode_command(Command(5, "set", {"period_ms": 1000}, 9)), "set period_ms=1000  (command 5)"),
        ("reply", encode_reply(Reply(5, Status.DONE, "ok")), "command 5 done: ok"),
        ("birth", b"", "(cleared)"),
    ):
        assert decoder.read(f"cn/v1/stage-1/{leaf}", payload).text == said


def test_a_message_that_is_none_is_shown_as_such() -> None:
    for topic, payload in (("cn/v1/stage-1/data", b"\x00"), ("cn/v1/stage-1/weather", b""), ("x", b"")):
        assert not Decoder().read(topic, payload).good
    assert words({"level_m": None, "unheard_of": 2.0}) == "level_m –   unheard_of 2"


async def test_the_tap_hears_births_first_and_then_what_is_said_on_a_real_broker(tmp_path: Path) -> None:
    broker = servers.Mosquitto(tmp_path / "broker")
    broker.start()
    try:
        address = BrokerAddress.parse(f"mqtt://{broker.host}:{broker.port}")
        async with asyncio.timeout(20), aiomqtt.Client(broker.host, broker.port) as node:
            await node.publish("cn/v1/stage-1/birth", encode_birth(BIRTH), qos=1, retain=True)
            messages = tap(address, "stage-1")
            first = await anext(messages)
            pack = encode_pack(Pack(1, 10_007, 0, 1_700_000_000_000, ClockState.SYNCED, [[0, 2143, 181]]))
            await node.publish("cn/v1/stage-1/data", pack, qos=1)
            async for message in messages:
                if message.leaf == "data":
                    break
            await messages.aclose()  # type: ignore[attr-defined]
    finally:
        broker.stop()
    assert first.leaf == "birth"
    assert message.values == {"level_m": 2.143, "water_temperature_c": 18.1}


async def test_an_authority_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="No such file"):
        await anext(tap(BrokerAddress.parse("mqtts://127.0.0.1:8883"), ca_file=tmp_path / "ca.crt"))


async def test_a_broker_that_is_away_is_told() -> None:
    with pytest.raises(FieldError) as caught:
        await anext(tap(BrokerAddress.parse(f"mqtt://127.0.0.1:{servers.free_port()}")))
    assert caught.value.symptom is Symptom.TAP_REFUSED and "refused" in caught.value.cause
