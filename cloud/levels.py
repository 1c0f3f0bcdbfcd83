"""The levels of resolution, from what was sensed to days: their windows, their making, their keeping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from edge.config import read_table
from edge.model.errors import ConfigError

HOUR_MS = 3_600_000
DAY_MS = 86_400_000


class Level(StrEnum):
    """How fine the values of a database are."""

    RAW = "raw"
    HOURS = "hours"
    DAYS = "days"

    @property
    def suffix(self) -> str:
        """What the name of the level's database ends with."""
        return "" if self is Level.RAW else f"_{self.value}"


ROLLED = (Level.HOURS, Level.DAYS)
WINDOW_S: dict[Level, int] = {Level.HOURS: 3_600, Level.DAYS: 86_400}
"""How long a window of a rolled level lasts; a day on which clocks are changed is an hour off."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RollupConfig:
    """The [rollup] table of cloud.toml.

    settle_s: how long after its end an hour is rolled up. look_back_days: how far back late data is looked for,
    once a day. first_days: how far back the first start rolls up what is there.
    """

    enabled: bool = True
    settle_s: float = 120.0
    look_back_days: float = 7.0
    first_days: float = 31.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesConfig:
    """The [series] table of cloud.toml: what the cloud itself writes into the store of readings."""

    enabled: bool = True
    period_s: float = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepConfig:
    """The [keep] table of cloud.toml: how many days each level is kept; 0 is without end."""

    raw_days: float = 0.0
    hours_days: float = 0.0
    days_days: float = 0.0

    def of(self, level: Level) -> float:
        """Return how many days a level is kept."""
        return {Level.RAW: self.raw_days, Level.HOURS: self.hours_days, Level.DAYS: self.days_days}[level]


@dataclass(frozen=True, kw_only=True, slots=True)
class Levels:
    """All that cloud.toml says of what the cloud writes."""

    series: SeriesConfig
    rollup: RollupConfig
    keep: KeepConfig


def read_levels(table: Mapping[str, Any], place: str) -> Levels:
    """Read [series], [rollup] and [keep]; raise ConfigError."""
    found = Levels(
        series=read_table(SeriesConfig, table.get("series", {}), f"{place}: series"),
        rollup=read_table(RollupConfig, table.get("rollup", {}), f"{place}: rollup"),
        keep=read_table(KeepConfig, table.get("keep", {}), f"{place}: keep"),
    )
    rollup, keep = found.rollup, found.keep
    if found.series.period_s < 1:
        raise ConfigError(f"{place}: series.period_s is less than a second", remedy="use 60")
    if not (0 <= rollup.settle_s <= 3_600 and 1 <= rollup.look_back_days <= 366 and rollup.first_days >= 1):
        raise ConfigError(
            f"{place}: rollup is out of range",
            remedy="settle_s: 0 to 3600; look_back_days: 1 to 366; first_days: at least 1",
        )
    if min(keep.raw_days, keep.hours_days, keep.days_days) < 0:
        raise ConfigError(f"{place}: keep has a negative number of days", remedy="use 0 for: without end")
    if rollup.enabled and 0 < keep.raw_days < rollup.look_back_days + 2:
        raise ConfigError(
            f"{place}: keep.raw_days {keep.raw_days:g} is too short for rollup.look_back_days",
            remedy=f"keep at least {rollup.look_back_days + 2:g} days, or look back less far",
        )
    return found


def window_start(level: Level, time_ms: int, zone: ZoneInfo) -> int:
    """Return where the window of a rolled level that holds this time begins: hours and days of local time."""
    moment = datetime.fromtimestamp(time_ms / 1_000, zone)
    if level is Level.DAYS:
        return _epoch_ms(datetime.combine(moment.date(), time(), zone))
    offset = moment.utcoffset() or timedelta()
    return time_ms - (time_ms + int(offset.total_seconds() * 1_000)) % HOUR_MS


def window_end(level: Level, start_ms: int, zone: ZoneInfo) -> int:
    """Return where the window that begins at `start_ms` ends, and the next one begins."""
    if level is Level.HOURS:
        return start_ms + HOUR_MS
    day = datetime.fromtimestamp(start_ms / 1_000, zone).date() + timedelta(days=1)
    return _epoch_ms(datetime.combine(day, time(), zone))


def _epoch_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)
