"""The certificate authority: who is let onto the broker.

One root (EC P-256) in a folder of its own, made once and never overwritten. It signs a certificate for each
node, with the node's id as its common name, one for each broker, and the list of those that are revoked.
P-256 throughout: an ESP32 signs with it in a tenth of the time that RSA takes.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud.errors import CloudError, InvalidRequest
from edge.model.node import node_id

PASSPHRASE_VARIABLE = "CITYNEURON_CA_PASSPHRASE"  # the name of a variable, no secret
ROOT_DAYS = 20 * 365
BACKDATED = timedelta(days=1)  # a node's clock may be behind when it first connects
MOST_CSR_BYTES = 8_192
GATEWAY = "gateway_account"
"""The gateways' name at the broker (deploy/mosquitto/acl.conf); no node can bear it."""
_ROOT_NAME = "City Neuron root"
_PURPOSES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
_Leaf = ec.EllipticCurvePublicKey


class NoAuthority(CloudError):
    """There is no authority yet, or its key cannot be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """A certificate as the registry keeps it; `key_digest` is the SHA-256 of its public key."""

    node: str
    pem: str
    fingerprint: str
    number: str
    key_digest: str
    not_after_ms: int


class Authority:
    """The root, opened. `now_ms` is the cloud's clock."""

    def __init__(self, folder: Path, key: ec.EllipticCurvePrivateKey, root: x509.Certificate) -> None:
        self.folder, self._key, self._root = folder, key, root

    @classmethod
    def create(cls, folder: Path, now_ms: int, *, passphrase: str = "") -> Authority:
        """Make a root. Raises NoAuthority when there is one: it is never overwritten."""
        if (folder / "root.key").exists() or (folder / "root.crt").exists():
            raise NoAuthority(
                f"{folder} holds an authority already", remedy="keep it: every node trusts it; or name another"
            )
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(_ROOT_NAME)
        root = (
            _dated(name, name, key.public_key(), now_ms, _time(now_ms) + timedelta(days=ROOT_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            write_once(folder / "root.key", private_pem(key, passphrase), mode=0o600)
            write_once(folder / "root.crt", _pem(root), mode=0o644)
        except OSError as error:
            raise NoAuthority(
                f"{error.filename}: {error.strerror}", remedy="choose another folder or correct its owner"
            ) from error
        return cls(folder, key, root)

    @classmethod
    def open(cls, folder: Path, *, passphrase: str = "") -> Authority:
        """Open the root of a folder. Raises NoAuthority."""
        path = folder / "root.key"
        try:
            loose = path.stat().st_mode & 0o077
            key_pem, root_pem = path.read_bytes(), (folder / "root.crt").read_bytes()
        except FileNotFoundError:
            raise NoAuthority(
                f"there is no certificate authority in {folder}", remedy="make one: cityneuron cloud ca init"
            ) from None
        except OSError as error:
            raise NoAuthority(f"cannot read {error.filename}: {error.strerror}") from None
        if loose:
            raise NoAuthority(f"others may read {path}", remedy=f"chmod 600 {path}")
        try:
            key = serialization.load_pem_private_key(key_pem, passphrase.encode() or None)
            root = x509.load_pem_x509_certificate(root_pem)
        except (TypeError, ValueError) as error:
            raise NoAuthority(
                f"{path} cannot be opened: {error}", remedy=f"set {PASSPHRASE_VARIABLE}, or restore a backup"
            ) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != root.public_key():
            raise NoAuthority(f"{path} is not the key of root.crt", remedy="restore both from one backup")
        return cls(folder, key, root)

    @property
    def root_pem(self) -> str:
        """The root's certificate, which nodes and brokers trust."""
        return _pem(self._root).decode()

    @property
    def root_der(self) -> bytes:
        """The same as nodes keep it."""
        return self._root.public_bytes(serialization.Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the root's certificate, in hexadecimal digits."""
        return self._root.fingerprint(hashes.SHA256()).hex()

    def sign(self, node: str, public_key: _Leaf, now_ms: int) -> Identity:
        """Return a node's certificate, as lasting as the root; its common name is the node's id, or GATEWAY.

        Nobody climbs every pole of a city by a date (so IEEE 802.1AR): who must not speak any more is revoked.
        """
        name = node if node == GATEWAY else node_id(node)
        builder = self._leaf(name, public_key, now_ms, ExtendedKeyUsageOID.CLIENT_AUTH)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Identity(
            node=node,
            pem=_pem(certificate).decode(),
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
            number=f"{certificate.serial_number:x}",
            key_digest=key_digest(public_key),
            not_after_ms=round(certificate.not_valid_after_utc.timestamp() * 1000),
        )

    def sign_server(
        self, hosts: Sequence[str], public_key: _Leaf, now_ms: int, days: int | None = None
    ) -> bytes:
        """Return the certificate of a broker that answers to these names and addresses, as PEM.

        It lasts as long as the root, or so many days.
        """
        if not hosts:
            raise InvalidRequest("a server needs a name", remedy="name the hosts by which nodes reach it")
        names = x509.SubjectAlternativeName([_host(host) for host in hosts])
        builder = self._leaf(hosts[0][:64], public_key, now_ms, ExtendedKeyUsageOID.SERVER_AUTH, days)
        return _pem(builder.add_extension(names, critical=False).sign(self._key, hashes.SHA256()))

    def revocations(self, revoked: Collection[tuple[str, int]], now_ms: int) -> bytes:
        """Return the list of revoked certificates, (number, revoked_ms), as PEM.

        It is valid as long as the root: a broker refuses everybody when its list has run out.
        """
        moment = _time(now_ms)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._root.subject)
            .last_update(moment - BACKDATED)
            .next_update(self._root.not_valid_after_utc)
            .add_extension(x509.CRLNumber(max(1, now_ms)), critical=False)
            .add_extension(self._issuer(), critical=False)
        )
        for number, revoked_ms in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(int(number, 16))
            builder = builder.add_revoked_certificate(entry.revocation_date(_time(revoked_ms)).build())
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _leaf(
        self,
        name: str,
        public_key: _Leaf,
        now_ms: int,
        purpose: x509.ObjectIdentifier,
        days: int | None = None,
    ) -> x509.CertificateBuilder:
        end = self._root.not_valid_after_utc
        if days is not None:
            end = min(end, _time(now_ms) + timedelta(days=days))
        return (
            _dated(_name(name), self._root.subject, public_key, now_ms, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(self._issuer(), critical=False)
        )

    def _issuer(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())


def requested_key(csr_pem: str) -> ec.EllipticCurvePublicKey:
    """Return the public key of a certificate signing request. Raises InvalidRequest naming what is wrong.

    The name in it does not matter: the certificate's is that of the node.
    """
    remedy = "make one with an EC P-256 key: openssl req -new -key node.key -subj /CN=NODE"
    if len(csr_pem) > MOST_CSR_BYTES:
        raise InvalidRequest("the signing request is too long", remedy=remedy)
    try:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        key = csr.public_key()
        good = csr.is_signature_valid
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise InvalidRequest(f"the signing request cannot be read: {error}"[:200], remedy=remedy) from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidRequest("the signing request's key is not EC P-256", remedy=remedy)
    if not good:
        raise InvalidRequest("the signing request is not signed by its own key", remedy=remedy)
    return key


def private_pem(key: ec.EllipticCurvePrivateKey, passphrase: str = "") -> bytes:
    """Return a private key as PEM, encrypted when there is a passphrase."""
    cipher = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher)


def key_digest(key: ec.EllipticCurvePublicKey) -> str:
    """Return the SHA-256 of a public key, in hexadecimal digits."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def write_once(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file that must not be there, whole and on disk before this returns."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace a file at one stroke: who reads it sees the old or the new one, never a part."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    write_once(new, content, mode=mode)
    new.replace(path)


def _dated(
    subject: x509.Name, issuer: x509.Name, key: _Leaf, now_ms: int, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_time(now_ms) - BACKDATED)
        .not_valid_after(end)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*purposes: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{purpose: purpose in purposes for purpose in _PURPOSES})


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host)
    except ValueError:
        raise InvalidRequest(f"{host!r} is no host name", remedy="use letters, digits, - and .") from None


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _time(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms // 1000, UTC)
