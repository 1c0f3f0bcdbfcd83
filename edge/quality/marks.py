"""What the tests found about one value, as one number: a bit for each test and severity, and what it means.

Test names are those of QARTOD (IOOS, Manual for Real-Time Quality Control of Water Level Data) where it has the
test; the others name what they found. The order of TESTS is part of the stored state: append, never insert.
"""

from __future__ import annotations

from functools import lru_cache

from edge.model.quality import Flag

TESTS = (
    "missing", "syntax", "sentinel", "gross_range", "saturation", "warm_up", "gap", "order", "rate_of_change",
    "excursion", "spike", "flat_line", "counter_reset", "cross_total", "cross_lamp", "cross_ice", "neighbours",
)  # fmt: skip
"""Every test, by name."""

_WIDTH = 32
_ALL = (1 << _WIDTH) - 1


def suspect(test: str) -> int:
    """Return the mark of a test that doubts a value."""
    return 1 << TESTS.index(test)


def fail(test: str) -> int:
    """Return the mark of a test that a value failed."""
    return suspect(test) << _WIDTH


def unsure(test: str) -> int:
    """Return the mark of a test that kept others from being evaluated: the value itself is not doubted."""
    return suspect(test) << 2 * _WIDTH


MISSING = suspect("missing")


@lru_cache(maxsize=4096)
def meaning(marks: int) -> tuple[Flag, tuple[str, ...]]:
    """Return the aggregate flag, the worst of all tests, and the names of those that did not pass."""
    doubted, failed = marks & _ALL, marks >> _WIDTH & _ALL
    names = tuple(
        name for index, name in enumerate(TESTS) if (marks | marks >> _WIDTH | marks >> 2 * _WIDTH) >> index & 1
    )
    if marks & MISSING:
        return Flag.MISSING, names
    if failed:
        return Flag.FAIL, names
    if doubted:
        return Flag.SUSPECT, names
    return (Flag.NOT_EVALUATED if marks else Flag.PASS), names


def halves(marks: int) -> tuple[int, int, int]:
    """Return marks as three 32-bit numbers, for storage."""
    return marks & _ALL, marks >> _WIDTH & _ALL, marks >> 2 * _WIDTH


def joined(doubted: int, failed: int, unsure_of: int) -> int:
    """Return the marks that `halves` took apart."""
    return doubted | failed << _WIDTH | unsure_of << 2 * _WIDTH
