"""Alert levels and episodes: what a rule found, where, since when, and how bad it got.

An episode's identity is (rule, node, start in event time). Gateways and cloud tell one another episodes as
states, never as events: what is said twice, late or in disorder merges to the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import IntEnum
from typing import Any, NamedTuple

from edge.model.errors import CityError


class Level(IntEnum):
    """The four colours of Chinese warning signals (突发事件应对法, art. 42), the mildest first."""

    BLUE = 1
    YELLOW = 2
    ORANGE = 3
    RED = 4

    @property
    def word(self) -> str:
        """The level's name in files and addresses."""
        return self.name.lower()

    @property
    def label_zh(self) -> str:
        """The level's Chinese name."""
        return "蓝黄橙红"[self - 1]

    @classmethod
    def of(cls, word: str) -> Level:
        """Return the level of this name (blue, yellow, orange, red), or raise EpisodeError."""
        try:
            return cls[word.upper()]
        except KeyError:
            raise EpisodeError(f"no level is called {word!r}", remedy="use blue, yellow, orange, red") from None


class EpisodeError(CityError):
    """Something that should be an episode is none; the message names the field."""


class EpisodeKey(NamedTuple):
    """The identity of an episode."""

    rule: str
    node: str
    start_ms: int


class Told(NamedTuple):
    """A message that a gateway sent by its own channel: which, when, and at which level."""

    channel: str
    time_ms: int
    level: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """One event as a rule sees it. Times are epoch milliseconds of event time, values in the quantity's unit.

    level: as of `updated_ms`; highest: the highest so far. value: the newest that counted; peak: the extreme in
    the direction of the rule. threshold: what the value passed to reach `level`. rate_per_h: how fast the value
    changed lately, None where unknown. end_ms: None while open. live: whether it was found while it happened;
    what late data shows is history, and nobody is woken for it. revision: grows with every change at its
    source; the higher one is the truth. told: what a gateway has sent already. note: what the rule adds in
    numbers, such as {"reaches_min": 42, "stage_m": 3.3} of a forecast.
    """

    rule: str
    node: str
    start_ms: int
    quantity: str
    level: Level
    highest: Level
    value: float | None
    peak: float | None
    peak_ms: int
    updated_ms: int
    threshold: float | None = None
    rate_per_h: float | None = None
    end_ms: int | None = None
    live: bool = True
    revision: int = 1
    gateway: str = ""
    told: tuple[Told, ...] = ()
    note: Mapping[str, float] | None = None

    @property
    def key(self) -> EpisodeKey:
        """Its identity."""
        return EpisodeKey(self.rule, self.node, self.start_ms)

    @property
    def is_open(self) -> bool:
        """Whether it lasts."""
        return self.end_ms is None

    def merged(self, other: Episode) -> Episode:
        """Return what is true when both were told: the higher revision, and all that was sent by either."""
        newest = other if other.revision > self.revision else self
        told = tuple(sorted({*self.told, *other.told}, key=lambda sent: (sent.time_ms, sent.channel)))
        return newest if told == newest.told else replace(newest, told=told)

    def to_dict(self) -> dict[str, Any]:
        """Return the episode as journals and the HTTP API write it; levels are words."""
        row = asdict(self)
        row["level"], row["highest"] = self.level.word, self.highest.word
        row["told"] = [sent._asdict() for sent in self.told]
        return row

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Episode:
        """Read what `to_dict` writes; raise EpisodeError naming what is wrong. Unknown keys are ignored."""
        known = {field.name for field in fields(cls)}
        given = {name: value for name, value in row.items() if name in known}
        try:
            given["level"], given["highest"] = Level.of(given["level"]), Level.of(given["highest"])
            given["told"] = tuple(Told(**sent) for sent in given.get("told") or ())
            return cls(**given)
        except (KeyError, TypeError, AttributeError) as error:
            raise EpisodeError(
                f"not an episode: {error}", remedy="give rule, node, start_ms and the rest"
            ) from None
