"""Chance without memory: the same key gives the same number, in any process, in any order."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from math import floor

_MASK = (1 << 64) - 1


@lru_cache(maxsize=65_536)
def key(*parts: object) -> int:
    """Return a 64-bit key of what is asked for (seed, node, quantity...)."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def draw(base: int, index: int) -> float:
    """Return a number in [0, 1) for a place in an endless row of draws (SplitMix64)."""
    z = (base + index * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((z ^ (z >> 31)) >> 11) / (1 << 53)


def unit(*parts: object) -> float:
    """Return a number in [0, 1) that belongs to the key."""
    return draw(key(*parts), 0)


def between(low: float, high: float, *parts: object) -> float:
    """Return a number in [low, high) that belongs to the key."""
    return low + (high - low) * unit(*parts)


def smooth(base: int, t_s: float, period_s: float) -> float:
    """Return a gentle random course in [-1, 1] at `t_s`, with a new direction about every `period_s`."""
    position = t_s / period_s
    index = floor(position)
    part = position - index
    part = part * part * (3 - 2 * part)
    a, b = draw(base, index), draw(base, index + 1)
    return 2 * (a + (b - a) * part) - 1


def course(base: int, t_s: float, period_s: float) -> float:
    """Return a rougher random course in [-1, 1]: three octaves of `smooth`."""
    return (
        4 * smooth(base, t_s, period_s)
        + 2 * smooth(base + 1, t_s, period_s / 3.1)
        + smooth(base + 2, t_s, period_s / 9.7)
    ) / 7
