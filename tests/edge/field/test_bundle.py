"""Bundles on the host: what was built can be read and verified, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from edge.field.bundle import (
    BundleError,
    build_bundle,
    keys_file,
    load_signing_key,
    make_signing_key,
    public_pem,
    read_bundle,
    save_signing_key,
    verify_bundle,
)

FILES = {"lib/cityneuron/start.mpy": b"M\x06" * 500, "drivers/__init__.mpy": b""}


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return make_signing_key()


@pytest.fixture(scope="module")
def other() -> RSAPrivateKey:
    return make_signing_key()


def built(
    key: RSAPrivateKey, files: dict[str, bytes] = FILES, version: str = "0.2.0", *more: RSAPrivateKey
) -> bytes:
    return build_bundle(
        files, version=version, board="esp32", signers=[key, *more], keys=keys_file(key.public_key())
    )


def test_a_bundle_comes_back_as_it_was_built_and_brings_its_keys(key: RSAPrivateKey) -> None:
    bundle = verify_bundle(built(key), [key.public_key()])

    assert (bundle.version, bundle.board) == ("0.2.0", "esp32")
    assert {**bundle.files} == {**FILES, "keys.json": keys_file(key.public_key())}
    assert [entry.path for entry in bundle.entries] == sorted(bundle.files)


def test_the_header_is_json_with_one_file_a_line(key: RSAPrivateKey) -> None:
    header = read_bundle(built(key)).header.decode()

    first, *rows, last = header.splitlines()
    assert json.loads(f"{first}]}}") == {"version": "0.2.0", "board": "esp32", "keys": 1, "files": []}
    assert [json.loads(row.rstrip(","))["path"] for row in rows] == sorted([*FILES, "keys.json"])
    assert last == "]}" and json.loads(header)


def test_two_keys_can_sign_for_the_time_of_a_change(key: RSAPrivateKey, other: RSAPrivateKey) -> None:
    content = built(key, FILES, "0.2.0", other)

    for signer in (key, other):
        assert verify_bundle(content, [signer.public_key()]).version == "0.2.0"


def test_a_strangers_bundle_is_not_verified(key: RSAPrivateKey, other: RSAPrivateKey) -> None:
    with pytest.raises(BundleError, match="none of these keys signed"):
        verify_bundle(built(other), [key.public_key()])


def test_any_changed_byte_is_noticed(key: RSAPrivateKey) -> None:
    content = built(key)
    for at in (0, 7, 20, len(content) // 3, len(content) - 1):
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        with pytest.raises(BundleError):
            verify_bundle(changed, [key.public_key()])


@pytest.mark.parametrize("cut", [0, 3, 7, 8, 100, 1_000, -1])
def test_a_bundle_that_is_cut_short_is_none(key: RSAPrivateKey, cut: int) -> None:
    with pytest.raises(BundleError):
        read_bundle(built(key)[:cut])


@pytest.mark.parametrize(
    ("files", "version", "reason"),
    [
        (FILES, "two", "no version"),
        (FILES, "1", "no version"),
        ({}, "0.2.0", "start.py is missing"),
        ({**FILES, "../boot.py": b""}, "0.2.0", "no file of a slot"),
        ({**FILES, "drivers/../../boot.py": b""}, "0.2.0", "no file of a slot"),
        ({**FILES, "boot.py": b""}, "0.2.0", "no file of a slot"),
        ({**FILES, "drivers/a b.py": b""}, "0.2.0", "no file of a slot"),
        ({**FILES, "drivers/big.py": bytes(300_000)}, "0.2.0", "a node takes"),
        ({**FILES, **{f"drivers/d{n}.py": b"" for n in range(300)}}, "0.2.0", "a node takes 256"),
    ],
)
def test_what_no_node_would_take_is_not_built(
    key: RSAPrivateKey, files: dict[str, bytes], version: str, reason: str
) -> None:
    with pytest.raises(BundleError, match=reason):
        built(key, files, version)


def test_only_keys_that_nodes_can_check_are_given_to_them(key: RSAPrivateKey, other: RSAPrivateKey) -> None:
    held = json.loads(keys_file(key.public_key(), other.public_key()))

    assert int(held["current"], 16) == key.public_key().public_numbers().n
    assert len(held["current"]) == len(held["next"]) == 768
    with pytest.raises(BundleError, match="2048 bits"):
        keys_file(generate_private_key(65_537, 2_048).public_key())


def test_a_signing_key_is_its_owners_alone_and_never_overwritten(tmp_path: Path, key: RSAPrivateKey) -> None:
    path = tmp_path / "update.key"
    save_signing_key(path, key, "a phrase")

    assert path.stat().st_mode & 0o777 == 0o600
    assert load_signing_key(path, "a phrase").private_numbers() == key.private_numbers()
    with pytest.raises(BundleError, match="never overwritten"):
        save_signing_key(path, key)
    for phrase in ("", "another"):
        with pytest.raises(BundleError, match="passphrase"):
            load_signing_key(path, phrase)


def test_what_is_no_signing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot read"):
        load_signing_key(tmp_path / "none")
    curve = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "curve").write_bytes(curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(BundleError, match="no RSA key"):
        load_signing_key(tmp_path / "curve")


def test_the_cloud_gets_the_public_key_as_pem(key: RSAPrivateKey) -> None:
    assert load_pem_public_key(public_pem(key.public_key())) == key.public_key()
