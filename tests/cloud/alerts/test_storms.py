"""Who is told what, situation by situation: a real registry, a clock that the test moves, recorders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alerts_rig import NOON_MS, CityAlerts, Recorder, changed, city_alerts, episode, node, silence, told

from edge.channels import ChannelError
from edge.channels.message import Occasion
from edge.model.alert import Level

SILENT = [f"stage-{number:03}" for number in range(500)]


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[CityAlerts]:
    async with city_alerts(tmp_path) as city:
        yield city


def duty(city: CityAlerts) -> Recorder:
    return city.channels["duty"]


def occasions(channel: Recorder) -> list[Occasion]:
    return [message.occasion for message in channel.messages]


async def test_the_first_message_of_an_event_goes_out_at_once(city: CityAlerts) -> None:
    await city.register(node("stage-1", label_en="Dinghai Bridge"))
    await city.take(episode("stage-1"))
    (message,) = duty(city).messages
    assert "Dinghai Bridge" in message.title and "3.4" in message.title
    assert (message.level, message.occasion) == (Level.YELLOW, Occasion.OPENED)
    assert [step["step"] for step in (await city.alert("stage-1"))["steps"]] == ["opened", "notified"]


async def test_what_is_told_again_is_not_told_again(city: CityAlerts) -> None:
    for _ in range(5):
        await city.take(episode("stage-1"))
        await city.wait(90)
    assert len(duty(city).messages) == 1


async def test_a_rise_is_a_message_of_its_own_and_a_fall_is_none(city: CityAlerts) -> None:
    first = episode("stage-1")
    red = changed(first, level=Level.RED)
    fell = changed(red, level=Level.YELLOW)
    again = changed(fell, level=Level.RED)
    for news in (first, red, fell, again):
        await city.take(news)
        await city.wait(5)
    assert occasions(duty(city)) == [Occasion.OPENED, Occasion.ROSE]
    assert "RED" in duty(city).titles[1] and "up from yellow" in duty(city).titles[1]


async def test_revisions_out_of_order_make_the_same_messages(city: CityAlerts) -> None:
    first = episode("stage-1")
    red = changed(first, level=Level.RED)
    over = changed(red, level=Level.YELLOW, end_ms=NOON_MS + 60_000)
    await city.take(first)
    for news in (over, red, first):
        await city.take(news)
    await city.wait(600)
    assert occasions(duty(city)) == [Occasion.OPENED, Occasion.RESOLVED]
    assert "highest level red" in duty(city).titles[1]


async def test_more_of_one_rule_and_district_is_gathered_into_one_update(city: CityAlerts) -> None:
    await city.register(*(node(f"stage-{n}") for n in range(6)), node("stage-9", district="hongkou"))
    await city.take(episode("stage-0"))
    for number in range(1, 6):
        await city.wait(4)
        await city.take(episode(f"stage-{number}"))
    await city.take(episode("stage-9"))
    assert len(duty(city).messages) == 2, "another district is another event"
    await city.wait(60)
    (update,) = duty(city).messages[2:]
    assert "5 alerts" in update.title and len(update.lines) == 5
    await city.wait(600)
    assert len(duty(city).messages) == 3


async def test_what_is_worse_does_not_wait_for_the_update(city: CityAlerts) -> None:
    await city.take(episode("stage-1"))
    await city.take(episode("stage-2", Level.RED))
    assert [message.level for message in duty(city).messages] == [Level.YELLOW, Level.RED]


async def test_rises_of_many_are_gathered_after_a_few(city: CityAlerts) -> None:
    first = [episode(f"stage-{number}") for number in range(20)]
    await city.take(*first)
    await city.wait(120)
    for one in first:
        await city.take(changed(one, level=Level.ORANGE))
    assert occasions(duty(city)) == [Occasion.DIGEST, *[Occasion.ROSE] * 3]
    await city.wait(90)
    assert len(duty(city).messages) == 5
    assert "17 alerts" in duty(city).titles[4]


async def test_five_hundred_silences_are_one_message_and_one_line_when_they_are_over(city: CityAlerts) -> None:
    await city.register(*(node(ident) for ident in SILENT))
    await city.report("gw-1")
    for first in range(0, 500, 100):
        await city.take(*(silence(ident) for ident in SILENT[first : first + 100]))
        await city.wait(0.5)
    assert duty(city).messages == []
    await city.wait(10)
    (message,) = duty(city).messages
    assert "500 alerts" in message.title
    await city.take(*(changed(silence(ident), end_ms=NOON_MS + 60_000) for ident in SILENT))
    await city.wait(700)
    assert occasions(duty(city)) == [Occasion.DIGEST, Occasion.RESOLVED]
    assert "500" in duty(city).titles[1]


async def test_a_lost_gateway_is_one_message_and_its_nodes_are_folded_under_it(city: CityAlerts) -> None:
    await city.register(*(node(ident) for ident in SILENT))
    await city.report("gw-1", "gw-2")
    await city.wait(20)
    city.reporting.discard("gw-1")
    await city.wait(55)
    assert duty(city).messages == []
    await city.wait(15)
    await city.take(*(silence(ident) for ident in SILENT))
    await city.wait(60)
    (message,) = duty(city).messages
    assert "Gateway gw-1" in message.title and "500 nodes" in message.title
    (lost,) = await city.alerts(rule="gateway_lost")
    assert lost["folded"] == 500
    assert lost["start_ms"] == NOON_MS + 20_000, "it is lost since its last report"
    assert city.desk.counts()["unacknowledged"] == 1
    assert city.desk.counts()["blue"] == 0


async def test_silences_that_come_before_the_loss_is_known_are_folded_too(tmp_path: Path) -> None:
    async with city_alerts(tmp_path, {"group_wait_s": 90.0}) as city:
        await city.register(*(node(ident) for ident in SILENT[:50]))
        await city.report("gw-1")
        city.reporting.clear()
        await city.take(*(silence(ident) for ident in SILENT[:50]))
        await city.wait(300)
        assert len(duty(city).messages) == 1
        assert (await city.alerts(rule="gateway_lost"))[0]["folded"] == 50


async def test_nodes_of_a_gateway_that_is_back_have_a_grace(city: CityAlerts) -> None:
    await city.register(*(node(ident) for ident in SILENT[:20]))
    await city.report("gw-1")
    city.reporting.clear()
    await city.wait(70)
    silences = [silence(ident) for ident in SILENT[:20]]
    await city.take(*silences)
    await city.wait(300)
    await city.report("gw-1")
    await city.wait(60)
    await city.take(*(changed(one, end_ms=city.now_ms) for one in silences[:17]))
    assert len(duty(city).messages) == 1
    await city.wait(400)
    assert occasions(duty(city)) == [Occasion.GROUP, Occasion.DIGEST, Occasion.RESOLVED]
    assert "3 alerts" in duty(city).titles[1]
    assert "gw-1 is heard again" in duty(city).titles[2]


async def test_a_gateway_that_comes_and_goes_is_one_event(city: CityAlerts) -> None:
    await city.report("gw-1")
    for _ in range(4):
        city.reporting.clear()
        await city.wait(90)
        await city.report("gw-1")
        await city.wait(30)
    await city.wait(700)
    assert occasions(duty(city)) == [Occasion.GROUP, Occasion.RESOLVED]


async def test_a_cloud_that_was_away_blames_no_gateway(city: CityAlerts) -> None:
    await city.report("gw-1", "gw-2")
    await city.restart(away_s=3_600)
    city.reporting.clear()
    await city.wait(50)
    await city.report("gw-1")
    await city.wait(30)
    assert [row["node"] for row in await city.alerts(rule="gateway_lost")] == ["gw-2"]


async def test_a_loss_outlasts_a_restart_and_is_not_told_again(city: CityAlerts) -> None:
    await city.report("gw-1")
    city.reporting.clear()
    await city.wait(100)
    await city.restart(away_s=30)
    await city.wait(200)
    await city.restart()
    await city.report("gw-1")
    await city.wait(500)
    assert occasions(duty(city)) == [Occasion.GROUP, Occasion.RESOLVED]


async def test_a_kill_between_database_and_sender_neither_loses_nor_doubles(city: CityAlerts) -> None:
    await city.desk.take([episode("stage-1")])
    await city.restart()
    await city.take(episode("stage-1"))
    assert len(duty(city).messages) == 1
    await city.restart()
    await city.wait(120)
    assert len(duty(city).messages) == 1


async def test_a_kill_while_things_wait_to_be_gathered_loses_nothing(city: CityAlerts) -> None:
    await city.take(episode("stage-0"))
    await city.take(*(episode(f"stage-{number}") for number in range(1, 5)))
    await city.restart(away_s=20)
    await city.take(episode("stage-5"))
    assert len(duty(city).messages) == 1
    await city.wait(60)
    assert len(duty(city).messages) == 2
    assert "5 alerts" in duty(city).titles[1]


async def test_a_message_under_way_when_the_cloud_is_killed_keeps_its_key(city: CityAlerts) -> None:
    await city.take(episode("stage-1"))
    (first,) = duty(city).messages
    await city.desk.take([episode("stage-2", Level.RED)])
    duty(city).trouble = ChannelError("reset", retry=True)
    attempted: list[str] = []
    send = duty(city)._send

    async def remember(message: object) -> None:
        attempted.append(message.key)  # type: ignore[attr-defined]
        await send(message)  # type: ignore[arg-type]

    duty(city)._send = remember  # type: ignore[method-assign]
    await city.send()
    duty(city).trouble = None
    await city.restart()
    await city.send()
    assert attempted[0] == attempted[1] != first.key


async def test_what_a_gateway_told_is_not_repeated(city: CityAlerts) -> None:
    first = told(episode("stage-1", start_ms=NOON_MS - 1_800_000), "yellow", NOON_MS - 1_600_000)
    await city.take(first)
    await city.wait(120)
    assert duty(city).messages == []
    await city.take(changed(first, level=Level.RED))
    assert occasions(duty(city)) == [Occasion.ROSE]
    assert "local: yellow" in [step["text"] for step in (await city.alert("stage-1"))["steps"]]


async def test_an_end_that_a_gateway_told_is_not_repeated_either(city: CityAlerts) -> None:
    first = told(episode("stage-1"), "yellow", NOON_MS)
    await city.take(told(changed(first, end_ms=NOON_MS + 60_000), "over", NOON_MS + 60_000))
    await city.wait(700)
    assert duty(city).messages == []
    second = told(episode("stage-2"), "yellow", NOON_MS)
    await city.take(changed(second, end_ms=NOON_MS + 60_000))
    await city.wait(700)
    assert occasions(duty(city)) == [Occasion.RESOLVED]


async def test_what_waits_to_be_sent_is_taken_back_when_a_gateway_told_it(city: CityAlerts) -> None:
    duty(city).trouble = ChannelError("no way", retry=True)
    await city.take(episode("stage-1"))
    await city.take(told(episode("stage-1"), "yellow", NOON_MS))
    duty(city).trouble = None
    await city.wait(600)
    assert duty(city).messages == []


async def test_what_was_over_before_anybody_could_be_told_is_one_quiet_line(city: CityAlerts) -> None:
    began = episode("stage-1", start_ms=NOON_MS - 3_600_000)
    await city.take(changed(began, end_ms=NOON_MS - 1_800_000))
    await city.wait(700)
    assert occasions(duty(city)) == [Occasion.RESOLVED]


async def test_history_and_what_was_over_long_ago_tell_nobody(city: CityAlerts) -> None:
    await city.take(episode("stage-1", live=False))
    old = episode("stage-2", start_ms=NOON_MS - 7 * 86_400_000)
    await city.take(changed(old, end_ms=NOON_MS - 6 * 86_400_000))
    await city.take(changed(silence("stage-3"), end_ms=NOON_MS + 1_000))
    await city.wait(700)
    assert duty(city).messages == []
    assert {row["state"] for row in await city.alerts()} == {"open", "resolved"}


async def test_flapping_is_one_event(city: CityAlerts) -> None:
    for number in range(10):
        start_ms = NOON_MS + number * 120_000
        flap = episode("stage-1", start_ms=start_ms)
        await city.take(flap)
        await city.wait(60)
        await city.take(changed(flap, end_ms=start_ms + 60_000))
        await city.wait(60)
    await city.wait(700)
    assert occasions(duty(city)) == [Occasion.OPENED, Occasion.RESOLVED]
    assert len(await city.alerts(node="stage-1")) == 10


async def test_a_flap_that_is_worse_is_told(city: CityAlerts) -> None:
    flap = episode("stage-1")
    await city.take(changed(flap, end_ms=NOON_MS + 1_000))
    await city.wait(30)
    await city.take(episode("stage-1", Level.RED, NOON_MS + 30_000))
    assert duty(city).messages[-1].level is Level.RED


async def test_what_comes_back_after_it_was_told_as_over_is_news(city: CityAlerts) -> None:
    first = episode("stage-1")
    await city.take(first)
    await city.take(changed(first, end_ms=NOON_MS + 1_000))
    await city.wait(700)
    await city.take(episode("stage-1", start_ms=city.now_ms))
    assert occasions(duty(city)) == [Occasion.OPENED, Occasion.RESOLVED, Occasion.OPENED]


async def test_what_comes_back_after_it_was_only_told_as_over_is_news_too(city: CityAlerts) -> None:
    began = episode("stage-1", start_ms=NOON_MS - 600_000)
    await city.take(changed(began, end_ms=NOON_MS - 60_000))
    await city.wait(70)
    await city.take(episode("stage-1", start_ms=NOON_MS))
    assert occasions(duty(city)) == [Occasion.RESOLVED, Occasion.OPENED]


async def test_a_gateway_that_forgot_how_bad_it_was_makes_nobody_ring_twice(city: CityAlerts) -> None:
    await city.take(episode("stage-1", Level.RED))
    await city.take(episode("stage-1", Level.YELLOW, revision=5))
    assert (await city.alert("stage-1"))["highest"] == "red"
    await city.take(episode("stage-1", Level.RED, revision=6))
    await city.wait(120)
    assert len(duty(city).messages) == 1


async def test_an_episode_that_its_source_opens_again_is_told_again(city: CityAlerts) -> None:
    first = episode("stage-1")
    over = changed(first, end_ms=NOON_MS + 1_000)
    await city.take(first, over)
    await city.wait(700)
    await city.take(changed(over, end_ms=None))
    assert occasions(duty(city))[-1] is Occasion.OPENED
    assert (await city.alert("stage-1"))["state"] == "open"


async def test_two_gateways_that_tell_one_node_are_one_event(city: CityAlerts) -> None:
    one, two = episode("stage-1"), episode("stage-1", start_ms=NOON_MS + 700, gateway="gw-2")
    await city.take(one)
    await city.take(two)
    await city.take(changed(one, level=Level.ORANGE))
    await city.take(changed(two, level=Level.ORANGE))
    await city.wait(120)
    await city.take(changed(one, level=Level.ORANGE, end_ms=city.now_ms, revision=5))
    await city.wait(700)
    assert occasions(duty(city)) == [Occasion.OPENED, Occasion.ROSE]
    await city.take(changed(two, level=Level.ORANGE, end_ms=city.now_ms, revision=5))
    await city.wait(700)
    assert occasions(duty(city)) == [Occasion.OPENED, Occasion.ROSE, Occasion.RESOLVED]
