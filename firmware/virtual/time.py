"""The wall clock of a virtual board: as on the chip, it starts at nothing and holds what machine.RTC was told.

Seconds count from 2000 on an ESP32 and from 1970 on a Pico, whose clock wakes in 2021. Ticks are the host's.
"""

import sys

import bridge
import utime
from utime import *  # noqa: F403

_SECONDS_1970_TO_2000 = 946_684_800
_EPOCH_S = _SECONDS_1970_TO_2000 if sys.platform == "esp32" else 0
_offset_ms = 0


def set_offset(ms):
    """Set how far this clock is from the host's, and return it; None leaves it."""
    global _offset_ms
    if ms is not None:
        _offset_ms = ms
    return _offset_ms


def unix_ms():
    return utime.time_ns() // 1_000_000 + _offset_ms


def sleep_ms(ms):
    bridge.wait(max(0, ms))


def sleep(seconds):
    bridge.wait(max(0, int(seconds * 1000)))


def time():
    return unix_ms() // 1000 - _EPOCH_S


def time_ns():
    return (unix_ms() - _EPOCH_S * 1000) * 1_000_000


def gmtime(seconds=None):
    return utime.gmtime((time() if seconds is None else seconds) + _EPOCH_S)[:8]


localtime = gmtime


def mktime(parts):
    return days(parts[0], parts[1], parts[2]) * 86_400 + parts[3] * 3600 + parts[4] * 60 + parts[5] - _EPOCH_S


def days(year, month, day):
    """Return the days from 1970-01-01 to a date of the Gregorian calendar."""
    if month < 3:
        year, month = year - 1, month + 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day - 719_469
