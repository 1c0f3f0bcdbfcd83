"""Bundles: an update of the firmware in one signed file, which a node fetches, judges and tries.

    "CNB1" | u32 length of the header | header, JSON | signatures, 384 bytes each | the files' bytes, in order

The header names version, board, the number of signatures (`keys`), and each file with size and SHA-256. It is
laid out a file a line, so that a node reads it line by line. A signature is RSA-3072, PKCS#1 v1.5, over the
SHA-256 of the header. A node holds two public keys, the current and the next (keys.json in its slot), and takes
what either signed; every bundle brings the keys along, so that they can be changed from afar.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key

from edge.model.errors import CityError

MAGIC = b"CNB1"
KEYS_FILE = "keys.json"
IMAGE_FILE = "firmware.bin"
"""MicroPython itself, for an ESP32 with two firmware partitions."""
START = ("lib/cityneuron/start.py", "lib/cityneuron/start.mpy")
KEY_BITS = 3_072
EXPONENT = 65_537
MOST_HEADER_BYTES = 32_768
MOST_FILES = 256
MOST_FILE_BYTES = 262_144
MOST_IMAGE_BYTES = 4_194_304
MOST_SIGNATURES = 4
_SIGNATURE_BYTES = KEY_BITS // 8
_HEAD_BYTES = len(MAGIC) + 4
_VERSION = re.compile(r"[0-9]+(\.[0-9]+){1,3}")
_BOARD = re.compile(r"[a-z][a-z0-9_]{1,31}")
_PATH = re.compile(r"(lib/cityneuron|drivers|boards)(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+")
_ANEW = "build it anew"


class BundleError(CityError):
    """Bytes that are no bundle, or files of which none can be made."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A file of a bundle; `path` is relative to the slot, `sha256` is hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """A bundle that is whole: its sizes and hashes agree. Who signed it is another question."""

    version: str
    board: str
    entries: tuple[Entry, ...]
    header: bytes
    signatures: tuple[bytes, ...]
    files: Mapping[str, bytes]

    def is_signed_by(self, key: RSAPublicKey) -> bool:
        """Whether one of the signatures was made with this key."""
        return any(_verifies(key, signature, self.header) for signature in self.signatures)


def build_bundle(
    files: Mapping[str, bytes], *, version: str, board: str, signers: Sequence[RSAPrivateKey], keys: bytes
) -> bytes:
    """Return a bundle of a slot's files (see `edge.field.image.slot_files`), signed with each key.

    `keys` becomes keys.json in the new slot (see `keys_file`). Raises BundleError.
    """
    if not _VERSION.fullmatch(version) or len(version) > 32:
        raise BundleError(f"{version!r} is no version", remedy="numbers and dots, such as 0.2.0")
    if not _BOARD.fullmatch(board):
        raise BundleError(f"{board!r} is no board", remedy="give the name that births show as hardware")
    if not 1 <= len(signers) <= MOST_SIGNATURES:
        raise BundleError(f"{len(signers)} signatures", remedy=f"sign with 1 to {MOST_SIGNATURES} keys")
    whole = {**files, KEYS_FILE: keys}
    _check(whole)
    header = _header(whole, version, board, len(signers))
    if len(header) > MOST_HEADER_BYTES:
        raise BundleError(f"the header has {len(header)} bytes", remedy="leave files out")
    signatures = (signer.sign(header, padding.PKCS1v15(), hashes.SHA256()) for signer in signers)
    length = len(header).to_bytes(4, "big")
    return b"".join((MAGIC, length, header, *signatures, *(whole[path] for path in sorted(whole))))


def read_bundle(content: bytes) -> Bundle:
    """Read a bundle. Raises BundleError that says what is wrong with it."""
    length = int.from_bytes(content[len(MAGIC) : _HEAD_BYTES], "big")
    if content[: len(MAGIC)] != MAGIC or not 0 < length <= min(MOST_HEADER_BYTES, len(content) - _HEAD_BYTES):
        raise BundleError("these bytes are no bundle", remedy=_ANEW)
    header, rest = content[_HEAD_BYTES : _HEAD_BYTES + length], content[_HEAD_BYTES + length :]
    try:
        facts = json.loads(header)
        entries = tuple(
            Entry(path=str(row["path"]), size=int(row["size"]), sha256=str(row["sha256"]))
            for row in facts["files"]
        )
        version, board, signed = str(facts["version"]), str(facts["board"]), int(facts["keys"])
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"the header is not that of a bundle: {error}", remedy=_ANEW) from None
    ends = list(accumulate((entry.size for entry in entries), initial=signed * _SIGNATURE_BYTES))
    if ends[-1] != len(rest):
        raise BundleError(f"{len(rest)} bytes follow the header, {ends[-1]} should", remedy=_ANEW)
    files = {entry.path: rest[start:end] for entry, start, end in zip(entries, ends, ends[1:], strict=False)}
    for entry in entries:
        if hashlib.sha256(files[entry.path]).hexdigest() != entry.sha256:
            raise BundleError(f"{entry.path} is not what the header names", remedy=_ANEW)
    signatures = tuple(
        rest[at : at + _SIGNATURE_BYTES] for at in range(0, signed * _SIGNATURE_BYTES, _SIGNATURE_BYTES)
    )
    return Bundle(
        version=version, board=board, entries=entries, header=header, signatures=signatures, files=files
    )


def verify_bundle(content: bytes, keys: Sequence[RSAPublicKey]) -> Bundle:
    """Read a bundle that one of the keys signed. Raises BundleError."""
    bundle = read_bundle(content)
    if not any(bundle.is_signed_by(key) for key in keys):
        raise BundleError("none of these keys signed the bundle", remedy="sign it with the nodes' current key")
    return bundle


def keys_file(current: RSAPublicKey, following: RSAPublicKey | None = None) -> bytes:
    """Return keys.json of a slot: the keys whose bundles the node takes, as hexadecimal moduli."""
    held = {"current": _modulus(current)}
    if following is not None:
        held["next"] = _modulus(following)
    return json.dumps(held).encode()


def make_signing_key() -> RSAPrivateKey:
    """Return a new key that signs bundles. Keep it where no node and no server is."""
    return generate_private_key(EXPONENT, KEY_BITS)


def save_signing_key(path: Path, key: RSAPrivateKey, passphrase: str = "") -> None:
    """Write a key as PEM, readable by its owner alone, encrypted when there is a passphrase."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BundleError(f"{path} exists", remedy="a key that signed bundles is never overwritten") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)


