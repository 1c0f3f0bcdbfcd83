"""When a rule is in force: hours of the day and days of the week, in the city's own time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from edge.model.errors import ConfigError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """From `begin` until `end` (a day's minutes; over midnight when end <= begin), on these days.

    A span over midnight belongs to the day on which it begins.
    """

    begin_min: int
    end_min: int
    days: frozenset[int]
    zone: str

    def span(self, t_ms: int) -> tuple[bool, int]:
        """Return whether the rule is in force at a time, and until when that answer holds."""
        zone = _zone(self.zone)
        today = datetime.fromtimestamp(t_ms / 1000, zone).date()
        edges: list[tuple[int, bool]] = []
        length = (self.end_min - self.begin_min) % 1440 or 1440
        reach = -1
        for shift in range(-1, 9):
            day = today + timedelta(days=shift)
            if day.weekday() not in self.days:
                continue
            begin = _at(day, self.begin_min, zone)
            end = _at(day, self.begin_min + length, zone)
            if begin > reach:
                edges.append((begin, True))
            else:
                edges.pop()  # the last span goes on without a break
            edges.append((end, False))
            reach = end
        active = False
        for edge_ms, opens in edges:
            if edge_ms > t_ms:
                return active, edge_ms
            active = opens
        return active, t_ms + 7 * 86_400_000


def _at(day: date, minutes: int, zone: ZoneInfo) -> int:
    moment = datetime.combine(day + timedelta(days=minutes // 1440), time(minutes % 1440 // 60, minutes % 60))
    return int(moment.replace(tzinfo=zone).astimezone(UTC).timestamp() * 1000)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def read_schedule(table: Any, zone: str, place: str) -> Schedule:
    """Read {from = "22:00", until = "06:00", days = ["mon", ...]}; each key may be left out."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"{place} is not a table", remedy='write { from = "22:00", until = "06:00" }')
    for key in table:
        if key not in ("from", "until", "days"):
            raise ConfigError(f"{place}: unknown key {key!r}", remedy="known: from, until, days")
    days = table.get("days", list(DAYS))
    if not isinstance(days, list) or not days or any(day not in DAYS for day in days):
        raise ConfigError(f"{place}.days: {days!r} are no weekdays", remedy=f"use some of {', '.join(DAYS)}")
    begin = _minutes(table.get("from", "00:00"), f"{place}.from")
    end = _minutes(table.get("until", "24:00"), f"{place}.until")
    return Schedule(begin_min=begin, end_min=end, days=frozenset(map(DAYS.index, days)), zone=zone)


def _minutes(text: Any, place: str) -> int:
    hours, colon, minutes = str(text).partition(":")
    if colon and hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2 and int(minutes) < 60:
        found = int(hours) * 60 + int(minutes)
        if found <= 1440:
            return found
    raise ConfigError(f"{place}: {text!r} is no time of day", remedy='write it like "06:00"')
