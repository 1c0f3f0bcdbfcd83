"""The certificate authority: one root, kept; certificates that say who a node is; the list of revoked ones."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from devices_rig import certificate, common_name, csr, new_key

from cloud.ca import GATEWAY, Authority, NoAuthority, requested_key, write_whole
from cloud.errors import InvalidRequest
from edge.model.errors import IdentityError

NOW_MS = 1_795_000_000_000
DAY = timedelta(days=1)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "ca", NOW_MS)


def test_a_root_is_made_once_and_never_overwritten(authority: Authority) -> None:
    before = (authority.folder / "root.key").read_bytes()
    with pytest.raises(NoAuthority, match="holds an authority already"):
        Authority.create(authority.folder, NOW_MS)
    assert (authority.folder / "root.key").read_bytes() == before
    assert Authority.open(authority.folder).fingerprint == authority.fingerprint


def test_only_its_owner_can_read_the_roots_key(authority: Authority) -> None:
    key = authority.folder / "root.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(authority.folder.stat().st_mode) == 0o700
    key.chmod(0o640)
    with pytest.raises(NoAuthority, match="others may read") as caught:
        Authority.open(authority.folder)
    assert caught.value.remedy == f"chmod 600 {key}"


def test_a_key_with_a_passphrase_opens_with_it_alone(tmp_path: Path) -> None:
    made = Authority.create(tmp_path / "ca", NOW_MS, passphrase="open sesame")
    assert b"ENCRYPTED" in (tmp_path / "ca" / "root.key").read_bytes()
    assert Authority.open(tmp_path / "ca", passphrase="open sesame").fingerprint == made.fingerprint
    for wrong in ("", "open barley"):
        with pytest.raises(NoAuthority, match="cannot be opened") as caught:
            Authority.open(tmp_path / "ca", passphrase=wrong)
        assert "CITYNEURON_CA_PASSPHRASE" in caught.value.remedy


def test_without_an_authority_the_remedy_is_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NoAuthority, match="no certificate authority") as caught:
        Authority.open(tmp_path)
    assert "cityneuron cloud ca init" in caught.value.remedy


def test_a_key_of_another_root_is_not_believed(authority: Authority, tmp_path: Path) -> None:
    other = Authority.create(tmp_path / "other", NOW_MS)
    (other.folder / "root.key").rename(authority.folder / "root.key")
    with pytest.raises(NoAuthority, match=r"not the key of root\.crt"):
        Authority.open(authority.folder)


def test_a_certificate_names_its_node_from_yesterday_to_the_end_of_the_root(
    authority: Authority,
) -> None:
    key = new_key()
    identity = authority.sign("water-1", key.public_key(), NOW_MS)
    found, root = certificate(identity.pem), certificate(authority.root_pem)
    assert common_name(identity.pem) == "water-1"
    assert found.public_key() == key.public_key()
    found.verify_directly_issued_by(root)
    assert found.not_valid_after_utc == root.not_valid_after_utc
    assert found.not_valid_before_utc.timestamp() * 1000 == NOW_MS - 86_400_000
    assert identity.not_after_ms == root.not_valid_after_utc.timestamp() * 1000 == NOW_MS + 7_300 * 86_400_000
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_no_certificate_names_what_is_no_node(authority: Authority) -> None:
    with pytest.raises(IdentityError):
        authority.sign("Water_1", new_key().public_key(), NOW_MS)
    assert common_name(authority.sign(GATEWAY, new_key().public_key(), NOW_MS).pem) == GATEWAY


def test_a_servers_certificate_names_its_hosts(authority: Authority) -> None:
    pem = authority.sign_server(["broker.city", "10.0.0.5"], new_key().public_key(), NOW_MS).decode()
    names = certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["broker.city"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.5"]
    root = certificate(authority.root_pem)
    assert certificate(pem).not_valid_after_utc == root.not_valid_after_utc
    with pytest.raises(InvalidRequest, match="no host name"):
        authority.sign_server(["中文"], new_key().public_key(), NOW_MS)


@pytest.mark.parametrize(("days", "lasts_days"), [(90, 91), (30_000, 7_301)])
def test_a_servers_certificate_may_be_shorter_than_the_root_and_never_longer(
    authority: Authority, days: int, lasts_days: int
) -> None:
    found = certificate(authority.sign_server(["b"], new_key().public_key(), NOW_MS, days).decode())
    assert found.not_valid_after_utc - found.not_valid_before_utc == lasts_days * DAY


def test_the_list_of_revoked_certificates_is_signed_and_lasts_as_long_as_the_root(authority: Authority) -> None:
    identity = authority.sign("water-1", new_key().public_key(), NOW_MS)
    crl = x509.load_pem_x509_crl(authority.revocations([(identity.number, NOW_MS)], NOW_MS))
    root = certificate(authority.root_pem)
    assert crl.is_signature_valid(root.public_key())  # type: ignore[arg-type]
    assert [entry.serial_number for entry in crl] == [certificate(identity.pem).serial_number]
    assert crl.next_update_utc == root.not_valid_after_utc


def test_a_request_must_be_p256_and_signed_by_its_own_key() -> None:
    key = new_key()
    assert requested_key(csr(key, "anything")) == key.public_key()
    body = csr(key)
    for bad, problem in (
        ("no PEM", "cannot be read"),
        (csr(rsa.generate_private_key(65537, 2048)), "not EC P-256"),
        (csr(ec.generate_private_key(ec.SECP384R1())), "not EC P-256"),
        (_with_a_bit_turned(body), "not signed by its own key|cannot be read"),
        ("x" * 9_000, "too long"),
    ):
        with pytest.raises(InvalidRequest, match=problem) as caught:
            requested_key(bad)
        assert "openssl req" in caught.value.remedy


def _with_a_bit_turned(pem: str) -> str:
    """A request whose name was changed after it was signed."""
    request = x509.load_pem_x509_csr(pem.encode())
    der = request.public_bytes(Encoding.DER).replace(b"node", b"mode")
    return x509.load_der_x509_csr(der).public_bytes(Encoding.PEM).decode()


def test_a_file_is_replaced_at_one_stroke(tmp_path: Path) -> None:
    path = tmp_path / "crl.pem"
    write_whole(path, b"old")
    (tmp_path / "crl.pem.new").write_bytes(b"torn by a power cut")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["crl.pem"]
