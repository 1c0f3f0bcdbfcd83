"""The toolbox of a real workplace, from its configuration."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from edge.field.bundle import keys_file
from edge.field.config import FieldConfig
from edge.field.identity import KeyRing
from edge.field.micropython import ImageShelf
from edge.field.toolbox import Toolbox
from edge.model.errors import ConfigError


def toolbox(config: FieldConfig) -> Toolbox:
    """Return what boards are worked on with. Raises ConfigError."""
    return Toolbox(
        keys=KeyRing(config.state),
        shelf=ImageShelf(config.firmware),
        update_keys=held_keys([Path(name).expanduser() for name in config.update_keys]),
    )


def held_keys(paths: list[Path]) -> bytes:
    """Return keys.json of one or two public keys, nothing without any. Raises ConfigError."""
    keys = [read_public_key(path) for path in paths]
    if len(keys) > 2:
        raise ConfigError(f"{len(keys)} update keys", remedy="a node holds two: the current one and the next")
    return keys_file(*keys) if keys else b""


def read_public_key(path: Path) -> RSAPublicKey:
    """Read a public RSA key (PEM). Raises ConfigError."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} is no public key: {error}", remedy="cityneuron node bundle keys FILE"
        ) from None
    if not isinstance(key, RSAPublicKey):
        raise ConfigError(f"{path} is no RSA key", remedy="cityneuron node bundle keys FILE")
    return key
