"""The depot: whole bundles by trusted hands, found by their digest, fetched in parts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from devices_rig import bundle

from cloud.errors import InvalidRequest
from cloud.ota.bundle import load_keys, read_bundle
from cloud.provision.config import ProvisionConfig
from edge.model.errors import ConfigError

FIRMWARE = "/api/v1/firmware"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 3_072)


def written(folder: Path, key: rsa.RSAPrivateKey, name: str = "key.pem") -> Path:
    path = folder / name
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def test_a_bundle_says_its_version_board_and_digest(key: rsa.RSAPrivateKey) -> None:
    body = bundle(key=key)
    found = read_bundle(body, [key.public_key()])
    assert (found.version, found.board, found.size, found.verified) == ("2.0.0", "esp32", len(body), True)
    assert found.digest == hashlib.sha256(body).hexdigest()
    assert not read_bundle(body, []).verified


def test_only_what_a_trusted_key_signed_is_taken(key: rsa.RSAPrivateKey) -> None:
    other = rsa.generate_private_key(65537, 3_072).public_key()
    assert read_bundle(bundle(key=key), [other, key.public_key()]).verified
    for body in (bundle(), bundle(key=key).replace(b'"2.0.0"', b'"2.0.1"')):
        with pytest.raises(InvalidRequest, match="no trusted key signed"):
            read_bundle(body, [key.public_key()])
    with pytest.raises(InvalidRequest, match="no trusted key signed"):
        read_bundle(bundle(key=key), [other])


FILE = {"path": "lib/cityneuron/start.py", "size": 0, "sha256": hashlib.sha256(b"").hexdigest()}


def headed(**changes: Any) -> bytes:
    head = json.dumps({"version": "2", "board": "b", "keys": 1, "files": [FILE], **changes}).encode()
    return b"CNB1" + len(head).to_bytes(4, "big") + head + bytes(384)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "no whole bundle"),
        (b"PK\x03\x04 a zip", "no whole bundle"),
        (b"CNB1\xff\xff\xff\xff{}", "no whole bundle"),
        (b"CNB1\x00\x00\x00\x02{}", "not that of a bundle"),
        (b"CNB1\x00\x00\x75\x30" + b"[" * 30_000, "no whole bundle"),
        (bundle()[:-1], "bytes follow the header"),
        (bundle() + b"x", "bytes follow the header"),
        (bundle()[:-1] + b"x", "keys.json is not what the header names"),
        (headed(version=""), "version is ''"),
        (headed(board="a b"), "board is 'a b'"),
        (headed(files=[]), "no files, or no signature"),
        (headed(files="x"), "not that of a bundle"),
    ],
)
def test_what_is_no_whole_bundle_is_refused(body: bytes, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem) as caught:
        read_bundle(body, [])
    assert caught.value.remedy


def test_a_key_that_nodes_cannot_use_is_refused_at_the_start(tmp_path: Path) -> None:
    small = written(tmp_path, rsa.generate_private_key(65537, 2_048))
    for path, problem in ((small, "no RSA key of 3072 bits"), (tmp_path / "none", "cannot read")):
        with pytest.raises(ConfigError, match=problem):
            load_keys([path])
    small.write_text("no key")
    with pytest.raises(ConfigError, match="is no public key"):
        load_keys([small])


async def test_a_bundle_is_kept_once_and_fetched_in_parts_without_a_token(client: Any) -> None:
    body = bundle()
    answer = await client.ask("POST", FIRMWARE, data=body)
    assert answer.status == 200, answer.text
    assert (answer.json["version"], answer.json["board"], answer.json["size"]) == ("2.0.0", "esp32", len(body))
    assert (await client.ask("POST", FIRMWARE, data=body)).json == answer.json
    (row,) = (await client.get(FIRMWARE))["firmware"]
    assert row["digest"] == answer.json["digest"] == hashlib.sha256(body).hexdigest()
    path = client.cloud.url + f"/firmware/{row['digest']}"
    async with client.session.get(path) as whole:
        assert await whole.read() == body
    async with client.session.get(path, headers={"Range": "bytes=100-"}) as rest:
        assert rest.status == 206
        assert rest.headers["Content-Range"] == f"bytes 100-{len(body) - 1}/{len(body)}"
        assert await rest.read() == body[100:]
    async with client.session.get(path, headers={"Range": f"bytes={len(body)}-"}) as beyond:
        assert beyond.status == 416


async def test_one_version_is_one_bundle(client: Any) -> None:
    await client.ask("POST", FIRMWARE, data=bundle())
    files = {"lib/cityneuron/start.py": b"another", "keys.json": b"{}"}
    answer = await client.ask("POST", FIRMWARE, data=bundle(files=files))
    assert answer.status == 409
    assert "version 2.0.0 for esp32 already" in answer.json["error"]["message"]
    assert (await client.ask("POST", FIRMWARE, data=bundle(board="pico_w"))).status == 200


async def test_a_bundle_without_a_token_or_that_is_none_is_refused(client: Any) -> None:
    assert (await client.ask("POST", FIRMWARE, data=bundle(), headers={})).status == 401
    assert (await client.ask("POST", FIRMWARE, data=b"CNB1")).status == 400
    assert (await client.ask("POST", FIRMWARE, data=bytes(9 * 1024 * 1024))).status == 413
    assert (await client.ask("GET", f"/firmware/{'0' * 64}")).status == 404


async def test_with_keys_configured_only_signed_bundles_enter(
    tmp_path: Path, run_cloud_in: Callable[..., Any], key: rsa.RSAPrivateKey
) -> None:
    config = ProvisionConfig(update_keys=(str(written(tmp_path, key)),))
    async with run_cloud_in(tmp_path / "data", provision=config) as client:
        assert (await client.ask("POST", FIRMWARE, data=bundle())).status == 400
        assert (await client.ask("POST", FIRMWARE, data=bundle(key=key))).status == 200
        assert (await client.get(FIRMWARE))["firmware"][0]["verified"]
