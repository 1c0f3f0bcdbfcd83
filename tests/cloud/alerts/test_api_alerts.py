"""The API of alerts, over a real server: episodes come in, people act, and every step is kept."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

STAGE = {
    "id": "water-1", "kind": "water_level", "label": {"en": "Dinghai Bridge", "zh": "定海桥"},
    "site": "dinghai", "district": "yangpu", "gateway": "gw-1",
}  # fmt: skip
EPISODE: dict[str, Any] = {
    "rule": "river_stage", "node": "water-1", "start_ms": 1_000, "quantity": "level_m", "level": "yellow",
    "highest": "yellow", "value": 3.4, "peak": 3.4, "peak_ms": 1_500, "updated_ms": 1_500, "threshold": 3.3,
    "rate_per_h": 0.2, "end_ms": None, "live": True, "revision": 1, "gateway": "gw-1", "told": [],
    "note": {"reaches_min": 42},
}  # fmt: skip


async def put(client: Any, *episodes: dict[str, Any], gateway: str = "gw-1") -> Any:
    answer = await client.ask("PUT", f"/api/v1/gateways/{gateway}/episodes", json={"episodes": episodes})
    assert answer.status == 200, answer.text
    return answer.json


async def do(client: Any, ident: int, action: str, **said: object) -> Any:
    answer = await client.ask("POST", f"/api/v1/alerts/{ident}/{action}", json=said)
    assert answer.status == 200, answer.text
    return answer.json


async def test_an_episode_becomes_an_alert_with_its_place_and_unit(client: Any) -> None:
    await client.register(STAGE)
    assert await put(client, EPISODE) == {"taken": 1, "refused": []}
    told = await client.get("/api/v1/alerts")
    (alert,) = told["alerts"]
    wanted = {
        "id": 1, "rule": "river_stage", "node": "water-1", "node_label": STAGE["label"], "kind": "water_level",
        "system": "water", "site": "dinghai", "district": "yangpu", "quantity": "level_m", "unit": "m",
        "level": "yellow", "highest": "yellow", "value": 3.4, "threshold": 3.3, "peak": 3.4, "peak_ms": 1_500,
        "rate_per_h": 0.2, "start_ms": 1_000, "end_ms": None, "updated_ms": 1_500, "live": True,
        "state": "open", "assigned": None, "acknowledged_by": None, "acknowledged_ms": None,
        "muted_until_ms": None, "cause": None, "folded": 0, "note": {"reaches_min": 42},
    }  # fmt: skip
    assert {name: alert[name] for name in wanted} == wanted
    assert set(alert["label"]) == {"en", "zh"}
    assert told["counts"] == {"red": 0, "orange": 0, "yellow": 1, "blue": 0, "unacknowledged": 1}


async def test_what_is_told_twice_late_or_in_disorder_is_one_alert(client: Any) -> None:
    over = {
        **EPISODE,
        "level": "orange",
        "highest": "orange",
        "end_ms": 9_000,
        "updated_ms": 9_000,
        "revision": 3,
    }
    rose = {**EPISODE, "level": "orange", "highest": "orange", "updated_ms": 5_000, "revision": 2}
    for episode in (EPISODE, over, rose, EPISODE, over):
        assert (await put(client, episode))["taken"] == 1
    (alert,) = (await client.get("/api/v1/alerts", state="all"))["alerts"]
    assert (alert["state"], alert["highest"], alert["end_ms"]) == ("resolved", "orange", 9_000)
    steps = (await client.get(f"/api/v1/alerts/{alert['id']}"))["steps"]
    assert [step["step"] for step in steps] == ["opened", "rose", "resolved"]


async def test_many_changes_in_one_request_are_taken_in_their_order(client: Any) -> None:
    await put(client, EPISODE, {**EPISODE, "level": "red", "highest": "red", "revision": 2})
    (alert,) = (await client.get("/api/v1/alerts"))["alerts"]
    assert alert["level"] == "red"
    steps = (await client.get("/api/v1/alerts/1"))["steps"]
    assert [(step["step"], step["text"]) for step in steps] == [("opened", "yellow"), ("rose", "red")]


async def test_one_bad_episode_is_refused_by_itself(client: Any) -> None:
    bad = [
        {**EPISODE, "level": "purple"}, {"rule": "river_stage"}, {**EPISODE, "note": {"stage_m": "high"}},
        {**EPISODE, "node": "../x"}, {**EPISODE, "start_ms": "now"},
    ]  # fmt: skip
    answer = await put(client, *bad, EPISODE)
    assert answer["taken"] == 1
    assert [row["index"] for row in answer["refused"]] == [0, 1, 2, 3, 4]
    assert "purple" not in answer["refused"][0]["error"] and "level" in answer["refused"][0]["error"]


async def test_people_act_and_the_audit_says_who_and_when(client: Any) -> None:
    await put(client, EPISODE)
    alert = await do(client, 1, "acknowledge", who="Li Wei", text="on my way")
    assert (alert["state"], alert["acknowledged_by"]) == ("acknowledged", "Li Wei")
    assert (await client.get("/api/v1/alerts"))["counts"]["unacknowledged"] == 0
    assert (await do(client, 1, "assign", who="Li Wei", to="Wang Fang"))["assigned"] == "Wang Fang"
    await do(client, 1, "comment", who="Wang Fang", text="闸门卡住了")
    muted = await do(client, 1, "mute", who="Wang Fang", minutes=60)
    assert muted["state"] == "muted"
    assert (await do(client, 1, "mute", who="Wang Fang", minutes=0))["state"] == "acknowledged"
    assert (await do(client, 1, "close", who="Wang Fang", text="repaired"))["state"] == "closed"
    assert (await client.get("/api/v1/alerts"))["alerts"] == []
    told = await client.get("/api/v1/alerts/1")
    assert [(step["step"], step["who"], step["text"]) for step in told["steps"]] == [
        ("opened", "gw-1", "yellow"),
        ("acknowledged", "Li Wei", "on my way"),
        ("assigned", "Li Wei", "Wang Fang"),
        ("commented", "Wang Fang", "闸门卡住了"),
        ("muted", "Wang Fang", "60 min"),
        ("muted", "Wang Fang", "0 min"),
        ("closed", "Wang Fang", "repaired"),
    ]
    assert all(step["time_ms"] > 1_000_000 for step in told["steps"][1:])


async def test_a_rise_opens_again_what_was_acknowledged_muted_or_closed(client: Any) -> None:
    await put(client, EPISODE)
    for action, said in (("acknowledge", {}), ("mute", {"minutes": 60}), ("close", {})):
        await do(client, 1, action, who="Li Wei", **said)
    await put(client, {**EPISODE, "level": "red", "highest": "red", "revision": 2})
    (alert,) = (await client.get("/api/v1/alerts"))["alerts"]
    assert (alert["state"], alert["level"], alert["acknowledged_by"]) == ("open", "red", None)


async def test_alerts_are_found_by_state_level_node_rule_and_time(client: Any) -> None:
    await put(
        client,
        EPISODE,
        {**EPISODE, "node": "water-2", "level": "red", "highest": "red"},
        {**EPISODE, "node": "water-3", "end_ms": 4_000},
        {**EPISODE, "rule": "battery_low", "start_ms": 7_000, "level": "blue", "highest": "blue"},
    )

    async def found(**asked: object) -> list[str]:
        rows = (await client.get("/api/v1/alerts", **asked))["alerts"]
        return [f"{row['node'][-1]}:{row['rule'][:5]}" for row in rows]

    assert await found() == ["2:river", "1:river", "1:batte"]
    assert await found(state="ended") == ["3:river"]
    assert sorted(await found(state="all")) == ["1:batte", "1:river", "2:river", "3:river"]
    assert await found(level="orange") == ["2:river"]
    assert await found(node="water-1", state="all") == ["1:batte", "1:river"]
    assert await found(rule="battery_low") == ["1:batte"]
    assert sorted(await found(state="all", since=5_000)) == ["1:batte", "1:river", "2:river"]
    assert await found(limit=1) == ["2:river"]
    assert await found(cause=1) == []


async def test_history_is_kept_and_counts_for_nobody(client: Any) -> None:
    await put(client, {**EPISODE, "live": False})
    told = await client.get("/api/v1/alerts")
    assert told["alerts"][0]["live"] is False
    assert told["counts"]["yellow"] == 0


async def test_maintenance_windows_come_and_go(client: Any) -> None:
    far_ms = 4_000_000_000_000
    window = {"from_ms": 0, "until_ms": far_ms, "nodes": ["water-1"], "who": "Li Wei", "text": "dredging"}
    answer = await client.ask("POST", "/api/v1/maintenance", json=window)
    assert answer.json == {**window, "id": 1, "district": "", "rule": ""}
    past = {**window, "until_ms": 10}
    assert (await client.ask("POST", "/api/v1/maintenance", json=past)).status == 200
    assert [row["id"] for row in (await client.get("/api/v1/maintenance"))["windows"]] == [1]
    gone = await client.ask("DELETE", "/api/v1/maintenance/1", params={"who": "Wang Fang"})
    assert gone.json == {"removed": 1}
    assert (await client.get("/api/v1/maintenance"))["windows"] == []
    assert (await client.ask("DELETE", "/api/v1/maintenance/1", params={"who": "x"})).status == 404


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "message"),
    [
        ("GET", "/api/v1/alerts?state=odd", {}, 400, "open, ended, all"),
        ("GET", "/api/v1/alerts?level=grey", {}, 400, "blue, yellow, orange, red"),
        ("GET", "/api/v1/alerts/9", {}, 404, "no alert 9"),
        ("GET", "/api/v1/alerts/x", {}, 400, "integer"),
        ("POST", "/api/v1/alerts/9/close", {"json": {"who": "a"}}, 404, "no alert 9"),
        ("POST", "/api/v1/alerts/9/close", {"json": {}}, 400, "who is missing"),
        ("POST", "/api/v1/alerts/9/mute", {"json": {"who": "a"}}, 400, "minutes is missing"),
        ("POST", "/api/v1/maintenance", {"json": {"from_ms": 5, "until_ms": 5, "who": "a"}}, 400, "not after"),
        ("POST", "/api/v1/maintenance", {"json": {"from_ms": 5, "until_ms": 6, "who": "a"}}, 400, "everything"),
        ("DELETE", "/api/v1/maintenance/1", {}, 400, "who"),
        ("PUT", "/api/v1/gateways/gw-1/episodes", {"json": {}}, 400, "episodes is missing"),
    ],
)
async def test_a_wrong_request_is_told_the_place(
    client: Any, method: str, path: str, options: dict[str, Any], status: int, message: str
) -> None:
    answer = await client.ask(method, path, **options)
    assert answer.status == status, answer.text
    assert message in answer.json["error"]["message"]
    assert answer.json["error"]["remedy"]


async def test_acting_needs_the_token(client: Any) -> None:
    for method, path in (
        ("PUT", "/api/v1/gateways/gw-1/episodes"),
        ("POST", "/api/v1/alerts/1/close"),
        ("POST", "/api/v1/maintenance"),
        ("DELETE", "/api/v1/maintenance/1"),
    ):
        assert (await client.ask(method, path, headers={}, json={})).status == 401, path


async def test_alerts_and_windows_are_there_after_a_restart(run_cloud_in: Any, tmp_path: Path) -> None:
    window = {"from_ms": 0, "until_ms": 4_000_000_000_000, "rule": "battery_low", "who": "Li Wei"}
    async with run_cloud_in(tmp_path) as first:
        await put(first, EPISODE, {**EPISODE, "node": "water-2"})
        await do(first, 1, "acknowledge", who="Li Wei")
        await first.ask("POST", "/api/v1/maintenance", json=window)
        before = await first.get("/api/v1/alerts", state="all")
    async with run_cloud_in(tmp_path) as second:
        assert await second.get("/api/v1/alerts", state="all") == before
        assert len((await second.get("/api/v1/maintenance"))["windows"]) == 1
        await put(second, {**EPISODE, "node": "water-3"}, {**EPISODE, "end_ms": 8_000, "revision": 2})
        assert [row["id"] for row in (await second.get("/api/v1/alerts"))["alerts"]] == [2, 3]


async def test_what_changes_appears_on_an_open_page(client: Any) -> None:
    await client.register(STAGE)
    async with client.session.get(f"{client.cloud.url}/api/v1/live") as reply:
        await put(client, EPISODE)
        await do(client, 1, "acknowledge", who="Li Wei")
        async with asyncio.timeout(20):
            while not (line := await reply.content.readline()).startswith(b'data: {"alerts"'):
                pass
    (alert,) = json.loads(line.removeprefix(b"data: "))["alerts"]
    assert (alert["node_label"], alert["state"]) == (STAGE["label"], "acknowledged")
    assert alert == {**(await client.get("/api/v1/alerts"))["alerts"][0]}
