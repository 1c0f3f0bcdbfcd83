"""Quality flags as QARTOD defines them (IOOS, Manual for Real-Time Quality Control of Water Level Data)."""

from __future__ import annotations

from enum import IntEnum


class Flag(IntEnum):
    """QARTOD primary flags; a higher number is not always worse (9 is "no value")."""

    PASS = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


EARLIEST_MS = 1_262_304_000_000  # 2010-01-01: clocks without a battery wake in 1970 or 2000


class Clock(IntEnum):
    """How far the clock that stamped a reading could be trusted."""

    SYNCED = 0
    ESTIMATED = 1
    UNKNOWN = 2
