"""What people, hours, routes, limits and failing channels do to messages, one situation after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alerts_rig import NOON_MS, CityAlerts, Recorder, changed, city_alerts, episode, node

from cloud.alerts import life
from cloud.alerts.maintenance import Window as Maintenance
from cloud.alerts.routes import Escalation, Route, Selector, read_route
from edge.channels import ChannelError, Window
from edge.channels.message import Occasion
from edge.model.alert import Level

MANY = [f"stage-{number:03}" for number in range(100)]


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[CityAlerts]:
    async with city_alerts(tmp_path) as city:
        yield city


def duty(city: CityAlerts) -> Recorder:
    return city.channels["duty"]


def occasions(channel: Recorder) -> list[Occasion]:
    return [message.occasion for message in channel.messages]


async def test_a_muted_alert_is_quiet_to_its_end_unless_it_rises(city: CityAlerts) -> None:
    first = episode("stage-1")
    await city.take(first)
    ident = (await city.alert("stage-1"))["id"]
    await city.desk.act(ident, lambda alert, now: life.mute(alert, "Li", 60, "", now))
    await city.take(changed(first, end_ms=city.now_ms + 1_000))
    await city.wait(700)
    assert occasions(duty(city)) == [Occasion.OPENED]
    second = episode("stage-2")
    await city.take(second)
    ident = (await city.alert("stage-2"))["id"]
    await city.desk.act(ident, lambda alert, now: life.mute(alert, "Li", 60, "", now))
    await city.take(changed(second, level=Level.RED))
    assert duty(city).messages[-1].level is Level.RED


async def test_nobody_is_told_of_what_is_under_maintenance_until_it_ends(city: CityAlerts) -> None:
    await city.register(node("stage-1"), node("stage-2"), node("stage-3", gateway="gw-2"))
    until_ms = NOON_MS + 3_600_000
    await city.desk.add_window(Maintenance(id=0, from_ms=NOON_MS, until_ms=until_ms, nodes=("gw-1",), who="Li"))
    await city.take(
        episode("stage-1"), changed(episode("stage-2"), end_ms=NOON_MS + 60_000), episode("stage-3")
    )
    assert [message.title.split(":")[0].split("] ")[1] for message in duty(city).messages] == ["stage-3"]
    await city.wait(3_500)
    assert len(duty(city).messages) == 1
    await city.wait(200)
    assert [title.split("] ")[1].split(":")[0] for title in duty(city).titles] == ["stage-3", "stage-1"]


async def test_removing_a_window_tells_what_lasts(city: CityAlerts) -> None:
    window = Maintenance(id=0, from_ms=NOON_MS, until_ms=NOON_MS + 3_600_000, rule="flood", who="Li")
    kept = await city.desk.add_window(window)
    await city.take(episode("stage-1"))
    await city.wait(60)
    assert duty(city).messages == []
    await city.desk.remove_window(kept.id, "Li")
    await city.wait(1)
    assert len(duty(city).messages) == 1


async def test_nobody_acknowledges_so_others_are_told_step_by_step(tmp_path: Path) -> None:
    config = {
        "routes": (Route(channels=("duty",)),),
        "escalations": (
            Escalation(after_min=10, channels=("chief",), level=Level.ORANGE),
            Escalation(after_min=20, channels=("chief", "mayor"), level=Level.RED),
        ),
    }
    people = [Recorder("duty"), Recorder("chief"), Recorder("mayor")]
    async with city_alerts(tmp_path, config, people) as city:
        one, two, mild = episode("stage-1", Level.ORANGE), episode("stage-2", Level.ORANGE), episode("stage-3")
        await city.take(one, two, mild)
        ident = (await city.alert("stage-2"))["id"]
        await city.desk.act(ident, lambda alert, now: life.acknowledge(alert, "Li", "", now))
        await city.wait(590)
        assert city.channels["chief"].messages == []
        await city.wait(20)
        (message,) = city.channels["chief"].messages
        assert message.occasion is Occasion.UNACKNOWLEDGED
        assert "stage-1" in message.title
        await city.restart()
        await city.take(changed(one, level=Level.RED))
        await city.wait(1_300)
        assert len(city.channels["mayor"].messages) == 1
        assert occasions(city.channels["chief"]) == [Occasion.UNACKNOWLEDGED] * 3
        await city.take(changed(one, level=Level.RED, revision=9, end_ms=city.now_ms))
        await city.wait(700)
        assert city.channels["mayor"].messages[-1].occasion is Occasion.RESOLVED
        await city.wait(3_600)
        assert len(city.channels["mayor"].messages) == 2


async def test_a_storm_that_nobody_acknowledges_escalates_as_one(tmp_path: Path) -> None:
    config = {
        "routes": (Route(channels=("duty",)),),
        "escalations": (Escalation(after_min=5, channels=("chief",)),),
    }
    async with city_alerts(tmp_path, config, [Recorder("duty"), Recorder("chief")]) as city:
        await city.take(episode("stage-000"))
        await city.take(*(episode(ident) for ident in MANY[1:]))
        await city.wait(900)
        assert len(city.channels["chief"].messages) == 1
        assert "100 alerts" in city.channels["chief"].titles[0]


async def test_routes_choose_by_place_system_rule_and_level(tmp_path: Path) -> None:
    config = {
        "routes": (
            Route(channels=("water",), selector=Selector(systems=("water",)), level=Level.ORANGE),
            Route(channels=("hongkou",), selector=Selector(districts=("hongkou",))),
            Route(channels=("night",), selector=Selector(rules=("batt*",))),
        )
    }
    channels = [Recorder("water"), Recorder("hongkou"), Recorder("night"), Recorder("severe", level="red")]
    async with city_alerts(tmp_path, config, channels) as city:
        await city.register(node("stage-1"), node("stage-2", district="hongkou"), node("noise-1", kind="noise"))
        await city.take(episode("stage-1"), episode("stage-2", Level.ORANGE))
        await city.take(episode("noise-1", Level.RED, rule="noise"), episode("noise-1", rule="battery"))
        counts = {name: len(channel.messages) for name, channel in city.channels.items()}
        assert counts == {"water": 2, "hongkou": 2, "night": 2, "severe": 1}
        for channel in city.channels.values():
            assert any("RED" in title for title in channel.titles), "no route covers it, so all are told"


async def test_quiet_hours_hold_what_is_mild_until_morning(tmp_path: Path) -> None:
    table = {"channels": ["duty"], "quiet": "22:00-07:00", "quiet_below": "orange"}
    async with city_alerts(tmp_path, {"routes": (read_route(table, "t"),)}) as city:
        city.now_ms = NOON_MS + 18 * 3_600_000 + 1_800_000  # half past six in the morning
        await city.take(
            episode("stage-1"), changed(episode("stage-2"), end_ms=NOON_MS + 1), episode("stage-3", Level.RED)
        )
        assert [message.level for message in duty(city).messages] == [Level.RED]
        await city.wait(1_700)
        assert len(duty(city).messages) == 1
        await city.wait(200)
        assert "stage-1" in duty(city).titles[1]
        assert len(duty(city).messages) == 2


async def test_what_exceeds_the_limit_is_told_in_one_digest(tmp_path: Path) -> None:
    async with city_alerts(tmp_path, channels=[Recorder("duty", windows=(Window(5, 60.0),))]) as city:
        await city.register(*(node(f"stage-{n}", district=f"d{n}") for n in range(40)))
        await city.take(*(episode(f"stage-{n}", Level.RED if n == 39 else Level.YELLOW) for n in range(40)))
        assert len(duty(city).messages) == 5
        assert duty(city).messages[0].level is Level.RED, "the worst goes first"
        assert "36 alerts" in duty(city).titles[4]
        await city.wait(300)
        told_nodes = [line for message in duty(city).messages for line in (message.title, *message.lines)]
        for number in range(40):
            assert sum(f"stage-{number}:" in line for line in told_nodes) == 1, number


async def test_the_limit_holds_over_a_restart(tmp_path: Path) -> None:
    async with city_alerts(tmp_path, channels=[Recorder("duty", windows=(Window(3, 60.0),))]) as city:
        for number in range(8):
            await city.take(episode("stage-1", rule=f"rule-{number}"))
            await city.restart()
        assert len(duty(city).messages) == 3
        await city.wait(61)
        assert len(duty(city).messages) == 6
        assert "3 alerts" in duty(city).titles[5]


async def test_a_channel_that_fails_for_a_while_gets_everything_later(city: CityAlerts) -> None:
    duty(city).trouble = ChannelError("no answer", retry=True, after_s=30)
    await city.take(episode("stage-1"))
    await city.wait(29)
    assert duty(city).attempts == 1
    duty(city).trouble = None
    await city.wait(2)
    assert len(duty(city).messages) == 1


async def test_a_channel_that_refuses_for_good_hands_over_to_the_fallback(tmp_path: Path) -> None:
    config = {"routes": (Route(channels=("duty",)),), "fallback": ("mail",)}
    async with city_alerts(tmp_path, config, [Recorder("duty"), Recorder("mail")]) as city:
        duty(city).trouble = ChannelError("the robot was removed", retry=False)
        await city.take(episode("stage-1"))
        assert len(city.channels["mail"].messages) == 1
        steps = [(step["step"], step["text"]) for step in (await city.alert("stage-1"))["steps"]]
        assert ("failed", "duty: the robot was removed") in steps


async def test_a_channel_that_was_taken_away_hands_over_too(tmp_path: Path) -> None:
    config = {"routes": (Route(channels=("duty",)),), "fallback": ("mail",)}
    async with city_alerts(tmp_path, config, [Recorder("duty"), Recorder("mail")]) as city:
        await city.desk.take([episode("stage-1")])
        del city.channels["duty"]
        await city.restart()
        await city.send()
        assert len(city.channels["mail"].messages) == 1


async def test_old_alerts_and_their_audit_are_forgotten_at_last(tmp_path: Path) -> None:
    async with city_alerts(tmp_path, {"keep_days": 2.0}) as city:
        await city.take(changed(episode("stage-1"), end_ms=NOON_MS + 1_000), episode("stage-2"))
        await city.wait(700)
        city.now_ms += 3 * 86_400_000
        await city.desk.tick()
        assert [row["node"] for row in await city.alerts()] == ["stage-2"]
        assert await city.desk.records.steps(1) == []
