"""Roll-outs by the API: nodes are told ring by ring, by gateways; what they become is heard in births."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from devices_rig import birth, bundle, report

from cloud.services import epoch_ms

BODY = bundle()
DIGEST = hashlib.sha256(BODY).hexdigest()
NODES = [f"water-{number}" for number in range(20)]
WISH = {"version": "2.0.0", "board": "esp32", "who": "Li", "rings": [10, 100]}


async def populate(client: Any) -> None:
    await client.register(*({"id": node, "kind": "water_level", "gateway": "gw-1"} for node in NODES))
    await client.register({"id": "pico-1", "kind": "noise", "gateway": "gw-1"})
    await client.ask("POST", "/api/v1/firmware", data=BODY)
    now_ms = epoch_ms()
    await report(client, *(birth(node, now_ms) for node in NODES), birth("pico-1", now_ms, hardware="pico_w"))


@pytest.fixture
async def client(tmp_path: Path, run_cloud_in: Callable[..., Any]) -> AsyncIterator[Any]:
    """A cloud with twenty nodes that were heard, one of another board, and a bundle."""
    async with run_cloud_in(tmp_path / "data") as client:
        await populate(client)
        yield client


async def start(client: Any, **changes: Any) -> Any:
    wish = {name: value for name, value in {**WISH, **changes}.items() if value is not None}
    answer = await client.ask("POST", "/api/v1/rollouts", json=wish)
    assert answer.status == 200, answer.text
    return answer.json


async def act(client: Any, ident: int, what: str) -> Any:
    answer = await client.ask("POST", f"/api/v1/rollouts/{ident}/{what}", json={"who": "Wang"})
    assert answer.status == 200, answer.text
    return answer.json


async def stepped(client: Any, ident: int) -> Any:
    """The roll-out after the cloud has looked at it."""
    await client.cloud.services.rollouts.step()
    return await client.get(f"/api/v1/rollouts/{ident}")


async def told(client: Any) -> dict[str, Any]:
    return {command["node"]: command for command in await report(client)}


def done(*commands: Any, status: int = 0, detail: Any = None) -> list[dict[str, Any]]:
    return [
        {"node": row["node"], "id": row["id"], "status": status, "detail": detail, "time_ms": epoch_ms()}
        for row in commands
    ]


async def on_trial(client: Any) -> set[str]:
    """The nodes that the list shows as on trial."""
    return {row["id"] for row in (await client.get("/api/v1/nodes"))["nodes"] if row["trial"]}


def born(nodes: Any, **changes: Any) -> list[dict[str, Any]]:
    return [birth(node, epoch_ms(), **{"firmware": "2.0.0", "boot": 20_001, **changes}) for node in nodes]


async def test_a_version_goes_out_ring_by_ring_as_births_prove_it(client: Any) -> None:
    rollout = await start(client)
    assert (rollout["total"], rollout["state"], rollout["counts"]["sent"]) == (20, "running", 2)
    first = await told(client)
    assert len(first) == 2
    command = next(iter(first.values()))
    assert command["name"] == "update"
    assert command["args"] == {
        "url": f"{client.cloud.url}/firmware/{DIGEST}",
        "size": len(BODY),
        "digest": DIGEST,
        "version": "2.0.0",
    }
    async with client.session.get(command["args"]["url"]) as answer:
        assert await answer.read() == BODY
    await report(client, *born(first, trial=True), replies=done(*first.values(), status=1))
    assert (await stepped(client, rollout["id"]))["counts"]["trial"] == 2
    found = await client.get(f"/api/v1/nodes/{next(iter(first))}/device")
    assert found["trial"] is True
    assert await on_trial(client) == set(first), "the list of nodes says so too"
    assert found["rollout"] == {
        "id": rollout["id"], "version": "2.0.0", "state": "trial", "rollout_state": "running", "why": "",
    }  # fmt: skip
    await report(client, *born(first), replies=done(*first.values()))
    assert await on_trial(client) == set()
    assert (await stepped(client, rollout["id"]))["ring"] == 1
    second = await told(client)
    assert len(second) == 18 and not set(first) & set(second)
    await report(client, *born(second), replies=done(*second.values()))
    last = await stepped(client, rollout["id"])
    assert (last["state"], last["counts"]["done"]) == ("done", 20)
    assert await told(client) == {}


async def test_a_node_whose_update_is_done_is_not_on_trial_any_more(client: Any) -> None:
    rollout = await start(client, nodes=["water-1"])
    command = (await told(client))["water-1"]
    await report(client, *born(["water-1"], trial=True), replies=done(command, status=1))
    await report(client, replies=done(command))
    assert (await client.get("/api/v1/nodes/water-1/device"))["trial"] is False
    assert await on_trial(client) == set()
    assert (await stepped(client, rollout["id"]))["state"] == "done"


async def test_a_cloud_that_starts_anew_knows_who_is_on_trial(
    tmp_path: Path, run_cloud_in: Callable[..., Any]
) -> None:
    async with run_cloud_in(tmp_path / "again") as client:
        await client.register({"id": "water-1", "kind": "water_level"})
        await report(client, *born(["water-1"], trial=True))
    async with run_cloud_in(tmp_path / "again") as client:
        assert (await client.get("/api/v1/nodes/water-1"))["trial"] is True


async def test_the_cloud_looks_by_itself_when_a_gateway_brings_news(client: Any) -> None:
    await start(client)
    first = await told(client)
    await report(client, *born(first), replies=done(*first.values()))
    while len(await told(client)) != 18:  # the test's own time limit ends a wait in vain
        pass


async def test_a_bad_version_stops_by_itself_says_why_and_reaches_nobody_else(client: Any) -> None:
    rollout = await start(client)
    first = await told(client)
    failed = {"error": "version 2.0.0 did not prove itself; back at 1.0.0"}
    await report(client, replies=done(*first.values(), status=4, detail=failed))
    last = await stepped(client, rollout["id"])
    assert last["state"] == "stopped"
    assert "2 returned" in last["why"] and "did not prove itself" in last["why"]
    assert await told(client) == {}
    assert {row["state"] for row in last["nodes"]} == {"returned", "waiting"}
    await act(client, rollout["id"], "resume")
    assert set(await told(client)) == set(first), "what went wrong has another try"


async def test_stopped_by_hand_commands_are_taken_back_and_resumed_they_are_given_again(client: Any) -> None:
    rollout = await start(client)
    first = await told(client)
    stopped = await act(client, rollout["id"], "stop")
    assert (stopped["state"], stopped["why"]) == ("stopped", "stopped by Wang")
    assert await told(client) == {}
    ident = next(iter(first.values()))["id"]
    assert (await client.get(f"/api/v1/commands/{ident}"))["state"] == "expired"
    resumed = await act(client, rollout["id"], "resume")
    assert (resumed["state"], resumed["why"]) == ("running", "")
    assert [(step["who"], step["step"]) for step in resumed["steps"]] == [
        ("Li", "start"), ("Wang", "stop"), ("Wang", "resume"),
    ]  # fmt: skip
    again = await told(client)
    assert set(again) == set(first)
    assert not {row["id"] for row in again.values()} & {row["id"] for row in first.values()}


async def test_a_roll_out_goes_on_after_a_restart(tmp_path: Path, run_cloud_in: Callable[..., Any]) -> None:
    async with run_cloud_in(tmp_path / "city") as client:
        await populate(client)
        rollout = await start(client)
        first = await told(client)
    async with run_cloud_in(tmp_path / "city") as client:
        assert await told(client) == first
        await report(client, *born(first), replies=done(*first.values()))
        assert (await stepped(client, rollout["id"]))["ring"] == 1
        assert len(await told(client)) == 18


async def test_some_nodes_a_kind_or_a_district_can_be_meant(client: Any) -> None:
    rollout = await start(client, nodes=["water-3", "water-4"])
    assert {row["node"] for row in rollout["nodes"]} == {"water-3", "water-4"}
    await act(client, rollout["id"], "stop")
    for wish, status in (
        ({"nodes": ["water-99"]}, 404),
        ({"nodes": ["pico-1"]}, 409),
        ({"kind": "noise"}, 400),
        ({"district": "nowhere"}, 400),
        ({"version": "9"}, 404),
        ({"board": "pico_w"}, 404),
        ({"rings": [50]}, 400),
        ({"rings": [10, 5, 100]}, 400),
    ):
        answer = await client.ask("POST", "/api/v1/rollouts", json={**WISH, **wish})
        assert answer.status == status, (wish, answer.text)
        assert answer.json["error"]["remedy"]


async def test_one_board_has_one_roll_out_at_a_time(client: Any) -> None:
    first = await start(client, nodes=["water-1"])
    answer = await client.ask("POST", "/api/v1/rollouts", json=WISH)
    assert answer.status == 409
    assert f"/rollouts/{first['id']}/stop" in answer.json["error"]["remedy"]
    await act(client, first["id"], "stop")
    second = await start(client, nodes=["water-2"])
    answer = await client.ask("POST", f"/api/v1/rollouts/{first['id']}/resume", json={"who": "Li"})
    assert answer.status == 409
    listed = (await client.get("/api/v1/rollouts"))["rollouts"]
    assert [(row["id"], row["state"]) for row in listed] == [
        (second["id"], "running"), (first["id"], "stopped"),
    ]  # fmt: skip


async def test_a_way_back_to_an_older_version_is_forced(client: Any) -> None:
    await client.ask("POST", "/api/v1/firmware", data=bundle("0.9.0"))
    await start(client, version="0.9.0", nodes=["water-1"], force=True)
    assert (await told(client))["water-1"]["args"]["force"] == 1


async def test_a_roll_out_that_is_done_cannot_be_stopped(client: Any) -> None:
    await report(client, *born(["water-1"]))
    rollout = await start(client, nodes=["water-1"])
    assert rollout["state"] == "done"
    answer = await client.ask("POST", f"/api/v1/rollouts/{rollout['id']}/stop", json={"who": "Li"})
    assert answer.status == 409
    assert (await client.ask("GET", "/api/v1/rollouts/99")).status == 404
