"""A node's identity: its key never leaves this computer but for the board, and goes when the board has it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from edge.field.diagnosis import Symptom, diagnose
from edge.folder import write_secret

PrivateKey = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What a node shows to the broker, as its flash keeps it (DER)."""

    node: str
    key: bytes
    certificate: bytes
    ca: bytes

    def files(self) -> dict[str, bytes]:
        """Return the files of the node's flash."""
        return {"node.key": self.key, "node.crt": self.certificate, "ca.crt": self.ca}


class KeyRing:
    """Keys of boards under way, one folder a serial number (0700): a second run uses the first one's key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "keys"

    def key(self, serial: str) -> ec.EllipticCurvePrivateKey:
        """Return the key of a board, made when it is first asked for (P-256)."""
        file = self._file(serial)
        if file.exists():
            found = load_pem_private_key(file.read_bytes(), None)
            if isinstance(found, ec.EllipticCurvePrivateKey):
                return found
        key = ec.generate_private_key(ec.SECP256R1())
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_secret(file, pem.decode("ascii"))
        return key

    def forget(self, serial: str) -> None:
        """Remove a board's key: the board has it, and nobody else needs it."""
        shutil.rmtree(self._file(serial).parent, ignore_errors=True)

    def _file(self, serial: str) -> Path:
        return self._folder / "".join(c for c in serial if c.isalnum()) / "key.pem"


def request(key: ec.EllipticCurvePrivateKey, name: str) -> str:
    """Return a certificate request as PEM; the authority puts the node's id in place of `name`."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode("ascii")


def join(node: str, key: ec.EllipticCurvePrivateKey, certificate_pem: str, ca_pem: str) -> Identity:
    """Return the identity that key and certificate make, or raise FieldError if they do not fit."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        ca = x509.load_pem_x509_certificate(ca_pem.encode())
    except ValueError as error:
        raise diagnose(Symptom.CERTIFICATE_FOREIGN, said=f"no certificate: {error}") from None
    if certificate.public_key() != key.public_key():
        raise diagnose(Symptom.CERTIFICATE_FOREIGN, said="it is of another key")
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if [each.value for each in names] != [node]:
        raise diagnose(Symptom.CERTIFICATE_FOREIGN, said=f"it does not bear the name {node}")
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise diagnose(
            Symptom.CERTIFICATE_FOREIGN, said=f"not by this authority ({type(error).__name__})"
        ) from None
    # "EC PRIVATE KEY" (SEC 1): what mbedTLS on a board reads with the least code
    der = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return Identity(
        node=node,
        key=der,
        certificate=certificate.public_bytes(Encoding.DER),
        ca=ca.public_bytes(Encoding.DER),
    )
