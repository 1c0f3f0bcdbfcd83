"""A bundle of firmware as the depot takes it: whole, and signed by a key that is trusted here.

Nodes check all of it themselves (edge/field/bundle.py says how): this only keeps mistakes from the street.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from cloud.errors import InvalidRequest
from edge.field.bundle import KEY_BITS, BundleError
from edge.field.bundle import read_bundle as read_whole
from edge.model.errors import ConfigError

MOST_BYTES = 8 * 1024 * 1024
_NAME = re.compile(r"[!-~]{1,32}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """What a bundle is. `verified`: a trusted key signed it; False where the cloud knows no keys."""

    version: str
    board: str
    digest: str
    size: int
    verified: bool


def load_keys(paths: Sequence[Path]) -> tuple[RSAPublicKey, ...]:
    """Read public keys from PEM files; raise ConfigError."""
    return tuple(_key(path) for path in paths)


def read_bundle(content: bytes, keys: Sequence[RSAPublicKey]) -> Bundle:
    """Return what a bundle is. Raises InvalidRequest naming what is wrong with it."""
    try:
        found = read_whole(content)
    except (BundleError, RecursionError) as error:
        raise InvalidRequest(f"this is no whole bundle: {error}", remedy="build it anew") from None
    for name, value in (("version", found.version), ("board", found.board)):
        if not _NAME.fullmatch(value):
            raise InvalidRequest(f"the bundle's {name} is {value[:40]!r}", remedy="1 to 32 letters and digits")
    if not found.entries or not found.signatures:
        raise InvalidRequest("the bundle has no files, or no signature", remedy="build it anew")
    if keys and not any(found.is_signed_by(key) for key in keys):
        raise InvalidRequest(
            "no trusted key signed this bundle", remedy="sign it with a key of [provision] update_keys"
        )
    return Bundle(
        version=found.version,
        board=found.board,
        digest=hashlib.sha256(content).hexdigest(),
        size=len(content),
        verified=bool(keys),
    )


def _key(path: Path) -> RSAPublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path} is no public key: {error}", remedy="give a PEM file") from None
    if not isinstance(key, RSAPublicKey) or key.key_size != KEY_BITS:
        raise ConfigError(f"{path} is no RSA key of {KEY_BITS} bits", remedy="nodes take no other")
    return key
