"""How one input becomes another: bytes are flipped, cut and spliced; CBOR is also changed value by value."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import cbor2

LARGEST_INPUT_BYTES = 16 * 1024
EDGES = sorted(
    {sign * (2**power + step) for power in (0, 5, 8, 16, 31, 32, 53, 63, 64, 70) for step in (-1, 0, 1)
     for sign in (1, -1)} | {1_790_000_000_000, 120_417}
)  # fmt: skip
STRANGE: tuple[Any, ...] = (
    *EDGES, 0.0, 1.5, -0.0, 1e300, math.nan, math.inf, None, True, False, "", "x" * 65, "a\nb", "é", "\u202e",
    b"", b"ab", [], {}, [[]], {"v": 1}, {1: 2}, [0], [0, 1], [0] * 70, [[0, 1, 2]] * 1_001, ["level_m", 3],
    cbor2.undefined, cbor2.CBORSimpleValue(99),
    cbor2.CBORTag(0, "2026-01-01T00:00:00Z"), cbor2.CBORTag(1, 2**62), cbor2.CBORTag(2, b"\xff" * 2_000),
    cbor2.CBORTag(3, b"\xff" * 9), cbor2.CBORTag(4, [2**62, 1]), cbor2.CBORTag(5, [2**62, 1]),
    cbor2.CBORTag(28, [cbor2.CBORTag(29, 0)]), cbor2.CBORTag(29, 3), cbor2.CBORTag(30, [1, 0]),
    cbor2.CBORTag(35, "("), cbor2.CBORTag(36, "x"), cbor2.CBORTag(37, b"1"), cbor2.CBORTag(52, b"1"),
    cbor2.CBORTag(100, 2**62), cbor2.CBORTag(256, ["a"]), cbor2.CBORTag(258, [1, 2]), cbor2.CBORTag(260, b"1"),
    cbor2.CBORTag(43000, "x"), cbor2.CBORTag(55799, 1),
)  # fmt: skip
"""What the contract has no place for, and numbers beside the edges of what it has."""

Change = Callable[[bytearray, random.Random], None]


def _flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _overwrite(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] = chance.choice(
        b"\x00\x01\x17\x18\x1b\x1f\x20\x7f\x80\x9f\xbf\xc2\xf6\xfb\xff"
    )


def _remove(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    del data[start : start + chance.choice((1, 1, 2, 4, 16))]


def _repeat(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    piece = data[start : start + chance.choice((1, 2, 4, 16, 64))]
    data[start:start] = piece * chance.choice((1, 1, 2, 20))


def _insert(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    data[start:start] = chance.randbytes(chance.choice((1, 2, 4, 9)))


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


CHANGES: tuple[Change, ...] = (_flip, _flip, _overwrite, _overwrite, _remove, _repeat, _insert, _cut)


def changed_bytes(seed: bytes, others: Sequence[bytes], words: Sequence[bytes], chance: random.Random) -> bytes:
    """Return `seed` after some changes; `words` are put in, parts of `others` spliced on."""
    data = bytearray(seed)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 6))):
        if not data:
            break
        dice = chance.random()
        at = chance.randrange(len(data))
        if words and dice < 0.3:
            data[at : at + chance.choice((0, 1))] = chance.choice(words)
        elif dice < 0.36:
            other = chance.choice(others)
            data[at:] = other[chance.randrange(len(other) + 1) :]
        else:
            chance.choice(CHANGES)(data, chance)
    return bytes(data[:LARGEST_INPUT_BYTES])


def changed_value(value: Any, chance: random.Random) -> Any:
    """Return a decoded message with one place in it changed, at any depth."""
    deeper = isinstance(value, list | dict) and value and chance.random() < 0.8
    if isinstance(value, list) and deeper:
        index = chance.randrange(len(value))
        dice = chance.random()
        if dice < 0.12:
            return value[:index] + value[index + 1 :]
        if dice < 0.2:
            return value[:index] + [value[index]] * chance.choice((2, 2, 3, 70)) + value[index + 1 :]
        if dice < 0.25:
            return [*value[:index], chance.choice(STRANGE), *value[index:]]
        return [*value[:index], changed_value(value[index], chance), *value[index + 1 :]]
    if isinstance(value, dict) and deeper:
        key = chance.choice(list(value))
        dice = chance.random()
        rest = {name: item for name, item in value.items() if name != key}
        if dice < 0.12:
            return rest
        if dice < 0.2:
            return {**rest, chance.choice(("sn", "v", "", 7, b"v", "extra")): value[key]}
        return {**rest, key: changed_value(value[key], chance)}
    if type(value) is int and chance.random() < 0.5:
        return value + chance.choice((1, -1, 2, 60_000, -60_000, 10**9))
    return chance.choice(STRANGE)
