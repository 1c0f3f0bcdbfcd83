"""Routes: which channels are told of which alerts, from which level on, and at what hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from fnmatch import fnmatchcase

from edge.model.alert import Episode, Level
from edge.model.errors import ConfigError
from edge.model.kinds import KINDS, SYSTEMS
from edge.model.node import Node

ANYWHERE = ""
"""The district of what is not registered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selector:
    """Which alerts are meant; an empty list means all. Rules may be patterns such as `air_*`."""

    systems: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    districts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    def covers(self, episode: Episode, node: Node | None) -> bool:
        """Tell whether an episode at a node is meant; what is not registered has no kind and no district."""
        kind = node.kind if node else ""
        system = KINDS[kind].system if kind in KINDS else ""
        return (
            (not self.systems or system in self.systems)
            and (not self.kinds or kind in self.kinds)
            and (not self.districts or (node is not None and node.district in self.districts))
            and (not self.rules or any(fnmatchcase(episode.rule, pattern) for pattern in self.rules))
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Quiet:
    """Hours of the city's clock in which what is below a level waits; they may pass midnight."""

    begin: time
    end: time
    below: Level

    def holds(self, level: Level, at: datetime) -> bool:
        """Tell whether an alert of this level waits at this time of the city."""
        now = at.time()
        within = self.begin <= now < self.end
        if self.begin > self.end:
            within = now >= self.begin or now < self.end
        return within and level < self.below


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """A [[alerts.route]] table."""

    channels: tuple[str, ...]
    selector: Selector = Selector()
    level: Level = Level.BLUE
    quiet: Quiet | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Escalation:
    """An [[alerts.escalation]] table: who is told when nobody acknowledged for so long."""

    after_min: float
    channels: tuple[str, ...]
    selector: Selector = Selector()
    level: Level = Level.BLUE


def read_route(table: object, place: str) -> Route:
    """Read a [[alerts.route]] table; raise ConfigError naming the place."""
    row = _table(table, place, ("channels", "level", "quiet", "quiet_below", *SELECTS))
    return Route(
        channels=_channels(row, place),
        selector=_selector(row, place),
        level=_level(row, "level", place, "blue"),
        quiet=_quiet(row, place),
    )


def read_escalation(table: object, place: str) -> Escalation:
    """Read an [[alerts.escalation]] table; raise ConfigError naming the place."""
    row = _table(table, place, ("after_min", "channels", "level", *SELECTS))
    after_min = row.get("after_min")
    if isinstance(after_min, bool) or not isinstance(after_min, int | float) or not 0 < after_min <= 10_080:
        raise ConfigError(f"{place}: after_min {after_min!r} is no time", remedy="give minutes, at most a week")
    return Escalation(
        after_min=float(after_min),
        channels=_channels(row, place),
        selector=_selector(row, place),
        level=_level(row, "level", place, "blue"),
    )


SELECTS = ("systems", "kinds", "districts", "rules")


def _table(table: object, place: str, known: Sequence[str]) -> Mapping[str, object]:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{place} is not a table")
    for key in table:
        if key not in known:
            raise ConfigError(f"{place}: key {key!r} is not known", remedy=f"known are: {', '.join(known)}")
    return table


def _texts(row: Mapping[str, object], key: str, place: str) -> tuple[str, ...]:
    value = row.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ConfigError(f"{place}: {key} is no list of texts", remedy=f'write {key} = ["..."]')
    return tuple(value)


def _channels(row: Mapping[str, object], place: str) -> tuple[str, ...]:
    found = _texts(row, "channels", place)
    if not found:
        raise ConfigError(f"{place}: no channels", remedy="name channels of the channels file")
    return found


def _selector(row: Mapping[str, object], place: str) -> Selector:
    found = Selector(**{key: _texts(row, key, place) for key in SELECTS})
    for key, given, known in (("systems", found.systems, SYSTEMS), ("kinds", found.kinds, KINDS)):
        for name in given:
            if name not in known:
                raise ConfigError(f"{place}: {key} has {name!r}", remedy=f"known are: {', '.join(known)}")
    return found


def _level(row: Mapping[str, object], key: str, place: str, default: str) -> Level:
    word = row.get(key, default)
    if not isinstance(word, str) or word not in [level.word for level in Level]:
        raise ConfigError(f"{place}: {key} {word!r} is no level", remedy="use blue, yellow, orange, red")
    return Level.of(word)


def _quiet(row: Mapping[str, object], place: str) -> Quiet | None:
    text = row.get("quiet")
    if text is None:
        if "quiet_below" in row:
            raise ConfigError(f"{place}: quiet_below without quiet", remedy='add quiet = "22:00-07:00"')
        return None
    begin, dash, end = str(text).partition("-")
    try:
        hours = time.fromisoformat(begin.strip()), time.fromisoformat(end.strip())
    except ValueError:
        hours = (time(), time())
    if not dash or hours[0] == hours[1]:
        raise ConfigError(f"{place}: quiet {text!r} is no span of hours", remedy='write "22:00-07:00"')
    return Quiet(begin=hours[0], end=hours[1], below=_level(row, "quiet_below", place, "orange"))
