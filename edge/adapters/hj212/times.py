"""The times of HJ 212: digits of local time, to and from epoch milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from edge.adapters.frame import FrameError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def time_ms(digits: str, zone: ZoneInfo) -> int:
    """Return YYYYMMDDhhmmss, or that with milliseconds, as epoch milliseconds. Raises FrameError `time`."""
    if not (digits.isascii() and digits.isdigit() and len(digits) in (14, 17)):
        raise FrameError("time", f"{digits!r} is not YYYYMMDDhhmmss")
    month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(4, 14, 2))
    try:
        moment = datetime(int(digits[:4]), month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        raise FrameError("time", f"{digits} is no time") from None
    return (moment - _EPOCH) // _MS + int(digits[14:] or 0)


def digits14(moment_ms: int, zone: ZoneInfo) -> str:
    """Return YYYYMMDDhhmmss of local time."""
    return _local(moment_ms, zone).strftime("%Y%m%d%H%M%S")


def digits17(moment_ms: int, zone: ZoneInfo) -> str:
    """Return YYYYMMDDhhmmsszzz of local time, as QN has it."""
    return f"{digits14(moment_ms, zone)}{moment_ms % 1000:03d}"


def _local(moment_ms: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + moment_ms * _MS).astimezone(zone)
