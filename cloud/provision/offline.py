"""Identities made in advance, for work where there is no link: a ZIP of keys, certificates and reserved ids.

The ids belong to whoever holds the keys. When the link is back, each is taken in by an ordinary request
`POST provision` whose signing request carries the key of the bundle: the device keeps its certificate.
"""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy.orm import Session

from cloud.ca import Authority, Identity, private_pem
from cloud.provision import records
from cloud.registry import Registry

MOST_AT_ONCE = 1_000
PREFIX = "spare"


async def issue(
    registry: Registry, authority: Authority, count: int, now_ms: int, about: Mapping[str, object]
) -> bytes:
    """Return a bundle of so many identities; their ids are reserved before this returns.

    `bundle.json` is {"made_ms", "ca": file, "nodes": [{"id", "key": file, "certificate": file,
    "not_after_ms"}], **about}; the files beside it are PEM.
    """
    made: list[tuple[Identity, ec.EllipticCurvePrivateKey]] = []
    for _ in range(count):
        key = ec.generate_private_key(ec.SECP256R1())
        made.append((authority.sign(f"{PREFIX}-{secrets.token_hex(5)}", key.public_key(), now_ms), key))

    def reserve(session: Session) -> None:
        for identity, _ in made:
            records.keep(session, identity, now_ms, reserved=True)

    await registry.transact(reserve)
    rows = [
        {
            "id": identity.node,
            "key": f"{identity.node}/node.key",
            "certificate": f"{identity.node}/node.crt",
            "not_after_ms": identity.not_after_ms,
        }
        for identity, _ in made
    ]
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as bundle:
        head = {"made_ms": now_ms, "ca": "ca.crt", "nodes": rows, **about}
        bundle.writestr("bundle.json", json.dumps(head, indent=1))
        bundle.writestr("ca.crt", authority.root_pem)
        for (identity, key), row in zip(made, rows, strict=True):
            bundle.writestr(str(row["key"]), private_pem(key))
            bundle.writestr(str(row["certificate"]), identity.pem)
    return body.getvalue()
