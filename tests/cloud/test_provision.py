"""Devices become nodes: again after any failure, never two of one name, and every step is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from devices_rig import OTHER_SERIAL, SERIAL, birth, certificate, common_name, csr, report, wanted

from cloud.ca import Authority
from cloud.services import epoch_ms

PROVISION = "/api/v1/provision"


@pytest.fixture
async def client(tmp_path: Path, run_cloud_in: Callable[..., Any]) -> AsyncIterator[Any]:
    """A cloud with an authority and nothing else."""
    Authority.create(tmp_path / "data" / "cloud" / "ca", epoch_ms())
    async with run_cloud_in(tmp_path / "data") as client:
        yield client


async def provision(client: Any, serial: str = SERIAL, **changes: Any) -> Any:
    answer = await client.ask("POST", PROVISION, json=wanted(serial, **changes))
    assert answer.status == 200, answer.text
    return answer.json


async def refused(client: Any, path: str, body: dict[str, Any], status: int = 409) -> dict[str, str]:
    answer = await client.ask("POST", path, json=body)
    assert answer.status == status, answer.text
    error: dict[str, str] = answer.json["error"]
    assert error["remedy"]
    return error


async def device(client: Any, node: str) -> Any:
    return await client.get(f"/api/v1/nodes/{node}/device")


def revoked(tmp_path: Path) -> set[int]:
    crl = x509.load_pem_x509_crl((tmp_path / "data" / "cloud" / "ca" / "crl.pem").read_bytes())
    return {entry.serial_number for entry in crl}


async def test_a_device_becomes_a_node_with_all_that_it_needs(client: Any) -> None:
    answer = await provision(client, label={"zh": "桥下水位"})
    node = answer["node"]
    assert node["id"] == "water-level-aabbcc"
    assert (node["lat"], node["district"], node["label"]["zh"]) == (31.27, "yangpu", "桥下水位")
    assert common_name(answer["certificate"]) == node["id"]
    certificate(answer["certificate"]).verify_directly_issued_by(certificate(answer["ca"]))
    assert answer["broker"] == {"host": "127.0.0.1", "port": 8883, "tls": True}
    assert answer["ntp_hosts"]
    assert (await client.get("/api/v1/nodes/water-level-aabbcc"))["kind"] == "water_level"
    found = await device(client, node["id"])
    assert found["serial"] == SERIAL
    assert found["certificate"]["fingerprint"]
    assert found["notes"] == []


async def test_the_same_device_again_is_the_same_node_and_its_old_certificate_is_revoked(
    client: Any, tmp_path: Path
) -> None:
    first = await provision(client)
    again = await provision(client, "246F28AABBCC", lat=None, lon=None, site=None, district=None)
    assert again["node"] == {**first["node"], "label": again["node"]["label"]}
    assert again["certificate"] != first["certificate"]
    assert revoked(tmp_path) == {certificate(first["certificate"]).serial_number}


async def test_another_device_does_not_get_a_name_that_is_taken(client: Any) -> None:
    await provision(client, id="water-1")
    error = await refused(client, PROVISION, wanted(OTHER_SERIAL, id="water-1"))
    assert SERIAL in error["message"] and "node replace water-1" in error["remedy"]
    error = await refused(client, PROVISION, wanted(SERIAL, id="water-2"))
    assert "is node water-1 already" in error["message"]
    assert [node["id"] for node in (await client.get("/api/v1/nodes"))["nodes"]] == ["water-1"]


async def test_ids_made_of_serials_do_not_clash(client: Any) -> None:
    first = await provision(client, "00:00:00:aa:bb:cc")
    second = await provision(client, "11:11:11:aa:bb:cc")
    assert first["node"]["id"] == "water-level-aabbcc"
    assert second["node"]["id"] == "water-level-11aabbcc"


async def test_a_node_that_was_planned_gets_its_device_and_keeps_what_was_planned(client: Any) -> None:
    await client.register(
        {"id": "water-1", "kind": "water_level", "lat": 31.1, "lon": 121.1, "stages": {"warning_m": 3.3}}
    )
    node = (await provision(client, id="water-1", lat=None, lon=None))["node"]
    assert (node["lat"], node["stages"]) == (31.1, {"warning_m": 3.3})
    error = await refused(client, PROVISION, wanted(OTHER_SERIAL, id="water-1", kind="noise"))
    assert "water-1 is the device" in error["message"]
    await client.register({"id": "water-2", "kind": "water_level"})
    error = await refused(client, PROVISION, wanted(OTHER_SERIAL, id="water-2", kind="noise"))
    assert "is a water_level, not a noise" in error["message"]


async def test_a_request_that_is_none_changes_nothing(client: Any) -> None:
    error = await refused(client, PROVISION, wanted(csr="nothing"), 400)
    assert "signing request" in error["message"]
    await refused(client, PROVISION, wanted(lon=None), 400)
    assert (await client.get("/api/v1/nodes"))["nodes"] == []


async def test_without_an_authority_the_answer_says_how_to_make_one(
    tmp_path: Path, run_cloud_in: Callable[..., Any]
) -> None:
    async with run_cloud_in(tmp_path / "bare") as client:
        error = await refused(client, PROVISION, wanted(), 503)
        assert "cityneuron cloud ca init" in error["remedy"]
        Authority.create(tmp_path / "bare" / "cloud" / "ca", epoch_ms())
        await provision(client)  # the running cloud finds it


async def test_an_authority_that_cannot_be_opened_keeps_nobody_from_the_city(
    tmp_path: Path, run_cloud_in: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    Authority.create(tmp_path / "city" / "cloud" / "ca", epoch_ms(), passphrase="lost")
    async with run_cloud_in(tmp_path / "city") as client:
        assert (await client.get("/api/v1/health"))["status"] == "ok"
        error = await refused(client, PROVISION, wanted(), 503)
        assert "CITYNEURON_CA_PASSPHRASE" in error["remedy"]
    assert "revoked certificates was not written" in caplog.text
    async with run_cloud_in(tmp_path / "city", ca_passphrase="lost") as client:
        await provision(client)


async def test_another_device_takes_a_nodes_place_and_the_old_one_is_barred(
    client: Any, tmp_path: Path
) -> None:
    first = await provision(client, id="water-1")
    await report(client, birth("water-1", epoch_ms(), trial=True))
    assert (await client.get("/api/v1/nodes/water-1"))["trial"] is True
    body = {"serial": OTHER_SERIAL, "csr": csr(), "who": "Wang"}
    answer = await client.ask("POST", "/api/v1/nodes/water-1/replace", json=body)
    assert answer.status == 200, answer.text
    assert answer.json["node"]["lat"] == first["node"]["lat"]
    assert answer.json["node"]["trial"] is False, "what the old device tried ended with it"
    assert certificate(first["certificate"]).serial_number in revoked(tmp_path)
    found = await device(client, "water-1")
    assert (found["serial"], found["firmware"], found["boot"]) == (OTHER_SERIAL, None, None)
    error = await refused(client, PROVISION, wanted(SERIAL))
    assert "was replaced at water-1" in error["message"] and "ca admit" in error["remedy"]
    again = await client.ask("POST", "/api/v1/nodes/water-1/replace", json={**body, "csr": csr()})
    assert again.status == 200, "after a lost answer it may be asked again"
    steps = (await client.get("/api/v1/nodes/water-1/steps"))["steps"]
    assert [(step["who"], step["step"]) for step in steps] == [
        ("Li", "provision"), ("Wang", "replace"), ("Wang", "replace"),
    ]  # fmt: skip


async def test_a_device_that_is_another_node_replaces_nobody(client: Any) -> None:
    await provision(client, id="water-1")
    await provision(client, OTHER_SERIAL, id="water-2")
    body = {"serial": OTHER_SERIAL, "csr": csr(), "who": "Li"}
    error = await refused(client, "/api/v1/nodes/water-1/replace", body)
    assert "is node water-2 already" in error["message"]
    await refused(client, "/api/v1/nodes/water-9/replace", {**body, "serial": "9999"}, 404)


async def test_births_tell_what_runs_and_an_old_one_changes_nothing(client: Any) -> None:
    await provision(client, id="water-1")
    now_ms = epoch_ms()
    await report(client, birth("water-1", now_ms, firmware="2.0.0", trial=True, boot=20_002))
    await report(client, birth("water-1", now_ms - 1, firmware="1.0.0"))
    found = await device(client, "water-1")
    assert (found["firmware"], found["trial"], found["boot"], found["born_ms"], found["gateway"]) == (
        "2.0.0", True, 20_002, now_ms, "gw-1",
    )  # fmt: skip
    assert "born_serial" not in found, "24:6f:28:aa:bb:cc and 246f28aabbcc are one device"


async def test_a_birth_of_another_device_is_shown_as_such(client: Any) -> None:
    await provision(client, id="water-1")
    await report(client, birth("water-1", epoch_ms(), serial="246f28001122"))
    found = await device(client, "water-1")
    assert (found["serial"], found["born_serial"]) == (SERIAL, "246f28001122")


async def test_births_in_one_report_may_repeat_and_may_be_of_strangers(client: Any) -> None:
    now_ms = epoch_ms()
    await report(client, birth("nobody-1", now_ms), birth("nobody-1", now_ms + 1, boot=3))
    await client.register({"id": "nobody-1", "kind": "noise"})
    assert (await device(client, "nobody-1"))["boot"] == 3


async def test_notes_and_places_are_kept_with_who_and_when(client: Any) -> None:
    await provision(client, id="water-1")
    body = {"who": "Wang", "text": "ladder needed\n爬梯在东侧"}
    answer = await client.ask("POST", "/api/v1/nodes/water-1/notes", json=body)
    assert [(note["who"], note["text"]) for note in answer.json["notes"]] == [("Wang", body["text"])]
    change = {"lat": 31.5, "lon": 121.5, "label": {"en": "Bridge"}, "who": "Wang"}
    answer = await client.ask("PATCH", "/api/v1/nodes/water-1", json=change)
    assert (answer.json["lat"], answer.json["label"]["en"], answer.json["site"]) == (31.5, "Bridge", "bridge")
    last = (await client.get("/api/v1/nodes/water-1/steps"))["steps"][-1]
    assert (last["step"], last["who"]) == ("place", "Wang") and "31.27 -> 31.5" in last["text"]
    await client.ask("PATCH", "/api/v1/nodes/water-1", json=change)
    assert len((await client.get("/api/v1/nodes/water-1/steps"))["steps"]) == 3, "what is equal is no step"


@pytest.mark.parametrize("path", ["device", "steps", "commands"])
async def test_a_node_that_is_not_there_is_told(client: Any, path: str) -> None:
    answer = await client.ask("GET", f"/api/v1/nodes/nobody-1/{path}")
    assert answer.status == 404 and answer.json["error"]["remedy"]