def load_signing_key(path: Path, passphrase: str = "") -> RSAPrivateKey:
    """Read a key that signs bundles. Raises BundleError."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), passphrase.encode() or None)
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}", remedy="make one first") from None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BundleError(f"{path}: {error}", remedy="is the passphrase right?") from None
    if not isinstance(key, RSAPrivateKey):
        raise BundleError(f"{path} is no RSA key", remedy=f"make one of {KEY_BITS} bits")
    _modulus(key.public_key())
    return key


def public_pem(key: RSAPublicKey) -> bytes:
    """Return a public key as PEM, as the cloud's `update_keys` take it."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _modulus(key: RSAPublicKey) -> str:
    numbers = key.public_numbers()
    if key.key_size != KEY_BITS or numbers.e != EXPONENT:
        raise BundleError(
            f"an RSA key of {key.key_size} bits and exponent {numbers.e}",
            remedy=f"nodes take {KEY_BITS} bits and {EXPONENT}",
        )
    return f"{numbers.n:0{KEY_BITS // 4}x}"


def _check(files: Mapping[str, bytes]) -> None:
    if len(files) > MOST_FILES:
        raise BundleError(f"{len(files)} files, a node takes {MOST_FILES}", remedy="leave some out")
    if not any(path in files for path in START):
        raise BundleError(f"{START[0]} is missing", remedy="give all files of a slot")
    for path, content in files.items():
        most = MOST_IMAGE_BYTES if path == IMAGE_FILE else MOST_FILE_BYTES
        if path not in (KEYS_FILE, IMAGE_FILE) and (
            not _PATH.fullmatch(path) or ".." in path or len(path) > 64
        ):
            raise BundleError(f"{path!r} is no file of a slot", remedy="lib/cityneuron, drivers or boards")
        if len(content) > most:
            raise BundleError(f"{path} has {len(content)} bytes, a node takes {most}", remedy="make it smaller")


def _header(files: Mapping[str, bytes], version: str, board: str, signatures: int) -> bytes:
    """Return the header, a file a line: a node has no room for all of it at once."""
    rows = [
        json.dumps({"path": path, "size": len(files[path]), "sha256": hashlib.sha256(files[path]).hexdigest()})
        for path in sorted(files)
    ]
    first = json.dumps({"version": version, "board": board, "keys": signatures})[:-1] + ', "files": ['
    return "\n".join((first, ",\n".join(rows), "]}\n")).encode()


def _verifies(key: RSAPublicKey, signature: bytes, header: bytes) -> bool:
    try:
        key.verify(signature, header, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
