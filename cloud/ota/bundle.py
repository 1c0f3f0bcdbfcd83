"""A bundle of firmware as the cloud reads it: whole, and signed by a key that is trusted here.

    "CNB1" | u32 length of the header | header, JSON | signatures, 384 bytes each | the files' bytes, in order

The header names version, board, the number of signatures (`keys`) and each file with its size and SHA-256; a
signature is RSA-3072, PKCS#1 v1.5, over the SHA-256 of the header. Nodes check all of it themselves: this check
only keeps mistakes from the street.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cloud.errors import InvalidRequest
from edge.model.errors import ConfigError

MAGIC = b"CNB1"
MOST_HEADER_BYTES = 32 * 1024
MOST_BYTES = 8 * 1024 * 1024
KEY_BITS = 3_072
MOST_SIGNATURES = 4
_SIGNATURE_BYTES = KEY_BITS // 8
_HEAD = len(MAGIC) + 4
_REMEDY = "build it anew: cityneuron node update"


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """What a bundle is. `verified`: a trusted key signed it; False where the cloud knows no keys."""

    version: str
    board: str
    digest: str
    size: int
    verified: bool


def load_keys(paths: Sequence[Path]) -> tuple[rsa.RSAPublicKey, ...]:
    """Read public keys from PEM files; raise ConfigError."""
    return tuple(_key(path) for path in paths)


def read_bundle(content: bytes, keys: Sequence[rsa.RSAPublicKey]) -> Bundle:
    """Return what a bundle is. Raises InvalidRequest naming what is wrong with it."""
    header, rest = _parts(content)
    try:
        facts: dict[str, Any] = json.loads(header)
        version, board, files = facts["version"], facts["board"], facts["files"]
        signatures = int(facts["keys"])
        sizes = [int(file["size"]) for file in files]
        wanted = [(str(file["path"]), str(file["sha256"])) for file in files]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _no_bundle(f"its header is not that of a bundle: {type(error).__name__} {error}") from None
    for name, value in (("version", version), ("board", board)):
        if not isinstance(value, str) or not re.fullmatch(r"[!-~]{1,32}", value):
            raise _no_bundle(f"its {name} is no text of 1 to 32 letters, digits and signs")
    if not sizes or min(sizes) < 0 or not 1 <= signatures <= MOST_SIGNATURES:
        raise _no_bundle(f"it has {len(sizes)} files and {signatures} signatures")
    signed = signatures * _SIGNATURE_BYTES
    if len(rest) != signed + sum(sizes):
        raise _no_bundle(f"{len(rest)} bytes follow its header, {signed + sum(sizes)} should")
    ends = list(accumulate(sizes, initial=signed))
    for (path, digest), start, end in zip(wanted, ends[:-1], ends[1:], strict=True):
        if hashlib.sha256(rest[start:end]).hexdigest() != digest:
            raise _no_bundle(f"the bytes of {path[:80]} are not those that its header names")
    if keys and not _signed(header, rest[:signed], keys):
        raise InvalidRequest(
            "no trusted key signed this bundle", remedy="sign it with a key of [provision] update_keys"
        )
    return Bundle(
        version=version,
        board=board,
        digest=hashlib.sha256(content).hexdigest(),
        size=len(content),
        verified=bool(keys),
    )


def _parts(content: bytes) -> tuple[bytes, bytes]:
    if content[:4] != MAGIC:
        raise _no_bundle(f"it does not begin with {MAGIC.decode()}")
    length = int.from_bytes(content[4:_HEAD], "big")
    if not 0 < length <= min(MOST_HEADER_BYTES, len(content) - _HEAD):
        raise _no_bundle(f"its header has {length} bytes, the whole {len(content)}")
    return content[_HEAD : _HEAD + length], content[_HEAD + length :]


def _signed(header: bytes, signatures: bytes, keys: Sequence[rsa.RSAPublicKey]) -> bool:
    parts = [
        signatures[start : start + _SIGNATURE_BYTES] for start in range(0, len(signatures), _SIGNATURE_BYTES)
    ]
    return any(_verifies(key, part, header) for key in keys for part in parts)


def _verifies(key: rsa.RSAPublicKey, signature: bytes, header: bytes) -> bool:
    try:
        key.verify(signature, header, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _key(path: Path) -> rsa.RSAPublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path} is no public key: {error}", remedy="give a PEM file") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size != KEY_BITS:
        raise ConfigError(f"{path} is no RSA key of {KEY_BITS} bits", remedy="nodes take no other")
    return key


def _no_bundle(why: str) -> InvalidRequest:
    return InvalidRequest(f"this is no whole bundle: {why}", remedy=_REMEDY)
