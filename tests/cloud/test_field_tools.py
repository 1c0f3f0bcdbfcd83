"""The field engineer's own client against the running cloud: both sides mean the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from devices_rig import OTHER_SERIAL, SERIAL, birth, csr, new_key, report
from typer.testing import CliRunner

from cloud.cli import app
from cloud.services import epoch_ms
from edge.field.bundle import build_bundle, keys_file, make_signing_key, public_pem
from edge.field.cloud import CloudApi, NotThere
from edge.field.diagnosis import FieldError
from edge.field.identity import join, request
from edge.field.offline import OfflineBundle
from edge.field.order import Order
from edge.field.rollout import headline, ring_lines

TOKEN = "a-test-token"
ORDER = Order(kind="water_level", label_zh="桥下水位", site="bridge", district="yangpu", lat=31.2, lon=121.5)


def ca(*words: object) -> None:
    result = CliRunner().invoke(app, ["ca", *map(str, words)])
    assert result.exit_code == 0, result.output


@pytest.fixture
async def client(tmp_path: Path, run_cloud_in: Callable[..., Any]) -> AsyncIterator[Any]:
    """A cloud whose authority was made by the command line, as users do."""
    await asyncio.to_thread(ca, "init", "--data", tmp_path / "data")
    async with run_cloud_in(tmp_path / "data") as client:
        yield client


@pytest.fixture
async def api(client: Any) -> AsyncIterator[CloudApi]:
    """The field tools' session with it."""
    async with CloudApi(client.cloud.url, TOKEN) as api:
        yield api


def registration(serial: str, key: Any, **changes: object) -> dict[str, object]:
    return {**ORDER.registration(), "serial": serial, "csr": request(key, "new"), "who": "Li", **changes}


async def test_a_board_becomes_a_node_and_its_identity_fits(client: Any, api: CloudApi) -> None:
    key = new_key()
    made = await api.provision(registration(SERIAL, key))
    identity = join(made.node["id"], key, made.certificate, made.ca)
    assert set(identity.files()) == {"node.key", "node.crt", "ca.crt"}
    assert (made.broker_host, made.broker_port, made.broker_tls) == ("127.0.0.1", 8883, True)
    device = await api.device(made.node["id"])
    assert device is not None and device["serial"] == SERIAL
    assert await api.device("nobody-1") is None
    assert await api.latest(made.node["id"]) is None
    with pytest.raises(NotThere):
        await api.replace("nobody-1", {"serial": OTHER_SERIAL, "csr": csr(), "who": "Li"})
    with pytest.raises(FieldError, match="is the device"):
        await api.provision(registration(OTHER_SERIAL, new_key(), id=made.node["id"]))
    replaced = await api.replace(
        made.node["id"], {"serial": OTHER_SERIAL, "csr": request(new_key(), "new"), "who": "Li"}
    )
    assert replaced.node == made.node


async def test_a_command_of_the_tools_is_answered(client: Any, api: CloudApi) -> None:
    await client.register({"id": "water-1", "kind": "water_level", "gateway": "gw-1"})
    made = await api.send_command("water-1", "status", {}, expires_s=60, who="Li")
    reply = {"node": "water-1", "id": made["id"], "status": 0, "detail": {"slot": "a"}, "time_ms": epoch_ms()}
    await report(client, replies=[reply])
    assert (await api.command(made["id"]))["detail"] == {"slot": "a"}
    assert [row["id"] for row in await api.commands("water-1")] == [made["id"]]


async def test_a_bundle_of_the_tools_is_rolled_out_and_told(tmp_path: Path, client: Any, api: CloudApi) -> None:
    await client.register({"id": "water-1", "kind": "water_level", "gateway": "gw-1"})
    await report(client, birth("water-1", epoch_ms()))
    signer = make_signing_key()
    bundle = build_bundle(
        {"lib/cityneuron/start.py": b"pass"}, version="2.0.0", board="esp32", signers=[signer],
        keys=keys_file(signer.public_key()),
    )  # fmt: skip
    (tmp_path / "key.pem").write_bytes(public_pem(signer.public_key()))
    assert (await api.upload(bundle))["version"] == "2.0.0"
    row = await api.start_rollout(
        {"version": "2.0.0", "board": "esp32", "nodes": ["water-1"], "rings": [100], "who": "Li"}
    )
    assert headline(row) == f"roll-out {row['id']}: 2.0.0 for esp32, running, 0 of 1 nodes"
    assert ring_lines(row) == [("100 %", 0.0, "0 of 1, 1 sent")]
    assert (await api.change_rollout(row["id"], "stop", "Li"))["state"] == "stopped"
    assert [each["id"] for each in await api.rollouts()] == [row["id"]]
    assert (await api.rollout(row["id"]))["why"] == "stopped by Li"


async def test_an_identity_from_the_offline_bundle_is_told_later(
    tmp_path: Path, client: Any, api: CloudApi
) -> None:
    path = tmp_path / "identities.zip"
    data = tmp_path / "data"
    await asyncio.to_thread(ca, "issue-offline", 2, "--data", data, "--to", path, "--broker", "broker.city")
    bundle = OfflineBundle(path)
    wish = {**ORDER.registration(), "serial": SERIAL, "who": "Li"}
    node = bundle.take(SERIAL, wish)
    made = bundle.provisioned(node, wish)
    assert (made.broker_host, made.broker_port) == ("broker.city", 8883)
    identity = join(node, bundle.key(node), made.certificate, made.ca)
    taken = bundle.taken()[SERIAL]
    told = await api.provision({**taken.registration, "csr": request(bundle.key(node), node)})
    assert told.certificate == made.certificate
    assert join(node, bundle.key(node), told.certificate, told.ca) == identity
