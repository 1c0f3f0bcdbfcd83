"""Mute timings: days, times and zones that Grafana takes. No range may go backwards (monday:sunday)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dashboards.check.durations import is_zone
from dashboards.check.fault import Fault, Faults
from dashboards.check.files import Files, Json
from dashboards.check.walk import as_dicts

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
"""A week begins on Sunday."""
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")


def check(files: Files) -> Faults:
    """Look at every interval of every mute timing."""
    seen: set[str] = set()
    for name, timing in files.entries("muteTimes"):
        own = str(timing.get("name"))
        where = f"mute timing “{own}”"
        if own in seen:
            yield Fault(
                file=name, where=where, what="has a name given twice", remedy="put the intervals under one"
            )
        seen.add(own)
        if not as_dicts(timing.get("time_intervals")):
            yield Fault(file=name, where=where, what="has no interval: it mutes nothing", remedy="give it one")
        for interval in as_dicts(timing.get("time_intervals")):
            if not interval.keys() - {"location"}:
                yield Fault(file=name, where=where, what="mutes always", remedy="say when: times, weekdays…")
            for what, remedy in _interval(interval):
                yield Fault(file=name, where=where, what=what, remedy=remedy)


def _interval(interval: Json) -> Iterator[tuple[str, str]]:
    for times in as_dicts(interval.get("times")):
        start, end = str(times.get("start_time")), str(times.get("end_time"))
        if not (_CLOCK.fullmatch(start) and _CLOCK.fullmatch(end)):
            yield f"lasts from {start} to {end}", "write HH:MM, from 00:00 to 24:00"
        elif start >= end:
            yield f"ends at {end}, before it begins at {start}", "make two: until 24:00, and from 00:00"
    for key, low, high, words in (
        ("weekdays", 0, 6, _DAYS),
        ("months", 1, 12, _MONTHS),
        ("days_of_month", 1, 31, ()),
        ("years", 1970, 2100, ()),
    ):
        for entry in interval.get(key) or ():
            yield from _range(key, str(entry), low, high, words)
    zone = interval.get("location")
    if zone is not None and not is_zone(str(zone)):
        yield f"is in {zone!r}, which is no time zone", "write a zone such as Asia/Shanghai"


def _range(key: str, entry: str, low: int, high: int, words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    ends = [_number(part.strip().lower(), low, words) for part in entry.split(":")]
    inside = [
        end
        for end in ends
        if end is not None and (low <= end <= high or (key == "days_of_month" and -31 <= end < 0))
    ]
    if not 1 <= len(ends) <= 2 or len(inside) != len(ends):
        yield (
            f"says {entry!r} for {key}",
            f"write {words[0]}… " if words else f"write a number from {low} to {high}",
        )
    elif len(inside) == 2 and inside[0] > inside[1] and not (inside[0] > 0 > inside[1]):
        yield f"says {entry} for {key}, which goes backwards", _TURNED.get(key, "put the earlier first")


_TURNED = {"weekdays": "Sunday is the first day of a week: list the days, or write sunday:saturday"}


def _number(part: str, low: int, words: tuple[str, ...]) -> Any:
    if part in words:
        return words.index(part) + low
    # weekdays are words only; months may be numbers too
    return int(part) if re.fullmatch(r"-?\d+", part) and words is not _DAYS else None
