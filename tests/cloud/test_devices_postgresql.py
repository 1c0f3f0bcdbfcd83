"""Identities, commands and roll-outs on a registry that is a PostgreSQL, from a device to its new firmware."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from devices_rig import OTHER_SERIAL, SERIAL, birth, bundle, csr, report, wanted

from cloud.ca import Authority
from cloud.services import epoch_ms

pytestmark = pytest.mark.real


async def test_a_devices_life_on_postgresql(
    tmp_path: Path, postgresql: str, run_cloud_in: Callable[..., Any]
) -> None:
    Authority.create(tmp_path / "cloud" / "ca", epoch_ms())
    async with run_cloud_in(tmp_path, registry=postgresql) as client:

        async def post(path: str, **body: Any) -> Any:
            answer = await client.ask("POST", f"/api/v1/{path}", json=body)
            assert answer.status == 200, answer.text
            return answer.json

        await post("provision", **wanted(SERIAL, id="water-1"))
        await post("provision", **wanted(SERIAL, id="water-1"))
        await post("nodes/water-1/replace", serial=OTHER_SERIAL, csr=csr(), who="Wang")
        barred = await client.ask("POST", "/api/v1/provision", json=wanted(SERIAL))
        assert barred.status == 409
        await post("nodes/water-1/notes", who="Wang", text="换了一台")
        await report(client, birth("water-1", epoch_ms(), serial="246f28001122"))
        assert (await client.get("/api/v1/nodes/water-1/device"))["notes"][0]["text"] == "换了一台"

        made = await post("nodes/water-1/commands", name="status", who="Li")
        assert [row["id"] for row in await report(client)] == [made["id"]]
        reply = {
            "node": "water-1",
            "id": made["id"],
            "status": 0,
            "detail": {"slot": "a"},
            "time_ms": epoch_ms(),
        }
        assert await report(client, replies=[reply]) == []
        assert (await client.get(f"/api/v1/commands/{made['id']}"))["detail"] == {"slot": "a"}

        await client.ask("POST", "/api/v1/firmware", data=bundle())
        rollout = await post("rollouts", version="2.0.0", board="esp32", who="Li")
        (update,) = await report(client)
        assert update["args"]["digest"] == hashlib.sha256(bundle()).hexdigest()
        reply = {"node": "water-1", "id": update["id"], "status": 0, "detail": None, "time_ms": epoch_ms()}
        await report(client, birth("water-1", epoch_ms() + 1, firmware="2.0.0"), replies=[reply])
        await client.cloud.services.rollouts.step()
        assert (await client.get(f"/api/v1/rollouts/{rollout['id']}"))["state"] == "done"
