"""Signatures on a real MicroPython: what a good key signed is taken, and nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

if TYPE_CHECKING:
    from conftest import MicroPython

TEXT = b'{"version": "0.2.0"}'
SIZE = 384


def modulus(key: RSAPrivateKey) -> str:
    return f"{key.public_key().public_numbers().n:x}"


def block(key: RSAPrivateKey, body: bytes) -> bytes:
    """Return the signature whose block is `body`: what a key's owner could make, but must not get through."""
    numbers = key.private_numbers()
    number = pow(int.from_bytes(body, "big"), numbers.d, numbers.public_numbers.n)
    return number.to_bytes(SIZE, "big")


def test_only_a_whole_signature_of_a_strong_key_over_this_text_is_good(
    micropython: MicroPython, tmp_path: Path
) -> None:
    key, weak, large = (generate_private_key(65_537, bits) for bits in (3_072, 2_048, 4_096))
    digest, other = hashlib.sha256(TEXT).digest(), hashlib.sha256(b"other").digest()
    good = key.sign(TEXT, padding.PKCS1v15(), hashes.SHA256())
    head = bytes.fromhex("3031300d060960864801650304020105000420")
    filled = b"\x00\x01" + b"\xff" * (SIZE - 3 - len(head) - 32) + b"\x00" + head + digest
    short = b"\x00\x01" + b"\xff" * 8 + b"\x00" + head + digest
    cases = [
        (key, good, digest, True),
        (key, block(key, filled), digest, True),
        (large, large.sign(TEXT, padding.PKCS1v15(), hashes.SHA256()), digest, True),
        (key, good, other, False),
        (weak, weak.sign(TEXT, padding.PKCS1v15(), hashes.SHA256()), digest, False),
        (key, key.sign(TEXT, padding.PKCS1v15(), hashes.SHA512()), digest, False),
        (key, key.sign(TEXT, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()), digest, False),
        (key, block(key, short + bytes(SIZE - len(short))), digest, False),  # Bleichenbacher 2006
        (key, block(key, filled[:2] + b"\xfe" + filled[3:]), digest, False),
        (key, bytes([good[0] ^ 1]) + good[1:], digest, False),
        (key, good[:-1], digest, False),
        (key, bytes(SIZE), digest, False),
        (key, bytes(SIZE - 1) + b"\x01", digest, False),
        (key, b"\xff" * SIZE, digest, False),
    ]
    rows = [(modulus(who), signature.hex(), over.hex(), right) for who, signature, over, right in cases]
    rows += [("no hexadecimal", good.hex(), digest.hex(), False), ("", good.hex(), digest.hex(), False)]
    (tmp_path / "rows").write_text(json.dumps(rows), encoding="utf-8")

    lines = micropython.run("check_rsa.py", tmp_path / "rows")

    assert len(lines) == len(rows)
    print(f"RSA-3072 on MicroPython: {lines[0]}, a bad one {lines[3]}")
