"""The alerts on PostgreSQL: the same life, the same outbox."""

from __future__ import annotations

from alerts_rig import NOON_MS, Recorder, changed, city_alerts, episode, node, silence

from cloud.alerts import life
from cloud.alerts.maintenance import Window as Maintenance
from edge.channels import Window


async def test_a_city_lives_on_postgresql(postgresql: str) -> None:
    channels = [Recorder("duty", windows=(Window(3, 60.0),))]
    async with city_alerts(postgresql, {"keep_days": 1.0}, channels) as city:
        await city.register(node("stage-1"), node("stage-2"), node("stage-3", district="hongkou"))
        await city.report("gw-1")
        first = episode("stage-1")
        await city.take(first, episode("stage-3"), silence("stage-2"))
        await city.desk.add_window(Maintenance(id=0, from_ms=0, until_ms=NOON_MS * 2, rule="rain", who="Li"))
        ident = (await city.alert("stage-1"))["id"]
        await city.desk.act(ident, lambda alert, now: life.acknowledge(alert, "Li", "on my way", now))
        await city.restart()
        assert [window.rule for window in city.desk.windows()] == ["rain"]
        await city.take(first, changed(first, end_ms=NOON_MS + 1_000))
        await city.wait(700)
        (duty,) = channels
        assert len(duty.messages) == 4
        steps = (await city.alert("stage-1"))["steps"]
        assert [step["step"] for step in steps] == [
            "opened", "notified", "acknowledged", "resolved", "notified",
        ]  # fmt: skip
        assert {row["node"] for row in await city.alerts(lasting=True)} == {"stage-2", "stage-3"}
        city.now_ms += 2 * 86_400_000
        await city.desk.tick()
        assert await city.alerts(node="stage-1") == []
