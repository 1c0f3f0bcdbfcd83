"""What devices, gateways and builders of firmware send to the cloud, for tests of identities and roll-outs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

GATEWAY = "gw-1"
SERIAL = "24:6f:28:aa:bb:cc"
OTHER_SERIAL = "24:6f:28:00:11:22"


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a node's key."""
    return ec.generate_private_key(ec.SECP256R1())


def csr(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None, name: str = "node") -> str:
    """Return a signing request as PEM."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return request.sign(key or new_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def certificate(pem: str) -> x509.Certificate:
    """Return a certificate from PEM."""
    return x509.load_pem_x509_certificate(pem.encode())


def common_name(pem: str) -> str:
    """Return whom a certificate names."""
    (name,) = certificate(pem).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


def wanted(serial: str = SERIAL, **changes: Any) -> dict[str, Any]:
    """Return what the field tools send for a device; `changes` say what is different."""
    body = {
        "serial": serial, "kind": "water_level", "site": "bridge", "district": "yangpu",
        "lat": 31.27, "lon": 121.55, "csr": csr(), "who": "Li",
    }  # fmt: skip
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def birth(node: str, time_ms: int, **changes: Any) -> dict[str, Any]:
    """Return a birth as a gateway reports it."""
    facts = {
        "node": node, "firmware": "1.0.0", "hardware": "esp32", "serial": "246f28aabbcc", "boot": 10_001,
        "trial": False, "time_ms": time_ms,
    }  # fmt: skip
    return {**facts, **changes}


def bundle(
    version: str = "2.0.0",
    board: str = "esp32",
    files: Mapping[str, bytes] | None = None,
    key: rsa.RSAPrivateKey | None = None,
) -> bytes:
    """Return a bundle; without a key its signature is none."""
    files = files or {"lib/cityneuron/start.py": b"print('on trial')\n" * 40, "keys.json": b"{}"}
    rows = [
        {"path": path, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        for path, body in files.items()
    ]
    head = json.dumps({"version": version, "board": board, "keys": 1, "files": rows}).encode()
    signature = key.sign(head, padding.PKCS1v15(), hashes.SHA256()) if key is not None else bytes(384)
    return b"CNB1" + len(head).to_bytes(4, "big") + head + signature + b"".join(files.values())


async def report(client: Any, *births: Mapping[str, Any], gateway: str = GATEWAY, **parts: Any) -> list[Any]:
    """Report as a gateway does; return the commands of the answer."""
    body = {"time_ms": client.cloud.services.now_ms(), "births": list(births), **parts}
    answer = await client.ask("PUT", f"/api/v1/gateways/{gateway}/report", json=body)
    assert answer.status == 200, answer.text
    return list(answer.json["commands"])
