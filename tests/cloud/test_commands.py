"""Commands by the API: asked for by people, carried by gateways, finished by nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from devices_rig import birth, report

from cloud.services import epoch_ms


class Clock:
    """The cloud's clock, which tests move."""

    def __init__(self) -> None:
        self.ms = epoch_ms()

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(
    tmp_path: Path, run_cloud_in: Callable[..., Any], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    """A cloud with a node of gw-1, one of nobody, and a clock of the test's."""
    async with run_cloud_in(tmp_path / "data", now_ms=clock) as client:
        await client.register(
            {"id": "water-1", "kind": "water_level", "gateway": "gw-1"},
            {"id": "stray-1", "kind": "water_level"},
        )
        yield client


async def ask(client: Any, node: str = "water-1", name: str = "sample", **more: Any) -> Any:
    body = {"name": name, "args": {}, "expires_s": 600, "who": "Li", **more}
    answer = await client.ask("POST", f"/api/v1/nodes/{node}/commands", json=body)
    assert answer.status == 200, answer.text
    return answer.json


async def test_a_command_goes_by_the_nodes_gateway_and_its_reply_comes_back(client: Any, clock: Clock) -> None:
    made = await ask(client, name="identify", args={"seconds": 30})
    assert (made["state"], made["args"], made["who"]) == ("queued", {"seconds": 30}, "Li")
    assert made["expires_ms"] == clock.ms + 600_000
    assert await report(client, gateway="gw-2") == []
    assert await report(client) == [{key: made[key] for key in ("id", "node", "name", "args", "expires_ms")}]
    sent = {"node": "water-1", "id": made["id"], "sent_ms": clock.ms}
    assert len(await report(client, replies=[sent])) == 1, "until it is finished"
    assert (await client.get(f"/api/v1/commands/{made['id']}"))["state"] == "sent"
    reply = {"node": "water-1", "id": made["id"], "status": 0, "detail": {"ok": 1}, "time_ms": clock.ms + 5}
    assert await report(client, replies=[reply]) == []
    done = await client.get(f"/api/v1/commands/{made['id']}")
    assert (done["state"], done["detail"], done["replied_ms"]) == ("done", {"ok": 1}, clock.ms + 5)
    assert (await client.get("/api/v1/nodes/water-1/commands"))["commands"] == [done]


async def test_a_node_of_no_gateway_is_reached_by_who_heard_its_birth(client: Any, clock: Clock) -> None:
    made = await ask(client, "stray-1")
    assert await report(client, gateway="gw-2") == []
    (command,) = await report(client, birth("stray-1", clock.ms), gateway="gw-2")
    assert command["id"] == made["id"]
    assert await report(client) == []
    await report(client, birth("stray-1", clock.ms + 1))
    assert [row["id"] for row in await report(client)] == [made["id"]]
    assert await report(client, gateway="gw-2") == []


async def test_a_command_nobody_carried_is_expired_and_not_told_any_more(client: Any, clock: Clock) -> None:
    made = await ask(client)
    clock.ms += 600_000
    assert await report(client) == []
    found = await client.get(f"/api/v1/commands/{made['id']}")
    assert (found["state"], found["detail"]["error"]) == ("expired", "the node was not heard in time")


async def test_numbers_are_never_given_twice_and_follow_the_clock(client: Any, clock: Clock) -> None:
    first, second = await ask(client), await ask(client)
    assert (first["id"], second["id"]) == (clock.ms // 1_000, clock.ms // 1_000 + 1)
    clock.ms += 60_000
    assert (await ask(client))["id"] == clock.ms // 1_000


async def test_a_word_of_a_command_that_never_was_is_passed_over(client: Any) -> None:
    assert await report(client, replies=[{"node": "water-1", "id": 5, "status": 0, "time_ms": 0}]) == []


async def test_what_cannot_be_asked_is_refused_with_a_remedy(client: Any) -> None:
    path = "/api/v1/nodes/water-1/commands"
    for body, status in (
        ({"name": "explode", "who": "Li"}, 400),
        ({"name": "set", "who": "Li", "args": {"period_ms": 1}}, 400),
        ({"name": "sample"}, 400),
        ({"name": "sample", "who": "Li", "expires_s": 0}, 400),
    ):
        answer = await client.ask("POST", path, json=body)
        assert answer.status == status and answer.json["error"]["remedy"], answer.text
    answer = await client.ask("POST", path, json={"name": "sample", "who": "Li"}, headers={})
    assert answer.status == 401
    answer = await client.ask("POST", "/api/v1/nodes/nobody-1/commands", json={"name": "sample", "who": "Li"})
    assert answer.status == 404


async def test_a_node_that_answers_nothing_does_not_gather_commands_without_end(client: Any) -> None:
    for _ in range(100):
        await ask(client)
    answer = await client.ask("POST", "/api/v1/nodes/water-1/commands", json={"name": "sample", "who": "Li"})
    assert answer.status == 409
    assert "100 commands wait" in answer.json["error"]["message"]


async def test_commands_survive_a_restart(tmp_path: Path, run_cloud_in: Callable[..., Any]) -> None:
    async with run_cloud_in(tmp_path / "data") as client:
        await client.register({"id": "water-1", "kind": "water_level", "gateway": "gw-1"})
        made = await ask(client)
    async with run_cloud_in(tmp_path / "data") as client:
        assert [row["id"] for row in await report(client)] == [made["id"]]
