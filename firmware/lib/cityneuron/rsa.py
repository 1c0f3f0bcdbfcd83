"""Signatures of updates: RSA, PKCS#1 v1.5 over SHA-256 (RFC 8017, 8.2.2), with the exponent 65537.

The expected block is made and compared whole. Nothing is parsed out of the signature, which is where such
code goes wrong (Bleichenbacher 2006). Keys are moduli as hexadecimal text.
"""

from binascii import unhexlify

from micropython import const

_LEAST_BYTES = const(384)  # RSA-3072 to RSA-4096
_MOST_BYTES = const(512)
_SHA256 = unhexlify("3031300d060960864801650304020105000420")  # the DER head of a SHA-256 digest


def verify(modulus_hex, signature, digest):
    """Whether `signature` over `digest` (32 bytes of SHA-256) was made with the private key of this modulus."""
    try:
        modulus_bytes = unhexlify(modulus_hex)
    except ValueError:
        return False
    size = len(modulus_bytes)
    if not _LEAST_BYTES <= size <= _MOST_BYTES or len(signature) != size or len(digest) != 32:
        return False
    modulus, number = int.from_bytes(modulus_bytes, "big"), int.from_bytes(signature, "big")
    if modulus_bytes[0] < 0x80 or number >= modulus:
        return False
    tail = b"\x00" + _SHA256 + digest
    expected = b"\x00\x01" + b"\xff" * (size - 2 - len(tail)) + tail
    return pow(number, 65537, modulus).to_bytes(size, "big") == expected
