"""The authority by the command line: made once, exported, servers, identities for work without a link."""

from __future__ import annotations

import asyncio
import io
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from devices_rig import OTHER_SERIAL, SERIAL, certificate, common_name, csr, report, wanted
from typer.testing import CliRunner

from cloud.ca import NoAuthority
from cloud.cli import app
from cloud.errors import CloudError, Conflict, NotFound
from edge.model.errors import CityError


def run(*words: object) -> str:
    result = CliRunner().invoke(app, ["ca", *map(str, words)])
    if isinstance(result.exception, CityError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with an authority."""
    folder = tmp_path / "data"
    assert "SHA-256" in run("init", "--data", folder)
    return folder


def test_a_root_is_made_once_with_an_empty_list_beside_it(data: Path) -> None:
    assert list(x509.load_pem_x509_crl((data / "cloud" / "ca" / "crl.pem").read_bytes())) == []
    with pytest.raises(NoAuthority, match="holds an authority already"):
        run("init", "--data", data)


def test_the_root_is_exported_as_nodes_and_as_brokers_read_it(data: Path, tmp_path: Path) -> None:
    run("export", "--data", data, "--to", tmp_path / "ca.crt")
    run("export", "--data", data, "--der", "--to", tmp_path / "ca.der")
    pem = certificate((tmp_path / "ca.crt").read_text())
    assert x509.load_der_x509_certificate((tmp_path / "ca.der").read_bytes()) == pem


def test_a_servers_folder_has_all_that_a_broker_needs(data: Path, tmp_path: Path) -> None:
    said = run("issue-server", "broker.city", "127.0.0.1", "--data", data, "--to", tmp_path / "tls")
    assert {path.name for path in (tmp_path / "tls").iterdir()} == {
        "server.key", "server.crt", "ca.crt", "crl.pem",
    }  # fmt: skip
    assert stat.S_IMODE((tmp_path / "tls" / "server.key").stat().st_mode) == 0o600
    found = certificate((tmp_path / "tls" / "server.crt").read_text())
    root = certificate((tmp_path / "tls" / "ca.crt").read_text())
    found.verify_directly_issued_by(root)
    assert f"broker.city, 127.0.0.1, until {root.not_valid_after_utc:%Y-%m-%d}" in said
    with pytest.raises(Conflict, match="keys are never overwritten"):
        run("issue-server", "broker.city", "--data", data, "--to", tmp_path / "tls")


def test_a_gateways_identity_is_revoked_like_a_nodes(data: Path, tmp_path: Path) -> None:
    run("issue-gateway", "--data", data, "--to", tmp_path / "gw")
    pem = (tmp_path / "gw" / "gateway.crt").read_text()
    assert common_name(pem) == "gateway_account"
    run("revoke", "gateway_account", "--who", "Wang", "--data", data)
    (gone,) = x509.load_pem_x509_crl((data / "cloud" / "ca" / "crl.pem").read_bytes())
    assert gone.serial_number == certificate(pem).serial_number
    with pytest.raises(NotFound, match="water-1 has no certificate"):
        run("revoke", "water-1", "--who", "Wang", "--data", data)


def test_a_place_that_cannot_be_written_is_named(data: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    for words, problem in (
        (("init", "--data", blocked), NoAuthority),
        (("issue-server", "b", "--data", data, "--to", blocked / "tls"), CloudError),
        (("export", "--data", data, "--to", blocked / "ca.crt"), CloudError),
    ):
        with pytest.raises(problem, match=r"Not a directory|File exists") as caught:
            run(*words)
        assert caught.value.remedy


def test_without_an_authority_there_is_advice(tmp_path: Path) -> None:
    with pytest.raises(NoAuthority) as caught:
        run("export", "--data", tmp_path, "--to", tmp_path / "ca.crt")
    assert "cityneuron cloud ca init" in caught.value.remedy


def offline(data: Path, tmp_path: Path, count: int = 2) -> dict[str, Any]:
    """Make identities in advance; return the head of the bundle, with the contents of its files."""
    path = tmp_path / "identities.zip"
    run("issue-offline", count, "--data", data, "--to", path, "--broker", "broker.city")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as bundle:
        head: dict[str, Any] = json.loads(bundle.read("bundle.json"))
        for row in head["nodes"]:
            row["key"] = load_pem_private_key(bundle.read(row["key"]), None)
            row["certificate"] = bundle.read(row["certificate"]).decode()
        head["ca"] = bundle.read(head["ca"]).decode()
    return head


def test_identities_made_in_advance_are_whole(data: Path, tmp_path: Path) -> None:
    head = offline(data, tmp_path)
    assert head["broker"] == {"host": "broker.city", "port": 8883, "tls": True}
    assert len({row["id"] for row in head["nodes"]}) == 2
    for row in head["nodes"]:
        found = certificate(row["certificate"])
        assert common_name(row["certificate"]) == row["id"]
        assert found.public_key() == row["key"].public_key()
        found.verify_directly_issued_by(certificate(head["ca"]))
    with pytest.raises(Conflict, match="keys are never overwritten"):
        run("issue-offline", 1, "--data", data, "--to", tmp_path / "identities.zip", "--broker", "b")
    with pytest.raises(CloudError, match="no broker is named"):
        run("issue-offline", 1, "--data", data, "--to", tmp_path / "more.zip")


async def in_thread(work: Callable[..., Any], *args: Any) -> Any:
    return await asyncio.to_thread(work, *args)


async def test_an_identity_used_without_a_link_is_taken_in_later_and_stays_good(
    data: Path, tmp_path: Path, run_cloud_in: Callable[..., Any]
) -> None:
    head = await in_thread(offline, data, tmp_path)
    used, spare = head["nodes"]
    async with run_cloud_in(data) as client:

        async def provision(**changes: Any) -> Any:
            return await client.ask("POST", "/api/v1/provision", json=wanted(**changes))

        stranger = await provision(id=used["id"])
        assert stranger.status == 409
        assert "reserved" in stranger.json["error"]["message"]
        for _ in range(2):  # a lost answer is asked for again
            answer = await provision(id=used["id"], csr=csr(used["key"]))
            assert answer.status == 200, answer.text
            assert answer.json["certificate"] == used["certificate"]
        other = await provision(serial=OTHER_SERIAL, id=used["id"], csr=csr(used["key"]))
        assert other.status == 409
        await client.cloud.services.provisioner.write_revocations()
        crl = data / "cloud" / "ca" / "crl.pem"
        assert list(x509.load_pem_x509_crl(crl.read_bytes())) == [], "the node on the pole goes on"
        await provision(id=used["id"])  # a new key, with a link
        (gone,) = x509.load_pem_x509_crl(crl.read_bytes())
        assert gone.serial_number == certificate(used["certificate"]).serial_number
        answer = await client.ask("GET", f"/api/v1/nodes/{spare['id']}")
        assert answer.status == 404, "an identity nobody used is no node"
        await report(client)


async def test_a_repaired_device_is_let_in_again(data: Path, run_cloud_in: Callable[..., Any]) -> None:
    async with run_cloud_in(data) as client:
        await client.ask("POST", "/api/v1/provision", json=wanted(id="water-1"))
        body = {"serial": OTHER_SERIAL, "csr": csr(), "who": "Li"}
        await client.ask("POST", "/api/v1/nodes/water-1/replace", json=body)
        again = wanted(id="water-2")
        assert (await client.ask("POST", "/api/v1/provision", json=again)).status == 409
        said = await in_thread(run, "admit", SERIAL.upper(), "--who", "Wang", "--data", data)
        assert "replaced at water-1" in said
        assert (await client.ask("POST", "/api/v1/provision", json=again)).status == 200
    with pytest.raises(NotFound, match="is not barred"):
        await in_thread(run, "admit", SERIAL, "--who", "Wang", "--data", data)
