"""Keys and certificates: made once a board, checked against one another, forgotten when the board has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key
from field_rig import SERIAL, Authority

from edge.field.diagnosis import FieldError
from edge.field.identity import KeyRing, join, request


def test_a_second_run_uses_the_first_ones_key_and_then_it_goes(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    first = ring.key(SERIAL).private_numbers()
    assert ring.key(SERIAL).private_numbers() == first
    (file,) = (tmp_path / "keys").rglob("*.pem")
    assert file.stat().st_mode & 0o077 == 0
    ring.forget(SERIAL)
    assert not list((tmp_path / "keys").rglob("*.pem"))
    assert ring.key(SERIAL).private_numbers() != first


def test_key_and_certificate_become_der_for_the_board(tmp_path: Path) -> None:
    authority, key = Authority(), KeyRing(tmp_path).key(SERIAL)
    identity = join("cn-1", key, authority.certify("cn-1", request(key, "x")), authority.pem)
    files = identity.files()
    assert set(files) == {"node.key", "node.crt", "ca.crt"}
    loaded = load_der_private_key(files["node.key"], None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey) and loaded.private_numbers() == key.private_numbers()
    assert len(files["node.key"]) < 130 and len(files["node.crt"]) < 700


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    authority, ring = Authority(), KeyRing(tmp_path)
    key, other = ring.key("1111"), ring.key("2222")
    good = authority.certify("cn-1", request(key, "x"))
    for node, used, certificate, ca, reason in (
        ("cn-1", other, good, authority.pem, "another key"),
        ("cn-2", key, good, authority.pem, "does not bear the name cn-2"),
        ("cn-1", key, good, Authority().pem, "not by this authority"),
        ("cn-1", key, "nonsense", authority.pem, "no certificate"),
    ):
        with pytest.raises(FieldError, match=reason):
            join(node, used, certificate, ca)
